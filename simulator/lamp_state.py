"""What a lamp is at a moment: what its controller keeps, and what others read of it. What happens to it stands in
simulator.lamp."""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any
from zlib import crc32

from city.orders import AlarmLimits, LevelNotice, MulticastGroup
from city.places import Luminaire
from city.readings import NS
from decoders.codec import Codec
from simulator.controllers import CONTROLLERS
from simulator.controllers.firmware import NEVER
from simulator.engine import Engine
from simulator.mains import feeder
from simulator.makes import Radio
from simulator.plan import Devices
from simulator.timetable import Sky, Timetable

UNSET_CLOCK = 946_684_800  # 1 January 2000, where a controller's clock begins
LAMP, GEAR, POWER, VOLTAGE, FACTOR = 1, 2, 4, 8, 16  # bits of `alerts`
NOTICE, LIMITS = LevelNotice(20, 0), AlarmLimits()  # as they leave the factory
_DAY_BURNER = "day burner"
_NO_GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType({})


class LampState:
    """A controller's memory and its driver. There may be 100,000 in a process: what they have in common is shared. Raises
    ValueError for a model that nobody can simulate."""

    __slots__ = ("_codec", "_engine", "_joined", "_knows_time", "_learnt", "_manual", "_notice_due", "_noticed_ns", "_offset_ns",
                 "_program_ns", "_radio", "_rng", "_runs", "_sky", "_status_ns", "_usage_ns", "_wake_ns", "alerted",
                 "asset", "boot_delay_s", "boot_reason", "driver", "extra", "fallback", "firmware", "limits", "members",
                 "notice", "reason", "started_ns", "status_s", "usage_s")

    def __init__(self, asset: Luminaire, codec: Codec, setup: Devices, *, engine: Engine, sky: Sky, rng: Random,
                 radio: Radio) -> None:
        if codec.model not in CONTROLLERS:
            raise ValueError(f"no lamp of this model can be simulated: {codec.model}")
        self.asset, self.firmware = asset, CONTROLLERS[codec.model]
        self._codec, self._engine, self._rng, self._radio = codec, engine, rng, radio
        self._sky = sky
        self._learnt: Timetable | None = None  # with what it was told
        self.driver = self.firmware.drives(asset.power_w or 30.0, feeder(asset.circuit or ""), rng=rng, now_ns=engine.now)
        self.status_s, self.usage_s = self.firmware.intervals(setup)
        self.reason, self.fallback, self.boot_delay_s = "fallback", self.firmware.fallback, 0
        self.notice, self.limits = NOTICE, LIMITS
        self.members: tuple[MulticastGroup, ...] = ()
        self.boot_reason = "unspecified"  # power came; makers' bits mostly tell the other causes
        self.extra: Any = self.firmware.memory(sky)  # what only this maker's controllers keep
        self._manual: tuple[int, int] | None = None  # level, until (ns)
        self._joined = self._knows_time = self._notice_due = False
        self._runs = 0  # what an earlier run left to be done is void
        self.alerted = 0  # what it last found to be wrong, as `alerts`
        self._offset_ns = self._noticed_ns = 0
        self.started_ns = engine.now
        self._status_ns = self._usage_ns = self._program_ns = self._wake_ns = NEVER

    @property
    def timetable(self) -> Timetable:
        """Its program; that of a lamp which was told nothing follows the town's sun, and is made when it is asked for."""
        return self._learnt or Timetable(self._sky, self.asset.site.longitude)

    @property
    def level(self) -> int:
        """The level that the controller wants of its driver, per cent."""
        return self.driver.level

    @property
    def fault(self) -> str:
        """What is broken, one of FAULTS."""
        return self.driver.fault

    @property
    def nominal_w(self) -> float:
        """What the lamp draws at 100 %, by its papers."""
        return self.driver.nominal_w

    @property
    def energy_wh(self) -> float:
        """What its meter has counted, as of the last report or change."""
        return self.driver.energy_wh

    @property
    def burn_s(self) -> float:
        """How long it has given light, as of the last report or change."""
        return self.driver.burn_s

    @property
    def powered(self) -> bool:
        """Whether its circuit has power."""
        return self.driver.powered

    @property
    def serial(self) -> int:
        """28 bits, as its maker has counted."""
        return crc32(f"{self.asset.tenant}/{self.asset.id}".encode()) & 0xFFF_FFFF

    @property
    def groups(self) -> Mapping[str, tuple[str, str]]:
        """The multicast groups that it listens as a member of: address to network and application session key."""
        members = self.members
        return {one.dev_addr: (one.nwk_s_key, one.app_s_key) for one in members} if members else _NO_GROUPS

    @property
    def clock_valid(self) -> bool:
        """Whether it has been told the time since its clock last stood still."""
        return self._knows_time and self.driver.fault != _DAY_BURNER

    @property
    def alerts(self) -> int:
        """What is wrong now: LAMP, GEAR, and POWER, VOLTAGE, FACTOR beyond the limits that it was given."""
        driver, limits, now = self.driver, self.limits, self._engine.now
        status = driver.dali_status(now)
        found = (LAMP if status & 2 else 0) | (GEAR if status & 1 else 0)
        if limits is LIMITS or not driver.level:
            return found
        found |= POWER if _beyond(driver.power(now), limits.min_power, limits.max_power) else 0
        found |= VOLTAGE if _beyond(driver.voltage(now), limits.min_voltage, limits.max_voltage) else 0
        return found | (FACTOR if _beyond(driver.power_factor(now), limits.min_power_factor, None) else 0)

    def power(self) -> float:
        """What it draws now, in watts, without the meter's noise."""
        return self.driver.power(self._engine.now)

    def metered(self) -> float:
        """What its meter shows now, in watts."""
        return self.driver.metered(self._engine.now, self._rng)

    def clock_ns(self) -> int:
        """What its own clock says, ns since 1970, once it is valid."""
        now = self._engine.now
        late = 1.0 - self.firmware.clock_rate
        return now + self._offset_ns - (int((now - self.started_ns) * late) if late else 0)

    def clock_s(self) -> int:
        """What it says of its clock: one that nobody has set counts from 1 January 2000."""
        return self.clock_ns() // NS if self.clock_valid else UNSET_CLOCK + (self._engine.now - self.started_ns) // NS

    @property
    def now_ns(self) -> int:
        """The true time."""
        return self._engine.now

    @property
    def rng(self) -> Random:
        """Where its chances come from."""
        return self._rng


def _beyond(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)
