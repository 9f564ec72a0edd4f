"""The bridge looks after its lamps: from uplinks to incidents, over a restart and a change of office."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from city.alarms import AlarmKind
from city.ids import TenantId
from city.incidents import Cause
from city.readings import NS
from city.store.ports import Lease
from gateway_bridge.inspect import Inspector, interval_ns
from gateway_bridge.memory import Memory
from tests.gateway_bridge.samples import up
from tests.gateway_bridge.town import LAMP, Town, small_town

T = TenantId("musterstadt")
NIGHT = timedelta(hours=12)  # after the town's beginning by day
FAILED = bytes.fromhex("83200202")


@pytest.fixture
def town(tmp_path) -> Iterator[Town]:
    with small_town(tmp_path) as made:
        yield made


def inspector(town: Town, memory: Memory | None = None, *, ours: bool = True, lease: Lease | None = None) -> Inspector:
    found = memory or Memory(town.store, town.log)
    found.meet()
    return Inspector(town.store, found, town.clock, asyncio.Lock(), lambda: (ours, lease))


async def usage(town: Town, watts: int, f_cnt: int) -> None:
    """Status and meter in one minute: burning at 100 %, drawing so much."""
    stamp = town.stamp()
    epoch = int(town.clock.now().timestamp()).to_bytes(4, "little").hex()
    status = bytes.fromhex(f"01{epoch}80005008160000FE506404")
    meter = bytes.fromhex(f"00FF3E{watts:04x}"[:6] + watts.to_bytes(2, "little").hex() + "5fe6" + "00" * 8)
    await town.hear("up", up(meter, f_port=26, f_cnt=f_cnt, time=stamp, dedup=f"{f_cnt:08x}-0000-4000-8000-000000000000"))
    town.clock.advance(30)
    await town.hear("up", up(status, f_port=23, f_cnt=f_cnt + 1, time=town.stamp(),
                             dedup=f"{f_cnt + 1:08x}-0000-4000-8000-000000000000"))


async def test_a_silent_lamp_is_one_alarm_and_one_incident(town: Town) -> None:
    await usage(town, 40, 1)
    looks = inspector(town)
    for _ in range(50):
        await looks.step()
        town.clock.advance(300)
    (alarm,) = town.own.alarms()
    (incident,) = town.own.incidents()
    assert (alarm.asset, alarm.kind, alarm.judged) == (LAMP, AlarmKind.DEVICE_SILENT, True)
    assert (incident.cause, incident.subject) == (Cause.ASSET, LAMP)
    town.clock.advance(60)
    await usage(town, 40, 3)
    assert town.own.alarms() == []


async def test_a_bridge_that_was_away_does_not_take_that_for_the_lamps_silence(town: Town) -> None:
    await usage(town, 40, 1)
    town.clock.advance(10 * 3600)
    await inspector(town).step()
    assert town.own.alarms() == []


async def test_who_does_not_steer_does_not_look(town: Town) -> None:
    await usage(town, 40, 1)
    looks = inspector(town, ours=False)
    for _ in range(60):
        await looks.step()
        town.clock.advance(300)
    assert town.own.incidents() == []


async def test_what_was_remembered_goes_on_after_a_restart(town: Town) -> None:
    await usage(town, 40, 1)
    first = inspector(town)
    for _ in range(20):
        await first.step()
        town.clock.advance(300)
    first.save()
    assert town.store.inspection(T)
    second = inspector(town)
    for _ in range(25):
        await second.step()
        town.clock.advance(300)
    assert [alarm.kind for alarm in town.own.alarms()] == [AlarmKind.DEVICE_SILENT]


async def test_nothing_is_written_under_a_lease_that_another_holds(town: Town) -> None:
    await usage(town, 40, 1)
    lease = town.store.take_lease(Lease("steering", "other"), 60)
    assert lease is not None
    looks = inspector(town, lease=Lease("steering", "me", lease.fence + 1))
    for _ in range(50):
        await looks.step()
        town.clock.advance(300)
    assert town.own.alarms() == []
    assert town.own.incidents() == []
    assert town.store.inspection(T) is None


async def test_an_alarm_of_a_sensor_is_an_incident_too(town: Town) -> None:
    await town.hear("up", up(FAILED, f_port=61, f_cnt=1, time=town.stamp()))
    looks = inspector(town)
    await looks.step()
    town.clock.advance(1200)
    await looks.step()
    assert [one.kinds for one in town.own.incidents()] == [(AlarmKind.LAMP_FAILURE,)]


def test_the_interval_is_the_confirmed_one_or_not_known() -> None:
    assert interval_ns({}) == 0
    assert interval_ns({"StatusInterval": '{"type":"StatusInterval","seconds":900}'}) == 900 * NS
    assert interval_ns({"StatusInterval": "nonsense"}) == 0
