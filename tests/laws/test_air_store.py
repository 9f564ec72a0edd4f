"""What a store keeps of groups of radio, casts and time on air, on every engine."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.airtime import Estimate
from city.budget import Spent
from city.commands import Command, Event, Priority, advance, cast, command
from city.errors import Conflict, NotFound
from city.groups import TOWN, Target
from city.ids import AssetId, DevEui, GatewayId, TenantId, ZoneId
from city.imports import ImportRow
from city.losses import ANSWER_LOST, Tried
from city.multicast import MAX_GROUPS, CastRun, GroupWish, Measured, Member, Membership, RadioGroup
from city.orders import SetLevel
from city.places import Restriction, Site, Tenant
from city.store.port_air import AirChanges
from city.store.ports import Facts, Store, TenantStore
from tests.stores import new_store

NOW = datetime(2026, 11, 22, 18, 0, 30, tzinfo=UTC)
TOWN_ID = TenantId("alt")
DEVICE, GATEWAY = DevEui("a" * 16), GatewayId("b" * 16)
GROUP = RadioGroup(TOWN_ID, "g1", Target("zone", "markt"), "nas/ul20xx", "app", 1, 7, "01020304", 3, 869_525_000, "net",
                   (GATEWAY,), ready=True, note="", changed_at=NOW)
MEMBER = Member("g1", DEVICE, Membership.TOLD, enlisted=True, told_at=NOW)
RUN = CastRun("c1", TOWN_ID, "g1", "override:x", Priority.OVERRIDE, SetLevel(40, 60), 900, 3, 0.165, NOW,
              NOW + timedelta(minutes=5), NOW, estimate=Estimate(900, 3, 0.5, 11.0, 900, 250.0, 1, 1, 0.05, 146.0))


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    made = new_store(tmp_path / "city.db")
    made.put_tenant(Tenant(TOWN_ID, "Altstadt", Site(51.0, 8.1)))
    yield made
    made.close()


@pytest.fixture
def town(store: Store) -> TenantStore:
    return store.tenant(TOWN_ID)


def test_wishes_are_kept_replaced_and_removed_and_the_bridge_is_told(store: Store, town: TenantStore) -> None:
    before = store.intents()
    town.put_group_wish(GroupWish(Target("zone", "markt"), "anna", NOW, 1))
    town.put_group_wish(GroupWish(Target("zone", "markt"), "bert", NOW, 2))
    town.put_group_wish(GroupWish(TOWN, "anna", NOW))
    assert store.intents() != before
    assert [(str(one.target), one.actor, one.generation) for one in town.group_wishes()] == [("town", "anna", 1),
                                                                                           ("zone:markt", "bert", 2)]
    town.remove_group_wish(TOWN)
    with pytest.raises(NotFound):
        town.remove_group_wish(TOWN)
    assert len(town.group_wishes()) == 1


def test_a_town_wants_only_so_many(town: TenantStore) -> None:
    for number in range(MAX_GROUPS):
        town.put_group_wish(GroupWish(Target("zone", f"z{number}"), "anna", NOW))
    town.put_group_wish(GroupWish(Target("zone", "z0"), "bert", NOW))
    with pytest.raises(Conflict):
        town.put_group_wish(GroupWish(Target("zone", "more"), "anna", NOW))


def test_groups_members_and_casts_come_back_as_they_were_and_change_in_place(store: Store, town: TenantStore) -> None:
    store.commit(Facts(air=AirChanges((GROUP,), members=((TOWN_ID, MEMBER),), casts=(RUN,))))
    assert list(town.radio_groups()) == [GROUP]
    assert list(town.radio_members()) == [MEMBER]
    assert town.cast("c1") == RUN
    over = replace(RUN, sent=3, ended_at=NOW, measured=Measured(140.0, 890, 10, 0))
    confirmed = replace(MEMBER, state=Membership.CONFIRMED, confirmed_at=NOW)
    away = replace(GROUP, ready=False, note="away")
    store.commit(Facts(air=AirChanges((away,), members=((TOWN_ID, confirmed),), casts=(over,))))
    assert [group.note for group in town.radio_groups()] == ["away"]
    assert list(town.radio_members()) == [confirmed]
    assert list(town.casts()) == [over]
    assert list(town.casts(open_only=True)) == []
    with pytest.raises(NotFound):
        town.cast("c2")


def test_what_is_gone_is_gone_with_its_members(store: Store, town: TenantStore) -> None:
    other = Member("g1", DevEui("c" * 16), Membership.WANTED)
    store.commit(Facts(air=AirChanges((GROUP,), members=((TOWN_ID, MEMBER), (TOWN_ID, other)))))
    store.commit(Facts(air=AirChanges(left=((TOWN_ID, other),))))
    assert list(town.radio_members()) == [MEMBER]
    store.commit(Facts(air=AirChanges(gone=((TOWN_ID, "g1"),))))
    assert (list(town.radio_groups()), list(town.radio_members())) == ([], [])


def test_time_on_air_is_summed_by_minute_and_counts_no_shorter_than_it_was(store: Store, town: TenantStore) -> None:
    for second, seconds in ((0, 0.5), (20, 0.25), (40, 1.0)):
        at = NOW + timedelta(seconds=second)
        store.commit(Facts(air=AirChanges(spent=((TOWN_ID, Spent(GATEWAY, "P", at, seconds)),))))
    first, second = town.spent(NOW - timedelta(hours=1))
    assert (first.seconds, first.frames, second.seconds) == (0.75, 2, 1.0)
    assert first.at >= NOW + timedelta(seconds=20)
    assert list(store.all_spent(NOW)) == [first, second]
    assert list(town.spent(NOW + timedelta(hours=1))) == []


def test_a_command_that_went_by_a_cast_comes_back_with_it(store: Store, town: TenantStore) -> None:
    made = command(tenant=TOWN_ID, device=DEVICE, asset=AssetId("L1"), order=SetLevel(40, 59), origin="override:x",
                   priority=Priority.OVERRIDE, now=NOW, expires_at=NOW + timedelta(minutes=5))
    sent = cast(made, "c1", NOW, quiet_until=NOW + timedelta(minutes=3), order=SetLevel(40, 60))
    store.commit(Facts(commands=(made,)))
    store.commit(Facts(commands=(sent,)))
    kept = town.command(made.id)
    assert (kept.cast, kept.quiet_until, kept.order, kept.attempts) == ("c1", sent.quiet_until, SetLevel(40, 60), 1)
    assert kept.expires_at == sent.quiet_until + timedelta(minutes=5)


def lit(store: Store, device: DevEui, *steps: tuple[Event, str], minute: int = 0, by: str = "", asset: str = "L1",
        priority: Priority = Priority.OVERRIDE) -> None:
    """An order to a lamp, step by step."""
    now = NOW + timedelta(minutes=minute)
    made: Command = command(tenant=TOWN_ID, device=device, asset=AssetId(asset), order=SetLevel(40, 60),
                            origin=f"override:{minute}", priority=priority, now=now,
                            expires_at=now + timedelta(minutes=5))
    store.commit(Facts(commands=(made,)))
    if by:
        made = cast(made, by, now, quiet_until=now, order=made.order)
        store.commit(Facts(commands=(made,)))
    for number, (event, note) in enumerate(steps):
        made = advance(made, event, now + timedelta(seconds=number), note)
        store.commit(Facts(commands=(made,)))


SEND, ACK, CONFIRM, LOSE = (Event.SEND, ""), (Event.ACK, ""), (Event.CONFIRM, ""), (Event.LOSE, "no answer in time")


def test_what_was_told_alone_and_whether_the_first_try_was_heard_is_known_by_lamp(store: Store, town: TenantStore) -> None:
    town.import_rows([ImportRow(2 + line, AssetId(asset), kind, asset, Site(51.0, 8.1), ZoneId("markt"), None, None, "", None,
                                "P4" if kind == "lamp" else "", Restriction.NONE)
                      for line, (asset, kind) in enumerate((("L1", "lamp"), ("B1", "bay")))])
    one, two, three, sensor = (DevEui(letter * 16) for letter in "abcd")
    lit(store, one, SEND, ACK, CONFIRM)
    lit(store, one, SEND, LOSE, SEND, CONFIRM, minute=1)  # lost
    lit(store, one, SEND, ACK, LOSE, SEND, ACK, CONFIRM, minute=2)  # heard, but not reported
    lit(store, two, SEND, LOSE, SEND, (Event.ACK, ANSWER_LOST), CONFIRM, minute=3)
    lit(store, two, SEND, LOSE, SEND, LOSE, SEND, (Event.GIVE_UP, ""), minute=4)  # who never obeyed teaches nothing
    lit(store, three, CONFIRM, minute=5, by="c1")  # nobody acknowledges a multicast
    lit(store, three, LOSE, SEND, CONFIRM, minute=6, by="c2")  # which of the two it has heard, nobody knows
    lit(store, sensor, SEND, LOSE, SEND, CONFIRM, minute=8, asset="B1")
    lit(store, sensor, SEND, LOSE, SEND, CONFIRM, minute=9, priority=Priority.CONFIG)
    assert list(town.tried()) == [Tried(one, 3, 1), Tried(two, 1, 0)]
