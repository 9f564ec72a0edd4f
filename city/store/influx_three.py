"""Writing to InfluxDB 3: POST /api/v3/write_lp, which stores the good lines and names the others. Its /api/v2/write takes all
lines or none, and of a bad one says only that there is one.

InfluxDB 3 makes a table with the tags that its first lines have, and to its InfluxQL a condition on a tag that the table has not
got is false, `"channel" = ''` too, where 1.x and 2.x find what has no such tag. So each table is made with all tags that its
points may have (POST /api/v3/configure/table, an admin token); one that is there already is left as it is, and where we may not
make it the first lines do.

From InfluxDB 3 Core's source, v3.6: influxdb3_server/src/http.rs, influxdb3_catalog/src/error.rs; of influxdb3_core
iox_query_influxql/src/plan/planner_rewrite_expression.rs.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import msgspec

from city.figures import SHEETS
from city.settings import Influx
from city.store.influx_http import MAX_WORDS, UNREADABLE, Answer, Http
from city.store.influx_schema import PLACE_TAGS, tags_of

TOO_LARGE = "max request size ("
MOST_DATABASES = "databases"
_MEASUREMENT = re.compile(rb"^((?:[^\\, \n]|\\.)+)", re.MULTILINE)
_ESCAPED = re.compile(r"\\([,= ])")
_NO_PLACE = re.compile(r"exceed limit of \d+ databases|db name |database or rp name|soft-deleted database")


class Three:
    """One database of an InfluxDB 3."""

    def __init__(self, settings: Influx, http: Http) -> None:
        self._settings, self._http = settings, http
        self._known: set[str] = set()  # measurements: as many as InfluxDB has tables, which it bounds

    def send(self, body: bytes) -> Answer:
        """Its answer; where the request is too large for it, 413 as all others say it. Raises InfluxDown."""
        for measurement in sorted(measurements(body) - self._known):
            table = {"db": self._settings.bucket, "table": measurement, "tags": tags(measurement), "fields": ()}
            made = self._http.post_json("api/v3/configure/table", table, bearer=True)
            if made.status >= 500:
                return made
            self._known.add(measurement)  # also where it may not be made: what then prevents the lines, their answer says
        answer = self._http.put("api/v3/write_lp", {"db": self._settings.bucket, "precision": "nanosecond",
                                                    "accept_partial": "true"}, body)
        return replace(answer, status=413) if answer.status == 500 and TOO_LARGE in answer.words else answer

    def create(self) -> bool:
        """False: a database that is missing is made by its first line, so a 404 comes from somebody else."""
        return False

    def close(self) -> None:
        """The connections are not its own."""


def measurements(body: bytes) -> set[str]:
    """Those that lines are of."""
    return {_ESCAPED.sub(r"\1", found.decode("utf-8", "replace")) for found in set(_MEASUREMENT.findall(body))}


def tags(measurement: str) -> tuple[str, ...]:
    """The tags of its table: all that its points may have, and that queries may ask for."""
    return tags_of(measurement) if measurement in SHEETS else PLACE_TAGS


def refused(answer: Answer, body: bytes) -> Mapping[bytes, str]:
    """The lines of the request that the answer names as not stored, each with InfluxDB's words; none where it names none."""
    with suppress(*UNREADABLE):
        named = msgspec.json.decode(answer.body, type=_Partial).data
        lines = body.split(b"\n")
        return {lines[one.line_number - 1]: one.error_message[:MAX_WORDS] for one in named if 0 < one.line_number <= len(lines)}
    return {}


def no_place(words: str) -> str:
    """Why the lines' database cannot be there, "" where they do not say that: not the lines' fault."""
    if not _NO_PLACE.search(words):
        return ""
    if MOST_DATABASES in words:  # Core has five: those of one town and the platform's
        return f"{words}. InfluxDB 3 Core has room for one town, or for all of them with influx.per_town = false"
    return words


class _Line(msgspec.Struct, frozen=True):
    line_number: int
    error_message: str = ""


class _Partial(msgspec.Struct, frozen=True):
    data: list[_Line]
