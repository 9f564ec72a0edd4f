"""“Stimmt nicht?” starts a check of the zone's sensors: what each of them says next tells whether it was wrong. Pure.

Sensors of bays are of class A: a question would only reach one after its next word, which answers it anyway. So nobody is
asked, and an anonymous form spends no airtime; the check waits for what each sensor says by itself, for as long as its model
may be silent. Events that come late are waited for; what has been found once is never taken back.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from city.bay_health import Finding
from city.bay_tracks import HARMLESS, follow, ordered, stale_after
from city.bays import BayEvent, Rules, Sign, Track
from city.ids import AssetId, ZoneId
from city.parking_places import Doubt, Doubting
from city.readings import NS, from_ns, to_ns
from city.settings import Parking

EVERY = timedelta(minutes=5)  # so often a running check is looked at again
MARGIN = timedelta(hours=1)  # before what sensors said is forgotten


@dataclass(frozen=True, slots=True)
class CheckRules:
    """The numbers of checks; see city.settings.Parking for what each is."""

    joins: timedelta
    fresh: timedelta
    of_zone: int
    of_town: int
    late: timedelta
    at_once: timedelta
    longest: timedelta

    @classmethod
    def of(cls, said: Parking) -> "CheckRules":
        """As somebody has set them."""
        return cls(timedelta(minutes=said.check_joins_minutes), timedelta(hours=said.check_fresh_hours), said.checks_zone,
                   said.checks_town, timedelta(minutes=said.check_late_minutes), timedelta(minutes=said.check_shown_minutes),
                   min(timedelta(hours=said.check_hours), timedelta(days=said.raw_days) - MARGIN))

    @property
    def back(self) -> timedelta:
        """How long before a report the check may have begun that it belongs to."""
        return self.longest + self.fresh


class Word(Enum):
    """What a sensor's next word tells of its state at the time of the report; what is later in this list outweighs what is
    before."""

    WAITING = "waiting"  # it has not said its state since
    UNTOLD = "untold"  # its state was not known, and not counted as free or taken
    SAME = "same"
    CHANGED = "changed"  # it has told a change since, as it should
    MISSED = "missed"  # it has missed a change, but more likely after the report, or one that cannot be dated
    WRONG = "wrong"  # it was wrong: measured by its own clock, or more likely than not by its signs of life


class Result(Enum):
    """What follows for a report; what is later in this list is never taken back for what is before."""

    RUNNING = "running"
    NOTHING = "nothing"  # all have spoken, and agree with what was shown
    SUSPICIOUS = "suspicious"
    CONFIRMED = "confirmed"  # what was shown was wrong, in the way that was reported


class CheckedSensor(msgspec.Struct, frozen=True, gc=False):
    """What was found of one sensor. `was`: the state that was believed at the time of the report, None: not known. `lost`:
    frames missing between its words before and after it. `findings` are values of city.bay_health.Finding, as long as the
    check ran."""

    bay: AssetId
    word: str = Word.WAITING.value
    was: bool | None = None
    lost: int = 0
    findings: tuple[str, ...] = ()
    heard_at: datetime | None = None

    @property
    def suspicious(self) -> bool:
        return self.word in _BAD or any(one in SUSPECT for one in self.findings)


class SensorCheck(msgspec.Struct, frozen=True, gc=False):
    """A check of a zone's sensors, named by the zone and the time of the report that started it. It ends when all have spoken,
    or at `until`. `results` are Result values by Doubting value. `sensors` are forgotten sooner than the rest."""

    zone: ZoneId
    at: datetime
    until: datetime
    looked_at: datetime
    total: int
    waiting: int
    done_at: datetime | None = None
    results: dict[str, str] = {}
    sensors: tuple[CheckedSensor, ...] = ()

    def result(self, what: Doubting) -> Result:
        """What follows for a report of this kind."""
        return Result(self.results.get(what.value, Result.RUNNING.value))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a sensor when its check is looked at: its words since `since` (any order), how often it says its state
    by itself, and what is wrong with it now."""

    events: Iterable[BayEvent]
    beat: timedelta
    findings: Collection[Finding] = ()


def checkable(doubt: Doubt) -> bool:
    """Whether sensors can know of it: they know of no rule and no fee."""
    return doubt.what is not Doubting.RULE


def check_of(doubt: Doubt, checks: Iterable[SensorCheck], by: CheckRules) -> SensorCheck | None:
    """The check that a report belongs to; None where there is none."""
    if not checkable(doubt):
        return None
    mine = sorted((one for one in checks if one.zone == doubt.zone), key=lambda one: abs(doubt.at - one.at))
    if mine and abs(doubt.at - mine[0].at) <= by.joins:
        return mine[0]
    running = [one for one in mine if one.at <= doubt.at and (one.done_at is None or one.done_at > doubt.at)]
    return running[0] if len(running) >= by.of_zone else None


def wanted(doubts: Iterable[Doubt], checks: Sequence[SensorCheck], now: datetime,
           by: CheckRules) -> list[tuple[ZoneId, datetime]]:
    """Checks that have to begin: zone, and time of the report. A flood of reports begins few."""
    found: list[SensorCheck] = list(checks)
    room = by.of_town - sum(one.done_at is None for one in found)
    new: list[tuple[ZoneId, datetime]] = []
    for doubt in sorted(doubts, key=lambda one: (one.at, one.id)):
        fresh = doubt.closed_at is None and timedelta(0) <= now - doubt.at <= by.fresh
        if len(new) < room and fresh and checkable(doubt) and check_of(doubt, found, by) is None:
            new.append((doubt.zone, doubt.at))
            found.append(SensorCheck(doubt.zone, doubt.at, doubt.at, now, 0, 0))
    return new


def begin(zone: ZoneId, at: datetime, beats: Mapping[AssetId, timedelta], rules: Rules, now: datetime,
          by: CheckRules) -> SensorCheck:
    """A check of these sensors, each with how often it says its state by itself."""
    span = max((stale_after(rules, beat) for beat in beats.values()), default=timedelta(0)) + by.late
    sensors = tuple(CheckedSensor(bay) for bay in sorted(beats))
    return SensorCheck(zone, at, at + min(span, by.longest), now, len(sensors), len(sensors), sensors=sensors)


def since(check: SensorCheck, beat: timedelta, rules: Rules) -> datetime:
    """From when on a sensor's words are needed."""
    return check.at - stale_after(rules, beat)


def look(check: SensorCheck, of: Mapping[AssetId, Evidence], now: datetime, rules: Rules, by: CheckRules) -> SensorCheck:
    """The check after a look at what is known now; sensors without evidence stay as they are. One that is done stays so."""
    if check.done_at is not None:
        return check
    sensors = tuple(_joined(one, _seen(one.bay, check.at, of[one.bay], now, rules, by)) if one.bay in of else one
                    for one in check.sensors)
    waiting = sum(one.word == Word.WAITING.value for one in sensors)
    done_at = now if not waiting or now >= check.until else None
    results = {what.value: max(_result(sensors, what, done=done_at is not None), check.result(what), key=_RANKS.__getitem__).value
               for what in Doubting if what is not Doubting.RULE}
    return msgspec.structs.replace(check, sensors=sensors, waiting=waiting, looked_at=now, done_at=done_at, results=results)


def urgent_first(doubts: Iterable[Doubt], checks: Sequence[SensorCheck], by: CheckRules) -> list[Doubt]:
    """For staff: confirmed ones first, then those with suspicious sensors, those of which nothing is known, those where nothing
    was found, and what is settled; the newest first among equals."""
    def place(doubt: Doubt) -> tuple[bool, int, float]:
        check = check_of(doubt, checks, by)
        result = check.result(doubt.what) if check is not None else Result.RUNNING
        return doubt.closed_at is not None, _URGENT.index(result), -doubt.at.timestamp()

    return sorted(doubts, key=place)


SUSPECT = frozenset(one.value for one in Finding) - {Finding.BATTERY.value, Finding.LEARNING.value, Finding.NO_SENSOR.value}
_HIDES = frozenset({Finding.FLAPPING, Finding.SUSPECT, Finding.UNHEARD, Finding.FAULT, Finding.SILENT, Finding.GONE,
                    Finding.NEVER_HEARD})  # … a bay from the count
_BAD = frozenset({Word.MISSED.value, Word.WRONG.value})
_URGENT = (Result.CONFIRMED, Result.SUSPICIOUS, Result.RUNNING, Result.NOTHING)
_RANKS = {one: rank for rank, one in enumerate(Result)}
_WORDS = {one.value: rank for rank, one in enumerate(Word)}


def _result(sensors: Iterable[CheckedSensor], what: Doubting, *, done: bool) -> Result:
    found = list(sensors)
    if any(one.word == Word.WRONG.value and _explains(one.was, what) for one in found):
        return Result.CONFIRMED
    if not done:
        return Result.RUNNING
    return Result.SUSPICIOUS if any(one.suspicious or one.word == Word.WAITING.value for one in found) else Result.NOTHING


def _explains(was: bool | None, what: Doubting) -> bool:
    """Whether a bay that was believed so, wrongly, makes the number wrong in that way."""
    return what is Doubting.OTHER or was is (what is Doubting.EMPTIER)


def _joined(old: CheckedSensor, new: CheckedSensor) -> CheckedSensor:
    more = new if _WORDS[new.word] > _WORDS[old.word] else old
    heard = [one.heard_at for one in (old, new) if one.heard_at is not None]
    findings = tuple(one.value for one in Finding if one.value in {*old.findings, *new.findings})
    return CheckedSensor(old.bay, more.word, more.was, max(old.lost, new.lost), findings, max(heard, default=None))


def _seen(bay: AssetId, at: datetime, known: Evidence, now: datetime, rules: Rules, by: CheckRules) -> CheckedSensor:
    """What these words tell by themselves."""
    at_ns, events = to_ns(at), ordered(known.events)
    before, _ = follow(Track(), (one for one in events if one.at_ns <= at_ns), rules, known.beat)
    after = [one for one in events if one.at_ns > at_ns]
    told = not before.fault and at_ns - before.said_ns <= _ns(stale_after(rules, known.beat))
    believed = before.occupied if told else None
    hidden = now - at <= by.at_once and any(one in _HIDES for one in known.findings)
    place = next((n for n, one in enumerate(after) if one.occupied is not None and one.fault in HARMLESS), None)
    if believed is None or hidden:
        word = Word.UNTOLD
    else:
        word = Word.WAITING if place is None else _word(before, believed, at_ns, after[: place + 1], rules)
    if word in (Word.MISSED, Word.WRONG) and place is not None and after[place].at_ns > to_ns(now - by.late):
        word = Word.WAITING  # the change may still come
    lost = _lost(before, after)
    heard_ns = max((one.at_ns for one in events), default=0)
    return CheckedSensor(bay, word.value, believed, lost, tuple(one.value for one in known.findings),
                         from_ns(heard_ns) if heard_ns else None)


def _word(before: Track, believed: bool, at_ns: int, after: Sequence[BayEvent], rules: Rules) -> Word:
    """What the last of these words after the report, the first that says the state, tells."""
    says = after[-1]
    same, edge = says.occupied is believed, says.sign == Sign.EDGE.value
    restarted = any(one.sign == Sign.START.value for one in after)
    lasted_ns = int(says.previous_min * 60) * NS
    began_ns = says.at_ns - lasted_ns if edge and says.previous_min >= 0 and not restarted \
        and says.previous_error <= rules.sharp_min else None
    if edge and not same:
        lost_two = began_ns is not None and began_ns > before.since_ns + _ns(rules.own_clock) + int(says.previous_error * 60) * NS
        return Word.MISSED if lost_two else Word.CHANGED
    if not edge and same:
        return Word.SAME
    if says.sign == Sign.STATE.value:
        return Word.CHANGED  # it does not say whether it has changed: it has
    if began_ns is not None:
        return Word.WRONG if began_ns <= at_ns else Word.MISSED
    return Word.WRONG if at_ns - before.said_ns >= says.at_ns - at_ns else Word.MISSED


def _lost(before: Track, after: Sequence[BayEvent]) -> int:
    """Frames missing between the last word before the report and the first after it."""
    first = next((one for one in after if one.number >= 0), None)
    if first is None or before.number < 0 or first.session != before.session:
        return 0
    return max(first.number - before.number - 1, 0)


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
