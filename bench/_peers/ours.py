"""Our bridge as a contender: `python -m gateway_bridge` over a registered town, as it is installed."""

import shutil
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench._load.lamps import TOWN, Lamps
from bench._load.processes import Running, Used, free_port, until
from bench._load.servers import Influx
from bench._peers.subject import Contender, Subject, Void
from city.settings import Influx as InfluxSettings
from city.store.influx_places import of_town
from city.store.opening import open_store
from city.store.readings import LocalLog

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "city.db"
SETTLED = ("stored", "duplicates", "dead_letters")
AT_ONCE = 5000
START_S = 60.0
SHORTEST_S, LONGEST_S = 0.03, 0.5


@dataclass(frozen=True, slots=True)
class Town:
    """What a run begins with, copied for each: a city database with its lamps and, where they have been heard before, the
    log of that. `heard`: how many events it has."""

    lamps: Lamps
    directory: Path
    heard: int = 0

    @classmethod
    def built(cls, lamps: Lamps, directory: Path) -> "Town":
        directory.mkdir(parents=True, exist_ok=True)
        store = open_store(f"sqlite:///{directory / DATABASE}")
        try:
            lamps.register(store)
        finally:
            store.close()
        return cls(lamps, directory)

    def copy(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.directory / DATABASE, directory)
        if self.heard:
            shutil.copytree(self.directory / "log0", directory / "log0")


@dataclass(frozen=True, slots=True)
class Setup:
    """How a bridge is set. `version`: of MQTT, "" for the default. `influx`: where it ships to, and which database."""

    version: str = ""
    influx: tuple[Influx, str] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


def ours(name: str, town: Town, setup: Setup) -> Contender:
    """One bridge process, log and city database in its directory."""
    def start(directory: Path, port: int) -> Subject:
        return started(town, directory, port, [setup])

    return Contender(name, start)


def started(town: Town, directory: Path, port: int, setups: Sequence[Setup], share: str = "") -> "Bridges":
    """One bridge or several on one city database, connected and subscribed; what the town had heard before is shipped."""
    if not (directory / DATABASE).exists():
        town.copy(directory)
    bridges = [_bridge(directory, port, setup, number, share) for number, setup in enumerate(setups)]
    for bridge in bridges:
        until(lambda bridge=bridge: bridge.value("connected") == 1, "our bridge",  # type: ignore[misc]
              START_S, 0.1, bridge.process)
    subject = Bridges(town, directory, bridges, setups)
    subject.wait_for_influx(town.heard)
    return subject


@dataclass(frozen=True, slots=True)
class Bridge:
    """One process of it."""

    process: Running
    metrics_port: int
    log: Path

    def value(self, *names: str) -> float:
        """The sum of these metrics; 0 as long as it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        wanted = tuple(f"stadtfunk_bridge_{name}" for name in names)
        rows = (line.rpartition(" ") for line in text.splitlines() if line.startswith(wanted))
        return sum(float(value) for name, _, value in rows
                   if name.partition("{")[0].removesuffix("_total") in wanted)


@dataclass(frozen=True, slots=True)
class Bridges:
    """The Subject."""

    town: Town
    directory: Path
    bridges: Sequence[Bridge]
    setups: Sequence[Setup]

    @property
    def running(self) -> Sequence[Running]:
        return [bridge.process for bridge in self.bridges]

    def wait(self, count: int) -> None:
        begun = time.monotonic()
        last = begun + 60 + count / 300
        while (settled := sum(bridge.value(*SETTLED) for bridge in self.bridges)) < count:
            if time.monotonic() > last or any(process.ended for process in self.running):
                raise Void(f"{settled:.0f} of {count} events settled: {self.running[0].said()[-2000:]}")
            left_s = (time.monotonic() - begun) / settled * (count - settled) if settled else LONGEST_S
            time.sleep(min(max(left_s * 0.7, SHORTEST_S), LONGEST_S))  # to ask costs the bridge a millisecond or two
        if self.setups[0].influx:
            self.wait_for_influx(self.town.heard + count)

    def wait_for_influx(self, count: int) -> None:
        """Until InfluxDB has so many events."""
        shipped = self.setups[0].influx
        if shipped and count:
            influx, database = shipped
            until(lambda: influx.count(_bucket(database), "lamp", "level") >= count, "InfluxDB", 60 + count / 300, 0.2)

    def end(self) -> Sequence[Used]:
        return [bridge.process.end() for bridge in self.bridges]

    def check(self, count: int) -> None:
        """With those from before, each event is in a log once, and in InfluxDB; none is a dead letter; and the city knows
        every lamp that was heard."""
        seen: set[tuple[str, int, str]] = set()
        entries = 0
        for bridge in self.bridges:
            for key in _entries(bridge.log):
                entries += 1
                seen.add(key)
        count += self.town.heard
        if not entries == len(seen) == count:
            raise Void(f"{count} events published, {entries} entries kept, {len(seen)} of them different")
        self._check_city(min(count, self.town.lamps.count))
        if shipped := self.setups[0].influx:
            influx, database = shipped
            there = influx.count(_bucket(database), "lamp", "level")
            influx.drop(_bucket(database))
            if there != count:
                raise Void(f"{count} events published, {there} in InfluxDB")

    def _check_city(self, heard: int) -> None:
        store = open_store(f"sqlite:///{self.directory / 'city.db'}")
        try:
            letters = sum(store.count_letters().values())
            known = sum(1 for state in store.tenant(TOWN.id).states().values() if state.heard_ns)
        finally:
            store.close()
        if letters or known != heard:
            raise Void(f"{letters} dead letters; {known} of {heard} lamps are known to be heard")


def _bucket(database: str) -> str:
    """The town's own."""
    return of_town(InfluxSettings(bucket=database), TOWN.id).bucket


def _bridge(directory: Path, port: int, setup: Setup, number: int, share: str) -> Bridge:
    metrics_port, log = free_port(), directory / f"log{number}"
    environ = {"MQTT_URL": f"mqtt://127.0.0.1:{port}", "MQTT_CLIENT_ID": f"bridge-{number}", "MQTT_SHARE": share,
               "DATABASE_URL": f"sqlite:///{directory / 'city.db'}", "LOG_DIRECTORY": str(log),
               "BRIDGE_METRICS_PORT": str(metrics_port)}
    if setup.version:
        environ["MQTT_VERSION"] = setup.version
    if setup.influx:
        influx, database = setup.influx
        environ |= {"INFLUX_URL": influx.url, "INFLUX_BUCKET": database}
    process = Running([sys.executable, "-m", "gateway_bridge"], directory / f"bridge{number}",
                      {**{f"STADTFUNK_{name}": value for name, value in environ.items()}, "PYTHONPATH": str(ROOT),
                       **setup.environ})
    return Bridge(process, metrics_port, log)


def _entries(directory: Path) -> list[tuple[str, int, str]]:
    log, position = LocalLog(directory), 0
    found: list[tuple[str, int, str]] = []
    try:
        while position < log.head():
            for at, entry in log.after(position, AT_ONCE):
                found.append((entry.place.device, entry.at_ns, entry.key))
                position = at
    finally:
        log.close()
    return found
