"""Live changes: one poller for many listeners, nothing missed by whoever was away, nobody slows the others."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from api import live
from api.feed import Feed, Sees
from api.live import Hub
from api.shell import Metrics
from city import lighting
from city.alarms import AlarmKind, begin
from city.clock import ManualClock
from city.errors import StoreDown, TooOften
from city.groups import Target
from city.ids import AssetId, OverrideId, TenantId, ZoneId
from city.parking_facts import BayFact
from city.readings import DeviceState
from city.store.port_parking import ParkingFound
from city.store.ports import Facts, Role


def events(data: bytes) -> list[tuple[str, dict]]:
    found = []
    for block in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def dim(town, clock, minutes: int = 60):
    wish = lighting.override(id=OverrideId("11111111-0000-4000-8000-000000000000"), tenant=TenantId("alt"),
                             targets=[Target("zone", "markt")], level=40, until=clock.now() + timedelta(minutes=minutes),
                             actor="me", now=clock.now())
    town.add_override(wish)
    return wish


def test_nothing_new_is_no_message(town, clock):
    feed = Feed(town, clock)
    assert feed.look() is None
    assert feed.look() is None


def test_what_a_lamp_says_arrives_whole_and_once(town, clock, hears):
    feed = Feed(town, clock)
    hears("L1", clock.now(), level=50.0, power=20.0)
    told = dict(events(feed.look().for_listener(Sees(True, True))))
    assert [(lamp["id"], lamp["level"], lamp["state"]) for lamp in told["lamps"]["lamps"]] == [("L1", 50.0, "ok")]
    assert told["revision"]["revision"] == town.revision()
    assert feed.look() is None


def test_single_bays_are_told_to_operators_only(store, town, clock):
    feed = Feed(town, clock)
    fact = BayFact(AssetId("B1"), ZoneId("platz"), "occupied", "", clock.now(), clock.now(), clock.now(), True, False)
    store.put_parking(TenantId("alt"), ParkingFound(bays=[fact]))
    batch = feed.look()
    assert dict(events(batch.for_listener(Sees(True, True))))["bays"]["bays"][0]["occupancy"] == "occupied"
    assert "bays" not in dict(events(batch.for_listener(Sees(True, False))))
    assert b"B1" not in batch.for_listener(Sees(True, False))


def test_a_wish_changes_what_is_wanted_of_its_lamps_and_shows_its_progress(town, clock, hears):
    feed = Feed(town, clock)
    dim(town, clock)
    told = dict(events(feed.look().for_listener(Sees(True, True))))
    assert {lamp["id"] for lamp in told["lamps"]["lamps"]} == {"L1", "L2", "L3", "L4"}
    assert {lamp["target"]["level"] for lamp in told["lamps"]["lamps"]} == {40}
    hears("L1", clock.advance(5), level=40.0)
    progress = dict(events(feed.look().for_listener(Sees(True, True))))["overrides"]["overrides"][0]["progress"]
    assert (progress["asked"], progress["applied"]) == (4, 1)


def test_the_end_of_a_wish_is_told_although_nobody_writes_anything(town, clock):
    feed = Feed(town, clock)
    dim(town, clock, minutes=10)
    feed.look()
    clock.advance(601)
    told = dict(events(feed.look().for_listener(Sees(True, True))))
    assert {lamp["target"]["reason"] for lamp in told["lamps"]["lamps"]} == {"program"}


def test_a_step_of_the_program_is_told_for_every_lamp(town, clock):
    feed = Feed(town, clock)
    clock.advance(6.5 * 3600)  # 5:30 in Berlin: full light again
    told = dict(events(feed.look().for_listener(Sees(True, True))))
    assert len(told["lamps"]["lamps"]) == 6


def test_a_lamp_that_never_obeys_turns_from_waiting_to_deviating_by_itself(town, clock, hears):
    hears("L1", clock.now(), level=100.0)
    feed = Feed(town, clock)
    dim(town, clock)
    assert {lamp["state"] for lamp in dict(events(feed.look().lamps))["lamps"]["lamps"]} == {"waiting", "never_heard"}
    clock.advance(200)
    later = [batch for _ in range(20) if (batch := feed.look()) is not None]
    assert [(lamp["id"], lamp["state"]) for lamp in dict(events(later[0].lamps))["lamps"]["lamps"]] == [("L1", "deviates")]


def test_alarms_begin_and_end(store, town, clock):
    feed = Feed(town, clock)
    alarm = begin(TenantId("alt"), AssetId("L1"), AlarmKind.LAMP_FAILURE, clock.now())
    store.commit(Facts(alarms=(alarm,)))
    told = dict(events(feed.look().lamps))
    assert told["alarms"]["alarms"][0]["kind"] == "lamp_failure"
    assert told["lamps"]["lamps"][0]["alarms"] == ["lamp_failure"]


def test_a_town_hears_nothing_of_another(store, town, clock):
    feed = Feed(town, clock)
    other = store.tenant(TenantId("neu"))
    store.commit(Facts(states=(DeviceState(other.device_of(AssetId("L1")).dev_eui, heard_ns=1),)))
    assert feed.look() is None


async def take(stream, count: int) -> bytes:
    data = b""
    for _ in range(count):
        data += await asyncio.wait_for(anext(stream), 5)
    return data


@pytest.fixture
def pace() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def ticking(pace: ManualClock) -> None:
    while True:
        await pace.tick(live.EVERY_S)
        await asyncio.sleep(0.001)


@pytest.fixture
async def running(pace):
    """Real time, sped up."""
    task = asyncio.create_task(ticking(pace))
    yield
    task.cancel()


@pytest.mark.usefixtures("running")
async def test_two_listeners_share_one_poller_and_hear_the_same(town, clock, hears, pace):
    hub = Hub(clock, Metrics(), pace)
    streams = [hub.listen(town, since=None, sees=Sees(True, True)) for _ in range(2)]
    for stream in streams:
        await take(stream, 2)  # retry and hello
    assert len(hub._towns) == 1
    hears("L1", clock.now(), level=50.0)
    first, second = [await take(stream, 1) for stream in streams]
    assert first == second
    assert b'"id":"L1"' in first
    for stream in streams:
        await stream.aclose()
    assert not hub._towns


@pytest.mark.usefixtures("running")
async def test_whoever_was_away_hears_what_was_missed(town, clock, hears, pace):
    since = town.revision()
    hears("L1", clock.now(), level=50.0)
    hub = Hub(clock, Metrics(), pace)
    stream = hub.listen(town, since=since, sees=Sees(True, True))
    told = dict(events(await take(stream, 2)))
    assert told["lamps"]["lamps"][0]["id"] == "L1"
    assert told["revision"]["revision"] == town.revision()
    await stream.aclose()


@pytest.mark.usefixtures("running")
async def test_a_revision_that_never_was_asks_for_a_new_beginning(town, clock, pace):
    stream = Hub(clock, Metrics(), pace).listen(town, since=10**9, sees=Sees(True, True))
    assert ("reload", {}) in events(await take(stream, 2))
    await stream.aclose()


@pytest.mark.usefixtures("running")
async def test_a_listener_that_does_not_keep_up_is_let_go(town, clock, hears, pace, monkeypatch):
    monkeypatch.setattr(live, "QUEUE", 2)
    hub = Hub(clock, Metrics(), pace)
    slow, quick = hub.listen(town, since=None, sees=Sees(True, True)), hub.listen(town, since=None, sees=Sees(True, True))
    await take(slow, 2)
    await take(quick, 2)
    for n in range(5):
        hears("L1", clock.advance(1), level=float(n))
        assert b"L1" in await take(quick, 1)
    with pytest.raises(StopAsyncIteration):
        await take(slow, 3)
    await quick.aclose()


@pytest.mark.usefixtures("running")
async def test_a_database_that_is_down_pauses_the_stream_and_does_not_end_it(town, clock, hears, pace, monkeypatch):
    hub = Hub(clock, Metrics(), pace)
    stream = hub.listen(town, since=None, sees=Sees(True, True))
    await take(stream, 2)
    whole, failures = Feed.look, [1, 2]

    def look(feed):
        if failures:
            failures.pop()
            raise StoreDown("It does not answer.")
        return whole(feed)

    monkeypatch.setattr(Feed, "look", look)
    while failures:
        await pace.sleep(live.EVERY_S)
    hears("L1", clock.now(), level=50.0)
    assert b"L1" in await take(stream, 1)
    await stream.aclose()


@pytest.mark.usefixtures("running")
async def test_quiet_streams_show_a_sign_of_life(town, clock, pace, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.01)
    stream = Hub(clock, Metrics(), pace).listen(town, since=None, sees=Sees(True, True))
    assert b": still here" in await take(stream, 3)
    await stream.aclose()


@pytest.mark.usefixtures("running")
async def test_closing_lets_everybody_go(town, clock, pace):
    hub = Hub(clock, Metrics(), pace)
    stream = hub.listen(town, since=None, sees=Sees(True, True))
    await take(stream, 2)
    await hub.close()
    with pytest.raises(StopAsyncIteration):
        await take(stream, 1)


async def test_the_route_streams(app, token):
    """Over ASGI: the status, the type, and the first messages."""
    sent: list[dict] = []
    gone = asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if len(sent) >= 3:
            gone.set()

    headers = [(b"authorization", f"Bearer {token('alt', Role.VIEWER)}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/tenants/alt/events", "raw_path": b"", "query_string": b"",
             "headers": headers, "client": ("127.0.0.1", 1), "server": ("x", 80), "scheme": "http", "http_version": "1.1",
             "asgi": {"version": "3.0", "spec_version": "2.3"}, "root_path": ""}
    await asyncio.wait_for(app(scope, receive, send), 10)
    assert sent[0]["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in sent[0]["headers"]
    assert b"event: revision" in b"".join(message.get("body", b"") for message in sent)


def test_one_page_too_many_is_told_before_the_stream_begins(operator, monkeypatch):
    monkeypatch.setattr(live, "MOST_LISTENERS", 0)
    answer = operator.get("/api/v1/tenants/alt/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


@pytest.mark.usefixtures("running")
async def test_what_should_not_happen_ends_the_stream_instead_of_leaving_it_silent(town, clock, pace, monkeypatch):
    hub = Hub(clock, Metrics(), pace)
    stream = hub.listen(town, since=None, sees=Sees(True, True))
    await take(stream, 2)

    def look(_):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Feed, "look", look)
    with pytest.raises(StopAsyncIteration):
        await take(stream, 1)
    monkeypatch.undo()
    again = hub.listen(town, since=None, sees=Sees(True, True))
    assert b"revision" in await take(again, 2)
    await again.aclose()


@pytest.mark.usefixtures("running")
async def test_who_does_not_read_still_counts(town, clock, hears, pace, monkeypatch):
    """Let go or not: as long as its connection is open, another one may not take its place."""
    monkeypatch.setattr(live, "MOST_LISTENERS", 2)
    monkeypatch.setattr(live, "QUEUE", 1)
    hub = Hub(clock, Metrics(), pace)
    idle, awake = (hub.listen(town, since=None, sees=Sees(True, True)) for _ in range(2))
    await take(idle, 2)
    await take(awake, 2)
    for level in (10.0, 20.0, 30.0):
        clock.advance(1)
        hears("L1", clock.now(), level=level)
        await take(awake, 1)
    with pytest.raises(TooOften):
        hub.admit(town)
    await idle.aclose()
    hub.admit(town)
    await awake.aclose()
