"""Asks InfluxDB, the city database, ChirpStack's API and a running bridge. A door to gRPC; every question is bounded."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path

import grpc
from chirpstack_api import api
from google.protobuf.empty_pb2 import Empty

from city.clock import Clock
from city.errors import CityError, InfluxDown, Invalid, StoreDown
from city.ids import TenantId
from city.settings import Chirpstack, Influx, Secret
from city.store.database import Database
from city.store.influx import InfluxDB, RejectedQuery
from city.store.influx_bays import UNREADABLE_BUCKET, Kept, bays_settings, look
from city.store.influx_places import of_town
from city.store.opening import newest, version
from gateway_bridge.network_server import target

ASK_S = 5.0
MOST_FIELDS = 20_000
MOST_TOWNS = 200  # a few requests each
_SAMPLE = re.compile(rb"^stadtfunk_bridge_connections_total(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class InfluxFacts:
    """`problem`: why it does not answer, or does not let us in. `fields`: measurement, field, type of each column;
    `unasked`: why it does not tell them. `ahead_s`: its clock before ours, None where it does not say. `bays`: how the place for
    readings of single bays keeps them, None where none are sent."""

    problem: str = ""
    version: str = ""
    fields: Sequence[tuple[str, str, str]] = ()
    retentions: Sequence[Mapping[str, object]] = ()
    unasked: str = ""
    ahead_s: float | None = None
    bays: Kept | None = None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """`at` and `newest`: revision of the tables and of this program. `options`: PostgreSQL's own settings by name."""

    problem: str = ""
    sqlite: bool = True
    at: str | None = None
    newest: str | None = None
    server: str = ""
    towns: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiFacts:
    """ChirpStack's API."""

    problem: str = ""
    version: str = ""
    ahead_s: float | None = None


def probe_influx(settings: Influx, clock: Clock) -> InfluxFacts:
    """The server, and one bucket of it, in a few requests."""
    facts = _probe_place(settings)
    return facts if facts.problem else replace(facts, ahead_s=clock_ahead(f"{settings.url.rstrip('/')}/ping", clock.now))


def probe_towns(settings: Influx, database: Secret, clock: Clock) -> Sequence[tuple[Influx, InfluxFacts]]:
    """The place that all towns share; or that of each town of the city database, MOST_TOWNS at most, and after them the one that
    they may have shared before. The first one has the server's clock, too."""
    towns = towns_of(database) if settings.per_town else ()
    if not towns:
        return [(settings, probe_influx(settings, clock))]
    first, *rest = [of_town(settings, town) for town in towns[:MOST_TOWNS]]
    found = [(first, probe_influx(first, clock))]
    if found[0][1].problem:
        return found  # of the others it would be said again
    shared = replace(settings, bays="no")  # bays go there no more
    return [*found, *((place, _probe_place(place)) for place in (*rest, shared))]


def _probe_place(settings: Influx) -> InfluxFacts:
    try:
        server = InfluxDB(settings)
    except Invalid as error:
        return InfluxFacts(problem=str(error))
    try:
        said = server.version()
        fields, retentions, unasked = _columns(server, said, settings)
        bays = look(bays_settings(settings)) if settings.bays != "no" else None
    except CityError as error:
        return InfluxFacts(problem=str(error))
    finally:
        server.close()
    return InfluxFacts("", said, fields, retentions, unasked, None, bays)


def towns_of(url: Secret) -> Sequence[TenantId]:
    """The towns that the city database knows; none where it cannot be asked, which `probe_database` says."""
    if url.reveal().startswith("sqlite") and not _file(url).is_file():
        return ()
    try:
        database = Database(url)
    except CityError:
        return ()
    try:
        with database.read() as connection:
            return [TenantId(str(row[0])) for row in connection.exec_driver_sql("SELECT id FROM tenants ORDER BY id")]
    except StoreDown:
        return ()
    finally:
        database.close()


def probe_database(url: Secret) -> DatabaseFacts:
    """Its version and ours, without changing it."""
    sqlite = url.reveal().startswith("sqlite")
    if sqlite and not _file(url).is_file():
        return DatabaseFacts(newest=newest())  # asking would make it
    try:
        database = Database(url)
    except CityError as error:
        return DatabaseFacts(str(error), sqlite)
    try:
        at = version(database)
        with database.read() as connection:
            towns = connection.exec_driver_sql("SELECT count(*) FROM tenants").scalar() if at else None
            if sqlite:
                said, options = str(connection.exec_driver_sql("SELECT sqlite_version()").scalar()), {}
            else:
                said = str(connection.exec_driver_sql("SHOW server_version").scalar())
                options = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar())
                           for name in ("fsync", "synchronous_commit", "full_page_writes")}
    except StoreDown as error:
        return DatabaseFacts(str(error), sqlite)
    finally:
        database.close()
    return DatabaseFacts("", sqlite, at, newest(), said, towns, options)


def probe_api(settings: Chirpstack, clock: Clock) -> ApiFacts:
    """ChirpStack's version by its API; its clock by HTTP, where the same port speaks it. It tells its version only to people:
    to an API key that it knows it says UNAUTHENTICATED without a word, and with one to a key that it does not (seen at
    4.20)."""
    try:
        where, tls = target(settings.url)
    except Invalid as error:
        return ApiFacts(str(error))
    channel = grpc.secure_channel(where, grpc.ssl_channel_credentials()) if tls else grpc.insecure_channel(where)
    try:
        answer = api.InternalServiceStub(channel).GetVersion(
            Empty(), metadata=(("authorization", f"Bearer {settings.token.reveal()}"),), timeout=ASK_S)
    except grpc.RpcError as error:
        code, words = getattr(error, "code", lambda: None)(), getattr(error, "details", lambda: None)()
        if code is not grpc.StatusCode.UNAUTHENTICATED or words:
            return ApiFacts(f"it answers {getattr(code, 'name', 'nothing')}{f' ({words[:100]})' if words else ''}")
        answer = api.GetVersionResponse()
    finally:
        channel.close()
    return ApiFacts("", answer.version[:50], clock_ahead(f"http{'s' if tls else ''}://{where}/", clock.now))


def clock_ahead(url: str, now: Callable[[], datetime]) -> float | None:
    """Seconds that the server's clock is before ours, by its HTTP Date (whole seconds); None where it does not say."""
    before = now()
    try:
        with urllib.request.urlopen(url, timeout=ASK_S) as answer:
            date = answer.headers.get("Date", "")
    except urllib.error.HTTPError as error:
        date = error.headers.get("Date", "")
    except (OSError, ValueError, HTTPException):  # a port that speaks gRPC only answers no HTTP
        return None
    after = now()
    try:
        said = parsedate_to_datetime(date)
        ahead = (said - before).total_seconds() + 0.5, (said - after).total_seconds() + 0.5
    except (TypeError, ValueError):
        return None
    return sum(ahead) / 2


def connections(port: int) -> float | None:
    """How often the bridge that runs here has connected to its broker; None where none tells."""
    if not port:
        return None
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ASK_S) as answer:
            found = _SAMPLE.search(answer.read(2**22))
    except (OSError, ValueError):
        return None
    return float(found[1]) if found else None


def _file(url: Secret) -> Path:
    return Path(url.reveal().partition(":///")[2].partition("?")[0] or "-")


def _columns(server: InfluxDB, version: str, settings: Influx) -> tuple[
        Sequence[tuple[str, str, str]], Sequence[Mapping[str, object]], str]:
    """Fields, retention policies, and why they cannot be asked for. 2.x answers InfluxQL only where somebody has
    mapped the bucket to a database, and others that take our lines answer none. Raises InfluxDown where 1.x does not answer,
    or we are not let in."""
    try:
        fields = _fields(server)
        return fields, _kept(settings) if version.startswith(("2.", "3.")) else server.query("SHOW RETENTION POLICIES"), ""
    except RejectedQuery as error:  # 2.x says that a database is not found of one that may not be read, too
        unread = version.startswith("2.") and look(settings).words == UNREADABLE_BUCKET
        return (), (), UNREADABLE_BUCKET if unread else str(error)
    except InfluxDown as error:
        if version.startswith("1.") or "(401)" in str(error) or "(403)" in str(error):
            raise
        return (), (), str(error)


def _kept(settings: Influx) -> list[Mapping[str, object]]:
    """As 1.x has it: 3.x answers SHOW RETENTION POLICIES without saying how long, and 2.x says 0s whatever it is."""
    kept = look(settings)
    return [{"default": True, "duration": f"{kept.seconds / 3600:g}h"}] if kept.there and kept.seconds is not None else []


def _fields(server: InfluxDB) -> list[tuple[str, str, str]]:
    rows = server.query("SHOW FIELD KEYS")[:MOST_FIELDS]
    return [(str(row.get("name")), str(row.get("fieldKey")), str(row.get("fieldType"))) for row in rows]
