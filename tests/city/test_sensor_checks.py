"""“Stimmt nicht?”: what the next words of a zone's sensors tell of what was shown, and that it is never taken back."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.bay_health import Finding
from city.bays import BayEvent, Rules, Sign
from city.ids import AssetId, TenantId, ZoneId
from city.parking_places import Doubt, Doubting
from city.readings import to_ns
from city.sensor_checks import (
    EVERY,
    CheckRules,
    Evidence,
    Result,
    SensorCheck,
    Word,
    begin,
    check_of,
    look,
    urgent_first,
    wanted,
)
from city.settings import Parking
from decoders.catalog import catalog

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ZONE, BAY, OTHER, TOWN = ZoneId("platz"), AssetId("P1"), AssetId("P2"), TenantId("stadt")
DAY_BEAT = timedelta(hours=24)
RULES = Rules()
BY = CheckRules.of(Parking())


def says(after, number, occupied, sign=Sign.BEAT, **more):
    """A word so long after the report, or before it."""
    return BayEvent(to_ns(AT + after), "s", number, sign.value, occupied, **more)


def checked(*events, now=None, beat=DAY_BEAT, findings=(), what=Doubting.FULLER):
    """The result for the report and what was found of the only sensor, after everything has been waited for."""
    check = begin(ZONE, AT, {BAY: beat}, RULES, AT, BY)
    done = look(check, {BAY: Evidence(events, beat, findings)}, now or check.until, RULES, BY)
    return done.result(what), Word(done.sensors[0].word)


def doubt(id="d", at=AT, what=Doubting.FULLER, zone=ZONE, closed=None):
    return Doubt(id, TOWN, zone, what, at, closed_at=closed)


FREE = says(-3 * HOUR, 1, False, Sign.EDGE)


# -- what one sensor's next word tells

def test_a_sign_of_life_that_corrects_the_shown_state_confirms_the_report():
    assert checked(FREE, says(HOUR, 2, True)) == (Result.CONFIRMED, Word.WRONG)


def test_the_same_error_does_not_bear_out_the_opposite_report():
    result, word = checked(FREE, says(HOUR, 2, True), what=Doubting.EMPTIER)
    assert (result, word) == (Result.SUSPICIOUS, Word.WRONG)
    assert checked(says(-3 * HOUR, 1, True), says(HOUR, 2, False), what=Doubting.EMPTIER)[0] is Result.CONFIRMED
    assert checked(says(-3 * HOUR, 1, True), says(HOUR, 2, False), what=Doubting.OTHER)[0] is Result.CONFIRMED


def test_a_correction_long_after_the_report_proves_a_missed_change_but_not_the_report():
    """Said at -3 h, corrected at +20 h: the change that was missed lies more likely after the report."""
    assert checked(FREE, says(20 * HOUR, 2, True)) == (Result.SUSPICIOUS, Word.MISSED)


def test_a_change_that_is_told_as_it_should_is_no_error():
    assert checked(FREE, says(HOUR, 2, True, Sign.EDGE)) == (Result.NOTHING, Word.CHANGED)
    assert checked(FREE, says(HOUR, 2, False)) == (Result.NOTHING, Word.SAME)


@pytest.mark.parametrize(("minutes", "word"), [(90, Word.WRONG), (20, Word.MISSED)])
def test_a_sensor_that_tells_how_long_the_state_before_lasted_dates_the_error(minutes, word):
    """An hour after the report it says free again: before that it was taken for so long."""
    assert checked(FREE, says(HOUR, 3, False, Sign.EDGE, previous_min=minutes))[1] is word


def test_two_lost_changes_are_a_missed_stay_that_nobody_can_date():
    """It says taken, and that it had been free for 30 min only, although free was believed for four hours."""
    assert checked(FREE, says(HOUR, 4, True, Sign.EDGE, previous_min=30))[1] is Word.MISSED


def test_what_a_sensor_counts_from_its_restart_dates_nothing():
    restart = says(HOUR, 1, None, Sign.START, boot="watchdog")
    assert checked(FREE, restart, says(20 * HOUR, 2, False, Sign.EDGE, previous_min=1200))[1] is Word.MISSED


def test_a_correction_is_believed_only_when_the_lost_change_can_hardly_come_any_more():
    found = FREE, says(HOUR, 3, True)
    assert checked(*found, now=AT + HOUR + MINUTE) == (Result.RUNNING, Word.WAITING)
    assert checked(*found, says(40 * MINUTE, 2, True, Sign.EDGE), now=AT + 2 * HOUR) == (Result.NOTHING, Word.CHANGED)
    assert checked(*found, now=AT + 2 * HOUR) == (Result.CONFIRMED, Word.WRONG)


def test_a_state_that_was_not_known_was_not_shown_and_so_not_wrong():
    assert checked(says(-26 * HOUR, 1, False), says(HOUR, 2, True)) == (Result.NOTHING, Word.UNTOLD)
    assert checked(says(HOUR, 2, True))[1] is Word.UNTOLD
    assert checked(FREE, says(-HOUR, 2, False, fault="interference"), says(HOUR, 3, True))[1] is Word.UNTOLD


def test_a_word_about_something_else_says_nothing_of_the_bay():
    assert checked(FREE, says(HOUR, 2, None, Sign.OTHER), now=AT + 5 * HOUR) == (Result.RUNNING, Word.WAITING)


def test_who_stays_silent_until_the_end_is_suspicious_and_who_has_a_finding_too():
    assert checked(FREE) == (Result.SUSPICIOUS, Word.WAITING)
    assert checked(FREE, says(HOUR, 2, False), findings=(Finding.MISSED,))[0] is Result.SUSPICIOUS
    assert checked(FREE, says(HOUR, 2, False), findings=(Finding.LEARNING, Finding.BATTERY))[0] is Result.NOTHING


def test_a_bay_that_flaps_when_it_is_reported_was_not_counted():
    check = begin(ZONE, AT, {BAY: DAY_BEAT}, RULES, AT, BY)
    seen = look(check, {BAY: Evidence((FREE,), DAY_BEAT, (Finding.FLAPPING,))}, AT + MINUTE, RULES, BY)
    assert seen.sensors[0].word == Word.UNTOLD.value
    assert seen.result(Doubting.FULLER) is Result.SUSPICIOUS


def test_frames_missing_around_the_report_are_counted():
    check = begin(ZONE, AT, {BAY: DAY_BEAT}, RULES, AT, BY)
    done = look(check, {BAY: Evidence((FREE, says(HOUR, 5, False)), DAY_BEAT)}, AT + 2 * HOUR, RULES, BY)
    assert done.sensors[0].lost == 3


def test_the_check_ends_when_all_have_spoken_or_when_the_slowest_would_have():
    check = begin(ZONE, AT, {BAY: timedelta(hours=3), OTHER: DAY_BEAT}, RULES, AT, BY)
    assert check.until - AT == DAY_BEAT + HOUR + 15 * MINUTE
    words = {BAY: Evidence((FREE, says(HOUR, 2, False)), HOUR * 3), OTHER: Evidence((FREE,), DAY_BEAT)}
    seen = look(check, words, AT + 2 * HOUR, RULES, BY)
    assert (seen.waiting, seen.done_at) == (1, None)
    words[OTHER] = Evidence((FREE, says(HOUR, 2, False)), DAY_BEAT)
    assert look(seen, words, AT + 3 * HOUR, RULES, BY).done_at == AT + 3 * HOUR
    assert look(seen, {}, check.until, RULES, BY).done_at == check.until
    assert begin(ZONE, AT, {BAY: DAY_BEAT * 60}, RULES, AT, BY).until - AT == timedelta(days=6)


def test_a_check_that_is_done_stays_as_it_is():
    check = begin(ZONE, AT, {BAY: DAY_BEAT}, RULES, AT, BY)
    done = look(check, {BAY: Evidence((FREE, says(HOUR, 2, False)), DAY_BEAT)}, AT + 2 * HOUR, RULES, BY)
    assert look(done, {BAY: Evidence((FREE, says(HOUR, 2, True)), DAY_BEAT)}, AT + 3 * HOUR, RULES, BY) == done


WORDS = st.lists(st.builds(
    lambda minutes, number, occupied, sign, lasted: says(minutes * MINUTE, number, occupied, sign, previous_min=lasted),
    st.integers(-1600, 1600), st.integers(0, 300), st.sampled_from([True, False, None]),
    st.sampled_from([Sign.EDGE, Sign.BEAT, Sign.STATE, Sign.START]), st.sampled_from([-1.0, 0.0, 30.0, 500.0])), max_size=12)


@given(WORDS, st.integers(0, 10**6), st.sampled_from([one for one in Doubting if one is not Doubting.RULE]))
@settings(max_examples=300, deadline=None)
def test_no_order_of_arrival_makes_a_confirmed_report_unconfirmed(words, seed, what):
    """Whatever comes when, in pieces, late and twice: once confirmed, always confirmed; and a result never gets better."""
    random = Random(seed)
    random.shuffle(words)
    check, arrived, now, before = begin(ZONE, AT, {BAY: DAY_BEAT}, RULES, AT, BY), [], AT, Result.RUNNING
    ranks = list(Result)
    while words or now < check.until:
        arrived += random.sample(arrived, min(1, len(arrived)))
        arrived += [words.pop() for _ in range(random.randint(0, min(3, len(words))))]
        check = look(check, {BAY: Evidence(list(arrived), DAY_BEAT)}, now, RULES, BY)
        after = check.result(what)
        assert ranks.index(after) >= ranks.index(before)
        assert check.waiting == sum(one.word == Word.WAITING.value for one in check.sensors)
        before, now = after, now + timedelta(minutes=random.randint(1, 400))


@given(WORDS, st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_what_is_found_in_one_look_depends_on_the_set_of_words_alone(words, seed):
    random = Random(seed)
    shuffled = [*words, *random.sample(words, len(words) // 2)]
    random.shuffle(shuffled)
    assert checked(*words) == checked(*shuffled)


# -- which checks there are

def grown(checks, *doubts, now=AT + MINUTE):
    """The checks after the bridge has looked at these reports."""
    new = [begin(zone, at, {BAY: DAY_BEAT}, RULES, now, BY) for zone, at in wanted(doubts, checks, now, BY)]
    return [*checks, *new]


def test_many_reports_within_minutes_share_a_check():
    flood = [doubt(f"d{n}", AT - n * timedelta(seconds=7)) for n in range(200)]
    checks = grown([], *flood)
    assert len(checks) == 1
    assert all(check_of(one, checks, BY) is checks[0] for one in flood)
    assert len(grown(checks, doubt("late", checks[0].at + BY.joins), now=AT + BY.joins)) == 1


def test_a_later_report_starts_another_check_as_long_as_there_are_few():
    checks = []
    for n in range(10):
        at = AT + n * (BY.joins + MINUTE)
        checks = grown(checks, doubt(f"d{n}", at), now=at + MINUTE)
    assert len(checks) == BY.of_zone
    assert check_of(doubt(at=AT + 10 * HOUR), checks, BY) is checks[-1]


def test_a_town_runs_no_more_checks_than_a_bridge_can_look_at():
    flood = [doubt(f"d{n}", zone=ZoneId(f"z{n}")) for n in range(2 * BY.of_town)]
    assert len(grown([], *flood)) == BY.of_town


def test_rules_settled_reports_and_old_ones_start_no_check():
    assert wanted([doubt(what=Doubting.RULE), doubt("b", closed=AT), doubt("c", AT - BY.fresh - MINUTE)], [], AT, BY) == []
    checks = grown([], doubt())
    assert check_of(doubt(what=Doubting.RULE), checks, BY) is None
    assert check_of(doubt(zone=ZoneId("hof")), checks, BY) is None


def test_what_is_borne_out_stands_first_and_what_is_not_last():
    def ended(zone, result):
        return SensorCheck(ZoneId(zone), AT, AT, AT, 1, 0, AT, {Doubting.FULLER.value: result.value})

    checks = [ended("nothing", Result.NOTHING), ended("wrong", Result.CONFIRMED), ended("odd", Result.SUSPICIOUS)]
    doubts = [doubt(name, zone=ZoneId(name)) for name in ("nothing", "unchecked", "odd", "wrong")]
    closed = doubt("closed", AT + HOUR, zone=ZoneId("wrong"), closed=AT + HOUR)
    assert [one.id for one in urgent_first([closed, *doubts], checks, BY)] == ["wrong", "odd", "unchecked", "nothing", "closed"]


def test_no_parking_sensor_is_of_a_class_that_could_be_asked_before_it_speaks_by_itself():
    """If there is one, ask it: see the module."""
    assert {codec.device_class for codec in catalog().values() if codec.asset == "bay"} == {"A"}
    assert timedelta(0) < EVERY < min(codec.heartbeat for codec in catalog().values() if codec.asset == "bay")
