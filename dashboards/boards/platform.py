"""The platform itself, of no town: bridges, API, simulator, each process by its name."""

from city import figures
from city.quantities import Quantity
from dashboards import colours, queries
from dashboards.board import Board, Draw, Look, Means, Panel, Query, Row, Source, Text, Variable
from dashboards.boards.common import FIGURES_STEP, LATELY
from dashboards.queries import Scope


def platform(console: str = "") -> Board:
    """The one board; there is no page of the console that it could lead to."""
    del console
    scope = Scope(None, {"name": "process"})
    processes = Variable.asked("process", Text("Prozess", "Process"), queries.choices("platform", Scope(None), tag="name"),
                               source=Source.PLATFORM)
    return Board(
        "platform", None, Text("Plattform", "Platform"), tags=("stadtfunk", "platform"), variables=(processes,), since="now-6h",
        help=Text("Was Brücken, API und Simulator von sich selbst sagen; Summen über alle Städte, nichts von einer einzelnen.",
                  "What bridges, API and simulator say of themselves: sums over all towns, nothing of a single one."),
        rows=(_now(scope), _bridge(scope.with_fixed(process="bridge")), _letters(scope), _api(scope.with_fixed(process="api")),
              _load(scope), _simulator(scope.with_fixed(process="simulator"))))


def _now(scope: Scope) -> Row:
    bridge, api = scope.with_fixed(process="bridge"), scope.with_fixed(process="api")
    each = ("name",)
    return Row(Text("Jetzt", "Now"), (
        _stat(queries.now(figures.PLATFORM_LAG_LOG, bridge, each=each, into="max"), figures.PLATFORM_LAG_LOG, Means.VALUE),
        _stat(queries.now(figures.PLATFORM_LAG_INFLUX, bridge, each=each, into="max"), figures.PLATFORM_LAG_INFLUX, Means.VALUE),
        _stat(queries.summed(figures.PLATFORM_LETTERS, bridge), figures.PLATFORM_LETTERS, Means.SUM,
              Text("Unlesbare Nachrichten, letzte Stunde", "Dead letters, past hour")),
        _stat(queries.now(figures.PLATFORM_ACK_P99, bridge, each=each, into="max"), figures.PLATFORM_ACK_P99, Means.VALUE),
        _stat(queries.summed(figures.PLATFORM_ERRORS, api), figures.PLATFORM_ERRORS, Means.SUM,
              Text("API-Fehler, letzte Stunde", "API errors, past hour")),
        _stat(queries.now(figures.PLATFORM_STEERS, bridge, each=each), figures.PLATFORM_STEERS, Means.SUM,
              Text("Brücken, die steuern", "Bridges that steer"),
              Text("Genau eine soll es sein.", "There should be exactly one."))))


def _stat(query: str, quantity: Quantity, means: Means, title: Text | None = None, help: Text | None = None) -> Panel:
    return Panel((Query(query, quantity, means),), Look.NUMBER, 4, 4, title, help, source=Source.PLATFORM, time_from=LATELY)


def _chart(title: Text | None, *queries: Query, help: Text | None = None, draw: Draw = Draw.LINE, width: int = 8,
           thresholds: bool = True) -> Panel:
    return Panel(queries, Look.LINES, width, 8, title, help, source=Source.PLATFORM, draw=draw, shortest=FIGURES_STEP,
                 thresholds=thresholds)


def _counts(scope: Scope, *shown: tuple[Quantity, str]) -> tuple[Query, ...]:
    return tuple(Query(queries.series(one, scope, by=(), of="sum"), one, Means.SUM, colour=colour) for one, colour in shown)


def _worst(scope: Scope, quantity: Quantity) -> Query:
    return Query(queries.series(quantity, scope, by=("name",), of="max"), quantity, legend="$tag_name")


def _bridge(scope: Scope) -> Row:
    return Row(Text("Brücken", "Bridges"), (
        _chart(Text("Ereignisse", "Events"), *_counts(scope, (figures.PLATFORM_STORED, colours.GREEN),
                                                      (figures.PLATFORM_DUPLICATES, colours.GREY),
                                                      (figures.PLATFORM_LETTERS, colours.VERMILLION)),
               help=Text("Je Schritt: gespeichert, schon da gewesen, unlesbar", "In each step: kept, there already, unreadable"),
               draw=Draw.STACKED, thresholds=False),
        _chart(None, _worst(scope, figures.PLATFORM_LAG_LOG),
               help=Text("Vom Empfang beim Netzserver bis zum lokalen Protokoll.", "From the network server to the local log.")),
        _chart(None, _worst(scope, figures.PLATFORM_LAG_INFLUX),
               help=Text("Alter des ältesten Eintrags, den InfluxDB noch nicht hat.",
                         "Age of the oldest entry that InfluxDB has not got.")),
        _chart(Text("Zeit bis zur Bestätigung", "Time to acknowledgement"),
               Query(queries.series(figures.PLATFORM_ACK_P50, scope, by=("name",)), figures.PLATFORM_ACK_P50,
                     legend=Text("$tag_name, Median", "$tag_name, median")),
               Query(queries.series(figures.PLATFORM_ACK_P99, scope, by=("name",), of="max"), figures.PLATFORM_ACK_P99,
                     legend="$tag_name, 99 %", dashed=True),
               help=Text("Von der Ankunft bis zur Bestätigung an den Broker, nachdem gespeichert ist",
                         "From arrival to the acknowledgement to the broker, once it is stored")),
        _chart(Text("Warteschlangen", "Queues"),
               Query(queries.series(figures.PLATFORM_QUEUED, scope, by=("name",), of="max"), figures.PLATFORM_QUEUED,
                     legend=Text("$tag_name, zu speichern", "$tag_name, to be stored")),
               Query(queries.series(figures.PLATFORM_WAITING, scope, by=("name",), of="max"), figures.PLATFORM_WAITING,
                     legend=Text("$tag_name, für InfluxDB", "$tag_name, for InfluxDB"), dashed=True),
               help=Text("Ereignisse und Einträge, die warten; die meisten im Schritt",
                         "Events and entries that wait; the most in a step")),
        _chart(Text("Welche Brücke steuert", "Which bridge steers"), _worst(scope, figures.PLATFORM_STEERS),
               help=Text("1, solange sie Befehle plant und sendet", "1 while it plans and sends commands"), draw=Draw.STEPS)))


def _letters(scope: Scope) -> Row:
    return Row(Text("Unlesbare Nachrichten", "Dead letters"), (
        _chart(Text("Nach Grund", "By reason"),
               Query(queries.series(figures.LETTERS_COUNT, scope, by=("reason",), of="sum"), figures.LETTERS_COUNT, Means.SUM,
                     "$tag_reason"),
               help=Text("Was nicht zu lesen war, je Schritt; es bleibt liegen und kann nachgeholt werden.",
                         "What could not be read, in each step; it is kept and can be replayed."), draw=Draw.STACKED, width=24,
               thresholds=False),))


def _api(scope: Scope) -> Row:
    return Row(Text("API und Seiten", "API and pages"), (
        _chart(Text("Antworten", "Answers"), *_counts(scope, (figures.PLATFORM_REQUESTS, colours.BLUE)),
               help=Text("Alle Antworten je Schritt", "All answers in each step"), draw=Draw.BARS),
        _chart(Text("Abgewiesen und Fehler", "Refused, and errors"),
               *_counts(scope, (figures.PLATFORM_REFUSED, colours.ORANGE), (figures.PLATFORM_ERRORS, colours.VERMILLION)),
               help=Text("Antworten 4xx und 5xx je Schritt", "Answers 4xx and 5xx in each step"), draw=Draw.BARS,
               thresholds=False),
        _chart(Text("Antwortzeit", "Answer time"),
               Query(queries.series(figures.PLATFORM_ANSWER_P50, scope, by=("name",)), figures.PLATFORM_ANSWER_P50,
                     legend=Text("$tag_name, Median", "$tag_name, median")),
               Query(queries.series(figures.PLATFORM_ANSWER_P99, scope, by=("name",), of="max"), figures.PLATFORM_ANSWER_P99,
                     legend="$tag_name, 99 %", dashed=True),
               help=Text("Bis eine Antwort begann", "Until an answer began"))))


def _load(scope: Scope) -> Row:
    return Row(Text("Last aller Prozesse", "Load of all processes"), (
        _chart(None, Query(queries.series(figures.PLATFORM_CPU, scope, by=("name",)), figures.PLATFORM_CPU, legend="$tag_name"),
               help=Text("Von einem Kern, Mittel des Schritts.", "Of one core, mean of the step."), width=12),
        _chart(None, _worst(scope, figures.PLATFORM_MEMORY), help=Text("Was der Prozess belegt", "What the process occupies"),
               width=12)))


def _simulator(scope: Scope) -> Row:
    return Row(Text("Simulator", "Simulator"), (
        _chart(None, Query(queries.series(figures.PLATFORM_DEVICES, scope, by=("name",), of="max"), figures.PLATFORM_DEVICES,
                           legend="$tag_name"), draw=Draw.STEPS),
        _chart(Text("Rahmen in der Luft", "Frames on the air"),
               *_counts(scope, (figures.PLATFORM_FRAMES, colours.BLUE), (figures.PLATFORM_LOST, colours.VERMILLION)),
               help=Text("Je Schritt gesendet, davon verloren", "Sent in each step, of these lost"), draw=Draw.BARS),
        _chart(Text("Befehle gehört", "Orders heard"), *_counts(scope, (figures.PLATFORM_ORDERS, colours.GREEN)),
               help=Text("Was Geräte je Schritt empfangen haben", "What devices have received in each step"), draw=Draw.BARS)),
        collapsed=True)
