"""Quarters around a town: streets, lots and gateways that nobody has drawn, so that a scenario scales."""

from collections.abc import Iterator
from itertools import count, pairwise

import msgspec

from simulator.plan import GatewayPlan, LotPlan, Plan, Point, StreetPlan

CELL_M, INNER_CELLS = 320.0, 3  # a quarter's edge; what is left to the town itself
STREETS, LENGTH_M, APART_M = 6, 250.0, 45.0
LOT_BAYS = 40
QUARTERS_PER_GATEWAY = 10
NAMES = ("Ahornweg", "Akazienweg", "Amselweg", "Birkenweg", "Buchenweg", "Dahlienweg", "Drosselweg", "Eibenweg",
         "Eichenweg", "Erlenweg", "Eschenweg", "Falkenweg", "Fichtenweg", "Finkenweg", "Fliederweg", "Ginsterweg",
         "Habichtweg", "Haselweg", "Heideweg", "Holunderweg", "Kastanienweg", "Kiefernweg", "Lärchenweg",
         "Lerchenweg", "Lindenweg", "Meisenweg", "Nelkenweg", "Pappelweg", "Rosenweg", "Rotdornweg", "Schlehenweg",
         "Schwalbenweg", "Sperberweg", "Starenweg", "Tannenweg", "Ulmenweg", "Wacholderweg", "Weidenweg", "Zedernweg",
         "Zeisigweg")


def grown(plan: Plan, *, lamps: int, bays: int) -> Plan:
    """The plan with as many quarters as it takes to place that many lamps and bays; itself, if it has room."""
    streets, lots, gateways = list(plan.street), list(plan.parking), list(plan.gateway)
    poles = len(plan.lamp) + sum(poles_along(street, plan.town.spacing_m) for street in streets if street.lit)
    parked = len(plan.bay) + sum(lot.bays for lot in lots)
    for number, centre in zip(count(1), _cells(), strict=False):
        if poles >= lamps and parked >= bays:
            break
        more = [] if poles >= lamps else _streets(number, centre)
        streets += more
        poles += sum(poles_along(street, plan.town.spacing_m) for street in more)
        if parked < bays:
            lots.append(LotPlan(zone=_zone(number), mark=f"S{number}", at=(centre[0], centre[1] - 8), bays=LOT_BAYS,
                                habit="resident"))
            parked += LOT_BAYS
        if number % QUARTERS_PER_GATEWAY == 0:
            gateways.append(_gateway(plan.gateway[0], number, centre))
    return msgspec.structs.replace(plan, street=tuple(streets), parking=tuple(lots), gateway=tuple(gateways))


def poles_along(street: StreetPlan, spacing: float) -> int:
    """How many lamps a street has."""
    length = sum(((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5
                 for a, b in pairwise(street.points))
    return max(int(length / spacing), 1)


def _cells() -> Iterator[Point]:
    """The centres of a grid's cells around the town, ring by ring."""
    for ring in count(INNER_CELLS):
        edge = range(-ring, ring + 1)
        for east in edge:
            for north in edge if abs(east) == ring else (-ring, ring):
                yield east * CELL_M, north * CELL_M


def _streets(number: int, centre: Point) -> list[StreetPlan]:
    found = []
    for index in range(STREETS):
        turn, place = divmod((number - 1) * STREETS + index, len(NAMES))
        north = centre[1] + (index - (STREETS - 1) / 2) * APART_M
        points = ((centre[0] - LENGTH_M / 2, north), (centre[0] + LENGTH_M / 2, north + 6.0))
        found.append(StreetPlan(name=NAMES[place] + (f" {turn + 1}" if turn else ""), zone=_zone(number),
                                circuit=f"SV-{number:03d}", points=points, power_w=24.0, lighting_class="P5"))
    return found


def _gateway(like: GatewayPlan, number: int, centre: Point) -> GatewayPlan:
    eui = f"{(int(like.id, 16) & ~0xFFFFFF) | 0x800000 | number:016x}"
    return GatewayPlan(id=eui, name=f"Hochbehälter {number}", at=centre, height_m=18.0)


def _zone(number: int) -> str:
    return f"Siedlung-{number}"
