"""uvicorn as we want it: it stops quickly, ends with 0 when it was told to stop, and says plainly why it cannot start."""

import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.live import Hub
from city.errors import Conflict


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
