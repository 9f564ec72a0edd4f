"""The local log: what permits an acknowledgement, the queue in front of InfluxDB, and history without it.

Rows lie in files in order of arrival, each append one checksummed frame at the end of the newest (city.store.frames);
indexes beside them answer questions about places (city.store.chunks). One process appends; any number read.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from heapq import nlargest
from operator import itemgetter
from pathlib import Path

from city.errors import Invalid, OutOfRange, StoreDown
from city.ids import AssetId, TenantId
from city.quantities import Quantity
from city.readings import Entry, Place, from_ns, to_ns
from city.settings import Log
from city.store import chunks, ledger, opening_log, packing
from city.store.appending import LAST_NS, SEGMENT_BYTES, Writer
from city.store.days import DAY_NS
from city.store.disk import Disk
from city.store.forgetting import NOBODY, Forgetting
from city.store.ledger import FILE
from city.store.local_queries import answer
from city.store.opening_log import Start, locked
from city.store.ports import Picked, Point
from city.store.quarantine import Quarantine
from city.store.queries import Question
from city.store.segments import Journal, Row, Segment
from city.store.status import LogStatus
from city.store.troubles import errors, is_full
from city.store.upkeep import GB, Limits, Upkeep

READERS = 8  # connections to the ledger that are kept open for reading
LOOK_EVERY = 2**24  # bytes written between two looks at the space that is left


def open_log(settings: Log, *, bay_days: int = 0) -> "LocalLog":
    """The log as it is set. `bay_days`: see LocalLog; only the process that appends has to know it. Raises StoreDown."""
    return LocalLog(Path(settings.directory), keep_days=settings.keep_days, keep_gb=settings.keep_gb, free_gb=settings.free_gb,
                    bay_days=bay_days)


class LocalLog:
    """A ReadingLog in `directory`, of the newest `keep_days` days that have entries, of at most `keep_gb` (0: any), and
    dropping the oldest before less than `free_gb` are free on its disk. What bays' sensors have said is forgotten `bay_days`
    after it came (0: with the rest). Any thread may use it."""

    def __init__(self, directory: Path, *, keep_days: int = 400, keep_gb: float = 0.0, free_gb: float = 0.0, bay_days: int = 0,
                 file_bytes: int = SEGMENT_BYTES, disk: Disk | None = None) -> None:
        """Raises StoreDown where the directory cannot be written. What is damaged is set aside, and said (see status)."""
        if keep_days < 1:
            raise Invalid("At least one day must be kept.", field="log.keep_days", rule="≥ 1")
        self._directory, self._disk = directory, disk or Disk()
        self._path, self._file_bytes = directory / FILE, file_bytes
        self._turn = threading.Lock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._writer: Writer | None = None
        self._names = packing.NO_NAMES
        self._quarantine = Quarantine(directory, self._disk)
        self._journal = Journal(directory, self._quarantine.damage)
        self._upkeep = Upkeep(directory, Limits(keep_days, keep_gb * GB, free_gb * GB), self._journal, self._quarantine,
                              self._disk, sinks=self._sinks, dropped=self._dropped, ending=lambda: self._closed,
                              forgetting=Forgetting(directory, self._disk, self._journal, self._bays, bay_days))
        self._work: ThreadPoolExecutor | None = None
        self._since_upkeep = [0, 0]  # entries, bytes
        with errors(directory):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._start, self._ledger = self._checked()

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._directory

    def append(self, entries: Sequence[Entry]) -> int:
        """See ReadingLog. Raises OutOfRange, storing nothing, for an entry that no log can keep: dated before 1970 or
        after 2261, or with a value of more than 64 bits. Raises LogBroken once what was written could not be made durable:
        the process has to start again then."""
        if not entries:
            return 0
        for entry in entries:
            if not 0 <= entry.at_ns <= LAST_NS - DAY_NS:
                raise OutOfRange("An entry of {device} is dated {at_ns} ns.", device=entry.place.device,
                                 at_ns=entry.at_ns)
        with self._turn:
            writer = self._begun()
            begun = (writer.files.path, writer.files.position)
            try:
                with errors(self._directory):
                    added = writer.append(entries)
            except StoreDown as error:
                if is_full(error) and self._work:
                    self._work.submit(self._upkeep.run)
                raise
            self._look(added, begun, writer)
            return added

    def history(self, tenant: TenantId, asset: AssetId, quantity: Quantity, start: datetime, end: datetime,
                every_s: float | None = None, channel: str = "") -> list[Point]:
        """See ReadingLog."""
        question = Question(tenant, quantity, start, end, every_s, channel=channel, asset=asset)
        return [Point(row.at, row.value) for row in answer(self, question)]

    def entries(self, tenant: TenantId, asset: AssetId, start: datetime, end: datetime, limit: int) -> list[Entry]:
        """See ReadingLog."""
        means = self.means()
        places = {number for number, place in means.places.items() if place.tenant == tenant and place.asset == asset}
        found = nlargest(limit, self.scan(places, to_ns(start), to_ns(end)), key=itemgetter(1, 0)) if places else []
        return [packing.unpack(body, at_ns, place, means) for _, at_ns, place, body in found]

    def after(self, cursor: int, limit: int) -> Iterator[tuple[int, Entry]]:
        rows = self.rows(cursor, limit)
        if not rows:
            return iter(())  # without asking what it might mean: that is kept, and a city has many places
        means = self.means()
        return iter([(position, packing.unpack(body, at_ns, place, means)) for position, at_ns, _, place, body in rows
                     if place in means.places or self._quarantine.nameless(position, place)])

    def picked(self, cursor: int, limit: int, wanted: Callable[[Place], bool]) -> Picked:
        """See ReadingLog."""
        rows = self.rows(cursor, limit)
        if not rows:
            return Picked([], cursor, 0)
        means = self.means()
        known = {number: number in means.places and wanted(means.places[number]) for number in {row[3] for row in rows}}
        return Picked([(position, packing.unpack(body, at_ns, place, means)) for position, at_ns, _, place, body in rows
                       if known[place] or (place not in means.places and self._quarantine.nameless(position, place))],
                      rows[-1][0], len(rows))

    def rows(self, cursor: int, limit: int) -> list[Row]:
        """(position, time in ns, tag, number of the place, body) from the first position above `cursor`, in order of
        arrival; see city.store.packing for numbers and bodies. Empty only where there is none: what was forgotten is passed
        over."""
        self._check_open()
        with errors(self._directory):
            while found := self._journal.rows(cursor, limit):
                rows = [row for row in found if row[3] != NOBODY]
                if rows:
                    return rows
                cursor = found[-1][0]
        return []

    def means(self) -> packing.Meanings:
        """What the numbers in rows stand for: at least those of all rows that were read before the call."""
        with self.reading() as connection:
            self._names = packing.names(connection, self._names)
        return self._names

    def scan(self, places: Collection[int] | None, first_ns: int, last_ns: int) -> Iterator[tuple[int, int, int, bytes]]:
        """(position, time in ns, number of the place, body) of all rows of these places (None: of all) that may have a
        reading with first ≤ time < last, in no order."""
        self._check_open()
        with errors(self._directory):
            for position, at_ns, _, place, body in self._journal.scan(places, first_ns, last_ns):
                if place != NOBODY:
                    yield position, at_ns, place, body

    def oldest_ns(self) -> int:
        """No entry of the days that are kept is older than this; 0 where nothing is known."""
        with self._listed() as segments:
            return segments[0].day * DAY_NS if segments else 0

    def cursor(self, sink: str) -> int:
        with self.reading() as connection:
            row = connection.execute("SELECT position FROM cursors WHERE sink = ?", (sink,)).fetchone()
        return row[0] if row else 0

    def move_cursor(self, sink: str, position: int) -> None:
        """Kept when the process dies; may be forgotten by a power cut, after which the sink gets some entries again."""
        with self._turn, errors(self._directory):
            self._ledger.execute("INSERT INTO cursors VALUES (?, ?) ON CONFLICT (sink)"
                                 " DO UPDATE SET position = excluded.position", (sink, position))

    def drop_cursor(self, sink: str) -> None:
        """Nothing is kept for that sink any more; it begins again if it comes back. Raises StoreDown."""
        with self._turn, errors(self._directory):
            self._ledger.execute("DELETE FROM cursors WHERE sink = ?", (sink,))

    def head(self) -> int:
        writer = self._writer
        if writer is not None and not self._closed:
            return writer.head
        with self.reading() as connection:
            known = max(ledger.floor(connection), self._start.head if self._start else 0)
        with self._listed() as segments:
            return max(known, segments[-1].last) if segments else known

    def status(self) -> LogStatus:
        """How the log is now."""
        with self._listed() as segments:
            known = [segment.day for segment in segments]
        files = [path for path in self._directory.rglob("*") if path.parent.name != "quarantine" and path.is_file()]
        writer = self._writer
        with errors(self._directory):
            return LogStatus(
                self.head(), f"{from_ns(known[0] * DAY_NS):%Y-%m-%d}" if known else "", known[-1] - known[0] + 1 if known else 0,
                len(known), sum(path.stat().st_size for path in files), self._disk.free(self._directory),
                writer.files.fsyncs if writer else 0, writer.last_commit_s * 1000 if writer else 0.0,
                writer.files.broken if writer else "", self._quarantine.listed(), tuple(self._quarantine.findings),
                self._quarantine.lost, self._upkeep.dropped_unshipped)

    def settle(self) -> None:
        """Wait until the work that is done beside appending has ended."""
        if self._work is not None:
            self._work.submit(int).result()

    def close(self) -> None:
        with self._turn:
            self._closed = True
            work, self._work = self._work, None
        if work is not None:
            work.shutdown()
        with self._turn:
            while self._idle:
                self._idle.pop().close()
            self._ledger.close()
            if self._writer is not None:
                self._writer.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the ledger and cannot change it."""
        self._check_open()
        with errors(self._directory):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, timeout=10,
                                             isolation_level=None, check_same_thread=False)
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.rollback()
                if len(self._idle) < READERS and not self._closed:
                    self._idle.append(connection)
                else:
                    connection.close()

    def _checked(self) -> tuple[Start | None, sqlite3.Connection]:
        """Where the log goes on, after whatever is damaged has been set aside; not known where another process writes."""
        try:
            lock = locked(self._directory)
        except StoreDown:
            return None, ledger.connect(self._path)
        with lock:
            return opening_log.check(self._directory, self._quarantine, self._disk)

    def _begun(self) -> Writer:
        self._check_open()
        if self._writer is None:
            with errors(self._directory):
                self._writer = self._begin()
                self._work = ThreadPoolExecutor(1, thread_name_prefix="log")
                self._work.submit(self._upkeep.run)
        return self._writer

    def _begin(self) -> Writer:
        lock = locked(self._directory)
        try:
            start = self._start
            if start is None or not start.holds(self._directory):
                self._ledger.close()
                start, self._ledger = opening_log.check(self._directory, self._quarantine, self._disk)
            writer = Writer(self._ledger, lock, self._journal, start.files(self._directory, self._disk, self._file_bytes),
                            start.head)
        except BaseException:
            lock.close()
            raise
        self._journal.limit = writer.durable
        return writer

    def _look(self, added: int, begun: tuple[Path | None, int], writer: Writer) -> None:
        """Have done what is due after so many entries and bytes."""
        grown = writer.files.position - (begun[1] if writer.files.path == begun[0] else 0)
        self._since_upkeep[0] += added
        self._since_upkeep[1] += grown
        due = (writer.files.path != begun[0] or self._since_upkeep[0] >= chunks.ENTRIES
               or self._since_upkeep[1] >= LOOK_EVERY)
        if due and self._work is not None:
            self._since_upkeep = [0, 0]
            self._work.submit(self._upkeep.run)

    @contextmanager
    def _listed(self) -> Iterator[list[Segment]]:
        self._check_open()
        with errors(self._directory), self._journal.segments() as segments:
            yield segments

    def _sinks(self) -> list[tuple[str, int]]:
        with self._turn:
            return self._ledger.execute("SELECT sink, position FROM cursors").fetchall()

    def _bays(self) -> set[int]:
        return {number for number, place in self.means().places.items() if place.kind == "bay"}

    def _dropped(self, last: int) -> None:
        with self._turn:
            ledger.note_dropped(self._ledger, last)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreDown("The log is closed.")
