"""What the town's parking staff sees: bays with their states and blocks, zones, sensors, overstays. Blocking; for JSON and
pages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from api.views import bay_of
from city import bay_health, closures, overstays
from city.bay_health import SensorHealth
from city.bays import BayEvent, Occupancy, Why
from city.closures import Closure
from city.errors import NotFound
from city.ids import AssetId, ZoneId
from city.lighting import BERLIN
from city.overstays import ZoneOverstays
from city.parking_display import Tells, ZoneRules, grey, tells
from city.parking_facts import BayDay, BayFact, ZoneFact
from city.parking_places import Block, Doubt, ParkingSite
from city.parking_rules import InForce, in_force
from city.places import Device, ParkingBay, Restriction, Zone
from city.sensor_checks import CheckRules, SensorCheck
from city.settings import Parking
from city.store.ports import TenantStore

SHOWN_DAYS = 30  # of a sensor's health on its page
PAST_CLOSURES = timedelta(days=14)
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class BayView:
    """One bay for staff. `occupancy` and `why` as in city.bays; `block` holds now. `fact` None: nothing was found out yet."""

    bay: ParkingBay
    zone_name: str
    occupancy: Occupancy
    why: Why
    fact: BayFact | None
    block: Block | None

    @property
    def since(self) -> datetime | None:
        """Since when it is as it is."""
        return self.block.start if self.block else self.fact.since if self.fact else None

    @property
    def heard_at(self) -> datetime | None:
        return self.fact.heard_at if self.fact else None

    @property
    def blocked(self) -> bool:
        return self.occupancy is Occupancy.BLOCKED

    @property
    def uncertain(self) -> bool:
        """Whether the change itself was not heard, or the sensor is still learning its place."""
        return self.fact is not None and (not self.fact.certain or self.fact.learning)


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A zone's bays for staff; `fact` is what was found out of it, None: nothing yet. `old`: so long ago that it is not believed
    without a word of warning. `told`: what residents read of the bays for everybody, None where there are none of its own;
    `off_by`: by how many bays that may be off where it is too much for a number, else 0."""

    zone: Zone
    bays: Sequence[BayView]
    fact: ZoneFact | None
    old: bool
    told: Tells | None = None
    off_by: int = 0

    def count(self, *states: Occupancy) -> int:
        """How many of its bays are in one of these states."""
        return sum(view.occupancy in states for view in self.bays)

    def by(self, state: str) -> int:
        """How many are in a state, by its name."""
        return self.count(Occupancy(state))

    @property
    def counted(self) -> int:
        """Bays that are not blocked."""
        return len(self.bays) - self.count(Occupancy.BLOCKED)

    @property
    def known(self) -> int:
        return self.count(Occupancy.FREE, Occupancy.OCCUPIED)

    @property
    def coverage(self) -> float:
        """The share of its bays whose state is known, 0…1; blocked ones left out."""
        return self.known / self.counted if self.counted else 0.0


def bays(town: TenantStore, now: datetime, zone: ZoneId | None = None) -> list[BayView]:
    """Every bay of the town, or of one zone, by zone and number."""
    names = {one.id: one.name for one in town.zones()}
    facts = {fact.bay: fact for fact in town.bay_facts(zone)}
    blocks = {block.bay: block for block in reversed(town.bay_blocks(now)) if block.holds(now)}
    views = [view_of(bay, names.get(bay.zone, bay.zone), facts.get(bay.id), blocks.get(bay.id)) for bay in town.bays(zone)]
    return sorted(views, key=lambda view: (view.bay.zone, by_number(view.bay.id)))


def bay(town: TenantStore, asset: AssetId, now: datetime) -> BayView:
    """One bay; raises NotFound."""
    found = bay_of(town, asset)
    return next(view for view in bays(town, now, found.zone) if view.bay.id == found.id)


def view_of(one: ParkingBay, zone: str, fact: BayFact | None, block: Block | None) -> BayView:
    """A bay as staff sees it, of what was found out of it and of the block that holds now."""
    if block is not None or one.blocked:
        return BayView(one, zone, Occupancy.BLOCKED, Why.BLOCKED, fact, block)
    if fact is None:
        return BayView(one, zone, Occupancy.UNKNOWN, Why.NEVER_HEARD, None, None)
    occupancy, why = Occupancy(fact.occupancy), Why(fact.why)
    if occupancy is Occupancy.BLOCKED:  # the block is over, and the bridge has not looked again yet
        return BayView(one, zone, Occupancy.UNKNOWN, Why.NONE, fact, None)
    return BayView(one, zone, occupancy, why, fact, None)


def zones(town: TenantStore, views: Sequence[BayView], now: datetime, settings: Parking) -> list[ZoneView]:
    """The zones of these bays, by name."""
    grouped: dict[ZoneId, list[BayView]] = {}
    for view in views:
        grouped.setdefault(view.bay.zone, []).append(view)
    facts, rules = {fact.zone: fact for fact in town.zone_facts()}, ZoneRules.of(settings)
    found = [_zone(zone, grouped[zone.id], facts.get(zone.id), now, rules) for zone in town.zones() if zone.id in grouped]
    return sorted(found, key=lambda one: (one.zone.name, one.zone.id))


def _zone(zone: Zone, views: Sequence[BayView], fact: ZoneFact | None, now: datetime, rules: ZoneRules) -> ZoneView:
    count = fact.counts.get(Restriction.NONE.value) if fact is not None else None
    if fact is None or count is None:
        return ZoneView(zone, views, fact, fact is None or grey(fact, now, rules))
    return ZoneView(zone, views, fact, grey(fact, now, rules), tells(count, Restriction.NONE, now - fact.evaluated_at, rules),
                    count.margin if count.margin > rules.number_margin else 0)


def broken(views: Sequence[BayView]) -> int:
    """How many of these bays' sensors need somebody to go there; blocked bays have time."""
    return sum(not view.blocked and bay_health.needs_somebody(view.why, view.fact) for view in views)


def by_number(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts P2 before P10."""
    return tuple((0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in _NUMBERS.split(text))


def words(town: TenantStore, asset: AssetId, now: datetime, settings: Parking) -> list[BayEvent]:
    """What a bay's sensor said in the days for which single words are kept, the newest first."""
    start = now - timedelta(days=settings.raw_days)
    return sorted(town.bay_events(asset, start, now + timedelta(hours=1)), reverse=True)


def days(town: TenantStore, asset: AssetId, now: datetime) -> list[BayDay]:
    """A sensor's last days, the newest first."""
    today = _today(now)
    return sorted(town.bay_days(today - timedelta(days=SHOWN_DAYS), today, asset), key=lambda day: day.day, reverse=True)


def sensors(town: TenantStore, now: datetime, said: Parking, zone: ZoneId | None = None) -> list[SensorHealth]:
    """How every sensor does, the worst first."""
    facts, devices = {fact.bay: fact for fact in town.bay_facts(zone)}, _devices(town)
    states, lately = town.states(), _lately(town, now, said.health_days)

    def of(one: ParkingBay) -> SensorHealth:
        device = devices.get(one.id)
        return bay_health.health(one, device.dev_eui if device else None, device.model if device else "", facts.get(one.id),
                                 lately.get(one.id, ()), states.get(device.dev_eui) if device else None, said)

    return bay_health.worst_first(map(of, town.bays(zone)))


def sensor(town: TenantStore, asset: AssetId, now: datetime, said: Parking) -> SensorHealth:
    """How one bay's sensor does; raises NotFound."""
    one = bay_of(town, asset)
    try:
        device: Device | None = town.device_of(one.id)
    except NotFound:
        device = None
    today = _today(now)
    fact = next((fact for fact in town.bay_facts(one.zone) if fact.bay == one.id), None)
    return bay_health.health(one, device.dev_eui if device else None, device.model if device else "", fact,
                             town.bay_days(today - timedelta(days=said.health_days - 1), today, one.id),
                             town.state(device.dev_eui) if device else None, said)


def zone_overstays(town: TenantStore, now: datetime, said: Parking) -> list[ZoneOverstays]:
    """Zones with a limit that holds now, those with most bays over it first; of now alone, nothing of it is kept."""
    sites, grouped = town.parking_sites(), dict[ZoneId, list[BayView]]()
    for view in bays(town, now):
        grouped.setdefault(view.bay.zone, []).append(view)
    longest = timedelta(days=said.raw_days)
    found = [_overstays(town, zone, site, grouped.get(zone, []), now, longest) for zone, site in sites.items() if site.rules]
    limited = [one for one in found if one.limited]
    return sorted(limited, key=lambda one: (-len(one.over), one.zone))


def checks(town: TenantStore, doubts: Sequence[Doubt], by: CheckRules) -> Sequence[SensorCheck]:
    """The checks of sensors that these reports may belong to."""
    return town.sensor_checks(min(one.at for one in doubts) - by.back) if doubts else ()


def closed(town: TenantStore, now: datetime) -> list[Closure]:
    """Closures that hold, are to come, or ended lately; by their start."""
    return closures.closures(town.bay_blocks(now - PAST_CLOSURES))


def closure(town: TenantStore, id: str, now: datetime) -> Closure:
    """One of these; raises NotFound."""
    found = next((one for one in closed(town, now) if one.id == id), None)
    if found is None:
        raise NotFound("There is no block “{id}”.", field="id", rule="exists", id=id[:64])
    return found


def _overstays(town: TenantStore, zone: ZoneId, site: ParkingSite, views: Sequence[BayView], now: datetime,
               longest: timedelta) -> ZoneOverstays:
    here = town.tenant.site
    rules = partial(_rules, site, town.tenant.land, (here.longitude, here.latitude))
    facts = [(view.fact, view.bay.restriction.value) for view in views if view.fact is not None and not view.blocked]
    return overstays.zone_overstays(zone, facts, rules, now, longest)


def _rules(site: ParkingSite, land: str, point: tuple[float, float], at: datetime) -> InForce:
    return in_force(site, at, land=land, point=point)


def _devices(town: TenantStore) -> Mapping[AssetId, Device]:
    return {device.asset: device for device in town.devices()}


def _lately(town: TenantStore, now: datetime, health_days: int) -> Mapping[AssetId, Sequence[BayDay]]:
    found: dict[AssetId, list[BayDay]] = {}
    today = _today(now)
    for day in town.bay_days(today - timedelta(days=health_days - 1), today):
        found.setdefault(day.bay, []).append(day)
    return found


def _today(now: datetime) -> date:
    return now.astimezone(BERLIN).date()
