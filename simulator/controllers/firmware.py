"""What a maker's controller may do differently from another's. One object serves all controllers of a model: it keeps
nothing, a lamp keeps everything."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from city.errors import CityError, Refused
from city.orders import Order, ReadStatus, SetLevel
from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_TEMPERATURE,
    LAMP_BURN_TIME,
    LAMP_CURRENT,
    LAMP_DRIVER_TIME,
    LAMP_ENERGY,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_VOLTAGE,
    Measurement,
    Value,
)
from decoders.codec import Codec, Frame
from simulator.driver import Driver
from simulator.plan import Devices
from simulator.timetable import Sky

if TYPE_CHECKING:
    from simulator.lamp import Lamp

Said = Sequence[tuple[int, Sequence[Measurement] | bytes]]  # FPort and what is said on it; bytes: a downlink repeated
NEVER = 1 << 62
U24, U32 = 2**24, 2**32


class Firmware:
    """The defaults: a controller with a calendar of its own that reports and repeats nothing."""

    drives: type[Driver] = Driver
    fallback = 100  # per cent, as it leaves the factory
    longest_s = 86_400  # of an interval
    clock_rate = 1.0  # seconds on its clock in a true second
    notices = True  # a change of level is reported
    ends_manual = False  # what was ordered by hand ends with the program's next step
    meters_all = True  # its status tells of the meter too
    keeps_session = False  # over a loss of power
    keeps_groups = True  # its multicast groups, over a restart
    power_on, soft_reset = "unspecified", "soft"  # why it restarted, in the codec's words

    def intervals(self, setup: Devices) -> tuple[int, int]:
        """Seconds between reports of status, and of the meter (0: it has no report of its own)."""
        return setup.status_interval_s, setup.usage_interval_s

    def memory(self, sky: Sky) -> Any:  # noqa: ANN401 - whatever its kind keeps
        """What a new lamp's `extra` is."""
        return None

    def forgets(self, lamp: "Lamp") -> None:
        """It restarts."""
        if not self.keeps_groups:
            lamp.members = ()

    def program(self, lamp: "Lamp") -> tuple[int, str]:
        """The level that its own program wants now, and why."""
        return lamp.timetable.wanted(lamp.clock_ns())

    def next_change(self, lamp: "Lamp") -> int:
        """When its program changes, ns on its clock."""
        return lamp.timetable.next_change(lamp.clock_ns())

    def level(self, lamp: "Lamp", order: SetLevel) -> int:
        """What an order for a level makes of the whole lamp, per cent."""
        return order.level

    def obey(self, lamp: "Lamp", order: Order) -> None:
        """An order that not every controller knows. Raises Refused."""
        raise Refused("This firmware does not do that.", field="order", rule="firmware")

    def asked(self, order: ReadStatus) -> ReadStatus:
        """What of its reports it sends when it is asked for them."""
        return order

    def start(self, lamp: "Lamp") -> Said:
        """Its first words."""
        return self.status(lamp)

    def status(self, lamp: "Lamp") -> Said:
        """What it says of the light."""
        raise NotImplementedError

    def usage(self, lamp: "Lamp") -> Said:
        """What it says of its meter."""
        return ()

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        """What it says at once when its alerts have changed."""
        return ()

    def gasp(self, lamp: "Lamp") -> Sequence[tuple[int, Sequence[Measurement]]]:
        """Its last words when the power goes."""
        return ()

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        """What it answers to an order that it obeys."""
        return ()

    def refused(self, lamp: "Lamp", frame: Frame, error: CityError) -> Said:
        """What it answers to a downlink that is none, or that it cannot obey."""
        return ()


def heard(lamp: "Lamp") -> tuple[Measurement, Measurement]:
    """How loud the last downlink was."""
    bits = lamp.rng.getrandbits(16)  # 55 to 110 dB below a milliwatt, -3 to 11 dB
    return _RSSI[(bits >> 8) * 56 >> 8], _SNR[(bits & 0xFF) * 15 >> 8]


def warmth(lamp: "Lamp", low: int = -60) -> Measurement:
    """Inside the housing, whole °C."""
    degrees = lamp.driver.temperature(lamp.now_ns) + 1.2 * lamp.rng.random() - 0.6
    return Measurement(DEVICE_TEMPERATURE, float(max(round(degrees), low)))


def clock(lamp: "Lamp") -> Measurement:
    """Its own time."""
    return Measurement(DEVICE_CLOCK, float(lamp.clock_s()))


def watts(lamp: "Lamp", digits: int | None = None) -> Measurement:
    """What its meter shows, in whole watts or with so many digits."""
    return Measurement(LAMP_POWER, float(round(lamp.metered(), digits)))


def energy(lamp: "Lamp", size: int = U32) -> Measurement:
    """The meter's count; it wraps."""
    return Measurement(LAMP_ENERGY, float(int(lamp.driver.energy_wh) % size))


def mains(lamp: "Lamp", digits: int | None = None) -> Measurement:
    """The voltage, which never stands still."""
    volts = lamp.driver.voltage(lamp.now_ns) + 2.0 * lamp.rng.random() - 1.0
    return Measurement(LAMP_VOLTAGE, float(round(volts, digits)))


def factor(lamp: "Lamp", digits: int = 2) -> Measurement:
    """The power factor."""
    return Measurement(LAMP_POWER_FACTOR, round(min(lamp.driver.power_factor(lamp.now_ns), 1.0), digits))


def amperes(lamp: "Lamp") -> Measurement:
    """The current, in mA steps."""
    return Measurement(LAMP_CURRENT, round(lamp.driver.current(lamp.now_ns), 3))


def hours(lamp: "Lamp") -> tuple[Measurement, Measurement]:
    """How long it has been powered, and has burnt."""
    driver = lamp.driver
    return (Measurement(LAMP_DRIVER_TIME, float(int(driver.driver_s) % U32)),
            Measurement(LAMP_BURN_TIME, float(int(driver.burn_s) % U32)))


def values_of(order: Order) -> dict[str, Value]:
    """The settings in an order that only one model has."""
    return dict(getattr(order, "values", ()))


_RSSI = tuple(DEVICE_DOWNLINK_RSSI(-loss) for loss in range(55, 111))
_SNR = tuple(DEVICE_DOWNLINK_SNR(snr) for snr in range(-3, 12))
