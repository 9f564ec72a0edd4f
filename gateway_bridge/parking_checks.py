"""Checks of a zone's sensors that residents' reports start; see city.sensor_checks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from city import sensor_checks
from city.bay_health import health
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.nights import BERLIN
from city.parking_counting import Town
from city.places import ParkingBay
from city.sensor_checks import CheckedSensor, CheckRules, Evidence, SensorCheck, Word
from city.settings import Parking
from city.store.ports import Store

MOST_REPORTS = 500  # more than a town's form takes in an hour
BEGINS = 10  # at one look; the others at the next
LOOKS = 2  # at so many checks at once, those first that have waited longest
AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What one look goes by."""

    town: Town
    devices: Mapping[AssetId, DevEui]
    now: datetime


class Checks:
    """Of one town. `look` belongs to one loop and blocks; what it returns has to be kept before the next one, or the next one
    made by a new object."""

    def __init__(self, store: Store, tenant: TenantId, settings: Parking) -> None:
        self._own = store.tenant(tenant)
        self._settings = settings
        self._by = CheckRules.of(settings)
        self._checks: list[SensorCheck] | None = None

    def look(self, town: Town, devices: Mapping[AssetId, DevEui], now: datetime) -> list[SensorCheck]:
        """Checks that are new, or of which more is known than before. `devices`: bays' sensors. Raises StoreDown."""
        known = _Known(town, devices, now)
        if self._checks is None:
            self._checks = list(self._own.sensor_checks(now - self._by.back))
        self._checks = [one for one in self._checks if one.done_at is None or now - one.at <= 2 * self._by.fresh]
        due = sorted((one for one in self._checks if one.done_at is None and now - one.looked_at >= sensor_checks.EVERY),
                     key=lambda one: one.looked_at)[:LOOKS]
        doubts = self._own.doubts(limit=MOST_REPORTS)
        begun = (self._begun(known, zone, at) for zone, at in sensor_checks.wanted(doubts, self._checks, now, self._by))
        new = islice((one for one in begun if one is not None), BEGINS)
        found = [self._looked(known, one) for one in [*new, *due]]
        changed = {(one.zone, one.at): one for one in found}
        self._checks = [changed.pop((one.zone, one.at), one) for one in self._checks] + list(changed.values())
        return found

    def _begun(self, known: _Known, zone: ZoneId, at: datetime) -> SensorCheck | None:
        """A new check; None where the zone has no sensor whose bay is counted."""
        town, blocked = known.town, known.town.blocked()
        bays = [bay for bay in town.zones().get(town.counted_in(zone), ()) if bay.id in known.devices]
        beats = {bay.id: town.memory(bay.id).beat for bay in bays if not bay.blocked and bay.id not in blocked}
        return sensor_checks.begin(zone, at, beats, town.rules, known.now, self._by) if beats else None

    def _looked(self, known: _Known, check: SensorCheck) -> SensorCheck:
        there = {bay.id: bay for bay in known.town.zones().get(known.town.counted_in(check.zone), ())}
        waiting = [one for one in check.sensors if one.word == Word.WAITING.value and one.bay in there]
        return sensor_checks.look(check, self._evidence(known, check, waiting, there), known.now, known.town.rules, self._by)

    def _evidence(self, known: _Known, check: SensorCheck, sensors: Collection[CheckedSensor],
                  bays: Mapping[AssetId, ParkingBay]) -> dict[AssetId, Evidence]:
        town, today, found = known.town, known.now.astimezone(BERLIN).date(), {}
        for one in sensors:
            beat = town.memory(one.bay).beat
            words = self._own.bay_events(one.bay, sensor_checks.since(check, beat, town.rules), known.now + AHEAD)
            days = self._own.bay_days(today - timedelta(days=self._settings.health_days - 1), today, one.bay)
            well = health(bays[one.bay], known.devices.get(one.bay), "", town.bay_fact(one.bay), days, None,
                          self._settings)
            found[one.bay] = Evidence(words, beat, well.findings)
        return found
