"""What there should be in Grafana: for each town an organisation with data sources, folder, boards, alert rules and contact
points, and the platform's own in Grafana's main organisation. Pure; dashboards.plan compares it with what is there."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import urlsplit

from city import ids
from city.errors import Invalid
from city.grafana import uid
from city.ids import TenantId
from city.quantities import Quantity
from city.settings import Influx, Secret
from city.store.aggregates import settings_of, spans
from city.store.influx_bays import bays_settings
from city.store.influx_places import of_platform, of_town
from dashboards.alerts import panel_of, platform_rules, rule_json, town_rules
from dashboards.board import Language
from dashboards.boards import BOARDS, PLATFORM
from dashboards.render import Json, dashboard

PREFIX = "stadtfunk-"  # of every UID that is ours
TOWN, FINGERPRINT = "stadtfunkTown", "stadtfunkSecret"  # in a data source's jsonData: whose it is, and which secret it has
PLATFORM_TOWN = "*"  # stands for the platform where towns are named; no town is called so
MAIN_ORG = 1
_MAIL = re.compile(r"[^\s@,;<>\"']{1,64}@[A-Za-z0-9.-]{1,190}")
_SCRYPT_N = 2**14


class Kind(Enum):
    """What a thing is, in the order in which things are made; they are removed the other way round."""

    CONTACT = "contact point"
    SOURCE = "data source"
    FOLDER = "folder"
    BOARD = "board"
    RULE = "alert rule"


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of Grafana: `body` is what is sent. `secret` goes with it and is never shown."""

    kind: Kind
    uid: str
    title: str
    body: Json = field(repr=False)
    secret: Mapping[str, Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation and what should be in it; `tenant` None: the platform's."""

    tenant: TenantId | None
    name: str
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How Grafana reaches InfluxDB: its address, buckets by the settings, and each town's secret: user:password (1.x), a token
    (2.x, 3.x), or none."""

    url: str
    influx: Influx
    secrets: Mapping[str, Secret]

    def secret(self, tenant: TenantId | None) -> Secret:
        """Of a town, or of the platform."""
        return self.secrets.get(tenant or PLATFORM_TOWN, Secret())


@dataclass(frozen=True, slots=True)
class Contacts:
    """Who is told of a town's alerts."""

    mails: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()


NOBODY = Contacts()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is the same for every town: language of titles, and the platform's own address."""

    language: Language
    console: str
    reading: Reading
    contacts: Mapping[str, Contacts]


def town_place(tenant: TenantId, name: str, wishes: Wishes) -> Place:
    """What a town should have in its organisation."""
    buckets = town_buckets(wishes.reading.influx, tenant)
    sources = _sources(tenant, {key: (f"stadtfunk {tenant}{'' if key == 'influxdb' else f' {key}'}", bucket)
                                for key, bucket in buckets.items()}, wishes.reading)
    boards = [dashboard(make(tenant, console=wishes.console), wishes.language) for make in BOARDS]
    rules = [rule_json(rule, tenant=tenant, language=wishes.language, source=uid(tenant, "influxdb"),
                       panel=_panel(boards, uid(tenant, rule.board), rule.figure), console=wishes.console,
                       contact=_contact_name(tenant, wishes))
             for rule in town_rules(tenant, step_s=wishes.reading.influx.figures_s)]
    return Place(tenant, name, _things(tenant, name, wishes, sources, boards, rules))


def platform_place(wishes: Wishes) -> Place:
    """What the platform should have in Grafana's main organisation."""
    sources = _sources(None, {"influxdb": ("stadtfunk platform", of_platform(wishes.reading.influx).bucket)}, wishes.reading)
    board = dashboard(PLATFORM(console=wishes.console), wishes.language)
    rules = [rule_json(rule, tenant=None, language=wishes.language, source=uid(None, "influxdb"),
                       panel=panel_of(board, rule.figure), console=wishes.console, contact=_contact_name(None, wishes))
             for rule in platform_rules(step_s=wishes.reading.influx.figures_s)]
    title = "stadtfunk: Plattform" if wishes.language == "de" else "stadtfunk: platform"
    return Place(None, title, _things(None, title, wishes, sources, [board], rules))


def town_buckets(influx: Influx, tenant: TenantId) -> dict[str, str]:
    """The bucket behind each of a town's data sources, by the source's name."""
    own = of_town(influx, tenant)
    return {"influxdb": own.bucket, **{span.name: settings_of(span, own).bucket for span in spans(own)},
            "bays": bays_settings(own).bucket}


def fingerprint(secret: Secret, salt: str) -> str:
    """By which it is known whether a data source has this secret, for Grafana never shows one again. Everybody who sees the data
    source sees it, so it is slow to compute and says little: 32 bits of scrypt."""
    if not secret:
        return ""
    return hashlib.scrypt(secret.reveal().encode(), salt=salt.encode(), n=_SCRYPT_N, r=8, p=1, dklen=4).hex()


def digest(body: Json) -> str:
    """By which a board is known as the one that we saved last: it stands in the message of that version."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def contacts(said: str) -> dict[str, Contacts]:
    """`grafana.contacts`: town=address pairs, separated by commas. Raises Invalid, without the addresses, which may be secret."""
    found: dict[str, Contacts] = {}
    for number, part in enumerate(filter(None, (part.strip() for part in said.split(","))), 1):
        town, _, address = (word.strip() for word in part.partition("="))
        key = town if town == PLATFORM_TOWN else ids.tenant_id(town)
        known = found.get(key, NOBODY)
        if _MAIL.fullmatch(address):
            known = replace(known, mails=(*known.mails, address))
        elif _is_webhook(address):
            known = replace(known, webhooks=(*known.webhooks, address))
        else:
            raise Invalid("Contact {number} of “{town}” is neither an e-mail address nor http(s)://….", field="grafana.contacts",
                          rule="town=address", number=number, town=town[:40])
        found[key] = known
    return found


def contact_things(tenant: TenantId | None, contacts: Contacts) -> list[Thing]:
    """Contact points, all of one name, so that a rule reaches every one of them."""
    name = contact_name(tenant)
    bodies: list[Json] = []
    if contacts.mails:
        bodies.append({"uid": uid(tenant, "email"), "type": "email",
                       "settings": {"addresses": ";".join(contacts.mails), "singleEmail": True}})
    bodies += [{"uid": uid(tenant, f"webhook{number}"), "type": "webhook", "settings": {"url": address, "httpMethod": "POST"}}
               for number, address in enumerate(contacts.webhooks, 1)]
    return [Thing(Kind.CONTACT, body["uid"], f"{name} ({body['type']})", {"name": name, "disableResolveMessage": False, **body})
            for body in bodies]


def contact_name(tenant: TenantId | None) -> str:
    """The name that a town's rules say."""
    return f"stadtfunk {tenant or 'platform'}"


def names(towns: Iterable[tuple[TenantId, str]]) -> dict[TenantId, str]:
    """The name of each town's organisation: the town's own; Grafana has each name once, so namesakes get their id behind it."""
    known = list(towns)
    said = [name for _, name in known]
    return {tenant: name if said.count(name) == 1 else f"{name} ({tenant})" for tenant, name in known}


def _sources(tenant: TenantId | None, named: Mapping[str, tuple[str, str]], reading: Reading) -> list[Thing]:
    """Data sources (name and bucket of each): InfluxQL, asked by Grafana's server and not by people's browsers."""
    secret = reading.secret(tenant)
    user, colon, password = secret.reveal().partition(":")
    header = bool(secret) and not colon
    kept = {"password": Secret(password)} if colon else {"httpHeaderValue1": Secret(f"Token {user}")} if header else {}
    mark = fingerprint(secret, uid(tenant, "influxdb"))
    found = []
    for key, (name, bucket) in named.items():
        data: Json = {"version": "InfluxQL", "dbName": bucket, "httpMode": "POST", TOWN: str(tenant or PLATFORM_TOWN),
                      FINGERPRINT: mark, **({"httpHeaderName1": "Authorization"} if header else {})}
        body: Json = {"name": name, "uid": uid(tenant, key), "type": "influxdb", "access": "proxy", "url": reading.url,
                      "user": user if colon else "", "isDefault": False, "jsonData": data}
        found.append(Thing(Kind.SOURCE, body["uid"], name, body, kept))
    return found


def _things(tenant: TenantId | None, folder: str, wishes: Wishes, sources: Sequence[Thing], boards: Sequence[Json],
            rules: Sequence[Json]) -> tuple[Thing, ...]:
    own = uid(tenant, "folder")
    return (*contact_things(tenant, wishes.contacts.get(tenant or PLATFORM_TOWN, NOBODY)), *sources,
            Thing(Kind.FOLDER, own, folder, {"uid": own, "title": folder}),
            *(Thing(Kind.BOARD, body["uid"], body["title"], body) for body in boards),
            *(Thing(Kind.RULE, body["uid"], body["title"], body) for body in rules))


def _contact_name(tenant: TenantId | None, wishes: Wishes) -> str:
    return contact_name(tenant) if (tenant or PLATFORM_TOWN) in wishes.contacts else ""


def _panel(boards: Sequence[Json], board: str, figure: Quantity) -> int | None:
    found = next((body for body in boards if body["uid"] == board), None)
    return None if found is None else panel_of(found, figure)


def _is_webhook(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and len(address) <= 2000
    except ValueError:
        return False
