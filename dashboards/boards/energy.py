"""Energy of street lighting, night by night: used against undimmed and expected, what dimming saved, by zone and circuit."""

from city import figures
from city.ids import TenantId
from city.quantities import LAMP_POWER, Quantity
from dashboards import colours, derived, queries
from dashboards.board import Board, Column, Draw, Look, Means, Panel, Query, Row, Source, Text
from dashboards.boards.common import DAYS_BACK, LONG_TERM, NAMES, circuits, events, siblings, zones
from dashboards.console import column, label, page
from dashboards.queries import Scope

NIGHT = "1d"  # each point is one night, dated at the noon it begins
MOST_CIRCUITS = 500
NOT_FOR_BILLING = Text("Betriebsmesswert, nicht abrechnungsfähig.", "For operation only, not for billing.")
_SAVED = 'sum("undimmed") - sum("used")'
_OVER = ('"over" = true',)  # what is expected is said of the whole night as soon as it begins
_COMPARED = (*_OVER, '"expected" > 0')  # points that say both
COMPARED = Text("Nur Nächte, die vorbei sind, und Stromkreise, von deren Leuchten alle Leistungen bekannt sind.",
                "Only nights that are over, and circuits of whose lamps all powers are known.")


def energy(tenant: TenantId, console: str = "") -> Board:
    """The board of one town; `console` is the address of its console, "" for none."""
    scope = Scope(tenant, {"zone": "zone", "circuit": "circuit"})
    return Board(
        "energy", tenant, NAMES["energy"], tags=("stadtfunk", "energy"), since="now-30d", refresh="15m",
        annotations=events(tenant),
        variables=(zones(Scope(tenant), "energy"), circuits(Scope(tenant, {"zone": "zone"}), "energy")),
        links=(*siblings(tenant, "energy"),
               *page(console, "energy", Text("Energie in der Konsole", "Energy in the console"), tenant)),
        help=Text("Energie der Beleuchtung je Nacht, aus Zählern der Leuchten und, wo keine melden, aus Leistung oder Niveau "
                  f"geschätzt. {NOT_FOR_BILLING.de}",
                  "Energy of lighting by night, from the meters in lamps and, where none report, estimated from power or level. "
                  f"{NOT_FOR_BILLING.en}"),
        rows=(_sums(scope), _nights(scope), _by_zone(tenant, console, scope), _by_circuit(tenant, console, scope), _money(scope),
              _long(scope)))


def _sums(scope: Scope) -> Row:
    return Row(Text("Im gewählten Zeitraum – Betriebsmesswerte, nicht abrechnungsfähig",
                    "In the chosen time – for operation only, not for billing"), (
        _sum(figures.ENERGY_USED, queries.summed(figures.ENERGY_USED, scope), Means.SUM),
        _sum(figures.ENERGY_UNDIMMED, queries.summed(figures.ENERGY_UNDIMMED, scope), Means.SUM,
             Text("Was dieselben Stunden bei 100 % gebraucht hätten.", "What the same hours would have taken at 100 %.")),
        _sum(derived.ENERGY_SAVED, queries.summed(figures.ENERGY_UNDIMMED, scope, less=figures.ENERGY_USED,
                                                  into=derived.ENERGY_SAVED), Means.SUM),
        _sum(derived.ENERGY_SAVING, queries.share(derived.ENERGY_SAVING, _SAVED, 'sum("undimmed")', "energy", scope), Means.VALUE,
             Text("Anteil am ungedimmten Verbrauch.", "Share of what undimmed light would have taken.")),
        _sum(derived.ENERGY_AGAINST, _against(scope), Means.VALUE, COMPARED),
        _sum(derived.ENERGY_METERED_SHARE, queries.share(derived.ENERGY_METERED_SHARE, 'sum("metered")', 'sum("used")', "energy",
                                                         scope), Means.VALUE,
             Text("Der Rest ist aus Leistung oder Niveau geschätzt.", "The rest is estimated from power or level.")),
        _sum(figures.ENERGY_CO2, queries.summed(figures.ENERGY_CO2, scope), Means.SUM),
        _sum(figures.ENERGY_CO2_SAVED, queries.summed(figures.ENERGY_CO2_SAVED, scope), Means.SUM),
        _sum(figures.ENERGY_COST, queries.summed(figures.ENERGY_COST, scope), Means.SUM)))


def _against(scope: Scope, *by: str) -> str:
    return queries.share(derived.ENERGY_AGAINST, 'sum("used")', 'sum("expected")', "energy", scope, by=by, only=_COMPARED)


def _sum(quantity: Quantity, query: str, means: Means, help: Text | None = None) -> Panel:
    said = NOT_FOR_BILLING if help is None else Text(f"{help.de} {NOT_FOR_BILLING.de}", f"{help.en} {NOT_FOR_BILLING.en}")
    return Panel((Query(query, quantity, means),), Look.NUMBER, 8, 4, help=said)


def _nights(scope: Scope) -> Row:
    def night(quantity: Quantity, *only: str) -> str:
        return queries.series(quantity, scope, by=(), every=NIGHT, of="sum", only=only)

    parts = ((figures.ENERGY_METERED, colours.GREEN), (figures.ENERGY_ESTIMATED, colours.SKY))
    return Row(Text("Nacht für Nacht", "Night by night"), (
        Panel((Query(night(figures.ENERGY_USED), figures.ENERGY_USED, Means.SUM, colour=colours.GREEN, draw=Draw.BARS),
               Query(night(figures.ENERGY_UNDIMMED), figures.ENERGY_UNDIMMED, Means.SUM, colour=colours.ORANGE, dashed=True),
               Query(night(figures.ENERGY_EXPECTED, *_OVER), figures.ENERGY_EXPECTED, Means.SUM, colour=colours.PURPLE)),
              Look.LINES, 16, 9, Text("Energie je Nacht", "Energy of each night"),
              Text("Balken: Verbrauch; gestrichelt: ungedimmt; Linie: was das Programm erwarten ließ, sobald die Nacht vorbei "
                   f"ist. Jede Nacht steht am Tag, an dem sie beginnt. {NOT_FOR_BILLING.de}",
                   "Bars: energy used; dashed: undimmed; line: what the program let expect, once the night is over. A night "
                   f"stands at the day it begins. {NOT_FOR_BILLING.en}"), draw=Draw.LINE, shortest=NIGHT, bridge_s=3 * 86_400),
        Panel(tuple(Query(night(one), one, Means.SUM, colour=colour) for one, colour in parts), Look.LINES, 8, 9,
              Text("Gemessen und geschätzt", "Metered and estimated"),
              Text("Geschätzt wird aus Leistung oder Niveau, wo kein Zähler meldet.",
                   "Estimated from power or level where no meter reports."), draw=Draw.STACKED, shortest=NIGHT)))


def _by_zone(tenant: TenantId, console: str, scope: Scope) -> Row:
    to_zone = page(console, "zone", Text("Gebiet in der Konsole", "Zone in the console"), tenant, zone=label("zone"))
    return Row(Text("Nach Gebieten", "By zone"), (
        Panel((Query(queries.series(figures.ENERGY_USED, scope, every=NIGHT, of="sum"), figures.ENERGY_USED, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Verbrauch je Gebiet", "Energy used by zone"), NOT_FOR_BILLING,
              draw=Draw.STACKED, shortest=NIGHT, links=to_zone),
        Panel((Query(queries.share(derived.ENERGY_SAVING, _SAVED, 'sum("undimmed")', "energy", scope, by=("zone",), every=NIGHT),
                     derived.ENERGY_SAVING, legend="$tag_zone"),), Look.LINES, 12, 9,
              Text("Einsparung je Gebiet", "Saving by zone"),
              Text("Gegenüber ungedimmtem Licht, in jeder Nacht", "Against undimmed light, in each night"), shortest=NIGHT,
              bridge_s=3 * 86_400, links=to_zone)))


def _by_circuit(tenant: TenantId, console: str, scope: Scope) -> Row:
    shown = (figures.ENERGY_USED, figures.ENERGY_UNDIMMED, figures.ENERGY_METERED, figures.ENERGY_ESTIMATED, figures.ENERGY_LAMPS)
    query = queries.sums(shown, scope, by=("circuit", "zone"), most=MOST_CIRCUITS, of={figures.ENERGY_LAMPS.name: "max"})
    to_circuit = page(console, "circuit", Text("Stromkreis in der Konsole", "Circuit in the console"), tenant,
                      circuit=column("circuit"))
    return Row(Text("Nach Stromkreisen", "By circuit"), (
        Panel((Query(query, figures.ENERGY_USED, Means.SUM),), Look.TABLE, 24, 8,
              Text("Stromkreise im gewählten Zeitraum", "Circuits in the chosen time"), NOT_FOR_BILLING,
              columns=(Column("circuit", links=to_circuit), Column("zone"), *(Column(one.field, one) for one in shown)),
              sort="-used"),
        Panel((Query(queries.share(derived.ENERGY_SAVING, _SAVED, 'sum("undimmed")', "energy", scope, by=("circuit",)),
                     derived.ENERGY_SAVING, legend="$tag_circuit"),), Look.BARS, 12, 7,
              Text("Einsparung je Stromkreis", "Saving by circuit"),
              Text("Gegenüber ungedimmtem Licht, im gewählten Zeitraum", "Against undimmed light, in the chosen time")),
        Panel((Query(_against(scope, "circuit"), derived.ENERGY_AGAINST, legend="$tag_circuit"),), Look.BARS, 12, 7,
              Text("Verbrauch gegenüber Erwartung je Stromkreis", "Used against expected, by circuit"), COMPARED)))


def _money(scope: Scope) -> Row:
    def night(quantity: Quantity) -> str:
        return queries.series(quantity, scope, by=(), every=NIGHT, of="sum")

    return Row(Text("CO₂, Kosten, Vollständigkeit", "CO₂, cost, completeness"), (
        Panel((Query(night(figures.ENERGY_CO2), figures.ENERGY_CO2, Means.SUM, colour=colours.GREY),
               Query(night(figures.ENERGY_CO2_SAVED), figures.ENERGY_CO2_SAVED, Means.SUM, colour=colours.GREEN, dashed=True,
                     draw=Draw.LINE)), Look.LINES, 8, 8, Text("CO₂ je Nacht", "CO₂ of each night"),
              Text("Mit dem Faktor gerechnet, der in der Nacht galt.", "By the factor that held in the night."), draw=Draw.BARS,
              shortest=NIGHT),
        Panel((Query(night(figures.ENERGY_COST), figures.ENERGY_COST, Means.SUM),), Look.LINES, 8, 8,
              help=Text(f"Mit dem Preis gerechnet, der in der Nacht galt. {NOT_FOR_BILLING.de}",
                        f"By the price that held in the night. {NOT_FOR_BILLING.en}"), draw=Draw.BARS, shortest=NIGHT),
        Panel((Query(queries.series(figures.ENERGY_MISSING, scope, by=(), every=NIGHT, of="sum", per=3600,
                                    into=derived.ENERGY_MISSING_HOURS), derived.ENERGY_MISSING_HOURS, Means.SUM),),
              Look.LINES, 8, 8,
              help=Text("Brennzeit, von der weder Zähler noch Leistung noch Niveau etwas sagen, alle Leuchten zusammen",
                        "Burning time of which neither meter nor power nor level says anything, all lamps together"),
              draw=Draw.BARS, shortest=NIGHT)))


def _long(scope: Scope) -> Row:
    """Nights are few points, so two years of them are asked as they are."""
    lamps = Scope(scope.tenant, scope.chosen, {"channel": ""})
    return Row(LONG_TERM, (
        Panel((Query(queries.series(figures.ENERGY_USED, scope, every="7d", of="sum"), figures.ENERGY_USED, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Verbrauch je Woche", "Energy used by week"),
              Text(f"Summe der Nächte, je Gebiet; Wochen ab Donnerstag. {NOT_FOR_BILLING.de}",
                   f"Sum of nights, by zone; weeks begin on Thursday. {NOT_FOR_BILLING.en}"),
              draw=Draw.STACKED, shortest="7d", time_from=DAYS_BACK),
        Panel((Query(queries.series(LAMP_POWER, lamps, every="1d", of="sum", rolled="mean"), LAMP_POWER, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Mittlere Leistung je Gebiet und Tag", "Mean power by zone and day"),
              Text("Summe der Tagesmittel (UTC) aller Leuchten, Tag und Nacht zusammen. Teilen sich mehrere Brücken die Arbeit "
                   "(mqtt.share), zählt eine Leuchte bei jeder.",
                   "Sum of the daily means (UTC) of all lamps, day and night together. Where several bridges share the work "
                   "(mqtt.share), a lamp counts at each."),
              source=Source.DAYS, draw=Draw.STEPS, shortest="1d", bridge_s=3 * 86_400, time_from=DAYS_BACK)), collapsed=True)
