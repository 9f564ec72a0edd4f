"""No town sees another: every route and every TenantStore method, asked from outside, shows and changes nothing.

Driven from the application's own routes and the port's own methods, so that a new one is covered without being named.
"""

import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from api import auth
from api.app import create_app
from api.pages.addresses import paths
from city import lighting
from city.alarms import AlarmKind, Severity, begin
from city.budget import Spent
from city.clock import ManualClock
from city.commands import Command, Priority, command
from city.energy import LampNight, Used
from city.errors import CityError, Conflict, Forbidden, NotFound
from city.expected import Typical
from city.factors import Factor, FactorKind
from city.groups import Group, Target
from city.ids import AssetId, CircuitId, DevEui, GatewayId, GroupId, OverrideId, TenantId, ZoneId
from city.imports import parse
from city.incidents import Cause, Deed, incident
from city.lighting import Override
from city.multicast import CastRun, GroupWish, Member, Membership, RadioGroup
from city.notices import About, Channel, Delivery, Way
from city.orders import SetLevel
from city.places import Circuit, Site, Street, Tenant
from city.programs import GANZNACHT, SHIPPED, STANDARD
from city.readings import DeviceState, to_ns
from city.scripts import LeafMapping, Rule, Script
from city.settings import Settings
from city.store.opening import open_store
from city.store.port_air import AirChanges
from city.store.port_parking import ParkingStore
from city.store.ports import Account, AuditLine, ConfigWish, DeadLetter, Facts, Role, Store, TenantStore
from city.store.readings import LocalLog
from decoders.catalog import catalog
from tests.laws import parked
from tests.stores import new_store

NOW = datetime(2026, 3, 2, 22, tzinfo=UTC)
MINE, OTHER = TenantId("alt"), TenantId("neu")
PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
PUBLIC = {"/api/v1/openapi.json", "/static/{path:path}"}  # routes that are no handlers of ours
BODIES: dict[str, object] = {
    "acts": {"deed": "note", "text": "x"}, "channels": {"name": "x", "address": "a@example.org"},
    "override": {"level": 40, "minutes": 60}, "close": {"outcome": "x"}, "parking-sites": {}, "parking-town": {},
    "blocks": {"zone": "SECRET-platz", "end": "2026-03-03T00:00:00Z", "reason": "x"}, "config": {"fallback_level": 50},
    "programs": {"name": "x", "on": {"at": {"anchor": "sunset"}, "level": 90}, "off": {"at": {"anchor": "sunrise"}, "level": 0}},
    "calendars": {"name": "x", "default": "ganznacht"}, "assignments": {"target": "zone:SECRET-zone", "calendar": "ganznacht"},
    "circuits": {"name": "x"}, "groups": {"name": "x", "members": ["SECRET-L1"]},
    "overrides": {"targets": ["lamp:SECRET-L1"], "level": 40, "minutes": 60},
    "check": {"targets": ["lamp:SECRET-L1"], "level": 40, "minutes": 60}}
MADE = {"programs", "calendars", "groups"}  # a town makes its own under any name
QUERY = {"asset": "SECRET-L1", "quantity": "lamp.level", "from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}


@dataclass(frozen=True)
class World:
    """Two towns; everything in Neustadt has a name that Altstadt must never read."""

    store: Store
    log: LocalLog
    override: Override
    order: Command
    alarm: str

    @cached_property
    def app(self) -> FastAPI:
        return create_app(self.store, self.log, ManualClock(NOW), Settings())


def _populate(store: Store, id: TenantId, seed: str, mark: str) -> tuple[Override, Command, str]:
    store.put_tenant(Tenant(id, "Stadt", Site(51.0, 8.1)))
    town = store.tenant(id)
    rows, problems = parse((HEAD + f"{mark}-L1,lamp,{mark} Lampe,51,8,{mark}-zone,K,{seed}000000000000001,nas/ul20xx,40,,\n"
                            f"{mark}-B1,bay,{mark} Platz,51,8,{mark}-platz,,{seed}000000000000002,bosch/tps110,,,\n"
                            ).encode(), set(catalog()))
    assert not problems
    town.import_rows(rows)
    lamp, device = town.luminaires()[0], town.device_of(AssetId(f"{mark}-L1")).dev_eui
    wish = lighting.override(id=OverrideId(f"{seed * 8}-0000-4000-8000-000000000000"), tenant=id, level=40,
                             targets=[Target("lamp", lamp.id), Target("zone", lamp.zone)],
                             until=NOW + timedelta(hours=2), actor=mark, now=NOW, reason=mark)
    town.add_override(wish)
    order = command(tenant=id, device=device, asset=lamp.id, order=SetLevel(40, 60), origin=f"override:{wish.id}",
                    priority=Priority.OVERRIDE, now=NOW, expires_at=NOW + timedelta(minutes=5))
    alarm = begin(id, lamp.id, AlarmKind.LAMP_FAILURE, NOW)
    store.commit(Facts(commands=(order,), alarms=(alarm,), states=(DeviceState(device, heard_ns=to_ns(NOW)),),
                       letters=(DeadLetter(f"{mark}-letter", NOW, mark, b"x", "Truncated", mark, id),)))
    trouble = incident(id, Cause.ASSET, lamp.id, NOW, Severity.MAJOR, assets=(lamp.id,), kinds=(AlarmKind.LAMP_FAILURE,))
    store.put_incidents(id, [replace(trouble, id=f"{mark}-fault")])
    town.act(f"{mark}-fault", Deed.NOTE, mark, mark, NOW)
    town.put_channel(Channel(f"{mark}-channel", id, mark, Way.MAIL, f"{mark}@example.org", secret=mark * 4, changed_at=NOW))
    store.put_deliveries(id, [Delivery(f"{mark}-delivery", id, f"{mark}-channel", About.BEGAN, NOW, ())])
    store.put_learnt(id, {(mark, 50): Typical((1.0,), 5)})
    town.put_config_wish(ConfigWish(device, b'{"fallback_level":77}', mark, NOW))
    town.put_streets([Street(f"{mark} Straße", ((8.0, 51.0), (8.1, 51.1)))])
    town.put_script(_script(id, mark))
    town.audit(AuditLine(NOW, mark, mark, mark))
    town.put_factor(Factor(FactorKind.PRICE, NOW.date(), 0.4, mark), mark, NOW)
    store.book_nights(id, [LampNight(lamp.id, NOW.date(), lamp.zone, lamp.circuit, Used(300))], NOW)
    town.put_group_wish(GroupWish(Target("zone", lamp.zone), mark, NOW))
    store.commit(Facts(air=_air(id, mark, device)))
    parked.fill(store, id, mark, NOW)
    for role in Role:
        store.put_account(Account(f"{id}-{role.value}", role, id, HASH))
    return wish, order, alarm.id


def _air(tenant: TenantId, mark: str, device: DevEui) -> AirChanges:
    group = RadioGroup(tenant, f"{mark}-group", Target("zone", f"{mark}-zone"), "nas/ul20xx", mark, 1, 1, "01020304")
    run = CastRun(f"{mark}-cast", tenant, group.id, mark, Priority.OVERRIDE, SetLevel(40, 60), 1, 3, 0.1, NOW, NOW, NOW)
    return AirChanges((group,), members=((tenant, Member(group.id, device, Membership.TOLD)),), casts=(run,),
                      spent=((tenant, Spent(GatewayId(f"{mark}-gateway"), "P", NOW, 0.1)),))


def _script(tenant: TenantId, mark: str) -> Script:
    return Script(tenant, f"{mark.lower()}/x1", f"{mark} Skript", "lamp", f"// {mark}", LeafMapping(
        rules=(Rule(leaf=mark, quantity="lamp.power"),)), changed_by=mark)


@pytest.fixture(scope="module")
def populated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Override, Command, str]]:
    """A database with both towns, made once and copied for each test, and what Neustadt has in it."""
    file = tmp_path_factory.mktemp("towns") / "city.db"
    store = new_store(file)
    _populate(store, MINE, "a", "OWN")
    theirs = _populate(store, OTHER, "b", "SECRET")
    store.close()
    return file, theirs


@pytest.fixture
def world(populated: tuple[Path, tuple[Override, Command, str]], tmp_path: Path) -> Iterator[World]:
    template, theirs = populated
    shutil.copy(template, tmp_path / "city.db")
    store, log = open_store(f"sqlite:///{tmp_path}/city.db"), LocalLog(tmp_path / "log")
    yield World(store, log, *theirs)
    log.close()
    store.close()


# --- routes -----------------------------------------------------------------------------------------------------------


def _guards(dependant: Dependant) -> list[object]:
    found = [dependant.call] if hasattr(dependant.call, "role") else []
    return found + [guard for child in dependant.dependencies for guard in _guards(child)]


def _routes(app: FastAPI) -> list[tuple[str, str, list[object]]]:
    """Every (method, path pattern, guards) that the application answers."""
    found = []
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            found += [(method, str(route.path), _guards(route.dependant)) for method in route.methods or ()
                      if method != "HEAD"]
        else:
            found.append(("GET", str(route.path), []))
    return found


def test_every_route_declares_who_may_call_it(world: World) -> None:
    """Deny by default: a route without exactly one kind of guard does not pass; what is public says so itself."""
    for method, path, guards in _routes(world.app):
        if path in PUBLIC or path.startswith("/static"):
            continue
        roles = {getattr(guard, "role", None) for guard in guards}
        assert guards, f"{method} {path} declares no role"
        assert len(roles) == 1, f"{method} {path} declares several roles: {roles}"


def test_every_change_needs_at_least_an_operator(world: World) -> None:
    """But a resident's “stimmt nicht?”, which changes nothing that anybody reads but the staff."""
    for method, path, guards in _routes(world.app):
        if path in paths("parking-doubt"):
            continue
        if method in ("PUT", "POST", "DELETE", "PATCH") and "{tenant}" in path:
            role = getattr(guards[0], "role", None)
            assert role in (Role.OPERATOR, Role.ENGINEER, Role.ADMIN), f"{method} {path} is open to {role}"


def _fill(path: str, world: World, tenant: str) -> str:
    """The address of Neustadt's own things behind a pattern."""
    parts = {"tenant": tenant, "zone": "SECRET-zone", "asset": "SECRET-L1", "id": world.override.id, "lamp": "SECRET-L1",
             "path": "x"}
    if "/bays/" in path:
        parts["asset"] = "SECRET-B1"
    if "/commands/" in path:
        parts["id"] = world.order.id
    if "/alarms/" in path:
        parts["id"] = world.alarm
    if "/incidents/" in path or "/channels/" in path:
        parts["id"] = "SECRET-fault" if "/incidents/" in path else "SECRET-channel"
    if "/blocks/" in path or "/doubts/" in path:
        parts["id"] = "SECRET-block" if "/blocks/" in path else "SECRET-doubt"
    parts |= {"incident": "SECRET-fault", "channel": "SECRET-channel", "closure": "SECRET-block", "doubt": "SECRET-doubt"}
    other = "x" if path.startswith("/opendata/") else "SECRET-L1"  # a refusal there repeats what was asked for
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: parts.get(match[1], other), path)


def _body(path: str) -> object:
    last = [part for part in path.split("/") if part[:1] != "{" and part != "kept"][-1]
    return BODIES.get(last, {"level": 40, "minutes": 60})


def _call(client: TestClient, world: World, method: str, path: str, tenant: str, headers: dict[str, str]) -> tuple[int, str]:
    body = None if method == "GET" else _body(path)
    answer = client.request(method, _fill(path, world, tenant), params=QUERY if "readings" in path else None, json=body,
                            headers=headers, follow_redirects=False)
    return answer.status_code, answer.text


def _fingerprint(world: World) -> object:
    """All of Neustadt that a request could change."""
    town = world.store.tenant(OTHER)
    device = town.devices()[0].dev_eui
    return (town.revision(), list(town.luminaires()), list(town.bays()), town.programming(), list(town.overrides_from(NOW)),
            list(town.alarms()), list(town.audit_lines()), town.config_wish(device), list(town.streets()),
            list(town.incidents(open_only=False)), dict(town.acts(["SECRET-fault"])), list(town.channels()),
            list(town.deliveries()), list(town.scripts()), list(town.group_wishes()), list(town.casts()),
            list(town.radio_members()), town.factors(), list(town.lamp_nights(NOW.date(), NOW.date())),
            parked.all_of(town, NOW))


def _token(store: Store, role: Role) -> dict[str, str]:
    text, kept = auth.new_token(name="t", role=role, tenant=MINE, now=NOW)
    store.put_token(kept)
    return {"Authorization": f"Bearer {text}"}


def _session(world: World, role: Role) -> dict[str, str]:
    answer = TestClient(world.app).post("/api/v1/session", json={"name": f"{MINE}-{role.value}", "password": PASSWORD})
    return {"Cookie": f"stadtfunk_session={answer.cookies['stadtfunk_session']}", "X-CSRF-Token": answer.json()["csrf"]}


WHO: dict[str, Callable[[World], dict[str, str]]] = {
    "nobody": lambda _: {},
    "a token of the other town's admin": lambda world: _token(world.store, Role.ADMIN),
    "a token of the other town's viewer": lambda world: _token(world.store, Role.VIEWER),
    "the other town's admin": lambda world: _session(world, Role.ADMIN),
    "the other town's operator": lambda world: _session(world, Role.OPERATOR),
    "a token that is none": lambda _: {"Authorization": "Bearer sf_" + "x" * 43},
}


def _guarded(world: World) -> list[tuple[str, str]]:
    return [(method, path) for method, path, guards in _routes(world.app)
            if "{tenant}" in path and any(getattr(guard, "role", None) is not None for guard in guards)]


@pytest.mark.parametrize("who", WHO)
def test_no_guarded_route_shows_or_changes_another_town(world: World, who: str) -> None:
    headers, client, before = WHO[who](world), TestClient(world.app), _fingerprint(world)
    routes = _guarded(world)
    assert len(routes) > 20
    for method, path in routes:
        status, text = _call(client, world, method, path, OTHER, headers)
        asked = _fill(path, world, OTHER)
        assert status in (401, 403, 404) or (status in (302, 303, 307) and not path.startswith("/api/")), \
            f"{method} {asked}: {status}"
        said = text
        for part in asked.split("/"):  # an answer may repeat the address it was asked for
            said = said.replace(part, "")
        assert "SECRET" not in said, f"{method} {asked} shows something"
    assert _fingerprint(world) == before


def test_a_town_of_others_and_one_that_is_not_look_alike(world: World) -> None:
    headers, client = _token(world.store, Role.ADMIN), TestClient(world.app)
    for method, path in _guarded(world):
        if path.startswith("/api/"):
            theirs, none = (_call(client, world, method, path, tenant, headers) for tenant in (OTHER, "nowhere"))
            assert theirs[0] == none[0] == 404
            assert theirs[1].replace(OTHER, "nowhere") == none[1]


def test_their_things_are_not_found_in_ones_own_town(world: World) -> None:
    """Naming another town's zone, lamp, command, override or alarm under one's own address finds nothing."""
    headers, client, before = _session(world, Role.ADMIN), TestClient(world.app), _fingerprint(world)  # tokens may not approve
    for method, path in _guarded(world):
        if not path.startswith("/api/") or path.endswith("/events"):
            continue
        status, text = _call(client, world, method, path, MINE, headers)
        if re.search(r"\{(zone|asset|id)\}", path) and not MADE & {*path.split("/")}:
            assert status == 404, f"{method} {path}: {status} {text[:200]}"
        assert "SECRET Lampe" not in text
        assert "SECRET Platz" not in text
        assert "SECRET-letter" not in text
    assert _fingerprint(world) == before


def test_what_is_public_shows_no_single_bay_lamp_or_person(world: World) -> None:
    client = TestClient(world.app)
    for method, path, guards in _routes(world.app):
        if method == "GET" and "{tenant}" in path and all(getattr(guard, "role", None) is None for guard in guards):
            answer = client.get(_fill(path, world, OTHER))
            text = answer.text if answer.status_code != 404 else ""  # which repeats what was asked for
            assert "SECRET-B1" not in text, path
            assert "SECRET-L1" not in text.replace(_fill(path, world, OTHER), ""), path
            assert "letter" not in text or "SECRET-letter" not in text, path


# --- the store --------------------------------------------------------------------------------------------------------

ARGUMENTS: dict[str, object] = {
    "incidents": ["SECRET-fault"], "deed": Deed.NOTE, "text": "mine", "live_only": False,
    "channel": Channel("mine", MINE, "mine", Way.MAIL, "a@example.org", changed_at=NOW),
    "now": NOW, "limit": 1000, "seen": None, "open_only": False, "since": 0, "changed_since": NOW - timedelta(days=1),
    "seq": 0, "ended_since": NOW - timedelta(days=1), "blocked": True, "actor": "me", "zone": ZoneId("SECRET-zone"),
    "asset": AssetId("SECRET-L1"), "bay": AssetId("SECRET-B1"), "states": (),
    "program": SHIPPED[GANZNACHT], "calendar": STANDARD, "group": Group(MINE, GroupId("mine"), "mine"),
    "target": Target("zone", "SECRET-zone"), "targets": [Target("zone", "SECRET-zone"), Target("lamp", "SECRET-L1")],
    "line": AuditLine(NOW, "me", "did", "this"), "audited": AuditLine(NOW, "me", "did", "this"), "streets": [], "rows": [],
    "first": NOW.date(), "last": NOW.date(), "factor": Factor(FactorKind.PRICE, NOW.date(), 0.1, "OWN"), "kind": FactorKind.PRICE,
    "valid_from": NOW.date(), "model": "secret/x1", "off": "switched off from outside"}


def _argument(name: str, method: str, world: World) -> object:
    theirs = world.store.tenant(OTHER)
    device = theirs.device_of(AssetId("SECRET-L1")).dev_eui
    special = {"id": {"zone": ZoneId("SECRET-zone"), "asset": AssetId("SECRET-L1"), "override": world.override.id,
                      "command": world.order.id, "acknowledge_alarm": world.alarm, "end_override": world.override.id,
                      "approve_override": world.override.id, "adopt_override": world.override.id, "cast": "SECRET-cast",
                      "incident": "SECRET-fault", "act": "SECRET-fault",
                      "incident_alarms": "SECRET-fault", "end_block": "SECRET-block", "close_doubt": "SECRET-doubt",
                      "channel": "SECRET-channel", "remove_channel": "SECRET-channel",
                      "try_channel": "SECRET-channel"}.get(method),
               "device": device, "override": replace(world.override, id=OverrideId("c" * 8)),
               "script": theirs.script("secret/x1") if method == "put_script" else None,
               "circuit": Circuit(MINE, CircuitId("SECRET-K")) if method == "put_circuit" else None,
               "since": NOW - timedelta(days=1) if method in DATED else 0, "ids": [world.order.id],
               "origin": world.order.origin,
               "wish": GroupWish(Target("zone", "SECRET-zone"), "me", NOW) if method == "put_group_wish"
               else ConfigWish(device, b"{}", "me", NOW)}
    named = parked.arguments(MINE, NOW, method)
    if name in named and method in PARKING:
        return named[name]
    return special[name] if name in special else ARGUMENTS[name]


DATED = ("spent", "deliveries", "asked", "bay_blocks", "sensor_checks")
PARKING = {name for name in vars(ParkingStore) if name[0] != "_"}
METHODS = sorted({name for part in TenantStore.__mro__ for name, member in vars(part).items()
                  if inspect.isfunction(member) and name[0] != "_"})


@pytest.mark.parametrize("method", METHODS)
def test_no_method_of_a_tenant_store_reaches_another_town(world: World, method: str) -> None:
    """Called with the names of Neustadt's things, Altstadt's store finds nothing of them and changes nothing there."""
    before, mine = _fingerprint(world), world.store.tenant(MINE)
    names = [name for name in inspect.signature(getattr(TenantStore, method)).parameters if name != "self"]
    keywords = {name: _argument(name, method, world) for name in names}
    try:
        said = repr(getattr(mine, method)(**keywords))
    except (NotFound, Conflict, Forbidden):
        said = ""
    except CityError as error:
        pytest.fail(f"{method} says {error.reason} where it should not know the thing at all")
    for theirs in ("SECRET", "b000000000000001", "b000000000000002", world.order.id, world.alarm,
                   "secret/x1"):
        assert theirs not in said, f"{method} shows {theirs}"
    assert _fingerprint(world) == before, f"{method} changed another town"


def test_an_import_cannot_take_over_another_towns_device(world: World) -> None:
    before = _fingerprint(world)
    rows, _ = parse((HEAD + "X1,lamp,,51,8,z,,b000000000000001,nas/ul20xx,,,\n").encode(), set(catalog()))
    with pytest.raises(Conflict):
        world.store.tenant(MINE).import_rows(rows)
    assert _fingerprint(world) == before
    assert "X1" not in {lamp.id for lamp in world.store.tenant(MINE).luminaires()}


def test_the_same_names_in_two_towns_are_two_things(world: World) -> None:
    rows, _ = parse((HEAD + "SECRET-L1,lamp,mine,51,8,SECRET-zone,,,,,,\n").encode(), set(catalog()))
    world.store.tenant(MINE).import_rows(rows)
    world.store.tenant(MINE).end_overrides([Target("zone", "SECRET-zone"), Target("lamp", "SECRET-L1")], NOW)
    assert world.store.tenant(MINE).asset(AssetId("SECRET-L1")).name == "mine"
    assert world.store.tenant(OTHER).asset(AssetId("SECRET-L1")).name == "SECRET Lampe"
    assert list(world.store.tenant(OTHER).overrides(NOW)) == [world.override]
