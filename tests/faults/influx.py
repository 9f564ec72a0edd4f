"""A stand-in for InfluxDB 2.x that answers as a test tells it, keeps what it accepts as InfluxDB would (the same series
and time is one point), and remembers when it was asked what."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.faults.fleet import Fleet


@dataclass(frozen=True)
class Answer:
    """What is said to one write. `keep` chooses the lines that are stored all the same; None: all if the status is 2xx."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    keep: Callable[[bytes], bool] | None = None


@dataclass(frozen=True)
class Asked:
    """One write request: when (monotonic, s), how it was answered, and its lines."""

    at: float
    status: int
    lines: tuple[bytes, ...]


Rule = Callable[[Sequence[bytes]], Answer]


class FakeInflux:
    """`rule` answers each write; by default everything is stored."""

    def __init__(self) -> None:
        self.rule: Rule = lambda _: Answer()
        self.asked: list[Asked] = []
        self.points: dict[tuple[bytes, bytes], bytes] = {}  # series and time: fields
        self.url = ""
        self._turn = threading.Lock()

    def write(self, body: bytes) -> Answer:
        """One request."""
        lines = tuple(line for line in body.split(b"\n") if line)
        with self._turn:
            answer = self.rule(lines)
            kept = answer.keep or (lambda _: 200 <= answer.status < 300)
            for line in filter(kept, lines):
                series, rest = split(line)
                fields, _, at = rest.rpartition(b" ")
                self.points[series, at] = fields
            self.asked.append(Asked(time.monotonic(), answer.status, lines))
        return answer

    def numbers(self, fleet: Fleet) -> list[int]:
        """The numbers of the fleet in every line that was accepted whole, in order of the requests."""
        with self._turn:
            taken = [line for asked in self.asked if 200 <= asked.status < 300 for line in asked.lines]
        found = (number_of(fleet, line) for line in taken)
        return [number for number in found if number is not None]

    def stored(self, fleet: Fleet) -> set[int]:
        """The numbers whose points are there."""
        with self._turn:
            points = dict(self.points)
        found = (number_of(fleet, b"%s %s %s" % (series, fields, at)) for (series, at), fields in points.items())
        return {number for number in found if number is not None}


def split(line: bytes) -> tuple[bytes, bytes]:
    """Series, and fields with time: at the first space that is not escaped."""
    at = line.index(b" ")
    while line[at - 1:at] == b"\\":
        at = line.index(b" ", at + 1)
    return line[:at], line[at + 1:]


def number_of(fleet: Fleet, line: bytes) -> int | None:
    """The number of the event of a `radio` line, which bears device and counter."""
    series, rest = split(line)
    if not series.startswith(b"radio,"):
        return None
    tags = dict(part.split(b"=", 1) for part in series.split(b",")[1:])
    fields = dict(part.split(b"=", 1) for part in rest.rpartition(b" ")[0].split(b","))
    if b"fcnt" not in fields:
        return None
    return fleet.number(tags[b"device"].decode(), int(fields[b"fcnt"].rstrip(b"iu")))


@contextmanager
def fake_influx() -> Iterator[FakeInflux]:
    """A running stand-in."""
    fake = FakeInflux()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._say(204, {"X-Influxdb-Version": "v2.7.11"}, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if "/write" not in self.path:
                return self._say(204, {}, b"")
            answer = fake.write(body)
            words = json.dumps({"code": "invalid", "message": answer.words}).encode() if answer.words else b""
            return self._say(answer.status, answer.headers, words)

        def _say(self, status: int, headers: Mapping[str, str], words: bytes) -> None:
            self.send_response_only(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
