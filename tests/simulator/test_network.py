"""The simulator on a real broker: the embedded one, and Mosquitto going away and coming back."""

import asyncio
import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import paho.mqtt.client as paho
import pytest

from city.clock import ScaledClock
from city.errors import Invalid
from city.settings import Mqtt
from simulator.__main__ import main
from simulator.broker import _answers, _free_ports, embedded, embedded_broker
from simulator.chirpstack import ChirpStack
from simulator.network import drive
from simulator.scenario import Scenario
from tests.patience import PATIENCE_S
from tests.simulator.conftest import NIGHT

SPEED = 120.0


@contextmanager
def listener(port: int, protocol: int) -> Iterator[tuple[paho.Client, list[tuple[str, bytes]]]]:
    """A client in paho's own thread, subscribed, and what it has heard of the town's events."""
    heard: list[tuple[str, bytes]] = []
    subscribed = Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"listener-{protocol}", protocol=protocol)
    client.on_connect = lambda *_: client.subscribe("application/+/device/+/event/+", 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda *facts: heard.append((facts[2].topic, facts[2].payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert subscribed.wait(PATIENCE_S), "whoever subscribes late has missed some, and waits for ever for as many"
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - what happens in paho's thread sets no event
            await asyncio.sleep(0.02)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def town_of(lamps: int = 5, bays: int = 5) -> tuple[ChirpStack, ScaledClock]:
    scenario = Scenario.load().sized(lamps=lamps, bays=bays).tuned(uplink_loss=0.0, downlink_loss=0.0)
    clock = ScaledClock(NIGHT, SPEED)
    return ChirpStack(scenario, seed=1, start=clock.now()), clock


@pytest.mark.wire
async def test_a_town_publishes_and_obeys_over_the_embedded_broker(tmp_path: Path) -> None:
    town, clock = town_of()
    stop = asyncio.Event()
    with embedded(tmp_path) as broker, listener(port_of(broker.url), 5) as (client, heard), \
            listener(port_of(broker.url_v3), 4) as (_, heard_too):
        driver = asyncio.create_task(drive(town, Mqtt(url=broker.url), clock, stop))
        await until(lambda: len(heard) >= 20)
        site = town.scenario.lamps[0]
        command = {"devEui": site.device.dev_eui, "fPort": 60, "data": b64encode(bytes.fromhex("09fe28ff")).decode()}
        client.publish(f"application/{town.scenario.application('lamp')}/device/{site.device.dev_eui}/command/down",
                       json.dumps(command), qos=1)
        await until(lambda: town.lamps[site.lamp.id].level == 40)
        await until(lambda: any(topic.endswith("txack") for topic, _ in heard))
        stop.set()
        await driver
        await until(lambda: len(heard_too) == len(heard) > 0)
    assert {json.loads(payload)["deviceInfo"]["tenantName"] for _, payload in heard} == {"Hilchenbach"}


@pytest.mark.wire
async def test_a_broker_that_comes_back_gets_everything_that_happened_meanwhile(tmp_path: Path) -> None:
    town, clock = town_of()
    [port] = _free_ports(1)
    stop = asyncio.Event()
    driver = asyncio.create_task(drive(town, Mqtt(url=f"mqtt://127.0.0.1:{port}"), clock, stop))
    with mosquitto(tmp_path, port), listener(port, 5) as (_, heard):
        await until(lambda: len(heard) >= 20)
    await asyncio.sleep(0.5)
    with mosquitto(tmp_path, port), listener(port, 5) as (_, heard_again):
        await until(lambda: len(heard_again) >= 20)
        stop.set()
        await driver
    seen = {(json.loads(payload)["deviceInfo"]["devEui"], json.loads(payload)["fCnt"])
            for topic, payload in heard + heard_again if topic.endswith("/up")}
    for eui in {eui for eui, _ in seen}:
        counters = sorted(f_cnt for one, f_cnt in seen if one == eui)
        missing = set(range(counters[-1])) - set(counters)
        assert len(missing) <= 3, "only what the broker confirmed before any listener was there again"


async def test_an_address_that_is_none_is_refused() -> None:
    town, clock = town_of(1, 1)
    with pytest.raises(Invalid, match="no broker's address"):
        await drive(town, Mqtt(url="http://127.0.0.1"), clock, asyncio.Event())


@pytest.mark.wire
def test_the_embedded_broker_ends_with_its_context(tmp_path: Path) -> None:
    with embedded(tmp_path) as broker:
        port = port_of(broker.url)
        assert _answers(port)
    assert not _answers(port)
    with pytest.raises(ProcessLookupError):
        os.kill(broker.pid, 0)


@pytest.mark.wire
def test_two_embedded_brokers_live_side_by_side(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with embedded_broker(tmp_path / "a") as one, embedded_broker(tmp_path / "b") as other:
        assert one != other
        assert one.startswith("mqtt://127.0.0.1:")


def test_the_command_writes_a_towns_asset_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--town", "netphen", "--lamps", "7", "--bays", "3", "--csv", str(tmp_path / "list.csv")]) == 0
    assert (tmp_path / "list.csv").read_text(encoding="utf-8").count("\n") == 11
    assert "7 lamps and 3 bays" in capsys.readouterr().out


@contextmanager
def mosquitto(directory: Path, port: int) -> Iterator[None]:
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    with subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL) as broker:
        try:
            while not _answers(port):
                assert broker.poll() is None, "mosquitto did not start"
            yield
        finally:
            broker.terminate()
            with suppress(subprocess.TimeoutExpired):
                broker.wait(5)
