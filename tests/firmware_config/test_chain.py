"""From a wish to a lamp's bytes and back: DeviceConfig, delta, the NAS codec on port 50, its echo."""

from hypothesis import given

from city.orders import AlarmLimits, Position, StatusInterval
from decoders.catalog import codec_of
from decoders.codec import Frame
from firmware_config.delta import confirm, delta
from firmware_config.profile import DeviceConfig
from tests.firmware_config.strategies import configs

NAS = codec_of("nas/ul20xx")


def test_the_interval_of_the_makers_own_example():
    [order] = delta({}, DeviceConfig(status_interval_s=600))
    assert order == StatusInterval(600)
    assert NAS.encode_downlink(order) == Frame(50, bytes.fromhex("0758020000"))


def test_each_setting_is_a_port_50_downlink():
    wanted = DeviceConfig(600, 3600, 30, AlarmLimits(max_power=120, min_power_factor=0.85), Position(50.1, -8.5))
    frames = [NAS.encode_downlink(order) for order in delta({}, wanted)]
    assert [frame.port for frame in frames] == [50] * 5
    assert [frame.data[0] for frame in frames] == [0x07, 0x0B, 0x25, 0x16, 0x26]


@given(configs)
def test_what_the_lamp_echoes_is_what_was_wanted(wanted):
    """Confirming what the echoed bytes say leaves nothing to do: the codec loses nothing that a config can hold."""
    reported = {}
    for order in delta({}, wanted):
        reported = confirm(reported, NAS.decode_downlink(NAS.encode_downlink(order)))
    assert delta(reported, wanted) == []
