"""A real VictoriaMetrics in a directory of its own: it takes lines at /write and /api/v2/write."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.wire.servers import free_port, program, stop, wait_for_port


class Victoria:
    """The server; `url` is its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def exported(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[int, float]]]:
        """Every series that it has: name and labels, and (ms, value) of each point."""
        self._get("/internal/force_flush")
        said = self._get("/api/v1/export?" + urllib.parse.urlencode({"match[]": '{__name__!=""}', "start": 0, "end": 2**32}))
        found = {}
        for line in said.splitlines():
            row = json.loads(line)
            labels = dict(row["metric"])
            found[labels.pop("__name__"), tuple(sorted(labels.items()))] = list(
                zip(row["timestamps"], row["values"], strict=True))
        return found

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            said: bytes = answer.read()
            return said


@contextmanager
def victoria(directory: Path) -> Iterator[Victoria]:
    """A running server, stopped at the end."""
    port = free_port()
    log = directory / "victoria.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program("victoria-metrics"), f"-storageDataPath={directory}/data", f"-httpListenAddr=127.0.0.1:{port}",
             "-retentionPeriod=100y", "-search.latencyOffset=0s", "-memory.allowedBytes=64MB"], stdout=output, stderr=output)
    try:
        wait_for_port(port, process, log)
        yield Victoria(f"http://127.0.0.1:{port}")
    finally:
        stop(process)
