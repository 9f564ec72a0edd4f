"""Multicast groups: makes them at the network server, tells the keys to the lamps, and knows who listens.

All of it is written down after each step, so that it goes on where it ended: what is there already is compared, not made
again. A town that asks for no groups, or a bridge without the secret or the API, has none: its lamps are told one by one.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from msgspec import structs

from city.casting import Net
from city.commands import Command, Priority, command
from city.errors import NetworkServerDown, NotFound
from city.groups import Groups
from city.ids import DevEui, GatewayId, TenantId
from city.multicast import ORIGIN, GroupWish, Member, Membership, RadioGroup, nets_of
from city.orders import MulticastGroup, Setting
from city.settings import Chirpstack
from city.store.port_air import AirChanges
from city.store.ports import Known, TenantStore
from gateway_bridge import enrolling, spreading
from gateway_bridge.enrolling import Wanted
from gateway_bridge.group_keys import Keyring, with_keys
from gateway_bridge.network_server import GroupSpec, NetworkServer
from gateway_bridge.towns import Town

EVERY = timedelta(seconds=5)  # between two looks at a town's groups, while anything is missing
AT_LEAST_EVERY = timedelta(seconds=60)
SLICE = 1500  # members that are looked at in one look of the steering loop
CALLS = 20  # of the API in one look of the steering loop
KEYS_AT_ONCE = 8  # lamps of one gateway that are being told keys: each frame is long
KEY_LASTS = timedelta(hours=2)
TRY_AGAIN = timedelta(minutes=2)  # a lamp that has not confirmed its keys
AWAY = timedelta(seconds=30)  # the API, before it is asked again
Knows = Callable[[DevEui], Known | None]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Town:
    """One town's groups. `enlisted`: whom the network server knows as members, None until it was asked. `written`: members
    as they are in the database. `queue`: groups that this round has still to look at; `places`: slots of devices that have a
    group; `largest`: by whose size a lamp reports; `asked`: how many lamps of a gateway are being told keys; `restless`:
    something was missing in this round; `settled_for`: what was wanted when nothing was."""

    groups: dict[str, RadioGroup]
    members: dict[str, dict[DevEui, Member]]
    wanted: dict[str, Wanted] = field(default_factory=dict)
    enlisted: dict[str, set[DevEui] | None] = field(default_factory=dict)
    tried: dict[tuple[DevEui, str], datetime] = field(default_factory=dict)
    written: dict[str, dict[DevEui, Member]] = field(default_factory=dict)
    queue: list[str] = field(default_factory=list)
    places: set[tuple[int, DevEui]] = field(default_factory=set)
    largest: dict[DevEui, str] = field(default_factory=dict)
    asked: "Counter[GatewayId | None]" = field(default_factory=Counter)
    restless: bool = False
    looked_at: datetime | None = None
    nets: Sequence[Net] | None = None
    settled_for: tuple[Sequence[GroupWish], Groups] | None = None


class Multicast:
    """All towns' groups, as the one who steers sees them."""

    def __init__(self, settings: Chirpstack, network: NetworkServer | None) -> None:
        """Raises Invalid for a secret that is too short."""
        self._network, self._dr, self._together = network, settings.rx2_dr, settings.gps_time
        self._keyring = Keyring(settings.group_secret) if settings.group_secret and network is not None else None
        self._towns: dict[TenantId, _Town] = {}
        self._away_until: datetime | None = None
        self._turn = 0

    @property
    def works(self) -> bool:
        """Whether there can be any groups."""
        return self._keyring is not None

    def forget(self) -> None:
        """Another process steers."""
        self._towns.clear()

    def read(self, own: TenantStore) -> None:
        """What is written down of a town's groups, once. Raises StoreDown."""
        if self._keyring is None or own.tenant.id in self._towns:
            return
        members: dict[str, dict[DevEui, Member]] = defaultdict(dict)
        for member in own.radio_members():
            members[member.group][member.device] = member
        town = _Town({group.id: group for group in own.radio_groups()}, dict(members))
        town.written = {name: dict(some) for name, some in members.items()}
        self._towns[own.tenant.id] = town

    def nets(self, tenant: TenantId) -> Sequence[Net]:
        """The groups that can be told something."""
        town = self._towns.get(tenant)
        if town is None:
            return ()
        if town.nets is None:
            town.nets = nets_of(town.groups.values(), (one for some in town.members.values() for one in some.values()))
        return town.nets

    def group(self, tenant: TenantId, group: str) -> RadioGroup | None:
        """None where there is none any more."""
        town = self._towns.get(tenant)
        return None if town is None else town.groups.get(group)

    def kept(self, changes: AirChanges) -> None:
        """These are in the database."""
        for tenant, member in changes.left:
            if (mine := self._towns.get(tenant)) is not None:
                mine.written.get(member.group, {}).pop(member.device, None)
        for tenant, member in changes.members:
            if (mine := self._towns.get(tenant)) is not None:
                mine.written.setdefault(member.group, {})[member.device] = member
        for tenant, name in changes.gone:
            if (mine := self._towns.get(tenant)) is not None:
                mine.written.pop(name, None)

    def lost(self, tenant: TenantId, group: str, why: str, now: datetime) -> AirChanges:
        """The network server has the group no more: it is made again."""
        mine, known = self._towns.get(tenant), self.group(tenant, group)
        if mine is None or known is None:
            return AirChanges()
        changed: list[AirChanges] = []
        self._put(mine, replace(known, network_id="", ready=False, note=why, changed_at=now), changed)
        mine.enlisted.pop(group, None)
        mine.settled_for = None
        return joined(changed)

    def with_keys(self, tenant: TenantId, device: DevEui, order: MulticastGroup) -> MulticastGroup:
        """The order as it is encoded for the device. Raises NotFound and Invalid where there are no such keys any more."""
        town = self._towns.get(tenant)
        if town is None or self._keyring is None:
            raise NotFound("There are no multicast groups here.", field="order", rule="groups")
        for group in town.groups.values():
            for name in (group.id, f"void {device}"):
                keys = self._keyring.of(tenant, name, group.generation)
                if keys.dev_addr == order.dev_addr:
                    return with_keys(order, keys)
        raise NotFound("There are no multicast groups here.", field="order", rule="groups")

    # -- what is to be told

    def look(self, town: Town, lamps: Callable[[], Sequence[Known]], known: Knows,
             now: datetime) -> tuple[list[Command], AirChanges]:
        """The orders that tell a town's lamps their keys, and what has become of its groups' members."""
        mine = self._towns.get(town.tenant.id)
        if mine is None or self._keyring is None or not self._is_time(mine, town, now):
            return [], AirChanges()
        if not mine.queue:
            self._begin(mine, town, lamps(), now)
        commands: list[Command] = []
        changed: list[AirChanges] = []
        looked = 0
        while mine.queue and looked < SLICE:
            name = mine.queue.pop()
            item = mine.wanted[name]
            looked += len(item.devices)
            if (group := self._shape(mine, item, known, now)) is not None:
                changed.append(AirChanges(groups=(group,)))
            commands += self._enrol(mine, item, known, now)
            changed.append(_unwritten(mine, town.tenant.id, name))
        whole = joined(changed)
        if whole:
            mine.nets = None
        mine.restless = mine.restless or bool(commands) or bool(whole)
        if not mine.queue and not mine.restless:
            mine.settled_for = (town.group_wishes, town.programming.groups)
        return commands, whole

    def _begin(self, mine: _Town, town: Town, lamps: Sequence[Known], now: datetime) -> None:
        """A new round over all groups: which there shall be, of whom, and who is being told keys."""
        mine.looked_at, mine.settled_for = now, None
        found = enrolling.wanted(town.tenant.id, town.group_wishes, town.programming.groups, lamps, self._keyring,
                                 dr=self._dr, had=mine.groups.keys()) if self._keyring is not None else []
        mine.wanted = {item.group.id: item for item in found}
        mine.queue = sorted(mine.wanted, reverse=True)
        mine.places = {(item.group.slot, device) for item in found for device in item.devices}
        mine.largest = {device: item.group.id for item in sorted(found, key=_weight) for device in item.devices}
        mine.asked = Counter(one.state.gateway for one in lamps if any(each.origin == ORIGIN for each in one.live))
        mine.restless = mine.groups.keys() != mine.wanted.keys()

    def _is_time(self, mine: _Town, town: Town, now: datetime) -> bool:
        if mine.queue:
            return True
        if not town.group_wishes and not mine.groups:
            return False
        every = AT_LEAST_EVERY if mine.settled_for == (town.group_wishes, town.programming.groups) else EVERY
        return mine.looked_at is None or not timedelta() <= now - mine.looked_at < every

    def _shape(self, mine: _Town, item: Wanted, known: Knows, now: datetime) -> RadioGroup | None:
        """The group as it is now, None where nothing has changed. Other keys or gateways are told to the network server."""
        was = mine.groups.get(item.group.id)
        gateways = enrolling.gateways_for(item, known, was.gateways if was is not None else ())
        if was is None:
            new = replace(item.group, gateways=gateways, changed_at=now)
        else:
            new = replace(was, slot=item.group.slot, generation=item.group.generation, dev_addr=item.group.dev_addr,
                          dr=item.group.dr, gateways=gateways)
            if new == was:
                return None
            new = replace(new, ready=False, changed_at=now)
            if new.generation != was.generation:  # nobody has these keys yet
                mine.members[new.id] = {device: replace(member, state=Membership.WANTED, told_at=None, confirmed_at=None)
                                        for device, member in mine.members.get(new.id, {}).items()}
        mine.groups[new.id] = new
        return new

    def _enrol(self, mine: _Town, item: Wanted, known: Knows, now: datetime) -> list[Command]:
        """Orders that tell keys and notices; the group's members are as they are known to be now."""
        if self._keyring is None:
            return []
        commands: list[Command] = []
        enrolled = enrolling.enrolled(item, mine.members.get(item.group.id, {}), known, self._keyring, now)
        after = dict(enrolled.members)
        for device, order in sorted(enrolled.orders.items()):
            mine.restless = True
            if after[device].state is Membership.LEAVING and (item.group.slot, device) in mine.places:
                continue  # another group's keys will take the place
            made = self._order(mine, known(device), order, now)
            if made is not None:
                commands.append(made)
                after[device] = _told(after[device], now)
        mine.members[item.group.id] = after
        return commands + _notices(mine, item, after, known, now)

    def _order(self, mine: _Town, found: Known | None, order: MulticastGroup, now: datetime) -> Command | None:
        """The command that tells a lamp its keys; None where it has to wait."""
        if found is None or any(one.origin == ORIGIN for one in found.live) or mine.asked[found.state.gateway] >= KEYS_AT_ONCE:
            return None
        key = found.device.dev_eui, order.dev_addr
        tried = mine.tried.get(key)
        if tried is not None and now - tried < TRY_AGAIN:
            return None
        mine.tried[key] = now
        mine.asked[found.state.gateway] += 1
        return _command(found, order, now)

    # -- at the network server

    async def provision(self, now: datetime) -> AirChanges:
        """Some calls that bring the network server nearer to what is wanted; what has become of the groups thereby. What
        cannot be done now is tried again later, and said."""
        if self._network is None or self._keyring is None or (self._away_until is not None and now < self._away_until):
            return AirChanges()
        self._away_until, left = None, CALLS
        changed: list[AirChanges] = []
        tenants = sorted(self._towns)
        self._turn += 1
        for tenant in tenants[self._turn % max(len(tenants), 1):] + tenants[:self._turn % max(len(tenants), 1)]:
            try:
                left = await self._provision(self._towns[tenant], left, changed, now)
            except NetworkServerDown as error:
                _log.warning("%s Groups of radio wait.", error)
                self._away_until = now + AWAY
                break
            if left <= 0:
                break
        return joined(changed)

    async def _provision(self, mine: _Town, left: int, changed: list[AirChanges], now: datetime) -> int:
        for group in sorted(mine.groups.values(), key=lambda one: one.id):
            if left <= 0:
                return left
            try:
                left -= await self._one(mine, group, left, changed, now)
            except NotFound as error:  # somebody has removed it there
                changed.append(self.lost(group.tenant, group.id, str(error), now))
            except NetworkServerDown:
                mine.enlisted.pop(group.id, None)  # what has come of the call, nobody knows
                raise
        return left

    async def _one(self, mine: _Town, group: RadioGroup, left: int, changed: list[AirChanges], now: datetime) -> int:
        """How many calls were made for a group."""
        network, keyring = self._network, self._keyring
        if network is None or keyring is None:
            return 0
        item = mine.wanted.get(group.id)
        if item is None:
            if mine.looked_at is None:
                return 0
            if group.network_id:
                await network.remove_group(group.network_id)
            del mine.groups[group.id]
            for parts in (mine.members, mine.enlisted):
                parts.pop(group.id, None)
            mine.nets, mine.settled_for = None, None
            changed.append(AirChanges(gone=((group.tenant, group.id),)))
            return 1
        if not group.ready:
            keys = keyring.of(group.tenant, group.id, group.generation)
            made = await network.make_group(GroupSpec(
                f"stadtfunk {group.id} {group.target}"[:100], group.application_id, keys.dev_addr, keys.nwk_s_key,
                keys.app_s_key, group.dr, group.frequency, self._together))
            await network.set_gateways(made, group.gateways)
            note = "" if group.gateways else "no gateway has heard any of its lamps yet"
            self._put(mine, replace(group, network_id=made, ready=bool(group.gateways), note=note, changed_at=now), changed)
            return 3
        return await self._enlist(mine, group, item, left, changed)

    async def _enlist(self, mine: _Town, group: RadioGroup, item: Wanted, left: int, changed: list[AirChanges]) -> int:
        network = self._network
        if network is None:
            return 0
        calls, there = 0, mine.enlisted.get(group.id)
        if there is None:
            there = mine.enlisted[group.id] = set(await network.members(group.network_id, group.application_id))
            calls += 1
        for device in sorted(item.devices - there)[:left]:
            await network.enlist(group.network_id, device)
            there.add(device)
            calls += 1
        for device in sorted(there - item.devices)[:max(left - calls, 0)]:
            await network.dismiss(group.network_id, device)
            there.discard(device)
            calls += 1
        mine.members[group.id] = {device: member if member.enlisted == (device in there)
                                  else replace(member, enlisted=device in there)
                                  for device, member in mine.members.get(group.id, {}).items()}
        if calls:
            changed.append(_unwritten(mine, group.tenant, group.id))
        return calls

    def _put(self, mine: _Town, group: RadioGroup, changed: list[AirChanges]) -> None:
        mine.groups[group.id] = group
        mine.nets = None
        changed.append(AirChanges(groups=(group,)))


def joined(parts: Iterable[AirChanges]) -> AirChanges:
    """All of them as one, the later ones last."""
    whole = AirChanges()
    for part in parts:
        whole = structs.replace(whole, **{name: getattr(whole, name) + getattr(part, name)
                                          for name in AirChanges.__struct_fields__})
    return structs.replace(whole, groups=tuple({group.id: group for group in whole.groups}.values()),
                           members=_last(whole.members))


def _unwritten(mine: _Town, tenant: TenantId, name: str) -> AirChanges:
    """What of a group's members is not in the database as it is."""
    now, written = mine.members.get(name, {}), mine.written.get(name, {})
    return AirChanges(members=tuple((tenant, member) for device, member in now.items() if written.get(device) != member),
                      left=tuple((tenant, member) for device, member in written.items() if device not in now))


def _weight(item: Wanted) -> tuple[bool, int]:
    """The group by whose size a lamp reports is the largest one but the town's, which is hardly ever told as a whole."""
    return item.group.target.kind != "town", len(item.devices)


def _notices(mine: _Town, item: Wanted, members: Mapping[DevEui, Member], known: Knows, now: datetime) -> list[Command]:
    """Lamps that are told together must not all report at once: confirmed members are told within how much time, unless
    they have confirmed about that."""
    there = [found for device, member in members.items() if member.state is Membership.CONFIRMED
             and mine.largest.get(device) == item.group.id and (found := known(device)) is not None]
    told = spreading.to_be_told(there, item.group.model, len(item.devices))
    if told is None:
        return []
    wrong = [found for found in told[1] if not any(one.origin == ORIGIN for one in found.live)]
    return [_command(found, told[0], now) for found in wrong[:KEYS_AT_ONCE]]


def _last(members: Iterable[tuple[TenantId, Member]]) -> tuple[tuple[TenantId, Member], ...]:
    found: Mapping[tuple[TenantId, str, DevEui], tuple[TenantId, Member]] = {
        (tenant, member.group, member.device): (tenant, member) for tenant, member in members}
    return tuple(found.values())


def _command(found: Known, order: Setting, now: datetime) -> Command:
    return command(tenant=found.tenant.id, device=found.device.dev_eui, asset=found.asset.id, order=order, origin=ORIGIN,
                   priority=Priority.CONFIG, now=now, expires_at=now + KEY_LASTS)


def _told(member: Member, now: datetime) -> Member:
    """From here on it may have the keys, whatever it says."""
    if member.state is Membership.LEAVING:
        return member
    return replace(member, state=Membership.TOLD, told_at=member.told_at or now)
