"""A circuit whose power goes and comes: what lamps keep, lose, and say of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from city.orders import BootDelay, FallbackLevel, MulticastGroup, Profile, ProfileStep, Reboot, SetLevel
from decoders.codec import Frame
from simulator.controllers import CONTROLLERS
from tests.simulator.conftest import NIGHT, Pole

MakePole = Callable[..., Pole]
GROUP = MulticastGroup(1, "01aabbcc", "11" * 16, "22" * 16)


@pytest.mark.parametrize("model", CONTROLLERS)
def test_without_power_a_lamp_is_dark_and_silent_and_with_it_starts_anew(make_pole: MakePole, model: str) -> None:
    pole = make_pole(model=model).settled()
    pole.run(3600)
    energy = pole.lamp.energy_wh
    pole.lamp.cut()
    pole.run(1)
    pole.frames.clear()
    before = pole.lamp.energy_wh
    pole.run(8 * 3600)
    pole.lamp.receive(Frame(1, b"\x01"))
    pole.lamp.start()  # a join that was on its way
    assert (pole.frames, pole.lamp.power(), pole.lamp.energy_wh, pole.lamp.powered) == ([], 0.0, before, False)
    assert before >= energy
    pole.lamp.restore()
    assert pole.lamp.level == pole.lamp.fallback
    assert not pole.lamp.clock_valid
    pole.run(700)
    assert pole.frames
    assert pole.rejoins == (0 if CONTROLLERS[model].keeps_session else 1)
    assert pole.lamp.clock_valid


def test_a_ul20xx_forgets_levels_by_hand_and_keeps_its_settings_and_groups(make_pole: MakePole) -> None:
    pole = make_pole().settled()
    for order in (SetLevel(10), FallbackLevel(35), GROUP, Profile(0, (0, 1, 2, 3, 4, 5, 6, 7), (ProfileStep(0, 70),))):
        pole.order(order)
    pole.lamp.cut()
    pole.run(60)
    pole.lamp.restore()
    assert (pole.lamp.level, pole.lamp.reason) == (35, "fallback")
    pole.run(120)
    assert (pole.lamp.level, pole.lamp.reason) == (70, "profile-0")
    assert pole.lamp.groups == {"01aabbcc": ("11" * 16, "22" * 16)}
    assert pole.said(99)[-1][1]["device.boot"] == "unspecified"


def test_a_group_in_the_same_slot_takes_the_place_of_the_one_before(pole: Pole) -> None:
    pole.settled().order(GROUP)
    pole.order(MulticastGroup(2, "01ddeeff", "33" * 16, "44" * 16))
    pole.order(MulticastGroup(1, "01000000", "55" * 16, "66" * 16))
    assert pole.lamp.groups == {"01ddeeff": ("33" * 16, "44" * 16), "01000000": ("55" * 16, "66" * 16)}
    assert "55" not in repr(pole.lamp.members)


def test_what_is_told_to_a_group_is_obeyed_and_not_repeated(pole: Pole) -> None:
    pole.settled()
    pole.lamp.receive(pole.codec.encode_downlink(SetLevel(40, minutes=30)), to_group=True)
    pole.run(30)
    assert pole.lamp.level == 40
    assert pole.said(60) == []
    assert [said["lamp.level"] for _, said in pole.said(23)] == [40]


def test_our_own_lamp_has_last_words_and_keeps_its_session(make_pole: MakePole) -> None:
    pole = make_pole(model="stadtfunk/lamp").settled()
    pole.order(FallbackLevel(35))
    pole.run(5)
    pole.frames.clear()
    pole.lamp.cut()
    pole.run(2)
    [(at, said)] = pole.said(2)
    assert said["lamp.event"] == "power-loss"
    assert at - NIGHT <= timedelta(seconds=97)
    pole.lamp.restore()
    pole.run(10)
    assert pole.rejoins == 0
    assert pole.said(3)[-1][1]["device.boot"] == "power-on"
    assert pole.lamp.fallback == 35


def test_a_silent_lamp_has_no_last_words(make_pole: MakePole) -> None:
    pole = make_pole(model="stadtfunk/lamp").settled()
    pole.lamp.fail("silent")
    pole.lamp.cut()
    pole.run(5)
    assert pole.frames == []


def test_a_short_loss_makes_one_start_and_not_two(pole: Pole) -> None:
    pole.settled()
    for _ in range(3):
        pole.lamp.cut()
        pole.lamp.restore()
    pole.lamp.restore()
    pole.run(60)
    assert pole.rejoins == 1
    assert len(pole.said(99)) == 1


def test_a_restart_that_was_ordered_dies_with_the_power(pole: Pole) -> None:
    pole.settled().order(Reboot())
    pole.lamp.cut()
    pole.run(60)
    assert pole.rejoins == 0
    pole.lamp.restore()
    pole.run(60)
    assert pole.rejoins == 1


@pytest.mark.parametrize(("delay", "spread"), [(0, 3.0), (600, 400.0)])
def test_a_street_joins_within_seconds_or_spread_over_its_boot_delay(make_pole: MakePole, delay: int, spread: float) -> None:
    starts = []
    for seed in range(20):
        pole = make_pole(seed=seed).settled()
        if delay:
            pole.order(BootDelay(delay))
        pole.lamp.cut()
        pole.run(3600)
        pole.frames.clear()
        pole.lamp.restore()
        began = pole.now
        pole.run(700)
        starts.append((pole.said(99)[0][0] - began).total_seconds())
    assert max(starts) - min(starts) <= spread + delay
    assert max(starts) - min(starts) > spread if delay else max(starts) < 10


def test_a_night_switched_circuit_burns_by_night_only_and_its_meter_goes_on_for_weeks(make_pole: MakePole) -> None:
    pole = make_pole(start=datetime(2026, 11, 20, 15, 40, tzinfo=UTC), seed=3)
    pole.lamp.start()
    nights, readings = Random(1), []
    for _ in range(10):
        pole.run(16 * 3600 + nights.uniform(-300, 300))
        readings.append(pole.lamp.energy_wh)
        pole.lamp.cut()
        pole.run(8 * 3600)
        pole.lamp.restore()
    gains = [later - earlier for earlier, later in pairwise(readings)]
    assert all(500 < gain < 700 for gain in gains)
    assert pole.rejoins >= 9
