"""Bytes read and written field by field, bounds-checked, each field with a name.

A codec asks its frame for a reader (`frame.reader()`). A `Traced` frame hands out one that writes down every field it
reads, for `explain`; the codec is the same.
"""
# ruff: noqa: ARG002 - only a Tracer uses what a field means and whether it is secret

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, Self, TypeVar

from city.errors import DecodeError, Invalid, OutOfRange, Trailing, Truncated

Order = Literal["little", "big"]
Means = Callable[[Any], str]
T = TypeVar("T")


class Part:
    """One field of a Record: its name, its struct code (`B b H h I i`), and what a value of it means."""

    __slots__ = ("code", "means", "name", "size")

    def __init__(self, name: str, code: str, means: Means | None = None) -> None:
        self.name, self.code, self.means, self.size = name, code, means, struct.calcsize("<" + code)


class Record:
    """Fields that follow each other, read in one step: the fast way through a fixed layout."""

    __slots__ = ("parts", "size", "unpack_from")

    def __init__(self, order: Order, *parts: Part) -> None:
        shape = struct.Struct(_MARK[order] + "".join(part.code for part in parts))
        self.parts, self.size, self.unpack_from = parts, shape.size, shape.unpack_from


class Reader:
    """Reads a frame from its first byte to its last. Every method raises DecodeError, and nothing else.

    `min` and `max` are the values that the layout allows (OutOfRange); `means` puts a value into words and is only
    called by a reader that traces. Byte offsets in messages count from 0 at the frame's start.
    """

    __slots__ = ("_at", "_data", "_end", "_order")

    def __init__(self, data: bytes, *, order: Order = "little", start: int = 0, stop: int | None = None) -> None:
        self._data, self._order = data, order
        self._at, self._end = start, len(data) if stop is None else stop

    @property
    def offset(self) -> int:
        """Where the next field begins."""
        return self._at

    @property
    def left(self) -> int:
        """How many bytes are still unread."""
        return self._end - self._at

    def u8(self, name: str, *, min: int = 0, max: int = 0xFF, means: Means | None = None) -> int:
        at = self._at
        if at >= self._end:
            raise self._cut(name, 1)
        value = self._data[at]
        if not min <= value <= max:
            raise _outside(name, at, value, min, max)
        self._at = at + 1
        return value

    def i8(self, name: str, *, min: int = -128, max: int = 127, means: Means | None = None) -> int:
        return self._int(name, 1, True, min, max)

    def u16(self, name: str, *, min: int = 0, max: int = 0xFFFF, means: Means | None = None) -> int:
        return self._int(name, 2, False, min, max)

    def i16(self, name: str, *, min: int = -0x8000, max: int = 0x7FFF, means: Means | None = None) -> int:
        return self._int(name, 2, True, min, max)

    def u24(self, name: str, *, min: int = 0, max: int = 0xFFFFFF, means: Means | None = None) -> int:
        return self._int(name, 3, False, min, max)

    def u32(self, name: str, *, min: int = 0, max: int = 0xFFFFFFFF, means: Means | None = None) -> int:
        return self._int(name, 4, False, min, max)

    def i32(self, name: str, *, min: int = -0x80000000, max: int = 0x7FFFFFFF, means: Means | None = None) -> int:
        return self._int(name, 4, True, min, max)

    def f32(self, name: str, *, min: float = -3.5e38, max: float = 3.5e38, means: Means | None = None) -> float:
        """An IEEE 754 number; what is no number, or infinite, is OutOfRange."""
        at = self._at
        if at + 4 > self._end:
            raise self._cut(name, 4)
        value: float = struct.unpack_from(_MARK[self._order] + "f", self._data, at)[0]
        if not isfinite(value) or not min <= value <= max:
            raise _outside(name, at, value, min, max)
        self._at = at + 4
        return value

    def raw(self, name: str, count: int, *, means: Means | None = None, secret: bool = False) -> bytes:
        """The next `count` bytes as they are; what is `secret` is never shown in a trace."""
        at = self._at
        if at + count > self._end:
            raise self._cut(name, count)
        self._at = at + count
        return self._data[at:self._at]

    def rest(self, name: str, *, min: int = 0, max: int = 242, means: Means | None = None,
             secret: bool = False) -> bytes:
        """All bytes that are left: at least `min`, at most `max` (242 is LoRaWAN's longest payload in Europe)."""
        left = self._end - self._at
        if left < min:
            raise self._cut(name, min)
        if left > max:
            raise _trailing(left - max, self._at + max)
        return self.raw(name, left, means=means, secret=secret)

    def record(self, layout: Record) -> tuple[Any, ...]:
        """All fields of a record at once."""
        at = self._at
        if at + layout.size > self._end:
            raise self._cut_within(layout)
        self._at = at + layout.size
        return layout.unpack_from(self._data, at)

    def block(self, name: str, length: int) -> Self:
        """A reader of the next `length` bytes alone; this one goes on behind them."""
        at = self._at
        if at + length > self._end:
            raise self._cut(name, length)
        self._at = at + length
        return self._part(at, self._at)

    def end(self) -> None:
        """There is nothing more; raises Trailing."""
        if self._at != self._end:
            raise _trailing(self._end - self._at, self._at)

    def _part(self, start: int, stop: int) -> Self:
        return type(self)(self._data, order=self._order, start=start, stop=stop)

    def _int(self, name: str, size: int, signed: bool, low: int, high: int) -> int:
        at = self._at
        if at + size > self._end:
            raise self._cut(name, size)
        value = int.from_bytes(self._data[at:at + size], self._order, signed=signed)
        if not low <= value <= high:
            raise _outside(name, at, value, low, high)
        self._at = at + size
        return value

    def _cut(self, name: str, needed: int) -> Truncated:
        return Truncated("The frame ends too early: “{name}” at byte {offset} needs {needed}, there are {left}.",
                         name=name, offset=self._at, needed=needed, left=self._end - self._at)

    def _cut_within(self, layout: Record) -> Truncated:
        for part in layout.parts:
            if self._at + part.size > self._end:
                return self._cut(part.name, part.size)
            self._at += part.size
        raise AssertionError("only called where a part is missing")


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it was read: where, which bytes, what it is called, its value, and what that means."""

    offset: int
    data: bytes
    name: str
    value: object
    meaning: str = ""
    secret: bool = False
    failed: bool = False

    @property
    def hex(self) -> str:
        """The bytes as spaced hex, dots for a secret."""
        return "·" * 8 if self.secret else self.data.hex(" ")


class Tracer(Reader):
    """A reader that writes each field down, also the one that it fails at."""

    __slots__ = ("trace",)

    def __init__(self, data: bytes, *, order: Order = "little", start: int = 0, stop: int | None = None,
                 trace: list[Field] | None = None) -> None:
        super().__init__(data, order=order, start=start, stop=stop)
        self.trace = [] if trace is None else trace

    def u8(self, name: str, *, min: int = 0, max: int = 0xFF, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.u8(self, name, min=min, max=max))

    def i8(self, name: str, *, min: int = -128, max: int = 127, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.i8(self, name, min=min, max=max))

    def u16(self, name: str, *, min: int = 0, max: int = 0xFFFF, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.u16(self, name, min=min, max=max))

    def i16(self, name: str, *, min: int = -0x8000, max: int = 0x7FFF, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.i16(self, name, min=min, max=max))

    def u24(self, name: str, *, min: int = 0, max: int = 0xFFFFFF, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.u24(self, name, min=min, max=max))

    def u32(self, name: str, *, min: int = 0, max: int = 0xFFFFFFFF, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.u32(self, name, min=min, max=max))

    def i32(self, name: str, *, min: int = -0x80000000, max: int = 0x7FFFFFFF, means: Means | None = None) -> int:
        return self._noted(name, means, lambda: Reader.i32(self, name, min=min, max=max))

    def f32(self, name: str, *, min: float = -3.5e38, max: float = 3.5e38, means: Means | None = None) -> float:
        return self._noted(name, means, lambda: Reader.f32(self, name, min=min, max=max))

    def raw(self, name: str, count: int, *, means: Means | None = None, secret: bool = False) -> bytes:
        return self._noted(name, means, lambda: Reader.raw(self, name, count), secret=secret)

    def record(self, layout: Record) -> tuple[Any, ...]:
        mark = _MARK[self._order]
        return tuple(self._noted(part.name, part.means, lambda part=part: self._one(mark, part))  # type: ignore[misc]
                     for part in layout.parts)

    def _one(self, mark: str, part: Part) -> int:
        value: int = struct.unpack(mark + part.code, Reader.raw(self, part.name, part.size))[0]
        return value

    def _part(self, start: int, stop: int) -> Self:
        return type(self)(self._data, order=self._order, start=start, stop=stop, trace=self.trace)

    def end(self) -> None:
        start = self._at
        try:
            super().end()
        except DecodeError as error:
            self.trace.append(Field(start, self._data[start:self._end], "—", "", str(error), failed=True))
            raise

    def _noted(self, name: str, means: Means | None, read: Callable[[], T], *, secret: bool = False) -> T:
        start = self._at
        try:
            value = read()
        except DecodeError as error:
            self.trace.append(Field(start, self._data[start:self._end], name, "", str(error), secret, failed=True))
            raise
        shown = "" if secret or isinstance(value, bytes) else value
        meaning = "" if means is None or secret else means(value)
        self.trace.append(Field(start, self._data[start:self._at], name, shown, meaning, secret))
        return value


@dataclass(slots=True)
class Writer:
    """Puts fields behind each other; a value outside its bounds raises Invalid with the field's name."""

    order: Order = "little"
    data: bytearray = field(default_factory=bytearray)

    def u8(self, name: str, value: int, *, min: int = 0, max: int = 0xFF) -> Self:
        return self._int(name, value, 1, False, min, max)

    def i8(self, name: str, value: int, *, min: int = -128, max: int = 127) -> Self:
        return self._int(name, value, 1, True, min, max)

    def u16(self, name: str, value: int, *, min: int = 0, max: int = 0xFFFF) -> Self:
        return self._int(name, value, 2, False, min, max)

    def i16(self, name: str, value: int, *, min: int = -0x8000, max: int = 0x7FFF) -> Self:
        return self._int(name, value, 2, True, min, max)

    def u24(self, name: str, value: int, *, min: int = 0, max: int = 0xFFFFFF) -> Self:
        return self._int(name, value, 3, False, min, max)

    def u32(self, name: str, value: int, *, min: int = 0, max: int = 0xFFFFFFFF) -> Self:
        return self._int(name, value, 4, False, min, max)

    def i32(self, name: str, value: int, *, min: int = -0x80000000, max: int = 0x7FFFFFFF) -> Self:
        return self._int(name, value, 4, True, min, max)

    def f32(self, name: str, value: float, *, min: float = -3.4e38, max: float = 3.4e38) -> Self:
        if not isfinite(value) or not min <= value <= max:
            raise _invalid(name, value, min, max)
        self.data += struct.pack(_MARK[self.order] + "f", value)
        return self

    def raw(self, name: str, value: bytes, *, count: int | None = None) -> Self:
        """Bytes as they are, exactly `count` where that is given."""
        if count is not None and len(value) != count:
            raise _invalid(name, len(value), count, count)
        self.data += value
        return self

    def written(self) -> bytes:
        """What has been written."""
        return bytes(self.data)

    def _int(self, name: str, value: int, size: int, signed: bool, low: int, high: int) -> Self:
        if not low <= value <= high:
            raise _invalid(name, value, low, high)
        self.data += value.to_bytes(size, self.order, signed=signed)
        return self


_MARK: dict[Order, str] = {"little": "<", "big": ">"}


def _outside(name: str, offset: int, value: float, low: float, high: float) -> OutOfRange:
    return OutOfRange("“{name}” at byte {offset} is {value}, and only {low} to {high} is allowed.",
                      name=name, offset=offset, value=value, low=low, high=high)


def _trailing(count: int, offset: int) -> Trailing:
    return Trailing("The frame goes on after its layout has ended: {count} bytes from byte {offset}.",
                    count=count, offset=offset)


def _invalid(name: str, value: float, low: float, high: float) -> Invalid:
    return Invalid("{name} must lie between {low} and {high}, not {value}.", field=name, rule=f"{low}…{high}",
                   name=name, value=value, low=low, high=high)
