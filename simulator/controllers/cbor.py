"""Our own lamp in CBOR (docs/reference/cbor-device.md): events at once, with last words when the power goes; every order is
answered by a hash or a code. It keeps its session and its settings over a loss of power."""

from typing import TYPE_CHECKING

from city.errors import CityError, OutOfRange, Refused, UnknownPort, UnknownVersion
from city.orders import Order
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_ECHO,
    DEVICE_FIRMWARE,
    DEVICE_REJECTED,
    DEVICE_SERIAL,
    DEVICE_UPTIME,
    LAMP_ALERT_POWER,
    LAMP_ALERT_POWER_FACTOR,
    LAMP_ALERT_VOLTAGE,
    LAMP_DALI_ERROR,
    LAMP_DRIVER_ERROR,
    LAMP_EVENT,
    LAMP_FAILURE,
    LAMP_METERING_ERROR,
    LAMP_TILT,
    Measurement,
)
from decoders.codec import Codec, Frame
from simulator.controllers.firmware import Firmware, Said, amperes, clock, energy, factor, heard, hours, mains, warmth, watts
from simulator.controllers.nas import FACTOR, GEAR, LAMP, POWER, VOLTAGE, light, relay

if TYPE_CHECKING:
    from simulator.lamp import Lamp

STATUS, EVENT, START, ANSWER = 1, 2, 3, 4  # FPorts
NO_ORDER, NO_VALUE, NOT_CBOR = 1, 2, 3  # codes of a refusal
_WORDS = ((LAMP, "lamp-failure"), (GEAR, "driver-alert"), (POWER, "power-limit"), (VOLTAGE, "voltage-limit"),
          (FACTOR, "power-factor-limit"))
_FAULTS = ((LAMP, LAMP_FAILURE), (GEAR, LAMP_DRIVER_ERROR), (0, LAMP_DALI_ERROR), (0, LAMP_METERING_ERROR),
           (VOLTAGE, LAMP_ALERT_VOLTAGE), (POWER, LAMP_ALERT_POWER), (FACTOR, LAMP_ALERT_POWER_FACTOR))


class Cbor(Firmware):
    """Version 1 of the format."""

    longest_s = 604_800
    keeps_session = True
    meters_all = False
    power_on, soft_reset = "power-on", "ordered"

    def start(self, lamp: "Lamp") -> Said:
        boot = "power-on" if lamp.boot_reason == "unspecified" else lamp.boot_reason
        return ((START, [DEVICE_BOOT(boot), DEVICE_FIRMWARE("1.4.0"), DEVICE_SERIAL(f"SF-{lamp.serial:07X}"),
                         DEVICE_UPTIME(0)]),)

    def status(self, lamp: "Lamp") -> Said:
        told = [*self._light(lamp), watts(lamp, 1), relay(lamp), warmth(lamp), *heard(lamp), LAMP_TILT(lamp.driver.tilt())]
        return ((STATUS, [*told, clock(lamp)] if lamp.clock_valid else told),)

    def usage(self, lamp: "Lamp") -> Said:
        _, burnt = hours(lamp)
        return ((STATUS, [*self._light(lamp), watts(lamp, 1), energy(lamp), mains(lamp, 1), amperes(lamp), factor(lamp),
                          burnt]),)

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        """One event for each new alert; one for all when none is left."""
        said = [(EVENT, [LAMP_EVENT(word), *self._light(lamp)]) for bit, word in _WORDS if alerts & ~before & bit]
        return said if alerts else [(EVENT, [LAMP_EVENT("recovered"), *self._light(lamp)])]

    def gasp(self, lamp: "Lamp") -> list[tuple[int, list[Measurement]]]:
        return [(EVENT, [LAMP_EVENT("power-loss"), energy(lamp)])]

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        return ((ANSWER, [DEVICE_ECHO(codec.echo(frame))]),)

    def refused(self, lamp: "Lamp", frame: Frame, error: CityError) -> Said:
        return ((ANSWER, [DEVICE_REJECTED(f"{frame.port}:{_code(error):02x}")]),)

    def _light(self, lamp: "Lamp") -> list[Measurement]:
        told = list(light(lamp.level, lamp.reason, lamp.driver.dali_status(lamp.now_ns)))
        alerts = lamp.alerted
        return told + [quantity(bool(alerts & bit)) for bit, quantity in _FAULTS] if alerts else told


def _code(error: CityError) -> int:
    """Which refusal the format's document has for it."""
    if isinstance(error, UnknownVersion | UnknownPort):
        return NO_ORDER
    if isinstance(error, Refused):
        return NO_ORDER if error.rule == "firmware" else NO_VALUE
    return NO_VALUE if isinstance(error, OutOfRange) and "CBOR" not in error.message else NOT_CBOR
