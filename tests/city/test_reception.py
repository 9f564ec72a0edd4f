"""Which gateways have fallen silent, and what a bay is worth that nobody could hear."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from city.bays import BayEvent, Rules
from city.ids import AssetId, GatewayId, TenantId, ZoneId
from city.parking_counting import Kept, Sensor, Town, packed, unpacked
from city.parking_display import Tells, ZoneRules, tells
from city.places import ParkingBay, Restriction, Site
from city.reach import Ear
from city.readings import NS, DeviceState, to_ns
from city.reception import Gap, GatewayWord, Reception, SilenceRules, usual_ears
from city.usual import HOURS, Changes, Rates

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
A, B = GatewayId("a" * 16), GatewayId("b" * 16)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def learnt(*, per_hour=60, gateways=(A,), hours=30, until=NOON):
    """Gateways that have heard so many frames an hour for a while."""
    reception = Reception()
    for number in range(hours * per_hour):
        for gateway in gateways:
            reception.heard(gateway, to_ns(until) - (hours * per_hour - number) * 3600 * NS // per_hour)
    return reception


def lost(reception):
    """How likely it is that something was lost in any of the last silences."""
    return max((one.chance for one in reception.lost([A])), default=0.0)


def silent_after(reception, *, minutes, words=lambda _: None):
    """Looked at each minute; the first minute in which the gateway was silent, None: in none."""
    for minute in range(1, minutes + 1):
        at = NOON + minute * MINUTE
        reception.look(at, words(at))
        if A in reception.silent:
            return minute
    return None


def test_a_gateway_is_silent_when_it_should_have_heard_many_frames_and_heard_none():
    reception = learnt(per_hour=60)
    assert 8 <= silent_after(reception, minutes=60) <= 20
    assert reception.unheard_since([A]) == pytest.approx(to_ns(NOON - MINUTE), abs=NS)


def test_the_more_a_gateway_hears_the_sooner_its_silence_is_known():
    assert silent_after(learnt(per_hour=600), minutes=60) < silent_after(learnt(per_hour=60), minutes=60)


def test_the_more_often_gateways_fail_the_sooner_one_is_believed_to_have():
    often, seldom = learnt(per_hour=60), learnt(per_hour=60)
    often.rules, seldom.rules = SilenceRules(fails_days=0.5), SilenceRules(fails_days=365)
    assert silent_after(often, minutes=90) < silent_after(seldom, minutes=90)


def test_on_a_day_on_which_less_is_heard_than_usual_silence_proves_less():
    quiet = learnt(per_hour=60)
    for number in range(1, 19):  # a holiday: six an hour
        quiet.heard(A, to_ns(NOON + number * 10 * MINUTE))
    begin = NOON + 180 * MINUTE
    quiet.look(begin + 20 * MINUTE)
    usual = learnt(per_hour=60, until=begin)
    usual.look(begin + 20 * MINUTE)
    assert quiet.down([A]).chance < 0.1 < 0.9 < usual.down([A]).chance


def test_it_is_so_no_more_when_it_hears_again_and_the_outage_teaches_nothing():
    reception = learnt(per_hour=60)
    reception.look(NOON + 5 * HOUR)
    reception.heard(A, to_ns(NOON + 5 * HOUR))
    reception.look(NOON + 5 * HOUR)
    assert not reception.silent
    assert reception.gateways[A].rates.expected(to_ns(NOON + 24 * HOUR), to_ns(NOON + 25 * HOUR)) == pytest.approx(60, rel=0.1)


def test_after_a_long_silence_something_was_lost_and_after_a_short_one_hardly():
    for minutes, least, most in ((4, 0.0, 0.001), (120, 0.99, 1.0)):
        reception = learnt(per_hour=60)
        reception.look(NOON + minutes * MINUTE)
        reception.heard(A, to_ns(NOON + minutes * MINUTE))
        assert least <= lost(reception) <= most
        assert reception.down([A]).chance == 0


def test_frame_counters_tell_whether_a_silence_was_an_outage():
    """Each of those who speak next says a tenth of a frame in so long a time."""
    chances = {}
    for missing in (0, 1):
        reception = learnt(per_hour=60)
        reception.gateways[A].gaps = [Gap(to_ns(NOON), to_ns(NOON + HOUR), 0.5)]
        for _ in range(5):
            reception.counted([A], before_ns=to_ns(NOON - HOUR), at_ns=to_ns(NOON + HOUR), missing=missing,
                              usual=lambda begin, end: 0.1 * (end - begin) / (3600 * NS))
        chances[missing] = lost(reception)
    assert chances[0] < 0.25 < 0.99 < chances[1]


def test_what_another_gateway_hears_too_is_not_lost():
    reception = learnt(per_hour=60, gateways=(A, B))
    for minute in range(60):
        reception.heard(B, to_ns(NOON + minute * MINUTE))
    reception.look(NOON + HOUR)
    assert reception.down([A]).chance > 0.9 > 0.1 > reception.down([A, B]).chance
    assert not reception.unheard_since([A, B])


def test_a_gateway_that_hears_little_proves_nothing_by_silence_unless_the_network_server_says_so():
    reception = learnt(per_hour=2)
    reception.look(NOON + HOUR)
    assert not reception.silent
    reception.look(NOON + HOUR, {A: GatewayWord(False, to_ns(NOON + 10 * MINUTE))})
    assert reception.silent[A] == to_ns(NOON + 10 * MINUTE)


def test_a_gateway_that_failed_right_after_a_frame_is_down_and_one_that_has_heard_since_is_not():
    reception = learnt(per_hour=2)
    heard = reception.gateways[A].last_ns
    reception.look(NOON + HOUR, {A: GatewayWord(False, heard - 20 * NS)})
    assert A in reception.silent
    reception.heard(A, to_ns(NOON + HOUR))
    reception.look(NOON + HOUR, {A: GatewayWord(False, heard - 20 * NS)})
    assert not reception.silent


def test_a_gateway_that_the_network_server_sees_needs_a_longer_silence():
    alone = silent_after(learnt(per_hour=60), minutes=60)
    seen = silent_after(learnt(per_hour=60), minutes=60, words=lambda at: {A: GatewayWord(True, to_ns(at))})
    assert alone + 3 <= seen < 40


def test_nothing_is_learnt_of_the_hour_that_had_begun_before():
    rates = Rates()
    for minute in range(50, 60):
        rates.add(to_ns(NOON + minute * MINUTE))
    rates.turn(to_ns(NOON + 2 * HOUR))
    assert rates.expected(to_ns(NOON), to_ns(NOON + HOUR)) == 0


def test_only_gateways_that_heard_a_device_lately_can_be_relied_upon():
    heard = to_ns(NOON)
    state = DeviceState("0" * 16, heard_ns=heard, gateway=A,
                        reach=(Ear(A, -90, 7, heard), Ear(B, -120, -15, heard - 3 * 3600 * NS)))
    assert usual_ears(state, heard) == (A,)
    assert usual_ears(structs.replace(state, reach=()), heard) == (A,)


# -- bays

def bay(number):
    return ParkingBay(TenantId("t"), AssetId(f"B{number}"), f"B{number}", Site(51, 8), ZoneId("z"))


def said(asset, at, number, occupied, sign="edge"):
    return AssetId(asset), BayEvent(to_ns(at), "s", number, sign, occupied)


def town(*, changes_an_hour=10, heard_per_hour=600):
    """A zone of ten bays that one gateway hears, whose usual changes are learnt."""
    made = Town(Kept(reception=learnt(per_hour=heard_per_hour)), Rules(), ZoneRules())
    made.register([bay(number) for number in range(10)],
                  {AssetId(f"B{number}"): Sensor(timedelta(hours=24), (A,)) for number in range(10)}, {})
    made.take([said(f"B{number}", NOON - 2 * HOUR, 1, number < 5, "beat") for number in range(10)])
    half = Rates([changes_an_hour / 2] * HOURS, [5] * HOURS)
    made.kept.changes[ZoneId("z")] = Changes(half, deepcopy(half))
    return made


def looked(made, at):
    made.kept.reception.look(at)
    made.look(at, full=True)
    return made.fact(ZoneId("z")).counts[""]


def test_while_nobody_hears_a_bay_it_is_neither_free_nor_taken():
    made = town()
    assert looked(made, NOON).known == 10
    outage = looked(made, NOON + 10 * MINUTE)
    assert (outage.known, outage.word) == (0, "no_data")


def test_after_an_outage_in_which_bays_may_well_have_changed_each_is_known_when_it_speaks_again():
    made = town(changes_an_hour=10)  # one a bay
    looked(made, NOON + 10 * MINUTE)
    made.kept.reception.heard(A, to_ns(NOON + 60 * MINUTE))
    assert looked(made, NOON + 60 * MINUTE).known == 0
    made.take([said("B1", NOON + 70 * MINUTE, 2, False)])
    made.take([said("B2", NOON + 70 * MINUTE, 2, None, "other")])  # its counter shows that nothing was missed
    made.take([said("B3", NOON + 70 * MINUTE, 3, None, "other")])  # … something was
    made.kept.reception.heard(A, to_ns(NOON + 72 * MINUTE))
    assert looked(made, NOON + 72 * MINUTE).known == 2


def test_a_short_outage_at_a_quiet_time_ruins_nothing():
    made = town(changes_an_hour=1)  # in the whole zone
    assert looked(made, NOON + 10 * MINUTE).known == 0
    made.kept.reception.heard(A, to_ns(NOON + 12 * MINUTE))
    assert looked(made, NOON + 12 * MINUTE).known == 10


def test_what_is_remembered_of_an_outage_survives_a_restart():
    made = town()
    looked(made, NOON + 10 * MINUTE)
    again = Town(unpacked(packed(made.kept)), Rules(), ZoneRules())
    again.register([bay(number) for number in range(10)],
                   {AssetId(f"B{number}"): Sensor(timedelta(hours=24), (A,)) for number in range(10)}, {})
    assert looked(again, NOON + 11 * MINUTE).known == 0
    assert unpacked(b"not ours") == Kept()


def test_the_platforms_own_deafness_makes_bays_doubtful_but_not_those_that_have_spoken_since():
    made = town()
    made.take([said("B1", NOON + 61 * MINUTE, 2, True)])
    made.deafened(to_ns(NOON), to_ns(NOON + 60 * MINUTE))
    made.kept.reception.heard(A, to_ns(NOON + 62 * MINUTE))
    assert looked(made, NOON + 62 * MINUTE).known == 1


# -- how far a count may be off

def margin(made, at):
    return looked(made, at).margin


def test_a_count_is_in_doubt_before_its_gateway_is_and_no_number_is_told_then():
    made = town(changes_an_hour=60, heard_per_hour=90)
    found = {minute: looked(made, NOON + minute * MINUTE) for minute in range(1, 40)}
    assert found[1].margin <= 2
    told = [tells(one, Restriction.NONE, timedelta(0), ZoneRules()) is Tells.NUMBER for one in found.values()]
    assert 1 <= told.index(False) < [one.known for one in found.values()].index(0)


def test_the_margin_of_a_silence_goes_when_a_frame_is_heard_and_nothing_can_have_been_lost():
    made = town(changes_an_hour=60, heard_per_hour=90)
    before = margin(made, NOON)
    minute = next(minute for minute in range(1, 40) if margin(made, NOON + minute * MINUTE) > 2)
    made.kept.reception.heard(A, to_ns(NOON + minute * MINUTE))
    assert margin(made, NOON + minute * MINUTE) == before


def test_where_signs_of_life_often_correct_what_was_believed_no_number_is_told():
    made = town()
    for number in range(2, 12):
        for bay_number in range(10):
            at = NOON - 90 * MINUTE + (number * 10 + bay_number) * timedelta(seconds=20)
            wrong = (number * 7 + bay_number * 3) % 10 < 4
            before = made.memory(AssetId(f"B{bay_number}")).track.occupied
            made.take([said(f"B{bay_number}", at, number, before != wrong, "beat")])
    assert made.kept.checked.free + made.kept.checked.taken == 100
    counted = looked(made, NOON)
    assert counted.known == 10
    assert counted.margin > ZoneRules().number_margin
    assert tells(counted, Restriction.NONE, timedelta(0), ZoneRules()) in (Tells.RANGE, Tells.NOTHING)
    assert 0 <= counted.least_free <= counted.free <= counted.most_free <= counted.total


def test_where_they_always_agree_the_margin_is_small():
    made = town()
    for number in range(2, 12):
        at = NOON - 90 * MINUTE + number * timedelta(seconds=20)
        made.take([said(f"B{one}", at, number, one < 5, "beat") for one in range(10)])
    assert margin(made, NOON) <= 1


def test_two_outages_are_two_and_the_time_between_them_is_not_lost():
    reception = learnt(per_hour=60)
    for minute in (*range(60, 180), *range(240, 300)):
        reception.look(NOON + minute * MINUTE)
        reception.heard(A, to_ns(NOON + minute * MINUTE))
    sure = [one for one in reception.lost([A]) if one.chance > 0.9]
    assert [round((one.until_ns - one.from_ns) / 60 / NS) for one in sure] == [61, 61]


def test_only_when_all_who_hear_a_device_were_down_was_anything_of_it_lost():
    reception = learnt(per_hour=60, gateways=(A, B))
    reception.gateways[A].gaps = [Gap(to_ns(NOON), to_ns(NOON + HOUR), 9.0)]
    assert not reception.lost([A, B])
    reception.gateways[B].gaps = [Gap(to_ns(NOON + 30 * MINUTE), to_ns(NOON + 2 * HOUR), 4.0)]
    [both] = reception.lost([A, B])
    assert (both.from_ns, both.until_ns) == (to_ns(NOON + 30 * MINUTE), to_ns(NOON + HOUR))
    assert both.chance == pytest.approx(0.8)


def together(reception, begin, hours, seconds=400):
    """Lamps that were switched on together: each quarter of an hour two hundred frames, and then nothing for a while."""
    for quarter in range(hours * 4):
        for number in range(200):
            at = begin + quarter * 15 * MINUTE + timedelta(seconds=number * seconds / 200)
            reception.heard(A, to_ns(at))
            if number % 20 == 0:
                reception.look(at)


def test_where_all_speak_at_the_same_time_the_silence_between_is_no_outage():
    reception = Reception()
    together(reception, NOON - 20 * HOUR, 20)
    for second in range(400, 895, 15):
        reception.look(NOON - 15 * MINUTE + timedelta(seconds=second))
        assert reception.down([A]).chance < 0.05
    assert lost(reception) < 0.05
    assert 1 <= silent_after(reception, minutes=30) <= 20, "when they should have spoken again, it is known soon"


def test_lamps_that_are_told_to_speak_less_often_are_no_outage_for_long():
    reception = Reception()
    together(reception, NOON - 20 * HOUR, 20)
    for hour in range(12):
        together(reception, NOON + hour * HOUR, 1, seconds=20)
    at = NOON + 12 * HOUR + 14 * MINUTE
    reception.heard(A, to_ns(at - 14 * MINUTE))
    reception.look(at)
    assert reception.down([A]).chance < 0.5
