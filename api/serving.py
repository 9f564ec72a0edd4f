"""uvicorn as we want it: it stops quickly, ends with 0 when it was told to stop, says plainly why it cannot start, and reads
requests by llhttp (httptools), which takes half of the time per answer that h11 does."""

import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.live import Hub
from city.errors import Conflict

MOST_HEAD = 64 * 1024  # bytes of a request's line and headers, as h11 has it


class Bounded(HttpToolsProtocol):
    """What comes over one connection. MOST_HEAD bytes that lead to nothing (heads and trailers without end), or of one head, are
    refused: llhttp itself would collect them for ever."""

    _steps, _idle = 0, 0  # what has begun, gone on or ended; and bytes since

    def on_message_begin(self) -> None:
        self._steps += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._steps += 1
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD:
            raise ValueError("the head is too large")  # the parser's caller answers 400
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._steps += 1
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        before = self._steps
        super().data_received(data)
        self._idle = self._idle + len(data) if self._steps == before else 0
        if self._idle > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")


class Server(uvicorn.Server):
    """A uvicorn.Server; `serve` and `run` raise Conflict where the address cannot be listened on."""

    async def startup(self, sockets: list[Any] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # uvicorn has logged the system's words
            raise Conflict("Nobody can listen on {host}:{port}: another program may do so already.", field="api.port",
                           rule="free", host=self.config.host, port=self.config.port) from None

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Live streams never end by themselves: let them go before waiting for answers under way."""
        app = self.config.app
        if isinstance(app, FastAPI):
            hub: Hub = app.state.hub
            await hub.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again once it has stopped; a service that was told to stop has not failed."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


class Guest(Server):
    """In somebody else's process: signals are the host's, who sets `should_exit`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
