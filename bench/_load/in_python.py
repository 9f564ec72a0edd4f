"""mq.c without a compiler: the same words, the same files, at ten times the processor time.

    python -m bench._load.in_python pub PORT RECORDS COUNT WINDOW [RATE TIMES]
    python -m bench._load.in_python relay LISTEN_PORT PORT TIMES
"""

import contextlib
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PUBLISHES_AT_ONCE = 100
_DOUBLE = struct.Struct("<d")


def main(words: Sequence[str]) -> int:
    match words:
        case ["pub", port, records, count, window]:
            publish(int(port), Path(records), int(count), int(window), 0.0, Path(os.devnull))
        case ["pub", port, records, count, window, rate, times]:
            publish(int(port), Path(records), int(count), int(window), float(rate), Path(times))
        case ["relay", listen, port, times]:
            relay(int(listen), int(port), Path(times))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def publish(port: int, records: Path, count: int, window: int, rate: float, times: Path) -> None:
    """All of them acknowledged when it returns; prints how many, and seconds."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = f"load{os.getpid()}".encode()
    sock.sendall(b"\x10" + bytes([12 + len(name)]) + b"\0\x04MQTT\x04\x02\0\x58\0" + bytes([len(name)]) + name)
    if sock.recv(4)[3:] != b"\0":
        raise SystemExit("the broker refuses us")
    packets, sent, acked, rest = _packets(records), 0, 0, 0
    begun = time.monotonic()
    with times.open("wb") as noted:
        while acked < count:
            due = min(count, int((time.monotonic() - begun) * rate)) if rate else count
            number = max(0, min(due - sent, window - (sent - acked), PUBLISHES_AT_ONCE))
            if number:
                sock.sendall(b"".join([next(packets) for _ in range(number)]))
                for turn in range(sent, sent + number) if rate else ():
                    noted.write(_DOUBLE.pack(begun + turn / rate))
                sent += number
            wait = 0.001 if rate else 0.0 if sent < count and sent - acked < window else 1.0
            if select.select([sock], [], [], wait)[0]:
                got = sock.recv(65536)
                if not got:
                    raise SystemExit("the broker has closed")
                acked, rest = acked + (rest + len(got)) // 4, (rest + len(got)) % 4
    print(count, time.monotonic() - begun)


def relay(listen: int, port: int, times: Path) -> None:
    """One connection, until either end closes it; further ones of the same client are passed on, nothing noted."""
    with socket.create_server(("127.0.0.1", listen)) as door, times.open("wb") as noted:
        print("ready", flush=True)
        client, _ = door.accept()
        broker = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_pass_others, args=(door, port), daemon=True).start()
        held = b""
        for sock in (client, broker):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            while True:
                for sock in select.select([client, broker], [], [])[0]:
                    got = sock.recv(1 << 20)
                    if not got:
                        return
                    (broker if sock is client else client).sendall(got)
                    if sock is client:
                        held = _note(held + got, _DOUBLE.pack(time.monotonic()), noted.write)


def _pass_others(door: socket.socket, port: int) -> None:
    while True:
        client, _ = door.accept()
        broker = socket.create_connection(("127.0.0.1", port))
        for one, other in ((client, broker), (broker, client)):
            threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while got := one.recv(1 << 16):
            other.sendall(got)


def _note(data: bytes, at: bytes, write: Callable[[bytes], object]) -> bytes:
    """Note each PUBACK among the packets; returns what is not whole yet."""
    while len(data) > 1:
        length, head = 0, 1
        while head < len(data):
            length |= (data[head] & 127) << 7 * (head - 1)
            head += 1
            if not data[head - 1] & 128:
                break
        else:
            return data
        if len(data) < head + length:
            return data
        if data[0] == 0x40:
            write(at)
        data = data[head + length:]
    return data


def _packets(records: Path) -> Iterator[bytes]:
    with records.open("rb") as file:
        number = 0
        while head := file.read(2):
            topic = file.read(struct.unpack("<H", head)[0])
            payload = file.read(struct.unpack("<I", file.read(4))[0])
            body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", 1 + number % 65535) + payload
            number += 1
            yield b"\x32" + _length(len(body)) + body


def _length(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 127
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
