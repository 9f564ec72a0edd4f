"""Every refusal is problem+json: translated, with the field and the rule, and nothing of our insides."""

import logging

import pytest
from fastapi.testclient import TestClient

from api.pages.addresses import _PAGES
from city import errors
from city.errors import CityError, StoreDown
from city.ids import RESERVED, TenantId
from city.places import Site, Tenant

PROBLEM = "application/problem+json"


def every_error(kind: type[CityError] = CityError) -> list[type[CityError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in every_error(child))]


@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind is not CityError and kind.__module__ == errors.__name__])
def test_every_error_of_the_tree_has_a_status(app, kind):
    @app.get("/api/raise")
    def raising() -> None:
        raise kind("It is {what}.", what="so")

    answer = TestClient(app, headers={"Accept-Language": "en"}).get("/api/raise")
    assert 400 <= answer.status_code < 600
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"] == ("It is …." if issubclass(kind, errors.Unavailable) else "It is so.")
    assert body["type"].endswith(kind.__name__)


@pytest.mark.parametrize(("kind", "status"), [(errors.NotFound, 404), (errors.Forbidden, 403), (errors.Conflict, 409),
                                              (errors.Unsupported, 422), (errors.Invalid, 422),
                                              (errors.SignInNeeded, 401), (errors.TooOften, 429),
                                              (errors.TooLarge, 413), (errors.StoreDown, 503),
                                              (errors.Truncated, 400)])
def test_statuses(app, kind, status):
    @app.get("/api/raise")
    def raising() -> None:
        raise kind("No.")

    assert TestClient(app).get("/api/raise").status_code == status


def test_a_neighbour_that_is_down_says_when_to_come_back(operator, store, monkeypatch):
    def down(*_):
        raise StoreDown("The city database does not answer: {what}", what="no route to db.internal:5432")

    monkeypatch.setattr(type(store), "tenant", down)
    answer = operator.get("/api/v1/tenants/alt/zones")
    assert answer.status_code == 503
    assert "internal" not in answer.text  # where our servers stand is for our log
    assert int(answer.headers["retry-after"]) > 0


def test_the_unexpected_is_logged_and_says_nothing_of_its_cause(app, caplog):
    @app.get("/api/broken")
    def broken() -> None:
        raise ZeroDivisionError("a very private detail")

    with caplog.at_level(logging.ERROR):
        answer = TestClient(app, raise_server_exceptions=False).get("/api/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == PROBLEM
    assert "private" not in answer.text
    assert "content-security-policy" in answer.headers
    assert any(record.exc_info for record in caplog.records)


def test_a_body_of_the_wrong_shape_names_field_and_rule_and_repeats_nothing(operator):
    answer = operator.put("/api/v1/tenants/alt/zones/markt/override", json={"level": "hidden-text", "minutes": 5})
    body = answer.json()
    assert answer.status_code == 422
    assert (body["field"], body["rule"]) == ("level", "int_type")
    assert "hidden-text" not in answer.text


def test_an_unknown_field_is_refused_by_name(operator):
    answer = operator.put("/api/v1/tenants/alt/zones/markt/override", json={"level": 40, "minutes": 5, "levle": 3})
    assert answer.json()["field"] == "levle"


def test_what_is_not_json_is_refused_as_a_problem(operator):
    answer = operator.put("/api/v1/tenants/alt/zones/markt/override", content=b"{", headers={
        "Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/v1/nothing", 404), ("PUT", "/healthz", 405)])
def test_what_the_framework_refuses_is_a_problem_too(anonymous, method, path, status):
    answer = anonymous.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["detail"]
    assert (answer.json()["field"], answer.json()["rule"]) == {404: ("path", "exists"), 405: ("method", "allowed")}[status]


def test_a_body_that_no_parser_gets_through_is_named(operator):
    answer = operator.post("/api/v1/tenants/alt/talq/control-programs", content=b"[" * 50_000, headers={
        "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (400, "body", "readable")


def test_a_body_that_is_too_large_is_refused(operator):
    answer = operator.put("/api/v1/tenants/alt/zones/markt/override", content=b" " * (2**20 + 1))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["rule"] == "size"


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(operator):
    answer = operator.put("/api/v1/tenants/alt/zones/markt/override", content=(b" " * 2**16 for _ in range(40)),
                          headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM


def test_german_is_spoken_to_germans(anonymous):
    answer = anonymous.get("/api/v1/tenants/alt/zones", headers={"Accept-Language": "de-DE"})
    assert answer.headers["content-language"] == "de"
    assert answer.headers["vary"] == "Accept-Language"


def test_no_town_can_take_an_address_of_the_platform(app):
    first = {route.split("/")[1] for route in app.openapi()["paths"]} | {
        spelled.split("/")[1] for pair in _PAGES.values() for spelled in pair}
    assert {word for word in first if word and not word.startswith("{")} <= RESERVED


def test_a_town_of_a_reserved_name_is_not_made(store):
    with pytest.raises(errors.Invalid):
        store.put_tenant(Tenant(TenantId("api"), "Api", Site(51.0, 8.1)))


async def test_a_caller_who_has_gone_is_no_failure_of_ours(app, caplog):
    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        """Nobody is there."""

    for path in (b"/api/v1/session", b"/anmelden"):
        scope = {"type": "http", "method": "POST", "path": path.decode(), "raw_path": path, "query_string": b"",
                 "headers": [(b"content-type", b"application/x-www-form-urlencoded")], "client": ("127.0.0.1", 1),
                 "server": ("x", 80), "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "root_path": ""}
        await app(scope, receive, send)
    assert "failed" not in caplog.text
