"""A town's parking for the law of tenancy: one of each thing that is kept of it."""

from datetime import datetime, timedelta

from city.bays import BayEvent
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import BayDay, BayFact, Count, Forecast, ForecastError, Quarter, Retired, Stay, ZoneFact
from city.parking_places import Block, Doubt, Doubting, ParkingSite, PermitZone, TownParking
from city.readings import to_ns
from city.sensor_checks import CheckedSensor, SensorCheck
from city.store.port_parking import ParkingFound
from city.store.ports import Store, TenantStore

SPAN = timedelta(days=400)


def fill(store: Store, id: TenantId, mark: str, now: datetime) -> None:
    """One of each, named by `mark`."""
    town, zone, bay = store.tenant(id), ZoneId(f"{mark}-platz"), AssetId(f"{mark}-B1")
    town.put_permit_zone(PermitZone(mark), mark, now)
    town.put_parking_site(ParkingSite(zone, address=mark, permit_zone=mark), mark, now)
    town.put_parking_town(TownParking(operator=mark), mark, now)
    town.add_blocks([Block(f"{mark}-block", id, bay, now, now + timedelta(hours=1), mark, mark, now)])
    town.add_doubt(Doubt(f"{mark}-doubt", id, zone, Doubting.OTHER, now, mark))
    store.add_bay_events(id, [(bay, BayEvent(to_ns(now), mark, 1, "edge", True))], now)
    store.put_parking(id, ParkingFound(
        bays=[BayFact(bay, zone, "occupied", "", now, now, now, True, False)],
        zones=[ZoneFact(zone, {"": Count(1, 0, 1, "full")}, now, now, "", 8.0, 51.0)],
        quarters=[Quarter(zone, "", now, 1, 0, 900, 0)], stays=[Stay(zone, "", mark, now, now, True)],
        days=[BayDay(bay, now.date(), zone, 1, 1, 0, 0, 0, 900, 0)], forecasts=[Forecast(zone, now, 15, 1.0, now)],
        errors=[ForecastError(zone, {"15": 1.0}, 1, 3.0, True, now)],
        checks=[SensorCheck(zone, now, now, now, 1, 0, sensors=(CheckedSensor(bay),))]))
    store.put_parking_memory(id, mark.encode(), now)
    store.put_retired(id, Retired(now, mark, 1, now, 7.0, mark))


def all_of(town: TenantStore, now: datetime) -> object:
    """All of a town's parking."""
    bays = [bay.id for bay in town.bays()]
    return (dict(town.parking_sites()), dict(town.parking_said_at()), list(town.permit_zones()),
            town.parking_town(), list(town.bay_blocks(now - SPAN)),
            list(town.doubts(open_only=False)), list(town.bay_facts()), list(town.zone_facts()),
            [list(town.bay_events(bay, now - SPAN, now + SPAN)) for bay in bays], list(town.quarters(now - SPAN, now + SPAN)),
            list(town.stays(now - SPAN, now + SPAN)), list(town.bay_days(now.date(), now.date())), dict(town.forecast_errors()),
            list(town.retired()), list(town.sensor_checks(now - SPAN)), town.parking_revision())


def arguments(mine: TenantId, now: datetime, method: str) -> dict[str, object]:
    """Arguments of a town's own methods that name another's things."""
    zone = PermitZone("SECRET") if method == "put_permit_zone" else ZoneId("SECRET-platz")
    return {"site": ParkingSite(ZoneId("SECRET-platz")), "zone": zone, "town": TownParking(operator="me"),
            "code": "SECRET", "bay": AssetId("SECRET-B1"), "start": now - SPAN, "end": now + SPAN, "outcome": "me",
            "blocks": [Block("mine", mine, AssetId("SECRET-B1"), now, now + timedelta(hours=1), "", "me", now)],
            "sites": [ParkingSite(ZoneId("SECRET-platz"))], "restriction": "",
            "doubt": Doubt("mine", mine, ZoneId("SECRET-platz"), Doubting.OTHER, now)}
