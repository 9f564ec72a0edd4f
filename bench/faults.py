"""Fault laboratory: a simulated town whose lamps, circuits and gateways fail, judged by the bridge's own code.

    python -m bench.faults [--nights 30] [--lamps 3000] [--interval 7200] [--jobs 3] [--seed 1] [--each N]
                           [--write docs/faults.md]

Faults of every kind begin at random lamps, last two days and are repaired. For each kind: how many were told within the time
that its rule takes, counted in hours in which it can be seen at all (a lamp that should burn, daylight, a feeder with power).
A false alarm is one at a lamp that had no fault since a day, and that no incident of its circuit or gateway explains.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import process_time

from bench._laboratory import GATEWAYS, SITE, Laboratory, first_noon
from bench._page import measured
from city.alarms import Alarm, AlarmKind
from city.ids import AssetId, CircuitId, GatewayId
from city.incidents import Cause, Incident
from city.nights import Night
from city.places import Restriction
from city.readings import to_ns
from city.sun import between

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DARK = (AlarmKind.LAMP_FAILURE, AlarmKind.DRIVER_SILENT, AlarmKind.RELAY_FAILURE)
ANY_POWER = (AlarmKind.DIMMING_FAILURE, AlarmKind.PARTIAL_FAILURE, AlarmKind.OVERPOWER)


@dataclass(frozen=True)
class Kind:
    """A fault: what it is called in the simulator, which alarms tell of it, when it can be seen, and within how many of the
    lamp's intervals its rule has to tell (lost frames included)."""

    name: str
    alarms: tuple[AlarmKind, ...]
    seen: str  # "lit", "day" or "fed"
    intervals: float
    model: str = ""


KINDS = (
    Kind("lamp failure", DARK, "lit", 5),
    Kind("driver failure", DARK, "lit", 5),
    Kind("partial failure", (AlarmKind.PARTIAL_FAILURE,), "lit", 7),
    Kind("overpower", (AlarmKind.OVERPOWER, AlarmKind.DIMMING_FAILURE), "lit", 7),
    Kind("stuck driver", (*ANY_POWER, *DARK), "lit", 12),
    Kind("flicker", (AlarmKind.FLICKER,), "lit", 16),
    Kind("cycling", (AlarmKind.CYCLING, AlarmKind.LAMP_FAILURE), "lit", 8),
    Kind("low power factor", (AlarmKind.LOW_POWER_FACTOR,), "lit", 7),
    Kind("undervoltage", (AlarmKind.UNDERVOLTAGE,), "fed", 5),
    Kind("overvoltage", (AlarmKind.OVERVOLTAGE,), "fed", 5),
    Kind("overheating", (AlarmKind.OVER_TEMPERATURE,), "lit", 5),
    Kind("tilted", (AlarmKind.TILTED,), "fed", 5, "stadtfunk/lamp"),
    Kind("meter jump", (AlarmKind.METER_JUMP,), "fed", 4),
    Kind("relay welded", (AlarmKind.RELAY_FAILURE, AlarmKind.DAY_BURNER), "day", 5),
    Kind("clock step", (AlarmKind.CLOCK_WRONG,), "fed", 5),
    Kind("day burner", (AlarmKind.DAY_BURNER, AlarmKind.CLOCK_INVALID), "day", 5),
    Kind("night off", (AlarmKind.NIGHT_OFF,), "lit", 5),
    Kind("restarts", (AlarmKind.RESTARTS,), "fed", 0),
    Kind("silent", (AlarmKind.DEVICE_SILENT,), "fed", 5),
)
BEGIN, END = "<!-- faults -->", "<!-- end of faults -->"
RESTARTS_H = 12.0
COLLECTIVE = {"cabinet outage": Cause.CIRCUIT_OUT, "gateway outage": Cause.GATEWAY_DOWN, "contactor stuck": Cause.CIRCUIT_BY_DAY,
              "circuit dark": Cause.CIRCUIT_DARK}


@dataclass
class Case:
    """One injected fault of one lamp, circuit or gateway, and when it was told."""

    kind: str
    subject: str
    begin: datetime
    end: datetime
    deadline: datetime
    told: datetime | None = None
    extra: list[str] = field(default_factory=list)  # alarms that should have been suppressed


@dataclass
class Result:
    """What came out."""

    lamps: int
    nights: int
    interval_s: int
    cases: list[Case] = field(default_factory=list)
    collective: list[Case] = field(default_factory=list)
    false: Counter[str] = field(default_factory=Counter)
    uplinks: int = 0
    incidents: int = 0
    seconds: float = 0.0

    @property
    def recall(self) -> float:
        """Of all faults, told within the rule's time."""
        return sum(case.told is not None for case in (*self.cases, *self.collective)) / len((*self.cases, *self.collective))

    @property
    def false_per_thousand(self) -> float:
        """False alarms per 1,000 lamps and night."""
        return 1000 * self.false.total() / (self.lamps * self.nights)


def run(lamps: int, nights: int, interval_s: int, seed: int = 1, each: int | None = None) -> Result:
    """One run. `each`: faults of a kind; by default one per 3,000 lamp-nights."""
    begun, lab = process_time(), Laboratory(lamps, first_noon(), seed, interval_s)
    result = Result(lamps, nights, interval_s)
    _plan(lab, result, each or max(lamps * nights // 3000, 2))
    ill: dict[AssetId, list[Case]] = defaultdict(list)
    for case in result.cases:
        ill[AssetId(case.subject)].append(case)
    for now, found in lab.run(lab.start + nights * DAY):
        for one in found.incidents:
            _told_of_many(result, one, now)
    for alarm in lab.alarms.values():
        _told(result, ill, lab, alarm)
    result.uplinks, result.incidents = lab.uplinks, len(lab.incidents)
    result.seconds = process_time() - begun
    return result


def run_many(lamps: int, nights: int, interval_s: int, seed: int, jobs: int, each: int | None = None) -> Result:
    """A town of several districts, each with its gateways and in a process of its own."""
    total = Result(lamps, nights, interval_s)
    with ProcessPoolExecutor(jobs) as pool:
        parts = [pool.submit(run, lamps // jobs, nights, interval_s, seed + number, each) for number in range(jobs)]
        for part in (one.result() for one in parts):
            total.cases += part.cases
            total.collective += part.collective
            total.false += part.false
            total.uplinks += part.uplinks
            total.incidents += part.incidents
            total.seconds += part.seconds
    return total


def table(result: Result) -> list[str]:
    """The page."""
    lines = ["| fault | injected | told in time | recall | median | slowest | rule's time |", "|---|---|---|---|---|---|---|"]
    for name in (*(kind.name for kind in KINDS), *COLLECTIVE):
        cases = [case for case in (*result.cases, *result.collective) if case.kind == name]
        if not cases:
            continue
        took = [(case.told - case.begin) / HOUR for case in cases if case.told is not None]
        rule = max((case.deadline - case.begin) / HOUR for case in cases)
        lines.append(f"| {name} | {len(cases)} | {len(took)} | {len(took) / len(cases):.1%} | "
                     f"{median(took):.1f} h | {max(took):.1f} h | ≤ {rule:.0f} h |" if took else
                     f"| {name} | {len(cases)} | 0 | 0 % | – | – | ≤ {rule:.0f} h |")
    alone = Counter(name for case in result.collective for name in case.extra)
    return [*lines, "",
            (f"Recall {result.recall:.2%} of {len(result.cases) + len(result.collective)} faults; "
             f"{result.false_per_thousand:.2f} false alarms per 1,000 lamps and night ({_listed(result.false)}); "
             f"lamps' own alarms during an outage of their circuit or gateway: {_listed(alone)}."),
            "", _circumstances(result)]


def _put(path: Path, text: str) -> None:
    """Into the page, in the place of the former table."""
    page = path.read_text(encoding="utf-8")
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    path.write_text(f"{page[:before]}\n{text}\n{page[after:]}", encoding="utf-8")


def _circumstances(result: Result) -> str:
    return (f"{result.lamps:,} lamps, {result.nights} nights, a status and a meter reading every {result.interval_s // 60} min, "
            f"5 % of frames lost at each gateway, {result.uplinks:,} uplinks, {result.incidents} incidents; "
            f"{result.seconds / 60:.1f} min of processor time.")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in counts.most_common()) or "none"


def main() -> None:
    """Run, print, and write the page's table where asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--lamps", type=int, default=3000)
    parser.add_argument("--interval", type=int, default=7200, help="seconds between reports")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=3, help="districts of the town, each in a process of its own")
    parser.add_argument("--each", type=int, help="faults of a kind in each district; one per 3,000 lamp-nights if not given")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    result = run_many(options.lamps, options.nights, options.interval, options.seed, options.jobs, options.each)
    lines = table(result)
    print("\n".join(lines))
    if options.write:
        _put(options.write, "\n".join(["## Fault laboratory (`bench.faults`)", "", measured(), "", *lines]))


# -- what is injected

def _plan(lab: Laboratory, result: Result, each: int) -> None:
    """Every lamp has one fault at most, and none together with its circuit's or its gateway's."""
    rng, taken = lab.rng, set[AssetId]()
    circuits = sorted(lab.circuits)
    several = max(each // 6, 1)
    spoilt = rng.sample([name for name in circuits if name not in lab.night_fed], min(3 * several, len(circuits) // 3))
    for number, name in enumerate(spoilt):
        fault = ("cabinet outage", "contactor stuck", "circuit dark")[number % 3]
        _circuit_fault(lab, result, fault, name, rng.randrange(2, result.nights - 1))
        taken.update(one.asset.id for one in lab.circuits[name])
    down = GATEWAYS[:min(several, 2)]
    for gateway in down:
        _gateway_fault(lab, result, gateway, rng.randrange(2, result.nights - 1))
    for kind in KINDS:
        able = [one for one in lab.lamps.values() if one.asset.id not in taken and kind.model in ("", one.known.device.model)
                and not (kind.seen == "day" and one.asset.circuit in lab.night_fed)
                and not (kind.name == "relay welded" and one.known.device.model != "nas/ul20xx")
                and not (kind.name == "stuck driver" and one.asset.restriction is Restriction.CROSSWALK)  # never dimmed
                and not set(one.gateways) <= set(down)]
        for one in rng.sample(able, min(each, len(able))):
            taken.add(one.asset.id)
            _lamp_fault(lab, result, kind, one.asset.id, rng.randrange(2, max(result.nights - 3, 3)))


def _lamp_fault(lab: Laboratory, result: Result, kind: Kind, asset: AssetId, night: int) -> None:
    one = lab.lamps[asset]
    fed = one.asset.circuit in lab.night_fed
    begin = lab.start + night * DAY + lab.rng.uniform(0, 24) * HOUR
    seen = "lit" if kind.seen == "fed" and fed else kind.seen
    hours = RESTARTS_H if kind.name == "restarts" else kind.intervals * result.interval_s / 3600 + 0.2
    if kind.name in ("meter jump", "clock step", "restarts") and seen == "lit":
        begin = _fed(begin, hours)
    first = next(_hours(begin, seen))
    deadline = _after(max(begin, first[0]), seen, hours)
    end = deadline + 6 * HOUR
    at, over = to_ns(begin), to_ns(end)
    if kind.name == "clock step":
        lab.engine.at(at, one.lamp.step_clock, 900.0)
        lab.engine.at(over, one.lamp.step_clock, -900.0)
    else:
        lab.engine.at(at, one.lamp.fail, kind.name)
        lab.engine.at(over, one.lamp.fail, "")
    result.cases.append(Case(kind.name, asset, begin, end, deadline))


def _fed(begin: datetime, hours: float) -> datetime:
    """An hour after which a night-switched feeder has power for so long yet: nothing happens to a controller without power,
    and one that starts anew is told the time."""
    periods = _hours(begin, "lit")
    first, last = next(periods)
    if last - first < (hours + 1) * HOUR:
        first, _ = next(periods)
    return first + HOUR


def _circuit_fault(lab: Laboratory, result: Result, kind: str, name: CircuitId, night: int) -> None:
    evening = Night.of((lab.start + night * DAY).date(), SITE)
    hours = 3 * result.interval_s / 3600 + 1
    if kind == "contactor stuck":
        begin = between(SITE, evening.evening - DAY, 3.0)[1] + HOUR
    else:
        begin = evening.sunset + lab.rng.uniform(1, 4) * HOUR
    end = begin + (hours + 2) * HOUR
    for one in lab.circuits[name] if kind != "cabinet outage" else ():
        lab.engine.at(to_ns(begin), one.lamp.fail, "day burner" if kind == "contactor stuck" else "night off")
        lab.engine.at(to_ns(end), one.lamp.fail, "")
    if kind == "cabinet outage":
        lab.engine.at(to_ns(begin), _power, lab, name, False)
        lab.engine.at(to_ns(end), _power, lab, name, True)
    result.collective.append(Case(kind, name, begin, end, begin + hours * HOUR))


def _gateway_fault(lab: Laboratory, result: Result, gateway: GatewayId, night: int) -> None:
    begin = Night.of((lab.start + night * DAY).date(), SITE).sunset + HOUR + lab.rng.uniform(0, 2) * HOUR
    hours = 2 * result.interval_s / 3600 + 1
    end = begin + (hours + 4) * HOUR
    lab.engine.at(to_ns(begin), lab.down.add, gateway)
    lab.engine.at(to_ns(end), lab.down.discard, gateway)
    result.collective.append(Case("gateway outage", gateway, begin, end, begin + hours * HOUR))


def _power(lab: Laboratory, name: CircuitId, on: bool) -> None:
    lab.power(name, on=on)


def _hours(begin: datetime, seen: str) -> Iterator[tuple[datetime, datetime]]:
    """The periods from `begin` on in which such a fault can be seen."""
    if seen == "fed":
        yield begin, begin + 365 * DAY
        return
    day = begin.date() - 2 * DAY
    while True:
        first, last = between(SITE, day, 0.0) if seen == "lit" else (between(SITE, day - DAY, 3.0)[1], between(SITE, day, 3.0)[0])
        day += DAY
        if last > begin:
            yield max(first, begin), last


def _after(begin: datetime, seen: str, hours: float) -> datetime:
    """When so many hours have passed in which it can be seen."""
    left = timedelta(hours=hours)
    for first, last in _hours(begin, seen):
        if last - first >= left:
            return first + left
        left -= last - first
    raise AssertionError


# -- what was told

def _told(result: Result, ill: dict[AssetId, list[Case]], lab: Laboratory, alarm: Alarm) -> None:
    names = {kind.name: kind for kind in KINDS}
    near = [case for case in ill.get(alarm.asset, ()) if case.begin <= alarm.began_at <= case.end + DAY]
    for case in near:
        if alarm.kind in names[case.kind].alarms and case.told is None and alarm.began_at <= case.deadline:
            case.told = alarm.began_at
    if near:
        return
    one = lab.lamps[alarm.asset]
    for case in result.collective:
        mine = case.subject == one.asset.circuit or case.subject in one.gateways
        if mine and case.begin <= alarm.began_at <= case.end + 6 * HOUR:
            case.extra += [alarm.kind.value] if alarm.judged else []
            return
    result.false[alarm.kind.value] += 1


def _told_of_many(result: Result, one: Incident, now: datetime) -> None:
    for case in result.collective:
        if COLLECTIVE[case.kind] is one.cause and case.subject == one.subject and case.begin <= now <= case.deadline:
            case.told = case.told or now
            return
    if one.cause is not Cause.ASSET and one.standing and not any(
            case.subject == one.subject and case.begin <= now <= case.end + DAY for case in result.collective):
        result.false[one.cause.value] += 1


if __name__ == "__main__":
    main()
