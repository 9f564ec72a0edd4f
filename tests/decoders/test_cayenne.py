"""What the vectors of the Cayenne LPP devices cannot say: passwords that stay hidden, traces, every type there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import Invalid, OutOfRange, Truncated, UnknownVersion
from city.orders import Parameters, StatusInterval
from city.quantities import DEVICE_ECHO, DEVICE_REJECTED, LAMP_SUNRISE, LPP_SWITCH
from decoders.bits import Writer
from decoders.codec import Frame, TracedFrame
from decoders.devices import _cayenne as lpp
from decoders.devices import generic_cayennelpp, pni_placepod, vsb_msd
from decoders.vectors import reads_of

GENERIC, PLACEPOD, MSD = generic_cayennelpp.CODEC, pni_placepod.CODEC, vsb_msd.CODEC
OWN = Parameters((("password", 4711), ("working_mode", 1)))
LOW = {"B": 0, "H": 0, "I": 0, "h": -0x8000, "i24": -0x800000}
HIGH = {"B": 0xFF, "H": 0xFFFF, "I": 0xFFFFFFFF, "h": 0x7FFF, "i24": 0x7FFFFF}
CODES = lpp.CODES


def fields() -> st.SearchStrategy:
    """Fields of all types with any numbers, one for each channel."""
    def field(number: int) -> st.SearchStrategy:
        code, count = CODES[number], len(lpp.STANDARD[number].figures)
        high = 1 if number == lpp.SWITCH else HIGH[code]
        return st.tuples(st.just(number), st.lists(st.integers(LOW[code], high), min_size=count, max_size=count))
    return st.dictionaries(st.integers(0, 255), st.sampled_from(sorted(lpp.STANDARD)).flatmap(field), min_size=1, max_size=12)


@given(fields())
def test_every_number_of_every_type_survives_the_way_there_and_back(told):
    write = Writer("big")
    for channel, (number, values) in told.items():
        lpp.write(write, channel, number, values)
    frame = Frame(1, write.written())
    said = GENERIC.decode_uplink(frame)
    assert len(said) == sum(len(values) for _, values in told.values())
    assert GENERIC.encode_uplink(1, said) == frame
    assert GENERIC.decode_uplink(TracedFrame(1, frame.data)) == said


def test_the_lengths_of_all_types_are_those_of_the_table():
    lengths = {0: 1, 1: 1, 2: 2, 3: 2, 100: 4, 101: 2, 102: 1, 103: 2, 104: 1, 113: 6, 115: 2, 116: 2, 117: 2, 118: 4, 120: 1,
               121: 2, 125: 2, 128: 2, 130: 4, 131: 4, 132: 2, 133: 4, 134: 6, 135: 3, 136: 9, 142: 1}
    assert {number: known.layout.size - 2 for number, known in lpp.STANDARD.items()} == lengths


def test_vsbs_own_type_is_no_type_of_other_devices():
    with pytest.raises(UnknownVersion):
        GENERIC.decode_uplink(Frame(1, bytes.fromhex("6fc000546a")))
    assert MSD.decode_uplink(Frame(1, bytes.fromhex("6fc000546a"))) == [LAMP_SUNRISE(21610)]


def test_half_a_position_is_not_made_up():
    said = GENERIC.decode_uplink(Frame(1, bytes.fromhex("0188 06765f f2960a 0003e8")))
    with pytest.raises(Exception, match="half a field"):
        GENERIC.encode_uplink(1, said[:1])


def test_a_measurement_on_the_port_of_commands_is_no_echo():
    (temperature,) = GENERIC.decode_uplink(Frame(99, bytes.fromhex("036700ff")))
    assert (temperature.channel, temperature.value) == ("3", 25.5)
    assert GENERIC.decode_uplink(Frame(99, bytes.fromhex("058e01"))) == [LPP_SWITCH(True, "5")]
    with pytest.raises(Truncated):
        GENERIC.decode_uplink(Frame(1, bytes.fromhex("050064ff")))


def test_a_password_is_in_no_trace_echo_or_kept_frame():
    frame = MSD.encode_downlink(OWN)
    hidden = (4711).to_bytes(2, "big")
    assert hidden in frame.data
    traced = TracedFrame(frame.port, frame.data)
    assert MSD.decode_downlink(traced) == OWN
    assert [field.name for field in traced.trace if field.secret] == ["password"]
    assert "4711" not in " ".join(f"{field.value} {field.meaning}" for field in traced.trace)
    assert repr(OWN) == "Parameters(password=redacted, working_mode=1)"
    assert all(hidden.hex(" ") not in field.hex for field in traced.trace)
    assert hidden.hex() not in MSD.echo(frame)
    assert MSD.keepable(frame) == frame.data.replace(hidden, b"\x00\x00")
    assert MSD.decode_uplink(frame) == [DEVICE_ECHO(MSD.echo(frame))]


@pytest.mark.parametrize("cut", [3, 4])
def test_a_password_that_was_cut_off_is_not_kept_either(cut):
    frame = Frame(2, MSD.encode_downlink(OWN).data[:cut])
    assert MSD.keepable(frame) == b"\x64\x80" + bytes(cut - 2)


def test_a_password_out_of_its_bounds_is_not_repeated_in_the_message():
    with pytest.raises(Invalid) as caught:
        MSD.encode_downlink(Parameters((("password", 47110), ("samples", 1))))
    assert "47110" not in str(caught.value)
    with pytest.raises(OutOfRange) as unread:
        MSD.decode_downlink(Frame(2, bytes.fromhex("6480b806 650001")))
    assert str(0xB806) not in str(unread.value)


def test_configuration_frames_and_data_are_kept_whole():
    for frame in (Frame(2, bytes.fromhex("960008650001")), Frame(1, bytes.fromhex("6480000a"))):
        assert MSD.keepable(frame) == frame.data


def test_an_error_of_the_switching_device_is_a_refusal_on_its_port():
    said = MSD.decode_uplink(Frame(2, bytes.fromhex("960081650001")))
    assert DEVICE_REJECTED("2:81") in said


def test_the_firmware_password_goes_with_what_has_no_room_for_another():
    assert MSD.encode_downlink(StatusInterval(60)).data == bytes.fromhex("648004d2 64c000003c")


def test_a_placepod_counts_to_127_and_marks_a_restart_with_the_eighth_bit():
    assert reads_of(PLACEPOD.decode_uplink(Frame(1, bytes.fromhex("21007f"))))["bay.vehicles"] == 127
    assert "bay.vehicles" not in reads_of(PLACEPOD.decode_uplink(Frame(1, bytes.fromhex("210081"))))
