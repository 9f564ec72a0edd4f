"""One uplink, from the air to a number that a person reads."""

from city.quantities import BAY_OCCUPIED, LAMP_ENERGY, LAMP_LEVEL, LAMP_POWER


async def test_what_a_lamp_says_is_what_the_api_and_the_page_show(platform):
    p = platform()
    await p.run(1000, step=10)
    lamp = p.town.luminaires()[0]
    simulated = p.chirpstack.lamps[lamp.id]
    async with p.browser() as browser:
        shown = (await browser.get(f"/api/v1/tenants/{p.scenario.tenant.id}/luminaires/{lamp.id}")).json()
        page = await browser.get(f"/{p.scenario.tenant.id}/betrieb/leuchte/{lamp.id}")
    assert shown["level"] == round(simulated.level)
    assert page.status_code == 200
    assert lamp.name in page.text


async def test_every_reading_is_in_the_log_once(platform):
    p = platform()
    await p.run(1300, step=10)
    start, end = p.start, p.clock.now()
    for lamp in p.town.luminaires():
        levels = p.log.history(p.scenario.tenant.id, lamp.id, LAMP_LEVEL, start, end)
        assert levels, lamp.id
        assert len({point.at for point in levels}) == len(levels)
        energy = [point.value for point in p.log.history(p.scenario.tenant.id, lamp.id, LAMP_ENERGY, start, end)]
        assert energy == sorted(energy)
        assert p.log.history(p.scenario.tenant.id, lamp.id, LAMP_POWER, start, end)


async def test_the_bays_are_known_as_they_are(platform):
    p = platform(bays=40, missed_edge=0.0)
    await p.run(600, step=10)
    truth = {bay.id: p.chirpstack.bays[bay.id].occupied for bay in p.town.bays()}
    states = {bay: p.town.state(p.town.device_of(bay).dev_eui) for bay in truth}
    known = {bay: state.value(BAY_OCCUPIED) for bay, state in states.items() if state is not None}
    assert len(known) == len(truth)
    assert sum(known[bay] != truth[bay] for bay in truth) <= 2  # those that have changed in the last half minute


async def test_residents_read_the_zones_without_signing_in(platform):
    p = platform(bays=40, missed_edge=0.0)
    await p.run(600, step=10)
    zones = {bay.zone for bay in p.town.bays()}
    async with p.anybody() as browser:
        german = await browser.get(f"/{p.scenario.tenant.id}/parken")
        english = await browser.get(f"/en/{p.scenario.tenant.id}/parking")
        single_bay = await browser.get(f"/api/v1/tenants/{p.scenario.tenant.id}/bays")
    assert german.status_code == english.status_code == 200
    assert all(p.town.zone(zone).name in german.text for zone in zones)
    assert "frei" in german.text
    assert "free" in english.text
    assert "set-cookie" not in german.headers
    assert single_bay.status_code in (401, 404)


async def test_the_counters_balance(platform):
    p = platform()
    p.link.deliver("application/a/device/70b3d57ed0000042/event/up", b"{garbage")
    await p.listener.step()
    await p.run(600, step=10)
    counted = p.metrics.balance()
    assert counted["dead_letters"] == 1
    assert counted["stored"] > 60
    assert counted["received"] == counted["stored"] + counted["duplicates"] + counted["dead_letters"] + counted["queued"]
    assert [letter.reason for letter in p.store.all_letters()] == ["MalformedEvent"]
