"""The inbox of incidents, one of them, and who is told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from city.alarms import RULE, AlarmKind, Severity, begin
from city.ids import AssetId
from city.incidents import Cause, Incident, incident
from city.store.ports import Account, Facts, Role
from tests.pages.conftest import HASH, HOSTILE, NOW, csrf, sign_in

INBOX, CHANNELS = "/stadt/betrieb/stoerungen", "/stadt/betrieb/meldewege"
PROOF = {"measured": 12.5, "expected": 25.0, "level": 100.0, RULE: "partial_failure"}


@pytest.fixture
def fault(world) -> Incident:
    """A lamp that draws half of what it should."""
    world.lamp("L1")
    one = incident(world.town.tenant.id, Cause.ASSET, "L1", NOW - timedelta(hours=2), Severity.MAJOR, assets=(AssetId("L1"),),
                   kinds=(AlarmKind.PARTIAL_FAILURE, AlarmKind.CLOCK_WRONG), facts=PROOF)
    world.store.put_incidents(world.town.tenant.id, [one])
    return one


@pytest.fixture
def outage(world) -> Incident:
    """A circuit without power."""
    assets = tuple(AssetId(f"X{number}") for number in range(60))
    one = incident(world.town.tenant.id, Cause.CIRCUIT_OUT, "K1", NOW - timedelta(hours=1), Severity.CRITICAL, assets=assets,
                   facts={"silent": 58.0, "of": 60.0})
    world.store.put_incidents(world.town.tenant.id, [one])
    return one


@pytest.fixture
async def engineer(anybody, world):
    world.store.put_account(Account("emil", Role.ENGINEER, world.town.tenant.id, HASH))
    return await sign_in(anybody, "emil")


@pytest.mark.usefixtures("fault")
async def test_an_incident_says_what_is_wrong_and_how_one_knows(operator):
    page = (await operator.get(INBOX)).text
    assert "Lampe L1: Die Leuchte nimmt zu wenig auf" in page
    assert "12,5 W gemessen, 25 W erwartet bei 100 %." in page
    assert 'class="proof"' in page
    assert "Die Uhr des Steuergeräts geht falsch" in page
    assert "schwer" in page
    assert "noch nicht gesehen" in page


@pytest.mark.usefixtures("outage")
async def test_a_circuit_without_power_is_one_card_that_stands_for_sixty(operator):
    page = (await operator.get(INBOX)).text
    assert page.count('class="card incident ') == 1
    assert "Stromkreis K1 hat keinen Strom: 60 Leuchten sind zusammen verstummt." in page
    assert "steht für 60 Einzelmeldungen" in page
    assert "58 von 60 Geräten sind überfällig." in page


@pytest.mark.usefixtures("fault")
async def test_the_gravest_that_nobody_has_seen_stands_first(operator, outage):
    page = (await operator.get(INBOX)).text
    assert page.index("Stromkreis K1") < page.index("Lampe L1")
    await operator.post(f"/stadt/betrieb/ereignis/{outage.id}/tun", data={"csrf": csrf(page), "deed": "acknowledge"})
    page = (await operator.get(INBOX)).text
    assert page.index("Lampe L1") < page.index("Stromkreis K1")
    assert "gesehen von olga, heute 18:32" in page


@pytest.mark.usefixtures("outage")
async def test_filters_by_severity_and_closed_ones(operator, world, fault):
    page = (await operator.get(f"{INBOX}?severity=critical")).text
    assert "Lampe L1" not in page
    assert "kritisch (1)" in page
    world.store.put_incidents(world.town.tenant.id, [replace(fault, ended_at=NOW, closed_at=NOW)])
    assert "Lampe L1" not in (await operator.get(INBOX)).text
    assert "Lampe L1" in (await operator.get(f"{INBOX}?show=closed")).text
    assert "Nichts dieser Schwere" not in page


async def test_somebody_takes_it_notes_and_closes_it(operator, fault):
    address = f"/stadt/betrieb/ereignis/{fault.id}"
    token = csrf((await operator.get(address)).text)
    for deed, text in (("assign", "Bauhof"), ("note", "Treiber <b>bestellt</b>"), ("close", "Treiber getauscht")):
        answer = await operator.post(f"{address}/tun", data={"csrf": token, "deed": deed, "text": text})
        assert answer.status_code == 303
    page = (await operator.get(address)).text
    for said in ("übergeben an Bauhof", "Notiz: Treiber &lt;b&gt;bestellt&lt;/b&gt;", "geschlossen: Treiber getauscht"):
        assert said in page
    assert "Alles in Ordnung" in (await operator.get(INBOX)).text


async def test_an_empty_note_stays_on_the_page_with_what_is_wrong(operator, fault):
    address = f"/stadt/betrieb/ereignis/{fault.id}"
    token = csrf((await operator.get(address)).text)
    answer = await operator.post(f"{address}/tun", data={"csrf": token, "deed": "note", "text": " "})
    assert answer.status_code == 422
    assert 'href="#text-note"' in answer.text
    assert "Hier muss etwas stehen." in answer.text
    assert (await operator.post(f"{address}/tun", data={"csrf": token, "deed": "nonsense"})).status_code == 422


async def test_who_may_only_look_sees_no_buttons_and_can_do_nothing(viewer, fault):
    address = f"/stadt/betrieb/ereignis/{fault.id}"
    page = (await viewer.get(address)).text
    assert "/tun" not in page
    assert (await viewer.get(CHANNELS)).status_code == 403
    token = csrf(page)
    assert (await viewer.post(f"{address}/tun", data={"csrf": token, "deed": "acknowledge"})).status_code == 403


async def test_an_alarm_that_is_no_incident_yet_is_shown_too(operator, world):
    world.lamp("L2")
    world.store.commit(Facts(alarms=(begin(world.town.tenant.id, AssetId("L2"), AlarmKind.METER_SILENT, NOW),)))
    assert "Lampe L2" in (await operator.get(INBOX)).text


async def test_english_and_hostile_names(operator, world, fault):
    world.lamp("L9", name=HOSTILE)
    world.store.put_incidents(world.town.tenant.id, [replace(fault, id="x", subject="L9", assets=(AssetId("L9"),))])
    page = (await operator.get("/en/stadt/operations/alarms")).text
    assert "12.5 W measured, 25 W expected at 100 %." in page
    assert HOSTILE not in page


@pytest.mark.usefixtures("fault")
async def test_a_fragment_is_the_list_alone(operator):
    part = (await operator.get(INBOX, headers={"HX-Request": "true", "HX-Target": "inbox"})).text
    assert "<html" not in part
    assert "Lampe L1" in part


async def test_an_engineer_says_who_is_told(engineer, world):
    page = (await engineer.get(CHANNELS)).text
    form = {"csrf": csrf(page), "name": "Nachtdienst", "way": "mail", "address": "nacht@example.org", "severity": "critical",
            "quiet_from": "", "quiet_until": "", "repeat": "60"}
    assert (await engineer.post(CHANNELS, data=form)).status_code == 303
    (channel,) = world.town.channels()
    assert (channel.name, channel.severity, channel.repeat) == ("Nachtdienst", Severity.CRITICAL, timedelta(hours=1))
    answer = await engineer.post(CHANNELS, data=form | {"address": "nobody"})
    assert answer.status_code == 422
    assert "„nobody“ ist keine E-Mail-Adresse." in answer.text
    assert 'value="Nachtdienst"' in answer.text
    await engineer.post(f"{CHANNELS}/{channel.id}/probe", data={"csrf": csrf(page)})
    assert world.town.channel(channel.id).trial_at == NOW
    await engineer.post(f"{CHANNELS}/{channel.id}/entfernen", data={"csrf": csrf(page)})
    assert list(world.town.channels()) == []


async def test_a_webhooks_secret_is_shown_once(engineer, world):
    form = {"csrf": csrf((await engineer.get(CHANNELS)).text), "name": "Leitstelle", "way": "webhook",
            "address": "https://leitstelle.example/haken", "quiet_from": "22:00", "quiet_until": "06:00", "repeat": "0"}
    page = (await engineer.post(CHANNELS, data=form)).text
    (channel,) = world.town.channels()
    assert channel.secret in page
    assert channel.quiet == (1320, 360)
    assert channel.secret not in (await engineer.get(CHANNELS)).text
    assert channel.secret not in (await engineer.get(f"{CHANNELS}?change={channel.id}")).text
    assert "http" in (await engineer.post(CHANNELS, data=form | {"address": "http://10.0.0.1/"})).text
    assert len(world.town.channels()) == 1
