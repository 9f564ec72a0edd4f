"""A town's parking, looked at again and again: from what sensors say to what is kept of bays and zones. Pure.

The bridge's loop gives it the words of sensors as they come, and asks every few seconds what follows. Only bays that have said
something are looked at then; all of them once a minute, because time alone changes bays, too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush

import msgspec

from city.bay_memory import ROLL_NS, BayMemory, Deaf
from city.bay_tracks import bay_state, start_fault
from city.bays import BayEvent, BayState, Occupancy, Rules, Sign, Track, Why
from city.ids import AssetId, GatewayId, ZoneId
from city.parking import Word
from city.parking_display import Display, ZoneRules, count, display
from city.parking_doubt import Checks, DoubtRules, margin, may_have_changed, usual_frames
from city.parking_facts import BayFact, Count, ZoneFact
from city.places import ParkingBay, Restriction
from city.readings import NS, to_ns
from city.reception import Reception, Unheard
from city.usual import Changes

KEEP_NS = 8 * 3600 * NS  # spans are kept for so long, so that quarters can be booked again when something comes late
MOST_SAMPLES = 1500  # of a zone's trend: of four hours, one each ten seconds
MASKS = frozenset({Why.UNHEARD, Why.FLAPPING, Why.SUSPECT, Why.FAULT, Why.BLOCKED})

Sample = tuple[int, int, int]  # when (ns), free, known


@dataclass(frozen=True, slots=True)
class Sensor:
    """A bay's sensor: how often it says its state by itself, and the gateways that hear it."""

    beat: timedelta
    ears: tuple[GatewayId, ...] = ()


class Kept(msgspec.Struct):
    """All that a town's counting goes on from; see `packed`. `read_ns`: up to when events have been read (the time of their
    receipt), `booked_ns` and `stayed_ns`: up to which time quarters and stays are booked; `keys` are the secrets of the last
    days, under which stays are kept."""

    bays: dict[AssetId, BayMemory] = {}
    displays: dict[str, Display] = {}
    changes: dict[ZoneId, Changes] = {}
    checks: dict[ZoneId, Checks] = {}
    checked: Checks = msgspec.field(default_factory=Checks)  # of all zones
    samples: dict[ZoneId, list[Sample]] = {}
    reception: Reception = msgspec.field(default_factory=Reception)
    read_ns: int = 0
    booked_ns: int = 0
    stayed_ns: int = 0
    keys: dict[str, bytes] = {}
    rolled_ns: int = 0
    looked_ns: int = 0


@dataclass(slots=True)
class Looked:
    """What one look has found: facts of bays that are others than before, and of all zones."""

    bays: list[BayFact] = field(default_factory=list)
    zones: list[ZoneFact] = field(default_factory=list)
    gone: list[AssetId] = field(default_factory=list)
    changed: bool = False


class Town:
    """One town; `kept` is what was remembered of it, and is kept up to date."""

    def __init__(self, kept: Kept, rules: Rules, zone_rules: ZoneRules, doubt: DoubtRules | None = None) -> None:
        self.kept, self.rules, self._zone_rules, self._doubt = kept, rules, zone_rules, doubt or DoubtRules()
        self.changed: dict[AssetId, int] = {}  # since when (ns) what is booked of a bay must be booked again
        self._debounce_ns = rules.debounce // timedelta(microseconds=1) * 1000
        self._bays: dict[AssetId, ParkingBay] = {}
        self._zones: dict[ZoneId, list[ParkingBay]] = {}  # by the zone that they are counted in
        self._counted_in: Mapping[ZoneId, ZoneId] = {}
        self._serviced: set[AssetId] = set()
        self._facts: dict[AssetId, BayFact] = {}
        self._found: dict[ZoneId, ZoneFact] = {}
        self._hot: set[ZoneId] = set()  # zones to be looked at now …
        self._due: list[tuple[int, ZoneId]] = []  # … and those later, a heap by when: a change shows after a while
        self._suspects: Collection[AssetId] = ()
        self._blocked: Collection[AssetId] = ()

    @property
    def empty(self) -> bool:
        """Whether it has no bays."""
        return not self._bays

    # -- what it is told

    def register(self, bays: Sequence[ParkingBay], sensors: Mapping[AssetId, Sensor],
                 counted_in: Mapping[ZoneId, ZoneId]) -> None:
        """The bays that there are, those of them that have a sensor, and which zone each zone is counted in."""
        self._bays, self._counted_in, self._serviced = {bay.id: bay for bay in bays}, counted_in, set(sensors)
        self._zones = {}
        for bay in bays:
            self._zones.setdefault(counted_in.get(bay.zone, bay.zone), []).append(bay)
        for asset, sensor in sensors.items():
            self.serve(asset, sensor)
        for asset in self.kept.bays.keys() - self._bays.keys():
            del self.kept.bays[asset]
        for zone in self._found.keys() - self._zones.keys():
            del self._found[zone]
        self._hot = set(self._zones)

    def recall(self, facts: Iterable[BayFact]) -> None:
        """What was last written of bays, perhaps by another process."""
        self._facts = {fact.bay: fact for fact in facts}

    def serve(self, asset: AssetId, sensor: Sensor) -> None:
        """A sensor's beat and gateways, as they are now."""
        memory = self.memory(asset)
        memory.beat_s, memory.ears = sensor.beat.total_seconds(), sensor.ears

    def judge(self, *, blocked: Collection[AssetId], suspects: Collection[AssetId]) -> None:
        """The bays that are blocked now, and whose sensors are stuck."""
        for asset in {*blocked} ^ {*self._blocked} | {*suspects} ^ {*self._suspects}:
            self._heat(asset)
        self._blocked, self._suspects = frozenset(blocked), frozenset(suspects)

    def take(self, events: Iterable[tuple[AssetId, BayEvent]]) -> set[AssetId]:
        """What sensors have said; returns the bays whose events since `since` are needed: see `again`."""
        late = set()
        for asset, event in events:
            if asset not in self._bays:
                continue
            memory = self.memory(asset)
            before, zone = memory.track, self._zone_of(self._bays[asset])
            since_ns = before.since_ns
            if asset not in late and not memory.take(event, self.rules):
                late.add(asset)
            if event.at_ns < self.kept.booked_ns:
                self.changed[asset] = min(self.changed.get(asset, event.at_ns), since_ns or event.at_ns)
            self._heat(asset)
            if memory.track is not before:
                self._learn(zone, before, memory, event)
            if memory.track.since_ns != since_ns:
                heappush(self._due, (memory.track.since_ns + self._debounce_ns, zone))
        return late

    def _learn(self, zone: ZoneId, before: Track, memory: BayMemory, event: BayEvent) -> None:
        """What a word teaches besides: how often bays of its zone change, how often they were not as they were believed to be,
        and whether something was lost before it."""
        track, kept = memory.track, self.kept
        if track.since_ns != before.since_ns and track.occupied is not None:
            kept.changes.setdefault(zone, Changes()).add(event.at_ns, occupied=track.occupied)
        if event.sign == Sign.BEAT.value and event.occupied is not None and before.occupied is not None and memory.deaf is None:
            for one in (kept.checks.setdefault(zone, Checks()), kept.checked):
                one.add(believed=before.occupied, said=event.occupied)
        if before.heard_ns and track.session == before.session:
            usual = partial(usual_frames, kept.changes.get(zone), len(self._zones[zone]), memory.beat_s)
            kept.reception.counted(memory.ears, before_ns=before.heard_ns, at_ns=event.at_ns, missing=track.lost - before.lost,
                                   usual=usual)

    def again(self, asset: AssetId, events: Iterable[BayEvent]) -> None:
        """Something has come late, and these are all events since the bay's `since_ns`."""
        since_ns = self.memory(asset).again(events, self.rules)
        self.changed[asset] = min(self.changed.get(asset, since_ns), since_ns)

    def memory(self, asset: AssetId) -> BayMemory:
        """What is remembered of a bay."""
        found = self.kept.bays.get(asset)
        if found is None:
            found = self.kept.bays[asset] = BayMemory()
        return found

    def deafened(self, from_ns: int, until_ns: int) -> None:
        """Whatever was said between the two was lost for all bays: the platform itself did not hear."""
        for memory in self.kept.bays.values():
            if memory.track.heard_ns < until_ns:
                memory.deaf = Deaf(max(from_ns, memory.track.heard_ns), until_ns, memory.track.lost)
        self._hot = set(self._zones)

    # -- what follows

    def look(self, now: datetime, *, full: bool) -> Looked:
        """Look at the zones in which something may have changed, or (`full`) at all of them."""
        now_ns = to_ns(now)
        while self._due and self._due[0][0] <= now_ns:
            self._hot.add(heappop(self._due)[1])
        zones = list(self._zones) if full else [zone for zone in self._hot if zone in self._zones]
        self._hot = set()
        found = Looked(gone=[bay for bay in self._facts if bay not in self._bays])
        for bay in found.gone:
            del self._facts[bay]
        for zone in zones:
            fact = self._zone(zone, now, now_ns, found.bays, sample=full)
            found.changed |= fact != self._found.get(zone)
            self._found[zone] = fact
        found.zones = [msgspec.structs.replace(fact, evaluated_at=now) for fact in self._found.values()]
        self.kept.looked_ns = now_ns
        if full:
            self._tidy(now_ns)
        return found

    def busy(self, now: datetime) -> bool:
        """Whether there is anything to look at before the next full look."""
        return bool(self._hot) or bool(self._due and self._due[0][0] <= to_ns(now))

    def zones(self) -> Mapping[ZoneId, Sequence[ParkingBay]]:
        """The bays that are counted in each zone."""
        return self._zones

    def blocked(self) -> Collection[AssetId]:
        return self._blocked

    def fact(self, zone: ZoneId) -> ZoneFact | None:
        """What was last found of a zone."""
        return self._found.get(zone)

    def bay_fact(self, asset: AssetId) -> BayFact | None:
        """What was last found of a bay."""
        return self._facts.get(asset)

    def counted_in(self, zone: ZoneId) -> ZoneId:
        """The zone in which a zone's bays are counted."""
        return self._counted_in.get(zone, zone)

    # -- parts

    def _heat(self, asset: AssetId) -> None:
        if asset in self._bays:
            self._hot.add(self._zone_of(self._bays[asset]))

    def _zone(self, zone: ZoneId, now: datetime, now_ns: int, changed: list[BayFact], *, sample: bool) -> ZoneFact:
        bays = self._zones[zone]
        states = [self._state(bay, now_ns) for bay in bays]
        for state in states:
            fact = _fact(state, self.kept.bays.get(state.bay.id), now_ns, self.rules)
            if fact != self._facts.get(fact.bay):
                self._facts[fact.bay] = fact
                changed.append(fact)
        counts = {kind.value: self._count(zone, kind, states, now) for kind in {bay.restriction for bay in bays}}
        heard = [state.heard_at for state in states if state.heard_at is not None]
        trend = self._trend(zone, counts.get(Restriction.NONE.value), now_ns, sample=sample)
        return ZoneFact(zone, counts, _NEVER, max(heard, default=None), trend,
                        round(sum(bay.site.longitude for bay in bays) / len(bays), 6),
                        round(sum(bay.site.latitude for bay in bays) / len(bays), 6))

    def _state(self, bay: ParkingBay, now_ns: int) -> BayState:
        memory = self.kept.bays.get(bay.id)
        if bay.id not in self._serviced:
            if bay.blocked or bay.id in self._blocked:
                return BayState(bay, Occupancy.BLOCKED, why=Why.BLOCKED)
            return BayState(bay, Occupancy.UNKNOWN, why=Why.NO_SENSOR)
        if memory is None:
            return bay_state(bay, None, beat=timedelta(0), now_ns=now_ns, rules=self.rules, blocked=bay.id in self._blocked)
        unheard = self._unheard(bay, memory, now_ns)
        state = bay_state(bay, memory.track, beat=memory.beat, now_ns=now_ns, rules=self.rules, blocked=bay.id in self._blocked,
                          suspect=bay.id in self._suspects, unheard=bool(unheard))
        memory.mask(0 if state.why not in MASKS else unheard or now_ns, now_ns)
        return state

    def _unheard(self, bay: ParkingBay, memory: BayMemory, now_ns: int) -> int:
        """Since when what the bay's sensor may have said is lost (ns); 0 where nothing is."""
        track, deaf = memory.track, memory.deaf
        since = self.kept.reception.unheard_since(memory.ears) if self.kept.reception.silent else 0
        if since and (deaf is None or deaf.until_ns):
            begin = deaf.from_ns if deaf is not None and _still(deaf, track.said_ns, track.heard_ns, track.lost) else since
            deaf = memory.deaf = Deaf(max(begin, 1), 0, track.lost)
        elif deaf is not None and not since:
            if not deaf.until_ns:
                deaf = memory.deaf = Deaf(deaf.from_ns, now_ns, deaf.lost)
            if not _still(deaf, track.said_ns, track.heard_ns, track.lost) or not self._matters(bay, memory, deaf):
                deaf = memory.deaf = None
        return 0 if deaf is None else max(deaf.from_ns, track.heard_ns)

    def _matters(self, bay: ParkingBay, memory: BayMemory, deaf: Deaf) -> bool:
        """Whether a bay of this zone may well have changed while nobody could hear it."""
        lost = self.kept.reception.lost(memory.ears)
        meant = next((one.chance for one in lost if one.from_ns <= deaf.from_ns < one.until_ns), 1.0)
        unheard = Unheard(meant, deaf.from_ns, deaf.until_ns)
        return self._changed(self._zone_of(bay), unheard) > self._doubt.changed

    def _changed(self, zone: ZoneId, unheard: Unheard) -> float:
        return may_have_changed(self.kept.changes.get(zone), max(len(self._zones.get(zone, ())), 1), unheard)

    def _zone_of(self, bay: ParkingBay) -> ZoneId:
        return self._counted_in.get(bay.zone, bay.zone)

    def _count(self, zone: ZoneId, kind: Restriction, states: Sequence[BayState], now: datetime) -> Count:
        key = f"{zone}\n{kind.value}"
        counted = count(states, kind)
        shown = self.kept.displays[key] = display(self.kept.displays.get(key, _NOTHING), counted, now, self._zone_rules)
        if shown.leaving_since is not None:
            heappush(self._due, (to_ns(shown.leaving_since + self._zone_rules.hold), zone))
        return msgspec.structs.replace(counted, word=shown.word, margin=self._margin(zone, kind, states, to_ns(now)))

    def _margin(self, zone: ZoneId, kind: Restriction, states: Sequence[BayState], now_ns: int) -> int:
        """By how many bays the count may be off."""
        kept = self.kept
        known = [(state, kept.bays[state.bay.id]) for state in states if state.bay.restriction is kind and state.why is Why.NONE
                 and state.bay.id in kept.bays]
        checks = kept.checks.get(zone, _NO_CHECKS).wrong(kept.checked)
        return margin(known, len(states), checks, kept.changes.get(zone), kept.reception, now_ns, self._doubt)

    def _trend(self, zone: ZoneId, counted: Count | None, now_ns: int, *, sample: bool) -> str:
        """Where the number of free bays has gone lately: now, against what it was on average in the first third of that time."""
        if counted is None or not counted.total or counted.coverage < self._zone_rules.range_from:
            return ""
        samples, lately_ns = self.kept.samples.setdefault(zone, []), self._zone_rules.trend // timedelta(microseconds=1) * 1000
        if sample:
            samples.append((now_ns, counted.free, counted.known))
            self.kept.samples[zone] = samples = [one for one in samples if one[0] > now_ns - lately_ns][-MOST_SAMPLES:]
        old = [one for one in samples if one[0] <= now_ns - lately_ns * 2 // 3]
        if not old:
            return ""
        moved = counted.free - sum(free for _, free, _ in old) / len(old)
        least = max(self._zone_rules.trend_bays, self._zone_rules.trend_share * counted.total)
        return "rising" if moved >= least else "falling" if moved <= -least else "steady"

    def _tidy(self, now_ns: int) -> None:
        """What is not needed any more is forgotten, once an hour; older tracks grow older once a day."""
        rolls = now_ns - self.kept.rolled_ns > ROLL_NS // 2
        before = min(now_ns - KEEP_NS, self.kept.booked_ns or now_ns) - 900 * NS
        for memory in self.kept.bays.values():
            if memory.spans and memory.spans[0].end_ns < before:
                memory.forget(before)
            if rolls:
                memory.roll()
        if rolls:
            self.kept.rolled_ns = now_ns


def packed(kept: Kept) -> bytes:
    """For the database; not compressed."""
    return _encode(kept)


def unpacked(body: bytes) -> Kept:
    """What was packed; empty where it cannot be read, as of another version."""
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        return Kept()


def _still(deaf: Deaf, said_ns: int, heard_ns: int, lost: int) -> bool:
    """Whether what was said meanwhile is not known yet: the sensor has said its state since, or something else and nothing
    was missing before it."""
    return not (said_ns > deaf.until_ns or (heard_ns > deaf.until_ns and lost == deaf.lost))


def _fact(state: BayState, memory: BayMemory | None, now_ns: int, rules: Rules) -> BayFact:
    bay, track = state.bay, memory.track if memory is not None else None
    if track is None:
        return BayFact(bay.id, bay.zone, state.occupancy.value, state.why.value, None, None, None, state.certain, state.learning)
    return BayFact(bay.id, bay.zone, state.occupancy.value, state.why.value, state.since, state.said_at, state.heard_at,
                   state.certain, state.learning, track.edges, track.beats, track.missed, track.lost,
                   start_fault(track, now_ns, rules).value if track.starts else "")


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_NOTHING = Display(Word.NO_DATA.value)
_NO_CHECKS = Checks()
_encode = msgspec.msgpack.Encoder().encode
_DECODER = msgspec.msgpack.Decoder(Kept)
