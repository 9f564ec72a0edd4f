"""From a script's output to quantities, and from orders to what a script is given."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import DecodeError, Invalid, ScriptError, TooManySeries, Unsupported
from city.orders import Clock, Parameters, ReadStatus, Resume, SetLevel
from city.quantities import Kind, quantity
from city.scripts import LeafMapping, Rule
from decoders.mapping import apply, check, leaves, order_data, propose

MODEL = "acme/x1"


def said(mapping: LeafMapping, **data: object) -> list[tuple[str, object, str]]:
    return [(one.quantity.name, one.value, one.channel) for one in apply(MODEL, mapping, leaves(data))]


def rule(leaf: str, quantity: str, **more: object) -> LeafMapping:
    return LeafMapping(rules=(Rule(leaf=leaf, quantity=quantity, **more),))


def test_paths_have_dots_and_list_items_numbers():
    assert leaves({"lamp": {"power_w": 31.5}, "bays": [{"occupied": True}, {"occupied": False}], "x": None, "e": {}}) == {
        "lamp.power_w": 31.5, "bays.0.occupied": True, "bays.1.occupied": False}


def test_names_are_made_safe():
    assert leaves({"a\nb": 1, "c\\d": 2, "e.f": 3, "g:flag": 4, "": 5, "grüße°": 6, "x\ud800": 7}) == {
        "a_b": 1, "c_d": 2, "e_f": 3, "g_flag": 4, "_": 5, "grüße°": 6, "x_": 7}


def test_two_values_of_one_safe_name_are_left_out():
    assert leaves({"a b": 1, "a_b": 2, "c": 3}) == {"c": 3}


def test_a_long_name_is_cut_and_stays_unlike_its_neighbour():
    found = leaves({"x" * 200 + "1": 1, "x" * 200 + "2": 2})
    assert len(found) == 2
    assert all(len(name) <= 90 for name in found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, None])
def test_what_is_no_number_is_left_out(value):
    assert leaves({"v": value}) == {}


def test_text_is_cut_and_cannot_write_to_a_terminal():
    assert leaves({"t": "a\x1b[31m" + "b" * 400})["t"].startswith("a�[31mb")
    assert len(leaves({"t": "b" * 400})["t"]) == 256


def test_more_than_256_values_are_refused():
    assert len(leaves({str(n): n for n in range(256)})) == 256
    with pytest.raises(TooManySeries):
        leaves({str(n): n for n in range(257)})


def test_deep_nesting_is_refused():
    deep: dict = {"v": 1}
    for _ in range(40):
        deep = {"d": deep}
    with pytest.raises(ScriptError):
        leaves(deep)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=40)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=8))
def test_any_output_is_kept_raw_with_the_type_of_its_name(data):
    try:
        found = apply(MODEL, LeafMapping(), leaves(data))
    except DecodeError:
        return
    for one in found:
        assert quantity(one.quantity.name) == one.quantity
        assert one.quantity.kind is {bool: Kind.BOOL, float: Kind.FLOAT, str: Kind.TEXT}[type(one.value)]
        one.quantity.name.encode()


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=8), st.sampled_from(["lamp", "bay"]))
def test_any_proposal_can_be_used(data, asset):
    try:
        found = leaves(data)
    except DecodeError:
        return
    apply(MODEL, check(propose(found, asset), asset), found)


def test_a_rule_scales_and_gives_the_part():
    mapping = rule("u_mv", "lamp.voltage", scale=0.001, channel="dali-1")
    assert said(mapping, u_mv=230300) == [("lamp.voltage", 230.3, "dali-1")]
    assert said(rule("t_f", "device.temperature", scale=5 / 9, offset=-160 / 9), t_f=212) == [("device.temperature", 100.0, "")]


def test_numbers_as_text_are_numbers_and_other_text_is_kept_raw():
    mapping = rule("u", "lamp.voltage")
    assert said(mapping, u="231.50") == [("lamp.voltage", 231.5, "")]
    for odd in ("n/a", "0x10", "1_000", "nan", "1e999", ""):
        assert said(mapping, u=odd) == [("raw/acme/x1.u:text", odd, "")]


def test_a_value_of_the_wrong_type_is_kept_raw_and_never_as_good():
    assert said(rule("p", "lamp.power"), p=True) == [("raw/acme/x1.p:flag", True, "")]
    assert said(rule("n", "lamp.starts"), n=1.5) == [("raw/acme/x1.n", 1.5, "")]
    assert said(rule("n", "lamp.starts"), n=12.0) == [("lamp.starts", 12, "")]
    assert said(rule("o", "bay.occupied"), o=2) == [("raw/acme/x1.o", 2.0, "")]
    assert said(rule("o", "bay.occupied"), o="yes") == [("raw/acme/x1.o:text", "yes", "")]
    assert said(rule("f", "device.firmware"), f=1.2) == [("raw/acme/x1.f", 1.2, "")]


@pytest.mark.parametrize(("value", "meaning"), [(True, True), (False, False), (1, True), (0, False), (1.0, True)])
def test_truth_is_true_false_1_and_0(value, meaning):
    assert said(rule("o", "bay.occupied"), o=value) == [("bay.occupied", meaning, "")]


def test_words_count_before_numbers_and_name_the_value_as_json_writes_it():
    mapping = rule("s", "bay.occupied", words={"CAR": True, "0": True, "true": False})
    assert said(mapping, s="CAR") == [("bay.occupied", True, "")]
    assert said(mapping, s=0.0) == [("bay.occupied", True, "")]
    assert said(mapping, s=True) == [("bay.occupied", False, "")]
    assert said(mapping, s="car") == [("raw/acme/x1.s:text", "car", "")]
    assert said(rule("b", "device.battery", words={"external": 100.0}), b=55) == [("device.battery", 55.0, "")]


def test_one_leaf_may_have_two_meanings():
    mapping = LeafMapping(rules=(Rule(leaf="s", quantity="bay.occupied", words={"beat": False}),
                                 Rule(leaf="s", quantity="device.heartbeat", words={"beat": True})))
    assert said(mapping, s="beat") == [("bay.occupied", False, ""), ("device.heartbeat", True, "")]


def test_of_two_leaves_for_one_quantity_the_first_rule_wins():
    mapping = LeafMapping(rules=(Rule(leaf="b", quantity="lamp.power"), Rule(leaf="a", quantity="lamp.power")))
    assert said(mapping, a=1.0, b=2.0) == [("raw/acme/x1.a", 1.0, ""), ("lamp.power", 2.0, "")]
    assert said(mapping, a=1.0) == [("lamp.power", 1.0, "")]
    assert said(mapping, a=1.0, b="?") == [("lamp.power", 1.0, ""), ("raw/acme/x1.b:text", "?", "")]


def test_dropped_and_personal_leaves_are_kept_nowhere():
    mapping = LeafMapping(dropped=("who", "list"))
    assert said(mapping, who="x", list=[{"a": 1}], lists=1, tagId="04A1", net={"mac": "x"},
                seen="a4:c1:38:00:11:22") == [("raw/acme/x1.lists", 1.0, "")]


def test_a_person_may_map_what_looks_personal():
    assert said(rule("tag_present", "bay.obstructed"), tag_present=True) == [("bay.obstructed", True, "")]


@pytest.mark.parametrize(("mapping", "field", "broken"), [
    (rule("p", "lamp.nothing"), "rules[0]", "quantity"),
    (rule("p", "bay.occupied"), "rules[0]", "quantity"),
    (rule("p", "radio.rssi"), "rules[0]", "quantity"),
    (rule("p", "raw/acme/x1.p"), "rules[0]", "quantity"),
    (rule("", "lamp.power"), "rules[0]", "leaf"),
    (rule("a..b", "lamp.power"), "rules[0]", "leaf"),
    (rule("p", "lamp.power", scale=0.0), "rules[0]", "finite"),
    (rule("p", "lamp.power", scale=float("nan")), "rules[0]", "finite"),
    (rule("p", "lamp.failure", scale=2.0), "rules[0]", "number"),
    (rule("p", "lamp.power", channel="Part 1"), "rules[0]", "channel"),
    (rule("p", "lamp.failure", words={"bad": 5.0}), "rules[0]", "words"),
    (rule("p", "lamp.level", words={"bright": 500.0}), "rules[0]", "words"),
    (rule("p", "lamp.level", words={str(n): 5.0 for n in range(65)}), "rules[0]", "words"),
    (LeafMapping(rules=(Rule(leaf="p", quantity="lamp.power"),) * 2), "rules[1]", "unique"),
    (LeafMapping(rules=(Rule(leaf="a.b", quantity="lamp.power"),), dropped=("a",)), "rules[0]", "dropped"),
    (LeafMapping(rules=(Rule(leaf="a", quantity="lamp.power"),) * 257), "rules", "number"),
    (LeafMapping(dropped=("a\n",)), "dropped[0]", "leaf"),
    (LeafMapping(orders={"Dance": {}}), "orders", "order"),
    (LeafMapping(orders={"SetLevel": {"dim": "$brightness"}}), "orders", "field"),
    (LeafMapping(orders={"SetLevel": {"dim": 40}}), "orders", "$level"),
    (LeafMapping(orders={"Reboot": {"x": "y" * 5000}}), "orders", "size"),
])
def test_a_mapping_that_cannot_be_used_names_field_and_rule(mapping, field, broken):
    with pytest.raises(Invalid) as caught:
        check(mapping, "lamp")
    assert (caught.value.field, caught.value.rule) == (field, broken)
    assert str(caught.value)


def test_a_bay_takes_no_level():
    with pytest.raises(Invalid):
        check(LeafMapping(orders={"SetLevel": {"dim": "$level"}}), "bay")
    check(LeafMapping(orders={"Reboot": {"cmd": "reset"}}), "bay")


def test_orders_fill_their_template():
    template = {"cmd": "dim", "args": ["$level", {"for": "$minutes"}], "cost": "$$5", "sw": "$switch"}
    mapping = LeafMapping(orders={"SetLevel": template})
    assert order_data(mapping, SetLevel(40, 30)) == {"cmd": "dim", "args": [40, {"for": 30}], "cost": "$5", "sw": "on"}
    assert order_data(mapping, SetLevel(0)) == {"cmd": "dim", "args": [0, {}], "cost": "$5", "sw": "off"}


def test_a_time_is_given_as_iso_8601():
    mapping = LeafMapping(orders={"Clock": {"time": "$at"}})
    assert order_data(mapping, Clock(datetime(2026, 5, 1, tzinfo=UTC))) == {"time": "2026-05-01T00:00:00Z"}


@pytest.mark.parametrize(("template", "order"), [
    ({}, Resume()),
    ({"SetLevel": {"dim": "$level"}}, SetLevel(40, minutes=30)),
    ({"SetLevel": {"dim": "$level"}}, SetLevel(40, channel="dali-1")),
    ({"SetLevel": {"on": "$on"}}, SetLevel(40)),
    ({"ReadStatus": {"cmd": "status"}}, ReadStatus(usage=True)),
    ({"Parameters": {"x": 1}}, Parameters((("a", 1),))),
])
def test_what_a_template_leaves_unsaid_is_not_sent(template, order):
    with pytest.raises(Unsupported):
        order_data(LeafMapping(orders=template), order)


def test_a_switch_says_all_or_nothing():
    mapping = LeafMapping(orders={"SetLevel": {"on": "$on", "relay": "$relay"}})
    assert order_data(mapping, SetLevel(100)) == {"on": True, "relay": 1}
    assert order_data(mapping, SetLevel(0)) == {"on": False, "relay": 0}


CLEAR = [
    ("power_w", 31.5, "lamp", "lamp.power", 31.5), ("powerW", 31.5, "lamp", "lamp.power", 31.5),
    ("activePower", 31.5, "lamp", "lamp.power", 31.5), ("activePower_mW", 31500, "lamp", "lamp.power", 31.5),
    ("voltage_mV", 230500, "lamp", "lamp.voltage", 230.5), ("voltage", 230.5, "lamp", "lamp.voltage", 230.5),
    ("voltage_mV", 3600, "bay", "device.battery_voltage", 3.6), ("Bat_V", 3.51, "bay", "device.battery_voltage", 3.51),
    ("batV", 3.6, "bay", "device.battery_voltage", 3.6), ("battery", 3.6, "bay", "device.battery_voltage", 3.6),
    ("battery", 98, "bay", "device.battery", 98.0), ("battery_percent", 5, "bay", "device.battery", 5.0),
    ("battery.level", 40, "lamp", "device.battery", 40.0), ("temperature_c", 21.5, "bay", "device.temperature", 21.5),
    ("temperatureF", 212, "bay", "device.temperature", 100.0), ("temperature.value", 21.5, "lamp", "device.temperature", 21.5),
    ("dim", 40, "lamp", "lamp.level", 40.0), ("dimming", 40, "lamp", "lamp.level", 40.0),
    ("brightness", 40, "lamp", "lamp.level", 40.0), ("level", 40, "lamp", "lamp.level", 40.0),
    ("dimmingLevel", 40, "lamp", "lamp.level", 40.0), ("energy_kwh", 1.5, "lamp", "lamp.energy", 1500.0),
    ("energyWh", 1500, "lamp", "lamp.energy", 1500.0), ("currentA", 0.13, "lamp", "lamp.current", 0.13),
    ("current_mA", 130, "lamp", "lamp.current", 0.13), ("pf", 0.93, "lamp", "lamp.power_factor", 0.93),
    ("powerFactor", 0.93, "lamp", "lamp.power_factor", 0.93), ("power_factor_percent", 93, "lamp", "lamp.power_factor", 0.93),
    ("lux", 12, "lamp", "lamp.illuminance", 12.0), ("tilt_deg", 3, "lamp", "lamp.tilt", 3.0),
    ("burn_hours", 2, "lamp", "lamp.burn_time", 7200.0), ("operating_time_h", 2, "lamp", "lamp.burn_time", 7200.0),
    ("burn_time_min", 2, "lamp", "lamp.burn_time", 120.0), ("frequency", 50.01, "lamp", "lamp.frequency", 50.01),
    ("relay", "open", "lamp", "lamp.relay_closed", False), ("relay_closed", True, "lamp", "lamp.relay_closed", True),
    ("lampOn", True, "lamp", "lamp.lit", True), ("fw_version", "1.2", "bay", "device.firmware", "1.2"),
    ("occupied", True, "bay", "bay.occupied", True), ("occupancy", 1, "bay", "bay.occupied", True),
    ("parking_status", "occupied", "bay", "bay.occupied", True), ("parkingState", "FREE", "bay", "bay.occupied", False),
    ("status", "car", "bay", "bay.occupied", True), ("free", True, "bay", "bay.occupied", False),
    ("data.parking.occupied", False, "bay", "bay.occupied", False), ("belegt", 1, "bay", "bay.occupied", True),
]


@pytest.mark.parametrize(("leaf", "value", "asset", "name", "meaning"), CLEAR)
def test_clear_names_are_proposed(leaf, value, asset, name, meaning):
    mapping = check(propose({leaf: value}, asset), asset)
    (one,) = apply(MODEL, mapping, {leaf: value})
    assert (one.quantity.name, one.value, one.channel) == (name, meaning, "")


@pytest.mark.parametrize(("leaf", "value", "asset"), [
    ("voltage", 2305, "lamp"), ("voltage", 12, "lamp"), ("dimLevel", 254, "lamp"), ("battery", 3, "bay"), ("battery", 254, "bay"),
    ("occupancy", 34, "bay"), ("status", 1, "bay"), ("status", "ok", "bay"), ("energy", 1500, "lamp"), ("current", 130, "lamp"),
    ("current", 2, "lamp"), ("powerFactor", 93, "lamp"), ("rssi", -90, "lamp"), ("operating_time", 12, "lamp"),
    ("previous_occupied", True, "bay"), ("max_power_w", 12, "lamp"), ("power_w", 99999, "lamp"), ("power_w", "many", "lamp"),
    ("frequency", 868_100_000, "lamp"), ("external_voltage_v", 230, "lamp"), ("driver.temperature_c", 40, "lamp"),
    ("light_level", 40, "lamp"), ("power", 12, "bay"), ("reactive_power_w", 3, "lamp"), ("messages.0.power_w", 3, "lamp"),
    ("humidity_v", 2, "lamp"), ("moisture_at_level_0.value", 12, "lamp"), ("soil_temperature.value", 12, "bay"), ("x", 1, "lamp"),
])
def test_nothing_is_proposed_where_it_could_be_wrong(leaf, value, asset):
    assert propose({leaf: value}, asset) == LeafMapping()


def test_a_number_in_the_name_is_a_part():
    mapping = propose({"relay_1": 1, "relay_2": 0, "relay_3_state": "on"}, "lamp")
    assert [(rule.quantity, rule.channel) for rule in mapping.rules] == [
        ("lamp.relay_closed", "relay-1"), ("lamp.relay_closed", "relay-2"), ("lamp.relay_closed", "relay-3")]


def test_of_two_leaves_for_one_quantity_only_one_with_a_unit_is_proposed():
    assert [rule.leaf for rule in propose({"power": 30.0, "power_w": 30.0}, "lamp").rules] == ["power_w"]
    assert propose({"power": 30.0, "active_power": 30.0}, "lamp").rules == ()


def test_the_unit_may_stand_beside_the_value():
    (rule,) = propose({"energy.value": 1.5, "energy.unit": "kWh"}, "lamp").rules
    assert (rule.leaf, rule.scale) == ("energy.value", 1000)


@pytest.mark.parametrize("leaf", ["tag_id", "tagId", "beacon.rssi", "beacons.0.x", "mac", "ibeacon_major", "uuid",
                                  "license_plate", "licencePlate", "user_id", "userId", "cardId", "Kennzeichen",
                                  "wifi.0.bssid", "owner"])
def test_what_looks_personal_is_proposed_to_be_dropped(leaf):
    assert propose({leaf: "x"}, "bay") == LeafMapping(dropped=(leaf,))


@pytest.mark.parametrize("value", ["a4:c1:38:00:11:22", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "jo@example.org"])
def test_an_address_is_personal_whatever_it_is_called(value):
    assert propose({"x": value}, "bay").dropped == ("x",)
