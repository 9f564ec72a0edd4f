"""Many towns from a few lines: each a grid of streets as large as its lamps ask for, with gateways over it."""

import re
from collections.abc import Iterator
from math import ceil, sqrt

from simulator.layout import drawn_grids, placed_gateways
from simulator.plan import GatewaysPlan, GridPlan, Member, Plan, Town, UnionFile

BLOCK_M = (90.0, 110.0)
LAMPS_A_ZONE, LOT_BAYS = 250, 24
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def members(union: UnionFile) -> Iterator[Plan]:
    """A plan for each town of the union, with everything drawn."""
    for number, member in enumerate(union.union.towns):
        faults = tuple(fault for fault in union.fault if fault.town in ("", slug(member.name)))
        yield placed_gateways(drawn_grids(Plan(
            town=_town(union, member, number), grid=(_grid(union, member, number),), mix=union.mix, weather=union.weather,
            gateways=GatewaysPlan(every_m=union.union.gateways_every_m), devices=union.devices, fault=faults)))


def slug(name: str) -> str:
    """A town's id: its name in a-z, 0-9 and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().translate(_LETTERS)).strip("-")[:40].strip("-")


def _town(union: UnionFile, member: Member, number: int) -> Town:
    pole = re.sub("[^A-Z]", "", slug(member.name).upper())[:3]
    return Town(id=slug(member.name), name=member.name, latitude=member.latitude, longitude=member.longitude,
                pole=pole.ljust(2, "X"), lamps=member.lamps, bays=member.bays, timezone=union.union.timezone,
                spacing_m=union.union.spacing_m, number=number)


def _grid(union: UnionFile, member: Member, number: int) -> GridPlan:
    edge = max(ceil(sqrt(member.lamps * union.union.spacing_m / sum(BLOCK_M))) + 2, 3)
    zones = max(min(member.lamps // LAMPS_A_ZONE, edge // 2, 50), 1)
    return GridPlan(zone="Quartier", columns=min(edge, 200), rows=min(edge, 200), block_m=BLOCK_M, seed=number, zones=zones,
                    bearing=(number * 17) % 90, lots=min(ceil(member.bays / LOT_BAYS), 500), lot_bays=LOT_BAYS)
