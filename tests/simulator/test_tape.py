"""Recordings: what is written is read again, and what is none is refused with its line."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.clock import ManualClock
from city.errors import Invalid
from simulator.__main__ import main
from simulator.replay import Pace
from simulator.tape import MAX_LINE, Entry, entries, line, shifted

AT = datetime(2026, 11, 21, 20, 0, 0, 250_000, tzinfo=UTC)
GOOD = '{"t": 1.5, "topic": "a/b", "payload": "x"}\n'


def read(text: str | bytes) -> list[Entry]:
    return list(entries(io.BytesIO(text.encode() if isinstance(text, str) else text), "a.jsonl"))


@pytest.mark.parametrize("payload", [b"", b'{"a":"\xc3\xa4\\n"}', b"\x00\xff\x80protobuf", "Ü\u2028\x00".encode()])
def test_what_is_written_is_read_again(payload: bytes) -> None:
    later = AT + timedelta(seconds=2.5)
    written = line(AT, "application/x/device/y/event/up", payload) + line(later, "t", b"1")
    assert written.count(b"\n") == 2
    one, other = read(written)
    assert one == Entry(0.0, AT, "application/x/device/y/event/up", payload)
    assert (other.seconds, other.at) == (2.5, later)


def test_seconds_count_from_the_first_message_and_empty_lines_are_passed_over() -> None:
    found = read(GOOD + "\n  \n" + GOOD.replace("1.5", "4"))
    assert [(one.seconds, one.at) for one in found] == [(0.0, None), (2.5, None)]


@pytest.mark.parametrize(("text", "says"), [
    ("nonsense\n", "malformed"), ("[1,2]\n", "object"), ('{"t": 2, "payload": "x"}\n', "topic"),
    ('{"t": 1, "topic": "a", "payload": "x"}\n', "before that of the line above"),
    ('{"t": 2, "topic": "a/+", "payload": "x"}\n', "topic"), ('{"t": 2, "topic": "", "payload": "x"}\n', "topic"),
    ('{"t": 2, "topic": "' + "a" * 1001 + '", "payload": "x"}\n', "topic"),
    ('{"t": 2, "topic": "a"}\n', "either payload or base64"), ('{"t": 2, "topic": "a", "payload": "", "base64": ""}\n', "either"),
    ('{"t": 2, "topic": "a", "base64": "*"}\n', "base64"), ('{"t": "yesterday", "topic": "a", "payload": "x"}\n', "isoformat"),
    ('{"t": "2026-11-21T20:00:00", "topic": "a", "payload": "x"}\n', "offset"),
    ('{"t": -1, "topic": "a", "payload": "x"}\n', "seconds"),
    ('{"t": 1e300, "topic": "a", "payload": "x"}\n', "seconds"),
    ('{"t": 2, "topic": "a", "payload": "' + "x" * MAX_LINE, "longer than 1 MB"),
])
def test_a_line_that_is_no_message_is_named(text: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(GOOD + "\n" + text)
    assert "a.jsonl, line 3, is no message of a recording" in str(refused.value)
    assert says in str(refused.value)


def test_all_times_of_an_event_move_by_as_much_and_nothing_else_does() -> None:
    event = {"time": "2026-11-21T20:00:00.775023242+00:00", "data": "2026",
             "deviceInfo": {"deviceName": "2026-11-21T20:00:00+00:00"},
             "rxInfo": [{"gwTime": "2026-11-21T20:00:00+00:00", "nsTime": "2026-11-21T20:00:00.801+00:00",
                         "timeSinceGpsEpoch": "1479412818.775023242s"}, {"timeSinceGpsEpoch": "1479412818s"}]}
    moved = json.loads(shifted(json.dumps(event, separators=(",", ":")).encode(), timedelta(days=40, seconds=1.25)))
    assert moved == event | {
        "time": "2026-12-31T20:00:02.025023242+00:00",
        "rxInfo": [{"gwTime": "2026-12-31T20:00:01.250+00:00", "nsTime": "2026-12-31T20:00:02.051+00:00",
                    "timeSinceGpsEpoch": "1482868820.025023242s"}, {"timeSinceGpsEpoch": "1482868819.250000000s"}]}
    assert shifted(b"\x0a\x05hello", timedelta(1)) == b"\x0a\x05hello"


def test_a_replay_keeps_distances_at_its_speed_and_moves_times_to_when_it_speaks() -> None:
    clock = ManualClock(datetime(2027, 1, 1, tzinfo=UTC))
    pace = Pace(clock, 10.0, shift=True)
    first, later = Entry(0.0, AT, "a", b'{"time":"2026-11-21T20:00:00.250+00:00"}'), Entry(
        60.0, AT + timedelta(minutes=1), "a", b'{"time":"2026-11-21T20:01:00.250+00:00"}')
    assert (pace.waits_s(first), pace.waits_s(later)) == (0.0, 6.0)
    clock.advance(4)
    assert pace.waits_s(later) == 2.0
    assert pace.payload(first) == b'{"time":"2027-01-01T00:00:00+00:00"}'
    assert pace.payload(later) == b'{"time":"2027-01-01T00:00:06+00:00"}'
    with pytest.raises(Invalid, match="times, not with seconds"):
        pace.payload(Entry(0.0, None, "a", b""))


def test_a_town_is_recorded_as_fast_as_it_goes_and_the_same_each_time(tmp_path: Path) -> None:
    words = ["record", "--town", "netphen", "--lamps", "5", "--bays", "5", "--for", "5min",
             "--start", "2026-11-21T20:00:00+01:00"]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*words, "--seed", seed, "--out", str(tmp_path / name)]) == 0
    one, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert one == again != other
    found = read(one)
    assert found[-1].seconds <= 300
    assert {entry.topic.rsplit("/", 1)[1] for entry in found} >= {"join", "up"}
    for entry in found:
        assert abs((datetime.fromisoformat(json.loads(entry.payload)["time"]) - (entry.at or AT)).total_seconds()) < 1.5
    with pytest.raises(FileExistsError):
        main([*words, "--out", str(tmp_path / "a")])
