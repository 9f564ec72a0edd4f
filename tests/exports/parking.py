"""A town's parking as open-data exports see it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from city.exports.parking_seen import ParkingSeen
from city.ids import TenantId, ZoneId
from city.parking_display import Tells
from city.parking_places import ParkingSite, SiteRule, TownParking
from city.places import Restriction, Site, Tenant
from city.public_parking import PublicCount, PublicZone

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
TENANT = Tenant(TenantId("altstadt"), "Altstadt", Site(51.4, 8.05), land="NW")
SITE = ParkingSite("markt", address="Marktstraße 1–31", fee="1,50 € je Stunde", orientation="PARALLEL", permit_zone="A",
                   rules=(SiteRule(max_stay_min=120, fee=True), SiteRule(kind="resident")), url="https://altstadt.example/markt")
HOSTILE = "Böse\x00\x08 ]]><!--<script>&\"' Zone\ud800\uffff"

NUMBER = PublicCount(Restriction.NONE, 22, Tells.NUMBER, "many", 7, 7, 8, 21)
RANGE = PublicCount(Restriction.NONE, 22, Tells.RANGE, "few", None, 2, 7, 17)
WORD = PublicCount(Restriction.NONE, 4, Tells.WORD, "full")
NOTHING = PublicCount(Restriction.NONE, 22, Tells.NOTHING, "no_data")
DISABLED = PublicCount(Restriction.DISABLED, 2, Tells.NUMBER, "few", 1, 1, 1, 2)
CHARGING = PublicCount(Restriction.CHARGING, 1, Tells.NUMBER, "full", 0, 0, 0, 1)
RESIDENT = PublicCount(Restriction.RESIDENT, 6, Tells.RANGE, "few", None, 1, 3, 4)


def zone(id: str = "markt", *counts: PublicCount, name: str = "Am Markt", trend: str = "rising",
         site: ParkingSite = SITE) -> PublicZone:
    return PublicZone(ZoneId(id), name, site, 8.05, 51.4, counts or (NUMBER, DISABLED, CHARGING, RESIDENT),
                      NOW - timedelta(seconds=40), False, trend)


def seen(*zones: PublicZone, town: TownParking | None = None) -> ParkingSeen:
    said = town or TownParking(operator="Stadt Altstadt", region_code="059580012012", contact="parken@altstadt.example")
    return ParkingSeen(TENANT, zones or (zone(),), said, NOW, "https://data.example/opendata/altstadt",
                       {"markt": NOW - timedelta(days=3)})


def renamed(one: PublicZone, name: str) -> PublicZone:
    return replace(one, name=name)
