"""A stand-in for InfluxDB 3 Core that keeps what it gets: databases, at most five, tables with their columns' types, and lines.
It answers as v3.6.0 does: statuses, words and what is stored of a request with bad lines (see test_influx_three.py)."""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NO_TABLE = b"query error: error while planning query: Error during planning: table 'public.system.databases' not found"
NS = {"d": 86_400 * 10**9, "h": 3600 * 10**9}
_LINE = re.compile(r"((?:[^\\, ]|\\.)+)((?:,(?:[^\\, ]|\\.)+)*) (.+) (-?\d+)\Z")
_FIELD = re.compile(r'((?:[^\\,= ]|\\.)+)=("(?:[^"\\]|\\.)*"|[^,]+)')


@dataclass
class Influx3:
    most: int = 5
    largest: int = 10 * 2**20
    token: str = ""
    may_make: bool = True
    url: str = ""
    databases: dict[str, int | None] = field(default_factory=dict)  # retention, ns
    tables: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)  # columns with their types
    stored: dict[str, set[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str, query: dict[str, str], given: str, body: bytes) -> tuple[int, object]:
        self.asked.append((method, path))
        if self.token and given != self.token:
            return 401, b""
        match path:
            case "/ping":
                return 200, {"version": "3.6.0", "revision": "7e07b134f4", "process_id": "0"}
            case "/api/v3/configure/database" | "/api/v3/configure/table" if not self.may_make:
                return 403, b""
            case "/api/v3/configure/database":
                said = json.loads(body)
                if said["db"] in self.databases:
                    return 409, b"attempted to create a resource that already exists"
                number, unit = re.fullmatch(r"(\d+)([dh])", said["retention_period"]).groups() if said.get("retention_period") \
                    else ("0", "d")
                return self.begin(said["db"], int(number) * NS[unit] or None) or (200, b"")
            case "/api/v3/configure/table":
                said = json.loads(body)
                if refusal := self.begin(said["db"]):
                    return refusal
                if (said["db"], said["table"]) in self.tables:
                    return 409, b"attempted to create a resource that already exists"
                self.tables[said["db"], said["table"]] = dict.fromkeys(said["tags"], "tag")
                return 200, b""
            case "/api/v3/write_lp":
                if len(body) > self.largest:
                    return 500, f"max request size ({self.largest} bytes) exceeded".encode()
                return self.begin(query["db"]) or self.write(query["db"], body.decode())
            case "/query" | "/api/v3/query_sql" if query["db"] not in ("_internal", *self.databases):
                return 404, {"error": f"query error: database not found: {query['db']}"}
            case "/query":  # SHOW FIELD KEYS
                return 200, {"results": [{"statement_id": 0, "series": [
                    {"name": table, "columns": ["fieldKey", "fieldType"], "values": [
                        [name, kind] for name, kind in columns.items() if kind != "tag"]}
                    for (database, table), columns in self.tables.items() if database == query["db"]]}]}
            case "/api/v3/query_sql" if query["db"] != "_internal":
                return 500, NO_TABLE
            case "/api/v3/query_sql":
                return 200, [{"database_name": name, "deleted": False} | ({"retention_period_ns": kept} if kept else {})
                             for name, kept in self.databases.items()]
        return 404, b"not found"

    def begin(self, name: str, kept: int | None = None) -> tuple[int, object] | None:
        """Make a database that is missing; the refusal where it cannot be."""
        if name in self.databases:
            return None
        if len(name) > 64:
            return 400, {"error": "db name too long: max 64"}
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            return 400, {"error": "invalid character in database or rp name: must be ASCII, containing only letters, numbers, "
                         "underscores, or hyphens"}
        if len(self.databases) >= self.most:
            return 422, {"error": f"Adding a new database would exceed limit of {self.most} databases"}
        self.databases[name], self.stored[name] = kept, set()
        return None

    def write(self, database: str, body: str) -> tuple[int, object]:
        bad = []
        for number, line in enumerate(body.split("\n"), 1):
            if words := self.take(database, line):
                bad.append({"original_line": line[:100], "line_number": number, "error_message": words})
            else:
                self.stored[database].add(line)
        return (400, {"error": "partial write of line protocol occurred", "data": bad}) if bad else (204, b"")

    def take(self, database: str, line: str) -> str:
        """Why it is refused; "" where it is stored."""
        parts = _LINE.match(line)
        if parts is None:
            return "Expected at least one space character, got end of input"
        measurement, tags, fields, _ = parts.groups()
        said = {pair.partition("=")[0]: "tag" for pair in re.split(r"(?<!\\),", tags)[1:]}
        said |= {name: _kind(value) for name, value in _FIELD.findall(fields)}
        columns = self.tables.setdefault((database, measurement), {})
        for name, kind in said.items():
            if columns.get(name, kind) != kind:
                return (f"invalid column type for column '{name}', expected iox::column_type::field::{columns[name]}, got "
                        f"iox::column_type::field::{kind}")
        columns |= said
        return ""


def _kind(value: str) -> str:
    if value[0] == '"':
        return "string"
    if value in ("t", "f", "T", "F", "true", "false", "True", "False"):
        return "boolean"
    return "integer" if value[-1] == "i" else "float"


@contextmanager
def influx3(**options: object) -> Iterator[Influx3]:
    """It runs."""
    said = Influx3(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            given = self.headers.get("Authorization", "").partition(" ")[2]
            self.say(*said.answer(self.command, parts.path, query, given, body))

        def say(self, status: int, answer: object) -> None:
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response_only(status)
            for key, value in (("X-Influxdb-Version", "3.6.0"), ("X-Influxdb-Build", "Core")):
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    said.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
