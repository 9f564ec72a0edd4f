"""The table of every Quantity: its name, unit, type and range. Storage fields, API schema and panels derive from it.

A name is `<measurement>.<field>`: the part before the dot is the InfluxDB measurement, the part after it the field.
A quantity keeps its type for ever. Units are UCUM codes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from sys import float_info

import msgspec

Value = bool | int | float | str


class Kind(Enum):
    """The one type a quantity's values have, for ever."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    TEXT = "text"


class Measurement(msgspec.Struct, frozen=True):  # a Struct, since each frame makes dozens: six times as fast
    """What a device said: a quantity, its value, and which part of the device it concerns.

    `channel` is "" for the asset itself, else a part of it ("dali-9", "group-2").
    `at` is set only where the frame itself dates the value.
    """

    quantity: "Quantity"
    value: Value
    channel: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the table; called with a value it makes a Measurement of the right type."""

    name: str
    unit: str
    kind: Kind
    help: str
    low: float | None = None
    high: float | None = None
    counts_up: bool = False
    warn: float | None = field(default=None, compare=False)  # from here on people should look at it …
    bad: float | None = field(default=None, compare=False)  # … and from here on act: below `warn` where less is worse
    ranged: bool = field(init=False, repr=False, compare=False)  # a number, plausible from `least` to `most`
    least: float = field(init=False, repr=False, compare=False)
    most: float = field(init=False, repr=False, compare=False)
    _type: type = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, value in (("_type", _TYPES[self.kind.value]), ("ranged", self.kind in (Kind.FLOAT, Kind.INT)),
                            ("least", -float_info.max if self.low is None else self.low),
                            ("most", float_info.max if self.high is None else self.high)):
            object.__setattr__(self, name, value)

    def __call__(self, value: Value, channel: str = "", at: datetime | None = None) -> Measurement:
        if value.__class__ is not self._type:  # most values have the right type already
            value = self.typed(value)
        return Measurement(self, value, channel, at)

    def typed(self, value: Value) -> Value:
        """`value` as this quantity's type; raises TypeError where that would change its meaning."""
        match self.kind:
            case Kind.FLOAT if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
            case Kind.INT if isinstance(value, int) and not isinstance(value, bool):
                return value
            case Kind.BOOL if isinstance(value, bool):
                return value
            case Kind.TEXT if isinstance(value, str):
                return value
        raise TypeError(f"{self.name} takes {self.kind.value}, not {value!r}")

    def plausible(self, value: Value) -> bool:
        """Whether a value of the right type lies in the range; text and truth values always do."""
        return isinstance(value, bool | str) or self.least <= value <= self.most

    @property
    def measurement(self) -> str:
        return self.name.partition(".")[0]

    @property
    def field(self) -> str:
        return self.name.partition(".")[2]


_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool, "text": str}
_TABLE: dict[str, Quantity] = {}


def _row(name: str, unit: str, kind: Kind, help: str, low: float | None = None, high: float | None = None, *,
         counts_up: bool = False, warn: float | None = None, bad: float | None = None) -> Quantity:
    if name in _TABLE:
        raise ValueError(f"quantity {name} stands in the table twice")
    quantity = _TABLE[name] = Quantity(name, unit, kind, help, low, high, counts_up, warn, bad)
    return quantity


def _counter(name: str, unit: str, kind: Kind, help: str) -> Quantity:
    """A 32-bit counter: only its increase means something."""
    return _row(name, unit, kind, help, 0, 2**32 - 1, counts_up=True)


RAW = "raw/"
_RAW_NAME = re.compile(r"raw/[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9_-]*\.[^\x00-\x1f\x7f\\\\]{1,100}")
_RAW_KINDS = {"flag": Kind.BOOL, "text": Kind.TEXT}

F, N, B, T = Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TEXT

LAMP_LEVEL = _row("lamp.level", "%", F, "light level the controller says it obeys", 0, 100)
LAMP_REASON = _row("lamp.reason", "", T, "why the lamp burns at this level: profile, calendar, manual, fallback …")
LAMP_POWER = _row("lamp.power", "W", F, "active power at the mains side", 0, 2000)
LAMP_ENERGY = _counter("lamp.energy", "W.h", F, "active energy at the mains side, a counter")
LAMP_ENERGY_USED = _row("lamp.energy_used", "W.h", F, "active energy at the mains side since the last report", 0, 1_000_000)
LAMP_LOAD_POWER = _row("lamp.load_power", "W", F, "active power at the load side of the driver", 0, 2000)
LAMP_LOAD_ENERGY = _counter("lamp.load_energy", "W.h", F, "active energy at the load side, a counter")
LAMP_VOLTAGE = _row("lamp.voltage", "V", F, "mains voltage", 0, 500)
LAMP_CURRENT = _row("lamp.current", "A", F, "mains current", 0, 32)
LAMP_POWER_FACTOR = _row("lamp.power_factor", "", F, "power factor", 0, 1)
LAMP_BURN_TIME = _counter("lamp.burn_time", "s", F, "time the lamp has burnt, a counter")
LAMP_DRIVER_TIME = _counter("lamp.driver_time", "s", F, "time the driver has been powered, a counter")
LAMP_RELAY_CLOSED = _row("lamp.relay_closed", "", B, "the controller's mains relay is closed")
LAMP_FAILURE = _row("lamp.failure", "", B, "the driver reports a lamp failure")
LAMP_DRIVER_ERROR = _row("lamp.driver_error", "", B, "the driver reports an error of its own")
LAMP_DALI_STATUS = _row("lamp.dali_status", "", N, "DALI QUERY STATUS byte (IEC 62386-102)", 0, 255)
LAMP_DALI_ERROR = _row("lamp.dali_error", "", B, "the controller cannot talk to the driver")
LAMP_METERING_ERROR = _row("lamp.metering_error", "", B, "the controller cannot talk to its meter")
LAMP_ALERT_VOLTAGE = _row("lamp.alert_voltage", "", B, "voltage left its limits in the last 24 h")
LAMP_ALERT_LAMP = _row("lamp.alert_lamp", "", B, "a lamp error in the last 24 h")
LAMP_ALERT_POWER = _row("lamp.alert_power", "", B, "power left its limits in the last 24 h")
LAMP_ALERT_POWER_FACTOR = _row("lamp.alert_power_factor", "", B, "power factor fell below its limit in the last 24 h")
LAMP_EVENT = _row("lamp.event", "", T, "an event the controller reports at once, as a word")
LAMP_ILLUMINANCE = _row("lamp.illuminance", "lx", F, "illuminance at the luminaire", 0, 200_000)
LAMP_LDR = _row("lamp.ldr", "", N, "raw value of the light-dependent resistor", 0, 65535)
LAMP_TILT = _row("lamp.tilt", "deg", F, "tilt of the luminaire", 0, 180)
LAMP_INPUT = _row("lamp.input", "", B, "state of the digital input")
LAMP_LIT = _row("lamp.lit", "", B, "the driver reports that the lamp burns")
LAMP_ORDERED_LEVEL = _row("lamp.ordered_level", "%", F, "the last level the controller was told by radio", 0, 100)
LAMP_DALI_LEVEL = _row("lamp.dali_level", "", N, "DALI arc power level (IEC 62386-102), logarithmic", 0, 255)
LAMP_FREQUENCY = _row("lamp.frequency", "Hz", F, "mains frequency", 40, 70)
LAMP_SUNRISE = _row("lamp.sunrise", "s", F, "sunrise the controller has computed, seconds of its day", 0, 86_400)
LAMP_SUNSET = _row("lamp.sunset", "s", F, "sunset the controller has computed, seconds of its day", 0, 86_400)
LAMP_STARTS = _counter("lamp.starts", "", N, "switchings of the lamp or relay, a counter")
LAMP_SWITCHINGS = _row("lamp.switchings", "", N, "switchings of the lamp or relay since the last report", 0, 65_535)
LAMP_MODE = _row("lamp.mode", "", T, "what the controller switches by: clock, light, sun, by hand …")
LAMP_INPUT_COUNT = _counter("lamp.input_count", "", N, "switchings of the digital input, a counter")
LAMP_DALI_VERSION = _row("lamp.dali_version", "", N, "answer of the driver to DALI QUERY VERSION NUMBER", 0, 255)
LAMP_DALI_DEVICE_TYPE = _row("lamp.dali_device_type", "", N, "answer of the driver to DALI QUERY DEVICE TYPE", 0, 255)
LAMP_TASK = _row("lamp.task", "", T, "a dimming task that the controller holds, as its order in JSON; the channel names the slot")

BAY_OCCUPIED = _row("bay.occupied", "", B, "a vehicle stands in the bay")
BAY_PREVIOUS_MINUTES = _row("bay.previous_minutes", "min", F, "how long the previous state lasted", 0, 1_000_000)
BAY_STATE_CHANGES = _counter("bay.state_changes", "", N, "changes of state, a counter")
BAY_OCCUPIED_TIME = _counter("bay.occupied_time", "s", F, "time occupied, a counter")
BAY_PREVIOUS_ERROR = _row("bay.previous_error", "min", F, "by how much the previous state may have lasted longer", 0, 1_000_000)
BAY_VEHICLES = _row("bay.vehicles", "", N, "vehicles counted", 0, 65_535)
BAY_OBSTRUCTED = _row("bay.obstructed", "", B, "something that is no vehicle covers the sensor")
BAY_NUMBER = _row("bay.number", "", N, "the number the sensor itself bears", 0, 65_535)
BAY_FIELD = _row("bay.field", "", N, "magnetic field as the sensor counts it; the channel names the axis", -32_768, 32_767)
BAY_BASELINE = _row("bay.baseline", "", N, "magnetic field of the empty bay; the channel names the axis", -32_768, 32_767)
BAY_RADAR = _row("bay.radar", "", B, "the radar took part in this reading")

DEVICE_TEMPERATURE = _row("device.temperature", "Cel", F, "temperature inside the device", -60, 125, warn=70, bad=85)
DEVICE_BATTERY = _row("device.battery", "%", F, "battery level", 0, 100, warn=30, bad=15)
DEVICE_BATTERY_VOLTAGE = _row("device.battery_voltage", "V", F, "battery voltage", 0, 60)
DEVICE_BATTERY_LOW = _row("device.battery_low", "", B, "the device asks for a new battery")
DEVICE_EXTERNAL_POWER = _row("device.external_power", "", B, "the device runs on external power")
DEVICE_DOWNLINK_RSSI = _row("device.downlink_rssi", "dB[mW]", F, "strength of the last downlink at the device", -255, 0)
DEVICE_DOWNLINK_SNR = _row("device.downlink_snr", "dB", F, "SNR of the last downlink at the device", -128, 127)
DEVICE_LINK_MARGIN = _row("device.link_margin", "dB", F, "demodulation margin the device reports (DevStatusAns)", -32, 31)
DEVICE_CLOCK = _row("device.clock", "s", F, "the device's own time, seconds since 1970", 0, 4.3e9)
DEVICE_CLOCK_VALID = _row("device.clock_valid", "", B, "the device's clock has been set")
DEVICE_FIRMWARE = _row("device.firmware", "", T, "firmware version, major.minor.patch")
DEVICE_SERIAL = _row("device.serial", "", T, "serial number")
DEVICE_BOOT = _row("device.boot", "", T, "why the device restarted")
DEVICE_UPTIME = _row("device.uptime", "s", F, "time since restart", 0, 4.3e9)
DEVICE_INSTALLED_TIME = _counter("device.installed_time", "s", F, "time since installation")
DEVICE_RESETS = _counter("device.resets", "", N, "restarts, a counter; the channel names the cause")
DEVICE_UPLINKS = _counter("device.uplinks", "", N, "uplinks sent, a counter; the channel names the data rate")
DEVICE_RADAR_TRIGGERS = _counter("device.radar_triggers", "", N, "measurements by radar, a counter")
DEVICE_LATITUDE = _row("device.latitude", "deg", F, "position by the device's own receiver, WGS 84", -90, 90)
DEVICE_LONGITUDE = _row("device.longitude", "deg", F, "position by the device's own receiver, WGS 84", -180, 180)
DEVICE_REJECTED = _row("device.rejected", "", T, "a downlink the device refused: its port and the error code, port:hex")
DEVICE_ECHO = _row("device.echo", "", T, "a downlink the device confirmed by repeating it: port:hex")
DEVICE_DEBUG = _row("device.debug", "", T, "bytes the maker does not document, as hex")
DEVICE_EVENT = _row("device.event", "", T, "something the device reports at once, as a word")
DEVICE_FAULT = _row("device.fault", "", T, "a fault the device reports of itself, as a word")
DEVICE_HEALTH = _row("device.health", "", N, "the maker's health bits; 0 is healthy", 0, 255)
DEVICE_CURRENT = _row("device.current", "A", F, "current the device draws", 0, 32)
DEVICE_COUNTER = _row("device.counter", "", N, "the device's own number of the frame, by which lost ones show", 0, 2**32 - 1)
DEVICE_HUMIDITY = _row("device.humidity", "%", F, "relative humidity at the device", 0, 100)
DEVICE_SETTING = _row("device.setting", "", F, "a setting the device reports; the channel names it")
DEVICE_HEARTBEAT = _row("device.heartbeat", "", B, "the frame came without a change: a sign of life, a restart, an answer")
DEVICE_HARDWARE = _row("device.hardware", "", T, "hardware version, major.minor")
DEVICE_FIRMWARE_DATE = _row("device.firmware_date", "", T, "the day the firmware was made, year-month-day")
DEVICE_TIME_OF_DAY = _row("device.time_of_day", "s", F, "the device's own time of day, seconds since midnight UTC", 0, 86_400)
DEVICE_NEXT_WINDOW = _row("device.next_window", "min", F, "when the device will listen again, as it announces", 0, 100_000)
DEVICE_MAINTENANCE = _row("device.maintenance", "", B, "somebody works at the device: it is switched by hand on the spot")
DEVICE_GNSS_FIX = _row("device.gnss_fix", "", B, "the device's own receiver knows its position")
DEVICE_CONFIG_CHECKSUM = _row("device.config_checksum", "", N, "checksum of the settings that the device runs", 0, 2**32 - 1)

LPP_DIGITAL_INPUT = _row("lpp.digital_input", "", N, "Cayenne LPP type 0, digital input; the channel is the device's own", 0, 255)
LPP_DIGITAL_OUTPUT = _row("lpp.digital_output", "", N, "Cayenne LPP type 1, digital output", 0, 255)
LPP_ANALOG_INPUT = _row("lpp.analog_input", "", F, "Cayenne LPP type 2, analog input", -327.68, 327.67)
LPP_ANALOG_OUTPUT = _row("lpp.analog_output", "", F, "Cayenne LPP type 3, analog output", -327.68, 327.67)
LPP_GENERIC = _row("lpp.generic", "", N, "Cayenne LPP type 100, a number without a unit", 0, 2**32 - 1)
LPP_ILLUMINANCE = _row("lpp.illuminance", "lx", F, "Cayenne LPP type 101, illuminance", 0, 65_535)
LPP_PRESENCE = _row("lpp.presence", "", N, "Cayenne LPP type 102, presence; 0 is none", 0, 255)
LPP_ACCELERATION = _row("lpp.acceleration", "[g]", F, "Cayenne LPP type 113, acceleration; the channel names the axis", -33, 33)
LPP_PRESSURE = _row("lpp.pressure", "hPa", F, "Cayenne LPP type 115, air pressure", 300, 1200)
LPP_VOLTAGE = _row("lpp.voltage", "V", F, "Cayenne LPP type 116, voltage", 0, 656)
LPP_CURRENT = _row("lpp.current", "A", F, "Cayenne LPP type 117, current", 0, 66)
LPP_FREQUENCY = _row("lpp.frequency", "Hz", F, "Cayenne LPP type 118, frequency", 0, 2**32 - 1)
LPP_PERCENTAGE = _row("lpp.percentage", "%", F, "Cayenne LPP type 120, percentage", 0, 100)
LPP_ALTITUDE = _row("lpp.altitude", "m", F, "Cayenne LPP types 121 and 136, altitude", -500, 9000)
LPP_CONCENTRATION = _row("lpp.concentration", "[ppm]", F, "Cayenne LPP type 125, concentration", 0, 65_535)
LPP_POWER = _row("lpp.power", "W", F, "Cayenne LPP type 128, power", 0, 65_535)
LPP_DISTANCE = _row("lpp.distance", "m", F, "Cayenne LPP type 130, distance", 0, 4_294_968)
LPP_ENERGY = _counter("lpp.energy", "W.h", F, "Cayenne LPP type 131, energy, a counter")
LPP_DIRECTION = _row("lpp.direction", "deg", F, "Cayenne LPP type 132, direction", 0, 360)
LPP_ROTATION = _row("lpp.rotation", "deg/s", F, "Cayenne LPP type 134, rate of turn; the channel names the axis", -328, 328)
LPP_COLOUR = _row("lpp.colour", "", N, "Cayenne LPP type 135, colour; the channel names red, green or blue", 0, 255)
LPP_SWITCH = _row("lpp.switch", "", B, "Cayenne LPP type 142, a switch is on")

RADIO_RSSI = _row("radio.rssi", "dB[mW]", F, "strongest reception of the uplink", -200, 10, warn=-115, bad=-125)
RADIO_SNR = _row("radio.snr", "dB", F, "signal-to-noise ratio at the strongest gateway", -40, 40, warn=-7.5, bad=-15)
RADIO_DR = _row("radio.dr", "", N, "data rate of the uplink", 0, 15)
RADIO_FCNT = _row("radio.fcnt", "", N, "uplink counter", 0, 2**32 - 1)
RADIO_DOWNLINK_SF = _row("radio.downlink_sf", "", N, "spreading factor of the last downlink to the device", 5, 12)
RADIO_GATEWAYS = _row("radio.gateways", "", N, "gateways that heard the uplink", 0, 1000)

del F, N, B, T


def quantity(name: str) -> Quantity:
    """The row of that name, or the raw quantity that the name spells out; KeyError if it is neither."""
    known = _TABLE.get(name)
    return known if known is not None else _raw(name)


def raw(model: str, leaf: str, value: Value) -> Measurement:
    """What a script says and nobody has mapped, under the script's name: raw/acme/x1.sensor.t. Numbers all are FLOAT;
    text and truth have a name of their own (…:text, …:flag), so that no name ever changes its type."""
    suffix, typed = (":flag", value) if isinstance(value, bool) else (":text", value) if isinstance(value, str) \
        else ("", float(value))
    return Measurement(_raw(f"{RAW}{model}.{leaf}{suffix}"), typed)


def quantities() -> Iterator[Quantity]:
    """All rows in the order of the table."""
    return iter(_TABLE.values())


@lru_cache(maxsize=8192)
def _raw(name: str) -> Quantity:
    if not _RAW_NAME.fullmatch(name):
        raise KeyError(name)
    return Quantity(name, "", _RAW_KINDS.get(name.rpartition(":")[2], Kind.FLOAT), "said by the town's own script, not mapped")
