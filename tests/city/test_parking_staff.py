"""What parking's staff needs: closures of bays, who parks too long, how sensors do."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city import closures
from city.bay_health import Finding, SensorHealth, health, worst_first
from city.errors import Invalid
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.overstays import overstay, zone_overstays
from city.parking_facts import BayDay, BayFact
from city.parking_places import SiteRule
from city.parking_rules import InForce
from city.places import ParkingBay, Site
from city.readings import DeviceState, Last, Lasts, to_ns
from city.settings import Parking

NOW = datetime(2026, 11, 23, 11, tzinfo=UTC)  # a Monday, noon in Berlin
T, ZONE, WEEK = TenantId("stadt"), ZoneId("platz"), timedelta(days=7)


def closure(*bays: str, start: datetime = NOW, end: datetime = NOW + timedelta(hours=2), reason: str = "Bau") -> closures.Closure:
    return closures.closure("c", tenant=T, bays=[AssetId(bay) for bay in bays], start=start, end=end, reason=reason, actor="eva",
                            now=NOW)


def bay(id: str = "B1") -> ParkingBay:
    return ParkingBay(T, AssetId(id), id, Site(51.0, 8.1), ZONE)


def fact(occupancy: str = "occupied", since: datetime = NOW, why: str = "", start_fault: str = "") -> BayFact:
    return BayFact(AssetId("B1"), ZONE, occupancy, why, since, since, since, True, False, start_fault=start_fault)


def day_rules(at: datetime) -> InForce:
    """Two hours from eight to six, nothing at night; in UTC."""
    begin, end = at.replace(hour=7, minute=0), at.replace(hour=17, minute=0)
    limit = (SiteRule(max_stay_min=120),)
    if begin <= at < end:
        return InForce(limit, True, end, (), True)
    return InForce((), True, begin if at < begin else begin + timedelta(days=1), limit, True)


def test_a_closure_is_one_block_for_each_bay_named_once_and_found_again() -> None:
    made = closure("B1", "B2", "B1", reason="  Bau   am Rathaus ")
    assert [block.bay for block in made.blocks] == ["B1", "B2"]
    assert made.first.reason == "Bau am Rathaus"
    other = closures.closure("a", tenant=T, bays=[AssetId("B9")], start=NOW, end=NOW + timedelta(hours=1), reason="x",
                             actor="eva", now=NOW)
    assert [one.id for one in closures.closures([*made.blocks, *other.blocks])] == ["a", "c"]


def test_a_start_that_has_passed_is_now_so_that_no_past_is_written() -> None:
    assert closure("B1", start=NOW - timedelta(days=1)).first.start == NOW


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, -1), (5, 4), (0, 24 * 401), (24 * 801, 24 * 802)])
def test_times_that_make_no_sense_are_refused(start: int, end: int) -> None:
    with pytest.raises(Invalid):
        closure("B1", start=NOW + timedelta(hours=start), end=NOW + timedelta(hours=end))


def test_more_bays_than_a_town_closes_at_once_are_refused() -> None:
    with pytest.raises(Invalid):
        closure(*(f"B{n}" for n in range(closures.MOST_BAYS + 1)))


def test_time_counts_from_when_the_limit_began() -> None:
    found = overstay(fact(since=NOW - timedelta(hours=14)), "", day_rules, NOW, WEEK)
    assert found is not None
    assert (found.minutes, found.over_min) == (240, 120)


def test_who_came_while_the_limit_held_counts_from_the_arrival() -> None:
    assert overstay(fact(since=NOW - timedelta(minutes=120)), "", day_rules, NOW, WEEK) is None
    found = overstay(fact(since=NOW - timedelta(minutes=121)), "", day_rules, NOW, WEEK)
    assert found is not None
    assert found.over_min == 1


@given(st.integers(0, 7 * 24 * 60), st.integers(0, 24 * 60))
def test_nobody_is_over_a_limit_by_more_than_it_has_held(before: int, later: int) -> None:
    now = NOW + timedelta(minutes=later)
    found = overstay(fact(since=now - timedelta(minutes=before)), "", day_rules, now, WEEK)
    if found is not None:
        assert day_rules(now).rules
        assert 0 < found.over_min <= min(before, 600) - 120


def test_only_taken_bays_of_a_kind_with_a_limit_are_counted() -> None:
    long = NOW - timedelta(hours=3)
    facts = [(fact(since=long), ""), (fact("free", long), ""), (fact("unknown", long), ""), (fact(since=long), "disabled")]
    zone = zone_overstays(ZONE, facts, day_rules, NOW, WEEK)
    assert (zone.limited, len(zone.over)) == (1, 1)


def test_of_alternatives_the_most_generous_counts_and_no_limit_beats_all() -> None:
    def rules(_: datetime) -> InForce:
        return InForce((SiteRule(max_stay_min=60), SiteRule(max_stay_min=0, fee=True)), True, None, (), True)

    assert overstay(fact(since=NOW - timedelta(days=2)), "", rules, NOW, WEEK) is None


def sensor(found: BayFact | None, *days: BayDay, state: DeviceState | None = None, device: str | None = "e") -> SensorHealth:
    return health(bay(), DevEui(device) if device else None, "bosch/tps110", found, days, state, Parking())


def test_a_bay_without_a_sensor_says_that_and_nothing_else() -> None:
    assert sensor(fact(), device=None).findings == (Finding.NO_SENSOR,)


def test_shares_are_told_only_of_enough_frames() -> None:
    few = BayDay(AssetId("B1"), date(2026, 11, 22), ZONE, 0, 3, 3, 0, 0, 0, 0)
    many = BayDay(AssetId("B1"), date(2026, 11, 22), ZONE, 5, 30, 3, 9, 0, 0, 0)
    assert (sensor(fact(), few).missed_share, sensor(fact(), few).findings) == (None, ())
    assert sensor(fact(), many).findings == (Finding.MISSED, Finding.LOST)


def test_a_low_battery_is_told_whether_by_per_cent_or_by_the_sensors_own_word() -> None:
    at = to_ns(NOW)
    for name, value in (("device.battery", 12.0), ("device.battery_low", True)):
        said = DeviceState(DevEui("e"), heard_ns=at, last=Lasts.of({name: Last(value, at, at)}))
        assert sensor(fact(), state=said).findings == (Finding.BATTERY,)


def test_the_worst_comes_first() -> None:
    found = [sensor(fact()), sensor(fact("unknown", why="silent")), sensor(fact("out_of_service", why="gone")),
             sensor(fact(start_fault="coverage")), sensor(fact(start_fault="device"))]
    assert [one.findings[:1] for one in worst_first(found)] == [
        (Finding.GONE,), (Finding.DEVICE_RESTARTS,), (Finding.SILENT,), (Finding.COVERAGE,), ()]
    assert [one.broken for one in worst_first(found)] == [True, True, False, False, False]
