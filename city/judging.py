"""One judging of one lamp: what is new in its state, rule by rule. Thresholds and their sources: city.faults."""

from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean, median, pstdev

from city.alarms import AlarmKind
from city.expected import STANDBY_W
from city.faults import (
    APART,
    CLOCK_START,
    DARK,
    DARK_W,
    DAY,
    FITS,
    FLICKER,
    FLICKER_LEAST,
    GRAIN_W,
    HOUR,
    KEPT,
    LIT_W,
    LONGEST_GAP,
    MINUTE,
    OFF_TARGET,
    PF_FROM,
    SETTLED,
    UNMOVED,
    Facts,
    Mark,
    Sight,
    Track,
    Verdict,
    least_factor,
    level_of,
    limits,
    marked,
)
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK,
    DEVICE_CLOCK_VALID,
    DEVICE_MAINTENANCE,
    DEVICE_TEMPERATURE,
    LAMP_BURN_TIME,
    LAMP_DALI_ERROR,
    LAMP_ENERGY,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_RELAY_CLOSED,
    LAMP_STARTS,
    LAMP_TILT,
    LAMP_VOLTAGE,
    RADIO_GATEWAYS,
    Quantity,
)
from city.readings import NS


def judge(track: Track, sight: Sight, now_ns: int) -> tuple[Track, tuple[tuple[int, float], ...]]:
    """What is remembered after all that is new in the lamp's state, and (level, watts) of each measurement that was good
    enough to judge by."""
    work = _Work(track, sight, now_ns)
    verdicts = list(work.verdicts())
    marks = track.marks
    for verdict in verdicts:
        marks = marked(marks, verdict, now_ns)
    return work.after(marks), tuple((level, watts) for level, watts, _ in work.fresh)


class _Work:
    """One judging of one lamp: what is new in its state, rule by rule."""

    def __init__(self, track: Track, sight: Sight, now_ns: int) -> None:
        self.track, self.sight, self.now = track, sight, now_ns
        self.last = sight.state.last
        self.level = level_of(sight.state)
        self.fresh: list[tuple[int, float, float]] = []
        self.waiting = list(track.waiting)
        self.power_at, self.samples = track.power_at, track.samples
        self.energy, self.burnt, self.starts, self.tilt, self.boots = (track.energy, track.burnt, track.starts, track.tilt,
                                                                      track.boots)
        self.seen = list(track.seen)
        self.lit = self._lit_since()

    def verdicts(self) -> Iterator[Verdict]:
        yield from self._powers()
        yield from self._levels()
        yield from self._day()
        yield from self._mains()
        yield from self._counters()
        yield from self._device()

    def after(self, marks: dict[str, Mark]) -> Track:
        state, alone = self.sight.state, self.track.alone
        if state.heard_ns > self.track.heard and (count := state.last.value(RADIO_GATEWAYS.name)) is not None:
            alone = 0.8 * alone + 0.2 * (count == 1) if self.track.heard else float(count == 1)
        return Track(self.power_at, tuple(self.waiting), self.samples, self.energy, self.burnt, self.starts, self.tilt,
                     self.boots, tuple(self.seen), alone, max(state.heard_ns, self.track.heard), self.lit, self._gap(), marks)

    def _lit_since(self) -> int:
        """Since when its level is above 0; a restart may follow a time without power."""
        if self.level is None or float(self.level.value) <= 0:
            return 0
        boot = self.last.get(DEVICE_BOOT.name)
        return max(self.track.lit or self.level.since_ns, boot.at_ns if boot is not None else 0)

    def _gap(self) -> int:
        """How long it is mostly silent: soon longer, slowly shorter, for what it reports in between comes as it will. A day
        without power says nothing."""
        now, known = self.sight.state.heard_ns - self.track.heard, self.track.gap
        if not self.track.heard or not 0 < now <= LONGEST_GAP:
            return known
        return known + round((0.3 if now > known else 0.02) * (now - known))

    # -- power

    def _powers(self) -> Iterator[Verdict]:
        known = self.last.get(LAMP_POWER.name)
        if known is not None and known.at_ns > self.power_at:
            self.power_at = known.at_ns
            if self.level is None or known.at_ns <= self.level.at_ns + 5 * self.sight.interval_ns // 2:
                self.waiting = [*self.waiting, (known.at_ns, float(known.value))][-3:]
            # else so many words were lost (a gateway was down) that it may have changed twice, and be again what it was
        if self.level is None:
            self.waiting.clear()
            return
        ready = [one for one in self.waiting if self._confirmed(one[0])]
        self.waiting = [one for one in self.waiting if not self._confirmed(one[0])]
        for at, watts in ready:
            if at >= self.level.since_ns + SETTLED:
                yield from self._power(float(self.level.value), watts, at)

    def _confirmed(self, at: int) -> bool:
        """Whether the level is known to have been the same at `at`: it was said again after it, or it is the one that was
        wanted already when it was said, since the measurement before, and still is: then the program has not changed it."""
        level, want = self.level, self.sight.want
        if level is None or at <= level.at_ns:
            return level is not None
        obeyed = want.level > 0 and abs(float(level.value) - want.level) <= OFF_TARGET and want.since_ns <= level.at_ns
        return obeyed and self.track.power_at < level.at_ns and at <= level.at_ns + self.sight.interval_ns

    def _power(self, level: float, watts: float, at: int) -> Iterator[Verdict]:
        full, here = self.sight.expected(100), self.sight.expected(level)
        if here is None or full is None:
            return
        if level <= 0:
            yield from self._standby(watts, at)
            return
        share = watts / here
        lower, upper = limits(level)
        facts: Facts = {"measured": round(watts, 1), "expected": round(here, 1), "level": round(level)}
        yield from self._dark(watts, here, facts)
        dark = _is_dark(watts, here)
        unmoved = not dark and self._unmoved(level, watts, here, full)
        stuck = not dark and self._stuck(level, watts, here, full, unmoved=unmoved)
        self.samples = (*self.samples, (round(level), round(watts, 1), round(share, 3)))[-KEPT:]
        self.fresh.append((round(level), watts, share))
        if dark:
            yield from self._flickers()
            return
        if stuck or (not unmoved and abs(level - self.sight.want.level) <= OFF_TARGET):
            yield Verdict(AlarmKind.DIMMING_FAILURE, stuck, facts)
        if not stuck:
            low = {**facts, "limit": round(lower * here, 1)}
            high = {**facts, "limit": round(upper * here, 1)}
            yield Verdict(AlarmKind.PARTIAL_FAILURE, watts < lower * here - GRAIN_W, low)
            yield Verdict(AlarmKind.OVERPOWER, watts > upper * here + GRAIN_W, high)
        yield from self._flickers()

    def _dark(self, watts: float, here: float, facts: Facts) -> Iterator[Verdict]:
        """A lamp whose expected power does not stand out from standby cannot be judged by its power."""
        if here < 2 * DARK_W:
            return
        dark = _is_dark(watts, here)
        relay = dark and self.last.value(LAMP_RELAY_CLOSED.name) is True and watts < STANDBY_W / 2 \
            and self.last.value(LAMP_DALI_ERROR.name) is True
        yield Verdict(AlarmKind.RELAY_FAILURE, True, facts) if relay else Verdict(AlarmKind.LAMP_FAILURE, dark, facts)

    def _stuck(self, level: float, watts: float, here: float, full: float, *, unmoved: bool) -> bool:
        """Whether the power fits another level: that of 100 %, or what was drawn at another level before. At the level at
        which it is stuck it fits: that is neither a bad sign nor a good one."""
        if abs(watts - here) <= max(FITS * here, GRAIN_W):
            return False
        if level <= 90 and full - here > APART * full and abs(watts - full) <= FITS * full:
            return True
        return unmoved

    def _unmoved(self, level: float, watts: float, here: float, full: float) -> bool:
        """Whether the power has been what it is since before the last change of level, which should have moved it."""
        for other, then, _ in reversed(self.samples):
            if abs(then - watts) > max(UNMOVED * full, GRAIN_W):
                return False
            if abs(other - level) >= 20:
                return abs((self.sight.expected(other) or here) - here) > APART * full
        return False

    def _flickers(self) -> Iterator[Verdict]:
        """Of shares of the expected power, so that a change of level does not count; nor does a single step, which is
        another fault."""
        shares = [share for _, _, share in self.samples]
        burning = [share for share in shares if share > DARK][-8:]
        if len(burning) >= FLICKER_LEAST:
            variation = pstdev(burning) / fmean(burning)
            steps = median(abs(first - second) for first, second in pairwise(burning))
            yield Verdict(AlarmKind.FLICKER, variation > FLICKER and steps > FLICKER / 2,
                          {"variation": round(100 * variation), "samples": len(burning)})
        lit = [share > 0.5 for share in shares[-8:] if not DARK < share <= 0.5]
        turns = sum(first != second for first, second in pairwise(lit))
        if turns >= 3:
            yield Verdict(AlarmKind.CYCLING, True, {"turns": turns})

    def _standby(self, watts: float, at: int) -> Iterator[Verdict]:
        """Level 0: it must not burn. By day that is a day burner's business as well."""
        opened = self.last.value(LAMP_RELAY_CLOSED.name) is False
        facts: Facts = {"measured": round(watts, 1), "expected": STANDBY_W, "level": 0}
        if opened:
            yield Verdict(AlarmKind.RELAY_FAILURE, watts > LIT_W, facts)
        elif watts > LIT_W and not (self.sight.day_ns and at >= self.sight.day_ns):
            yield Verdict(AlarmKind.DIMMING_FAILURE, True, facts)

    # -- the level that it says

    def _levels(self) -> Iterator[Verdict]:
        level, want = self.level, self.sight.want
        if level is None or level.at_ns <= self.seen[5]:
            return
        self.seen[5] = level.at_ns
        says = float(level.value)
        if self._maintained() or level.at_ns < want.since_ns + 30 * MINUTE:
            return
        facts: Facts = {"level": round(says), "wanted": want.level}
        if want.level > 0 and self.sight.dark_ns and level.at_ns >= self.sight.dark_ns:
            yield Verdict(AlarmKind.NIGHT_OFF, says <= 0, facts)
        late = level.at_ns >= want.since_ns + 2 * self.sight.interval_ns + 10 * MINUTE
        off = abs(says - want.level) > OFF_TARGET
        if says > 0 and want.level > 0 and self.sight.obeys and late and (off or self.last.get(LAMP_POWER.name) is None):
            yield Verdict(AlarmKind.DIMMING_FAILURE, off, facts)

    def _day(self) -> Iterator[Verdict]:
        """By day: what it said, or drew, since the sun stood above 3°."""
        sight, since = self.sight, self.sight.day_ns
        if not since or sight.want.level > 0 or sight.want.override or self._maintained():
            return
        level, power = self.level, self.last.get(LAMP_POWER.name)
        new = [one.at_ns for one in (level, power) if one is not None and one.at_ns >= since and one.at_ns > self.track.heard]
        if not new:
            return
        dark = power is not None and float(power.value) <= LIT_W and (level is None or power.at_ns > level.at_ns)
        says = level is not None and level.at_ns >= since and float(level.value) > 0 and not dark
        draws = power is not None and power.at_ns >= since and float(power.value) > LIT_W and (
            level is None or power.at_ns >= level.since_ns)  # else the level has changed since it was measured
        facts: Facts = {"measured": round(float(power.value), 1)} if power is not None and power.at_ns >= since else {}
        if level is not None:
            facts["level"] = round(float(level.value))
        yield Verdict(AlarmKind.DAY_BURNER, says or draws, facts)

    def _maintained(self) -> bool:
        return self.last.value(DEVICE_MAINTENANCE.name) is True

    # -- mains, housing

    def _mains(self) -> Iterator[Verdict]:
        volts = self._new(LAMP_VOLTAGE, 0)
        if volts is not None and volts > 50:
            yield from _band(AlarmKind.UNDERVOLTAGE, -volts, -207, -212, {"measured": volts, "limit": 207})
            yield from _band(AlarmKind.OVERVOLTAGE, volts, 253, 248, {"measured": volts, "limit": 253})
        level = self.level
        factor = self._new(LAMP_POWER_FACTOR, 1)
        if factor is not None and level is not None and float(level.value) >= PF_FROM \
                and level.since_ns + SETTLED <= self.seen[1] <= level.at_ns + self.sight.interval_ns and not self._unlit():
            limit = least_factor(float(level.value))
            yield from _band(AlarmKind.LOW_POWER_FACTOR, -factor, -limit, -limit - 0.03,
                             {"measured": factor, "limit": round(limit, 2), "level": round(float(level.value))})
        degrees = self._new(DEVICE_TEMPERATURE, 2)
        if degrees is not None:
            yield from _band(AlarmKind.OVER_TEMPERATURE, degrees, 70, 60, {"measured": degrees, "limit": 70},
                             worse=2 if degrees > 85 else 0)
        yield from self._tilted()

    def _unlit(self) -> bool:
        """The power factor of a lamp that does not burn says nothing."""
        power = self.last.value(LAMP_POWER.name)
        return power is not None and float(power) <= LIT_W

    def _tilted(self) -> Iterator[Verdict]:
        tilt = self._new(LAMP_TILT, 3)
        if tilt is None:
            return
        if self.tilt < 0:
            self.tilt = tilt
        by = round(abs(tilt - self.tilt), 1)
        yield from _band(AlarmKind.TILTED, by, 10, 7, {"measured": by, "limit": 10})

    def _new(self, quantity: Quantity, place: int) -> float | None:
        """The value, if it is newer than the last one judged."""
        known = self.last.get(quantity.name)
        if known is None or known.at_ns <= self.seen[place]:
            return None
        self.seen[place] = known.at_ns
        return float(known.value)

    # -- counters

    def _counters(self) -> Iterator[Verdict]:
        yield from self._energy()
        yield from self._burning()
        yield from self._started()

    def _energy(self) -> Iterator[Verdict]:
        known, (before_at, before) = self.last.get(LAMP_ENERGY.name), self.energy
        if known is None or known.at_ns <= before_at:
            return
        now = float(known.value)
        self.energy = known.at_ns, now
        if not before_at or not self.sight.nominal_w:
            return
        most = 1.5 * self.sight.nominal_w * 1.1 * (known.at_ns - before_at) / HOUR + 10
        used = now - before
        if used < 0:  # a counter of 24 or 32 bits begins anew when it is full
            used = min((full - before + now for full in (2**24, 2**32) if full - 10 * most - 100 < before < full), default=used)
        yield Verdict(AlarmKind.METER_JUMP, not 0 <= used <= most, {"measured": round(used), "limit": round(most)})

    def _burning(self) -> Iterator[Verdict]:
        """Time burnt, while its level was above 0 all along: if it is shorter than the time gone by, it went out."""
        known, (before_at, before) = self.last.get(LAMP_BURN_TIME.name), self.burnt
        if known is None or known.at_ns <= before_at:
            return
        if not self._confirmed(known.at_ns):
            return  # whether it was to burn until then is not known yet
        self.burnt = known.at_ns, float(known.value)
        gone, burnt = (known.at_ns - before_at) / NS, float(known.value) - before
        if not before_at or gone < 600 or burnt < 0 or not 0 < self.lit <= before_at:
            return
        if gone > 3 * self.sight.interval_ns / NS:
            return  # its feeder may have been off in between
        share = burnt / gone
        if share >= 0.02:  # less is a lamp that does not burn at all
            yield Verdict(AlarmKind.CYCLING, share < 0.9, {"measured": round(100 * share), "minutes": round(gone / 60)})

    def _started(self) -> Iterator[Verdict]:
        known, (before_at, before) = self.last.get(LAMP_STARTS.name), self.starts
        if known is None or known.at_ns <= before_at:
            return
        self.starts = known.at_ns, float(known.value)
        steady = self.level is not None and self.level.since_ns <= before_at
        if before_at and steady and known.at_ns - before_at <= DAY:
            more = float(known.value) - before
            if more >= 0:
                yield Verdict(AlarmKind.CYCLING, more >= 3, {"starts": round(more)})

    # -- the controller

    def _device(self) -> Iterator[Verdict]:
        known = self.last.get(DEVICE_CLOCK.name)
        if known is not None and known.at_ns > self.seen[4]:
            self.seen[4] = known.at_ns
            if float(known.value) >= CLOCK_START and self.last.value(DEVICE_CLOCK_VALID.name) is not False:
                off = abs(float(known.value) - known.at_ns / NS)
                yield from _band(AlarmKind.CLOCK_WRONG, off, 60, 30, {"measured": round(off), "limit": 60},
                                 worse=1 if off > 600 else 0)
        boot = self.last.get(DEVICE_BOOT.name)
        if boot is not None and (not self.boots or boot.at_ns > self.boots[-1] + MINUTE):
            self.boots = (*self.boots, boot.at_ns)[-7:]
        lately = [at for at in self.boots if self.now - at <= DAY]
        if len(lately) > 5 or AlarmKind.RESTARTS.value in self.track.marks:
            yield Verdict(AlarmKind.RESTARTS, len(lately) > 5, {"measured": len(lately), "limit": 5})


def _is_dark(watts: float, here: float) -> bool:
    return watts < max(DARK_W, DARK * here)


def _band(kind: AlarmKind, value: float, beyond: float, back: float, facts: Facts, *, worse: int = 0) -> Iterator[Verdict]:
    """Bad above `beyond`, good below `back`, and in between as it was."""
    if value > beyond:
        yield Verdict(kind, True, facts, worse)
    elif value < back:
        yield Verdict(kind, False, facts)
