"""Which multicast groups a town shall have, and what is known of each lamp in them. Pure.

Keys are told to a lamp by a frame of its own, and it repeats them: only then it counts as a member. Who should not be a
member any more is told keys that nobody else has. Until it has confirmed those, it may still hear the group.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from city.errors import CityError
from city.groups import Cover, Groups, Target
from city.ids import DevEui, GatewayId, TenantId
from city.multicast import LEAST_MEMBERS, SLOT_OF, GroupWish, Member, Membership, RadioGroup
from city.orders import MulticastGroup, SetLevel, kept_as, to_json
from city.places import Luminaire, Restriction
from city.reach import covering, gateways_of
from city.store.ports import Known
from decoders.catalog import catalog
from decoders.codec import Codec
from gateway_bridge.confirm import encoded
from gateway_bridge.group_keys import Keyring, keyless

_NAMESPACE = uuid.UUID("0c9a4c1e-6a2b-4b61-9c55-9a1f3f2f7d40")
_TRIAL = ("01000000", "00" * 16, "00" * 16)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group as it shall be, and its lamps' controllers."""

    group: RadioGroup
    devices: frozenset[DevEui]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is known now of a group's members, and the orders that are still to be told."""

    members: Mapping[DevEui, Member]
    orders: Mapping[DevEui, MulticastGroup]


def group_id(tenant: TenantId, target: str, model: str, application: str) -> str:
    """Always the same for the same lamps."""
    return str(uuid.uuid5(_NAMESPACE, f"{tenant}|{target}|{model}|{application}"))


def can_listen(known: Known) -> bool:
    """Whether the device is a lamp's that may be dimmed with others, of a model that listens all the time and knows groups."""
    codec, lamp = catalog().get(known.device.model), known.asset
    if codec is None or codec.device_class != "C" or not codec.abilities.dims or not known.state.application_id:
        return False
    return isinstance(lamp, Luminaire) and lamp.restriction is not Restriction.CROSSWALK and first_slot(codec) is not None


def first_slot(codec: Codec) -> int | None:
    """By what number the model calls the first of its groups; None where it knows none."""
    return _first_slot(codec.model)


def wanted(tenant: TenantId, wishes: Iterable[GroupWish], groups: Groups, lamps: Sequence[Known], keyring: Keyring, *,
           dr: int, had: Collection[str]) -> list[Wanted]:
    """The groups that a town shall have by what people wish. Groups of few lamps are not made, but those that it `had` stay.
    A lamp is in one group of each kind at most: its controller keeps four."""
    listening = [known for known in lamps if can_listen(known)]
    by_place: dict[Target, list[Known]] = defaultdict(list)
    for known in listening:
        by_place[Target("zone", known.registered.place.zone)].append(known)
        if known.registered.place.circuit:
            by_place[Target("circuit", known.registered.place.circuit)].append(known)
    taken: set[tuple[int, DevEui]] = set()
    found: list[Wanted] = []
    for wish in sorted(wishes, key=lambda wish: wish.target):
        slot = SLOT_OF.get(wish.target.kind)
        if slot is None:
            continue
        parts: dict[tuple[str, str], set[DevEui]] = defaultdict(set)
        for known in _meant(wish.target, groups, listening, by_place):
            if (slot, known.device.dev_eui) not in taken:
                parts[known.device.model, known.state.application_id].add(known.device.dev_eui)
        for (model, application), devices in sorted(parts.items()):
            made = _group(tenant, wish, slot, model, application, keyring, dr)
            if len(devices) >= LEAST_MEMBERS or made.id in had:
                found.append(Wanted(made, frozenset(devices)))
                taken |= {(slot, device) for device in devices}
    return found


def enrolled(item: Wanted, before: Mapping[DevEui, Member], known: Callable[[DevEui], Known | None], keyring: Keyring,
             now: datetime) -> Enrolment:
    """Each lamp's membership by what it has confirmed and what it was told; and what is to be told. `before`: what was known
    of the group's members."""
    group = item.group
    codec = catalog()[group.model]
    join = keyless(codec, group.slot, keyring.of(group.tenant, group.id, group.generation))
    name, said = kept_as(join), to_json(join).decode()
    members: dict[DevEui, Member] = {}
    orders: dict[DevEui, MulticastGroup] = {}
    for device in item.devices | before.keys():
        now_known, member = known(device), before.get(device) or Member(group.id, device, Membership.WANTED)
        if now_known is None:
            if device in item.devices:
                members[device] = member  # not heard of yet, or not any more: nothing is learnt of it
            continue
        if device in item.devices:
            has = now_known.state.config.get(name) == said
            members[device] = state = _joining(member, now, confirmed=has)
            if state.state is not Membership.CONFIRMED:
                orders[device] = join
        elif (leaving := _leaving(member, now_known, group)) is not None:
            members[device] = leaving
            orders[device] = keyless(codec, group.slot, keyring.of(group.tenant, f"void {device}", group.generation))
    return Enrolment(members, orders)


def gateways_for(item: Wanted, known: Callable[[DevEui], Known | None], now: Sequence[GatewayId]) -> tuple[GatewayId, ...]:
    """The gateways that shall send to a group: those of `now` as long as they reach every lamp that any reaches."""
    reaches = {device: gateways_of(found.state) for device in item.devices if (found := known(device)) is not None}
    if now and all(set(reach) & set(now) for reach in reaches.values() if reach):
        return tuple(now)
    return covering(reaches)


def _meant(target: Target, groups: Groups, lamps: Sequence[Known],
           by_place: Mapping[Target, Sequence[Known]]) -> Iterable[Known]:
    if target.kind in ("zone", "circuit"):
        return by_place.get(target, ())
    cover = Cover([target], groups)
    return (known for known in lamps if isinstance(known.asset, Luminaire) and known.asset in cover)


def _joining(member: Member, now: datetime, *, confirmed: bool) -> Member:
    """`confirmed`: it has repeated the keys, and not forgotten them since."""
    if confirmed:
        if member.state is Membership.CONFIRMED:
            return member
        return replace(member, state=Membership.CONFIRMED, told_at=member.told_at or now, confirmed_at=now)
    if member.state is Membership.CONFIRMED:  # it has restarted and forgotten, or the group has other keys: told again
        return replace(member, state=Membership.TOLD, confirmed_at=None)
    return member if member.state is not Membership.LEAVING else replace(member, state=Membership.TOLD)


def _leaving(member: Member, known: Known, group: RadioGroup) -> Member | None:
    """None where it certainly does not have the keys any more: it was never told them, or has confirmed others since."""
    if member.state is Membership.WANTED:
        return None
    kept = known.state.config.get(kept_as(MulticastGroup(group.slot, "")))
    if kept is not None and f'"{group.dev_addr}"' not in kept:
        return None
    return replace(member, state=Membership.LEAVING, confirmed_at=None)


def _group(tenant: TenantId, wish: GroupWish, slot: int, model: str, application: str, keyring: Keyring,
           dr: int) -> RadioGroup:
    name = group_id(tenant, str(wish.target), model, application)
    first = first_slot(catalog()[model]) or 0
    return RadioGroup(tenant, name, wish.target, model, application, first + slot, wish.generation,
                      keyring.of(tenant, name, wish.generation).dev_addr, dr)


@lru_cache(maxsize=256)
def _first_slot(model: str) -> int | None:
    codec = catalog()[model]
    for first in (0, 1):
        try:
            if all(encoded(codec, MulticastGroup(first + slot, *_TRIAL)) for slot in (0, 3)) and encoded(codec, SetLevel(50, 60)):
                return first
        except CityError:
            continue
    return None
