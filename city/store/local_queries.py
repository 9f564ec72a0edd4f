"""Answers out of the local log: from its rows, or from the hourly sums beside it where those are exact."""

import logging
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Protocol, Self

from city.errors import StoreDown, TooLarge
from city.ids import AssetId, TenantId, ZoneId
from city.quantities import Quantity, Value
from city.readings import from_ns
from city.store import packing
from city.store.newest import Newest
from city.store.packing import Meanings
from city.store.ports import Store
from city.store.queries import Question, Row, Stop, Sum, counts
from city.store.rollups import HOUR_NS, Hour, RollUps, rolled

MOST_READ = 5_000_000  # rows of the log that are read for one answer
SLICE = 5000  # rows that are added up at a time
BEHIND = 20_000  # rows that a question reads itself rather than wait until they are added up
_Row = tuple[int, int, int, bytes]  # position, time, number of the place, body
_Town = dict[AssetId, list[int]]  # the numbers of an asset's places
_Found = tuple[str, int, int, Value]  # asset or zone, time, position, value
_Values = Generator[_Found, None, None]
_log = logging.getLogger("stadtfunk.log")


class Source(Protocol):
    """As much of a LocalLog as questions need."""

    @property
    def directory(self) -> Path: ...
    def head(self) -> int: ...
    def rows(self, cursor: int, limit: int) -> list[tuple[int, int, int, int, bytes]]: ...
    def means(self) -> Meanings: ...
    def scan(self, places: Collection[int] | None, first_ns: int, last_ns: int) -> Iterator[_Row]: ...
    def oldest_ns(self) -> int: ...


class LocalQueries:
    """Answers from `log`, and from the states in `store`. It closes neither."""

    def __init__(self, log: Source, store: Store) -> None:
        self._log = log
        self._rollups = RollUps(log.directory)
        self._means = packing.NO_NAMES
        self._towns: dict[TenantId, _Town] = {}
        self._newest = Newest(store)

    def series(self, question: Question, stop: Stop | None = None) -> Iterator[Row]:
        """See Answers. Raises TooLarge too where more than 5,000,000 rows would have to be read."""
        stop = Stop() if stop is None else stop
        if _summed(question):
            self._catch_up(stop)
        return self._series(question, stop)

    def last(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None = None) -> list[Row]:
        """See Answers. A device's values are those of the asset that it serves now."""
        return self._newest.of(tenant, quantity, zone)

    def keep_up(self, limit: int = SLICE) -> int:
        """Add up at most `limit` more rows of the log; returns how many there were. Raises StoreDown."""
        return self._rollups.add(self._log, limit)

    def close(self) -> None:
        self._rollups.close()

    def _series(self, question: Question, stop: Stop) -> Iterator[Row]:
        steps = self._from_sums(question, stop) if _summed(question) else None
        yield from steps.rows() if steps is not None else _answer(self._log, question, self._town(question), stop)

    def _from_sums(self, question: Question, stop: Stop) -> "_Steps | None":
        """The whole hours from their sums and from the rows that came after them; the rest from its rows. None where the
        sums cannot be used."""
        kept = self._kept(question)
        newer = self._log.rows(kept[0], 2 * BEHIND) if kept is not None else []
        if kept is None or len(newer) == 2 * BEHIND:
            return None
        exact, steps, places = from_ns(_exact_until(question)), _Steps(question).add_hours(kept[1]), self._town(question)
        if question.start < exact:
            rows = ((position, at_ns, place, body) for position, at_ns, _, place, body in newer)
            steps.add(_Scope(self._log, replace(question, end=exact), places).among(rows, stop))
        if exact < question.end:
            steps.add(_Scope(self._log, replace(question, start=max(question.start, exact)), places).found(stop))
        return steps

    def _kept(self, question: Question) -> tuple[int, list[Hour]] | None:
        try:
            return self._rollups.hours(self._log, question.quantity, question.channel, (question.tenant, question.zone),
                                       (question.first_ns, _exact_until(question)))
        except StoreDown as error:
            _log.warning("%s: the answer comes from the rows of the log.", error)
            return None

    def _catch_up(self, stop: Stop) -> None:
        try:
            while self._log.head() - self._rollups.reached() > BEHIND and self.keep_up():
                stop.check()
        except StoreDown as error:
            _log.warning("%s: the answer comes from the rows of the log.", error)

    def _town(self, question: Question) -> "_Town":
        means = self._log.means()
        if means is not self._means:
            towns: dict[TenantId, _Town] = {}
            for number, place in means.places.items():
                towns.setdefault(place.tenant, {}).setdefault(place.asset, []).append(number)
            self._towns, self._means = towns, means
        return self._towns.get(question.tenant, {})


def answer(log: Source, question: Question) -> Iterator[Row]:
    """The rows that answer a question, from the log's rows alone."""
    town: _Town = {}
    for number, place in log.means().places.items():
        if place.tenant == question.tenant:
            town.setdefault(place.asset, []).append(number)
    return _answer(log, question, town, Stop())


class _Scope:
    """The places and the series that a question is about."""

    def __init__(self, log: Source, question: Question, town: _Town) -> None:
        self._log, self._question = log, question
        means = log.means()
        numbers = chain.from_iterable(town.values()) if question.asset is None else town.get(question.asset, ())
        places = {number: means.places[number] for number in numbers}
        self._of = {number: "" if not question.by else place.asset if question.by == "asset" else place.zone
                    for number, place in places.items() if question.zone in (None, place.zone)}
        wanted = (question.quantity, question.channel)
        self._series = next((number for number, known in means.series.items() if known == wanted), None)

    def found(self, stop: Stop) -> _Values:
        """Every value that the question is about, in no order."""
        if self._series is None or not self._of:
            return self.among((), stop)
        return self.among(self._log.scan(self._of.keys(), self._question.first_ns, self._question.last_ns), stop)

    def among(self, rows: Iterable[_Row], stop: Stop) -> _Values:
        """Those of the rows' values that the question is about."""
        first, last, of, wanted = self._question.first_ns, self._question.last_ns, self._question.quantity, self._series
        if wanted is None:
            return
        with _ending(rows):
            for read, (position, at_ns, place, body) in enumerate(rows):
                stop.check()
                if read == MOST_READ:
                    raise _too_much()
                if place in self._of:
                    for at, value in packing.values_of(body, at_ns, wanted, of):
                        if first <= at < last and counts(value):
                            yield self._of[place], at, position, value


class _Steps:
    """The steps of an answer, as far as values have been added."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._sums: dict[tuple[str, int], Sum] = {}  # by asset or zone, and number of the step

    def add(self, found: Iterable[_Found]) -> Self:
        for of, at_ns, position, value in found:
            self._at(of, at_ns).add(at_ns, position, value)
        return self

    def add_hours(self, hours: Iterable[Hour]) -> Self:
        by_zone = self._question.by == "zone"
        for hour in hours:
            hour.add_to(self._at(hour.zone if by_zone else "", hour.start_ns))
        return self

    def rows(self) -> Iterator[Row]:
        """In order of asset or zone and time."""
        first, step, how = self._question.first_ns, self._question.step_ns, self._question.manner
        for of, index in sorted(self._sums):
            yield Row(from_ns(first + index * step), self._sums[of, index].value(how), of)

    def _at(self, of: str, at_ns: int) -> Sum:
        key = (of, (at_ns - self._question.first_ns) // self._question.step_ns)
        known = self._sums.get(key)
        if known is None:
            if len(self._sums) == self._question.most:
                raise self._question.too_many()
            known = self._sums[key] = Sum()
        return known


def _summed(question: Question) -> bool:
    """Whether hourly sums by zone answer it."""
    return (question.asset is None and question.by != "asset" and rolled(question.quantity) and question.step_ns > 0
            and question.step_ns % HOUR_NS == 0 and question.first_ns % HOUR_NS == 0)


def _exact_until(question: Question) -> int:
    """The hour that begins here may have values that were not asked for."""
    return question.last_ns - question.last_ns % HOUR_NS


def _answer(log: Source, question: Question, town: _Town, stop: Stop) -> Iterator[Row]:
    with closing(_Scope(log, question, town).found(stop)) as found:
        return _values(found, question) if question.every_s is None else _Steps(question).add(found).rows()


def _values(found: Iterable[_Found], question: Question) -> Iterator[Row]:
    kept: list[_Found] = []
    for item in found:
        if len(kept) == question.most:
            raise question.too_many()
        kept.append(item)
    kept.sort(key=itemgetter(0, 1, 2))
    return (Row(from_ns(at_ns), value, of) for of, at_ns, _, value in kept)


def _too_much() -> TooLarge:
    return TooLarge("More than {most} reports would have to be read: ask for a shorter time, or for one asset.", field="from",
                    rule=f"≤ {MOST_READ} reports", most=MOST_READ)


@contextmanager
def _ending(rows: Iterable[_Row]) -> Iterator[None]:
    """A block after which the log is let go, however it ends."""
    try:
        yield
    finally:
        if isinstance(rows, Generator):
            rows.close()
