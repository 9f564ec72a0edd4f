"""A stand-in for InfluxDB on loopback: it answers as it is told and keeps what it was asked."""

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Standin:
    """`answers` are (status, headers, body), used up in order; the last one stays. 204 where there is none."""

    version: dict = field(default_factory=lambda: {"X-Influxdb-Version": "v2.7.11"})
    ping: bytes = b""
    answers: deque = field(default_factory=deque)
    asked: list = field(default_factory=list)
    url: str = ""

    def next(self):
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0] if self.answers else (204, {}, b"")

    def bodies(self):
        return [body for _, path, _, body in self.asked if "write" in path]


@contextmanager
def standin(**options):
    """A running stand-in."""
    said = Standin(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said.asked.append((self.command, self.path, dict(self.headers), body))
            status, headers, words = (200 if said.ping else 204, said.version, said.ping) \
                if self.path == "/ping" else said.next()
            if status == 0:  # hang up without a word
                self.close_connection = True
                return
            self.send_response_only(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_):
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    said.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
