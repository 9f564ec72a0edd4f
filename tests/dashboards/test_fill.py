"""What Grafana puts into a query."""

from datetime import UTC, datetime, timedelta

import pytest

from city.errors import Invalid
from dashboards.fill import ALL, All, duration, fill, interval, rounded, span_ms, unfilled

START = datetime(2026, 11, 22, 14, tzinfo=UTC)
END = START + timedelta(hours=6)


def filled(query, interval_ms=900_000, **variables):
    return fill(query, START, END, interval_ms, variables)


def test_times_are_milliseconds_and_both_ends_belong():
    assert filled("WHERE $timeFilter GROUP BY time($__interval)") == (
        "WHERE time >= 1795356000000ms and time <= 1795377600000ms GROUP BY time(15m)")
    assert filled("$__from $__to $__range_s $__interval_ms $interval") == "1795356000000 1795377600000 21600 900000 15m"


@pytest.mark.parametrize(("value", "said"), [
    (ALL, "/^.*$/"), (All(".+"), "/^.+$/"), (("Süd.1",), r"/^Süd\.1$/"), (("a/b", "c"), r"/^(a\/b|c)$/"),
    ("a(b)", r"/^a\(b\)$/")])
def test_values_in_a_regex_are_escaped(value, said):
    assert filled("/^$zone$/", zone=value) == said
    assert filled("/^${zone}$/", zone=value) == said


def test_a_single_value_outside_of_a_regex_stands_as_it_is():
    assert filled("time(${step}) x.y", step="1.5h") == "time(1.5h) x.y"


def test_formats_and_what_nobody_knows():
    assert filled("${zone:pipe} ${zone:csv} ${zone:regex} ${a:percentencode} ${zone:queryparam}", zone=("a", "b."), a="ä b") == (
        r"a|b. a,b. (a|b\.) %C3%A4%20b var-zone=a&var-zone=b.")
    left = filled("$zone ${lamp} =~ /x$/ $__interval", zone="A")
    assert left == "A ${lamp} =~ /x$/ 15m"
    assert unfilled(left) == ["lamp"]
    with pytest.raises(Invalid):
        filled("${zone:lucene}", zone="a")


@pytest.mark.parametrize(("hours", "width", "shortest", "ms"), [
    (24, 1440, "", 60_000), (24, 1440, "15m", 900_000), (24, 500, "", 120_000), (6, 500, "1s", 30_000),
    (24 * 7, 700, "", 900_000), (24 * 90, 1000, "1h", 7_200_000), (24 * 730, 1000, "1d", 86_400_000), (1, 0, "", 3_600_000)])
def test_a_step_is_about_a_pixel_and_never_too_short(hours, width, shortest, ms):
    assert interval(timedelta(hours=hours), width, shortest) == ms


@pytest.mark.parametrize(("given", "step"), [(0, 1), (9.9, 1), (10, 10), (89_999, 60_000), (90_000, 120_000),
                                             (86_399_999, 43_200_000), (86_400_000, 86_400_000), (10**12, 31_536_000_000)])
def test_steps_are_grafanas(given, step):
    assert rounded(given) == step


def test_spans_and_durations():
    assert [span_ms(text) for text in ("15m", "1.5h", "90d", "30", "250ms", "2M")] == [
        900_000, 3_600_000, 7_776_000_000, 30_000, 250, 5_184_000_000]
    assert [duration(ms) for ms in (0, 250, 30_000, 5_400_000, 86_400_000, 2_592_000_000, 31_536_000_000)] == [
        "1ms", "250ms", "30s", "1h", "1d", "30d", "1y"]
    for wrong in ("", "soon", "-5m", "5x"):
        with pytest.raises(Invalid):
            span_ms(wrong)
