"""A controller of each model reports in time, obeys what it can be told, and shows its faults in what its codec reads."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from city.errors import Refused
from city.orders import (
    AlarmLimits,
    Clock,
    DayTime,
    DimTask,
    DimWindow,
    FallbackLevel,
    Order,
    Parameters,
    ReadStatus,
    ReadTask,
    Reboot,
    RemoveTask,
    Resume,
    SetLevel,
    StatusInterval,
    UplinkConfirmation,
    UsageInterval,
    from_json,
)
from city.places import Luminaire
from decoders.catalog import catalog, codec_of
from decoders.codec import Frame
from decoders.vectors import reads_of
from simulator.chirpstack import ChirpStack
from simulator.controllers import CONTROLLERS
from simulator.engine import Engine
from simulator.lamp import lamp_of
from simulator.plan import Devices
from simulator.scenario import Scenario
from simulator.timetable import Sky
from tests.simulator.conftest import NIGHT, PLACE, Pole
from tests.simulator.wire import Wire

MakePole = Callable[..., Pole]
LAMPS = {model for model, codec in catalog().items() if codec.asset == "lamp"}
SAY_A_LEVEL = ("nas/ul20xx", "nas/ul20xx-10", "nas/ul20xx-06", "stadtfunk/lamp", "slscorp/volc2180", "zane/zlamp")
DIMS = ("nas/ul20xx", "nas/ul20xx-10", "stadtfunk/lamp")


def heard(pole: Pole) -> list[dict[str, Any]]:
    """All that was said, decoded, with channels."""
    return [dict(reads_of(pole.codec.decode_uplink(frame))) for _, frame in pole.frames]


def last(pole: Pole, name: str) -> Any:
    return next(said[name] for said in reversed(heard(pole)) if name in said)


def test_each_lamp_of_the_catalogue_can_be_simulated_whose_maker_publishes_its_bytes() -> None:
    assert LAMPS - set(CONTROLLERS) <= {"acrios/acr-slc", "generic/cayenne-lpp"}
    assert set(CONTROLLERS) <= LAMPS


def test_a_model_without_published_bytes_is_refused() -> None:
    asset = Pole().lamp.asset
    with pytest.raises(ValueError, match="acr-slc"):
        lamp_of("acrios/acr-slc", asset, Devices(), engine=Engine(0), sky=Sky(PLACE), rng=Random(1), radio=Wire(list))


@pytest.mark.parametrize("model", CONTROLLERS)
def test_all_that_a_controller_says_in_two_days_is_read_by_its_codec(make_pole: MakePole, model: str) -> None:
    pole = make_pole(model=model)
    pole.lamp.start()
    pole.run(2 * 86_400)
    assert heard(pole)
    assert all(said for said in heard(pole))
    assert 280 <= len(pole.frames) <= 500
    assert max(len(frame.data) for _, frame in pole.frames) <= (88 if model == "vsb/msd" else 51)


@pytest.mark.parametrize("model", CONTROLLERS)
def test_the_same_seed_says_the_same_bytes(make_pole: MakePole, model: str) -> None:
    runs = []
    for _ in range(2):
        pole = make_pole(model=model, seed=7)
        pole.lamp.start()
        pole.run(4 * 3600)
        pole.lamp.cut()
        pole.run(600)
        pole.lamp.restore()
        pole.run(3600)
        runs.append(pole.frames)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("model", SAY_A_LEVEL)
def test_it_says_the_level_that_its_calendar_wants(make_pole: MakePole, model: str) -> None:
    pole = make_pole(model=model, start=datetime(2026, 11, 21, 13, tzinfo=UTC)).settled()
    pole.run(700)
    assert last(pole, "lamp.level") == 0
    pole.until(datetime(2026, 11, 21, 17, tzinfo=UTC))
    assert last(pole, "lamp.level") == 100


@pytest.mark.parametrize("model", DIMS)
def test_it_obeys_a_level_for_minutes_and_goes_back_by_itself(make_pole: MakePole, model: str) -> None:
    pole = make_pole(model=model).settled()
    pole.order(SetLevel(40, minutes=5))
    pole.run(25)
    assert last(pole, "lamp.level") == 40
    assert last(pole, "lamp.reason") == "manual"
    pole.run(320)
    assert last(pole, "lamp.level") == 100


@pytest.mark.parametrize(("model", "order"), [
    (model, order) for model in DIMS for order in (SetLevel(30), Resume(), StatusInterval(900), UsageInterval(900),
                                                   FallbackLevel(20))])
def test_it_confirms_each_order_as_its_codec_expects(make_pole: MakePole, model: str, order: Order) -> None:
    pole = make_pole(model=model).settled()
    frame = pole.order(order)
    pole.run(3)
    assert {"device.echo": pole.codec.echo(frame)} in heard(pole)


def test_firmware_0_6_dims_until_told_otherwise_and_refuses_nothing(make_pole: MakePole) -> None:
    pole = make_pole(model="nas/ul20xx-06").settled()
    pole.order(SetLevel(30))
    pole.lamp.receive(Frame(60, b"\x77"))
    pole.run(25)
    assert last(pole, "lamp.level") == 30
    assert not any("device.rejected" in said for said in heard(pole))


@pytest.mark.parametrize(("model", "fault", "name", "value"), [
    ("nas/ul20xx", "lamp failure", "lamp.failure", True), ("nas/ul20xx", "driver failure", "lamp.driver_error", True),
    ("nas/ul20xx", "relay welded", "lamp.relay_closed", True), ("nas/ul20xx", "day burner", "device.clock_valid", False),
    ("nas/ul20xx-10", "lamp failure", "lamp.failure", True), ("stadtfunk/lamp", "lamp failure", "lamp.failure", True),
    ("stadtfunk/lamp", "driver failure", "lamp.event", "driver-alert"), ("comtac/e1310", "lamp failure", "lamp.failure", True),
    ("comtac/e1310", "driver failure", "lamp.dali_error", True), ("comtac/e1310", "lamp failure", "lamp.lit", False),
    ("zane/zlamp", "lamp failure", "device.fault", "fault"), ("slscorp/volc2180", "lamp failure", "lamp.power", 1.0)])
def test_a_fault_shows_within_a_minute_or_with_the_next_report(make_pole: MakePole, model: str, fault: str, name: str,
                                                               value: object) -> None:
    pole = make_pole(model=model).settled()
    pole.run(1000)
    pole.frames.clear()
    pole.lamp.fail(fault)
    pole.run(620)
    assert last(pole, name) == value


def test_a_failed_lamp_is_an_event_within_seconds_and_its_repair_too(make_pole: MakePole) -> None:
    pole = make_pole(model="stadtfunk/lamp").settled()
    pole.lamp.fail("lamp failure")
    pole.run(25)
    pole.lamp.fail("")
    pole.run(25)
    assert [said["lamp.event"] for _, said in pole.said(2)] == ["lamp-failure", "recovered"]


def test_a_ul20xx_says_on_its_event_port_that_its_driver_reports_a_failure(pole: Pole) -> None:
    pole.settled().lamp.fail("lamp failure")
    pole.run(25)
    [(_, said)] = pole.said(61)
    assert (said["lamp.event"], said["lamp.failure"]) == ("driver-alert", True)


@pytest.mark.parametrize(("limits", "event"), [
    (AlarmLimits(max_power=10), "power-limit"), (AlarmLimits(max_voltage=200), "voltage-limit"),
    (AlarmLimits(min_power_factor=0.99), "power-factor-limit")])
def test_a_limit_that_is_passed_is_reported_at_once(make_pole: MakePole, limits: AlarmLimits, event: str) -> None:
    pole = make_pole(model="stadtfunk/lamp").settled()
    pole.order(limits)
    pole.run(650)
    assert pole.said(2)[0][1]["lamp.event"] == event


def test_a_day_burner_burns_by_day_at_its_fallback_with_an_unset_clock(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 6, 21, 10, tzinfo=UTC)).settled()
    pole.lamp.fail("day burner")
    pole.run(700)
    assert (last(pole, "lamp.level"), last(pole, "lamp.reason")) == (100, "fallback")
    pole.run(86_400)
    assert pole.lamp.power() > 30
    pole.lamp.fail("")
    assert (pole.lamp.level, pole.lamp.reason) == (0, "calendar-day")


def test_a_welded_relay_burns_while_the_level_is_nought(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 6, 21, 10, tzinfo=UTC)).settled()
    pole.lamp.fail("relay welded")
    pole.run(1000)
    assert (last(pole, "lamp.level"), last(pole, "lamp.relay_closed")) == (0, False)
    assert last(pole, "lamp.power") == pytest.approx(40, rel=0.08)


def test_a_clock_that_is_set_wrong_moves_the_calendar_until_the_network_tells_the_time(make_pole: MakePole) -> None:
    pole = make_pole().settled()
    pole.order(Clock(NIGHT + timedelta(hours=16)))
    pole.run(30)
    assert (pole.lamp.level, pole.lamp.reason) == (0, "calendar-day")
    assert last(pole, "device.clock") == pytest.approx((NIGHT + timedelta(hours=16)).timestamp(), abs=60)
    pole.order(Clock(None))
    assert pole.lamp.reason == "calendar-night"
    pole.lamp.step_clock(16 * 3600)
    assert pole.lamp.level == 0


def test_our_own_lamp_refuses_by_the_codes_of_its_document(make_pole: MakePole) -> None:
    pole = make_pole(model="stadtfunk/lamp").settled()
    pole.order(UplinkConfirmation(confirmed=True))
    for port, data in ((10, "a11863f5"), (10, "a100811865"), (10, "a100fb"), (9, "a0")):
        pole.lamp.receive(Frame(port, bytes.fromhex(data)))
    pole.run(5)
    assert sorted(said["device.rejected"] for said in heard(pole)) == ["10:01", "10:02", "10:03", "11:01", "9:01"]


def test_a_volc2180_answers_with_its_meter_and_sends_it_unasked_with_a_temperature(make_pole: MakePole) -> None:
    pole = make_pole(model="slscorp/volc2180").settled()
    pole.order(ReadStatus())
    pole.run(10)
    [answer] = heard(pole)
    assert "device.temperature" not in answer
    assert answer["lamp.power"] == pytest.approx(40, abs=3)
    assert answer["lamp.current"] * answer["lamp.voltage"] * answer["lamp.power_factor"] == pytest.approx(
        answer["lamp.power"], rel=0.06)
    pole.run(620)
    assert "device.temperature" in heard(pole)[-1]


def test_a_ws558_keeps_its_relays_as_told_repeats_the_order_and_meters_the_lines(make_pole: MakePole) -> None:
    pole = make_pole(model="milesight/ws558").settled()
    frame = pole.order(SetLevel(100))
    pole.order(SetLevel(0, channel="relay-3"))
    pole.run(30)
    assert {"device.echo": pole.codec.echo(frame)} in heard(pole)
    assert [last(pole, f"lamp.relay_closed@relay-{n}") for n in range(1, 9)] == [n != 3 for n in range(1, 9)]
    assert last(pole, "lamp.power") == pytest.approx(40 * 7 / 8, rel=0.07)
    pole.order(Reboot())
    pole.run(86_400)
    assert last(pole, "lamp.relay_closed@relay-1") is True
    pole.order(Parameters((("clear_power_consumption", 1),)))
    pole.run(620)
    assert last(pole, "lamp.energy") < 10


def test_a_relay_node_switches_by_its_own_times_with_an_outage_in_between(make_pole: MakePole) -> None:
    pole = make_pole(model="lra/relay4").settled()
    told = {"relay_modes": 0b10_01_00_10, "on": 180, "off": 60, "outage_begin": 230, "outage_end": 40}
    pole.order(Parameters(tuple(sorted(told.items()))))
    closed = []
    for at in (22, 24, 27, 29, 31):
        pole.until(datetime(2026, 11, 21, tzinfo=UTC) + timedelta(hours=at, minutes=15))
        closed.append([last(pole, f"lamp.relay_closed@relay-{n}") for n in range(1, 5)])
    night, outage, day = [True, False, True, True], [False, False, True, False], [False, False, True, False]
    assert closed == [night, outage, outage, night, day]
    assert last(pole, "lamp.mode@relay-3") == "on"
    assert last(pole, "device.config_checksum") == 180 ^ 60 ^ 230 ^ 40
    assert last(pole, "device.time_of_day") == pytest.approx(7 * 3600, abs=1000)


@pytest.mark.parametrize(("mode", "by_day", "by_night"), [(0, False, False), (1, True, True), (3, False, True), (5, False, True)])
def test_a_switching_device_follows_its_mode_and_answers_with_its_settings(make_pole: MakePole, mode: int, by_day: bool,
                                                                           by_night: bool) -> None:
    pole = make_pole(model="vsb/msd").settled()
    order = Parameters((("off_time_1", 6 * 3600), ("on_time_1", 17 * 3600), ("working_mode", mode)))
    pole.order(order)
    pole.run(5)
    answer = heard(pole)[-1]
    assert answer["lamp.mode"] == ("off", "on", "light", "clock", "light-and-clock", "sun")[mode]
    assert answer["device.setting@on_time_1"] == 17 * 3600
    pole.run(700)
    assert last(pole, "lamp.relay_closed") is by_night
    pole.until(datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert last(pole, "lamp.relay_closed") is by_day
    used = last(pole, "lamp.energy_used")
    assert used == pytest.approx(40 / 6 if by_day else 0, abs=2)


def test_a_switching_device_says_which_setting_it_refuses_and_is_silent_to_a_wrong_password(make_pole: MakePole) -> None:
    pole = make_pole(model="vsb/msd").settled()
    pole.lamp.receive(Frame(2, bytes.fromhex("648004d2" "650009")))
    pole.run(5)
    assert last(pole, "device.rejected") == "2:20"
    pole.frames.clear()
    pole.order(Parameters((("password", 4321), ("working_mode", 0))))
    pole.run(5)
    assert pole.frames == []
    assert pole.lamp.level == 100


TASK = DimTask(7, date(2026, 1, 1), (DimWindow(DayTime(0, "sunset"), DayTime(21 * 60), 80),
                                    DimWindow(DayTime(21 * 60), DayTime(0, "sunrise"), 40)))


def test_an_lcc_answers_for_tasks_burns_by_them_and_loses_them_when_it_joins(make_pole: MakePole) -> None:
    pole = make_pole(model="zenosmart/lcc", start=NIGHT).settled()
    frame = pole.order(TASK)
    pole.run(5)
    assert last(pole, "device.echo") == pole.codec.echo(frame)
    assert (pole.lamp.level, pole.lamp.reason) == (80, "task")
    pole.order(ReadTask(0))
    pole.run(5)
    assert from_json(last(pole, "lamp.task@slot-0")) == TASK
    pole.order(TASK)  # the number is taken
    pole.order(RemoveTask(99))
    pole.run(5)
    assert sum("device.rejected" in said for said in heard(pole)) == 2
    pole.join_again()
    pole.run(60)
    assert (pole.lamp.level, pole.lamp.reason) == (100, "fallback")
    assert {"device.heartbeat": True} in heard(pole)


def test_an_lcc_keeps_a_level_by_hand_until_its_task_goes_on_at_the_half_speed_of_its_clock(make_pole: MakePole) -> None:
    pole = make_pole(model="zenosmart/lcc", start=NIGHT).settled()  # 20:00
    pole.order(TASK)
    pole.order(SetLevel(10))
    pole.run(3600 + 1200)  # 21:21 for us, 20:42 for its clock
    assert (pole.lamp.level, pole.lamp.reason) == (10, "manual")
    pole.run(2400)
    assert (pole.lamp.level, pole.lamp.reason) == (40, "task")


def test_a_controller_keeps_no_order_that_it_does_not_have() -> None:
    for model, firmware in CONTROLLERS.items():
        if model in ("zenosmart/lcc", "milesight/ws558", "lra/relay4", "vsb/msd"):
            continue
        with pytest.raises(Refused):
            firmware.obey(Pole(model=model).lamp, UplinkConfirmation(confirmed=False))


def test_a_lamp_hangs_where_its_asset_does_and_bears_a_number_of_its_own() -> None:
    one, other = Pole().lamp, Pole().lamp
    assert one.serial == other.serial < 2**28
    moved = Luminaire(one.asset.tenant, "L-2", "L 2", PLACE, one.asset.zone)  # type: ignore[arg-type]
    lamp = lamp_of("nas/ul20xx", moved, Devices(), engine=Engine(0), sky=Sky(PLACE), rng=Random(1), radio=Wire(list))
    assert lamp.serial != one.serial
    assert codec_of("nas/ul20xx").model == "nas/ul20xx"


def test_a_controller_of_class_a_hears_an_order_only_after_it_has_spoken() -> None:
    town = Scenario.load().sized(lamps=2, bays=0)
    sites = tuple(replace(site, model=model)
                  for site, model in zip(town.lamps, ("zenosmart/lcc", "nas/ul20xx"), strict=True))
    server = ChirpStack(replace(town, lamps=sites), seed=1, start=NIGHT)
    assert [station.who.device_class for station in server._stations.values()] == ["CLASS_A", "CLASS_C"]
    server.advance(NIGHT + timedelta(minutes=30))
    levels = {site.device.dev_eui: server.lamps[site.lamp.id] for site in sites}
    now, obeyed = NIGHT + timedelta(minutes=30), dict[str, int]()
    for site in sites:
        frame = codec_of(site.device.model).encode_downlink(SetLevel(30))
        command = {"devEui": site.device.dev_eui, "fPort": frame.port, "data": b64encode(frame.data).decode()}
        topic = f"application/{town.application('lamp')}/device/{site.device.dev_eui}/command/down"
        server.command(topic, json.dumps(command).encode(), now)
    for second in range(900):
        server.advance(now + timedelta(seconds=second))
        obeyed |= {eui: second for eui, lamp in levels.items() if lamp.level == 30 and eui not in obeyed}
    lcc, nas = (obeyed[site.device.dev_eui] for site in sites)
    assert nas < 10
    assert 10 < lcc <= 610
