"""Two bridges share the events of one broker and one city database: nothing lost, nothing twice, one command path."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from paho.mqtt import client as paho

from city.commands import State
from city.groups import Target
from city.ids import DevEui, OverrideId, TenantId
from city.imports import COLUMNS, parse
from city.lighting import Override
from city.places import Site, Tenant
from city.quantities import LAMP_LEVEL, RADIO_FCNT
from city.readings import DeviceState
from city.store.opening import open_store
from city.store.ports import Store
from city.store.readings import LocalLog
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.test_steer import MANUAL, status
from tests.patience import PATIENCE_S
from tests.wire.influxd import Influxd, influxd
from tests.wire.servers import Mosquitto, mosquitto, stop

pytestmark = pytest.mark.wire
TOWN, LAMPS = TenantId("musterstadt"), 12
EUIS = [DevEui(f"70b3d57ed00000{n:02x}") for n in range(LAMPS)]
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)
LEASE_S = 4.0
TOPIC = "application/+/device/+/command/+"


class Bridge:
    """One of the two: a client id and a log of its own, everything else shared."""

    def __init__(self, name: str, directory: Path, broker: Mosquitto, database: str, influx: str = "") -> None:
        self.log, self._output = directory / f"log-{name}", directory / f"{name}.txt"
        self._environment = {
            **os.environ, "STADTFUNK_MQTT_URL": broker.url, "STADTFUNK_MQTT_CLIENT_ID": name,
            "STADTFUNK_MQTT_SHARE": "stadtfunk", "STADTFUNK_DATABASE_URL": database,
            "STADTFUNK_LOG_DIRECTORY": str(self.log), "STADTFUNK_BRIDGE_BATCH": "50",
            "STADTFUNK_BRIDGE_LEASE_S": str(LEASE_S), "STADTFUNK_INFLUX_URL": influx}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        before = self.said().count("connected to")
        with self._output.open("ab") as output:
            self.process = subprocess.Popen([sys.executable, "-m", "gateway_bridge"], env=self._environment,
                                            cwd=Path(__file__).parents[2], stdout=output, stderr=output)
        until(lambda: self.said().count("connected to") > before)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            stop(self.process)
            assert self.process.returncode == 0, self.said()

    def said(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def steers(self) -> bool:
        told = [line for line in self.said().splitlines() if "steering: " in line]
        return bool(told) and "ours" in told[-1]

    def kept(self) -> list[tuple[int, str, str]]:
        """(at_ns, device, key) of each entry in its log, which it must have left."""
        log = LocalLog(self.log)
        try:
            return [(entry.at_ns, entry.place.device, entry.key) for _, entry in log.after(0, 1_000_000)]
        finally:
            log.close()


class Network:
    """ChirpStack's side: publishes with QoS 1, and hears the commands."""

    def __init__(self, broker: Mosquitto) -> None:
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.max_inflight_messages_set(100)
        self.downs: list[dict[str, str]] = []
        self.client.on_message = lambda _client, _data, message: self.downs.append(json.loads(message.payload))
        subscribed = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe(TOPIC, qos=1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self._open: list[paho.MQTTMessageInfo] = []
        assert subscribed.wait(PATIENCE_S)

    def report(self, device: DevEui, f_cnt: int, level: int = 25, at: datetime | None = None) -> None:
        when = (at or START + timedelta(seconds=f_cnt)).isoformat(timespec="milliseconds")
        event = up(status(level, MANUAL), eui=device, f_cnt=f_cnt, time=when, dedup=f"{device}-{f_cnt}", rxInfo=[])
        self._open.append(self.client.publish(topic("up", device), encode(event), qos=1))

    def settle(self) -> None:
        for info in self._open:
            info.wait_for_publish(20)
            assert info.is_published()
        self._open.clear()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Pair:
    """Two bridges, their broker, their database, and the network that speaks to them."""

    def __init__(self, directory: Path, broker: Mosquitto, database: str, influx: str = "") -> None:
        self.store: Store = open_store(database)
        self.store.put_tenant(Tenant(TOWN, "Musterstadt", Site(48.7, 13.8)))
        lines = [f"L-{n},lamp,Lampe {n},48.7,13.8,nord,K1,{eui},nas/ul20xx,40,P4," for n, eui in enumerate(EUIS)]
        rows, problems = parse(("\n".join([",".join(COLUMNS), *lines]) + "\n").encode(), {"nas/ul20xx"})
        assert not problems
        self.store.tenant(TOWN).import_rows(rows)
        self.bridges = [Bridge(name, directory, broker, database, influx) for name in ("one", "two")]
        self.network = Network(broker)

    def start(self) -> None:
        for bridge in self.bridges:
            bridge.start()

    def close(self) -> None:
        self.network.close()
        for bridge in self.bridges:
            if bridge.process is not None and bridge.process.poll() is None:
                bridge.process.kill()
                bridge.process.wait()
        self.store.close()

    def states(self) -> dict[DevEui, DeviceState]:
        return dict(self.store.tenant(TOWN).states())

    def heard(self, f_cnt: int) -> bool:
        states = self.states()
        return len(states) == LAMPS and all(state.f_cnt == f_cnt for state in states.values())

    def whole(self, f_cnt: int) -> bool:
        return self.heard(f_cnt) and not any(state.missed + state.holes.bit_count() for state in self.states().values())

    def reports(self, begin: int, end: int) -> None:
        for f_cnt in range(begin, end):
            for device in EUIS:
                self.network.report(device, f_cnt, level=f_cnt % 100)

    def kept_once(self, expected: int) -> list[int]:
        """Both stopped: every event is in one of the logs, none in both; how many each has kept."""
        for bridge in self.bridges:
            bridge.stop()
        kept = [bridge.kept() for bridge in self.bridges]
        times = Counter(key for one in kept for key in one)
        assert len(times) == expected
        assert set(times.values()) == {1}
        return [len(one) for one in kept]

    def wish(self, level: int, id: str) -> None:
        now = datetime.now(UTC)
        self.store.tenant(TOWN).add_override(Override(OverrideId(id), TOWN, level, now, now + timedelta(hours=1), "", "ada",
                                                      now, (Target("zone", "nord"),)))

    def told(self, since: int) -> set[str]:
        """The devices that have been told something since so many downlinks."""
        return {down["devEui"] for down in self.network.downs[since:]}

    def steering(self) -> Bridge:
        until(lambda: any(bridge.steers() for bridge in self.bridges))
        return next(bridge for bridge in self.bridges if bridge.steers())

    def other(self, bridge: Bridge) -> Bridge:
        return next(item for item in self.bridges if item is not bridge)

    def each_attempt_once(self) -> None:
        ids = [down["id"] for down in self.network.downs]
        assert len(ids) == len(set(ids))


def until(what: Callable[[], object], seconds: float = 90.0) -> None:
    """Poll another process's work until it shows."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as server:
        yield server


@pytest.fixture(params=["postgres", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/city.db"
    url: str = request.getfixturevalue("postgres")()
    return url


ON_POSTGRES = pytest.mark.parametrize("database", ["postgres"], indirect=True)


@pytest.fixture
def pair(tmp_path: Path, broker: Mosquitto, database: str) -> Iterator[Pair]:
    made = Pair(tmp_path, broker, database)
    yield made
    made.close()


def test_each_event_is_kept_once_by_one_of_them_and_no_counter_has_a_gap(pair: Pair) -> None:
    frames = 120
    pair.start()
    pair.reports(0, frames)
    pair.network.settle()
    until(lambda: pair.whole(frames - 1))
    assert all(state.value(LAMP_LEVEL) == (frames - 1) % 100 for state in pair.states().values())
    shares = pair.kept_once(frames * LAMPS)
    assert min(shares) > 0.2 * sum(shares), "one of them did everything"
    assert pair.whole(frames - 1)
    assert pair.store.count_letters() == {}


@ON_POSTGRES
def test_kill_9_of_one_under_load_loses_nothing_and_keeps_nothing_twice(pair: Pair) -> None:
    frames = 100
    pair.start()
    for begin in range(0, frames, 50):
        pair.reports(begin, begin + 50)
        until(lambda: bool(pair.states()))
        pair.bridges[0].kill()
        pair.bridges[0].start()
    pair.network.settle()
    until(lambda: pair.whole(frames - 1))
    assert sum(pair.kept_once(frames * LAMPS)) == frames * LAMPS
    assert pair.whole(frames - 1)


def test_a_wish_is_told_once_whoever_steers_and_whoever_hears_the_answer(pair: Pair) -> None:
    pair.wish(40, "first")  # before anything is planned: at night the program would have been told first, and asked for a pause
    pair.start()
    pair.reports(0, 2)
    until(lambda: pair.heard(1))
    until(lambda: pair.told(0) == set(EUIS))
    assert len(pair.network.downs) == LAMPS
    assert [bridge.steers() for bridge in pair.bridges].count(True) == 1
    time.sleep(1.5)  # a lamp takes a moment to obey, and its report must be dated after the sending
    for device in EUIS:
        pair.network.report(device, 2, 40, at=datetime.now(UTC))
    until(lambda: {item.state for item in pair.store.tenant(TOWN).commands()} == {State.APPLIED})
    assert len(pair.network.downs) == LAMPS
    pair.each_attempt_once()


@ON_POSTGRES
def test_kill_9_of_the_steering_one_and_commands_go_on(pair: Pair) -> None:
    pair.start()
    pair.reports(0, 2)
    until(lambda: pair.heard(1))
    pair.wish(40, "first")
    until(lambda: pair.told(0) == set(EUIS))
    first = pair.steering()
    first.kill()
    since, gone_at = len(pair.network.downs), time.monotonic()
    pair.wish(70, "second")
    until(lambda: pair.told(since) == set(EUIS), LEASE_S + 20)
    assert time.monotonic() - gone_at < LEASE_S + 15
    assert pair.other(first).steers()
    pair.each_attempt_once()


@ON_POSTGRES
def test_who_was_asleep_while_another_took_over_sends_nothing_more(pair: Pair) -> None:
    pair.start()
    pair.reports(0, 2)
    until(lambda: pair.heard(1))
    sleeper = pair.steering()
    sleeper.send(signal.SIGSTOP)
    pair.wish(40, "first")
    until(lambda: pair.told(0) == set(EUIS), LEASE_S + 40)  # it may sleep within a transaction, whose locks are freed then
    before = len(pair.network.downs)
    sleeper.send(signal.SIGCONT)
    pair.wish(70, "second")
    until(lambda: pair.told(before) == set(EUIS))
    until(lambda: not sleeper.steers())  # awake again, it learns of the other at its next look at the lease
    assert pair.other(sleeper).steers()
    pair.each_attempt_once()


def test_one_that_is_stopped_hands_over_at_once(pair: Pair) -> None:
    pair.start()
    first = pair.steering()
    first.stop()
    until(pair.other(first).steers, LEASE_S / 2)


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Influxd]:
    with influxd(tmp_path) as server:
        yield server


def test_what_both_were_given_is_one_point_in_influxdb(tmp_path: Path, broker: Mosquitto, influx: Influxd,
                                                       postgres: Callable[[], str]) -> None:
    """ChirpStack may publish an event again, and then the other bridge gets it."""
    frames, pair = 40, Pair(tmp_path, broker, postgres(), influx.url)
    try:
        pair.start()
        pair.reports(0, frames)
        pair.network.report(EUIS[0], frames)  # an odd one, so that each goes to the other the second time
        pair.reports(0, frames)
        pair.network.settle()
        until(lambda: {name: count for name, count in _points(influx).items() if name != EUIS[0]} ==
              dict.fromkeys(EUIS[1:], frames))
        until(lambda: _points(influx)[EUIS[0]] == frames + 1)
        for bridge in pair.bridges:
            bridge.stop()
        kept = [bridge.kept() for bridge in pair.bridges]
        assert set(kept[0]) & set(kept[1]), "no event came to both: nothing is proved"
        assert len({*kept[0], *kept[1]}) == frames * LAMPS + 1
        assert sum(_points(influx).values()) == frames * LAMPS + 1
    finally:
        pair.close()


def _points(influx: Influxd) -> dict[str, int]:
    """How many frames of each device InfluxDB has."""
    asked = f'SELECT count("{RADIO_FCNT.field}") FROM "radio" GROUP BY device'
    query = urllib.parse.urlencode({"db": f"stadtfunk_{TOWN}", "q": asked})
    with urllib.request.urlopen(f"{influx.url}/query?{query}", timeout=PATIENCE_S) as answer:
        found = json.load(answer)["results"][0].get("series", [])
    return Counter({series["tags"]["device"]: series["values"][0][1] for series in found})
