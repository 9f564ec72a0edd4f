"""Incidents and channels on every database: what is written is read again, and each table has one writer."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.alarms import RULE, AlarmKind, Severity, begin
from city.errors import Conflict, Invalid, LeaseLost, NotFound
from city.expected import Typical
from city.ids import AssetId, TenantId
from city.incidents import Cause, Deed, Incident, incident
from city.notices import MOST_CHANNELS, About, Channel, Delivery, Sent, Way
from city.places import Site, Tenant
from city.store.incidents import MOST_DELIVERIES
from city.store.ports import Facts, Lease, Store
from tests.stores import new_store

T = TenantId("stadt")
NOW = datetime(2026, 11, 10, 22, tzinfo=UTC)


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    made = new_store(tmp_path / "city.db")
    made.put_tenant(Tenant(T, "Stadt", Site(51, 8)))
    yield made
    made.close()


def trouble(subject: str = "L1", **changes: object) -> Incident:
    one = incident(T, Cause.ASSET, subject, NOW, Severity.MAJOR, assets=(AssetId(subject),), kinds=(AlarmKind.LAMP_FAILURE,),
                   facts={"measured": 1.5, RULE: "lamp_failure"})
    return replace(one, **changes)  # type: ignore[arg-type]


def test_an_incident_is_read_as_it_was_written(store):
    one = trouble(ended_at=NOW + timedelta(hours=1), returned_at=NOW, returns=2, merged="x")
    store.put_incidents(T, [one])
    assert store.tenant(T).incident(one.id) == one
    assert list(store.tenant(T).incidents()) == [one]
    store.put_incidents(T, [replace(one, closed_at=NOW)])
    assert list(store.tenant(T).incidents()) == []
    assert len(store.tenant(T).incidents(open_only=False)) == 1


def test_incidents_and_acts_raise_the_towns_revision(store):
    town = store.tenant(T)
    before = town.revision()
    store.put_incidents(T, [trouble()])
    middle = town.revision()
    town.act(trouble().id, Deed.ACKNOWLEDGE, "", "ada", NOW)
    assert before < middle < town.revision()


def test_what_people_did_stays_in_order_and_is_never_overwritten(store):
    town = store.tenant(T)
    store.put_incidents(T, [trouble()])
    for number in range(3):
        town.act(trouble().id, Deed.NOTE, f"note {number}", "ada", NOW)
    store.put_incidents(T, [trouble(returns=9)])
    assert [act.text for act in town.acts([trouble().id])[trouble().id]] == ["note 0", "note 1", "note 2"]


def test_a_note_needs_words_and_an_incident(store):
    town = store.tenant(T)
    store.put_incidents(T, [trouble()])
    for text in ("", "  ", "x" * 1001):
        with pytest.raises(Invalid):
            town.act(trouble().id, Deed.NOTE, text, "ada", NOW)
    with pytest.raises(NotFound):
        town.act("nope", Deed.NOTE, "x", "ada", NOW)


def test_an_alarm_gets_graver_but_not_milder_and_keeps_its_proof(store):
    alarm = begin(T, AssetId("L1"), AlarmKind.CLOCK_WRONG, NOW, facts={RULE: "clock_wrong", "measured": 70.0})
    store.commit(Facts(alarms=(alarm,)))
    store.commit(Facts(alarms=(replace(alarm, severity=Severity.MAJOR, facts={RULE: "clock_wrong", "measured": 900.0}),)))
    store.commit(Facts(alarms=(alarm,)))
    (found,) = store.tenant(T).alarms()
    assert (found.severity, found.facts["measured"]) == (Severity.MAJOR, 900.0)
    assert found.judged


def test_the_alarms_of_an_incident_are_those_at_its_assets_since_then(store):
    alarms = (begin(T, AssetId("L1"), AlarmKind.LAMP_FAILURE, NOW), begin(T, AssetId("L2"), AlarmKind.LAMP_FAILURE, NOW),
              begin(T, AssetId("L1"), AlarmKind.TILTED, NOW - timedelta(days=3)))
    store.commit(Facts(alarms=alarms))
    store.put_incidents(T, [trouble()])
    assert list(store.tenant(T).incident_alarms(trouble().id)) == [alarms[0]]


def test_what_was_learnt_and_remembered_is_there_again(store):
    learnt = {("LED 40", 100): Typical((0.98, 1.01), 12), ("LED 40", 50): Typical((), 0)}
    store.put_learnt(T, learnt)
    assert store.tenant(T).learnt() == learnt
    assert store.inspection(T) is None
    store.put_inspection(T, b"\x00\xff", NOW)
    store.put_inspection(T, b"\x01", NOW)
    assert store.inspection(T) == b"\x01"


def test_who_has_lost_the_lease_writes_nothing(store):
    held = store.take_lease(Lease("steering", "a"), 60)
    stale = replace(held, holder="b", fence=held.fence + 1)
    for write in (lambda: store.put_incidents(T, [trouble()], lease=stale),
                  lambda: store.put_learnt(T, {("x", 5): Typical((1.0,), 5)}, lease=stale),
                  lambda: store.put_inspection(T, b"x", NOW, lease=stale),
                  lambda: store.put_deliveries(T, [delivery(0)], lease=stale)):
        with pytest.raises(LeaseLost):
            write()
    assert list(store.tenant(T).incidents()) == []
    assert store.inspection(T) is None


def delivery(number: int, state: Sent = Sent.DONE) -> Delivery:
    return Delivery(f"d{number}", T, "c", About.BEGAN, NOW + timedelta(seconds=number), (("i", Severity.MAJOR),), state)


def test_only_the_newest_messages_are_kept(store):
    store.put_deliveries(T, [delivery(number) for number in range(MOST_DELIVERIES + 20)])
    town = store.tenant(T)
    assert len(town.deliveries(limit=10_000)) <= MOST_DELIVERIES
    assert town.deliveries(limit=1)[0].id == f"d{MOST_DELIVERIES + 19}"
    store.put_deliveries(T, [delivery(5000, Sent.WAITING)])
    assert [one.id for one in town.deliveries(live_only=True)] == ["d5000"]


def test_channels_come_and_go_and_are_not_many(store):
    town = store.tenant(T)
    one = Channel("c0", T, "Ada", Way.WEBHOOK, "https://a.example/", secret="s" * 20, quiet=(1320, 360), at_once=3,
                  repeat=timedelta(hours=1), changed_at=NOW, changed_by="ada")
    town.put_channel(one)
    assert town.channel("c0") == one
    town.try_channel("c0", NOW)
    assert town.channel("c0").trial_at == NOW
    for number in range(1, MOST_CHANNELS):
        town.put_channel(replace(one, id=f"c{number}"))
    with pytest.raises(Conflict):
        town.put_channel(replace(one, id="one-more"))
    town.remove_channel("c0")
    with pytest.raises(NotFound):
        town.remove_channel("c0")


def test_a_channels_secret_is_in_no_representation():
    assert "s" * 20 not in repr(Channel("c", T, "Ada", Way.WEBHOOK, "https://a.example/", secret="s" * 20))
