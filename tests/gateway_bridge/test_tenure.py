"""Of several bridges on one database one steers, another takes over, and each attempt goes out once."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from city.commands import State
from city.errors import StoreDown
from city.ids import TenantId
from city.settings import Bridge
from city.store.ports import Facts, Lease, Store
from gateway_bridge.link import MemoryLink
from gateway_bridge.metrics import Metrics
from gateway_bridge.steer import STEERING, Steerer
from gateway_bridge.tenure import Tenure
from tests.gateway_bridge.samples import up
from tests.gateway_bridge.test_steer import PROFILE, status
from tests.gateway_bridge.town import Town, small_town
from tests.stores import new_store

THIEF = Lease(STEERING, "thief")


class Time:
    """A timer that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A store of which a test sees how often the lease was asked for, and steps in where a process would be asleep."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked, self.down = store, 0, False
        self.after_commit = self.before_commit = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def take_lease(self, *words: Any, **more: Any) -> Lease | None:
        self.asked += 1
        if self.down:
            raise StoreDown("gone")
        return self._store.take_lease(*words, **more)

    def commit_as(self, lease: Lease, facts: Facts, **more: Any) -> Mapping[TenantId, int]:
        self.before_commit()
        revisions = self._store.commit_as(lease, facts, **more)
        self.after_commit()
        return revisions


def steal(store: Store) -> Lease:
    """As after the holder's time has run out, and another came."""
    held = store.take_lease(Lease(STEERING, "one"), 0, restarted=True) or store.take_lease(Lease(STEERING, "two"), 0,
                                                                                          restarted=True)
    assert held is not None
    taken = store.take_lease(THIEF, 60)
    assert taken is not None
    return taken


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = new_store(tmp_path / "city.db")
    yield opened
    opened.close()


def test_a_holder_asks_again_before_its_time_is_over_and_not_at_each_look(store: Store) -> None:
    timer, watched = Time(), Watched(store)
    tenure = Tenure(watched, STEERING, "one", 10, timer)
    for _ in range(40):
        assert tenure.hold()
        assert tenure.sure
        timer.now += 1
    assert 7 <= watched.asked <= 11


def test_who_cannot_renew_stops_before_anybody_else_can_begin(store: Store) -> None:
    timer, watched = Time(), Watched(store)
    tenure = Tenure(watched, STEERING, "one", 10, timer)
    tenure.hold()
    watched.down = True
    timer.now += 7.9
    assert tenure.sure
    with pytest.raises(StoreDown):
        tenure.hold()
    timer.now += 0.2
    assert not tenure.sure
    assert store.take_lease(THIEF, 60) is None


def test_who_has_lost_it_notices_and_waits(store: Store) -> None:
    timer = Time()
    tenure = Tenure(store, STEERING, "one", 10, timer)
    tenure.hold()
    stolen = steal(store)
    timer.now += 5
    assert tenure.hold() is None
    assert not tenure.sure
    store.release_lease(stolen)
    assert tenure.hold()


def test_a_process_that_starts_again_under_its_name_has_the_job_at_once(store: Store) -> None:
    Tenure(store, STEERING, "one", 60).hold()
    assert Tenure(store, STEERING, "two", 60).hold() is None
    again = Tenure(store, STEERING, "one", 60)
    assert again.hold()
    assert again.sure


def test_who_is_not_able_holds_only_what_nobody_able_wants(store: Store) -> None:
    lame, able = Tenure(store, STEERING, "one", 60), Tenure(store, STEERING, "two", 60)
    assert lame.hold(able=False)
    assert not lame.sure
    assert lame.hold(able=False)
    assert able.hold()
    assert lame.hold(able=False) is None
    able.release()
    assert lame.hold(able=False) is None  # for as long as somebody able may come
    assert able.hold()


# two bridges that steer one town

class Two:
    """A second bridge beside the town's own, on the same database, each with a broker of its own."""

    def __init__(self, town: Town) -> None:
        self.town, self.store, self.timer = town, Watched(town.store), Time()
        self.links = MemoryLink(), MemoryLink()
        self.one, self.two = (self._steerer(name, link) for name, link in zip(("one", "two"), self.links, strict=True))

    def _steerer(self, name: str, link: MemoryLink) -> Steerer:
        town = self.town
        return Steerer(link, self.store, town.clock, Bridge(), Metrics(), reader=town.reader,
                       tenure=Tenure(self.store, STEERING, name, 10, self.timer))

    async def tick(self, seconds: float = 1.0) -> None:
        self.town.clock.advance(seconds)
        self.timer.now += seconds
        await self.one.tick()
        await self.two.tick()

    def downs(self) -> list[list[str]]:
        """The queue ids that each has sent."""
        return [[json.loads(payload)["id"] for _, payload in link.published] for link in self.links]


@pytest.fixture
async def two(tmp_path: Path) -> Any:
    with small_town(tmp_path) as town:
        await town.hear("up", up(status(0, PROFILE), f_cnt=101, time=town.stamp(), rxInfo=[]))
        yield Two(town)


async def test_one_of_two_sends_a_wish(two: Two) -> None:
    two.town.wish(40)
    for _ in range(5):
        await two.tick()
    first, second = two.downs()
    assert (len(first), second) == (1, [])
    assert (two.one.steers, two.two.steers) == (True, False)


async def test_another_takes_over_and_sends_nothing_that_is_on_its_way(two: Two) -> None:
    two.town.wish(40)
    await two.tick()
    two.one.leave()
    for _ in range(3):
        two.town.clock.advance(1)
        await two.two.tick()
    assert [len(ids) for ids in two.downs()] == [1, 0]
    assert two.two.steers
    for _ in range(4):  # nobody answers: another attempt under another id, by who steers now
        await two.tick(20)
    first, second = two.downs()
    assert (len(first), len(second)) == (1, 1)
    assert len({*first, *second}) == 2


async def test_who_sleeps_while_it_decides_commits_and_sends_nothing(two: Two) -> None:
    await two.one.tick()
    two.town.wish(40)
    two.store.before_commit = lambda: steal(two.town.store)
    await two.one.tick()
    assert two.downs() == [[], []]
    assert two.town.commands() == []
    assert not two.one.steers


async def test_who_sleeps_after_it_has_claimed_puts_back_what_is_still_its_own(two: Two) -> None:
    def sleep() -> None:
        if any(command.state is State.SENT for command in two.town.commands()):
            two.timer.now += 60
            two.store.after_commit = lambda: None

    two.town.wish(40)
    two.store.after_commit = sleep
    await two.one.tick()
    (command,) = two.town.commands()
    assert (command.state, command.attempts, two.downs()) == (State.PLANNED, 0, [[], []])
    await two.tick()
    assert [len(ids) for ids in two.downs()] == [1, 0]


async def test_who_sleeps_after_it_has_claimed_leaves_it_to_whoever_has_taken_over(two: Two) -> None:
    def sleep() -> None:
        if any(command.state is State.SENT for command in two.town.commands()):
            two.timer.now += 60
            steal(two.town.store)

    two.town.wish(40)
    two.store.after_commit = sleep
    await two.one.tick()
    (command,) = two.town.commands()
    assert (command.state, command.attempts, two.downs()) == (State.SENT, 1, [[], []])


async def test_a_bridge_without_a_broker_leaves_steering_to_one_that_has_it(two: Two) -> None:
    await two.tick()
    assert two.one.steers
    two.links[0].disconnect()
    two.town.wish(40)
    await two.tick()
    assert (two.one.steers, two.two.steers) == (False, True)
    assert [len(ids) for ids in two.downs()] == [0, 1]


async def test_alone_and_without_a_broker_a_bridge_still_plans(two: Two) -> None:
    two.links[0].disconnect()
    two.town.wish(40)
    two.town.clock.advance(1)
    await two.one.tick()
    (command,) = two.town.commands()
    assert command.state is State.PLANNED
    two.town.clock.advance(timedelta(hours=2).total_seconds())
    await two.one.tick()
    assert [item.state for item in two.town.commands()] == [State.SUPERSEDED]  # the wish is over


async def test_a_bridge_that_may_send_nothing_never_steers(two: Two) -> None:
    still = Steerer(two.links[0], two.store, two.town.clock, Bridge(frames_per_tick=0), Metrics(), reader=two.town.reader,
                    tenure=Tenure(two.store, STEERING, "still", 10))
    await still.tick()
    assert two.store.asked == 0
    two.town.wish(40)
    await two.two.tick()
    assert [len(ids) for ids in two.downs()] == [0, 1]
