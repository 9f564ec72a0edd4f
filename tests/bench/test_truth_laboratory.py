"""The truth laboratory, small: what everybody is told is nearly true, and in an outage nothing is told that is not."""

from bench._truth import Outage, Scenario, scenarios, table
from bench.occupancy import DAY, HOUR, run


def test_numbers_are_nearly_true_and_withheld_while_nobody_hears():
    outage = Scenario("outage", 0.02, 0.02, outages=(Outage(7 * DAY + 10 * HOUR, 3 * HOUR),), others=400.0)
    result = run(outage, days=8, zones=1, seed=3)
    assert result.usual.minutes + result.outage.minutes + result.after.minutes == 24 * 60
    assert result.usual.error <= 1.0
    assert result.usual.share(result.usual.numbers) > 0.99
    assert result.outage.minutes == 180
    assert result.outage.wrong == 0
    assert result.outage.numbers <= 5
    assert result.outage.naive_wrong > result.outage.wrong
    assert result.after.numbers > 0
    assert "outage: meanwhile" in "\n".join(table({outage: result}))


def test_the_pages_scenarios_are_those_that_were_asked_for():
    found = scenarios(14)
    assert {one.loss for one in found} == {0.0, 0.02, 0.1}
    assert min(one.missed for one in found) == 0.01
    assert max(one.missed for one in found) == 0.04
    assert {one.stuck for one in found} >= {0.002}
    assert len(next(one for one in found if one.outages).outages) == 7
