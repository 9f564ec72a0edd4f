"""A town's parking as everybody may know it, for the tests of ParkAPI's shapes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from city.exports.parkapi import Source
from city.ids import AssetId, TenantId, ZoneId
from city.parking_display import ZoneRules
from city.parking_facts import BayFact, Count, ZoneFact
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule, TownParking
from city.places import ParkingBay, Restriction, Site, Tenant, Zone
from city.public_parking import PublicZone, public_zones

NOW = datetime(2026, 11, 23, 10, 35, tzinfo=UTC)  # a Monday, 11:35 in Berlin
TOWN = TenantId("alt")
SAID_AT = datetime(2026, 1, 10, 9, tzinfo=UTC)
RING = ((9.65, 48.70), (9.66, 48.70), (9.66, 48.71), (9.65, 48.70))
SITE = ParkingSite("markt", address="Marktstraße 1-31, 12345 Altstadt", area=RING, orientation="PARALLEL",
                   rules=(SiteRule(hours="Mo-Fr 08:00-18:00; Sa 08:00-14:00", max_stay_min=120, fee=True),
                          SiteRule(kind="disabled", max_stay_min=90)),
                   fee="1,50 EUR/h", note="Donnerstags Markt", permit_zone="A", osm="way/123456")
SAID = TownParking(operator="Stadt Altstadt", region_code="081170049049", attribution="Stadt Altstadt")
PERMITS = {"A": PermitZone("A", hours="Mo-Sa 18:00-08:00", fees=(PermitFee(date(2026, 1, 1), 12, 30.7),))}
SOURCE = Source(Tenant(TOWN, "Altstadt", Site(48.7, 9.65), land="BW"), SAID, PERMITS, {"markt": SAID_AT},
                "https://parken.example.de/alt/parken")


def counts(total: int = 22, free: int = 7, occupied: int = 15, **special: tuple[int, int, int]) -> dict[str, Count]:
    """Counts by kind: total, free, occupied."""
    return {"": Count(total, free, occupied, "many"), **{kind: Count(*three, "few") for kind, three in special.items()}}


def fact(zone: str = "markt", counted: dict[str, Count] | None = None, age: timedelta = timedelta(0)) -> ZoneFact:
    return ZoneFact(ZoneId(zone), counts(disabled=(2, 1, 1), charging=(1, 0, 1)) if counted is None else counted, NOW - age,
                    NOW - timedelta(hours=9), "steady", 9.654321, 48.7031234)


def zones(*facts: ZoneFact, sites: Sequence[ParkingSite] = (SITE,), said: TownParking = SAID,
          now: datetime = NOW) -> list[PublicZone]:
    """Through the one place that decides what may be told."""
    names = {"markt": "Markt"}
    return public_zones([Zone(TOWN, one.zone, names.get(one.zone, f"Zone {one.zone}")) for one in facts], facts,
                        {ZoneId(site.zone): site for site in sites}, said, {}, now, ZoneRules())


def bay(name: str, restriction: Restriction = Restriction.DISABLED, zone: str = "markt", place: float = 0.0) -> ParkingBay:
    return ParkingBay(TOWN, AssetId(name), f"Bucht {name}", Site(48.7 + place, 9.65), ZoneId(zone), restriction)


def bay_fact(name: str, occupancy: str, zone: str = "markt") -> BayFact:
    return BayFact(AssetId(name), ZoneId(zone), occupancy, "", NOW - timedelta(hours=7), NOW, NOW, True, False)
