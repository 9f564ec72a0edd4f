"""One change of a device's configuration, staged over the API, told to the lamp and confirmed by its echo."""


async def test_a_staged_change_reaches_the_lamp_and_is_confirmed(platform):
    p = platform()
    await p.run(700, step=20)
    lamp = p.town.luminaires()[0]
    address = f"/api/v1/tenants/{p.scenario.tenant.id}/luminaires/{lamp.id}/config"
    wish = {"status_interval_s": 300, "fallback_level": 70, "position": {"latitude": 50.9966, "longitude": 8.1104}}
    async with p.browser() as browser:
        answer = await browser.put(address, json=wish)
        assert answer.json()["pending"] == ["StatusInterval", "FallbackLevel", "Position"]
        await p.run(120)
        shown = (await browser.get(address)).json()
    assert shown["pending"] == []
    assert shown["reported"]["StatusInterval"] == {"seconds": 300}
    assert shown["reported"]["FallbackLevel"] == {"level": 70}
    assert p.chirpstack.lamps[lamp.id].status_s == 300


async def test_only_what_differs_is_sent_again(platform):
    p = platform()
    await p.run(700, step=20)
    lamp = p.town.luminaires()[0]
    address = f"/api/v1/tenants/{p.scenario.tenant.id}/luminaires/{lamp.id}/config"
    async with p.browser() as browser:
        await browser.put(address, json={"status_interval_s": 300, "fallback_level": 70})
        await p.run(120)
        await browser.put(address, json={"status_interval_s": 300, "fallback_level": 80})
        await p.run(120)
    told = [command.order for command in p.town.commands(asset=lamp.id, origin="config")]
    assert sorted(type(order).__name__ for order in told) == ["FallbackLevel", "FallbackLevel", "StatusInterval"]


async def test_a_setting_outside_its_limits_is_refused_at_its_field(platform):
    p = platform()
    lamp = p.town.luminaires()[0]
    async with p.browser() as browser:
        answer = await browser.put(f"/api/v1/tenants/{p.scenario.tenant.id}/luminaires/{lamp.id}/config",
                                   json={"status_interval_s": 5})
    assert answer.status_code == 422
    assert answer.json()["field"] == "status_interval_s"
