"""One setpoint, one reason: overrides over the program, guard-rails before either."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import Invalid
from city.ids import AssetId, OverrideId, TenantId, ZoneId
from city.lighting import BERLIN, Program, lamp_floor, override, program_setpoint, program_steps, setpoint
from city.places import Luminaire, Restriction, Site
from city.sun import night

SITE = Site(50.9966, 8.1104)
T = TenantId("hilchenbach")
LAMP = Luminaire(T, AssetId("L1"), "HIL-0001", SITE, ZoneId("markt"))
CROSSWALK = Luminaire(T, AssetId("L2"), "HIL-0002", SITE, ZoneId("markt"), restriction=Restriction.CROSSWALK)
NIGHT = datetime(2026, 11, 22, 19, tzinfo=UTC)


MARKT = ZoneId("markt")


def wish(level=40, *, lamps=(LAMP,), until=NIGHT + timedelta(hours=2), now=NIGHT, zone=MARKT, id="o1", **more):
    return override(id=OverrideId(id), tenant=T, lamps=lamps, level=level, until=until, actor="anna", now=now, zone=zone, **more)


@pytest.mark.parametrize(("at", "level"), [
    ("2026-11-22T12:00", 0), ("2026-11-22T16:00", 100), ("2026-11-22T20:59", 100), ("2026-11-22T21:00", 50),
    ("2026-11-23T03:59", 50), ("2026-11-23T04:00", 100), ("2026-11-23T07:30", 0)])
def test_the_shipped_program_burns_full_half_full_off_through_a_november_night(at, level):
    assert program_setpoint(Program(), SITE, datetime.fromisoformat(at).replace(tzinfo=UTC)).level == level


@given(st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2028, 12, 31)),  # noqa: DTZ001 - hypothesis wants naive bounds
       st.sampled_from([SITE, Site(69.65, 18.96), Site(-33.9, 18.4), Site(54.8, 8.3)]),
       st.times(), st.times())
@settings(max_examples=300, deadline=None)
def test_a_program_always_wants_exactly_one_level_with_a_beginning_and_an_end(naive, site, low, high):
    now = naive.replace(tzinfo=UTC)
    program = Program(reduced_from=low, reduced_until=high)
    steps = program_steps(program, site, now)
    times = [at for at, _ in steps]
    assert times == sorted(set(times))
    want = program_setpoint(program, site, now)
    assert want.since <= now < want.until
    assert want.level in (0, 50, 100)


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 10, 24)])
def test_the_nights_of_the_clock_change_reduce_at_ten_local_time(day):
    evening = datetime.combine(day, time(23), UTC)
    reduced = next(at for at, level in program_steps(Program(), SITE, evening) if level == 50)
    assert reduced.astimezone(tz=BERLIN).time() == time(22)


def test_in_a_polar_day_the_lamps_stay_off_and_in_a_polar_night_they_burn():
    tromso = Site(69.65, 18.96)
    assert {level for _, level in program_steps(Program(), tromso, datetime(2026, 6, 21, 23, tzinfo=UTC))} == {0}
    sunset, sunrise = night(tromso, date(2026, 12, 21))
    assert sunrise - sunset == timedelta(days=1)


def test_the_newest_override_wins_and_its_end_returns_to_the_program():
    older, newer = wish(40, id="a"), wish(70, id="b", now=NIGHT + timedelta(minutes=1))
    at = NIGHT + timedelta(minutes=2)
    want = setpoint(LAMP, [newer, older], Program(), SITE, at)
    assert (want.level, want.reason, want.origin) == (70, "override", "override:b")
    assert setpoint(LAMP, [newer, older], Program(), SITE, NIGHT + timedelta(hours=3)).reason == "program"


def test_an_override_concerns_its_own_zone_and_its_own_town_only():
    other_zone = Luminaire(T, AssetId("L9"), "L9", SITE, ZoneId("bahnhof"))
    other_town = Luminaire(TenantId("netphen"), AssetId("L1"), "L1", SITE, ZoneId("markt"))
    assert not wish().covers(other_zone)
    assert not wish().covers(other_town)
    assert wish(zone=None, asset=AssetId("L1")).covers(LAMP)


@pytest.mark.parametrize(("change", "field"), [
    ({"level": 140}, "level"), ({"level": -1}, "level"), ({"until": NIGHT}, "until"),
    ({"until": NIGHT + timedelta(hours=25)}, "until"), ({"lamps": ()}, "zone"), ({"reason": "x" * 201}, "reason")])
def test_a_wish_that_breaks_a_rule_names_its_field(change, field):
    with pytest.raises(Invalid) as caught:
        wish(**change)
    assert caught.value.field == field
    assert str(caught.value)


def test_a_crosswalk_lamp_is_never_dimmed_but_may_burn_full():
    with pytest.raises(Invalid, match="HIL-0002"):
        wish(99, lamps=(LAMP, CROSSWALK))
    assert wish(100, lamps=(LAMP, CROSSWALK)).level == 100


def test_at_night_the_program_never_goes_below_a_lamps_floor():
    want = setpoint(CROSSWALK, [], Program(), SITE, datetime(2026, 11, 22, 23, tzinfo=UTC))
    assert (want.level, lamp_floor(CROSSWALK)) == (100, 100)
    assert setpoint(CROSSWALK, [], Program(), SITE, datetime(2026, 11, 22, 12, tzinfo=UTC)).level == 0


def test_a_crosswalk_lamp_burns_though_the_program_puts_the_others_out():
    night, day = datetime(2026, 11, 22, 23, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)
    for out in (Program(reduced_level=0), Program(reduced_level=0, reduced_from=time(12), reduced_until=time(11, 50))):
        assert [setpoint(lamp, [], out, SITE, night).level for lamp in (LAMP, CROSSWALK)] == [0, 100]
        assert setpoint(CROSSWALK, [], out, SITE, day).level == 0
