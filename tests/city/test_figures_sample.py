"""What a process did between two looks at it."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.figures import (
    PLATFORM_ACK_P50,
    PLATFORM_ACK_P99,
    PLATFORM_CPU,
    PLATFORM_MEMORY,
    PLATFORM_QUEUED,
    PLATFORM_RECEIVED,
)
from city.figures_sample import Look, Spread, quantile, sample, step_after, step_of

BOUNDS = (0.01, 0.1, 1.0)
ACKS = (PLATFORM_ACK_P50, PLATFORM_ACK_P99)


def test_counts_are_what_came_and_levels_are_as_they_are() -> None:
    before = Look(100.0, 7.0, 50.0, {PLATFORM_RECEIVED: 40}, {PLATFORM_QUEUED: 3}, letters={"Truncated": 2, "UnknownDevice": 1})
    after = Look(160.0, 22.0, 51.5, {PLATFORM_RECEIVED: 45}, {PLATFORM_QUEUED: 1},
                 letters={"Truncated": 6, "UnknownDevice": 1, "x": 1})
    found = sample(before, after)
    assert found.values == {PLATFORM_RECEIVED: 5, PLATFORM_QUEUED: 1, PLATFORM_CPU: 25.0, PLATFORM_MEMORY: 51.5}
    assert found.letters == {"Truncated": 4, "x": 1}


def test_of_a_spread_only_what_came_since_counts() -> None:
    before, after = (Look(at, 0.0, spreads={ACKS: Spread(BOUNDS, counts)}) for at, counts in
                     ((0.0, (1000, 0, 0, 0)), (60.0, (1050, 49, 1, 0))))
    found = sample(before, after).values
    assert found[PLATFORM_ACK_P50] == pytest.approx(10.0)  # ms: 50 of 100 within 0.01 s
    assert found[PLATFORM_ACK_P99] == pytest.approx(100.0)  # 99 of 100 within 0.1 s
    assert sample(after, after).values[PLATFORM_ACK_P50] is None
    assert sample(after, after).values[PLATFORM_CPU] is None


def test_a_process_that_had_counted_nothing_yet() -> None:
    before, after = Look(0.0, 0.0, spreads={ACKS: Spread((), ())}), Look(1.0, 0.0, spreads={ACKS: Spread(BOUNDS, (0, 2, 0, 0))})
    assert sample(before, after).values[PLATFORM_ACK_P50] == pytest.approx(55.0)
    assert sample(Look(0.0, 0.0), after).values[PLATFORM_ACK_P50] == pytest.approx(55.0)


@pytest.mark.parametrize(("counts", "share", "expected"), [
    ((0, 0, 0, 0), 0.5, None),
    ((4, 0, 0, 0), 0.5, 0.005),
    ((0, 0, 10, 0), 0.5, 0.55),
    ((1, 0, 0, 9), 0.5, 1.0),  # beyond all bounds: at least the greatest
    ((1, 0, 1, 0), 0.5, 0.01),  # an empty range in between is nobody's
])
def test_a_quantile_lies_in_its_range(counts: tuple[int, ...], share: float, expected: float | None) -> None:
    found = quantile(BOUNDS, counts, share)
    assert found == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_in_the_same_range_as_the_value_that_it_stands_for(values: list[float], share: float) -> None:
    counts = [sum(low < value <= high for value in values) for low, high in ((-1, 0.01), (0.01, 0.1), (0.1, 1), (1, 2))]
    exact = sorted(values)[max(math.ceil(share * len(values)), 1) - 1]
    found = quantile(BOUNDS, counts, share)
    assert found is not None
    high = next(bound for bound in BOUNDS if exact <= bound)
    assert found <= high + 1e-9
    assert found >= ({0.01: 0.0, 0.1: 0.01, 1.0: 0.1}[high]) - 1e-9


def test_all_processes_begin_their_steps_together() -> None:
    at = datetime(2026, 11, 23, 2, 51, 17, 300, UTC)
    assert step_of(at, 60) == datetime(2026, 11, 23, 2, 51, tzinfo=UTC)
    assert step_after(at, 60) == datetime(2026, 11, 23, 2, 52, tzinfo=UTC)
    assert step_of(step_after(at, 60), 60) == step_after(at, 60)
