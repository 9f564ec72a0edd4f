"""The bridge as a process of its own, started as an operator starts it, and looked at from outside."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.faults.waiting import PATIENCE_S, until
from tests.wire.servers import free_port

ROOT = Path(__file__).parents[2]
TICK = os.sysconf("SC_CLK_TCK")
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(\{[^}]*\})? (\S+)$", re.MULTILINE)


class Bridge:
    """`python -m gateway_bridge` on a broker, a database and a log directory of its own."""

    def __init__(self, directory: Path, broker: str, database: str, **settings: object) -> None:
        """`settings`: mqtt_keepalive_s=3 is STADTFUNK_MQTT_KEEPALIVE_S."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.log_directory = directory, directory / "log"
        self.port = free_port()
        said: dict[str, object] = {
            "mqtt_url": broker, "database_url": database, "log_directory": self.log_directory,
            "bridge_metrics_port": self.port, **settings}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STADTFUNK_")}
        self.environment = {**inherited, "PYTHONPATH": str(ROOT),
                            **{f"STADTFUNK_{name.upper()}": str(value) for name, value in said.items()}}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start, without waiting for anything."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen([sys.executable, "-m", "gateway_bridge"], env=self.environment, cwd=self.directory,
                                             stdout=output, stderr=output)

    def start(self, seconds: float = PATIENCE_S) -> None:
        """Start, and wait until it is subscribed."""
        self.launch()
        self.wait_connected(seconds)

    def wait_connected(self, seconds: float = PATIENCE_S) -> None:
        """Until it is connected and subscribed, as it says itself."""
        until(lambda: self.running and self.metrics()["connected"], seconds, self.said)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code, when it ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self, seconds: float = PATIENCE_S) -> int:
        """SIGTERM; its exit code."""
        if self._process is None:
            return 0
        if self.running:
            self.send(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the bridge did not end within {seconds} s: {self.said()}") from None

    def discard(self) -> None:
        """End it, whatever state it is in."""
        if self.running:
            self.kill()

    def said(self, most: int = 6000) -> str:
        return self._output.read_text(errors="replace")[-most:] if self._output.exists() else ""

    def metrics(self) -> Mapping[str, float]:
        """Each metric by its name without stadtfunk_bridge_ and _total, added up over its labels; 0 where it is not."""
        found: Counter[str] = Counter()
        for name, _, value in _SAMPLE.findall(self.page("metrics")[1]):
            found[name.removeprefix("stadtfunk_bridge_").removesuffix("_total")] += float(value)  # type: ignore[assignment]
        return found

    def labelled(self, name: str) -> dict[str, float]:
        """One metric's values by its labels, as they are written."""
        return {labels.strip("{}"): float(value) for found, labels, value in _SAMPLE.findall(self.page("metrics")[1])
                if found.removeprefix("stadtfunk_bridge_").removesuffix("_total") == name}

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of what it serves; (0, "") where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError:
            return 0, ""

    def cpu_s(self) -> float:
        """Processor time of the process so far, s."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss_mb(self) -> float:
        """What it keeps in memory."""
        return self._status("VmRSS") / 1024

    def threads(self) -> int:
        return self._status("Threads")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def _output(self) -> Path:
        return self.directory / "bridge.txt"

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
        assert found, name
        return int(found[1])
