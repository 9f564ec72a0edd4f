"""Answers out of the local log: from its rows, or from the hourly sums beside it where those are exact."""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Protocol, Self

from city.errors import StoreDown, TooLarge
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.places import Asset
from city.quantities import Quantity, Value
from city.readings import from_ns, series
from city.store import days, packing
from city.store.packing import Meanings
from city.store.ports import Store, TenantStore
from city.store.queries import Question, Row, Stop, Sum, counts
from city.store.rollups import HOUR_NS, Hour, RollUps, rolled

FEW = 200  # devices that are looked up one by one
MOST_READ = 5_000_000  # rows of the log that are read for one answer
SLICE = 5000  # rows that are added up at a time
BEHIND = 20_000  # rows that a question reads itself rather than wait until they are added up
_STEPS = 20_000  # of SQLite's machine between two looks whether anybody still wants the answer
_Found = tuple[str, int, int, Value]  # asset or zone, time, position, value
_Served = tuple[AssetId, DevEui, ZoneId]
_log = logging.getLogger("stadtfunk.log")


class Source(Protocol):
    """As much of a LocalLog as questions need."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that sees one state of the log and cannot change it."""
        ...
    def head(self) -> int: ...


class LocalQueries:
    """Answers from `log`, and from the states in `store`. It closes neither."""

    def __init__(self, log: Source, store: Store, directory: Path) -> None:
        self._log, self._store = log, store
        self._rollups = RollUps(directory)
        self._names = packing.NO_NAMES
        self._assets = _Assets(store)

    def series(self, question: Question, stop: Stop | None = None) -> Iterator[Row]:
        """See Answers. Raises TooLarge too where more than 5,000,000 rows would have to be read."""
        stop = stop or Stop()
        if _summed(question):
            self._catch_up(stop)
        return self._series(question, stop)

    def last(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None = None) -> list[Row]:
        """See Answers. A device's values are those of the asset that it serves now."""
        town, key = self._store.tenant(tenant), series(quantity)
        states = town.states()
        return [Row(from_ns(known.at_ns), known.value, asset) for asset, device, where in self._assets.of(tenant)
                if (zone is None or where == zone) and (state := states.get(device)) is not None
                and (known := state.last.get(key)) is not None]

    def keep_up(self, limit: int = SLICE) -> int:
        """Add up at most `limit` more rows of the log; returns how many there were. Raises StoreDown."""
        with self._log.reading() as connection:
            return self._rollups.add(connection, self._meanings(connection), limit)

    def close(self) -> None:
        self._rollups.close()

    def _series(self, question: Question, stop: Stop) -> Iterator[Row]:
        with self._log.reading() as connection, cancellable(connection, stop):
            found = list(self._rows(connection, question, stop))
        yield from found  # nobody who reads slowly keeps the log's state

    def _rows(self, connection: sqlite3.Connection, question: Question, stop: Stop) -> Iterator[Row]:
        kept = self._kept(connection, question) if _summed(question) else None
        return answer(connection, question, stop) if kept is None else _from_sums(connection, question, stop, *kept)

    def _kept(self, connection: sqlite3.Connection, question: Question) -> tuple[int, list[Hour]] | None:
        try:
            return self._rollups.hours(connection, question.quantity, question.channel, (question.tenant, question.zone),
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

    def _meanings(self, connection: sqlite3.Connection) -> Meanings:
        names = self._names = packing.names(connection, self._names)
        return names


def answer(connection: sqlite3.Connection, question: Question, stop: Stop) -> Iterator[Row]:
    """The rows that answer a question, from the log's rows alone."""
    found = _Scope(connection, question).found(connection, stop)
    return _values(found, question) if question.every_s is None else _Steps(question).add(found).rows()


@contextmanager
def cancellable(connection: sqlite3.Connection, stop: Stop) -> Iterator[None]:
    """A block in which SQLite ends its work when `stop` is set; Stopped comes out then."""
    connection.set_progress_handler(lambda: bool(stop), _STEPS)
    try:
        yield
    except sqlite3.OperationalError:
        stop.check()
        raise
    finally:
        connection.set_progress_handler(None, 0)


class _Scope:
    """The places that a question is about, and the series."""

    def __init__(self, connection: sqlite3.Connection, question: Question) -> None:
        self._question = question
        wanted = {"tenant": question.tenant, "asset": question.asset, "zone": question.zone}
        given = {name: value for name, value in wanted.items() if value is not None}
        rows = connection.execute(f"SELECT id, device, asset, zone FROM places WHERE"
                                  f" {' AND '.join(f'{name} = ?' for name in given)}", list(given.values())).fetchall()
        column = {"": None, "asset": 2, "zone": 3}[question.by]
        self._of = {row[0]: "" if column is None else row[column] for row in rows}
        self._devices = {row[1] for row in rows}
        self._series = connection.execute("SELECT id FROM series WHERE quantity = ? AND channel = ?",
                                          (question.quantity.name, question.channel)).fetchone()

    def found(self, connection: sqlite3.Connection, stop: Stop) -> Iterator[_Found]:
        """Every value that the question is about, in no order."""
        if self._series is None or not self._of:
            return iter(())
        first, last = self._question.first_ns, self._question.last_ns
        rows = days.of_devices(connection, self._devices, first, last) if len(self._devices) <= FEW \
            else days.scan(connection, first, last)
        return self.among(rows, stop)

    def among(self, rows: Iterable[days.Row], stop: Stop) -> Iterator[_Found]:
        """Those of the rows' values that the question is about."""
        if self._series is None:
            return
        first, last, of, (wanted,) = self._question.first_ns, self._question.last_ns, self._question.quantity, self._series
        for read, (seq, at_ns, _, place, body) in enumerate(rows):
            if read == MOST_READ:
                raise TooLarge("More than {most} reports would have to be read: ask for a shorter time, or for one asset.",
                               field="from", rule=f"≤ {MOST_READ} reports", most=MOST_READ)
            if place in self._of:
                stop.check()
                for at, value in packing.values_of(body, at_ns, wanted, of):
                    if first <= at < last and counts(value):
                        yield self._of[place], at, seq, value


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


class _Assets:
    """Each town's assets that have a device, as of the newest change of any registry."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._revision = -1
        self._known: dict[TenantId, list[_Served]] = {}

    def of(self, tenant: TenantId) -> Sequence[_Served]:
        """In order of asset."""
        revision = self._store.registry_revision()
        with self._turn:
            if revision != self._revision:
                self._known, self._revision = {}, revision
            if tenant not in self._known:
                self._known[tenant] = _served(self._store.tenant(tenant))
            return self._known[tenant]


def _served(town: TenantStore) -> list[_Served]:
    assets: tuple[Asset, ...] = (*town.luminaires(), *town.bays())
    zones = {asset.id: asset.zone for asset in assets}
    return sorted((device.asset, device.dev_eui, zones[device.asset]) for device in town.devices()
                  if device.asset is not None and device.asset in zones)


def _summed(question: Question) -> bool:
    """Whether hourly sums by zone answer it."""
    return (question.asset is None and question.by != "asset" and rolled(question.quantity) and question.step_ns > 0
            and question.step_ns % HOUR_NS == 0 and question.first_ns % HOUR_NS == 0)


def _exact_until(question: Question) -> int:
    """The hour that begins here may have values that were not asked for."""
    return question.last_ns - question.last_ns % HOUR_NS


def _from_sums(connection: sqlite3.Connection, question: Question, stop: Stop, reached: int,
               hours: Sequence[Hour]) -> Iterator[Row]:
    """The whole hours from their sums and from the rows that came after them; the rest from its rows."""
    newer = days.after(connection, reached, 2 * BEHIND)
    if len(newer) == 2 * BEHIND:  # they could not be caught up with
        return answer(connection, question, stop)
    exact = from_ns(_exact_until(question))
    steps = _Steps(question).add_hours(hours)
    if question.start < exact:
        steps.add(_Scope(connection, replace(question, end=exact)).among(newer, stop))
    if exact < question.end:
        steps.add(_Scope(connection, replace(question, start=max(question.start, exact))).found(connection, stop))
    return steps.rows()


def _values(found: Iterable[_Found], question: Question) -> Iterator[Row]:
    kept: list[_Found] = []
    for item in found:
        if len(kept) == question.most:
            raise question.too_many()
        kept.append(item)
    kept.sort(key=itemgetter(0, 1, 2))
    return (Row(from_ns(at_ns), value, of) for of, at_ns, _, value in kept)
