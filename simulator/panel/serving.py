"""The panel in the simulator's own process and loop: its address, its token, its web server."""

import argparse
import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import uvicorn

from city.errors import Conflict, Invalid
from city.settings import Secret
from simulator.panel.app import Panel, create_app
from simulator.panel.controllable import Controllable
from simulator.panel.pausing import PausableClock

LOOPBACK = "127.0.0.1"
LEAST_TOKEN = 12  # characters of one that somebody has chosen


@contextlib.asynccontextmanager
async def panel_of(options: argparse.Namespace, towns: Sequence[Controllable],
                   clock: PausableClock | None = None) -> AsyncIterator[None]:
    """The panel for as long as the block runs; its address and token are told on stderr. Raises Invalid on an address or a
    token that is none, Conflict where nobody can listen there."""
    host, port = address(options.panel)
    secret = token(options.panel_token)
    panel = Panel(towns, clock)
    server = _Guest(uvicorn.Config(create_app(panel, token=secret, host=host), host=host, port=port, log_config=None,
                                   access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=2,
                                   limit_concurrency=200, ws="none"))
    task = asyncio.create_task(server.serve())
    try:
        ready = asyncio.create_task(server.ready.wait())
        await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
        _tell(server, host, secret)
        yield
    finally:
        panel.hub.close()
        server.should_exit = True
        if not task.done():
            await task


def address(text: str) -> tuple[str, int]:
    """Host and port of "host:port", "[ipv6]:port" or "port". Raises Invalid."""
    host, _, port = text.rpartition(":")
    if not (port.isdigit() and int(port[:6]) <= 65_535):
        raise Invalid("“{value}” is no address to listen on: a port, or host:port.", field="panel", rule="[host:]port",
                      value=text[:100])
    return host.strip("[]") or LOOPBACK, int(port)


def token(given: str | None) -> Secret:
    """The token that was given, or a new one. Raises Invalid."""
    if given is not None and (len(given) < LEAST_TOKEN or not given.isascii() or not given.isprintable() or " " in given):
        raise Invalid("A token has at least {least} ASCII characters and no space.", field="panel-token", rule="token",
                      least=LEAST_TOKEN)
    return Secret(given or secrets.token_urlsafe(24))


def _tell(server: "_Guest", host: str, secret: Secret) -> None:
    """The token stands behind #, which browsers keep to themselves."""
    port = server.servers[0].sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"panel: http://{shown}:{port}/#token={secret.reveal()}\n")
    sys.stderr.flush()


class _Guest(uvicorn.Server):
    """In somebody else's process: signals are the host's. `ready` is set when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Raises Conflict where the address cannot be listened on."""
        try:
            await super().startup(sockets)
        except SystemExit:  # uvicorn has logged the system's words
            raise Conflict("Nobody can listen on {host}:{port}: another program may do so already.", field="panel",
                           rule="free", host=self.config.host, port=self.config.port) from None
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield
