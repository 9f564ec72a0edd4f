"""Signing in: errors at their fields, back to where one came from, and never to another site."""

import pytest

from tests.pages.conftest import PASSWORD, csrf


async def test_console_asks_to_sign_in_and_leads_back(anybody):
    answer = await anybody.get("/stadt/betrieb?zone=markt")
    assert answer.headers["location"] == "/anmelden?next=%2Fstadt%2Fbetrieb%3Fzone%3Dmarkt"
    form = (await anybody.get(answer.headers["location"])).text
    assert 'value="/stadt/betrieb?zone=markt"' in form
    sent = await anybody.post("/anmelden", data={"name": "olga", "password": PASSWORD, "next": "/stadt/betrieb?zone=markt"})
    assert sent.headers["location"] == "/stadt/betrieb?zone=markt"
    assert (await anybody.get("/stadt/betrieb")).status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example",
                                       "javascript:alert(1)", "/\tevil"])
async def test_never_leads_to_another_site(anybody, elsewhere):
    assert elsewhere not in (await anybody.get("/anmelden", params={"next": elsewhere})).text
    sent = await anybody.post("/anmelden", data={"name": "olga", "password": PASSWORD, "next": elsewhere})
    assert sent.headers["location"] == "/"


async def test_wrong_password_stands_at_the_field_and_in_a_summary(anybody):
    answer = await anybody.post("/anmelden", data={"name": "olga", "password": "wrong", "next": "/stadt/betrieb"})
    assert answer.status_code == 422
    assert answer.text.count("Name oder Passwort ist falsch.") == 2
    assert 'aria-invalid="true" aria-describedby="password-wrong"' in answer.text
    assert 'value="olga"' in answer.text  # nothing typed is lost …
    assert "wrong" not in answer.text.replace("password-wrong", "").replace("field--wrong", "").replace(
        'class="wrong"', "")  # … but a password is not sent back
    assert 'value="/stadt/betrieb"' in answer.text


async def test_empty_fields_are_named(anybody):
    page = (await anybody.post("/en/sign-in", data={})).text
    assert "Enter your name." in page
    assert "Enter your password." in page


async def test_sign_out_needs_the_form_and_ends_the_session(operator):
    page = (await operator.get("/stadt/betrieb")).text
    assert (await operator.post("/abmelden")).status_code == 403
    assert (await operator.get("/stadt/betrieb")).status_code == 200
    assert (await operator.post("/abmelden", data={"csrf": csrf(page)})).status_code == 303
    assert (await operator.get("/stadt/betrieb")).status_code == 303


async def test_another_town_looks_like_none(operator):
    assert (await operator.get("/leer/betrieb")).status_code == 404


@pytest.mark.parametrize("type", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_body_that_is_no_form_is_refused_in_words(anybody, type):
    answer = await anybody.post("/anmelden", content=b"--x\r\nfoo\r\n\r\n", headers={"Content-Type": type})
    assert answer.status_code == 400
    assert "Die Anfrage ist nicht lesbar." in answer.text


async def test_a_form_that_is_too_large_is_refused_in_words(anybody):
    async def body():
        for _ in range(20):
            yield b"a" * 100_000

    answer = await anybody.post("/en/sign-in", content=body(), headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413
    assert "The request is too large." in answer.text
