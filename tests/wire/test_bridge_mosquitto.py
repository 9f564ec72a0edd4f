"""The bridge as a process on a real Mosquitto, from publish to history, and through kill -9."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from paho.mqtt import client as paho

from city.groups import Target
from city.ids import AssetId, DevEui, OverrideId, TenantId
from city.imports import COLUMNS, parse
from city.lighting import Override
from city.places import Site, Tenant
from city.quantities import LAMP_LEVEL, RADIO_FCNT
from city.store.opening import open_store
from city.store.ports import Store
from city.store.readings import LocalLog
from gateway_bridge import letters
from tests.gateway_bridge.samples import EUI, encode, topic, up
from tests.gateway_bridge.town import LAMP, register_assets
from tests.patience import PATIENCE_S
from tests.wire.servers import Mosquitto, mosquitto, stop

pytestmark = pytest.mark.wire
TOWN = TenantId("musterstadt")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as server:
        yield server


class Bridge:
    """`python -m gateway_bridge` on a broker, a database and a log of its own."""

    def __init__(self, directory: Path, broker: Mosquitto) -> None:
        self.directory = directory
        self.environment = {
            **os.environ, "STADTFUNK_MQTT_URL": broker.url, "STADTFUNK_DATABASE_URL": f"sqlite:///{directory}/city.db",
            "STADTFUNK_LOG_DIRECTORY": f"{directory}/log", "STADTFUNK_BRIDGE_BATCH": "50"}
        self.store: Store = open_store(f"sqlite:///{directory}/city.db")
        self.store.put_tenant(Tenant(TOWN, "Musterstadt", Site(48.7, 13.8)))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "bridge.log").open("ab") as output:
            self.process = subprocess.Popen([sys.executable, "-m", "gateway_bridge"], env=self.environment,
                                            cwd=Path(__file__).parents[2], stdout=output, stderr=output)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        stop(self.process)
        return self.process.returncode

    def said(self) -> str:
        return (self.directory / "bridge.log").read_text(errors="replace")

    def values(self, asset: AssetId = LAMP) -> list[object]:
        log = LocalLog(self.directory / "log")
        try:
            found = log.history(TOWN, asset, RADIO_FCNT, START - timedelta(days=2), START + timedelta(days=2))
        finally:
            log.close()
        return [point.value for point in found]


@pytest.fixture
def bridge(tmp_path: Path, broker: Mosquitto) -> Iterator[Bridge]:
    made = Bridge(tmp_path, broker)
    register_assets(made.store.tenant(TOWN))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
    made.store.close()


class Publisher:
    """ChirpStack's side: publishes with QoS 1, and knows what the broker has taken."""

    def __init__(self, broker: Mosquitto) -> None:
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.max_inflight_messages_set(100)
        self.commands: list[tuple[str, bytes]] = []
        self.client.on_message = lambda _client, _data, message: self.commands.append((message.topic, message.payload))
        self._open: list[paho.MQTTMessageInfo] = []
        subscribed = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe("application/+/device/+/command/+", qos=1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert subscribed.wait(PATIENCE_S)

    def publish(self, where: str, payload: bytes) -> None:
        self._open.append(self.client.publish(where, payload, qos=1))

    def settle(self) -> None:
        """Until the broker has acknowledged everything."""
        for info in self._open:
            info.wait_for_publish(20)
            assert info.is_published()
        self._open.clear()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def publisher(broker: Mosquitto) -> Iterator[Publisher]:
    made = Publisher(broker)
    yield made
    made.close()


def until(what: Callable[[], object], seconds: float = 90.0) -> None:
    """Poll another process's work until it shows."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def event(f_cnt: int, dedup: str = "") -> bytes:
    at = (START + timedelta(seconds=f_cnt)).isoformat(timespec="milliseconds")
    return encode(up(f_cnt=f_cnt, time=at, dedup=dedup or f"dedup-{f_cnt}"))


def f_cnt(bridge: Bridge) -> int:
    return bridge.store.view([DevEui(EUI)])[DevEui(EUI)].state.f_cnt


def heard_after(bridge: Bridge, count: int) -> bool:
    return f_cnt(bridge) > count


def test_from_publish_to_history_and_nonsense_on_the_way(bridge: Bridge, publisher: Publisher,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    bridge.start()
    until(lambda: "connected to" in bridge.said())
    publisher.publish(topic("up"), event(1))
    publisher.publish(topic("up"), event(1))
    publisher.publish(topic("up"), event(1, "processed-again"))
    publisher.publish(topic("up"), b"\xff\x00 garbage")
    publisher.publish(topic("up", "00000000000000aa"), encode(up(eui="00000000000000aa")))
    publisher.publish(topic("up"), event(2))
    publisher.settle()
    until(lambda: f_cnt(bridge) == 2)
    assert bridge.stop() == 0
    assert bridge.values() == [1, 2]
    log = LocalLog(bridge.directory / "log")
    levels = log.history(TOWN, LAMP, LAMP_LEVEL, START, START + timedelta(hours=1))
    log.close()
    assert [(point.at, point.value) for point in levels] == [(START + timedelta(seconds=n), 25.0) for n in (1, 2)]
    assert bridge.store.count_letters() == {"MalformedEvent": 1, "UnknownDevice": 1}
    _command_line(bridge, capsys)


def _settings(bridge: Bridge) -> str:
    settings = bridge.directory / "stadtfunk.toml"
    settings.write_text(f'[database]\nurl = "sqlite:///{bridge.directory}/city.db"\n'
                        f'[log]\ndirectory = "{bridge.directory}/log"\n')
    return str(settings)


def _command_line(bridge: Bridge, capsys: pytest.CaptureFixture[str]) -> None:
    """`stadtfunk letters` on what the bridge left behind."""
    where = ["--settings", _settings(bridge)]
    assert letters.main([*where, "list"]) == 0
    assert "MalformedEvent" in capsys.readouterr().out
    (unknown,) = bridge.store.all_letters(reason="UnknownDevice")
    assert letters.main([*where, "show", unknown.id]) == 0
    assert "00000000000000aa" in capsys.readouterr().out
    assert letters.main([*where, "replay", "--all"]) == 1
    assert "0 read, 2 left" in capsys.readouterr().out


def test_kill_9_at_random_moments_loses_nothing_and_stores_nothing_twice(bridge: Bridge, publisher: Publisher) -> None:
    rounds, each, interrupted = 5, 1200, 0
    for number in range(rounds):
        bridge.start()
        if number == 0:
            until(lambda: "connected to" in bridge.said())
        for n in range(each):
            publisher.publish(topic("up"), event(number * each + n + 1))
        if number == rounds - 1:
            break
        until(partial(heard_after, bridge, f_cnt(bridge)))
        time.sleep(random.uniform(0, 0.1))
        bridge.kill()
        interrupted += f_cnt(bridge) < (number + 1) * each
    publisher.settle()
    until(lambda: f_cnt(bridge) == rounds * each)
    assert bridge.stop() == 0
    assert bridge.values() == list(range(1, rounds * each + 1))
    state = bridge.store.view([DevEui(EUI)])[DevEui(EUI)].state
    assert (state.window.missing, bridge.store.count_letters()) == (0, {})
    assert interrupted, "every kill came too late to prove anything"


RETRIED_WITHIN_S = 120.0  # nobody answers here: what a broker loses is sent again after 45 s, and again


def test_an_override_becomes_a_downlink_on_the_broker(bridge: Bridge, publisher: Publisher) -> None:
    now = datetime.now(UTC)
    bridge.start()
    until(lambda: "connected to" in bridge.said())
    publisher.publish(topic("up"), event(1))
    until(lambda: f_cnt(bridge) == 1)
    bridge.store.tenant(TOWN).add_override(Override(OverrideId("wish"), TOWN, 40, now, now + timedelta(hours=1), "",
                                                    "ada", now, (Target("lamp", LAMP),)))
    until(lambda: publisher.commands, RETRIED_WITHIN_S)
    where, payload = publisher.commands[0]
    assert where.endswith(f"/device/{EUI}/command/down")
    assert json.loads(payload)["fPort"] == 60
    assert bridge.stop() == 0
    assert "Traceback" not in bridge.said()


def test_letters_are_replayed_from_the_command_line_while_the_bridge_runs(
        bridge: Bridge, publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    late = "00000000000000aa"
    bridge.start()
    until(lambda: "connected to" in bridge.said())
    publisher.publish(topic("up"), event(1))
    publisher.publish(topic("up", late), encode(up(eui=late, time=START.isoformat())))
    until(lambda: bridge.store.count_letters() == {"UnknownDevice": 1})
    until(lambda: f_cnt(bridge) == 1)
    rows, _ = parse((",".join(COLUMNS) + f"\nN-7,lamp,Spät,48.7,13.8,nord,K1,{late},nas/ul20xx,40,P4,\n").encode(),
                    {"nas/ul20xx"})
    bridge.store.tenant(TOWN).import_rows(rows)
    settings = _settings(bridge)
    assert letters.main(["--settings", settings, "replay", "--reason", "UnknownDevice"]) == 0
    assert "1 read, 0 left" in capsys.readouterr().out
    assert bridge.stop() == 0
    assert bridge.values(AssetId("N-7")) == [1042]
    assert bridge.store.all_letters() == []
