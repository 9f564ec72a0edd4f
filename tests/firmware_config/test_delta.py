"""delta: only differences, and once they are confirmed, none."""


from hypothesis import given

from city.orders import FallbackLevel, StatusInterval, UsageInterval
from firmware_config.delta import confirm, delta
from firmware_config.profile import DeviceConfig, from_json, to_json
from tests.firmware_config.strategies import configs


@given(configs, configs)
def test_what_is_confirmed_is_not_asked_for_again(before, wanted):
    reported = {}
    for setting in before.settings():
        reported = confirm(reported, setting)
    for setting in delta(reported, wanted):
        reported = confirm(reported, setting)
    assert delta(reported, wanted) == []


@given(configs)
def test_a_device_that_never_said_anything_is_told_everything(wanted):
    assert delta({}, wanted) == list(wanted.settings())


@given(configs)
def test_json_and_back_is_the_same(config):
    assert from_json(to_json(config)) == config


def test_only_differences_are_asked_for_in_a_stable_order():
    reported = confirm(confirm({}, UsageInterval(900)), StatusInterval(600))
    wanted = DeviceConfig(status_interval_s=600, usage_interval_s=3600, fallback_level=40)
    assert delta(reported, wanted) == [UsageInterval(3600), FallbackLevel(40)]


def test_what_cannot_be_read_counts_as_not_confirmed():
    reported = {"StatusInterval": "{", "FallbackLevel": '{"type":"FallbackLevel","level":400}'}
    wanted = DeviceConfig(status_interval_s=600, fallback_level=40)
    assert delta(reported, wanted) == [StatusInterval(600), FallbackLevel(40)]
