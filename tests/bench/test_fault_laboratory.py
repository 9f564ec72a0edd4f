"""The fault laboratory, small: what fails is found, and nothing else is."""

from bench.faults import KINDS, run, table
from city.incidents import Cause


def test_a_small_town_whose_lamps_fail_in_every_way():
    result = run(lamps=120, nights=4, interval_s=7200, seed=2, each=1)
    missed = [case.kind for case in (*result.cases, *result.collective) if case.told is None]
    assert len(result.cases) == len(KINDS)
    assert len(result.collective) >= 2
    assert set(missed) <= {"gateway outage"}, missed  # too few lamps here hang on one gateway alone
    assert result.false.total() <= 1, result.false
    assert not any(name in result.false for name in (cause.value for cause in Cause))
    assert "cabinet outage" in "\n".join(table(result))
