"""The local log, sent on to InfluxDB: read past the cursor, write, move the cursor.

The cursor stands in the log and moves only after InfluxDB has stored the lines, so a crash sends some lines twice and
loses none. Each InfluxDB (address and bucket) has a cursor of its own: a new one is filled from the beginning.

Single bays go to a bucket of their own (city.store.influx_bays): a second shipper with a second cursor in the same log, so
that neither waits for the other. What is older than bays may be kept is passed over, also while their bucket takes nothing.

After a long outage there are two ways through the log: the backlog, which the cursor follows in order of arrival, and the
tail, which began where the log ended when InfluxDB came back. They take turns, so that what arrives now is seen within
seconds, and meet where the tail began. The tail is not remembered: after a crash it is sent again. Each of the two keeps the
order of arrival, and InfluxDB orders points by their own times, so a device's values are the same in the end.

A town whose own bucket takes nothing (influx.per_town) is set aside: the others go on without it, and it catches up by itself
when that is mended (gateway_bridge.held_towns).
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from city.clock import Clock
from city.errors import Unavailable
from city.ids import TenantId
from city.readings import Entry, Place, from_ns, to_ns
from city.settings import Influx
from city.store.influx import InfluxBusy, InfluxHeld, RejectedLines, Sink
from city.store.influx_bays import BaysWithheld
from city.store.influx_towns import TownsHeld
from city.store.lines import Writer, lines
from city.store.ports import DeadLetter, ReadingLog
from gateway_bridge.held_towns import HeldTowns
from gateway_bridge.rewind import Rewinds
from gateway_bridge.sift import Line, Sifted, sift
from gateway_bridge.waiting import Backoff, first

TOPIC = "influx"  # where a dead letter came from: a line, not a message of the broker
BAYS_TOPIC = "influx_bays"  # … followed by /device/ and the DevEUI, by which letters about bays are found and removed in time
IDLE_S, WITHHELD_S = 1.0, 600.0
BACKLOG = 20_000  # entries behind the end of the log, and the tail is sent too
TAIL_EVERY = timedelta(seconds=1)
RATE_OVER = timedelta(seconds=60)

Batch = Sequence[tuple[int, Entry]]
Bury = Callable[[Sequence[DeadLetter]], None]
Passed = Callable[[Batch], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShipStatus:
    """How far InfluxDB is behind the local log.

    `waiting` entries are not in InfluxDB; `lag_s` is how old the oldest of them is, about; `per_s` entries a second have
    been shipped in the last minute. `error` is the sentence of the last attempt where that failed. `held` is what a person
    must mend before anything is taken: one of city.store.influx.HELD; where that is one town's bucket, `error` begins with the
    town, and what waits is all that came since, its own or others'.
    """

    waiting: int
    lag_s: float
    error: str
    held: str
    per_s: float


@dataclass(slots=True)
class Counts:
    """Lines since the start: `passed` = `stored` + `expired` (older than InfluxDB keeps) + `refused` (dead letters).
    `requests` are all attempts."""

    passed: int = 0
    stored: int = 0
    expired: int = 0
    refused: int = 0
    requests: int = 0

    def add(self, count: int, sifted: Sifted) -> None:
        self.passed += count
        self.stored += sifted.stored
        self.expired += sifted.expired
        self.refused += len(sifted.refused)


class Part(NamedTuple):
    """What one shipper sends of the log: entries of the places that are `wanted`, and none that happened longer than
    `keep_days` ago (0: of any age). Its refused lines are dead letters of `topic`; `begins` says from which position on an
    InfluxDB is filled that has got nothing yet."""

    wanted: Callable[[Place], bool] = lambda _: True
    keep_days: int = 0
    topic: str = TOPIC
    begins: Callable[[], int] = lambda: 0


def is_bay(place: Place) -> bool:
    """Whether what was said there tells of a single bay: all that its sensor says, for when it says it tells most."""
    return place.kind == "bay"


def is_no_bay(place: Place) -> bool:
    """All other places."""
    return place.kind != "bay"


@dataclass(slots=True)
class _Tail:
    begin: int  # where the backlog ends
    position: int
    looked: datetime


class Shipper:
    """Sends what `sink` does not have yet. Blocks: call `step` from a thread; `status` may be called from any."""

    def __init__(self, log: ReadingLog, sink: Sink, clock: Clock, settings: Influx, *, bury: Bury,
                 rewinds: Rewinds | None = None, passed: Passed | None = None, backlog: int = BACKLOG,
                 part: Part = Part()) -> None:  # noqa: B008 - it is frozen
        """`bury` keeps the lines that InfluxDB refuses; it is called before the cursor passes them. `passed` hears of all
        entries that InfluxDB has now."""
        self._log, self._sink, self._clock, self._bury = log, sink, clock, bury
        self._rewinds, self._passed, self._backlog, self._part = rewinds, passed, backlog, part
        self._most = max(settings.batch, 1)
        self._name = cursor_name(settings)
        self._frames = settings.frames
        self._block = Writer(frames=settings.frames).block
        self._tail: _Tail | None = None
        self._aside = HeldTowns()
        self._full = False
        self._lines_each = 2.0  # of an entry, as the last batch had
        self._error = self.held = self.withheld = ""
        self._oldest_ns = 0
        self.counts = Counts()
        self._rate: deque[tuple[datetime, int]] = deque(maxlen=600)

    def step(self) -> int:
        """Send one batch; returns how many entries InfluxDB has more than before, 0 where nothing waits.
        Raises InfluxDown or StoreDown with the cursor where it was."""
        try:
            self._rewind()
            done = self._around() + self._catch_up()
        except Unavailable as error:
            self._error, self.held = str(error), error.held if isinstance(error, InfluxHeld) else ""
            raise
        trouble, self.withheld = self._aside.trouble(), ""
        self._error, self.held = (str(trouble), trouble.held) if trouble else ("", "")
        if done:
            self._rate.append((self._clock.now(), done))
        return done

    def withhold(self, words: str) -> None:
        """What it would send is kept back, and that is as it should be: no error; `withheld` says it, and the log once."""
        if words != self.withheld:
            _log.warning("%s", words)
        self._error, self.withheld = "", words

    @property
    def error(self) -> str:
        """The sentence of the last attempt, where that failed."""
        return self._error

    @property
    def hurries(self) -> bool:
        """Whether there is a backlog, or the last batch was a full one, so that the next should follow at once."""
        return self._full or self._tail is not None or any(self._aside.due(self._clock.now()))

    def waiting(self) -> int:
        """How many positions of the log InfluxDB does not have yet."""
        return self._behind(self._log.cursor(self._name))

    def status(self) -> ShipStatus:
        """How it goes. Raises StoreDown."""
        waiting, now = self.waiting(), self._clock.now()
        lag = (now - from_ns(self._aside.oldest_ns(self._oldest_ns))).total_seconds() if waiting and self._oldest_ns else 0.0
        since = now - RATE_OVER
        per_s = sum(done for at, done in list(self._rate) if at >= since) / RATE_OVER.total_seconds()
        return ShipStatus(waiting, max(lag, 0.0), self._error, self.held, per_s)

    def _around(self) -> int:
        """A step; where it finds that towns' buckets take nothing, one without them."""
        while True:
            try:
                return self._step()
            except TownsHeld as error:  # of towns that were not set aside yet: so this ends
                _log.error("%s – its readings wait in the local log; other towns' go on.", error)
                self._tail = None  # it has been without them from now on
                self._aside.put(error, self._cursor(), self._clock.now(), self._oldest_ns)

    def _catch_up(self) -> int:
        """Send a batch to each town that was set aside and may be sent something; returns how many entries."""
        done = 0
        for town, lane in self._aside.due(self._clock.now()):
            found = self._log.picked(lane.position, self._entries(), partial(self._is_of, town))
            last = min(found.last, self._aside.ahead) if found.looked else self._aside.ahead
            batch = self._young(found.entries, last)
            try:
                if batch:
                    self._send(batch)
                    lane.held, lane.oldest_ns = None, batch[-1][1].at_ns
            except TownsHeld as error:
                if lane.held is None:
                    _log.error("%s – its readings wait in the local log; other towns' go on.", error)
                lane.position = max(lane.position, batch[0][0] - 1)
                lane.held, lane.tried, lane.oldest_ns = error.towns[town], self._clock.now(), batch[0][1].at_ns
                continue
            lane.position, done = last, done + len(batch)
            if last >= self._aside.ahead:
                _log.warning("InfluxDB takes data of %s again, and has all of it.", town)
                del self._aside.lanes[town]
                self._tail = None  # it was without this town
            self._move(self._aside.ahead)
        return done

    def _step(self) -> int:
        cursor = self._cursor() or self._begin()
        done = self._follow_tail()
        batch, last = self._next(cursor, self._tail.begin if self._tail else None)
        self._oldest_ns = batch[0][1].at_ns if batch else to_ns(self._clock.now())
        if batch:
            self._send_from(cursor, batch)
            self._oldest_ns = batch[-1][1].at_ns
        if last > cursor:
            cursor = last
            self._move(cursor)
        if self._tail and (not self._full or cursor >= self._tail.begin):  # all that lay before the tail is done
            cursor = self._tail.position
            self._move(cursor)
            self._tail, self._full = None, True  # look at once for what has come meanwhile
        if self._tail is None and self._behind(cursor) > self._backlog:
            self._tail = _Tail(head := self._log.head(), head, self._clock.now())
        return done + len(batch)

    def _follow_tail(self) -> int:
        """Send what has arrived since the last look; returns how many entries."""
        tail, now = self._tail, self._clock.now()
        if tail is None or now - tail.looked < TAIL_EVERY:
            return 0
        batch, last = self._next(tail.position, None)
        if batch:
            self._send(batch)
        tail.position = last
        if not self._full:
            tail.looked = now
        return len(batch)

    def _behind(self, cursor: int) -> int:
        tail = self._tail
        return max(self._log.head() - cursor - (tail.position - tail.begin if tail else 0), 0)

    def _begin(self) -> int:
        """Where the log begins for an InfluxDB that has got nothing yet."""
        begin = self._part.begins()
        if begin:
            self._move(begin)
        return begin

    def _cursor(self) -> int:
        """Up to where InfluxDB has everything of all towns that are not set aside."""
        return self._aside.ahead if self._aside.lanes else self._log.cursor(self._name)

    def _move(self, position: int) -> None:
        self._aside.ahead = position
        self._log.move_cursor(self._name, self._aside.floor(position))

    def _next(self, cursor: int, end: int | None) -> tuple[list[tuple[int, Entry]], int]:
        """What comes after the cursor and not after `end`: about a batch of lines, and the position that it reaches."""
        most = self._entries()
        found = self._log.picked(cursor, most, self._is_of_others)
        last = found.last if end is None else min(found.last, max(end, cursor))
        self._full = found.looked >= most and last == found.last
        return self._young(found.entries, last), last

    def _is_of(self, town: TenantId, place: Place) -> bool:
        return place.tenant == town and self._part.wanted(place)

    def _is_of_others(self, place: Place) -> bool:
        return place.tenant not in self._aside.lanes and self._part.wanted(place)

    def _entries(self) -> int:
        """About a batch of lines."""
        return max(int(self._most / self._lines_each), 1)

    def _young(self, entries: Batch, last: int) -> list[tuple[int, Entry]]:
        """Those up to `last` that may still be sent."""
        oldest = to_ns(self._clock.now() - timedelta(days=self._part.keep_days)) if self._part.keep_days else 0
        return [(at, entry) for at, entry in entries if at <= last and entry.at_ns >= oldest]

    def _send_from(self, cursor: int, batch: Batch) -> None:
        """Send it; where that fails, what lay before it is passed all the same: the log is not kept for that."""
        try:
            self._send(batch)
        except Unavailable:
            if batch[0][0] - 1 > cursor:
                self._move(batch[0][0] - 1)
            raise

    def _send(self, batch: Batch) -> None:
        """In requests of at most so many lines, or one entry's if it alone has more."""
        begin, blocks, count = 0, list[bytes](), 0
        for index, (_, entry) in enumerate(batch):
            text, number = self._block(entry)
            if blocks and count + number > self._most:
                self._request(batch[begin:index], blocks, count)
                begin, blocks, count = index, [], 0
            if number:
                blocks.append(text)
                count += number
        self._request(batch[begin:], blocks, count)
        if self._passed is not None:
            self._passed(batch)

    def _request(self, batch: Batch, blocks: list[bytes], count: int) -> None:
        if not blocks:
            return
        self.counts.requests += 1
        try:
            expired = self._sink.write(blocks)
            sifted = Sifted(count - expired, expired, [])
        except RejectedLines:
            sifted = sift([Line(text, entry.place.tenant, entry.place.device) for _, entry in batch
                           for text in lines(entry, frames=self._frames)], self._write)
        if sifted.refused:
            _log.warning("InfluxDB refused %d of %d lines: %s", len(sifted.refused), count, sifted.refused[0][1])
            self._bury([self._letter(line, words) for line, words in sifted.refused])
        self.counts.add(count, sifted)
        self._lines_each = max(count / len(batch), 1.0)

    def _write(self, lines: Sequence[bytes]) -> int:
        self.counts.requests += 1
        return self._sink.write(lines)

    def _letter(self, line: Line, words: str) -> DeadLetter:
        topic = TOPIC if self._part.topic == TOPIC else f"{self._part.topic}/device/{line.device}"
        digest = hashlib.sha256(topic.encode() + b"\0" + line.text).hexdigest()[:32]
        return DeadLetter(digest, self._clock.now(), topic, line.text, RejectedLines.__name__, words, line.tenant)

    def _rewind(self) -> None:
        asked = self._rewinds.asked() if self._rewinds else None
        if asked is None or self._rewinds is None:
            return
        if asked.cursor == self._name and asked.position < self._log.cursor(self._name):
            _log.info("Asked to, InfluxDB is sent everything again from position %d on.", asked.position)
            self._tail, self._aside = None, HeldTowns()
            self._log.move_cursor(self._name, asked.position)
        self._rewinds.done()


async def run_ship(shipper: Shipper, clock: Clock, stop: asyncio.Event, backoff: Backoff | None = None, *,
                   meanwhile: str = "the readings wait in the local log") -> None:
    """Step until `stop`: at once while full batches wait, else each second. See `repeat`."""
    def step() -> float:
        try:
            shipper.step()
        except BaysWithheld as error:
            shipper.withhold(str(error))
            return WITHHELD_S
        return 0.0 if shipper.hurries else IDLE_S

    await repeat(step, meanwhile, clock, stop, backoff)


async def repeat(step: Callable[[], float], meanwhile: str, clock: Clock, stop: asyncio.Event,
                 backoff: Backoff | None = None) -> None:
    """`step`, in a thread, until `stop`; it says how long to pause. Where InfluxDB or the log is down, after the back-off, and
    not before InfluxDB asks for it. Each trouble is said once, and once that it is over. Any other error ends it."""
    backoff, trouble = backoff or Backoff(), ""
    while not stop.is_set():
        try:
            pause = await asyncio.to_thread(step)
            backoff.worked()
            if trouble:
                _log.warning("InfluxDB takes data again.")
            trouble = ""
        except Unavailable as error:
            pause = backoff.failed() + _asked_for(error)
            if error.message != trouble:
                _log.log(logging.ERROR if isinstance(error, InfluxHeld) else logging.WARNING, "%s – %s.", error, meanwhile)
            trouble = error.message
        if pause:
            await first(clock.sleep(pause), stop.wait())


def cursor_name(settings: Influx) -> str:
    """The name of this InfluxDB's cursor in the log: the one that retention has to look at."""
    parts = urlsplit(settings.url)
    by_town = " by town" if settings.per_town else ""  # other places: they are filled from the beginning of the log
    return f"influx {parts.hostname or ''}:{parts.port or ''}{parts.path.rstrip('/')} {settings.bucket}{by_town}"


def _asked_for(error: Unavailable) -> float:
    """Seconds that InfluxDB asks to be left alone for."""
    return (error.retry_after_s or 0.0) if isinstance(error, InfluxBusy) else 0.0
