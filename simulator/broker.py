"""A broker inside one process tree, for the demo and for tests only: nothing it holds survives its end.

It is iotcore (rumqttd, Rust; a wheel and nothing else to install), in a child process. The other candidate of the
package index, amqtt, speaks no MQTT 5, which the bridge needs, and loses what a session that is away should find on
its return (`bench/brokers.py` measures both). A town runs Mosquitto or another broker that writes to disk.

Its limits: it listens on 127.0.0.1 only, without passwords, on one port for MQTT 5 (the one that is given) and one for
3.1.1; it has at most 100 messages on their way to a client, whatever the client allows; when its log is full (1 GB)
it drops the oldest messages without a word.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from city.errors import BrokerDown

READY_WITHIN_S, STOPS_WITHIN_S, LOOKS_EVERY_S = 10.0, 5.0, 0.05
_CONNECT = bytes.fromhex("101000044d5154540502000a00000372") + b"dy"  # MQTT 5, clean start, keep-alive 10 s, "rdy"
# the wheel's own child: it ends when its standard input does, so that no broker outlives us
_CHILD = ("import sys; sys.path[:] = [p for p in sys.path if p not in ('', '.')]; "
          "from iotcore._serve import main; main()")
_CONFIG = """\
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""
_LISTENER = """\
[{version}.1]
name = "{version}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 500
dynamic_filters = true
"""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running broker: its addresses for MQTT 5 and for 3.1.1 clients, and its process id."""

    url: str
    url_v3: str
    pid: int


@contextmanager
def embedded_broker(directory: Path) -> Iterator[str]:
    """A broker on a free port of 127.0.0.1 as long as the context lasts; gives its URL for MQTT 5 clients. Its
    configuration is written to `directory`. Raises BrokerDown where it does not come up."""
    with embedded(directory) as broker:
        yield broker.url


@contextmanager
def embedded(directory: Path) -> Iterator[Embedded]:
    """As `embedded_broker`, with the address for MQTT 3.1.1 too."""
    v5, v4 = _free_ports(2)
    config = directory / "broker.toml"
    config.write_text(_CONFIG + _LISTENER.format(version="v5", port=v5) + _LISTENER.format(version="v4", port=v4),
                      encoding="utf-8")
    options = msgspec.json.encode({"config_path": str(config)}).decode()
    with subprocess.Popen([sys.executable, "-c", _CHILD, options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True,
                          env={**os.environ, "IOTCORE_LOG_LEVEL": "CRITICAL"}) as child:
        try:
            _wait_until_ready(child, v5)
            yield Embedded(f"mqtt://127.0.0.1:{v5}", f"mqtt://127.0.0.1:{v4}", child.pid)
        finally:
            _end(child)


def _wait_until_ready(child: "subprocess.Popen[bytes]", port: int) -> None:
    """Until a client may connect: an open port alone is no promise."""
    last = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < last:
        if child.poll() is not None:
            raise BrokerDown("The embedded broker ended at once (exit code {code}).", code=child.returncode)
        if _answers(port):
            return
        time.sleep(LOOKS_EVERY_S)
    raise BrokerDown("The embedded broker did not come up within {seconds} s.", seconds=int(READY_WITHIN_S))


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5) as link:
        link.sendall(_CONNECT)
        answer = link.recv(64)
        return len(answer) >= 4 and answer[0] == 0x20 and answer[3] == 0  # CONNACK, success
    return False


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(int(probe.getsockname()[1]))
        return found
