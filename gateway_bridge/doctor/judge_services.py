"""What the answers of InfluxDB, the city database and ChirpStack's API mean. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from city.figures import figures
from city.quantities import RAW, Kind, quantities, quantity
from city.settings import Influx
from city.store.influx_bays import UNREADABLE_BUCKET, duration_s
from city.store.lines import FRAME, FRAME_FIELDS, column, has_facets
from gateway_bridge.doctor.findings import Finding, broken, ok, unknown, warning
from gateway_bridge.doctor.judge_bays import judge_bays
from gateway_bridge.doctor.judge_broker import judge_skew, numbers
from gateway_bridge.doctor.services import ApiFacts, DatabaseFacts, InfluxFacts

TYPES = {Kind.FLOAT: "float", Kind.INT: "integer", Kind.BOOL: "boolean", Kind.TEXT: "string"}
KEEP_AT_LEAST_S = 7 * 86_400
MOST_CONFLICTS = 20
NO_DATABASE = "database not found"  # InfluxDB 1.x
OLDEST_POSTGRESQL = 13
DATABASES_OF_TOWN, MOST_OF_CORE = 4, 5  # readings, bays, hours, days; InfluxDB 3 Core's limit, which cannot be set


def judge_towns(found: Sequence[tuple[Influx, InfluxFacts]], shared: Influx, bay_days: int) -> Iterator[Finding]:
    """The server, and each place in it. `shared` is the place of all towns: where each has its own, only what an older version
    has left there matters."""
    for index, (settings, facts) in enumerate(found):
        if index == 0:
            yield from judge_influx(facts, settings, bay_days)
            if facts.version.startswith("3."):
                yield from _judge_room(len(found) - 1)  # behind the towns stands what they have shared
        elif settings.bucket == shared.bucket:
            yield from judge_bays(facts, settings, bay_days)
        elif facts.problem:
            yield _problem(replace(facts, problem=f"{settings.bucket}: {facts.problem}"))
        else:
            yield from _judge_place(facts, settings, bay_days)


def judge_influx(facts: InfluxFacts, settings: Influx, bay_days: int) -> Iterator[Finding]:
    """Whether it can take what we send, and forgets single bays after `bay_days`."""
    if facts.problem:
        yield _problem(facts)
        return
    yield ok("InfluxDB", f"InfluxDB {facts.version or 'of a version that it does not say'} answers.")
    if facts.ahead_s is not None:
        yield judge_skew("InfluxDB's clock", facts.ahead_s, "InfluxDB's")
    yield from _judge_place(facts, settings, bay_days)


def _judge_place(facts: InfluxFacts, settings: Influx, bay_days: int) -> Iterator[Finding]:
    yield from judge_bays(facts, settings, bay_days)
    if NO_DATABASE in facts.unasked:
        yield ok("InfluxDB's types", f"There is no database {settings.bucket} yet; it is made when the first line is sent.")
        return
    if facts.unasked == UNREADABLE_BUCKET:
        yield warning("InfluxDB's rights", f"The token may not read {settings.bucket}: neither can its types be looked at "
                      "nor its history (api.history).", "settings: influx.token, one that may read the buckets too")
        return
    if facts.unasked:
        yield unknown("InfluxDB's types", f"The types of its columns cannot be asked for: {facts.unasked}",
                      f"influx v1 dbrp create --db {settings.bucket} --rp autogen --bucket-id ID --default (2.x)")
        return
    yield from judge_types(facts.fields, settings.bucket)
    yield from _judge_retention(facts, settings)


def _judge_room(towns: int) -> Iterator[Finding]:
    """Whether the databases of so many towns, each with its own, and the platform's fit in."""
    needed = towns * DATABASES_OF_TOWN + 1
    if needed > MOST_OF_CORE:
        yield warning("InfluxDB's databases", f"{towns} towns have {needed} databases, and InfluxDB 3 Core takes {MOST_OF_CORE}: "
                      "the readings of towns that find no room wait in the local log.",
                      "settings: influx.per_town = false; or an InfluxDB that has room, as 1.x, 2.x and 3 Enterprise have")


def _problem(facts: InfluxFacts) -> Finding:
    return broken("InfluxDB", f"{facts.problem.rstrip('.')}. Readings wait in the local log.", _influx_mend(facts.problem))


def judge_types(fields: Sequence[tuple[str, str, str]], bucket: str = "InfluxDB") -> Iterator[Finding]:
    """Columns whose type is another than we write: InfluxDB refuses every line that has one."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for measurement, name, kind in fields:
        found[measurement, name].add(kind)
    conflicts = [(measurement, name, kinds, ours) for (measurement, name), kinds in sorted(found.items())
                 if (ours := expected(measurement, name)) is not None and kinds != {ours}]
    for measurement, name, kinds, ours in conflicts[:MOST_CONFLICTS]:
        yield broken("InfluxDB's types", f"{bucket} has {measurement}.{name} as {' and '.join(sorted(kinds))}; we write "
                     f"{ours}, and every line with it is refused.",
                     f'stop who writes it otherwise; DROP MEASUREMENT "{measurement}" (or set another influx.bucket), then '
                     "`stadtfunk ship rewind` and `stadtfunk ship replay` fill it again from the local log")
    if len(conflicts) > MOST_CONFLICTS:
        yield broken("InfluxDB's types", f"… and {len(conflicts) - MOST_CONFLICTS} more columns.", "set another influx.bucket")
    if not conflicts:
        yield ok("InfluxDB's types", f"None of the {len(found)} columns of {bucket} contradicts ours.")


def expected(measurement: str, field: str) -> str | None:
    """The type that we write into this column, None where it is not ours."""
    kind = _OURS.get((measurement, field))
    if kind is None:
        longest = max((name for of, name in _FACETS if of == measurement and field.startswith(f"{name}_")), key=len, default="")
        kind = _OURS.get((measurement, longest))
    if kind is None and measurement.startswith(RAW):
        try:
            kind = quantity(f"{measurement}.{field}").kind
        except KeyError:
            return None
    return TYPES[kind] if kind is not None else None


def judge_database(facts: DatabaseFacts, *, shared: bool) -> Iterator[Finding]:
    """Whether it is there, is ours, and is durable. `shared`: several bridges work on it."""
    if facts.problem:
        yield broken("city database", facts.problem, "start it; settings: database.url")
        return
    yield _judge_revision(facts)
    if facts.towns == 0:
        yield warning("towns", "The city database knows no town: every event becomes a dead letter.",
                      "stadtfunk account town add NAME …, then stadtfunk import")
    if facts.sqlite and shared:
        yield broken("database engine", "Several bridges are to share the work (mqtt.share), and the city database is SQLite.",
                     "settings: database.url = \"postgresql+psycopg://…\"")
    yield from _judge_postgresql(facts)


def judge_api(facts: ApiFacts) -> Iterator[Finding]:
    """ChirpStack's API: only configurations and fresh orders need it."""
    if facts.problem:
        yield warning("ChirpStack's API", f"ChirpStack's API cannot be used: {facts.problem}. Old orders cannot be taken back.",
                      "settings: chirpstack.url = host:8080, chirpstack.token = an API key made in ChirpStack's web page")
        return
    number = numbers(facts.version)
    if number and number < (4, 0):
        yield broken("ChirpStack's version", f"ChirpStack {facts.version} is not understood.", "install ChirpStack 4")
    else:
        yield ok("ChirpStack's version", f"ChirpStack {facts.version or 'of a version that it tells only people'} answers.")
    if facts.ahead_s is not None:
        yield judge_skew("ChirpStack's clock", facts.ahead_s, "ChirpStack's")


def _judge_retention(facts: InfluxFacts, settings: Influx) -> Iterator[Finding]:
    default = next((row for row in facts.retentions if row.get("default")), None)
    if default is None:
        yield ok("InfluxDB's retention", f"There is no database {settings.bucket} yet; it is made when the first line is sent.")
        return
    said = str(default.get("duration"))
    kept = duration_s(said)
    if 0 < kept < KEEP_AT_LEAST_S:
        yield warning("InfluxDB's retention", f"{settings.bucket} forgets after {said}, and refuses readings that come later "
                      "than that.", f"influxdb3 update database --database {settings.bucket} --retention-period none"
                      if facts.version.startswith("3.") else "influx bucket update --id ID --retention 0"
                      if facts.version.startswith("2.") else
                      f'ALTER RETENTION POLICY "{default.get("name")}" ON "{settings.bucket}" DURATION 0s')
    else:
        yield ok("InfluxDB's retention", f"{settings.bucket} keeps readings {'for ever' if not kept else f'for {said}'}.")


def _judge_revision(facts: DatabaseFacts) -> Finding:
    engine = "SQLite" if facts.sqlite else "PostgreSQL"
    if facts.at == facts.newest:
        return ok("city database", f"{engine} {facts.server} answers, at this program's revision.")
    if facts.at is not None and facts.newest is not None and facts.at > facts.newest:
        return broken("city database", f"The city database is of a newer program ({facts.at}, ours: {facts.newest}).",
                      "update stadtfunk on this machine")
    return warning("city database", f"The city database is at {facts.at or 'nothing yet'}, this program at {facts.newest}.",
                   "stadtfunk database upgrade")


def _judge_postgresql(facts: DatabaseFacts) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        if facts.options.get(name) == "off":
            yield broken(f"PostgreSQL's {name}", f"PostgreSQL runs with {name} = off: a power cut can ruin the database.",
                         f"postgresql.conf: {name} = on, then restart it")
    if facts.options.get("synchronous_commit") == "off":
        yield broken("PostgreSQL's synchronous_commit", "PostgreSQL says that it has stored what it has not: commands and dead "
                     "letters of the last moments are lost in a crash.",
                     "postgresql.conf: synchronous_commit = on, then reload it")
    number = facts.server.partition(".")[0]
    if not facts.sqlite and number.isdecimal() and int(number) < OLDEST_POSTGRESQL:
        yield warning("PostgreSQL's version", f"PostgreSQL {facts.server} gets no more repairs.", "update PostgreSQL")


def _influx_mend(problem: str) -> str:
    if "(401)" in problem or "(403)" in problem:
        return "settings: influx.token (1.x: user:password), with the right to read and write the bucket"
    if "no such bucket" in problem:
        return "settings: influx.bucket and influx.org, or make the bucket"
    return "start InfluxDB; settings: influx.url"


_FACETS = {column(row) for row in quantities() if has_facets(row)}
_OURS = {(FRAME, name): kind for name, kind in FRAME_FIELDS.items()} | {
    column(row): row.kind for row in (*figures(), *quantities())}
