"""§1 of the reference: topics, the rules of JSON and of its protobuf sibling, and what events mean."""

import json
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from chirpstack_api import integration
from google.protobuf import json_format

from city.errors import Truncated
from simulator.events import Up, battery_level
from simulator.provisioned import CODEC_JS
from simulator.scenario import Antenna
from simulator.server_codec import ServerCodec
from tests.simulator.conformance.conftest import quiet
from tests.simulator.conftest import NIGHT, Town

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?\+00:00\Z")
MESSAGES = {"up": integration.UplinkEvent, "join": integration.JoinEvent, "ack": integration.AckEvent,
            "txack": integration.TxAckEvent, "log": integration.LogEvent, "status": integration.StatusEvent}


@pytest.fixture(scope="module")
def lived() -> Town:
    """A town that has said one of everything: a day, some commands, a lost counter."""
    town = quiet(lamps=4, bays=4, uplink_loss=0.05)
    town.run(300)
    town.down(town.lamp, id=str(uuid4()), confirmed=True)
    town.down(town.lamp, id=str(uuid4()), data="00" * 200)
    town.down(town.bay, data="01", port=51)
    town.run(1800)
    town.chirpstack.misbehave(town.lamp, "counter")
    town.run(86_400 * 2)
    return town


def every(tree: Any) -> Any:
    """All values of a message, with their keys."""
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        yield key, value
        yield from every(value)
    for value in tree if isinstance(tree, list) else ():
        yield from every(value)


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def test_1_1_there_is_one_of_everything_and_nothing_else(lived: Town) -> None:
    assert {kind for kind, _, _ in lived.events} == set(MESSAGES)


def test_1_1_topics_hold_the_application_and_the_dev_eui_in_lower_case() -> None:
    town = quiet()
    for topic, payload in town.chirpstack.advance(NIGHT + timedelta(minutes=5)):
        info = json.loads(payload)["deviceInfo"]
        assert topic.rsplit("/", 1)[0] == f"application/{info['applicationId']}/device/{info['devEui']}/event"
        assert info["devEui"] == info["devEui"].lower()
        UUID(info["applicationId"])


@pytest.mark.parametrize("command", ["config", "exec", "up", "DOWN", "down/x"])
def test_1_1_commands_but_down_are_ignored(command: str) -> None:
    town = quiet()
    town.run(180)
    application, before = town.chirpstack.scenario.application("lamp"), len(town.events)
    town.chirpstack.command(f"application/{application}/device/{town.lamp}/command/{command}",
                            json.dumps({"devEui": town.lamp, "fPort": 60, "data": "AA=="}).encode(), town.now)
    town.run(20)
    assert "txack" not in {kind for kind, _, _ in town.events[before:]}


def test_1_3_1_scalars_lists_and_maps_of_an_event_are_always_there(lived: Town) -> None:
    for kind, _, event in lived.events:
        fields = MESSAGES[kind].DESCRIPTOR.fields
        always = {camel(one.name) for one in fields if one.message_type is None or one.is_repeated}
        assert always <= set(event), kind
        info = {camel(one.name) for one in integration.DeviceInfo.DESCRIPTOR.fields}
        assert set(event["deviceInfo"]) == info


def test_1_3_2_unset_messages_are_left_out_and_nothing_is_null(lived: Town) -> None:
    for kind, _, event in lived.events:
        assert {camel(one.name) for one in MESSAGES[kind].DESCRIPTOR.fields} >= set(event)
        assert not {"object", "relayRxInfo", "joinServerContext"} & set(event)
        assert None not in [value for _, value in every(event)]


def test_1_3_3_zeros_inside_gateway_messages_are_left_out(lived: Town) -> None:
    channels = set()
    for event in lived.of("up"):
        for key, value in every(event["rxInfo"]):
            assert value not in (0, 0.0, "", False), key
        channels |= {info.get("channel", 0) for info in event["rxInfo"]}
        assert event["txInfo"]["modulation"]["lora"]["codeRate"] == "CR_4_5"
    assert 0 in channels, "channel 0 is used, and never written"


def test_1_3_4_times_have_an_offset_and_digits_in_threes(lived: Town) -> None:
    for _, _, event in lived.events:
        assert TIME.match(event["time"]), event["time"]
    for event in lived.of("up"):
        for info in event["rxInfo"]:
            assert TIME.match(info["gwTime"])
            assert TIME.match(info["nsTime"])


def test_1_3_4_durations_bytes_and_enums_are_written_as_text() -> None:
    town = quiet()
    with_gnss(town)
    town.run(600)
    for event in town.of("up"):
        b64decode(event["data"], validate=True)
        for info in event["rxInfo"]:
            assert re.fullmatch(r"\d+(\.\d{3}|\.\d{6}|\.\d{9})?s", info["timeSinceGpsEpoch"])
            assert info["crcStatus"] == "CRC_OK"
            gps = datetime.fromisoformat("1980-01-06T00:00:00+00:00").timestamp()
            at = gps + float(info["timeSinceGpsEpoch"][:-1]) - 18
            assert at == pytest.approx(datetime.fromisoformat(info["gwTime"]).timestamp(), abs=1e-5)


def with_gnss(town: Town) -> None:
    """Every gateway dates its frames by satellite."""
    chirpstack = town.chirpstack
    fixed = tuple(Antenna(one.gateway, one.site, one.altitude, one.height_m, True) for one in chirpstack.fleet.antennas)
    chirpstack.fleet.antennas = fixed
    chirpstack._writer = type(chirpstack._writer)(fixed, chirpstack.fleet.clock_ns)


@pytest.mark.parametrize("command", [
    {"devEui": "{}", "fPort": 60, "data": "Cf4oBQ=="}, {"dev_eui": "{}", "f_port": 60, "data": "Cf4oBQ=="},
    {"devEui": "{}", "fPort": "60", "data": "Cf4oBQ"},
    {"devEui": "{}", "fPort": 60, "data": urlsafe_b64encode(bytes.fromhex("09fe2805")).decode().rstrip("="), "new": {"x": 1}},
    {"devEui": "{}", "fPort": 60, "data": "Cf4oBQ==", "confirmed": False, "expiresAt": "2026-11-21T21:00:00Z"},
    {"id": "7F6A0A2E-5F0B-4D6C-9A54-6E5D3F0C1C55", "devEui": "{}", "fPort": 60, "data": "Cf4oBQ=="}])
def test_1_3_5_commands_are_read_liberally(command: dict[str, Any]) -> None:
    town = quiet()
    town.run(180)
    said = {key: value.format(town.lamp) if value == "{}" else value for key, value in command.items()}
    town.raw("lamp", town.lamp, json.dumps(said).encode())
    town.run(15)
    [sent] = town.of("txack", town.lamp)
    assert UUID(sent["queueItemId"])
    assert next(iter(town.chirpstack.lamps.values())).level == 40


def test_1_3_6_each_event_is_what_googles_mapper_reads_and_protobuf_says_the_same() -> None:
    """The same town twice, once in each encoding: equal, but for the precision that JSON keeps of floats."""
    said: dict[bool, list[Any]] = {}
    for protobuf in (False, True):
        town = quiet(lamps=4, bays=4, uplink_loss=0.05, protobuf=protobuf).chirpstack
        said[protobuf] = town.advance(NIGHT + timedelta(hours=30))
    assert len(said[False]) == len(said[True]) > 1000
    for (topic, text), (same, data) in zip(said[False], said[True], strict=True):
        kind = topic.rsplit("/", 1)[1]
        assert topic == same
        assert json_format.Parse(text, MESSAGES[kind]()) == MESSAGES[kind].FromString(data)


def test_1_6_time_is_the_satellites_unchecked() -> None:
    town = quiet()
    with_gnss(town)
    for gateway in town.chirpstack.scenario.gateways:
        town.chirpstack.fleet.shift_clock(gateway.id, 1800)
    town.run(600)
    for event in town.of("up"):
        at, received = (datetime.fromisoformat(text) for text in (event["time"], event["rxInfo"][0]["nsTime"]))
        assert timedelta(minutes=29, seconds=59) < at - received < timedelta(minutes=30)


@pytest.mark.parametrize(("seconds", "trusted"), [(25.0, True), (-25.0, True), (31.0, False), (-3600.0, False)])
def test_1_6_a_gateways_own_clock_is_trusted_within_thirty_seconds(seconds: float, trusted: bool) -> None:
    town = quiet()
    for gateway in town.chirpstack.scenario.gateways:
        town.chirpstack.fleet.shift_clock(gateway.id, seconds)
    town.chirpstack.fleet.antennas = tuple(
        Antenna(one.gateway, one.site, one.altitude, one.height_m, False) for one in town.chirpstack.fleet.antennas)
    town.run(600)
    for event in town.of("up"):
        at, by = (datetime.fromisoformat(text).timestamp() for text in (event["time"], event["rxInfo"][0]["gwTime"]))
        assert (at == by) is trusted
        assert abs(at - datetime.fromisoformat(event["rxInfo"][0]["nsTime"]).timestamp()) < 31


def test_1_6_a_deduplication_id_is_a_random_uuid_of_its_own(lived: Town) -> None:
    ids = [event["deduplicationId"] for kind, _, event in lived.events if kind in ("up", "join", "status")]
    assert len(set(ids)) == len(ids)
    assert {UUID(one).version for one in ids} == {4}


def test_1_6_several_gateways_give_one_uplink_with_all_receptions() -> None:
    town = quiet(lamps=60, bays=0)
    town.run(1200)
    several = [event for event in town.of("up") if len(event["rxInfo"]) > 1]
    assert several
    for event in several:
        ids = [info["gatewayId"] for info in event["rxInfo"]]
        assert len(set(ids)) == len(ids)
    keys = [(eui, event["devAddr"], event["fCnt"]) for kind, eui, event in town.events if kind == "up"]
    assert len(keys) == len(set(keys))


def test_1_6_a_repeated_counter_is_logged_and_is_no_second_uplink() -> None:
    town = quiet(lamps=1, bays=20, downlink_loss=0.3)
    town.run(4 * 3600)
    logs = [event for event in town.of("log") if event["code"] == "UPLINK_F_CNT_RETRANSMISSION"]
    assert logs
    for event in logs:
        assert event["level"] == "WARNING"
        assert set(event["context"]) == {"deduplication_id", "f_cnt_up"}
        assert "deduplicationId" not in event
    keys = [(eui, event["fCnt"]) for kind, eui, event in town.events if kind == "up"]
    assert len(keys) == len(set(keys))


def test_1_6_a_lower_counter_is_logged_as_a_reset_and_dropped_until_it_has_caught_up() -> None:
    town = quiet(lamps=1, bays=0)
    town.run(3600)
    last = town.of("up", town.lamp)[-1]["fCnt"]
    town.chirpstack.misbehave(town.lamp, "counter")
    town.run(1200)
    resets = [event for event in town.of("log", town.lamp) if event["code"] == "UPLINK_F_CNT_RESET"]
    assert [event["context"]["f_cnt_up"] for event in resets] == [str(n) for n in range(len(resets))]
    assert town.of("up", town.lamp)[-1]["fCnt"] == last
    town.run(2 * 3600)
    counters = [event["fCnt"] for event in town.of("up", town.lamp)]
    assert counters == sorted(set(counters))
    assert counters[-1] > last


def test_1_6_a_server_that_does_not_check_counters_takes_them_as_they_come() -> None:
    town = quiet(lamps=1, bays=0)
    town.run(3600)
    town.chirpstack.registry.devices.get(town.lamp).skip_fcnt_check = True
    town.chirpstack.misbehave(town.lamp, "counter")
    town.run(600)
    assert not town.of("log")
    assert town.of("up", town.lamp)[-1]["fCnt"] < 5


def test_1_6_a_join_sets_the_counter_to_zero_and_changes_the_address() -> None:
    town = quiet(lamps=1, bays=0)
    town.run(600)
    town.down(town.lamp, data="fe", port=51)
    town.run(120)
    first, second = town.of("join", town.lamp)
    assert first["devAddr"] != second["devAddr"]
    after = [event for event in town.of("up", town.lamp) if event["devAddr"] == second["devAddr"]]
    assert after[0]["fCnt"] == 0


@pytest.mark.parametrize(("how", "code", "joins"), [("key", "UPLINK_MIC", 1), ("nonces", "OTAA", 2)])
def test_1_6_a_join_that_cannot_be_is_logged(how: Any, code: str, joins: int) -> None:
    """A device with a wrong key never joins again; one that forgot its DevNonces does with the first unused one."""
    town = quiet(lamps=1, bays=0)
    town.run(600)
    town.chirpstack.misbehave(town.lamp, how)
    town.run(60)
    said = town.of("log", town.lamp)
    assert {(event["level"], event["code"]) for event in said} == {("ERROR", code)}
    assert UUID(said[0]["context"]["deduplication_id"])
    assert len(town.of("join", town.lamp)) == joins


def test_1_6_a_frame_without_a_port_is_an_uplink_with_port_zero_and_no_data() -> None:
    town = quiet()
    town.run(180)
    next(iter(town.chirpstack.lamps.values())).fail("silent")
    town.down(town.lamp, confirmed=True)
    town.run(30)
    last = town.of("up", town.lamp)[-1]
    assert (last["fPort"], last["data"]) == (0, "")
    assert "object" not in last


def test_1_6_the_uplink_comes_before_the_acknowledgement_that_it_carried(lived: Town) -> None:
    for index, (kind, eui, event) in enumerate(lived.events):
        if kind == "ack" and event["acknowledged"]:
            before = [one for what, who, one in lived.events[:index] if (what, who) == ("up", eui)]
            assert before[-1]["deduplicationId"] == event["deduplicationId"]


def test_1_6_a_codec_that_fails_gives_a_log_line_and_the_uplink_without_object() -> None:
    calls: list[tuple[str, int]] = []

    def codec(script: str, up: Up, variables: Mapping[str, str]) -> dict[str, Any]:
        calls.append((script, up.f_port))
        if up.f_port == 23:
            raise Truncated("too short for {what}", what=variables["model"])
        return {"port": float(up.f_port), "nested": {"list": [1.0, True, None]}}

    town = quiet(lamps=1, bays=1, codec=codec)
    registry = town.chirpstack.registry
    for profile in registry.profiles:
        if profile.supports_class_c:
            profile.payload_codec_runtime, profile.payload_codec_script = CODEC_JS, "function decodeUplink() {}"
    registry.devices.get(town.lamp).variables = {"model": "x"}
    town.run(900)
    failed = town.of("log", town.lamp)
    assert {(event["code"], event["level"], event["description"]) for event in failed} == {
        ("UPLINK_CODEC", "ERROR", "too short for x")}
    ups = {event["deduplicationId"]: event for event in town.of("up", town.lamp)}
    assert {ups[event["context"]["deduplication_id"]]["fPort"] for event in failed} == {23}
    for event in ups.values():
        assert ("object" in event) is (event["fPort"] not in (0, 23))
        assert event["fPort"] in (0, 23) or event["object"] == {"port": event["fPort"], "nested": {"list": [1.0, True, None]}}
    assert not any("object" in event for event in town.of("up", town.bay))
    assert {script for script, _ in calls} == {"function decodeUplink() {}"}


def test_2_5_a_profiles_script_is_run_as_chirpstack_runs_it() -> None:
    """`decodeUplink({bytes, fPort, recvTime, variables})` gives `{data}`; `{errors}` and what is thrown are failures."""
    script = """function decodeUplink(input) {
        if (input.fPort == 26) return {errors: ["no usage"]};
        if (input.fPort == 99) throw new Error("broken");
        return {data: {first: input.bytes[0], year: input.recvTime.getUTCFullYear(), unit: input.variables.unit}};
    }"""
    with ServerCodec() as codec:
        town = quiet(lamps=1, bays=0, codec=codec)
        registry = town.chirpstack.registry
        for profile in registry.profiles:
            profile.payload_codec_runtime, profile.payload_codec_script = CODEC_JS, script
        registry.devices.get(town.lamp).variables = {"unit": "W"}
        town.run(1200)
    said = {event["fPort"]: event for event in town.of("up", town.lamp)}
    assert said[23]["object"] == {"first": b64decode(said[23]["data"])[0], "year": 2026, "unit": "W"}
    assert "object" not in said[26]
    assert "object" not in said[99]
    assert {event["code"] for event in town.of("log")} == {"UPLINK_CODEC"}
    assert any("no usage" in event["description"] for event in town.of("log"))


@pytest.mark.parametrize("wrong", [
    {"devEui": "ffffffffffffffff", "fPort": 60}, {"fPort": 60}, {"devEui": "{}", "fPort": 0}, {"devEui": "{}", "fPort": 256},
    {"devEui": "{}", "fPort": 60, "id": "no uuid"}, {"devEui": "{}", "fPort": 60, "data": "!"}, [], "x",
    {"devEui": "{}", "fPort": 60, "expiresAt": "tomorrow"}])
def test_1_6_a_wrong_command_is_only_counted(wrong: Any) -> None:
    town = quiet(lamps=1, bays=1)
    town.run(180)
    before = len(town.events)
    said = {key: value.format(town.lamp) if value == "{}" else value for key, value in wrong.items()} \
        if isinstance(wrong, dict) else wrong
    town.raw("lamp", town.lamp, json.dumps(said).encode())
    town.run(5)
    assert town.chirpstack.stats["commands refused"] == 1
    assert {kind for kind, _, _ in town.events[before:]} <= {"up"}


def test_1_6_topic_and_payload_must_name_the_same_device_letter_by_letter() -> None:
    town = quiet(lamps=1, bays=1)
    town.run(180)
    for eui, application in ((town.lamp.upper(), "lamp"), (town.bay, "lamp")):
        town.raw(application, eui, json.dumps({"devEui": eui, "fPort": 60, "data": "AA=="}).encode())
    town.raw("lamp", town.lamp, json.dumps({"devEui": town.lamp.upper(), "fPort": 60, "data": "AA=="}).encode())
    assert town.chirpstack.stats["commands refused"] == 3


def test_1_5_events_of_old_servers_come_only_when_asked_for() -> None:
    town = quiet(lamps=60, bays=0, legacy=True)
    town.run(900)
    place = town.of("location")[0]
    assert set(place) == {"deduplicationId", "time", "deviceInfo", "location"}
    json_format.Parse(json.dumps(place), integration.LocationEvent())
    assert set(town.of("integration")[0]) == {"deduplicationId", "time", "deviceInfo", "integrationName", "eventType", "object"}


def test_1_6_device_status_comes_at_the_profiles_rate() -> None:
    town = quiet(lamps=1, bays=1, status_interval_s=86_400, usage_interval_s=86_400)
    registry = town.chirpstack.registry
    profile = registry.profiles.get(registry.devices.get(town.bay).device_profile_id)
    profile.device_status_req_interval = 24
    town.run(2 * 86_400)
    times = [datetime.fromisoformat(event["time"]).timestamp() for event in town.of("status", town.bay)]
    assert {round(b - a) for a, b in pairwise(times)} == {3600}
    for event in town.of("status", town.bay):
        steps = event["batteryLevel"] / 100 * 254
        assert steps == pytest.approx(round(steps), abs=1e-4)
        assert -32 <= event["margin"] <= 31
        assert 1 <= round(steps) <= 254


def test_1_4_a_battery_level_has_the_digits_of_32_bits() -> None:
    """Measured: 197 of 254 steps are written as 77.55905."""
    assert battery_level(197 / 2.54) == 77.55905
    assert battery_level(100) == 100.0


def test_1_4_a_txack_carries_the_context_of_the_uplink_that_the_gateway_was_chosen_by(lived: Town) -> None:
    """Measured, for `immediately` too; the reference's example has none."""
    for index, (kind, eui, event) in enumerate(lived.events):
        if kind == "txack":
            up = [one for what, who, one in lived.events[:index] if (what, who) == ("up", eui)][-1]
            assert event["txInfo"]["context"] == up["rxInfo"][0]["context"]
            assert list(event["txInfo"]) == ["frequency", "power", "modulation", "timing", "context"]
