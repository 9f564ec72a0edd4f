"""Controllers that switch lines and do not dim: Milesight WS558 (eight relays, told by radio), Long Range Automation's node
(four relays, its own times), VŠB's device (one contactor, clock or sun)."""

from collections.abc import Mapping
from functools import reduce
from operator import xor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from city.errors import CityError, OutOfRange, Refused
from city.orders import Order, Parameters, SetLevel, StatusInterval
from city.quantities import (
    DEVICE_BATTERY,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_BOOT,
    DEVICE_CLOCK_VALID,
    DEVICE_CONFIG_CHECKSUM,
    DEVICE_EVENT,
    DEVICE_FIRMWARE,
    DEVICE_GNSS_FIX,
    DEVICE_HARDWARE,
    DEVICE_HEALTH,
    DEVICE_LATITUDE,
    DEVICE_LONGITUDE,
    DEVICE_MAINTENANCE,
    DEVICE_NEXT_WINDOW,
    DEVICE_REJECTED,
    DEVICE_SERIAL,
    DEVICE_SETTING,
    DEVICE_TEMPERATURE,
    DEVICE_TIME_OF_DAY,
    LAMP_ENERGY_USED,
    LAMP_FREQUENCY,
    LAMP_ILLUMINANCE,
    LAMP_MODE,
    LAMP_RELAY_CLOSED,
    LAMP_SUNRISE,
    LAMP_SUNSET,
    LAMP_SWITCHINGS,
    Measurement,
    Value,
)
from city.readings import NS, from_ns
from decoders.codec import Codec, Frame
from simulator.controllers.firmware import NEVER, Firmware, Said, amperes, energy, factor, mains, values_of, watts
from simulator.driver import Lines
from simulator.plan import Devices
from simulator.timetable import Sky

if TYPE_CHECKING:
    from simulator.lamp import Lamp

WS558_PORT, NODE_PORT, DATA, CONFIG = 85, 1, 1, 2  # FPorts
DAY_S, TENTH_S = 86_400, 360


class Ws558(Firmware):
    """It has no program: its relays stay as they were told, also over a restart. Every report holds all relays and the meter
    behind them; it repeats what it obeys."""

    drives = Lines
    fallback = 0
    power_on, soft_reset = "reset", "reset"

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return setup.status_interval_s, 0

    def memory(self, sky: Sky) -> Any:  # noqa: ANN401
        return 0  # the relays that are closed, as bits

    def program(self, lamp: "Lamp") -> tuple[int, str]:
        return lamp.fallback, "relays"

    def next_change(self, lamp: "Lamp") -> int:
        return NEVER

    def level(self, lamp: "Lamp", order: SetLevel) -> int:
        """The share of the lines that burn then."""
        mask = 1 << int(order.channel.removeprefix("relay-")) - 1 if order.channel else 0xFF
        lamp.extra = lamp.extra | mask if order.level else lamp.extra & ~mask
        lamp.fallback = round(lamp.extra.bit_count() * 12.5)
        return lamp.fallback

    def start(self, lamp: "Lamp") -> Said:
        return ((WS558_PORT, [DEVICE_EVENT("on"), DEVICE_HARDWARE("1.0"), DEVICE_FIRMWARE("1.02"),
                              DEVICE_SERIAL(f"{lamp.serial:016x}"), DEVICE_BOOT("reset")]),)

    def status(self, lamp: "Lamp") -> Said:
        closed = lamp.extra
        return ((WS558_PORT, [LAMP_RELAY_CLOSED(bool(closed >> bit & 1), f"relay-{bit + 1}") for bit in range(8)]
                 + [factor(lamp), amperes(lamp), mains(lamp, 1), energy(lamp), watts(lamp)]),)

    def obey(self, lamp: "Lamp", order: Order) -> None:
        """Delay tasks and the meter's switch are taken and kept; the energy set back to 0 is done."""
        if "clear_power_consumption" in values_of(order):
            lamp.driver.count(lamp.now_ns)
            lamp.driver.energy_wh = 0.0

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        return ((frame.port, frame.data),) if isinstance(order, SetLevel | StatusInterval | Parameters) else ()


class Memory:
    """What an MSD keeps: its settings, and what its meter and counter showed when it last reported."""

    __slots__ = ("reported", "settings", "switched")

    def __init__(self) -> None:
        self.settings: Mapping[str, Value] = _BY_THE_SUN
        self.reported, self.switched = 0.0, 0


class RelayNode(Firmware):
    """Each order is its whole configuration: the mode of each relay, when those in auto close and open, and an outage in
    between. Its clock is set at the start."""

    drives = Lines
    fallback = 0
    notices = False

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return setup.status_interval_s, 0

    def memory(self, sky: Sky) -> Any:  # noqa: ANN401
        return _ALL_IN_AUTO

    def program(self, lamp: "Lamp") -> tuple[int, str]:
        return 25 * self._closed(lamp).bit_count(), "auto"

    def next_change(self, lamp: "Lamp") -> int:
        """The next tenth of an hour at which one of its times lies."""
        tenths, now = [time for name, time in lamp.extra.items() if name != "relay_modes"], lamp.clock_ns()
        midnight = now // (DAY_S * NS) * DAY_S
        coming = [(midnight + day * DAY_S + tenth * TENTH_S) * NS for day in (0, 1) for tenth in tenths]
        return min((at for at in coming if at > now), default=NEVER)

    def obey(self, lamp: "Lamp", order: Order) -> None:
        lamp.extra = values_of(order)

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        return self.status(lamp)

    def start(self, lamp: "Lamp") -> Said:
        site = lamp.asset.site
        return ((NODE_PORT, [DEVICE_NEXT_WINDOW(self._window(lamp)), DEVICE_GNSS_FIX(True), DEVICE_LATITUDE(site.latitude),
                             DEVICE_LONGITUDE(site.longitude)]),)

    def status(self, lamp: "Lamp") -> Said:
        closed, modes, told = self._closed(lamp), lamp.extra["relay_modes"], list[Measurement]()
        for bit in range(4):
            told += (LAMP_RELAY_CLOSED(bool(closed >> bit & 1), f"relay-{bit + 1}"),
                     LAMP_MODE(("off", "on", "auto", "auto")[modes >> 2 * bit & 3], f"relay-{bit + 1}"))
        valid = lamp.clock_valid
        told += (DEVICE_CONFIG_CHECKSUM(self._checksum(lamp)), DEVICE_NEXT_WINDOW(self._window(lamp)),
                 DEVICE_MAINTENANCE(False), DEVICE_GNSS_FIX(True), DEVICE_CLOCK_VALID(valid))
        return ((NODE_PORT, [*told, DEVICE_TIME_OF_DAY(lamp.clock_s() % DAY_S)] if valid else told),)

    def _window(self, lamp: "Lamp") -> int:
        """Minutes until it speaks, and listens, again."""
        return min(lamp.status_s // 60, 255)

    def _checksum(self, lamp: "Lamp") -> int:
        told = lamp.extra
        return int(reduce(xor, (told.get(name, 255) for name in ("on", "off", "outage_begin", "outage_end"))))

    def _closed(self, lamp: "Lamp") -> int:
        """The relays that are closed now, as bits."""
        told, tenth = lamp.extra, lamp.clock_ns() // NS % DAY_S // TENTH_S
        auto = lamp.clock_valid and within(told.get("on"), told.get("off"), tenth) and not within(
            told.get("outage_begin"), told.get("outage_end"), tenth)
        modes = int(told["relay_modes"])
        return sum(1 << bit for bit in range(4) if (modes >> 2 * bit & 3) == 1 or (modes >> 2 * bit & 2 and auto))


class Msd(Firmware):
    """One contactor by mode: off, on, by light, by the clock, both, by the sun. It reports all that it measures, and answers
    a change of its settings with its settings."""

    drives = Lines
    fallback = 0
    notices = False
    longest_s = 3600

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return min(setup.status_interval_s, self.longest_s), 0

    def memory(self, sky: Sky) -> Any:  # noqa: ANN401
        return Memory()

    def program(self, lamp: "Lamp") -> tuple[int, str]:
        """By light is by the sun here: it is dark when the sun is down."""
        dark, clock = lamp.timetable.wanted(lamp.clock_ns())[0] > 0, self._by_clock(lamp)
        mode = lamp.extra.settings["working_mode"]
        closed = (False, True, dark, clock, dark and clock, dark)[mode]
        return 100 * closed, "mode"

    def next_change(self, lamp: "Lamp") -> int:
        now = lamp.clock_ns()
        midnight = now // (DAY_S * NS) * DAY_S
        times = [int(value) for name, value in lamp.extra.settings.items() if "_time_" in name and value < DAY_S]
        coming = ((midnight + day * DAY_S + at) * NS for day in (0, 1) for at in times)
        return min([lamp.timetable.next_change(now), *(at for at in coming if at > now)])

    def obey(self, lamp: "Lamp", order: Order) -> None:
        """Raises Refused for a password that is not the factory's (the codec names no other), and for a restart among
        settings."""
        told = values_of(order)
        if told.keys() & {"password", "reset"}:
            raise Refused("This firmware does not do that.", field="password", rule="firmware")
        lamp.extra.settings = {**lamp.extra.settings, **told}

    def start(self, lamp: "Lamp") -> Said:
        return ((CONFIG, [DEVICE_HEALTH(0)]),)

    def status(self, lamp: "Lamp") -> Said:
        driver, kept = lamp.driver, lamp.extra
        used = max(driver.energy_wh - kept.reported, 0.0) if kept.reported else 0.0
        switched = driver.starts - kept.switched
        kept.reported, kept.switched = driver.energy_wh, driver.starts
        closed, air = lamp.level > 0, driver.temperature(lamp.now_ns)
        return ((DATA, [LAMP_RELAY_CLOSED(closed), LAMP_SWITCHINGS(switched % 256), LAMP_ILLUMINANCE(self._lux(lamp)),
                        DEVICE_BATTERY_VOLTAGE(4.1), DEVICE_BATTERY(97), DEVICE_TEMPERATURE(round(air, 1), "battery"),
                        DEVICE_TEMPERATURE(round(air + 0.5, 1), "clock"), mains(lamp, 2), LAMP_FREQUENCY(50),
                        LAMP_ENERGY_USED(round(used)), amperes(lamp), watts(lamp), factor(lamp), *self._sun(lamp)]),)

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        return ((CONFIG, self._settings(lamp)),)

    def refused(self, lamp: "Lamp", frame: Frame, error: CityError) -> Said:
        """A value out of its range sets a bit of its errors; a wrong password is passed over in silence."""
        if not isinstance(error, OutOfRange) or "name" not in error.facts:
            return ()
        return ((CONFIG, [DEVICE_REJECTED(f"{CONFIG}:20"), *self._settings(lamp)]),)

    def _settings(self, lamp: "Lamp") -> list[Measurement]:
        mode = ("off", "on", "light", "clock", "light-and-clock", "sun")[lamp.extra.settings["working_mode"]]
        shown = [name for name in lamp.extra.settings if name in ("timezone", "threshold", "samples") or "_time_" in name]
        return [LAMP_MODE(mode), DEVICE_SETTING(lamp.status_s, "send_every"),
                *(DEVICE_SETTING(lamp.extra.settings[name], name) for name in shown)]

    def _by_clock(self, lamp: "Lamp") -> bool:
        second, kept = lamp.clock_ns() // NS % DAY_S, lamp.extra.settings
        return any(within(kept.get(f"on_time_{n}"), kept.get(f"off_time_{n}"), second) for n in (1, 2, 3))

    def _lux(self, lamp: "Lamp") -> int:
        dark = lamp.timetable.wanted(lamp.clock_ns())[0] > 0
        return lamp.rng.randint(0, 15) if dark else lamp.rng.randint(400, 30_000)

    def _sun(self, lamp: "Lamp") -> tuple[Measurement, Measurement]:
        rise, sets = lamp.timetable.sun(from_ns(lamp.clock_ns()).date())
        return LAMP_SUNRISE(rise // NS % DAY_S), LAMP_SUNSET(sets // NS % DAY_S)


def within(begin: int | None, end: int | None, now: int) -> bool:
    """Whether a time of day lies in a window that may pass midnight; one without both ends is never open."""
    if begin is None or end is None or begin >= DAY_S or end >= DAY_S:
        return False
    return begin <= now < end if begin < end else now >= begin or now < end


_ALL_IN_AUTO: Mapping[str, Value] = MappingProxyType({"relay_modes": 0xAA, "on": 165, "off": 65})  # 16:30 to 06:30 UTC
_BY_THE_SUN: Mapping[str, Value] = MappingProxyType({"working_mode": 5, "timezone": 0, "threshold": 20, "samples": 3})
