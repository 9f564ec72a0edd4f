"""What has changed in one town since the last look, as messages for open pages. Blocking; nothing here knows of loops.

The feed keeps what it knows in memory and asks the store for changes only, so that a look costs a few small queries
however large the town is. Messages carry whole items, never differences, so hearing one twice does no harm.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from api.library import codecs_for
from api.parking_schemas import BayStateOut
from api.schemas import AlarmOut, CommandOut, LuminaireOut, OverrideOut, to_json
from api.staff import view_of
from api.views import ALL, LIVE, LampWord, Picture, override_progress
from city.alarms import Alarm
from city.clock import Clock
from city.commands import Command
from city.groups import Cover
from city.ids import AssetId, CommandId, DevEui, OverrideId
from city.lighting import Override
from city.parking_facts import BayFact
from city.places import Device, Luminaire, ParkingBay, Zone
from city.programs import Programming
from city.store.ports import Changes, TenantStore
from city.wants import Wants

CHUNK = 500  # items in one message at most
RECHECK_EVERY = 10  # looks between two at lamps that are given time to obey
RELOAD_EVERY = 60  # looks between two at the registry


@dataclass(frozen=True, slots=True)
class Sees:
    """What a listener may hear of."""

    lamps: bool
    bays: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages as sent, up to a revision; `lamps` only for those who work in lighting, `bays` only for those who may see
    single bays."""

    revision: int
    lamps: bytes
    bays: bytes

    def for_listener(self, sees: Sees) -> bytes:
        """The messages and, last, the revision from which to resume."""
        return (self.lamps if sees.lamps else b"") + (self.bays if sees.bays else b"") + _end(self.revision)


class Feed:
    """One town's changes. `look` is called by one caller at a time; `catch_up` by any."""

    def __init__(self, town: TenantStore, clock: Clock) -> None:
        self._town, self._clock, self._lock = town, clock, threading.Lock()
        self._looks = 0
        self._load()
        self.revision = town.revision()
        self._states = dict(town.states())
        self._alarms: dict[str, Alarm] = {alarm.id: alarm for alarm in town.alarms(limit=ALL)}
        self._live: dict[CommandId, Command] = {order.id: order for order in town.commands(states=LIVE, limit=ALL)}
        self._waiting: frozenset[AssetId] = frozenset()
        self._overrides, self._programming, self._until = self._wanted(clock.now())

    def look(self) -> Batch | None:
        """What is new since the last look, or None."""
        with self._lock:
            self._looks += 1
            if self._looks % RELOAD_EVERY == 0:
                self._load()
            changes, facts = self._town.changes(self.revision), self._town.changed_bay_facts(self.revision)
            self._learn(changes)
            batch = self._batch(changes, facts, self._retargeted() | self._overdue())
            self.revision = changes.revision
            return batch

    def catch_up(self, since: int) -> Batch | None:
        """What has changed after revision `since`, for somebody who was away."""
        with self._lock:
            return self._batch(self._town.changes(since), self._town.changed_bay_facts(since), set())

    def _load(self) -> None:
        lamps, bays = self._town.luminaires(), self._town.bays()
        self._zones: Sequence[Zone] = self._town.zones()
        self._lamps: dict[AssetId, Luminaire] = {lamp.id: lamp for lamp in lamps}
        self._bays: dict[AssetId, ParkingBay] = {bay.id: bay for bay in bays}
        devices = self._town.devices()
        self._devices: dict[AssetId, Device] = {device.asset: device for device in devices}
        self._assets: dict[DevEui, AssetId] = {device.dev_eui: device.asset for device in devices}
        self._codecs = codecs_for(self._town, devices)

    def _learn(self, changes: Changes) -> None:
        if any(state.device not in self._assets for state in changes.states):
            self._load()
        self._states.update({state.device: state for state in changes.states})
        for alarm in changes.alarms:
            self._alarms[alarm.id] = alarm
            if not alarm.open:
                del self._alarms[alarm.id]
        for order in changes.commands:
            self._live[order.id] = order
            if not order.state.live:
                del self._live[order.id]

    def _wanted(self, now: datetime) -> tuple[dict[OverrideId, Override], Programming, datetime]:
        """The active overrides, what is programmed, and until when that asks for the same of every lamp."""
        programming = self._town.programming()
        wants = Wants(programming, (), now)
        for lamp in self._lamps.values():
            wants.of(lamp)
        return {wish.id: wish for wish in self._town.overrides(now)}, programming, wants.until

    def _retargeted(self) -> set[AssetId]:
        """Lamps of which something else is wanted than at the last look, be it only by the passing of time."""
        before, programming, until, now = self._overrides, self._programming, self._until, self._clock.now()
        self._overrides, self._programming, self._until = self._wanted(now)
        if programming != self._programming or now >= until:
            return set(self._lamps)
        return self._covered([wish for wish in (*before.values(), *self._overrides.values())
                              if (wish.id in before) != (wish.id in self._overrides)])

    def _covered(self, wishes: Iterable[Override]) -> set[AssetId]:
        chosen = list(wishes)
        if not chosen:
            return set()
        cover = Cover([target for wish in chosen for target in wish.targets], self._programming.groups)
        return {lamp.id for lamp in self._lamps.values() if lamp in cover}

    def _overdue(self) -> set[AssetId]:
        """Lamps that were given time to obey: now and then it must be seen whether it has run out."""
        return set(self._waiting) if self._looks % RECHECK_EVERY == 0 else set()

    def _batch(self, changes: Changes, facts: Sequence[BayFact], retargeted: set[AssetId]) -> Batch | None:
        now = self._clock.now()
        touched = retargeted | self._touched(changes) | self._covered(changes.overrides)
        lamps = [lamp for asset in sorted(touched) if (lamp := self._lamps.get(asset)) is not None]
        everyone = b"".join((
            _messages("lamps", self._lamp_items(lamps, now), now),
            _messages("commands", [CommandOut.of(order) for order in changes.commands], now),
            _messages("alarms", [AlarmOut.of(alarm) for alarm in changes.alarms], now),
            _messages("overrides", self._override_items(changes, now), now)))
        private = _messages("bays", self._bay_items(facts, now), now)
        if not everyone and not private and changes.revision == self.revision:
            return None
        return Batch(changes.revision, everyone, private)

    def _touched(self, changes: Changes) -> set[AssetId]:
        spoke = {self._assets[state.device] for state in changes.states if state.device in self._assets}
        return spoke | {order.asset for order in changes.commands} | {alarm.asset for alarm in changes.alarms}

    def _bay_items(self, facts: Sequence[BayFact], now: datetime) -> list[BayStateOut]:
        if not facts:
            return []
        names = {zone.id: zone.name for zone in self._zones}
        blocks = {block.bay: block for block in reversed(self._town.bay_blocks(now)) if block.holds(now)}
        return [BayStateOut.of(view_of(bay, names.get(bay.zone, bay.zone), fact, blocks.get(bay.id)))
                for fact in facts if (bay := self._bays.get(fact.bay)) is not None]

    def _lamp_items(self, lamps: Sequence[Luminaire], now: datetime) -> list[LuminaireOut]:
        if not lamps:
            return []
        newest_first = sorted(self._live.values(), key=lambda order: order.created_at, reverse=True)
        picture = Picture(zones=self._zones, devices=self._devices, codecs=self._codecs, states=self._states,
                          alarms=self._alarms.values(), live=newest_first, now=now,
                          targets=Wants(self._programming, self._overrides.values(), now))
        views = [picture.view(lamp) for lamp in lamps]
        waiting = {view.lamp.id for view in views if view.word is LampWord.WAITING}
        self._waiting = self._waiting - {lamp.id for lamp in lamps} | waiting
        return [LuminaireOut.of(view) for view in views]

    def _override_items(self, changes: Changes, now: datetime) -> list[OverrideOut]:
        """Overrides that have changed, and active ones whose lamps have moved, with how far they have come."""
        moved = {order.origin for order in changes.commands}
        wishes = {wish.id: wish for wish in changes.overrides}
        spoken = self._touched(changes)
        wishes |= {wish.id: wish for wish in self._overrides.values()
                   if f"override:{wish.id}" in moved or any(asset in spoken for asset in self._covered([wish]))}
        return [OverrideOut.of(wish, override_progress(self._town, wish, now)) for wish in wishes.values()]


def hello(revision: int) -> bytes:
    """The first message: where the stream begins."""
    return _end(revision)


def reload() -> bytes:
    """Said to somebody whose last revision is not ours (another database): begin anew."""
    return b"event: reload\ndata: {}\n\n"


def _messages(kind: str, items: Sequence[object], now: datetime) -> bytes:
    parts = []
    for start in range(0, len(items), CHUNK):
        body = b",".join(to_json(item) for item in items[start:start + CHUNK])
        at = msgspec.json.encode(now)
        parts.append(b'event: %b\ndata: {"at":%b,"%b":[%b]}\n\n' % (kind.encode(), at, kind.encode(), body))
    return b"".join(parts)


def _end(revision: int) -> bytes:
    return b'id: %d\nevent: revision\ndata: {"revision":%d}\n\n' % (revision, revision)
