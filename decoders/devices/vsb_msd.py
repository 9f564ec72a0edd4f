"""Multifunctional Switching Device of VŠB – Technical University of Ostrava: a contactor with meter and astro clock.

Documents: github.com/OndrejKnebl/Multifunctional_switching_device, README and firmware. Class A. Cayenne LPP with a type
of its own (0xC0: three bytes, seconds of the day); FPort 1 carries data, FPort 2 configuration, both ways. A downlink is
obeyed only with the device's password.

Channel 111 is sunrise, 112 sunset, in seconds of the UTC day. README table 1 has them the other way round, and is alone in
that: the firmware (MultifunctionalSwitchingDevice.ino) stores what its library calls `rise` as “small_time_111” and `set`
as “small_time_112” (checkSunsetRiseTime), opens the contactor at the first and closes it at the second, sends each on the
channel of its name (do_send), and says so in its comments; table 5, too, has sunrise before sunset.

Channel 10 is the energy since the last report: after each one the firmware sets its meter back (resetValues).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from city.errors import Invalid, OutOfRange, Truncated
from city.orders import Order, Parameters, Reboot, StatusInterval
from city.planning import Abilities
from city.quantities import (
    DEVICE_BATTERY,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_HEALTH,
    DEVICE_REJECTED,
    DEVICE_SETTING,
    DEVICE_TEMPERATURE,
    LAMP_CURRENT,
    LAMP_ENERGY_USED,
    LAMP_FREQUENCY,
    LAMP_ILLUMINANCE,
    LAMP_MODE,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_RELAY_CLOSED,
    LAMP_SUNRISE,
    LAMP_SUNSET,
    LAMP_SWITCHINGS,
    LAMP_VOLTAGE,
    Measurement,
    Quantity,
)
from decoders.bits import Reader, Writer
from decoders.codec import Codec, Frame, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices import _cayenne as lpp

TITLE = "Multifunctional Switching Device"
DATA, CONFIG = 1, 2  # FPorts
FACTORY_PASSWORD = 1234  # published in the firmware; "password" in Parameters names another
UNSET = 100_000  # a switching time that is not set
MODES = ("off", "on", "light", "clock", "light-and-clock", "sun")
_PASSWORD = (100, lpp.POWER)
_WORKS = 0x0F  # bits of the start-up report: light sensor, battery monitor, clock and memory answer
_CHANGES, _STARTED, _ERRORS, _MODE, _PLACE = (2, lpp.SWITCH), (51, 0), (150, 0), (101, 0), (101, lpp.GPS)


class Said(NamedTuple):
    """What one field of FPort 1 says; `steps` are the steps of one unit (0: a whole number)."""

    quantity: Quantity
    steps: int
    channel: str = ""


class Setting(NamedTuple):
    """One entry of the configuration: its field, and what the device accepts (Tab. 4)."""

    key: tuple[int, int]
    low: int
    high: int
    place: int = 0
    down_only: bool = False


FIELDS: Mapping[tuple[int, int], Said] = {
    _CHANGES: Said(LAMP_SWITCHINGS, 0),
    (3, lpp.LUMINOSITY): Said(LAMP_ILLUMINANCE, 1),
    (4, lpp.VOLTAGE): Said(DEVICE_BATTERY_VOLTAGE, 100),
    (5, lpp.PERCENTAGE): Said(DEVICE_BATTERY, 1),
    (6, lpp.TEMPERATURE): Said(DEVICE_TEMPERATURE, 10, "battery"),
    (7, lpp.TEMPERATURE): Said(DEVICE_TEMPERATURE, 10, "clock"),
    (8, lpp.VOLTAGE): Said(LAMP_VOLTAGE, 100),
    (9, lpp.FREQUENCY): Said(LAMP_FREQUENCY, 1),
    (10, lpp.ENERGY): Said(LAMP_ENERGY_USED, 1),
    (11, lpp.CURRENT): Said(LAMP_CURRENT, 1000),
    (12, lpp.POWER): Said(LAMP_POWER, 1),
    (13, lpp.ANALOG_OUTPUT): Said(LAMP_POWER_FACTOR, 100),
    (111, lpp.SMALL_TIME): Said(LAMP_SUNRISE, 1),
    (112, lpp.SMALL_TIME): Said(LAMP_SUNSET, 1),
}
SETTINGS: Mapping[str, Setting] = {
    "password": Setting(_PASSWORD, 0, 9999, down_only=True),
    "reset": Setting((100, lpp.DIGITAL_INPUT), 1, 2, down_only=True),
    "send_every": Setting((100, lpp.SMALL_TIME), 60, 3600),
    "samples": Setting((100, lpp.PRESENCE), 1, 10),
    "working_mode": Setting(_MODE, 0, 5),
    "timezone": Setting((102, lpp.DIGITAL_INPUT), 0, 8),
    "power_grid": Setting((103, lpp.DIGITAL_INPUT), 0, 1),
    "threshold": Setting((101, lpp.LUMINOSITY), 0, 65_535),
    "safe_zone": Setting((102, lpp.LUMINOSITY), 0, 65_535),
    "latitude_1e4": Setting(_PLACE, -900_000, 900_000),
    "longitude_1e4": Setting(_PLACE, -1_800_000, 1_800_000, place=1),
    **{f"{'on' if n % 2 else 'off'}_time_{(n + 1) // 2}": Setting((100 + n, lpp.SMALL_TIME), 0, UNSET) for n in range(1, 7)},
    "send_only_1": Setting((1, lpp.DIGITAL_OUTPUT), 0, 255),
    "send_only_2": Setting((2, lpp.DIGITAL_OUTPUT), 0, 255),
}
_QUICK: dict[int, tuple[Quantity, int, str]] = {
    channel << 8 | number: (said.quantity, said.steps, said.channel) for (channel, number), said in FIELDS.items()}
_RELAY: Mapping[lpp.Entry, Measurement] = {(1, lpp.SWITCH, raw): LAMP_RELAY_CLOSED(bool(raw)) for raw in (0, 1)}
_NAMES: dict[tuple[int, int], tuple[str, ...]] = {}
for _name, _setting in SETTINGS.items():
    _NAMES[_setting.key] = (*_NAMES.get(_setting.key, ()), _name)


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port not in (DATA, CONFIG):
        raise unknown_uplink(TITLE, frame.port)
    if frame.port == CONFIG and frame.data[:2] == bytes(_PASSWORD):
        _order(frame)  # so that only a downlink counts as one
        return [DEVICE_ECHO(echo(frame))]
    found, rest = lpp.entries(frame.reader("big"), frame.data, lpp.TYPES)
    if not found:
        raise Truncated("The frame is empty.")
    said = _data(found) if frame.port == DATA else _configuration(found)
    return [*said, lpp.undocumented(rest)] if rest else said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """Data on FPort 1 in the order of the document; start-up report and configuration on FPort 2."""
    if port not in (DATA, CONFIG):
        raise unsayable(TITLE, port, "any measurement")
    values = {(said.quantity.name, said.channel): said for said in measurements}
    write = Writer("big")
    (_write_data if port == DATA else _write_configuration)(write, values)
    debug = values.pop((DEVICE_DEBUG.name, ""), None)
    for (name, channel), said in list(values.items()):
        if name == DEVICE_DEBUG.name:
            at, _, number = channel.partition("-")
            write.u8("channel", int(at)).u8("type", int(number)).raw("value", bytes.fromhex(str(said.value)))
            del values[name, channel]
    if values:
        raise unsayable(TITLE, port, ", ".join(name for name, _ in values))
    return Frame(port, write.raw("rest", bytes.fromhex(str(debug.value)) if debug else b"").written())


def encode_downlink(order: Order) -> Frame:
    """One frame with the password first: the factory's, unless the parameters name another."""
    match order:
        case StatusInterval(seconds=seconds):
            values = {"send_every": seconds}
        case Reboot():
            values = {"reset": 1}
        case Parameters(values=pairs) if pairs and not set(values := dict(pairs)) - set(SETTINGS):
            _check_meaning(values)
        case _:
            raise unsupported(TITLE, order)
    password = values.pop("password", FACTORY_PASSWORD)
    return Frame(CONFIG, _written({"password": password, **values}))


def decode_downlink(frame: Frame) -> Order:
    if frame.port != CONFIG:
        raise unknown_downlink(TITLE, frame.port)
    return _order(frame)


def echo(frame: Frame) -> str:
    """No device repeats a downlink; the password is not shown all the same."""
    return f"{frame.port}:sha256:{sha256(frame.data).hexdigest()[:32]}"


def keepable(frame: Frame) -> bytes:
    """A repeated downlink without its password."""
    if frame.port == CONFIG and frame.data[:2] == bytes(_PASSWORD):
        return frame.data[:2] + bytes(min(len(frame.data) - 2, 2)) + frame.data[4:]
    return frame.data


def _data(found: list[lpp.Entry]) -> list[Measurement]:
    said: list[Measurement] = []
    for entry in found:
        known = _QUICK.get(entry[0] << 8 | entry[1])
        if known is not None:
            quantity, steps, channel = known
            raw = entry[2] if len(entry) == 3 else lpp.numbers(entry)[0]
            said.append(Measurement(quantity, raw / steps if steps else raw, channel))
        elif entry in _RELAY:
            said.append(_RELAY[entry])
        elif entry[:2] == (1, lpp.SWITCH):
            raise OutOfRange("“relay” is {value}, and only 0 and 1 are allowed.", value=entry[2])
        else:
            said.append(_unlisted(entry))
    return said


def _configuration(found: list[lpp.Entry]) -> list[Measurement]:
    said: list[Measurement] = []
    for entry in found:
        key, values = (entry[0], entry[1]), lpp.numbers(entry)
        if key == _STARTED:
            said.append(DEVICE_HEALTH(values[0] ^ _WORKS))
        elif key == _ERRORS:
            said += [DEVICE_REJECTED(f"{CONFIG}:{values[0]:02x}")] if values[0] else []
        elif key == _MODE and values[0] < len(MODES):
            said.append(LAMP_MODE(MODES[values[0]]))
        elif key in _NAMES and not any(SETTINGS[name].down_only for name in _NAMES[key]):
            said += [DEVICE_SETTING(values[SETTINGS[name].place], name) for name in _NAMES[key]]
        else:
            said.append(_unlisted(entry))
    return said


def _unlisted(entry: lpp.Entry) -> Measurement:
    data = lpp.write(Writer("big"), entry[0], entry[1], lpp.numbers(entry)).written()
    return DEVICE_DEBUG(data[2:].hex(), f"{entry[0]}-{entry[1]}")


def _order(frame: Frame) -> Order:
    values = _entries(frame)
    password = values.pop("password")
    if password == FACTORY_PASSWORD and values.keys() == {"send_every"}:
        return StatusInterval(values["send_every"])
    if password == FACTORY_PASSWORD and values == {"reset": 1}:
        return Reboot()
    if not values:
        raise Truncated("The frame holds nothing but a password.")
    if password != FACTORY_PASSWORD:
        values["password"] = password
    return Parameters(tuple(sorted(values.items())))


def _entries(frame: Frame) -> dict[str, int]:
    """All entries by name, the password first; raises OutOfRange for one twice, or that the device refuses."""
    read = frame.reader("big")
    _, _ = read.u8("channel", min=_PASSWORD[0], max=_PASSWORD[0]), read.u8("type", min=_PASSWORD[1], max=_PASSWORD[1])
    values = {"password": int.from_bytes(read.raw("password", 2, secret=True), "big")}
    found, rest = _tail(read, frame.data)
    for entry in found:
        for name in _NAMES.get((entry[0], entry[1]), ("",)):
            if not name or name in values:
                raise OutOfRange("Channel {channel} with type {type} is no setting, or is there twice.",
                                 channel=entry[0], type=entry[1])
            values[name] = lpp.numbers(entry)[SETTINGS[name].place]
    if rest:
        raise OutOfRange("“{rest}” is no field of Cayenne LPP.", rest=rest.hex())
    for name, value in values.items():
        if not _allows(name, value):
            raise OutOfRange("“{name}” is {value}, which the device refuses.", name=name,
                             value="·" if name == "password" else value)
    return values


def _tail(read: Reader, data: bytes) -> tuple[list[lpp.Entry], bytes]:
    return lpp.entries(read, data, lpp.TYPES) if read.left else ([], b"")


def _allows(name: str, value: int) -> bool:
    setting = SETTINGS[name]
    return setting.low <= value <= setting.high and not (setting.high == UNSET and 86_399 < value < UNSET)


def _check_meaning(values: Mapping[str, int]) -> None:
    """Each order has one frame: what has an order of its own, or is the factory's, is not said as parameters too."""
    others = values.keys() - {"password"}
    factory = values.get("password", FACTORY_PASSWORD) == FACTORY_PASSWORD
    half = len(others & {"latitude_1e4", "longitude_1e4"}) == 1
    if not others or half or (factory and ("password" in values or others == {"send_every"} or dict(values) == {"reset": 1})):
        raise Invalid("These parameters are not said alone, or are an order of their own: {names}.", field="values",
                      rule="together", names=", ".join(sorted(values)))


def _written(values: Mapping[str, int]) -> bytes:
    write = Writer("big")
    for name, setting in SETTINGS.items():
        if name not in values or setting.place:
            continue
        if not all(_allows(each, values[each]) for each in _NAMES[setting.key]):
            raise Invalid("{name} must lie between {low} and {high}, not {value}.", field=name, rule="range", name=name,
                          low=setting.low, high=setting.high, value="·" if name == "password" else values[name])
        numbers = [values[each] for each in _NAMES[setting.key]]
        lpp.write(write, *setting.key, [*numbers, 0] if setting.key == _PLACE else numbers)
    return write.written()


def _write_data(write: Writer, values: dict[tuple[str, str], Measurement]) -> None:
    relay = values.pop((LAMP_RELAY_CLOSED.name, ""), None)
    if relay is not None:
        lpp.write(write, 1, lpp.SWITCH, (int(bool(relay.value)),))
    for key, known in FIELDS.items():
        said = values.pop((known.quantity.name, known.channel), None)
        if said is not None:
            lpp.write(write, *key, (lpp.raw_of(said.value, known.steps),))


def _write_configuration(write: Writer, values: dict[tuple[str, str], Measurement]) -> None:
    health, refused = values.pop((DEVICE_HEALTH.name, ""), None), values.pop((DEVICE_REJECTED.name, ""), None)
    mode = values.pop((LAMP_MODE.name, ""), None)
    if health is not None:
        lpp.write(write, *_STARTED, (int(health.value) ^ _WORKS,))
    if refused is not None or mode is not None:
        lpp.write(write, *_ERRORS, (int(str(refused.value).partition(":")[2], 16) if refused else 0,))
    if mode is not None:
        lpp.write(write, *_MODE, (MODES.index(str(mode.value)),))
    for name, setting in SETTINGS.items():
        said = values.pop((DEVICE_SETTING.name, name), None)
        if said is not None and setting.key != _PLACE:
            lpp.write(write, *setting.key, (int(said.value),))
        elif said is not None and not setting.place:
            longitude = values.pop((DEVICE_SETTING.name, "longitude_1e4"), said)
            lpp.write(write, *setting.key, (int(said.value), int(longitude.value), 0))


CODEC = Codec(
    model="vsb/msd",
    vendor="VŠB – Technical University of Ostrava",
    title=TITLE,
    asset="lamp",
    device_class="A",
    source="OndrejKnebl/Multifunctional_switching_device, README tables 1 to 5 and firmware",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(DATA, CONFIG),
    downlink_ports=(CONFIG,),
    abilities=Abilities(dims=False, max_minutes=None),
    heartbeat=timedelta(seconds=3600),  # the longest “send data every” that it accepts
    acts=("password", "reset"),
    leaves_open=(
        ("Which of channels 111 and 112 is sunrise: the README's table 1 says sunset first, the firmware sends the sunrise on "
         "111. The firmware is believed."),
        "Its meter is set back after each report: lamp.energy_used is the energy since then, that of a lost frame is lost.",
        "Which bit of “send only” stands for what: README and firmware count from opposite ends. The byte is passed on.",
        ("The device does not repeat downlinks: it answers with its configuration, by which nobody sees who asked for it. A "
         "bit of its error byte counts as a refusal of what was last sent on FPort 2."),
        "Errors 01 to 80: password, location, power grid, time zone, switching times, mode, samples, interval.",
        "Its altitude and fields that the README does not list: the altitude is passed over, fields are kept as device.debug.",
        ("Interval and restart go out with the password that the firmware is published with. Where it was changed, give "
         "“password” with “send_every” or “reset” as parameters."),
        "The contactor switches and does not dim: no level is told.",
        "Its class: the firmware is LMIC's, which listens as class A.",
    ),
    echo=echo,
    keepable=keepable,
)
