"""Which gateways reach a device, learnt from who hears it."""

from hypothesis import given
from hypothesis import strategies as st

from city.ids import DevEui, GatewayId
from city.reach import EARS, FORGET_NS, REFRESH_NS, covering, gateways_of, reached
from city.readings import DeviceState

A, B, C = (GatewayId(letter * 16) for letter in "abc")


def test_a_known_gateway_changes_nothing_until_it_is_counted_again():
    reach = reached((), [(A, -100.0, 5.0), (B, -110.0, -2.0)], 0)
    assert [ear.gateway for ear in reach] == [A, B]
    assert reached(reach, [(A, -60.0, 10.0)], REFRESH_NS - 1) is reach
    later = reached(reach, [(A, -100.0, -7.0)], REFRESH_NS)
    assert (later[0].gateway, later[0].snr, later[0].at_ns) == (A, 2.0, REFRESH_NS)
    assert later[1] == reach[1]


def test_a_gateway_that_is_heard_of_no_more_is_forgotten():
    reach = reached((), [(A, -100.0, 5.0), (B, -110.0, -2.0)], 0)
    assert [ear.gateway for ear in reached(reach, [(B, -100.0, -2.0)], FORGET_NS)] == [B]


def test_whoever_hears_a_device_reaches_it_the_best_first():
    state = DeviceState(DevEui("1" * 16), gateway=C, reach=reached((), [(A, -90, 8.0), (B, -95, 3.0), (C, -120, -9.0)], 0))
    assert gateways_of(state) == (A, B, C)
    assert gateways_of(DeviceState(DevEui("1" * 16), gateway=C)) == (C,)
    assert gateways_of(DeviceState(DevEui("1" * 16))) == ()


@given(st.dictionaries(st.integers(0, 200).map(str), st.sets(st.sampled_from([A, B, C]))))
def test_a_cover_reaches_every_device_that_any_gateway_reaches_and_names_none_twice(reaches):
    chosen = covering(reaches)
    assert len(set(chosen)) == len(chosen)
    assert all(set(gateways) & set(chosen) for gateways in reaches.values() if gateways)


@given(st.lists(st.tuples(st.sampled_from(range(20)), st.floats(-20, 12)), min_size=1, max_size=60))
def test_few_ears_are_kept_however_many_gateways_there_are(heard):
    reach = ()
    for number, (gateway, snr) in enumerate(heard):
        reach = reached(reach, [(GatewayId(f"{gateway:016x}"), -100.0, snr)], number * REFRESH_NS)
    assert len(reach) <= EARS
    assert [ear.snr for ear in reach] == sorted((ear.snr for ear in reach), reverse=True)


def test_absurd_numbers_from_outside_are_not_learnt():
    heard = [(A, float("nan"), 5.0), (B, -100.0, float("inf")), (C, -1e300, 0.0)]
    assert reached((), heard, 0) == ()
