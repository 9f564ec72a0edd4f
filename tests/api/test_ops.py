"""For whoever runs it: health, metrics, headers, the OpenAPI document."""

from datetime import timedelta

import pytest
from fastapi.routing import iter_route_contexts

from city.errors import StoreDown
from city.health import Beat, broken


def test_alive_and_ready(anonymous, store, clock):
    store.put_beat(Beat("bridge", clock.now()))
    assert anonymous.get("/healthz").json() == {"alive": True}
    assert anonymous.get("/readyz").json() == {"ready": True, "reasons": []}


def test_not_ready_names_the_reason(anonymous, store, clock, monkeypatch):
    def down(_):
        raise StoreDown("password=secret host does not answer")

    store.put_beat(Beat("bridge", clock.now()))
    monkeypatch.setattr(type(store), "ping", down)
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": [
        {"code": "database_down", "broken": True, "sentence": "The city database cannot be used: StoreDown"}]}


def test_bridges_are_told_of_without_their_words(anonymous, store, clock):
    """This process can do its work without them."""
    assert [reason["code"] for reason in anonymous.get("/readyz").json()["reasons"]] == ["bridge_never"]
    store.put_beat(Beat("inner-host-1", clock.now() - timedelta(minutes=3)))
    store.put_beat(Beat("inner-host-2", clock.now(), (broken("database_down", what="user anna at 10.0.0.7"),)))
    answer = anonymous.get("/readyz")
    assert answer.status_code == 200
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["bridge_silent", "database_down"]
    assert answer.json()["reasons"][0]["sentence"] == "The bridge … has not been heard for 3 min."
    assert "anna" not in answer.text
    assert "inner-host" not in answer.text


def test_metrics_count_by_pattern_and_not_by_address(anonymous):
    anonymous.get("/api/v1/tenants/alt/luminaires/some-lamp")
    anonymous.get("/some/unknown/address")
    text = anonymous.get("/metrics").text
    assert 'route="/api/v1/tenants/{tenant}/luminaires/{asset}",status="401"' in text
    assert "some-lamp" not in text
    assert "unknown/address" not in text


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/tenants", "/api/v1/nothing", "/api/v1/tenants/alt/zones"])
def test_every_answer_bears_the_security_headers(anonymous, path):
    headers = anonymous.get(path).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "referrer-policy" in headers
    assert "strict-transport-security" not in headers


def test_what_is_not_public_is_not_stored_by_anybody(operator, anonymous):
    assert operator.get("/api/v1/tenants/alt/zones").headers["cache-control"] == "no-store"
    assert anonymous.get("/api/v1/tenants").headers["cache-control"] == "public, max-age=60"


def test_the_openapi_document_describes_every_route_and_answer(app, anonymous):
    document = anonymous.get("/api/v1/openapi.json").json()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    ours = {(method, route.path.replace(":path}", "}")) for route in iter_route_contexts(app.routes)
            for method in route.methods or () if route.path.startswith("/api/v1/tenants") and method != "HEAD"}
    assert ours <= described
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
            assert good, (method, path)
    assert "Problem" in document["components"]["schemas"]


def test_a_probe_may_ask_for_the_head_alone(anonymous):
    for path in ("/", "/healthz", "/alt/parken", "/api/v1/tenants"):
        whole, head = anonymous.get(path), anonymous.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
    assert anonymous.head("/api/v1/tenants/alt/events").status_code in (401, 405)
    assert anonymous.head("/api/v1/tenants/alt/luminaires").status_code == 401
