"""Readers stop at the frame's end and name the byte; tracers write down; writers refuse what does not fit."""

import math
import struct

import pytest

from city.errors import Invalid, OutOfRange, Trailing, Truncated
from decoders.bits import Part, Reader, Record, Tracer, Writer

NUMBERS = [("u8", 1, 0xA5), ("i8", 1, -2), ("u16", 2, 0xA1B2), ("i16", 2, -300), ("u24", 3, 0xA1B2C3),
           ("u32", 4, 0xA1B2C3D4), ("i32", 4, -70_000)]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("kind", "size", "value"), NUMBERS)
def test_a_number_survives_writer_and_reader(order, kind, size, value):
    data = getattr(Writer(order), kind)("x", value).written()
    assert data == value.to_bytes(size, order, signed=value < 0)
    read = Reader(data, order=order)
    assert getattr(read, kind)("x") == value
    read.end()


@pytest.mark.parametrize(("kind", "size"), [(kind, size) for kind, size, _ in NUMBERS])
def test_a_number_cut_short_names_field_and_byte(kind, size):
    read = Reader(b"\x00" + b"\xff" * (size - 1))
    read.u8("first")
    with pytest.raises(Truncated, match=f"“lamp” at byte 1 needs {size}, there are {size - 1}"):
        getattr(read, kind)("lamp")


def test_a_value_outside_its_bounds_names_byte_and_bounds():
    with pytest.raises(OutOfRange, match="“level” at byte 0 is 101, and only 0 to 100 is allowed"):
        Reader(b"\x65").u8("level", max=100)
    with pytest.raises(OutOfRange, match="at byte 0 is 3"):
        Reader(b"\x03\x00").u16("x", min=4)


def test_after_a_failure_the_reader_stands_where_it_stood():
    read = Reader(b"\x65")
    with pytest.raises(OutOfRange):
        read.u8("level", max=100)
    assert (read.offset, read.left) == (0, 1)


def test_what_follows_the_layout_is_trailing():
    read = Reader(b"\x01\x02\x03")
    read.u8("x")
    with pytest.raises(Trailing, match="2 bytes from byte 1"):
        read.end()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 91.0])
def test_a_float_is_finite_and_within_its_bounds(value):
    with pytest.raises(OutOfRange):
        Reader(struct.pack("<f", value)).f32("latitude", min=-90, max=90)


def test_the_rest_is_bounded_both_ways():
    assert Reader(b"abc").rest("x") == b"abc"
    with pytest.raises(Truncated):
        Reader(b"").rest("x", min=1)
    with pytest.raises(Trailing, match="1 bytes from byte 2"):
        Reader(b"abc").rest("x", max=2)


def test_a_block_ends_by_itself_and_keeps_the_offsets_of_the_frame():
    read = Reader(b"\x00\x01\x02\x03")
    read.u8("head")
    block = read.block("sensors", 2)
    assert (block.u8("a"), block.u8("b"), read.u8("after")) == (1, 2, 3)
    with pytest.raises(Truncated, match="at byte 3 needs 1, there are 0"):
        block.u8("c")
    with pytest.raises(Truncated, match="“sensors” at byte 4"):
        read.block("sensors", 1)


def test_a_record_cut_short_names_the_part_that_is_missing():
    layout = Record("little", Part("clock", "I"), Part("state", "B"), Part("volts", "H"))
    assert Reader(bytes(7)).record(layout) == (0, 0, 0)
    with pytest.raises(Truncated, match="“volts” at byte 5 needs 2, there are 1"):
        Reader(bytes(6)).record(layout)


def test_a_tracer_writes_down_each_field_and_the_one_it_fails_at():
    read = Tracer(bytes.fromhex("28013b9a"), order="big")
    read.u8("level", means=lambda raw: f"{raw} %")
    read.record(Record("big", Part("power", "H", lambda raw: f"{raw / 10} W")))
    with pytest.raises(OutOfRange):
        read.u8("state", max=1)
    level, power, state = read.trace
    assert (level.offset, level.hex, level.name, level.value, level.meaning) == (0, "28", "level", 40, "40 %")
    assert (power.offset, power.hex, power.value, power.meaning) == (1, "01 3b", 315, "31.5 W")
    assert (state.offset, state.failed, state.name) == (3, True, "state")


def test_a_tracer_shows_no_secret():
    read = Tracer(b"\x01\x02\x03")
    read.raw("key", 3, secret=True, means=bytes.hex)
    (key,) = read.trace
    assert (key.value, key.meaning) == ("", "")
    assert "01" not in key.hex


@pytest.mark.parametrize(("kind", "value"), [("u8", 256), ("u8", -1), ("i8", 128), ("u16", 65536), ("i16", -32769),
                                             ("u24", 1 << 24), ("u32", 1 << 32), ("i32", 1 << 31), ("f32", math.nan)])
def test_a_writer_refuses_what_does_not_fit_and_names_the_field(kind, value):
    with pytest.raises(Invalid) as caught:
        getattr(Writer(), kind)("seconds", value)
    assert caught.value.field == "seconds"


def test_a_writer_refuses_bytes_of_another_length():
    with pytest.raises(Invalid):
        Writer().raw("key", b"123", count=16)
