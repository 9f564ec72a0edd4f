"""A stand-in for Grafana's HTTP API, made from its documentation (HTTP API reference, Grafana 11 to 13) and its source
(pkg/services/ngalert/api, pkg/services/datasources, pkg/api/dashboard.go). Nothing of dashboards is used here."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")
REDACTED = "[REDACTED]"


class Refusal(Exception):
    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status, self.body = status, {"message": message, **more}


@dataclass
class Org:
    name: str
    sources: dict[str, dict] = field(default_factory=dict)
    secrets: dict[str, dict] = field(default_factory=dict)
    folders: dict[str, dict] = field(default_factory=dict)
    boards: dict[str, dict] = field(default_factory=dict)  # {"body", "folder", "provisioned", "versions"}
    rules: dict[str, dict] = field(default_factory=dict)
    contacts: dict[str, dict] = field(default_factory=dict)
    policies: dict = field(default_factory=lambda: {"receiver": "grafana-default-email", "routes": []})
    members: set[str] = field(default_factory=lambda: {"admin"})


class GrafanaServer:
    """`writes` are the changes that it agreed to; after `fails_after` of them it answers 502. `migrates`: it gives boards back in
    a newer schema, as Grafana 13 does. `version` is what it says it is; `moved` is where it sends everybody; `drips`: an answer
    that never ends, byte by byte; `garbage`: what it says to everything."""

    def __init__(self) -> None:
        self.orgs: dict[int, Org] = {1: Org("Main Org.")}
        self.users = {"admin": "geheim-Ä", "redakteur": "auch geheim"}
        self.admins = {"admin"}
        self.tokens: dict[str, int] = {}
        self.writes: list[tuple[str, str, int]] = []
        self.asked: list[tuple[str, str]] = []
        self.fails_after: int | None = None
        self.migrates, self.version, self.moved, self.ids = False, "12.1.0", "", 100
        self.garbage: bytes | None = None
        self.drips, self.released = False, threading.Event()
        self.lock = threading.Lock()
        self.url = ""

    def next_id(self) -> int:
        self.ids += 1
        return self.ids

    def answer(self, method: str, target: str, headers, raw: bytes) -> tuple[int, object]:
        parts = urlsplit(target)
        path, query = unquote(parts.path), {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.asked.append((method, path))
        if not path.startswith("/api/"):
            raise Refusal(404, "Not found")
        path = path.removeprefix("/api").rstrip("/")
        if path == "/health":
            return 200, {"database": "ok", "version": self.version}
        user, number = self.who(headers)
        body = json.loads(raw) if raw else {}
        if method != "GET":
            if self.fails_after is not None and len(self.writes) >= self.fails_after:
                raise Refusal(502, "bad gateway")
            if path.startswith("/orgs") or user is None or user in self.admins:
                pass
            else:
                raise Refusal(403, "You'll need additional permissions to perform this action.")
        answer = self.orgs_of(method, path, user, body) if path.startswith("/orgs") else \
            Inside(self, number, user or "sa-stadtfunk").answer(method, path, query, headers, body)
        if method != "GET":
            self.writes.append((method, path, number))
        return answer

    def who(self, headers) -> tuple[str | None, int]:
        kind, _, said = headers.get("Authorization", "").partition(" ")
        wanted = int(headers.get("X-Grafana-Org-Id", "0") or 0)
        if kind == "Bearer":
            if said not in self.tokens:
                raise Refusal(401, "Invalid API key")
            if wanted not in (0, self.tokens[said]):
                raise Refusal(401, "API key does not belong to the requested organization")
            return None, self.tokens[said]
        name, _, password = base64.b64decode(said).decode("utf-8").partition(":") if kind == "Basic" else ("", "", "")
        if not name or self.users.get(name) != password:
            raise Refusal(401, "Invalid username or password")
        return name, wanted if wanted in self.orgs and name in self.orgs[wanted].members else 1

    def orgs_of(self, method: str, path: str, user: str | None, body: dict) -> tuple[int, object]:
        if user is None or user not in self.admins:
            raise Refusal(403, "You'll need additional permissions to perform this action. Permissions needed: orgs:read")
        number = int(path.rpartition("/")[2]) if path != "/orgs" else 0
        if number and number not in self.orgs:
            raise Refusal(404, "Organization not found")
        if method in ("POST", "PUT") and any(org.name == body["name"] for key, org in self.orgs.items() if key != number):
            raise Refusal(409, "Organization name taken")
        match method:
            case "GET":
                return 200, [{"id": key, "name": org.name} for key, org in self.orgs.items()]
            case "POST":
                made = max(self.orgs) + 1
                self.orgs[made] = Org(body["name"], members={user})
                return 200, {"orgId": str(made) if made % 2 else made, "message": "Organization created"}
            case "PUT":
                self.orgs[number].name = body["name"]
                return 200, {"message": "Organization updated"}
            case _:
                del self.orgs[number]
                return 200, {"message": "Organization deleted"}


class Inside:
    """One request inside an organisation."""

    def __init__(self, server: GrafanaServer, number: int, user: str) -> None:
        self.server, self.number, self.org, self.user = server, number, server.orgs[number], user

    def answer(self, method: str, path: str, query: dict, headers, body: dict) -> tuple[int, object]:
        first, *rest = path.removeprefix("/").split("/")
        key = rest[-1] if rest else ""
        match first:
            case "org":
                return 200, {"id": self.number, "name": self.org.name}
            case "search":
                return 200, list(self.search(query))
            case "datasources":
                return self.sources(method, key, body)
            case "folders":
                return self.folders(method, key, query, body)
            case "dashboards":
                return self.boards(method, rest, body)
            case "v1" if rest[1] == "alert-rules":
                return self.rules(method, key if len(rest) > 2 else "", headers, body)
            case "v1" if rest[1] == "contact-points":
                return self.contacts(method, key if len(rest) > 2 else "", headers, body)
            case "v1" if rest[1] == "policies" and method == "GET":
                return 200, self.org.policies
        raise Refusal(404, "Not found")

    def search(self, query: dict) -> Iterator[dict]:
        if int(query.get("page", 1)) > 1:
            return
        for uid, board in self.org.boards.items():
            tags = board["body"].get("tags", [])
            if query.get("tag", "") in ("", *tags) and query.get("folderUIDs", board["folder"]) == board["folder"]:
                yield {"uid": uid, "title": board["body"]["title"], "type": "dash-db", "tags": tags,
                       "folderUid": board["folder"]}
        for uid, folder in self.org.folders.items():
            inside = query.get("folderUIDs", "") == folder.get("parentUid", "")
            if inside and "tag" not in query and query.get("type") != "dash-db":
                yield {"uid": uid, "title": folder["title"], "type": "dash-folder"}

    def sources(self, method: str, key: str, body: dict) -> tuple[int, object]:
        known = self.org.sources
        if method == "GET":
            return 200, list(known.values())
        if key and key not in known:
            raise Refusal(404, "Data source not found")
        if key and known[key].get("readOnly"):
            raise Refusal(403, f"Cannot {'update' if method == 'PUT' else 'delete'} read-only data source")
        if method == "DELETE":
            del known[key]
            return 200, {"message": "Data source deleted"}
        if any(one["name"] == body["name"] for uid, one in known.items() if uid != key):
            raise Refusal(409, "data source with the same name already exists")
        if not key and body["uid"] in known:
            raise Refusal(409, "data source with the same uid already exists")
        assert UID.fullmatch(body["uid"])
        secret = body.pop("secureJsonData", {})
        self.org.secrets.setdefault(body["uid"], {}).update(secret)
        old = known.get(key, {"id": self.server.next_id(), "version": 0})
        known[body["uid"]] = {"readOnly": False, "basicAuth": False, "database": "", "user": "", **body, "id": old["id"],
                              "orgId": self.number, "version": old["version"] + 1, "typeLogoUrl": "public/influxdb.svg"}
        return 200, {"datasource": known[body["uid"]], "id": old["id"], "name": body["name"]}

    def folders(self, method: str, key: str, query: dict, body: dict) -> tuple[int, object]:
        known = self.org.folders
        if method == "GET" and not key:
            return 200, [one for one in known.values() if int(query.get("page", 1)) == 1]
        if key and key not in known:
            raise Refusal(404, "folder not found")
        if method == "DELETE":
            if query.get("forceDeleteRules") != "true" and any(rule["folderUID"] == key for rule in self.org.rules.values()):
                raise Refusal(400, "folder contains alert rules")
            self.org.boards = {uid: board for uid, board in self.org.boards.items() if board["folder"] != key}
            del known[key]
            return 200, {"message": "Folder deleted"}
        if any(one["title"] == body["title"] for uid, one in known.items() if uid != key):
            raise Refusal(409, "a folder with the same name already exists in the current location")
        if method == "POST":
            if body["uid"] in known:
                raise Refusal(409, "a folder with that UID already exists")
            known[body["uid"]] = {"id": self.server.next_id(), "uid": body["uid"], "title": body["title"], "version": 1}
            return 200, known[body["uid"]]
        if not body.get("overwrite") and body.get("version") != known[key]["version"]:
            raise Refusal(412, "The folder has been changed by someone else", status="version-mismatch")
        known[key] |= {"title": body["title"], "version": known[key]["version"] + 1}
        return 200, known[key]

    def boards(self, method: str, rest: list[str], body: dict) -> tuple[int, object]:
        known = self.org.boards
        if rest == ["db"]:
            return self.save_board(body)
        key = rest[1]
        if key not in known:
            raise Refusal(404, "Dashboard not found")
        board = known[key]
        if rest[2:] == ["versions"]:
            newest = board["versions"][::-1]
            return 200, newest if self.server.version.startswith("11.") else {"continueToken": "", "versions": newest}
        if method == "DELETE":
            if board["provisioned"]:
                raise Refusal(400, "provisioned dashboard cannot be deleted")
            del known[key]
            return 200, {"message": "Dashboard deleted", "uid": key}
        said = deepcopy(board["body"])
        if self.server.migrates:
            said |= {"schemaVersion": 42, "preload": False}
            for panel in said["panels"]:
                panel.pop("description", None)
                panel["pluginVersion"] = "13.0.0"
        return 200, {"dashboard": said, "meta": {"folderUid": board["folder"], "provisioned": board["provisioned"],
                                                 "version": said["version"], "updatedBy": board["versions"][-1]["createdBy"]}}

    def save_board(self, body: dict) -> tuple[int, object]:
        said = body["dashboard"]
        uid, known = said["uid"], self.org.boards
        assert UID.fullmatch(uid)
        assert "folderId" not in body
        if body.get("folderUid") and body["folderUid"] not in self.org.folders:
            raise Refusal(404, "folder not found")
        old = known.get(uid)
        if old and old["provisioned"]:
            raise Refusal(400, "Cannot save provisioned dashboard")
        if old and not body.get("overwrite") and said.get("version") != old["body"]["version"]:
            raise Refusal(412, "The dashboard has been changed by someone else", status="version-mismatch")
        number = old["body"]["version"] + 1 if old else 1
        versions = [*(old["versions"] if old else ()), {"version": number, "message": body.get("message", ""),
                                                        "createdBy": self.user}]
        known[uid] = {"body": {**said, "id": old["body"]["id"] if old else self.server.next_id(), "version": number},
                      "folder": body.get("folderUid", ""), "provisioned": False, "versions": versions}
        return 200, {"uid": uid, "version": number, "status": "success"}

    def rules(self, method: str, key: str, headers, body: dict) -> tuple[int, object]:
        known = self.org.rules
        if method == "GET":
            return 200, list(known.values())
        if key and key not in known and method == "PUT":
            raise Refusal(404, "alert rule not found")
        if method == "DELETE":
            known.pop(key, None)
            return 204, None
        self.check_rule(body, key)
        provenance = "" if headers.get("X-Disable-Provenance") else "api"
        if key and known[key].get("provenance", "") not in ("", provenance):
            raise Refusal(409, f"cannot change provenance from '{known[key]['provenance']}' to '{provenance}'")
        if not key and body["uid"] in known:
            raise Refusal(409, "a conflicting alert rule is found")
        known[body["uid"]] = {"id": self.server.next_id(), "updated": "2026-11-23T03:00:00Z", **body, "orgID": self.number,
                              **({"provenance": provenance} if provenance else {})}
        return 200 if key else 201, known[body["uid"]]

    def check_rule(self, rule: dict, key: str) -> None:
        refs = [one["refId"] for one in rule["data"]]
        if rule["folderUID"] not in self.org.folders:
            raise Refusal(400, "invalid alert rule: folder does not exist")
        if any(one["title"] == rule["title"] and one["folderUID"] == rule["folderUID"]
               for uid, one in self.org.rules.items() if uid != key):
            raise Refusal(409, "a conflicting alert rule is found: rule title under the same organisation and folder should be "
                               "unique")
        if len(set(refs)) != len(refs) or rule["condition"] not in refs or not DURATION.fullmatch(rule["for"]):
            raise Refusal(400, "invalid alert rule")
        for one in rule["data"]:
            its = one["datasourceUid"]
            if its != "__expr__" and its not in self.org.sources:
                raise Refusal(400, "invalid alert query: data source not found")
            if its == "__expr__" and one["model"].get("expression") in ("", None):
                raise Refusal(400, "no expression")
            if its != "__expr__" and one["relativeTimeRange"]["from"] <= one["relativeTimeRange"]["to"]:
                raise Refusal(400, "invalid relative time range")
        if rule["noDataState"] not in ("OK", "NoData", "Alerting", "KeepLast") or \
                rule["execErrState"] not in ("OK", "Error", "Alerting", "KeepLast"):
            raise Refusal(400, "unknown state")
        linked = [name in rule["annotations"] for name in ("__dashboardUid__", "__panelId__")]
        if any(linked) and not all(linked):
            raise Refusal(400, "both annotations __dashboardUid__ and __panelId__ must be specified")
        receiver = (rule.get("notification_settings") or {}).get("receiver")
        if receiver and receiver not in {one["name"] for one in self.org.contacts.values()}:
            raise Refusal(400, f"receiver {receiver} does not exist")

    def contacts(self, method: str, key: str, headers, body: dict) -> tuple[int, object]:
        known = self.org.contacts
        if method == "GET":
            return 200, [{**one, "settings": {name: REDACTED if name == "password" else value
                                              for name, value in one["settings"].items()}} for one in known.values()]
        if method == "DELETE":
            name = known.get(key, {}).get("name")
            alone = sum(one["name"] == name for one in known.values()) == 1
            used = {(rule.get("notification_settings") or {}).get("receiver") for rule in self.org.rules.values()}
            if alone and name in used:
                raise Refusal(409, "contact point is currently used by a notification policy or alert rule")
            known.pop(key, None)
            return 202, {"message": "contactpoint deleted"}
        if not body["settings"] or body["type"] not in ("email", "webhook"):
            raise Refusal(400, "contact point is not valid")
        if key and key not in known:
            raise Refusal(404, "contact point not found")
        assert UID.fullmatch(body["uid"])
        provenance = "" if headers.get("X-Disable-Provenance") else "api"
        known[body["uid"]] = {**body, **({"provenance": provenance} if provenance else {})}
        return 202, known[body["uid"]]


@contextmanager
def grafana_server() -> Iterator[GrafanaServer]:
    """A running server on loopback."""
    grafana = GrafanaServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if grafana.moved:
                self.say(302, b"", ("Location", grafana.moved + self.path))
                return
            if grafana.drips:
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                with suppress(OSError):  # the other end has had enough
                    while not grafana.released.wait(0.05):
                        self.wfile.write(b" ")
                return
            if grafana.garbage is not None:
                self.say(200, grafana.garbage)
                return
            with grafana.lock:
                try:
                    status, said = grafana.answer(self.command, self.path, self.headers, raw)
                except Refusal as refusal:
                    status, said = refusal.status, refusal.body
            self.say(status, b"" if said is None else json.dumps(said).encode())

        def say(self, status: int, body: bytes, *more: tuple[str, str]) -> None:
            self.send_response(status)
            for key, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more):
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # the other end has had enough
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do  # noqa: N815 - http.server's names

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    grafana.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield grafana
    finally:
        grafana.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
