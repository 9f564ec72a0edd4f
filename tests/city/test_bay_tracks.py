"""What is believed of a bay, whatever its sensor says, in whatever order it comes: rules 1 to 8 of docs/parking.md."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from city.bay_tracks import (
    StartFault,
    bay_state,
    flapping,
    follow,
    learning,
    ordered,
    shown,
    spans_until,
    start_fault,
)
from city.bays import BayEvent, Occupancy, Rules, Span, Track, Why, event_of
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.places import ParkingBay, Site
from city.quantities import (
    BAY_OBSTRUCTED,
    BAY_OCCUPIED,
    BAY_PREVIOUS_ERROR,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BOOT,
    DEVICE_COUNTER,
    DEVICE_EVENT,
    DEVICE_FAULT,
    DEVICE_HEARTBEAT,
)
from city.readings import NS, Entry, Place, Quality, from_ns

MINUTE = 60 * NS
RULES, DAY = Rules(), timedelta(hours=24)
BAY = ParkingBay(TenantId("t"), AssetId("B1"), "B1", Site(51, 8), ZoneId("markt"))


def said(minute, number, occupied=None, sign="edge", session="a", **more):
    return BayEvent(int(minute * MINUTE), session, number, sign, occupied, **more)


def beat(minute, number, occupied, **more):
    return said(minute, number, occupied, "beat", **more)


def start(minute, number, occupied=None, boot="power-on", **more):
    return said(minute, number, occupied, "start", boot=boot, **more)


def track(*events, every=DAY):
    return follow(Track(), ordered(events), RULES, every)[0]


def spans(*events, every=DAY):
    """(begin, end, occupied, certain), in minutes."""
    return [(one.begin_ns / MINUTE, one.end_ns / MINUTE, one.occupied, one.certain)
            for one in follow(Track(), ordered(events), RULES, every)[1]]


def state(of, minute, every=DAY, **more):
    return bay_state(BAY, of, beat=every, now_ns=int(minute * MINUTE), rules=RULES, **more)


# -- rule 1: order

def test_frames_of_one_session_stand_in_the_order_of_their_counters():
    found = ordered([said(10, 5, False), said(9.5, 6, True), said(20, 7, False)])
    assert [(one.number, one.at_ns / MINUTE) for one in found] == [(5, 9.5), (6, 10), (7, 20)]


def test_a_counter_that_begins_anew_in_the_same_session_is_no_late_frame():
    found = ordered([said(1, 900, True), said(5, 901, False), said(6, 0, True), said(30, 1, False), said(31, 901, True)])
    assert [one.number for one in found] == [900, 901, 0, 1, 901]


def test_a_counter_of_few_frames_that_begins_anew_later_is_no_late_frame():
    assert [one.number for one in ordered([said(1, 3, True), said(60, 2, False), said(70, 3, True)])] == [3, 2, 3]


def test_a_frame_that_comes_by_two_ways_counts_once():
    assert len(ordered([said(1, 3, True), said(1, 3, True), said(1.5, 3, True)])) == 1


def test_another_session_begins_its_counter_anew():
    assert track(said(1, 900, True), said(9, 0, False, session="b")).occupied is False


def test_joins_have_no_number_and_change_nothing():
    joined = said(5, -1, sign="other", session="")
    assert track(said(1, 3, True), joined, joined, said(9, 4, False)).lost == 0


# -- rule 2: gaps

def test_a_missing_frame_makes_the_stay_uncertain_and_not_the_next_one():
    found = spans(said(0, 1, True), said(60, 3, False), said(90, 4, True), said(95, 5, False))
    assert found == [(0, 60, True, False), (60, 90, False, True), (90, 95, True, True)]


def test_two_equal_changes_in_a_row_mean_that_one_between_was_lost():
    of = (said(0, 1, True), said(60, 3, True), said(90, 4, False))
    assert spans(*of) == [(0, 60, True, False), (60, 90, True, True)]
    assert (track(*of).missed, track(*of).lost) == (1, 1)


def test_a_change_with_its_state_is_a_change_where_models_do_not_say_what_it_is():
    of = (said(0, 1, False, "state"), said(30, 2, False, "state"), said(60, 3, True, "state"), said(90, 4, True, "state"))
    assert spans(*of, said(95, 5, False, "state")) == [(0, 60, False, False), (60, 95, True, True)]
    assert track(*of).missed == 0


@pytest.mark.parametrize(("before", "after", "lost"), [(110, 111, 0), (110, 113, 2), (255, 0, 0), (254, 1, 2), (7, 7, 0),
                                                       (200, 3, 58), (3, 250, 0), (300, 301, 0), (300, 303, 2), (65_535, 4, 0)])
def test_the_sensors_own_counter_shows_what_is_missing_and_wraps(before, after, lost):
    assert track(said(0, 1, True, counter=before), said(9, 2, False, counter=after)).lost == lost


def test_a_counter_that_a_restart_sets_back_shows_nothing():
    assert track(said(0, 1, True, counter=90), start(5, 2, True, counter=0), said(9, 3, False, counter=1)).lost == 0


def test_the_state_before_tells_when_a_lost_change_was():
    found = spans(said(0, 1, True), said(100, 3, True, previous_min=30), said(120, 4, False, previous_min=20))
    assert found == [(0, 70, True, True), (70, 100, False, True), (100, 120, True, True)]


def test_the_state_before_tells_of_a_whole_stay_that_was_lost():
    found = spans(said(0, 1, False), said(100, 4, True, previous_min=30))
    assert found == [(0, 70, False, False), (70, 100, False, True)]
    assert track(said(0, 1, False), said(100, 4, True, previous_min=30)).missed == 2


def test_the_state_before_tells_that_nothing_was_lost_though_frames_are_missing():
    assert spans(said(0, 1, False), said(100, 4, True, previous_min=99)) == [(0, 100, False, True)]


def test_a_state_that_lasted_at_least_so_long_proves_no_lost_stay():
    assert spans(said(0, 1, False), said(1200, 2, True, previous_min=660, previous_error=1e6)) == [(0, 1200, False, True)]


def test_a_sensor_that_restarted_counts_its_minutes_from_then():
    found = spans(said(0, 1, False), start(90, 2, False), said(100, 3, True, previous_min=10))
    assert found == [(0, 100, False, False)]


def test_the_state_before_tells_what_was_not_known():
    found = spans(beat(0, 1, False), said(3000, 9, True, previous_min=60))
    assert found == [(0, 1500, False, False), (1500, 2940, None, False), (2940, 3000, False, True)]


def test_whoever_was_silent_for_longer_than_can_be_repaired_is_not_repaired():
    assert spans(said(0, 1, True), said(60, 2, True, previous_min=60 * 49)) == [(0, 60, True, False)]


# -- rule 3: debouncing

def test_a_change_shows_when_it_has_held():
    now = track(said(0, 1, False), said(60, 2, True))
    assert shown(now, int(60.4 * MINUTE), RULES) == (False, 0)
    assert shown(now, int(60.6 * MINUTE), RULES) == (True, 60 * MINUTE)


def test_who_only_manoeuvres_is_never_shown():
    now = track(said(0, 1, False), said(60, 2, True), said(60.3, 3, False))
    for minute in (60.4, 60.9, 70):
        assert shown(now, int(minute * MINUTE), RULES) == (False, 0)


def test_a_sensor_that_changes_its_mind_too_often_is_not_known_until_it_is_calm():
    now = track(*(said(number, number, bool(number % 2)) for number in range(8)))
    assert flapping(now, 8 * MINUTE, RULES)
    assert state(now, 8).why is Why.FLAPPING
    assert state(now, 20).occupancy is Occupancy.OCCUPIED


# -- rule 4: signs of life

def test_what_a_sign_of_life_says_is_true_at_once():
    now = track(said(0, 1, False), beat(60, 2, True))
    assert state(now, 60).occupancy is Occupancy.OCCUPIED
    assert not state(now, 60).certain
    assert now.missed == 1


def test_a_stay_that_only_a_sign_of_life_told_of_is_not_certain():
    assert spans(said(0, 1, False), beat(60, 2, True), said(90, 3, False)) == [(0, 60, False, False), (60, 90, True, False)]


# -- rule 5: restarts

def test_a_sensor_learns_until_it_has_seen_ten_changes():
    began = [start(0, 0, False)]
    nine = [said(number, number, bool(number % 2)) for number in range(1, 10)]
    assert learning(track(*began), RULES)
    assert learning(track(*began, *nine), RULES)
    assert not learning(track(*began, *nine, said(20, 10, False)), RULES)
    assert not learning(track(said(0, 1, True)), RULES)


def test_three_restarts_for_want_of_an_answer_are_a_fault_of_coverage():
    of = [start(60 * hour, hour, True, boot="system-request") for hour in range(3)]
    assert start_fault(track(*of), 180 * MINUTE, RULES) is StartFault.COVERAGE
    assert start_fault(track(*of[1:]), 180 * MINUTE, RULES) is StartFault.NONE
    assert start_fault(track(*of), 40 * 60 * MINUTE, RULES) is StartFault.NONE


@pytest.mark.parametrize("boot", ["watchdog", "brown-out", "lockup"])
def test_a_watchdog_is_a_fault_of_the_device(boot):
    assert start_fault(track(start(0, 0, True, boot=boot)), MINUTE, RULES) is StartFault.DEVICE


def test_a_restart_tells_the_state_of_the_bay():
    assert state(track(said(0, 9, False), start(60, 0, True, session="b")), 61).occupancy is Occupancy.OCCUPIED


# -- rule 6: silence

@pytest.mark.parametrize(("every", "known_for", "gone_after"), [(24, 25, 49), (3, 4, 7), (0.5, 1.5, 2)])
def test_a_state_that_is_not_said_again_in_time_is_not_known(every, known_for, gone_after):
    every, now = timedelta(hours=every), track(said(0, 1, True))
    assert state(now, 60 * known_for, every).occupancy is Occupancy.OCCUPIED
    assert state(now, 60 * known_for + 1, every).why is Why.SILENT
    assert state(now, 60 * gone_after + 1, every).occupancy is Occupancy.OUT_OF_SERVICE


def test_a_frame_about_something_else_does_not_say_the_state_again():
    now = track(said(0, 1, True), said(60 * 25, 2, sign="other"))
    assert state(now, 60 * 25.5).why is Why.SILENT
    assert state(now, 60 * 25.5).heard_at == from_ns(60 * 25 * MINUTE)


def test_what_was_silent_too_long_is_no_stay():
    assert spans(said(0, 1, True), said(2000, 2, False)) == [(0, 1500, True, False), (1500, 2000, None, False)]


def test_what_holds_still_ends_where_it_is_not_said_again():
    now = track(said(0, 1, True))
    assert spans_until(now, 60 * MINUTE, RULES, DAY) == [Span(0, 60 * MINUTE, True, False)]
    assert spans_until(now, 1600 * MINUTE, RULES, DAY)[1] == Span(1500 * MINUTE, 1600 * MINUTE, None, False)


# -- rule 8, and the sensor's own word

def test_a_sensor_that_calls_itself_faulty_is_not_believed_until_it_says_its_state_again():
    ill = track(said(0, 1, False), beat(60, 2, True, fault="magnetic-interference"))
    assert state(ill, 61).why is Why.FAULT
    assert state(track(said(0, 1, False), said(60, 2, sign="other", fault="code-7")), 61).occupancy is Occupancy.UNKNOWN
    assert spans(said(0, 1, False), beat(60, 2, True, fault="magnetic-interference"), beat(90, 3, False), said(95, 4, True)) == [
        (0, 60, False, False), (60, 90, None, False), (90, 95, False, False)]
    assert spans_until(ill, 90 * MINUTE, RULES, DAY)[-1] == Span(60 * MINUTE, 90 * MINUTE, None, False)


@pytest.mark.parametrize("fault", ["none", "config-refused", "temperature-sensor"])
def test_faults_that_say_nothing_about_the_bay_leave_it_known(fault):
    assert state(track(said(0, 1, True, fault=fault)), 2).occupancy is Occupancy.OCCUPIED


@pytest.mark.parametrize(("doubt", "why"), [("blocked", Why.BLOCKED), ("unheard", Why.UNHEARD), ("suspect", Why.SUSPECT)])
def test_a_doubt_makes_a_bay_neither_free_nor_taken(doubt, why):
    found = state(track(said(1, 1, False)), 5, **{doubt: True})
    assert found.why is why
    assert found.heard_at is not None  # its sensor goes on speaking
    assert found.occupancy is (Occupancy.BLOCKED if doubt == "blocked" else Occupancy.UNKNOWN)


def test_a_bay_that_was_never_heard_is_unknown():
    assert state(None, 5).why is state(track(said(1, 1, sign="other")), 5).why is Why.NEVER_HEARD
    assert bay_state(changed_bay(), track(said(0, 1, True)), beat=DAY, now_ns=9, rules=RULES).occupancy is Occupancy.BLOCKED


def changed_bay():
    return ParkingBay(TenantId("t"), AssetId("B1"), "B1", Site(51, 8), ZoneId("markt"), blocked=True)


# -- whatever comes

@st.composite
def lives(draw):
    """What a sensor says in some days: its frames in their true order, and times that are off by its gateway's clock."""
    minute, number, session, found, occupied = 0.0, draw(st.integers(0, 70_000)), "a", [], False
    for _ in range(draw(st.integers(1, 25))):
        minute += draw(st.sampled_from((0.2, 1, 5, 40, 300, 1500, 4000)))
        sign = draw(st.sampled_from(("edge", "edge", "edge", "beat", "state", "other", "start", "reset", "join")))
        if sign in ("reset", "join"):
            minute, number = minute + 30, 0
            session = draw(st.sampled_from("bcd")) + str(len(found)) if sign == "join" else session
            continue
        number += draw(st.integers(1, 3))
        occupied = occupied if sign == "beat" else not occupied
        skew = draw(st.sampled_from((0.0, 0.0, 0.1, -0.3, 4.0))) if found else 0.0
        found.append(said(max(minute + skew, 0), number, None if sign == "other" else occupied, sign, session,
                          previous_min=draw(st.sampled_from((-1.0, 0.0, 5.0, 90.0, 660.0))),
                          previous_error=draw(st.sampled_from((0.0, 4.0, 59.0))),
                          counter=draw(st.sampled_from((-1, number % 256))), boot="watchdog" if sign == "start" else "",
                          fault=draw(st.sampled_from(("", "", "", "none", "code-1")))))
    return found


@given(lives(), st.randoms(use_true_random=False))
def test_order_of_arrival_and_repetition_change_nothing(events, rng):
    mixed = [*events, *(rng.choice(events) for _ in events)]
    rng.shuffle(mixed)
    assert ordered(mixed) == ordered(events)
    assert follow(Track(), ordered(mixed), RULES, DAY) == follow(Track(), ordered(events), RULES, DAY)


@given(lives(), st.integers(0, 25))
def test_a_track_goes_on_from_where_it_was_kept(events, place):
    of = ordered(events)
    whole, all_spans = follow(Track(), of, RULES, DAY)
    half, first = follow(Track(), of[:place], RULES, DAY)
    rest, second = follow(half, of[place:], RULES, DAY)
    assert rest == whole
    assert first + second == all_spans


@given(lives())
def test_spans_follow_one_another_without_gap_and_reach_until_now(events):
    whole, found = follow(Track(), ordered(events), RULES, DAY)
    now = whole.heard_ns + 3000 * MINUTE
    found = found + spans_until(whole, now, RULES, DAY)
    assert all(one.end_ns > one.begin_ns for one in found)
    assert all(one.end_ns == two.begin_ns for one, two in pairwise(found))
    assert not found or found[-1].end_ns == now
    assert not any(one.certain for one in found if one.occupied is None)


@given(lives(), st.booleans())
def test_any_missed_change_is_repaired_by_the_next_sign_of_life(events, truth):
    now = track(*events)
    later = changed(beat(0, now.number + 5, truth), at_ns=now.heard_ns + MINUTE, session=now.session or "a")
    after, _ = follow(now, [later], RULES, DAY)
    calm = state(after, later.at_ns / MINUTE + RULES.flap_window.total_seconds() / 60 + 1)
    assert shown(after, later.at_ns, RULES)[0] is truth
    assert calm.occupancy is (Occupancy.OCCUPIED if truth else Occupancy.FREE)


@given(lives(), st.integers(0, 100_000))
def test_a_bay_is_known_only_where_its_sensor_has_spoken_lately(events, minute):
    found = state(track(*events), minute)
    if found.occupancy in (Occupancy.FREE, Occupancy.OCCUPIED):
        assert found.said_at is not None
        assert minute * MINUTE - track(*events).said_ns <= 25 * 60 * MINUTE


@settings(max_examples=40)
@given(st.lists(st.builds(BayEvent, st.integers(0, 10**15), st.sampled_from(("", "a", "b")), st.integers(-1, 2**32),
                          st.sampled_from(("edge", "beat", "start", "other", "state", "?")), st.sampled_from((None, True, False)),
                          st.floats(-1, 1e6), st.floats(0, 1e6), st.integers(-1, 2**32), st.text(max_size=5),
                          st.text(max_size=5)), max_size=20))
def test_nonsense_is_taken_without_harm(events):
    now, found = follow(Track(), ordered(events), RULES, DAY)
    assert len(found) <= 4 * len(events)
    assert bay_state(BAY, now, beat=DAY, now_ns=10**15, rules=RULES).occupancy in Occupancy


# -- from the log

def entry(*told, key="a:7", odd=(), kind="bay"):
    return Entry(Place(TenantId("t"), AssetId("B1"), kind, ZoneId("markt"), None, DevEui("70b3d57ed0000042")), 5 * MINUTE, key,
                 told, odd)


@pytest.mark.parametrize(("told", "sign", "boot"), [
    ((BAY_OCCUPIED(True), DEVICE_HEARTBEAT(False)), "edge", ""),
    ((BAY_OCCUPIED(True), DEVICE_HEARTBEAT(True)), "beat", ""),
    ((BAY_OCCUPIED(True),), "state", ""),
    ((BAY_OCCUPIED(True), DEVICE_HEARTBEAT(True), DEVICE_BOOT("watchdog")), "start", "watchdog"),
    ((BAY_OCCUPIED(True), DEVICE_HEARTBEAT(True), DEVICE_EVENT("start-1+recalibration")), "start", "start-1"),
    ((DEVICE_EVENT("daily"),), "other", "")])
def test_what_a_frame_is_follows_from_what_it_says(told, sign, boot):
    found = event_of(entry(*told))
    assert (found.sign, found.boot, found.session, found.number) == (sign, boot, "a", 7)


def test_what_a_sensor_tells_of_the_state_before_is_kept():
    exact = event_of(entry(BAY_OCCUPIED(True), BAY_PREVIOUS_MINUTES(74.0), BAY_PREVIOUS_ERROR(4.0), DEVICE_COUNTER(9)))
    assert (exact.previous_min, exact.previous_error, exact.counter) == (74.0, 4.0, 9)
    assert event_of(entry(BAY_OCCUPIED(True), BAY_PREVIOUS_MINUTES(660.0))).previous_error > 1e5


def test_what_is_covered_by_something_else_is_not_known():
    assert event_of(entry(BAY_OCCUPIED(True), BAY_OBSTRUCTED(True))).fault == "obstructed"
    assert event_of(entry(BAY_OCCUPIED(True), BAY_OBSTRUCTED(False), DEVICE_FAULT("code-1"))).fault == "code-1"


def test_what_is_implausible_or_has_another_time_is_not_the_state_now():
    for mark in ((0, Quality.IMPLAUSIBLE, 5 * MINUTE), (0, Quality.GOOD, MINUTE)):
        assert event_of(entry(BAY_OCCUPIED(True), DEVICE_HEARTBEAT(False), odd=(mark,))).occupied is None


def test_a_join_has_no_number_and_a_lamp_no_bay():
    assert event_of(entry(BAY_OCCUPIED(True), key="join:00ab")).number == -1
    assert event_of(entry(BAY_OCCUPIED(True), kind="luminaire")) is None
