"""Wishes for light, from a request to the store: checked against the guard-rails, priced, written down. For JSON routes and
pages alike."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from api import views
from api.audit import line, record
from api.auth import Actor, is_program
from city import guards, lighting
from city.airtime import Estimate
from city.errors import Forbidden, Invalid, Refused
from city.groups import Target, resolve
from city.guards import Case, Finding, Limits, Weight
from city.ids import OverrideId
from city.lighting import Override
from city.places import Luminaire
from city.store.ports import AuditLine, TenantStore
from city.store.programmed import known_targets

_REACH = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wish:
    """A level (None: as programmed) and its end: a time, or minutes from now; exactly one of the two. `confirm` is the number
    of lamps as typed by a person, where that is asked for."""

    level: int | None
    until: datetime | None = None
    minutes: int | None = None
    reason: str = ""
    start: datetime | None = None
    emergency: bool = False
    confirm: int | None = None

    def end(self, now: datetime) -> datetime:
        """When it ends; raises Invalid."""
        if (self.until is None) == (self.minutes is None):
            raise Invalid("Say either until when, or for how many minutes.", field="until", rule="one of two")
        if self.minutes is None:
            return _utc(self.until or now, now)
        most = int(lighting.LONGEST.total_seconds() // 60)
        if not 1 <= self.minutes <= most:
            raise Invalid("An override lasts between 1 and {most} minutes.", field="minutes", rule=f"1…{most}", most=most)
        return now + timedelta(minutes=self.minutes)

    def begin(self, now: datetime) -> datetime | None:
        """When it begins; None: at once."""
        return None if self.start is None else _utc(self.start, now)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A wish before it is written down: the lamps that it covers, what it runs into, and what it will cost (None where no
    lamp there can be dimmed)."""

    override: Override
    lamps: Sequence[Luminaire]
    findings: Sequence[Finding]
    estimate: Estimate | None

    def weighs(self, weight: Weight) -> list[Finding]:
        """The findings of this weight."""
        return [finding for finding in self.findings if finding.weight is weight]


def propose(town: TenantStore, targets: Collection[Target], wish: Wish, *, who: Actor, now: datetime,
            limits: Limits = guards.STANDARD) -> Proposal:
    """What a wish would be. Raises Invalid where it has no sound shape, NotFound for targets that the town does not have."""
    override = lighting.override(
        id=OverrideId(str(uuid.uuid4())), tenant=town.tenant.id, targets=targets, level=wish.level, until=wish.end(now),
        actor=who.name, now=now, reason=wish.reason, start=wish.begin(now), emergency=wish.emergency)
    case = _case(town, override, who.role.value, now)
    findings = guards.check(case, limits)
    needs_second = any(finding.weight is Weight.SECOND for finding in findings)
    return Proposal(replace(override, needs_second=needs_second), case.lamps, findings,
                    _estimate(town, case.lamps, now, limits.rx2_dr))


def place(town: TenantStore, targets: Collection[Target], wish: Wish, *, who: Actor, now: datetime,
          limits: Limits = guards.STANDARD, seen: int | None = None) -> tuple[Override, Estimate]:
    """Write a wish down. Raises as `propose`, Invalid by the guard-rails, Unsupported where nothing there can dim, Conflict
    where people have wanted something else since `seen` (None: since now). Where a second person is needed, it waits for one."""
    seen = town.intents_seen() if seen is None else seen
    proposal = propose(town, targets, wish, who=who, now=now, limits=limits)
    guards.refuse(proposal.findings)
    _check_typed(proposal, wish)
    lighting.check_room(proposal.override, town.overrides_from(now))
    estimate = proposal.estimate or views.estimate_for(town, proposal.lamps, now, limits.rx2_dr)
    override = proposal.override
    ending = _outlived(town, override, now) if not override.needs_second else []
    audited = line(who, now, "override", _named(override.targets), _described(override))
    town.add_override(override, seen=seen, audited=audited)
    _end_all(town, ending, who, now, limits)
    return override, estimate


def approve(town: TenantStore, id: OverrideId, *, who: Actor, now: datetime, limits: Limits = guards.STANDARD) -> Override:
    """A second person agrees: what was allowed when it was asked for must still be. What was asked for by an API token takes
    two: nobody knows who holds it, so the first to agree has asked for it from then on. Raises NotFound, Forbidden (also for
    an API token, which is nobody's second pair of eyes), Conflict, Invalid."""
    seen, override = town.intents_seen(), town.override(id)
    if who.by != "session":
        raise Forbidden("A second person must approve this, signed in: an API token is no person.", field="actor",
                        rule="two persons")
    guards.refuse(guards.check(_case(town, override, "admin", now), limits))
    if is_program(override.actor):
        record(town, who, now, "take over override", str(id), f"asked for by {override.actor}")
        return town.adopt_override(id, who.name, now, seen=seen)
    approved = town.approve_override(id, who.name, now, seen=seen)
    record(town, who, now, "approve override", str(id), _described(override))
    _end_all(town, _outlived(town, approved, now), who, now, limits)
    return approved


def end(town: TenantStore, id: OverrideId, *, who: Actor, now: datetime, limits: Limits = guards.STANDARD) -> Override:
    """Back to the program; a wish that waits for a second person is withdrawn or declined. Raises NotFound."""
    record(town, who, now, "end override", str(id))
    ended = town.end_override(id, now)
    settle(town, who.name, now, limits)
    return ended


def end_overrides(town: TenantStore, targets: Collection[Target], *, who: Actor, now: datetime,
                  limits: Limits = guards.STANDARD) -> int:
    """End what is wished for exactly these targets. Raises NotFound."""
    _known(town, targets)
    record(town, who, now, "end override", _named(tuple(targets)))
    ended = town.end_overrides(targets, now)
    settle(town, who.name, now, limits)
    return ended


def lamps_of(town: TenantStore, targets: Collection[Target]) -> list[Luminaire]:
    """The lamps that targets name. Raises NotFound for what the town does not have."""
    lamps, groups = town.luminaires(), town.programming().groups
    known_targets(targets, _existing(town, lamps, targets, groups))
    return resolve(targets, lamps, groups)


def _end_all(town: TenantStore, wishes: Sequence[Override], who: Actor, now: datetime, limits: Limits) -> None:
    for wish in wishes:
        town.end_override(wish.id, now)
    settle(town, who.name, now, limits)


def settle(town: TenantStore, who: str, now: datetime, limits: Limits) -> None:
    """End the wishes for darkness that are not lawful any more, after anything has changed beside which they were: a wish that
    has ended or lights every second lamp among them, a group, a program, the lamps themselves. More light is always lawful."""
    wishes = town.overrides_from(now)
    if not any(guards.is_dark(wish) for wish in wishes):
        return
    for wish in guards.left_wrong(town.luminaires(), town.programming(), wishes, now, limits):
        town.audit(AuditLine(now, who, "end override", str(wish.id), "it must not stay dark after this change"))
        town.end_override(wish.id, now)


def _case(town: TenantStore, override: Override, role: str, now: datetime) -> Case:
    programming, lamps = town.programming(), town.luminaires()
    known_targets(override.targets, _existing(town, lamps, override.targets, programming.groups))
    others = [one for one in town.overrides_from(now) if one.id != override.id]
    return Case(override, resolve(override.targets, lamps, programming.groups), lamps, programming, others, role, now)


def _known(town: TenantStore, targets: Collection[Target]) -> None:
    known_targets(targets, _existing(town, town.luminaires(), targets, town.programming().groups))


def _existing(town: TenantStore, lamps: Iterable[Luminaire], targets: Collection[Target],
              groups: Collection[str]) -> dict[str, Collection[str]]:
    kinds = {target.kind for target in targets}
    found: dict[str, Collection[str]] = {"group": groups}
    if "zone" in kinds:
        found["zone"] = {zone.id for zone in town.zones()}
    if "circuit" in kinds:
        found["circuit"] = {circuit.id for circuit in town.circuits()}
    if "lamp" in kinds:
        found["lamp"] = {lamp.id for lamp in lamps}
    return found


def _estimate(town: TenantStore, lamps: Sequence[Luminaire], now: datetime, rx2_dr: int) -> Estimate | None:
    try:
        return views.estimate_for(town, lamps, now, rx2_dr)
    except Refused:
        return None


def _check_typed(proposal: Proposal, wish: Wish) -> None:
    for finding in proposal.weighs(Weight.TYPED):
        if wish.confirm != len(proposal.lamps):
            raise finding.error()


def _outlived(town: TenantStore, new: Override, now: datetime) -> list[Override]:
    """The older wishes for the same lamps that would come back after the new one: they have to end."""
    return [old for old in town.overrides(now) if old.targets == new.targets and old.end > new.end
            and old.created_at <= new.created_at]


def _named(targets: Collection[Target]) -> str:
    names = [str(target) for target in targets]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _described(override: Override) -> str:
    level = "as programmed" if override.level is None else f"{override.level} %"
    waits = ", waits for a second person" if override.needs_second and not override.approved_by else ""
    emergency = "emergency: " if override.emergency else ""
    return f"{override.id}: {emergency}{level} until {override.end.isoformat()}{waits}: {override.reason}"


def _utc(at: datetime, now: datetime) -> datetime:
    return at.astimezone(UTC) if abs(at - now) < _REACH else at  # year 1 and 9999 have no UTC to tell
