"""A zone's own page, what explains the pages, and what residents say is wrong."""

from datetime import date, timedelta

import pytest

from api.pages.public_doubts import DoubtLimiter, neighbourhood
from city.errors import TooOften
from city.ids import TenantId
from city.parking_facts import Count
from city.parking_places import Doubting, ParkingSite, PermitFee, PermitZone, SiteRule, TownParking
from city.settings import Parking
from tests.pages.conftest import HOSTILE, NOW
from tests.pages.test_public import text
from tests.pages.told import Told

BERLIN_MIDNIGHT = NOW.replace(hour=23, minute=0) - timedelta(days=1)


@pytest.fixture
def told(world):
    return Told(world)


async def test_rules_are_told_now_and_as_a_table(anybody, told):
    rules = (SiteRule(hours="Mo-Su 08:00-19:00", max_stay_min=120, disc=True), SiteRule("disabled"))
    told.zone("platz", 7, 17, site=ParkingSite("platz", rules=rules, address="Markt 1", note="Mittwochs Markt",
                                               note_en="Market on Wednesdays"))
    page = text((await anybody.get("/stadt/parken/platz")).text)
    assert "bis 19:00 höchstens 2 Std. mit Parkscheibe" in page
    assert "Menschen mit Parkausweis für Behinderte jetzt ständig" in page
    assert "Mo-So 08:00-19:00" in page
    assert "Markt 1" in page
    assert "Mittwochs Markt" in page
    assert "Market on Wednesdays" in text((await anybody.get("/en/stadt/parking/platz")).text)


async def test_forecast_is_drawn_and_told_with_its_error(anybody, told):
    told.zone("platz", 6, 4)
    told.quarters("platz", NOW.replace(minute=0) - timedelta(hours=2), 8, 8, 7, 7, 6, 6)
    told.forecasts("platz", 5.5, 4.5, 3.0)
    html = (await anybody.get("/stadt/parken/platz")).text
    assert 'class="expected" d="M' in html
    page = text(html)
    assert "30 Minuten im Voraus lag die Vorhersage im Mittel um 0,8 Stellplätze daneben." in page
    assert "18:45 5,5 erwartet" in page
    assert "17:00 7 war frei" not in page
    assert "17:00 6 war frei" in page


async def test_a_bad_forecast_is_not_shown(anybody, told):
    told.zone("platz", 6, 4)
    told.forecasts("platz", 5.5, shown=False)
    assert "Die nächsten Stunden" not in (await anybody.get("/stadt/parken/platz")).text


async def test_last_days_are_hourly_means_and_never_of_what_is_not_over(anybody, told):
    told.zone("platz", 6, 4)
    told.quarters("platz", BERLIN_MIDNIGHT, 10, 10, 8, 8, 5)
    told.quarters("platz", NOW.replace(minute=30), 3)  # 18:30 to 18:45 in Berlin, and it is 18:32
    page = text((await anybody.get("/stadt/parken/platz")).text)
    assert "So. 22. 11." in page
    assert "00–01 9" in page
    assert "18–19 – unbekannt" in page


async def test_a_small_zone_has_no_history(anybody, told):
    told.zone("hof", 2, 2, word="many")
    told.quarters("hof", BERLIN_MIDNIGHT, 2, 2, 2, 2, bays=4)
    assert "Die letzten Tage" not in (await anybody.get("/stadt/parken/hof")).text


async def test_permit_zone_leads_to_the_towns_own_application(anybody, told, world):
    fees = (PermitFee(date(2024, 1, 1), 12, 30.7), PermitFee(date(2025, 1, 1), 12, 120.0), PermitFee(date(2027, 1, 1), 12, 180.5))
    world.town.put_permit_zone(PermitZone("A", "Altstadt", fees=fees, application_url="https://stadt.example/antrag"), "t", NOW)
    told.zone("platz", 6, 4, site=ParkingSite("platz", permit_zone="A"))
    html = (await anybody.get("/stadt/parken/platz")).text
    assert 'href="https://stadt.example/antrag" rel="noopener noreferrer"' in html
    page = text(html)
    assert "12 Monate 120,00 € jetzt" in page
    assert "12 Monate 180,50 € 1. Januar 2027" in page
    assert "30,7" not in page
    assert "garantiert keinen freien Stellplatz" in page


async def test_hidden_and_foreign_zones_are_not_there(anybody, told):
    told.zone("geheim", 6, 4, site=ParkingSite("geheim", public=False))
    for path in ("/stadt/parken/geheim", "/leer/parken/geheim", "/stadt/parken/nichts", "/nirgends/parken/x"):
        assert (await anybody.get(path)).status_code == 404


async def test_what_a_town_says_is_only_text(anybody, told, world):
    world.town.put_parking_town(TownParking(operator=HOSTILE, officer=HOSTILE, arbitration=HOSTILE, contact='a"onclick=x@y',
                                            imprint_url="javascript:alert(1)"), "t", NOW)
    told.zone("platz", 6, 4, site=ParkingSite("platz", address=HOSTILE, note=HOSTILE, fee=HOSTILE, url="javascript:alert(1)"))
    for path in ("/stadt/parken/platz", "/stadt/barrierefreiheit", "/stadt/datenschutz", "/en/stadt/privacy"):
        page = (await anybody.get(path)).text
        assert HOSTILE not in page
        assert 'href="javascript:' not in page
        assert '"onclick' not in page


async def test_a_doubt_is_kept_without_its_person(anybody, told, world):
    told.zone("platz", 6, 4)
    answer = await anybody.post("/stadt/parken/platz/hinweis", data={"what": "fuller", "text": " zwei  Autos\nstehen da "})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/stadt/parken/platz?thanks=2#feedback"
    doubt, = world.town.doubts()
    assert (doubt.what, doubt.zone, doubt.text) == (Doubting.FULLER, "platz", "zwei Autos stehen da")
    assert doubt.shown == "6 frei von 10"
    thanks = (await anybody.get("/stadt/parken/platz?thanks=2")).text
    assert "Danke. Ihr Hinweis startet eine Prüfung der Sensoren dieser Zone" in thanks
    assert "Thank you. Your report starts a check" in (await anybody.get("/en/stadt/parking/platz?thanks=2")).text


async def test_nobody_is_told_that_sensors_are_checked_for_a_rule(anybody, told):
    told.zone("platz", 6, 4)
    answer = await anybody.post("/stadt/parken/platz/hinweis", data={"what": "rule"})
    assert answer.headers["location"] == "/stadt/parken/platz?thanks=1#feedback"
    thanks = (await anybody.get("/stadt/parken/platz?thanks=1")).text
    assert "Danke. Die Stadt sieht Ihren Hinweis." in thanks
    assert "Prüfung der Sensoren" not in thanks


async def test_a_doubt_that_cannot_be_kept_says_why_and_loses_nothing(anybody, told, world):
    told.zone("platz", 6, 4)
    answer = await anybody.post("/stadt/parken/platz/hinweis", data={"what": "", "text": "da steht <b>"})
    assert answer.status_code == 422
    assert "Bitte auswählen, was nicht stimmt." in answer.text
    assert "da steht &lt;b&gt;" in answer.text
    assert (await anybody.post("/stadt/parken/platz/hinweis", data={"what": "other", "text": "x" * 501})).status_code == 422
    assert (await anybody.post("/stadt/parken/nichts/hinweis", data={"what": "other"})).status_code == 404
    assert world.town.doubts() == []


async def test_programs_are_thanked_and_not_heard(anybody, told, world):
    told.zone("platz", 6, 4)
    answer = await anybody.post("/stadt/parken/platz/hinweis", data={"what": "other", "website": "http://spam.example"})
    assert answer.status_code == 303
    assert world.town.doubts() == []


async def test_one_address_cannot_flood_the_staff(anybody, told, world):
    told.zone("platz", 6, 4)
    answers = [await anybody.post("/stadt/parken/platz/hinweis", data={"what": "other"}) for _ in range(7)]
    assert [one.status_code for one in answers] == [303] * 5 + [429] * 2
    assert len(world.town.doubts()) == 5
    world.clock.advance(3601)
    assert (await anybody.post("/stadt/parken/platz/hinweis", data={"what": "other"})).status_code == 303


def test_the_limiter_knows_only_what_thousands_share():
    limiter = DoubtLimiter(Parking())
    for last in range(5):
        limiter.check(TenantId("stadt"), f"198.51.100.{last}", NOW)
    with pytest.raises(TooOften):
        limiter.check(TenantId("stadt"), "198.51.100.77", NOW)
    limiter.check(TenantId("stadt"), "198.51.101.1", NOW)
    limiter.check(TenantId("dorf"), "198.51.100.1", NOW)
    assert "198.51.100.1" not in repr(vars(limiter))


@pytest.mark.parametrize(("address", "part"), [
    ("192.0.2.77", "192.0.2.0"), ("2001:db8:1:2::7", "2001:db8:1::"), ("::ffff:192.0.2.9", "192.0.2.0"), ("nowhere", "?")])
def test_an_address_is_cut_before_it_is_counted(address, part):
    assert neighbourhood(address) == part


async def test_accessibility_statement_says_whom_to_ask(anybody, told, world):
    told.zone("platz", 6, 4)
    assert "noch keine Kontaktadresse" in (await anybody.get("/stadt/barrierefreiheit")).text
    world.town.put_parking_town(TownParking(contact="parken@stadt.example", arbitration="Schlichtungsstelle NRW"), "t", NOW)
    world.clock.advance(3)  # finished answers may be two seconds old
    page = (await anybody.get("/stadt/barrierefreiheit")).text
    assert "mailto:parken@stadt.example" in page
    assert "Schlichtungsstelle NRW" in page


async def test_privacy_notice_tells_the_numbers_that_are_set(anybody):
    page = text((await anybody.get("/stadt/datenschutz")).text)
    assert "einzelne Meldungen eines Sensors 7 Tage" in page
    assert "Zahlen erst ab 5 vergleichbaren Stellplätzen" in page


async def test_easy_read_explains_every_word(anybody):
    page = text((await anybody.get("/stadt/parken/leichte-sprache")).text)
    for word in ("viele frei", "wenige frei", "voll", "unbekannt", "Nach 5 Minuten ist die Zahl grau."):
        assert word in page


async def test_special_bays_of_a_zone_show_now_but_never_their_past(anybody, told):
    told.zone("platz", special={"disabled": Count(2, 1, 1, "full")})
    page = text((await anybody.get("/stadt/parken/platz")).text)
    assert "Behinderte 1/2" in page
    assert "nur Sonderstellplätze" in page
    assert "Die letzten Tage" not in page
