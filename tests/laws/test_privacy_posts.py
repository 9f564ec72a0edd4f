"""What strangers may send is under the law of privacy, too: two worlds that differ in nothing but what is nobody's business
answer it alike. And no stream of events is open to strangers, whose times alone would tell when a car comes or goes."""

from collections.abc import Iterator, Mapping

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from api.pages.public_doubts import DoubtLimiter
from city.parking_places import Doubting
from city.settings import Parking
from tests.laws.test_privacy_routes import BUSY, DRAWN, QUIET, SECRET, STREAMS, TOWN, ZONES, World, fill, opened
from tests.laws.test_tenancy import _guards

ASKING = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS: tuple[Mapping[str, str], ...] = (
    {"what": Doubting.FULLER.value, "text": "", "shown": "5 frei"}, {"what": "nonsense"}, {},
    {"what": Doubting.OTHER.value, "text": "geheim-klein-0 " * 300}, {"name": "anna", "password": "a long enough password"},
    {"bay": "geheim-klein-0", "zone": "klein", "what": Doubting.OTHER.value})


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    made = tuple(opened(tmp_path_factory.mktemp("posts") / name) for name in "ab")
    yield made[0], made[1]
    for world in made:
        world.close()


def routes(world: World) -> list[tuple[str, str]]:
    """Everything that a stranger may send something to: method and path."""
    return sorted({(method, str(route.path)) for route in iter_route_contexts(world.client.app.routes)  # type: ignore[attr-defined]
                   if isinstance(route.original_route, APIRoute)
                   and all(getattr(guard, "role", None) is None for guard in _guards(route.dependant))
                   for method in (route.methods or ()) if method not in ASKING})


def answer(world: World, method: str, address: str, form: Mapping[str, str]) -> tuple[int, Mapping[str, str], str]:
    """But for what names the moment, or what is drawn anew for each who asks."""
    found = world.client.request(method, address, data=dict(form), follow_redirects=False,
                                 headers={"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"})
    return found.status_code, {name: value for name, value in found.headers.items() if name not in ("date", "set-cookie")}, \
        found.text


def test_whatever_a_stranger_sends_two_worlds_answer_alike(worlds: tuple[World, World]) -> None:
    one, other = worlds
    for world, hidden in ((one, QUIET), (other, BUSY)):
        world.clock.advance(3600)
        fill(world, DRAWN, hidden)
    sent = 0
    for method, path in routes(one):
        for zone in (*ZONES, "geheim-klein-0") if "{zone}" in path else ("",):
            address = path.replace("{tenant}", TOWN).replace("{zone}", zone)
            for form in FORMS:
                for world in worlds:
                    world.client.app.state.doubts = DoubtLimiter(Parking())  # type: ignore[attr-defined] # nobody is asked to wait
                mine, theirs = answer(one, method, address, form), answer(other, method, address, form)
                assert mine == theirs, f"{method} {address} tells two worlds apart"
                words = mine[2].replace("geheim-klein-0", "")  # what was sent may be shown again
                assert not SECRET.search(words), f"{method} {address} names a bay, a report or who blocked what"
                sent += 1
    assert sent > 100


def test_strangers_can_follow_no_stream(worlds: tuple[World, World]) -> None:
    streams = [(route, all(getattr(guard, "role", None) is None for guard in _guards(route.dependant)))
               for route in iter_route_contexts(worlds[0].client.app.routes)  # type: ignore[attr-defined]
               if isinstance(route.original_route, APIRoute)
               and (str(route.path).endswith(STREAMS) or "text/event-stream" in str(route.original_route.responses))]
    assert streams
    assert not any(public for _, public in streams)
