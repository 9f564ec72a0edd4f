"""A zone's rules in words."""

from datetime import datetime

import pytest

from api.pages.rule_words import duration, fee_words, from_words, sentences, stay_words, until_words
from city.parking_places import ParkingSite, SiteRule
from city.parking_rules import BERLIN, in_force

DISC = SiteRule("", "Mo-Fr 08:00-18:00; PH off", 120, disc=True)


def said(site: ParkingSite, now: datetime, language: str = "de") -> list[str]:
    return sentences(language, in_force(site, now, land="BW", point=(9.2, 48.8)), now)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=BERLIN)  # type: ignore[arg-type,misc]


def test_a_disc_by_day_and_then_free():
    assert said(ParkingSite("z", rules=(DISC,)), at(2026, 11, 23, 9)) == [
        "bis 18:00 höchstens 2 Std. mit Parkscheibe", "ab 18:00 frei"]
    assert said(ParkingSite("z", rules=(DISC,)), at(2026, 11, 23, 9), "en") == [
        "until 18:00 at most 2 hrs with a parking disc", "from 18:00 unrestricted"]


def test_residents_and_others():
    site = ParkingSite("z", permit_zone="A", rules=(DISC, SiteRule("resident", DISC.hours), SiteRule("disabled", "", 180)))
    assert said(site, at(2026, 11, 23, 9)) == [
        "bis 18:00 Bewohner Zone A frei, andere höchstens 2 Std. mit Parkscheibe", "ab 18:00 frei",
        "mit Behindertenparkausweis höchstens 3 Std."]


def test_residents_only():
    site = ParkingSite("z", rules=(SiteRule("resident", "20:00-08:00"),))
    assert said(site, at(2026, 11, 23, 21)) == ["bis morgen 08:00 nur Bewohner", "ab morgen 08:00 frei"]


def test_what_holds_for_some_is_said_only_where_it_is_not_what_holds_for_everybody():
    special = (SiteRule("disabled", "24/7"), SiteRule("charging", "24/7"))
    assert said(ParkingSite("z", rules=(SiteRule(), *special)), at(2026, 11, 23, 9)) == ["Parken ohne Einschränkung"]
    assert said(ParkingSite("z", rules=(DISC, *special)), at(2026, 11, 23, 9))[2:] == [
        "mit Behindertenparkausweis frei", "beim Laden frei"]
    by_day = SiteRule("charging", "Mo-Fr 08:00-18:00; PH off", 120, disc=True)
    assert said(ParkingSite("z", rules=(DISC, by_day)), at(2026, 11, 23, 9)) == [
        "bis 18:00 höchstens 2 Std. mit Parkscheibe", "ab 18:00 frei"]


def test_alternatives():
    site = ParkingSite("z", rules=(SiteRule("", "", 90, fee=True), SiteRule("", "", 30, disc=True)))
    assert said(site, at(2026, 11, 23, 9)) == [
        "höchstens 1 Std. 30 Min., gebührenpflichtig oder höchstens 30 Min. mit Parkscheibe"]


def test_a_zone_that_closes():
    site = ParkingSite("z", opening_hours="Mo-Sa 06:00-24:00", rules=(SiteRule("", "", 0, fee=True),))
    assert said(site, at(2026, 11, 21, 9)) == ["bis 24:00 gebührenpflichtig", "ab morgen geschlossen"]


def test_nobody_is_told_that_it_is_free_where_nobody_has_said_so_or_a_rule_cannot_be_read():
    assert said(ParkingSite("z"), at(2026, 11, 23, 9)) == []
    assert said(ParkingSite("z", rules=(SiteRule("", "broken"),)), at(2026, 11, 23, 9)) == []


@pytest.mark.parametrize(("when", "until", "start"), [
    (at(2026, 11, 23, 18), "18:00", "18:00"), (at(2026, 11, 24, 8), "morgen 08:00", "morgen 08:00"),
    (at(2026, 11, 24), "24:00", "morgen"), (at(2026, 11, 27, 8), "Freitag 08:00", "Freitag 08:00"),
    (at(2027, 4, 1), "31. März 24:00", "1. April")])
def test_when_something_ends_and_begins(when, until, start):
    now = at(2026, 11, 23, 9)
    assert (until_words("de", when, now), from_words("de", when, now)) == (until, start)


def test_fee_and_longest_stay():
    site = ParkingSite("z", fee="1 € je Std.", fee_en="€1 an hour", rules=(SiteRule("", "Mo-Sa 08:00-18:00", 180, fee=True),))
    paid, free = (in_force(site, at(2026, 11, 23, hour), land="BW", point=(9.2, 48.8)) for hour in (9, 19))
    assert (fee_words("de", site, paid), fee_words("en", site, paid), stay_words("de", paid)) == (
        "1 € je Std.", "€1 an hour", "3 Std.")
    assert (fee_words("de", site, free), stay_words("de", free)) == ("jetzt kostenlos", "")
    assert duration("de", 45) == "45 Min."
