"""What a town's reader needs in InfluxDB: its buckets, in 2.x their DBRP mappings, and a secret that opens these and no others.

Everything is looked for first, so that a second run changes nothing; what is there is never altered, and no data is ever removed.

1.x  CREATE DATABASE; a user of its own with READ on these databases (CREATE USER, GRANT, REVOKE, SHOW GRANTS). Its password
     cannot be read back: where the one that is known does not open the databases, it gets another. Without [http] auth-enabled
     InfluxDB keeps nobody out.
2.x  POST /api/v2/buckets, /api/v2/dbrps (unless InfluxDB has made a virtual mapping), /api/v2/authorizations with read permission
     for these buckets only, known again by its description. Its token is what InfluxDB says; where it says none (hashed tokens)
     and the known one does not open the buckets, a new authorization takes the place of the old one.
3.x  POST /api/v3/configure/database. Core's tokens open every database, so there is no secret for one town alone.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, NamedTuple

import urllib3

from city.ids import TenantId
from city.settings import Influx, Secret
from city.store import influxql
from city.store.aggregates import settings_of, spans
from city.store.influx import InfluxDB, InfluxHeld, RejectedQuery
from city.store.influx_bays import PIECE_S, Server, bays_settings, look
from city.store.influx_http import LIMITS, NO_RETRY, Bounded, Http, Limits, silent
from city.store.influx_make import make
from city.store.influx_places import of_platform, of_town

PASSWORD_BYTES = 32
NOBODYS = 'SELECT "any" FROM "nobodys" LIMIT 1'  # 2.x has SHOW answer with nothing where the token may not read (seen at 2.9)
RP = "autogen"
_MAJORS = {Server.ONE: 1, Server.TWO: 2, Server.THREE: 3}


class Bucket(NamedTuple):
    """A bucket or database, for how many days it keeps what it gets (0: for ever), and how long the pieces are that it lets go
    whole (0: as it likes)."""

    name: str
    keep_days: int
    piece_s: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What opens the buckets (None: nothing that would open these alone), and what was done, a line each."""

    secret: Secret | None
    done: tuple[str, ...]


def buckets_of_town(settings: Influx, tenant: TenantId, *, bays_days: int) -> tuple[Bucket, ...]:
    """All that Grafana asks for a town."""
    own = of_town(settings, tenant)
    return (Bucket(own.bucket, settings.readings_days),
            *(Bucket(settings_of(span, own).bucket, span.keep_days) for span in spans(own)),
            Bucket(bays_settings(own).bucket, bays_days, PIECE_S))


def buckets_of_platform(settings: Influx) -> tuple[Bucket, ...]:
    """The platform's own."""
    return (Bucket(of_platform(settings).bucket, settings.platform_days),)


def reader_name(settings: Influx, tenant: TenantId | None) -> str:
    """The user (1.x) or description of the authorization (2.x)."""
    return f"{settings.bucket}_grafana_{tenant or '_platform'}"  # names of towns have no _


def prepare(admin: Influx, reader: str, buckets: Sequence[Bucket], *, known: Secret | None = None,
            limits: Limits = LIMITS) -> Outcome:
    """Make what is missing; `admin.token` must be allowed to. `known` is the reader's secret as far as anybody remembers it.
    Raises InfluxDown, InfluxHeld where it may not."""
    http = Http(admin, limits)
    try:
        server = look(replace(admin, bucket=buckets[0].name), limits).server
        if server in (Server.VICTORIA, Server.OTHER):
            return Outcome(known, (f"! {server.value}: buckets and readers are not made there",))
        done = []
        for bucket in buckets:
            its = replace(admin, bucket=bucket.name)
            if look(its, limits).there:
                continue
            made = make(http, its, _MAJORS[server], keep_days=bucket.keep_days, piece_s=bucket.piece_s)
            if not made.there:
                raise InfluxHeld("InfluxDB does not let us create the bucket {bucket}: {words}", held="missing",
                                 bucket=bucket.name, words=made.words)
            done.append(f"+ bucket {bucket.name}, keeps {f'{bucket.keep_days} days' if bucket.keep_days else 'for ever'}")
    finally:
        http.close()
    names = [bucket.name for bucket in buckets]
    match server:
        case Server.ONE:
            outcome = _one(admin, reader, names, known, limits)
        case Server.TWO:
            outcome = _two(admin, reader, names, known, limits)
        case _:
            outcome = Outcome(known, ("! InfluxDB 3 Core has no token for one database alone: give Grafana one yourself",))
    return replace(outcome, done=(*done, *outcome.done))


def opens(settings: Influx, secret: Secret, bucket: str, limits: Limits = LIMITS) -> bool:
    """Whether the secret may ask that bucket. Raises InfluxDown where nobody answers."""
    database = InfluxDB(replace(settings, token=secret, bucket=bucket), limits=limits)
    try:
        database.query(NOBODYS)
    except InfluxHeld as error:
        if error.held in ("unauthorized", "forbidden", "missing"):
            return False
        raise
    except RejectedQuery:
        return False
    finally:
        database.close()
    return True


def _one(admin: Influx, reader: str, names: Sequence[str], known: Secret | None, limits: Limits) -> Outcome:
    database = InfluxDB(admin, limits=limits)
    ask = database.query
    who, done = influxql.name(reader), []
    try:
        secret = known if known and known.reveal().startswith(f"{reader}:") else None
        there = any(row.get("user") == reader for row in ask("SHOW USERS"))
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        if not there:
            ask(f"CREATE USER {who} WITH PASSWORD {influxql.text(password)}")
            secret = Secret(f"{reader}:{password}")
            done.append(f"+ user {reader}")
        done += _grants(ask, reader, names)
        if secret is None or not opens(admin, secret, names[0], limits):
            ask(f"SET PASSWORD FOR {who} = {influxql.text(password)}")
            secret = Secret(f"{reader}:{password}")
            done.append(f"~ user {reader}: another password, for the one it has is not known here")
    except RejectedQuery as error:
        raise InfluxHeld("InfluxDB does not let us make the user {user}: {words}", held="forbidden", user=reader,
                         words=str(error)) from None  # … the query has the password in it
    finally:
        database.close()
    return Outcome(secret, tuple(done))


def _grants(ask: Callable[[str], Sequence[Any]], reader: str, names: Sequence[str]) -> Iterator[str]:
    who = influxql.name(reader)
    has = {str(row.get("database")): str(row.get("privilege")) for row in ask(f"SHOW GRANTS FOR {who}")}
    for database, privilege in has.items():
        if privilege != "NO PRIVILEGES" and (database not in names or privilege != "READ"):
            ask(f"REVOKE ALL PRIVILEGES ON {influxql.name(database)} FROM {who}")
            yield f"- {reader}: {privilege} on {database}"
    for database in names:
        if has.get(database) != "READ":
            ask(f"GRANT READ ON {influxql.name(database)} TO {who}")
            yield f"+ {reader}: READ on {database}"


def _two(admin: Influx, reader: str, names: Sequence[str], known: Secret | None, limits: Limits) -> Outcome:
    with _client(admin, limits) as client:
        org = _first(client.organizations_api().find_organizations(org=admin.org))
        if org is None:
            raise InfluxHeld("InfluxDB has no organisation {org}: see influx.org.", held="organisation", org=admin.org or "“”")
        ids = {}
        for name in names:
            bucket = _first(client.buckets_api().find_buckets(name=name, org=admin.org).buckets)
            if bucket is None:
                raise InfluxHeld("InfluxDB has no bucket {bucket}, or the token may not read it.", held="missing", bucket=name)
            ids[name] = bucket.id
        done = [*_mappings(client, org.id, ids)]
        secret, more = _authorization(client, org.id, reader, list(ids.values()), known,
                                      lambda secret: opens(admin, secret, names[0], limits))
        return Outcome(secret, (*done, *more))


def _mappings(client: Any, org: str, ids: dict[str, str]) -> Iterator[str]:  # noqa: ANN401 - the library's
    kinds = _kinds()
    service = kinds.DBRPsService(client.api_client)
    for name, bucket in ids.items():
        every = service.get_dbr_ps(org_id=org, db=name).content or ()
        if any(one.bucket_id == bucket and one.default for one in every):
            continue
        service.post_dbrp(kinds.DBRPCreate(org_id=org, bucket_id=bucket, database=name, retention_policy=RP, default=True))
        yield f"+ mapping {name}/{RP} for InfluxQL"


def _authorization(client: Any, org: str, reader: str, ids: Sequence[str], known: Secret | None,  # noqa: ANN401
                   is_good: Callable[[Secret], bool]) -> tuple[Secret, list[str]]:
    kinds, api = _kinds(), client.authorizations_api()
    wanted = {("read", "buckets", bucket, org) for bucket in ids}
    old = [one for one in api.find_authorizations(org_id=org) if one.description == reader]
    for one in old:
        allowed = {(part.action, part.resource.type, part.resource.id, part.resource.org_id) for part in one.permissions or ()}
        if allowed != wanted or one.status != "active":
            continue
        for secret in filter(None, (known, Secret(one.token or ""))):  # InfluxDB may say “redacted”
            if is_good(secret):
                return secret, []
    permissions = [kinds.Permission(action, kinds.PermissionResource(type=kind, id=bucket, org_id=its))
                   for action, kind, bucket, its in sorted(wanted)]
    made = api.create_authorization(authorization=kinds.Authorization(org_id=org, description=reader, permissions=permissions))
    for one in old:
        api.delete_authorization(one)
    done = [f"+ read token {reader}", *(f"- older token {reader}" for _ in old)]
    if not any(one.id == made.id for one in api.find_authorizations(org_id=org)):  # 2.x leaves out what may not be read
        done.append(f"! older tokens {reader} stay: the admin's may not read authorizations and its own user")
    return Secret(made.token), done


@contextmanager
def _client(admin: Influx, limits: Limits) -> Iterator[Any]:
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.rest import ApiException

    client = InfluxDBClient(admin.url.rstrip("/"), admin.token.reveal(), org=admin.org,
                            timeout=(limits.connect_s * 1000, limits.read_s * 1000), retries=NO_RETRY)
    pool = Bounded(limits)
    client.api_client.rest_client.pool_manager = pool  # type: ignore[assignment]
    try:
        yield client
    except ApiException as error:
        if not error.status:
            raise silent(error) from None
        raise InfluxHeld("InfluxDB refuses to make readers ({status}): {words}", status=error.status, words=pool.last.words,
                         held="unauthorized" if error.status == 401 else "forbidden") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise silent(error) from error
    finally:
        pool.clear()
        client.close()  # type: ignore[no-untyped-call]


def _kinds() -> Any:  # noqa: ANN401
    """The library's classes, which say no types. Here for the reason that city.store.influx has."""
    return import_module("influxdb_client")


def _first(found: Sequence[Any] | None) -> Any:  # noqa: ANN401
    return found[0] if found else None
