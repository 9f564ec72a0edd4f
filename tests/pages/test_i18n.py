"""Numbers, times and plurals as one writes them here and there."""

from datetime import UTC, date, datetime, timedelta

import pytest

from api.i18n import age, clock_time, day_time, explain, ngettext, number, preferred, translate
from city.errors import Conflict, Invalid

NOW = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)  # 23:30 in Berlin, summer time


def test_numbers_have_a_german_comma():
    assert number("de", 1214.5, 1) == "1.214,5"
    assert number("en", 1214.5, 1) == "1,214.5"
    assert number("de", 56.0, 1) == "56"
    assert number("de", -0.04, 1) == "0"


@pytest.mark.parametrize(("value", "german", "english"), [
    (1e300, "1,00000E300", "1.00000E300"), (-1.25e28, "-1,25000E28", "-1.25000E28"), (10 ** 400, "1E400", "1E400"),
    (float("inf"), "Infinity", "Infinity"),
    (999_999_999_999_999, "999.999.999.999.999", "999,999,999,999,999"), (5e-324, "0", "0")])
def test_any_number_can_be_written(value, german, english):
    assert (number("de", value, 6), number("en", value, 6)) == (german, english)


def test_times_are_berlin_times():
    assert clock_time("de", NOW) == "23:30"
    assert day_time("de", NOW + timedelta(hours=1), NOW) == "morgen 00:30"
    assert day_time("en", NOW - timedelta(days=9), NOW) == "22 Jun 23:30"


@pytest.mark.parametrize(("passed", "words"), [(timedelta(seconds=-5), "gerade eben"), (timedelta(minutes=2), "vor 2 Min."),
                                               (timedelta(hours=26), "vor 26 Std."), (timedelta(days=3), "vor 3 Tagen")])
def test_ages(passed, words):
    assert age("de", NOW - passed, NOW) == words


def test_plurals():
    assert ngettext("de", "{n} lamp", "{n} lamps", 1) == "1 Leuchte"
    assert ngettext("de", "{n} lamp", "{n} lamps", 1214) == "1.214 Leuchten"
    assert ngettext("en", "{n} lamp", "{n} lamps", 0) == "0 lamps"


def test_errors_are_translated_with_their_facts():
    error = Invalid("Lamp {lamp} may not burn below {floor} %.", lamp="Lamps", floor=30)
    assert explain("de", error) == "Leuchte Lamps darf nicht unter 30 % brennen."  # a name is never translated
    wrong = Conflict("A command that is {state} cannot be told that {event}.", state="applied", event="its time ran out")
    assert "„bestätigt“" in explain("de", wrong)


def test_what_has_no_translation_stays_english():
    assert translate("de", "Nobody has translated {this}.", this="me") == "Nobody has translated me."


@pytest.mark.parametrize(("header", "language"), [("", "de"), ("en-US,en;q=0.9", "en"), ("de-DE,en;q=0.9", "de"),
                                                  ("fr,en;q=0.5,de;q=0.4", "en"), ("*;q=x", "de"), ("ja", "de")])
def test_preferred_language(header, language):
    assert preferred(header) == language


@pytest.mark.parametrize(("language", "written"), [("de", "zuerst am 24. Dezember 2026,"), ("en", "first on 24 December 2026,")])
def test_a_day_in_a_sentence_is_written_as_its_readers_write_days(language, written):
    sentence = ("In {count} of the next 14 nights, first on {first}, the controller would do otherwise: the platform drives "
                "these live.")
    assert written in translate(language, sentence, count=2, first=date(2026, 12, 24))
