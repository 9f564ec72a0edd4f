"""Which rules of a zone hold at a time, and until when."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import Invalid
from city.parking_places import ParkingSite, SiteRule
from city.parking_rules import BERLIN, check_hours, holding, in_force

STUTTGART = (9.18, 48.78)
DISC = SiteRule("", "Mo-Fr 08:00-18:00; PH off", 120, disc=True)


def at(*when: int, fold: int = 0) -> datetime:
    return datetime(*when, fold=fold, tzinfo=BERLIN)  # type: ignore[arg-type,misc]


def now(site: ParkingSite, when: datetime, land: str = "BW"):  # type: ignore[no-untyped-def]
    return in_force(site, when, land=land, point=STUTTGART)


def test_a_rule_holds_until_its_hours_end_and_then_the_zone_is_free():
    found = now(ParkingSite("markt", rules=(DISC,)), at(2026, 11, 23, 9))
    assert (found.rules, found.until, found.then, found.open) == ((DISC,), at(2026, 11, 23, 18), (), True)


def test_the_town_s_own_land_says_which_days_are_holidays():
    epiphany, site = at(2026, 1, 6, 12), ParkingSite("markt", rules=(DISC,))
    assert now(site, epiphany, "BW").rules == ()
    assert now(site, epiphany, "NW").rules == (DISC,)


def test_holidays_of_next_year_are_known_on_new_year_s_eve():
    late = ParkingSite("markt", rules=(SiteRule("", "20:00-06:00; PH off"),))
    assert now(late, at(2026, 12, 31, 22)).until == at(2027, 1, 1, 0)


def test_holidays_among_weekdays_have_the_same_hours():
    site = ParkingSite("markt", opening_hours="Mo-Sa 08:00-20:00; Su,PH 10:00-16:00")
    assert not now(site, at(2026, 5, 1, 9)).open
    assert now(site, at(2026, 5, 1, 11)).until == at(2026, 5, 1, 16)


def test_sunset_is_the_town_s_own():
    park = ParkingSite("park", opening_hours="sunrise-sunset")
    east, west = (in_force(park, at(2026, 6, 22, 12), land="", point=(longitude, 51.0)).until for longitude in (14.9, 6.1))
    assert timedelta(minutes=30) < west - east < timedelta(minutes=40)  # 8.8° of longitude, 4 min each


@pytest.mark.parametrize(("when", "open", "until"), [
    (at(2026, 10, 25, 2, 10), True, at(2026, 10, 25, 2, 30)),
    (at(2026, 10, 25, 2, 40), False, at(2026, 10, 25, 2, 0, fold=1)),
    (at(2026, 10, 25, 2, 10, fold=1), True, at(2026, 10, 25, 2, 30, fold=1)),
    (at(2026, 10, 25, 2, 40, fold=1), False, at(2026, 10, 26, 0, 0)),
])
def test_the_hour_that_comes_twice_in_autumn_has_its_rules_twice(when, open, until):
    found = now(ParkingSite("nacht", opening_hours="00:00-02:30"), when)
    assert (found.open, found.until and found.until.astimezone(UTC)) == (open, until.astimezone(UTC))


def test_the_hour_that_is_missing_in_spring_begins_at_three():
    found = now(ParkingSite("nacht", opening_hours="02:30-04:00"), at(2026, 3, 29, 1, 50))
    assert (found.open, found.until, found.then_open) == (False, at(2026, 3, 29, 3), True)


def test_what_never_changes_has_no_end():
    assert now(ParkingSite("immer", rules=(SiteRule("", "24/7", 60),)), at(2026, 7, 1, 12)).until is None


def test_broken_hours_are_left_out_and_named_and_close_nothing():
    found = now(ParkingSite("kaputt", opening_hours="always!", rules=(SiteRule("", "Mo-Fr 25:00-99:00", 30), DISC)),
                at(2026, 11, 23, 9))
    assert (found.open, found.rules, found.broken, found.said) == (True, (DISC,), ("opening_hours", "rules.0"), False)


@pytest.mark.parametrize("text", ["Feb 29 08:00-10:00", "2028 Feb 29 off",
                                  "Feb 25-Mar 2 08:00-12:00", "Jan 08:00-18:00", "Dec 24-26,Dec 31 off"])
def test_days_that_some_year_has_are_taken(text):
    check_hours(text, "hours")


@pytest.mark.parametrize("text", ["SH off", "Mo-Fr 08:00+", 'Mo-Fr "by arrangement"', "Mo || Tu", "Dec PH off", "PH,PH off",
                                  "Feb 30 08:00-10:00", "feb 30 08:00-10:00", "Jan 10-32 off", "Apr 1-31", "2027 Feb 29 off",
                                  "Unknown", "Mo-Fr 08:00-18:00 UNKNOWN", "PH -1 day off", "PH Mo-Fr 10:00-12:00", "PH mo off",
                                  "mo-fr 8-18", "Mo-Fr 08:00-18:00;" + " " * 200, "08:00\n", "08:00–18:00", "unknown"])
def test_hours_that_cannot_be_told_for_every_minute_are_refused_with_their_field(text):
    with pytest.raises(Invalid) as caught:
        check_hours(text, "rules.2.hours")
    assert (caught.value.field, caught.value.rule) == ("rules.2.hours", "opening_hours")


def test_moments_lie_in_hours_or_outside():
    morning = [at(2026, 11, 23, 7), at(2026, 11, 23, 9)]
    assert holding("Mo-Su 18:00-08:00", morning, land="BW", point=STUTTGART) == [True, False]


def test_who_pays_is_told_only_where_all_rules_are_known():
    paid = ParkingSite("z", rules=(SiteRule("", "Mo-Sa 08:00-18:00", fee=True),))
    assert now(paid, at(2026, 11, 23, 9)).free_of_charge is False
    assert now(paid, at(2026, 11, 23, 19)).free_of_charge is True
    assert now(ParkingSite("z"), at(2026, 11, 23, 19)).free_of_charge is None


PARTS = st.sampled_from(["Mo-Fr", "Sa", "Su,PH", "PH", "08:00-18:00", "22:00-06:00", "sunset-sunrise", "off", ";", " ", ",", "-",
                         "Jan-Mar", "2026", "easter", "week 1-20", "24/7", "(sunset+01:00)-23:00", "Mo[2]", "/", "08:00-26:00"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, max_size=8).map("".join) | st.text(max_size=60), st.integers(0, 2 * 365 * 24 * 60))
def test_no_text_breaks_the_answer_and_nothing_changes_before_the_time_that_is_told(text, when):
    local = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=when)
    site = ParkingSite("z", rules=(SiteRule("", text, 60), DISC))
    found = now(site, local)
    end = min(found.until or local + timedelta(days=2), local + timedelta(days=2))
    assert found.until is None or found.until > local
    for part in range(1, 5):
        between = local + (end - local) * part / 5
        assert now(site, between).rules == found.rules
    if found.until is not None and found.until < local + timedelta(days=300):
        assert now(site, found.until).rules == found.then != found.rules


def test_fifty_zones_take_less_than_five_milliseconds():
    sites = [ParkingSite(str(n), opening_hours=f"Mo-Su 06:{n:02}-22:00", rules=(DISC,)) for n in range(50)]
    for site in sites:
        now(site, at(2026, 11, 23, 9))
    spent = []
    for minute in range(5):
        began = time.process_time()
        for site in sites:
            now(site, at(2026, 11, 23, 9, minute))
        spent.append(time.process_time() - began)
    assert min(spent) < 0.005
