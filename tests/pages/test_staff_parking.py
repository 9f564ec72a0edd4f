"""Pages for parking's staff: bays with state, quality and reason, blocks, sensors, overstays, usage, residents' reports."""

import csv
import io
import re
from datetime import timedelta

import pytest

from city.bays import BayEvent
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import BayDay, BayFact, Count, Quarter, Stay, ZoneFact
from city.parking_places import Doubt, Doubting, ParkingSite, SiteRule
from city.readings import to_ns
from city.sensor_checks import CheckedSensor, Result, SensorCheck
from city.store.port_parking import ParkingFound
from city.store.ports import Account, Area, Role
from tests.pages.conftest import HASH, HOSTILE, NOW, csrf, sign_in

T = TenantId("stadt")
DE = "/stadt/betrieb/parken"


@pytest.fixture
def parked(world):
    """A zone of six bays of which the bridge has found out something; returns their numbers."""
    world.bays("platz", None, None, None, None, None, None)
    names = [row.asset for row in world.rows]
    known = [("free", "", True), ("occupied", "", True), ("occupied", "", False), ("unknown", "silent", True),
             ("out_of_service", "gone", True)]
    at = NOW - timedelta(minutes=20)
    facts = [BayFact(name, ZoneId("platz"), occupancy, why, at, at, at, certain, False)
             for name, (occupancy, why, certain) in zip(names, known, strict=False)]
    zone = ZoneFact(ZoneId("platz"), {"": Count(6, 1, 2, "few")}, NOW - timedelta(seconds=20), at, "", 8.1, 51.0)
    world.store.put_parking(T, ParkingFound(bays=facts, zones=[zone]))
    return names


async def page(client, address):
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


@pytest.mark.usefixtures("parked")
async def test_every_bay_says_its_state_and_why_it_is_not_known(operator):
    text = await page(operator, DE)
    for word in ("frei", "belegt", "unbekannt", "außer Betrieb", "Ein Lebenszeichen seines Sensors fehlt.",
                 "nicht selbst gehört"):
        assert word in text, word
    assert "50&nbsp;%" in text  # three of six bays are known


async def test_filters_stand_in_the_address_and_hold_for_list_and_map(operator, parked):
    text = await page(operator, f"{DE}?state=occupied&quality=sure")
    assert f"/stellplatz/{parked[1]}" in text
    assert f"/stellplatz/{parked[2]}" not in text
    feed = (await operator.get(f"{DE}/karte.json?state=occupied&quality=sure")).json()
    assert [one["properties"]["id"] for one in feed["bays"]["features"]] == [parked[1]]
    assert "Kein Stellplatz passt" in await page(operator, f"{DE}?q=nirgends")


async def test_what_needs_somebody_stands_first(operator, parked, world):
    text = await page(operator, DE)
    assert "Bewohner lesen nichts von: platz." in text  # three of six bays are known
    assert f'<a href="{DE}/sensoren">2 Sensoren brauchen jemanden vor Ort.</a>' in text  # one is gone, one was never heard
    assert "kein Gateway" not in text
    world.store.put_parking(T, ParkingFound(
        bays=[BayFact(name, ZoneId("platz"), "unknown", "unheard", NOW, NOW, NOW, True, False) for name in parked],
        zones=[ZoneFact(ZoneId("platz"), {"": Count(6, 1, 5, "few")}, NOW, NOW, "", 8.1, 51.0)]))
    text = await page(operator, DE)
    assert f'<a href="{DE}/sensoren?finding=unheard">6 Stellplätze sind unbekannt, weil kein Gateway geht' in text
    assert "Bewohner lesen nichts" not in text
    assert "vor Ort" not in text


@pytest.mark.usefixtures("parked")
async def test_an_evaluation_that_is_old_is_told_as_old(operator, world):
    assert "Keine frische Auswertung" not in await page(operator, DE)
    world.clock.advance(600)
    assert "Keine frische Auswertung von: platz" in await page(operator, DE)


@pytest.mark.usefixtures("parked")
async def test_the_list_does_without_the_map_and_in_english(operator):
    text = await page(operator, "/en/stadt/operations/parking")
    assert "A sign of life of its sensor is missing." in text
    assert "The map needs JavaScript; the list does without." in text


@pytest.mark.usefixtures("parked")
async def test_only_operators_of_parking_get_in_and_the_console_leads_them_here(world, anybody):
    world.store.put_account(Account("petra", Role.OPERATOR, T, HASH, frozenset({Area.PARKING})))
    world.store.put_account(Account("lutz", Role.ADMIN, T, HASH, frozenset({Area.LIGHTING})))
    await sign_in(anybody, "lutz")
    assert (await anybody.get(DE)).status_code == 403
    assert f'href="{DE}"' not in await page(anybody, "/stadt/betrieb")
    await sign_in(anybody, "petra")
    answer = await anybody.get("/stadt/betrieb")
    assert (answer.status_code, answer.headers["location"]) == (303, DE)
    text = await page(anybody, DE)
    assert "/stadt/programme" not in text
    assert (await anybody.get("/stadt/programme")).status_code == 403


async def test_a_bay_tells_its_sensors_words_and_days(operator, parked, world):
    bay = AssetId(parked[1])
    world.store.add_bay_events(T, [(bay, BayEvent(to_ns(NOW - timedelta(minutes=20)), "s", 7, "edge", True)),
                                   (bay, BayEvent(to_ns(NOW - timedelta(days=9)), "s", 3, "beat", False))], NOW)
    world.store.put_parking(T, ParkingFound(days=[BayDay(bay, NOW.date(), ZoneId("platz"), 24, 30, 6, 2, 1, 3600, 7200)]))
    text = await page(operator, f"{DE}/stellplatz/{bay}")
    assert "Wechsel" in text
    assert "Lebenszeichen</td>" not in text  # nine days are too old
    assert "verpasst Wechsel" in text
    assert (await operator.get(f"{DE}/stellplatz/nirgends")).status_code == 404


async def test_chosen_bays_are_blocked_for_a_time_and_opened_again(operator, parked, world):
    form = await page(operator, f"{DE}/sperrungen?bay={parked[0]}&bay={parked[1]}")
    assert f'value="{parked[0]}, {parked[1]}"' in form
    sent = {"csrf": csrf(form), "bays": f"{parked[0]}, {parked[1]}", "start": "2026-11-22T18:32", "end": "2026-11-23T06:00",
            "reason": HOSTILE}
    assert (await operator.post(f"{DE}/sperrungen", data=sent)).status_code == 303
    text = await page(operator, f"{DE}/sperrungen?said=kept")
    assert HOSTILE not in text
    assert "2 Stellplätze" in text
    assert "gesperrt" in await page(operator, f"{DE}/stellplatz/{parked[0]}")
    assert world.town.audit_lines()[0].action == "block bays"
    closure = world.town.bay_blocks(NOW)[0].id.partition(".")[0]
    await operator.post(f"{DE}/stellplatz/{parked[0]}/oeffnen", data={"csrf": csrf(text)})
    assert [block.bay for block in world.town.bay_blocks(NOW) if block.holds(NOW)] == [parked[1]]
    assert (await operator.post(f"{DE}/sperrungen/{closure}/beenden", data={"csrf": csrf(text)})).status_code == 303
    assert not [block for block in world.town.bay_blocks(NOW) if block.holds(NOW)]


async def test_a_wrong_block_is_told_at_its_field_and_nothing_typed_is_lost(operator, parked, world):
    form = await page(operator, f"{DE}/sperrungen")
    answer = await operator.post(f"{DE}/sperrungen", data={
        "csrf": csrf(form), "bays": parked[0], "start": "2026-11-22T19:00", "end": "2026-11-22T18:00", "reason": "Umzug"})
    assert answer.status_code == 422
    assert 'id="end-wrong"' in answer.text
    assert 'value="Umzug"' in answer.text
    assert list(world.town.bay_blocks(NOW)) == []
    bad = await operator.post(f"{DE}/sperrungen", data={"csrf": csrf(form), "bays": parked[0], "end": "morgen", "reason": "x"})
    assert (bad.status_code, 'id="end-wrong"' in bad.text) == (422, True)


async def test_sensors_come_worst_first_and_can_be_narrowed(operator, parked):
    text = await page(operator, f"{DE}/sensoren")
    gone, silent = (text.index(f"/stellplatz/{parked[n]}") for n in (4, 3))
    assert gone < silent
    only = await page(operator, f"{DE}/sensoren?finding=silent")
    assert f"/stellplatz/{parked[3]}" in only
    assert f"/stellplatz/{parked[4]}" not in only


@pytest.mark.usefixtures("parked")
async def test_who_parks_too_long_is_told_in_bays_and_minutes(operator, world):
    rule = SiteRule(hours="24/7", max_stay_min=15)
    world.town.put_parking_site(ParkingSite(ZoneId("platz"), rules=(rule,)), "eva", NOW)
    text = await page(operator, f"{DE}/parkdauer")
    assert "2 Stellplätze über ihrer Grenze" in text
    assert "Ankunft nicht gehört" in text
    assert "csv" not in text


async def test_usage_shows_curve_week_and_stays_of_the_zone_and_never_a_bay(operator, parked, world):
    begin = NOW - timedelta(days=3)
    quarters = [Quarter(ZoneId("platz"), "", begin + n * timedelta(minutes=15), 6, 1800, 3600, 0, 1, 1, 1, 1500)
                for n in range(96)]
    stays = [Stay(ZoneId("platz"), "", f"x{n}", begin, begin + timedelta(minutes=25 + n), True) for n in range(7)]
    world.store.put_parking(T, ParkingFound(quarters=quarters, stays=stays))
    text = await page(operator, f"{DE}/auswertung?zone=platz")
    assert 'class="usage"' in text
    assert "67&nbsp;%" in text  # 3600 of 5400 s
    assert text.count("heat--3") >= 24
    assert "15 Min. bis 30 Min." in text
    assert not any(bay in text for bay in parked)
    answer = await operator.get(f"{DE}/auswertung.csv?zone=platz")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0][:2] == ["Beginn", "Zone"]
    assert rows[1][1:5] == ["platz", "", "6", "66,7"]
    assert not any(bay in answer.text for bay in parked)


@pytest.mark.parametrize("query", ["from=morgen", "from=2026-11-20&to=2026-11-01", "from=2020-01-01&to=2026-11-01"])
@pytest.mark.usefixtures("parked")
async def test_a_period_that_is_none_is_told_at_its_field(operator, query):
    answer = await operator.get(f"{DE}/auswertung?zone=platz&{query}")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.usefixtures("parked")
async def test_a_residents_report_is_settled_with_what_was_found_out(operator, world):
    world.town.add_doubt(Doubt("d1", T, ZoneId("platz"), Doubting.FULLER, NOW, "4 frei von 6", HOSTILE))
    text = await page(operator, f"{DE}/hinweise")
    assert "Es sind weniger Stellplätze frei als angezeigt." in text
    assert "4 frei von 6" in text
    assert HOSTILE not in text
    assert "1 Hinweis" in await page(operator, DE)
    empty = await operator.post(f"{DE}/hinweise/d1/schliessen", data={"csrf": csrf(text), "outcome": " "})
    assert (empty.status_code, "outcome-d1-wrong" in empty.text) == (422, True)
    await operator.post(f"{DE}/hinweise/d1/schliessen", data={"csrf": csrf(text), "outcome": "Sensor klemmte"})
    assert "Kein Hinweis ist offen." in await page(operator, f"{DE}/hinweise")
    assert "Sensor klemmte" in await page(operator, f"{DE}/hinweise?every=1")


async def test_reports_stand_by_what_the_check_of_the_sensors_found_with_ways_to_those_that_are_suspicious(operator, parked,
                                                                                                           world):
    hour = timedelta(hours=1)

    def reported(name, age, result, *sensors, done=True, forgotten=False):
        at = NOW - age
        world.town.add_doubt(Doubt(name, T, ZoneId("platz"), Doubting.FULLER, at, f"Hinweis {name}"))
        return SensorCheck(ZoneId("platz"), at, at + 25 * hour, NOW, 6, 0 if done else 2, NOW if done else None,
                           {"fuller": result.value}, () if forgotten else (CheckedSensor(AssetId(parked[5]), "same"), *sensors))

    wrong = CheckedSensor(AssetId(parked[1]), "wrong", was=False, lost=2, heard_at=NOW - hour)
    silent = CheckedSensor(AssetId(parked[3]), "waiting", findings=("silent",))
    checks = [reported("eins", 9 * hour, Result.CONFIRMED, wrong), reported("zwei", 7 * hour, Result.SUSPICIOUS, silent),
              reported("drei", 5 * hour, Result.RUNNING, done=False), reported("vier", 3 * hour, Result.NOTHING),
              reported("fünf", 8 * hour, Result.CONFIRMED, forgotten=True)]
    world.store.put_parking(T, ParkingFound(checks=checks))
    text = re.sub(r"\s+", " ", await page(operator, f"{DE}/hinweise"))
    places = [text.index(f"Hinweis {name}") for name in ("fünf", "eins", "zwei", "drei", "vier")]
    assert places == sorted(places)
    assert "wurde von seinem nächsten Funkspruch berichtigt: Der Stellplatz war belegt." in text
    assert "2 Funksprüche um die Zeit des Hinweises verloren" in text
    assert "ein Lebenszeichen fehlt" in text
    assert f"/stellplatz/{parked[1]}" in text
    assert f"/stellplatz/{parked[3]}" in text
    assert f"/stellplatz/{parked[5]}" not in text  # it agrees
    assert "4 von 6 Sensoren haben seither ihren Zustand gemeldet." in text
    assert "Ob der Hinweis damit erledigt ist, entscheiden Sie." in text
    assert "wird nicht länger aufgehoben" in text
    assert len(world.town.doubts()) == 5  # a person settles
    english = await page(operator, "/en/stadt/operations/parking/feedback")
    assert "Confirmed: a sensor has corrected itself since" in english


async def test_a_town_without_bays_says_so(anybody):
    await sign_in(anybody, "chief")
    for part in ("", "/sensoren", "/sperrungen", "/parkdauer", "/auswertung", "/hinweise"):
        assert (await anybody.get(f"/leer/betrieb/parken{part}")).status_code == 200


@pytest.mark.usefixtures("parked")
async def test_staff_read_what_residents_are_told_and_that_a_count_is_not_certain_though_all_bays_are_known(operator, world):
    assert "nichts" in await page(operator, DE)  # half of the bays are not known
    zone = ZoneFact(ZoneId("platz"), {"": Count(20, 14, 6, "many", 3)}, NOW - timedelta(seconds=20), NOW, "", 8.1, 51.0)
    world.store.put_parking(T, ParkingFound(zones=[zone]))
    text = await page(operator, DE)
    assert "eine Spanne" in text
    assert "kann um 3 Stellplätze abweichen" in text
