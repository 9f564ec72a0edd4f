"""A zone dimmed over the true air, small: the bench's town with 60 lamps, of which 20 are dimmed."""

import pytest

from bench._dimming import inline
from bench._dimming.measure import Case, Dimmed, measure
from bench._dimming.place import ZONES, scenario
from bench._dimming.table import failures, page
from bench.dimming import BEGIN, END, put
from city.airtime import DUTY_CYCLE, HOUR_S, Estimate

LAMPS, ZONE_LAMPS = 60, 20


@pytest.fixture(scope="module")
def by_group() -> Dimmed:
    return inline.run(measure([Case(LAMPS, 0.05, groups=True, settle_s=300.0, pause_s=0.0, most_s=600.0)]))[0]


def test_all_lamps_obey_within_the_estimate_and_the_platform_knows(by_group: Dimmed) -> None:
    assert by_group.lamps == ZONE_LAMPS
    assert len(by_group.obeyed) == len(by_group.known) == ZONE_LAMPS
    assert by_group.within(1.0) is not None
    assert by_group.within(1.0) <= 30.0
    assert by_group.within(1.0, known=True) <= 600.0
    assert by_group.estimate.last_s <= 30.0
    assert by_group.estimate.soonest_s <= by_group.estimate.last_s <= by_group.estimate.latest_s <= 60.0
    assert by_group.estimate.waits_s == 0.0


def test_it_takes_a_frame_a_round_and_gateway_and_no_more_of_the_hour_than_is_lawful(by_group: Dimmed) -> None:
    assert by_group.group_frames + by_group.single_frames < ZONE_LAMPS
    assert by_group.group_frames == by_group.estimate.frames
    assert 0.0 < by_group.busiest_s <= HOUR_S * DUTY_CYCLE
    assert by_group.refused == 0


def test_nobody_else_is_dimmed(by_group: Dimmed) -> None:
    assert by_group.by_group <= ZONE_LAMPS


def test_the_town_has_its_lamps_in_equal_zones() -> None:
    town = scenario(300)
    assert {zone: sum(site.lamp.zone == zone for site in town.lamps) for zone in ZONES} == dict.fromkeys(ZONES, 100)
    assert len(town.antennas) == 4


def dimmed(seconds: float, *, known: float) -> Dimmed:
    times = [seconds * (index + 1) / 1000 for index in range(1000)]
    estimate = Estimate(1000, 12, 2.0, 21.0, soonest_s=16.0, latest_s=26.0)
    return Dimmed(Case(3000, 0.05, groups=True), 1000, estimate, times, [known] * 1000, 1000,
                  1.0, 16.0, 56.0, 12, 0, [0.5] * 4, 40.0, 0, 1000, 10, 900.0)


def test_the_table_says_what_is_met_and_what_is_not() -> None:
    assert failures([dimmed(20.0, known=200.0)]) == []
    assert len(failures([dimmed(60.0, known=1000.0)])) == 5
    assert "**no**" in page([dimmed(60.0, known=1000.0)])


def test_the_page_keeps_what_stands_around_the_table(tmp_path) -> None:
    path = tmp_path / "dimming.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put(path, "new")
    put(path, "newer")
    assert path.read_text() == f"before\n{BEGIN}\nnewer\n{END}\nafter\n"
