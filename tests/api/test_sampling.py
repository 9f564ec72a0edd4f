"""What the web server tells InfluxDB of itself."""

import time

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient as Plain

from api.app import create_app
from api.sampling import with_answers
from api.shell import Metrics, Shell
from city.clock import ManualClock
from city.figures import PLATFORM_ANSWER_P50, PLATFORM_ANSWER_P99, PLATFORM_ERRORS, PLATFORM_REFUSED, PLATFORM_REQUESTS
from city.figures_sample import Look, sample
from city.settings import Api, Influx, Settings
from city.store.ports import Store
from city.store.readings import LocalLog
from tests.city_store.standin import standin


def test_answers_are_counted_by_what_they_say_and_how_long_they_took() -> None:
    def answer(request: Request) -> Response:
        if request.path_params["status"] == 200:
            time.sleep(0.03)
        return Response(status_code=request.path_params["status"])

    metrics = Metrics()
    app = Shell(Starlette(routes=[Route("/say/{status:int}", answer), Route("/other/{status:int}", answer)]), metrics=metrics,
                secure=False, max_upload=1)
    client = Plain(app)
    before = with_answers(Look(0.0, 0.0), metrics)
    for path in ("/say/204", "/say/404", "/other/403", "/say/503", "/nowhere"):
        client.get(path)
    first = with_answers(Look(1.0, 0.0), metrics)
    found = sample(before, first).values
    assert (found[PLATFORM_REQUESTS], found[PLATFORM_REFUSED], found[PLATFORM_ERRORS]) == (5, 3, 1)
    client.get("/say/200")
    found = sample(first, with_answers(Look(2.0, 0.0), metrics)).values
    assert (found[PLATFORM_REQUESTS], found[PLATFORM_REFUSED], found[PLATFORM_ERRORS]) == (1, 0, 0)
    median, most = found[PLATFORM_ANSWER_P50], found[PLATFORM_ANSWER_P99]
    assert isinstance(median, float)
    assert isinstance(most, float)
    assert 25 <= median <= most < 5000  # ms


@pytest.fixture
def heard(store: Store, log: LocalLog, clock: ManualClock) -> list[bytes]:
    """What InfluxDB gets of an API that lives for two requests."""
    with standin() as influx:
        settings = Settings(influx=Influx(url=influx.url, org="o", bucket="city"), api=Api(port=8123))
        with TestClient(create_app(store, log, clock, settings)) as client:
            client.get("/api/v1/session")
            client.get("/api/v1/tenants/alt/lamps")
        assert {path for command, path, _, _ in influx.asked if command == "POST"} == {
            "/api/v2/write?org=o&bucket=city__platform&precision=ns"}
        return sorted(influx.points)


def test_an_api_tells_of_itself_to_its_end_under_a_name_of_its_own(heard: list[bytes]) -> None:
    [line] = heard
    tags, fields, at = line.decode().split(" ")
    assert tags.startswith("platform,name=")
    assert tags.endswith(":8123,process=api")
    said = dict(pair.split("=") for pair in fields.split(","))
    assert (said["requests"], said["errors"]) == ("2i", "0i")
    assert float(said["memory"]) > 1
    assert at == "1772488800000000000"


@pytest.mark.parametrize("influx", [Influx(), Influx(url="http://127.0.0.1:9", figures_s=0)])
def test_nothing_is_told_where_that_is_not_wanted(store: Store, log: LocalLog, clock: ManualClock, influx: Influx) -> None:
    with TestClient(create_app(store, log, clock, Settings(influx=influx))) as client:
        assert client.get("/api/v1/session").status_code < 500
