"""Netvox R719A parking sensor (DeviceType 0x59). Class A, geomagnetic. All frames have 11 bytes, big-endian.

Documents: The Things Network's device library (vendor/netvox/r719a) and the guide in ThingsBoard's data converters
(VENDORS/Netvox/R719A), both after “Netvox LoRaWAN Application Command”. Reports come on FPort 6; on FPort 7 settings
are written and read, and each answer (0x81 to 0x84) names the command that it answers: that is the echo of a downlink.

Settings, each group in a downlink of its own: min_time and max_time (s, 1 to 65535) with battery_change (0.1 V, 1 to 255);
detect_threshold (0 to 65535; a wrong one makes false states); read_report = 1 and read_threshold = 1 read them back.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from city.errors import OutOfRange, UnknownVersion
from city.orders import Order, Parameters
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_BATTERY_LOW,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_EVENT,
    DEVICE_FIRMWARE,
    DEVICE_FIRMWARE_DATE,
    DEVICE_HARDWARE,
    DEVICE_REJECTED,
    DEVICE_SETTING,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices._bays import Said, ordered, parameters

REPORT, CONFIG = 6, 7  # FPorts
TITLE = "R719A"
R719A, VERSION, LENGTH = 0x59, 0x01, 11
WRITE_REPORT, READ_REPORT, WRITE_THRESHOLD, READ_THRESHOLD = 1, 2, 3, 4  # commands; their answers have bit 7 set
ANSWER = 0x80
_REPORT_NAMES, _THRESHOLD_NAMES = ("battery_change", "max_time", "min_time"), ("detect_threshold",)
_READ_REPORT_NAMES, _READ_THRESHOLD_NAMES = ("read_report",), ("read_threshold",)
_COMMANDS = {WRITE_REPORT: "report settings", READ_REPORT: "read report settings", WRITE_THRESHOLD: "threshold",
             READ_THRESHOLD: "read threshold"}
_LOW = 0x80


def decode_uplink(frame: Frame) -> list[Measurement]:
    says = _SAYS.get(frame.port)
    if says is None:
        raise unknown_uplink(TITLE, frame.port)
    read = frame.reader("big")
    said = says(read)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """A report or version on FPort 6; an answer on FPort 7."""
    said = Said(TITLE, port, measurements)
    if port == CONFIG:
        return Frame(port, _write_answer(said))
    if port != REPORT:
        raise unsayable(TITLE, port, "there is no such frame")
    data = _write_version(said) if said.get(DEVICE_FIRMWARE) is not None else _write_report(said)
    return Frame(port, data)


def encode_downlink(order: Order) -> Frame:
    if not isinstance(order, Parameters):
        raise unsupported(TITLE, order)
    values = parameters(TITLE, order, _REPORT_NAMES, _THRESHOLD_NAMES, _READ_REPORT_NAMES, _READ_THRESHOLD_NAMES)
    return Frame(CONFIG, _filled(_written(values)))


def decode_downlink(frame: Frame) -> Order:
    if frame.port != CONFIG:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader("big")
    command = read.u8("command", min=WRITE_REPORT, max=READ_THRESHOLD, means=_COMMANDS.__getitem__)
    _device(read)
    values = _READS[command](read)
    _zeros(read)
    read.end()
    return ordered(values)


def echo(frame: Frame) -> str:
    """An answer names the port and command that it answers, not its content."""
    return f"{frame.port}:{frame.data[:1].hex()}"


def _device(read: Reader) -> None:
    kind = read.u8("device type", means=lambda kind: TITLE if kind == R719A else "another model")
    if kind != R719A:
        raise UnknownVersion("Device type {kind} is not that of a {model}.", kind=kind, model=TITLE)


def _zeros(read: Reader) -> None:
    """The frame's end, which the maker fixes at 0."""
    rest = read.raw("reserved", LENGTH - read.offset)
    if any(rest):
        raise OutOfRange("“reserved” is {rest}, and only zeros are allowed.", rest=rest.hex())


def _report_settings(read: Reader) -> dict[str, int]:
    return {"min_time": read.u16("min time", min=1, means=lambda raw: f"{raw} s"),
            "max_time": read.u16("max time", min=1, means=lambda raw: f"{raw} s"),
            "battery_change": read.u8("battery change", min=1, means=lambda raw: f"{raw / 10} V")}


def _threshold(read: Reader) -> dict[str, int]:
    return {"detect_threshold": read.u16("detect threshold")}


_READS: dict[int, Callable[[Reader], dict[str, int]]] = {
    WRITE_REPORT: _report_settings, WRITE_THRESHOLD: _threshold,
    READ_REPORT: lambda _: {"read_report": 1}, READ_THRESHOLD: lambda _: {"read_threshold": 1}}


def _written(values: dict[str, int]) -> bytes:
    write = Writer("big")
    if "detect_threshold" in values:
        return write.raw("head", bytes((WRITE_THRESHOLD, R719A))).u16("detect_threshold", values["detect_threshold"]).written()
    if "min_time" in values:
        write.raw("head", bytes((WRITE_REPORT, R719A))).u16("min_time", values["min_time"], min=1)
        return write.u16("max_time", values["max_time"], min=1).u8("battery_change", values["battery_change"], min=1).written()
    (name, wanted), = values.items()
    write.u8(name, wanted, min=1, max=1)  # for the check alone
    return bytes((READ_REPORT if name == "read_report" else READ_THRESHOLD, R719A))


def _filled(data: bytes) -> bytes:
    return data.ljust(LENGTH, b"\0")


_BATTERY = Record("big", Part("battery", "B", lambda raw: f"{(raw & ~_LOW) / 10} V{', low' if raw & _LOW else ''}"))
_REPORT_TAIL = 6


def _report(read: Reader) -> list[Measurement]:
    version = read.u8("version of the application command")
    if version != VERSION:
        raise UnknownVersion("Version {version} of the application command is not known.", version=version)
    _device(read)
    kind = read.u8("report type", means=lambda kind: {0: "version", 1: "state"}.get(kind, "not documented"))
    if kind == 1:
        return _state(read)
    if kind == 0:
        return _version(read)
    raise UnknownVersion("Report type {kind} is not known.", kind=kind)


def _state(read: Reader) -> list[Measurement]:
    battery, = read.record(_BATTERY)
    occupied = read.u8("car", max=1, means=lambda raw: "occupied" if raw else "free")
    rest = read.raw("for the maker's own use", _REPORT_TAIL)
    said = [BAY_OCCUPIED(bool(occupied)), DEVICE_BATTERY_VOLTAGE((battery & ~_LOW) / 10),
            DEVICE_BATTERY_LOW(bool(battery & _LOW))]
    return [*said, DEVICE_DEBUG(rest.hex())] if any(rest) else said


def _version(read: Reader) -> list[Measurement]:
    software = read.u8("software version", means=lambda raw: f"{raw / 10}")
    hardware = read.u8("hardware version")
    date, rest = read.raw("date, binary-coded decimal", 4), read.raw("reserved", 2)
    said = [DEVICE_EVENT("start"), DEVICE_FIRMWARE(f"{software // 10}.{software % 10}"), DEVICE_HARDWARE(str(hardware))]
    digits = date.hex()
    if not digits.isdigit():
        return [*said, DEVICE_DEBUG((date + rest).hex())]
    said.append(DEVICE_FIRMWARE_DATE(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"))
    return [*said, DEVICE_DEBUG(rest.hex())] if any(rest) else said


def _answer(read: Reader) -> list[Measurement]:
    raw = read.u8("command", means=lambda raw: _COMMANDS.get(raw & ~ANSWER, "not documented"))
    command = raw & ~ANSWER
    if command not in _COMMANDS:
        raise UnknownVersion("Command {command} is not known.", command=raw)
    _device(read)
    echoed = DEVICE_ECHO(f"{CONFIG}:{command:02x}")
    if not raw & ANSWER:  # our own downlink, as a test harness or a loop of networks repeats it
        _READS[command](read)
        _zeros(read)
        return [echoed]
    said = _outcome(read, echoed) if command in (WRITE_REPORT, WRITE_THRESHOLD) else [echoed, *_in_force(command, read)]
    _zeros(read)
    return said


def _outcome(read: Reader, echoed: Measurement) -> list[Measurement]:
    status = read.u8("outcome", means=lambda raw: "refused" if raw else "accepted")
    return [DEVICE_REJECTED(f"{CONFIG}:{status:02x}"), DEVICE_EVENT(_refusal(echoed))] if status else [echoed]


def _refusal(echoed: Measurement) -> str:
    return "threshold-refused" if echoed.value == f"{CONFIG}:{WRITE_THRESHOLD:02x}" else "report-settings-refused"


def _in_force(command: int, read: Reader) -> list[Measurement]:
    """Settings as found: an answer may say what no downlink of ours may."""
    if command == READ_THRESHOLD:
        return [DEVICE_SETTING(read.u16("detect threshold"), "detect_threshold")]
    return [DEVICE_SETTING(read.u16("min time", means=lambda raw: f"{raw} s"), "min_time"),
            DEVICE_SETTING(read.u16("max time", means=lambda raw: f"{raw} s"), "max_time"),
            DEVICE_SETTING(read.u8("battery change", means=lambda raw: f"{raw / 10} V"), "battery_change")]


def _write_report(said: Said) -> bytes:
    write = Writer("big").raw("head", bytes((VERSION, R719A, 1)))
    battery = said.whole(DEVICE_BATTERY_VOLTAGE, scale=10)
    write.u8("battery", battery | (_LOW if said.flag(DEVICE_BATTERY_LOW) else 0) if 0 <= battery < _LOW else -1)
    write.u8("car", bool(said.needed(BAY_OCCUPIED)))
    return write.raw("rest", said.raw(DEVICE_DEBUG, bytes(_REPORT_TAIL)), count=_REPORT_TAIL).written()


def _write_version(said: Said) -> bytes:
    major, minor = said.version(DEVICE_FIRMWARE, 2)
    write = Writer("big").raw("head", bytes((VERSION, R719A, 0))).u8("software", major * 10 + minor)
    write.u8("hardware", said.version(DEVICE_HARDWARE, 1)[0])
    date, kept = str(said.get(DEVICE_FIRMWARE_DATE) or "").replace("-", ""), said.raw(DEVICE_DEBUG)
    if date and not (len(date) == 8 and date.isascii() and date.isdigit()):
        raise unsayable(TITLE, REPORT, f"{DEVICE_FIRMWARE_DATE.name} is {date}")
    rest = bytes.fromhex(date) + kept if date or kept else b""
    return write.raw("date and reserved", rest.ljust(6, b"\0"), count=6).written()


def _write_answer(said: Said) -> bytes:
    refused = said.get(DEVICE_REJECTED)
    if refused is not None:
        command = WRITE_THRESHOLD if said.get(DEVICE_EVENT) == "threshold-refused" else WRITE_REPORT
        return _filled(bytes((command | ANSWER, R719A)) + _hex_of(str(refused)))
    command = int.from_bytes(_hex_of(str(said.needed(DEVICE_ECHO))))
    if command not in _COMMANDS:
        raise unsayable(TITLE, CONFIG, f"{DEVICE_ECHO.name} is {said.get(DEVICE_ECHO)}")
    head = bytes((command | ANSWER, R719A))
    return _filled(head if command in (WRITE_REPORT, WRITE_THRESHOLD) else head + _write_settings(command, said))


def _hex_of(text: str) -> bytes:
    """The byte in “7:01”."""
    try:
        data = bytes.fromhex(text.partition(":")[2])
    except ValueError:
        data = b""
    if len(data) != 1:
        raise unsayable(TITLE, CONFIG, text)
    return data


def _write_settings(command: int, said: Said) -> bytes:
    write = Writer("big")
    if command == READ_THRESHOLD:
        return write.u16("detect_threshold", said.whole(DEVICE_SETTING, "detect_threshold")).written()
    write.u16("min_time", said.whole(DEVICE_SETTING, "min_time")).u16("max_time", said.whole(DEVICE_SETTING, "max_time"))
    return write.u8("battery_change", said.whole(DEVICE_SETTING, "battery_change")).written()


_SAYS: dict[int, Callable[[Reader], list[Measurement]]] = {REPORT: _report, CONFIG: _answer}

CODEC = Codec(
    model="netvox/r719a",
    vendor="Netvox",
    title="Parking sensor R719A",
    asset="bay",
    device_class="A",
    source="The Things Network device library netvox/r719a; ThingsBoard guide Netvox R719A",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(REPORT, CONFIG),
    downlink_ports=(CONFIG,),
    heartbeat=timedelta(hours=1),  # twice the longest max time of the published examples, 30 min
    acts=("read_",),
    leaves_open=(
        "Whether a report came because of a change or because max_time was over is not told: device.heartbeat is left out.",
        "How often the sensor reports is its max_time: taken as every hour until the sensor has confirmed or reported another.",
        "Six bytes of each report are the maker's own: passed over while they are 0, else kept as device.debug.",
        ("The unit of the detection threshold is not published; the maker advises against changing it, as a wrong one makes "
        "false states."),
        "No command that asks for a report at once is published.",
    ),
    echo=echo,
)
