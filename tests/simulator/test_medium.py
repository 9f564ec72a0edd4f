"""The air: who receives what, and a scene for every way in which a frame can be lost."""

from math import exp
from pathlib import Path
from random import Random

import pytest

from city.airtime import FSK, FSK_HZ, phy_time_on_air
from simulator.medium import LOSSES
from simulator.propagation import GATEWAY_DBI, path_loss
from simulator.radio import Jammer
from tests.simulator.radio_scene import Listener, Scene, data_down, down, site, up

FRAME = bytes(23)
ME, OTHER, GROUP = 0x0100_0001, 0x0100_0002, 0x01FF_0000


def test_a_frame_reaches_every_gateway_in_earshot_once_and_at_its_end():
    scene = Scene(0.0, 400.0)
    ends = scene.medium.send(scene.spot(100.0), FRAME, up(2))
    scene.run(0.03)
    assert not scene.received, "not before it ends"
    scene.run()
    assert [gateway for gateway, _ in scene.received] == [0, 1]
    first, second = (received for _, received in scene.received)
    assert first.phy == FRAME
    assert (first.ended_ns, first.channel, first.crc_ok) == (ends, 2, True)
    assert first.ended_ns - first.started_ns == int(1e9 * phy_time_on_air(23, 7, crc=True))
    assert first.rssi_dbm > second.rssi_dbm
    assert scene.lost() == {}


def test_strength_is_what_the_formula_says():
    scene = Scene(0.0)
    scene.medium.send(scene.spot(1000.0, loss_db=5.0, height_m=8.0), FRAME, up(power=16.0))
    scene.run()
    rssi = 16 - path_loss(1000.0, 25.0, 8.0) - 5 + GATEWAY_DBI
    assert scene.received[0][1].rssi_dbm == round(rssi)
    assert scene.received[0][1].snr_db == pytest.approx(rssi + 117, abs=0.2)


def test_the_weak_are_not_heard_and_a_slower_rate_carries_further():
    scene = Scene(0.0)
    far = scene.spot(3000.0)
    scene.medium.send(far, FRAME, up(0, 7))
    scene.medium.send(far, FRAME, up(1, 12))
    scene.run()
    assert [received.wave.sf for _, received in scene.received] == [12]
    assert scene.lost() == {"weak": 1}
    assert scene.medium.stats["lost up"] == 1


def collide(scene: Scene, *, late: float, near: float = 100.0, far: float = 105.0, sf: int = 7, other_sf: int = 7) -> Scene:
    """A frame, and another `late` seconds after it."""
    one, two = scene.spot(near), scene.spot(far)
    scene.at(0, scene.medium.send, one, b"first" + FRAME, up(0, sf))
    scene.at(late, scene.medium.send, two, b"other" + FRAME, up(0, other_sf))
    return scene.run()


def test_equals_destroy_one_another():
    scene = collide(Scene(), late=0.02)
    assert scene.received == []
    assert scene.lost() == {"collision": 2}


def test_the_stronger_captures_the_receiver_unless_that_is_switched_off():
    strong = collide(Scene(), late=0.02, far=400.0)
    assert [received.phy[:5] for _, received in strong.received] == [b"first"]
    assert strong.lost() == {"collision": 1}
    assert collide(Scene(capture=False), late=0.02, far=400.0).lost() == {"collision": 2}


def test_a_rival_that_ends_before_the_preamble_does_no_harm():
    airtime = phy_time_on_air(28, 7, crc=True)
    grace = 3 * 2**7 / 125_000
    assert len(collide(Scene(), late=airtime - 0.9 * grace).received) == 1, "the other keeps enough of its preamble"
    assert collide(Scene(), late=airtime - 1.1 * grace).received == []
    assert len(collide(Scene(), late=airtime + 0.001).received) == 2


def test_other_spreading_factors_disturb_only_if_they_are_much_louder():
    assert len(collide(Scene(), late=0.0, sf=7, other_sf=9).received) == 2
    scene = collide(Scene(), late=0.0, sf=12, other_sf=7, near=2500.0, far=20.0)
    assert [received.wave.sf for _, received in scene.received] == [7]
    assert scene.lost() == {"other SF": 1}


def test_other_channels_do_not_disturb_and_a_wide_one_touches_what_it_covers():
    scene = Scene()
    for channel in range(8):
        scene.medium.send(scene.spot(100.0), FRAME, up(channel))
    assert len(scene.run().received) == 8
    wide = Scene()
    wide.medium.send(wide.spot(1200.0), FRAME, up(1, 7))
    wide.medium.send(wide.spot(20.0), FRAME, up(hz=868_300_000, sf=7, bandwidth=250_000))
    assert [received.channel for _, received in wide.run().received] == [8]
    assert wide.lost() == {"other SF": 1}


def test_a_ninth_frame_at_a_time_finds_no_demodulator_and_fast_ones_have_their_own():
    scene = Scene()
    for number in range(9):
        scene.medium.send(scene.spot(100.0), FRAME, up(number % 8, 7 + number // 8))
    scene.medium.send(scene.spot(100.0), FRAME, up(hz=FSK_HZ, sf=FSK))
    scene.run()
    assert len(scene.received) == 9
    assert 9 in {received.channel for _, received in scene.received}
    assert scene.lost() == {"demodulators": 1}
    scene.medium.send(scene.spot(100.0), FRAME, up())
    assert len(scene.run(20).received) == 10, "they are free again"


def test_where_no_gateway_listens_nothing_is_heard():
    scene = Scene()
    scene.medium.send(scene.spot(100.0), FRAME, up(hz=868_900_000))
    scene.medium.send(scene.spot(100.0), FRAME, up(1, 8, bandwidth=250_000))
    assert scene.run().received == []
    assert scene.lost() == {"off channel": 2}


def test_a_gateway_that_sends_hears_nothing_before_during_or_till_it_has_ended():
    scene = Scene(0.0, 300.0)
    spot = scene.spot(100.0)
    scene.at(0.00, scene.medium.send, spot, b"before" + FRAME, up(0))
    scene.at(0.02, scene.medium.emit, 0, data_down(ME), down())
    scene.at(0.10, scene.medium.send, spot, b"during" + FRAME, up(0))
    scene.at(0.30, scene.medium.send, spot, b"after" + FRAME, up(0))
    scene.run()
    assert [received.phy[:6] for gateway, received in scene.received if gateway == 0] == [b"after\0"]
    assert len([gateway for gateway, _ in scene.received if gateway == 1]) == 3, "the other one does not send"
    assert scene.lost() == {"half duplex": 2}


def test_a_downlink_on_an_uplink_channel_disturbs_the_neighbours():
    scene = Scene(0.0, 150.0)
    scene.at(0, scene.medium.send, scene.spot(1500.0), FRAME, up(0, 9))
    scene.at(0.01, scene.medium.emit, 1, data_down(ME), down(868_100_000, 9, 16.0))
    scene.run()
    assert scene.received == []
    assert scene.lost() == {"half duplex": 1, "other SF": 1}


def test_a_gateway_that_is_down_neither_hears_nor_sends():
    scene, ear = Scene(0.0, 300.0), Listener()
    spot = scene.spot(100.0)
    scene.medium.listen(spot, ear, 869_525_000, 9, 125_000, None)
    scene.weather.down.add(0)
    scene.medium.send(spot, FRAME, up())
    scene.at(1, scene.medium.emit, 0, data_down(ME), down())
    scene.at(2, scene.medium.send, spot, FRAME, up())
    scene.at(2.01, scene.weather.down.add, 1)
    scene.run()
    assert [gateway for gateway, _ in scene.received] == [1]
    assert not ear.heard
    assert scene.lost() == {"gateway down": 4}, "a copy each of two frames, one of them cut off, and the frame not sent"


def test_weather_takes_its_share_and_can_change():
    scene = Scene()
    scene.weather.loss = 0.25
    for number in range(2000):
        scene.at(number, scene.medium.send, scene.spot(100.0), FRAME, up())
    scene.run(2000)
    assert 0.21 < scene.lost()["weather"] / 2000 < 0.29
    scene.weather.loss = 0.0
    scene.medium.send(scene.spot(100.0), FRAME, up())
    before = len(scene.received)
    assert len(scene.run(2001).received) == before + 1


def test_attenuation_and_noise_make_far_places_mute():
    for change in ("attenuation_db", "noise_db"):
        scene = Scene()
        spot = scene.spot(1000.0)
        scene.at(0, scene.medium.send, spot, FRAME, up())
        scene.at(1, setattr, scene.weather, change, 15.0)
        scene.at(2, scene.medium.send, spot, FRAME, up())
        scene.run()
        assert len(scene.received) == 1
        assert scene.lost() == {"weak": 1}


def test_a_jammer_drowns_its_frequencies_near_it_for_its_share_of_the_time():
    scene = Scene(0.0, 5000.0)
    scene.weather.jammers.append(Jammer(site(200.0), 20.0, 868_000_000, 868_200_000, duty=0.5))
    for number in range(400):
        scene.at(number, scene.medium.send, scene.spot(500.0), FRAME, up(0))
        scene.at(number + 0.5, scene.medium.send, scene.spot(500.0), FRAME, up(7))
    scene.run(400)
    by_channel = [received.channel for gateway, received in scene.received if gateway == 0]
    assert 150 < by_channel.count(0) < 250
    assert by_channel.count(7) == 400
    assert by_channel.count(0) + scene.lost()["jammed"] == 400


def test_collided_frames_can_be_handed_over_broken():
    scene = collide(Scene(broken=True), late=0.02)
    assert [received.crc_ok for _, received in scene.received] == [False, False]
    assert scene.received[0][1].phy not in (b"first" + FRAME, b"other" + FRAME)
    assert scene.medium.stats["broken copies"] == 2


# -- down


def tuned(scene: Scene, east: float = 100.0, *addresses: int, hz: int = 869_525_000, sf: int = 9) -> Listener:
    ear = Listener()
    scene.medium.listen(scene.spot(east), ear, hz, sf, 125_000, addresses or None)
    return ear


def test_an_ear_hears_what_concerns_it():
    scene = Scene()
    mine, group, other, join = tuned(scene, 100, ME), tuned(scene, 110, OTHER, GROUP), tuned(scene, 120, OTHER), tuned(scene, 130)
    slow, elsewhere = tuned(scene, 100, ME, sf=12), tuned(scene, 100, ME, hz=868_100_000)
    scene.at(0, scene.medium.emit, 0, data_down(ME), down())
    scene.at(1, scene.medium.emit, 0, data_down(GROUP), down())
    scene.at(2, scene.medium.emit, 0, bytes([0b0010_0000]) + bytes(16), down())  # a join-accept
    scene.run()
    assert [len(ear.heard) for ear in (mine, group, other, join, slow, elsewhere)] == [1, 1, 0, 3, 0, 0]
    phy, wave, rssi, snr = mine.heard[0]
    assert (phy, wave.frequency) == (data_down(ME), 869_525_000)
    assert rssi == round(29 - path_loss(100.0, 25.0, 8.0) - 6)
    assert snr > 0


def test_an_ear_must_be_tuned_from_the_first_to_the_last_moment():
    scene, ear = Scene(), Listener()
    spot = scene.spot(100.0)

    def tune(sf: int = 9) -> None:
        scene.medium.listen(spot, ear, 869_525_000, sf, 125_000, [ME])

    for second, later in enumerate((None, lambda: tune(12), lambda: scene.medium.hush(spot), tune)):
        scene.at(3 * second, tune)
        scene.at(3 * second + 1, scene.medium.emit, 0, data_down(ME), down())
        if later is not None:
            scene.at(3 * second + 1.05, later)
    scene.at(12, scene.medium.hush, spot)
    scene.at(13, scene.medium.emit, 0, data_down(ME), down())
    scene.at(13.05, tune)
    scene.run(20)
    assert len(ear.heard) == 2, "undisturbed, and tuned again to the same; not after a change, an end, or in the middle of it"


def test_a_device_knows_how_long_it_must_keep_its_window_open():
    scene, ear = Scene(), Listener()
    spot = scene.spot(100.0)
    assert scene.medium.hearing(spot) == 0
    scene.medium.listen(spot, ear, 869_525_000, 9, 125_000, [ME])
    scene.medium.emit(0, data_down(OTHER), down())
    assert scene.medium.hearing(spot) <= scene.engine.now, "that one is for somebody else"
    ends = scene.medium.emit(0, data_down(ME), down())
    assert scene.medium.hearing(spot) == ends
    scene.medium.hush(spot)
    assert scene.medium.hearing(spot) == 0


def test_a_device_that_sends_is_deaf():
    scene, ear = Scene(), Listener()
    spot = scene.spot(100.0)
    scene.medium.listen(spot, ear, 869_525_000, 9, 125_000, [ME])
    scene.at(0, scene.medium.emit, 0, data_down(ME), down())
    scene.at(0.05, scene.medium.send, spot, FRAME, up())
    scene.at(1, scene.medium.send, spot, FRAME, up())
    scene.at(1.02, scene.medium.emit, 0, data_down(ME), down())
    scene.at(2, scene.medium.emit, 0, data_down(ME), down())
    scene.run()
    assert len(ear.heard) == 1
    assert scene.lost() == {"half duplex": 2, "down deaf": 2}


def test_gateways_that_send_at_a_time_destroy_one_anothers_frames_between_them_and_not_at_their_feet():
    scene = Scene(0.0, 400.0)
    middle, near = tuned(scene, 200.0, ME, OTHER), tuned(scene, 20.0, ME, OTHER)
    scene.medium.emit(0, data_down(ME), down())
    scene.medium.emit(1, data_down(OTHER), down())
    scene.run()
    assert not middle.heard
    assert [phy for phy, *_ in near.heard] == [data_down(ME)]
    assert scene.lost() == {"down collision": 3}


def test_an_ear_that_follows_a_frame_for_somebody_else_misses_its_own():
    scene = Scene(0.0, 400.0)
    ear = tuned(scene, 390.0, ME)
    scene.at(0, scene.medium.emit, 0, data_down(OTHER), down())
    scene.at(0.05, scene.medium.emit, 1, data_down(ME), down())
    scene.run()
    assert not ear.heard
    assert scene.lost() == {"down busy": 1}


def test_loud_neighbours_of_another_rate_drown_a_downlink():
    scene = Scene()
    ear = tuned(scene, 700.0, ME, hz=868_100_000)
    scene.at(0, scene.medium.emit, 0, data_down(ME), down(868_100_000, 9, 16.0))
    scene.at(1, scene.medium.emit, 0, data_down(ME), down(868_100_000, 9, 16.0))
    scene.at(1, scene.medium.send, scene.spot(702.0), bytes(100), up(0, 8))
    scene.run()
    assert len(ear.heard) == 1
    assert scene.lost() == {"half duplex": 1, "down other SF": 1}


def test_downlinks_get_lost_in_distance_weather_and_noise():
    scene = Scene()
    far, near = tuned(scene, 8000.0, ME), tuned(scene, 100.0, OTHER)
    scene.medium.emit(0, data_down(ME), down(power=14.0))
    scene.run(1)
    assert scene.lost() == {"down weak": 1}
    scene.weather.jammers.append(Jammer(site(101.0), 27.0, 869_500_000, 869_550_000))
    scene.medium.emit(0, data_down(OTHER), down(power=14.0))
    scene.run(2)
    assert scene.lost() == {"down weak": 1, "down jammed": 1}
    scene.weather.jammers.clear()
    scene.weather.loss = 1.0
    scene.medium.emit(0, data_down(OTHER), down(power=14.0))
    scene.run(3)
    assert scene.lost() == {"down weak": 1, "down jammed": 1, "down weather": 1}
    assert not far.heard
    assert not near.heard


def test_a_frame_for_one_of_three_thousand_is_put_to_one():
    class Counting(Listener):
        asked = 0

        def hears(self, *_facts):
            Counting.asked += 1

    scene = Scene()
    for number in range(3000):
        scene.medium.listen(scene.spot(100.0 + number / 10), Counting(), 869_525_000, 9, 125_000, (ME + number, GROUP))
    scene.medium.emit(0, data_down(ME + 1234), down())
    scene.run(1)
    assert (Counting.asked, sum(scene.lost().values())) == (1, 0)
    scene.medium.emit(0, data_down(GROUP), down())
    scene.run(2)
    assert Counting.asked == 3001


def test_every_loss_that_is_counted_has_its_scene_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [loss for loss in LOSSES if f'"{loss}"' not in source] == []


# -- chance


def traffic(scene: Scene, rate: float, frames: int, seed: int) -> float:
    """Poisson traffic of many on one channel; the time in frame lengths that it took."""
    rng, airtime, now = Random(seed), phy_time_on_air(23, 7, crc=True), 0.0
    spots = [scene.spot(60.0 + 10 * number, f"70b3d57e0000{number:04x}") for number in range(60)]
    for _ in range(frames):
        now += rng.expovariate(rate / airtime)
        scene.at(now, scene.medium.send, rng.choice(spots), FRAME, up())
    scene.run(now + 1)
    return now / airtime


@pytest.mark.parametrize("load", [0.1, 0.25, 0.5, 1.0])
def test_without_capture_a_channel_carries_what_pure_aloha_says(load):
    scene = Scene(capture=False)
    lengths = traffic(scene, load, 12_000, seed=7)
    carried = scene.medium.stats["heard up"] / lengths
    assert carried == pytest.approx(load * exp(-2 * load), rel=0.05)


def test_with_capture_it_carries_more():
    carried = {}
    for capture in (False, True):
        scene = Scene(capture=capture)
        lengths = traffic(scene, 0.5, 4000, seed=7)
        carried[capture] = scene.medium.stats["heard up"] / lengths
    assert carried[True] > 1.3 * carried[False]


def test_the_same_seed_gives_the_same_receptions_and_another_one_others():
    def story(seed: int) -> list:
        scene = Scene(0.0, 600.0, seed=seed, exact=False, broken=True)
        scene.weather.loss = 0.1
        scene.weather.jammers.append(Jammer(site(50.0), 0.0, 868_000_000, 868_200_000, 0.5))
        traffic(scene, 0.5, 300, seed=3)
        return [(gateway, one.phy, one.rssi_dbm, one.snr_db, one.ended_ns, one.crc_ok) for gateway, one in scene.received]

    assert story(1) == story(1)
    assert story(1) != story(2)
