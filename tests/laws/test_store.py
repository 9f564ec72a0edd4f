"""What every Store promises, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter

import psycopg
import pytest
from msgspec import structs

from city import orders
from city.alarms import AlarmKind, begin
from city.commands import Command, Event, Priority, State, advance, command
from city.errors import Conflict, Forbidden, Invalid, LeaseLost, NotFound, Refused, StoreDown
from city.groups import Group, Target
from city.ids import (
    AssetId,
    CalendarId,
    CircuitId,
    CommandId,
    DevEui,
    GroupId,
    OverrideId,
    ProgramId,
    TenantId,
    ZoneId,
)
from city.imports import ImportRow
from city.lighting import Override
from city.places import AssetKind, Luminaire, ParkingBay, Restriction, Site, Street, Tenant
from city.programs import SHIPPED, Anchor, Assignment, Calendar, Moment, Program, Programming, Step, clock
from city.programs import Rule as CalendarRule
from city.readings import DeviceState, Last, Lasts, to_ns
from city.scripts import MAX_RULES, MAX_SOURCE, LeafMapping, Rule, Script
from city.store import tables
from city.store.database import BUSY_S, Database
from city.store.leases import insist
from city.store.letters import MOST_LETTERS
from city.store.opening import open_store
from city.store.ports import (
    Account,
    AuditLine,
    ConfigWish,
    DeadLetter,
    Facts,
    Lease,
    Role,
    Session,
    Store,
    TenantStore,
    Token,
)
from city.store.pruning import prune
from tests.stores import new_database

NOW = datetime(2026, 1, 10, 18, 30, 0, 123_456, tzinfo=UTC)
HEARD = to_ns(NOW)
A, B = TenantId("aheim"), TenantId("bheim")
D1, D2, D3, BAY = (DevEui(f"000000000000000{digit}") for digit in "123b")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def url(request, tmp_path) -> str:
    return new_database(tmp_path / "city.db") if request.param == "sqlite" else request.getfixturevalue("postgres")()


@pytest.fixture
def empty(request, tmp_path, url) -> str:
    """A database like that of `url`, but without tables."""
    return f"sqlite:///{tmp_path}/empty.db" if url.startswith("sqlite") else request.getfixturevalue("postgres")(empty=True)


@pytest.fixture
def store(url) -> Iterator[Store]:
    opened = open_store(url)
    for town_id, name in ((A, "Aheim"), (B, "Bheim")):
        opened.put_tenant(Tenant(town_id, name, Site(48.4, 10.0)))
    yield opened
    opened.close()


@pytest.fixture
def town(store) -> TenantStore:
    """Aheim with two lamps and a bay."""
    aheim = store.tenant(A)
    aheim.import_rows([row("L1", D1), row("L2", D2, circuit="K1"), row("P1", BAY, kind="bay")])
    return aheim


def row(asset: str, eui: DevEui | None = None, *, kind: AssetKind = "lamp", zone: str = "Markt", circuit: str | None = None,
        line: int = 2, model: str = "nas/ul20xx") -> ImportRow:
    return ImportRow(line, AssetId(asset), kind, f"Name {asset}", Site(48.401, 10.001), ZoneId(zone),
                     CircuitId(circuit) if circuit else None, eui, model if eui else "", 60.0 if kind == "lamp" else None,
                     "P4" if kind == "lamp" else "", Restriction.NONE)


def said(device: DevEui, seconds: int, **values: object) -> DeviceState:
    """A device's state at so many seconds, in which these values (lamp_level=…) were said."""
    at = HEARD + seconds * 10**9
    last = {name.replace("_", ".", 1): Last(value, at, at) for name, value in values.items()}
    return DeviceState(device, "app", "01020304", seconds, at, last=Lasts.of(last))


def told(device: DevEui = D1, asset: str = "L1", *, tenant: TenantId = A, level: int = 40, now: datetime = NOW) -> Command:
    return command(tenant=tenant, device=device, asset=AssetId(asset), order=orders.SetLevel(level, 60), origin="program",
                   priority=Priority.PROGRAM, now=now, expires_at=now + timedelta(minutes=5))


def later(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)

PROGRAM = Program(ProgramId("abend"), "Abend", Step(Moment(Anchor.DUSK, -10), 90, 60),
                  (Step(clock(23, 30), 60), Step(Moment(Anchor.RISES, 0, -8.0), 80)), Step(Moment(Anchor.SUNRISE, 15), 0))
CALENDAR = Calendar(CalendarId("markt"), "Markt", ProgramId("halbnacht"), (
    CalendarRule(PROGRAM.id, frozenset({5, 6}), (12, 1), (1, 6)), CalendarRule(ProgramId("ganznacht"), holidays=True)))
GROUP = Group(A, GroupId("g"), "Marktleuchten", frozenset({AssetId("L1")}))



def wish(id: str, *, zone: str | None = None, asset: str | None = None, tenant: TenantId = A, start: datetime = NOW,
         minutes: int = 60) -> Override:
    return Override(OverrideId(id), tenant, 40, start, start + timedelta(minutes=minutes), "Fest", "anna", start,
                    (Target("zone", zone) if zone else Target("lamp", asset),))


def letter(id: str = "l1", *, at: datetime = NOW, tenant: TenantId | None = None, reason: str = "Truncated") -> DeadLetter:
    return DeadLetter(id, at, "application/1/device/2/event/up", b"\0{", reason, "too\0short \ud800", tenant)


# towns' own codecs

MAPPING = LeafMapping(rules=(Rule(leaf="lamp.power_w", quantity="lamp.power", scale=0.5, offset=-1.0),
                             Rule(leaf="state", quantity="bay.occupied", words={"occupied": True, "0": False})),
                      dropped=("tag",), orders={"SetLevel": {"dim": "$level", "deep": {"list": [1, None, "x"]}}})


def script(model: str = "acme/x1", *, tenant: TenantId = A, **more: object) -> Script:
    values = {"title": "X1 – Lampe", "asset": "lamp", "source": "function decodeUplink(i) { return {data: {}}; } // \u00e4",
              "mapping": MAPPING, "vendor": "ACME", "device_class": "C", "heartbeat": timedelta(minutes=90),
              "max_minutes": 240, "normalized": True, "variables": {"k": "v"}, "changed_at": NOW, "changed_by": "anna"}
    return Script(tenant, model, **{**values, **more})


def test_a_script_is_read_back_as_it_was_put(store, town):
    plain = Script(A, "acme/plain", "Plain", "bay")
    town.put_script(script())
    town.put_script(plain)
    assert list(town.scripts()) == [plain, script()]
    assert town.script("acme/x1") == script()
    assert list(store.scripts()) == [plain, script()]


def test_a_new_version_takes_the_place_of_the_old_one(town):
    town.put_script(script(off="once"))
    town.put_script(script(source="", off=""))
    assert list(town.scripts()) == [script(source="")]


def test_each_change_of_a_script_is_seen_by_its_number(store, town):
    seen = [store.scripts_revision()]
    for change in (lambda: town.put_script(script()), lambda: town.switch_script("acme/x1", "slow", "bridge", NOW),
                   lambda: store.tenant(B).put_script(script(tenant=B)), lambda: town.remove_script("acme/x1")):
        change()
        seen.append(store.scripts_revision())
        assert store.scripts_revision() == seen[-1]
    assert seen == sorted(set(seen))
    assert [item.tenant for item in store.scripts()] == [B]


def test_a_script_is_switched_off_and_on_again(town):
    town.put_script(script())
    off = town.switch_script("acme/x1", "it broke its limits", "bridge", later(5))
    assert off == town.script("acme/x1") == script(off="it broke its limits", changed_at=later(5), changed_by="bridge")
    assert town.switch_script("acme/x1", "", "anna", later(9)).off == ""


def test_scripts_belong_to_their_town(store, town):
    town.put_script(script())
    other = store.tenant(B)
    assert list(other.scripts()) == []
    for act in (lambda: other.script("acme/x1"), lambda: other.remove_script("acme/x1"),
                lambda: other.switch_script("acme/x1", "off", "eve", NOW)):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(Forbidden):
        other.put_script(script())
    other.put_script(script(tenant=B, source="", title="another"))
    assert town.script("acme/x1") == script()


def test_a_script_in_use_stays_and_keeps_its_kind_of_asset(store, town):
    town.put_script(script())
    town.import_rows([row("L7", D3, model="acme/x1")])
    with pytest.raises(Conflict) as used:
        town.remove_script("acme/x1")
    assert used.value.facts["count"] == 1
    with pytest.raises(Conflict):
        town.put_script(script(asset="bay"))
    assert town.script("acme/x1") == script()
    store.tenant(B).put_script(script(tenant=B, asset="bay"))
    store.tenant(B).remove_script("acme/x1")
    town.import_rows([row("L7", D3)])
    town.remove_script("acme/x1")
    with pytest.raises(NotFound):
        town.remove_script("acme/x1")


@pytest.mark.parametrize("wrong", [
    {"source": "x" * (MAX_SOURCE + 1)}, {"source": "ä" * (MAX_SOURCE // 2 + 1)}, {"title": "t" * 401},
    {"variables": {"k": "v" * 20_000}}, {"model": "ACME/X1"}, {"model": "x"},
    {"mapping": LeafMapping(rules=(Rule(leaf="a", quantity="lamp.power"),) * (MAX_RULES + 1))},
    {"mapping": LeafMapping(orders={"SetLevel": {"dim": "x" * MAX_SOURCE}})},
    {"mapping": LeafMapping(orders={"SetLevel": {"dim": "\ud800"}})}])
def test_a_script_that_is_too_large_or_wrongly_named_is_refused(town, wrong):
    with pytest.raises(Invalid):
        town.put_script(script(**wrong))
    assert list(town.scripts()) == []


def test_a_source_of_the_largest_size_and_with_any_character_is_kept(town):
    town.put_script(script(source="x" * MAX_SOURCE))
    assert len(town.script("acme/x1").source) == MAX_SOURCE
    town.put_script(script(source="\0 \ud800 \U0001f600", title="\0"))
    assert "\U0001f600" in town.script("acme/x1").source


def test_the_bridge_knows_which_device_serves_what(store, town):
    town.put_script(script())
    before = store.registry_revision()
    town.import_rows([row("L7", D3, model="acme/x1")])
    assert store.registry_revision() > before
    known = store.registered([D1, D3, DevEui("00000000000000ff")])
    assert {eui: (one.tenant.id, one.device.model, one.asset.id) for eui, one in known.items()} == {
        D1: (A, "nas/ul20xx", "L1"), D3: (A, "acme/x1", "L7")}


def test_what_is_remembered_of_lamps_and_devices_is_never_older_than_the_registry(url, store, town):
    other = open_store(url)  # another process on the same database
    try:
        elsewhere = other.tenant(A)
        before = [len(elsewhere.luminaires()), len(elsewhere.devices()), len(town.luminaires())]
        for number, eui in enumerate((D3, DevEui("00000000000000ff"))):
            town.import_rows([row(f"L{7 + number}", eui)])
            now = [len(elsewhere.luminaires()), len(elsewhere.devices()), len(town.luminaires())]
            assert now == [one + number + 1 for one in before]
        town.luminaires().clear()  # what somebody does to a list is nobody else's
        assert len(town.luminaires()) == before[2] + 2
        assert [lamp.id for lamp in store.tenant(B).luminaires()] == [lamp.id for lamp in other.tenant(B).luminaires()]
        assert {lamp.tenant for lamp in store.tenant(B).luminaires()} <= {B}
    finally:
        other.close()


# towns and registry

def test_a_town_that_is_not_there_is_not_found(store):
    with pytest.raises(NotFound):
        store.tenant(TenantId("nowhere"))


def test_towns_are_listed_and_can_be_renamed(store):
    store.put_tenant(Tenant(A, "Neu-Aheim", Site(48.5, 10.5), "cs-1"))
    assert [town.name for town in store.tenants()] == ["Neu-Aheim", "Bheim"]
    assert store.tenant(A).tenant == Tenant(A, "Neu-Aheim", Site(48.5, 10.5), "cs-1")


def test_an_import_makes_zones_circuits_assets_and_devices(town):
    assert [zone.id for zone in town.zones()] == ["Markt"]
    assert [circuit.id for circuit in town.circuits()] == ["K1"]
    assert [device.dev_eui for device in town.devices()] == [D1, D2, BAY]
    assert town.luminaires(circuit=CircuitId("K1")) == [town.asset(AssetId("L2"))]
    assert town.asset(AssetId("L2")) == Luminaire(A, AssetId("L2"), "Name L2", Site(48.401, 10.001), ZoneId("Markt"),
                                                  CircuitId("K1"), 60.0, "P4")
    assert town.bays() == [ParkingBay(A, AssetId("P1"), "Name P1", Site(48.401, 10.001), ZoneId("Markt"))]
    assert town.device_of(AssetId("P1")).dev_eui == BAY


def test_importing_again_updates_and_keeps_what_people_set(town):
    town.set_blocked(AssetId("P1"), True)
    town.import_rows([replace(row("P1", BAY, kind="bay", zone="Bahnhof"), name="Bucht 1")])
    assert town.bays(ZoneId("Bahnhof"))[0] == ParkingBay(
        A, AssetId("P1"), "Bucht 1", Site(48.401, 10.001), ZoneId("Bahnhof"), blocked=True)
    assert len(town.devices()) == 3


def test_devices_may_change_places_and_forget_what_they_said_there(store, town):
    store.commit(Facts(states=(said(D1, 1, lamp_level=40.0), said(BAY, 1, bay_occupied=True))))
    town.put_config_wish(ConfigWish(D1, b'{"position":{}}', "anna", NOW))
    town.import_rows([row("L1", D2), row("L2", D1)])
    assert town.config_wish(D1) is None
    assert (town.device_of(AssetId("L1")).dev_eui, town.device_of(AssetId("L2")).dev_eui) == (D2, D1)
    assert town.state(D1) is None
    assert town.state(BAY) is not None
    assert store.view([D1])[D1].asset.id == "L2"


def test_a_replaced_device_serves_nothing(store, town):
    town.import_rows([row("L1", D3)])
    assert town.device_of(AssetId("L1")).dev_eui == D3
    assert set(store.view([D1, D3])) == {D3}


def test_a_device_that_was_replaced_begins_anew_elsewhere(store, town):
    """In its old town as in another one: nothing of what it said there goes with it, and it can be heard."""
    store.commit(Facts(states=(said(D1, 1, lamp_level=40.0),)))
    town.import_rows([row("L1", D3)])
    assert town.state(D1) is None
    other = store.tenant(B)
    other.import_rows([row("X1", D1)])
    assert store.view([D1])[D1].state == DeviceState(D1)
    store.commit(Facts(states=(said(D1, 2, lamp_level=70.0),)))
    assert other.state(D1).last["lamp.level"].value == 70.0


def test_a_row_without_a_device_leaves_the_old_one(town):
    town.import_rows([row("L1")])
    assert town.device_of(AssetId("L1")).dev_eui == D1


@pytest.mark.usefixtures("town")
def test_a_device_of_another_town_is_a_conflict_and_nothing_is_imported(store):
    other = store.tenant(B)
    with pytest.raises(Conflict) as refused:
        other.import_rows([row("X1", DevEui("00000000000000aa")), row("X2", D1, line=7)])
    assert (refused.value.field, refused.value.facts["line"]) == ("dev_eui", 7)
    assert "aheim" not in str(refused.value).lower()
    assert other.luminaires() == []
    assert other.zones() == []


def test_a_lamp_never_becomes_a_bay(town):
    with pytest.raises(Conflict) as refused:
        town.import_rows([row("L1", kind="bay", line=9)])
    assert (refused.value.field, refused.value.facts["line"]) == ("kind", 9)


def test_a_large_import_is_one_transaction(store):
    many = [row(f"L{number}", DevEui(f"{number:016x}"), zone=f"Z{number % 7}") for number in range(3000)]
    assert store.tenant(A).import_rows(many) == 3000
    assert len(store.tenant(A).luminaires(ZoneId("Z3"))) == 429
    assert len(store.view([item.dev_eui for item in many])) == 3000


def test_streets_are_replaced_as_a_whole(town):
    town.put_streets([Street("Alt", ((10.0, 48.0), (10.1, 48.1)))])
    streets = [Street("Marktplatz", ((10.0, 48.4), (10.001, 48.4))), Street("Gasse", ())]
    town.put_streets(streets)
    assert town.streets() == streets


# tenancy

def test_one_town_never_shows_another(store, town):
    store.commit(Facts(states=(said(D1, 1, lamp_level=1.0),), commands=(told(),), letters=(letter(tenant=A),),
                       alarms=(begin(A, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW),)))
    town.add_override(wish("o1", zone="Markt"))
    town.put_config_wish(ConfigWish(D1, b"{}", "anna", NOW))
    town.put_streets([Street("Gasse", ())])
    town.put_program(PROGRAM)
    town.audit(AuditLine(NOW, "anna", "dim", "Markt"))
    other = store.tenant(B)
    asked = (other.zones, other.circuits, other.luminaires, other.bays, other.devices, other.streets, other.states,
             other.commands, other.alarms, other.letters, other.audit_lines, lambda: other.overrides(NOW))
    assert [len(ask()) for ask in asked] == [0] * len(asked)
    assert (other.state(D1), other.config_wish(D1), other.programming()) == (None, None, Programming(store.tenant(B).tenant.site))
    assert other.changes(0) == replace(other.changes(0), states=(), commands=(), alarms=(), overrides=(), assets=())
    assert (other.revision(), store.config_wishes(B), store.last_applied(B), store.live_commands(B)) == (0, {}, {}, [])


def test_one_town_never_touches_another(store, town):
    alarm = begin(A, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW)
    store.commit(Facts(commands=(told(),), alarms=(alarm,)))
    town.add_override(wish("o1", zone="Markt"))
    other = store.tenant(B)
    refused = (lambda: other.zone(ZoneId("Markt")), lambda: other.asset(AssetId("L1")), lambda: other.override(OverrideId("o1")),
               lambda: other.device_of(AssetId("L1")), lambda: other.command(told().id),
               lambda: other.set_blocked(AssetId("P1"), True), lambda: other.acknowledge_alarm(alarm.id, "eve", NOW),
               lambda: other.put_config_wish(ConfigWish(D1, b"{}", "eve", NOW)),
               lambda: other.add_override(wish("o2", zone="Markt")), lambda: other.end_override(OverrideId("o1"), NOW),
               lambda: other.approve_override(OverrideId("o1"), "eve", NOW),
               lambda: other.adopt_override(OverrideId("o1"), "eve", NOW))
    for ask in refused:
        with pytest.raises(Refused):
            ask()
    assert other.end_overrides([Target("zone", "Markt")], NOW) == 0
    assert town.bays()[0].blocked is False
    assert town.alarms()[0].acknowledged_at is None
    assert [item.id for item in town.overrides(NOW)] == ["o1"]


def test_naming_another_town_is_forbidden(town):
    with pytest.raises(Forbidden):
        town.add_override(wish("o1", zone="Markt", tenant=B))


# intents

def test_a_town_has_what_is_shipped_until_it_has_its_own(town):
    assert town.programming() == Programming(town.tenant.site)
    town.put_program(PROGRAM)
    town.put_calendar(CALENDAR)
    town.put_group(GROUP)
    town.assign(Target("group", "g"), CALENDAR.id, "ada", NOW)
    kept = town.programming()
    assert (kept.programs[PROGRAM.id], kept.calendars[CALENDAR.id], kept.groups[GROUP.id]) == (PROGRAM, CALENDAR, GROUP)
    assert set(kept.programs) == {*SHIPPED, PROGRAM.id}
    assert kept.assignments == (Assignment(Target("group", "g"), CALENDAR.id, NOW, "ada"),)


def test_what_is_in_use_cannot_be_removed(town):
    town.put_program(PROGRAM)
    town.put_calendar(CALENDAR)
    town.put_group(GROUP)
    town.assign(Target("group", "g"), CALENDAR.id, "ada", NOW)
    for remove in (lambda: town.remove_program(PROGRAM.id), lambda: town.remove_calendar(CALENDAR.id),
                   lambda: town.remove_group(GROUP.id)):
        with pytest.raises(Conflict):
            remove()
    town.assign(Target("group", "g"), None, "ada", NOW)
    town.remove_group(GROUP.id)
    town.remove_calendar(CALENDAR.id)
    town.remove_program(PROGRAM.id)
    assert town.programming() == Programming(town.tenant.site)


def test_what_is_programmed_and_its_line_of_the_audit_are_kept_together_or_neither_is(town):
    done = [AuditLine(NOW, "ada", action, "it") for action in ("program", "calendar", "group", "assign")]
    town.put_program(PROGRAM, audited=done[0])
    town.put_calendar(CALENDAR, audited=done[1])
    town.put_group(GROUP, audited=done[2])
    town.assign(Target("group", "g"), CALENDAR.id, "ada", NOW, audited=done[3])
    refused = AuditLine(NOW, "bob", "what was refused", "it")
    for change in (lambda: town.remove_program(PROGRAM.id, audited=refused), lambda: town.remove_group(GROUP.id, audited=refused),
                   lambda: town.remove_calendar(CALENDAR.id, audited=refused),
                   lambda: town.remove_program(ProgramId("nobodys"), audited=refused),
                   lambda: town.assign(Target("town"), CalendarId("nobodys"), "bob", NOW, audited=refused)):
        with pytest.raises((Conflict, NotFound)):
            change()
    assert sorted(line.action for line in town.audit_lines()) == sorted(line.action for line in done)


def test_a_calendar_names_programs_that_exist_and_an_assignment_calendars(town):
    with pytest.raises(NotFound):
        town.put_calendar(CALENDAR)
    with pytest.raises(NotFound):
        town.assign(Target("town"), CALENDAR.id, "ada", NOW)


def test_a_wish_that_needs_a_second_person_waits_for_another_one(town):
    town.add_override(replace(wish("o1", zone="Markt"), needs_second=True))
    assert list(town.overrides(NOW)) == []
    assert [item.pending for item in town.overrides_from(NOW)] == [True]
    with pytest.raises(Forbidden):
        town.approve_override(OverrideId("o1"), "anna", NOW)
    approved = town.approve_override(OverrideId("o1"), "bert", NOW)
    assert (approved.approved_by, approved.approved_at, approved.pending) == ("bert", NOW, False)
    assert [item.id for item in town.overrides(NOW)] == ["o1"]
    with pytest.raises(Conflict):
        town.approve_override(OverrideId("o1"), "carl", NOW)


def test_what_a_program_has_asked_for_is_taken_over_by_one_person_and_approved_by_another(town):
    town.add_override(replace(wish("o1", zone="Markt"), needs_second=True, actor="token:alt"))
    adopted = town.adopt_override(OverrideId("o1"), "bert", NOW)
    assert (adopted.actor, adopted.pending) == ("bert", True)
    with pytest.raises(Forbidden):
        town.approve_override(OverrideId("o1"), "bert", NOW)
    seen = town.intents_seen()
    assert not town.approve_override(OverrideId("o1"), "carl", NOW, seen=seen).pending
    with pytest.raises(Conflict):
        town.adopt_override(OverrideId("o1"), "dora", NOW)


def test_overrides_are_active_between_start_and_end(town):
    town.add_override(wish("o1", zone="Markt", minutes=10))
    town.add_override(wish("o2", asset="L1", start=later(60)))
    assert [item.id for item in town.overrides(later(-1))] == []
    assert [item.id for item in town.overrides(later(60))] == ["o2", "o1"]
    assert [item.id for item in town.overrides(later(600))] == ["o2"]
    assert town.override(OverrideId("o1")) == wish("o1", zone="Markt", minutes=10)


def test_an_override_and_its_line_of_the_audit_are_kept_together_or_neither_is(town):
    line = AuditLine(NOW, "anna", "override", "zone Markt", "o1")
    seen = town.intents_seen()
    town.add_override(wish("o1", zone="Markt"), seen=seen, audited=line)
    with pytest.raises(Conflict):
        town.add_override(wish("o2", zone="Markt"), seen=seen, audited=line)
    town.add_override(wish("o1", zone="Markt"), audited=line)  # the same again
    assert [item.id for item in town.overrides(NOW)] == ["o1"]
    assert town.audit_lines() == [line]


def test_ending_overrides_ends_only_those_on_exactly_that(town):
    for item in (wish("o1", zone="Markt"), wish("o2", asset="L1"), wish("o3", asset="L2")):
        town.add_override(item)
    assert town.end_overrides([Target("zone", "Markt")], later(1)) == 1
    assert town.end_overrides([Target("lamp", "L1")], later(2)) == 1
    assert [item.id for item in town.overrides(later(3))] == ["o3"]
    assert town.override(OverrideId("o1")).ended_at == later(1)


def test_adding_an_override_twice_is_one(town):
    town.add_override(wish("o1", zone="Markt"))
    town.add_override(wish("o1", zone="Markt"))
    assert len(town.overrides(NOW)) == 1


def test_a_blocked_bay_shows_at_once_to_console_and_bridge(store, town):
    assert store.view([BAY])[BAY].asset.blocked is False
    before = town.revision()
    town.set_blocked(AssetId("P1"), True)
    assert [asset.id for asset in town.changes(before).assets] == ["P1"]
    assert store.view([BAY])[BAY].asset.blocked is True
    with pytest.raises(NotFound):
        town.set_blocked(AssetId("L1"), True)


def test_configuration_wishes_are_kept_by_device(store, town):
    first = ConfigWish(D1, b'{"a":1}', "anna", NOW)
    town.put_config_wish(first)
    newer = ConfigWish(D1, b'{"a":2}', "ben", later(1))
    town.put_config_wish(newer)
    assert town.config_wish(D1) == newer
    assert store.config_wishes(A) == {D1: newer}
    assert town.config_wish(D2) is None


def test_audit_lines_come_newest_first(town):
    for number in range(3):
        town.audit(AuditLine(NOW, "anna", "dim", "Markt", str(number)))
    assert [line.detail for line in town.audit_lines(limit=2)] == ["2", "1"]


# facts

def test_the_view_holds_all_that_is_known_of_a_device(store, town):
    order, alarm = told(), begin(A, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW)
    finished = replace(told(level=70), state=State.APPLIED)
    state = said(D1, 1, lamp_level=40.0, lamp_reason="manual", lamp_failure=True, lamp_dali_status=4)
    config = {"StatusInterval": '{"type":"StatusInterval","seconds":60}'}
    state = structs.replace(state, gateway="00000000000000ff", config=config)
    store.commit(Facts(states=(state,), commands=(order, finished), alarms=(alarm,)))
    view = store.view([D1, D2, DevEui("ffffffffffffffff")])
    assert set(view) == {D1, D2}
    assert view[D1].tenant == town.tenant
    assert (view[D1].device, view[D1].asset) == (town.device_of(AssetId("L1")), town.asset(AssetId("L1")))
    assert (view[D1].state, view[D1].live, view[D1].alarms) == (state, (order,), (alarm,))
    assert (view[D2].state, view[D2].live, view[D2].alarms) == (DeviceState(D2), (), ())
    assert [type(view[D1].state.last[name].value) for name in ("lamp.level", "lamp.dali_status")] == [float, int]


def test_a_view_of_nothing_is_empty(store):
    assert store.view([]) == {}


def test_committing_twice_changes_nothing(store, town):
    facts = Facts(states=(said(D1, 1, lamp_level=40.0),), commands=(told(),), letters=(letter(),),
                  alarms=(begin(A, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW),))
    store.commit(facts)
    before = (town.revision(), town.changes(0), store.all_letters())
    store.commit(facts)
    assert (town.revision(), town.changes(0), store.all_letters()) == before


def test_an_older_state_does_not_overwrite_a_newer(store, town):
    store.commit(Facts(states=(said(D1, 5, lamp_level=40.0),)))
    store.commit(Facts(states=(said(D1, 3, lamp_level=90.0),)))
    assert town.state(D1) == said(D1, 5, lamp_level=40.0)


def test_two_bridges_lose_nothing_of_one_device(url, store, town):
    """Each has seen the device before the other spoke; the newest word on each value stays."""
    other = open_store(url)
    store.view([D1])
    other.view([D1])
    store.commit(Facts(states=(said(D1, 1, lamp_level=40.0, lamp_power=20.0),)))
    other.commit(Facts(states=(said(D1, 2, lamp_level=60.0),)))
    other.close()
    assert [(name, one.value, one.at_ns - HEARD) for name, one in sorted(town.state(D1).last.items())] == [
        ("lamp.level", 60.0, 2 * 10**9), ("lamp.power", 20.0, 10**9)]
    assert town.state(D1).f_cnt == 2


def test_what_one_bridge_forgets_knowingly_is_forgotten(store, town):
    """A join resets the configuration: the bridge has seen what it overwrites."""
    store.commit(Facts(states=(structs.replace(said(D1, 1, lamp_level=40.0), config={"Clock": "{}"}),)))
    seen = store.view([D1])[D1].state
    store.commit(Facts(states=(structs.replace(seen, session="0a0b0c0d", config={}, heard_ns=HEARD + 10**10),)))
    assert town.state(D1).config == {}


def test_states_of_unregistered_devices_are_passed_over(store, town):
    store.commit(Facts(states=(said(DevEui("00000000000000ee"), 1, lamp_level=1.0), said(D1, 1, lamp_level=2.0))))
    assert set(town.states()) == {D1}


def test_a_command_is_kept_with_every_detail(store, town):
    sent = advance(told(), Event.SEND, later(1), "on its way")
    store.commit(Facts(commands=(sent,)))
    assert town.command(sent.id) == sent
    with pytest.raises(NotFound):
        town.command(CommandId("00000000-0000-0000-0000-000000000000"))


def test_an_older_step_of_a_command_does_not_overwrite_a_newer(store, town):
    planned = told()
    sent = advance(planned, Event.SEND, later(1))
    store.commit(Facts(commands=(sent,)))
    store.commit(Facts(commands=(planned,)))
    assert town.command(planned.id).state is State.SENT


def test_a_finished_command_stays_finished(store, town):
    sent = advance(told(), Event.SEND, later(1))
    store.commit(Facts(commands=(advance(sent, Event.CONFIRM, later(2)),)))
    store.commit(Facts(commands=(advance(sent, Event.LOSE, later(3)),)))
    assert town.command(sent.id).state is State.APPLIED
    assert store.live_commands() == []


def test_several_steps_in_one_instant_all_count(store, town):
    planned = told()
    store.commit(Facts(commands=(planned,)))
    store.commit(Facts(commands=(advance(planned, Event.SEND, NOW),)))
    assert town.command(planned.id).state is State.SENT


@pytest.mark.usefixtures("town")
def test_the_last_applied_order_is_the_newest_by_time(store):
    first, second = (advance(advance(told(level=level), Event.SEND, later(at)), Event.CONFIRM, later(at + 1))
                     for level, at in ((40, 1), (60, 10)))
    reading = replace(told(), id=CommandId("00000000-0000-0000-0000-000000000001"), order=orders.ReadStatus(),
                      state=State.APPLIED, changed_at=later(99))
    store.commit(Facts(commands=(second, reading)))
    store.commit(Facts(commands=(first,)))
    assert store.last_applied(A) == {D1: second}


def test_commands_are_found_by_asset_origin_and_state_newest_first(store, town):
    ones = [told(now=later(number)) for number in range(3)]
    other = replace(told(D2, "L2"), origin="config", state=State.FAILED)
    store.commit(Facts(commands=(*ones, other)))
    assert [item.id for item in town.commands(asset=AssetId("L1"), limit=2)] == [ones[2].id, ones[1].id]
    assert [item.id for item in town.commands(origin="config")] == [other.id]
    assert [item.id for item in town.commands(states={State.FAILED})] == [other.id]
    assert [item.id for item in town.commands(changed_since=later(1))] == [ones[2].id, ones[1].id]


@pytest.mark.usefixtures("town")
def test_live_commands_come_most_urgent_first(store):
    store.tenant(B).import_rows([row("X1", D3)])
    slow = told()
    urgent = replace(told(D2, "L2", now=later(5)), priority=Priority.SAFETY)
    foreign = told(D3, "X1", tenant=B, now=later(1))
    store.commit(Facts(commands=(slow, urgent, foreign)))
    assert [item.id for item in store.live_commands()] == [urgent.id, slow.id, foreign.id]
    assert [item.id for item in store.live_commands(B)] == [foreign.id]


def test_keys_in_orders_are_kept_and_never_shown(store, town):
    group = orders.MulticastGroup(0, "01020304", "ab" * 16, "cd" * 16)
    order = replace(told(), order=group)
    store.commit(Facts(commands=(order,)))
    kept = town.command(order.id)
    assert kept.order == group
    assert "abab" not in repr(kept)


def test_ending_an_alarm_keeps_who_acknowledged_it(store, town):
    alarm = begin(A, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW)
    store.commit(Facts(alarms=(alarm,)))
    assert town.acknowledge_alarm(alarm.id, "anna", later(1)).acknowledged_by == "anna"
    assert town.acknowledge_alarm(alarm.id, "ben", later(2)).acknowledged_at == later(1)
    store.commit(Facts(alarms=(replace(alarm, ended_at=later(3)),)))
    assert town.alarms() == []
    ended = town.alarms(open_only=False)[0]
    assert (ended.acknowledged_by, ended.ended_at) == ("anna", later(3))
    store.commit(Facts(alarms=(alarm,)))
    assert town.alarms() == []


def test_changes_tell_what_is_newer_and_only_that(store, town):
    alarm = begin(A, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW)
    store.commit(Facts(states=(said(D1, 1, lamp_level=1.0), said(D2, 1, lamp_level=1.0)), commands=(told(),)))
    start = town.changes(0)
    assert {state.device for state in start.states} == {D1, D2}
    assert start.revision == town.revision()
    store.commit(Facts(states=(said(D2, 2, lamp_level=2.0),), alarms=(alarm,)))
    town.add_override(wish("o1", zone="Markt"))
    news = town.changes(start.revision)
    assert [state.device for state in news.states] == [D2]
    assert ([item.id for item in news.alarms], [item.id for item in news.overrides]) == ([alarm.id], ["o1"])
    assert news.commands == ()
    town.acknowledge_alarm(alarm.id, "anna", NOW)
    town.end_overrides([Target("zone", "Markt")], NOW)
    more = town.changes(news.revision)
    assert more.alarms[0].acknowledged_by == "anna"
    assert more.overrides[0].ended_at == NOW
    assert town.changes(more.revision).states == ()


@pytest.mark.usefixtures("town")
def test_revisions_of_one_town_do_not_move_anothers(store):
    before = store.tenant(B).revision()
    store.commit(Facts(states=(said(D1, 1, lamp_level=1.0),)))
    assert store.tenant(B).revision() == before


def test_the_same_letter_again_is_counted(store, town):
    store.commit(Facts(letters=(letter(),)))
    store.commit(Facts(letters=(letter(at=later(5)), letter("l2", reason="UnknownDevice", tenant=A))))
    assert store.count_letters() == {"Truncated": 2, "UnknownDevice": 1}
    assert (store.letter("l1").count, store.letter("l1").received_at, store.letter("l1").payload) == (2, later(5), b"\0{")
    assert [item.id for item in store.all_letters()] == ["l1", "l2"]
    assert [item.id for item in store.all_letters(reason="UnknownDevice")] == ["l2"]
    assert [item.id for item in town.letters()] == ["l2"]
    store.remove_letter("l1")
    with pytest.raises(NotFound):
        store.letter("l1")


@pytest.mark.usefixtures("town")
def test_letters_of_one_reason_are_found_town_by_town_the_oldest_first(store):
    waiting = [letter(f"w{n}", at=later(n), tenant=A, reason="ScriptWaits") for n in range(5)]
    store.commit(Facts(letters=(*reversed(waiting), letter("other", tenant=B), letter("nobody", reason="ScriptWaits"))))
    assert list(store.towns_with_letters("ScriptWaits")) == [A]
    assert [item.id for item in store.oldest_letters(A, "ScriptWaits", 3)] == ["w0", "w1", "w2"]
    assert store.oldest_letters(B, "ScriptWaits", 3) == []
    store.remove_letters([item.id for item in waiting])
    store.remove_letters([])
    assert list(store.towns_with_letters("ScriptWaits")) == []
    assert sorted(item.id for item in store.all_letters()) == ["nobody", "other"]


@pytest.mark.usefixtures("town")
def test_a_town_with_very_many_letters_loses_its_own_oldest_and_no_other_towns(store):
    store.commit(Facts(letters=(letter("b", tenant=B), letter("nobody"))))
    many = tuple(letter(f"{n:05}", at=later(n + 1), tenant=A) for n in range(MOST_LETTERS + 2))
    store.commit(Facts(letters=many))
    store.letter("b")
    store.letter("nobody")
    assert store.oldest_letters(A, "Truncated", 1)[0].id == "00002"


# who may enter

def test_accounts_tokens_and_sessions(store):
    anna = Account("anna", Role.OPERATOR, A, "$argon2id$…")
    store.put_account(anna)
    assert (store.account("anna"), store.account("eve")) == (anna, None)
    session = Session("digest", "anna", "csrf", later(60))
    store.put_session(session)
    assert store.session("digest", NOW) == (session, anna)
    assert store.session("digest", later(60)) is None
    store.end_session("digest")
    assert store.session("digest", NOW) is None
    token = Token("abcdefgh", "export", Role.VIEWER, None, "token-digest", NOW, later(60))
    store.put_token(token)
    assert store.token("token-digest", later(59)) == token
    assert store.token("token-digest", later(60)) is None
    for kept in (anna, session, token):
        assert "argon2id" not in repr(kept)
        assert "digest" not in repr(kept)


def test_a_changed_account_replaces_the_old(store):
    store.put_account(Account("anna", Role.VIEWER, A, "old"))
    store.put_account(Account("anna", Role.ADMIN, None, "new"))
    assert store.account("anna") == Account("anna", Role.ADMIN, None, "new")


# durability and concurrency

@pytest.mark.usefixtures("town")
def test_everything_is_there_after_opening_again(url, store):
    store.commit(Facts(states=(said(D1, 1, lamp_level=40.0),)))
    store.close()
    again = open_store(url)
    assert again.tenant(A).state(D1) == said(D1, 1, lamp_level=40.0)
    assert len(again.tenant(A).devices()) == 3
    again.close()


def test_threads_and_stores_on_one_database_lose_no_revision(url, store, town):
    other = open_store(url)
    before = town.revision()

    def work(number: int) -> None:
        through = store if number % 2 else other
        if number % 3 == 0:
            through.tenant(A).add_override(wish(f"o{number}", zone="Markt"))
        else:
            through.commit(Facts(states=(said(D1 if number % 4 else D2, number, lamp_level=float(number)),),
                                 commands=(told(now=later(number)),)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(48)))
    other.close()
    assert town.revision() == before + 48
    assert len(town.overrides(NOW)) == 16
    assert len(town.commands()) == 32
    assert town.state(D1).last["lamp.level"].value == 47.0


def test_several_processes_may_open_a_new_database_at_once(empty):
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(empty), range(4)))
    assert [list(item.tenants()) for item in stores] == [[]] * 4
    for item in stores:
        item.close()


def test_a_refused_write_leaves_nothing_behind(town):
    before = town.revision()
    with pytest.raises(Refused):
        town.add_override(wish("o1", zone="Markt", tenant=B))
    assert town.revision() == before
    town.add_override(wish("o1", zone="Markt"))


def test_ping_answers(store):
    store.ping()


def test_pruning_takes_what_is_finished_and_old_and_no_more(url, store, town):
    old = advance(told(), Event.SUPERSEDE, later(1))
    young = advance(told(level=50), Event.SUPERSEDE, later(1000))
    live = told(level=60)
    applied = replace(told(level=70), state=State.APPLIED, changed_at=later(1))
    alarms = [begin(A, AssetId(asset), AlarmKind.LAMP_FAILURE, NOW) for asset in ("L1", "L2")]
    store.commit(Facts(commands=(old, young, live, applied), alarms=(replace(alarms[0], ended_at=later(1)), alarms[1])))
    store.put_account(Account("anna", Role.VIEWER, A, "hash"))
    store.put_session(Session("gone", "anna", "csrf", later(10)))
    store.put_session(Session("valid", "anna", "csrf", later(1000)))
    town.audit(AuditLine(NOW, "anna", "dim", "Markt"))
    database = Database(url)
    assert prune(database, later(500)) == 3
    assert prune(database, later(500)) == 0
    database.close()
    assert {item.id for item in town.commands()} == {young.id, live.id, applied.id}
    assert [item.id for item in town.alarms(open_only=False)] == [alarms[1].id]
    assert store.session("valid", later(500)) is not None
    assert store.last_applied(A) == {D1: applied}
    assert len(town.audit_lines()) == 1


# who alone does a job

def test_one_process_holds_a_lease_and_renews_it(store):
    held = store.take_lease(Lease("steer", "one"), 60)
    assert held == Lease("steer", "one", held.fence)
    assert store.take_lease(Lease("steer", "two"), 60) is None
    assert store.take_lease(held, 60) == held
    assert store.take_lease(Lease("mend", "two"), 60).holder == "two"


def test_a_lease_that_has_ended_is_anybodys_under_a_higher_fence(store):
    former = store.take_lease(Lease("steer", "one"), 0)
    taken = store.take_lease(Lease("steer", "two"), 60)
    assert taken.fence > former.fence
    assert store.take_lease(former, 60) is None


def test_a_lease_that_has_ended_and_that_nobody_has_taken_is_renewed(store):
    former = store.take_lease(Lease("steer", "one"), 0)
    assert store.take_lease(former, 60) == former


def test_a_released_lease_is_free_at_once_except_for_who_is_patient(store):
    held = store.take_lease(Lease("steer", "one"), 60)
    store.release_lease(held)
    assert store.take_lease(Lease("steer", "two"), 60, patience_s=60) is None
    taken = store.take_lease(Lease("steer", "three"), 60)
    assert taken.fence > held.fence
    store.release_lease(held)  # no longer its own to give away
    assert store.take_lease(Lease("steer", "two"), 60) is None


def test_a_process_that_has_died_and_starts_again_need_not_wait_for_itself(store):
    died = store.take_lease(Lease("steer", "one"), 60)
    assert store.take_lease(Lease("steer", "one"), 60) is None
    again = store.take_lease(Lease("steer", "one"), 60, restarted=True)
    assert again.fence > died.fence
    assert store.take_lease(died, 60) is None


def test_a_lease_from_a_time_that_is_far_ahead_binds_nobody(url, store):
    """The machine's clock was set back meanwhile."""
    held = store.take_lease(Lease("steer", "one"), 60)
    database = Database(url)
    with database.write() as connection:
        connection.execute(tables.leases.update().values(until_us=tables.leases.c.until_us + 3_600_000_000))
    database.close()
    assert store.take_lease(Lease("steer", "two"), 60).fence > held.fence


@pytest.mark.usefixtures("town")
def test_only_the_holder_commits_as_such_and_a_former_one_nothing(store):
    former = store.take_lease(Lease("steer", "one"), 60)
    store.commit_as(former, Facts(commands=(told(),)))
    store.release_lease(former)
    store.commit_as(former, Facts(commands=(told(level=50),)))  # ended, but nobody else's yet
    taken = store.take_lease(Lease("steer", "two"), 60)
    with pytest.raises(LeaseLost):
        store.commit_as(former, Facts(commands=(told(level=60),)))
    assert sorted(item.order.level for item in store.live_commands()) == [40, 50]
    store.commit(Facts(commands=(told(level=70),)))  # who needs no lease is not asked for one
    store.commit_as(taken, Facts(commands=(told(level=80),)))
    assert len(store.live_commands()) == 4


@pytest.mark.usefixtures("town")
def test_who_is_in_a_hurry_is_told_soon_that_others_write_and_has_the_usual_patience_afterwards(url, store):
    held = store.take_lease(Lease("steer", "one"), 60)
    other = Database(url)
    with other.write() as connection:
        connection.execute(tables.leases.update().values(fence=tables.leases.c.fence))  # PostgreSQL: the row is locked
        begun = perf_counter()
        with pytest.raises(StoreDown):
            store.commit_as(held, Facts(commands=(told(),)), wait_s=0.05)
        assert perf_counter() - begun < BUSY_S / 2
    with ThreadPoolExecutor(1) as pool:
        with other.write() as connection:
            connection.execute(tables.leases.update().values(fence=tables.leases.c.fence))
            patient = pool.submit(store.commit_as, held, Facts(commands=(told(),)))
            with pytest.raises(TimeoutError):
                patient.result(0.3)
        patient.result(BUSY_S)
    other.close()
    assert [item.order.level for item in store.live_commands()] == [40]


@pytest.mark.usefixtures("town")
def test_nobody_takes_a_lease_while_its_holder_commits(url, store):
    """A commit that has proved its lease ends before another can begin: no two claims overlap."""
    other, database = open_store(url), Database(url)
    held = store.take_lease(Lease("steer", "one"), 0)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            insist(connection, held)
            taking = pool.submit(other.take_lease, Lease("steer", "two"), 60)
            with pytest.raises(TimeoutError):
                taking.result(0.2)
        assert taking.result(10).holder == "two"
    with pytest.raises(LeaseLost), database.write() as connection:
        insist(connection, held)
    other.close()
    database.close()


def test_of_many_who_want_a_lease_at_once_one_gets_it(url):
    stores = [open_store(url) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: stores[n % 4].take_lease(Lease("steer", f"bridge-{n}"), 60), range(24)))
    assert sum(lease is not None for lease in found) == 1
    for item in stores:
        item.close()


def _database(url: str) -> str:
    return url.partition("?")[0].rpartition("@/")[2]


@pytest.mark.wire
def test_a_lost_server_is_store_down_and_comes_back(postgres):
    url = postgres()
    store = open_store(url)
    store.put_tenant(Tenant(A, "Aheim", Site(48.4, 10.0)))
    with psycopg.connect(host=url.partition("host=")[2], user="town", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {_database(url)} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [_database(url)])
        with pytest.raises(StoreDown):
            store.ping()
        admin.execute(f"ALTER DATABASE {_database(url)} ALLOW_CONNECTIONS true")
    assert [town.name for town in store.tenants()] == ["Aheim"]
    store.close()
