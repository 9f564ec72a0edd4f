"""The door to Grafana: reads what is there and carries out the steps of dashboards.plan, over grafana-client.

Only addresses that Grafana 11, 12 and 13 all have, by UID. A redirect is an error, for it would carry the secret to whoever it
names. What answers is not trusted: bounded in size and time, and what is not as Grafana's API describes it is no answer. No
message of this module has a secret in it.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import urlsplit

import niquests
from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaException, GrafanaTimeoutError

from city.errors import Invalid, Unavailable
from city.grafana import uid
from city.settings import Secret
from dashboards.grafana_http import MAX_ANSWER, Bounded, Redirected, TooMuch, address, shown
from dashboards.plan import Do, Found, FoundBoard, Org, OrgStep, Step
from dashboards.render import Json
from dashboards.wanted import MAIN_ORG, TOWN, Kind, Place, Thing, digest

PAGE = 1000
OLDEST = 11
MAX_WORDS = 300


class GrafanaDown(Unavailable):
    """Grafana does not answer, or not as itself."""


class GrafanaRefuses(Unavailable):
    """Grafana answers, and does not do it. `status` is its own."""

    def __init__(self, message: str, *, status: int, **facts: object) -> None:
        super().__init__(message, status=status, **facts)
        self.status = status


class NoMember(GrafanaRefuses):
    """We are nobody in that organisation."""


class Limits(NamedTuple):
    """Seconds to wait for the next bytes, and for a whole answer."""

    read_s: float = 30.0
    whole_s: float = 60.0


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who we are in Grafana: a server administrator (user and password), or a service account of one organisation (token)."""

    url: str
    user: str = ""
    password: Secret = Secret()
    token: Secret = Secret()
    ca_file: str = ""

    @property
    def whole_server(self) -> bool:
        """Whether organisations can be made and changed: Grafana lets no token do so."""
        return bool(self.user)

    @property
    def is_overheard(self) -> bool:
        """Whether others on the way can read along: http, and not on this machine."""
        host, _, _ = address(self.url)
        return self.url.startswith("http:") and host not in ("localhost", "127.0.0.1", "::1")


class Grafana:
    """One Grafana, seen from one organisation (0: the one that it lets us in at). Methods raise GrafanaDown, GrafanaRefuses."""

    def __init__(self, sign_in: SignIn, *, org: int = 0, limits: Limits = LIMITS) -> None:
        """Nothing is sent yet. Raises Invalid where the address is none, or nobody is named."""
        host, port, path = address(sign_in.url)
        if not sign_in.user and not sign_in.token:
            raise Invalid("Who are we in Grafana? Give a server administrator (grafana.user, grafana.password) or a service "
                          "account's token (grafana.token).", field="grafana.user", rule="user or token")
        self._sign_in, self._limits, self.org = sign_in, limits, org
        credential = (sign_in.user, sign_in.password.reveal()) if sign_in.user else sign_in.token.reveal()
        # the library writes the host into an address as it is
        self._api: Any = GrafanaApi(
            credential, host=f"[{host}]" if ":" in host else host, port=port, url_path_prefix=path,
            protocol=urlsplit(sign_in.url).scheme, verify=sign_in.ca_file or True, timeout=limits.read_s,
            organization_id=org or None)
        known = self._api.client.s
        session = Bounded(limits.whole_s)
        session.headers.update(known.headers)
        known.close()
        self._api.client.s = session

    def close(self) -> None:
        """Let the connections go."""
        self._api.client.s.close()

    def inside(self, org: int) -> "Grafana":
        """The same Grafana, seen from another organisation. Raises NoMember where we are none of it: Grafana would then answer
        for another one."""
        other = Grafana(self._sign_in, org=org, limits=self._limits)
        try:
            if other.current().number != org:
                raise NoMember("In organisation {org} the user {user} is nobody: make it an Admin there.", status=403, org=org,
                               user=self._sign_in.user)
        except BaseException:
            other.close()
            raise
        return other

    def version(self) -> str:
        """Grafana's. Raises GrafanaRefuses where it is older than 11."""
        said = self._get("/health").get("version")
        version = said if isinstance(said, str) else ""
        major = version.partition(".")[0]
        if major.isdecimal() and int(major) < OLDEST:
            raise GrafanaRefuses("This is Grafana {version}; boards and rules need {oldest} or newer.", status=404,
                                 version=version[:20], oldest=OLDEST)
        return version[:40]

    def current(self) -> Org:
        """The organisation that we are in, without its towns."""
        return _org(self._get("/org"))

    def orgs(self) -> list[Org]:
        """All organisations with their towns; with a token only its own."""
        if not self._sign_in.whole_server:
            org = self.current()
            return [replace(org, towns=self.towns())]
        found = []
        for org in map(_org, self._pages("/orgs", "perpage", first=0)):
            try:
                with closing(self.inside(org.number)) as inside:
                    found.append(replace(org, towns=inside.towns()))
            except NoMember:
                found.append(replace(org, seen=False))
        return found

    def towns(self) -> frozenset[str]:
        """The towns that have a data source of ours in our organisation."""
        return frozenset(town for source in self._list("/datasources") if isinstance(data := source.get("jsonData"), dict)
                         and isinstance(town := data.get(TOWN), str))

    def found(self, place: Place) -> Found:
        """What is in our organisation that may concern a place."""
        own = uid(place.tenant, "folder")
        folders = {one["uid"]: one for one in self._pages("/folders", "limit") if isinstance(one.get("uid"), str)}
        rules = {one["uid"]: one for one in self._list("/v1/provisioning/alert-rules") if isinstance(one.get("uid"), str)}
        boards = {key: self._board(key) for key in self._tagged("stadtfunk")}
        others = 0
        if own in folders:
            inside = [one for one in self._pages("/search", "limit", folderUIDs=own) if one.get("uid") not in boards]
            others = len(inside) + sum(rule.get("folderUID") == own and not key.startswith("stadtfunk-")
                                       for key, rule in rules.items())
        return Found(
            sources={one["uid"]: one for one in self._list("/datasources") if isinstance(one.get("uid"), str)},
            folders=folders, boards={key: board for key, board in boards.items() if board is not None}, rules=rules,
            contacts={one["uid"]: one for one in self._list("/v1/provisioning/contact-points") if one.get("uid")},
            others={own: others} if others else {})

    def carry_out(self, step: Step, place: Place) -> None:
        """One step in our organisation."""
        if step.do is Do.REMOVE:
            self._remove(step.kind, step.uid)
        elif step.thing is not None and step.do in (Do.MAKE, Do.CHANGE):
            self._save(step.thing, place, new=step.do is Do.MAKE)

    def organise(self, step: OrgStep) -> int:
        """Make, rename or remove an organisation; returns its number."""
        organisations = self._api.organizations
        with self._asking():
            match step.do:
                case Do.MAKE:
                    made = self._api.organization.create_organization(step.name)
                    return _number(made.get("orgId") if isinstance(made, dict) else None)
                case Do.CHANGE:
                    organisations.update_organization(step.number, {"name": step.name})
                case Do.REMOVE if step.number != MAIN_ORG:
                    organisations.delete_organization(step.number)
        return step.number

    def _save(self, thing: Thing, place: Place, *, new: bool) -> None:
        alerting = self._api.alertingprovisioning
        with self._asking():
            match thing.kind:
                case Kind.SOURCE:
                    body = {**thing.body, "secureJsonData": {key: value.reveal() for key, value in thing.secret.items()}}
                    if new:
                        self._api.datasource.create_datasource(body)
                    else:
                        self._api.datasource.update_datasource_by_uid(thing.uid, body)
                case Kind.FOLDER if new:
                    self._api.folder.create_folder(thing.title, uid=thing.uid)
                case Kind.FOLDER:
                    self._api.folder.update_folder(thing.uid, title=thing.title, overwrite=True)
                case Kind.BOARD:
                    self._api.dashboard.update_dashboard({
                        "dashboard": {**thing.body, "id": None}, "folderUid": uid(place.tenant, "folder"), "overwrite": True,
                        "message": f"stadtfunk {digest(thing.body)}"})
                case Kind.CONTACT if new:
                    alerting.create_contactpoint(thing.body, disable_provenance=True)
                case Kind.CONTACT:
                    alerting.update_contactpoint(thing.uid, thing.body, disable_provenance=True)
                case Kind.RULE if new:
                    alerting.create_alertrule({**thing.body, "orgID": self.org}, disable_provenance=True)
                case Kind.RULE:
                    alerting.update_alertrule(thing.uid, {**thing.body, "orgID": self.org}, disable_provenance=True)

    def _remove(self, kind: Kind, key: str) -> None:
        alerting = self._api.alertingprovisioning
        remove = {Kind.SOURCE: self._api.datasource.delete_datasource_by_uid, Kind.FOLDER: self._api.folder.delete_folder,
                  Kind.BOARD: self._api.dashboard.delete_dashboard, Kind.CONTACT: alerting.delete_contactpoint,
                  Kind.RULE: alerting.delete_alertrule}
        try:
            with self._asking():
                remove[kind](key)
        except GrafanaRefuses as error:
            if error.status != 404:  # … it is gone already
                raise

    def _board(self, key: str) -> FoundBoard | None:
        try:
            said = self._get(f"/dashboards/uid/{key}")
        except GrafanaRefuses as error:
            if error.status == 404:  # removed since we searched
                return None
            raise
        body, meta = said.get("dashboard"), said.get("meta")
        if not _is_shaped(body) or not isinstance(meta, dict):
            raise GrafanaDown("Grafana's answer is not as its API says ({path}).", path="/dashboards/uid")
        answer = self._ask(f"/dashboards/uid/{key}/versions", limit=1)
        versions = answer.get("versions") if isinstance(answer, dict) else answer  # a list until Grafana 11
        newest = versions[0] if isinstance(versions, list) and versions and isinstance(versions[0], dict) else {}
        return FoundBoard(body, str(meta.get("folderUid") or ""), meta.get("provisioned") is True,
                          str(newest.get("message") or ""), str(newest.get("createdBy") or meta.get("updatedBy") or ""))

    def _tagged(self, tag: str) -> list[str]:
        found = self._pages("/search", "limit", type="dash-db", tag=tag)
        return [key for one in found if isinstance(key := one.get("uid"), str) and key.startswith("stadtfunk-") and key.isascii()
                and key.replace("-", "").replace("_", "").isalnum()]

    def _pages(self, path: str, size: str, *, first: int = 1, **query: object) -> list[Json]:
        every: list[Json] = []
        for page in range(first, first + 100):
            part = self._list(path, **{size: PAGE, "page": page, **query})
            every += part
            if len(part) < PAGE:
                break
        return every

    def _list(self, path: str, **query: object) -> list[Json]:
        said = self._ask(path, **query)
        if not isinstance(said, list) or not all(map(_is_shaped, said)):
            raise GrafanaDown("Grafana's answer is not as its API says ({path}).", path=path)
        return said

    def _get(self, path: str) -> Json:
        said = self._ask(path)
        if not isinstance(said, dict):
            raise GrafanaDown("Grafana's answer is not as its API says ({path}).", path=path)
        return said

    def _ask(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        with self._asking():
            return self._api.client.GET(path, params=query)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """What may go wrong as a sentence each."""
        try:
            yield
        except GrafanaTimeoutError as error:
            raise GrafanaDown("Grafana does not answer in time.") from error
        except GrafanaException as error:
            raise self._refused(int(error.status_code or 0), _words(error)) from None
        except Redirected as error:
            raise GrafanaDown("Grafana sends us on to {where}: is grafana.url its own address (http or https, path)?",
                              where=error.where) from None
        except TooMuch:
            raise GrafanaDown("Grafana's answer is larger than {most} MB, or comes too slowly.",
                              most=MAX_ANSWER // 2**20) from None
        except (niquests.exceptions.RequestException, OSError) as error:
            # an error's text may repeat the request, and that has the secret in it
            raise GrafanaDown("Grafana does not answer at {where}: {what}", where=shown(self._sign_in.url),
                              what=type(error).__name__) from None
        except (ValueError, RecursionError) as error:
            raise GrafanaDown("What answers at {where} is no Grafana.", where=shown(self._sign_in.url)) from error

    def _refused(self, status: int, words: str) -> Unavailable:
        whom = "user and password" if self._sign_in.whole_server else "the token"
        sentences = {
            0: "Grafana does not answer: {words}",
            401: "Grafana does not know us: {whom} are wrong, or basic auth is off in it (401).",
            403: "Grafana does not allow it (403): {words}. Organisations need a server administrator (grafana.user), everything "
                 "else the role Admin in the organisation.",
            404: "Grafana has no such address or thing (404): {words}. Is grafana.url right, and Grafana 11 or newer?",
            409: "It contradicts what people have made there (409): {words}",
            412: "Somebody has changed it in Grafana at the same moment (412): {words}. Look at the plan again.",
        }
        sentence = sentences.get(status, "Grafana fails ({status}): {words}" if status >= 500
                                 else "Grafana refuses it ({status}): {words}")
        if status in (0, *range(500, 600)):
            return GrafanaDown(sentence, status=status, words=words)
        return GrafanaRefuses(sentence, status=status, words=words, whom=whom)


def _is_shaped(one: object) -> TypeGuard[Json]:
    """Whether it is an object whose parts that dashboards.plan looks into are what they should be, where it has them."""
    if not isinstance(one, dict):
        return False
    objects = (one.get(key) for key in ("jsonData", "labels", "annotations", "settings"))
    tags, panels = one.get("tags") or [], one.get("panels") or []
    return (all(part is None or isinstance(part, dict) for part in objects)
            and isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
            and isinstance(panels, list) and all(map(_is_shaped, panels)))


def _org(said: Mapping[str, Any]) -> Org:
    name = said.get("name")
    return Org(_number(said.get("id")), name if isinstance(name, str) else "")


def _number(said: object) -> int:
    if isinstance(said, str) and said.isdecimal() and said.isascii():
        return int(said)
    if isinstance(said, int) and not isinstance(said, bool):
        return said
    raise GrafanaDown("Grafana's answer is not as its API says ({path}).", path="/org")


def _words(error: GrafanaException) -> str:
    said = error.response.get("message") if isinstance(error.response, dict) else error.response
    text = "".join(char if char.isprintable() else " " for char in str(said or "no word"))
    return " ".join(text.split())[:MAX_WORDS].rstrip(".")
