"""What several boards have in common: names, links between them, variables, annotations."""

from city.grafana import uid
from city.ids import TenantId
from dashboards import colours, queries
from dashboards.board import Annotation, Link, Source, Text, Variable
from dashboards.queries import Scope

NAMES = {
    "lighting": Text("Betrieb Beleuchtung", "Lighting operations"),
    "energy": Text("Energie", "Energy"),
    "parking": Text("Parken", "Parking"),
    "network": Text("Funknetz", "Radio network"),
    "device": Text("Gerät", "Device"),
}
FIGURES_STEP = "5m"  # about as often as figures are sampled: influx.figures_s
LEVEL_STEP = "15m"  # about as often as lamps report; shorter steps would be mostly empty
LATELY = "1h"  # as far back as a newest sample is looked for: what is older is no state of now
LONG_TERM = Text("Langfristig", "Long term")
HOURS_BACK, DAYS_BACK = "90d", "2y"


def siblings(tenant: TenantId, own: str) -> tuple[Link, ...]:
    """Links to the town's other boards."""
    return tuple(Link(title, Text(path, path)) for name, title in NAMES.items() if name != own
                 for path in [f"/d/{uid(tenant, name)}"])


def to_device(tenant: TenantId, asset: str, *, variable: str = "asset") -> Link:
    """To the board of one device; `asset` is Grafana's word for it."""
    path = f"/d/{uid(tenant, 'device')}?var-{variable}={asset}&${{__url_time_range}}"
    return Link(Text("Gerät im Einzelnen", "This device"), Text(path, path))


def zones(scope: Scope, measurement: str, *, source: Source = Source.RAW) -> Variable:
    """$zone: the zones of which a measurement tells."""
    return Variable.asked("zone", Text("Gebiet", "Zone"), queries.choices(measurement, scope, tag="zone"), source=source)


def circuits(scope: Scope, measurement: str) -> Variable:
    """$circuit: the circuits of the chosen zones."""
    return Variable.asked("circuit", Text("Stromkreis", "Circuit"), queries.choices(measurement, scope, tag="circuit"))


def events(tenant: TenantId) -> tuple[Annotation, ...]:
    """Overrides, changes of programs, and incidents, each from its beginning to its end; what still stands as its beginning."""
    return (_event(tenant, "override", Text("Eingriffe", "Overrides"), colours.BLUE),
            _event(tenant, "program", Text("Programme geändert", "Programs changed"), colours.PURPLE),
            _event(tenant, "incident", Text("Ereignisse", "Incidents"), colours.VERMILLION))


def _event(tenant: TenantId, kind: str, title: Text, colour: str) -> Annotation:
    scope = Scope(tenant, fixed={"kind": kind})
    de, en = (queries.rows("event", {language: "text", "until": "until"}, scope, most=200) for language in ("de", "en"))
    return Annotation(title, Text(de, en), colour)
