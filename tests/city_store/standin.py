"""A stand-in for InfluxDB on loopback: it answers as it is told and keeps what it was asked."""

import gzip
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_UP, AFTER_STORING, GARBAGE, HUGE, SLOW, DRIP, HANG = 0, -1, -2, -3, -4, -5, -6


@dataclass
class Standin:
    """`answers` are (status, headers, body), used up in order; the last one stays. 204 where there is none. Statuses below
    100 are no HTTP: see the names above. With `judge` it acts like an InfluxDB: what judge(lines) calls bad is not stored."""

    version: dict = field(default_factory=lambda: {"X-Influxdb-Version": "v2.7.11"})
    ping: bytes = b""
    ping_status: int = 0
    answers: deque = field(default_factory=deque)
    judge: object = None
    asked: list = field(default_factory=list)
    points: set = field(default_factory=set)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def next(self):
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0] if self.answers else (204, {}, b"")

    def bodies(self):
        return [body for _, path, _, body in self.asked if "write" in path]

    def store(self, body):
        """Keep the lines that are good; those that are not come back."""
        lines = [line for line in body.split(b"\n") if line]
        bad = [line for line in lines if self.judge and self.judge(line)]
        self.points |= set(lines) - set(bad)
        return bad


@contextmanager
def standin(**options):
    """A running stand-in."""
    said = Standin(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            said.asked.append((self.command, self.path, dict(self.headers), body))
            if self.path == "/ping":
                self.answer(said.ping_status or (200 if said.ping else 204), said.version, said.ping)
                return
            if self.path == "/api/v3/configure/table":  # as 3.x makes any table
                self.answer(200, {}, b"")
                return
            status, headers, words = said.next()
            if status in (204, AFTER_STORING) and "write" in self.path:
                bad = said.store(body)
                if bad and status == 204:
                    status, words = 422, b'{"message":"partial write: field type conflict: dropped=%d"}' % len(bad)
            if status < 100:
                self.misbehave(status)
            else:
                self.answer(status, headers, words)

        def misbehave(self, how):
            self.close_connection = True
            if how == GARBAGE:
                self.wfile.write(b"\x00\x01 who are you?\r\n\r\n" * 10)
            elif how == HUGE:
                self.send_response_only(500)
                self.end_headers()
                for _ in range(40):
                    self.wfile.write(b"x" * 2**20)
            elif how == DRIP:
                self.send_response_only(500)
                self.end_headers()
                while not said.released.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()
            elif how in (HANG, SLOW):
                said.released.wait(30 if how == HANG else 0.3)
                if how == SLOW:
                    self.answer(204, {}, b"")

        def answer(self, status, headers, words):
            self.send_response_only(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except ConnectionError:  # the other end has had enough
                self.close_connection = True

        def log_message(self, *_):
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    said.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield said
    finally:
        said.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
