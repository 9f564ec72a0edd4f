"""Which broker may be the embedded default: what the brokers of the package index keep of their promises, and how fast.

    python -m bench.brokers [--messages 20000]

Prints a table: throughput at QoS 1 between two paho clients (paho is the slower part), what a persistent session finds
after it was away, what is redelivered after a dropped connection, MQTT 5, memory. amqtt is measured where it is
installed (it is no dependency of ours); Mosquitto, where it is, as the measure of both.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from rich.console import Console
from rich.table import Table

from simulator.broker import embedded

PAYLOAD = b"x" * 1270  # an uplink event as ChirpStack writes it
OFFLINE, UNACKED = 300, 10
PATIENCE_S = 10.0
V3, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5


@dataclass(frozen=True, slots=True)
class Running:
    """A broker under test: a port for each version of MQTT, and its process."""

    ports: dict[MQTTProtocolVersion, int]
    pid: int


Start = Callable[[Path], contextlib.AbstractContextManager[Running]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    messages = parser.parse_args().messages
    table = Table("", *(name for name, _ in _brokers()), title=f"{messages} messages of {len(PAYLOAD)} B, QoS 1")
    columns = [_measured(start, messages) for _, start in _brokers()]
    for row in columns[0]:
        table.add_row(row, *(column[row] for column in columns))
    Console(width=120).print(table)


def _brokers() -> list[tuple[str, Start]]:
    found: list[tuple[str, Start]] = [("iotcore", _iotcore)]
    if importlib.util.find_spec("amqtt"):
        found.append(("amqtt", _amqtt))
    if shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin"):
        found.append(("mosquitto", _mosquitto))
    return found


def _measured(start: Start, messages: int) -> dict[str, str]:
    found = {}
    with tempfile.TemporaryDirectory() as directory, start(Path(directory)) as broker:
        time.sleep(0.3)
        found["memory, idle"] = f"{_rss_mb(broker.pid)} MB"
        best = V5 if _connects(broker, V5) else V3
        found["MQTT 3.1.1 / 5"] = f"{_yes(_connects(broker, V3))} / {_yes(_connects(broker, V5))}"
        found["throughput"] = f"{_throughput(broker, best, messages):,.0f}/s"
        found["memory, after"] = f"{_rss_mb(broker.pid)} MB"
        found["kept while away"] = f"{_offline(broker, best)} of {OFFLINE}"
        found["redelivered, not acknowledged"] = f"{_redelivered(broker, best)} of {UNACKED}"
        found["retained message"] = _yes(_retained(broker, best))
        found["payload of 200 kB"] = _yes(_large(broker, best))
    return found


def _throughput(broker: Running, version: MQTTProtocolVersion, messages: int) -> float:
    heard, done = [0], threading.Event()

    def count(*_: object) -> None:
        heard[0] += 1
        if heard[0] == messages:
            done.set()

    with _client(broker, version, "sink", on_message=count, topic="speed/#"), \
            _client(broker, version, "source") as source:
        began = time.perf_counter()
        for number in range(messages):
            source.publish(f"speed/{number % 100}", PAYLOAD, qos=1)
        done.wait(messages / 500 + PATIENCE_S)
        return heard[0] / (time.perf_counter() - began)


def _offline(broker: Running, version: MQTTProtocolVersion) -> int:
    """How many of the messages published while it was away a persistent session finds on its return."""
    heard: set[bytes] = set()
    with _client(broker, version, "away", topic="away/#", lasting=True):
        pass
    with _client(broker, version, "source") as source:
        for number in range(OFFLINE):
            source.publish("away/1", str(number), qos=1).wait_for_publish(PATIENCE_S)
    with _client(broker, version, "away", on_message=lambda *facts: heard.add(facts[2].payload), lasting=True):
        _until(lambda: len(heard) == OFFLINE)
    return len(heard)


def _redelivered(broker: Running, version: MQTTProtocolVersion) -> int:
    """How many messages come again that were delivered but not acknowledged when the connection broke."""
    first: set[bytes] = set()
    again: set[bytes] = set()
    with _client(broker, version, "torn", on_message=lambda *facts: first.add(facts[2].payload), topic="torn/#",
                 lasting=True, manual=True) as torn:
        with _client(broker, version, "source") as source:
            for number in range(UNACKED):
                source.publish("torn/1", str(number), qos=1).wait_for_publish(PATIENCE_S)
        _until(lambda: len(first) == UNACKED)
        sock = torn.socket()
        torn.loop_stop()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)
    with _client(broker, version, "torn", on_message=lambda *facts: again.add(facts[2].payload), lasting=True):
        _until(lambda: len(again) == UNACKED)
    return len(again)


def _retained(broker: Running, version: MQTTProtocolVersion) -> bool:
    heard: list[bytes] = []
    with _client(broker, version, "source") as source:
        source.publish("kept/1", b"here", qos=1, retain=True).wait_for_publish(PATIENCE_S)
    with _client(broker, version, "late", on_message=lambda *facts: heard.append(facts[2].payload), topic="kept/#"):
        return _until(lambda: heard == [b"here"])


def _large(broker: Running, version: MQTTProtocolVersion) -> bool:
    heard: list[int] = []
    with _client(broker, version, "late", on_message=lambda *facts: heard.append(len(facts[2].payload)),
                 topic="large/#"), _client(broker, version, "source") as source:
        source.publish("large/1", b"x" * 200_000, qos=1)
        return _until(lambda: heard == [200_000])


def _connects(broker: Running, version: MQTTProtocolVersion) -> bool:
    with contextlib.suppress(OSError, TimeoutError), _client(broker, version, "knock"):
        return True
    return False


@contextmanager
def _client(broker: Running, version: MQTTProtocolVersion, name: str, *, topic: str = "", lasting: bool = False,
            manual: bool = False, on_message: Callable[..., None] | None = None) -> Iterator[paho.Client]:
    """A connected client in paho's own thread, subscribed to `topic` if there is one."""
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=version, manual_ack=manual,
                         clean_session=None if version == V5 else not lasting)
    client.max_inflight_messages_set(100)
    client.max_queued_messages_set(0)
    client.on_message = on_message
    client.on_connect = lambda *facts: None if facts[3].is_failure else (
        client.subscribe(topic, 1) if topic else ready.set())
    client.on_subscribe = lambda *_: ready.set()
    options: dict[str, object] = {}
    if version == V5:
        options = {"clean_start": not lasting, "properties": Properties(PacketTypes.CONNECT)}
        if lasting:
            options["properties"].SessionExpiryInterval = 3600  # type: ignore[attr-defined]
    client.connect("127.0.0.1", broker.ports[version], 30, **options)  # type: ignore[arg-type]
    client.loop_start()
    try:
        if not ready.wait(3.0):
            raise TimeoutError(name)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def _iotcore(directory: Path) -> Iterator[Running]:
    with embedded(directory) as broker:
        yield Running({V5: _port(broker.url), V3: _port(broker.url_v3)}, broker.pid)


@contextmanager
def _amqtt(directory: Path) -> Iterator[Running]:
    port = _free_port()
    script = directory / "amqtt_broker.py"
    script.write_text(_AMQTT.format(port=port), encoding="utf-8")
    with _process([sys.executable, str(script)], port) as pid:
        yield Running({V3: port, V5: port}, pid)


@contextmanager
def _mosquitto(directory: Path) -> Iterator[Running]:
    port = _free_port()
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", encoding="utf-8")
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin") or "mosquitto"
    with _process([program, "-c", str(config)], port) as pid:
        yield Running({V3: port, V5: port}, pid)


@contextmanager
def _process(words: list[str], port: int) -> Iterator[int]:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            if not _until(lambda: _open(port), 20.0):
                raise TimeoutError(words[0])
            yield child.pid
        finally:
            child.terminate()
            child.wait(10)


_AMQTT = """
import asyncio
from amqtt.broker import Broker
async def run():
    broker = Broker({{"listeners": {{"default": {{"type": "tcp", "bind": "127.0.0.1:{port}"}}}},
                      "plugins": {{"amqtt.plugins.authentication.AnonymousAuthPlugin": {{"allow_anonymous": True}}}}}})
    await broker.start()
    await asyncio.Event().wait()
asyncio.run(run())
"""


def _until(happened: Callable[[], bool], seconds: float = 5.0) -> bool:
    last = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > last:
            return False
        time.sleep(0.01)
    return True


def _open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.3):
        return True
    return False


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _rss_mb(pid: int) -> int:
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
    return 0


def _yes(true: bool) -> str:
    return "yes" if true else "no"


if __name__ == "__main__":
    main()
