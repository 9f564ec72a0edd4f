"""What the vectors of the UL20xx cannot say: several orders in a frame, keys, sums over drivers, the device's side."""

from random import Random

import pytest

from city.errors import Invalid, Unsupported
from city.orders import MulticastGroup, Resume, SetLevel
from city.quantities import (
    DEVICE_CLOCK,
    DEVICE_DOWNLINK_RSSI,
    DEVICE_DOWNLINK_SNR,
    DEVICE_FIRMWARE,
    DEVICE_TEMPERATURE,
    LAMP_BURN_TIME,
    LAMP_DALI_STATUS,
    LAMP_DRIVER_TIME,
    LAMP_ENERGY,
    LAMP_EVENT,
    LAMP_FAILURE,
    LAMP_ILLUMINANCE,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    LAMP_VOLTAGE,
)
from decoders.codec import Frame
from decoders.devices._nas_ul20xx.answers import ANSWERS_11, Said
from decoders.devices._nas_ul20xx.downlinks import DOWNLINKS_11
from decoders.devices._nas_ul20xx.layouts import lux
from decoders.devices._nas_ul20xx.quick import quick
from decoders.devices.nas_ul20xx import CODEC
from decoders.vectors import reads_of

KEY = "82840c7056429b143d21974557f93a53"


def test_one_frame_may_dim_several_parts():
    assert DOWNLINKS_11.decode_all(Frame(60, bytes.fromhex("0104320864"))) == [
        SetLevel(50, channel="dali-2"), SetLevel(100, channel="dali-4")]
    assert DOWNLINKS_11.decode_all(Frame(60, bytes.fromhex("0908643c 82280a"))) == [
        SetLevel(100, 60, "dali-4"), SetLevel(40, 10, "group-1")]
    assert DOWNLINKS_11.decode_all(Frame(60, bytes.fromhex("01feff"))) == [Resume()]


def test_keys_reach_no_measurement():
    frame = CODEC.encode_downlink(MulticastGroup(slot=0, dev_addr="01020304", nwk_s_key=KEY, app_s_key=KEY))
    for echoed in (frame, Frame(50, b"\xfe" + frame.data)):
        (said,) = CODEC.decode_uplink(echoed)
        assert KEY not in str(said.value)
        assert said.value == CODEC.echo(echoed)
        with pytest.raises(Unsupported):
            CODEC.encode_uplink(50, [said])


def test_a_simulated_lamp_says_what_it_knows_and_nothing_else():
    frame = CODEC.encode_uplink(23, [LAMP_LEVEL(40), LAMP_REASON("manual"), LAMP_FAILURE(True)])
    assert frame.data[-4:].hex() == "fefd2802"
    assert reads_of(CODEC.decode_uplink(frame))["lamp.level"] == 40
    assert len(CODEC.encode_uplink(23, []).data) == 12


def test_a_simulated_meter_says_what_it_measured():
    said = [LAMP_ENERGY(234567), LAMP_POWER(42), LAMP_VOLTAGE(229)]
    frame = CODEC.encode_uplink(26, said)
    assert frame.data.hex() == "00ff23479403002a00e5"
    assert CODEC.decode_uplink(frame) == said


def test_the_quick_way_to_say_a_status_or_a_meter_makes_the_same_bytes_and_leaves_all_else_to_the_other():
    rng = Random(1)
    for _ in range(2000):
        for port, said in ((23, _status(rng)), (26, _meters(rng))):
            assert quick(port, said) == ANSWERS_11[port](Said(port, said)).data
    for port, said in ((23, _status(rng)[:-1]), (23, [*_status(rng)[:-1], LAMP_DALI_STATUS(4, "dali-1")]), (26, _status(rng)),
                       (61, _meters(rng)), (23, [*_status(rng)[:-1], LAMP_DALI_STATUS(300)])):
        assert quick(port, said) is None
    with pytest.raises(Invalid):
        CODEC.encode_uplink(26, [*_meters(rng)[:-1], LAMP_BURN_TIME(2**33)])


def _status(rng):
    return [DEVICE_CLOCK(rng.randrange(2**32)), DEVICE_DOWNLINK_RSSI(-rng.randrange(256)),
            DEVICE_DOWNLINK_SNR(rng.randint(-128, 127)), DEVICE_TEMPERATURE(rng.randint(-60, 125)),
            LAMP_RELAY_CLOSED(rng.random() < 0.5), LAMP_LEVEL(rng.randint(0, 100)),
            LAMP_REASON(rng.choice(["manual", "fallback", "calendar-day", "dusk-3", "profile-2"])),
            LAMP_DALI_STATUS(rng.randrange(256))]


def _meters(rng):
    return [LAMP_ENERGY(rng.randrange(2**32)), LAMP_POWER(rng.randrange(60_000)), LAMP_POWER_FACTOR(rng.random()),
            LAMP_VOLTAGE(rng.randint(200, 255)), LAMP_DRIVER_TIME(rng.randrange(2**32)), LAMP_BURN_TIME(rng.randrange(2**32))]


def test_a_published_restart_is_made_byte_by_byte():
    frame = Frame(99, bytes.fromhex("000d008350010101f37f205e000cfe0104"))
    assert CODEC.encode_uplink(99, CODEC.decode_uplink(frame)) == frame


def test_the_device_side_refuses_what_its_bytes_cannot_hold():
    for port, said in ((23, [LAMP_LEVEL(40), LAMP_REASON("boredom")]), (26, [LAMP_VOLTAGE(280)]),
                       (23, [LAMP_LEVEL(40, "dali-64")])):
        with pytest.raises(Invalid):
            CODEC.encode_uplink(port, said)
    for port, said in ((61, [LAMP_EVENT("eclipse")]), (99, [DEVICE_FIRMWARE("1.1.1")]), (24, [])):
        with pytest.raises(Unsupported):
            CODEC.encode_uplink(port, said)


def test_every_illuminance_that_can_be_said_is_said_again():
    for raw in range(0, 0x8000, 37):
        again = CODEC.decode_uplink(CODEC.encode_uplink(23, [LAMP_ILLUMINANCE(lux(raw))]))
        assert reads_of(again)["lamp.illuminance"] == lux(raw)
