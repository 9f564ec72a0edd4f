"""A town's own codec: uploaded by a person, run in the real sandbox, and what it says shown in the town's words."""

import base64
import json

from city.alarms import AlarmKind
from city.commands import State
from city.ids import AssetId
from city.imports import parse
from city.quantities import LAMP_LEVEL, LAMP_POWER, quantity

EUI, MODEL, LAMP = "70b3d57ed0ac0001", "acme/x1", AssetId("EIGEN-1")
SOURCE = """
function decodeUplink(input) {
  if (input.fPort !== 10) return {errors: ["unknown FPort"]};
  if (input.bytes[0] === 255) while (true) {}
  return {data: {lamp: {dim: input.bytes[0], power_w: (input.bytes[1] << 8 | input.bytes[2]) / 10},
                 inside: {t: input.bytes[3] - 40}}};
}
function encodeDownlink(input) {
  return {fPort: 11, bytes: [input.data.dim]};
}
"""
MAPPING = {"rules": [{"leaf": "lamp.dim", "quantity": "lamp.level"}, {"leaf": "lamp.power_w", "quantity": "lamp.power"}],
           "orders": {"SetLevel": {"dim": "$level"}}}
SCRIPT = {"title": "ACME X1", "vendor": "ACME", "asset": "lamp", "device_class": "C", "source": SOURCE, "mapping": MAPPING}
CSV = "asset,kind,latitude,longitude,zone,dev_eui,model\n" + f"{LAMP},lamp,51.0,8.1,eigen,{EUI},{MODEL}\n"


class Device:
    """A lamp of the town's own model: what it says comes as ChirpStack passes it on."""

    def __init__(self, platform):
        self.platform, self.f_cnt = platform, 0

    async def say(self, *data, f_port=10, **more):
        """One frame, a second after the last one, through the bridge."""
        p = self.platform
        self.f_cnt += 1
        p.clock.advance(1)
        event = {"deduplicationId": f"d{self.f_cnt}", "time": p.clock.now().isoformat(), "deviceInfo": {
            "devEui": EUI, "tenantId": p.scenario.tenant.chirpstack_tenant, "applicationId": "app"}, "devAddr": "01020304",
            "fCnt": self.f_cnt, "fPort": f_port, "data": base64.b64encode(bytes(data)).decode(), "rxInfo": [], **more}
        p.link.deliver(f"application/app/device/{EUI}/event/up", json.dumps(event).encode())
        await p.listener.step()

    def values(self, of):
        p = self.platform
        return [point.value for point in p.log.history(p.scenario.tenant.id, LAMP, of, p.start, p.clock.now().replace(year=2027))]

    def alarms(self):
        return [alarm.kind for alarm in self.platform.town.alarms() if alarm.asset == LAMP]


async def upload(browser, town, **changes):
    answer = await browser.put(f"/api/v1/tenants/{town}/codecs/{MODEL}", json=SCRIPT | changes)
    assert answer.status_code == 200, answer.text


async def register(browser, town):
    return await browser.post(f"/api/v1/tenants/{town}/imports", content=CSV.encode(), headers={"Content-Type": "text/csv"})


async def test_a_town_uploads_a_script_and_reads_its_lamps_by_it(platform):
    p = platform()
    town, device = p.scenario.tenant.id, Device(p)
    async with p.browser() as browser:
        assert (await register(browser, town)).status_code == 422  # nobody knows the model yet
        await upload(browser, town)
        assert (await register(browser, town)).json()["imported"] == 1
        await device.say(40, 1, 59, 61)
        shown = (await browser.get(f"/api/v1/tenants/{town}/luminaires/{LAMP}")).json()
    assert (device.values(LAMP_LEVEL), device.values(LAMP_POWER)) == ([40.0], [31.5])
    assert device.values(quantity(f"raw/{MODEL}.inside.t")) == [21.0]
    assert shown["level"] == 40
    await device.say(1, f_port=9)
    assert p.store.count_letters() == {"ScriptError": 1}


async def test_a_lamp_is_told_by_the_towns_script(platform):
    p = platform()
    town, device = p.scenario.tenant.id, Device(p)
    async with p.browser() as browser:
        await upload(browser, town)
        await register(browser, town)
        await device.say(100, 0, 0, 60)
        answer = await browser.put(f"/api/v1/tenants/{town}/luminaires/{LAMP}/override", json={"level": 30, "minutes": 60})
        assert answer.status_code == 202, answer.text
    await p.steerer.tick()
    [sent] = [json.loads(payload) for topic, payload in p.link.published if EUI in topic]
    assert (sent["fPort"], base64.b64decode(sent["data"])) == (11, bytes([30]))
    await device.say(30, 0, 0, 60)
    assert [command.state for command in p.town.commands(asset=LAMP)] == [State.APPLIED]


async def test_a_script_that_hangs_is_switched_off_and_mended_by_a_new_version(platform):
    p = platform()
    town, device = p.scenario.tenant.id, Device(p)
    async with p.browser() as browser:
        await upload(browser, town)
        await register(browser, town)
        await device.say(40, 0, 0, 60)
        for _ in range(4):
            await device.say(255, 0, 0, 60)
        assert p.store.count_letters() == {"ScriptBreach": 3, "ScriptOff": 1}
        assert device.alarms() == [AlarmKind.SCRIPT_OFF]
        p.clock.advance(60)
        await upload(browser, town, source=SOURCE.replace("while (true) {}", "return {data: {lamp: {dim: 0}}};"))
        await browser.post(f"/api/v1/tenants/{town}/codecs/{MODEL}/switch", json={"on": True})
    await p.mender.step()
    assert (p.store.count_letters(), device.alarms()) == ({}, [])
    assert device.values(LAMP_LEVEL) == [40.0, 0.0, 0.0, 0.0, 0.0]


async def test_what_chirpstack_has_decoded_is_read_by_a_mapping_alone(platform):
    p = platform()
    town, device = p.scenario.tenant.id, Device(p)
    async with p.browser() as browser:
        await upload(browser, town, source="")
        await register(browser, town)
    await device.say(1, 2, object={"lamp": {"dim": 70.0}, "note": "ok"})
    assert device.values(LAMP_LEVEL) == [70.0]
    assert device.values(quantity(f"raw/{MODEL}.note:text")) == ["ok"]
    assert p.store.count_letters() == {}


async def test_what_chirpstack_has_decoded_is_kept_raw_where_nobody_has_described_the_model(platform):
    p = platform()
    device = Device(p)
    rows, _ = parse(CSV.encode(), {MODEL})  # from a release that still knew the model
    p.town.import_rows(rows)
    await device.say(1, 2, object={"lamp": {"dim": 70.0}, "note": "ok"})
    assert device.values(quantity(f"raw/{MODEL}.lamp.dim")) == [70.0]
    assert device.values(quantity(f"raw/{MODEL}.note:text")) == ["ok"]
    await device.say(1, 2)
    assert p.store.count_letters() == {"UnknownModel": 1}
    p.clock.advance(1)
    async with p.browser() as browser:
        await upload(browser, p.scenario.tenant.id, source=SOURCE.replace("input.bytes[3] - 40", "0"))
    await p.mender.step()
    assert p.store.count_letters() == {}
    assert device.values(LAMP_LEVEL) == [1.0]
