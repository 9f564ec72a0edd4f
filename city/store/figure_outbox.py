"""Figures on their way to InfluxDB. While it is down, or holds one place back, those of the last hour are kept in memory; of
older ones, and of more than MOST_LINES, the oldest are dropped and counted. Nothing of this survives the process: figures are
statistics, and what they are made of is counted elsewhere. An InfluxDB that asks to be left alone (Retry-After) is asked nothing
until then, by whomever; all places are in the same one.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from city.clock import Clock
from city.errors import InfluxDown
from city.store.influx import InfluxBusy, InfluxHeld, RejectedLines, Sink

KEPT = timedelta(hours=1)
MOST_LINES, AT_ONCE = 100_000, 5000
MOST_SINKS = 256  # places whose connections are kept; more than that take turns

Lines = Sequence[bytes]

_log = logging.getLogger(__name__)


class Closing(Sink, Protocol):
    """A sink with connections."""

    def close(self) -> None: ...


class Outbox:
    """For any number of places, by name. `put` and `send` belong to one thread."""

    def __init__(self, sink_of: Callable[[str], Closing]) -> None:
        """`sink_of` opens a place, at its first line; it sends nothing."""
        self._sink_of = sink_of
        self._sinks: dict[str, Closing] = {}
        self._waiting: deque[tuple[datetime, str, Lines]] = deque()
        self._quiet: tuple[datetime, datetime, InfluxBusy] | None = None  # from, until, and why
        self.waiting = self.dropped = self.refused = 0  # lines

    def put(self, at: datetime, lines: Iterable[tuple[str, Lines]]) -> None:
        """Lines of that time, with the name of their place."""
        for place, part in lines:
            if part:
                self._waiting.append((at, place, part))
                self.waiting += len(part)
        while self._waiting and (self._waiting[0][0] < at - KEPT or self.waiting > MOST_LINES):
            _, _, part = self._waiting.popleft()
            self.waiting -= len(part)
            self.dropped += len(part)

    def send(self, clock: Clock) -> None:
        """All that waits. Raises InfluxDown with what is not sent still waiting, and the same again, without asking, as long as
        InfluxDB wishes to be left alone; a place that is held keeps back nothing of the others."""
        if self._quiet is not None:
            begun, until, why = self._quiet
            if begun <= clock.now() < until:  # a clock that was set back says nothing of how long it is
                raise InfluxDown(why.message, **why.facts)
            self._quiet = None
        held: InfluxHeld | None = None
        places = dict.fromkeys(place for _, place, _ in self._waiting)
        for place in places:
            try:
                self._send(place)
            except InfluxHeld as error:
                held = error
            except InfluxBusy as error:
                if not error.retry_after_s:
                    raise
                now = clock.now()
                self._quiet = now, now + timedelta(seconds=error.retry_after_s), error
                raise InfluxDown(error.message, **error.facts) from error  # without the wait, in which samples are taken on
        if held is not None:
            raise held

    def close(self) -> None:
        """Let the connections go."""
        for sink in self._sinks.values():
            sink.close()
        self._sinks.clear()

    def _send(self, place: str) -> None:
        lines = [line for _, its, part in self._waiting if its == place for line in part]
        sink = self._sink(place)
        for begin in range(0, len(lines), AT_ONCE):
            self._write(sink, lines[begin:begin + AT_ONCE])
        self._waiting = deque(one for one in self._waiting if one[1] != place)
        self.waiting -= len(lines)

    def _sink(self, place: str) -> Closing:
        sink = self._sinks.pop(place, None)
        if sink is None:
            if len(self._sinks) >= MOST_SINKS:
                self._sinks.pop(next(iter(self._sinks))).close()
            sink = self._sink_of(place)
        self._sinks[place] = sink  # that was written to last: last
        return sink

    def _write(self, sink: Sink, lines: Lines) -> None:
        """Halved where InfluxDB refuses some: then it may have stored none of them."""
        parts = [lines]
        while parts:
            part = parts.pop()
            try:
                sink.write(part)
            except RejectedLines as error:
                if len(part) > 1 and error.dropped < len(part):
                    parts += (part[len(part) // 2:], part[:len(part) // 2])
                    continue
                self.refused += len(part)
                _log.warning("InfluxDB refuses %d figures, which are left out: %s", len(part), error.words)

