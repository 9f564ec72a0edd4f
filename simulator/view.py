"""What a running simulation looks like: a table for people, a line for logs. Nothing here waits."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from rich.table import Table

from city.readings import NS
from simulator.chirpstack import ChirpStack
from simulator.faults import Troubled

MOST_LINES = 12
BUDGET_S = 360.0  # a gateway's hour in the RX2 band: 10 %


class Look(NamedTuple):
    """All towns at one moment of virtual time (ns), and of real time (s)."""

    at_ns: int
    real_s: float
    totals: Counter[str]
    joined: int
    devices: int
    burning: int
    lamps: int
    parked: int
    bays: int
    airtime: float  # share of the budget that the busiest gateway has used
    silent: int
    gateways: int
    faults: tuple[str, ...]


def look(towns: Sequence[tuple[ChirpStack, Troubled]], real_s: float) -> Look:
    """What is to be seen now."""
    totals: Counter[str] = Counter()
    for chirpstack, _ in towns:
        totals.update(chirpstack.stats)
    ones = [chirpstack for chirpstack, _ in towns]
    gateways = [(one, index) for one in ones for index in range(len(one.scenario.antennas))]
    many = len(towns) > 1
    return Look(
        max(one.now_ns for one in ones), real_s, totals, sum(one.joined for one in ones),
        sum(len(one.scenario.lamps) + len(one.scenario.bays) for one in ones),
        sum(lamp.level > 0 and lamp.powered for one in ones for lamp in one.lamps.values()), sum(len(one.lamps) for one in ones),
        sum(lot.occupied for one in ones for lot in one.lots.values()), sum(len(one.bays) for one in ones),
        max((one.fleet.used_s(index) for one, index in gateways), default=0.0) / BUDGET_S,
        sum(one.fleet.is_silent(index) for one, index in gateways), len(gateways),
        tuple((f"{town.scenario.tenant.id}: " if many else "") + describe(fault) for _, town in towns for fault in town.running))


def describe(fault: object) -> str:
    """A fault in a few words: its kind and what it is set to."""
    tag = fault.__struct_config__.tag  # type: ignore[attr-defined]
    facts = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
             for name in ("gateway", "circuit", "zone", "model", "asset", "fault", "does", "of", "seconds", "factor", "share")
             if (value := getattr(fault, name, "")) not in ("", 1.0)]
    return f"{tag} ({', '.join(facts)})" if facts else str(tag)


def table(now: Look, before: Look, title: str) -> Table:
    """The live view; rates are since `before`."""
    shown = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    shown.add_column(style="dim", width=14)
    shown.add_column(no_wrap=True, overflow="ellipsis")
    for name, value in _rows(now, before):
        shown.add_row(name, value)
    for fault in now.faults[:MOST_LINES]:
        shown.add_row("fault", fault, style="yellow")
    if len(now.faults) > MOST_LINES:
        shown.add_row("", f"… and {len(now.faults) - MOST_LINES} more", style="yellow")
    return shown


def sentence(now: Look, before: Look) -> str:
    """The same in a line."""
    return "  ".join(f"{name} {value}" for name, value in _rows(now, before)) + (
        f"  faults {len(now.faults)}: {'; '.join(now.faults[:3])}" if now.faults else "")


def _rows(now: Look, before: Look) -> list[tuple[str, str]]:
    at, totals = datetime.fromtimestamp(now.at_ns // NS, UTC), now.totals
    lost = totals["lost up"], totals["lost down"]
    return [
        ("time", f"{at:%Y-%m-%d %H:%M:%S} UTC"), ("joined", f"{now.joined}/{now.devices}"),
        ("uplinks", f"{totals['up']} ({_rate(now, before, 'up')})"),
        ("downlinks", f"{totals['txack']} sent, {max(totals['txack'] - totals['lost down'], 0)} heard"),
        ("lost", f"{lost[0]} up, {lost[1]} down"),
        ("refused", "{commands refused} commands, {joins refused} joins, {gateway refused} by gateways".format_map(totals)),
        ("gateways", f"{now.gateways - now.silent}/{now.gateways} on the net, {now.airtime:.0%} of the busiest one's airtime"),
        ("lamps", f"{now.burning}/{now.lamps} burn"), ("bays", f"{now.parked}/{now.bays} taken")]


def _rate(now: Look, before: Look, what: str) -> str:
    """By the town's time, and by ours where that runs differently."""
    more = now.totals[what] - before.totals[what]
    virtual, real = (now.at_ns - before.at_ns) / NS, now.real_s - before.real_s
    said = f"{more / virtual:.1f}/s" if virtual > 0 else "0/s"
    return said if real <= 0 or abs(virtual / real - 1) < 0.2 else f"{said}, {more / real:.0f}/s in real time"
