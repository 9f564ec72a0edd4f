"""The sun's turns all year round: the numbers against the sun's own height."""

from datetime import date, timedelta

import pytest

from city.places import Site
from city.sun import altitude, between

DAYS = [date(2024, 1, 1) + timedelta(days=3 * number) for number in range(122)]


@pytest.mark.parametrize("degrees", [-18.0, -12.0, -6.0, 0.0, 3.0])
@pytest.mark.parametrize("site", [Site(47.3, 10.2), Site(54.9, 8.4), Site(51.0, 15.0)])
def test_it_falls_and_rises_again_in_one_night_of_any_season(site, degrees):
    for evening in [*DAYS, *(date(2024, 5, 10) + timedelta(days=number) for number in range(20))]:
        falls, rises = between(site, evening, degrees)
        assert rises - falls <= timedelta(hours=24), evening
        middle = falls + (rises - falls) / 2
        if rises - falls >= timedelta(hours=24) or falls == rises:
            assert altitude(site, middle) > degrees - 0.5, evening  # it does not come so low
            continue
        assert altitude(site, middle) <= degrees, evening
        assert altitude(site, falls) == pytest.approx(degrees, abs=0.6), evening
        assert altitude(site, rises) == pytest.approx(degrees, abs=0.6), evening
