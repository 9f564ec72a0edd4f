"""Counters: whatever happens to them, what is counted is possible, and what was counted is found."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from city.counting import Count, Piece, increases

W = 60.0
MOST = 1.5 * W / 3600  # Wh a second


def counted(*values: float, every: float = 900.0, by: str = "") -> list[Count]:
    return [Count(number * every, value, by) for number, value in enumerate(values)]


def total(counts: list[Count]) -> float:
    return sum(piece.amount for piece in increases(counts, MOST, 1.0))


def test_increases_add_up():
    assert total(counted(1000, 1015, 1030, 1045)) == 45


def test_a_32_bit_counter_that_wraps_counts_on():
    assert total(counted(2**32 - 10, 2**32 - 1, 7)) == 17


def test_a_counter_of_three_bytes_that_wraps_counts_on():
    assert total(counted(2**24 - 10, 5)) == 15


def test_a_counter_that_was_reset_keeps_what_it_shows_since():
    assert total(counted(5000, 5015, 3, 18, 33)) == 15 + 3 + 30


def test_a_reset_at_the_end_counts_what_is_shown():
    assert total(counted(5000, 5015, 3)) == 15 + 3


def test_one_wrong_reading_low_or_high_is_passed_over():
    assert total(counted(5000, 5015, 0, 5045, 5060)) == 60
    assert total(counted(5000, 5015, 4_000_000, 5045, 5060)) == 60


def test_a_jump_is_no_energy_and_its_time_is_not_known():
    found = increases(counted(1000, 1015, 90_000, 90_015), MOST, 1.0)
    assert found == [Piece(0, 900, 15), Piece(1800, 2700, 15)]


def test_between_two_devices_nothing_is_known():
    old, new = counted(5000, 5010, by="a"), [Count(1800, 5012, "b"), Count(2700, 5020, "b")]
    assert increases(old + new, MOST, 1.0) == [Piece(0, 900, 10), Piece(1800, 2700, 8)]


def test_doubled_and_late_readings_change_nothing():
    once = counted(1000, 1010, 1020, 1030)
    assert total([once[3], once[0], once[2], once[2], once[1], once[0]]) == total(once) == 30


values = st.one_of(st.floats(0, 2**32 - 1), st.integers(0, 30), st.integers(2**32 - 40, 2**32 - 1),
                   st.integers(2**24 - 40, 2**24 + 40))
readings = st.lists(st.tuples(st.integers(0, 86_400), values), max_size=40)


@given(readings)
def test_whatever_is_read_no_more_is_counted_than_the_time_allows(said: list[tuple[int, float]]):
    """Resets, wraps, duplicates, late and impossible values, in any order."""
    found = increases([Count(float(at), float(value)) for at, value in said], MOST, 1.0)
    for piece in found:
        assert 0 <= piece.amount <= MOST * (piece.last - piece.first) + 1.0
    for before, after in pairwise(found):
        assert before.last <= after.first, "no time is counted twice"


@given(st.lists(st.floats(0, W), min_size=2, max_size=60), st.integers(0, 2**32 - 1), st.data())
def test_a_true_counter_is_found_again_however_its_reports_come(powers: list[float], start: int, data: st.DataObject):
    """Any reports but the first and the last may be lost, doubled and shuffled; the counter may wrap."""
    values = [float(start)]
    for watts in powers:
        values.append(values[-1] + watts / 4)
    whole = [Count(900.0 * number, value % 2**32) for number, value in enumerate(values)]
    kept = [one for one in whole[1:-1] if data.draw(st.booleans())]
    heard = data.draw(st.permutations([whole[0], *kept, *kept, whole[-1]]))
    assert abs(total(list(heard)) - (values[-1] - values[0])) < 1e-3
