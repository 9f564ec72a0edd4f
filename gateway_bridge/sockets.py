"""The bytes of an MQTT connection: a socket for paho that keeps the broker's events to itself.

paho asks its socket for each packet's first byte, its length byte by byte, then the rest, makes a dozen objects of it and
sends each acknowledgement by itself; with MQTT 5 it also builds a table of all properties for every message. That is 35
to 70 µs an event (bench/mqtt.py). But an event is a PUBLISH, and nothing else in MQTT is frequent. So a PacketSocket
reads all that is there at once, makes Messages of PUBLISH packets itself, sends the acknowledgements of a batch as one,
and hands every other packet to paho, whole and unchanged: paho still connects, authenticates, subscribes and publishes.

QoS 2 is answered here too, as if it were QoS 1: PUBREC, which is what lets the broker forget, goes out when the message
is acknowledged and not before.
"""

import socket
import ssl
from collections.abc import Iterator, Sequence

from gateway_bridge.link import Message

CHUNK = 256 * 1024
LARGEST = 2**20  # bytes of one packet that are kept; the rest of a larger one is read and thrown away
UNSENT_MOST = 2**20
CLOSED = "the broker has closed it"

_PUBLISH, _PUBREL = 0x30, 0x60
_PUBACK, _PUBREC, _PUBCOMP = 0x40020000, 0x50020000, 0x70020000
_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class PacketSocket:
    """A connected socket, seen by paho as a socket (recv, send, pending, fileno, setblocking, close) and by the
    connection as a source of Messages. Once read or written in vain it is over, and `ended` says why."""

    def __init__(self, sock: socket.socket, *, version5: bool, generation: int,
                 numbers: Iterator[int]) -> None:
        """`numbers` count the receipts of all connections."""
        self.ended: str = ""
        self.odd = 0  # messages of the last read that are not plain: QoS 0 or 2, retained or delivered again
        self.heard = False  # whether the last read brought anything
        self.cut = 0  # messages so far that were larger than is kept
        self._sock, self._tls = sock, isinstance(sock, ssl.SSLSocket)
        self._version5, self._generation, self._numbers = version5, generation, numbers
        self._tail, self._need, self._skip = bytearray(), 0, 0
        self._for_paho, self._unsent = bytearray(), bytearray()

    @property
    def waiting(self) -> bool:
        """Whether paho must read: a packet of its own, or that the connection has ended."""
        return bool(self._for_paho or self.ended)

    @property
    def unsent(self) -> bool:
        """Whether the system did not take all that we have said."""
        return bool(self._unsent) and not self.ended

    def read(self) -> list[Message]:
        """The messages in what is there now. Never waits and never raises."""
        self.odd, self.heard = 0, False
        try:
            if self.ended:
                return []
            data = self._received()
            self.heard = bool(data)
            return self._sorted(data)
        except _AGAIN:
            return []
        except OSError as error:
            self._end(str(error))
        except (ValueError, IndexError) as error:
            self._end(f"the broker says what nobody understands: {error}")
        return []

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """The broker may forget these; one system call for all of them."""
        self._unsent += b"".join([((_PUBACK if message.qos == 1 else _PUBREC) | message.mid).to_bytes(4, "big")
                                  for message in messages])
        self.flush()

    def flush(self) -> None:
        """Send what is unsent, as far as the system takes it."""
        try:
            while self._unsent:
                del self._unsent[:self._sock.send(self._unsent)]
        except _AGAIN:
            if len(self._unsent) > 2 * UNSENT_MOST:
                self._end("the broker does not read what we say")
        except OSError as error:
            self._end(str(error))

    def recv(self, size: int) -> bytes:
        """For paho: the next bytes of its packets. Raises BlockingIOError where there are none."""
        if not self._for_paho:
            if self.ended:
                return b""
            raise BlockingIOError
        data = bytes(self._for_paho[:size])
        del self._for_paho[:size]
        return data

    def send(self, data: bytes | bytearray) -> int:
        """For paho: takes all of it, so that no acknowledgement gets into the middle of a packet. Raises BlockingIOError
        where too much is unsent."""
        if len(self._unsent) > UNSENT_MOST:
            raise BlockingIOError
        self._unsent += data
        self.flush()
        return len(data)

    def pending(self) -> int:
        return len(self._for_paho)

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            self.flush()
        self._sock.close()

    def _end(self, why: str) -> None:
        self.ended = self.ended or why or "it was closed"
        self._unsent.clear()

    def _received(self) -> bytes:
        data = self._sock.recv(CHUNK)
        if not data:
            self._end(CLOSED)
        if not self._tls:
            return data
        parts, size = [data], len(data)  # TLS gives a record of 16 kB at a time, and readiness shows none of them
        try:
            while parts[-1] and size < CHUNK:
                parts.append(self._sock.recv(CHUNK))
                size += len(parts[-1])
        except _AGAIN:
            pass
        return b"".join(parts)

    def _sorted(self, data: bytes) -> list[Message]:
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return []
            data = bytes(self._tail)
            self._tail.clear()
        messages: list[Message] = []
        done = self._take_packets(data, messages)
        self._skip += max(done - len(data), 0)
        self._tail += data[done:]
        return messages

    def _take_packets(self, data: bytes, messages: list[Message]) -> int:
        """Sort the whole packets; returns where they end, beyond the data where the rest of the last is to be skipped."""
        at, end, self._need = 0, len(data), 2
        while end - at >= 2:
            first, length, body = data[at], data[at + 1], at + 2
            if length > 127:
                length, body = _remaining(data[at + 1:at + 5])
                body += at + 1
                if length < 0:
                    self._need = end - at + 1
                    break
            stop = body + min(length, LARGEST)
            if stop > end:
                self._need = stop - at
                break
            if first & 0xF0 == _PUBLISH:
                messages.append(self._message(data, first, body, stop))
                self.cut += length > LARGEST
            elif length > LARGEST:
                raise ValueError("a packet larger than any")
            else:
                self._other(first, data[at:stop])
            at = body + length
        return at

    def _message(self, data: bytes, first: int, body: int, stop: int) -> Message:
        """The Message of a PUBLISH (3.3 of both versions): topic, identifier unless QoS 0, properties of MQTT 5, payload."""
        at = body + 2 + (data[body] << 8 | data[body + 1])
        try:
            topic = data[body + 2:at].decode()
        except UnicodeDecodeError:
            topic = ""  # no event has an empty topic: it becomes a dead letter like any other nonsense
        qos, mid = first >> 1 & 3, 0
        if qos:
            mid = data[at] << 8 | data[at + 1]
            at += 2
        if self._version5:
            length = data[at]
            at += 1 + length
            if length > 127:
                at -= 1 + length
                length, size = _remaining(data[at:at + 4])
                at += size + length if size else LARGEST
        if at > stop or qos == 3 or (qos and not mid):
            raise ValueError("a PUBLISH that contradicts itself")
        self.odd += first != 0x32
        return Message(topic, data[at:stop], qos, bool(first & 1), bool(first & 8), self._generation,
                       next(self._numbers), mid)

    def _other(self, first: int, packet: bytes) -> None:
        if first & 0xF0 != _PUBREL:
            self._for_paho += packet
            return
        self._unsent += (_PUBCOMP | packet[2] << 8 | packet[3]).to_bytes(4, "big")
        self.flush()


def _remaining(data: bytes) -> tuple[int, int]:
    """The variable byte integer at the start and its size; -1 where it is not whole yet. Raises ValueError."""
    value = 0
    for index, byte in enumerate(data):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, index + 1
    if len(data) >= 4:
        raise ValueError("a length of more than four bytes")
    return -1, 0
