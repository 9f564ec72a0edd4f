"""Virtual time that can be stopped and goes on where it stood."""

import asyncio
from datetime import datetime, timedelta

from city.clock import Clock

LOOK_S = 0.2  # real seconds between two looks of one who sleeps while time stands still


class PausableClock:
    """A clock of the simulator's own: never one that a real server goes by, too."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._late = clock, timedelta()
        self._stands: datetime | None = None  # the other clock's time when it was stopped

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return self._stands is not None

    def pause(self, paused: bool) -> None:
        """Stop time, or let it go on."""
        if paused and self._stands is None:
            self._stands = self._clock.now()
        elif not paused and self._stands is not None:
            self._late += self._clock.now() - self._stands
            self._stands = None

    def now(self) -> datetime:
        """The time."""
        return (self._stands or self._clock.now()) - self._late

    async def sleep(self, seconds: float) -> None:
        """Wait until so much of this clock's time has gone by."""
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            if self.paused:
                await asyncio.sleep(LOOK_S)
            else:
                await self._clock.sleep(left)
