"""What a zone's bays did, in sums, and what towns ask of them: rule 12 of docs/parking.md."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.bays import BayEvent, Rules, Span, Track
from city.ids import AssetId, ZoneId
from city.nights import BERLIN
from city.parking_facts import Quarter, Stay
from city.parking_stats import DWELL_BINS, bay_day, dwell, heat, occupancy, quarters, stays, turnover
from city.readings import NS, to_ns

NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # a Monday, 12 o'clock in Berlin
ZONE, BAY, RULES = ZoneId("markt"), AssetId("B1"), Rules()


def span(begin, end, occupied, certain=True):
    """Minutes from noon."""
    return Span(to_ns(NOON) + int(begin * 60 * NS), to_ns(NOON) + int(end * 60 * NS), occupied, certain)


def booked(*bays, hours=1):
    return quarters(ZONE, "", bays, NOON, NOON + timedelta(hours=hours), RULES)


def quarter(hour, free, occupied, unknown=0, departures=0):
    return Quarter(ZONE, "", NOON + timedelta(hours=hour), 10, free, occupied, unknown, 0, departures)


def test_a_quarter_of_an_hour_has_each_second_of_each_bay_once():
    first, second, *_ = booked([span(-9, 5, False), span(5, 25, True), span(25, 60, False)], [span(10, 60, False)])
    assert (first.bays, first.free_s, first.occupied_s, first.unknown_s) == (2, 600, 600, 600)
    assert (second.free_s, second.occupied_s, second.unknown_s) == (1200, 600, 0)
    assert (first.arrivals, first.departures, second.arrivals, second.departures) == (1, 0, 0, 1)
    assert (second.stays, second.stays_s) == (1, 1200)


def test_who_parks_for_less_than_three_minutes_has_not_parked():
    assert sum(one.arrivals for one in booked([span(0, 5, False), span(5, 7.9, True), span(7.9, 60, False)])) == 0
    assert sum(one.arrivals for one in booked([span(0, 5, False), span(5, 8, True), span(8, 60, False)])) == 1


def test_who_only_manoeuvres_stays():
    found = booked([span(0, 5, False), span(5, 20, True), span(20, 20.4, False), span(20.4, 40, True), span(40, 60, False)])
    assert sum(one.departures for one in found) == 1
    assert sum(one.stays_s for one in found) == 35 * 60


def test_a_stay_that_goes_on_or_whose_end_nobody_saw_has_not_ended():
    for rest in ([], [span(40, 60, None)]):
        found = booked([span(0, 5, False), span(5, 40, True), *rest])
        assert (sum(one.arrivals for one in found), sum(one.departures for one in found)) == (1, 0)


def test_an_uncertain_stay_counts_as_a_departure_and_not_as_a_length():
    found = booked([span(0, 5, False), span(5, 40, True, certain=False), span(40, 60, False)])
    assert (sum(one.departures for one in found), sum(one.stays for one in found)) == (1, 0)


@st.composite
def bays(draw):
    found = []
    for _ in range(draw(st.integers(0, 4))):
        cuts = sorted(draw(st.sets(st.integers(-60, 200), max_size=12)))
        found.append([span(begin, end, draw(st.sampled_from((None, True, False))), draw(st.booleans()))
                      for begin, end in pairwise(cuts)])
    return found


@given(bays())
def test_quarters_never_hold_more_time_than_there_was(of):
    for one in booked(*of, hours=3):
        assert min(one.free_s, one.occupied_s, one.unknown_s) >= 0
        assert one.free_s + one.occupied_s + one.unknown_s == len(of) * 900
        assert one.stays <= one.departures


@given(bays())
def test_quarters_booked_one_by_one_are_those_booked_together(of):
    each = [one for part in range(12) for one in quarters(ZONE, "", of, NOON + part * timedelta(minutes=15),
                                                          NOON + (part + 1) * timedelta(minutes=15), RULES)]
    assert each == booked(*of, hours=3)


def test_a_stay_has_no_bay_and_another_name_each_day():
    key = {date(2026, 11, 23): b"one", date(2026, 11, 24): b"two"}.__getitem__
    of = [span(0, 5, False), span(5, 40.5, True), span(40.5, 900, False), span(900, 960, True), span(960, 999, False)]
    first, second = stays(ZONE, "", BAY, of, RULES, key)
    assert (first.began, first.ended) == (NOON + timedelta(minutes=5), NOON + timedelta(minutes=40))
    assert first.alias != second.alias
    assert BAY not in first.alias
    assert len({first.alias, stays(ZONE, "", AssetId("B2"), of, RULES, key)[0].alias}) == 2
    assert stays(ZONE, "", BAY, of[:2], RULES, key) == []


def test_a_sensors_day():
    at, midnight = to_ns(NOON), datetime(2026, 11, 22, 23, tzinfo=UTC)
    events = [BayEvent(at, "a", 1, "edge", True), BayEvent(at + 600 * NS, "a", 3, "beat", False),
              BayEvent(at + 900 * NS, "a", 4, "edge", True), BayEvent(at + 990 * NS, "b", 0, "start", True, boot="watchdog")]
    later = [span(0, 10, True, certain=False), span(10, 15, False), span(15, 60, True)]
    found = bay_day(BAY, ZONE, date(2026, 11, 23), Track(), events, NOON + timedelta(hours=1), RULES, timedelta(days=1),
                    later=later)
    assert (found.beats, found.edges, found.missed, found.lost, found.starts) == (1, 2, 1, 1, 1)
    assert (found.occupied_s, found.unknown_s) == (55 * 60, (NOON - midnight).seconds)
    assert found.stays == 1


def test_the_heat_map_is_by_the_towns_own_clock():
    found = heat([quarter(0, 900, 8100), quarter(0.25, 2700, 6300), quarter(1, 9000, 0), quarter(2, 0, 0, 9000)])
    assert found == {(1, 12): 0.8, (1, 13): 0.0}


def test_occupancy_and_turnover_are_of_the_time_that_is_known():
    day = [quarter(hour / 4, 3600, 3600, 1800, departures=hour % 2) for hour in range(96)]
    assert occupancy(day) == 0.5
    assert turnover(day) == pytest.approx(48 / 8)
    assert occupancy([]) is turnover([quarter(0, 0, 0, 9000)]) is None


def test_how_long_people_stay_is_told_of_what_was_seen_whole():
    def stay(minutes, certain=True):
        return Stay(ZONE, "", "x", NOON, NOON + timedelta(minutes=minutes), certain)
    found = dwell([stay(10), stay(15), stay(16), stay(90), stay(2000), stay(600, certain=False)])
    assert found.counts == (2, 1, 0, 1, 0, 0, 0, 0, 0, 1)
    assert len(found.counts) == len(DWELL_BINS) + 1
    assert (found.stays, found.median_min) == (5, 16)
    assert dwell([]).mean_min is None


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 10, 25), 25), (date(2026, 3, 29), 23), (date(2026, 11, 23), 24)])
def test_a_day_has_as_many_hours_as_the_clocks_of_the_town_say(day, hours):
    """Also the two in which these are set: an hour twice is an hour twice, and none is no hour."""
    begin = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    end = begin + timedelta(hours=hours)
    left = to_ns(begin) + 9000 * NS
    spans = [Span(to_ns(begin) - 3600 * NS, left, True, True), Span(left, to_ns(end), False, True)]
    whole = quarters(ZONE, "", [spans], begin, end, RULES)
    assert len(whole) == hours * 4 == len({one.at for one in whole})
    assert (sum(one.occupied_s for one in whole), sum(one.free_s for one in whole)) == (9000, hours * 3600 - 9000)
    assert {one.at.astimezone(BERLIN).date() for one in whole} == {day}
    found = bay_day(BAY, ZONE, day, Track(), (), end + timedelta(hours=3), RULES, timedelta(hours=24), later=spans[:1])
    assert (found.occupied_s, found.unknown_s) == (9000, hours * 3600 - 9000)
    assert len(heat(whole)) == min(hours, 24)
