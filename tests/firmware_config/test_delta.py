"""delta: only differences, and once they are confirmed, none."""


from hypothesis import HealthCheck, given, settings

from city.orders import FallbackLevel, StatusInterval, UsageInterval
from firmware_config.alone import tables_of
from firmware_config.delta import SILENT, confirm, delta
from firmware_config.profile import DeviceConfig, from_json, to_json
from tests.examples import examples
from tests.firmware_config.strategies import configs, programs


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


@given(programs, programs)
@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
def test_of_a_program_too_and_what_is_not_wanted_any_more_is_gone(before, wanted):
    reported = {}
    for config in (before, wanted):
        for setting in delta(reported, config):
            reported = confirm(reported, setting)
    assert delta(reported, wanted) == []
    held = tables_of(reported)
    assert wanted.tasks is None or {one.task for one in held.tasks} == {one.task for one in wanted.tasks}
    if wanted.profiles is not None:
        assert {one.slot for one in held.profiles if one.steps != SILENT} == {one.slot for one in wanted.profiles
                                                                              if one.steps != SILENT}


@given(programs)
@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
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
