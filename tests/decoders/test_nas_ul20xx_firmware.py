"""The UL20xx before firmware 1.1, and what its three codecs share: settings by name, remembered bytes, errors in place."""

import pytest

from city.errors import DecodeError, Invalid, OutOfRange, Truncated, UnknownPort, Unsupported
from city.orders import Parameters, Profile, ProfileStep, Reboot, Resume, SetLevel
from city.quantities import DEVICE_FAULT, LAMP_ENERGY, LAMP_LEVEL, LAMP_POWER_FACTOR, LAMP_REASON
from decoders.codec import Frame, TracedFrame
from decoders.devices import nas_ul20xx, nas_ul20xx06, nas_ul20xx10
from decoders.vectors import reads_of

V11, V10, V06 = nas_ul20xx.CODEC, nas_ul20xx10.CODEC, nas_ul20xx06.CODEC
HEAD = "01f37f205e80003209160000"


def frame(port: int, text: str) -> Frame:
    return Frame(port, bytes.fromhex(text))


def test_each_firmware_knows_only_its_own_status_ports():
    for codec, ports in ((V11, (24, 25)), (V10, (23, 26)), (V06, (23, 26, 61))):
        for port in ports:
            with pytest.raises(UnknownPort):
                codec.decode_uplink(Frame(port, bytes(20)))


def test_the_reason_is_that_of_the_firmware():
    """F8 is the fallback level since 1.1, the state before any order in 1.0, a mere number in 0.6."""
    assert reads_of(V11.decode_uplink(frame(23, HEAD + "fef83200")))["lamp.reason"] == "fallback"
    assert reads_of(V10.decode_uplink(frame(24, "f37f205e803209160003f8feff32")))["lamp.reason"] == "init"
    assert reads_of(V06.decode_uplink(frame(24, "f37f205e80b203f8feff32")))["lamp.reason"] == "profile-3"


def test_profiles_that_disagree_leave_the_level_open():
    said = reads_of(V10.decode_uplink(frame(24, "f37f205e8032091600" "0405fe1e32" "0203fee164")))
    assert "lamp.level" not in said
    assert said["lamp.reason"] == "profile-4+profile-2"


def test_an_old_lamp_says_what_it_is_told_to_say():
    told = [LAMP_LEVEL(40), LAMP_REASON("profile-7"), DEVICE_FAULT("hardware")]
    for codec in (V10, V06):
        said = reads_of(codec.decode_uplink(codec.encode_uplink(24, told)))
        assert said.items() >= reads_of(told).items()
    with pytest.raises(Invalid):
        V06.encode_uplink(24, [LAMP_LEVEL(40), LAMP_REASON("manual")])


def test_firmware_06_cannot_be_given_back_to_its_profile():
    with pytest.raises(Unsupported):
        V06.encode_downlink(Resume())
    with pytest.raises(Invalid, match="until"):
        V06.encode_downlink(SetLevel(40, minutes=5))
    with pytest.raises(Unsupported):
        V10.encode_downlink(Reboot())


def test_a_profile_is_written_in_the_form_of_its_firmware():
    order = Profile(0, (1, 2), (ProfileStep(60, 20),))
    assert V11.encode_downlink(order).data.hex() == "210001fe06000614"
    assert V10.encode_downlink(order) == V06.encode_downlink(order) == frame(50, "080000fe060614")
    assert V10.decode_downlink(frame(50, "081000fe060614")) == Profile(16, (1, 2), (ProfileStep(60, 20),))


@pytest.mark.parametrize(("names", "error"), [
    ({"fade": 16}, Invalid), ({"fade": -1}, Invalid), ({"identify": 0}, Invalid), ({"interface": 2}, Invalid),
    ({"light_mlx": 5}, Unsupported), ({"dali_02_query": 1}, Unsupported), ({"fade": 1, "identify": 1}, Unsupported),
    ({"dali_01_query": 65536}, Invalid), ({"address_driver": 3}, Invalid), ({}, Unsupported)])
def test_settings_that_the_model_does_not_have_are_refused(names, error):
    with pytest.raises(error):
        V11.encode_downlink(Parameters(tuple(sorted(names.items()))))


def test_settings_of_one_firmware_are_none_of_another():
    fade, calendar = Parameters((("identify", 1),)), Parameters((("sun_latitude", -1), ("sun_longitude", -1),
                                                                 ("sunrise_offset", -1), ("sunset_offset", -1)))
    assert V11.encode_downlink(fade) == frame(60, "0b")
    assert V10.encode_downlink(calendar) == V06.encode_downlink(calendar) == frame(50, "06ffffffffffff")
    for codec, order in ((V10, fade), (V06, fade), (V11, calendar)):
        with pytest.raises(Unsupported):
            codec.encode_downlink(order)


def test_a_list_in_a_setting_ends():
    with pytest.raises(OutOfRange):
        V11.decode_downlink(Frame(60, b"\x04" + bytes(2 * 21)))
    with pytest.raises(Truncated):
        V11.decode_downlink(Frame(60, b"\x04"))


def test_settings_in_a_chain_are_told_one_by_one():
    from decoders.devices._nas_ul20xx.downlinks import DOWNLINKS_11
    orders = DOWNLINKS_11.decode_all(frame(50, "fe 2532 220a 0758020000"))
    assert [type(order).__name__ for order in orders] == ["FallbackLevel", "Parameters", "StatusInterval"]
    with pytest.raises(DecodeError):
        DOWNLINKS_11.decode_all(frame(50, "fe fe 2532"))


@pytest.mark.parametrize(("codec", "port", "text", "offset"), [
    (V11, 23, HEAD + "fe503200 03503200", 16), (V11, 23, HEAD + "fe503200 fe506500", 18),
    (V11, 26, "00ff020100 0b0101000000", 5), (V10, 24, "f37f205e80320916000405fe1e320203031e32", 16),
    (V10, 25, "ff020100 030101000000", 4), (V11, 61, "8320 0200 0300", 4)])
def test_an_error_names_the_byte_of_the_frame(codec, port, text, offset):
    """Also where the bytes before it were met before, and alike where the frame is explained."""
    for kind in (Frame, TracedFrame, Frame):
        with pytest.raises(OutOfRange) as caught:
            codec.decode_uplink(kind(port, bytes.fromhex(text)))
        assert caught.value.facts["offset"] == offset


def test_what_is_remembered_is_not_changed_by_who_got_it():
    again = frame(23, HEAD + "02fd2804")
    first = V11.decode_uplink(again)
    kept = list(first)
    first.clear()
    assert V11.decode_uplink(again) == kept


def test_an_unknown_power_factor_is_left_out_and_the_sums_stay():
    said = reads_of(V10.decode_uplink(frame(25, "0011e80300005d" "0211d0070000ff")))
    assert said == {"lamp.energy": 3000, "lamp.energy@dali-0": 1000, "lamp.power_factor@dali-0": 0.93, "lamp.power_factor": 0.93,
                    "lamp.energy@dali-1": 2000}
    assert said.keys() >= {LAMP_ENERGY.name, LAMP_POWER_FACTOR.name}
