"""What the bridge finds out about parking, as it is kept: bays and zones now, quarter hours, stays, days of sensors, forecasts.

The bridge writes all of it. Everybody may read of it what city.parking_telling lets through; the rest is the town's staff's.
"""

from datetime import date, datetime

import msgspec

from city.ids import AssetId, ZoneId


class BayFact(msgspec.Struct, frozen=True, gc=False):
    """A bay now: see city.bays.BayState. `why` and `occupancy` are their enums' values. `missed`, `lost` and `beats` count as
    in city.bays.Track since the sensor was first heard; `start_fault` is a city.bay_tracks.StartFault's value."""

    bay: AssetId
    zone: ZoneId
    occupancy: str
    why: str
    since: datetime | None
    said_at: datetime | None
    heard_at: datetime | None
    certain: bool
    learning: bool
    edges: int = 0
    beats: int = 0
    missed: int = 0
    lost: int = 0
    start_fault: str = ""


class Count(msgspec.Struct, frozen=True, gc=False):
    """Bays of one kind in a zone: 0 ≤ free, free + occupied ≤ total, blocked ones left out; the rest is not known. `word` is
    the class that is shown (city.parking.Word), with its hysteresis. `margin`: by how many bays `free` may be off for other
    reasons (city.parking_doubt)."""

    total: int
    free: int
    occupied: int
    word: str
    margin: int = 0

    @property
    def known(self) -> int:
        return self.free + self.occupied

    @property
    def unknown(self) -> int:
        return self.total - self.known

    @property
    def free_max(self) -> int:
        return self.free + self.unknown

    @property
    def least_free(self) -> int:
        """As few as may be free."""
        return max(self.free - self.margin, 0)

    @property
    def most_free(self) -> int:
        """As many as may be free."""
        return min(self.free_max + self.margin, self.total)

    @property
    def coverage(self) -> float:
        """The share of bays whose state is known, 0 where there are none."""
        return self.known / self.total if self.total else 0.0


class ZoneFact(msgspec.Struct, frozen=True, gc=False):
    """A zone now: counts by restriction ("": for everybody), when that was found out, when a sensor of it last spoke, and
    where the number of free bays is going: "rising", "falling", "steady", or "" where that is not known. A zone that others
    are merged into counts their bays too. `longitude`, `latitude`: the middle of its bays."""

    zone: ZoneId
    counts: dict[str, Count]
    evaluated_at: datetime
    newest: datetime | None
    trend: str
    longitude: float
    latitude: float


class Quarter(msgspec.Struct, frozen=True, gc=False):
    """A zone's bays of one kind in the quarter of an hour that begins at `at`: bay-seconds free, occupied and not known, the
    stays that began and that ended in it, and of the ended ones that were seen whole how many there were and how long all of
    them lasted together."""

    zone: ZoneId
    restriction: str
    at: datetime
    bays: int
    free_s: int
    occupied_s: int
    unknown_s: int
    arrivals: int = 0
    departures: int = 0
    stays: int = 0
    stays_s: int = 0


class Stay(msgspec.Struct, frozen=True, gc=False):
    """A vehicle's stay, under a name of the bay that nobody can turn back into the bay, and that changes every day."""

    zone: ZoneId
    restriction: str
    alias: str
    began: datetime
    ended: datetime
    certain: bool


class BayDay(msgspec.Struct, frozen=True, gc=False):
    """A sensor on one day (Europe/Berlin): signs of life and changes heard, changes missed, frames lost, restarts, and the
    share of the day, in seconds, that its bay was occupied and that it was not known."""

    bay: AssetId
    day: date
    zone: ZoneId
    beats: int
    edges: int
    missed: int
    lost: int
    starts: int
    occupied_s: int
    unknown_s: int
    stays: int = 0


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """How many of a zone's bays for everybody are expected to be free at `at` (a full quarter of an hour), as said at
    `made_at`; `actual` is what was then, where that is known."""

    zone: ZoneId
    at: datetime
    lead_min: int
    free: float
    made_at: datetime
    actual: float | None = None


class ForecastError(msgspec.Struct, frozen=True, gc=False):
    """How far a zone's forecasts were off in the last weeks: the mean absolute error in bays for each lead in minutes, over so
    many forecasts; `weeks` of history behind them. `shown`: good enough to be shown."""

    zone: ZoneId
    mae: dict[str, float]
    count: int
    weeks: float
    shown: bool
    at: datetime


class Retired(msgspec.Struct, frozen=True, gc=False):
    """One run of the retention job: what was removed because its time was over, and what the oldest is that remains."""

    at: datetime
    what: str
    removed: int
    oldest: datetime | None
    keep_days: float
    note: str = ""
