"""Street lighting: what burns, how bright, and what it draws, by zone."""

from city.ids import TenantId
from city.quantities import LAMP_LEVEL, LAMP_POWER
from dashboards import queries
from dashboards.board import AGE, COUNT, Board, Look, Panel, Row, Text, Variable

LEVEL_STEP, POWER_STEP = "15m", "1h"  # about as often as lamps report; shorter steps would be mostly empty


def lighting(tenant: TenantId) -> Board:
    """The board of one town."""
    return Board("lighting", tenant, Text("Straßenbeleuchtung", "Street lighting"), tags=("stadtfunk", "lighting"),
                 variables=(_zones(tenant),), rows=(_now(tenant), _through_time(tenant), _each(tenant)))


def _zones(tenant: TenantId) -> Variable:
    return Variable("zone", Text("Gebiet", "Zone"), queries.choices(LAMP_LEVEL, tenant=tenant, tag="zone"))


def _now(tenant: TenantId) -> Row:
    return Row(Text("Zuletzt", "Latest"), (
        Panel(Text("Leuchten mit Meldung", "Lamps reporting"),
              Text("Leuchten, die im gewählten Zeitraum ihr Lichtniveau gemeldet haben",
                   "Lamps that have reported their level in the chosen time"),
              queries.count_now(LAMP_LEVEL, tenant=tenant), LAMP_LEVEL, Look.NUMBER, 6, 4, total=True, unit=COUNT),
        Panel(Text("Leuchten an", "Lamps burning"),
              Text("Leuchten, deren letzte Meldung ein Niveau über 0 % war",
                   "Lamps whose latest report was a level above 0 %"),
              queries.count_now(LAMP_LEVEL, tenant=tenant, above=0), LAMP_LEVEL, Look.NUMBER, 6, 4, total=True,
              unit=COUNT),
        Panel(Text("Gesamtleistung", "Total power"),
              Text("Summe der zuletzt gemeldeten Leistungen", "Sum of the powers reported last"),
              queries.total_now(LAMP_POWER, tenant=tenant), LAMP_POWER, Look.NUMBER, 6, 4, total=True),
        Panel(Text("Jüngste Meldung", "Newest report"),
              Text("Zeitpunkt der jüngsten Meldung eines Lichtniveaus", "When the newest level was reported"),
              queries.newest(LAMP_LEVEL, tenant=tenant), LAMP_LEVEL, Look.AGE, 6, 4, total=True, unit=AGE)))


def _through_time(tenant: TenantId) -> Row:
    return Row(Text("Verlauf", "Through time"), (
        Panel(Text("Lichtniveau je Gebiet", "Level by zone"),
              Text("Mittel aller Leuchten eines Gebiets", "Mean of all lamps of a zone"),
              queries.series(LAMP_LEVEL, tenant=tenant, by="zone"), LAMP_LEVEL, Look.LINES, 12, 9, "$tag_zone",
              shortest=LEVEL_STEP),
        Panel(Text("Leistung je Gebiet", "Power by zone"),
              Text("Summe aller Leuchten eines Gebiets; zwischen zwei Meldungen wird interpoliert. Im jüngsten Schritt "
                   "fehlen Leuchten, die noch nicht gemeldet haben.",
                   "Sum of all lamps of a zone, interpolated between two reports. The newest step lacks lamps that have "
                   "not reported yet."),
              queries.total(LAMP_POWER, tenant=tenant, by="zone"), LAMP_POWER, Look.LINES, 12, 9, "$tag_zone",
              total=True, shortest=POWER_STEP)))


def _each(tenant: TenantId) -> Row:
    return Row(Text("Leuchten", "Lamps"), (
        Panel(Text("Lichtniveau je Leuchte", "Level of each lamp"),
              Text("Letzte Meldung jeder Leuchte", "Latest report of each lamp"),
              queries.newest_each(LAMP_LEVEL, tenant=tenant), LAMP_LEVEL, Look.TABLE, 12, 12),
        Panel(Text("Leistung je Leuchte", "Power of each lamp"),
              Text("Letzte Meldung jeder Leuchte", "Latest report of each lamp"),
              queries.newest_each(LAMP_POWER, tenant=tenant), LAMP_POWER, Look.TABLE, 12, 12)))
