"""The table of every figure: what the platform itself knows and sends to InfluxDB beside the readings, for Grafana's boards.

A figure is a Quantity, named `<measurement>.<field>` like those of devices, but it is no device's: its tags are those that stand
with its measurement. Figures are samples or books of the city database (docs/dashboards.md), never the source of anything.

    sampled   every influx.figures_s seconds, dated at the beginning of its step: sampling a step twice changes nothing
    booked    one point for each thing there is, dated when the thing began: a change overwrites it
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from city.quantities import Kind, Quantity

F, N, B, T = Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TEXT


@dataclass(frozen=True, slots=True)
class Sheet:
    """A measurement of figures: the tags that each of its points has (empty ones are left out), and what a point is."""

    tags: tuple[str, ...]
    help: str


SHEETS: Mapping[str, Sheet] = MappingProxyType({
    "control": Sheet(("tenant", "zone"), "commands to lamps, sampled: how many are under way, and how many ended in the step"),
    "override": Sheet(("tenant", "zone"), "one point for each override and zone, dated when it was made"),
    "incident": Sheet(("tenant", "cause", "zone", "circuit"), "one point for each incident, dated when it began; zone and circuit"
                      " of its assets where they have one in common"),
    "faults": Sheet(("tenant", "zone"), "alarms and incidents that stand, sampled"),
    "event": Sheet(("tenant", "kind", "zone"), "drawn into charts: kind override, program or incident, dated when it began"),
    "fleet": Sheet(("tenant", "zone", "kind"), "devices by whether they are heard, sampled; kind lamp or bay"),
    "energy": Sheet(("tenant", "zone", "circuit"), "one point for each night (dated at the noon it begins), zone and circuit"),
    "parking": Sheet(("tenant", "zone", "restriction"), "zones' quarters of an hour (city.store.quarter_lines)"),
    "sensors": Sheet(("tenant", "zone"), "parking sensors by what can be trusted, sampled"),
    "gateway": Sheet(("tenant", "gateway", "bridge"), "what each gateway heard of a town's devices in the step; bridge only "
                     "where several share the work"),
    "platform": Sheet(("process", "name"), "one process of the platform in the step: bridge, api or simulator; no town's"),
    "letters": Sheet(("process", "name", "reason"), "dead letters in the step by their reason; no town's"),
})

_TABLE: dict[str, Quantity] = {}


def _row(name: str, unit: str, kind: Kind, help: str, low: float | None = 0, high: float | None = None, *,
         warn: float | None = None, bad: float | None = None) -> Quantity:
    if name in _TABLE or name.partition(".")[0] not in SHEETS:
        raise ValueError(f"figure {name} stands in the table twice, or on no sheet")
    found = _TABLE[name] = Quantity(name, unit, kind, help, low, high, warn=warn, bad=bad)
    return found


CONTROL_PLANNED = _row("control.planned", "", N, "commands that wait to be sent")
CONTROL_SENT = _row("control.sent", "", N, "commands that the network server has")
CONTROL_SCHEDULED = _row("control.scheduled", "", N, "commands that a gateway has sent")
CONTROL_ACKED = _row("control.acked", "", N, "commands that the device has repeated, not yet obeyed")
CONTROL_OUTSTANDING = _row("control.outstanding", "", N, "all commands that are under way")
CONTROL_OLDEST = _row("control.oldest", "s", F, "age of the oldest command under way; none: no value", warn=900, bad=3600)
CONTROL_WANTED = _row("control.wanted", "%", F, "level that the zone's lamps with a controller should burn at, mean", 0, 100)
CONTROL_APPLIED = _row("control.applied", "", N, "commands that were confirmed in the step by the device's own report")
CONTROL_FAILED = _row("control.failed", "", N, "commands that failed in the step", warn=1)
CONTROL_EXPIRED = _row("control.expired", "", N, "commands that outlived their purpose in the step")
CONTROL_SUPERSEDED = _row("control.superseded", "", N, "commands that a newer order replaced in the step")

OVERRIDE_ID = _row("override.id", "", T, "the override's id")
OVERRIDE_LEVEL = _row("override.level", "%", F, "the level that is wished for; no value: as programmed", 0, 100)
OVERRIDE_BEGINS = _row("override.begins", "ms", N, "when it begins, ms since 1970")
OVERRIDE_UNTIL = _row("override.until", "ms", N, "when it ends or has ended, ms since 1970")
OVERRIDE_LAMPS = _row("override.lamps", "", N, "lamps of the zone that it concerns")
OVERRIDE_CONFIRMED = _row("override.confirmed", "", N, "of these, lamps whose own report says the wished level")
OVERRIDE_WAITING = _row("override.waiting", "", N, "of these, lamps with a command under way")
OVERRIDE_FAILED = _row("override.failed", "", N, "of these, lamps whose command failed or expired")
OVERRIDE_STATE = _row("override.state", "", T, "pending (a second person is needed), coming, active, over")

INCIDENT_ID = _row("incident.id", "", T, "the incident's id")
INCIDENT_SUBJECT = _row("incident.subject", "", T, "the circuit, gateway or asset that it is about")
INCIDENT_SEVERITY = _row("incident.severity", "", T, "critical, major, warning or info")
INCIDENT_STATE = _row("incident.state", "", T, "standing, over, closed or merged")
INCIDENT_ENDED = _row("incident.ended", "ms", N, "when its cause went away, ms since 1970; no value while it stands")
INCIDENT_COUNT = _row("incident.count", "", N, "assets that it concerns")
INCIDENT_DE = _row("incident.de", "", T, "what it is, in German")
INCIDENT_EN = _row("incident.en", "", T, "what it is, in English")

FAULTS_OPEN = _row("faults.open", "", N, "alarms that stand", warn=1)
FAULTS_CRITICAL = _row("faults.critical", "", N, "of these, critical ones", bad=1)
FAULTS_MAJOR = _row("faults.major", "", N, "of these, major ones", warn=1)
FAULTS_INCIDENTS = _row("faults.incidents", "", N, "incidents that stand", warn=1)
FAULTS_UNATTENDED = _row("faults.unattended", "s", F, "age of the oldest standing incident that nobody has acknowledged",
                         warn=900, bad=1800)

EVENT_ID = _row("event.id", "", T, "id of the override, program or incident")
EVENT_DE = _row("event.de", "", T, "what happened, in German")
EVENT_EN = _row("event.en", "", T, "what happened, in English")
EVENT_UNTIL = _row("event.until", "ms", N, "to where it is drawn, ms since 1970: its end, while that is open its beginning")
EVENT_ENDS = _row("event.ends", "ms", N, "when it ends or has ended, ms since 1970; no value while that is open")

FLEET_DEVICES = _row("fleet.devices", "", N, "devices in the registry")
FLEET_HEARD = _row("fleet.heard", "", N, "devices that have been heard as lately as they should")
FLEET_SILENT = _row("fleet.silent", "", N, "devices that have been heard, but not lately", warn=1)
FLEET_NEVER = _row("fleet.never", "", N, "devices that have never been heard")

ENERGY_USED = _row("energy.used", "W.h", F, "energy of the night: metered and estimated")
ENERGY_METERED = _row("energy.metered", "W.h", F, "of this, metered")
ENERGY_ESTIMATED = _row("energy.estimated", "W.h", F, "of this, estimated from power or level")
ENERGY_UNDIMMED = _row("energy.undimmed", "W.h", F, "what the same hours would have taken at 100 %")
ENERGY_EXPECTED = _row("energy.expected", "W.h", F, "what the programmed night should have taken; no value: not known")
ENERGY_OVER = _row("energy.over", "", B, "the night is over: before, what was used and what was expected are not the same hours")
ENERGY_CO2 = _row("energy.co2", "kg", F, "CO2 of the energy used, by the factor that holds")
ENERGY_CO2_SAVED = _row("energy.co2_saved", "kg", F, "CO2 that dimming saved", None)
ENERGY_COST = _row("energy.cost", "EUR", F, "cost of the energy used, by the price that holds")
ENERGY_BURN = _row("energy.burn", "s", F, "time of burning, all lamps together")
ENERGY_MISSING = _row("energy.missing", "s", F, "time of which nothing is known, all lamps together")
ENERGY_LAMPS = _row("energy.lamps", "", N, "lamps in the sum")

PARKING_FREE = _row("parking.free", "", F, "free bays, mean of the quarter of an hour")
PARKING_TAKEN = _row("parking.taken", "", F, "taken bays, mean of the quarter of an hour")
PARKING_UNKNOWN = _row("parking.unknown", "", F, "bays of which nothing is known, mean of the quarter of an hour")
PARKING_CAPACITY = _row("parking.capacity", "", N, "bays that are counted")
PARKING_COVERAGE = _row("parking.coverage", "1", F, "share of the time of all bays in which they were known", 0, 1,
                        warn=0.9, bad=0.6)
PARKING_ARRIVALS = _row("parking.arrivals", "", N, "stays that began in the quarter of an hour")
PARKING_DEPARTURES = _row("parking.departures", "", N, "stays that ended in the quarter of an hour")

SENSORS_BAYS = _row("sensors.bays", "", N, "bays with a sensor")
SENSORS_KNOWN = _row("sensors.known", "", N, "bays whose state is known now")
SENSORS_STALE = _row("sensors.stale", "", N, "sensors that have been silent for too long", warn=1)
SENSORS_SUSPECT = _row("sensors.suspect", "", N, "sensors that flap or seem to be stuck", warn=1)
SENSORS_FAULTY = _row("sensors.faulty", "", N, "sensors that report a fault, start up or are covered", warn=1)
SENSORS_BLOCKED = _row("sensors.blocked", "", N, "bays that staff have blocked")

GATEWAY_UPLINKS = _row("gateway.uplinks", "", N, "frames that the gateway heard in the step")
GATEWAY_BEST = _row("gateway.best", "", N, "of these, frames that it heard best")
GATEWAY_RSSI = _row("gateway.rssi", "dB[mW]", F, "mean strength of what it heard", -200, 10, warn=-115, bad=-125)
GATEWAY_SNR = _row("gateway.snr", "dB", F, "mean signal-to-noise ratio of what it heard", -40, 40, warn=-7.5, bad=-15)
GATEWAY_SF = {sf: _row(f"gateway.sf{sf}", "", N, f"frames with spreading factor {sf}") for sf in range(7, 13)}
GATEWAY_MISSED = _row("gateway.missed", "", N, "frames missing by the counters of devices that it hears best")
GATEWAY_DUTY = _row("gateway.duty", "%", F, "of the time on air that the law allows it in an hour, what our commands have used; "
                    "the fullest sub-band", warn=70, bad=90)

PLATFORM_RECEIVED = _row("platform.received", "", N, "bridge: events received in the step")
PLATFORM_STORED = _row("platform.stored", "", N, "bridge: events kept in the step")
PLATFORM_DUPLICATES = _row("platform.duplicates", "", N, "bridge: events that were there already, in the step")
PLATFORM_LETTERS = _row("platform.letters", "", N, "bridge: dead letters in the step", warn=1)
PLATFORM_QUEUED = _row("platform.queued", "", N, "bridge: events that wait to be stored")
PLATFORM_LAG_LOG = _row("platform.lag_log", "s", F, "bridge: from the network server's hearing to the local log, newest batch",
                        warn=60, bad=300)
PLATFORM_LAG_INFLUX = _row("platform.lag_influx", "s", F, "bridge: age of the oldest entry that InfluxDB has not got",
                           warn=60, bad=300)
PLATFORM_WAITING = _row("platform.waiting", "", N, "bridge: entries that InfluxDB has not got")
PLATFORM_ACK_P50 = _row("platform.ack_p50", "ms", F, "bridge: from receipt to acknowledgement, median of the step")
PLATFORM_ACK_P99 = _row("platform.ack_p99", "ms", F, "bridge: from receipt to acknowledgement, 99 of 100 of the step",
                        warn=1000, bad=5000)
PLATFORM_STEERS = _row("platform.steers", "", N, "bridge: 1 while it is the one that steers", 0, 1)
PLATFORM_REQUESTS = _row("platform.requests", "", N, "API: answers in the step")
PLATFORM_REFUSED = _row("platform.refused", "", N, "API: answers 4xx in the step")
PLATFORM_ERRORS = _row("platform.errors", "", N, "API: answers 5xx in the step", warn=1)
PLATFORM_ANSWER_P50 = _row("platform.answer_p50", "ms", F, "API: time until an answer began, median of the step")
PLATFORM_ANSWER_P99 = _row("platform.answer_p99", "ms", F, "API: time until an answer began, 99 of 100 of the step",
                           warn=1000, bad=5000)
PLATFORM_DEVICES = _row("platform.devices", "", N, "simulator: devices that it plays")
PLATFORM_FRAMES = _row("platform.frames", "", N, "simulator: uplinks that its devices sent in the step")
PLATFORM_LOST = _row("platform.lost", "", N, "simulator: of these, lost on the air")
PLATFORM_ORDERS = _row("platform.orders", "", N, "simulator: downlinks that its devices heard in the step")
PLATFORM_CPU = _row("platform.cpu", "%", F, "of one core, mean of the step", warn=80)
PLATFORM_MEMORY = _row("platform.memory", "MB", F, "resident memory")

LETTERS_COUNT = _row("letters.count", "", N, "dead letters in the step", warn=1)

del F, N, B, T


def figures() -> Iterator[Quantity]:
    """All rows in the order of the table."""
    return iter(_TABLE.values())


def figure(name: str) -> Quantity:
    """The row of that name. Raises KeyError."""
    return _TABLE[name]
