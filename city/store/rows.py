"""Rows of the city database to the city's types and back; nothing here runs a statement."""

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Row

from city.alarms import NO_FACTS, Alarm, AlarmKind, Severity
from city.commands import Command, Priority, State
from city.errors import Invalid
from city.ids import DevEui, GatewayId, TenantId
from city.orders import from_json, to_json
from city.places import Asset, Circuit, Device, Luminaire, ParkingBay, Restriction, Site, Street, Supply, Tenant
from city.quantities import Value
from city.reach import Ear
from city.readings import NO_CONFIG, DeviceState, Last, Lasts, lasts_index
from city.scripts import LeafMapping, Script
from city.store.database import plain
from city.store.ports import Account, Area, AuditLine, ConfigWish, DeadLetter, Role, Session, Token

R = Row[*tuple[Any, ...]]
_ENCODE = msgspec.json.Encoder().encode
_STATE = msgspec.json.Decoder(list[Any])
_MAPPING = msgspec.json.Decoder(LeafMapping)
_VARIABLES = msgspec.json.Decoder(dict[str, str])
_FACTS = msgspec.json.Decoder(dict[str, float | str])
_POINTS = msgspec.json.Decoder(tuple[tuple[float, float], ...])


def tenant(row: R) -> Tenant:
    return _town(row.id, row.name, row.latitude, row.longitude, row.chirpstack_tenant, row.land)


def tenant_row(town: Tenant) -> dict[str, object]:
    return {"id": town.id, "name": town.name, "latitude": town.site.latitude, "longitude": town.site.longitude,
            "chirpstack_tenant": town.chirpstack_tenant, "land": town.land}


def asset(row: R) -> Asset:
    return luminaire(row) if row.kind == "lamp" else bay(row)


def luminaire(row: R) -> Luminaire:
    return Luminaire(_one(row.tenant), row.id, row.name, Site(row.latitude, row.longitude), _one(row.zone),
                     _one(row.circuit), row.power_w, _one(row.lighting_class), Restriction(row.restriction), row.min_level,
                     _one(row.lighting_class_night), row.designed_value, row.lantern_ring, _one(row.luminaire_type))


def bay(row: R) -> ParkingBay:
    return ParkingBay(_one(row.tenant), row.id, row.name, Site(row.latitude, row.longitude), _one(row.zone),
                      Restriction(row.restriction), row.blocked)


def circuit(row: R) -> Circuit:
    return Circuit(row.tenant, row.id, row.name, row.delivery_point, Supply(row.supply))


def device(row: R) -> Device:
    return Device(row.dev_eui, _one(row.tenant), row.asset, _one(row.model))


def street(row: R) -> Street:
    return Street(row.name, _POINTS.decode(row.points))


def street_row(line: Street, position: int) -> dict[str, object]:
    return {"position": position, "name": line.name, "points": msgspec.json.encode(line.points).decode()}


def wish(row: R) -> ConfigWish:
    return ConfigWish(row.device, row.wanted, row.actor, row.at)


def audit_line(row: R) -> AuditLine:
    return AuditLine(row.at, row.actor, row.action, row.target, row.detail)


def audit_row(line: AuditLine) -> dict[str, object]:
    return {"at": line.at, "actor": plain(line.actor), "action": plain(line.action), "target": plain(line.target),
            "detail": plain(line.detail)}


def state(body: str, index_of: Callable[[str], dict[str, int]]) -> DeviceState:
    """Of a body as `state_body` writes it, or as it was written before shapes; `index_of` tells those (see Shapes)."""
    if body.startswith("{"):
        return _former(_FORMER.decode(body))
    said = _STATE.decode(body)
    if isinstance(said[7], list):
        return _named(said)
    (device, application, session, f_cnt, heard, gateway, missed, shape, values, ages, at, since, config, holes,
     counted, *later) = said
    times = [heard - age for age in ages]
    values = tuple([sys.intern(value) if value.__class__ is str else value for value in values])
    last = Lasts(index_of(shape), values, tuple([times[number] for number in at]),
                 tuple([times[number] for number in since]))
    return DeviceState(device, _one(application), session, f_cnt, heard, _one(gateway), missed, last, config or NO_CONFIG,
                       holes, counted, tuple([_ear(one) for one in later[0]]) if later else ())


def state_body(known: DeviceState, shape: str) -> str:
    """`shape`: the key of its names. The few times that its values have are said once."""
    last, heard = known.last, known.heard_ns
    times = tuple(dict.fromkeys(last.at + last.since))
    number_of = {time: number for number, time in enumerate(times)}.__getitem__
    at, since = list(map(number_of, last.at)), list(map(number_of, last.since))
    return _ENCODE((known.device, known.application_id, known.session, known.f_cnt, heard, known.gateway, known.missed,
                    shape, last.values, [heard - time for time in times], at, since,
                    dict(known.config), known.holes, known.counted_ns, known.reach)).decode()


def command(row: R) -> Command:
    return Command(row.id, row.tenant, row.device, row.asset, from_json(row.order_json), row.origin,
                   Priority(row.priority), row.created_at, row.expires_at, State(row.state), row.changed_at, row.sent_at,
                   row.attempts, row.holds_until, row.note, row.cast, row.quiet_until)


def command_row(order: Command, revision: int) -> dict[str, object]:
    return {"tenant": order.tenant, "id": order.id, "device": order.device, "asset": order.asset,
            "order_json": to_json(order.order).decode(), "origin": order.origin, "priority": order.priority.value,
            "created_at": order.created_at, "expires_at": order.expires_at, "state": order.state.value,
            "live": order.state.live, "changed_at": order.changed_at or order.created_at, "sent_at": order.sent_at,
            "attempts": order.attempts, "holds_until": order.holds_until, "note": plain(order.note), "cast": order.cast,
            "quiet_until": order.quiet_until, "revision": revision}


def alarm(row: R) -> Alarm:
    return Alarm(row.id, row.tenant, row.asset, AlarmKind(row.kind), row.began_at, row.ended_at, row.acknowledged_at,
                 row.acknowledged_by, Severity(row.severity), _FACTS.decode(row.facts) if row.facts != "{}" else NO_FACTS)


def alarm_row(condition: Alarm, revision: int) -> dict[str, object]:
    return {"tenant": condition.tenant, "id": condition.id, "asset": condition.asset, "kind": condition.kind.value,
            "began_at": condition.began_at, "ended_at": condition.ended_at,
            "acknowledged_at": condition.acknowledged_at, "acknowledged_by": condition.acknowledged_by,
            "severity": int(condition.severity), "facts": _json(dict(condition.facts)), "revision": revision}


def letter(row: R) -> DeadLetter:
    return DeadLetter(row.id, row.received_at, row.topic, row.payload, row.reason, row.detail, row.tenant, row.times)


def letter_row(dead: DeadLetter) -> dict[str, object]:
    return {"id": dead.id, "tenant": dead.tenant, "received_at": dead.received_at, "topic": plain(dead.topic),
            "payload": dead.payload, "reason": plain(dead.reason), "detail": plain(dead.detail), "times": dead.count}


def script(row: R) -> Script:
    return Script(tenant=row.tenant, model=row.model, title=row.title, asset=row.asset, source=row.source,
                  mapping=_MAPPING.decode(row.mapping), vendor=row.vendor, device_class=row.device_class,
                  heartbeat=timedelta(microseconds=row.heartbeat_us), max_minutes=row.max_minutes,
                  normalized=row.normalized, variables=_VARIABLES.decode(row.variables), off=row.off,
                  changed_at=row.changed_at, changed_by=row.changed_by)


def script_row(own: Script) -> dict[str, object]:
    return {"tenant": own.tenant, "model": own.model, "title": plain(own.title), "asset": own.asset,
            "source": plain(own.source), "mapping": _json(own.mapping), "vendor": plain(own.vendor),
            "device_class": plain(own.device_class)[:16], "heartbeat_us": own.heartbeat // timedelta(microseconds=1),
            "max_minutes": own.max_minutes, "normalized": own.normalized, "variables": _json(own.variables),
            "off": plain(own.off), "changed_at": own.changed_at, "changed_by": plain(own.changed_by)}


def account(row: R) -> Account:
    return Account(row.name, Role(row.role), row.tenant, row.password_hash, _areas(row.areas))


def session(row: R) -> Session:
    return Session(row.digest, row.account, row.csrf, row.expires_at)


def token(row: R) -> Token:
    return Token(row.prefix, row.name, Role(row.role), row.tenant, row.digest, row.created_at, row.expires_at,
                 _areas(row.areas))


def areas_text(areas: frozenset[Area]) -> str:
    """As kept: their names in order, with commas."""
    return ",".join(sorted(area.value for area in areas))


def _areas(text: str) -> frozenset[Area]:
    return frozenset(Area(name) for name in text.split(",") if name)


@lru_cache(maxsize=1024)
def _town(id: TenantId, name: str, latitude: float, longitude: float, chirpstack_tenant: str, land: str) -> Tenant:
    """The same object, kept once for all devices of the town."""
    return Tenant(id, name, Site(latitude, longitude), chirpstack_tenant, land)


def _ear(said: list[Any]) -> Ear:
    gateway, rssi, snr, at_ns = said
    return Ear(_one(gateway), rssi, snr, at_ns)


def _one(text: Any) -> Any:  # noqa: ANN401 - as a row's columns are
    """The same text, kept once for all who have it: a town's lamps are a hundred thousand, its zones a few."""
    return text if text is None else sys.intern(text)


def _named(said: list[Any]) -> DeviceState:
    """A body of version 0005, with its names in it and an age for each value."""
    (device, application, session, f_cnt, heard, gateway, missed, names, values, ages, old, config, holes,
     counted) = said
    last = Lasts(lasts_index(tuple(names)), tuple(values), tuple([heard - age for age in ages]),
                 tuple([heard - age for age in old]))
    return DeviceState(device, _one(application), session, f_cnt, heard, _one(gateway), missed, last, config or NO_CONFIG,
                       holes, counted)


class _FormerLast(msgspec.Struct):
    value: Value
    at_ns: int


class _FormerState(msgspec.Struct):
    device: DevEui
    application_id: str = ""
    session: str = ""
    f_cnt: int = -1
    heard_ns: int = 0
    gateway: GatewayId | None = None
    missed: int = 0
    last: dict[str, _FormerLast] = {}
    since_ns: dict[str, int] = {}
    config: dict[str, str] = {}


def _former(was: _FormerState) -> DeviceState:
    last = Lasts.of({name: Last(one.value, one.at_ns, was.since_ns.get(name, one.at_ns)) for name, one in was.last.items()})
    return DeviceState(was.device, was.application_id, was.session, was.f_cnt, was.heard_ns, was.gateway, was.missed, last,
                       was.config)


_FORMER = msgspec.json.Decoder(_FormerState)


def _json(value: object) -> str:
    """Raises Invalid where it holds half of a character, or a number that JSON cannot say."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise Invalid("The database cannot hold this value.", field="mapping", rule="data") from error
