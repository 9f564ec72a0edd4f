"""Parking, zone by zone: how full, how well known, how much comes and goes, and whether the sensors can be trusted. No single
bay: those are on the board of one device, from a database that soon forgets them."""

from city import figures
from city.ids import TenantId
from dashboards import colours, derived, queries
from dashboards.board import Board, Column, Draw, Look, Means, Panel, Query, Row, Text, Unit
from dashboards.boards.common import FIGURES_STEP, LATELY, LONG_TERM, NAMES, siblings, zones
from dashboards.console import page
from dashboards.queries import Scope

QUARTER = "15m"
BAYS = Unit("none", 1)  # a mean over time of whole bays
MOST_ZONES = 200
_TAKEN, _KNOWN = 'sum("taken")', 'sum("taken") + sum("free")'
_EACH = ("zone", "restriction")


def parking(tenant: TenantId, console: str = "") -> Board:
    """The board of one town; `console` is the address of its console, "" for none."""
    scope = Scope(tenant, {"zone": "zone"})
    return Board(
        "parking", tenant, NAMES["parking"], tags=("stadtfunk", "parking"), variables=(zones(Scope(tenant), "parking"),),
        links=(*siblings(tenant, "parking"),
               *page(console, "staff-parking", Text("Parken in der Konsole", "Parking in the console"), tenant),
               *page(console, "staff-sensors", Text("Sensoren in der Konsole", "Sensors in the console"), tenant)),
        help=Text("Viertelstunden der Parkgebiete. Unbekannt zählt nie als frei; wo zu wenig bekannt ist, steht keine Zahl. Sehr "
                  "kleine Gebiete und besondere Plätze fehlen, wie der Datenschutz es verlangt.",
                  "Quarters of an hour of parking zones. Unknown never counts as free; where too little is known there is no "
                  "number. Very small zones and special bays are missing, as data protection asks."),
        rows=(_now(scope), _through_time(tenant, console, scope), _turnover(tenant, console, scope), _sensors(scope),
              _table(tenant, console, scope), _long(scope)))


def _now(scope: Scope) -> Row:
    return Row(Text("Jetzt", "Now"), (
        Panel((Query(queries.now(figures.PARKING_FREE, scope, each=_EACH), figures.PARKING_FREE, Means.SUM),), Look.NUMBER, 4, 4,
              help=Text("Summe der Gebiete, von denen in der vergangenen Stunde genug bekannt war",
                        "Sum of the zones of which enough was known in the past hour"),
              time_from=LATELY, unit=BAYS),
        Panel((Query(queries.now(figures.PARKING_CAPACITY, scope, each=_EACH), figures.PARKING_CAPACITY, Means.SUM),),
              Look.NUMBER, 4, 4, help=Text("Plätze, die gezählt werden", "Bays that are counted"), time_from=LATELY),
        Panel((Query(queries.share(derived.PARKING_OCCUPANCY, _TAKEN, _KNOWN, "parking", scope), derived.PARKING_OCCUPANCY),),
              Look.NUMBER, 4, 4, help=Text("Belegte von allen bekannten Plätzen, in der letzten Stunde",
                                           "Taken of all known bays, in the past hour"), time_from=LATELY),
        Panel((Query(queries.now(figures.PARKING_COVERAGE, scope, each=_EACH, into="min"), figures.PARKING_COVERAGE),),
              Look.NUMBER, 4, 4, Text("Geringste Abdeckung", "Lowest coverage"),
              Text("Anteil der Zeit, in der die Plätze bekannt waren; das Gebiet, von dem am wenigsten bekannt ist.",
                   "Share of the time in which bays were known; the zone of which least is known."), time_from=LATELY),
        Panel((Query(queries.summed(figures.PARKING_ARRIVALS, scope), figures.PARKING_ARRIVALS, Means.SUM),), Look.NUMBER, 4, 4,
              help=Text("Begonnene Parkvorgänge im gewählten Zeitraum", "Stays begun in the chosen time")),
        Panel((Query(queries.now(figures.SENSORS_STALE, scope), figures.SENSORS_STALE, Means.SUM),), Look.NUMBER, 4, 4,
              Text("Sensoren zu lange still", "Sensors silent for too long"), time_from=LATELY),
        Panel((Query(queries.now(figures.PARKING_FREE, scope, each=_EACH, by=("zone",)), figures.PARKING_FREE, Means.SUM,
                     "$tag_zone"),), Look.BARS, 12, 7, Text("Frei je Gebiet", "Free by zone"),
              Text("Zuletzt in der vergangenen Stunde", "Latest of the past hour"), time_from=LATELY, unit=BAYS),
        Panel((Query(queries.now(figures.PARKING_COVERAGE, scope, each=_EACH, by=("zone",), into="min"), figures.PARKING_COVERAGE,
                     legend="$tag_zone"),), Look.BARS, 12, 7, Text("Abdeckung je Gebiet", "Coverage by zone"), time_from=LATELY)))


def _through_time(tenant: TenantId, console: str, scope: Scope) -> Row:
    to_console = page(console, "staff-parking", Text("Parken in der Konsole", "Parking in the console"), tenant)
    return Row(Text("Verlauf", "Through time"), (
        Panel((Query(queries.share(derived.PARKING_OCCUPANCY, _TAKEN, _KNOWN, "parking", scope, by=("zone",),
                                   every=queries.EVERY), derived.PARKING_OCCUPANCY, legend="$tag_zone"),), Look.LINES, 12, 9,
              Text("Belegung je Gebiet", "Occupancy by zone"),
              Text("Belegte von den Plätzen, deren Zustand bekannt war", "Taken of those bays whose state was known"),
              shortest=QUARTER, links=to_console),
        Panel((Query(queries.series(figures.PARKING_COVERAGE, scope), figures.PARKING_COVERAGE, legend="$tag_zone"),), Look.LINES,
              12, 9, Text("Abdeckung je Gebiet", "Coverage by zone"),
              Text("Anteil der Zeit, in der die Plätze bekannt waren.", "Share of the time in which bays were known."),
              shortest=QUARTER, links=to_console),
        Panel((Query(queries.together(figures.PARKING_FREE, scope, each=_EACH, by=("zone",)), figures.PARKING_FREE, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Freie Plätze je Gebiet", "Free bays by zone"),
              Text("Mittel jedes Schritts", "Mean of each step"), shortest=QUARTER, links=to_console, unit=BAYS),
        Panel(tuple(Query(queries.together(one, scope, each=_EACH), one, Means.SUM, colour=colour)
                    for one, colour in ((figures.PARKING_TAKEN, colours.ORANGE), (figures.PARKING_FREE, colours.GREEN),
                                        (figures.PARKING_UNKNOWN, colours.GREY))), Look.LINES, 12, 9,
              Text("Belegt, frei, unbekannt", "Taken, free, unknown"),
              Text("Gewählte Gebiete; belegt und frei nur, soweit genug bekannt war",
                   "Chosen zones; taken and free only where enough was known"),
              draw=Draw.AREA, shortest=QUARTER, unit=BAYS)))


def _turnover(tenant: TenantId, console: str, scope: Scope) -> Row:
    to_zone = page(console, "staff-parking", Text("Parken in der Konsole", "Parking in the console"), tenant)
    return Row(Text("Kommen und Gehen", "Coming and going"), tuple(
        Panel((Query(queries.series(one, scope, of="sum"), one, Means.SUM, "$tag_zone"),), Look.LINES, 12, 8, title, said,
              draw=Draw.STACKED, shortest=QUARTER, links=to_zone)
        for one, title, said in (
            (figures.PARKING_ARRIVALS, Text("Ankünfte je Gebiet", "Arrivals by zone"),
             Text("Parkvorgänge, die im Schritt begannen", "Stays that began in the step")),
            (figures.PARKING_DEPARTURES, Text("Abfahrten je Gebiet", "Departures by zone"),
             Text("Parkvorgänge, die im Schritt endeten", "Stays that ended in the step")))))


def _sensors(scope: Scope) -> Row:
    states = ((figures.SENSORS_KNOWN, colours.GREEN), (figures.SENSORS_STALE, colours.GREY),
              (figures.SENSORS_SUSPECT, colours.ORANGE), (figures.SENSORS_FAULTY, colours.VERMILLION),
              (figures.SENSORS_BLOCKED, colours.PURPLE))
    return Row(Text("Sensoren", "Sensors"), (
        Panel(tuple(Query(queries.together(one, scope), one, Means.SUM, colour=colour) for one, colour in states), Look.LINES,
              12, 9,
              Text("Was den Sensoren zu glauben ist", "What of the sensors can be trusted"),
              Text("Plätze nach dem Urteil der Plattform über ihre Sensoren; ein Platz kann in mehreren Gruppen stehen.",
                   "Bays by the platform's judgement of their sensors; a bay may be in several groups."),
              draw=Draw.STEPS, shortest=FIGURES_STEP, thresholds=False),
        Panel((Query(queries.series(figures.SENSORS_STALE, scope, of="max"), figures.SENSORS_STALE, Means.SUM, "$tag_zone"),),
              Look.LINES, 12, 9, Text("Zu lange still, je Gebiet", "Silent for too long, by zone"),
              Text("Die meisten in jedem Schritt.", "The most in each step."), draw=Draw.STEPS, shortest=FIGURES_STEP,
              thresholds=False)))


def _table(tenant: TenantId, console: str, scope: Scope) -> Row:
    shown = (figures.SENSORS_BAYS, figures.SENSORS_KNOWN, figures.SENSORS_STALE, figures.SENSORS_SUSPECT, figures.SENSORS_FAULTY,
             figures.SENSORS_BLOCKED)
    query = queries.sums(shown, scope, by=("zone",), most=MOST_ZONES, of={one.name: "last" for one in shown})
    to_sensors = page(console, "staff-sensors", Text("Sensoren in der Konsole", "Sensors in the console"), tenant)
    return Row(Text("Sensoren je Gebiet", "Sensors by zone"), (
        Panel((Query(query, figures.SENSORS_BAYS, Means.COUNT),), Look.TABLE, 24, 8,
              Text("Sensoren je Gebiet, jetzt", "Sensors by zone, now"),
              Text("Zuletzt gezählt in der vergangenen Stunde", "Counted last in the past hour"),
              columns=(Column("zone", links=to_sensors), *(Column(one.field, one) for one in shown)), sort="-stale",
              time_from=LATELY),), collapsed=True)


def _long(scope: Scope) -> Row:
    """Quarters of zones are kept for years in the ordinary database: hours and days have no parking in them."""
    return Row(LONG_TERM, (
        Panel((Query(queries.share(derived.PARKING_OCCUPANCY, _TAKEN, _KNOWN, "parking", scope, by=("zone",), every="1d"),
                     derived.PARKING_OCCUPANCY, legend="$tag_zone"),), Look.LINES, 12, 9,
              Text("Belegung je Gebiet und Tag", "Occupancy by zone and day"),
              Text("Mittel des Tages (UTC), über alle 24 Stunden", "Mean of the day (UTC), over all 24 hours"), shortest="1d",
              time_from="90d"),
        Panel((Query(queries.series(figures.PARKING_ARRIVALS, scope, every="1d", of="sum"), figures.PARKING_ARRIVALS, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Ankünfte je Gebiet und Tag", "Arrivals by zone and day"),
              Text("Parkvorgänge, die an dem Tag (UTC) begannen", "Stays that began in the day (UTC)"), draw=Draw.STACKED,
              shortest="1d", time_from="90d")), collapsed=True)
