"""Programs, calendars, assignments and groups as pages: what an engineer types, sees and keeps without JavaScript."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import httpx
import pytest

from api.app import create_app
from api.pages.programs import asked
from city.groups import TOWN, Filter, Group, Target
from city.ids import AssetId, CalendarId, DevEui, GroupId, ProgramId, TenantId
from city.places import Restriction
from city.programs import SHIPPED, Anchor, Calendar, Moment, Program, Rule, Step, clock
from city.settings import Bridge, Settings
from city.store.ports import Account, Role
from tests.pages.conftest import HASH, HOSTILE, csrf, sign_in
from tests.pages.test_public import text

LIST, NEW, HALF = "/stadt/programme", "/stadt/programme/neu", "/stadt/programme/halbnacht"
CALENDAR, ASSIGN, GROUPS = "/stadt/kalender/neu", "/stadt/zuordnung", "/stadt/gruppen"
PAGES = (LIST, HALF, "/stadt/kalender/standard", "/stadt/naechte", GROUPS, "/stadt/einstellungen", "/en/stadt/programs/halbnacht",
         "/en/stadt/calendars/teilnacht", "/en/stadt/nights?target=zone:markt&night=2026-03-28")
EDITORS = (NEW, CALENDAR, ASSIGN, f"{ASSIGN}?target=town&calendar=ganznacht", f"{GROUPS}/neu", f"{NEW}?like=teilnacht")


@pytest.fixture
async def anybody(world) -> AsyncIterator[httpx.AsyncClient]:
    world.store.put_account(Account("erna", Role.ENGINEER, TenantId("stadt"), HASH))
    app = create_app(world.store, world.log, world.clock, Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test") as client:
        yield client


@pytest.fixture
async def engineer(anybody) -> httpx.AsyncClient:
    return await sign_in(anybody, "erna")


def fields(page: str) -> dict[str, str | list[str]]:
    """What the editor's form would send as it stands, without its buttons."""
    form = page[page.index('id="editor"'):]
    form = form[:form.index("</form>")]
    found: dict[str, str | list[str]] = {}
    for tag in re.findall(r"<input[^>]+>", form):
        name, value = (re.search(rf'\b{key}="([^"]*)"', tag) for key in ("name", "value"))
        kind = re.search(r'type="(\w+)"', tag)
        if name and (not kind or kind[1] not in ("checkbox", "radio") or " checked" in tag):
            before = found.get(name[1])
            here = value[1] if value else ""
            found[name[1]] = here if before is None else [*(before if isinstance(before, list) else [before]), here]
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else ""
    return found | dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?([^<]*)</textarea>', form))


async def send(client: httpx.AsyncClient, page: str, address: str, do: str, **typed: str | list[str]) -> httpx.Response:
    """Type into a page that was got, and press a button."""
    return await client.post(address, data={**fields(page), "csrf": csrf(page), "do": do, **typed})


async def opened(client: httpx.AsyncClient, address: str) -> str:
    answer = await client.get(address)
    assert answer.status_code == 200, text(answer.text)
    return answer.text


async def test_viewers_may_look_at_everything_and_change_nothing(viewer, world):
    world.lamp("L1")
    for address in PAGES:
        page = await opened(viewer, address)
        assert 'value="save"' not in page
    for address in EDITORS:
        assert (await viewer.get(address)).status_code == 403
    token = csrf(await opened(viewer, HALF))
    for address in (NEW, HALF, CALENDAR, ASSIGN, f"{GROUPS}/neu", f"{HALF}/entfernen", "/stadt/einstellungen"):
        assert (await viewer.post(address, data={"csrf": token, "do": "save", "name": "x", "target": "town"})).status_code == 403
    assert world.town.audit_lines() == []


async def test_every_page_opens_in_both_languages_for_engineers(engineer, world):
    world.lamp("L1")
    for address in (*PAGES, *EDITORS):
        await opened(engineer, address)


async def test_the_list_says_what_holds_where_tonight(viewer, world):
    world.lamp("L1")
    world.lamp("L2", zone="bahnhof")
    world.town.assign(Target("zone", "bahnhof"), CalendarId("ganznacht"), "erna", world.clock.now())
    said = text(await opened(viewer, LIST))
    assert re.search(r"ganze Stadt Standard Halbnacht 2 wie geliefert", said)
    assert re.search(r"Zone bahnhof Ganznacht Ganznacht 1 heute 18:32 erna", said)
    assert "Sonnenuntergang 100 % · 22:00 50 % · 05:00 100 % · aus: Sonnenaufgang" in said


async def test_a_program_is_typed_step_by_step_and_kept(engineer, world):
    world.lamp("L1")
    page = (await send(engineer, await opened(engineer, NEW), NEW, "add", name="Späte Stunde")).text
    page = (await send(engineer, page, NEW, "add", **{"time-0": "21:30", "level-0": "70", "fade-0": "300"})).text
    assert 'value="Späte Stunde"' in page
    answer = await send(engineer, page, NEW, "save", **{
        "anchor-on": "falls", "altitude-on": "−2,5", "offset-on": "-10", "anchor-1": "dawn", "offset-1": "+15", "level-1": "90"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/stadt/programme/spaete-stunde?saved=1"
    assert world.town.programming().programs[ProgramId("spaete-stunde")] == Program(
        ProgramId("spaete-stunde"), "Späte Stunde", Step(Moment(Anchor.FALLS, -10, -2.5), 100),
        (Step(clock(21, 30), 70, 300), Step(Moment(Anchor.DAWN, 15), 90)), Step(Moment(Anchor.SUNRISE), 0))
    assert [(line.action, line.target) for line in world.town.audit_lines()] == [("program", "spaete-stunde")]
    page = await opened(engineer, answer.headers["location"])
    assert 'value="-2.5"' in page
    assert fields(page)["offset-1"] == "15"


async def test_all_that_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(engineer, world):
    page = (await send(engineer, await opened(engineer, NEW), NEW, "add")).text
    typed = {"name": "", "time-0": "25:99", "level-0": "120", "offset-on": "999", "fade-off": "x", "anchor-on": "rises",
             "altitude-on": "80"}
    answer = await send(engineer, page, NEW, "save", **typed)
    assert answer.status_code == 422
    for name in ("name", "time-0", "level-0", "offset-on", "altitude-on", "fade-off"):
        assert f'id="{name}-wrong"' in answer.text
        assert f'href="#{name}"' in answer.text
    assert fields(answer.text).items() >= typed.items()
    assert len(world.town.programming().programs) == len(SHIPPED)


async def test_a_name_that_is_taken_is_said_and_a_copy_begins_like_its_model(engineer):
    page = await opened(engineer, f"{NEW}?like=teilnacht")
    assert fields(page)["time-0"] == "23:00"
    answer = await send(engineer, page, NEW, "save", name="Halbnacht")
    assert answer.status_code == 422
    assert "Unter diesem Namen gibt es schon etwas" in text(answer.text)
    for name in ("neu", "!!!"):
        assert (await send(engineer, page, NEW, "save", name=name)).status_code == 422


async def test_hostile_names_are_only_text(engineer, world):
    world.lamp("L1")
    world.town.put_program(Program(ProgramId("böse"), HOSTILE, Step(Moment(Anchor.SUNSET), 100)))
    world.town.put_calendar(Calendar(CalendarId("auch"), HOSTILE, ProgramId("böse")))
    world.town.put_group(Group(TenantId("stadt"), GroupId("g"), HOSTILE, frozenset({AssetId("L1")})))
    for address in (LIST, "/stadt/programme/b%C3%B6se", "/stadt/kalender/auch", GROUPS, f"{GROUPS}/g",
                    f"{ASSIGN}?target=group:g&calendar=auch"):
        assert "<script>alert" not in await opened(engineer, address)


async def test_a_program_in_use_is_changed_only_after_a_question_that_shows_its_price(engineer, world):
    world.lamp("L1")
    answer = await send(engineer, await opened(engineer, HALF), HALF, "save", **{"level-0": "40"})
    assert answer.status_code == 200
    said = text(answer.text)
    assert "1 Leuchte folgt diesem Programm: ändern?" in said
    assert re.search(r"spart im Jahr \d+ kWh", said)
    assert world.town.programming().programs[ProgramId("halbnacht")] == SHIPPED[ProgramId("halbnacht")]
    changed = await send(engineer, answer.text, HALF, "confirm", **{"level-0": "30"})
    assert changed.status_code == 200, "what was shown is not what is sent now: asked anew"
    kept = await send(engineer, changed.text, HALF, "confirm")
    assert kept.status_code == 303
    assert world.town.programming().programs[ProgramId("halbnacht")].steps[0].level == 30


async def test_nobody_overwrites_what_another_has_changed_without_being_told(engineer, world):
    world.town.put_program(Program(ProgramId("fest"), "Fest", Step(Moment(Anchor.SUNSET), 80)))
    world.town.put_calendar(Calendar(CalendarId("feste"), "Feste", ProgramId("fest")))
    world.lamp("L1")
    world.town.put_group(Group(TenantId("stadt"), GroupId("g"), "G", frozenset({AssetId("L1")})))
    addresses = (LIST + "/fest", "/stadt/kalender/feste", f"{GROUPS}/g")
    pages = [await opened(engineer, address) for address in addresses]
    for address, page in zip(addresses, pages, strict=True):
        assert (await send(engineer, page, address, "save", name="Meins")).status_code == 303
        late = await send(engineer, page, address, "save", name="Deins")
        assert late.status_code == 422
        assert "Jemand anderes hat das inzwischen geändert" in text(late.text)
        assert fields(late.text)["name"] == "Deins"
        assert (await send(engineer, late.text, address, "save")).status_code == 303


async def test_for_many_lamps_their_number_must_be_typed(engineer, world):
    world.lamp("L0")
    world.town.import_rows([replace(world.rows[0], asset=AssetId(f"L{number}"), dev_eui=DevEui(f"{number:016x}"))
                            for number in range(1, 201)])
    question = await send(engineer, await opened(engineer, HALF), HALF, "save", **{"level-0": "40"})
    wrong = await send(engineer, question.text, HALF, "confirm", confirm="20")
    assert wrong.status_code == 422
    assert 'id="confirm-wrong"' in wrong.text
    assert (await send(engineer, wrong.text, HALF, "enter", confirm="")).status_code == 200
    assert (await send(engineer, wrong.text, HALF, "enter", confirm="201")).status_code == 303, "by the Enter key"


async def test_guard_rails_are_said_before_anything_is_kept_and_cannot_be_passed(engineer, world):
    world.lamp("L1", restriction=Restriction.CROSSWALK)
    said = text(await opened(engineer, "/stadt/programme/teilnacht"))
    assert "„Teilnacht“ ist nachts dunkel, und die Leuchte Lampe L1 hat keinen Laternenring" in said
    assert "brennen heller, als „Halbnacht“ es sagt" in text(await opened(engineer, HALF))
    question = await send(engineer, await opened(engineer, HALF), HALF, "save", **{"level-0": "0"})
    refused = await send(engineer, question.text, HALF, "confirm")
    assert refused.status_code == 422
    assert "Laternenring" in text(refused.text)
    assert fields(refused.text)["level-0"] == "0"
    page = await opened(engineer, f"{ASSIGN}?target=zone:markt&calendar=teilnacht")
    assert "Laternenring" in text(page)
    assert "Für 1 Leuchte gelten lassen" not in text(page)
    seen = asked(1, "zone:markt", "teilnacht")
    assert seen
    data = {"csrf": csrf(page), "target": "zone:markt", "calendar": "teilnacht", "seen": seen.seen}
    sent = await engineer.post(ASSIGN, data=data)
    assert sent.status_code == 422
    assert world.town.programming().assignments == ()


async def test_a_program_is_taken_away_unless_a_calendar_names_it(engineer, world):
    world.town.put_program(Program(ProgramId("fest"), "Fest", Step(Moment(Anchor.SUNSET), 80)))
    world.town.put_calendar(Calendar(CalendarId("feste"), "Feste", ProgramId("fest")))
    data = {"csrf": csrf(await opened(engineer, LIST + "/fest"))}
    answer = await engineer.post(LIST + "/fest/entfernen", data=data)
    assert answer.status_code == 409
    assert "Feste" in text(answer.text)
    assert (await engineer.post("/stadt/kalender/feste/entfernen", data=data)).status_code == 303
    assert (await engineer.post(LIST + "/fest/entfernen", data=data)).status_code == 303
    assert ProgramId("fest") not in world.town.programming().programs


async def test_the_editor_draws_the_night_its_steps_and_fourteen_nights(viewer, world):
    world.lamp("L1")
    page = await opened(viewer, f"{HALF}?target=zone:markt&night=2026-10-24")
    assert 'data-minutes="1500"' in page, "the night of the change to winter time has 25 hours"
    assert page.count('class="n-small"') == 14
    assert page.count("data-key=") == 8, "a point and a row for each of on, two steps, off"
    assert "Für Zone markt: 1 Leuchte" in text(page)
    assert "24. Okt." in text(page)


async def test_the_preview_begins_with_the_lamps_that_obey_the_program(viewer, world):
    world.lamp("L1")
    world.lamp("L2", zone="bahnhof")
    world.town.assign(Target("zone", "markt"), CalendarId("ganznacht"), "erna", world.clock.now())
    page = await opened(viewer, HALF)
    assert "Für Leuchten, die ihm jetzt folgen: 1 Leuchte" in text(page)
    assert "spart im Jahr 0 kWh" in text(page)
    assert "Für ganze Stadt: 2 Leuchten" in text(await opened(viewer, f"{HALF}?target=town"))


@pytest.mark.parametrize("query", ["target=zone:nirgends", "target=%27%3B",
                                   "target=town&night=gestern", "target=town&night=9999-12-31", "target=lamp:"])
async def test_a_strange_preview_falls_back_to_one_that_there_is(viewer, world, query):
    world.lamp("L1")
    assert "Für ganze Stadt: 1 Leuchte" in text(await opened(viewer, f"{HALF}?{query}"))


async def test_a_calendar_is_made_of_rules_that_move_and_shows_sixty_nights(engineer, world):
    world.store.put_tenant(replace(world.town.tenant, land="NW"))
    page = (await send(engineer, await opened(engineer, CALENDAR), CALENDAR, "add", name="Winter")).text
    page = (await send(engineer, page, CALENDAR, "add", **{"program-0": "ganznacht", "weekday-0": ["5", "6"]})).text
    page = (await send(engineer, page, CALENDAR, "up-1", **{
        "program-1": "teilnacht", "first-1": "24.12.", "last-1": "6.1.", "holidays-1": "yes",
        "days-1": "24.12.2026, 1.1.2027"})).text
    assert [fields(page)[f"program-{n}"] for n in (0, 1)] == ["teilnacht", "ganznacht"]
    answer = await send(engineer, page, CALENDAR, "save")
    assert answer.status_code == 303
    days = frozenset({date(2026, 12, 24), date(2027, 1, 1)})
    rules = (Rule(ProgramId("teilnacht"), first=(12, 24), last=(1, 6), holidays=True, days=days),
             Rule(ProgramId("ganznacht"), weekdays=frozenset({5, 6})))
    kept = world.town.programming().calendars[CalendarId("winter")]
    assert kept == Calendar(CalendarId("winter"), "Winter", ProgramId("halbnacht"), rules)
    page = await opened(engineer, answer.headers["location"])
    said = text(page)
    assert "Neujahr" in said
    assert "Fr, Sa" in said
    assert page.count('<td class="p-') == 60
    assert re.search(r"1\. Teilnacht 2 Neujahr", said), "the rule holds on that night: program 2 of the legend"


async def test_wrong_rules_are_said_at_their_fields(engineer):
    page = (await send(engineer, await opened(engineer, CALENDAR), CALENDAR, "add", name="X")).text
    for typed, field in (({"first-0": "32.13.", "last-0": "1.1."}, "first-0"), ({"first-0": "1.5."}, "first-0"),
                         ({"days-0": "morgen"}, "days-0"), ({}, "rule-0"), ({"first-0": "1.1.", "last-0": "bald"}, "last-0")):
        answer = await send(engineer, page, CALENDAR, "save", **typed)
        assert answer.status_code == 422
        assert f'id="{field}-wrong"' in answer.text or f'href="#{field}"' in answer.text, typed
        assert fields(answer.text).items() >= typed.items()


async def test_a_calendar_is_assigned_after_its_price_was_seen(engineer, world):
    world.lamp("L1")
    world.lamp("L2", zone="bahnhof")
    page = await opened(engineer, f"{ASSIGN}?target=zone:markt&calendar=ganznacht")
    assert re.search(r"braucht mehr im Jahr \d+ kWh", text(page))
    seen = re.search(r'name="seen" value="(\w+)"', page)
    assert seen
    data = {"csrf": csrf(page), "target": "zone:markt", "calendar": "ganznacht", "seen": seen[1]}
    assert (await engineer.post(ASSIGN, data={**data, "seen": "0"})).status_code == 200, "not seen: asked first"
    assert (await engineer.post(ASSIGN, data={**data, "target": "town"})).status_code == 200, "another one was seen"
    assert world.town.programming().assignments == ()
    assert (await engineer.post(ASSIGN, data=data)).status_code == 303
    assert [(one.target, one.calendar, one.actor) for one in world.town.programming().assignments] == [
        (Target("zone", "markt"), CalendarId("ganznacht"), "erna")]
    page = await opened(engineer, f"{ASSIGN}?target=zone:markt&calendar=-")
    data |= {"calendar": "-", "seen": re.search(r'name="seen" value="(\w+)"', page)[1]}
    assert (await engineer.post(ASSIGN, data=data)).status_code == 303
    assert world.town.programming().assignments == ()


async def test_assigning_what_does_not_exist_is_said_at_the_field(engineer, world):
    world.lamp("L1")
    for target, calendar in (("zone:nirgends", "ganznacht"), ("town", "keiner"), ("quatsch", "ganznacht")):
        answer = await engineer.get(f"{ASSIGN}?target={target}&calendar={calendar}")
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    token = csrf(await opened(engineer, ASSIGN))
    assert (await engineer.post(ASSIGN, data={"csrf": token, "target": "zone:nirgends", "calendar": "-"})).status_code == 422


async def test_a_group_is_found_ticked_and_kept_and_says_its_overlaps(engineer, world):
    for number in range(4):
        world.lamp(f"L{number}", zone="markt" if number % 2 else "bahnhof")
    world.town.put_group(Group(TenantId("stadt"), GroupId("alle"), "Alle", filter=Filter(min_power_w=1)))
    new = f"{GROUPS}/neu"
    page = await opened(engineer, f"{new}?lamp=L0&lamp=fremd")
    page = (await send(engineer, page, new, "find", zone="markt", name="Mischung")).text
    assert "2 Leuchten gefunden" in text(page)
    page = (await send(engineer, page, new, "add", lamp=["L1"])).text
    assert "Auch in Alle 2 Leuchten" in text(page)
    assert fields(page)["members"].split("\n") == ["Lampe L0", "Lampe L1"]
    assert (await send(engineer, page, new, "save")).headers["location"] == f"{GROUPS}/mischung?saved=1"
    assert world.town.programming().groups[GroupId("mischung")].members == {AssetId("L0"), AssetId("L1")}
    wrong = await send(engineer, page, new, "save", members="Lampe L0\nLampe X", name="Andere")
    assert wrong.status_code == 422
    assert 'id="members-wrong"' in wrong.text
    assert fields(wrong.text)["members"] == "Lampe L0\nLampe X"


async def test_a_group_by_filter_finds_its_lamps_anew(engineer, world):
    world.lamp("L1")
    new = f"{GROUPS}/neu"
    page = await opened(engineer, new)
    empty = await send(engineer, page, new, "save", name="Leer", way="filter")
    assert empty.status_code == 422
    answer = await send(engineer, page, new, "save", name="Markt", way="filter", zones=["markt"], max_power_w="60")
    assert answer.status_code == 303
    world.lamp("L2")
    assert "2 Leuchten" in text(await opened(engineer, answer.headers["location"]))
    assert "markt · –60 W" in text(await opened(engineer, GROUPS))
    world.town.assign(Target("group", "markt"), CalendarId("ganznacht"), "erna", world.clock.now())
    assert (await engineer.post(f"{GROUPS}/markt/entfernen", data={"csrf": csrf(page)})).status_code == 409


async def test_the_nights_of_one_lamp_are_found_by_its_name(viewer, world):
    world.lamp("L1")
    world.town.assign(TOWN, CalendarId("ganznacht"), "erna", world.clock.now())
    page = await opened(viewer, "/stadt/naechte?lamp=lampe+l1")
    assert "Nächste Nächte: Lampe L1" in text(page)
    assert page.count("Ganznacht") >= 14
    missing = await viewer.get("/stadt/naechte?lamp=niemand")
    assert missing.status_code == 422
    assert 'id="lamp-wrong"' in missing.text


async def test_the_land_is_chosen_and_its_holidays_shown(engineer, world):
    page = await opened(engineer, "/stadt/einstellungen")
    assert "Heilige Drei Könige" not in text(page)
    token = csrf(page)
    assert (await engineer.post("/stadt/einstellungen", data={"csrf": token, "land": "XX"})).status_code == 422
    assert (await engineer.post("/stadt/einstellungen", data={"csrf": token, "land": "BY"})).status_code == 303
    assert "Heilige Drei Könige" in text(await opened(engineer, "/stadt/einstellungen"))
    assert world.store.tenant(TenantId("stadt")).tenant.land == "BY"
    assert [line.action for line in world.town.audit_lines()] == ["town settings"]


async def test_programs_of_another_town_are_none_of_ones_business(engineer, world):
    world.empty.put_program(Program(ProgramId("geheim"), "Geheim", Step(Moment(Anchor.SUNSET), 80)))
    assert (await engineer.get("/leer/programme")).status_code == 404
    assert (await engineer.get("/stadt/programme/geheim")).status_code == 404
    assert (await engineer.get("/stadt/gruppen/keine")).status_code == 404


async def test_lamps_chosen_in_the_console_become_a_group_however_many_they_are(engineer, world):
    for number in range(3):
        world.lamp(f"L{number}")
    page = (await engineer.get(f"{GROUPS}/neu?lamp=L0&lamp=L2&lamp=strange")).text
    assert "2 Leuchten Lampe L0, Lampe L2" in text(page)
    data = {"do": "choose", "way": "members", "members": "L0\r\nL2\r\nstrange", "csrf": csrf(page)}
    posted = await engineer.post(f"{GROUPS}/neu", data=data)
    assert posted.status_code == 200
    assert "2 Leuchten Lampe L0, Lampe L2" in text(posted.text)
    assert "strange" not in posted.text


@pytest.mark.parametrize(("clocks", "said"), [("", True), ("milesight/ws558, nas/ul20xx", False)])
async def test_what_lamps_cannot_hold_is_judged_by_the_clocks_that_the_bridge_reckons_with(world, clocks, said):
    world.lamp("L1")
    world.store.put_account(Account("erna", Role.ENGINEER, TenantId("stadt"), HASH))
    app = create_app(world.store, world.log, world.clock, Settings(bridge=Bridge(local_clocks=clocks)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test") as client:
        page = text((await (await sign_in(client, "erna")).get(HALF)).text)
    assert ("Es kennt keine Sommerzeit" in page) == said
