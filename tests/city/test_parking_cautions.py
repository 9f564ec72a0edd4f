"""Rules that can be read, and hardly say what was meant."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.parking_cautions import site_cautions
from city.parking_places import ParkingSite, SiteRule

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
DAY = "Mo-Fr 08:00-18:00"


def disc(hours: str, minutes: int = 120) -> SiteRule:
    return SiteRule("", hours, minutes, disc=True)


def residents(hours: str) -> SiteRule:
    return SiteRule("resident", hours)


def found(*rules: SiteRule, opening: str = "24/7") -> list[tuple[str, str]]:
    site = ParkingSite("platz", opening_hours=opening, rules=rules)
    return [(one.field, one.message.format(**one.facts)) for one in site_cautions(site, NOW, land="NW", point=(8.1, 50.9))]


@pytest.mark.parametrize("hours", ["PH off", "off", "Mo-Fr off", "2020 Mo 08:00-10:00", "Mo-Fr 10:00-12:00 off"])
def test_hours_that_never_hold_are_told_at_their_field(hours):
    for (field, sentence), at in zip(found(disc(hours), opening=hours), ("opening_hours", "rules.0.hours"), strict=True):
        assert field == at
        assert sentence.startswith(f"“{hours}” never holds")


@pytest.mark.parametrize(("hours", "part"), [
    ("Mo-Fr 08:00-12:00; 14:00-18:00", "Mo-Fr 08:00-12:00"), ("PH off; Mo-Fr 08:00-18:00", "PH off"),
    ("Dec 24 off; Mo-Fr 08:00-18:00", "Dec 24 off"), ("Sa 09:00-13:00; Mo-Su 08:00-09:00", "Sa 09:00-13:00"),
    (f"{DAY}; 24/7", DAY)])
def test_a_part_that_later_ones_replace_is_told(hours, part):
    ((field, sentence),) = found(disc(hours))
    assert field == "rules.0.hours"
    assert sentence.startswith(f"“{part}” is replaced")


@pytest.mark.parametrize("hours", [
    "", "24/7", DAY, f"{DAY}; PH off", f"{DAY}; Sa,Su off", "24/7; PH off", "Mo-Sa 08:00-18:00; Sa 08:00-12:00",
    "Mo-Fr 18:00-08:00", "Mo-Fr 08:00-12:00,14:00-18:00; Sa 09:00-13:00; PH off", "Apr-Oct sunrise-sunset",
    "Mo[1] 08:00-10:00", f"{DAY}; 2025 Dec 24 off", f"{DAY}; {DAY}", "Mo-Su,PH 20:00-08:00", f"2025 Dec 24 off; {DAY}"])
def test_hours_that_say_what_they_mean_are_not_doubted(hours):
    assert found(disc(hours)) == []


def test_residents_who_are_only_free_from_the_disc_shut_nobody_out_unsaid():
    ((field, sentence),) = found(disc(DAY), residents("24/7"))
    assert field == "rules.1.hours"
    assert "only residents may park then, for example from 2026-11-23 18:00" in sentence


@pytest.mark.parametrize("rules", [
    (disc(DAY), residents(DAY)), (disc(DAY), residents("Mo-Fr 18:00-08:00")), (residents("24/7"),),
    (disc(DAY), residents("24/7"), SiteRule("", "Mo-Fr 00:00-08:00,18:00-24:00; Sa,Su", 0, fee=True))])
def test_rules_that_say_for_whom_they_are_at_all_times_are_not_doubted(rules):
    assert found(*rules) == []


def test_a_holiday_that_only_one_of_two_rules_leaves_out_is_noticed():
    ((_, sentence),) = found(disc(f"{DAY}; PH off"), residents(DAY))
    assert "from 2026-12-25 08:00" in sentence


def test_rules_outside_the_opening_hours_are_told():
    assert found(disc("Sa 09:00-13:00"), disc(DAY), opening=DAY) == [
        ("rules.0.hours", f"Rule 1 never holds while the zone is open ({DAY}).")]


def test_a_rule_that_another_makes_needless_is_told_and_the_first_of_two_equal_ones_is_not():
    assert [field for field, _ in found(disc(DAY), SiteRule("", "24/7"))] == ["rules.0.hours"]
    assert [field for field, _ in found(disc(DAY), disc(DAY))] == ["rules.1.hours"]
    assert found(disc(DAY, 30), SiteRule("", DAY, 120, fee=True)) == []  # shorter and free, or longer and paid for


def test_hours_that_cannot_be_read_are_left_to_the_form_s_refusal():
    assert found(disc("Mo-Fr 25:00"), residents("24/7"), opening="always!") == []


PARTS = st.sampled_from(["Mo-Fr", "Su,PH", "PH", "08:00-18:00", "22:00-06:00", "sunset-sunrise", "off", "; ", " ", ",", "Jan-Mar",
                         "2026", "easter", "week 1-20", "24/7", "Mo[2]", "00:00-24:00"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=6).map("".join) | st.text(max_size=40), max_size=3))
def test_no_text_breaks_it_and_each_caution_names_a_field_that_is_there(texts):
    rules = [SiteRule(("", "resident", "charging")[n % 3], text, 60) for n, text in enumerate(texts)]
    fields = {"opening_hours", *(f"rules.{n}.hours" for n in range(len(rules)))}
    assert {field for field, _ in found(*rules, opening=texts[0] if texts else "")} <= fields
