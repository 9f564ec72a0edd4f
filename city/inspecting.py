"""One look over a town's lamps: what each has said is judged, what they do together is correlated, and alarms and incidents
begin and end. Pure: all that is remembered from look to look is an `Inspected`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec

from city.alarms import RULE, Alarm, AlarmKind, begin
from city.correlating import Vital, correlate, silent_together
from city.expected import Learnt, Lesson, expected_power, learn
from city.faults import RULES, Facts, Mark, Sight, Track, Want, due, forgotten, hinted, over, severity
from city.ids import AssetId, CircuitId, TenantId
from city.incidents import AFTERMATH, Cause, Collective, Incident, gathered
from city.judging import judge
from city.nights import evening_of
from city.places import Luminaire, Restriction, Site
from city.readings import NS, DeviceState, from_ns, to_ns
from city.sun import between

HOURLY = 3600 * NS
SILENT_INTERVALS, SILENT_LONG = 3.3, 24 * 3600 * NS
GAP = timedelta(minutes=15)  # without a look: then we were not listening either
HIGH, LOW = 3.0, -3.0  # degrees of the sun: surely day, surely night
EDGE_NS = 15 * 60 * NS  # before and after a night-switched feeder's hours
_DAY = timedelta(days=1)
_TOGETHER = {AlarmKind.DAY_BURNER: "circuit_by_day", AlarmKind.NIGHT_OFF: "circuit_dark"}


@dataclass(frozen=True, slots=True)
class Lamp:
    """One lamp as it is known now. `interval_ns`: how often it reports, 0 where it has not confirmed that; `obeys`: it can be
    told a level."""

    lamp: Luminaire
    state: DeviceState
    alarms: tuple[Alarm, ...]
    interval_ns: int
    obeys: bool = True


@dataclass(frozen=True, slots=True)
class Sky:
    """The sun over a town at one moment: since when (ns) it is surely day, surely night, and a night-switched feeder has
    power; 0 where it is not, or has none. `cut_ns`: when such a feeder lost it last."""

    day_ns: int
    dark_ns: int
    fed_ns: int
    cut_ns: int = 0

    @classmethod
    def over(cls, site: Site, now: datetime) -> "Sky":
        dawn = between(site, evening_of(now) - _DAY, 0.0)[1]
        return cls(_day_since(site, now), _within(site, now, LOW, 0), _within(site, now, 0.0, EDGE_NS), to_ns(dawn) - EDGE_NS)


@dataclass(slots=True)
class Inspected:
    """What is remembered of a town between looks: each lamp's track, what has been learnt, what tonight teaches, and since
    when we have been listening."""

    tracks: dict[AssetId, Track] = field(default_factory=dict)
    learnt: Learnt = field(default_factory=dict)
    lesson: Lesson = field(default_factory=Lesson)
    looked_at: datetime | None = None
    listening_ns: int = 0
    judged: dict[AssetId, DeviceState] = field(default_factory=dict)  # the state that was judged last
    vitals: dict[AssetId, tuple[DeviceState, Track, int, Vital]] = field(default_factory=dict)  # … and what came of it
    sky: "Sky | None" = None


@dataclass(frozen=True, slots=True)
class Found:
    """What one look has changed."""

    alarms: tuple[Alarm, ...]
    incidents: tuple[Incident, ...]
    learnt: Learnt | None = None


def inspect(tenant: TenantId, memory: Inspected, lamps: Sequence[Lamp], others: Iterable[Alarm], known: Sequence[Incident], *,
            site: Site, want: Callable[[Luminaire], Want], night_fed: frozenset[CircuitId], now: datetime) -> Found:
    """Look once, and remember in `memory`. `others`: open alarms of assets that are no lamps; `known`: open incidents;
    `night_fed`: circuits that have power only at night."""
    look = _Look(tenant, memory, site, want, night_fed, now)
    for lamp in lamps:
        look.judge(lamp)
    found = correlate([look.vital(lamp) for lamp in lamps], known, look.now_ns)
    explained = _explained([*found, *_just_over(known, now)])
    changed = [alarm for lamp in lamps for alarm in look.alarms(lamp, explained)]
    by_id = {alarm.id: alarm for lamp in lamps for alarm in lamp.alarms} | {alarm.id: alarm for alarm in others}
    by_id |= {alarm.id: alarm for alarm in changed}
    incidents = gathered(tenant, known, found, [alarm for alarm in by_id.values() if alarm.open], now)
    return Found(tuple(changed), incidents, look.learnt(lamps))


class _Look:
    def __init__(self, tenant: TenantId, memory: Inspected, site: Site, want: Callable[[Luminaire], Want],
                 night_fed: frozenset[CircuitId], now: datetime) -> None:
        self.tenant, self.memory, self.want, self.night_fed = tenant, memory, want, night_fed
        self.now, self.now_ns, self.sky = now, to_ns(now), Sky.over(site, now)
        if memory.looked_at is None or now - memory.looked_at > GAP:
            memory.listening_ns = self.now_ns
        if memory.sky != self.sky:
            memory.vitals.clear()
        self.before, memory.looked_at, memory.sky = memory.looked_at, now, self.sky

    def judge(self, lamp: Lamp) -> None:
        """Judge what is new of the lamp; what was judged before is not looked at again."""
        memory, asset = self.memory, lamp.lamp.id
        if memory.judged.get(asset) is lamp.state or not lamp.state.heard_ns:
            return
        memory.judged[asset] = lamp.state
        track, good = judge(recalled(memory.tracks.get(asset) or Track(), lamp.alarms), self._sight(lamp), self.now_ns)
        memory.tracks[asset] = track
        for level, watts in good:
            memory.lesson.add(lamp.lamp, int(level), watts)

    def vital(self, lamp: Lamp) -> Vital:
        """As in the last look, where nothing has changed since."""
        asset, state = lamp.lamp, lamp.state
        track, since = self.memory.tracks.get(asset.id) or _NOTHING, self._since(asset)
        known = self.memory.vitals.get(asset.id)
        if known is not None and known[0] is state and known[1] is track and known[2] == since:
            return known[3]
        vital = self._vital(lamp, track, since)
        self.memory.vitals[asset.id] = state, track, since, vital
        return vital

    def _vital(self, lamp: Lamp, track: Track, since: int) -> Vital:
        asset, state, marked = lamp.lamp, lamp.state, bool(track.marks)
        return Vital(asset.id, str(asset.circuit or ""), str(state.gateway or ""), state.heard_ns, self._interval(lamp),
                     since if state.heard_ns else 0, track.alone >= 0.7,
                     self._told(lamp, track, AlarmKind.DAY_BURNER, self.sky.day_ns, marked=marked),
                     self._told(lamp, track, AlarmKind.NIGHT_OFF, self.sky.dark_ns, marked=marked))

    def alarms(self, lamp: Lamp, explained: Mapping[AlarmKind, frozenset[AssetId]]) -> Iterator[Alarm]:
        """The lamp's alarms that begin, end or change now."""
        asset, track = lamp.lamp.id, self.memory.tracks.get(lamp.lamp.id)
        if self.now_ns - lamp.state.heard_ns > SILENT_INTERVALS * (lamp.interval_ns or HOURLY):
            yield from self._silence(lamp, explained)
        if track is None or not (track.marks or lamp.alarms):
            return
        running = {alarm.kind.value: alarm for alarm in lamp.alarms if alarm.open and alarm.kind in RULES}
        for name in (running.keys() | track.marks.keys()) - _BY_ITSELF:
            kind, alarm, mark = _KINDS[name], running.get(name), track.marks.get(name)
            if alarm is None and mark is not None:
                if over(track, kind, self.now_ns):
                    track = self.memory.tracks[asset] = forgotten(track, kind)
                elif due(track, kind, self.now_ns) and asset not in explained.get(kind, ()):
                    yield self._begun(lamp, kind, mark)
            elif alarm is not None and alarm.judged:
                changed, track = self._going_on(lamp, alarm, mark, track)
                self.memory.tracks[asset] = track
                if changed is not None:
                    yield changed

    def learnt(self, lamps: Sequence[Lamp]) -> Learnt | None:
        """What is known after the night, if one has just ended; lamps that are gone are forgotten with it."""
        memory = self.memory
        if self.before is None or evening_of(self.before) == evening_of(self.now):
            return None
        here = {lamp.lamp.id for lamp in lamps}
        memory.tracks = {asset: track for asset, track in memory.tracks.items() if asset in here}
        memory.judged = {asset: state for asset, state in memory.judged.items() if asset in here}
        memory.vitals = {asset: known for asset, known in memory.vitals.items() if asset in here}
        suspects = {one.lamp.id for one in lamps if any(alarm.open for alarm in one.alarms)}
        suspects |= {asset for asset, track in memory.tracks.items() if track.marks}
        memory.learnt, memory.lesson = learn(memory.learnt, memory.lesson, suspects), Lesson()
        return memory.learnt

    # -- one lamp

    def _sight(self, lamp: Lamp) -> Sight:
        asset, learnt = lamp.lamp, self.memory.learnt
        return Sight(lamp.state, self.want(asset), lambda level: expected_power(asset, level, learnt), asset.power_w or 0.0,
                     asset.min_level, self._interval(lamp), self.sky.day_ns, self.sky.dark_ns, lamp.obeys)

    def _interval(self, lamp: Lamp) -> int:
        """How often it reports: as it has confirmed, else as it has shown, and hourly to begin with."""
        track = self.memory.tracks.get(lamp.lamp.id)
        return lamp.interval_ns or max(HOURLY, track.gap if track is not None else 0)

    def _since(self, asset: Luminaire) -> int:
        """From when its silence counts."""
        if asset.circuit in self.night_fed:
            return max(self.sky.fed_ns, self.memory.listening_ns) if self.sky.fed_ns else 0
        return self.memory.listening_ns

    def _told(self, lamp: Lamp, track: Track, kind: AlarmKind, since_ns: int, *, marked: bool) -> bool | None:
        """Whether the lamp has told, today or tonight, that it has this fault; None if it has told nothing."""
        if not since_ns or lamp.state.heard_ns < since_ns:
            return None
        bad = hinted(track, kind) if marked else None
        return bad if bad is not None else False

    def _begun(self, lamp: Lamp, kind: AlarmKind, mark: Mark) -> Alarm:
        grave = severity(kind, mark, crosswalk=lamp.lamp.restriction is Restriction.CROSSWALK)
        return begin(self.tenant, lamp.lamp.id, kind, self.now, severity=grave, facts={**mark.facts, RULE: kind.value})

    def _going_on(self, lamp: Lamp, alarm: Alarm, mark: Mark | None, track: Track) -> tuple[Alarm | None, Track]:
        """The alarm if it ends or has become graver, and the track without what is over."""
        if mark is None:
            return None, track
        if over(track, alarm.kind, self.now_ns):
            return replace(alarm, ended_at=self.now), forgotten(track, alarm.kind)
        grave = severity(alarm.kind, mark, crosswalk=lamp.lamp.restriction is Restriction.CROSSWALK)
        if grave > alarm.severity and not mark.good:
            return replace(alarm, severity=grave, facts={**mark.facts, RULE: alarm.kind.value}), track
        return None, track

    def _silence(self, lamp: Lamp, explained: Mapping[AlarmKind, frozenset[AssetId]]) -> Iterator[Alarm]:
        """Its silence begins and gets graver here; it ends with its next word (city.alarms.watch)."""
        since, asset = self._since(lamp.lamp), lamp.lamp.id
        if not since or not lamp.state.heard_ns or asset in explained.get(AlarmKind.DEVICE_SILENT, ()):
            return
        quiet = self.now_ns - max(lamp.state.heard_ns, since)
        if lamp.lamp.circuit in self.night_fed and lamp.state.heard_ns >= self.memory.listening_ns:
            quiet += max(self.sky.cut_ns - lamp.state.heard_ns, 0)  # of last night
        interval = self._interval(lamp)
        if quiet <= SILENT_INTERVALS * interval:
            return
        running = next((one for one in lamp.alarms if one.open and one.kind is AlarmKind.DEVICE_SILENT), None)
        facts: Facts = {RULE: AlarmKind.DEVICE_SILENT.value, "minutes": round((self.now_ns - lamp.state.heard_ns) / (60 * NS)),
                 "interval": round(interval / (60 * NS))}
        worse = int(self.now_ns - lamp.state.heard_ns > SILENT_LONG)
        grave = severity(AlarmKind.DEVICE_SILENT, Mark(worse=worse), crosswalk=lamp.lamp.restriction is Restriction.CROSSWALK)
        if running is None:
            yield begin(self.tenant, asset, AlarmKind.DEVICE_SILENT, self.now, severity=grave, facts=facts)
        elif grave > running.severity:
            yield replace(running, severity=grave, facts=facts)


def packed(memory: Inspected) -> bytes:
    """The memory as bytes, to go on from after a restart."""
    looked = memory.looked_at.timestamp() if memory.looked_at else 0.0
    lesson = [(kind, level, lamps) for (kind, level), lamps in memory.lesson.seen.items()]
    return msgspec.msgpack.encode((VERSION, looked, memory.listening_ns, memory.tracks, lesson))


def unpacked(body: bytes, learnt: Learnt) -> Inspected:
    """The memory of such bytes; an empty one of those that another version has written."""
    try:
        version, looked, listening, tracks, lesson = _PACKED.decode(body)
    except msgspec.DecodeError:
        return Inspected(learnt=learnt)
    if version != VERSION:
        return Inspected(learnt=learnt)
    seen = {(kind, level): lamps for kind, level, lamps in lesson}
    return Inspected(tracks, learnt, Lesson(seen), from_ns(int(looked * NS)) if looked else None, listening)


VERSION = "1"
_Lessons = list[tuple[str, int, dict[AssetId, list[float]]]]
_PACKED = msgspec.msgpack.Decoder(tuple[str, float, int, dict[AssetId, Track], _Lessons])
_NOTHING = Track()
_KINDS = {kind.value: kind for kind in AlarmKind}
_BY_ITSELF = {AlarmKind.DEVICE_SILENT.value}  # judged of what was not said


def recalled(track: Track, alarms: Iterable[Alarm]) -> Track:
    """The track, with a mark for each fault that stands: where the memory of it was lost (a crash, another version), the
    alarm itself is the evidence, and good news can end it."""
    lost = {alarm.kind.value: Mark(RULES[alarm.kind].bad, to_ns(alarm.began_at), facts=dict(alarm.facts)) for alarm in alarms
            if alarm.open and alarm.judged and alarm.kind in RULES and alarm.kind.value not in track.marks
            and alarm.kind.value not in _BY_ITSELF}
    return msgspec.structs.replace(track, marks={**track.marks, **lost}) if lost else track


def _just_over(known: Iterable[Incident], now: datetime) -> list[Collective]:
    """Collective causes that end now or have ended, while what they have left behind is still ending."""
    return [Collective(one.cause, one.subject, one.assets, one.began_at) for one in known
            if one.cause is not Cause.ASSET and (one.ended_at is None or now - one.ended_at < AFTERMATH)]


def _explained(found: Sequence[Collective]) -> dict[AlarmKind, frozenset[AssetId]]:
    """Whose alarms of which kind need not begin, because many have them together."""
    explained = {AlarmKind.DEVICE_SILENT: silent_together(found)}
    for kind, cause in _TOGETHER.items():
        explained[kind] = frozenset(asset for one in found if one.cause.value == cause for asset in one.assets)
    return explained


def _day_since(site: Site, now: datetime) -> int:
    """Since when the sun has stood above HIGH, ns; 0 while it does not."""
    evening = evening_of(now)
    falls, rises = between(site, evening, HIGH)
    if now >= rises:
        return to_ns(rises)
    return to_ns(between(site, evening - _DAY, HIGH)[1]) if now < falls else 0


def _within(site: Site, now: datetime, degrees: float, edge_ns: int) -> int:
    """Since when the sun has been below `degrees`, by at least so much time on both sides; 0 while it is not."""
    falls, rises = between(site, evening_of(now), degrees)
    since, until = to_ns(falls) + edge_ns, to_ns(rises) - edge_ns
    return since if since <= to_ns(now) < until else 0
