"""“Stimmt nicht?”: how often the check of a zone's sensors bears out reports that are right, and reports that are not.

    python -m bench.reports [--days 4] [--zones 3] [--seed 1]

The zones, their people and sensors are those of bench.occupancy. By day somebody looks at each zone every hour: where a sensor
says free though the bay has been taken for two minutes, a report that fewer are free is right, else it is not; each is checked
by the bridge's own code with what the sensors say in the day after it.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench._truth import Scenario
from bench.occupancy import MONDAY, Laboratory
from city.bays import BayEvent
from city.ids import AssetId, ZoneId
from city.nights import BERLIN
from city.parking_places import Doubting
from city.readings import to_ns
from city.sensor_checks import CheckRules, Evidence, Result, Word, begin, look
from city.settings import Parking

HOUR, DAY, HOLDS = timedelta(hours=1), timedelta(days=1), timedelta(minutes=2)
OPEN = range(8, 20)
SCENARIOS = (Scenario("Bosch, 2 % missed, 2 % lost", 0.02, 0.02), Scenario("Bosch, 4 % missed, 10 % lost", 0.1, 0.04),
             Scenario("Nwave, 2 % missed, 2 % lost", 0.02, 0.02, model="nwave/nps405"),
             Scenario("Libelium (every 3 h), 2 %, 2 %", 0.02, 0.02, model="libelium/smartparking"),
             Scenario("Bosch, 2 %, 2 %, 2 % a day get stuck", 0.02, 0.02, 0.02))


@dataclass(frozen=True, slots=True)
class Seen:
    """A zone at a time: bays that are taken though their sensors say free, those that are free though they say taken."""

    at: datetime
    zone: ZoneId
    taken: frozenset[AssetId]
    free: frozenset[AssetId]


@dataclass
class Told:
    """What came of reports that are right and of those that are not, and how many sensors that were called wrong were."""

    right: Counter[Result] = field(default_factory=Counter)
    not_right: Counter[Result] = field(default_factory=Counter)
    called: int = 0
    true: int = 0


class Street(Laboratory):
    """Zones that are looked at, and all that their sensors have said."""

    def __init__(self, scenario: Scenario, zones: int, seed: int) -> None:
        super().__init__(scenario, zones, seed)
        self.events: dict[AssetId, list[BayEvent]] = defaultdict(list)
        self.seen: list[Seen] = []

    def _look(self, now: datetime) -> None:
        heard, self._heard = self._heard, []
        self._remember(heard)
        for asset, event in heard:
            self.events[asset].append(event)
        local = now.astimezone(BERLIN)
        if now - MONDAY >= DAY and local.minute == 0 and local.hour in OPEN:
            self.seen += [self._seen(zone, now) for zone in self.zones]
        if local.minute == HOLDS // timedelta(minutes=1):
            self.seen = [self._still(one) if one.at == now - HOLDS else one for one in self.seen]

    def _seen(self, zone: ZoneId, now: datetime) -> Seen:
        wrong = [(spot.asset.id, spot.bay.occupied) for spot in self.zones[zone]
                 if self._tracks[spot.asset.id][0].occupied is (not spot.bay.occupied)]
        return Seen(now, zone, frozenset(asset for asset, taken in wrong if taken),
                    frozenset(asset for asset, taken in wrong if not taken))

    def _still(self, one: Seen) -> Seen:
        again = self._seen(one.zone, one.at)
        return Seen(one.at, one.zone, one.taken & again.taken, one.free & again.free)


def run(scenario: Scenario, days: int, zones: int, seed: int) -> Told:
    """Reports of all hours but those of the first and the last two days."""
    street, told = Street(scenario, zones, seed), Told()
    street.run(days * DAY + 3 * DAY)
    for seen in street.seen:
        if seen.at - MONDAY < (days + 1) * DAY:
            _judge(street, seen, told)
    return told


def _judge(street: Street, seen: Seen, told: Told) -> None:
    beats = {spot.asset.id: spot.codec.heartbeat for spot in street.zones[seen.zone]}
    by = CheckRules.of(Parking())
    check = begin(seen.zone, seen.at, beats, street.rules, seen.at, by)
    begun, ends = to_ns(seen.at - 2 * DAY), to_ns(check.until)
    of = {asset: Evidence([one for one in street.events[asset] if begun < one.at_ns <= ends], beat)
          for asset, beat in beats.items()}
    done = look(check, of, check.until, street.rules, by)
    for what, wrong in ((Doubting.FULLER, seen.taken), (Doubting.EMPTIER, seen.free)):
        (told.right if wrong else told.not_right)[done.result(what)] += 1
    called = {one.bay for one in done.sensors if one.word == Word.WRONG.value}
    told.called += len(called)
    told.true += len(called & (seen.taken | seen.free))


def table(of: Sequence[tuple[str, Told]]) -> list[str]:
    """Rows of Markdown."""
    head = ["| sensors | right | confirmed | suspicious | nothing | others | confirmed | suspicious | called wrong, and were |",
            "|---|---|---|---|---|---|---|---|---|"]
    return head + [f"| {name} | {told.right.total()} | {_share(told.right, Result.CONFIRMED)} | "
                   f"{_share(told.right, Result.SUSPICIOUS)} | {_share(told.right, Result.NOTHING)} | {told.not_right.total()} | "
                   f"{_share(told.not_right, Result.CONFIRMED)} | {_share(told.not_right, Result.SUSPICIOUS)} | "
                   f"{told.true} of {told.called} |" for name, told in of]


def _share(of: "Counter[Result]", result: Result) -> str:
    return f"{of[result] / of.total():.0%}" if of else "–"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--zones", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("\n".join(table([(one.name, run(one, options.days, options.zones, options.seed)) for one in SCENARIOS])))


if __name__ == "__main__":
    main()
