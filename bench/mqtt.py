"""What an event costs the bridge before it is looked at: bare paho against our link, with both versions of MQTT.

    python -m bench.mqtt [--messages 30000] [--rounds 5]

A Mosquitto with the limits of deploy/mosquitto.conf holds the same events for six sessions; one after the other, each in a
process of its own, takes them, round after round. Printed is processor time per event, user and system, from the first
event to the last: the median, and its ratio to bare paho with the same version.

bare paho    connects with paho, on_message counts and does nothing else, loop_forever, acknowledged by paho itself
link         gateway_bridge.mqtt: receive(500, linger 0), nothing, acknowledge
"""

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from rich.console import Console
from rich.table import Table

from bench._load.servers import mosquitto
from city.settings import Mqtt
from gateway_bridge.mqtt import MqttLink

PAYLOAD = b"x" * 1270  # an uplink event as ChirpStack writes it
TOPIC = b"application/4d3f9f7c-2f8e-4a38-9ab5-1c6a1d3f0e11/device/70b3d57ed00%05x/event/up"
FILTER, WINDOW, DEVICES = "application/+/device/+/event/+", 1000, 10_000
KINDS = ("bare paho 3.1.1", "bare paho 5", "link 3.1.1", "link 5")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.one:
        print(drain(words.one, words.port, words.messages))
        return
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as directory, mosquitto(Path(directory)) as port:
        for kind in KINDS:
            _apart(kind, port, 0)
        for _ in range(words.rounds):
            publish(port, words.messages)
            for kind in KINDS:
                found[kind].append(_apart(kind, port, words.messages))
    _show(found, words.messages)


def drain(kind: str, port: int, count: int) -> float:
    """Microseconds of this process per event; 0 events: only make the session."""
    name, _, version = kind.rpartition(" ")
    if name == "link":
        return asyncio.run(_link(port, version, count))
    return _paho(port, version, count)


def publish(port: int, count: int) -> None:
    """Events of many devices, acknowledged by the broker when this returns."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04load")
        acknowledged = len(sock.recv(4)) - 4
        for sent in range(0, count, WINDOW // 2):
            sock.sendall(b"".join([_publish(number) for number in range(sent, min(sent + WINDOW // 2, count))]))
            while acknowledged < 4 * (sent - WINDOW // 2):
                acknowledged += len(sock.recv(65536))
        while acknowledged < 4 * count:
            acknowledged += len(sock.recv(65536))


def _publish(number: int) -> bytes:
    topic = TOPIC % (number % DEVICES)
    body = len(topic).to_bytes(2, "big") + topic + (number % 65535 + 1).to_bytes(2, "big") + PAYLOAD
    return bytes((0x32, len(body) & 127 | 128, len(body) >> 7)) + body


def _paho(port: int, version: str, count: int) -> float:
    five = version == "5"
    how = {"protocol": paho.MQTTv5} if five else {"protocol": paho.MQTTv311, "clean_session": False}
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"paho-{version}", **how)
    begun, seen = 0.0, 0

    def count_it(*_: object) -> None:
        nonlocal begun, seen
        seen += 1
        if seen == 1:
            begun = time.process_time()
        if seen == count:
            client.disconnect()

    def subscribe(*_: object) -> None:
        client.subscribe(FILTER, 1)

    def leave(*_: object) -> None:
        if not count:
            client.disconnect()

    client.on_message = count_it
    client.on_connect, client.on_subscribe = subscribe, leave
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600, WINDOW
        client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    else:
        client.connect("127.0.0.1", port)
    client.loop_forever()
    return (time.process_time() - begun) / max(count, 1) * 1e6


async def _link(port: int, version: str, count: int) -> float:
    begun, seen = time.process_time(), 0  # before it connects: a broker delivers before it has answered a subscription
    link = MqttLink(Mqtt(url=f"mqtt://127.0.0.1:{port}", version=version, client_id=f"link-{version}",
                         receive_maximum=WINDOW))
    waiting = asyncio.ensure_future(link.receive(500, 0))
    while not link.connected:  # noqa: ASYNC110 - a link has no such event
        await asyncio.sleep(0.01)
    while seen < count:
        messages = await (link.receive(500, 0) if seen else waiting)
        seen += len(messages)
        await link.acknowledge(messages)
    took = time.process_time() - begun
    waiting.cancel()
    await link.close()
    return took / max(count, 1) * 1e6


def _apart(kind: str, port: int, count: int) -> float:
    command = [sys.executable, "-m", "bench.mqtt", "--one", kind, "--port", str(port), "--messages", str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)


def _show(found: dict[str, list[float]], messages: int) -> None:
    table = Table("", "µs an event", "best", "worst", "of bare paho", title=f"{messages} events of {len(PAYLOAD)} B, QoS 1")
    for kind, taken in found.items():
        bare = statistics.median(found[f"bare paho {kind.rpartition(' ')[2]}"])
        table.add_row(kind, f"{statistics.median(taken):.1f}", f"{min(taken):.1f}", f"{max(taken):.1f}",
                      f"{statistics.median(taken) / bare:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
