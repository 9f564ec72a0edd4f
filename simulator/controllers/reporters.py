"""Controllers of which only the uplinks are published, so that nobody can tell them a level: they burn by calendars of
their own and report. SLS VOLC2180 also answers a request for its meter."""

from functools import lru_cache
from math import log10
from typing import TYPE_CHECKING

from city.orders import ReadStatus
from city.quantities import (
    DEVICE_DEBUG,
    DEVICE_FAULT,
    LAMP_DALI_DEVICE_TYPE,
    LAMP_DALI_ERROR,
    LAMP_DALI_LEVEL,
    LAMP_DALI_STATUS,
    LAMP_DALI_VERSION,
    LAMP_LEVEL,
    LAMP_LIT,
    LAMP_ORDERED_LEVEL,
    Measurement,
)
from simulator.controllers.firmware import U24, Firmware, Said, amperes, energy, factor, mains, warmth, watts
from simulator.plan import Devices

if TYPE_CHECKING:
    from simulator.lamp import Lamp

ANY = 1  # FPort of those whose documents name none
ZLAMP_STATUS, ZLAMP_HEALTH = 118, 202  # FPorts
_LED_MODULES, _DALI_2 = 6, 8  # IEC 62386-207; version 2.0 as QUERY VERSION NUMBER says it


class Volc(Firmware):
    """SLS Corp VOLC2180: the meter as a trap, unasked; the same without the temperature when it is asked."""

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return setup.status_interval_s, 0

    def start(self, lamp: "Lamp") -> Said:
        return ()

    def status(self, lamp: "Lamp") -> Said:
        return ((ANY, [*self._meter(lamp), warmth(lamp, 0)]),)

    def usage(self, lamp: "Lamp") -> Said:
        return ((ANY, self._meter(lamp)),)

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        return self.status(lamp)

    def asked(self, order: ReadStatus) -> ReadStatus:
        return ReadStatus(status=False, usage=True)

    def _meter(self, lamp: "Lamp") -> list[Measurement]:
        return [LAMP_LEVEL(lamp.level), watts(lamp), energy(lamp, U24), factor(lamp, 3), amperes(lamp), mains(lamp, 3)]


class Comtac(Firmware):
    """comtac E1310: what it asks of one DALI driver; without an answer it keeps the old one and says so."""

    meters_all = False

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return setup.status_interval_s, 0

    def status(self, lamp: "Lamp") -> Said:
        dead = lamp.fault == "driver failure"
        status = 0 if dead else lamp.driver.dali_status(lamp.now_ns)
        return ((ANY, [LAMP_DALI_ERROR(dead), LAMP_LIT(bool(status & 4)), LAMP_ORDERED_LEVEL(lamp.level),
                       LAMP_DALI_LEVEL(0 if dead else arc_power(lamp.level)), LAMP_DALI_STATUS(status),
                       LAMP_DALI_VERSION(_DALI_2), LAMP_DALI_DEVICE_TYPE(_LED_MODULES)]),)

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        return self.status(lamp)


class Zlamp(Firmware):
    """Zane zLamp: brightness and whether it is lit; its health when it starts and when that changes."""

    meters_all = False

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return setup.status_interval_s, 0

    def start(self, lamp: "Lamp") -> Said:
        return self.alarm(lamp, lamp.alerts, 0)

    def status(self, lamp: "Lamp") -> Said:
        return ((ZLAMP_STATUS, [LAMP_LEVEL(lamp.level), LAMP_LIT(lamp.level > 0)]),)

    def alarm(self, lamp: "Lamp", alerts: int, before: int) -> Said:
        return ((ZLAMP_HEALTH, [DEVICE_FAULT("fault")] if alerts else [DEVICE_FAULT("none"), DEVICE_DEBUG("00")]),)


@lru_cache(maxsize=128)
def arc_power(level: int) -> int:
    """The DALI level whose light is `level` per cent: IEC 62386-102:2014 §9.3, the logarithmic dimming curve, where each of
    253 steps is 2.8 % more light and 254 is all."""
    return 0 if level <= 0 else round(1 + 253 / 3 * (log10(level) + 1))
