"""What may come over one connection before anybody has been asked: the head of a request is bounded."""

import asyncio
import re

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api.serving import MOST_HEAD, Bounded

PLAIN = b"GET /a%20b?c=d HTTP/1.1\r\nHost: town\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.closed = b"", False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()[:4].ljust(4)})


async def told(*parts: bytes) -> tuple[list[bytes], bool]:
    """The status of each answer to these reads, and whether the connection was ended."""
    config = uvicorn.Config(echo, log_config=None, lifespan="off", http=Bounded)
    config.load()
    connection, wire = Bounded(config, ServerState(), {}), Wire()
    connection.connection_made(wire)
    for part in parts:
        if not wire.closed:
            connection.data_received(part)
        for _ in range(10):
            await asyncio.sleep(0)
    ended = wire.closed
    connection.connection_lost(None)
    return re.findall(rb"HTTP/1\.1 (\d+) ", wire.sent), ended


async def test_requests_are_answered_one_after_the_other_in_parts_or_together():
    assert await told(PLAIN) == ([b"200"], False)
    assert await told(PLAIN[:5], PLAIN[5:30], PLAIN[30:]) == ([b"200"], False)
    assert await told(PLAIN + PLAIN) == ([b"200", b"200"], False)


@pytest.mark.parametrize("line", [b"GET /" + b"x" * 900, b"GET / HTTP/1.1\r\nX: " + b"x" * 900,
                                  b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 150])
async def test_a_head_without_end_is_refused_before_it_fills_the_memory(line):
    parts = [line, *[(b"A: b\r\n" if line.endswith(b"\n") else b"x") * 1000] * 200]
    statuses, closed = await told(*parts)
    assert (statuses, closed) == ([b"400"], True)


async def test_trailers_without_end_are_refused():
    chunked = b"POST / HTTP/1.1\r\nHost: town\r\nTransfer-Encoding: chunked\r\n\r\n"
    good = [chunked, b"3\r\nabc\r\n", b"0\r\nX: y\r\n", b"\r\n"]
    assert await told(*good) == ([b"200"], False)
    assert (await told(chunked, b"3\r\nabc\r\n", b"0\r\n", *[b"X: y\r\n" * 1000] * 50))[1]
    assert (await told(chunked, b"3\r\nabc\r\n", b"0\r\nX: ", *[b"y" * 4000] * 50))[1]


async def test_a_large_head_at_once_is_refused_too():
    assert (await told(b"GET / HTTP/1.1\r\nX: " + b"x" * MOST_HEAD + b"\r\n\r\n"))[0] == [b"400"]
    assert (await told(b"GET / HTTP/1.1\r\nX: " + b"x" * (MOST_HEAD - 10) + b"\r\n\r\n"))[0] == [b"200"]


async def test_a_large_body_before_the_next_head_is_not_taken_for_a_head():
    body = b"y" * (3 * MOST_HEAD)
    post = b"POST / HTTP/1.1\r\nHost: town\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert (await told(post[:20], post[20:] + body + PLAIN[:10], PLAIN[10:]))[0] == [b"200", b"200"]


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
                                  b"GET \xff HTTP/1.1\r\n\r\n",
                                  b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])
async def test_what_is_no_request_is_answered_with_400(data):
    assert (await told(data))[0] == [b"400"]
