"""Casts and single messages together tell exactly the lamps that are meant, and no other."""

from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.budget import Budget, Spent, down_band
from city.casting import REPEATS, Air, Cover, Net, cover, priced, rounds_needed
from city.ids import DevEui, GatewayId

GATEWAY, OTHER = GatewayId("a" * 16), GatewayId("b" * 16)
ALL = [DevEui(f"{number:016x}") for number in range(60)]
SETS = st.frozensets(st.sampled_from(ALL))


def net(id, members, hearers=frozenset(), gateways=(GATEWAY,)):
    return Net(id, frozenset(members), frozenset(members) | frozenset(hearers), gateways)


NETS = st.lists(st.tuples(SETS, SETS, st.sampled_from([(), (GATEWAY,), (GATEWAY, OTHER)])), max_size=8).map(
    lambda found: [net(str(number), members, hearers, gateways) for number, (members, hearers, gateways) in enumerate(found)])


@given(SETS, NETS, SETS)
def test_a_cover_tells_each_lamp_of_the_target_once_and_nobody_hears_what_is_not_for_him(target, nets, content):
    found = cover(target, nets, content.__contains__)
    told = [device for cast in found.casts for device in cast.lamps]
    assert len(told) == len(set(told))
    assert set(told) | found.single == target
    assert not set(told) & found.single
    for cast in found.casts:
        assert cast.lamps <= cast.net.members
        assert cast.net.hearers - target <= content
        assert cast.net.gateways
        assert len(cast.lamps) > REPEATS * len(cast.net.gateways)  # else it would cost more than it saves


@given(SETS, NETS)
def test_planning_again_gives_the_same_in_whatever_order_the_groups_come(target, nets):
    assert cover(target, nets) == cover(target, reversed(nets))


@given(SETS, NETS)
def test_what_is_left_after_the_casts_needs_no_more_casts(target, nets):
    found = cover(target, nets)
    rest = cover(found.single, [one for one in nets if one not in [cast.net for cast in found.casts]])
    assert found.casts or rest == Cover((), target)


def test_a_group_with_a_lamp_that_must_not_hear_it_is_not_told():
    assert cover(ALL[:20], [net("all", ALL[:21])]) == Cover((), frozenset(ALL[:20]))
    (cast,) = cover(ALL[:20], [net("all", ALL[:21])], lambda device: device == ALL[20]).casts
    assert cast.lamps == frozenset(ALL[:20])


def test_one_group_that_fits_is_told_instead_of_its_parts():
    nets = [net("left", ALL[:30]), net("right", ALL[30:]), net("all", ALL)]
    assert [cast.net.id for cast in cover(ALL, nets).casts] == ["all"]
    assert [cast.net.id for cast in cover(ALL[:30], nets).casts] == ["left"]


@pytest.mark.parametrize(("lamps", "loss", "rounds"), [(1000, 0.0, 1), (1, 0.05, 1), (1000, 0.05, 3), (1000, 0.2, 3),
                                                       (9, 0.05, 1)])
def test_the_last_lamp_is_told_by_the_round_that_probably_leaves_none(lamps, loss, rounds):
    assert rounds_needed(lamps, loss, REPEATS) == rounds


def test_a_thousand_lamps_take_seconds_by_a_group_and_half_an_hour_or_more_one_by_one():
    lamps = [DevEui(f"{number:016x}") for number in range(1000)]
    one = priced(cover(lamps, [net("zone", lamps)]), dict.fromkeys(lamps, (GATEWAY,)), Air(4, 9))
    assert (one.lamps, one.frames, one.casts, one.gateways, one.unicast_frames) == (1000, 3, 1, 1, 1000)
    assert 10 < one.last_s < 13
    assert one.airtime_s == pytest.approx(3 * 0.1649, abs=0.01)
    assert one.unicast_last_s > 180
    halves = {device: ((GATEWAY,) if number % 2 else (OTHER,)) for number, device in enumerate(lamps)}
    both = cover(lamps, [net("zone", lamps, gateways=(GATEWAY, OTHER))])
    two = priced(both, halves, Air(4, 9))
    assert (two.frames, two.gateways) == (6, 2)
    assert 20 < two.last_s < 28
    assert priced(both, halves, Air(4, 9, together=True)).last_s < 18
    overlap = priced(both, dict.fromkeys(lamps, (GATEWAY, OTHER)), Air(4, 9))
    assert overlap.last_s == pytest.approx(one.last_s, abs=1)  # three frames reach all, whichever gateway sends them
    assert priced(cover(lamps, []), dict.fromkeys(lamps, (GATEWAY,)), Air(4, 12)).last_s > 5 * 3600


def test_where_many_frames_are_lost_the_last_lamp_is_told_alone_after_the_verification():
    lamps = [DevEui(f"{number:016x}") for number in range(1000)]
    lossy = priced(cover(lamps, [net("zone", lamps)]), dict.fromkeys(lamps, (GATEWAY,)), Air(4, 9, loss=0.2))
    assert lossy.frames == 3 + 8
    assert lossy.last_s > 300


def test_nothing_to_tell_costs_nothing():
    nothing = priced(cover([], []), {}, Air(4, 12))
    assert (nothing.lamps, nothing.frames, nothing.last_s, nothing.gateways) == (0, 0, 0, 0)


def test_the_estimate_is_what_a_throw_of_the_dice_gives_on_average():
    lamps = [DevEui(f"{number:016x}") for number in range(1000)]
    dice, times = Random(1), []
    for _ in range(300):
        rounds = max(next(n for n in count() if dice.random() >= 0.05) for _ in lamps)
        times.append(1.0 + 0.165 + 5.0 * min(rounds, REPEATS - 1))
    reckoned = priced(cover(lamps, [net("zone", lamps)]), dict.fromkeys(lamps, (GATEWAY,)), Air(4, 9)).last_s
    assert reckoned == pytest.approx(sum(times) / len(times), rel=0.05)


def test_the_last_lamp_probably_obeys_within_what_is_reckoned_for_little_and_much_loss():
    lamps = [DevEui(f"{number:016x}") for number in range(1000)]
    reach = dict.fromkeys(lamps, (GATEWAY,))
    found = priced(cover(lamps, [net("zone", lamps)]), reach, Air(4, 9), losses=(0.01, 0.2))
    assert found.soonest_s < found.last_s < found.latest_s
    assert found.soonest_s == pytest.approx(1.0 + Air(4, 9).frame_s + 5.0)  # ten miss the first frame, none the second
    assert found.latest_s > Air(4, 9).verify_s  # eight miss all three
    sure = priced(cover(lamps[:1], []), reach, Air(4, 9))
    assert sure.soonest_s == sure.last_s == sure.latest_s


def test_gateways_that_have_used_up_their_hour_are_waited_for():
    lamps = [DevEui(f"{number:016x}") for number in range(100)]
    reach, told = dict.fromkeys(lamps, (GATEWAY,)), cover(lamps, [net("zone", lamps)])
    now = datetime(2026, 11, 22, 20, tzinfo=UTC)
    budget = Budget(0.5, [Spent(GATEWAY, down_band().letter, now - timedelta(minutes=50), 180.0)])
    free = priced(told, reach, Air(4, 9))
    found = priced(told, reach, Air(4, 9), waits=lambda gateway, seconds: budget.wait_s(gateway, down_band(), seconds, now))
    assert found.waits_s == pytest.approx(640, abs=1)  # ten minutes, and the forty seconds that ChirpStack may take
    assert found.last_s == pytest.approx(free.last_s + found.waits_s)
    assert found.soonest_s >= found.waits_s
    other = priced(told, reach, Air(4, 9), waits=lambda _, seconds: budget.wait_s(OTHER, down_band(), seconds, now))
    assert (other.waits_s, other.last_s) == (0, free.last_s)
