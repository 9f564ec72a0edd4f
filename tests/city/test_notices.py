"""Whom to tell what of incidents, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.i18n import messages
from city.alarms import AlarmKind, Severity
from city.errors import Invalid
from city.ids import AssetId, TenantId
from city.incidents import Act, Cause, Deed, Incident, incident
from city.notice_text import GERMAN, Told, letter, payload, subject
from city.notices import About, Channel, Delivery, Sent, Way, after_attempt, checked, signature, tell, trial

T = TenantId("stadt")
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ADA = Channel("c1", T, "Ada", Way.MAIL, "ada@example.org")


def lamp(name: str, severity: Severity = Severity.MAJOR, at: datetime = NOW - HOUR) -> Incident:
    return incident(T, Cause.ASSET, name, at, severity, assets=(AssetId(name),), kinds=(AlarmKind.LAMP_FAILURE,))


def told(channel: Channel, incidents: list[Incident], before: list[Delivery], now: datetime = NOW,
         acts: dict[str, list[Act]] | None = None) -> list[Delivery]:
    return list(tell(channel, incidents, acts or {}, before, now))


def test_an_incident_is_told_once_and_its_end_once():
    one = lamp("L1")
    first = told(ADA, [one], [])
    assert [item.about for item in first] == [About.BEGAN]
    assert told(ADA, [one], first, NOW + HOUR) == []
    ended = replace(one, ended_at=NOW + HOUR)
    last = told(ADA, [ended], first, NOW + 2 * HOUR)
    assert [item.about for item in last] == [About.ENDED]
    assert told(ADA, [ended], [*first, *last], NOW + 3 * HOUR) == []


def test_what_is_below_the_channels_severity_is_not_told():
    assert told(ADA, [lamp("L1", Severity.WARNING)], []) == []


def test_what_gets_graver_is_told_again():
    first = told(ADA, [lamp("L1")], [])
    assert [item.about for item in told(ADA, [lamp("L1", Severity.CRITICAL)], first, NOW + HOUR)] == [About.GRAVER]


def test_a_storm_is_one_letter_and_the_next_an_hour_later():
    storm = [lamp(f"L{number}") for number in range(300)]
    first = told(ADA, storm, [])
    assert [(item.about, len(item.incidents)) for item in first] == [(About.DIGEST, 300)]
    more = [*storm, *(lamp(f"M{number}", at=NOW) for number in range(50))]
    assert told(ADA, more, first, NOW + 10 * MINUTE) == []
    assert [len(item.incidents) for item in told(ADA, more, first, NOW + 61 * MINUTE)] == [50]


def test_a_slow_storm_fills_the_hour_and_then_waits_for_a_digest():
    before: list[Delivery] = []
    for number in range(30):
        before += told(ADA, [lamp(f"L{index}", at=NOW) for index in range(number + 1)], before, NOW + (3 + number) * MINUTE)
    singles = [item for item in before if item.about is About.BEGAN]
    assert len(singles) == ADA.at_once
    assert sum(len(item.incidents) for item in before) == len({name for item in before for name, _ in item.incidents})


def test_quiet_hours_let_only_what_is_critical_through():
    night = replace(ADA, quiet=(22 * 60, 6 * 60))
    late = datetime(2026, 11, 10, 22, 30, tzinfo=UTC)
    both = [lamp("L1", at=late - HOUR), lamp("L2", Severity.CRITICAL, late - HOUR)]
    assert [name for item in told(night, both, [], late) for name, _ in item.incidents] == [both[1].id]
    morning = datetime(2026, 11, 11, 5, 1, tzinfo=UTC)
    assert len(told(night, both, told(night, both, [], late), morning)) == 1


def test_what_nobody_has_seen_is_repeated_three_times():
    channel, one = replace(ADA, repeat=HOUR), lamp("L1")
    before = told(channel, [one], [])
    for hour in range(1, 8):
        before += told(channel, [one], before, NOW + hour * HOUR)
    assert [item.about for item in before] == [About.BEGAN, About.AGAIN, About.AGAIN, About.AGAIN]
    seen = {one.id: [Act(one.id, NOW, "ada", Deed.ACKNOWLEDGE)]}
    assert told(channel, [one], before[:1], NOW + HOUR, seen) == []


def test_old_and_explained_and_closed_incidents_are_no_news():
    assert told(ADA, [lamp("L1", at=NOW - timedelta(days=3))], []) == []
    assert told(ADA, [replace(lamp("L1"), merged="other")], []) == []
    one = lamp("L1")
    assert told(ADA, [one], [], acts={one.id: [Act(one.id, NOW, "ada", Deed.CLOSE)]}) == []
    assert told(replace(ADA, off=True), [lamp("L1")], []) == []


def test_what_is_not_taken_is_tried_ever_more_slowly_and_then_given_up():
    (item,) = told(ADA, [lamp("L1")], [])
    waits = []
    while item.live:
        item = after_attempt(item, NOW, error="nobody there")
        waits += [item.next_at - NOW] if item.next_at else []
    assert item.state is Sent.FAILED
    assert waits == sorted(waits)
    assert len(waits) == 6
    assert after_attempt(item, NOW).state is Sent.DONE


def test_one_trial_for_each_time_somebody_asks():
    asked = replace(ADA, trial_at=NOW - MINUTE)
    item = trial(asked, [], NOW)
    assert item is not None
    assert trial(asked, [item], NOW + MINUTE) is None
    assert trial(replace(ADA, trial_at=NOW + MINUTE), [item], NOW + 2 * MINUTE) is not None


def test_the_signature_binds_time_and_body():
    one = signature("secret", 1, b"{}")
    # as `openssl dgst -sha256 -hmac secret` says of "1.{}"
    assert one == "1122767b193110cfec322b6f199b599edbf608ed087f2d27afb0b97d99523908"
    assert len({one, signature("secret", 2, b"{}"), signature("secret", 1, b"[]"), signature("other", 1, b"{}")}) == 4


def test_a_subject_has_no_line_break_and_a_letter_names_the_page():
    (item,) = told(ADA, [lamp("L1")], [])
    names = [Told(lamp("L1"), "Haupt\r\nBcc: all@example.org")]
    assert "\n" not in subject(item, names, ADA, "Stadt")
    assert "\r" not in subject(item, names, ADA, "Stadt")
    text = letter(item, names, ADA, "https://town.example/stadt")
    assert "Die Leuchte soll brennen und tut es nicht." in text
    assert "https://town.example/stadt" in text
    assert b'"lamp_failure"' in payload(item, names, ADA, "")


def test_letters_and_pages_speak_the_same_german():
    catalogue = messages("de")
    assert {text for text, german in GERMAN.items() if catalogue.get(text) != german} == set()


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "a\nb"}, {"address": "nobody"}, {"address": "a@b\nBcc: c@d.e"}, {"at_once": 0}, {"quiet": (-1, 5)},
    {"secret": "short"}, {"repeat": MINUTE}, {"way": Way.WEBHOOK, "address": "http://example.org/x"},
    {"way": Way.WEBHOOK, "address": "https://user:pass@example.org/"}, {"way": Way.WEBHOOK, "address": "file:///etc/passwd"},
    {"way": Way.WEBHOOK, "address": "https://example.org:0/"}, {"way": Way.WEBHOOK, "address": "https://[::1"},
    {"way": Way.WEBHOOK, "address": "https://example.org/a b"}])
def test_a_channel_that_cannot_be_used_is_refused(wrong):
    with pytest.raises(Invalid):
        checked(replace(ADA, **wrong))
