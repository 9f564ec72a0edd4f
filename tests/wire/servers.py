"""Real servers for tests: started on a free port of 127.0.0.1 in a directory of their own, and stopped again."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tests.patience import PATIENCE_S


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """The program's path; a server that is missing is a failure, not a skip."""
    path = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
    assert path, f"{name} is not installed"
    return path


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Return when something listens on `port`; fail with the server's own words when it dies or takes too long."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"no server on port {port}: {log.read_text(errors='replace')[-2000:] if log else ''}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, at once if it does not within half a minute: on a busy machine it takes its time to save what it has."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


class Mosquitto:
    """A Mosquitto on a port of its own, which can be stopped and started again with its sessions kept."""

    def __init__(self, directory: Path, extra: str = "allow_anonymous true") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._directory, self._log = directory, directory / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"listener {self.port} 127.0.0.1", extra, "persistence true", f"persistence_location {directory}/",
                 "max_queued_messages 0", "max_inflight_messages 1000", "user root"]
        (directory / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="ascii")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program("mosquitto"), "-c", str(self._directory / "mosquitto.conf")],
                                             stdout=log, stderr=log)
        wait_for_port(self.port, self._process, self._log)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
            self._process = None


@contextlib.contextmanager
def mosquitto(directory: Path, extra: str = "allow_anonymous true") -> Iterator[Mosquitto]:
    """A running Mosquitto; `extra` are further lines of its configuration."""
    server = Mosquitto(directory, extra)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Cable:
    """A TCP relay in front of a server, so that a test can cut every connection without asking either end."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break all connections now; new ones are let through."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        pumps = [asyncio.create_task(self._pump(*ends)) for ends in ((reader, far_writer), (far_reader, writer))]
        self._tasks.update(pumps)
        await asyncio.wait(pumps)
        self._tasks.difference_update(pumps)
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def cable(target: int) -> AsyncIterator[Cable]:
    """A relay to `target`, closed at the end."""
    relay = Cable(target)
    server = await asyncio.start_server(relay.join, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.cut()
        await asyncio.sleep(0.01)
