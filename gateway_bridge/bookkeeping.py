"""The loop that keeps the book of energy: each lamp's night, noon to noon, out of the local log.

A night is booked for good two hours after its noon, when lamps have shown where their counters stand; while it runs, a
quarter of an hour's old at most. Nights that were missed are made up, the oldest first. Late messages correct the nights of
the lamps that sent them; and who speaks after days of silence with a counter that went on has its share in them booked.
What has been done stands in a file beside the log, with the position up to which late messages were looked for; where there
is no such file, all nights of the log are booked.
"""

import json
import logging
import os
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter
from typing import Protocol

from city.bookkeeping import GRACE, MARGIN, Known, NightBook
from city.clock import Clock
from city.energy import NO_ENDS, Ends, Heard, LampNight
from city.errors import StoreDown
from city.ids import AssetId, TenantId
from city.nights import BERLIN, Night, evening_of
from city.places import Luminaire, Supply
from city.readings import from_ns, to_ns
from city.store.energy_reading import AT_ONCE, Scanned, heard_of, places_of
from city.store.ports import Store, TenantStore

FILE = "books.json"
MAX_BYTES = 8 * 2**20
MAX_LATE = 5000  # lamps of one night that are booked again one by one; more, and all are
ROWS = 20_000
SOON, LIVE, REST = timedelta(minutes=1), timedelta(minutes=15), 30
# how often the running night is booked: at first soon, for a log may have much to catch up with; a pause is so many times the
# work at least
DAY = timedelta(days=1)

_log = logging.getLogger(__name__)


class Log(Scanned, Protocol):
    """As much of the local log as is read here: see LocalLog."""

    def rows(self, cursor: int, limit: int) -> list[tuple[int, int, int, int, bytes]]: ...
    def head(self) -> int: ...
    def oldest_ns(self) -> int: ...


Whose = tuple[TenantId, AssetId]


@dataclass(slots=True)
class Progress:
    """Up to which night all are booked (None: none yet), up to which position late messages were looked for, and the nights
    that have to be booked again: for these lamps, or (None) for all."""

    done: date | None = None
    position: int = 0
    again: dict[date, set[Whose] | None] = field(default_factory=dict)

    def late(self, night: date, whose: Whose) -> None:
        """This lamp's line of a night that is booked has to be made again."""
        if self.done is None or night > self.done:
            return
        some = self.again.setdefault(night, set())
        if some is not None:
            some.add(whose)
            if len(some) > MAX_LATE:
                self.again[night] = None


class Bookkeeper:
    """Books one night at a time. Blocks; belongs to one loop."""

    def __init__(self, store: Store, log: Log, clock: Clock, *, directory: Path, keep_days: int) -> None:
        self._store, self._log, self._clock = store, log, clock
        self._path, self._keep_days = directory / FILE, keep_days
        self._progress: Progress | None = None
        self._live_due, self._pause = datetime.min.replace(tzinfo=UTC), SOON

    def step(self) -> bool:
        """Do one thing that is due; False where nothing is. Raises StoreDown: nothing is lost."""
        now = self._clock.now()
        progress = self._progress or self._begin()
        followed = self._follow(progress, now)
        self._live(now)
        worked = self._finish(progress, now) or self._correct(progress, now)
        if followed or worked:
            self._save(progress)
        return worked

    # -- what is due

    def _finish(self, progress: Progress, now: datetime) -> bool:
        """The oldest night that is over and not booked."""
        evening = self._next(progress, now)
        if now < _noon(evening + DAY) + MARGIN + GRACE:
            return False
        self._book(evening, None, now, progress)
        progress.done = evening
        while self._store.drop_nights(evening - timedelta(days=self._keep_days)):
            pass
        return True

    def _correct(self, progress: Progress, now: datetime) -> bool:
        """The newest night of which something came late."""
        if not progress.again:
            return False
        evening = max(progress.again)
        some = progress.again[evening]
        if self._keeps(evening):
            self._book(evening, some, now, progress)
        del progress.again[evening]
        return True

    def _live(self, now: datetime) -> None:
        """The running night, and the one before until it is booked for good."""
        if now < self._live_due:
            return
        begun, tonight = perf_counter(), evening_of(now)
        nights = [tonight - DAY, tonight] if now < _noon(tonight) + MARGIN + GRACE else [tonight]
        for evening in nights:
            self._book(evening, None, now, None)
        self._live_due = now + max(self._pause, timedelta(seconds=REST * (perf_counter() - begun)))
        self._pause = min(2 * self._pause, LIVE)

    def _next(self, progress: Progress, now: datetime) -> date:
        oldest = self._log.oldest_ns()
        first = evening_of(from_ns(oldest)) if oldest else evening_of(now)
        first = max(first, evening_of(now) - timedelta(days=self._keep_days))
        return first if progress.done is None else max(progress.done + DAY, first)

    def _keeps(self, evening: date) -> bool:
        """Whether the log still has the whole night."""
        return to_ns(_noon(evening)) >= self._log.oldest_ns()

    # -- booking

    def _book(self, evening: date, some: Collection[Whose] | None, now: datetime, progress: Progress | None) -> None:
        for tenant in self._store.tenants():
            town = self._store.tenant(tenant.id)
            assets = None if some is None else {asset for whose, asset in some if whose == tenant.id}
            if assets is None or assets:
                self._book_town(town, evening, assets, now, progress)

    def _book_town(self, town: TenantStore, evening: date, assets: Collection[AssetId] | None, now: datetime,
                   progress: Progress | None) -> None:
        tenant = town.tenant.id
        lamps = [lamp for lamp in town.luminaires() if assets is None or lamp.id in assets]
        if not lamps:
            return
        known = _known(town)
        book = NightBook(known, Night.of(evening, known.programming.site), now)
        before, after = self._store.counter_ends(tenant, evening)
        written = self._store.lines_of(tenant, evening, assets)
        for made, slept in self._lines(tenant, book, lamps, before, after):
            lines = made if progress is None else [_where_it_stood(line, written.get(line.asset)) for line in made]
            self._store.book_nights(tenant, [line for line in lines if written.get(line.asset) != line], now)
            for asset, since in slept.items() if progress is not None else ():
                for number in range((evening - since).days):
                    progress.late(since + number * DAY, (tenant, asset))  # type: ignore[union-attr]  # as the loop says

    def _lines(self, tenant: TenantId, book: NightBook, lamps: Sequence[Luminaire],
               before: Mapping[AssetId, tuple[date, Ends]], after: Mapping[AssetId, tuple[date, Ends]],
               ) -> Iterator[tuple[list[LampNight], dict[AssetId, date]]]:
        """Some lines at a time, and the lamps that were silent before, since which night."""
        places = places_of(self._log, tenant)
        first, last = to_ns(book.night.noon - MARGIN), to_ns(book.night.next_noon + MARGIN)
        for begin in range(0, len(lamps), AT_ONCE):
            part = lamps[begin:begin + AT_ONCE]
            heard = heard_of(self._log, {lamp.id: places[lamp.id] for lamp in part if lamp.id in places}, first, last)
            lines, slept = [], {}
            for lamp in part:
                said = heard.get(lamp.id) or Heard()
                since, ends = before.get(lamp.id, (book.night.evening, NO_ENDS))
                lines.append(book.line(lamp, said, ends, after.get(lamp.id, (since, NO_ENDS))[1]))
                if book.spoke_after_silence(said, ends):
                    slept[lamp.id] = since
            yield lines, slept

    # -- late messages

    def _follow(self, progress: Progress, now: datetime) -> bool:
        """Look at what has come since the last look; whether there was anything."""
        places, noons = self._log.means().places, _Noons(now, self._keep_days)
        looked = False
        while rows := self._log.rows(progress.position, ROWS):
            for _, at_ns, _, number, _ in rows:
                place = places.get(number)
                if place is not None and place.kind == "lamp":
                    for evening in noons.of(at_ns):
                        progress.late(evening, (place.tenant, place.asset))
            progress.position, looked = rows[-1][0], True
            places = self._log.means().places
        return looked

    # -- what has been done

    def _begin(self) -> Progress:
        found = self._saved()
        if found is None:
            found = Progress(position=self._log.head())  # each night is read whole: nothing before is late
        self._progress = found
        return found

    def _saved(self) -> Progress | None:
        try:
            with self._path.open("rb") as file:
                said = json.loads(file.read(MAX_BYTES))
            again = {date.fromisoformat(night): None if some is None else {(TenantId(t), AssetId(a)) for t, a in some}
                     for night, some in said["again"].items()}
            done = said["done"]
            return Progress(None if done is None else date.fromisoformat(done), int(said["position"]), again)
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            _log.warning("%s cannot be read (%s): all nights of the log are booked again.", self._path, error)
            return None
        except OSError as error:
            raise _unusable(error) from error

    def _save(self, progress: Progress) -> None:
        again = {night.isoformat(): None if some is None else sorted(some) for night, some in progress.again.items()}
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"done": None if progress.done is None else progress.done.isoformat(), "position": progress.position,
                           "again": again}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise _unusable(error) from error


class _Noons:
    """Which nights a time has to do with: its own, and at a noon both."""

    def __init__(self, now: datetime, keep_days: int) -> None:
        today = evening_of(now)
        self._evenings = [today - timedelta(days=back) for back in range(keep_days + 1, -3, -1)]
        noons = [to_ns(_noon(evening)) for evening in self._evenings]
        margin = int(MARGIN.total_seconds()) * 10**9
        self._firsts, self._margin = noons, margin

    def of(self, at_ns: int) -> Iterator[date]:
        for at in {bisect_right(self._firsts, at_ns + self._margin), bisect_right(self._firsts, at_ns - self._margin)}:
            if 0 < at <= len(self._evenings):
                yield self._evenings[at - 1]


def _where_it_stood(line: LampNight, before: LampNight | None) -> LampNight:
    """A night that is over keeps its place: a lamp that has been moved since was elsewhere then."""
    return line if before is None else replace(line, zone=before.zone, circuit=before.circuit)


def _known(town: TenantStore) -> Known:
    return Known(town.programming(), town.learnt(), {device.asset for device in town.devices()},
                 {circuit.id for circuit in town.circuits() if circuit.supply is Supply.NIGHT})


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), BERLIN).astimezone(UTC)


def _unusable(error: OSError) -> StoreDown:
    return StoreDown("The local log cannot be used: {what}", what=str(error))
