"""What a demo's towns would long have said of their parking, and what the platform would have counted there for five weeks.

The past is simulated by the same habits as the present (simulator.habits): who comes when and stays for how long. Nobody's real
parking is in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from math import cos, hypot, radians
from random import Random

from msgspec.structs import replace

from city.ids import ZoneId
from city.parking_facts import Quarter, Stay
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule, TownParking
from city.places import Restriction
from city.readings import to_ns
from city.settings import Parking
from city.store.port_parking import ParkingFound
from city.store.ports import Store, TenantStore
from simulator.bay import RESERVED_USE
from simulator.habits import LocalWeek, rate_at, stay
from simulator.plan import Habit
from simulator.scenario import BaySite, Scenario

ACTOR = "demo"
WEEKS, LATELY = 5, timedelta(days=14)  # of stays and of bays for somebody only the last days: nothing is foretold of them
QUARTER_S, SHORTEST_S = 900, 180.0
MOST_BAYS = 120  # of one zone and kind that are simulated; of more, their sums are scaled
LEAST = Parking().least_bays
SHOPPING = "Mo-Fr 08:00-18:00; Sa 08:00-14:00; PH off"
OFFICE = "Mo-Fr 08:00-17:00; PH off"
EVERYBODY = (SiteRule(),)
RULES: dict[Habit, tuple[SiteRule, ...]] = {
    "city": (SiteRule(hours=SHOPPING, max_stay_min=120, fee=True),),  # outside of these hours no rule holds: it is free
    "commuter": EVERYBODY,
    "resident": (SiteRule(hours=OFFICE, max_stay_min=120, disc=True), SiteRule(Restriction.RESIDENT.value, OFFICE)),
}
FEE, FEE_EN = "0,50 € je halbe Stunde, die ersten 30 Minuten frei", "€0.50 per half hour, the first 30 minutes are free"


def furnish_parking(store: Store, scenario: Scenario, now: datetime, until: datetime) -> None:
    """Rules, fees, a permit zone and the town's own words where nobody has said any yet, and five weeks of counts up to `until`
    where there are none: from then on the demo counts what it lives."""
    town = store.tenant(scenario.tenant.id)
    if scenario.bays and not town.parking_sites():
        _describe(town, scenario, now)
    end = datetime.fromtimestamp(until.timestamp() // QUARTER_S * QUARTER_S, UTC)
    if scenario.bays and not town.quarters(end - timedelta(weeks=WEEKS), now + timedelta(hours=1)):
        store.put_parking(town.tenant.id, past(scenario, end, Random(f"{town.tenant.id} parking")))


def homes(sites: Iterable[BaySite]) -> dict[ZoneId, ZoneId]:
    """Which zones are counted in which others: those with too few bays for everybody to be told of, in the nearest one that is
    parked in alike."""
    found: dict[ZoneId, list[BaySite]] = {}
    for site in sites:
        found.setdefault(site.bay.zone, []).append(site)
    large = {zone for zone, some in found.items() if sum(one.bay.restriction is Restriction.NONE for one in some) >= LEAST}
    merged = {}
    for zone in found.keys() - large:
        alike = [other for other in large if found[other][0].habit == found[zone][0].habit]
        if alike:
            merged[zone] = min(alike, key=lambda other: (_apart(found[zone][0], found[other][0]), other))
    return merged


def past(scenario: Scenario, end: datetime, rng: Random) -> ParkingFound:
    """The quarters of an hour of the last five weeks before `end` (a full one), and the stays of the last two; of bays for
    somebody these two weeks only."""
    week = LocalWeek(scenario.plan.town.timezone)
    inside = homes(scenario.bays)
    lots: dict[tuple[ZoneId, Restriction], list[BaySite]] = {}
    for site in scenario.bays:
        lots.setdefault((inside.get(site.bay.zone, site.bay.zone), site.bay.restriction), []).append(site)
    quarters, stays = list[Quarter](), list[Stay]()
    for (zone, kind), sites in sorted(lots.items(), key=lambda one: (one[0][0], one[0][1].value)):
        lot = _Lot(zone, kind, sites[0].habit, min(len(sites), MOST_BAYS), rng)
        start = end - (LATELY if kind.value else timedelta(weeks=WEEKS))
        quarters += lot.live(start, end, week, scale=len(sites) / lot.bays)
        stays += lot.stays(end - LATELY)
    return ParkingFound(quarters=quarters, stays=stays)


@dataclass(slots=True)
class _Lot:
    """Comparable bays of one zone on their way through the weeks. `taken`: until when (s) each taken bay is, since when, its
    number; `free`: the numbers of the others."""

    zone: ZoneId
    kind: Restriction
    habit: Habit
    bays: int
    rng: Random
    taken: list[tuple[float, float, int]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    gone: list[tuple[float, float, int]] = field(default_factory=list)

    def live(self, start: datetime, end: datetime, week: LocalWeek, *, scale: float) -> Iterator[Quarter]:
        """The quarters, one after another; a day before them fills the bays."""
        self.free = list(range(self.bays))
        at = start - timedelta(days=1)
        while at < end:
            found = self._quarter(at, week.seconds(to_ns(at)), scale)
            if at >= start:
                yield found
            at += timedelta(seconds=QUARTER_S)

    def stays(self, since: datetime) -> list[Stay]:
        """Those that ended since then, under names that nobody can turn back into bays."""
        names: dict[tuple[date, int], str] = {}
        found = []
        for began, ended, number in self.gone:
            left = datetime.fromtimestamp(ended // 60 * 60, UTC)
            if left >= since and ended - began >= SHORTEST_S:
                alias = names.setdefault((left.date(), number), f"{self.rng.getrandbits(64):016x}")
                found.append(Stay(self.zone, self.kind.value, alias, datetime.fromtimestamp(began // 60 * 60, UTC), left, True))
        return found

    def _quarter(self, at: datetime, week_s: float, scale: float) -> Quarter:
        begin = at.timestamp()
        end, came, before = begin + QUARTER_S, 0, len(self.gone)
        occupied = sum(min(until, end) - begin for until, _, _ in self.taken)
        share = 1.0 if self.kind in (Restriction.NONE, Restriction.RESIDENT) else RESERVED_USE
        rate = rate_at(self.habit, week_s) * self.bays * share
        moment = begin + (self.rng.expovariate(rate) if rate else QUARTER_S)
        while moment < end:
            self._leave(moment)
            if self.free:
                number, until = self.free.pop(self.rng.randrange(len(self.free))), moment + stay(self.habit, self.rng)
                heappush(self.taken, (until, moment, number))
                occupied += min(until, end) - moment
                came += 1
            moment += self.rng.expovariate(rate)
        self._leave(end)
        left = [ended - began for began, ended, _ in self.gone[before:] if ended - began >= SHORTEST_S]
        bays, seconds = round(self.bays * scale), round(min(occupied, self.bays * QUARTER_S) * scale)
        return Quarter(self.zone, self.kind.value, at, bays, bays * QUARTER_S - seconds, seconds, 0, round(came * scale),
                       round(len(left) * scale), round(len(left) * scale), round(sum(left) * scale))

    def _leave(self, moment: float) -> None:
        while self.taken and self.taken[0][0] <= moment:
            until, since, number = heappop(self.taken)
            self.free.append(number)
            self.gone.append((since, until, number))


def _describe(town: TenantStore, scenario: Scenario, now: datetime) -> None:
    habits: dict[ZoneId, Habit] = {}
    for site in scenario.bays:
        habits.setdefault(site.bay.zone, site.habit)
    residents = {site.bay.zone for site in scenario.bays if site.bay.restriction is Restriction.RESIDENT}
    if residents:
        town.put_permit_zone(PermitZone("A", "Bewohnerparken A", hours="24/7", fees=(
            PermitFee(date(2024, 1, 1), 12, 30.7), PermitFee(date(2027, 1, 1), 12, 120.0)),
            note="Nur für Personen mit Hauptwohnung in der Zone.", note_en="Only for persons whose main home is in the zone."),
            ACTOR, now)
    inside = homes(scenario.bays)
    for zone, habit in habits.items():
        said = _site(zone, habit, [site for site in scenario.bays if site.bay.zone == zone], town)
        town.put_parking_site(replace(said, merged_into=inside.get(zone, "")), ACTOR, now)
    town.put_parking_town(TownParking(
        operator=f"Stadt {town.tenant.name} (Demo)", contact="parken@example.org", phone="02733 0000000",
        attribution=f"Stadt {town.tenant.name}, simulierte Daten", website="https://example.org",
        officer="Datenschutz, datenschutz@example.org"), ACTOR, now)


def _apart(one: BaySite, other: BaySite) -> float:
    """How far two places are from each other, in no unit: near enough for those of one town."""
    here, there = one.bay.site, other.bay.site
    return hypot((here.longitude - there.longitude) * cos(radians(here.latitude)), here.latitude - there.latitude)


def _site(zone: ZoneId, habit: Habit, sites: Sequence[BaySite], town: TenantStore) -> ParkingSite:
    kinds = {site.bay.restriction for site in sites}
    special = tuple(SiteRule(kind.value, "24/7") for kind in (Restriction.DISABLED, Restriction.CHARGING) if kind in kinds)
    paid = habit == "city"
    return ParkingSite(zone, address=f"{zone}, {town.tenant.name}", rules=(*RULES[habit], *special), fee=FEE if paid else "",
                       fee_en=FEE_EN if paid else "", note="Simulierte Stadt: niemand parkt hier wirklich.",
                       note_en="A simulated town: nobody really parks here.",
                       permit_zone="A" if Restriction.RESIDENT in kinds else "")
