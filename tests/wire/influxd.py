"""A real influxd 1.x in a directory of its own, on free ports of loopback, that can be killed and started again."""

import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import PATIENCE_S

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  auth-enabled = {auth}
  log-enabled = false
"""


class Influxd:
    """The server; `url` stays the same through kill and start."""

    def __init__(self, directory: Path, *, auth: bool = False) -> None:
        """`auth`: with users; the first one may be made by anybody."""
        rpc, http = _free_ports()
        self.url = f"http://127.0.0.1:{http}"
        self._config = directory / "influxd.conf"
        self._config.write_text(CONFIG.format(rpc=rpc, http=http, directory=directory, auth=str(auth).lower()), encoding="utf-8")
        self._output = directory / "influxd.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers; AssertionError with its output where it does not."""
        binary = shutil.which("influxd") or "/usr/bin/influxd"
        assert Path(binary).exists(), "influxd is missing: install Debian's package influxdb"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen([binary, "-config", str(self._config)], stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, self._output.read_text(encoding="utf-8", errors="replace")[-2000:]
            assert time.monotonic() < deadline, "influxd does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1) as answer:
                return bool(answer.status == 204)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def influxd(directory: Path, *, auth: bool = False) -> Iterator[Influxd]:
    """A running server; killed at the end."""
    server = Influxd(directory, auth=auth)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]
