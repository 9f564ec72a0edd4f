"""A parking zone's usage as a table for a spreadsheet: sums of the zone alone, never of bays, in the variants of csv_tables."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from city.exports.csv_tables import Column, Variant, table


class UsageRow(Protocol):
    """A step of a zone's usage."""

    @property
    def at(self) -> datetime: ...
    @property
    def bays(self) -> int: ...
    @property
    def occupied(self) -> float | None: ...
    @property
    def unknown(self) -> float | None: ...
    @property
    def arrivals(self) -> int: ...
    @property
    def departures(self) -> int: ...
    @property
    def mean_min(self) -> float | None: ...


def usage(zone: str, kind: str, rows: Iterable[UsageRow], variant: Variant) -> Iterator[bytes]:
    """The table piece by piece; shares per cent."""
    columns: list[Column[UsageRow]] = [
        Column("at", "Beginn", lambda row: row.at), Column("zone", "Zone", lambda _: zone),
        Column("kind", "Art", lambda _: kind), Column("bays", "Stellplätze", lambda row: row.bays),
        Column("occupied_percent", "belegt (%)", lambda row: _percent(row.occupied)),
        Column("unknown_percent", "unbekannt (%)", lambda row: _percent(row.unknown)),
        Column("arrivals", "Ankünfte", lambda row: row.arrivals), Column("departures", "Abfahrten", lambda row: row.departures),
        Column("mean_stay_min", "mittlere Parkdauer (min)",
               lambda row: None if row.mean_min is None else round(row.mean_min, 1))]
    return table(columns, rows, variant)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)
