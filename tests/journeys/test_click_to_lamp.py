"""One dim, from a click to the lamp and back."""

from datetime import timedelta

import pytest

from city.airtime import time_on_air
from city.commands import State
from city.orders import SetLevel


def zone_with_dimmable_lamps(platform):
    lamps = platform.town.luminaires()
    bound = {lamp.zone for lamp in lamps if lamp.restriction.value or lamp.lighting_class_night}  # by the law
    zones = {lamp.zone for lamp in lamps} - bound
    zone = max(sorted(zones), key=lambda zone: sum(lamp.zone == zone for lamp in lamps))
    return zone, [lamp for lamp in lamps if lamp.zone == zone]


async def dim(platform, browser, zone, level=40, hours=2):
    until = (platform.clock.now() + timedelta(hours=hours)).isoformat()
    address = f"/api/v1/tenants/{platform.scenario.tenant.id}/zones/{zone}/override"
    return await browser.put(address, json={"level": level, "until": until, "reason": "Straßenfest"})


async def test_a_click_becomes_a_downlink_that_every_lamp_confirms(platform):
    p = platform()
    await p.run(700, step=20)
    zone, lamps = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        answer = await dim(p, browser, zone)
        assert answer.status_code == 202, answer.text
        assert answer.json()["estimate"]["lamps"] == len(lamps)
        await p.run(90)
        override = (await browser.get(answer.headers["Location"])).json()
    assert override["progress"]["applied"] == len(lamps)
    assert {round(p.chirpstack.lamps[lamp.id].level) for lamp in lamps} == {40}
    assert all(command.state is State.APPLIED for command in p.town.commands())


async def test_the_estimate_learns_from_what_gateways_really_send(platform):
    p = platform()
    await p.run(700, step=20)
    zone, _ = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        first = (await dim(p, browser, zone)).json()["estimate"]
        await p.run(60)
        second = (await dim(p, browser, zone, level=50)).json()["estimate"]
    frame = second["airtime_s"] / second["frames"]
    assert first["airtime_s"] > 5 * second["airtime_s"]  # SF12 is assumed, the town's network sends at SF9
    assert frame == pytest.approx(time_on_air(4, 9), rel=0.15)


async def test_the_end_of_an_override_returns_the_lamps_to_their_program(platform):
    p = platform()
    await p.run(700, step=20)
    zone, lamps = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        await dim(p, browser, zone)
        await p.run(90)
        ended = await browser.delete(f"/api/v1/tenants/{p.scenario.tenant.id}/zones/{zone}/override")
        assert ended.is_success, ended.text
        await p.run(90)
    assert {round(p.chirpstack.lamps[lamp.id].level) for lamp in lamps} == {100}


async def test_a_lamp_told_to_burn_as_it_does_already_confirms_it_too(platform):
    p = platform()
    await p.run(700, step=20)
    zone, lamps = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        await dim(p, browser, zone, level=100)
        await p.run(120)
    levels = [command for command in p.town.commands() if isinstance(command.order, SetLevel)]
    assert {command.state for command in levels} == {State.APPLIED}
    assert len(levels) == len(lamps)
    assert p.town.alarms() == []


async def test_lost_downlinks_are_sent_again_until_the_lamps_obey(platform):
    p = platform(lamps=48, downlink_loss=0.3)
    await p.run(700, step=20)
    zone, lamps = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        await dim(p, browser, zone)
        await p.run(1500, step=2)  # also where every attempt was lost and the order waits to be given anew
    assert {round(p.chirpstack.lamps[lamp.id].level) for lamp in lamps} == {40}
    assert any(command.attempts > 1 for command in p.town.commands())


async def test_nothing_is_sent_twice_for_one_wish(platform):
    p = platform()
    await p.run(700, step=20)
    zone, lamps = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        await dim(p, browser, zone)
        await p.run(60)
        await dim(p, browser, zone)
        await p.run(60)
    orders = [c for c in p.town.commands() if isinstance(c.order, SetLevel)]
    assert len(orders) <= 2 * len(lamps)
    assert all(c.state in (State.APPLIED, State.SUPERSEDED) for c in orders)


async def test_a_restart_of_the_bridge_forgets_no_command(platform):
    p = platform()
    await p.run(700, step=20)
    zone, lamps = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        await dim(p, browser, zone)
    await p.run(2)
    p.steerer = type(p.steerer)(p.link, p.store, p.clock, p.settings.bridge, p.metrics)
    await p.run(90)
    assert {round(p.chirpstack.lamps[lamp.id].level) for lamp in lamps} == {40}


async def test_what_breaks_a_rule_is_refused_with_field_and_rule(platform):
    p = platform()
    await p.run(5)
    zone, _ = zone_with_dimmable_lamps(p)
    async with p.browser() as browser:
        answer = await dim(p, browser, zone, level=140)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["field"] == "level"
