"""The loader and the relay, in C where there is a compiler, else in Python; and the latencies they note together."""

import shutil
import subprocess
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._load.processes import Running, free_port, until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WINDOW = 1000


@dataclass(frozen=True, slots=True)
class Tools:
    """What loads and delays: the loader's command, and the library that slows fsync down (None without a compiler)."""

    loader: tuple[str, ...]
    slow_disk: Path | None

    @property
    def language(self) -> str:
        return "C" if len(self.loader) == 1 else "Python"

    def publish(self, port: int, records: Path, count: int, *, rate: float = 0.0, times: Path | None = None) -> float:
        """Publish so many; returns seconds when the broker has acknowledged them all."""
        words = [*self.loader, "pub", str(port), str(records), str(count), str(WINDOW)]
        if rate and times:
            words += [str(rate), str(times)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f"the loader: {done.stderr}")
        return float(done.stdout.split()[1])

    def relay(self, port: int, directory: Path) -> "Relay":
        """A relay in front of the broker, listening when this returns."""
        listen, times = free_port(), directory / "acknowledged"
        directory.mkdir(parents=True, exist_ok=True)
        running = Running([*self.loader, "relay", str(listen), str(port), str(times)], directory,
                          {"PYTHONPATH": str(ROOT)})
        until(lambda: "ready" in running.said(), "relay", 10.0, running=running)
        return Relay(listen, times, running)


@dataclass(frozen=True, slots=True)
class Relay:
    """One connection to the broker passes through it; `acknowledged` has the times of its PUBACKs after its end."""

    port: int
    acknowledged: Path
    running: Running


def tools(directory: Path) -> Tools:
    """Compile, or do without."""
    compiler = shutil.which("cc")
    if compiler is None:
        return Tools((sys.executable, "-m", "bench._load.in_python"), None)
    directory.mkdir(parents=True, exist_ok=True)
    loader, library = directory / "mq", directory / "fsyncdelay.so"
    subprocess.run([compiler, "-O2", "-o", str(loader), str(HERE / "mq.c")], check=True)
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(HERE / "fsyncdelay.c"), "-ldl"], check=True)
    return Tools((str(loader),), library)


def latencies(published: Path, acknowledged: Path) -> list[float]:
    """Milliseconds from when each event was due at the loader to its acknowledgement as it passed the relay, sorted. A
    session of its own, one publisher and acknowledgements in order of receipt (MQTT 4.6) make the nth the nth's."""
    due = _times(published)
    done = [at for at in _times(acknowledged) if at >= due[0]]  # before, the bridge has asked the broker for a sign of life
    if len(due) != len(done):
        raise AssertionError(f"{len(due)} events, {len(done)} acknowledgements: the figures are void")
    return sorted((after - before) * 1e3 for before, after in zip(due, done, strict=True))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _times(path: Path) -> "array[float]":
    found = array("d")
    found.frombytes(path.read_bytes())
    return found
