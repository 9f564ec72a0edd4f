"""Incidents as people see them: with what has been done about them, and where their subject has its page."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from city.alarms import Alarm, AlarmKind, Severity
from city.errors import NotFound
from city.ids import AssetId
from city.incidents import COVERS, Act, Cause, Deed, Incident, closed, incident
from city.places import Asset
from city.store.ports import TenantStore

MOST = 200  # shown at once
SEEN = (Deed.ACKNOWLEDGE, Deed.ASSIGN)


class Standing(Enum):
    """Where an incident is on its way: nobody has seen it, somebody has, its cause is gone and it is watched, closed."""

    NEW = "new"
    SEEN = "seen"
    OVER = "over"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident and what people did about it. `asset`: what it concerns, where it is a single one that the town has.
    `model`: that of its device, where its own script is the trouble. `loose`: the bridge has not made one of these alarms
    yet, which it does within five minutes."""

    incident: Incident
    acts: Sequence[Act]
    asset: Asset | None = None
    alarms: Sequence[Alarm] = ()
    model: str = ""
    loose: bool = False

    @property
    def name(self) -> str:
        """What people call its subject."""
        return self.asset.name or self.incident.subject if self.asset is not None else self.incident.subject

    @property
    def standing(self) -> Standing:
        if closed(self.incident, self.acts):
            return Standing.CLOSED
        if not self.incident.standing:
            return Standing.OVER
        return Standing.SEEN if self.seen is not None else Standing.NEW

    @property
    def seen(self) -> tuple[str, datetime] | None:
        """Who has seen it first since it last came back, or one of its alarms, and when."""
        back = self.incident.returned_at
        acts = [(act.actor, act.at) for act in self.acts if act.deed in SEEN and (back is None or act.at >= back)]
        alarms = [(alarm.acknowledged_by, alarm.acknowledged_at) for alarm in self.alarms
                  if alarm.open and alarm.acknowledged_at is not None]
        return min((*acts, *alarms), key=lambda item: item[1], default=None)

    @property
    def assignee(self) -> str:
        """Whom it was given to last."""
        return next((act.text for act in reversed(self.acts) if act.deed is Deed.ASSIGN), "")

    @property
    def since(self) -> datetime:
        """Since when it stands, or stood."""
        return self.incident.returned_at or self.incident.began_at

    @property
    def suppressed(self) -> int:
        """How many single alarms it stands for."""
        return 0 if self.incident.cause is Cause.ASSET else self.incident.count


def inbox(town: TenantStore, *, severity: Severity | None = None, show_closed: bool = False,
          limit: int = 2000) -> list[IncidentView]:
    """The town's incidents: what nobody has seen first, then the gravest, then the newest."""
    incidents = town.incidents(open_only=not show_closed, limit=limit)
    views = _views(town, incidents, () if show_closed else town.alarms(limit=limit))
    wanted = [view for view in views if (view.standing is Standing.CLOSED) is show_closed
              and (severity is None or view.incident.severity >= severity)]
    if show_closed:
        return sorted(wanted, key=lambda view: view.since, reverse=True)
    order = {Standing.NEW: 0, Standing.SEEN: 1, Standing.OVER: 2, Standing.CLOSED: 3}
    return sorted(wanted, key=lambda view: (order[view.standing], -view.incident.severity, -view.since.timestamp()))


def one_view(town: TenantStore, id: str) -> IncidentView:
    """One incident with its alarms. Raises NotFound."""
    found = town.incident(id)
    (view,) = _views(town, [found], ())
    return replace(view, alarms=town.incident_alarms(id))


def counted(views: Iterable[IncidentView]) -> dict[Severity, int]:
    """How many of each severity."""
    counts = dict.fromkeys(sorted(Severity, reverse=True), 0)
    for view in views:
        counts[view.incident.severity] += 1
    return counts


def _views(town: TenantStore, incidents: Sequence[Incident], alarms: Iterable[Alarm]) -> list[IncidentView]:
    """These incidents, and what they do not explain of the alarms."""
    acts = town.acts([one.id for one in incidents])
    covered = {(asset, kind) for one in incidents if one.standing for asset in one.assets for kind in COVERS.get(one.cause, ())}
    single = {AssetId(one.subject) for one in incidents if one.cause is Cause.ASSET}
    mine: dict[AssetId, list[Alarm]] = defaultdict(list)
    for alarm in alarms:
        if (alarm.asset, alarm.kind) not in covered:
            mine[alarm.asset].append(alarm)
    owned: list[Asset] = [*town.luminaires(), *town.bays()] if single or mine else []
    assets = {asset.id: asset for asset in owned}
    loose = [_loose(town, asset, found) for asset, found in mine.items() if asset not in single]
    return [_view(town, one, acts.get(one.id, ()), assets, mine, one in loose) for one in (*incidents, *loose)]


def _view(town: TenantStore, one: Incident, acts: Sequence[Act], assets: Mapping[AssetId, Asset],
          alarms: Mapping[AssetId, Sequence[Alarm]], loose: bool) -> IncidentView:
    if one.cause is not Cause.ASSET:
        return IncidentView(one, acts)
    asset = AssetId(one.subject)
    return IncidentView(one, acts, assets.get(asset), alarms.get(asset, ()), _model(town, one), loose)


def _loose(town: TenantStore, asset: AssetId, alarms: Sequence[Alarm]) -> Incident:
    """What the bridge will make of them."""
    gravest = sorted(alarms, key=lambda alarm: (-alarm.severity, alarm.began_at, alarm.kind.value))
    return incident(town.tenant.id, Cause.ASSET, str(asset), min(alarm.began_at for alarm in alarms), gravest[0].severity,
                    assets=(asset,), kinds=tuple(dict.fromkeys(alarm.kind for alarm in gravest)), facts=gravest[0].facts)


def _model(town: TenantStore, one: Incident) -> str:
    """The model whose script is the trouble, else ""."""
    if AlarmKind.SCRIPT_OFF not in one.kinds:
        return ""
    try:
        return town.device_of(AssetId(one.subject)).model
    except NotFound:
        return ""
