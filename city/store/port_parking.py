"""What the platform asks of storage about parking; see city.store.ports. People write places, blocks and doubts, the bridge
writes everything else."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from city.bays import BayEvent
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import BayDay, BayFact, Forecast, ForecastError, Quarter, Retired, Stay, ZoneFact
from city.parking_places import Block, Doubt, ParkingSite, PermitZone, TownParking
from city.sensor_checks import SensorCheck

if TYPE_CHECKING:
    from city.store.ports import Lease


class ParkingStore(Protocol):
    """One tenant's parking."""

    # people write
    def parking_sites(self) -> Mapping[ZoneId, ParkingSite]:
        """What is said of the zones that have bays; those of which nobody has said anything are missing."""
        ...
    def parking_said_at(self) -> Mapping[str, datetime]:
        """When each zone's site was last described, and under "" when the town's parking was."""
        ...
    def put_parking_site(self, site: ParkingSite, actor: str, now: datetime) -> None:
        """Raises NotFound where the town has no such zone, Conflict where it would be merged into one that is merged itself."""
        ...
    def put_parking_sites(self, sites: Sequence[ParkingSite], actor: str, now: datetime) -> None:
        """All of them or, raising as put_parking_site, none."""
        ...
    def permit_zones(self) -> Sequence[PermitZone]:
        """In order of their codes."""
        ...
    def put_permit_zone(self, zone: PermitZone, actor: str, now: datetime) -> None:
        """Raises Conflict where the town keeps too many."""
        ...
    def remove_permit_zone(self, code: str) -> None:
        """Raises NotFound; Conflict while a zone refers to it."""
        ...
    def parking_town(self) -> TownParking: ...
    def put_parking_town(self, town: TownParking, actor: str, now: datetime) -> None: ...
    def bay_blocks(self, since: datetime) -> Sequence[Block]:
        """Those that hold then or later, by their start."""
        ...
    def add_blocks(self, blocks: Sequence[Block]) -> None:
        """All of them, or none: raises NotFound where there is no such bay, Conflict where the town would keep too many."""
        ...
    def end_block(self, id: str, now: datetime) -> Block:
        """Lifted from now on, where it is not over. Raises NotFound."""
        ...
    def add_doubt(self, doubt: Doubt) -> None:
        """Raises NotFound where there is no such zone. The oldest beyond 10,000 are forgotten."""
        ...
    def doubts(self, *, open_only: bool = True, limit: int = 200) -> Sequence[Doubt]:
        """The newest first."""
        ...
    def close_doubt(self, id: str, actor: str, outcome: str, now: datetime) -> None:
        """Raises NotFound."""
        ...

    # facts
    def bay_facts(self, zone: ZoneId | None = None) -> Sequence[BayFact]:
        """By bay. Only for the town's staff."""
        ...
    def changed_bay_facts(self, since: int) -> Sequence[BayFact]:
        """Those that were written after that revision of the town, by bay. Only for the town's staff."""
        ...
    def zone_facts(self) -> Sequence[ZoneFact]:
        """By zone. What the public may be told of them, city.public_parking says."""
        ...
    def parking_revision(self) -> int:
        """A number that rises when anything changes that public pages show of parking, also by people; cheap to ask for."""
        ...
    def quarters(self, start: datetime, end: datetime, zone: ZoneId | None = None, *,
                 restriction: str | None = None) -> Sequence[Quarter]:
        """start ≤ at < end, in order of time, zone and restriction; of one kind of bays ("": for everybody), or of all."""
        ...
    def stays(self, start: datetime, end: datetime, zone: ZoneId | None = None) -> Sequence[Stay]:
        """Those that ended in start ≤ t < end."""
        ...
    def bay_days(self, first: date, last: date, bay: AssetId | None = None) -> Sequence[BayDay]:
        """By day and bay."""
        ...
    def bay_events(self, bay: AssetId, start: datetime, end: datetime) -> Sequence[BayEvent]:
        """In order of time. Only for the town's staff, and not for long."""
        ...
    def forecasts(self, zone: ZoneId, start: datetime, end: datetime) -> Sequence[Forecast]:
        """The newest forecast for each quarter of an hour with start ≤ at < end."""
        ...
    def forecast_errors(self) -> Mapping[ZoneId, ForecastError]: ...
    def sensor_checks(self, since: datetime) -> Sequence[SensorCheck]:
        """Checks that reports from then on have started, the newest first; of older ones the sensors are forgotten. Only for
        the town's staff."""
        ...
    def retired(self, limit: int = 100) -> Sequence[Retired]:
        """Reports of what was removed because its time was over, the newest first."""
        ...


class ParkingFound(msgspec.Struct, frozen=True):
    """What one look at a town's bays has found; what is left out stays as it is, but `zones` are all that there are."""

    bays: Sequence[BayFact] = ()
    zones: Sequence[ZoneFact] = ()
    gone: Sequence[AssetId] = ()  # bays that there are no more
    quarters: Sequence[Quarter] = ()
    stays: Sequence[Stay] = ()
    days: Sequence[BayDay] = ()
    forecasts: Sequence[Forecast] = ()
    errors: Sequence[ForecastError] = ()
    checks: Sequence[SensorCheck] = ()


class ParkingBook(Protocol):
    """The bridge's half, of any town."""

    def add_bay_events(self, tenant: TenantId, events: Collection[tuple[AssetId, BayEvent]], now: datetime) -> int:
        """Keep these words of sensors, each once; returns how many were new."""
        ...
    def new_bay_events(self, tenant: TenantId, since: datetime) -> Sequence[tuple[AssetId, BayEvent, datetime]]:
        """What any bridge has received since then (its own time), in order of receipt, with those times."""
        ...
    def put_parking(self, tenant: TenantId, found: ParkingFound, *, lease: "Lease | None" = None) -> None:
        """Keep what was found; raises LeaseLost where the lease is another's by now. `parking_revision` rises where bays or
        zones have changed in more than the time of evaluation."""
        ...
    def made_forecasts(self, tenant: TenantId, start: datetime, end: datetime, *, zone: ZoneId | None = None,
                       leads: Collection[int] = ()) -> Sequence[Forecast]:
        """All forecasts for start ≤ at < end, with those leads (none named: any), by zone, time and lead."""
        ...
    def parking_memory(self, tenant: TenantId) -> bytes | None: ...
    def put_parking_memory(self, tenant: TenantId, body: bytes, now: datetime, *, lease: "Lease | None" = None) -> None: ...
    def retire(self, tenant: TenantId, what: str, before: datetime, limit: int = 10_000) -> int:
        """Remove at most so many rows of "bay_events", "parking_stays", "bay_days", "forecasts", "doubts", "bay_blocks",
        "sensor_checks", "checked_sensors", "parking_quarters", "few_quarters" (those of few bays), "bay_letters" (dead letters
        of bays' sensors) or "retired" (these reports themselves) that are older; returns how many."""
        ...
    def oldest(self, tenant: TenantId, what: str) -> datetime | None:
        """When the oldest row of them is from."""
        ...
    def put_retired(self, tenant: TenantId, report: Retired) -> None: ...
