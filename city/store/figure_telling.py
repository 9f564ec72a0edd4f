"""What a process tells InfluxDB of itself: a sample each step of influx.figures_s, in the bucket of the platform's own figures.

The first sample is dated when the telling began, each other one at the beginning of its step: so a process that is started anew
within a step adds to it and overwrites nothing. A step that was slept through is told together with the one before. Samples wait
in memory while InfluxDB is down, of an hour at most, then the oldest is dropped and counted (city.store.figure_outbox); a crash
loses the step that it falls into. Several parts of the platform in one process each tell of the CPU and memory of all of it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from city.clock import Clock
from city.errors import Unavailable
from city.figures import LETTERS_COUNT
from city.figures_sample import Look, Sample, sample, step_after, step_of
from city.readings import to_ns
from city.settings import Influx
from city.store.figure_lines import line
from city.store.figure_outbox import Lines, Outbox
from city.store.influx import InfluxDB, checked, open_sink
from city.store.influx_http import Limits
from city.store.influx_places import of_platform
from city.store.process import look

AFTER_FAULT_S = 10.0
LIMITS = Limits(connect_s=3.0, read_s=10.0, whole_s=20.0)  # a process that ends waits no longer than that

Tells = Callable[[datetime, datetime], Iterable[tuple[str, Lines]]]
"""The lines of the time since it was asked last, with the name of their place: when that began, and now."""

_log = logging.getLogger(__name__)


class Teller:
    """Asks once a step, and sends. `step` and `leave` block; one waits for the other."""

    def __init__(self, clock: Clock, step_s: int, parts: Sequence[tuple[Tells, Outbox]]) -> None:
        self._clock, self._step_s, self._parts = clock, step_s, parts
        self._begun = clock.now()
        self._due = step_after(self._begun, step_s)
        self._trouble, self._lock = "", Lock()

    @property
    def lost(self) -> int:
        """Lines that InfluxDB has not got and will not get."""
        return sum(outbox.dropped + outbox.refused for _, outbox in self._parts)

    def step(self) -> float:
        """Tell of the step that is over, if one is; returns in how many seconds the next one will be."""
        with self._lock:
            now = self._clock.now()
            if now >= self._due:
                begun = self._begun
                self._begun, self._due = step_of(now, self._step_s), step_after(now, self._step_s)
                self._ask(begun, now)
                self._send()
        return max((self._due - self._clock.now()).total_seconds(), 0.0)

    def leave(self) -> None:
        """Tell of what has begun, unless InfluxDB was down the last time, and let the connections go."""
        with self._lock:
            if not self._trouble:
                self._ask(self._begun, self._clock.now())
                self._send()
            for _, outbox in self._parts:
                outbox.close()

    def _ask(self, begun: datetime, now: datetime) -> None:
        for tells, outbox in self._parts:
            outbox.put(now, list(tells(begun, now)))

    def _send(self) -> None:
        """What InfluxDB does not take waits for the next step; that is said once, and once that it is over."""
        trouble = ""
        for _, outbox in self._parts:
            try:
                outbox.send(self._clock)
            except Unavailable as error:
                if error.message not in (self._trouble, trouble):
                    _log.warning("%s – figures of the platform wait, those of the last hour.", error)
                trouble = error.message
        if self._trouble and not trouble:
            _log.warning("InfluxDB takes figures of the platform again; %d of its lines are lost so far.", self.lost)
        self._trouble = trouble


class Process:
    """Tells of one process. Its looks may be asked for by any thread."""

    def __init__(self, kind: str, name: str, looks: Callable[[Look], Look]) -> None:
        """`kind`: bridge, api or simulator; `looks` adds to a look at the process what it counts."""
        self._tags = {"process": kind, "name": name}
        self._looks = looks
        self._before = looks(look())

    def tells(self, begun: datetime, _now: datetime) -> list[tuple[str, Lines]]:
        """See Tells."""
        before, self._before = self._before, self._looks(look())
        return [("", platform_lines(self._tags, sample(before, self._before), to_ns(begun)))]


def platform_lines(tags: dict[str, str], said: Sample, at_ns: int) -> list[bytes]:
    """A point of the sheet platform, and one of letters for each reason that there was. Pure."""
    found = [line("platform", tags, said.values, at_ns)]
    found += [line("letters", tags | {"reason": reason}, {LETTERS_COUNT: count}, at_ns) for reason, count in said.letters.items()]
    return [one for one in found if one is not None]


def platform_outbox(settings: Influx) -> Outbox:
    """To the bucket of the platform's own figures, which is made where it is missing. Raises Invalid where the settings name no
    InfluxDB."""
    return Outbox(_opened(checked(of_platform(settings))))


def _opened(settings: Influx) -> Callable[[str], InfluxDB]:
    return lambda _place: open_sink(settings, creates=True, keep_days=settings.platform_days, limits=LIMITS)


async def telling(teller: Teller, clock: Clock, stop: asyncio.Event) -> None:
    """Until `stop`, or until it is called off. A fault of ours is said, and ends no more than the step."""
    try:
        while not stop.is_set():
            pause = AFTER_FAULT_S
            try:
                pause = await asyncio.to_thread(teller.step)
            except Exception:
                _log.exception("figures of the platform: a fault of ours; going on")
            await _pause(clock.sleep(pause), stop)
    finally:
        await asyncio.to_thread(teller.leave)


async def _pause(sleep: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(sleep), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
