"""The downlink queue keeps ChirpStack's rules, one test a rule."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from city.airtime import time_on_air
from simulator.downlinks import Transmitter, read_command
from tests.simulator.conftest import Town

MakeTown = Callable[..., Town]


def seconds(event: dict[str, str]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def test_a_class_c_command_goes_out_within_a_second_when_nothing_is_in_its_way(town: Town) -> None:
    queue_id = str(uuid4())
    town.run(10)
    before = town.now.timestamp()
    town.down(town.lamp, id=queue_id)
    town.run(2)
    [sent] = town.of("txack", town.lamp)
    assert sent["queueItemId"] == queue_id
    assert 0 <= seconds(sent) - before <= 1
    assert sent["txInfo"]["frequency"] == 869_525_000
    assert sent["txInfo"]["modulation"]["lora"]["spreadingFactor"] == 9
    assert sent["txInfo"]["timing"] == {"immediately": {}}


def test_nothing_goes_down_before_the_first_uplink_of_a_session(make_town: MakeTown) -> None:
    town = make_town(join_within_s=1.0)
    town.run(2)
    assert town.of("join", town.lamp)
    assert not town.of("up", town.lamp)
    town.down(town.lamp)
    town.run(120)
    [sent] = town.of("txack", town.lamp)
    assert seconds(sent) >= seconds(town.of("up", town.lamp)[0]) + 5


def test_an_uplink_keeps_the_device_locked_for_five_seconds(town: Town) -> None:
    town.run(3600)
    while not (heard := [event for kind, eui, event in town.run(1) if kind == "up" and eui == town.lamp]):
        pass
    town.down(town.lamp)
    town.run(10)
    [sent] = town.of("txack", town.lamp)
    assert 5 <= seconds(sent) - seconds(heard[0]) <= 7


def test_downlinks_of_one_device_keep_five_seconds_apart_and_their_order(town: Town) -> None:
    ids = [str(uuid4()) for _ in range(3)]
    for queue_id in ids:
        town.down(town.lamp, id=queue_id)
    town.run(60)
    sent = town.of("txack", town.lamp)
    assert [one["queueItemId"] for one in sent] == ids
    assert [one["fCntDown"] for one in sent] == [0, 1, 2]
    assert all(b - a >= 5 for a, b in pairwise(map(seconds, sent)))


def test_a_used_id_is_refused_silently_while_its_item_waits(town: Town) -> None:
    queue_id = str(uuid4())
    town.down(town.lamp, id=queue_id)
    town.down(town.lamp, data="09fe6405", id=queue_id)
    other = town.chirpstack.scenario.lamps[1].device.dev_eui
    town.down(other, id=queue_id)
    town.run(60)
    assert len(town.of("txack")) == 1
    assert town.chirpstack.stats["commands refused"] == 2
    assert not town.of("log")


def test_an_expired_item_is_dropped_and_said(make_town: MakeTown) -> None:
    town = make_town()
    queue_id = str(uuid4())
    town.down(town.lamp, id=queue_id, expiresAt=(town.now + timedelta(seconds=2)).isoformat())
    town.run(120)
    [said] = town.of("log", town.lamp)
    assert said["code"] == "EXPIRED"
    assert said["context"]["queue_item_id"] == queue_id
    assert not town.of("txack")


def test_an_item_too_large_for_the_data_rate_is_dropped_and_said(town: Town) -> None:
    town.down(town.lamp, data="00" * 116)
    town.run(30)
    [said] = town.of("log", town.lamp)
    assert (said["level"], said["code"]) == ("ERROR", "DOWNLINK_PAYLOAD_SIZE")
    assert said["context"]["item_size"] == "116"
    assert not town.of("txack")


def test_a_confirmed_item_holds_the_rest_up_until_it_is_acknowledged(town: Town) -> None:
    first, second = str(uuid4()), str(uuid4())
    town.down(town.lamp, id=first, confirmed=True)
    town.down(town.lamp, id=second)
    town.run(60)
    [acked] = town.of("ack", town.lamp)
    assert (acked["queueItemId"], acked["acknowledged"], acked["fCntDown"]) == (first, True, 0)
    assert seconds(town.of("txack", town.lamp)[1]) > seconds(acked)


def test_a_confirmed_item_that_nobody_answers_is_given_up(make_town: MakeTown) -> None:
    town = make_town(downlink_loss=1.0)
    town.run(180)
    town.down(town.lamp, confirmed=True)
    town.run(60)
    [acked] = town.of("ack", town.lamp)
    assert (acked["acknowledged"], acked["deduplicationId"]) == (False, "")
    assert town.chirpstack.stats["lost down"] == 1


def test_a_device_with_nothing_to_say_acknowledges_with_an_empty_frame(town: Town) -> None:
    town.chirpstack.lamps[town.chirpstack.scenario.lamps[0].lamp.id].fail("silent")
    town.down(town.lamp, confirmed=True)
    town.run(30)
    assert town.of("ack", town.lamp)[0]["acknowledged"] is True
    assert (town.of("up", town.lamp)[-1]["fPort"], town.of("up", town.lamp)[-1]["data"]) == (0, "")


def test_class_a_gets_its_downlink_after_its_next_uplink(town: Town) -> None:
    queue_id = str(uuid4())
    town.down(town.bay, data="01", port=51, id=queue_id)
    before = len(town.of("up", town.bay))
    town.run(86_400 * 2)
    [sent] = town.of("txack", town.bay)
    assert sent["queueItemId"] == queue_id
    next_up = town.of("up", town.bay)[before]
    assert 0 < seconds(sent) - seconds(next_up) < 1
    assert sent["txInfo"]["timing"] == {"delay": {"delay": "1s"}}
    assert sent["txInfo"]["frequency"] == next_up["txInfo"]["frequency"]


def test_a_confirmed_class_a_item_is_answered_by_the_uplink_after(town: Town) -> None:
    town.down(town.bay, data="01", port=51, confirmed=True)
    town.run(86_400 * 3)
    assert town.of("ack", town.bay)[0]["acknowledged"] is True


def test_the_gateway_that_heard_it_best_sends(town: Town) -> None:
    town.down(town.lamp)
    last = town.of("up", town.lamp)[-1]
    town.run(6)
    best = max(last["rxInfo"], key=lambda info: info.get("snr", 0.0))
    assert town.of("txack", town.lamp)[0]["gatewayId"] == best["gatewayId"]


def test_a_gateway_out_of_airtime_refuses_and_the_item_stays(make_town: MakeTown) -> None:
    town = make_town(lamps=400, bays=1, rx2_sf=12, status_interval_s=86_400, usage_interval_s=86_400)
    town.run(180)
    for site in town.chirpstack.scenario.lamps:
        town.down(site.device.dev_eui)
    town.run(900)
    refused = [event for event in town.of("log") if event["code"] == "DOWNLINK_GATEWAY"]
    budget = int(360 / time_on_air(4, 12))
    sent: dict[str, int] = {}
    for event in town.of("txack"):
        sent[event["gatewayId"]] = sent.get(event["gatewayId"], 0) + 1
    assert max(sent.values()) <= budget
    assert {event["description"] for event in refused} <= {"DUTY_CYCLE_OVERFLOW", "QUEUE_FULL"}
    assert refused
    town.run(4 * 3600)
    assert len(town.of("txack")) == 400


def test_a_transmitter_counts_a_sliding_hour() -> None:
    gateway, minute = Transmitter(), 60 * 10**9
    sent = [gateway.send(k * minute, 10.0, rx2=True)[0] for k in range(59)]
    assert sent == ["OK"] * 36 + ["DUTY_CYCLE_OVERFLOW"] * 23
    assert gateway.used_s(58 * minute) == pytest.approx(360)
    assert gateway.send(60 * minute, 10.0, rx2=True)[0] == "OK"
    assert gateway.send(60 * minute, 10.0, rx2=True)[0] == "DUTY_CYCLE_OVERFLOW"
    assert gateway.send(60 * minute, 1.0, rx2=False)[0] == "OK"


def test_frames_leave_a_gateway_one_after_another_and_32_may_wait() -> None:
    gateway = Transmitter()
    answers = [gateway.send(0, 0.165, rx2=True) for _ in range(33)]
    assert [at for said, at in answers if said == "OK"] == [int(0.165e9) * k for k in range(1, 33)]
    assert answers[-1][0] == "QUEUE_FULL"


def test_at_most_a_hundred_devices_are_served_in_a_second(make_town: MakeTown) -> None:
    town = make_town(lamps=150, bays=1, rx2_sf=7)
    town.run(180)
    for site in town.chirpstack.scenario.lamps:
        town.down(site.device.dev_eui)
    town.run(120)
    looks: dict[str, int] = {}
    for kind, _, event in town.events:
        if kind in ("txack", "log"):
            looks[event["time"]] = looks.get(event["time"], 0) + 1
    assert max(looks.values()) <= 100


@pytest.mark.parametrize("payload", [
    b"", b"{", b"[]", b"null", b'{"devEui": 7}', b'{"fPort": "x"}', b'{"data": "%%%"}', b"\xff\xfe",
    b'{"id": "not a uuid"}', b'{"expiresAt": "yesterday"}', b'{"expiresAt": "2026-01-01T00:00:00"}'])
def test_nonsense_is_only_counted(town: Town, payload: bytes) -> None:
    town.raw("lamp", town.lamp, payload)
    town.run(30)
    assert town.chirpstack.stats["commands refused"] == 1
    assert not town.of("txack")
    assert not town.of("log")


@pytest.mark.parametrize(("topic", "dev_eui", "port"), [
    ("application/{app}/device/{eui}/command/up", "{eui}", 60), ("application/other/device/{eui}/command/down", "{eui}", 60),
    ("application/{app}/device/ffffffffffffffff/command/down", "{eui}", 60),
    ("application/{app}/device/{eui}/command/down", "FFFFFFFFFFFFFFFF", 60),
    ("application/{app}/device/{eui}/command/down", "{EUI}", 60), ("application/{app}/device/{eui}/command/down", "{eui}", 0)])
def test_a_command_must_name_its_device_twice_alike_and_a_port(town: Town, topic: str, dev_eui: str, port: int) -> None:
    names = {"app": town.chirpstack.scenario.application("lamp"), "eui": town.lamp, "EUI": town.lamp.upper()}
    payload = json.dumps({"devEui": dev_eui.format(**names), "fPort": port, "data": "Cf4oBQ=="}).encode()
    town.chirpstack.command(topic.format(**names), payload, town.now)
    town.run(30)
    assert not town.of("txack")
    assert town.chirpstack.stats["commands refused"] == 1


def test_commands_are_read_as_liberally_as_the_server_does() -> None:
    data = urlsafe_b64encode(b"\xfb\xff\xfe").decode().rstrip("=")
    order = read_command(json.dumps({"dev_eui": "70b3d57ed0000042", "f_port": "60", "data": data, "confirmed": True,
                                     "expires_at": "2026-07-18T09:40:00.123456789Z", "unknown": [1]}).encode())
    assert (order.dev_eui, order.f_port, order.data, order.confirmed) == (
        "70b3d57ed0000042", 60, b"\xfb\xff\xfe", True)
    assert order.expires_ns == 1_784_367_600_123_456_000
