"""Bare paho as a contender."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._load.processes import Running, Used, until
from bench._peers.subject import Contender, Subject, Void

ROOT = Path(__file__).resolve().parents[2]


def paho(version: str, acknowledges: str, count: int) -> Contender:
    """`version` "3.1.1" or "5", `acknowledges` "auto" or "manual"."""
    def start(directory: Path, port: int) -> Subject:
        running = Running([sys.executable, "-m", "bench._peers.sink", str(port), f"paho-{directory.name}", str(count), version,
                           acknowledges], directory, {"PYTHONPATH": str(ROOT)})
        until(lambda: "subscribed" in running.said(), "paho", 20.0, running=running)
        return Bare(running)

    return Contender(f"bare paho, MQTT {version}, {acknowledges} ack", start, puts_off=False)


@dataclass(frozen=True, slots=True)
class Bare:
    """It keeps nothing, and ends by itself after the last event."""

    process: Running

    @property
    def running(self) -> Sequence[Running]:
        return (self.process,)

    def wait(self, count: int) -> None:
        until(lambda: self._last() is not None, "paho", 60 + count / 500, running=self.process)

    def end(self) -> Sequence[Used]:
        written = self.process.wait(10).written
        return (Used(self._last() or 0.0, written, 0.0, 0.0),)

    def check(self, count: int) -> None:
        if f"all {count} " not in self.process.said():
            raise Void(f"bare paho has not heard all of {count} events")

    def _last(self) -> float | None:
        """CPU seconds until the last event."""
        words = self.process.said().rpartition("all ")[2].split()
        return float(words[1]) if len(words) == 2 else None
