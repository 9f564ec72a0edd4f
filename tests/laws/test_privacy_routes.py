"""Nobody gets more out of the public routes than city.public_parking lets through, however they ask.

Two worlds are made that differ in everything that is nobody's business (single bays, small zones' counts, zones that are not
public, what is too little known, stays, doubts, blocks, the running quarter of an hour …) and in nothing that is. Whoever
may ask anything that needs no sign-in, of any route there is, must not be able to tell them apart: not by a body, a header,
an ETag or a status. Driven from the application's own routes and from the links in their answers, so that a new one is
covered without being named.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.app import create_app
from city.bays import BayEvent
from city.clock import ManualClock
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import parse
from city.parking_display import ZoneRules
from city.parking_facts import BayDay, BayFact, Count, Forecast, ForecastError, Quarter, Retired, Stay, ZoneFact
from city.parking_places import Block, Doubt, Doubting, ParkingSite, TownParking
from city.places import ParkingBay, Site, Tenant
from city.public_parking import public_quarters, public_zones
from city.quantities import BAY_OCCUPIED
from city.readings import DeviceState, Entry, Place, Reading, to_ns
from city.sensor_checks import CheckedSensor, SensorCheck
from city.settings import Settings
from city.store.port_parking import ParkingFound
from city.store.ports import Facts, Store
from city.store.readings import LocalLog
from decoders.catalog import catalog
from tests.examples import examples
from tests.laws.test_tenancy import _guards
from tests.stores import new_store

NOW = datetime(2026, 7, 15, 9, 36, 40, tzinfo=UTC)  # 11:36 in Germany
TOWN = TenantId("ahausen")
HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
# zone: bays for everybody, bays for the disabled
ZONES = {"gross": (12, 2), "spanne": (10, 0), "klein": (3, 0), "eins": (1, 0), "luecke": (10, 0), "alt": (9, 1), "intern": (8, 0),
         "neben": (2, 0)}
TOLD = ("gross", "spanne")  # with numbers
SECRET = re.compile(r"geheim", re.IGNORECASE)  # in the name of everything that nobody may read
ASKED = ("", "filter=free", "filter=disabled&filter=free", "sort=free&limit=1&lat=51&lon=8&radius=1&near=51.0,8.0",
         "from=2026-07-01T00:00:00Z&to=2026-07-15T12:00:00Z&step=60&every=60&hours=48&date=2026-07-14&format=csv",
         "$filter=result gt 0&$orderby=result desc&$expand=Datastreams/Observations", "$count=true&$top=1&$skip=1",
         "q=availableSpotNumber>0", "q=availableSpotNumber==1;occupiedSpotNumber>0&options=keyValues&type=ParkingSpot",
         "purpose=CAR&restricted_to_type=DISABLED&limit=2", "zone=klein", "zone=intern&bay=geheim-klein-1")
STREAMS = ("/events", "/live", "/stream")
OURS = ("/metrics", "/readyz", "/healthz", "/static/", "/api/v1/openapi.json")  # of the process, not of towns
MOST = 120  # addresses that are tried because an answer names them
FEW = ("gross", "klein", "geheim-klein-0")  # in whose place the questions are asked, too


@dataclass
class World:
    """A town, a server for it, and whoever asks."""

    store: Store
    log: LocalLog
    clock: ManualClock
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        app = create_app(self.store, self.log, self.clock, Settings())
        self.routes = sorted({str(route.path) for route in iter_route_contexts(app.routes)
                              if isinstance(route.original_route, APIRoute) and "GET" in (route.methods or ())
                              and all(getattr(guard, "role", None) is None for guard in _guards(route.dependant))})
        self.client = TestClient(app)
        self._loop = start_blocking_portal()  # one for all requests: to begin one for each costs more than most answers
        self.client.portal = self._loop.__enter__()

    def close(self) -> None:
        self._loop.__exit__(None, None, None)
        self.log.close()
        self.store.close()

    def ask(self, address: str) -> tuple[int, Mapping[str, str], str]:
        answer = self.client.get(address, follow_redirects=False)
        return answer.status_code, {name: value for name, value in answer.headers.items() if name != "date"}, answer.text


def bays(zone: str) -> list[AssetId]:
    return [AssetId(f"geheim-{zone}-{number}") for number in range(sum(ZONES[zone]))]


def registry() -> bytes:
    lines, device = [HEAD], 0
    for index, (zone, (plain, _)) in enumerate(ZONES.items()):
        for number, bay in enumerate(bays(zone)):
            device += 1
            lines.append(f"{bay},bay,Geheimplatz {bay},{51 + index / 100},{8 + number / 1000},{zone},,"
                         f"{0xa000000000000000 + device:016x},bosch/tps110,,,{'' if number < plain else 'disabled'}\n")
    return "".join(lines).encode()


def opened(directory: Path) -> World:
    directory.mkdir()
    store, log = new_store(directory / "city.db"), LocalLog(directory / "log")
    store.put_tenant(Tenant(TOWN, "Ahausen", Site(51.0, 8.0)))
    rows, problems = parse(registry(), set(catalog()))
    assert not problems
    town = store.tenant(TOWN)
    town.import_rows(rows)
    at = NOW - timedelta(days=50)
    for site in (ParkingSite("intern", public=False), ParkingSite("neben", merged_into="gross"),
                 ParkingSite("klein", fee="frei")):
        town.put_parking_site(site, "amt", at)
    town.put_parking_town(TownParking(operator="Stadt Ahausen", contact="parken@example.org", special_public=False), "amt", at)
    return World(store, log, ManualClock(NOW))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    made = tuple(opened(tmp_path_factory.mktemp("worlds") / name) for name in "ab")
    yield made[0], made[1]
    for world in made:
        world.close()


# -- what differs and what does not

BELOW_ONE = st.floats(0, 1)


@dataclass(frozen=True)
class Shown:
    """What everybody may know, as far as it is drawn."""

    gross: tuple[int, str]
    spanne: tuple[int, int, str]
    small: tuple[str, str]
    trend: str
    free_s: tuple[int, ...]


def _counts(total: int, known: int, share: float, word: str) -> Count:
    free = round(known * share)
    return Count(total, free, known - free, word)


SHOWN = st.builds(Shown, st.tuples(st.integers(0, 14), st.sampled_from(["full", "few", "many"])),
                  st.tuples(st.integers(0, 4), st.integers(6, 8), st.sampled_from(["full", "few", "many"])),
                  st.tuples(st.sampled_from(["full", "few", "many"]), st.sampled_from(["full", "few", "many"])),
                  st.sampled_from(["rising", "falling", "steady", ""]), st.tuples(*[st.integers(0, 12) for _ in range(8)]))


@dataclass(frozen=True)
class Hidden:
    """What nobody but the town's staff may know."""

    shares: tuple[float, ...]
    seconds: int
    flags: tuple[bool, ...]
    tries: int


HIDDEN = st.builds(Hidden, st.tuples(*[BELOW_ONE for _ in range(12)]), st.integers(0, 30),
                   st.tuples(*[st.booleans() for _ in range(8)]), st.integers(1, 3))


def zone_facts(shown: Shown, hidden: Hidden, now: datetime) -> list[ZoneFact]:
    """What the bridge has found out of the zones at `now`, a full minute and 40 s: the same to everybody."""
    s, point = hidden.shares, (8.0, 51.0)
    heard = now - timedelta(seconds=hidden.seconds)
    told = now - timedelta(seconds=10)
    other = now - timedelta(seconds=hidden.seconds)  # within the same minute: something has happened in it, or has not
    free = shown.gross[0]
    return [
        ZoneFact(ZoneId("gross"), {"": Count(14, free, 14 - free, shown.gross[1]),
                                   "disabled": _counts(2, 2, s[0], "full" if hidden.flags[4] else "many")},
                 told, heard, shown.trend, *point),
        ZoneFact(ZoneId("spanne"), {"": Count(10, shown.spanne[0], shown.spanne[1] - shown.spanne[0], shown.spanne[2])},
                 told, heard, "rising" if hidden.flags[0] else "", *point),
        ZoneFact(ZoneId("klein"), {"": _counts(3, 3, s[1], shown.small[0])}, other, heard,
                 "falling" if hidden.flags[1] else "", *point),
        ZoneFact(ZoneId("eins"), {"": _counts(1, 1, s[2], "full" if hidden.flags[5] else "many")}, other, heard,
                 "rising" if hidden.flags[2] else "", *point),
        ZoneFact(ZoneId("luecke"), {"": _counts(10, int(5.9 * s[3]), s[4], "few")}, other, heard, "rising", *point),
        ZoneFact(ZoneId("alt"), {"": _counts(9, 9, s[5], "many"), "disabled": _counts(1, 1, s[6], "full")},
                 now - timedelta(minutes=40), heard, "", *point),
        ZoneFact(ZoneId("intern"), {"": _counts(8, int(8 * s[7]), s[8], "few")}, other, heard, "rising", *point)]


def quarters(shown: Shown, hidden: Hidden, now: datetime) -> Iterator[Quarter]:
    begin = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    for back in range(9):
        at, s = begin - timedelta(minutes=15 * back), hidden.shares
        running = back == 0
        free = round(900 * 14 * s[0]) if running else 900 * shown.free_s[back - 1]
        yield Quarter(ZoneId("gross"), "", at, 14, free, 900 * 14 - free, 0, round(9 * s[1]), round(9 * s[2]), round(9 * s[3]),
                      round(9000 * s[4]))
        for zone, kind, count in (("gross", "disabled", 2), ("klein", "", 3), ("eins", "", 1), ("intern", "", 8),
                                  ("neben", "", 2)):
            free = round(900 * count * s[(back + count) % 12])
            yield Quarter(ZoneId(zone), kind, at, count, free, 900 * count - free, 0, round(5 * s[5]))
        known = round(900 * 10 * 0.59 * s[6])
        yield Quarter(ZoneId("luecke"), "", at, 10, round(known * s[7]), known - round(known * s[7]), 9000 - known)


def fill(world: World, shown: Shown, hidden: Hidden) -> None:
    """Keep all of it as the bridge and the town's staff do."""
    now, town, store, s = world.clock.now(), world.store.tenant(TOWN), world.store, hidden.shares
    every = [bay for zone in ZONES for bay in bays(zone)]
    facts = [BayFact(bay, ZoneId(bay.split("-")[1]), "occupied" if s[index % 12] > 0.5 else "free", "",
                     now - timedelta(minutes=60 * s[index % 11]), now, now, True, False, index)
             for index, bay in enumerate(every)]
    soon = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)
    hushed = [ZoneId(zone) for zone in ("spanne", "klein", "eins", "luecke", "alt", "intern")]
    found = ParkingFound(
        bays=facts, zones=zone_facts(shown, hidden, now), quarters=list(quarters(shown, hidden, now)),
        stays=[Stay(ZoneId("klein"), "", f"geheim-{index}", now - timedelta(minutes=90 * share + 1), now, True)
               for index, share in enumerate(s)],
        days=[BayDay(every[0], now.date(), ZoneId("gross"), 1, round(20 * s[3]), 0, 0, 0, round(9000 * s[4]), 0)],
        forecasts=[Forecast(zone, soon, 15, round(9 * s[5], 1), now - timedelta(seconds=hidden.seconds)) for zone in hushed],
        errors=[ForecastError(zone, {"15": s[6]}, 9, 3.0, True, now) for zone in hushed],
        checks=[SensorCheck(ZoneId("gross"), now, now, now, 9, round(9 * s[7]), results={"other": "confirmed"}, sensors=(
            CheckedSensor(every[int(s[8] * 40)], "wrong", hidden.flags[1], 2, ("suspect",), now),))])
    for _ in range(hidden.tries):  # the revision counts all of it, and is another one in each world
        store.put_parking(TOWN, found)
    key = f"{now:%H%M}-{s[0]}"
    store.add_bay_events(TOWN, [(every[int(s[2] * 40)], BayEvent(to_ns(now), key, 1, "edge", hidden.flags[0]))], now)
    town.add_doubt(Doubt(f"geheim-{key}", TOWN, ZoneId("gross"), Doubting.OTHER, now, "geheim", "Geheimtext"))
    town.add_blocks([Block(f"geheim-{key}", TOWN, every[int(s[3] * 40)], now - timedelta(hours=1),
                           now + timedelta(minutes=9 * s[4] + 1), "Geheimgrund", "geheim", now)])
    store.put_retired(TOWN, Retired(now, "bay_events", round(99 * s[4]), now, 7.0, "geheim"))
    _say(world, every[int(s[6] * 40)], taken=hidden.flags[3], at=now - timedelta(seconds=hidden.seconds))


def _say(world: World, bay: AssetId, *, taken: bool, at: datetime) -> None:
    """A sensor speaks: its state and the log."""
    device = world.store.tenant(TOWN).device_of(bay)
    assert device is not None
    place = Place(TOWN, bay, "bay", ZoneId(bay.split("-")[1]), None, DevEui(device.dev_eui))
    readings = [Reading(place, BAY_OCCUPIED, taken, to_ns(at))]
    world.log.append([Entry.of(place, to_ns(at), f"up:{bay}:{at}", readings)])
    world.store.commit(Facts(states=(DeviceState(device.dev_eui, heard_ns=to_ns(at)),)))


# -- what is asked

def addresses(world: World) -> list[str]:
    """Every public route, with every zone in the place of whatever it names, and with every question there is."""
    found: list[str] = []
    for path in world.routes:
        if path.startswith(OURS) or path.endswith(STREAMS):
            continue
        for zone in (*ZONES, "geheim-klein-0") if re.sub(r"\{tenant\}", "", path).count("{") else ("",):
            filled = path.replace("{tenant}", TOWN)
            filled = re.sub(r"\{(\w+)(?::\w+)?\}", zone, filled)
            questions = ASKED if "{tenant}" in path and zone in ("", *FEW) else ASKED[:1]
            found += [f"{filled}?{quote(asked, safe='=&')}" if asked else filled for asked in questions]
    return list(dict.fromkeys(found))


LINK = re.compile(r"""(?:href|src|action)=["']([^"'#]+)|"(?:https?://testserver)?(/[^"\s\\]{1,300})"|(?<=[>"\s])https?://testserver(/[^"<\s]+)""")


def links(text: str) -> Iterator[str]:
    for found in LINK.finditer(text):
        parts = urlsplit(unescape(next(one for one in found.groups() if one)))
        if parts.netloc in ("", "testserver") and parts.path.startswith("/") and not parts.path.startswith(OURS) \
                and not parts.path.endswith(STREAMS):
            yield f"{parts.path}?{parts.query}" if parts.query else parts.path


def walk(one: World, other: World) -> dict[str, str]:
    """Ask both the same, follow what the answers name, and insist that the answers are the same; returns them."""
    seen: dict[str, str] = {}
    named: dict[str, None] = {}
    for address in addresses(one):
        seen[address] = _same(one, other, address)
        named |= dict.fromkeys(links(seen[address]))
    while fresh := [address for address in named if address not in seen][:MOST - len(named.keys() & seen.keys())]:
        for address in fresh:
            seen[address] = _same(one, other, address)
            named |= dict.fromkeys(links(seen[address]))
    return seen


def _same(one: World, other: World, address: str) -> str:
    mine, theirs = one.ask(address), other.ask(address)
    assert mine == theirs, f"{address} tells two worlds apart that are the same to everybody"
    return mine[2]


def view(world: World, now: datetime) -> object:
    """What city.public_parking lets through."""
    town, rules = world.store.tenant(TOWN), ZoneRules()
    return (public_zones(town.zones(), town.zone_facts(), town.parking_sites(), town.parking_town(), town.forecast_errors(), now,
                         rules),
            public_quarters(town.quarters(now - timedelta(days=9), now + timedelta(days=1)), town.parking_sites(), rules, now))


def test_the_worlds_have_routes_to_be_asked(worlds: tuple[World, World]) -> None:
    assert len(worlds[0].routes) > 8
    assert any("{tenant}" in path for path in worlds[0].routes)
    assert any(path.startswith("/opendata/") for path in worlds[0].routes)
    assert {asset.id for asset in worlds[0].store.tenant(TOWN).bays() if isinstance(asset, ParkingBay)} == {
        bay for zone in ZONES for bay in bays(zone)}


@settings(max_examples=examples(10), deadline=None, phases=(Phase.generate,),
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(shown=SHOWN, mine=HIDDEN, theirs=HIDDEN)
def test_what_is_told_is_a_function_of_what_may_be_told(worlds: tuple[World, World], shown: Shown, mine: Hidden,
                                                        theirs: Hidden) -> None:
    one, other = worlds
    for world, hidden in ((one, mine), (other, theirs)):
        world.clock.advance(60)
        fill(world, shown, hidden)
    now = one.clock.now()
    assert view(one, now) == view(other, now)
    for address in _some(addresses(one), shown, mine):
        assert one.ask(address) == other.ask(address), f"{address} tells two worlds apart that are the same to everybody"


def _some(every: list[str], shown: Shown, hidden: Hidden) -> list[str]:
    """Each route, with other questions in each example."""
    shift = shown.gross[0] + hidden.seconds
    return [address for index, address in enumerate(every) if "?" not in address or (index + shift) % 9 == 0][shift % 6::6]


DRAWN = Shown((5, "few"), (3, 7, "few"), ("full", "full"), "rising", (1, 2, 3, 4, 5, 6, 7, 8))
QUIET = Hidden((0.0,) * 12, 30, (False,) * 8, 1)
BUSY = Hidden((1.0, 0.34, 1.0, 0.99, 0.9, 0.1, 1.0, 0.7, 0.4, 1.0, 1.0, 0.6), 1, (True,) * 8, 3)


def test_no_question_and_no_link_leads_further(worlds: tuple[World, World]) -> None:
    """The extremes: nothing has happened in the bays that nobody is told of, or everything; all questions, all links."""
    one, other = worlds
    for world, hidden in ((one, QUIET), (other, BUSY)):
        world.clock.advance(3600)
        fill(world, DRAWN, hidden)
    answers = walk(one, other)
    assert len(answers) > 100
    for address, text in answers.items():
        assert not SECRET.search(text.replace(quote(address, safe=""), "").replace("geheim-klein-0", "").replace(
            "geheim-klein-1", "")), f"{address} names a bay, a stay, a doubt or who blocked what"
        assert not re.search(r"a0000000000000[0-9a-f]{2}", text), f"{address} names a sensor"


def test_an_etag_is_no_bell_that_rings_when_a_car_parks_in_a_small_zone(worlds: tuple[World, World]) -> None:
    """Within one minute the only bay of a zone changes, again and again: what was known before is still known."""
    one, _ = worlds
    one.clock.advance(3600)
    fill(one, DRAWN, QUIET)
    others = tuple(f"/{zone}" for zone in ZONES if zone not in FEW)
    before = {address: one.ask(address) for address in addresses(one) if "?" not in address and not address.endswith(others)}
    tags = {address: answer[1]["etag"] for address, answer in before.items() if "etag" in answer[1]}
    for seconds, hidden in ((1, BUSY), (2, QUIET), (5, BUSY)):
        one.clock.advance(seconds)
        store = one.store
        facts = [fact for fact in zone_facts(DRAWN, hidden, one.clock.now()) if fact.zone not in TOLD]
        kept = [fact for fact in one.store.tenant(TOWN).zone_facts() if fact.zone in TOLD]
        store.put_parking(TOWN, ParkingFound(zones=[*kept, *facts]))
        for address, answer in before.items():
            assert one.ask(address)[2] == answer[2], address
        for address, tag in tags.items():
            assert one.client.get(address, headers={"If-None-Match": tag}, follow_redirects=False).status_code == 304, address
