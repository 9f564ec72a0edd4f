"""What every Store promises of parking, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from city.bays import BayEvent
from city.errors import Conflict, LeaseLost, NotFound
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.parking_facts import BayDay, BayFact, Count, Forecast, ForecastError, Quarter, Retired, Stay, ZoneFact
from city.parking_places import Block, Doubt, Doubting, ParkingSite, PermitZone, TownParking
from city.places import Restriction, Site, Tenant
from city.readings import to_ns
from city.sensor_checks import CheckedSensor, SensorCheck
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from city.store.ports import DeadLetter, Facts, Lease, Store, TenantStore
from tests.stores import new_database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B = TenantId("aheim"), TenantId("bheim")
PLATZ, HOF = ZoneId("platz"), ZoneId("hof")
BAY = AssetId("B1")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        yield from _opened(new_database(tmp_path / "city.db"))
    else:
        yield from _opened(request.getfixturevalue("postgres")())


def _opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    for town in (A, B):
        store.put_tenant(Tenant(town, town, Site(51, 8)))
        store.tenant(town).import_rows([
            ImportRow(n, AssetId(f"B{n}"), "bay", f"Bay {n}", Site(51, 8), PLATZ if n < 3 else HOF, None, None, "", None, "",
                      Restriction.NONE) for n in (1, 2, 3)])
    yield store
    store.close()


@pytest.fixture
def town(store: Store) -> TenantStore:
    return store.tenant(A)


def event(at: datetime, number: int = 1, occupied: bool | None = True) -> BayEvent:
    return BayEvent(to_ns(at), "01020304", number, "edge", occupied)


def zone_fact(free: int = 2, at: datetime = NOW, zone: ZoneId = PLATZ) -> ZoneFact:
    return ZoneFact(zone, {"": Count(5, free, 3, "few")}, at, NOW, "rising", 8.0, 51.0)


def bay_fact(occupancy: str = "free", bay: AssetId = BAY) -> BayFact:
    return BayFact(bay, PLATZ, occupancy, "", NOW, NOW, NOW, True, False, 7, 3, 1, 2, "coverage")


# -- words of sensors

def test_each_word_of_a_sensor_is_kept_once_and_read_in_order(store: Store, town: TenantStore):
    words = [(BAY, event(NOW, 1)), (BAY, event(NOW - HOUR, 0))]
    assert store.add_bay_events(A, words, NOW) == 2
    assert store.add_bay_events(A, [*words, (BAY, event(NOW + HOUR, 2))], NOW + HOUR) == 1
    assert [one.number for one in town.bay_events(BAY, NOW - DAY, NOW + DAY)] == [0, 1, 2]
    assert [one.number for one in town.bay_events(BAY, NOW, NOW + HOUR)] == [1]
    assert list(store.tenant(B).bay_events(BAY, NOW - DAY, NOW + DAY)) == []


def test_words_are_found_by_when_they_were_received_whichever_bridge_wrote_them(store: Store):
    store.add_bay_events(A, [(BAY, event(NOW + HOUR, 9))], NOW)
    store.add_bay_events(A, [(AssetId("B2"), event(NOW - DAY, 1))], NOW + HOUR)
    found = store.new_bay_events(A, NOW + timedelta(minutes=1))
    assert [(bay, one.number, at) for bay, one, at in found] == [("B2", 1, NOW + HOUR)]
    assert len(store.new_bay_events(A, NOW)) == 2
    assert list(store.new_bay_events(B, NOW - DAY)) == []


# -- what was found out

def test_facts_of_bays_stay_until_they_are_others_or_gone(store: Store, town: TenantStore):
    store.put_parking(A, ParkingFound(bays=[bay_fact(), bay_fact("occupied", AssetId("B2"))]))
    since = town.revision()
    store.put_parking(A, ParkingFound(bays=[bay_fact("unknown")]))
    assert town.bay_facts() == [bay_fact("unknown"), bay_fact("occupied", AssetId("B2"))]
    assert town.changed_bay_facts(since) == [bay_fact("unknown")]
    assert town.changed_bay_facts(town.revision()) == []
    store.put_parking(A, ParkingFound(gone=[BAY]))
    assert [one.bay for one in town.bay_facts()] == ["B2"]
    assert store.tenant(B).bay_facts() == []


def test_zones_are_always_all_that_there_are(store: Store, town: TenantStore):
    store.put_parking(A, ParkingFound(zones=[zone_fact(), zone_fact(zone=HOF)]))
    store.put_parking(A, ParkingFound(zones=[zone_fact(free=1)]))
    assert town.zone_facts() == [zone_fact(free=1)]
    store.put_parking(A, ParkingFound(bays=[bay_fact()]))
    assert town.zone_facts() == [zone_fact(free=1)]


def test_what_is_shown_counts_as_changed_only_when_it_is_another(store: Store, town: TenantStore):
    store.put_parking(A, ParkingFound(zones=[zone_fact()]))
    seen = town.parking_revision()
    store.put_parking(A, ParkingFound(zones=[zone_fact(at=NOW + HOUR)]))
    assert (town.parking_revision(), town.zone_facts()[0].evaluated_at) == (seen, NOW + HOUR)
    store.put_parking(A, ParkingFound(zones=[zone_fact(free=0)]))
    assert town.parking_revision() > seen
    seen = town.parking_revision()
    town.put_parking_site(ParkingSite(PLATZ, address="here"), "ada", NOW)
    assert town.parking_revision() > seen


def test_who_has_lost_the_lease_writes_nothing(store: Store, town: TenantStore):
    old = store.take_lease(Lease("steering", "one"), 0.0)
    assert store.take_lease(Lease("steering", "two"), 60.0) is not None
    with pytest.raises(LeaseLost):
        store.put_parking(A, ParkingFound(zones=[zone_fact()]), lease=old)
    with pytest.raises(LeaseLost):
        store.put_parking_memory(A, b"x", NOW, lease=old)
    assert (town.zone_facts(), store.parking_memory(A)) == ([], None)


def test_what_the_loop_remembers_is_kept_by_town(store: Store):
    store.put_parking_memory(A, b"one", NOW)
    store.put_parking_memory(A, b"two", NOW)
    assert (store.parking_memory(A), store.parking_memory(B)) == (b"two", None)


# -- history

def test_a_quarter_that_is_booked_again_takes_the_place_of_the_former(store: Store, town: TenantStore):
    one = Quarter(PLATZ, "", NOW, 5, 900, 3600, 0, 1, 2, 1, 1234)
    store.put_parking(A, ParkingFound(quarters=[one, changed(one, at=NOW + HOUR), changed(one, zone=HOF)]))
    store.put_parking(A, ParkingFound(quarters=[changed(one, free_s=1800)]))
    assert town.quarters(NOW, NOW + HOUR, PLATZ) == [changed(one, free_s=1800)]
    assert [(each.zone, each.at) for each in town.quarters(NOW, NOW + DAY)] == [(HOF, NOW), (PLATZ, NOW), (PLATZ, NOW + HOUR)]


def test_stays_and_days_come_back_as_they_were(store: Store, town: TenantStore):
    stay = Stay(PLATZ, "", "0123456789abcdef", NOW - HOUR, NOW, True)
    day = BayDay(BAY, date(2026, 11, 22), PLATZ, 3, 20, 1, 2, 0, 3600, 60, 9)
    store.put_parking(A, ParkingFound(stays=[stay], days=[day]))
    assert (town.stays(NOW, NOW + HOUR), town.stays(NOW - DAY, NOW)) == ([stay], [])
    assert town.bay_days(day.day, day.day) == [day]
    assert town.bay_days(day.day, day.day, AssetId("B2")) == []


def test_the_newest_forecast_is_told_and_all_of_them_are_judged(store: Store, town: TenantStore):
    early, late = Forecast(PLATZ, NOW + HOUR, 60, 3.0, NOW), Forecast(PLATZ, NOW + HOUR, 15, 4.0, NOW + HOUR / 2)
    store.put_parking(A, ParkingFound(forecasts=[early, late, Forecast(HOF, NOW + HOUR, 60, 1.0, NOW)]))
    assert town.forecasts(PLATZ, NOW, NOW + DAY) == [late]
    assert store.made_forecasts(A, NOW, NOW + DAY, zone=PLATZ) == [late, early]
    assert store.made_forecasts(A, NOW, NOW + DAY, zone=PLATZ, leads=(60,)) == [early]
    assert len(store.made_forecasts(A, NOW, NOW + DAY)) == 3
    assert store.made_forecasts(B, NOW, NOW + DAY) == []
    store.put_parking(A, ParkingFound(forecasts=[changed(late, actual=2.5)]))
    assert town.forecasts(PLATZ, NOW, NOW + DAY)[0].actual == 2.5
    error = ForecastError(PLATZ, {"15": 0.5}, 40, 4.0, True, NOW)
    store.put_parking(A, ParkingFound(errors=[error]))
    assert town.forecast_errors() == {PLATZ: error}


# -- what must not be kept

def test_what_is_old_is_removed_a_part_at_a_time_and_only_the_towns_own(store: Store, town: TenantStore):
    for tenant in (A, B):
        store.add_bay_events(tenant, [(BAY, event(NOW - n * DAY, n)) for n in range(10)], NOW)
    assert store.oldest(A, "bay_events") == NOW - 9 * DAY
    assert store.retire(A, "bay_events", NOW - 7 * DAY, limit=1) == 1
    assert store.retire(A, "bay_events", NOW - 7 * DAY) == 1
    assert (store.retire(A, "bay_events", NOW - 7 * DAY), store.oldest(A, "bay_events")) == (0, NOW - 7 * DAY)
    assert store.oldest(B, "bay_events") == NOW - 9 * DAY
    report = Retired(NOW, "bay_events", 2, NOW - 7 * DAY, 7.0)
    store.put_retired(A, report)
    assert (town.retired(), store.tenant(B).retired()) == ([report], [])


def test_dead_letters_of_bays_sensors_go_with_their_words_and_no_others(store: Store):
    """A letter's topic names its device; whoever serves a bay, or did not when it came, is looked up."""
    sensor, lamp, foreign = DevEui("a1" * 8), DevEui("b2" * 8), DevEui("c3" * 8)
    row = ImportRow(1, BAY, "bay", "Bay 1", Site(51, 8), PLATZ, None, sensor, "bosch/tps110", None, "", Restriction.NONE)
    post = replace(row, asset=AssetId("L1"), kind="lamp", dev_eui=lamp, model="minol/lamp")
    store.tenant(A).import_rows([row, post])
    store.tenant(B).import_rows([replace(row, dev_eui=foreign)])

    def letter(id: str, device: str, at: datetime, town: TenantId = A) -> DeadLetter:
        return DeadLetter(id, at, f"application/x/device/{device}/event/up", b"{}", "Truncated", "", town)

    store.commit(Facts(letters=(
        letter("old", sensor, NOW - 9 * DAY), letter("capital", sensor.upper(), NOW - 8 * DAY), letter("new", sensor, NOW - HOUR),
        letter("lamp", lamp, NOW - 9 * DAY), letter("strange", "x" * 16, NOW - 9 * DAY), letter("none", "", NOW - 9 * DAY),
        letter("foreign", foreign, NOW - 9 * DAY, B))))
    assert (store.oldest(A, "bay_letters"), store.oldest(B, "bay_letters")) == (NOW - 9 * DAY, NOW - 9 * DAY)
    assert store.retire(A, "bay_letters", NOW - 7 * DAY, limit=1) == 1
    assert store.retire(A, "bay_letters", NOW - 7 * DAY) == 1
    assert (store.retire(A, "bay_letters", NOW - 7 * DAY), store.oldest(A, "bay_letters")) == (0, NOW - HOUR)
    assert {one.id for one in store.all_letters()} == {"new", "lamp", "strange", "none", "foreign"}


# -- what people say

def test_a_zone_can_only_be_merged_into_one_that_is_counted_by_itself(town: TenantStore):
    town.put_parking_site(ParkingSite(HOF, merged_into=PLATZ), "ada", NOW)
    assert town.parking_sites()[HOF].merged_into == PLATZ
    for wrong in (ParkingSite(PLATZ, merged_into=HOF), ParkingSite(PLATZ, merged_into=PLATZ)):
        with pytest.raises(Conflict):
            town.put_parking_site(wrong, "ada", NOW)
    with pytest.raises(NotFound):
        town.put_parking_site(ParkingSite("nowhere"), "ada", NOW)


def test_a_list_of_sites_is_kept_as_a_whole_or_not_at_all(town: TenantStore):
    town.put_parking_site(ParkingSite(HOF, address="before", merged_into=PLATZ), "ada", NOW)
    before, revision = dict(town.parking_sites()), town.parking_revision()
    with pytest.raises(NotFound):
        town.put_parking_sites([ParkingSite(PLATZ, address="new"), ParkingSite("nowhere")], "ada", NOW)
    with pytest.raises(Conflict):
        town.put_parking_sites([ParkingSite(HOF, address="new", merged_into=PLATZ), ParkingSite(PLATZ, merged_into=HOF)], "ada",
                               NOW)
    assert (town.parking_sites(), town.parking_revision()) == (before, revision)
    town.put_parking_sites([ParkingSite(PLATZ, merged_into=HOF), ParkingSite(HOF)], "ada", NOW)  # a merge turned round
    assert town.parking_sites()[PLATZ].merged_into == HOF


def test_bays_are_blocked_together_or_not_at_all(town: TenantStore):
    blocks = [Block(f"b{n}", A, AssetId(f"B{n}"), NOW, NOW + DAY, "Markt", "ada", NOW) for n in (1, 2, 3)]
    with pytest.raises(NotFound):
        town.add_blocks([*blocks, replace(blocks[0], id="b4", bay=AssetId("nowhere"))])
    assert list(town.bay_blocks(NOW)) == []
    town.add_blocks(blocks)
    town.add_blocks([])
    assert len(town.bay_blocks(NOW)) == 3


def test_more_blocks_than_a_town_keeps_are_refused_together(town: TenantStore):
    many = [Block(f"b{n}", A, BAY, NOW, NOW + DAY, "", "ada", NOW) for n in range(5001)]
    with pytest.raises(Conflict):
        town.add_blocks(many)
    town.add_blocks(many[1:])
    assert len(town.bay_blocks(NOW)) == 5000


def test_a_permit_zone_goes_when_no_zone_names_it_any_more(town: TenantStore):
    town.put_permit_zone(PermitZone("A", "Altstadt"), "ada", NOW)
    town.put_parking_site(ParkingSite(PLATZ, permit_zone="A"), "ada", NOW)
    with pytest.raises(Conflict):
        town.remove_permit_zone("A")
    town.put_parking_site(ParkingSite(PLATZ), "ada", NOW)
    town.remove_permit_zone("A")
    assert list(town.permit_zones()) == []
    with pytest.raises(NotFound):
        town.remove_permit_zone("A")


def test_a_town_speaks_for_itself(store: Store, town: TenantStore):
    assert town.parking_town() == TownParking(special_public=False)  # who has decided nothing tells no single bays
    town.put_parking_town(TownParking(operator="Stadt"), "ada", NOW)
    assert (town.parking_town().operator, store.tenant(B).parking_town().operator) == ("Stadt", "")


def test_a_block_holds_from_its_start_until_it_ends_or_is_lifted(town: TenantStore):
    block = Block("b1", A, BAY, NOW, NOW + DAY, "Markt", "ada", NOW)
    town.add_blocks([block])
    with pytest.raises(NotFound):
        town.add_blocks([replace(block, id="b2", bay=AssetId("B2")), replace(block, id="b3", bay=AssetId("nowhere"))])
    assert (list(town.bay_blocks(NOW)), list(town.bay_blocks(NOW + DAY))) == ([block], [])
    assert town.end_block("b1", NOW + HOUR).ended_at == NOW + HOUR
    assert town.end_block("b1", NOW + 2 * HOUR).ended_at == NOW + HOUR
    assert list(town.bay_blocks(NOW + HOUR)) == []


def test_checks_of_sensors_are_kept_by_zone_and_report_and_outlive_what_was_found_of_single_ones(store: Store,
                                                                                                 town: TenantStore):
    check = SensorCheck(PLATZ, NOW, NOW + HOUR, NOW, 1, 1, sensors=(CheckedSensor(BAY, findings=("silent",), heard_at=NOW),))
    older = changed(check, at=NOW - DAY, sensors=())
    store.put_parking(A, ParkingFound(checks=[check, older]))
    assert list(town.sensor_checks(NOW - DAY)) == [check, older]
    assert list(town.sensor_checks(NOW)) == [check]
    assert list(store.tenant(B).sensor_checks(NOW - DAY)) == []
    done = changed(check, waiting=0, done_at=NOW + HOUR, results={"fuller": "confirmed"})
    store.put_parking(A, ParkingFound(checks=[done]))
    assert store.retire(A, "checked_sensors", NOW + HOUR) == 1
    assert list(town.sensor_checks(NOW)) == [changed(done, sensors=())]
    with pytest.raises(LeaseLost):
        store.put_parking(A, ParkingFound(checks=[check]), lease=Lease("steering", "somebody else"))
    assert store.retire(A, "sensor_checks", NOW + HOUR) == 2


def test_a_doubt_is_open_until_somebody_settles_it(town: TenantStore):
    doubt = Doubt("d1", A, PLATZ, Doubting.FULLER, NOW, "2 free of 5", "there was nothing free")
    town.add_doubt(doubt)
    assert list(town.doubts()) == [doubt]
    town.close_doubt("d1", "ada", "sensor renewed", NOW + HOUR)
    assert list(town.doubts()) == []
    assert town.doubts(open_only=False)[0].outcome == "sensor renewed"
    with pytest.raises(NotFound):
        town.close_doubt("d9", "ada", "", NOW)
    with pytest.raises(NotFound):
        town.add_doubt(replace(doubt, id="d2", zone=ZoneId("nowhere")))
