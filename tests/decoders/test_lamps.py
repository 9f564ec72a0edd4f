"""Lamp controllers beyond their vectors: what may steer them, what confirms an order, and what cannot be said."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from city.commands import Event, Priority, State, advance, command
from city.errors import Refused, Unsupported
from city.ids import AssetId, DevEui, TenantId
from city.orders import DayTime, DimTask, DimWindow, ReadStatus, ReadTask, RemoveTask, Resume, SetLevel
from city.quantities import (
    DEVICE_BOOT,
    DEVICE_CLOCK,
    DEVICE_ECHO,
    DEVICE_REJECTED,
    LAMP_LEVEL,
    LAMP_LIT,
    LAMP_POWER,
    LAMP_RELAY_CLOSED,
    LAMP_TASK,
)
from decoders.catalog import catalog, codec_of
from decoders.codec import Frame
from decoders.vectors import reads_of
from gateway_bridge.confirm import after_uplink

NOW = datetime(2026, 11, 22, 22, tzinfo=UTC)
MINE = ("slscorp/volc2180", "zenosmart/lcc", "milesight/ws558", "comtac/e1310", "zane/zlamp", "lra/relay4", "acrios/acr-slc")
ZENOSMART, WS558 = codec_of("zenosmart/lcc"), codec_of("milesight/ws558")
NIGHT = DimTask(1, date(2026, 2, 10), (DimWindow(DayTime(0, "sunset"), DayTime(0, "sunrise"), 50),))
REPORT = bytes.fromhex("08310001 058164 07c90200 0374b208 068301000000 048001000000")
ENDS = (0, 4, 7, 11, 15, 21, 27)


def test_only_a_lamp_that_can_be_told_a_level_is_steered():
    assert {model for model in MINE if catalog()[model].abilities.dims} == {"zenosmart/lcc"}
    assert not ZENOSMART.abilities.reports_level
    assert not ZENOSMART.abilities.resumes


@pytest.mark.parametrize("codec", [codec for codec in catalog().values() if codec.abilities.dims], ids=lambda codec: codec.model)
def test_whatever_the_planner_believes_of_a_lamp_its_codec_can_say(codec):
    able = codec.abilities
    for order, believed in ((SetLevel(40, able.max_minutes), True), (Resume(), able.resumes),
                            (ReadStatus(), able.reports_on_demand)):
        if believed:
            assert codec.decode_downlink(codec.encode_downlink(order)) == order
    if not able.resumes:
        with pytest.raises(Unsupported):
            codec.encode_downlink(Resume())


@pytest.mark.parametrize("model", [model for model in MINE if model not in ("zenosmart/lcc", "milesight/ws558")])
def test_a_lamp_whose_order_nobody_has_published_is_told_no_level(model):
    with pytest.raises(Unsupported):
        codec_of(model).encode_downlink(SetLevel(100))


@pytest.mark.parametrize("order", [NIGHT, RemoveTask(1)], ids=["task", "removal"])
def test_the_answer_to_a_task_confirms_its_order_and_no_other(order):
    frame = ZENOSMART.encode_downlink(order)
    answer = ZENOSMART.decode_uplink(Frame(6, bytes([0x87, 12, 0]) + frame.data[2:7] + b"\x01" + bytes(5)))
    (after,) = after_uplink([sent(order)], ZENOSMART, ns(1), answer, NOW)
    assert after.state is State.APPLIED
    assert after_uplink([sent(DimTask(2, NIGHT.first_day, NIGHT.windows))], ZENOSMART, ns(1), answer, NOW) == ()


def test_a_task_that_failed_is_refused():
    answer = ZENOSMART.decode_uplink(Frame(6, bytes.fromhex("870c 01 01 01000000 01 1a020a0934")))
    (after,) = after_uplink([sent(NIGHT)], ZENOSMART, ns(1), answer, NOW)
    assert after.state is State.FAILED


def test_a_question_for_a_slot_is_answered_by_what_lies_in_it():
    stored = ZENOSMART.decode_uplink(Frame(6, b"\x86\x2d\x03" + ZENOSMART.encode_downlink(NIGHT).data[2:]))
    (after,) = after_uplink([sent(ReadTask(3))], ZENOSMART, ns(1), stored, NOW)
    assert after.state is State.APPLIED
    assert after_uplink([sent(ReadTask(4))], ZENOSMART, ns(1), stored, NOW) == ()


def test_a_level_is_confirmed_neither_by_an_answer_to_a_task_nor_by_sensor_data():
    for text in ("870c 00 01 01000000 01 1a020a0934", "8504 01020304", "8500"):
        said = ZENOSMART.decode_uplink(Frame(6, bytes.fromhex(text)))
        assert after_uplink([sent(SetLevel(50))], ZENOSMART, ns(1), said, NOW) == ()


def test_the_periodic_report_says_the_same_as_its_entries_one_by_one():
    whole = WS558.decode_uplink(Frame(85, REPORT))
    entries = [REPORT[begin:end] for begin, end in pairwise(ENDS)]
    assert reads_of(whole) == reads_of(said for entry in entries for said in WS558.decode_uplink(Frame(85, entry)))
    other_way_round = WS558.decode_uplink(Frame(85, b"".join(reversed(entries))))
    assert reads_of(other_way_round) == reads_of(whole)


def test_every_byte_may_be_kept_for_none_is_about_a_person():
    assert all(catalog()[model].keepable(Frame(85, REPORT)) == REPORT for model in MINE)


@pytest.mark.parametrize(("model", "port", "said"), [
    ("slscorp/volc2180", 0, [LAMP_LEVEL(50)]),
    ("slscorp/volc2180", 1, [LAMP_LEVEL(50)]),
    ("comtac/e1310", 1, [LAMP_LEVEL(50)]),
    ("zane/zlamp", 118, [LAMP_LEVEL(float("nan")), LAMP_LIT(True)]),
    ("zane/zlamp", 118, [LAMP_LEVEL(101), LAMP_LIT(True)]),
    ("zane/zlamp", 119, [LAMP_LEVEL(50), LAMP_LIT(True)]),
    ("acrios/acr-slc", 1, [LAMP_LEVEL(50)]),
    ("milesight/ws558", 85, [LAMP_RELAY_CLOSED(True, "relay-1")]),
    ("milesight/ws558", 85, [LAMP_LEVEL(50)]),
    ("milesight/ws558", 86, [DEVICE_BOOT("reset")]),
    ("milesight/ws558", 85, [LAMP_POWER(1e12)]),
    ("lra/relay4", 1, [LAMP_RELAY_CLOSED(True, "relay-1")]),
    ("zenosmart/lcc", 6, [LAMP_LEVEL(50)]),
    ("zenosmart/lcc", 6, [LAMP_TASK('{"type":"Reboot"}', "slot-1")]),
    ("zenosmart/lcc", 6, [LAMP_TASK("{", "slot-1")]),
    ("zenosmart/lcc", 6, [DEVICE_ECHO("8:no hex")]),
    ("zenosmart/lcc", 6, [DEVICE_REJECTED("8:01"), DEVICE_CLOCK(0)]),
])
def test_what_a_device_cannot_say_is_refused(model, port, said):
    with pytest.raises(Refused):
        codec_of(model).encode_uplink(port, said)


def sent(order):
    made = command(tenant=TenantId("t"), device=DevEui("70b3d57ed0000042"), asset=AssetId("L1"), order=order, origin="config",
                   priority=Priority.CONFIG, now=NOW, expires_at=NOW + timedelta(hours=1))
    return advance(made, Event.SEND, NOW)


def ns(seconds):
    return int((NOW + timedelta(seconds=seconds)).timestamp()) * 10**9
