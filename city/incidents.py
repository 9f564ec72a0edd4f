"""Incidents: alarms with one cause are one thing for a person. What they are made of, how they begin, end and close.

An incident stands while its cause does; then it is over but stays in sight until two whole nights (noon to noon) have gone by
without it: a fault that comes and goes is one incident that counts its returns, not ten. A person may close it earlier.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from city.alarms import NO_FACTS, Alarm, AlarmKind, Severity
from city.ids import AssetId, TenantId
from city.nights import evening_of

GOOD_NIGHTS = 2
MOST_ASSETS = 20_000  # named in one incident; who is only counted is not explained by it
YOUNG = timedelta(minutes=15)  # alarms by a device's own word that come and go with a restart are no incident yet
AFTERMATH = timedelta(hours=2)  # in which what a cause has left behind ends by itself
MOST_NOTE = 1000


class Cause(Enum):
    """What an incident is about; its subject is an asset, a circuit, a gateway or "" for the whole town."""

    ASSET = "asset"
    CIRCUIT_OUT = "circuit_out"
    CIRCUIT_BY_DAY = "circuit_by_day"
    CIRCUIT_DARK = "circuit_dark"
    GATEWAY_DOWN = "gateway_down"
    TOWN_SILENT = "town_silent"


CAUSES = {
    Cause.CIRCUIT_OUT: "Circuit {subject} has no power: {count} lamps fell silent together.",
    Cause.CIRCUIT_BY_DAY: "The lamps of circuit {subject} burn by day: the contactor sticks, or ripple control has failed.",
    Cause.CIRCUIT_DARK: "The lamps of circuit {subject} stay dark at night but answer: its dusk switch or feeder has failed.",
    Cause.GATEWAY_DOWN: "Gateway {subject} is not heard any more: {count} devices that only it hears are silent.",
    Cause.TOWN_SILENT: "Nothing is heard of the whole town: look at the network server, the broker and the gateways.",
}
_RADIO = frozenset({AlarmKind.DEVICE_SILENT, AlarmKind.COMMAND_FAILED})
COVERS: Mapping[Cause, frozenset[AlarmKind]] = {  # alarms that the cause explains, at its assets
    Cause.CIRCUIT_OUT: _RADIO | {AlarmKind.CLOCK_INVALID, AlarmKind.RESTARTS, AlarmKind.DRIVER_SILENT},
    Cause.CIRCUIT_BY_DAY: frozenset({AlarmKind.DAY_BURNER, AlarmKind.DIMMING_FAILURE}),
    Cause.CIRCUIT_DARK: frozenset({AlarmKind.NIGHT_OFF, AlarmKind.LAMP_FAILURE}),
    Cause.GATEWAY_DOWN: _RADIO,
    Cause.TOWN_SILENT: _RADIO,
}
_SEVERITIES = {Cause.CIRCUIT_OUT: Severity.CRITICAL, Cause.CIRCUIT_DARK: Severity.CRITICAL,
               Cause.TOWN_SILENT: Severity.CRITICAL, Cause.GATEWAY_DOWN: Severity.MAJOR, Cause.CIRCUIT_BY_DAY: Severity.WARNING}


class Deed(Enum):
    """What a person may do about an incident."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    NOTE = "note"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did about an incident, for ever: `text` is the note, or to whom it was given."""

    incident: str
    at: datetime
    actor: str
    deed: Deed
    text: str = ""


@dataclass(frozen=True, slots=True)
class Collective:
    """Many assets with one cause, as found now: since when, and the proof."""

    cause: Cause
    subject: str
    assets: tuple[AssetId, ...]
    since: datetime
    facts: Mapping[str, float | str] = field(default_factory=lambda: NO_FACTS, hash=False)


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause from `began_at` until `ended_at` (it is over) and `closed_at` (it has stayed away). `assets`: those it
    concerns, at most MOST_ASSETS of `count`. `kinds`: what is wrong at a single asset, the gravest first. `returned_at`: when it
    last came back, `returns` how often. `merged`: the id of the incident that explains it."""

    id: str
    tenant: TenantId
    cause: Cause
    subject: str
    severity: Severity
    began_at: datetime
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    assets: tuple[AssetId, ...] = ()
    count: int = 1
    kinds: tuple[AlarmKind, ...] = ()
    facts: Mapping[str, float | str] = field(default_factory=lambda: NO_FACTS, hash=False)
    returned_at: datetime | None = None
    returns: int = 0
    merged: str = ""

    @property
    def standing(self) -> bool:
        """Whether its cause is there now."""
        return self.ended_at is None

    @property
    def open(self) -> bool:
        """Whether it is still to be looked at, as far as telemetry tells."""
        return self.closed_at is None

    def explains(self, alarm: Alarm) -> bool:
        """Whether the alarm needs no incident of its own."""
        return alarm.asset in self.assets and alarm.kind in COVERS.get(self.cause, ())


def incident(tenant: TenantId, cause: Cause, subject: str, began_at: datetime, severity: Severity, *,
             assets: tuple[AssetId, ...], kinds: tuple[AlarmKind, ...] = (),
             facts: Mapping[str, float | str] = NO_FACTS) -> Incident:
    """A new incident; its id is a pure function of cause, subject and beginning."""
    name = f"{tenant}|{cause.value}|{subject}|{began_at.isoformat()}"
    return Incident(str(uuid.uuid5(_NAMESPACE, name)), tenant, cause, subject, severity, began_at,
                    assets=assets[:MOST_ASSETS], count=len(assets), kinds=kinds, facts=facts)


def gathered(tenant: TenantId, known: Iterable[Incident], found: Iterable[Collective], alarms: Iterable[Alarm],
             now: datetime) -> tuple[Incident, ...]:
    """The incidents that begin, change, end or close now. `known`: those that are open; `found`: collective causes that
    stand now; `alarms`: all that are open now."""
    before = {(one.cause, one.subject): one for one in known if one.open}
    after = dict(before)
    for one in found:
        after[one.cause, one.subject] = _collective(tenant, before.get((one.cause, one.subject)), one, now)
    standing = {(one.cause, one.subject) for one in found}
    for key, was in before.items():
        if was.cause is not Cause.ASSET and key not in standing and was.standing:
            after[key] = replace(was, ended_at=now)
    _single(tenant, after, alarms, now)
    for key, item in after.items():
        if item.open and item.ended_at is not None and good_nights(item.ended_at, now) >= GOOD_NIGHTS:
            after[key] = replace(item, closed_at=now)
    return tuple(item for key, item in after.items() if item != before.get(key))


def good_nights(since: datetime, now: datetime) -> int:
    """How many whole nights, noon to noon, have gone by since."""
    return max((evening_of(now) - evening_of(since)).days - 1, 0)


def closed(one: Incident, acts: Iterable[Act]) -> bool:
    """Whether nobody needs to look at it: telemetry has closed it, or a person has and it has not come back since."""
    if one.closed_at is not None:
        return True
    ended = max((act.at for act in acts if act.deed is Deed.CLOSE), default=None)
    return ended is not None and (one.returned_at is None or one.returned_at <= ended)


def _single(tenant: TenantId, after: dict[tuple[Cause, str], Incident], alarms: Iterable[Alarm], now: datetime) -> None:
    """One incident for each asset with alarms that nothing else explains."""
    collective = [one for one in after.values() if one.cause is not Cause.ASSET
                  and (one.ended_at is None or now - one.ended_at < AFTERMATH)]
    covered = {(asset, kind): one for one in collective for asset in one.assets for kind in COVERS[one.cause]}
    own: dict[AssetId, list[Alarm]] = {}
    explained: dict[AssetId, Incident] = {}
    for alarm in alarms:
        by = covered.get((alarm.asset, alarm.kind))
        if by is not None:
            explained[alarm.asset] = by
        elif alarm.judged or now - alarm.began_at >= YOUNG or (Cause.ASSET, str(alarm.asset)) in after:
            own.setdefault(alarm.asset, []).append(alarm)
    for asset, mine in own.items():
        key = Cause.ASSET, str(asset)
        after[key] = _asset(tenant, after.get(key), asset, mine, now)
    for key, one in after.items():
        if one.cause is Cause.ASSET and one.standing and AssetId(one.subject) not in own:
            by = explained.get(AssetId(one.subject))
            after[key] = replace(one, ended_at=now) if by is None \
                else replace(one, ended_at=now, closed_at=now, merged=by.id)


def _asset(tenant: TenantId, was: Incident | None, asset: AssetId, alarms: Collection[Alarm], now: datetime) -> Incident:
    gravest = sorted(alarms, key=lambda alarm: (-alarm.severity, alarm.began_at, alarm.kind.value))
    kinds, severity, first = tuple(dict.fromkeys(alarm.kind for alarm in gravest)), gravest[0].severity, gravest[0]
    if was is None:
        began = min(alarm.began_at for alarm in alarms)
        return incident(tenant, Cause.ASSET, str(asset), began, severity, assets=(asset,), kinds=kinds, facts=first.facts)
    return replace(_back(was, now), kinds=kinds, severity=severity, facts=first.facts)


def _back(was: Incident, now: datetime) -> Incident:
    """It stands, again if it had ended."""
    return was if was.standing else replace(was, ended_at=None, returned_at=now, returns=was.returns + 1)


def _collective(tenant: TenantId, was: Incident | None, found: Collective, now: datetime) -> Incident:
    facts = {**found.facts, "count": len(found.assets)}
    if was is None:
        return incident(tenant, found.cause, found.subject, found.since, _SEVERITIES[found.cause], assets=found.assets,
                        facts=facts)
    assets = was.assets if set(found.assets) <= set(was.assets) else tuple(dict.fromkeys((*was.assets, *found.assets)))
    if was.standing and len(assets) == len(was.assets):
        return was
    return replace(_back(was, now), assets=assets[:MOST_ASSETS], count=max(len(assets), was.count),
                   facts={**facts, "count": len(assets)})


_NAMESPACE = uuid.UUID("6d1c2b7e-9c1f-4c0e-9d55-0f1f2b3a4c5d")
