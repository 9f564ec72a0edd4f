"""Readings of single bays in InfluxDB: in a database (1.x, 3.x) or bucket (2.x) of their own, `<bucket>_bays`, that forgets
them as soon as this program does (city.retention, parking.raw_days).

It is asked how long it keeps what it gets before the first reading goes there, and every hour; what is missing is made, what
is there is never changed. Where it keeps them longer nothing is sent until a person has mended that (InfluxHeld, "retention");
where it cannot say, as VictoriaMetrics' free edition has one retention for all, bays stay in the local log (BaysWithheld).
1.x and 2.x let whole pieces of time go: a quarter of a day here, so much longer a reading may be there.

1.x: SHOW RETENTION POLICIES, CREATE DATABASE (InfluxQL reference). 2.x: GET and POST /api/v2/buckets (API v2, retentionRules).
3.x: system.databases of its database _internal, POST /api/v3/configure/database (InfluxDB 3 Core, since 3.2); there SHOW
RETENTION POLICIES says nothing that is true.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from city.clock import Clock
from city.errors import InfluxDown
from city.ids import TenantId
from city.quantities import BAY_OCCUPIED
from city.readings import from_ns
from city.settings import Influx
from city.store import influxql
from city.store.influx import InfluxDB, InfluxHeld, RejectedQuery, insist, open_sink
from city.store.influx_http import LIMITS, UNREADABLE, Http, Limits
from city.store.influx_make import DAY_S, make
from city.store.lines import column

SUFFIX = "_bays"
PIECE_S = 6 * 3600
LOOK_EVERY = timedelta(hours=1)
NOT_THERE = "not found"  # the words of all three versions for a database, a bucket or its mapping
UNREADABLE_BUCKET = "the token may not read the bucket"
INTERNAL = "_internal"  # the only database of 3.x that has the table
_THREE = "SELECT * FROM system.databases"


class Server(Enum):
    """What answers."""

    ONE = "InfluxDB 1.x"
    TWO = "InfluxDB 2.x"
    THREE = "InfluxDB 3.x"
    VICTORIA = "VictoriaMetrics"
    OTHER = "a server that does not say what it is"


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether the bays' database is there, and for how many seconds it keeps what it gets: 0 for ever, None: it does not say,
    `words` why."""

    server: Server
    there: bool
    seconds: float | None = None
    words: str = ""


class BaysWithheld(InfluxDown):
    """Nobody can say how long readings of single bays would be kept here, so they are not sent."""


def bays_settings(settings: Influx) -> Influx:
    """Where readings of bays go."""
    return replace(settings, bucket=f"{settings.bucket}{SUFFIX}")


def forgets(kept: Kept, days: int) -> bool:
    """Whether it lets readings go in time."""
    return kept.there and kept.seconds is not None and 0 < kept.seconds <= days * DAY_S


class BaySink:
    """See Sink. One thread writes."""

    def __init__(self, settings: Influx, clock: Clock, *, days: int, limits: Limits = LIMITS) -> None:
        """`settings` are those of all readings; those of bays may be kept `days`. With influx.bays "yes" nobody is asked for
        how long. Raises Invalid where the address is none."""
        self._settings, self._clock, self._days, self._limits = bays_settings(settings), clock, days, limits
        # Made by `_insist`, unless nobody is asked.
        self._sink = open_sink(self._settings, creates=settings.bays == "yes", keep_days=days, limits=limits)
        self._looked: datetime | None = None

    def write(self, lines: Sequence[bytes]) -> int:
        """As Sink.write. Raises BaysWithheld too."""
        now = self._clock.now()
        if self._settings.bays != "yes" and (self._looked is None or now - self._looked >= LOOK_EVERY):
            self._insist()
            self._looked = now
        try:
            return self._sink.write(lines)
        except InfluxHeld:
            self._looked = None
            raise

    def close(self) -> None:
        """Let the connections go."""
        self._sink.close()

    def _insist(self) -> None:
        """Nothing, where what is sent will be forgotten in time."""
        kept = look(self._settings, self._limits)
        if not kept.there and kept.seconds is None and not kept.words:
            self._make(kept.server)
            kept = look(self._settings, self._limits)
        if forgets(kept, self._days):
            return
        if kept.words == UNREADABLE_BUCKET:
            raise InfluxHeld("Nobody can say how long {bucket} keeps readings of single bays: {words}.", held="forbidden",
                             bucket=self._settings.bucket, words=kept.words)
        if kept.seconds is None:
            raise BaysWithheld("Readings of single bays stay in the local log: {server} does not say that it forgets them after "
                               "{days} days ({words}).", server=kept.server.value, days=self._days, words=kept.words or "–")
        raise InfluxHeld("{bucket} keeps readings of single bays too long ({kept}; at most {days} days): see stadtfunk doctor.",
                         held="retention", bucket=self._settings.bucket, days=self._days,
                         kept=f"{kept.seconds / DAY_S:g} d" if kept.seconds else "∞")


    def _make(self, server: Server) -> None:
        http = Http(self._settings, self._limits)
        try:
            insist(make(http, self._settings, _MAJORS.get(server, 2), keep_days=self._days, piece_s=PIECE_S), self._settings)
        finally:
            http.close()


def look(settings: Influx, limits: Limits = LIMITS) -> Kept:
    """How the database that `settings` name keeps what it gets. Raises InfluxDown where nobody answers."""
    http, database = Http(settings, limits), InfluxDB(settings, limits=limits)
    try:
        server = _server(settings, http, database)
        match server:
            case Server.VICTORIA:
                return Kept(server, there=True, words="it has one retention for all that it is told")
            case Server.ONE:
                return _one(settings, database)
            case Server.THREE:
                return _three(settings, http)
            case _:
                return _two(server, settings, http)
    finally:
        http.close()
        database.close()


def oldest_bay(database: InfluxDB, tenant: TenantId) -> datetime | None:
    """When the oldest reading of a bay is from that a database has of a town; None where it has none. Raises RejectedQuery where
    it answers no such question, InfluxDown."""
    measurement, field = column(BAY_OCCUPIED)
    try:
        rows = database.query(f"SELECT first({influxql.name(field)}) FROM {influxql.name(measurement)} WHERE "
                              f"{influxql.name('tenant')} = {influxql.text(influxql.said(tenant))}")
    except (RejectedQuery, InfluxHeld) as error:
        if NOT_THERE in str(error):
            return None
        raise
    return min((from_ns(at_ns) for row in rows if isinstance(at_ns := row.get("time"), int)), default=None)


def duration_s(text: str) -> float:
    """InfluxDB's way to write a time: 168h0m0s; 0s means for ever."""
    total, digits = 0.0, ""
    for char in text:
        if char.isdecimal():
            digits += char
        elif digits and char in _UNITS:
            total, digits = total + int(digits) * _UNITS[char], ""
    return total


_MAJORS = {Server.ONE: 1, Server.TWO: 2, Server.THREE: 3}
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


class _Rule(msgspec.Struct, frozen=True):
    type: str = "expire"
    everySeconds: float = 0  # noqa: N815 - the API's name


class _Bucket(msgspec.Struct, frozen=True):
    name: str = ""
    retentionRules: list[_Rule] = []  # noqa: N815


class _Buckets(msgspec.Struct, frozen=True):
    buckets: list[_Bucket] = []


class _Database(msgspec.Struct, frozen=True):
    database_name: str = ""
    retention_period_ns: int | None = None
    deleted: bool = False


def _server(settings: Influx, http: Http, database: InfluxDB) -> Server:
    with suppress(InfluxDown):  # whoever does not even know such a page
        if b"VictoriaMetrics" in http.get("-/healthy").body[:1000]:
            return Server.VICTORIA
    known = {"0": Server.ONE, "1": Server.ONE, "2": Server.TWO, "3": Server.THREE}
    return known.get(database.version().partition(".")[0], Server.ONE if settings.api == "1" else Server.OTHER)


def _one(settings: Influx, database: InfluxDB) -> Kept:
    try:
        rows = database.query(f"SHOW RETENTION POLICIES ON {influxql.name(settings.bucket)}")
    except RejectedQuery as error:
        if NOT_THERE in str(error):
            return Kept(Server.ONE, there=False)
        return Kept(Server.ONE, there=False, words=str(error))
    default = next((row for row in rows if row.get("default")), None)
    if default is None:
        return Kept(Server.ONE, there=True, words="it has no default retention policy")
    return Kept(Server.ONE, there=True, seconds=duration_s(str(default.get("duration"))))


def _two(server: Server, settings: Influx, http: Http) -> Kept:
    query = {"name": settings.bucket} | ({"org": settings.org} if settings.org else {})
    answer = http.get("api/v2/buckets", query)
    if answer.status == 404 and server is Server.TWO:
        return Kept(server, there=False)
    if answer.status != 200:
        return Kept(server, there=True, words=answer.words)
    try:
        found = msgspec.json.decode(answer.body, type=_Buckets).buckets
    except UNREADABLE:
        return Kept(server, there=True, words=answer.words)
    its = next((bucket for bucket in found if bucket.name == settings.bucket), None)
    if its is None and server is Server.TWO and settings.org:  # what is missing is a 404 there (read in the source of 2.0 to 2.9)
        return Kept(server, there=True, words=UNREADABLE_BUCKET)
    if its is None:
        return Kept(server, there=False)
    return Kept(server, there=True, seconds=max((rule.everySeconds for rule in its.retentionRules), default=0))


def _three(settings: Influx, http: Http) -> Kept:
    answer = http.get("api/v3/query_sql", {"db": INTERNAL, "q": _THREE, "format": "json"}, bearer=True)
    try:
        if answer.status == 200:
            found = msgspec.json.decode(answer.body, type=list[_Database])
            its = next((one for one in found if one.database_name == settings.bucket and not one.deleted), None)
            return Kept(Server.THREE, there=its is not None,
                        seconds=(its.retention_period_ns or 0) / 1e9 if its is not None else None)
    except UNREADABLE:
        return Kept(Server.THREE, there=True, words=answer.words)
    return Kept(Server.THREE, there=True, words=answer.words)
