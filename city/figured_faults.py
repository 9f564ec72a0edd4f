"""Alarms and incidents as figures, devices by whether they are heard, and parking sensors by what can be trusted. Pure.

Of bays only counts are told, and of no zone with fewer than `least_bays` of them: when a bay's sensor speaks says when a car
came, and InfluxDB keeps it for years. So incidents at single bays are not told at all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from city import figured_text
from city.alarms import Alarm, AlarmKind, Severity
from city.bays import Occupancy, Why
from city.figured import MS_NS, Figure, Ground, apart_ns, ms
from city.figures import (
    EVENT_DE,
    EVENT_EN,
    EVENT_ENDS,
    EVENT_ID,
    EVENT_UNTIL,
    FAULTS_CRITICAL,
    FAULTS_INCIDENTS,
    FAULTS_MAJOR,
    FAULTS_OPEN,
    FAULTS_UNATTENDED,
    FLEET_DEVICES,
    FLEET_HEARD,
    FLEET_NEVER,
    FLEET_SILENT,
    INCIDENT_COUNT,
    INCIDENT_DE,
    INCIDENT_EN,
    INCIDENT_ENDED,
    INCIDENT_ID,
    INCIDENT_SEVERITY,
    INCIDENT_STATE,
    INCIDENT_SUBJECT,
    SENSORS_BAYS,
    SENSORS_BLOCKED,
    SENSORS_FAULTY,
    SENSORS_KNOWN,
    SENSORS_STALE,
    SENSORS_SUSPECT,
)
from city.glance import Heard
from city.ids import AssetId, DevEui, ZoneId
from city.incidents import Act, Cause, Deed, Incident, closed
from city.parking_facts import BayFact
from city.readings import to_ns

HOUR, UNKNOWN_HEARTBEAT = timedelta(hours=1), timedelta(hours=24)
_STALE = {Why.SILENT.value, Why.GONE.value, Why.UNHEARD.value}
_SUSPECT = {Why.FLAPPING.value, Why.SUSPECT.value}
_KNOWN = {Occupancy.FREE.value, Occupancy.OCCUPIED.value}


class FaultBook:
    """What is known of a town's alarms and incidents."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}  # that stand
        self._incidents: dict[str, Incident] = {}  # that are open
        self._acts: dict[str, list[Act]] = {}  # about these
        self._untold: dict[str, Incident] = {}

    def learn(self, alarms: Iterable[Alarm], incidents: Iterable[Incident], acts: Iterable[Act]) -> None:
        """They as they are now; acts that were not told before."""
        for alarm in alarms:
            if alarm.open:
                self._alarms[alarm.id] = alarm
            else:
                self._alarms.pop(alarm.id, None)
        for one in incidents:
            self._untold[one.id] = one
            if one.open:
                self._incidents[one.id] = one
            else:
                self._incidents.pop(one.id, None)
        for act in acts:
            known = self._incidents.get(act.incident)
            if known is not None and act not in (mine := self._acts.setdefault(act.incident, [])):
                mine.append(act)
                self._untold.setdefault(act.incident, known)
        for gone in self._acts.keys() - self._incidents.keys():
            del self._acts[gone]

    def silent(self) -> set[AssetId]:
        """Assets whose device has an alarm for its silence."""
        return {alarm.asset for alarm in self._alarms.values() if alarm.kind is AlarmKind.DEVICE_SILENT}

    def incidents(self, ground: Ground) -> Iterator[Figure]:
        """The points of those that have changed; asked for once more, there are none."""
        for one in self._untold.values():
            yield from incident_figures(one, self._acts.get(one.id, ()), ground)
        self._untold.clear()

    def standing(self, at: datetime, ground: Ground) -> Iterator[Figure]:
        """What stands in each zone, and without a zone what no single one has, dated `at`, the beginning of the step."""
        zones: list[str] = ["", *sorted({*ground.lamp_zones, *ground.bay_zone_of.values()})]
        alarms: dict[str, list[Severity]] = {}
        for alarm in self._alarms.values():
            zone = ground.zone_of.get(alarm.asset) or ground.bay_zone_of.get(alarm.asset)
            if zone is not None:
                alarms.setdefault(zone, []).append(alarm.severity)
        incidents: dict[str, list[Incident]] = {}
        for one in self._incidents.values():
            if one.standing and not one.merged and not closed(one, self._acts.get(one.id, ())):
                where = _zone(one, ground)
                if where is not None:
                    incidents.setdefault(where, []).append(one)
        for name in zones:
            graves, mine = alarms.get(name, []), incidents.get(name, [])
            waiting = [one.returned_at or one.began_at for one in mine if not self._seen(one)]
            yield Figure("faults", {"zone": name}, {
                FAULTS_OPEN: len(graves), FAULTS_CRITICAL: graves.count(Severity.CRITICAL),
                FAULTS_MAJOR: graves.count(Severity.MAJOR), FAULTS_INCIDENTS: len(mine),
                FAULTS_UNATTENDED: max((at - min(waiting)).total_seconds(), 0.0) if waiting else None}, to_ns(at))

    def _seen(self, one: Incident) -> bool:
        return any(act.deed in (Deed.ACKNOWLEDGE, Deed.CLOSE) and (one.returned_at is None or act.at >= one.returned_at)
                   for act in self._acts.get(one.id, ()))


def incident_figures(one: Incident, acts: Collection[Act], ground: Ground) -> Iterator[Figure]:
    """An incident's point, and its event: none of single bays. Of one that has come back InfluxDB still has the former end."""
    if one.cause is Cause.ASSET and AssetId(one.subject) not in ground.lamp:
        return
    lamp = ground.lamp.get(AssetId(one.subject)) if one.cause is Cause.ASSET else None
    german, english = figured_text.of_incident(one, (lamp.name if lamp else "") or one.subject)
    zone, circuit = ground.common(one.assets)
    state = "merged" if one.merged else "closed" if closed(one, acts) else "standing" if one.standing else "over"
    at_ns = apart_ns(one.began_at, one.id)
    yield Figure("incident", {"cause": one.cause.value, "zone": zone, "circuit": circuit}, {
        INCIDENT_ID: one.id, INCIDENT_SUBJECT: one.subject, INCIDENT_SEVERITY: one.severity.name.lower(),
        INCIDENT_STATE: state, INCIDENT_ENDED: ms(one.ended_at), INCIDENT_COUNT: one.count, INCIDENT_DE: german,
        INCIDENT_EN: english}, at_ns)
    yield Figure("event", {"kind": "incident", "zone": zone}, {
        EVENT_ID: one.id, EVENT_DE: german, EVENT_EN: english, EVENT_ENDS: ms(one.ended_at),
        EVENT_UNTIL: max(ms(one.ended_at) or 0, at_ns // MS_NS)}, at_ns)


def fleet(ground: Ground, heard: Mapping[DevEui, Heard], silent: Collection[AssetId], at: datetime) -> Iterator[Figure]:
    """Devices of each zone and kind, dated `at`, the beginning of the step. One is silent, as in the console, where an alarm says
    so or nothing was heard for twice its heartbeat and an hour."""
    least = {model: to_ns(at - beat - beat - HOUR) for model, beat in ground.heartbeats.items()}
    unknown = to_ns(at - UNKNOWN_HEARTBEAT - UNKNOWN_HEARTBEAT - HOUR)
    counts: dict[tuple[str, str], list[int]] = {}
    for device in ground.devices:
        zone = ground.zone_of.get(device.asset)
        kind = "lamp" if zone is not None else "bay"
        zone = zone or ground.bay_zone_of.get(device.asset)
        if zone is None:
            continue
        mine = counts.setdefault((zone, kind), [0, 0, 0])
        said = heard.get(device.dev_eui)
        if said is None or not said.at_ns:
            mine[2] += 1
        elif device.asset in silent or said.at_ns < least.get(device.model, unknown):
            mine[1] += 1
        else:
            mine[0] += 1
    for (zone_id, kind), (lately, quiet, never) in sorted(counts.items()):
        yield Figure("fleet", {"zone": zone_id, "kind": kind}, {
            FLEET_DEVICES: lately + quiet + never, FLEET_HEARD: lately, FLEET_SILENT: quiet, FLEET_NEVER: never}, to_ns(at))


def sensors(ground: Ground, facts: Mapping[AssetId, BayFact], blocked: Collection[AssetId], at: datetime) -> Iterator[Figure]:
    """Parking sensors of each zone, dated `at`, the beginning of the step. `blocked`: bays that the staff has blocked."""
    zones: dict[ZoneId, list[AssetId]] = {}
    for bay, zone in ground.bay_zone_of.items():
        zones.setdefault(zone, []).append(bay)
    for zone, bays in sorted(zones.items()):
        mine = [facts[bay] for bay in bays if bay in facts]
        yield Figure("sensors", {"zone": zone}, {
            SENSORS_BAYS: len(bays), SENSORS_KNOWN: sum(one.occupancy in _KNOWN and one.bay not in blocked for one in mine),
            SENSORS_STALE: sum(one.why in _STALE for one in mine), SENSORS_SUSPECT: sum(one.why in _SUSPECT for one in mine),
            SENSORS_FAULTY: sum(one.why == Why.FAULT.value or bool(one.start_fault) for one in mine),
            SENSORS_BLOCKED: sum(bay in blocked for bay in bays)}, to_ns(at))


def _zone(one: Incident, ground: Ground) -> str | None:
    """Where an incident counts; None where it is at a bay that nothing is told of."""
    if one.cause is Cause.ASSET and AssetId(one.subject) not in ground.lamp:
        return ground.bay_zone_of.get(AssetId(one.subject))
    return ground.common(one.assets)[0]
