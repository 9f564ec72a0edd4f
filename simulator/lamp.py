"""A lamp: its controller's state and what every maker's controller does alike. What only one maker's does stands in
simulator.controllers, what the luminaire does in simulator.driver.

It burns at its fallback level until it knows the time, then by its own calendar, and above both by what it was told by
hand. It reports by timers, when its level changes, and when something is wrong. Formats are the codec's.
"""

from random import Random

from city.errors import BadInput, Refused
from city.orders import (
    AlarmLimits,
    BootDelay,
    Clock,
    DataRate,
    FallbackLevel,
    Holidays,
    LevelNotice,
    MulticastGroup,
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
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Codec, Frame
from simulator.controllers.firmware import NEVER, Said
from simulator.driver import FAULTS as FAULTS
from simulator.driver import STANDBY_W as STANDBY_W
from simulator.driver import expected_power as expected_power
from simulator.driver import power_factor as power_factor
from simulator.engine import Engine
from simulator.lamp_state import LampState
from simulator.makes import Radio
from simulator.plan import Devices
from simulator.timetable import Sky

STATUS, USAGE, CONFIG, MAINTENANCE, DIM, SYSTEM = 23, 26, 50, 51, 60, 99  # FPorts of a UL20xx with firmware 1.1
CLOCK_WITHIN_S = 30.0  # after a start, until the network has told the time; the fallback level burns meanwhile
BOOT_S = (1.0, 4.0)  # from power to the first thing that a controller does by radio
LAST_GASP_S = 0.5  # how long its capacitors hold up its radio
_AGAIN_S = {"cycling": (240.0, 900.0), "restarts": (3000.0, 6000.0)}  # until it goes out or comes back; restarts
NOTICED_S = (2.0, 20.0)  # until a controller finds out that something is wrong


def lamp_of(model: str, asset: Luminaire, setup: Devices, *, engine: Engine, sky: Sky, rng: Random,
            radio: Radio) -> "Lamp":
    """A lamp with a controller of that model, one of CONTROLLERS. Raises UnknownModel, ValueError for one that nobody can
    simulate because its maker publishes no bytes."""
    return Lamp(asset, codec_of(model), setup, engine=engine, sky=sky, rng=rng, radio=radio)


class Lamp(LampState):
    """One lamp. `radio` takes its frames, and is told when it restarts; `start` is called when it has joined."""

    __slots__ = ()

    def __init__(self, asset: Luminaire, codec: Codec, setup: Devices, *, engine: Engine, sky: Sky, rng: Random,
                 radio: Radio) -> None:
        super().__init__(asset, codec, setup, engine=engine, sky=sky, rng=rng, radio=radio)
        self._plan_fault(setup)

    # -- what happens to it

    def start(self) -> None:
        """Joined: say so, burn at the fallback level until the network has told the time, then by the calendar."""
        if not self.powered:
            return
        self._runs += 1
        self._joined, self.started_ns = True, self._engine.now
        self._manual, self._knows_time, self._offset_ns, self._notice_due = None, False, 0, False
        self.firmware.forgets(self)
        self._say(self.firmware.start(self))
        self._settle()
        rng = self._rng
        self._engine.after(rng.uniform(5, CLOCK_WITHIN_S), self._told_time, self._runs)
        self._status_ns = self._in(rng.uniform(2, min(self.status_s, CLOCK_WITHIN_S)))
        self._usage_ns = self._in(rng.uniform(30, min(self.usage_s, 120))) if self.usage_s else NEVER
        self._program_ns = NEVER
        self._arm()

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink for this lamp, as its radio heard it; one to a group is obeyed and not answered, so that a street
        does not answer at once (its changes of level are reported within the random time of its notice)."""
        if self.fault == "silent" or not (self.powered and self._joined):
            return
        try:
            order = self._codec.decode_downlink(frame)
            self._obey(order)
        except (BadInput, Refused) as error:
            said = self.firmware.refused(self, frame, error)
        else:
            said = self.firmware.taken(self, self._codec, frame, order)
        if said and not to_group:
            self._engine.after(self._rng.uniform(0.5, 2.0), self._say, said)

    def fail(self, fault: str) -> None:
        """From now on the lamp has this fault, one of FAULTS; "" repairs it. Raises ValueError."""
        self.driver.fail(fault, self._engine.now)
        self._settle()
        if fault in ("cycling", "restarts"):
            self._engine.after(self._rng.uniform(*_AGAIN_S[fault]), self._come_and_go, fault)
        self._engine.after(self._rng.uniform(*NOTICED_S), self._look, self._runs)

    def _come_and_go(self, fault: str) -> None:
        """A fault that acts again and again, until it is repaired."""
        if self.fault != fault:
            return
        if fault == "cycling":
            self.driver.cycle(self._engine.now)
        elif self.powered:
            self._reboot(self._runs)
        self._engine.after(self._rng.uniform(*_AGAIN_S[fault]), self._come_and_go, fault)

    def step_clock(self, seconds: float) -> None:
        """Its clock jumps by so many seconds, until it is told the time again."""
        self._offset_ns += int(seconds * NS)
        self.follow()

    def cut(self) -> None:
        """The circuit's power is gone: dark and silent, the clock and all that was ordered by hand lost. Counters stay."""
        if not self.powered:
            return
        gasp = self.firmware.gasp(self) if self._joined and self.fault != "silent" else ()
        for port, told in gasp:
            self._engine.after(self._rng.uniform(0.0, LAST_GASP_S), self._radio.send, self._codec.encode_uplink(port, told))
        self.driver.cut(self._engine.now)
        self._joined = self._knows_time = self._notice_due = False
        self._manual = None
        self._runs += 1
        self._status_ns = self._usage_ns = self._program_ns = self._wake_ns = NEVER

    def restore(self) -> None:
        """The power is back: light at once, at the fallback level; a start by radio after a random time."""
        if self.powered:
            return
        self._runs += 1
        self.driver.restore(self._engine.now)
        self.boot_reason = self.firmware.power_on
        self._settle()
        wait = self._rng.uniform(*BOOT_S) + self._rng.uniform(0, self.boot_delay_s)
        self._engine.after(wait, self._boot, self._runs)

    def _boot(self, run: int) -> None:
        if run == self._runs and self.powered:
            (self.start if self.firmware.keeps_session else self._radio.rejoin)()

    # -- what it wants and does

    def _wanted(self) -> tuple[int, str]:
        if self.fault == "night off":
            return 0, "unknown"
        if self._manual is not None:
            return self._manual[0], "manual"
        if not self.clock_valid:
            return self.fallback, "fallback"
        return self.firmware.program(self)

    def _settle(self) -> None:
        """Burn as wanted; a change of level is reported within the notice's random time."""
        level, self.reason = self._wanted()
        if level == self.driver.level:
            return
        self.driver.dim(level, self._engine.now)
        if self._joined and self.firmware.notices and not self._notice_due:
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
            case ReadStatus():
                self._answer(self.firmware.asked(order))
            case Reboot():
                self._engine.after(1.0, self._reboot, self._runs)
            case Clock(at=at):
                self._set_clock(None if at is None else to_ns(at))
            case StatusInterval() | UsageInterval() | FallbackLevel() | AlarmLimits() | LevelNotice() | BootDelay() | DataRate():
                self._set(order)
            case SunCalendar() | Profile() | Holidays() | Position():
                self._learn(order)
            case MulticastGroup(slot=slot):
                self.members = (*(one for one in self.members if one.slot != slot), order)
            case _:
                self.firmware.obey(self, order)
                self.follow()

    def _reboot(self, run: int) -> None:
        if run == self._runs and self.powered:
            self.boot_reason, self._joined = self.firmware.soft_reset, False
            self._radio.rejoin()

    def _set(self, order: Order) -> None:
        match order:
            case StatusInterval(seconds=seconds):
                self.status_s = self._interval(seconds)
                self._status_ns = self._in(self._rng.uniform(0, self.status_s))
            case UsageInterval(seconds=seconds):
                self.usage_s = self._interval(seconds)
                self._usage_ns = self._in(self._rng.uniform(0, self.usage_s))
            case FallbackLevel(level=level):
                self.fallback = level
            case AlarmLimits():
                self.limits = order
            case LevelNotice():
                self.notice = order
            case BootDelay(seconds=seconds):
                self.boot_delay_s = seconds
        self._settle()  # DataRate is accepted: the network chooses it
        self._arm()

    def _learn(self, order: Order) -> None:
        timetable = self._learnt = self.timetable
        match order:
            case SunCalendar():
                timetable.calendar = order
            case Profile():
                timetable.keep(order)
            case Holidays():
                timetable.holidays = order
            case Position(longitude=longitude):
                timetable.hang(longitude)
        self.follow()

    def _interval(self, seconds: int) -> int:
        if not 60 <= seconds <= self.firmware.longest_s:
            raise Refused("{seconds} s is no interval.", field="seconds", rule=f"60…{self.firmware.longest_s}", seconds=seconds)
        return seconds

    def _hold(self, order: SetLevel) -> None:
        level = self.firmware.level(self, order)
        until = NEVER if order.minutes is None else self._engine.now + order.minutes * 60 * NS
        self._manual = level, until
        self._settle()
        if until != NEVER:
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
            self._set_clock(None)

    def _set_clock(self, at_ns: int | None) -> None:
        """The network has told the time, or an order has: then whatever it says."""
        self._knows_time = True
        self._offset_ns = 0 if at_ns is None else at_ns - self._engine.now
        self.follow()

    def follow(self) -> None:
        """Burn by the program from now on, and look again when it changes."""
        if self.firmware.ends_manual and self._manual is not None:
            self._manual = None
        self._turn_page()

    def _turn_page(self) -> None:
        self._settle()
        coming = self.firmware.next_change(self)
        late = int(self._rng.uniform(0.0, 4.0) * NS)  # its clock is not ours
        ahead = int((coming - self.clock_ns()) / self.firmware.clock_rate)
        self._program_ns = NEVER if coming >= NEVER else self._engine.now + max(ahead, 0) + late
        self._arm()

    def _in(self, seconds: float) -> int:
        return self._engine.now + int(seconds * NS)

    def _arm(self) -> None:
        """One timer for all that comes: an earlier one that is not needed any more finds that out by itself."""
        due = min(self._status_ns, self._usage_ns, self._program_ns)
        if due < self._wake_ns:
            self._wake_ns = due
            self._engine.at(due, self)

    def __call__(self) -> None:
        """Its timer: the engine holds the lamp itself, since each bound method would take 64 bytes more."""
        now = self._engine.now
        if now < self._wake_ns:
            return  # a timer that another one has overtaken
        self._wake_ns = NEVER
        if self._program_ns <= now:
            self.follow()
        if self._status_ns <= now:
            self._status_ns = self._in(self.status_s + self._rng.uniform(-2, 2))
            self._say_status()
        if self._usage_ns <= now:
            self._usage_ns = self._in(self.usage_s + self._rng.uniform(-2, 2))
            self._say_usage()
        self._arm()

    # -- what it says

    def _give_notice(self, run: int) -> None:
        if run == self._runs:
            self._notice_due = False
            self._noticed_ns = self._engine.now
            self._say_status()

    def _answer(self, order: ReadStatus) -> None:
        if order.status:
            self._engine.after(self._rng.uniform(3, 5), self._say_status)
        if order.usage:
            self._engine.after(self._rng.uniform(6, 8), self._say_usage)

    def _say_status(self) -> None:
        if self.firmware.meters_all:
            self.driver.count(self._engine.now)
        self._look(self._runs)
        self._say(self.firmware.status(self))

    def _say_usage(self) -> None:
        self.driver.count(self._engine.now)
        self._say(self.firmware.usage(self))

    def _look(self, run: int) -> None:
        """Report at once what has gone wrong, or right again, since it last looked."""
        if run != self._runs or not self._joined:
            return
        before, self.alerted = self.alerted, self.alerts
        if before != self.alerted:
            self._say(self.firmware.alarm(self, self.alerted, before))

    def _say(self, said: Said) -> None:
        if self._joined and self.driver.fault != "silent":
            for port, told in said:
                self._radio.send(self._codec.encode_uplink(port, told) if not isinstance(told, bytes) else Frame(port, told))

    def _plan_fault(self, setup: Devices) -> None:
        drawn, rates = self._rng.random(), (setup.lamp_failure, setup.stuck_driver, setup.silent)
        for fault, rate in zip(FAULTS[1:4], rates, strict=True):
            if drawn < rate:
                self._engine.after(self._rng.uniform(0.02, 1.0) * setup.fault_within_h * 3600, self.fail, fault)
                return
            drawn -= rate
