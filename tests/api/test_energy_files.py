"""The report's files, where people have given things names that a spreadsheet or a PDF would obey."""

import csv
import io

import pytest
from fastapi.testclient import TestClient

from city.energy import LampNight, Used
from city.ids import TenantId
from city.nights import evening_of
from city.store.ports import Store, TenantStore
from tests.api.conftest import NIGHT
from tests.pages.test_energy_page import pdf_text

BASE = "/api/v1/tenants/alt"
NAMES = ["=1+1", "＝1+1", "＋1", "@SUM(A1)", "-2", '<img src="file:///etc/hostname"/><b>x', "</para><link href='http://example.org'>y</link>",
         "Łódź & Görlitz ☂", "x" * 80]


@pytest.fixture
def booked(store: Store, town: TenantStore) -> None:
    store.book_nights(TenantId("alt"), [LampNight(lamp.id, evening_of(NIGHT), lamp.zone, lamp.circuit, Used(300, 0, 400, 3600, 0))
                                        for lamp in town.luminaires()], NIGHT)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("booked")
def test_a_name_is_text_in_every_file(engineer: TestClient, name: str) -> None:
    assert engineer.put(f"{BASE}/circuits/K1", json={"name": name, "delivery_point": name}).status_code == 200
    for by in ("circuit", "delivery"):
        for language, mark in (("en", ","), ("de", ";")):
            answer = engineer.get(f"{BASE}/energy.csv", params={"by": by, "language": language})
            rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=mark))
            assert name.removeprefix("'") in {cell.removeprefix("'") for cell in rows[1]}
            assert not any(cell.startswith(("=", "+", "@", "＝", "＋")) for row in rows for cell in row)
            pdf = engineer.get(f"{BASE}/energy.pdf", params={"by": by, "language": language})
            assert (pdf.status_code, pdf.content[:5]) == (200, b"%PDF-")
            assert b"example.org" not in pdf.content
            assert b"/URI" not in pdf.content


@pytest.mark.usefixtures("booked")
def test_the_pdf_shows_names_in_letters_that_it_has_and_never_as_question_marks(engineer: TestClient) -> None:
    name = "Łódźer Straße, Ćevapčići, Жукова"
    assert engineer.put(f"{BASE}/circuits/K1", json={"name": name}).status_code == 200
    text = pdf_text(engineer.get(f"{BASE}/energy.pdf", params={"by": "circuit", "language": "de"}).content)
    for shown in ("dzer", "Cevapcici", "Zhukova"):
        assert shown in text
    assert "?" not in text
