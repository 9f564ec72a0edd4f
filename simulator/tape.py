"""Event streams on file: JSON lines, one message each, with the time at which it was said.

A line is {"t": …, "topic": …, "payload": …}: `t` an ISO 8601 time with offset, or seconds since the beginning; `payload`
the text. Bytes that are no UTF-8 text stand in `base64` instead of `payload`. Times never go back.
"""

import json
import re
from base64 import b64encode
from binascii import Error as NoBase64
from binascii import a2b_base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, NamedTuple

import msgspec

from city.errors import Invalid
from city.readings import NS

MAX_LINE = 1 << 20  # bytes
MAX_TOPIC = 1000
_RFC3339 = re.compile(rb'"(?:time|gwTime|nsTime)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:\+00:00|Z)"')
_GPS = re.compile(rb'"timeSinceGpsEpoch":"(\d{1,12})(?:\.(\d{1,9}))?s"')


class Entry(NamedTuple):
    """One message: `seconds` after the tape's first; `at` where the tape has times."""

    seconds: float
    at: datetime | None
    topic: str
    payload: bytes


class _Line(msgspec.Struct, frozen=True):
    t: float | str
    topic: str
    payload: str | None = None
    base64: str | None = None


def line(at: datetime, topic: str, payload: bytes) -> bytes:
    """The line of a message."""
    said: dict[str, str] = {"t": at.astimezone(UTC).isoformat(timespec="milliseconds"), "topic": topic}
    try:
        said["payload"] = payload.decode()
    except UnicodeDecodeError:
        said["base64"] = b64encode(payload).decode()
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def entries(file: BinaryIO, name: str) -> Iterator[Entry]:
    """The messages of a tape. Raises Invalid, naming file and line, on a line that is none."""
    first: float | None = None
    last, number = 0.0, 0
    while text := file.readline(MAX_LINE + 1):
        number += 1
        if text.isspace():
            continue
        said = _read(text, name, number)
        at, seconds = _time(said.t, name, number)
        first = seconds if first is None else first
        if seconds - first < last:
            raise _wrong(name, number, "its time lies before that of the line above")
        last = seconds - first
        yield Entry(last, at, said.topic, _payload(said, name, number))


def shifted(payload: bytes, by: timedelta) -> bytes:
    """An event in JSON with all its times moved; as it is where it is none."""
    if not payload.startswith(b"{"):
        return payload
    ns = round(by.total_seconds() * NS)
    moved = _RFC3339.sub(lambda found: found[0][:found.start(1) - found.start()] + _rfc3339(found, ns) + b'"', payload)
    return _GPS.sub(lambda found: b'"timeSinceGpsEpoch":"' + _decimal(_ns(found[1], found[2]) + ns) + b's"', moved)


def _read(text: bytes, name: str, number: int) -> _Line:
    if len(text) > MAX_LINE:
        raise _wrong(name, number, f"it is longer than {MAX_LINE >> 20} MB")
    try:
        said = msgspec.json.decode(text, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(name, number, str(error)) from error
    if not said.topic or len(said.topic) > MAX_TOPIC or any(letter in said.topic for letter in "+#\0"):
        raise _wrong(name, number, "its topic is none that can be published to")
    return said


def _time(said: float | str, name: str, number: int) -> tuple[datetime | None, float]:
    try:
        if isinstance(said, str):
            at = datetime.fromisoformat(said)
            if at.tzinfo is None:
                raise ValueError("a time needs its offset")
            return at, at.timestamp()
        if not 0 <= said < 1e10:
            raise ValueError("seconds since the beginning lie between 0 and 1e10")
    except (ValueError, OverflowError) as error:
        raise _wrong(name, number, str(error)) from error
    return None, float(said)


def _payload(said: _Line, name: str, number: int) -> bytes:
    if (said.payload is None) == (said.base64 is None):
        raise _wrong(name, number, "it needs either payload or base64")
    if said.payload is not None:
        return said.payload.encode()
    try:
        return a2b_base64(said.base64 or "", strict_mode=True)
    except NoBase64 as error:
        raise _wrong(name, number, str(error)) from error


def _wrong(name: str, number: int, what: str) -> Invalid:
    return Invalid("{file}, line {line}, is no message of a recording: {what}.", field=name, rule="recording", file=name,
                   line=number, what=what)


def _rfc3339(found: re.Match[bytes], by_ns: int) -> bytes:
    second = int(datetime.fromisoformat(found[1].decode() + "+00:00").timestamp())
    second, rest = divmod(second * NS + _ns(b"0", found[2]) + by_ns, NS)
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    fraction = f".{digits}" if digits else ""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}{fraction}+00:00".encode()


def _ns(whole: bytes, fraction: bytes | None) -> int:
    return int(whole) * NS + int((fraction or b"").ljust(9, b"0"))


def _decimal(ns: int) -> bytes:
    second, rest = divmod(ns, NS)
    return f"{second}.{rest:09d}".encode() if rest else str(second).encode()
