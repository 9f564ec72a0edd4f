"""Parking as tables for a spreadsheet: zones now, a line for each kind of bay, and their history. Pure; made of what everybody
may know. Variants, and how a text is kept from being taken for a formula: city.exports.csv_tables."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from city.exports.csv_tables import Column
from city.exports.parkapi import Source
from city.parking_display import Tells
from city.public_parking import PublicCount, PublicQuarter, PublicZone


@dataclass(frozen=True, slots=True)
class ZoneLine:
    """A zone's bays of one kind."""

    zone: PublicZone
    count: PublicCount
    source: Source

    @property
    def evaluated_at(self) -> datetime | None:
        """Told with numbers only."""
        return self.zone.evaluated_at if self.count.tells in (Tells.NUMBER, Tells.RANGE) else None


@dataclass(frozen=True, slots=True)
class PastLine:
    """A zone's mean over a step of time."""

    quarter: PublicQuarter
    name: str
    source: Source


def zone_lines(zones: Iterable[PublicZone], source: Source) -> Iterator[ZoneLine]:
    """The lines of ZONES."""
    return (ZoneLine(zone, count, source) for zone in zones for count in zone.counts)


def past_lines(quarters: Iterable[PublicQuarter], zones: Iterable[PublicZone], source: Source) -> Iterator[PastLine]:
    """The lines of PAST, of zones that everybody may know now."""
    names = {zone.zone: zone.name for zone in zones}
    return (PastLine(one, names[one.zone], source) for one in quarters if one.zone in names)


ZONES: tuple[Column[ZoneLine], ...] = (
    Column("zone", "Zone", lambda one: one.zone.zone),
    Column("name", "Name", lambda one: one.zone.name),
    Column("kind", "Für wen", lambda one: one.count.restriction.value or "all"),
    Column("total", "Stellplätze", lambda one: one.count.total),
    Column("state", "Zustand", lambda one: one.count.word),
    Column("tells", "Angabe", lambda one: one.count.tells.value),
    Column("free", "Frei", lambda one: one.count.free),
    Column("free_min", "Frei mindestens", lambda one: one.count.free_min),
    Column("free_max", "Frei höchstens", lambda one: one.count.free_max),
    Column("known", "Bekannt", lambda one: one.count.known),
    Column("evaluated_at", "Stand", lambda one: one.evaluated_at),
    Column("latitude", "Breite", lambda one: one.zone.latitude),
    Column("longitude", "Länge", lambda one: one.zone.longitude),
    Column("address", "Adresse", lambda one: one.zone.site.address),
    Column("opening_hours", "Öffnungszeiten (OSM)", lambda one: one.zone.site.opening_hours),
    Column("fee", "Gebühr", lambda one: one.zone.site.fee),
    Column("licence", "Lizenz", lambda one: one.source.said.licence))

PAST: tuple[Column[PastLine], ...] = (
    Column("zone", "Zone", lambda one: one.quarter.zone),
    Column("name", "Name", lambda one: one.name),
    Column("from", "Von", lambda one: one.quarter.at),
    Column("free_mean", "Frei im Mittel", lambda one: one.quarter.free),
    Column("total", "Stellplätze", lambda one: one.quarter.total),
    Column("licence", "Lizenz", lambda one: one.source.said.licence))
