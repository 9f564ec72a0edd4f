"""Sensors that stick, flap, fall silent or restart, wear out their batteries, and a rush of cars."""

from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pytest

from city.errors import BadInput
from city.ids import AssetId, TenantId, ZoneId
from city.orders import StatusInterval
from city.places import ParkingBay, Site
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_BATTERY,
    DEVICE_BATTERY_LOW,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_BOOT,
    DEVICE_TEMPERATURE,
)
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from decoders.vectors import reads_of
from simulator.battery import CELL_MAH, FRAME_MAH, WATCHING_MA, cell_voltage, left
from simulator.bay import FAULTS, STUCK_S, Bay, Lot
from simulator.engine import Engine
from simulator.habits import HOUR_S, LocalWeek
from simulator.sensors import VOICES
from tests.simulator.wire import Wire

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
DAY_S = 86_400


class Kerb:
    """Bays without any radio."""

    def __init__(self, model: str = "stadtfunk/bay", *, count: int = 1, seed: int = 3, stuck_per_day: float = 0.0,
                 rejoins: bool = False) -> None:
        self.engine, self.rng, self.codec = Engine(to_ns(MONDAY)), Random(seed), codec_of(model)
        self.frames = list[tuple[int, Frame]]()
        self.rejoined = 0
        radio = Wire(lambda frame: self.frames.append((self.engine.now, frame)),
                     self.join_again if rejoins else lambda: self.bay.start())
        self.bays = [Bay(ParkingBay(TenantId("t"), AssetId(f"B-{n}"), "B", Site(51, 8), ZoneId("Z")), self.codec, missed_edge=0.0,
                         engine=self.engine, rng=self.rng, radio=radio, stuck_per_day=stuck_per_day) for n in range(count)]
        self.bay = self.bays[0]
        for bay in self.bays:
            bay.start()

    def join_again(self) -> None:
        self.rejoined += 1
        self.engine.after(5, self.bay.start)

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + int(seconds * NS))

    def said(self) -> list[dict[str, object]]:
        return [dict(reads_of(self.codec.decode_uplink(frame))) for _, frame in self.frames]

    def forget(self) -> None:
        self.frames.clear()


@pytest.mark.parametrize("model", VOICES)
def test_a_stuck_sensor_goes_on_beating_and_never_changes_until_it_is_repaired(model: str) -> None:
    kerb = Kerb(model)
    kerb.run(60)
    kerb.bay.fail("stuck")
    kerb.forget()
    kerb.bay.move(True)
    kerb.run(2.2 * max(kerb.codec.heartbeat.total_seconds(), 600))
    assert kerb.frames
    assert all(said[BAY_OCCUPIED.name] is False for said in kerb.said() if BAY_OCCUPIED.name in said)
    kerb.bay.fail("")
    kerb.run(30)
    assert kerb.said()[-1][BAY_OCCUPIED.name] is True


def test_a_flapping_sensor_reports_more_than_six_edges_in_ten_minutes_and_stops_when_repaired() -> None:
    kerb = Kerb()
    kerb.bay.fail("flapping")
    kerb.forget()
    kerb.run(3600)
    states = [said[BAY_OCCUPIED.name] for said in kerb.said()]
    assert len(states) > 36
    assert all(one is not other for one, other in pairwise(states))
    kerb.bay.fail("")
    kerb.run(60)
    kerb.forget()
    kerb.run(3600)
    assert kerb.frames == []
    assert kerb.bay.believed is kerb.bay.occupied


def test_a_silent_sensor_says_and_answers_nothing() -> None:
    kerb = Kerb()
    kerb.bay.fail("silent")
    kerb.forget()
    kerb.bay.move(True)
    kerb.bay.receive(kerb.codec.encode_downlink(StatusInterval(3600)))
    kerb.run(3 * DAY_S)
    assert kerb.frames == []
    kerb.bay.fail("")
    kerb.run(1.1 * DAY_S)
    assert kerb.said()[0][BAY_OCCUPIED.name] is True


@pytest.mark.parametrize("rejoins", [False, True])
def test_a_rebooting_sensor_starts_again_and_again_by_its_watchdog_and_beats_only_once_a_day(rejoins: bool) -> None:
    kerb = Kerb(rejoins=rejoins)
    kerb.bay.fail("rebooting")
    kerb.forget()
    kerb.run(DAY_S)
    starts = [said for said in kerb.said() if DEVICE_BOOT.name in said]
    assert 15 <= len(starts) <= 72
    assert {said[DEVICE_BOOT.name] for said in starts} == {"watchdog"}
    assert kerb.rejoined == (len(starts) if rejoins else 0)
    kerb.bay.fail("")
    kerb.run(2 * DAY_S)
    kerb.forget()
    kerb.run(10 * DAY_S)
    assert 9 <= len(kerb.frames) <= 11


def test_sensors_get_stuck_by_themselves_as_often_as_configured_and_learn_their_bay_anew() -> None:
    kerb, days = Kerb(count=400, stuck_per_day=0.02), 40
    stuck = 0
    for _ in range(days):
        kerb.run(DAY_S)
        stuck += sum(bay.fault == "stuck" for bay in kerb.bays)
    share = stuck / days / 400
    assert share == pytest.approx(0.02 * STUCK_S / DAY_S, rel=0.2)


def test_an_unknown_fault_is_refused() -> None:
    assert FAULTS[0] == ""
    with pytest.raises(ValueError, match="no such fault"):
        Kerb().bay.fail("haunted")


def test_a_battery_runs_down_with_time_and_with_frames_and_then_the_sensor_is_dead() -> None:
    quiet, busy = Kerb(seed=5), Kerb(seed=5)
    begin = quiet.bay.battery
    for turn in range(2000):
        busy.bay.move(turn % 2 == 0)
        busy.run(900)
    quiet.run(2000 * 900)
    hours = 2000 * 900 / 3600
    for kerb in (quiet, busy):
        used = hours * WATCHING_MA + (len(kerb.frames) - 1) * FRAME_MAH  # it had already started
        assert begin - kerb.bay.battery == pytest.approx(100 * used / CELL_MAH)
    assert len(busy.frames) > 50 * len(quiet.frames)
    quiet.run(15 * 365 * DAY_S)
    quiet.forget()
    quiet.run(10 * DAY_S)
    assert (quiet.bay.battery, quiet.frames) == (0.0, [])


def test_a_battery_lasts_for_years_and_its_voltage_falls_at_the_end_and_in_the_cold() -> None:
    assert 5 < next(years for years in range(30) if left(1.0, years * 8766, years * 365 * 30) == 0) < 12
    assert cell_voltage(0.9, 20) == cell_voltage(0.2, 20) > cell_voltage(0.05, 20) > cell_voltage(0.0, 20)
    assert cell_voltage(0.9, 20) - cell_voltage(0.9, -20) == pytest.approx(0.2)


@pytest.mark.parametrize(("model", "name"), [
    ("stadtfunk/bay", DEVICE_BATTERY.name), ("moko/lw009", DEVICE_BATTERY.name), ("pni/placepod", DEVICE_BATTERY_VOLTAGE.name),
    ("netvox/r719a", DEVICE_BATTERY_VOLTAGE.name), ("nwave/nps405", DEVICE_BATTERY_VOLTAGE.name)])
def test_a_sensor_that_tells_its_battery_tells_less_when_it_is_nearly_empty(model: str, name: str) -> None:
    shown = []
    for share in (0.9, 0.03):
        kerb = Kerb(model)
        kerb.bay._begin = share
        kerb.run(2 * kerb.codec.heartbeat.total_seconds())
        shown.append(next(float(said[name]) for said in reversed(kerb.said()) if name in said))  # type: ignore[arg-type]
    assert shown[1] < shown[0]


def test_a_sensor_asks_for_a_new_battery_in_time() -> None:
    for share, low in ((0.5, False), (0.05, True)):
        kerb = Kerb("tekzitel/tekzipark")
        kerb.bay._begin = share
        kerb.run(2 * DAY_S)
        assert kerb.said()[-1][DEVICE_BATTERY_LOW.name] is low


def test_the_ground_is_colder_in_winter_under_a_car_and_no_two_thermometers_agree_for_ever() -> None:
    kerb = Kerb("bosch/tps110", count=30)
    kerb.run(120 * DAY_S)
    winter = [float(said[DEVICE_TEMPERATURE.name]) for said in kerb.said()[-60:] if DEVICE_TEMPERATURE.name in said]  # type: ignore[arg-type]
    kerb.run(140 * DAY_S)
    summer = [float(said[DEVICE_TEMPERATURE.name]) for said in kerb.said()[-60:] if DEVICE_TEMPERATURE.name in said]  # type: ignore[arg-type]
    assert sum(winter) / len(winter) < 8 < 15 < sum(summer) / len(summer)
    assert len({round(bay._wander, 3) for bay in kerb.bays}) == 30
    warm = kerb.bay._warmth()
    kerb.bay.occupied = True
    assert kerb.bay._warmth() == pytest.approx(warm - 2)


def lot(kerb: Kerb) -> Lot:
    return Lot(kerb.bays, "city", LocalWeek("Europe/Berlin"), engine=kerb.engine, rng=kerb.rng)


def test_a_rush_fills_a_lot_and_is_over_when_it_is_over() -> None:
    usual, rushed = (Kerb(count=200, seed=8) for _ in range(2))
    lots = [lot(usual), lot(rushed)]
    for kerb in (usual, rushed):
        kerb.run(10 * HOUR_S)
    lots[1].rush(5.0, rushed.engine.now + int(2 * HOUR_S * NS))
    peaks = []
    for _ in range(2):
        for kerb in (usual, rushed):
            kerb.run(HOUR_S)
        peaks.append([one.occupied for one in lots])
    assert peaks[-1][1] > 1.5 * peaks[-1][0]
    for kerb in (usual, rushed):
        kerb.run(24 * HOUR_S)
    assert abs(lots[0].occupied - lots[1].occupied) < 40


def test_nobody_comes_while_a_street_is_closed() -> None:
    kerb = Kerb(count=50)
    closed = lot(kerb)
    kerb.run(9 * HOUR_S)
    closed.rush(0.0, kerb.engine.now + int(3 * DAY_S * NS))
    kerb.run(2 * DAY_S)
    assert closed.occupied == 0
    kerb.run(3 * DAY_S)
    assert closed.occupied > 0


def test_a_newer_rush_takes_the_place_of_the_one_before() -> None:
    kerb = Kerb(count=50)
    one = lot(kerb)
    one.rush(3.0, kerb.engine.now + int(HOUR_S * NS))
    one.rush(0.0, kerb.engine.now + int(DAY_S * NS))
    kerb.run(20 * HOUR_S)
    before = one.occupied
    kerb.run(3 * HOUR_S)
    assert one.occupied <= before
    with pytest.raises(ValueError, match="no factor"):
        one.rush(-1.0, kerb.engine.now)


def test_the_same_seed_parks_the_same_cars() -> None:
    runs = []
    for _ in range(2):
        kerb = Kerb(count=20, seed=11, stuck_per_day=0.05)
        lot(kerb).rush(2.0, kerb.engine.now + int(HOUR_S * NS))
        kerb.run(3 * DAY_S)
        runs.append(kerb.frames)
    assert runs[0] == runs[1]


def test_nonsense_is_not_kept() -> None:
    kerb = Kerb()
    with pytest.raises(BadInput):
        kerb.codec.decode_downlink(Frame(11, b"\x00"))
    kerb.bay.receive(Frame(11, b"\x00"))
    assert dict(kerb.bay._kept) == {}
