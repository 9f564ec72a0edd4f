"""Operation of street lighting: what burns and should burn, what the platform has told lamps and what they have obeyed, what is
out of order. Made for a night with thousands of lamps: what is wrong stands above, and leads to the console."""

from city import figures
from city.ids import TenantId
from city.quantities import LAMP_LEVEL, LAMP_POWER, Quantity
from dashboards import colours, queries
from dashboards.board import Board, Column, Draw, Look, Means, Panel, Query, Row, Source, Text, Variable
from dashboards.boards.common import (
    DAYS_BACK,
    FIGURES_STEP,
    HOURS_BACK,
    LATELY,
    LEVEL_STEP,
    LONG_TERM,
    NAMES,
    circuits,
    events,
    siblings,
    to_device,
    zones,
)
from dashboards.boards.dimming import dim_panel, dim_variables
from dashboards.console import column, label, page
from dashboards.queries import CHOSEN_EVERY, Scope
from dashboards.words import OVERRIDE_STATES, SEVERITIES

MOST_LAMPS, MOST_INCIDENTS, MOST_OVERRIDES = 500, 100, 100
REPORTED_WITHIN = "3h"  # a lamp that has said nothing for so long is in no sum of now
ZONE_PAGE = Text("Gebiet in der Konsole", "Zone in the console")


def lighting(tenant: TenantId, console: str = "") -> Board:
    """The board of one town; `console` is the address of its console, "" for none."""
    lamps = Scope(tenant, {"zone": "zone", "circuit": "circuit"}, {"channel": ""})
    zoned = Scope(tenant, {"zone": "zone"})
    return Board(
        "lighting", tenant, NAMES["lighting"], tags=("stadtfunk", "lighting"), since="now-12h", annotations=events(tenant),
        variables=(zones(Scope(tenant), "lamp"), circuits(zoned, "lamp"), Variable.interval(), *dim_variables(tenant)),
        links=(*siblings(tenant, "lighting"), *page(console, "console", Text("Konsole", "Console"), tenant),
               *page(console, "alarms", Text("Störungen in der Konsole", "Alarms in the console"), tenant)),
        help=Text("Lichtniveaus, Störungen und Befehle der Straßenbeleuchtung; Zustände aus den Meldungen der Leuchten und aus "
                  "der Plattform.",
                  "Levels, faults and commands of street lighting, from what lamps report and what the platform knows."),
        rows=(_now(tenant, console, lamps, zoned),
              Row(Text("Ereignisse und Eingriffe", "Incidents and overrides"),
                  (incidents(tenant, console, zoned), overrides(tenant, console, zoned))),
              _levels(tenant, console, lamps, zoned), _commands(zoned), _faults(zoned), _each(tenant, console, lamps),
              _long(lamps)))


def _now(tenant: TenantId, console: str, lamps: Scope, zoned: Scope) -> Row:
    fleet = zoned.with_fixed(kind="lamp")
    return Row(Text("Jetzt", "Now"), (
        _number(queries.now(figures.FLEET_SILENT, fleet), figures.FLEET_SILENT, Text("Leuchten stumm", "Lamps silent"),
                Text("Leuchten, die sich länger nicht gemeldet haben, als sie sollten",
                     "Lamps that have not been heard for longer than they should")),
        _number(queries.now(figures.FAULTS_INCIDENTS, zoned), figures.FAULTS_INCIDENTS, None,
                Text("Ereignisse, die noch nicht behoben sind", "Incidents that are not over")),
        _number(queries.now(figures.FAULTS_CRITICAL, zoned), figures.FAULTS_CRITICAL,
                Text("Kritische Störungen", "Critical alarms"), Text("Offene Störungen der höchsten Stufe",
                                                                     "Open alarms of the highest severity")),
        _number(queries.now(figures.CONTROL_OUTSTANDING, zoned), figures.CONTROL_OUTSTANDING, None,
                Text("Befehle, die noch keine Leuchte befolgt hat", "Commands that no lamp has obeyed yet")),
        dim_panel(tenant, console),
        _number(queries.now(figures.FLEET_HEARD, fleet), figures.FLEET_HEARD, Text("Leuchten melden sich", "Lamps heard"),
                Text("Leuchten, die sich so oft melden, wie sie sollen", "Lamps that are heard as often as they should")),
        Panel((Query(queries.count_now(LAMP_LEVEL, lamps, above=0), LAMP_LEVEL, Means.COUNT),), Look.NUMBER, 4, 4,
              Text("Leuchten an", "Lamps burning"),
              Text("Leuchten, deren letzte Meldung der vergangenen drei Stunden ein Niveau über 0 % war",
                   "Lamps whose latest report of the past three hours was a level above 0 %"), time_from=REPORTED_WITHIN),
        Panel((Query(queries.now(LAMP_POWER, lamps, each=("asset",)), LAMP_POWER, Means.SUM),), Look.NUMBER, 4, 4,
              Text("Gesamtleistung", "Total power"),
              Text("Summe der Leistungen, die Leuchten in den vergangenen drei Stunden zuletzt gemeldet haben",
                   "Sum of the powers that lamps reported last in the past three hours"), time_from=REPORTED_WITHIN),
        Panel((Query(queries.newest(LAMP_LEVEL, lamps), LAMP_LEVEL),), Look.AGE, 4, 4, Text("Jüngste Meldung", "Newest report"),
              Text("Wann zuletzt eine Leuchte ihr Niveau gemeldet hat", "When a lamp last reported its level"))))


def _number(query: str, figure: Quantity, title: Text | None, help: Text) -> Panel:
    return Panel((Query(query, figure, Means.SUM),), Look.NUMBER, 4, 4, title, help, time_from=LATELY)


def _levels(tenant: TenantId, console: str, lamps: Scope, zoned: Scope) -> Row:
    to_zone = page(console, "zone", ZONE_PAGE, tenant, zone=label("zone"))
    return Row(Text("Licht und Leistung", "Light and power"), (
        Panel((Query(queries.series(LAMP_LEVEL, lamps, every=CHOSEN_EVERY), LAMP_LEVEL, legend="$tag_zone"),
               Query(queries.series(figures.CONTROL_WANTED, zoned, every=CHOSEN_EVERY), figures.CONTROL_WANTED,
                     legend=Text("$tag_zone, gewollt", "$tag_zone, wanted"), dashed=True)),
              Look.LINES, 12, 9, Text("Lichtniveau je Gebiet", "Level by zone"),
              Text("Mittel aller Leuchten eines Gebiets, wie sie es selbst melden; gestrichelt, wie hell es nach Programm und "
                   "Eingriffen sein soll.",
                   "Mean of all lamps of a zone as they report it; dashed: how bright programs and overrides want it."),
              draw=Draw.STEPS, shortest=LEVEL_STEP, links=to_zone),
        Panel((Query(queries.series(LAMP_POWER, lamps, every="1h", of="sum", rolled="mean"), LAMP_POWER, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Leistung je Gebiet", "Power by zone"),
              Text("Summe der Stundenmittel aller Leuchten eines Gebiets, bis zur letzten vollen Stunde; wer in der Stunde nicht "
                   "meldet, fehlt. Teilen sich mehrere Brücken die Arbeit (mqtt.share), zählt eine Leuchte bei jeder.",
                   "Sum of the hourly means of all lamps of a zone, up to the last full hour; who does not report in the hour "
                   "is missing. Where several bridges share the work (mqtt.share), a lamp counts at each."),
              source=Source.HOURS, draw=Draw.STEPS, shortest="1h", links=to_zone)))


def _commands(zoned: Scope) -> Row:
    waiting = (figures.CONTROL_PLANNED, figures.CONTROL_SENT, figures.CONTROL_SCHEDULED, figures.CONTROL_ACKED)
    ended = ((figures.CONTROL_APPLIED, colours.GREEN), (figures.CONTROL_FAILED, colours.VERMILLION),
             (figures.CONTROL_EXPIRED, colours.PURPLE), (figures.CONTROL_SUPERSEDED, colours.GREY))
    return Row(Text("Befehle", "Commands"), (
        Panel(tuple(Query(queries.together(one, zoned), one, Means.SUM) for one in waiting), Look.LINES, 8, 8,
              Text("Befehle unterwegs nach Zustand", "Commands under way by state"),
              Text("Was noch nicht befolgt ist: geplant, beim Netzserver, gesendet, vom Gerät bestätigt",
                   "What is not obeyed yet: planned, at the network server, on the air, acknowledged by the device"),
              draw=Draw.AREA, shortest=FIGURES_STEP),
        Panel(tuple(Query(queries.series(one, zoned, by=(), of="sum"), one, Means.SUM, colour=colour) for one, colour in ended),
              Look.LINES, 8, 8, Text("Befehle zu Ende gegangen", "Commands that ended"),
              Text("Je Schritt, nach Ausgang; ausgeführt heißt: die Leuchte meldet selbst das gewünschte Niveau.",
                   "In each step, by outcome; obeyed means that the lamp itself reports the wanted level."),
              draw=Draw.STACKED, shortest=FIGURES_STEP, thresholds=False),
        Panel((Query(queries.series(figures.CONTROL_OLDEST, zoned, of="max"), figures.CONTROL_OLDEST, legend="$tag_zone"),),
              Look.LINES, 8, 8, help=Text("Wie lange der älteste Befehl eines Gebiets schon unterwegs ist",
                                          "For how long a zone's oldest command has been under way"), shortest=FIGURES_STEP)))


def _faults(zoned: Scope) -> Row:
    severities = ((figures.FAULTS_OPEN, colours.GREY), (figures.FAULTS_MAJOR, colours.ORANGE),
                  (figures.FAULTS_CRITICAL, colours.VERMILLION))
    fleet = zoned.with_fixed(kind="lamp")
    return Row(Text("Störungen", "Faults"), (
        Panel(tuple(Query(queries.together(one, zoned), one, Means.SUM, colour=colour) for one, colour in severities),
              Look.LINES, 8, 8, Text("Offene Störungen nach Schwere", "Open alarms by severity"),
              Text("Alle offenen Störungen, davon schwere und kritische", "All open alarms, of these major and critical ones"),
              draw=Draw.STEPS, shortest=FIGURES_STEP, thresholds=False),
        Panel((Query(queries.together(figures.FLEET_HEARD, fleet), figures.FLEET_HEARD, Means.SUM, colour=colours.GREEN),
               Query(queries.together(figures.FLEET_SILENT, fleet), figures.FLEET_SILENT, Means.SUM, colour=colours.VERMILLION),
               Query(queries.together(figures.FLEET_NEVER, fleet), figures.FLEET_NEVER, Means.SUM, colour=colours.GREY)),
              Look.LINES, 8, 8, Text("Leuchten, die sich melden", "Lamps that are heard"),
              Text("Alle Leuchten des Bestands: gehört, stumm geworden, nie gehört",
                   "All lamps of the registry: heard, fallen silent, never heard"),
              draw=Draw.AREA, shortest=FIGURES_STEP, thresholds=False),
        Panel((Query(queries.series(figures.FAULTS_UNATTENDED, zoned, of="max"), figures.FAULTS_UNATTENDED, legend="$tag_zone"),),
              Look.LINES, 8, 8, help=Text("Wie lange das älteste offene Ereignis schon niemand quittiert hat",
                                          "For how long nobody has acknowledged the oldest standing incident"),
              shortest=FIGURES_STEP)))


def overrides(tenant: TenantId, console: str, zoned: Scope) -> Panel:
    """What was wished for, and how many lamps say themselves that they obey: the answer to whoever dims from this board."""
    wished = queries.rows("override", ("zone", "level", "begins", "until", "state", "lamps", "confirmed", "waiting", "failed"),
                          zoned, most=MOST_OVERRIDES)
    return Panel((Query(wished, figures.OVERRIDE_CONFIRMED, Means.COUNT),), Look.TABLE, 24, 7,
                 Text("Eingriffe und ihre Bestätigung", "Overrides and their confirmation"),
                 Text("Jeder Eingriff mit den Leuchten, die ihn selbst bestätigt haben. Ohne Niveau: zurück zum Programm.",
                      "Each override with the lamps that have confirmed it themselves. Without a level: back to the program."),
                 columns=(Column("Time", title=Text("Erteilt", "Given"), width=170),
                          Column("zone", links=page(console, "overrides", Text("Eingriffe in der Konsole",
                                                                               "Overrides in the console"), tenant)),
                          Column("level", figures.OVERRIDE_LEVEL), Column("begins", figures.OVERRIDE_BEGINS),
                          Column("until", figures.OVERRIDE_UNTIL),
                          Column("state", figures.OVERRIDE_STATE, words=OVERRIDE_STATES), Column("lamps", figures.OVERRIDE_LAMPS),
                          Column("confirmed", figures.OVERRIDE_CONFIRMED), Column("waiting", figures.OVERRIDE_WAITING),
                          Column("failed", figures.OVERRIDE_FAILED)), sort="-Time", time_from="30d")


def incidents(tenant: TenantId, console: str, zoned: Scope) -> Panel:
    """Standing incidents, however long ago they began; those of several zones are shown in each."""
    scope = Scope(zoned.tenant, zoned.chosen, zoned.fixed, also=True)
    standing = queries.rows("incident", ("severity", "de", "en", "count", "zone", "circuit", "subject", "id"), scope,
                            "\"state\" = 'standing'", most=MOST_INCIDENTS)
    to_incident = page(console, "incident", Text("Ereignis in der Konsole", "Incident in the console"), tenant,
                       incident=column("id"))
    what = Text("Was ist los?", "What is it?")
    return Panel((Query(standing, figures.INCIDENT_COUNT, Means.COUNT),), Look.TABLE, 24, 7,
                 Text("Offene Ereignisse", "Standing incidents"),
                 Text("Störungen mit gemeinsamer Ursache; ein Klick führt zum Ereignis in der Konsole.",
                      "Alarms with one cause; a click leads to the incident in the console."),
                 columns=(Column("Time", title=Text("Seit", "Since"), width=170),
                          Column("severity", figures.INCIDENT_SEVERITY, words=SEVERITIES, width=110),
                          Column("de", figures.INCIDENT_DE, what, links=to_incident, only="de"),
                          Column("en", figures.INCIDENT_EN, what, links=to_incident, only="en"),
                          Column("count", figures.INCIDENT_COUNT, width=90), Column("zone"), Column("circuit"),
                          Column("subject", figures.INCIDENT_SUBJECT), Column("id", hidden=True)), time_from="90d")


def _each(tenant: TenantId, console: str, lamps: Scope) -> Row:
    by = ("asset", "zone", "circuit")
    to_lamp = page(console, "lamp", Text("Leuchte in der Konsole", "Lamp in the console"), tenant, asset=column("asset"))
    return Row(Text("Einzelne Leuchten", "Single lamps"), (
        *(Panel((Query(queries.listed(queries.newest_each(one, lamps, by=by), (*by, one.field), most=MOST_LAMPS), one),),
                Look.TABLE, 12, 12, title,
                Text("Letzte Meldung jeder Leuchte im gewählten Zeitraum, die ältesten zuerst; höchstens 500 Leuchten: wählen "
                     "Sie ein Gebiet.",
                     "The latest report of each lamp in the chosen time, the oldest first; at most 500 lamps: choose a zone."),
                columns=(Column("asset", title=Text("Leuchte", "Lamp"), links=(to_device(tenant, column("asset")), *to_lamp)),
                         Column("zone"), Column("circuit"), Column(one.field, one),
                         Column("Time", title=Text("Gemeldet", "Reported"))), sort="Time")
          for one, title in ((LAMP_LEVEL, Text("Lichtniveau je Leuchte", "Level of each lamp")),
                             (LAMP_POWER, Text("Leistung je Leuchte", "Power of each lamp")))),), collapsed=True)


def _long(lamps: Scope) -> Row:
    return Row(LONG_TERM, (
        Panel((Query(queries.series(LAMP_LEVEL, lamps, rolled="mean"), LAMP_LEVEL, legend="$tag_zone"),), Look.LINES, 12, 9,
              Text("Lichtniveau je Gebiet, Stunden", "Level by zone, hours"),
              Text("Mittel der Stundenwerte aller Leuchten", "Mean of all lamps' hourly values"), source=Source.HOURS,
              draw=Draw.STEPS, shortest="1h", time_from=HOURS_BACK),
        Panel((Query(queries.series(LAMP_LEVEL, lamps, every="1d", of="count", rolled="count"), LAMP_LEVEL, Means.COUNT,
                     "$tag_zone"),), Look.LINES, 12, 9, Text("Leuchten mit Meldung am Tag", "Lamps that reported in a day"),
              Text("Leuchten, die an dem Tag (UTC) wenigstens einmal ihr Niveau gemeldet haben",
                   "Lamps that reported their level at least once in the day (UTC)"),
              source=Source.DAYS, draw=Draw.STACKED, shortest="1d", time_from=DAYS_BACK)), collapsed=True)
