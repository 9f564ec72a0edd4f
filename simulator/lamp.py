"""A NAS UL20xx lamp controller with its LED driver, as its firmware and its physics are.

It switches by its own calendar, obeys timed and untimed dimming, repeats each order it accepts on the same FPort
(the acknowledgement) and refuses nonsense on FPort 99. Formats are the codec's; only the repetition is made here,
because it is the order itself. Power follows P = P_nom · (0.05 + 0.95 · d^1.35); the burning hours, energy and
temperature follow from that.
"""

from collections.abc import Callable
from functools import lru_cache
from math import exp
from random import Random

from city.errors import BadInput, CityError, OutOfRange, Refused, Trailing, Truncated, UnknownPort, UnknownVersion
from city.orders import (
    AlarmLimits,
    BootDelay,
    Clock,
    DataRate,
    FallbackLevel,
    Holidays,
    LevelNotice,
    Order,
    Position,
    Profile,
    ReadStatus,
    Reboot,
    Resume,
    SetLevel,
    StatusInterval,
    SunCalendar,
    UsageInterval,
)
from city.places import Luminaire
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK,
    DEVICE_CLOCK_VALID,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_FIRMWARE,
    DEVICE_REJECTED,
    DEVICE_SERIAL,
    DEVICE_TEMPERATURE,
    LAMP_ALERT_LAMP,
    LAMP_ALERT_POWER,
    LAMP_BURN_TIME,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_TIME,
    LAMP_ENERGY,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    LAMP_VOLTAGE,
    Measurement,
)
from city.readings import NS
from decoders.codec import Codec, Frame
from simulator.engine import Engine
from simulator.plan import Devices
from simulator.timetable import Sky, Timetable

STATUS, USAGE, CONFIG, MAINTENANCE, DIM, SYSTEM = 23, 26, 50, 51, 60, 99  # FPorts
STANDBY_W = 0.5
CLOCK_WITHIN_S = 30.0  # after a start, until the network has told the time; the fallback level burns meanwhile
LAMP_FAILED = 0b0000_0010  # DALI QUERY STATUS: lamp failure
LAMP_ON = 0b0000_0100  # … and lamp on
REFUSALS = {UnknownPort: 0x02, Truncated: 0x03, Trailing: 0x04, OutOfRange: 0x05, UnknownVersion: 0x0A}
PROTOCOL_ERROR, NOT_AVAILABLE = 0x06, 0x09
UNSET_CLOCK = 946_684_800  # 1 January 2000, where the controller's clock begins
_RELAY_CLOSED = LAMP_RELAY_CLOSED(True)
FAULTS = ("", "lamp failure", "stuck driver", "silent")


class Lamp:
    """One lamp. `send` takes its frames; `rejoin` is called when it restarts, and `start` when it has joined."""

    def __init__(self, asset: Luminaire, codec: Codec, setup: Devices, *, engine: Engine, sky: Sky, rng: Random,
                 send: Callable[[Frame], None], rejoin: Callable[[], None]) -> None:
        self.asset, self.fault = asset, ""
        self._codec, self._engine, self._rng, self._send, self._rejoin = codec, engine, rng, send, rejoin
        self.timetable = Timetable(sky, asset.site.longitude)
        self.level, self.reason = 0, "fallback"
        self.fallback = 100
        self.status_s, self.usage_s = float(setup.status_interval_s), float(setup.usage_interval_s)
        self.notice = LevelNotice(20, 0)
        self.limits = AlarmLimits()
        self._manual: tuple[int, int | None] | None = None  # level, until (ns)
        self._clock_valid = False
        self._started_ns = engine.now
        self._runs = 0  # timers of an earlier run find that theirs is over
        self._timers: dict[str, int] = {}
        self._notice_due = False
        self._noticed_ns = 0
        self._boot_reason = "unspecified"  # power came; the maker's bits only tell the other causes
        self._driven = 0  # the level at which a stuck driver stays
        self._share = rng.uniform(0.97, 1.03)  # no two drivers draw the same
        self._serial = rng.getrandbits(28)
        self._counted_ns = engine.now
        self.energy_wh = rng.uniform(20_000, 400_000)
        self.burn_s = self.energy_wh * 3600 / (0.8 * self.nominal_w)
        self.driver_s = self.burn_s * rng.uniform(2.0, 2.4)
        self._plan_fault(setup)

    @property
    def nominal_w(self) -> float:
        """What the lamp draws at 100 %, by its papers."""
        return self.asset.power_w or 30.0

    def start(self) -> None:
        """Joined: say so, burn at the fallback level until the network has told the time, then by the calendar."""
        self._runs += 1
        self._started_ns = self._engine.now
        self._manual, self._clock_valid = None, False
        rng = self._rng
        self._frame(SYSTEM, [DEVICE_SERIAL(f"{self._serial:08X}"), DEVICE_FIRMWARE("1.1.8"),
                             DEVICE_CLOCK(UNSET_CLOCK + rng.randrange(5, 30)), DEVICE_CLOCK_VALID(False),
                             DEVICE_BOOT(self._boot_reason)])
        self._settle()
        self._engine.after(rng.uniform(5, CLOCK_WITHIN_S), self._told_time, self._runs)
        self._again("status", rng.uniform(2, min(self.status_s, CLOCK_WITHIN_S)))
        self._again("usage", rng.uniform(30, min(self.usage_s, 120)))

    def receive(self, frame: Frame) -> None:
        """A downlink for this lamp, as its radio heard it."""
        if self.fault == "silent":
            return
        try:
            order = self._codec.decode_downlink(frame)
            self._obey(order)
        except (BadInput, Refused) as error:
            self._later(SYSTEM, [DEVICE_REJECTED(f"{frame.port}:{_refusal(error):02x}")])
            return
        if frame.port in (DIM, CONFIG):
            self._engine.after(self._rng.uniform(0.5, 2.0), self._repeat, frame)

    def power(self) -> float:
        """What it draws now, in watts, without the meter's noise."""
        if self.fault == "lamp failure":
            return STANDBY_W + 0.6
        level = self._driven if self.fault == "stuck driver" else self.level
        return expected_power(self.nominal_w * self._share, level)

    # -- what it wants and does

    def _wanted(self) -> tuple[int, str]:
        if self._manual is not None:
            return self._manual[0], "manual"
        if not self._clock_valid:
            return self.fallback, "fallback"
        return self.timetable.wanted(self._engine.now)

    def _settle(self) -> None:
        """Burn as wanted; a change of level is reported within the notice's random time."""
        level, reason = self._wanted()
        changed = level != self.level
        if changed:
            self._count()
            self.level = level
        self.reason = reason
        if changed and not self._notice_due:
            self._notice_due = True
            gap = max(self._noticed_ns + self.notice.limit_seconds * NS - self._engine.now, 0) / NS
            self._engine.after(gap + self._rng.uniform(0, self.notice.random_seconds), self._give_notice, self._runs)

    def _obey(self, order: Order) -> None:
        """Do as told; raises Refused for what this firmware cannot do."""
        match order:
            case SetLevel():
                self._hold(order)
            case Resume():
                self._release()
            case ReadStatus(status=status, usage=usage):
                self._answer(status=status, usage=usage)
            case Reboot():
                self._engine.after(1.0, self._reboot)
            case _:
                self._configure(order)

    def _reboot(self) -> None:
        self._boot_reason = "soft"
        self._rejoin()

    def _configure(self, order: Order) -> None:
        match order:
            case StatusInterval(seconds=seconds):
                self.status_s = _interval(seconds)
                self._again("status", self._rng.uniform(0, self.status_s))
            case UsageInterval(seconds=seconds):
                self.usage_s = _interval(seconds)
                self._again("usage", self._rng.uniform(0, self.usage_s))
            case FallbackLevel(level=level):
                self.fallback = level
            case AlarmLimits():
                self.limits = order
            case LevelNotice():
                self.notice = order
            case SunCalendar():
                self.timetable.calendar = order
                self._follow()
            case Profile():
                self.timetable.profiles[order.slot] = order
                self._follow()
            case Holidays():
                self.timetable.holidays = order
            case Clock() | Position() | BootDelay() | DataRate():
                pass  # accepted; the simulated clock is always right, and the network chooses the data rate
            case _:
                raise Refused("This firmware does not do that.", field="order", rule="firmware 1.1.8")
        self._settle()

    def _hold(self, order: SetLevel) -> None:
        until = None if order.minutes is None else self._engine.now + order.minutes * 60 * NS
        self._manual = order.level, until
        self._settle()
        if until is not None:
            self._engine.at(until, self._let_go, until)

    def _let_go(self, until: int) -> None:
        if self._manual is not None and self._manual[1] == until:
            self._release()

    def _release(self) -> None:
        self._manual = None
        self._settle()

    # -- time

    def _told_time(self, run: int) -> None:
        if run == self._runs:
            self._clock_valid = True
            self._follow()

    def _follow(self) -> None:
        """Burn by the program from now on, and look again when it changes."""
        self._timers["program"] = self._timers.get("program", 0) + 1
        self._turn_page(self._runs, self._timers["program"])

    def _turn_page(self, run: int, serial: int) -> None:
        if (run, serial) != (self._runs, self._timers["program"]):
            return
        self._settle()
        late = self._rng.uniform(0.0, 4.0)  # its clock is not ours
        self._engine.at(self.timetable.next_change(self._engine.now) + int(late * NS), self._turn_page, run, serial)

    def _again(self, what: str, seconds: float) -> None:
        """Start the timer `what` anew; an older one of that name is void."""
        self._timers[what] = self._timers.get(what, 0) + 1
        self._engine.after(seconds, self._due, what, self._runs, self._timers[what])

    def _due(self, what: str, run: int, serial: int) -> None:
        if (run, serial) != (self._runs, self._timers[what]):
            return
        if what == "status":
            self._say_status()
            self._engine.after(self.status_s + self._rng.uniform(-2, 2), self._due, what, run, serial)
        else:
            self._say_usage()
            self._engine.after(self.usage_s + self._rng.uniform(-2, 2), self._due, what, run, serial)

    def _give_notice(self, run: int) -> None:
        self._notice_due = False
        if run == self._runs:
            self._noticed_ns = self._engine.now
            self._say_status()

    def _answer(self, *, status: bool, usage: bool) -> None:
        if status:
            self._engine.after(self._rng.uniform(3, 5), self._say_status)
        if usage:
            self._engine.after(self._rng.uniform(6, 8), self._say_usage)

    # -- what it says

    def _say_status(self) -> None:
        failed = self.fault == "lamp failure" and self.level > 0
        since_start = (self._engine.now - self._started_ns) // NS
        said = [DEVICE_CLOCK(self._engine.now // NS if self._clock_valid else UNSET_CLOCK + since_start),
                DEVICE_DOWNLINK_RSSI(-self._rng.randint(55, 110)), DEVICE_DOWNLINK_SNR(self._rng.randint(-3, 11)),
                DEVICE_TEMPERATURE(round(self._temperature())), _RELAY_CLOSED,
                *_light(self.level, self.reason, (LAMP_FAILED if failed else 0) | (
                    LAMP_ON if self.level and not failed else 0))]
        if self.fault == "lamp failure":  # flags that are not said are not set
            said.append(LAMP_ALERT_LAMP(True))
        if self._power_alert():
            said.append(LAMP_ALERT_POWER(True))
        self._frame(STATUS, said)

    def _say_usage(self) -> None:
        self._count()
        watts = max(self.power() * self._rng.gauss(1, 0.008), 0.0)
        self._frame(USAGE, [LAMP_ENERGY(int(self.energy_wh)), LAMP_POWER(round(watts)),
                            LAMP_POWER_FACTOR(round(power_factor(self.level), 2)),
                            LAMP_VOLTAGE(round(self._rng.gauss(230, 1.2))),
                            LAMP_DRIVER_TIME(int(self.driver_s)), LAMP_BURN_TIME(int(self.burn_s))])

    def _frame(self, port: int, measurements: list[Measurement]) -> None:
        if self.fault != "silent":
            self._send(self._codec.encode_uplink(port, measurements))

    def _later(self, port: int, measurements: list[Measurement]) -> None:
        self._engine.after(self._rng.uniform(0.5, 2.0), self._frame, port, measurements)

    def _repeat(self, frame: Frame) -> None:
        if self.fault != "silent":
            self._send(frame)

    # -- physics

    def _count(self) -> None:
        """Bring energy and hours up to now; the level has not changed since they were last brought up."""
        seconds = (self._engine.now - self._counted_ns) / NS
        self._counted_ns = self._engine.now
        self.energy_wh += self.power() * seconds / 3600
        self.driver_s += seconds
        if self.level > 0 and self.fault != "lamp failure":
            self.burn_s += seconds

    def _temperature(self) -> float:
        """Inside the housing: the night air and what the driver loses."""
        day = (self._engine.now // NS % 86_400) / 86_400
        outside = 9.0 - 5.0 * abs(2 * ((day - 0.1) % 1.0) - 1.0) + 3.0
        return outside + 6.0 + 22.0 * self.power() / self.nominal_w * 0.5 + self._rng.gauss(0, 0.6)

    def _power_alert(self) -> bool:
        low, high = self.limits.min_power, self.limits.max_power
        return self.level > 0 and ((low is not None and self.power() < low)
                                   or (high is not None and self.power() > high))

    def _plan_fault(self, setup: Devices) -> None:
        drawn, rates = self._rng.random(), (setup.lamp_failure, setup.stuck_driver, setup.silent)
        for fault, rate in zip(FAULTS[1:], rates, strict=True):
            if drawn < rate:
                self._engine.after(self._rng.uniform(0.02, 1.0) * setup.fault_within_h * 3600, self.fail, fault)
                return
            drawn -= rate

    def fail(self, fault: str) -> None:
        """From now on the lamp has this fault, one of FAULTS; "" repairs it. Raises ValueError."""
        if fault not in FAULTS:
            raise ValueError(f"no such fault: {fault}")
        self._count()
        self.fault, self._driven = fault, self.level


@lru_cache(maxsize=1024)
def _light(level: int, reason: str, dali: int) -> tuple[Measurement, ...]:
    """What a status says of the light; a town says the same few things again and again."""
    return LAMP_LEVEL(level), LAMP_REASON(reason), LAMP_DALI_STATUS(dali)


def expected_power(nominal_w: float, level: float) -> float:
    """Watts at `level` per cent: standby at 0, else P_nom · (0.05 + 0.95 · d^1.35)."""
    return STANDBY_W if level <= 0 else nominal_w * (0.05 + 0.95 * (level / 100) ** 1.35)


def power_factor(level: float) -> float:
    """An LED driver's power factor: 0.97 at full load, falling below half load."""
    return 0.40 + 0.575 * (1 - exp(-4.5 * level / 100)) if level > 0 else 0.12


def _refusal(error: CityError) -> int:
    fitting = (code for kind, code in REFUSALS.items() if isinstance(error, kind))
    return next(fitting, NOT_AVAILABLE if isinstance(error, Refused) else PROTOCOL_ERROR)


def _interval(seconds: int) -> float:
    if not 60 <= seconds <= 86_400:
        raise Refused("{seconds} s is no interval.", field="seconds", rule="60…86400", seconds=seconds)
    return float(seconds)
