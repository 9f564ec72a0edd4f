"""An InfluxDB 1.x beside the demo, where the program influxd is installed: in a directory and on a port of its own, for this
machine only, without passwords. For looking at boards; a town runs InfluxDB as its makers say."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from city.errors import InfluxDown, Unsupported

READY_WITHIN_S, STOPS_WITHIN_S, LOOKS_EVERY_S = 30.0, 10.0, 0.05
PLACES = ("/usr/sbin", "/usr/local/bin", "/usr/bin")  # where it may be without being in the path
# ends its own child when its standard input does, so that no InfluxDB outlives us however we end
_CHILD = ("import subprocess, sys; child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL); sys.stdin.read(); "
          "child.terminate(); child.wait()")
_CONFIG = """\
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
  log-enabled = false
"""


@contextmanager
def local_influxd(directory: Path, *, places: Sequence[str] = PLACES, within_s: float = READY_WITHIN_S) -> Iterator[str]:
    """Its address for as long as the context lasts; what it keeps is in `directory`. Raises Unsupported where there is no
    influxd 1.x, InfluxDown where it does not come up."""
    binary = shutil.which("influxd", path=os.pathsep.join((os.environ.get("PATH", ""), *places)))
    if binary is None:
        raise Unsupported("There is no influxd here (Debian: apt install influxdb). With an InfluxDB elsewhere: --influx URL.",
                          field="influxd", rule="installed")
    rpc, http = _free_ports()
    directory.mkdir(parents=True, exist_ok=True)
    config, log = directory / "influxd.conf", directory / "influxd.log"
    config.write_text(_CONFIG.format(directory=directory, rpc=rpc, http=http), encoding="utf-8")
    with log.open("ab") as output, subprocess.Popen([sys.executable, "-c", _CHILD, binary, "-config", str(config)],
                                                    stdin=subprocess.PIPE, stdout=output, stderr=output,
                                                    start_new_session=True) as child:
        try:
            _wait_until_ready(f"http://127.0.0.1:{http}", log, within_s)
            yield f"http://127.0.0.1:{http}"
        finally:
            _end(child)


def _wait_until_ready(url: str, log: Path, within_s: float) -> None:
    last = time.monotonic() + within_s
    while time.monotonic() < last:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/ping", timeout=1) as answer:
            if answer.headers.get("X-Influxdb-Version", "").lstrip("v").startswith("1."):
                return
        time.sleep(LOOKS_EVERY_S)
    raise InfluxDown("influxd did not come up within {seconds} s; what it said is in {log}.", seconds=int(within_s),
                     log=str(log))


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return int(one.getsockname()[1]), int(two.getsockname()[1])
