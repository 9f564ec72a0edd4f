"""A frame is missed when nobody has heard it, in whatever order and by whichever bridge the others were heard."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from city.counters import LONGEST_GAP, WIDTH, Window, begin, merge, seen

FRESH = Window(1, -1)


def heard(*counters: int, window: Window = FRESH) -> Window:
    for counter in counters:
        window = seen(window, counter, at_ns=1)
    return window


def test_counters_in_order_leave_no_hole():
    assert heard(*range(3000)) == Window(1, 2999)


def test_a_gap_is_missing_at_once_and_filled_by_who_comes_late():
    window = heard(0, 1, 5)
    assert (window.missing, window.missed) == (3, 0)
    assert heard(3, window=window).missing == 2
    assert heard(4, 3, 2, window=window) == Window(1, 5)


def test_a_hole_that_falls_out_of_the_window_is_missed_for_good():
    window = heard(0, 2, *range(3, WIDTH + 1))
    assert (window.missed, window.missing) == (0, 1)
    window = heard(WIDTH + 1, window=window)
    assert (window.missed, window.missing, window.holes) == (1, 1, 0)
    assert seen(window, 1, 1, straggler=True) == window


def test_a_leap_over_the_whole_window_counts_what_it_passes():
    window = heard(0, WIDTH + 10)
    assert window.missing == WIDTH + 9
    assert window.missed == 10


def test_a_frame_heard_again_changes_nothing():
    window = heard(0, 1, 4)
    assert heard(4, 1, 0, window=window) == window


def test_a_counter_that_starts_anew_begins_a_new_count_and_keeps_what_was_missed():
    before = heard(0, 2000, 2003)
    again = seen(before, 3, at_ns=9)
    assert again == Window(9, 3, 0, before.missing)
    assert seen(before, 3, at_ns=9, straggler=True) == before
    far = seen(before, 2003 + LONGEST_GAP + 1, at_ns=9)
    assert (far.began_ns, far.missing) == (9, before.missing)
    assert begin(before, 7) == Window(7, -1, 0, before.missing)
    assert heard(0, window=begin(before, 7)).missing == before.missing


def test_a_new_count_wins_over_whoever_still_has_the_old_one():
    old = heard(*range(5000))
    assert merge(old, seen(old, 0, at_ns=8)).newest == 0


def test_a_window_is_read_back_from_json_as_it_was_written():
    window = heard(0, 900)
    assert msgspec.json.decode(msgspec.json.encode(window), type=Window) == window


windows = st.builds(Window, st.integers(0, 2), st.integers(-1, 3 * WIDTH),
                    st.integers(0, (1 << WIDTH) - 1).map(lambda bits: bits & ~1), st.integers(0, 5))


@given(windows, windows)
def test_merging_knows_no_order(a, b):
    assert merge(a, b) == merge(b, a)


@given(windows, windows, windows)
def test_merging_knows_no_grouping(a, b, c):
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(windows)
def test_merging_with_itself_changes_nothing(a):
    assert merge(a, a) == a


counters = st.lists(st.integers(0, WIDTH - 1), unique=True, min_size=1, max_size=80)


@given(counters, st.randoms())
def test_frames_heard_in_any_order_leave_the_same_window(some, chance):
    mixed = list(some)
    chance.shuffle(mixed)
    window = heard(*mixed)
    assert window == heard(*sorted(some))
    assert window.missing == max(some) + 1 - len(some)


@given(counters, st.data())
def test_what_two_bridges_hear_of_a_device_merges_into_what_one_would_have_heard(some, data):
    whose = data.draw(st.lists(st.booleans(), min_size=len(some), max_size=len(some)))
    one = heard(*(counter for counter, first in zip(some, whose, strict=True) if first))
    other = heard(*(counter for counter, first in zip(some, whose, strict=True) if not first))
    assert merge(one, other) == heard(*some)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60))
def test_bridges_that_tell_each_other_in_time_miss_nothing_and_invent_nothing(turns):
    """Each turn one bridge hears some frames in a row, then both read what the other knows."""
    known, newest = FRESH, -1
    for lost, count in turns:
        if not lost:
            known = merge(known, heard(*range(newest + 1, newest + 1 + count), window=known))
        newest += count
    total = sum(count for lost, count in turns if lost)
    trailing = 0
    for lost, count in reversed(turns):
        if not lost:
            break
        trailing += count
    assert known.missing == total - trailing
