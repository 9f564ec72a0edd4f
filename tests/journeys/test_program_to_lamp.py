"""A program, assigned over the API, told to the lamps' own tables, and kept through a night in which the network is dead."""

from datetime import UTC, datetime, timedelta

import pytest

from city.commands import State
from city.nights import Change, Night, level_at
from city.orders import SetLevel
from simulator.controllers import CONTROLLERS

DAY = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
STEPS = [{"at": {"anchor": "clock", "minutes": 60 * hour + minute}, "level": level}
         for hour, minute, level in ((22, 0, 70), (23, 0, 40), (5, 0, 100))]
MINUTE = timedelta(minutes=1)


def program(name, steps):
    return {"name": name, "on": {"at": {"anchor": "sunset"}, "level": 100}, "steps": steps,
            "off": {"at": {"anchor": "sunrise"}, "level": 0}}


async def assign(browser, town):
    """A program of the town's own, for every night and every lamp."""
    base = f"/api/v1/tenants/{town.tenant.id}"
    answers = [await browser.put(f"{base}/programs/eigenes", json=program("Eigenes", STEPS)),
               await browser.put(f"{base}/calendars/eigener", json={"name": "Eigener", "default": "eigenes"}),
               await browser.put(f"{base}/assignments", json={"target": "town", "calendar": "eigener"})]
    for answer in answers:
        assert answer.status_code < 300, answer.text


async def held(browser, town, lamp):
    answer = await browser.get(f"/api/v1/tenants/{town.tenant.id}/luminaires/{lamp.id}/program",
                               headers={"Accept-Language": "en"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def changes(said):
    return [Change(datetime.fromisoformat(one["at"]), one["level"]) for one in said]


def dead_night(p, lamp, night):
    """The simulated lamp's levels, minute by minute, while nobody listens and nobody tells it anything."""
    levels = []
    while p.clock.now() < night.next_noon:
        p.clock.advance(60)
        p.chirpstack.advance(p.clock.now())
        levels.append((p.clock.now(), p.chirpstack.lamps[lamp.id].level))
    return levels


def agree(levels, wanted):
    """But for a minute around each change: a lamp's clock is not ours."""
    return [at for at, level in levels
            if level not in {level_at(wanted, at + shift).level for shift in (-MINUTE, timedelta(), MINUTE)}]


@pytest.mark.parametrize(("model", "minutes"), [("nas/ul20xx", 10), ("nas/ul20xx-10", 10), ("stadtfunk/lamp", 10),
                                                ("zenosmart/lcc", 150)])
async def test_a_lamp_whose_network_dies_keeps_the_program_that_it_has_confirmed(platform, monkeypatch, model, minutes):
    monkeypatch.setattr(CONTROLLERS["zenosmart/lcc"], "clock_rate", 1.0)  # one whose clock is in order
    p = platform(start=DAY, lamps=3, bays=0, model=model)
    await p.run(1300, step=20)
    lamp = p.town.luminaires()[0]
    async with p.browser() as browser:
        before = await held(browser, p.town, lamp)
        assert not before["told"]
        assert "Nobody has assigned this lamp a calendar" in before["deviations"][0]
        await assign(browser, p.town)
        waiting = await held(browser, p.town, lamp)
        assert waiting["confirmed_share"] < 1
        await p.run(minutes * 60, step=10)
        shown = await held(browser, p.town, lamp)
    assert shown["pending"] == []
    assert shown["confirmed_share"] == 1
    assert shown["apart_s"] <= 60
    assert "If the network dies, this lamp goes on by itself: " in shown["alone"]["sentences"][0]
    night = Night.around(p.clock.now(), p.scenario.tenant.site)
    levels = dead_night(p, lamp, night)
    assert {level for _, level in levels} == {0, 40, 70, 100}
    assert agree(levels, changes(shown["alone"]["changes"])) == []
    assert agree(levels, changes(shown["programmed"])) == []


async def test_who_keeps_his_program_is_told_nothing_all_night(platform):
    p = platform(start=DAY, lamps=3, bays=0)
    await p.run(700, step=20)
    async with p.browser() as browser:
        await assign(browser, p.town)
    await p.run(600, step=10)
    told = {one.id for one in p.town.commands(states=list(State))}
    lamps = [p.chirpstack.lamps[lamp.id] for lamp in p.town.luminaires()]
    seen = set()
    while p.clock.now() < datetime(2026, 11, 23, 8, tzinfo=UTC):
        await p.run(120, step=60)
        seen |= {lamp.level for lamp in lamps}
    assert seen == {0, 40, 70, 100}
    assert [one.order for one in p.town.commands(states=list(State)) if one.id not in told] == []


async def test_where_nothing_is_assigned_the_lamp_is_told_live(platform):
    p = platform(start=datetime(2026, 11, 22, 20, 45, tzinfo=UTC), lamps=2, bays=0)
    await p.run(1500, step=10)  # past 22:00 local time: half the light, as shipped
    orders = [one.order for one in p.town.commands(states=list(State))]
    assert [order.level for order in orders if isinstance(order, SetLevel)] == [50, 50]
    assert all(p.chirpstack.lamps[lamp.id].level == 50 for lamp in p.town.luminaires())


async def test_what_a_program_cannot_do_is_said_before_it_is_saved(platform):
    p = platform(start=DAY, lamps=2, bays=0)
    steps = [{"at": {"anchor": "clock", "minutes": 22 * 60 + 4}, "level": 60, "fade_s": 30}]
    async with p.browser() as browser:
        address = f"/api/v1/tenants/{p.scenario.tenant.id}/programs/neu/kept"
        answer, german = [await browser.post(address, json=program("Neu", steps), headers={"Accept-Language": language})
                          for language in ("en", "de")]
    [kept] = answer.json()
    assert (kept["model"], kept["lamps"]) == ("nas/ul20xx", 2)
    assert "Steps are rounded to 10 minutes: 22:04 becomes 22:00." in kept["deviations"]
    assert "The controller changes its level as fast as it always does: fades are not held." in kept["deviations"]
    assert "Stufen werden auf 10 Minuten gerundet: Aus 22:04 wird 22:00." in german.json()[0]["deviations"]
    assert "neu" not in p.town.programming().programs


async def test_a_program_that_is_set_by_hand_at_a_controller_is_its_own(platform):
    p = platform(start=DAY, lamps=2, bays=0)
    await p.run(700, step=20)
    lamp = p.town.luminaires()[0]
    address = f"/api/v1/tenants/{p.scenario.tenant.id}/luminaires/{lamp.id}/config"
    profile = {"slot": 3, "days": [0, 1, 2, 3, 4, 5, 6, 7], "steps": [{"minute": 0, "level": 30}, {"minute": 300, "level": None}]}
    async with p.browser() as browser:
        wrong = await browser.put(address, json={"profiles": [profile | {"days": [2, 1]}]})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "profiles.steps")
        assert (await browser.put(address, json={"profiles": [profile]})).status_code == 202
        await assign(browser, p.town)
        await p.run(300, step=5)
        config, program_of = (await browser.get(address)).json(), await held(browser, p.town, lamp)
    assert config["pending"] == []
    assert config["reported"]["Profile:3"]["days"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert "SunCalendar" not in config["reported"]
    assert not program_of["told"]
    assert program_of["deviations"][0].startswith("People have set the controller's own program by hand")
    assert any("01:00 30 %" in sentence for sentence in program_of["alone"]["sentences"])
    other = p.town.state(p.town.device_of(p.town.luminaires()[1].id).dev_eui)
    assert "SunCalendar" in other.config


async def test_when_the_clocks_change_a_lamp_is_told_live_for_a_night_and_then_anew(platform):
    p = platform(start=datetime(2026, 10, 24, 11, tzinfo=UTC), lamps=1, bays=0)
    await p.run(700, step=20)
    async with p.browser() as browser:
        await assign(browser, p.town)
        await p.run(300, step=10)
        lamp = p.town.luminaires()[0]
        shown = await held(browser, p.town, lamp)
        assert (shown["pending"], shown["apart_s"]) == ([], None)  # an hour off, said at once
    wanted, wrong = changes(shown["programmed"]), []
    await p.run(15 * 3600 + 1800, step=300)
    while p.clock.now() < datetime(2026, 10, 25, 4, 15, tzinfo=UTC):
        await p.run(30, step=15)
        if p.chirpstack.lamps[lamp.id].level != level_at(wanted, p.clock.now()).level:
            wrong.append(p.clock.now())
    assert len(wrong) <= 4  # half-minutes, around the moments at which it was corrected
    await p.run(7 * 3600, step=300)
    await p.run(900, step=20)
    async with p.browser() as browser:
        after = await held(browser, p.town, lamp)
    assert [command.order.level for command in p.town.commands(origin="program") if isinstance(command.order, SetLevel)] == [40]
    assert after["pending"] == []
    assert after["apart_s"] <= 60
