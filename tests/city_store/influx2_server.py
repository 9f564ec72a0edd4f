"""A stand-in for InfluxDB 2.x: organisations, buckets, DBRP mappings, authorizations, and InfluxQL that is answered only where
the token may read the bucket that the database is mapped to. With `hashed`, tokens are said once only, as 2.9 does by default;
with `virtual`, every bucket has a mapping of its own name.

It answers as 2.9.1 was seen to: a bucket that is asked for by name and missing is a 404, one that the token may not read is left
out, as are organisations; whoever may not write something hears 401 and its name; SELECT in a database that is missing or may
not be read says that it is not found, SHOW MEASUREMENTS there says nothing at all, SHOW TAG VALUES names a retention policy."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

OPERATOR = "operator-token"
ORG = {"id": "0a0a0a0a0a0a0a0a", "name": "stadt"}


@dataclass
class Influx2:
    url: str = ""
    hashed: bool = False
    virtual: bool = True
    buckets: dict[str, dict] = field(default_factory=dict)
    mappings: list[dict] = field(default_factory=list)
    tokens: dict[str, dict] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    last: int = 0

    def new_id(self) -> str:
        self.last += 1
        return f"{self.last:016x}"

    def every_mapping(self) -> list[dict]:
        explicit = {one["database"] for one in self.mappings}
        virtual = [{"id": bucket["id"], "bucketID": bucket["id"], "orgID": ORG["id"], "database": name, "default": True,
                    "retention_policy": "autogen", "virtual": True}
                   for name, bucket in self.buckets.items() if self.virtual and name not in explicit]
        return [*self.mappings, *virtual]

    def answer(self, method: str, path: str, query: dict, token: str, body: bytes) -> tuple[int, object]:
        if path == "/query":
            return self.query(query, token, parse_qs(body.decode())["q"][0])
        its = next((one for one in self.tokens.values() if one["token"] == token and one["status"] == "active"), None)
        if its is None and token != OPERATOR:
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        kind = path.split("/")[3]
        if method != "GET" and not may(its, "write", kind):
            return 401, {"code": "unauthorized", "message": f"write:orgs/{ORG['id']}/{kind} is unauthorized"}
        said = json.loads(body) if body else {}
        if method != "GET":
            self.writes.append((method, path))
        match method, path.removeprefix("/api/v2/").split("/"):
            case "GET", ["orgs"]:
                if query.get("org", ORG["name"]) != ORG["name"]:
                    return 404, {"code": "not found", "message": f'organization name "{query["org"]}" not found'}
                return 200, {"orgs": [ORG] if may(its, "read", "orgs", ORG["id"]) else []}
            case "GET", ["buckets"]:
                if query["name"] not in self.buckets:
                    return 404, {"code": "not found", "message": f'bucket "{query["name"]}" not found'}
                one = self.buckets[query["name"]]
                return 200, {"buckets": [one] if may(its, "read", "buckets", one["id"]) else []}
            case "POST", ["buckets"] if said["name"] in self.buckets:
                return 422, {"code": "conflict", "message": f"bucket with name {said['name']} already exists"}
            case "POST", ["buckets"]:
                self.buckets[said["name"]] = {"id": self.new_id(), "type": "user", **said}
                return 201, self.buckets[said["name"]]
            case "GET", ["dbrps"]:
                return 200, {"content": [one for one in self.every_mapping() if one["database"] == query["db"]]}
            case "POST", ["dbrps"]:
                self.mappings.append({"id": self.new_id(), "virtual": False, **said})
                return 201, self.mappings[-1]
            case "GET", ["authorizations"]:
                seen = may(its, "read", "authorizations") and may(its, "read", "users")
                return 200, {"authorizations": [self.shown(one) for one in self.tokens.values()] if seen else []}
            case "POST", ["authorizations"] if not may(its, "write", "users"):
                return 401, {"code": "unauthorized", "message": "write:users/0c0c0c0c0c0c0c0c is unauthorized"}
            case "POST", ["authorizations"]:
                number = self.new_id()
                self.tokens[number] = {"id": number, "status": "active", "org": ORG["name"], "token": f"token-{number}==", **said}
                return 201, self.tokens[number]
            case "DELETE", ["authorizations", number]:
                del self.tokens[number]
                return 204, None
        return 404, {"code": "not found", "message": "path not found"}

    def shown(self, one: dict) -> dict:
        return {**one, "token": ""} if self.hashed else one

    def query(self, query: dict, token: str, text: str) -> tuple[int, object]:
        its = next((one for one in self.tokens.values() if one["token"] == token and one["status"] == "active"), None)
        if its is None and token != OPERATOR:
            return 401, {"code": "unauthorized", "message": "Unauthorized"}
        bucket = next((one["bucketID"] for one in self.every_mapping() if one["database"] == query["db"]), None)
        if (bucket is None or not may(its, "read", "buckets", bucket)) and not text.startswith("SHOW MEASUREMENTS"):
            words = "default retention policy not set for" if text.startswith("SHOW TAG ") else "database not found"
            return 200, {"results": [{"statement_id": 0, "error": f"{words}: {query['db']}"}]}
        return 200, {"results": [{"statement_id": 0}]}


def may(its: dict | None, action: str, kind: str, number: str | None = None) -> bool:
    """Whether an authorization (None: the operator's) allows it; one without an id is for all of that kind."""
    return its is None or any(part["action"] == action and part["resource"]["type"] == kind
                              and part["resource"].get("id") in (None, number) for part in its["permissions"])


@contextmanager
def influx2(**options: bool) -> Iterator[Influx2]:
    said = Influx2(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            if parts.path == "/ping":
                self.say(204, None)
            else:
                query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                token = self.headers.get("Authorization", "").removeprefix("Token ")
                self.say(*said.answer(self.command, parts.path, query, token, body))

        def say(self, status: int, answer: object) -> None:
            body = b"" if answer is None else json.dumps(answer).encode()
            self.send_response_only(status)
            version = "v2.9.1" if said.hashed else "v2.7.11"
            for key, value in (("X-Influxdb-Version", version), ("Content-Type", "application/json")):
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do  # noqa: N815 - http.server's names

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
