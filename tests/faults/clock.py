"""A clock under the bridge that a test sets while it runs (libfaketime). What counts seconds, as timers do, is not moved."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.bridge import Bridge


class FakeClock:
    """The wall clock of the processes that were put `under` it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = timedelta(0)
        self.set(self._ahead)

    def under(self, bridge: Bridge) -> None:
        """The bridge has this clock from its next start on."""
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        assert found, "libfaketime is missing: install Debian's package faketime"
        bridge.environment |= {"LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
                               "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1", "TZ": "UTC"}

    def set(self, ahead: timedelta) -> None:
        """So much later than it is."""
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(f"{ahead.total_seconds():+.3f}\n", encoding="ascii")
        fresh.rename(self._file)  # never half written
        self._ahead = ahead

    def turn_to(self, date: datetime) -> None:
        """It is `date` now."""
        self.set(date - datetime.now(UTC))

    def advance(self, seconds: float) -> None:
        self.set(self._ahead + timedelta(seconds=seconds))

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead
