"""ChirpStack's side: publishes numbered events with QoS 1 as fast as a socket takes them, and knows what the broker has.

MQTT 3.1.1 by hand, because a client library would be the slowest part of every test. When the connection breaks, what
the broker has not acknowledged is sent again on the next one, first and in order, with the DUP flag.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.faults.fleet import Fleet
from tests.patience import PATIENCE_S

WINDOW = 2000  # messages on their way at most
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"  # clean session, no keepalive, no client id


class Publisher:
    """Publishes a fleet's events in order of their numbers. `acked` are those that the broker has taken over.

    One thread at a time may publish; `acked` and `sent` may be read by others.
    """

    def __init__(self, port: int, fleet: Fleet, *, patience_s: float = 60.0) -> None:
        self.fleet = fleet
        self.sent, self.acked = 0, set[int]()
        self._port, self._patience_s = port, patience_s
        self._socket: socket.socket | None = None
        self._mid, self._rest = 0, b""
        self._open: dict[int, tuple[int | None, bytes]] = {}  # by packet id, in order: the number, and the packet

    def publish(self, count: int, *, rate: float = 0.0, wait: bool = True) -> None:
        """So many further events, at most `rate` a second (0: as fast as it goes); returns when all are taken over."""
        began, first = time.monotonic(), self.sent
        while self.sent < first + count:
            due = count if not rate else min(count, int((time.monotonic() - began) * rate) + 1)
            self._feed(min(first + due, first + count))
            if rate and self.sent < first + count:
                self._hear(max(0.0, (self.sent - first) / rate - (time.monotonic() - began)))
        if wait:
            self.settle()

    def again(self, numbers: Iterable[int]) -> None:
        """Events that were published before, once more; with the DUP flag, as from a client that is not sure."""
        for number in numbers:
            self._make_room()
            self._send(number, *self.fleet.message(number), flags=0x3A)
        self.settle()

    def send(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Something else, and wait until it is taken over."""
        self._connected()
        self._make_room()
        self._send(None, topic, payload, flags=0x30 | qos << 1 | retain)
        self.settle()

    def settle(self) -> None:
        """Until the broker has acknowledged all."""
        end = time.monotonic() + self._patience_s
        while self._open:
            assert time.monotonic() < end, f"the broker does not acknowledge {len(self._open)} messages"
            self._hear(0.1)

    @contextmanager
    def running(self, rate: float = 0.0) -> Iterator[None]:
        """Events all the while, from a thread of their own; at the end all are taken over."""
        stop, problems = threading.Event(), list[BaseException]()

        def run() -> None:
            try:
                while not stop.is_set():
                    self.publish(max(1, int(rate / 20)) if rate else 200, rate=rate, wait=False)
                self.settle()
            except BaseException as error:
                problems.append(error)

        thread = threading.Thread(target=run, name="publisher")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if problems:
            raise problems[0]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _feed(self, upto: int) -> None:
        while self.sent < upto:
            self._make_room()
            batch = list[bytes]()
            while self.sent < upto and len(batch) < 100 and len(self._open) < WINDOW:
                batch.append(self._packet(self.sent, *self.fleet.message(self.sent), flags=0x32))
                self.sent += 1
            self._write(b"".join(batch))
            self._hear(0.0)

    def _make_room(self) -> None:
        end = time.monotonic() + self._patience_s
        while len(self._open) >= WINDOW:
            assert time.monotonic() < end, "the broker acknowledges nothing"
            self._hear(0.1)

    def _send(self, number: int | None, topic: str, payload: bytes, *, flags: int) -> None:
        self._write(self._packet(number, topic, payload, flags=flags))

    def _packet(self, number: int | None, topic: str, payload: bytes, *, flags: int) -> bytes:
        name, mid = topic.encode(), b""
        if flags & 0x06:
            self._mid = next(mid for mid in _after(self._mid) if mid not in self._open)
            mid = self._mid.to_bytes(2, "big")
        body = struct.pack(">H", len(name)) + name + mid + payload
        packet = bytes([flags]) + _length(len(body)) + body
        if mid:
            self._open[self._mid] = number, packet
        return packet

    def _write(self, data: bytes) -> None:
        """Write it. A new connection sends all that is open, this too; what QoS 0 says then is lost, as it may be."""
        try:
            if self._socket is None:
                self._connected()
            else:
                self._socket.sendall(data)
        except OSError:
            self._lost()

    def _hear(self, seconds: float) -> None:
        """Take note of what the broker acknowledges, within so long."""
        try:
            connection = self._connected()
            if select.select([connection], [], [], seconds)[0]:
                data = connection.recv(65536)
                if not data:
                    raise ConnectionResetError
                self._note(self._rest + data)
        except OSError:
            self._lost()

    def _note(self, data: bytes) -> None:
        whole = len(data) - len(data) % 4  # after CONNACK the broker sends us PUBACKs alone: 40 02 and the packet id
        for at in range(0, whole, 4):
            assert data[at] == 0x40, data[at:at + 4]
            number, _ = self._open.pop(data[at + 2] << 8 | data[at + 3], (None, b""))
            if number is not None:
                self.acked.add(number)
        self._rest = data[whole:]

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        end = time.monotonic() + self._patience_s
        while True:
            try:
                made = socket.create_connection(("127.0.0.1", self._port), timeout=10)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.sendall(CONNECT)
                greeting = made.recv(4, socket.MSG_WAITALL)
                if greeting == b"\x20\x02\x00\x00":
                    self._rest = b""
                    for _, packet in self._open.values():
                        made.sendall(bytes([packet[0] | 0x08]) + packet[1:])
                    return made
                made.close()
            except OSError:
                pass
            assert time.monotonic() < end, "the broker cannot be reached"
            time.sleep(0.05)

    def _lost(self) -> None:
        self.close()


class Listener:
    """Whatever is published on some topics, in order: the commands, for one. Subscribed anew on every connection."""

    def __init__(self, port: int, pattern: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._port, self._pattern = port, pattern.encode()
        self._stop, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener")
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
                    connection.sendall(CONNECT)
                    body = b"\x00\x01" + struct.pack(">H", len(self._pattern)) + self._pattern + b"\x01"
                    connection.sendall(b"\x82" + _length(len(body)) + body)
                    self._listen(connection)
            except OSError:
                self._stop.wait(0.05)

    def _listen(self, connection: socket.socket) -> None:
        connection.settimeout(0.2)
        rest = b""
        while not self._stop.is_set():
            try:
                data = connection.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            packets, rest = _packets(rest + data)
            connection.sendall(b"".join(self._take(*packet) for packet in packets))

    def _take(self, head: int, body: bytes) -> bytes:
        """Take note of a packet; returns what is to be answered."""
        if head >> 4 == 9:  # SUBACK
            self._ready.set()
        if head >> 4 != 3:
            return b""
        end = 2 + int.from_bytes(body[:2], "big")
        mid = body[end:end + 2] if head & 0x06 else b""
        self.heard.append((body[2:end].decode(), body[end + len(mid):]))
        return b"\x40\x02" + mid if mid else b""


@contextmanager
def listener(port: int, pattern: str) -> Iterator[Listener]:
    """One that listens, for the length of a block."""
    made = Listener(port, pattern)
    try:
        yield made
    finally:
        made.close()


def _packets(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole packets, each with its first byte and its body, and the rest."""
    found: list[tuple[int, bytes]] = []
    while len(data) >= 2:
        end = next((at for at in range(1, min(len(data), 5)) if not data[at] & 0x80), 0)
        size = sum((data[at] & 0x7F) << 7 * (at - 1) for at in range(1, end + 1))
        if not end or len(data) < end + 1 + size:
            break
        found.append((data[0], data[end + 1:end + 1 + size]))
        data = data[end + 1 + size:]
    return found, data


def _after(mid: int) -> Iterator[int]:
    while True:
        mid = mid % 65535 + 1
        yield mid


def _length(size: int) -> bytes:
    """MQTT's variable length."""
    said = b""
    while True:
        size, low = divmod(size, 128)
        said += bytes([low | 0x80 if size else low])
        if not size:
            return said
