"""Finished answers: the same as the ordinary road's, never older than two seconds, of one town only, and bounded."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from api.deps import Public, public_scope
from api.pages.render import unless_known
from api.quick import MOST, Quick, keepable
from api.shell import Metrics
from city.clock import ManualClock
from city.errors import NotFound
from city.ids import TenantId
from city.parking_places import TownParking
from city.places import Site, Tenant
from tests.stores import new_store

NOW = datetime(2026, 11, 22, 17, 32, 10, tzinfo=UTC)


class World:
    """Two towns behind a page that counts how often it was made."""

    def __init__(self, path) -> None:
        self.store, self.clock, self.made, self.extra = new_store(path / "city.db"), ManualClock(NOW), 0, {}
        for name in ("stadt", "leer"):
            self.store.put_tenant(Tenant(TenantId(name), name, Site(51.0, 8.1)))
        app = FastAPI()
        app.state.platform = self

        @app.exception_handler(NotFound)
        def nothing(_: Request, error: Exception) -> Response:
            return Response(str(error), 404)

        @app.get("/{tenant}/parken")
        def page(request: Request, town: Public, q: str = "") -> Response:
            self.made += 1
            text = f"{town.tenant.id} {q} {town.parking_town().operator} {'x' * 2000}".encode()
            answer = unless_known(request, text, "text/html; charset=utf-8", {})
            answer.headers.update(self.extra)
            return answer

        self.quick = Quick(app, store=self.store, clock=self.clock, metrics=Metrics(),
                           routes=keepable(app.router.routes, public_scope))

    def say(self, operator: str, town: str = "stadt") -> None:
        self.store.tenant(TenantId(town)).put_parking_town(TownParking(operator=operator), "x", self.clock.now())


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
async def anybody(world) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=world.quick), base_url="http://town.test") as client:
        yield client


async def test_the_second_answer_is_the_first_and_nobody_makes_it(world, anybody):
    first, second = [await anybody.get("/stadt/parken", headers={"accept-encoding": "identity"}) for _ in range(2)]
    assert (first.content, first.headers) == (second.content, second.headers)
    assert world.made == 1


async def test_a_change_shows_after_a_second(world, anybody):
    await anybody.get("/stadt/parken")
    world.say("Bauhof")
    assert "Bauhof" not in (await anybody.get("/stadt/parken")).text
    world.clock.advance(1)
    assert "Bauhof" in (await anybody.get("/stadt/parken")).text


async def test_a_new_minute_is_a_new_answer(world, anybody):
    await anybody.get("/stadt/parken")
    world.clock.advance(49)
    await anybody.get("/stadt/parken")
    assert world.made == 1
    world.clock.advance(1)
    await anybody.get("/stadt/parken")
    assert world.made == 2


async def test_whoever_has_it_is_told_only_that(anybody):
    tag = (await anybody.get("/stadt/parken", headers={"accept-encoding": "identity"})).headers["etag"]
    for headers in ({"if-none-match": tag}, {"if-none-match": f'"other", {tag}'}, {"if-none-match": "*"}):
        answer = await anybody.get("/stadt/parken", headers=headers)
        assert (answer.status_code, answer.content) == (304, b"")
    assert (await anybody.get("/stadt/parken", headers={"if-none-match": '"other"'})).status_code == 200


async def test_a_packed_answer_is_the_same_and_has_a_tag_of_its_own(anybody):
    plain = await anybody.get("/stadt/parken", headers={"accept-encoding": "identity"})
    async with anybody.stream("GET", "/stadt/parken", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in packed.headers["vary"]


async def test_a_probe_gets_the_headers_alone(anybody):
    got = await anybody.get("/stadt/parken", headers={"accept-encoding": "identity"})
    probe = await anybody.head("/stadt/parken", headers={"accept-encoding": "identity"})
    assert (probe.status_code, probe.content, probe.headers) == (200, b"", got.headers)


async def test_two_towns_and_two_questions_are_different_answers(world, anybody):
    world.say("Bauhof")
    assert "Bauhof" in (await anybody.get("/stadt/parken")).text
    assert "Bauhof" not in (await anybody.get("/leer/parken")).text
    assert "stadt a" in (await anybody.get("/stadt/parken?q=a")).text
    assert "stadt b" in (await anybody.get("/stadt/parken?q=b")).text


@pytest.mark.parametrize("own", [{"set-cookie": "a=b"}, {"cache-control": "no-store"}])
async def test_what_is_somebodys_own_is_not_kept(world, anybody, own):
    world.extra = own
    for _ in range(2):
        await anybody.get("/stadt/parken")
    assert world.made == 2


async def test_a_town_that_is_not_there_is_asked_for_each_time(anybody):
    for _ in range(2):
        assert (await anybody.get("/nirgends/parken")).status_code == 404


async def test_many_different_questions_push_the_oldest_out_and_no_more(world, anybody):
    for number in range(MOST // 100):
        await anybody.get(f"/stadt/parken?q={number}")
    made = world.made
    await anybody.get("/stadt/parken?q=0")
    assert world.made == made  # as long as there is room
    assert world.quick._bytes == sum(one.size for one in world.quick._kept.values())
