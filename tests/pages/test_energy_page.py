"""The energy page, and the same figures as JSON, CSV and PDF."""

import base64
import csv
import io
import re
import zlib
from datetime import date, timedelta

import httpx
import pytest

from api.energy import decimal
from city.energy import LampNight, Used
from city.ids import AssetId, CircuitId, ZoneId
from city.places import Circuit
from tests.pages.conftest import NOW, World, sign_in

API = "/api/v1/tenants/stadt"
FIRST = date(2026, 11, 1)
pytestmark = pytest.mark.usefixtures("booked")


@pytest.fixture
def booked(world: World) -> None:
    """Two zones, 22 nights: 1.2345 kWh of one lamp a night, metered, and 0.6 kWh of another, estimated."""
    world.lamp("L-1")
    world.lamp("L-2", zone="=hafen")
    world.town.put_circuit(Circuit(world.town.tenant.id, CircuitId("K1"), "Schrank Süd", "DE0001"))
    for number in range(22):
        night = FIRST + timedelta(days=number)
        world.store.book_nights(world.town.tenant.id, [
            LampNight(AssetId("L-1"), night, ZoneId("markt"), CircuitId("K1"), Used(123_450, 0, 200_000, 40_000, 0)),
            LampNight(AssetId("L-2"), night, ZoneId("=hafen"), None, Used(0, 60_000, 80_000, 36_000, 3600))], NOW)


def test_a_saving_of_nothing_has_no_sign():
    assert decimal("de", -0.04, 1) == "0,0"
    assert decimal("de", -0.06, 1) == "-0,1"


async def test_the_page_says_what_was_used_saved_and_is_not_known(operator: httpx.AsyncClient):
    text = (await operator.get("/stadt/betrieb/energie")).text
    assert "Betriebsmesswert, nicht abrechnungsfähig" in text
    assert "November 2026" in text
    assert "4.035,9" in text  # all of it, in German
    assert "2.715,9" in text  # metered
    assert "Umweltbundesamt" in text
    assert "Annahme" in text
    assert text.count("<rect") > 40  # a column a night
    assert "22 Nächte dieses Monats sind enthalten." in text


async def test_it_can_be_cut_by_circuit_and_delivery_point(operator: httpx.AsyncClient):
    assert "Schrank Süd" in (await operator.get("/stadt/betrieb/energie?by=circuit")).text
    text = (await operator.get("/en/stadt/operations/energy?by=delivery&month=2026-11")).text
    assert "DE0001" in text
    assert "without one" in text
    assert "Operating value, not for billing" in text


async def test_tonight_and_last_night_are_there(operator: httpx.AsyncClient):
    text = (await operator.get("/stadt/betrieb/energie")).text
    assert "Laufende Nacht, seit 22.11.2026, Mittag" in text
    assert "Letzte Nacht, vom 21.11.2026" in text
    found = (await operator.get(f"{API}/energy/lately")).json()
    assert [(one["night"], one["running"], one["used_kwh"]) for one in found] == [
        ("2026-11-21", False, 183.45), ("2026-11-22", True, 183.45)]


async def test_a_month_without_anything_and_one_to_come(operator: httpx.AsyncClient):
    assert "Für diesen Monat ist nichts gebucht." in (await operator.get("/stadt/betrieb/energie?month=2026-09")).text
    assert (await operator.get("/stadt/betrieb/energie?month=2027-01")).status_code == 200  # shows the running one
    assert (await operator.get(f"{API}/energy?month=2027-01")).status_code == 422
    assert (await operator.get("/stadt/betrieb/energie?month=nonsense")).status_code == 422


async def test_json_csv_and_pdf_say_the_same(operator: httpx.AsyncClient):
    said = (await operator.get(f"{API}/energy?month=2026-11&by=zone")).json()
    assert said["total"]["used_kwh"] == 4035.9 == round(sum(line["used_kwh"] for line in said["lines"]), 1)
    plain = list(csv.reader(io.StringIO((await operator.get(f"{API}/energy.csv?language=en")).text)))
    assert plain[0][:4] == ["zone", "name", "lamps", "used_kwh"]
    assert [row[3] for row in plain[1:]] == ["1320.0", "2715.9", "4035.9"]
    german = (await operator.get(f"{API}/energy.csv?language=de")).content.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(german), delimiter=";"))
    assert rows[0][3] == "Verbrauch (kWh)"
    assert [row[3] for row in rows[1:]] == ["1320,0", "2715,9", "4035,9"]
    assert {row[-1] for row in rows[1:]} == {"Betriebsmesswert, nicht abrechnungsfähig"}
    answer = await operator.get(f"{API}/energy.pdf?language=de")
    text = pdf_text(answer.content)
    for shown in ("1.320,0", "2.715,9", "4.035,9", "Betriebsmesswert, nicht abrechnungsf", "Seite 1 von 1"):
        assert shown in text


async def test_the_pdf_says_what_it_is_and_in_which_language(operator: httpx.AsyncClient):
    answer = await operator.get(f"{API}/energy.pdf?language=en&by=delivery")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert b"/Lang (en-GB)" in answer.content
    assert b"/DisplayDocTitle true" in answer.content
    assert b"/Title (Energy of the street lighting, November 2026" in answer.content
    assert "page 1 of 1" in pdf_text(answer.content)


async def test_a_name_is_no_formula(operator: httpx.AsyncClient):
    for language, mark in (("de", ";"), ("en", ",")):
        text = (await operator.get(f"{API}/energy.csv?language={language}")).content.decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=mark) for cell in row]
        assert "'=hafen" in cells
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert "'=hafen" in (await operator.get(f"{API}/energy/lamps.csv")).text


async def test_every_lamps_nights_can_be_had(operator: httpx.AsyncClient):
    rows = list(csv.DictReader(io.StringIO((await operator.get(f"{API}/energy/lamps.csv")).text)))
    assert len(rows) == 44
    assert rows[0]["metered_wh"] == "123450"
    found = (await operator.get(f"{API}/luminaires/L-1/energy")).json()
    assert (len(found), found[0]["burn_s"]) == (22, 40_000)


async def test_an_engineer_gives_the_town_its_own_price(anybody: httpx.AsyncClient):
    chief = await sign_in(anybody, "chief")
    page = (await chief.get("/stadt/betrieb/energie")).text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    form = {"csrf": found[1], "kind": "price", "valid_from": "2026-11-01", "value": "0,2", "source": "Vertrag 7", "scope": ""}
    assert (await chief.post("/stadt/betrieb/energie", data=form)).status_code == 303
    page = (await chief.get("/stadt/betrieb/energie")).text
    assert "Vertrag 7" in page
    assert "807,18" in page  # 4035.9 kWh at 20 cents
    wrong = await chief.post("/stadt/betrieb/energie", data={**form, "value": "99"})
    assert wrong.status_code == 422
    assert "zwischen 0 und 5" in wrong.text
    assert (await chief.post("/stadt/betrieb/energie/wert-entfernen", data=form)).status_code == 303
    assert (await chief.get(f"{API}/energy/factors")).json() == [one for one in (await chief.get(f"{API}/energy/factors")).json()
                                                                 if one["shipped"]]


@pytest.mark.parametrize(("wrong", "field"), [({"source": " "}, "source"), ({"valid_from": "x"}, "valid_from"),
                                              ({"value": "x"}, "value"), ({"value": "nan"}, "value"), ({"kind": "x"}, "kind")])
async def test_what_is_wrong_with_a_figure_stands_at_its_field(anybody: httpx.AsyncClient, wrong: dict[str, str],
                                                               field: str) -> None:
    chief = await sign_in(anybody, "chief")
    token = re.search(r'name="csrf" value="([^"]+)"', (await chief.get("/stadt/betrieb/energie")).text)
    assert token is not None
    fields = {"csrf": token[1], "kind": "price", "valid_from": "2026-11-01", "value": "0,31", "source": "Stadtwerke"}
    answer = await chief.post("/stadt/betrieb/energie", data={**fields, **wrong})
    assert answer.status_code == 422
    assert set(re.findall(r'id="([a-z_]+)-wrong"', answer.text)) == {field}


async def test_an_operator_may_not_change_figures(operator: httpx.AsyncClient):
    page = (await operator.get("/stadt/betrieb/energie")).text
    assert 'name="value"' not in page
    body = {"kind": "price", "valid_from": "2026-11-01", "value": 0.2, "source": "x"}
    assert (await operator.put(f"{API}/energy/factors", json=body)).status_code == 403


async def test_what_a_program_would_save_is_told_before_it_is_kept(operator: httpx.AsyncClient):
    page = (await operator.get("/stadt/betrieb/energie")).text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    program = {"name": "x", "on": {"at": {"anchor": "sunset"}, "level": 50}, "off": {"at": {"anchor": "sunrise"}, "level": 0}}
    answer = await operator.post(f"{API}/programs/what-if", json={"program": program, "target": "zone:markt"},
                                 headers={"X-CSRF-Token": found[1]})
    said = answer.json()
    assert answer.status_code == 200, said
    assert said["after"]["lamps"] == 1
    assert said["saved_kwh"] > 20
    assert said["saved_eur"] == pytest.approx(said["saved_kwh"] * 0.3, abs=0.05)
    missing = await operator.post(f"{API}/programs/what-if", json={"program": program, "target": "zone:nirgends"},
                                  headers={"X-CSRF-Token": found[1]})
    assert missing.status_code == 404


def pdf_text(data: bytes) -> str:
    """The texts of all pages, run together."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
        try:
            content = zlib.decompress(base64.a85decode(stream.strip(), adobe=False) if not stream.strip().endswith(b"~>")
                                      else base64.a85decode(b"<~" + stream.strip(), adobe=True))
        except (ValueError, zlib.error):
            continue
        found += [re.sub(rb"\\(.)", rb"\1", one) for one in re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content)]
    return b" ".join(found).decode("cp1252", "replace")
