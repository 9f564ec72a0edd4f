"""A glance at a town on every database: all there is at first, then what has changed and nothing else, and no person's words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from city.alarms import AlarmKind, Severity, begin
from city.commands import Event, Priority, State, advance, can, command
from city.glance import PROGRAMMING, Glance
from city.groups import Target
from city.ids import AssetId, DevEui, OverrideId, TenantId
from city.imports import parse
from city.incidents import Cause, Deed, incident
from city.lighting import override
from city.orders import SetLevel
from city.places import Site, Tenant
from city.readings import DeviceState, Last, Lasts, to_ns
from city.store.glances import MOST_PAST
from city.store.opening import open_store
from city.store.ports import AuditLine, Facts
from decoders.catalog import catalog
from tests.stores import new_database

T = TenantId("stadt")
NOW = datetime(2026, 11, 10, 22, tzinfo=UTC)
RECENT = NOW - timedelta(hours=6)
HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
LAMPS = 6


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def store(request, tmp_path):
    url = new_database(tmp_path / "city.db") if request.param == "sqlite" else request.getfixturevalue("postgres")()
    made = open_store(url)
    made.put_tenant(Tenant(T, "Stadt", Site(51, 8)))
    rows, problems = parse((HEAD + "".join(f"L{n},lamp,L,51,8,Z,K,{_eui(n)},nas/ul20xx,40,,\n" for n in range(LAMPS))).encode(),
                           set(catalog()))
    assert not problems
    made.tenant(T).import_rows(rows)
    yield made
    made.close()


def _eui(number):
    return DevEui(f"70b3d5e7{number:08x}")


def order(number, at=NOW, origin="program"):
    return command(tenant=T, device=_eui(number), asset=AssetId(f"L{number}"), order=SetLevel(40, 60), origin=origin,
                   priority=Priority.PROGRAM, now=at, expires_at=at + timedelta(hours=1))


def state(number, at=NOW, level=40.0):
    return DeviceState(_eui(number), heard_ns=to_ns(at), last=Lasts.of({"lamp.level": Last(level, to_ns(at), to_ns(at))}))


def wish(name, at=NOW):
    return override(id=OverrideId(name), tenant=T, level=40, until=at + timedelta(hours=1), now=at, actor="a",
                    targets=[Target("town")])


def trouble(name, at=NOW):
    return incident(T, Cause.ASSET, name, at, Severity.MAJOR, assets=(AssetId(name),), kinds=(AlarmKind.TILTED,))


def test_the_first_look_sees_all_that_stands_and_what_has_ended_lately(store):
    town, long_ago = store.tenant(T), NOW - timedelta(days=3)
    done = [advance(advance(order(n, at), Event.SEND, at), Event.CONFIRM, at) for n, at in ((0, long_ago), (1, NOW))]
    ended = replace(begin(T, AssetId("L1"), AlarmKind.TILTED, long_ago), ended_at=NOW)
    store.commit(Facts(states=(state(0), state(1, level=0.0)), commands=(*done, order(2, long_ago)),
                       alarms=(begin(T, AssetId("L0"), AlarmKind.TILTED, NOW), ended)))
    town.add_override(wish("old", long_ago))
    store.put_incidents(T, [replace(trouble("L0", long_ago), closed_at=NOW), trouble("L1")])
    town.act(trouble("L1").id, Deed.NOTE, "Herr Meier", "anna", NOW)
    seen = town.glance(0, 0, RECENT)
    assert {one.device: (one.at_ns, one.level, one.level_ns) for one in seen.heard} == {
        _eui(0): (to_ns(NOW), 40.0, to_ns(NOW)), _eui(1): (to_ns(NOW), 0.0, to_ns(NOW))}
    assert {(one.asset, one.state) for one in seen.orders} == {("L1", State.APPLIED), ("L2", State.PLANNED)}
    assert [one.asset for one in seen.alarms] == ["L0"]
    assert [one.id for one in seen.overrides] == ["old"]
    assert {one.subject for one in seen.incidents} == {"L0", "L1"}
    assert [(one.deed, one.actor, one.text) for one in seen.acts] == [(Deed.NOTE, "", "")]
    assert seen.revision == town.revision()


def test_the_next_look_sees_what_has_changed_and_nothing_else(store):
    town = store.tenant(T)
    store.commit(Facts(states=tuple(state(n) for n in range(LAMPS)), commands=(order(0), order(1))))
    town.add_override(wish("o1"))
    town.add_override(wish("o2"))
    store.put_incidents(T, [trouble("L0"), trouble("L1")])
    first = town.glance(0, 0, RECENT)
    assert town.glance(first.revision, first.seq, RECENT) == Glance(first.revision, first.seq, programmed=[])
    later = NOW + timedelta(minutes=1)
    store.commit(Facts(states=(state(3, later),), commands=(advance(order(1), Event.SEND, later),)))
    town.end_override(OverrideId("o2"), later)
    town.act(trouble("L1").id, Deed.ACKNOWLEDGE, "", "anna", later)
    seen = town.glance(first.revision, first.seq, RECENT)
    assert [one.device for one in seen.heard] == [_eui(3)]
    assert [(one.asset, one.state, one.changed_at) for one in seen.orders] == [("L1", State.SENT, later)]
    assert [(one.id, one.ended_at) for one in seen.overrides] == [("o2", later)]
    assert [one.incident for one in seen.acts] == [trouble("L1").id]
    assert (seen.incidents, seen.alarms) == ([], [])


def test_of_the_audit_only_what_concerns_programs_and_never_who(store):
    town = store.tenant(T)
    for number, action in enumerate((*PROGRAMMING, "override", "account")):
        town.audit(AuditLine(NOW + timedelta(seconds=number), "anna", action, "sparsam", "Sparsam"))
    seen = town.glance(0, 0, RECENT)
    assert [one.action for one in seen.programmed] == list(PROGRAMMING)
    assert "anna" not in repr(seen)
    town.audit(AuditLine(NOW, "anna", "program", "neu", "Neu"))
    assert [one.target for one in town.glance(seen.revision, seen.seq, RECENT).programmed] == ["neu"]


def test_of_a_long_past_the_newest_is_seen_and_all_that_stands(store):
    town = store.tenant(T)
    town.add_override(wish("standing"))
    store.put_incidents(T, [trouble("standing")])
    store.put_incidents(T, [replace(trouble(f"L{n}"), closed_at=NOW) for n in range(MOST_PAST + 10)])
    seen = town.glance(0, 0, RECENT)
    assert len(seen.incidents) == MOST_PAST + 1
    assert "standing" in {one.subject for one in seen.incidents}
    assert [one.id for one in seen.overrides] == ["standing"]


def test_looks_put_together_are_one_look(store):
    """Whatever happens in between, in whatever order: nobody who looks every minute misses anything."""
    town, random, now = store.tenant(T), Random(8), NOW
    heard, orders, alarms, revision, seq = {}, {}, {}, 0, 0
    live = {n: order(n) for n in range(LAMPS)}
    begun = {n: begin(T, AssetId(f"L{n}"), AlarmKind.TILTED, NOW) for n in range(LAMPS)}
    for _ in range(40):
        now += timedelta(seconds=30)
        some = random.sample(range(LAMPS), 2)
        for n in some:
            event = random.choice([one for one in Event if can(live[n], one)] or [Event.SEND])
            live[n] = advance(live[n], event, now) if live[n].state.live else order(n, now)
            begun[n] = replace(begun[n], ended_at=now) if begun[n].open else begin(T, AssetId(f"L{n}"), AlarmKind.TILTED, now)
        store.commit(Facts(states=tuple(state(n, now, float(random.randrange(100))) for n in some),
                           commands=tuple(live[n] for n in some), alarms=tuple(begun[n] for n in some)))
        if random.random() < 0.6:
            seen = town.glance(revision, seq, RECENT)
            revision, seq = seen.revision, seen.seq
            heard |= {one.device: one for one in seen.heard}
            orders |= {one.id: one for one in seen.orders}
            alarms |= {one.id: one for one in seen.alarms}
    seen, whole = town.glance(revision, seq, RECENT), town.glance(0, 0, RECENT)
    heard |= {one.device: one for one in seen.heard}
    orders |= {one.id: one for one in seen.orders}
    alarms |= {one.id: one for one in seen.alarms}
    assert heard == {one.device: one for one in whole.heard}
    assert orders == {one.id: one for one in whole.orders}
    assert {name: one for name, one in alarms.items() if one.open} == {one.id: one for one in whole.alarms}
