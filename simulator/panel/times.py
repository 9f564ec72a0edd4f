"""Virtual time as the panel writes it."""

from datetime import UTC, datetime, timedelta

from city.readings import NS

_EPOCH = datetime.fromtimestamp(0, UTC)


def iso(at_ns: int) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return (_EPOCH + timedelta(microseconds=at_ns * 1_000_000 // NS)).isoformat(timespec="milliseconds")
