"""How often one may try to sign in (after a few failures each further try has to wait longer), and how often one may
let scripts run."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from city.errors import TooOften

FREE_TRIES = 5
FREE_TRIES_OF_ADDRESS = 50
LONGEST = timedelta(minutes=15)
FORGET = timedelta(hours=1)
MOST_KEYS = 20_000
HASHES_AT_ONCE = 4  # an argon2 hash takes 64 MiB
RUNS_AT_ONCE = 8  # of scripts, in one process; each holds a thread
RUNS_OF_A_TOWN = 2  # of these: one town leaves room for the others
RUNS_TOGETHER = 30
RUN_EVERY = timedelta(seconds=2)
PAST_TOGETHER = 500_000  # quarters of an hour of zones that strangers may have read at once …
PAST_A_SECOND = 10_000  # … and so many more with each second: about a tenth of a processor


class SignInLimiter:
    """Counts failures per name and address, and per address. Kept in memory: a restart forgives."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], tuple[int, datetime]] = OrderedDict()
        self._trying: Counter[tuple[str, str]] = Counter()  # tries under way: they count as if they had failed
        self._lock = threading.Lock()
        self.hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)

    def check(self, name: str, address: str, now: datetime) -> None:
        """A try begins; `failed`, `succeeded` or `released` ends it. Raises TooOften where this name or this address
        has to wait."""
        with self._lock:
            wait = max(self._wait((name[:64], address), FREE_TRIES, now),
                       self._wait(("", address), FREE_TRIES_OF_ADDRESS, now))
            if wait <= timedelta(0):
                self._trying.update(_keys(name, address))
        if wait > timedelta(0):
            raise TooOften("Too many attempts: wait {seconds} seconds.", field="name", rule="attempts",
                           seconds=int(wait.total_seconds()) + 1)

    def failed(self, name: str, address: str, now: datetime) -> None:
        """A sign-in was wrong."""
        with self._lock:
            self._end(name, address)
            for key in _keys(name, address):
                count, last = self._failures.pop(key, (0, now))
                self._failures[key] = (1 if now - last > FORGET else count + 1, now)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """A sign-in was right: this name may err anew from here."""
        with self._lock:
            self._end(name, address)
            self._failures.pop((name[:64], address), None)

    def released(self, name: str, address: str) -> None:
        """A try came to nothing, neither right nor wrong."""
        with self._lock:
            self._end(name, address)

    def _end(self, name: str, address: str) -> None:
        for key in _keys(name, address):
            self._trying[key] -= 1
            if self._trying[key] <= 0:
                del self._trying[key]

    def _wait(self, key: tuple[str, str], free: int, now: datetime) -> timedelta:
        count, last = self._failures.get(key, (0, now))
        count = 0 if now - last > FORGET else count
        trying = self._trying[key]
        if count + trying < free:
            return timedelta(0)
        if trying:  # beyond the free tries one at a time
            return timedelta(seconds=1)
        pause = min(timedelta(seconds=2 ** min(count - free + 1, 12)), LONGEST)
        return last + pause - now


class RunLimiter:
    """Lets each caller run scripts 30 times together, then once every two seconds; and few at once, of each town and in all."""

    def __init__(self) -> None:
        self._due: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()  # by town

    @contextmanager
    def running(self, town: str, name: str, now: datetime) -> Iterator[None]:
        """While a script runs for somebody of a town. Raises TooOften."""
        self._book(f"{town}/{name}", now)
        with self._lock:
            if self._running[town] >= RUNS_OF_A_TOWN or self._running.total() >= RUNS_AT_ONCE:
                raise _too_often(1)
            self._running[town] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[town] -= 1
                if not self._running[town]:
                    del self._running[town]

    def _book(self, caller: str, now: datetime) -> None:
        with self._lock:
            due = max(self._due.pop(caller, now), now)
            ahead = due + RUN_EVERY - now - RUN_EVERY * RUNS_TOGETHER
            self._due[caller] = due if ahead > timedelta(0) else due + RUN_EVERY
            while len(self._due) > MOST_KEYS:
                self._due.popitem(last=False)
        if ahead > timedelta(0):
            raise _too_often(int(ahead.total_seconds()) + 1)


class PastLimiter:
    """How much of the past strangers may have read anew, all together. An answer about many zones and weeks costs seconds of
    work, and one second more or less in its address makes it a new one."""

    def __init__(self) -> None:
        self._read, self._at = 0.0, datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def check(self, quarters: float, now: datetime) -> None:
        """So many are to be read. Raises TooOften where that has to wait; a single question never waits for ever."""
        with self._lock:
            read = max(self._read - PAST_A_SECOND * max((now - self._at).total_seconds(), 0.0), 0.0)
            quarters = min(quarters, PAST_TOGETHER)
            above = read + quarters - PAST_TOGETHER
            if above > 0:
                raise TooOften("Much of the past has been asked for just now: try again in {seconds} seconds.", rule="attempts",
                               seconds=int(above / PAST_A_SECOND) + 1)
            self._read, self._at = read + quarters, now


def _too_often(seconds: int) -> TooOften:
    return TooOften("Too many attempts: wait {seconds} seconds.", rule="attempts", seconds=seconds)


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (name[:64], address), ("", address)
