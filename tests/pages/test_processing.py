"""What was removed, and the record of processing activities: for staff to read, for the data protection officer to print."""

import re
from dataclasses import replace
from datetime import timedelta

from city.ids import TenantId
from city.parking_facts import Retired
from city.parking_places import TownParking
from city.quantities import quantities
from city.record_of_processing import record, said_of
from city.record_parts import GERMAN, days
from city.retention import plan
from city.settings import Influx, Log, Parking, Settings
from city.store.retiring import INFLUX_BAYS
from tests.pages.conftest import HOSTILE, NOW, sign_in

T = TenantId("stadt")
REMOVED, RECORD = "/stadt/betrieb/parken/loeschungen", "/stadt/betrieb/verzeichnis"


def reported(world, *, note: str = "", at=NOW - timedelta(minutes=30)) -> None:
    for term in plan(Parking(), NOW):
        world.store.put_retired(T, Retired(at, term.what, 1234, NOW - timedelta(days=3), float(term.keep_days), note))


async def test_what_was_removed_and_that_all_is_in_time(operator, world):
    reported(world)
    text = (await operator.get(REMOVED)).text
    assert "Nichts wird länger aufbewahrt, als es darf." in text
    assert "Meldungen der Stellplatzsensoren" in text
    assert "1.234" in text
    assert "überfällig" not in text


async def test_a_job_that_nobody_does_is_the_loudest_thing_on_the_page(operator, world):
    text = (await operator.get(REMOVED)).text
    assert "Läuft eine Bridge?" in text
    assert text.count("überfällig") == len(plan(Parking(), NOW))
    reported(world, at=NOW - timedelta(days=2))
    assert "Läuft eine Bridge?" in (await operator.get(REMOVED)).text


async def test_what_could_not_be_removed_is_said(operator, world):
    reported(world, note="left")
    assert "überfällig" in (await operator.get(REMOVED)).text


async def test_what_influxdb_keeps_of_bays_is_said_where_there_is_one(operator, world):
    reported(world)
    assert "InfluxDB" not in (await operator.get(REMOVED)).text
    world.store.put_retired(T, Retired(NOW - timedelta(hours=1), INFLUX_BAYS, 0, NOW - timedelta(days=6), 7.0))
    text = (await operator.get(REMOVED)).text
    assert "Meldungen der Sensoren an Stellplätzen in InfluxDB" in text
    assert "überfällig" not in text
    world.store.put_retired(T, Retired(NOW, INFLUX_BAYS, 0, NOW - timedelta(days=90), 7.0, "left"))
    assert (await operator.get(REMOVED)).text.count("überfällig") == 1


async def test_an_influxdb_that_is_gone_for_a_week_is_missed_by_nobody(operator, world):
    reported(world)
    world.store.put_retired(T, Retired(NOW - timedelta(days=8), INFLUX_BAYS, 0, NOW - timedelta(days=9), 7.0))
    assert "überfällig" not in (await operator.get(REMOVED)).text


async def test_in_english_too(operator, world):
    reported(world)
    text = (await operator.get("/en/stadt/operations/parking/removals")).text
    assert "Nothing is kept longer than it may be." in text
    assert "Messages of bays&#39; sensors" in text


async def test_the_record_is_for_administrators(operator):
    assert (await operator.get(RECORD)).status_code == 403
    await sign_in(operator, "chief")
    assert (await operator.get(RECORD)).status_code == 200


async def test_the_record_says_what_the_settings_say(anybody, world):
    await sign_in(anybody, "chief")
    world.town.put_parking_town(TownParking(operator=HOSTILE, officer="dsb@example.org"), "amt", NOW)
    text = (await anybody.get(RECORD)).text
    for words in ("Art. 30", "7 Tage", "30 Tage", "90 Tage", "5 Jahre", "mindestens 5 vergleichbaren", "dsb@example.org",
                  "Ein Fahrzeug steht"):
        assert words in text, words
    assert HOSTILE not in text
    english = (await anybody.get("/en/stadt/operations/processing-record")).text
    assert "a vehicle stands in the bay" in english
    assert "7 days" in english
    assert not re.search(r"\b(Tage|Vorschlag)\b", english.split("<main", 1)[1])


def test_every_quantity_of_a_bay_is_in_the_record_and_in_german():
    bays = [quantity.name for quantity in quantities() if quantity.name.startswith("bay.")]
    assert sorted(bays) == sorted(GERMAN) == sorted(one.name for one in said_of("bay"))


def test_other_settings_make_another_record(world):
    def kept(settings: Settings) -> str:
        return " / ".join(one.de for activity in record(world.town.tenant, TownParking(), settings).activities
                          for one in activity.kept)

    longer = Settings(parking=replace(Parking(), raw_days=14, quarter_days=0), log=replace(Log(), keep_days=100))
    assert "lokalen Log der Bridge: 14 Tage" in kept(longer)
    assert "Zone und Viertelstunde (ohne Personenbezug): ohne Frist" in kept(longer)
    assert "Leuchten im lokalen Log: 100 Tage" in kept(longer)
    assert "InfluxDB" not in kept(longer)
    influx = replace(Influx(), url="http://127.0.0.1:8086", readings_days=400)
    shipped = kept(replace(longer, influx=influx))
    assert "in einem eigenen Bereich mit dieser Frist; wo sie ungewiss ist, keine: 14 Tage" in shipped
    assert "Viertelstunde in InfluxDB (ohne Personenbezug): 400 Tage" in shipped
    assert "erhält keine" in kept(replace(longer, influx=replace(influx, bays="no")))
    assert "das Programm prüft es nicht" in kept(replace(longer, influx=replace(influx, bays="yes")))


def test_the_towns_exception_for_special_bays_is_named(world):
    for allowed, words in ((True, "Ausnahme der Gemeinde"), (False, "Keine Ausnahmen")):
        told = record(world.town.tenant, TownParking(special_public=allowed), Settings())
        assert any(words in one.de for activity in told.activities for one in activity.data)


def test_what_the_town_has_still_to_say_is_named(world):
    assert len(record(world.town.tenant, TownParking(), Settings()).missing) == 3
    full = TownParking(operator="Stadt", contact="a@example.org", officer="b@example.org")
    assert record(world.town.tenant, full, Settings()).missing == ()


def test_spans_as_people_say_them():
    assert [days(count).de for count in (0, 1, 7, 365, 400, 1830)] == ["ohne Frist", "1 Tag", "7 Tage", "1 Jahr", "400 Tage",
                                                                      "5 Jahre"]
