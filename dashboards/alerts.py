"""Alert rules of a town and of the platform, beside the boards that show the same figures. Pure.

Each rule is InfluxQL, reduced and compared by Grafana's own expressions (unified alerting, Grafana 11 to 13). What comes out is
what Grafana's provisioning API takes (POST /api/v1/provisioning/alert-rules); dashboards.provisioning writes the same as files. A
rule names its contact point itself (notification_settings, Grafana ≥ 11), so that the tree of notification policies, which is
people's, is never touched; where a town has no contact point, that tree decides.

Rules are sent without provenance (X-Disable-Provenance): who is woken at night by a rule must be able to pause it in Grafana at
once. A pause stays through `apply`; every other change is shown as a difference and taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from city import figures
from city.grafana import uid
from city.ids import TenantId
from city.quantities import Quantity
from city.store.influxql import name, said, text
from city.store.lines import column
from dashboards.board import Language, Text
from dashboards.console import page
from dashboards.render import Json

GROUP = "stadtfunk"  # the group of all our rules in a folder; Grafana evaluates it each minute
EXPRESSION = "__expr__"
SILENT_STEP_MIN, SILENT_STEPS, BUSY_PER_HOUR, BUSY_DAYS = 15, 3, 12, 2
FRESH_S, UNATTENDED_S, LAG_S = 300, 1800, 300
LETTERS, LETTERS_MIN = 20, 30
COVERAGE = 0.6
FAILED, FAILED_SHARE, FAILED_MIN = 5, 0.1, 30


class Quiet(Enum):
    """What a rule means when its query gives nothing (noDataState) or fails (execErrState)."""

    FINE = "OK"
    KEEP = "KeepLast"
    ALARM = "Alerting"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a rule, and over how many seconds up to now."""

    ref: str
    query: str
    since_s: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule. `name` is its key for ever; `last` is the expression that decides, true for `held`. `figure` and `board`
    say where it can be seen, `page` names the console's page for it ("": none)."""

    name: str
    title: Text
    summary: Text
    figure: Quantity
    board: str
    asked: tuple[Asked, ...]
    reduced: tuple[tuple[str, str, str], ...]  # (ref, of, reducer)
    last: Json
    held: str
    no_data: Quiet
    broken: Quiet
    severity: str = "warning"
    page: str = ""


def town_rules(tenant: TenantId, *, step_s: int = 60) -> tuple[Rule, ...]:
    """A town's rules; `step_s` is influx.figures_s, and with 0 there is only what needs no samples. InfluxDB being down is the
    platform's alert and not one of each town as well (KEEP); where there are no figures of a town there is nothing to be alarmed
    about (FINE), and if there should be some, the platform's rule about lag says so."""
    sampled = (_silent_gateway(tenant, step_s), _unattended(tenant, max(FRESH_S, 3 * step_s)), _failing(tenant)) if step_s else ()
    return (*sampled, _coverage(tenant))


def platform_rules(*, step_s: int = 60) -> tuple[Rule, ...]:
    """The platform's rules; none where it takes no samples of itself."""
    if not step_s:
        return ()
    fresh_s = max(FRESH_S, 3 * step_s)
    return (_letters(),
            # in a step without a message there is no lag to tell of
            _lag("lag-log", figures.PLATFORM_LAG_LOG, fresh_s, Quiet.FINE,
                 Text("Nachrichten kommen zu spät ins lokale Protokoll", "Messages reach the local log late"),
                 Text("Die Brücke {{ $labels.name }} hängt {{ humanizeDuration $values.B.Value }} hinter dem Netzwerkserver.",
                      "Bridge {{ $labels.name }} is {{ humanizeDuration $values.B.Value }} behind the network server.")),
            # nothing from any bridge: this lag is as large as it can be, and this is the rule that has to say so
            _lag("lag-influx", figures.PLATFORM_LAG_INFLUX, fresh_s, Quiet.ALARM,
                 Text("InfluxDB bekommt die Messwerte zu spät", "InfluxDB gets the readings late"),
                 Text("Die Brücke {{ $labels.name }} ist mit dem Senden {{ humanizeDuration $values.B.Value }} zurück, oder "
                      "keine Brücke sendet mehr; siehe „stadtfunk ship status“.",
                      "Bridge {{ $labels.name }} is {{ humanizeDuration $values.B.Value }} behind with sending, or no bridge "
                      "sends any more; see “stadtfunk ship status”.")))


def _silent_gateway(tenant: TenantId, step_s: int) -> Rule:
    measurement, field = column(figures.GATEWAY_UPLINKS)
    # The newest step begins with nothing in it until a sample is there; so a step is three samples long at least, and the rule
    # has to be true for three steps. fill(0): a gateway that says nothing has no points, and would otherwise leave the answer.
    # Only one that heard twelve frames an hour is missed: of fewer, none in 45 minutes is nothing strange.
    minutes = max(SILENT_STEP_MIN, -(-3 * step_s // 60))
    query = (f"SELECT sum({name(field)}) FROM {name(measurement)} WHERE {_of(tenant)} AND $timeFilter "
             f'GROUP BY time({minutes}m), "gateway" fill(0)')
    silence = minutes * SILENT_STEPS
    return Rule(
        "silent-gateway", Text("Gateway schweigt", "Gateway is silent"),
        Text(f"Das Gateway {{{{ $labels.gateway }}}} hat seit mindestens {silence} Minuten kein Gerät dieser Stadt mehr gehört. "
             "Strom und Netzanschluss prüfen.",
             f"Gateway {{{{ $labels.gateway }}}} has not heard a device of this town for at least {silence} minutes. Check its "
             "power and its network."),
        figures.GATEWAY_UPLINKS, "network", (Asked("A", query, BUSY_DAYS * 86_400),), (("B", "A", "last"), ("C", "A", "sum")),
        _math("D", f"$B < 1 && $C >= {BUSY_DAYS * 24 * BUSY_PER_HOUR}"), f"{silence}m", Quiet.FINE, Quiet.KEEP, "critical",
        "alarms")


def _unattended(tenant: TenantId, fresh_s: int) -> Rule:
    return Rule(
        "unattended", Text("Ereignis offen und unbeachtet", "Incident open and unattended"),
        Text("Im Gebiet {{ if $labels.zone }}{{ $labels.zone }}{{ else }}–{{ end }} steht seit "
             "{{ humanizeDuration $values.B.Value }} ein Ereignis, das niemand quittiert hat.",
             "In zone {{ if $labels.zone }}{{ $labels.zone }}{{ else }}–{{ end }} an incident has stood for "
             "{{ humanizeDuration $values.B.Value }} and nobody has acknowledged it."),
        figures.FAULTS_UNATTENDED, "lighting", (Asked("A", _newest(figures.FAULTS_UNATTENDED, _of(tenant), "zone"), fresh_s),),
        # no value is the good case: nothing stands unattended
        (("B", "A", "last"),), _threshold("C", "B", "gt", UNATTENDED_S), "0s", Quiet.FINE, Quiet.KEEP, "critical",
        "alarms")


def _coverage(tenant: TenantId) -> Rule:
    measurement, unknown = column(figures.PARKING_UNKNOWN)
    capacity = column(figures.PARKING_CAPACITY)[1]
    # of all bays of the zone, under whatever restriction: a mean of the parts' coverages would weigh three bays like thirty
    query = (f"SELECT 1 - sum({name(unknown)}) / sum({name(capacity)}) FROM {name(measurement)} WHERE {_of(tenant)} AND "
             '$timeFilter GROUP BY time(15m), "zone" fill(none)')
    return Rule(
        "coverage", Text("Parkzone kaum noch erfasst", "Parking zone hardly known"),
        Text("In der Zone {{ $labels.zone }} sind nur noch {{ humanizePercentage $values.B.Value }} der Stellplätze bekannt; die "
             "Bürgerseite zeigt keine Zahl mehr.",
             "In zone {{ $labels.zone }} only {{ humanizePercentage $values.B.Value }} of the bays are known; residents see no "
             "number any more."),
        figures.PARKING_COVERAGE, "parking", (Asked("A", query, 5400),), (("B", "A", "last"),),
        _threshold("C", "B", "lt", COVERAGE), "30m", Quiet.FINE, Quiet.KEEP, page="staff-sensors")


def _failing(tenant: TenantId) -> Rule:
    asked = tuple(Asked(ref, _sum(quantity, _of(tenant), "zone"), FAILED_MIN * 60)
                  for ref, quantity in (("A", figures.CONTROL_FAILED), ("B", figures.CONTROL_APPLIED)))
    return Rule(
        "failing", Text("Befehle scheitern", "Commands fail"),
        Text(f"Im Gebiet {{{{ $labels.zone }}}} sind in {FAILED_MIN} Minuten {{{{ humanize $values.C.Value }}}} Befehle "
             "gescheitert, mehr als jeder zehnte.",
             f"In zone {{{{ $labels.zone }}}} {{{{ humanize $values.C.Value }}}} commands have failed within {FAILED_MIN} "
             "minutes, more than one in ten."),
        figures.CONTROL_FAILED, "lighting", asked, (("C", "A", "sum"), ("D", "B", "sum")),
        _math("E", f"$C >= {FAILED} && $C > {FAILED_SHARE} * ($C + $D)"), "0s", Quiet.FINE, Quiet.KEEP,
        page="overrides")


def _letters() -> Rule:
    return Rule(
        "dead-letters", Text("Unzustellbare Nachrichten häufen sich", "Dead letters are piling up"),
        Text(f"{{{{ humanize $values.B.Value }}}} Nachrichten in {LETTERS_MIN} Minuten waren nicht lesbar "
             "({{ $labels.reason }}); siehe „stadtfunk letters list“.",
             f"{{{{ humanize $values.B.Value }}}} messages within {LETTERS_MIN} minutes could not be read "
             "({{ $labels.reason }}); see “stadtfunk letters list”."),
        figures.LETTERS_COUNT, "platform", (Asked("A", _sum(figures.LETTERS_COUNT, "", "reason"), LETTERS_MIN * 60),),
        # no dead letters, no points: the good case
        (("B", "A", "sum"),), _threshold("C", "B", "gt", LETTERS), "0s", Quiet.FINE, Quiet.ERROR)


def _lag(key: str, figure: Quantity, fresh_s: int, no_data: Quiet, title: Text, summary: Text) -> Rule:
    process = f"{name('process')} = {text('bridge')}"
    return Rule(key, title, summary, figure, "platform", (Asked("A", _newest(figure, process, "name"), fresh_s),),
                (("B", "A", "last"),), _threshold("C", "B", "gt", LAG_S), "2m", no_data, Quiet.ERROR, "critical")


def rule_json(rule: Rule, *, tenant: TenantId | None, language: Language, source: str, panel: int | None, console: str,
              contact: str) -> Json:
    """The rule as Grafana's provisioning API has it. `source` is the UID of its data source, `panel` the panel of its board that
    shows the figure (None: there is none, and so no link), `console` the platform's own address ("" : no link), `contact` the
    name of a contact point ("": the notification policies decide)."""
    annotations = {"summary": rule.summary(language)}
    if panel is not None:  # Grafana wants both or none
        annotations |= {"__dashboardUid__": uid(tenant, rule.board), "__panelId__": str(panel)}
    if console and tenant is not None and rule.page:
        [link] = page(console, rule.page, rule.title, tenant)
        annotations["runbook_url"] = link.url(language)
    return {
        "uid": uid(tenant, rule.name),
        "title": rule.title(language),
        "ruleGroup": GROUP,
        "folderUID": uid(tenant, "folder"),
        "condition": rule.last["refId"],
        "data": [*(_asked(one, source) for one in rule.asked), *(_reduce(*one) for one in rule.reduced), _wrapped(rule.last)],
        "noDataState": rule.no_data.value,
        "execErrState": rule.broken.value,
        "for": rule.held,
        "annotations": annotations,
        "labels": {"made_by": "stadtfunk", "town": str(tenant or "platform"), "severity": rule.severity},
        "isPaused": False,
        "notification_settings": {"receiver": contact} if contact else None,
    }


def panel_of(dashboard: Json, figure: Quantity) -> int | None:
    """The id of the first panel of a dashboard that asks for the figure."""
    measurement, field = map(name, column(figure))
    return next((panel["id"] for panel in _panels(dashboard.get("panels", ()))
                 if any(measurement in query and field in query
                        for target in panel.get("targets", ()) if (query := target.get("query", "")))), None)


def _panels(panels: Sequence[Json]) -> Sequence[Json]:
    return [inner for panel in panels for inner in (panel, *panel.get("panels", ()))]


def _of(tenant: TenantId) -> str:
    return f"{name('tenant')} = {text(said(tenant))}"


def _newest(quantity: Quantity, where: str, by: str) -> str:
    measurement, field = column(quantity)
    return (f"SELECT max({name(field)}) FROM {name(measurement)} WHERE {where} AND $timeFilter "
            f"GROUP BY time(1m), {name(by)} fill(none)")


def _sum(quantity: Quantity, where: str, by: str) -> str:
    measurement, field = column(quantity)
    both = f"{where} AND $timeFilter" if where else "$timeFilter"
    return f"SELECT sum({name(field)}) FROM {name(measurement)} WHERE {both} GROUP BY {name(by)}"


def _asked(asked: Asked, source: str) -> Json:
    # intervalMs and maxDataPoints are what Grafana fills in where they are missing; said here, so that nothing seems to differ
    return {"refId": asked.ref, "queryType": "", "relativeTimeRange": {"from": asked.since_s, "to": 0}, "datasourceUid": source,
            "model": {"refId": asked.ref, "datasource": {"type": "influxdb", "uid": source}, "rawQuery": True,
                      "query": asked.query, "resultFormat": "time_series", "intervalMs": 60_000, "maxDataPoints": 43_200}}


def _reduce(ref: str, of: str, reducer: str) -> Json:
    return _wrapped({"refId": ref, "type": "reduce", "expression": of, "reducer": reducer, "settings": {"mode": "dropNN"}})


def _threshold(ref: str, of: str, kind: str, limit: float) -> Json:
    return {"refId": ref, "type": "threshold", "expression": of,
            "conditions": [{"type": "query", "evaluator": {"type": kind, "params": [limit]}, "operator": {"type": "and"},
                            "query": {"params": [of]}, "reducer": {"type": "last", "params": []}}]}


def _math(ref: str, expression: str) -> Json:
    return {"refId": ref, "type": "math", "expression": expression}


def _wrapped(model: Json) -> Json:
    return {"refId": model["refId"], "queryType": "", "relativeTimeRange": {"from": 0, "to": 0}, "datasourceUid": EXPRESSION,
            "model": {**model, "datasource": {"type": EXPRESSION, "uid": EXPRESSION}, "intervalMs": 1000,
                      "maxDataPoints": 43_200}}
