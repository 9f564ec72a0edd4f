"""What the truth laboratory tries, how it scores what is told, and the tables of both. See bench.occupancy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from city.parking_display import Tells

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = "|---|---|---|---|---|---|---|---|---|"
BEGIN, END = "<!-- occupancy -->", "<!-- end of occupancy -->"
BOSCH = "bosch/tps110"
WRONG = 2  # a number that is off by more bays is wrong


@dataclass(frozen=True, slots=True)
class Outage:
    """All gateways are deaf, or their line is dead: from `begin` after the start of the run, for `lasts`."""

    begin: timedelta
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is wrong: the share of frames that are lost, of edges that sensors miss, of sensors that get stuck in a day, and
    outages. `others`: frames an hour of the town's other devices; `asked`: the network server is asked how its gateways are."""

    name: str
    loss: float = 0.0
    missed: float = 0.0
    stuck: float = 0.0
    outages: tuple[Outage, ...] = ()
    model: str = BOSCH
    others: float = 0.0
    asked: bool = False


@dataclass
class Score:
    """Minutes in which a number was told, and a range, and nothing; by how many bays numbers were off in all, and in how many
    minutes by more than two; in how many the truth was within the range. `naive` is off always, as it tells always."""

    minutes: int = 0
    numbers: int = 0
    ranges: int = 0
    off: int = 0
    wrong: int = 0
    within: int = 0
    naive_off: int = 0
    naive_wrong: int = 0

    def add(self, truth: int, told: "Told", naive: int) -> None:
        self.minutes += 1
        self.naive_off += abs(naive - truth)
        self.naive_wrong += abs(naive - truth) > WRONG
        if told.tells is Tells.NUMBER:
            self.numbers += 1
            self.off += abs(told.free - truth)
            self.wrong += abs(told.free - truth) > WRONG
        elif told.tells is Tells.RANGE:
            self.ranges += 1
            self.within += told.free <= truth <= told.most

    @property
    def error(self) -> float:
        """Of numbers, bays."""
        return self.off / self.numbers if self.numbers else 0.0

    @property
    def naive_error(self) -> float:
        return self.naive_off / self.minutes if self.minutes else 0.0

    def share(self, of: int) -> float:
        """Of all minutes."""
        return of / self.minutes if self.minutes else 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What everybody is told of a zone."""

    tells: Tells
    free: int
    most: int


@dataclass
class Result:
    """What came of a scenario: of all time but the outages and the day after each, of the outages, of the days after them."""

    usual: Score = field(default_factory=Score)
    outage: Score = field(default_factory=Score)
    after: Score = field(default_factory=Score)
    frames: int = 0
    stuck_hours: float = 0.0  # of bays
    suspect_hours: float = 0.0  # of those, in which they were not counted
    accused_hours: float = 0.0  # not stuck, and not counted
    bay_hours: float = 0.0
    seconds: float = 0.0


def scenarios(days: int) -> list[Scenario]:
    """Those of the page."""
    long = (Outage(7 * DAY + 10 * HOUR, HOUR / 6), Outage(8 * DAY + 7 * HOUR, HOUR), Outage(9 * DAY + 15 * HOUR, HOUR),
            Outage(10 * DAY + 10 * HOUR, 4 * HOUR), Outage(11 * DAY + 16 * HOUR, HOUR / 2), Outage(12 * DAY + 9 * HOUR, 2 * HOUR),
            Outage(13 * DAY + 2 * HOUR, 12 * HOUR))
    outages = tuple(one for one in long if one.begin + one.lasts < days * DAY)
    return [*(Scenario(f"loss {loss:.0%}, missed {missed:.0%}", loss, missed) for loss, missed in
              ((0.0, 0.01), (0.0, 0.04), (0.02, 0.01), (0.02, 0.02), (0.02, 0.04), (0.1, 0.01), (0.1, 0.04))),
            *(Scenario(f"2 %, 2 %, {name}", 0.02, 0.02, stuck, model=model) for name, stuck, model in (
                ("Nwave NPS405", 0.0, "nwave/nps405"), ("Libelium (every 3 h)", 0.0, "libelium/smartparking"),
                ("0.2 % a day get stuck", 0.002, BOSCH), ("2 % a day get stuck", 0.02, BOSCH))),
            *(Scenario(f"2 %, 2 %, outages, {name}", 0.02, 0.02, 0.0, outages, BOSCH, others, asked)
              for name, others, asked in (("parking alone", 0.0, False), ("the network server is asked", 0.0, True),
                                          ("lamps around", 800.0, False)))]


def table(results: Mapping[Scenario, Result]) -> list[str]:
    """The page's tables."""
    return [_head("what is wrong"), RULE, *(_row(one.name, result.usual) for one, result in results.items()), "",
            *_outages(results), "", *_stuck(results)]


def _head(first: str) -> str:
    return f"| {first} | number told | off by | off by > 2 | range told | right | nothing told | naive: off by | naive: > 2 |"


def _row(name: str, score: Score) -> str:
    nothing = score.minutes - score.numbers - score.ranges
    wrong = f"{score.wrong / score.numbers:.2%}" if score.numbers else "–"
    right = f"{score.within / score.ranges:.1%}" if score.ranges else "–"
    off = f"{score.error:.2f}" if score.numbers else "–"
    return (f"| {name} | {score.share(score.numbers):.1%} | {off} | {wrong} | {score.share(score.ranges):.1%} | {right} | "
            f"{score.share(nothing):.1%} | {score.naive_error:.2f} | {score.share(score.naive_wrong):.2%} |")


def _outages(results: Mapping[Scenario, Result]) -> list[str]:
    rows = []
    for one, result in results.items():
        if one.outages:
            rows += [_row(f"{one.name}: meanwhile", result.outage),
                     _row(f"{one.name}: the day after", result.after)]
    return [_head("outage"), RULE, *rows] if rows else []


def _stuck(results: Mapping[Scenario, Result]) -> list[str]:
    return [f"{one.name}: {result.stuck_hours:.0f} bay-hours stuck, of which {result.suspect_hours:.0f} were found; "
            f"{result.accused_hours / result.bay_hours:.3%} of all bay-hours not counted though the sensor was well."
            for one, result in results.items() if one.stuck]


def put(path: Path, text: str) -> None:
    """Into the page, in the place of the former tables."""
    page = path.read_text(encoding="utf-8")
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    path.write_text(f"{page[:before]}\n{text}\n{page[after:]}", encoding="utf-8")
