"""Quarters of streets at right angles, and gateways over all that is drawn: what a scenario file asks for in a few lines."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import cos, floor, radians, sin
from random import Random

from msgspec.structs import replace

from simulator.plan import GatewayPlan, GridPlan, LotPlan, Plan, Point, StreetPlan, Town

AFTER = ("Goethe", "Schiller", "Lessing", "Heine", "Mozart", "Haydn", "Bach", "Schubert", "Brahms", "Humboldt", "Kepler",
         "Röntgen", "Siemens", "Liebig", "Planck", "Gauß", "Luther", "Kolping", "Raiffeisen", "Droste", "Fontane", "Storm",
         "Uhland", "Eichendorff", "Kleist", "Lortzing", "Weber", "Händel", "Dürer", "Cranach")
KINDS = ("straße", "weg", "allee", "ring", "gasse")
MOST_GATEWAYS = 400


def drawn_grids(plan: Plan) -> Plan:
    """The plan with the streets and lots of its grids."""
    streets, lots = list(plan.street), list(plan.parking)
    names = _names({street.name for street in streets})
    circuits: Counter[str] = Counter()
    for grid in plan.grid:
        corners = _corners(grid)
        streets += _streets(grid, corners, names, circuits)
        lots += _lots(grid, corners, len(lots))
    return replace(plan, street=tuple(streets), parking=tuple(lots), grid=())


def placed_gateways(plan: Plan) -> Plan:
    """The plan with gateways on a grid, where it asks for them: only where lamps or bays are near."""
    wanted = plan.gateways
    if wanted is None:
        return plan
    points = [point for street in plan.street for point in street.points]
    points += [one.at for one in plan.lamp] + [one.at for one in plan.bay] + [lot.at for lot in plan.parking]
    cells: defaultdict[tuple[int, int], list[Point]] = defaultdict(list)
    for east, north in points:
        cells[floor(east / wanted.every_m), floor(north / wanted.every_m)].append((east, north))
    placed = [GatewayPlan(id=f"0016c001{town_digits(plan.town)}{number:05x}", name=f"Standort {number}",
                          at=_middle(inside), altitude=wanted.altitude, height_m=wanted.height_m,
                          gnss=bool(wanted.gnss_every) and number % wanted.gnss_every == 0)
              for number, (_, inside) in enumerate(sorted(cells.items())[:MOST_GATEWAYS], start=1)]
    return replace(plan, gateway=(*plan.gateway, *placed), gateways=None)


def town_digits(town: Town) -> str:
    """Three hex digits that stand for a town in the EUIs of its things."""
    return f"{town.number:03x}" if town.number is not None else hashlib.sha256(town.id.encode()).hexdigest()[:3]


def _middle(points: Sequence[Point]) -> Point:
    """The middle of what lies in a cell: no gateway stands out in the fields."""
    return sum(east for east, _ in points) / len(points), sum(north for _, north in points) / len(points)


def _corners(grid: GridPlan) -> list[list[Point]]:
    """The crossings, by column and row."""
    rng, turn = Random(f"{grid.seed}/{grid.zone}/corners"), radians(grid.bearing)

    def corner(column: int, row: int) -> Point:
        east = (column - (grid.columns - 1) / 2) * grid.block_m[0] + rng.uniform(-grid.jitter_m, grid.jitter_m)
        north = (row - (grid.rows - 1) / 2) * grid.block_m[1] + rng.uniform(-grid.jitter_m, grid.jitter_m)
        return (grid.at[0] + east * cos(turn) + north * sin(turn), grid.at[1] - east * sin(turn) + north * cos(turn))
    return [[corner(column, row) for row in range(grid.rows)] for column in range(grid.columns)]


def _streets(grid: GridPlan, corners: list[list[Point]], names: Iterator[str], circuits: Counter[str]) -> list[StreetPlan]:
    found = []
    for zone, band in enumerate(_bands(grid), start=1):
        name = grid.zone if grid.zones == 1 else f"{grid.zone}-{zone}"
        lines = [(column, corners[column]) for column in band]
        ends = [*band, band[-1] + 1] if band[-1] + 1 < grid.columns else band
        lines += [(row, [corners[column][row] for column in ends]) for row in range(grid.rows) if len(ends) > 1]
        for in_zone, (number, points) in enumerate(lines):
            circuits[grid.circuit] += in_zone % grid.streets_per_circuit == 0
            main = grid.main_every > 0 and number % grid.main_every == 0
            found.append(StreetPlan(name=next(names), zone=name, circuit=f"{grid.circuit}-{circuits[grid.circuit]:02d}",
                                    points=tuple(points), power_w=grid.main_power_w if main else grid.power_w,
                                    lighting_class=grid.main_class if main else grid.lighting_class))
    return found


def _bands(grid: GridPlan) -> list[range]:
    """The columns of each zone, side by side."""
    edges = [index * grid.columns // grid.zones for index in range(grid.zones + 1)]
    return [range(left, right) for left, right in pairwise(edges) if right > left]


def _lots(grid: GridPlan, corners: list[list[Point]], before: int) -> list[LotPlan]:
    rng = Random(f"{grid.seed}/{grid.zone}/lots")
    crossings = [corner for column in corners for corner in column]
    chosen = rng.sample(crossings, min(grid.lots, len(crossings)))
    return [LotPlan(zone=f"{grid.zone}-P{number}", mark=f"G{before + number}", at=(at[0] + 12, at[1] + 12), bays=grid.lot_bays,
                    bearing=grid.bearing + 90, habit=grid.habits[number % len(grid.habits)],
                    disabled=min(1, grid.lot_bays - 1), charging=min(2, max(grid.lot_bays - 2, 0)) if number % 3 == 0 else 0)
            for number, at in enumerate(chosen, start=1)]


def _names(taken: set[str]) -> Iterator[str]:
    """Street names that nobody has yet."""
    turn = 0
    while True:
        turn += 1
        for kind in KINDS:
            for first in AFTER:
                name = first + kind + (f" {turn}" if turn > 1 else "")
                if name not in taken:
                    yield name
