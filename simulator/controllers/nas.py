"""NAS UL20xx, firmware 1.1, 1.0 and 0.6. It repeats each order that it accepts on the same FPort (the acknowledgement) and,
from 1.0 on, refuses nonsense on FPort 99. Documents: those of the codecs; settings and groups are stored, levels by hand
are not."""

from functools import lru_cache
from typing import TYPE_CHECKING

from city.errors import CityError, OutOfRange, Refused, Trailing, Truncated, UnknownPort, UnknownVersion
from city.orders import Order
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK_VALID,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_FIRMWARE,
    DEVICE_REJECTED,
    DEVICE_SERIAL,
    LAMP_ALERT_LAMP,
    LAMP_ALERT_POWER,
    LAMP_ALERT_POWER_FACTOR,
    LAMP_ALERT_VOLTAGE,
    LAMP_DALI_STATUS,
    LAMP_EVENT,
    LAMP_LEVEL,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    LAMP_VOLTAGE,
    Measurement,
)
from decoders.codec import Codec, Frame
from simulator.controllers.firmware import Firmware, Said, clock, factor, heard, hours, mains, warmth, watts
from simulator.controllers.firmware import energy as metered_energy

if TYPE_CHECKING:
    from simulator.lamp import Lamp

STATUS, USAGE, OLD_STATUS, OLD_USAGE, CONFIG, DIM, EVENTS, SYSTEM = 23, 26, 24, 25, 50, 60, 61, 99  # FPorts
REFUSALS = {UnknownPort: 0x02, Truncated: 0x03, Trailing: 0x04, OutOfRange: 0x05, UnknownVersion: 0x0A}
PROTOCOL_ERROR, NOT_AVAILABLE = 0x06, 0x09
LAMP, GEAR, POWER, VOLTAGE, FACTOR = 1, 2, 4, 8, 16  # bits of a lamp's alerts
_FLAGS = ((LAMP, LAMP_ALERT_LAMP), (POWER, LAMP_ALERT_POWER), (VOLTAGE, LAMP_ALERT_VOLTAGE), (FACTOR, LAMP_ALERT_POWER_FACTOR))
_CLOSED, _OPEN = LAMP_RELAY_CLOSED(True), LAMP_RELAY_CLOSED(False)
_DRIVER_ALERT = LAMP_EVENT("driver-alert")


class Nas11(Firmware):
    """Firmware 1.1: status on FPort 23, meter on 26, events on 61."""

    version = "1.1.8"
    meters_all = False
    status_port, usage_port = STATUS, USAGE

    def start(self, lamp: "Lamp") -> Said:
        return ((SYSTEM, [DEVICE_SERIAL(f"{lamp.serial:08X}"), DEVICE_FIRMWARE(self.version), clock(lamp),
                          DEVICE_CLOCK_VALID(False), DEVICE_BOOT(lamp.boot_reason)]),)

    def status(self, lamp: "Lamp") -> Said:
        driver = lamp.driver
        told = [clock(lamp), *heard(lamp), warmth(lamp), relay(lamp),
                *light(driver.level, self.reason(lamp), driver.dali_status(lamp.now_ns))]
        alerts = lamp.alerted
        if alerts:  # flags that are not said are not set
            told += [flag(True) for bit, flag in _FLAGS if alerts & bit]
        return ((self.status_port, told),)

    def usage(self, lamp: "Lamp") -> Said:
        return ((self.usage_port, [metered_energy(lamp), watts(lamp), factor(lamp), volts(lamp), *hours(lamp)]),)

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        """What its DALI monitor sees; limits of the meter only show in the status."""
        if not (alerts ^ before) & (LAMP | GEAR):
            return ()
        return ((EVENTS, [_DRIVER_ALERT, LAMP_DALI_STATUS(lamp.driver.dali_status(lamp.now_ns))]),)

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        return ((frame.port, frame.data),) if frame.port in (DIM, CONFIG) else ()

    def refused(self, lamp: "Lamp", frame: Frame, error: CityError) -> Said:
        return ((SYSTEM, [DEVICE_REJECTED(f"{frame.port}:{refusal(error):02x}")]),)

    def reason(self, lamp: "Lamp") -> str:
        """Why it burns as it does, in this firmware's words."""
        return lamp.reason


class Nas10(Nas11):
    """Firmware 1.0: status on FPort 24 with the profiles, meter on 25."""

    version = "1.0.14"
    status_port, usage_port = OLD_STATUS, OLD_USAGE

    def reason(self, lamp: "Lamp") -> str:
        why = lamp.reason
        return "init" if why == "fallback" else why if why in ("manual", "unknown") or why.startswith("profile") else "calendar"


class Nas06(Nas10):
    """Firmware 0.6: less of everything; it does not tell why it burns, has no alarms and refuses nothing."""

    version = "0.6.29"

    def start(self, lamp: "Lamp") -> Said:
        return ((SYSTEM, [DEVICE_SERIAL(f"{lamp.serial:08X}"), DEVICE_FIRMWARE(self.version), clock(lamp)]),)

    def status(self, lamp: "Lamp") -> Said:
        return ((self.status_port, [clock(lamp), LAMP_RELAY_CLOSED(True, "relay-2"),
                                    DEVICE_DOWNLINK_RSSI(-lamp.rng.randint(55, 110)), LAMP_LEVEL(lamp.level),
                                    LAMP_REASON("unknown")]),)

    def usage(self, lamp: "Lamp") -> Said:
        return ((self.usage_port, [metered_energy(lamp), watts(lamp), factor(lamp), volts(lamp)]),)

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        return ()

    def refused(self, lamp: "Lamp", frame: Frame, error: CityError) -> Said:
        return ()


def volts(lamp: "Lamp") -> Measurement:
    """The voltage in the one byte that it has for it."""
    said = mains(lamp)
    return LAMP_VOLTAGE(min(float(said.value), 255.0))


def relay(lamp: "Lamp") -> Measurement:
    """Its relay stays closed, so that the driver can be asked; only a lamp that will not go out is to be cut off."""
    return _OPEN if lamp.fault == "relay welded" and not lamp.level else _CLOSED


@lru_cache(maxsize=4096)
def light(level: int, reason: str, dali: int) -> tuple[Measurement, ...]:
    """What a status says of the light; a town says the same few things again and again."""
    return LAMP_LEVEL(level), LAMP_REASON(reason), LAMP_DALI_STATUS(dali)


def refusal(error: CityError) -> int:
    """The maker's code for what is wrong with a downlink."""
    fitting = (code for kind, code in REFUSALS.items() if isinstance(error, kind))
    return next(fitting, NOT_AVAILABLE if isinstance(error, Refused) else PROTOCOL_ERROR)
