"""The formulas, and the air of the event level that is made of them."""

from math import sqrt
from random import Random
from statistics import fmean, pstdev

import pytest

from city.airtime import FSK
from simulator.propagation import (
    GATEWAY_DBI,
    SHADOWING_DB,
    noise_dbm,
    path_loss,
    rejection,
    sensitivity,
    shadowing,
    shown_rssi,
    shown_snr,
    together,
)
from simulator.radio import MOST_GATEWAYS, Air, Jammer, Link, Map, Weather
from tests.simulator.radio_scene import antenna, site


def test_loss_at_a_kilometre_is_what_was_measured_in_oulu():
    assert path_loss(1000, 24.0, 1.5) == pytest.approx(128.95, abs=1.5)  # Petäjäjärvi et al. 2015


def test_loss_grows_with_distance_and_shrinks_with_height():
    losses = [path_loss(metres, 25, 1.5) for metres in (0, 1, 10, 100, 1000, 10_000)]
    assert losses == sorted(losses)
    assert path_loss(10_000, 25, 1.5) - path_loss(1000, 25, 1.5) == pytest.approx(39.08, abs=0.05)
    assert path_loss(1000, 40, 8) < path_loss(1000, 25, 8) < path_loss(1000, 25, 1) < path_loss(1000, 10, 1)
    assert path_loss(1, 25, 25) == pytest.approx(32.44 - 1.23, abs=0.01), "never less than free space"


def test_sensitivities_are_those_of_the_datasheets():
    assert noise_dbm(125_000) == pytest.approx(-117.0, abs=0.05)
    assert [round(sensitivity(sf, 125_000)) for sf in range(7, 13)] == [-125, -127, -130, -132, -135, -137]
    assert sensitivity(7, 250_000) - sensitivity(7, 125_000) == pytest.approx(3.0, abs=0.02)
    assert sensitivity(FSK, 125_000) == pytest.approx(-108, abs=0.1)


def test_every_rate_stands_rivals_of_any_other_kind():
    assert rejection(7, 8) == -8
    assert rejection(12, 7) == -25
    assert all(rejection(one, other) < 0 for one in range(7, 13) for other in range(7, 13)), "of the same SF: inverted chirps"
    assert rejection(FSK, 7) > 0 > rejection(7, FSK)


def test_reported_strength_stays_within_what_chips_report():
    assert (shown_rssi(0.0), shown_rssi(-200.0), shown_rssi(-100.4)) == (-20, -157, -100)
    assert (shown_snr(50.0, 0.5), shown_snr(-40.0, 0.5), shown_snr(-7.3, 0.5)) == (13.0, -32.0, -7.25)


def test_powers_add():
    assert together(-100, -100) == pytest.approx(-97, abs=0.02)


def test_shadowing_is_normal_and_depends_on_nothing_but_names_and_seed():
    drawn = [shadowing(1, f"{number:016x}", gateway) for number in range(1000) for gateway in ("a", "b")]
    assert fmean(drawn) == pytest.approx(0, abs=3 * SHADOWING_DB / sqrt(2000))
    assert pstdev(drawn) == pytest.approx(SHADOWING_DB, rel=0.05)
    assert shadowing(1, "a", "b") == shadowing(1, "a", "b") != shadowing(2, "a", "b")


def test_links_do_not_depend_on_who_asks_first():
    antennas = [antenna(index, 700.0 * index) for index in range(3)]
    names = [f"70b3d57e0000{number:04x}" for number in range(20)]

    def links(order: list[str]) -> dict[str, Link]:
        air = Air(antennas, loss=0.0, rng=Random(1), seed=9)
        return {name: air.link(site(100.0), dev_eui=name) for name in order}

    assert links(names) == links(names[::-1])
    assert len({link.medians[0][1] for link in links(names).values()}) == 20


def test_a_device_keeps_the_best_gateways_and_is_never_without_the_nearest():
    air = Map([antenna(index, 50.0 * index) for index in range(12)], 1)
    links = air.losses("a", site(0.0), 8.0, 0.0)
    assert len(links) == MOST_GATEWAYS
    assert [loss for _, loss in links] == sorted(loss for _, loss in links)
    lonely = Map([antenna(0, 14_000.0), antenna(1, 40_000.0)], 1)
    assert [index for index, _ in lonely.losses("a", site(0.0), 1.0, 40.0)] == [0]
    assert lonely.losses("a", site(80_000.0), 1.0, 0.0) == []


def test_the_worse_a_place_the_slower_its_rate_and_the_buried_are_worse():
    air = Air([antenna(0, 0.0)], loss=0.0, rng=Random(1))
    near, far = air.link(site(100.0), dev_eui="a"), air.link(site(1900.0), dev_eui="a")
    assert near.dr > far.dr
    assert air.link(site(100.0), dev_eui="a", buried_db=12).medians[0][1] < near.medians[0][1] - 12


def heard(air: Air, link: Link, frames: int = 400) -> float:
    return sum(bool(air.hear(link)) for _ in range(frames)) / frames


def test_weather_decides_at_any_moment_what_is_heard():
    air = Air([antenna(0, 0.0)], loss=0.0, rng=Random(1))
    link = Link(((0, 5.0),), 5)
    assert heard(air, link) == 1.0
    air.weather.loss = 0.3
    assert heard(air, link) == pytest.approx(0.7, abs=0.07)
    air.weather.loss, air.weather.attenuation_db = 0.0, 30.0
    assert heard(air, link) == 0.0
    air.weather.attenuation_db, air.weather.noise_db = 0.0, 30.0
    assert heard(air, link) == 0.0
    air.weather.noise_db = 0.0
    air.weather.down.add(0)
    assert heard(air, link) == 0.0
    air.weather.down.clear()
    air.weather.jammers.append(Jammer(site(100.0), 20.0, 868_000_000, 868_600_000, 0.5))
    assert heard(air, link) == pytest.approx(1 - 0.5 * 3 / 8, abs=0.07), "half of the time, three channels of eight"
    air.weather.jammers.clear()
    assert heard(air, link) == 1.0


def test_a_jammers_power_counts_by_the_share_that_falls_into_the_channel():
    jammer = Jammer(site(0.0), 20.0, 868_000_000, 869_000_000)
    assert jammer.level(868_500_000, 125_000) == pytest.approx(20 - 9.03, abs=0.01)
    assert jammer.level(868_000_000, 250_000) == jammer.level(868_500_000, 125_000)
    assert jammer.level(869_525_000, 125_000) is None
    loud = 20 - 9.03 + 3 - path_loss(500.0, 25.0, 5.0)
    noise = Weather().noise(site(500.0), 25.0, (868_500_000, 125_000), [jammer], gain_dbi=GATEWAY_DBI)
    assert noise == pytest.approx(together(loud, noise_dbm(125_000)), abs=0.01)
