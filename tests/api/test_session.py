"""Signing in and out over HTTP, and what protects a signed-in browser from other sites."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from city.settings import Api, Settings

PASSWORD = "correct horse battery"
SESSION = "/api/v1/session"
DIM = "/api/v1/tenants/alt/zones/markt/override"
WISH = {"level": 40, "minutes": 60}


def sign_in(client: TestClient, name: str = "alt-operator") -> str:
    answer = client.post(SESSION, json={"name": name, "password": PASSWORD})
    assert answer.status_code == 201
    return answer.json()["csrf"]


def test_the_cookie_is_for_http_only_and_not_for_other_sites(anonymous):
    answer = anonymous.post(SESSION, json={"name": "alt-operator", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert answer.json()["tenant"] == "alt"


@pytest.mark.parametrize("settings", [Api(secure_cookies=True), Api(public_url="https://stadt.example")])
def test_behind_tls_the_cookie_is_secure_and_the_browser_is_told_to_stay(store, log, clock, settings):
    app = create_app(store, log, clock, Settings(api=settings))
    answer = TestClient(app).post(SESSION, json={"name": "alt-operator", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age=" in answer.headers["strict-transport-security"]


def test_only_a_digest_of_the_cookie_is_kept(anonymous, store, clock):
    sign_in(anonymous)
    cookie = anonymous.cookies["stadtfunk_session"]
    assert store.session(cookie, clock.now()) is None


def test_a_form_signs_in_too(anonymous):
    answer = anonymous.post(SESSION, data={"name": "alt-operator", "password": PASSWORD})
    assert answer.status_code == 201


@pytest.mark.parametrize("body", [{"name": "alt-operator", "password": "wrong"}, {"name": "x", "password": "wrong"}])
def test_a_wrong_sign_in_says_nothing_of_which_part_is_wrong(anonymous, body):
    answer = anonymous.post(SESSION, json=body)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Name or password is wrong."
    assert "set-cookie" not in answer.headers


def test_a_sign_in_without_password_names_the_field_and_repeats_nothing(anonymous):
    answer = anonymous.post(SESSION, json={"name": "secret-name"})
    assert answer.status_code == 422
    assert answer.json()["field"] == "password"
    assert "secret-name" not in answer.text


def test_after_some_errors_one_has_to_wait_even_with_the_right_password(anonymous, clock):
    for _ in range(5):
        anonymous.post(SESSION, json={"name": "alt-operator", "password": "wrong"})
    answer = anonymous.post(SESSION, json={"name": "alt-operator", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) == 3
    clock.advance(4)
    sign_in(anonymous)


def test_whoami_tells_the_csrf_token_of_the_session(anonymous):
    csrf = sign_in(anonymous)
    assert anonymous.get(SESSION).json()["csrf"] == csrf


def test_a_change_without_the_csrf_token_is_refused(anonymous, town, clock):
    sign_in(anonymous)
    answer = anonymous.put(DIM, json=WISH)
    assert answer.status_code == 403
    assert answer.json()["field"] == "csrf"
    assert not town.overrides(clock.now())


def test_a_change_with_it_is_taken(anonymous):
    csrf = sign_in(anonymous)
    assert anonymous.put(DIM, json=WISH, headers={"X-CSRF-Token": csrf}).status_code == 202


def test_the_csrf_token_of_another_session_does_not_help(app, anonymous):
    sign_in(anonymous)
    other = sign_in(TestClient(app), "alt-admin")
    assert anonymous.put(DIM, json=WISH, headers={"X-CSRF-Token": other}).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_change_from_another_site_is_refused_even_with_the_token(anonymous, headers):
    csrf = sign_in(anonymous)
    assert anonymous.put(DIM, json=WISH, headers={"X-CSRF-Token": csrf, **headers}).status_code == 403


def test_another_site_cannot_sign_somebody_in(anonymous):
    answer = anonymous.post(SESSION, data={"name": "alt-operator", "password": PASSWORD},
                            headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_configured_address_is_the_only_origin(store, log, clock):
    app = create_app(store, log, clock, Settings(api=Api(public_url="https://licht.example/")))
    client = TestClient(app)
    ours, other = {"Origin": "https://licht.example"}, {"Origin": "http://testserver"}
    body = {"name": "alt-operator", "password": PASSWORD}
    assert client.post(SESSION, json=body, headers=ours).status_code == 201
    assert client.post(SESSION, json=body, headers=other).status_code == 403


def test_signing_out_ends_the_session_itself(anonymous):
    csrf = sign_in(anonymous)
    cookie = anonymous.cookies["stadtfunk_session"]
    assert anonymous.delete(SESSION, headers={"X-CSRF-Token": csrf}).status_code == 204
    anonymous.cookies.set("stadtfunk_session", cookie)
    assert anonymous.get(SESSION).status_code == 401


def test_a_token_needs_no_csrf_token(operator):
    assert operator.put(DIM, json=WISH).status_code == 202


def test_a_token_that_is_none_is_refused_even_where_nobody_needs_one(anonymous):
    answer = anonymous.get("/api/v1/tenants/alt/zones", headers={"Authorization": "Bearer sf_made-up"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_session_is_over_after_its_hours(anonymous, clock):
    sign_in(anonymous)
    clock.advance(12 * 3600 + 1)
    assert anonymous.get("/api/v1/tenants/alt/zones").status_code == 401


def test_a_new_password_signs_out_everywhere(anonymous, store):
    sign_in(anonymous)
    store.put_account(store.account("alt-operator"))
    assert anonymous.get(SESSION).status_code == 401
