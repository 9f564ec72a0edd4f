"""Reasons and signs of life."""

from datetime import UTC, datetime, timedelta

import pytest

from city.health import MAX_BODY, SENTENCES, Beat, Readiness, Reason, broken, decode, encode, of_bridges, span, warning

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)


def test_a_sign_of_life_survives_the_way() -> None:
    beat = Beat("bridge", NOW, (broken("log_refuses", what="“full” – 100 %"), warning("qos0", count=3)), {"rss": 1.5})
    assert decode("bridge", NOW, encode(beat)) == beat


def test_too_many_words_are_cut_and_the_worst_kept() -> None:
    reasons = Readiness.of([*(warning("qos0", count=n, pad="x" * 2000) for n in range(100)), broken("log_refuses", what="y")])
    body = encode(Beat("b", NOW, reasons.reasons))
    assert len(body) <= MAX_BODY
    assert decode("b", NOW, body).reasons[0].code == "log_refuses"


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff", b'{"reasons": 7}'])
def test_nonsense_is_a_sign_without_words(body: bytes) -> None:
    assert decode("b", NOW, body) == Beat("b", NOW)


def test_a_reason_of_a_newer_program_is_shown_somehow() -> None:
    assert str(Reason("new_thing", True, {"what": "x"})) == "new_thing"
    assert str(Reason("qos0", False, {})) == SENTENCES["qos0"]


def test_a_silent_bridge_is_broken_alone_and_a_warning_beside_another() -> None:
    old, new = Beat("one", NOW - timedelta(minutes=2)), Beat("two", NOW - timedelta(seconds=5), (warning("qos0", count=1),))
    (alone,) = of_bridges([old], NOW)
    assert (alone.code, alone.broken, str(alone)) == ("bridge_silent", True, "The bridge one has not been heard for 2 min.")
    assert [(reason.code, reason.broken) for reason in of_bridges([old, new], NOW)] == [("bridge_silent", False), ("qos0", False)]
    assert of_bridges([Beat("gone", NOW - timedelta(days=8))], NOW) == []


@pytest.mark.parametrize(("seconds", "said"), [(0.5, "0.5 s"), (40, "40 s"), (119, "119 s"), (180, "3 min"), (7300, "2 h"),
                                               (5 * 86400, "5 d")])
def test_spans(seconds: float, said: str) -> None:
    assert span(seconds) == said
