"""Processes under test: started, stopped in their tracks and let go again, and what they have used, by the kernel's own
accounts. Linux only: the figures come from /proc and wait4."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
QUIET_S = 0.4
BLOCK = 512  # the unit of ru_oublock


@dataclass(frozen=True, slots=True)
class Used:
    """What a process (its finished children included) has used so far: CPU seconds, bytes that it caused to be written
    to disk, resident megabytes now and at most (0 of one that has ended: the kernel's figure has the bench's own in it)."""

    cpu_s: float
    written: int
    rss_mb: float
    peak_mb: float


class Running:
    """One process. It is ended when the bench leaves it, whatever happens."""

    def __init__(self, words: Sequence[str], directory: Path, environ: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self._log = directory, directory / "output.txt"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(list(words), cwd=directory, stdout=log, stderr=log,
                                             env={**os.environ, **(environ or {})})
        self.pid = self._process.pid

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether it has; it is not asked how much it has used before `wait` does."""
        return self._process.returncode is not None or os.waitid(
            os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def freeze(self) -> None:
        """It keeps its connections and does nothing, until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def used(self) -> Used:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        status = _pairs(Path(f"/proc/{self.pid}/status"))
        written = int(_pairs(Path(f"/proc/{self.pid}/io"))["write_bytes"])
        now, most = (_mb(status.get(name, "0 kB")) for name in ("VmRSS", "VmHWM"))  # none once the process has ended
        return Used(sum(int(ticks) for ticks in fields[11:15]) / TICKS, written, now, most)

    def end(self, seconds: float = 30.0) -> Used:
        """Ask it to leave, and wait; what it has used in its whole life, to the microsecond."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> Used:
        """As `end`, where it leaves by itself."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                return Used(usage.ru_utime + usage.ru_stime, usage.ru_oublock * BLOCK, 0.0, 0.0)
            time.sleep(0.02)
        raise TimeoutError(f"{self._log} does not end:\n{self.said()[-2000:]}")


def until(happened: Callable[[], bool], what: str, seconds: float, every_s: float = 0.02,
          running: Running | None = None) -> None:
    """Wait for it. Raises TimeoutError, with the last words of the process it depends on."""
    last = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > last or (running is not None and running.ended):
            raise TimeoutError(f"{what}: not within {seconds} s\n{running.said()[-3000:] if running else ''}")
        time.sleep(every_s)


def stolen_s() -> float:
    """Seconds of all cores that this machine was ready to use and did not get, since it was started; 0 where nobody says."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/stat").read_text(encoding="ascii").split()[8]) / TICKS
    return 0.0


def rest(processes: Sequence[Running], seconds: float = 6.0) -> None:
    """Return when they have done what one does after a start, or after so long: they use less than a twentieth of a core."""
    last = time.monotonic() + seconds
    used = sum(process.used().cpu_s for process in processes)
    while time.monotonic() < last:
        time.sleep(QUIET_S)
        before, used = used, sum(process.used().cpu_s for process in processes)
        if used - before <= QUIET_S / 20:
            return


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def _pairs(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _mb(text: str) -> float:
    return int(text.split()[0]) / 1024
