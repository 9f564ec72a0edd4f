"""Which gateways have fallen silent, and what a bay is worth that nobody could hear."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from city.bays import BayEvent, Rules
from city.ids import AssetId, GatewayId, TenantId, ZoneId
from city.parking_counting import Kept, Sensor, Town, packed, unpacked
from city.parking_display import ZoneRules
from city.places import ParkingBay, Site
from city.reach import Ear
from city.readings import NS, DeviceState, to_ns
from city.reception import GatewayWord, Rates, Reception, usual_ears

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


def test_a_gateway_is_silent_when_it_should_have_heard_many_frames_and_heard_none():
    reception = learnt(per_hour=60)
    reception.look(NOON + 7 * MINUTE, 9)
    assert not reception.silent
    reception.look(NOON + 12 * MINUTE, 9)
    assert set(reception.silent) == {A}
    assert reception.unheard_since([A]) == pytest.approx(to_ns(NOON - MINUTE), abs=NS)


def test_it_is_so_no_more_when_it_hears_again_and_the_outage_teaches_nothing():
    reception = learnt(per_hour=60)
    reception.look(NOON + 5 * HOUR, 9)
    reception.heard(A, to_ns(NOON + 5 * HOUR))
    reception.look(NOON + 5 * HOUR, 9)
    assert not reception.silent
    assert reception.gateways[A].rates.expected(to_ns(NOON + 24 * HOUR), to_ns(NOON + 25 * HOUR)) == pytest.approx(60, rel=0.1)


def test_a_gateway_that_hears_little_proves_nothing_by_silence_unless_the_network_server_says_so():
    reception = learnt(per_hour=2)
    reception.look(NOON + HOUR, 9)
    assert not reception.silent
    reception.look(NOON + HOUR, 9, {A: GatewayWord(False, to_ns(NOON + 10 * MINUTE))})
    assert reception.silent[A] == to_ns(NOON + 10 * MINUTE)


def test_a_gateway_that_the_network_server_sees_needs_a_longer_silence():
    reception = learnt(per_hour=60)
    reception.look(NOON + 12 * MINUTE, 9, {A: GatewayWord(True, to_ns(NOON + 12 * MINUTE))})
    assert not reception.silent
    reception.look(NOON + 30 * MINUTE, 9, {A: GatewayWord(True, to_ns(NOON + 30 * MINUTE))})
    assert set(reception.silent) == {A}


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


def town(*, changes_an_hour=10):
    """A zone of ten bays that one gateway hears, whose usual changes are learnt."""
    made = Town(Kept(reception=learnt(per_hour=600)), Rules(), ZoneRules())
    made.register([bay(number) for number in range(10)],
                  {AssetId(f"B{number}"): Sensor(timedelta(hours=24), (A,)) for number in range(10)}, {})
    made.take([said(f"B{number}", NOON - 2 * HOUR, 1, number < 5, "beat") for number in range(10)])
    rates = made.kept.changes[ZoneId("z")] = Rates()
    rates.usual, rates.learnt = [float(changes_an_hour)] * 24, [5] * 24
    return made


def looked(made, at):
    made.kept.reception.look(at, 9)
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
