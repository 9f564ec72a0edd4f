"""Making what is missing in InfluxDB: a database (1.x, 3.x) or a bucket (2.x), with the time for which it keeps what it gets.

1.x: CREATE DATABASE (InfluxQL reference). 2.x: POST /api/v2/buckets (API v2, retentionRules). 3.x: POST
/api/v3/configure/database (InfluxDB 3 Core; retention_period since 3.2).
"""

from contextlib import suppress
from typing import NamedTuple

import msgspec

from city.settings import Influx
from city.store import influxql
from city.store.influx_http import UNREADABLE, Http
from city.store.influx_three import no_place

DAY_S = 86_400


class Made(NamedTuple):
    """Whether it is there now, and else InfluxDB's words."""

    there: bool
    words: str


def make(http: Http, settings: Influx, major: int, *, keep_days: int, piece_s: int = 0) -> Made:
    """Make what `settings.bucket` names, in an InfluxDB of that version; `keep_days` 0: for ever. `piece_s`: how long the pieces
    of time are that it lets go whole (1.x, 2.x; 0: as it likes). One that somebody else has made meanwhile is there too. Raises
    InfluxDown."""
    match major:
        case 1:
            return _one(http, settings.bucket, keep_days, piece_s)
        case 3:
            kept = {"retention_period": f"{keep_days}d"} if keep_days else {}
            answer = http.post_json("api/v3/configure/database", {"db": settings.bucket, **kept}, bearer=True)
            return Made(answer.status in (200, 201, 204, 409), no_place(answer.words) or answer.words)
        case _:
            return _two(http, settings, keep_days, piece_s)


def _one(http: Http, database: str, keep_days: int, piece_s: int) -> Made:
    kept = f" WITH DURATION {keep_days}d" if keep_days else ""
    pieces = f" REPLICATION 1 SHARD DURATION {piece_s // 3600}h" if kept and piece_s else ""
    answer = http.post("query", {}, {"q": f"CREATE DATABASE {influxql.name(database)}{kept}{pieces}"})
    return Made(answer.status == 200 and b'"error"' not in answer.body, answer.words)


def _two(http: Http, settings: Influx, keep_days: int, piece_s: int) -> Made:
    orgs = http.get("api/v2/orgs", {"org": settings.org})
    known = _org_id(orgs.body)
    if not known:  # 2.x answers 200 and an empty list where the token may not read it
        unread = f"the token may not read the organisation {settings.org}"
        return Made(there=False, words=unread if orgs.status == 200 else orgs.words)
    pieces = {"shardGroupDurationSeconds": piece_s} if piece_s else {}
    rules = [{"type": "expire", "everySeconds": keep_days * DAY_S, **pieces}] if keep_days else []
    answer = http.post_json("api/v2/buckets", {"orgID": known, "name": settings.bucket, "retentionRules": rules})
    return Made(answer.status in (200, 201) or (answer.status == 422 and "already exists" in answer.words), answer.words)


def _org_id(body: bytes) -> str:
    """Of the first organisation that 2.x names in its answer, "" where it names none."""
    with suppress(*UNREADABLE):
        return next((org.id for org in msgspec.json.decode(body, type=_Orgs).orgs), "")
    return ""


class _Org(msgspec.Struct, frozen=True):
    id: str


class _Orgs(msgspec.Struct, frozen=True):
    orgs: list[_Org] = []
