"""Zenosmart (Zenopix) LCC lighting controller, DALI D4i. It keeps up to 20 tasks: its own program by clock and sun.

Documents: “Zenopix DALI LoRaWAN Controller Reference” and “Zenosmart Task Scheduling Specification” (SignConnect), for
software 2.9.39. A frame is a header (bit 7: set or answer; bits 0-6: opcode), the length of its data, the data; numbers
are little-endian. Up on FPort 6, down on FPort 8.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from city.errors import Invalid, OutOfRange, UnknownVersion
from city.orders import DayTime, DimTask, DimWindow, Order, ReadTask, RemoveTask, SetLevel, from_json, to_json
from city.planning import Abilities
from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_CLOCK_VALID,
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_HEARTBEAT,
    DEVICE_REJECTED,
    LAMP_TASK,
    Measurement,
)
from decoders.bits import Part, Reader, Record, Writer
from decoders.codec import Codec, Frame, plain_echo, unknown_downlink, unknown_uplink, unsayable, unsupported
from decoders.devices._lamps import Saying, no_part, untimed

TITLE = "Zenosmart LCC"
UP, DOWN = 6, 8  # FPorts
LEVEL, SENSORS, TASK, TASK_DONE, READ_TASK = 0x84, 0x85, 0x86, 0x87, 0x06  # headers
DEPLOY, UPDATE, DELETE = 1, 2, 3
SLOTS, WINDOWS = 20, 4
_ANSWERED = bytes([TASK_DONE, 12])  # with the length of its data
_SUNRISE, _SUNSET, _FOR_EVER = 61, 62, 99
_DAYS: dict[int, Literal["daily", "odd", "even", "cycle"]] = {2: "odd", 3: "even", 4: "cycle", 5: "daily"}
_UNSET = b"\x1a\x01\x01\x63\x63\x63\x01\x05\x00\x00"  # days, priority and rule of a deletion, as in the document's example


def decode_uplink(frame: Frame) -> list[Measurement]:
    if frame.port != UP:
        raise unknown_uplink(TITLE, frame.port)
    data = frame.data
    if data[:2] == _ANSWERED and len(data) == 14 and type(frame) is Frame:
        return _answered(data[2], data[3], data)
    read = frame.reader()
    header = read.u8("header", means=_means_header)
    says = _SAYS.get(header)
    if says is None:
        raise UnknownVersion("A Zenosmart LCC sends nothing documented with header {header}.", header=f"{header:02x}")
    said = says(_data(read), frame)
    read.end()
    return said


def encode_uplink(port: int, measurements: Sequence[Measurement]) -> Frame:
    """FPort 6: a sign of life, a task, the answer to a task's order, or bytes as they are."""
    say = Saying(TITLE, port, measurements)
    if port != UP:
        raise unsayable(TITLE, port, "it speaks on FPort 6")
    if say.get(DEVICE_HEARTBEAT) is not None:
        return Frame(port, bytes([SENSORS, 0]))
    if say.get(DEVICE_DEBUG) is not None:
        return Frame(port, say.hex(DEVICE_DEBUG))
    slots = [channel for name, channel in say.values if name == LAMP_TASK.name]
    return _framed(port, TASK, _stored(say, slots[0])) if slots else _framed(port, TASK_DONE, _done(say))


def encode_downlink(order: Order) -> Frame:
    match order:
        case SetLevel(level=level, channel=channel):
            if channel:
                raise no_part(TITLE, channel)
            untimed(TITLE, order)
            return _framed(DOWN, LEVEL, bytes([level]))
        case DimTask():
            return _framed(DOWN, TASK, _task(order))
        case RemoveTask(task=task, output=output):
            body = Writer().u8("operation", DELETE).i32("task", task).raw("rule", _UNSET).u8("output", output)
            return _framed(DOWN, TASK, body.raw("windows", bytes(7 * WINDOWS)).written())
        case ReadTask(slot=slot):
            return _framed(DOWN, READ_TASK, Writer().u8("slot", slot, max=SLOTS - 1).written())
    raise unsupported(TITLE, order)


def decode_downlink(frame: Frame) -> Order:
    if frame.port != DOWN:
        raise unknown_downlink(TITLE, frame.port)
    read = frame.reader()
    header = read.u8("header", means=_means_header)
    reads = _ORDERS.get(header)
    if reads is None:
        raise UnknownVersion("A Zenosmart LCC takes nothing documented with header {header}.", header=f"{header:02x}")
    data = _data(read)
    order = reads(data)
    data.end()
    read.end()
    return order


def echo(frame: Frame) -> str:
    """What the answer to a task's order repeats of it: operation, number and output. It answers no other order."""
    if frame.data[:1] != bytes([TASK]) or len(frame.data) < 18:
        return plain_echo(frame)
    return f"{DOWN}:{TASK:02x}{(frame.data[2:7] + frame.data[17:18]).hex()}"


def _data(read: Reader) -> Reader:
    return read.block("data", read.u8("length of the data"))


def _framed(port: int, header: int, data: bytes) -> Frame:
    return Frame(port, bytes([header, len(data)]) + data)


def _sensors(read: Reader, frame: Frame) -> list[Measurement]:
    if not read.left:
        return [DEVICE_HEARTBEAT(True)]
    read.rest("sensor data, not documented", max=255)
    return [DEVICE_DEBUG(frame.data.hex())]


def _slot(read: Reader, _: Frame) -> list[Measurement]:
    slot = read.u8("slot", max=SLOTS - 1)
    order = _order(read)
    read.end()
    if not isinstance(order, DimTask):
        raise OutOfRange("The slot {slot} holds a deletion, which is no task.", slot=slot)
    return [LAMP_TASK(to_json(order).decode(), f"slot-{slot}")]


def _answer(read: Reader, frame: Frame) -> list[Measurement]:
    status, operation, *_ = read.record(_ANSWER)
    read.end()
    return _answered(status, operation, frame.data)


def _answered(status: int, operation: int, data: bytes) -> list[Measurement]:
    if status > 1 or not DEPLOY <= operation <= DELETE:
        raise OutOfRange("The answer says status {status}, operation {operation}: only 0 to 1 and 1 to 3 are known.",
                         status=status, operation=operation)
    told = data[3:9].hex()  # operation, task and output, as the order had them
    said = (Measurement(DEVICE_REJECTED, f"{DOWN}:{status:02x}{told}") if status
            else Measurement(DEVICE_ECHO, f"{DOWN}:{TASK:02x}{told}"))
    return [said, _clock(data[9:14])]


@lru_cache(maxsize=1024)
def _clock(time: bytes) -> Measurement:
    year, month, day, hour, minute = time
    try:
        return DEVICE_CLOCK(datetime(2000 + year, month, day, hour, minute, tzinfo=UTC).timestamp())
    except ValueError:
        return DEVICE_CLOCK_VALID(False)


def _level(read: Reader) -> Order:
    return SetLevel(read.u8("level", max=100, means=lambda raw: f"{raw} %"))


def _read_task(read: Reader) -> Order:
    return ReadTask(read.u8("slot", max=SLOTS - 1))


def _order(read: Reader) -> Order:
    """The 44 bytes of a task's order; raises DecodeError."""
    operation = read.u8("operation", min=1, max=3, means=_means_operation)
    task = read.i32("task")
    if operation == DELETE:
        read.raw("days, priority and rule, not used", len(_UNSET))
        output = read.u8("output", min=1, max=17)
        read.raw("windows, not used", 7 * WINDOWS)
        return RemoveTask(task, output)
    first, last = read.record(_FIRST), read.record(_LAST)
    priority, rule = read.u8("priority", min=1, max=5), read.u8("rule", min=2, max=5, means=lambda raw: _DAYS[raw])
    cycle = read.u8("cycle", means=lambda raw: f"every {raw} days" if raw else "none")
    off = read.u8("days off", max=127, means=_means_off)
    output = read.u8("output", min=1, max=17)
    days = _DAYS[rule]
    try:
        return DimTask(task, _date(*first), _windows(read), None if last == (_FOR_EVER,) * 3 else _date(*last), priority, days,
                       _days_off(off) if days == "daily" else (), cycle if days == "cycle" else 0, output,
                       replaces=operation == UPDATE)
    except Invalid as error:
        raise OutOfRange(error.message, **error.facts) from error


def _date(year: int, month: int, day: int) -> date:
    try:
        return date(2000 + year, month, day)
    except ValueError as error:
        raise OutOfRange("The frame says {year}-{month}-{day}, which is no day.", year=2000 + year, month=month,
                         day=day) from error


def _days_off(mask: int) -> tuple[int, ...]:
    """Bit 0 is Sunday on the air, which is 7 here."""
    return tuple(sorted(bit or 7 for bit in range(7) if mask >> bit & 1))


def _windows(read: Reader) -> tuple[DimWindow, ...]:
    windows = [_window(*read.record(_WINDOW[number])) for number in range(WINDOWS)]
    return tuple(window for window in windows if window is not None)


def _window(*raw: int) -> DimWindow | None:
    """A window, None where all its bytes are 0."""
    if not any(raw):
        return None
    if raw[6] > 100:
        raise OutOfRange("“level” is {value}, and only 0 to 100 is allowed.", value=raw[6])
    return DimWindow(_time(*raw[0:3]), _time(*raw[3:6]), raw[6])


def _time(hour: int, minute: int, offset: int) -> DayTime:
    if hour == minute and hour in (_SUNRISE, _SUNSET) and -60 <= offset <= 60:
        return DayTime(offset, "sunrise" if hour == _SUNRISE else "sunset")
    if hour < 24 and minute < 60:
        return DayTime(60 * hour + minute)
    raise OutOfRange("The frame says {hour}:{minute} and {offset} min, which is no time.", hour=hour, minute=minute,
                     offset=offset)


def _task(order: DimTask) -> bytes:
    rule = next(code for code, days in _DAYS.items() if days == order.days)
    write = Writer().u8("operation", UPDATE if order.replaces else DEPLOY).i32("task", order.task)
    for day in (order.first_day, order.last_day):
        write.raw("day", bytes([_FOR_EVER] * 3) if day is None else _written(day))
    write.u8("priority", order.priority).u8("rule", rule).u8("cycle", order.cycle)
    write.u8("days_off", sum(1 << day % 7 for day in order.days_off)).u8("output", order.output)
    for window in order.windows:
        write.raw("begin", _said_time(window.begin)).raw("end", _said_time(window.end)).u8("level", window.level)
    return write.raw("empty windows", bytes(7 * (WINDOWS - len(order.windows)))).written()


def _written(day: date) -> bytes:
    if not 2000 <= day.year <= 2099:
        raise Invalid("{field} must lie between {low} and {high}, not {value}.", field="first_day, last_day",
                      rule="2000…2099", low=2000, high=2099, value=day.year)
    return bytes([day.year - 2000, day.month, day.day])


def _said_time(time: DayTime) -> bytes:
    if time.after == "midnight":
        return bytes([*divmod(time.minutes, 60), 0])
    event = _SUNRISE if time.after == "sunrise" else _SUNSET
    return Writer().u8("hour", event).u8("minute", event).i8("offset", time.minutes).written()


def _stored(say: Saying, channel: str) -> bytes:
    order = from_json(str(say.need(LAMP_TASK, channel)))
    slot = channel.removeprefix("slot-")
    if not isinstance(order, DimTask) or not slot.isdecimal() or int(slot) >= SLOTS:
        raise unsayable(TITLE, UP, "a slot from slot-0 to slot-19 holds a task")
    return bytes([int(slot)]) + _task(order)


def _done(say: Saying) -> bytes:
    """The answer that its echo, or its refusal, was read from."""
    passed = say.get(DEVICE_ECHO)
    text = str(passed if passed is not None else say.need(DEVICE_REJECTED)).removeprefix(f"{DOWN}:")
    try:
        status, *told = bytes.fromhex(text)
    except ValueError as error:
        raise unsayable(TITLE, UP, "the answer is no hex") from error
    if len(told) != 6:
        raise unsayable(TITLE, UP, "it only answers tasks")
    time = bytes(5)
    if say.get(DEVICE_CLOCK) is not None:
        at = datetime.fromtimestamp(say.number(DEVICE_CLOCK), UTC)
        time = bytes([at.year % 100, at.month, at.day, at.hour, at.minute])
    return bytes([0 if passed is not None else status, *told]) + time


def _means_header(raw: int) -> str:
    return {LEVEL: "level", SENSORS: "sensor data", TASK: "task", TASK_DONE: "answer to a task",
            READ_TASK: "report a task"}.get(raw, "not documented")


def _means_status(raw: int) -> str:
    return "failed" if raw else "done"


def _means_operation(raw: int) -> str:
    return {DEPLOY: "new", UPDATE: "replace", DELETE: "remove"}.get(raw, "not documented")


def _means_off(raw: int) -> str:
    return ", ".join(("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")[bit] for bit in range(7) if raw >> bit & 1) or "none"


def _means_hour(raw: int) -> str:
    return {_SUNRISE: "sunrise", _SUNSET: "sunset"}.get(raw, "")


_FIRST = Record("little", Part("first year", "B", lambda raw: f"{2000 + raw}"), Part("first month", "B"), Part("first day", "B"))
_LAST = Record("little", Part("last year", "B", lambda raw: "for ever" if raw == _FOR_EVER else f"{2000 + raw}"),
               Part("last month", "B"), Part("last day", "B"))
_ANSWER = Record("little", Part("status", "B", _means_status), Part("operation", "B", _means_operation), Part("task", "i"),
                 Part("output", "B"), *(Part(name, "B") for name in ("year", "month", "day", "hour", "minute")))
_WINDOW = tuple(Record(
    "little", *(Part(f"window {number} {end} {name}", code, _means_hour if name == "hour" else None)
                for end in ("begin", "end") for name, code in (("hour", "B"), ("minute", "B"), ("offset", "b"))),
    Part(f"window {number} level", "B", lambda raw: f"{raw} %")) for number in range(1, WINDOWS + 1))
_SAYS: dict[int, Callable[[Reader, Frame], list[Measurement]]] = {SENSORS: _sensors, TASK: _slot, TASK_DONE: _answer}
_ORDERS: dict[int, Callable[[Reader], Order]] = {LEVEL: _level, TASK: _order, READ_TASK: _read_task}

CODEC = Codec(
    model="zenosmart/lcc",
    vendor="Zenosmart",
    title="LCC lighting controller, DALI D4i",
    asset="lamp",
    device_class="A",
    source="Zenopix DALI LoRaWAN Controller Reference; Zenosmart Task Scheduling Specification (software 2.9.39)",
    decode_uplink=decode_uplink,
    encode_downlink=encode_downlink,
    decode_downlink=decode_downlink,
    encode_uplink=encode_uplink,
    uplink_ports=(UP,),
    downlink_ports=(DOWN,),
    abilities=Abilities(dims=True, max_minutes=None, resumes=False, reports_level=False, forgets_settings=True),
    heartbeat=timedelta(minutes=10),
    leaves_open=(
        "The sensor data (85: voltage, temperatures, level, hours, tilt, faults): not published, kept as device.debug.",
        "Whether it obeys a level: it answers orders for tasks (87) alone, and its level lies in the sensor data.",
        "So all that is known of a level is that it has received the order, by LoRaWAN's own acknowledgement.",
        "How long a level lasts: until a window of its tasks begins. It is told again every hour while it shall differ.",
        "How it is set free: no order is published. It is told the next level; then its tasks take over by themselves.",
        "Minutes for a level: it knows none.",
        "An order's second byte: one document calls it a DALI address (01: all), the other the length of the data.",
        "It is taken as the length, which fits every published frame; so no part of a lamp is told a level of its own.",
        "Its tasks are lost when it joins anew (2.9.39): send them again. Its request for a setup then is not published.",
        "Location, time zone, clock, intervals, reset: the bytes are not published. Sunrise and sunset need the location.",
        "Whether tasks and the time of an answer are UTC or local: the time is read as UTC. Its clock may run at half speed.",
        "What an empty slot answers; how a deletion fills the bytes that it does not use: as in the document's example.",
        "Outputs 2 to 17 of a task; 1 is the light level.",
        "Its LoRaWAN class: told after its own uplinks, as the document describes, so A. It reports every 1 to 10 minutes.",
    ),
    echo=echo,
)
