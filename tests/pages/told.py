"""What the bridge has found out of a town's parking, for tests of what everybody reads of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from city.ids import ZoneId
from city.parking_facts import Count, Forecast, ForecastError, Quarter, ZoneFact
from city.parking_places import ParkingSite, TownParking
from city.store.port_parking import ParkingFound
from tests.pages.conftest import NOW, World


@dataclass
class Told:
    """A town's zones as the bridge has evaluated them."""

    world: World
    facts: dict[str, ZoneFact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The town has decided that bays for the disabled and for charging are told though they are few."""
        self.world.town.put_parking_town(TownParking(special_public=True), "test", NOW)

    def zone(self, id: str, free: int = 0, taken: int = 0, unknown: int = 0, word: str = "few", *, ago: timedelta = timedelta(),
             trend: str = "", special: dict[str, Count] | None = None, site: ParkingSite | None = None) -> None:
        """A zone that was evaluated so long `ago`; it has one real bay, so that it exists."""
        if id not in self.facts:
            self.world.bays(id, None)
        counts = {**({"": Count(free + taken + unknown, free, taken, word)} if free + taken + unknown else {}), **(special or {})}
        self.facts[id] = ZoneFact(ZoneId(id), counts, NOW - ago, NOW - ago, trend, 8.1 + len(self.facts) / 100, 51.0)
        if site is not None:
            self.world.town.put_parking_site(site, "test", NOW)
        self.found(ParkingFound(zones=list(self.facts.values())))

    def quarters(self, id: str, start: datetime, *free: int, bays: int = 10) -> None:
        """Quarters of an hour from `start` on, each with so many of the bays free."""
        some = [Quarter(ZoneId(id), "", start + timedelta(minutes=15) * n, bays, one * 900, (bays - one) * 900, 0)
                for n, one in enumerate(free)]
        self.found(ParkingFound(zones=list(self.facts.values()), quarters=some))

    def forecasts(self, id: str, *free: float, shown: bool = True) -> None:
        """Forecasts for the next quarters of an hour, and how good they are."""
        at = NOW.replace(minute=NOW.minute // 15 * 15)
        some = [Forecast(ZoneId(id), at + timedelta(minutes=15) * n, 15 * n, one, NOW) for n, one in enumerate(free, start=1)]
        error = ForecastError(ZoneId(id), {"30": 0.8, "60": 1.2}, 100, 6.0, shown, NOW)
        self.found(ParkingFound(zones=list(self.facts.values()), forecasts=some, errors=[error]))

    def found(self, found: ParkingFound) -> None:
        self.world.store.put_parking(self.world.town.tenant.id, found)
