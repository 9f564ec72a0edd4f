"""People come and go as the counts say, and sensors notice nearly all of it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from city.ids import AssetId, TenantId, ZoneId
from city.places import ParkingBay, Restriction, Site
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator.bay import HEARTBEAT, START, STATUS, Bay, Lot
from simulator.engine import Engine
from simulator.habits import CURVES, HOUR_S, LocalWeek, arrivals, stay, wanted_occupancy
from simulator.plan import Habit
from simulator.scenario import BAY_MODEL
from tests.simulator.wire import Wire

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
CODEC = codec_of(BAY_MODEL)


class Kerb:
    """Bays without any radio."""

    def __init__(self, count: int = 1, *, missed_edge: float = 0.0, reserved: int = 0) -> None:
        self.engine, self.rng, self.frames = Engine(to_ns(MONDAY)), Random(3), []
        self.bays = [Bay(ParkingBay(TenantId("t"), AssetId(f"B-{n}"), f"B {n}", Site(51, 8), ZoneId("Z"),
                                    Restriction.DISABLED if n < reserved else Restriction.NONE), CODEC,
                         missed_edge=missed_edge, engine=self.engine, rng=self.rng, radio=Wire(self.hear))
                     for n in range(count)]
        for bay in self.bays:
            bay.start()

    def hear(self, frame: Frame) -> None:
        self.frames.append((self.engine.now, frame))

    def run(self, seconds: float) -> None:
        self.engine.run(self.engine.now + int(seconds * NS))

    def said(self, port: int) -> list[bool]:
        return [bool(frame.data[-1 if port == START else 0] & 1) for _, frame in self.frames if frame.port == port]

    def lot(self, habit: Habit) -> Lot:
        return Lot(self.bays, habit, LocalWeek("Europe/Berlin"), engine=self.engine, rng=self.rng)


@pytest.mark.parametrize("habit", list(CURVES))
def test_occupancy_follows_the_curve_of_its_kind_over_a_week(habit: Habit) -> None:
    kerb = Kerb(600)
    lot, week, off, bias = kerb.lot(habit), LocalWeek("Europe/Berlin"), [], []
    for _ in range(7 * 24):
        kerb.run(HOUR_S)
        wanted = wanted_occupancy(habit, week.seconds(kerb.engine.now))
        bias.append(lot.occupied / 600 - wanted)
        off.append(abs(bias[-1]))
    assert sum(off) / len(off) < 0.045
    assert abs(sum(bias) / len(bias)) < 0.03


def test_a_small_lot_is_as_its_curve_says_from_the_first_minute() -> None:
    shares = []
    for seed in range(60):
        kerb = Kerb(18)
        kerb.rng.seed(seed)
        shares.append(kerb.lot("city").occupied / 18)
    assert sum(shares) / len(shares) == pytest.approx(wanted_occupancy("city", HOUR_S), abs=0.04)


def test_short_stays_have_the_median_that_surveys_found() -> None:
    rng = Random(1)
    stays = sorted(stay("city", rng) for _ in range(20_000))
    assert stays[10_000] / 60 == pytest.approx(36, abs=3)
    assert sum(one <= 3600 for one in stays) / 20_000 == pytest.approx(0.70, abs=0.05)


def test_nobody_arrives_at_a_negative_rate_and_mornings_are_busy() -> None:
    for habit in CURVES:
        assert min(arrivals(habit)) >= 0
    assert arrivals("commuter")[7 * 4] > 5 * arrivals("commuter")[2 * 4]


def test_a_full_lot_turns_people_away_and_never_holds_two_in_a_bay() -> None:
    kerb = Kerb(2)
    lot = kerb.lot("resident")
    for _ in range(24 * 30):
        kerb.run(HOUR_S)
        assert 0 <= lot.occupied <= 2


def test_reserved_bays_are_used_less() -> None:
    kerb = Kerb(40, reserved=20)
    lot, used = kerb.lot("city"), [0, 0]
    for _ in range(24 * 14):
        kerb.run(HOUR_S)
        used[0] += sum(bay.occupied for bay in lot.bays[:20])
        used[1] += sum(bay.occupied for bay in lot.bays[20:])
    assert 0.2 * used[1] < used[0] < 0.8 * used[1]


def test_an_edge_is_reported_within_half_a_minute() -> None:
    kerb = Kerb()
    kerb.run(60)
    kerb.bays[0].move(True)
    kerb.run(30)
    assert kerb.said(STATUS) == [True]
    kerb.bays[0].move(False)
    kerb.run(30)
    assert kerb.said(STATUS) == [True, False]


def test_a_stop_too_short_to_be_noticed_is_not_reported() -> None:
    kerb = Kerb()
    kerb.run(60)
    kerb.bays[0].move(True)
    kerb.run(1)
    kerb.bays[0].move(False)
    kerb.run(60)
    assert kerb.said(STATUS) == []


def test_it_says_its_state_at_the_start_and_every_day() -> None:
    kerb = Kerb()
    assert kerb.said(START) == [False]
    kerb.bays[0].move(True)
    kerb.run(10 * 86_400)
    beats = [at for at, frame in kerb.frames if frame.port == HEARTBEAT]
    assert len(beats) == 10
    gaps = [(b - a) / NS for a, b in pairwise(beats)]
    assert all(abs(gap - 86_400) <= 300 for gap in gaps)
    assert len({round(gap) for gap in gaps}) > 5
    assert all(kerb.said(HEARTBEAT))


def test_missed_edges_make_belief_and_truth_differ_as_often_as_configured() -> None:
    kerb = Kerb(1, missed_edge=0.04)
    wrong = 0
    for turn in range(5000):
        kerb.bays[0].move(turn % 2 == 0)
        kerb.run(60)
        wrong += kerb.bays[0].believed != kerb.bays[0].occupied
    assert 0.02 < wrong / 5000 < 0.07


def test_the_local_week_knows_summer_time() -> None:
    week = LocalWeek("Europe/Berlin")
    assert week.seconds(to_ns(MONDAY)) == HOUR_S
    assert week.seconds(to_ns(datetime(2026, 7, 6, tzinfo=UTC) + timedelta(hours=5))) == 7 * HOUR_S
