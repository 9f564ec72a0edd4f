"""How fast the bridge is, beside its peers: the same machine, the same run, processor time of the process under test.

    python -m bench.bridge [--quick] [--write docs/performance.md] [--telegraf BINARY] [--without-node-red]
    python -m bench.bridge --profile

Every figure holds only if every event that was published is found again; otherwise the bench stops. It takes about eight
minutes on a quiet machine with two cores, --quick less than one (for a look while working, its figures are worth
little). Needs mosquitto; InfluxDB 1.x, npm and a C compiler are used where they are. --write puts it into the page.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from bench import pipeline
from bench._load.lamps import Lamps, write_records
from bench._load.loader import Tools, tools
from bench._load.measures import Drained, Live, Load, caught_up, drain, drained, leaving, live, without
from bench._load.servers import Influx, influxd, mosquitto
from bench._page import put
from bench._peers.nodered import install, node_red
from bench._peers.ours import Setup, Town, ours, started
from bench._peers.paho import paho
from bench._peers.subject import Contender
from bench._peers.telegraf import telegraf
from bench._report import Results, page, spin

SLOW_MS = 5
SHARE = "bridges"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    events: int
    node_red: int
    seconds: float  # at each live rate
    lamps: int
    many_lamps: int
    lives: int  # tries of each live rate, of which the one counts that was disturbed least


FULL = Size(5, 60_000, 8_000, 10.0, 10_000, 100_000, 3)  # a backlog of an hour and a half of 10,000 lamps
QUICK = Size(1, 8_000, 1_000, 2.0, 1_000, 0, 1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small version, for a look")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page, too")
    parser.add_argument("--rounds", type=int, help="rounds of the comparison")
    parser.add_argument("--telegraf", type=Path, metavar="BINARY", help="measure this Telegraf, too")
    parser.add_argument("--without-node-red", action="store_true")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "stadtfunk-bench",
                        help="where programs are compiled and peers installed, and left for the next time")
    parser.add_argument("--profile", action="store_true", help="where the time goes inside the bridge's steps")
    words = parser.parse_args(argv)
    if words.profile:
        return pipeline.main(["--profile"])
    size = QUICK if words.quick else FULL
    results = measured(words, size)
    text = page(results)
    print(text)
    if words.write:
        put(words.write, "bridge", text)
    return 0


def measured(words: argparse.Namespace, size: Size) -> Results:
    """Everything, in an order in which what is compared is measured side by side."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        bench = stack.enter_context(prepared(words, size, place))
        results = Results(size.rounds, size.events, size.lamps, bench.load.tools.language,
                          bench.influx is not None, words.telegraf is not None, SLOW_MS, size.many_lamps, size.lives)
        for number in range(words.rounds or size.rounds):
            results.spins.append(spin())
            results.leaving.append(bench.leaving(number))
            for contender in bench.contenders(words):
                run = bench.drain(contender, number)
                if contender.name.startswith("ours"):
                    run = without(run, median(results.leaving))
                results.drained.setdefault(contender.name, []).append(run)
                bench.say(contender.name, run)
            if number < 3:
                results.two.append(bench.two(number))
        for slow in (False, True):
            for rate in (1000, 5000):
                if not slow or bench.load.tools.slow_disk:
                    tries = (bench.live(rate, slow, number) for number in range(size.lives))
                    results.live[rate, slow] = min(tries, key=lambda one: one.stolen)
        results.bare_live = min((bench.bare_live(1000, number) for number in range(size.lives)), key=lambda one: one.stolen)
        if bench.influx:
            results.caught_up = bench.catch_up()
        if size.many_lamps:
            results.many = bench.many()
        results.spins.append(spin())
    return results


@dataclass(slots=True)
class Bench:
    """What all measurements share. Each has a broker of its own, so that no session of a former one is there."""

    size: Size
    place: Path
    load: Load
    live_load: Load
    town: Town
    influx: Influx | None
    node_red: Path | None
    said: Callable[[str], None] = field(default=print)

    def contenders(self, words: argparse.Namespace) -> Iterator[Contender]:
        """One round."""
        for version in ("3.1.1", "5"):
            yield ours(f"ours, MQTT {version}", self.town, Setup(version))
            yield paho(version, "auto", self.size.events)
            yield paho(version, "manual", self.size.events)
        if self.influx:
            yield ours("ours + InfluxDB, MQTT 5", self.town, Setup("5", (self.influx, "ours")))
            if self.node_red:
                yield node_red(self.node_red, "3.1.1", self.influx, self.size.node_red)
            if words.telegraf:
                yield telegraf(words.telegraf.resolve(), self.influx)

    def drain(self, contender: Contender, number: int) -> Drained:
        directory = self.place / f"{number}-{''.join(c if c.isalnum() else '_' for c in contender.name)}"
        with mosquitto(self.place / f"{directory.name}-broker") as port:
            return drain(contender, self.load, directory, port)

    def leaving(self, number: int) -> float:
        directory = self.place / f"{number}-leaving"
        with mosquitto(directory / "broker") as port:
            return leaving(started(self.town, directory, port, [Setup()]))

    def say(self, name: str, run: Drained) -> None:
        self.said(f"{name:<40} {run.us:7.1f} µs CPU  {run.per_s:8,.0f}/s  {run.written / run.events:6.0f} B"
                  f"  {run.rss_mb:5.0f} MB")

    def two(self, number: int) -> tuple[float, float]:
        """Events a second of one bridge, and of two that share the subscription; wall time, as that is the question."""
        rates = []
        for bridges in (1, 2):
            directory = self.place / f"{number}-shared-{bridges}"
            with mosquitto(directory / "broker") as port:
                subject = started(self.town, directory, port, [Setup()] * bridges, SHARE)
                rates.append(drained(subject, self.load, self.load.count, port).per_s)
        self.said(f"one bridge {rates[0]:,.0f}/s, two on a shared subscription {rates[1]:,.0f}/s")
        return rates[0], rates[1]

    def live(self, rate: int, slow: bool, number: int) -> Live:
        library = self.load.tools.slow_disk
        environ = {"LD_PRELOAD": str(library), "FSYNC_MS": str(SLOW_MS)} if slow and library else {}
        contender = ours("live", self.town, Setup(environ=environ))
        directory = self.place / f"live-{rate}-{slow}-{number}"
        with mosquitto(directory / "broker", keeps=True) as port:
            found = live(contender, self.live_load, directory, port, rate, self.size.seconds)
        self.said(f"live {rate}/s{f', fsync + {SLOW_MS} ms' if slow else ''}: {found.cpu_share:.1%} of a core,"
                      f" p50 {found.late(0.5):.1f} ms, p99 {found.late(0.99):.1f} ms, {found.written / found.events:.0f} B,"
                  f" {found.stolen:.0%} of the machine stolen")
        return found

    def bare_live(self, rate: int, number: int) -> Live:
        """What paho alone takes of a core: no bridge that uses it can take less."""
        directory = self.place / f"bare-live-{number}"
        with mosquitto(directory / "broker", keeps=True) as port:
            count = min(int(rate * self.size.seconds), self.live_load.count)
            found = live(paho("5", "manual", count), self.live_load, directory, port, rate, self.size.seconds)
        self.said(f"live {rate}/s, bare paho: {found.cpu_share:.1%} of a core, {found.stolen:.0%} of the machine stolen")
        return found

    def catch_up(self) -> Drained:
        """A log that InfluxDB has not seen, shipped by a bridge that has nothing else to do."""
        if self.influx is None:
            raise ValueError("there is no InfluxDB")
        directory = self.place / "catch-up"
        town = Town.built(self.town.lamps, directory / "town")
        with mosquitto(directory / "broker") as port:
            drained(started(town, directory, port, [Setup()]), self.load, self.load.count, port)
            self.influx.running.freeze()
            subject = started(town, directory, port, [Setup(influx=(self.influx, "catch_up"))])
            found = caught_up(subject, self.influx, self.load.count)
        self.said(f"catching up: {found.per_s:,.0f} events/s into InfluxDB, {found.us:.1f} µs CPU")
        return found

    def many(self) -> Drained:
        """One report of each lamp of a very large town."""
        lamps = Lamps(self.size.many_lamps)
        (self.place / "many").mkdir()
        load, _ = _loads(self.load.tools, lamps, 0, self.place / "many")
        town = Town.built(lamps, self.place / "large-town")
        with mosquitto(self.place / "many-broker") as port:
            found = drain(ours("many", town, Setup()), load, self.place / "many" / "run", port)
        self.said(f"{lamps.count} lamps: {found.rss_mb:.0f} MB, at most {found.peak_mb:.0f} MB")
        return found


@contextmanager
def prepared(words: argparse.Namespace, size: Size, place: Path) -> Iterator[Bench]:
    """Servers, town and load."""
    lamps, tool = Lamps(size.lamps), tools(words.scratch / "tools")
    live_events = int(size.seconds * 5000)
    with influxd(place / "influx") as influx:
        peer = None if words.without_node_red or influx is None else install(words.scratch / "node-red")
        first, load = _loads(tool, lamps, max(size.events, live_events), place)
        yield Bench(size, place, Load(tool, load.records, size.events), load, _heard(lamps, first, place), influx, peer)


def _heard(lamps: Lamps, first: Load, place: Path) -> Town:
    """A town each of whose lamps has been heard: a bridge that runs has seldom to do with lamps never heard before."""
    town = Town.built(lamps, place / "new-town")
    with mosquitto(place / "first-broker") as port:
        drain(ours("first", town, Setup()), first, place / "town", port)
    return Town(lamps, place / "town", first.count)


def _loads(tool: Tools, lamps: Lamps, count: int, place: Path) -> tuple[Load, Load]:
    """The first report of each lamp, and so many after it."""
    rounds = count // lamps.count + 2
    now = datetime.now(UTC)
    events = lamps.events(lamps.count + count, now - timedelta(minutes=15 * rounds), heard=now)
    write_records(place / "first.rec", islice(events, lamps.count))
    write_records(place / "lamps.rec", events)
    return Load(tool, place / "first.rec", lamps.count), Load(tool, place / "lamps.rec", count)


if __name__ == "__main__":
    sys.exit(main())
