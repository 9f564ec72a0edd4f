"""DeviceConfig: what it takes, what it refuses and how it says so."""

import pytest

from city.errors import Invalid
from city.orders import AlarmLimits, FallbackLevel, Parameters, Position, StatusInterval, UsageInterval
from firmware_config.profile import DeviceConfig, from_json, to_json


@pytest.mark.parametrize(("config", "field"), [
    ({"status_interval_s": 59}, "status_interval_s"),
    ({"status_interval_s": 86_401}, "status_interval_s"),
    ({"usage_interval_s": 0}, "usage_interval_s"),
    ({"fallback_level": 101}, "fallback_level"),
    ({"fallback_level": True}, "fallback_level"),
    ({"alarm_limits": AlarmLimits(max_power=2001)}, "alarm_limits.max_power"),
    ({"alarm_limits": AlarmLimits(min_voltage=240, max_voltage=230)}, "alarm_limits.min_voltage"),
    ({"alarm_limits": AlarmLimits(min_power_factor=1.2)}, "alarm_limits.min_power_factor"),
    ({"position": Position(90.1, 8.0)}, "position.latitude"),
    ({"position": Position(50.0, float("nan"))}, "position.longitude"),
    ({"position": Position(50.0, 8.0, "Markt")}, "position.name"),
    ({"parameters": Parameters((("a b", 1),))}, "parameters"),
    ({"parameters": Parameters(tuple((f"p{n:03}", n) for n in range(65)))}, "parameters"),
    ({"parameters": Parameters((("a", 2**32),))}, "parameters.a"),
    ({"parameters": Parameters((("a", True),))}, "parameters.a"),
])
def test_a_wrong_value_is_refused_by_name(config, field):
    with pytest.raises(Invalid) as caught:
        DeviceConfig(**config)
    assert caught.value.field == field
    assert str(caught.value)


@pytest.mark.parametrize(("data", "field"), [
    (b'{"status_interval_s": "600"}', "status_interval_s"),
    (b'{"colour": 3}', "config"),
    (b'{"position": {"latitude": 50}}', "position"),
    (b'{"alarm_limits": {"min_power": 1.5}}', "alarm_limits.min_power"),
    (b'{"parameters": {"a": 1.5}}', "parameters[...]"),
    (b'{"parameters": [["a", 1]]}', "parameters"),
    (b"[]", "config"),
    (b"{", "config"),
    (b"\xff", "config"),
    (b'{"status_interval_s": 60}' + b" " * 70_000, "config"),
])
def test_json_that_is_no_configuration_is_refused_by_field(data, field):
    with pytest.raises(Invalid) as caught:
        from_json(data)
    assert caught.value.field == field


def test_settings_are_the_wanted_orders_in_a_fixed_order():
    config = DeviceConfig(600, 3600, 30, AlarmLimits(max_power=120), Position(50.1, 8.5))
    assert config.settings() == (StatusInterval(600), UsageInterval(3600), FallbackLevel(30),
                                 AlarmLimits(max_power=120), Position(50.1, 8.5))
    assert DeviceConfig().settings() == ()


def test_what_only_one_model_has_is_told_in_the_order_of_its_names():
    config = from_json(b'{"parameters": {"quiet_s": 5, "mode": 2}}')
    assert config.settings() == (Parameters((("mode", 2), ("quiet_s", 5))),)
    assert to_json(config) == b'{"parameters":{"mode":2,"quiet_s":5}}'
    assert from_json(to_json(config)) == config
    assert from_json(b'{"parameters": {}}').settings() == ()


def test_json_leaves_out_what_is_left_open():
    assert to_json(DeviceConfig(fallback_level=0)) == b'{"fallback_level":0}'
    assert from_json(b"{}") == DeviceConfig()


def test_what_differs_by_less_than_a_centimetre_is_the_same_position():
    assert DeviceConfig(position=Position(50.00000001, -0.0)) == DeviceConfig(position=Position(50.0, 0.0))
