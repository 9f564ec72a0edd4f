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

    return Contender(f"bare paho, MQTT {version}, {acknowledges} ack", start, keeps=False)


@dataclass(slots=True)
class Bare:
    """It keeps nothing, and ends by itself after the last event."""

    _process: Running
    _used: Used | None = None

    @property
    def running(self) -> Sequence[Running]:
        return (self._process,)

    def wait(self, count: int) -> None:
        self._used = self._process.wait(60 + count / 500)

    def end(self) -> Sequence[Used]:
        return (self._used or self._process.end(),)

    def check(self, count: int) -> None:
        if f"all {count}" not in self._process.said():
            raise Void(f"bare paho has not heard all of {count} events")
