"""What operators see and do."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from api.pages.contexts import DimForm
from api.pages.dimming import ends_at
from city.groups import Target
from city.ids import AssetId
from city.lighting import Override
from city.places import Restriction
from tests.pages.conftest import HOSTILE, NOW, csrf, sign_in
from tests.pages.test_public import text


async def dim(client, **form) -> str:
    """Where the browser is led after sending the dialog."""
    page = (await client.get("/stadt/betrieb")).text
    answer = await client.post("/stadt/betrieb/dimmen", data={"csrf": csrf(page), "level": "40", "end": "time",
                                                              "until": "23:30", **form})
    assert answer.status_code == 303, text(answer.text)
    return answer.headers["location"]


def only_override(world) -> Override:
    found, = world.town.overrides(NOW)
    return found


async def test_empty_town_says_so(anybody):
    await sign_in(anybody, "chief")
    page = (await anybody.get("/leer/betrieb")).text
    assert "hat noch keine Leuchten" in page
    assert "0 von 0 melden sich" in page


async def test_top_line_tells_the_night(operator, world):
    world.lamp("L1")
    world.lamp("L2", level=None)
    world.alarm("L1")
    page = text((await operator.get("/stadt/betrieb")).text)
    assert "Sonnenaufgang 07:5" in page
    assert "1 von 2 melden sich" in page
    assert "1 Störung" in page
    assert "kein Eingriff" in page


async def test_a_lamp_shows_three_states(operator, world):
    world.lamp("L1", level=70.0)
    page = text((await operator.get("/stadt/betrieb")).text)
    assert "100 % 70 % vor 2 Min. 35 W vor 2 Min." in page
    assert "weicht ab" in page


async def test_hostile_names_are_only_text_everywhere(operator, world):
    world.lamp("L1", name=HOSTILE)
    world.alarm("L1")
    for path in ("", "/leuchte/L1", "/stoerungen", "/dimmen?lamp=L1"):
        page = (await operator.get(f"/stadt/betrieb{path}")).text
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


async def test_list_filters_by_zone_state_and_words(operator, world):
    world.lamp("L1")
    world.lamp("L2", zone="bahnhof", level=0.0)
    world.lamp("L3", level=None)

    async def listed(query: str) -> list[str]:
        return re.findall(r'data-lamp="([^"]+)"', (await operator.get(f"/stadt/betrieb?{query}")).text)

    assert await listed("") == ["L1", "L2", "L3"]
    assert await listed("zone=bahnhof") == ["L2"]
    assert await listed("state=silent") == ["L3"]
    assert await listed("state=deviates") == ["L2"]
    assert await listed("q=lampe+l1") == ["L1"]
    assert await listed("q=nichts") == []


async def test_long_list_is_paged(operator, world):
    for n in range(1, 121):
        world.lamp(f"L{n:03}", level=None)
    first = (await operator.get("/stadt/betrieb?zone=markt")).text
    assert first.count("data-lamp=") == 50
    assert "1–50 von 120" in first
    assert 'rel="next" href="/stadt/betrieb?zone=markt&amp;page=2"' in first
    assert "101–120 von 120" in (await operator.get("/stadt/betrieb?page=99")).text
    assert "1–50 von 120" in (await operator.get("/stadt/betrieb?page=x")).text


async def test_parts_renew_alone(operator, world):
    world.lamp("L1")
    for part, begins in (("lamps", "<section"), ("tonight", "<p class=\"tonight\"")):
        answer = await operator.get("/stadt/betrieb", headers={"hx-request": "true", "hx-target": part})
        assert answer.text.lstrip().startswith(begins)


async def test_feeds_are_for_those_signed_in(anybody, world):
    world.lamp("L1", level=70.0)
    assert (await anybody.get("/stadt/betrieb/leuchten.json")).status_code == 303
    await sign_in(anybody, "vera")
    feed = (await anybody.get("/stadt/betrieb/leuchten.json")).json()
    assert (feed["id"], feed["name"], feed["level"], feed["target"]) == (["L1"], ["Lampe L1"], [70], [100])
    assert feed["zones"][feed["zone"][0]]["id"] == "markt"
    assert feed["words"][feed["word"][0]] == "deviates"
    assert (await anybody.get("/stadt/betrieb/strassen.json")).json()["streets"]["features"]


async def test_dialog_tells_price_and_end(operator, world):
    for n in range(3):
        world.lamp(f"L{n}")
    page = text((await operator.get("/stadt/betrieb/dimmen?zone=markt")).text)
    assert "markt dimmen" in page
    assert re.search(r"3 Leuchten · 3 Funksprüche · letzte gehorcht in ca\. \d+ (s|Min\.) "
                     r"\(wahrscheinlich \d+ (s|Min\.) bis \d+ (s|Min\.)\) "
                     r"\(gerechnet mit 5 % verlorenen Funksprüchen\) · endet heute 23:30, danach Programm Halbnacht", page)
    part = text((await operator.get("/stadt/betrieb/dimmen/preis?zone=markt&level=40&end=2h")).text)
    assert "endet heute 20:32" in part
    assert "3 Leuchten auf 40 %" in part


@pytest.mark.parametrize(("hour", "offered"), [(9, "2h"), (13, "2h"), (15, "time"), (21, "time"),
                                               (23, "sunrise"), (2, "sunrise"), (6, "2h")])
async def test_dialog_offers_an_end_that_fits_the_hour(operator, world, hour, offered):
    """23:30 while that is near, the sunrise in the night, else two hours; hours in UTC."""
    world.lamp("L1")
    world.clock.advance((NOW.replace(hour=hour, minute=45) - NOW).total_seconds() % (24 * 3600))
    await sign_in(operator, "olga")
    page = (await operator.get("/stadt/betrieb/dimmen?zone=markt")).text
    checked, = re.findall(r'name="end" value="(\w+)" checked', page)
    assert checked == offered


async def test_refused_level_is_not_offered_on_the_button(operator, world):
    world.lamp("L1")
    part = text((await operator.get("/stadt/betrieb/dimmen/preis?zone=markt&level=140&end=2h")).text)
    assert "nicht bei 140" in part
    assert "auf 140" not in part


async def test_zone_card_tells_overrides_of_the_zone_and_of_single_lamps(operator, world):
    world.lamp("L1")
    world.lamp("L2")

    async def card() -> str:
        part = await operator.get("/stadt/betrieb?zone=markt", headers={"hx-request": "true", "hx-target": "zonecard"})
        return text(part.text)

    assert "100 % Programm bestätigt" in await card()
    assert "zusammen, älteste vor 2 Min." in await card()
    await dim(operator, lamp="L1", until="22:15")
    assert "40–100 % 1 Leuchte einzeln bis heute 22:15" in await card()
    await dim(operator, zone="markt", level="50")
    assert "Eingriff bis heute 23:30" in await card()


async def test_a_zone_that_is_not_there_is_no_empty_town(operator, world):
    world.lamp("L1")
    page = text((await operator.get("/stadt/betrieb?zone=nirgends")).text)
    assert "hat noch keine Leuchten" not in page
    assert "Alle Leuchten zeigen" in page


async def test_zone_is_dimmed_and_followed(operator, world):
    world.lamp("L1")
    world.lamp("L2")
    where = await dim(operator, zone="markt", reason="Laternenfest")
    wish = only_override(world)
    assert (wish.level, wish.targets, wish.reason, wish.actor) == (40, (Target("zone", "markt"),), "Laternenfest", "olga")
    assert wish.end == NOW.replace(hour=22, minute=30)
    page = text((await operator.get(where)).text)
    assert "markt auf 40 %" in page
    assert "wartet 2" in page
    assert "Abbrechen → Programm" in page
    assert "1 Eingriff bis heute 23:30" in text((await operator.get("/stadt/betrieb")).text)


async def test_single_lamps_are_dimmed_together(operator, world):
    for n in range(3):
        world.lamp(f"L{n}")
    where = await dim(operator, lamp=["L0", "L2"])
    assert only_override(world).targets == (Target("lamp", "L0"), Target("lamp", "L2"))
    assert "2 Leuchten auf 40 %" in text((await operator.get(where)).text)


async def test_cancelling_returns_to_the_program(operator, world):
    world.lamp("L1")
    where = await dim(operator, zone="markt")
    page = (await operator.get(where)).text
    answer = await operator.post("/stadt/betrieb/eingriff/beenden",
                                 data={"csrf": csrf(page), "id": str(only_override(world).id)})
    assert not world.town.overrides(NOW)
    assert "es gilt wieder das Programm" in text((await operator.get(answer.headers["location"])).text)


async def test_wrong_level_stands_at_the_field_and_nothing_is_lost(operator, world):
    world.lamp("L1")
    page = (await operator.get("/stadt/betrieb")).text
    answer = await operator.post("/stadt/betrieb/dimmen", data={
        "csrf": csrf(page), "zone": "markt", "level": "140", "end": "time", "until": "22:15", "reason": "Übung"})
    assert answer.status_code == 422
    assert 'id="level-wrong">Eine Stufe liegt zwischen 0 und 100 %, nicht bei 140.' in answer.text
    assert 'href="#level"' in answer.text
    for kept in ('value="140"', 'value="22:15"', 'value="Übung"'):
        assert kept in answer.text
    assert not world.town.overrides(NOW)


async def test_a_crossing_is_never_dimmed_alone_and_burns_on_among_others(operator, world):
    world.lamp("L1")
    world.lamp("L2", name="Zebra", restriction=Restriction.CROSSWALK)
    page = (await operator.get("/stadt/betrieb")).text
    answer = await operator.post("/stadt/betrieb/dimmen", data={"csrf": csrf(page), "lamp": "L2", "level": "40", "end": "1h"})
    assert "Leuchte Zebra beleuchtet einen Fußgängerüberweg und wird nie gedimmt." in answer.text
    assert not world.town.overrides(NOW)
    both = text((await operator.get("/stadt/betrieb/dimmen?lamp=L1&lamp=L2")).text)
    assert "darunter Zebra, beleuchten einen Fußgängerüberweg und brennen weiter wie programmiert" in both


async def test_times_are_berlin_times_of_the_next_day_too(operator, world):
    world.lamp("L1")
    await dim(operator, zone="markt", until="6:15")
    assert only_override(world).end == (NOW + timedelta(days=1)).replace(hour=5, minute=15)


async def test_nonsense_is_refused_in_words(operator, world):
    world.lamp("L1")
    page = (await operator.get("/stadt/betrieb")).text
    for form in ({"zone": "markt", "level": "", "end": "1h"}, {"zone": "markt", "level": "40", "end": "x", "until": "?"},
                 {"level": "40", "end": "1h"}, {"zone": "nirgends", "level": "40", "end": "1h"},
                 {"lamp": "nicht", "level": "40"}, {"zone": "markt", "level": "4" * 300, "end": "1h"}):
        answer = await operator.post("/stadt/betrieb/dimmen", data={"csrf": csrf(page), **form})
        assert answer.status_code in (404, 422)
        assert "<html" in answer.text
    assert not world.town.overrides(NOW)


async def test_viewers_see_but_do_not_dim(viewer, world):
    world.lamp("L1")
    page = (await viewer.get("/stadt/betrieb?zone=markt")).text
    assert 'data-lamp="L1"' in page
    assert 'name="lamp"' not in page
    assert (await viewer.get("/stadt/betrieb/dimmen?zone=markt")).status_code == 403
    answer = await viewer.post("/stadt/betrieb/dimmen", data={"csrf": csrf(page), "zone": "markt", "level": "40", "end": "1h"})
    assert answer.status_code == 403
    assert "Nicht erlaubt" in answer.text


async def test_a_form_without_its_token_does_nothing(operator, world):
    world.lamp("L1")
    answer = await operator.post("/stadt/betrieb/dimmen", data={"zone": "markt", "level": "40", "end": "1h"})
    assert answer.status_code == 403
    assert not world.town.overrides(NOW)


async def test_lamp_page_tells_states_history_and_health(operator, world):
    eui = world.lamp("L1", level=70.0)
    world.history("L1", eui, 100.0, 70.0)
    page = (await operator.get("/stadt/betrieb/leuchte/L1")).text
    assert '<svg class="chart"' in page
    assert "35 W" in text(page)
    assert "Programm Halbnacht bis heute 22:00" in text(page)
    assert "Brennt anders als gewollt" in page
    assert "Es gab noch keinen Befehl." in page
    assert not re.search(r"\sstyle=", page)


async def test_lamp_that_never_spoke_says_so(operator, world):
    world.lamp("L1", level=None)
    page = text((await operator.get("/stadt/betrieb/leuchte/L1")).text)
    assert "Noch nie gehört: Ist das Steuergerät eingebaut und angemeldet?" in page
    assert "In den letzten 24 Stunden kam keine Meldung." in page


async def test_unknown_lamp_is_a_page_in_words(operator):
    answer = await operator.get("/stadt/betrieb/leuchte/L9")
    assert answer.status_code == 404
    assert AssetId("L9") in answer.text


async def test_alarm_is_acknowledged(operator, world):
    world.lamp("L1")
    alarm = world.alarm("L1")
    page = (await operator.get("/stadt/betrieb/stoerungen")).text
    assert "Lampe" in page
    await operator.post(f"/stadt/betrieb/stoerungen/{alarm}/quittieren", data={"csrf": csrf(page)})
    assert "gesehen von olga, heute 18:32" in (await operator.get("/stadt/betrieb/stoerungen")).text


async def test_no_alarm_is_good_news(operator):
    assert "Alles in Ordnung" in (await operator.get("/stadt/betrieb/stoerungen")).text


async def test_english_console_is_english(operator, world):
    world.lamp("L1")
    page = (await operator.get("/en/stadt/operations?zone=markt")).text
    assert '<html lang="en">' in page
    assert "1 of 1 report" in page
    assert 'href="/stadt/betrieb?zone=markt"' in page
    assert "Leuchte " not in text(page)


@pytest.mark.parametrize(("now", "typed", "end"), [
    ("2026-10-25T01:30", "02:45", "2026-10-25T01:45"),  # 02:30 for the second time
    ("2026-10-25T00:30", "02:15", "2026-10-25T01:15"),  # 02:30 for the first time: 02:15 comes again
    ("2026-10-25T00:30", "02:45", "2026-10-25T00:45"),
    ("2026-03-29T00:30", "02:30", "2026-03-29T01:30"),  # skipped: an hour later
    ("2026-11-22T17:32", "18:31", "2026-11-23T17:31"),
    ("2026-11-22T17:32", "23:30", "2026-11-22T22:30")])
def test_a_typed_end_is_the_next_time_that_clocks_show_it(world, now, typed, end):
    at, wanted = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, end))
    assert ends_at(world.town, DimForm(end="time", until=typed), at) == wanted


async def test_the_card_of_a_zone_that_is_not_there_is_empty(operator):
    answer = await operator.get("/stadt/betrieb?zone=nirgends", headers={"HX-Request": "true", "HX-Target": "zonecard"})
    assert (answer.status_code, answer.text.strip()) == (200, "")


async def test_no_address_leads_to_another_host_by_another_language(anybody):
    assert 'href="//' not in (await anybody.get("/en//operations/lamp/x")).text


async def test_a_lamp_leads_to_its_next_nights(operator, world):
    world.lamp("L1")
    href = re.search(r'href="(/stadt/naechte[^"]+)"', (await operator.get("/stadt/betrieb/leuchte/L1")).text)
    assert "Nächste Nächte: Lampe L1" in text((await operator.get(href[1])).text)


async def test_only_who_may_keep_groups_is_offered_one_of_the_selection(operator, anybody, world):
    world.lamp("L1")
    assert "data-group>" not in (await operator.get("/stadt/betrieb")).text
    assert "data-group>" in (await (await sign_in(anybody, "chief")).get("/stadt/betrieb")).text
