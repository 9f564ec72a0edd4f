"""How many bays will be free: what usually is, blended with what is now; rule 13 of docs/parking.md."""

from datetime import UTC, date, datetime, timedelta
from math import exp

import pytest

from city.ids import ZoneId
from city.nights import BERLIN
from city.parking_facts import Count, Forecast, Quarter
from city.parking_forecast import ForecastRules, came_true, errors, forecast, looked_back, profile

NOW = datetime(2026, 11, 23, 11, 3, tzinfo=UTC)  # a Monday
ZONE, RULES = ZoneId("markt"), ForecastRules()


def workday(_):
    return False


def history(share, weeks=6, now=NOW, bays=20, unknown=0):
    """Quarters whose share of free bays is `share(local time)`."""
    begin = now.replace(minute=0, second=0) - timedelta(weeks=weeks)
    for number in range(weeks * 7 * 96):
        at = begin + number * timedelta(minutes=15)
        known = bays * 900 - unknown
        free = round(share(at.astimezone(BERLIN)) * known)
        yield Quarter(ZONE, "", at, bays, free, known - free, unknown)


def by_hour(local):
    return local.hour / 24


def usual(share=by_hour, **more):
    return profile(history(share, **more), NOW, RULES, workday)


def test_where_nothing_is_unusual_the_forecast_is_what_usually_is():
    found = forecast(ZONE, usual(), Count(24, 12, 12, ""), NOW, RULES)
    assert found[0].at == NOW.replace(minute=15)
    assert [one.lead_min for one in found[:4]] == [15, 30, 45, 60]
    assert found[-1].at == NOW.replace(hour=15, minute=0)
    assert [one.free for one in found[:8]] == [12.0, 12.0, 12.0, 13.0, 13.0, 13.0, 13.0, 14.0]


def test_what_is_unusual_now_loses_its_weight():
    found = forecast(ZONE, usual(lambda _: 0.5), Count(24, 6, 18, ""), NOW, RULES)
    assert found[0].free == pytest.approx(12 - 6 * exp(-12 / 60), abs=0.01)
    assert found[-1].free == pytest.approx(12, abs=0.2)


def test_forecasts_are_bays_that_there_are():
    assert all(0 <= one.free <= 24 for free in (0, 24) for one in
               forecast(ZONE, usual(lambda local: local.hour % 2), Count(24, free, 24 - free, ""), NOW, RULES))


def test_where_too_little_is_known_now_only_what_usually_is_counts():
    assert forecast(ZONE, usual(lambda _: 0.5), Count(24, 0, 12, ""), NOW, RULES)[0].free == 12.0
    assert forecast(ZONE, usual(), None, NOW, RULES) == forecast(ZONE, usual(), Count(0, 0, 0, ""), NOW, RULES) == []


def test_one_odd_week_does_not_move_what_usually_is():
    def fair(local):
        return 0.0 if local.date().isocalendar().week == 45 else 0.5
    assert usual(fair).share(NOW) == 0.5


def test_public_holidays_are_sundays():
    def sundays_only(local):
        return 0.9 if local.isoweekday() == 7 else 0.1
    found = profile(history(sundays_only), NOW, RULES, lambda day: day == date(2026, 11, 23))
    assert found.share(NOW) == 0.9


def test_there_is_no_forecast_without_three_weeks_that_were_known():
    assert forecast(ZONE, usual(weeks=2), Count(24, 12, 12, ""), NOW, RULES) == []
    assert forecast(ZONE, usual(unknown=9000), Count(24, 12, 12, ""), NOW, RULES) == []
    assert usual(weeks=6).weeks == pytest.approx(6, abs=0.01)


def test_bays_for_others_teach_nothing():
    others = [Quarter(ZONE, "disabled", one.at, 2, 1800, 0, 0) for one in history(by_hour)]
    assert profile(others, NOW, RULES, workday).weeks == 0


def test_what_came_true_is_kept_with_the_forecast():
    made = [Forecast(ZONE, NOW.replace(minute=15), 15, 9.0, NOW), Forecast(ZONE, NOW.replace(minute=30), 30, 9.0, NOW)]
    then = [Quarter(ZONE, "", NOW.replace(minute=15), 20, 4500, 4500, 9000),
            Quarter(ZONE, "", NOW.replace(minute=30), 20, 4500, 9000, 4500)]
    assert [(one.lead_min, one.actual) for one in came_true(made, then, RULES)] == [(30, pytest.approx(6.67))]


def test_errors_are_told_by_lead_and_bad_forecasts_are_not_shown():
    def of(*off, lead=15):
        return [Forecast(ZONE, NOW - timedelta(hours=1), lead, 10 + one, NOW, 10.0) for one in off]
    good = errors(ZONE, [*of(1, -3), *of(3, lead=120), *of(99, lead=45)], 20, 6, NOW, RULES)
    assert (good.mae, good.count, good.shown) == ({"15": 2.0, "120": 3.0}, 3, True)
    assert not errors(ZONE, of(1, lead=15) + of(3.1, lead=120), 20, 6, NOW, RULES).shown
    assert not errors(ZONE, of(1), 20, 2.9, NOW, RULES).shown
    assert not errors(ZONE, [], 20, 6, NOW, RULES).shown
    old = [Forecast(ZONE, NOW - timedelta(days=40), 15, 10, NOW, 0.0)]
    assert errors(ZONE, old, 20, 6, NOW, RULES).count == 0


def test_how_good_forecasts_are_is_known_from_history_alone():
    steady = looked_back(ZONE, list(history(by_hour, weeks=7)), NOW, RULES, workday)
    found = errors(ZONE, steady, 20, 6, NOW, RULES)
    assert set(found.mae) == {"15", "30", "60", "120"}
    assert found.shown
    assert found.mae["15"] < 0.5
    assert found.count > 2000
