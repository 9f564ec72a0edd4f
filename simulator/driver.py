"""An LED luminaire as physics: driver, light source, meter, and what their faults look like from outside.

Power at the mains side follows P = P_nom · (0.05 + 0.95 · d^1.35) (reproduces the record of a 64 W luminaire in an
operator's system: 44.7 W at 75 %). Read as losses: the driver loses 5 % of its nominal power whatever it does, and a
twentieth of what it delivers. A cold light source has a higher forward voltage: at a constant current it draws 3.5 % more,
until it is warm. Over 100,000 h the forward voltage creeps up by 2 %, while the light falls to 80 % (L80, extrapolated as
IES TM-21 does: exponentially); a driver with constant light output (CLO) begins with less current instead.

DALI status: IEC 62386-102:2014, command 144, QUERY STATUS. Bit 7 (powerCycleSeen) never shows: controllers send a level
as soon as the mains are back, and that clears it.
"""

from math import exp
from random import Random

from city.readings import NS
from simulator.mains import Feeder, outside, volts

STANDBY_W = 0.5  # IEC 62386-102 drivers for lighting of roads: the ecodesign rules ask for no more
DEAD_W = 0.2  # what a mains filter lets through when nothing behind it works
FIXED, SLOPE, BEND = 0.05, 0.95, 1.35
DELIVERED = 0.90  # of the nominal power at full load reaches the light source
COLD, WARM_UP_S = 0.035, 600.0  # a cold source draws so much more; how fast it gets warm (LM-79 waits for half an hour)
HEAT_K = 17.0  # of the housing above the air at full load
LIFE_H, L_END, CREEP = 100_000.0, 0.80, 0.02
FADE_S = 0.7  # DALI's fade time 1
DRIFT_PER_DAY, MOST_DRIFT = 0.02, 0.4  # of a meter that is losing its reference
FLICKER = 0.6  # a flickering lamp's power lies anywhere within so much of its mean
GEAR_FAILURE, LAMP_FAILURE, LAMP_ON, FADING = 0x01, 0x02, 0x04, 0x10  # bits of QUERY STATUS
FAULTS = ("", "lamp failure", "stuck driver", "silent", "driver failure", "flicker", "relay welded", "meter drift", "day burner",
          "partial failure", "overpower", "low power factor", "undervoltage", "overvoltage", "overheating", "tilted", "cycling",
          "night off", "meter jump", "restarts")
_SCALE = {"partial failure": 0.5, "overpower": 2.2}  # half of the modules are dark; a driver that regulates no more
_SHIFT_V = {"undervoltage": -34.0, "overvoltage": 30.0}  # a bad terminal, a lost neutral
OVERHEAT_K, TILT, POOR_FACTOR, JUMP_WH = 75.0, 18.0, 0.55, 60_000.0
_DARK_W = {"lamp failure": STANDBY_W + 0.6, "driver failure": DEAD_W}


class Driver:
    """One luminaire's driver with its lamp and its meter. Times are ns since 1970; `energy_wh` is what the meter counted,
    `burn_s` and `driver_s` how long it gave light and was powered, as of the last `count`."""

    __slots__ = ("_counted_ns", "_driven", "_fault_ns", "_feeder", "_lost", "_out", "_share", "_switched_ns", "_warmth", "burn_s",
                 "clo", "driver_s", "energy_wh", "fault", "level", "nominal_w", "powered", "starts")

    def __init__(self, nominal_w: float, feeder: Feeder, *, rng: Random, now_ns: int, clo: bool = False) -> None:
        self.nominal_w, self._feeder, self.clo = nominal_w, feeder, clo
        self.level, self.fault, self.powered, self.starts = 0, "", True, 0
        self._share = rng.uniform(0.97, 1.03)  # no two drivers draw the same
        self._counted_ns = self._switched_ns = self._fault_ns = now_ns
        self._warmth = 0.0  # 0 is as cold as the air, 1 what full load ends in
        self._driven = 0  # the level at which a stuck driver stays
        self._out = False  # a cycling lamp has gone out, until it has cooled down
        self._lost = False  # it has tried to burn and found no lamp
        self.energy_wh = rng.uniform(20_000, 400_000)
        self.burn_s = self.energy_wh * 3600 / (0.8 * nominal_w)
        self.driver_s = self.burn_s * rng.uniform(2.0, 2.4)

    # -- what is done to it

    def dim(self, level: int, now_ns: int) -> None:
        """The controller wants `level` per cent from now on."""
        self.count(now_ns)
        self.starts += level > 0 == self.level
        self.level, self._switched_ns = level, now_ns

    def cut(self, now_ns: int) -> None:
        """The mains are gone; counters stay."""
        self.count(now_ns)
        self.powered = False

    def restore(self, now_ns: int) -> None:
        """The mains are back."""
        self.count(now_ns)
        self.powered = True

    def fail(self, fault: str, now_ns: int) -> None:
        """From now on it has this fault, one of FAULTS; "" repairs it. Raises ValueError."""
        if fault not in FAULTS:
            raise ValueError(f"no such fault: {fault}")
        self.count(now_ns)
        self.fault = ""
        self._driven = self.lit
        self.fault, self._fault_ns, self._lost, self._out = fault, now_ns, False, False
        self.energy_wh += JUMP_WH if fault == "meter jump" else 0.0

    def cycle(self, now_ns: int) -> None:
        """A cycling lamp goes out, or comes back."""
        self.count(now_ns)
        self._out = not self._out

    # -- what it does

    @property
    def lit(self) -> int:
        """The level at which it really burns, per cent."""
        if not self.powered or self.fault in _DARK_W or self._out:
            return 0
        if self.fault == "stuck driver":
            return self._driven
        return 100 if self.fault == "relay welded" and not self.level else self.level

    def power(self, now_ns: int) -> float:
        """What it really draws, W; a flickering lamp's mean."""
        lit = self.lit
        if not lit:
            return self._dark_w()
        return self._steady_w(lit) * (1 + COLD * (1 - self._warmth_at(now_ns, lit)))

    def metered(self, now_ns: int, rng: Random) -> float:
        """What its meter says that it draws now, W."""
        watts = self.power(now_ns) * self._gain(now_ns) * rng.gauss(1, 0.008)
        return max(watts * rng.uniform(1 - FLICKER, 1 + FLICKER) if self.fault == "flicker" else watts, 0.0)

    def load(self, now_ns: int) -> float:
        """What reaches the light source, W."""
        return self.power(now_ns) * efficiency(self.lit)

    def light(self) -> float:
        """Light as a share of the new luminaire's at 100 %."""
        share = self.lit / 100
        return share * (L_END if self.clo else lumen_maintenance(self.burn_s / 3600))

    def voltage(self, now_ns: int) -> float:
        """At its terminals, V."""
        return volts(self._feeder, now_ns) + _SHIFT_V.get(self.fault, 0.0) if self.powered else 0.0

    def power_factor(self, now_ns: int) -> float:
        """At its load and voltage: the filter's reactive current grows with the voltage."""
        good = POOR_FACTOR if self.fault == "low power factor" else 1.0
        return max(good * power_factor(self.lit) - 0.0015 * (self.voltage(now_ns) - 230.0), 0.05)

    def current(self, now_ns: int) -> float:
        """RMS, A."""
        return self.power(now_ns) / (self.voltage(now_ns) * self.power_factor(now_ns)) if self.powered else 0.0

    def temperature(self, now_ns: int) -> float:
        """Inside the housing, °C."""
        return outside(now_ns) + 3.0 * self.powered + HEAT_K * self._warmth_at(now_ns, self.lit) \
            + (OVERHEAT_K if self.fault == "overheating" else 0.0)

    def tilt(self) -> float:
        """From the upright, degrees."""
        return TILT if self.fault == "tilted" else 1.0

    def dali_status(self, now_ns: int) -> int:
        """The answer to QUERY STATUS. A lamp failure is found when the lamp should burn, and stays until it does."""
        if self.fault == "driver failure":
            return GEAR_FAILURE
        if self.fault == "lamp failure":
            self._lost |= self.level > 0
            return LAMP_FAILURE if self._lost else 0
        fading = FADING if self.fault != "stuck driver" and now_ns - self._switched_ns < FADE_S * NS else 0
        return (LAMP_ON if self.lit else 0) | fading

    def count(self, now_ns: int) -> None:
        """Bring energy, hours and warmth up to now; nothing has changed since they were last brought up."""
        seconds = (now_ns - self._counted_ns) / NS
        if seconds <= 0:
            return
        lit = self.lit
        end, left = self._curve(lit) / self.nominal_w if lit else 0.0, exp(-seconds / WARM_UP_S)
        joules = self._dark_w() * seconds
        if lit:  # the integral of `power`
            cold = (1 - end) * seconds + (self._warmth - end) * WARM_UP_S * (left - 1)
            joules = self._steady_w(lit) * (seconds + COLD * cold)
        self.energy_wh += joules * self._gain((now_ns + self._counted_ns) // 2) / 3600
        self._warmth = end + (self._warmth - end) * left
        self._counted_ns = now_ns
        self.driver_s += seconds if self.powered else 0.0
        self.burn_s += seconds if lit else 0.0
        self._lost |= self.fault == "lamp failure" and self.level > 0

    # -- how

    def _dark_w(self) -> float:
        if not self.powered:
            return 0.0
        return _DARK_W.get(self.fault, STANDBY_W)

    def _steady_w(self, lit: int) -> float:
        """What it draws when it is as warm as at full load."""
        return self._curve(lit) * self._share * ageing(self.burn_s / 3600, clo=self.clo) * _SCALE.get(self.fault, 1.0)

    def _curve(self, lit: int) -> float:
        return expected_power(self.nominal_w, lit)

    def _warmth_at(self, now_ns: int, lit: int) -> float:
        end = self._curve(lit) / self.nominal_w if lit else 0.0
        return end + (self._warmth - end) * exp((self._counted_ns - now_ns) / (WARM_UP_S * NS))

    def _gain(self, at_ns: int) -> float:
        """What the meter makes of one watt."""
        if self.fault != "meter drift":
            return 1.0
        return 1.0 + min(max(at_ns - self._fault_ns, 0) / (86_400 * NS) * DRIFT_PER_DAY, MOST_DRIFT)


class Lines(Driver):
    """Lines behind relays: what they draw grows with how many are closed; the relays' coils take a little."""

    __slots__ = ()

    def _curve(self, lit: int) -> float:
        return STANDBY_W + self.nominal_w * lit / 100


def expected_power(nominal_w: float, level: float) -> float:
    """Watts at `level` per cent: standby at 0, else P_nom · (0.05 + 0.95 · d^1.35)."""
    return STANDBY_W if level <= 0 else nominal_w * (FIXED + SLOPE * (level / 100) ** BEND)


def efficiency(level: float) -> float:
    """The share of the mains' power that reaches the light source: 0.90 at full load, 0.84 at half, 0 in standby."""
    if level <= 0:
        return 0.0
    load = float((level / 100) ** BEND)
    return DELIVERED * load / (FIXED + SLOPE * load)


def power_factor(level: float) -> float:
    """An LED driver's power factor: 0.97 at full load, falling below half load."""
    return 0.40 + 0.575 * (1 - exp(-4.5 * level / 100)) if level > 0 else 0.12


def lumen_maintenance(hours: float) -> float:
    """The share of the first light that is left after so many hours of burning (L80 at 100,000 h)."""
    return float(L_END ** (hours / LIFE_H))


def ageing(hours: float, *, clo: bool) -> float:
    """By what the power at a level has changed after so many hours of burning."""
    creep = 1 + CREEP * hours / LIFE_H
    return float(creep * min(L_END / lumen_maintenance(hours), 1.0)) if clo else creep
