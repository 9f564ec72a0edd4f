"""Lines of several towns on their way to InfluxDB, each to its own town's bucket (city.store.influx_places).

Whose a line is, its tag `tenant` says. A town whose bucket takes nothing until a person has mended that keeps no other town's
lines waiting: they are stored all the same, and TownsHeld names the town. What concerns all of them alike (nobody answers, the
token is wrong) stops the whole write; sending all of it again is harmless.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from city.clock import Clock
from city.ids import TenantId
from city.settings import Influx
from city.store.aggregates import Span, settings_of
from city.store.influx import InfluxHeld, RejectedLines, Sink, checked, open_sink
from city.store.influx_bays import BaySink
from city.store.influx_http import LIMITS, Limits
from city.store.influx_places import of_town

MOST = 256  # towns whose connections are kept; more than that take turns
ONE_TOWNS = frozenset({"forbidden", "missing", "retention"})  # what can be wrong with one bucket alone: see HELD
_TENANT = re.compile(rb",tenant=([a-z0-9-]+)[ ,]")  # no other tag nor a measurement can say it: there its = is escaped


class Place(Sink, Protocol):
    """One town's bucket."""

    def close(self) -> None: ...


class TownsHeld(InfluxHeld):
    """The buckets of `towns` take nothing until a person mends it; what was for other towns is stored."""

    def __init__(self, towns: Mapping[TenantId, InfluxHeld]) -> None:
        first = next(iter(towns.values()))
        super().__init__("{town}: {words}", held=first.held, town=", ".join(towns), words=str(first))
        self.towns = towns


class TownSink:
    """See Sink; an item that is several lines is one town's. One thread writes."""

    def __init__(self, place: Callable[[TenantId], Place], *, most: int = MOST) -> None:
        """`place` opens a town's bucket, at its first line; it sends nothing."""
        self._open, self._most = place, most
        self._places: dict[TenantId, Place] = {}  # that was written to last: last

    def write(self, lines: Sequence[bytes]) -> int:
        """As Sink.write. Raises TownsHeld too: before RejectedLines, for nobody can tell a held town's bad lines."""
        parts: dict[bytes, list[bytes]] = {}
        for line in lines:
            found = _TENANT.search(line)
            parts.setdefault(found[1] if found else b"", []).append(line)
        held: dict[TenantId, InfluxHeld] = {}
        refused: RejectedLines | None = None
        expired = 0
        for name, part in parts.items():
            town = TenantId(name.decode())
            try:
                expired += self._place(town).write(part)
            except RejectedLines as error:
                refused = refused or error
            except InfluxHeld as error:
                if error.held not in ONE_TOWNS:
                    raise
                held[town] = error
        if held:
            raise TownsHeld(held)
        if refused is not None:
            raise refused
        return expired

    def close(self) -> None:
        """Let the connections go."""
        for place in self._places.values():
            place.close()
        self._places.clear()

    def _place(self, town: TenantId) -> Place:
        if not town:
            raise RejectedLines("the line says of no town that it is its")
        place = self._places.pop(town, None)
        if place is None:
            if len(self._places) >= self._most:
                self._places.pop(next(iter(self._places))).close()
            place = self._open(town)
        self._places[town] = place
        return place


def open_readings(settings: Influx, *, limits: Limits = LIMITS) -> Place:
    """Where readings, frames, quarters and figures of towns go. Raises Invalid where the address is none."""
    checked(settings)
    if not settings.per_town:
        return open_sink(settings, limits=limits)
    return TownSink(lambda town: open_sink(of_town(settings, town), creates=True, limits=limits))


def open_bays(settings: Influx, clock: Clock, *, days: int, limits: Limits = LIMITS) -> Place:
    """Where readings of single bays go, which may be kept `days`. Raises Invalid where the address is none."""
    checked(settings)
    if not settings.per_town:
        return BaySink(settings, clock, days=days, limits=limits)
    return TownSink(lambda town: BaySink(of_town(settings, town), clock, days=days, limits=limits))


def open_span(span: Span, settings: Influx, *, limits: Limits = LIMITS) -> Place:
    """Where hours or days go. Raises Invalid where the address is none."""
    def place(its: Influx) -> Place:
        return open_sink(settings_of(span, its), creates=True, keep_days=span.keep_days, limits=limits)

    checked(settings)
    return TownSink(lambda town: place(of_town(settings, town))) if settings.per_town else place(settings)
