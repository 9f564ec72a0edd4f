"""Towns' figures in a real influxd 1.x: a dim from the wish to the lamp's own word, each step once, each town for itself."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from city.alarms import AlarmKind, Severity
from city.clock import ManualClock, ScaledClock
from city.commands import Event, advance
from city.energy import LampNight, Used
from city.errors import InfluxDown
from city.figures import SHEETS, figures
from city.ids import AssetId, CircuitId, TenantId, ZoneId
from city.incidents import Cause, Deed, incident
from city.quantities import Kind
from city.readings import to_ns
from city.settings import Influx, Log, Settings
from city.store.influx import open_sink
from city.store.influx_places import of_town
from city.store.ports import Facts
from city.store.readings import LocalLog
from gateway_bridge.ship_all import Shipping
from gateway_bridge.ship_figures import FigureShipper
from gateway_bridge.ship_platform import towns_outbox
from tests.gateway_bridge.test_ship_figures import NOW, OTHER, TOWN, order, state, store, wish
from tests.patience import PATIENCE_S
from tests.wire.influxd import influxd

pytestmark = pytest.mark.wire

__all__ = ["store"]  # the fixture
STEP = timedelta(minutes=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


class Rig:
    """A bridge that sends figures to a bucket of its own name, and questions to it."""

    def __init__(self, server, store, bucket, clock=None):
        self.settings = Settings(influx=Influx(url=server.url, bucket=bucket))
        self.store, self.clock, self.steers = store, clock or ManualClock(NOW), True
        self.shipper = FigureShipper(store, towns_outbox(self.settings.influx), self.clock, self.settings,
                                     lease=lambda: (self.steers, None))

    def step(self):
        self.clock.advance(STEP.total_seconds())
        self.shipper.step()

    def ask(self, question, town=TOWN):
        sink = open_sink(of_town(self.settings.influx, town))
        try:
            return sink.query(question)
        finally:
            sink.close()


def test_a_dim_is_seen_in_every_state_until_the_lamp_itself_says_so(server, store):
    rig = Rig(server, store, "dim")
    store.tenant(TOWN).add_override(wish())
    one = order(0, NOW)
    for event, now in ((None, NOW), (Event.SEND, NOW + STEP), (Event.TXACK, NOW + 2 * STEP), (Event.ACK, NOW + 3 * STEP),
                       (Event.CONFIRM, NOW + 4 * STEP)):
        one = one if event is None else advance(one, event, now)
        store.commit(Facts(commands=(one,), states=(state(0, now, 40.0 if event is Event.CONFIRM else 100.0),)))
        if event is None:
            rig.shipper.step()
        else:
            rig.step()
    rig.step()
    before, *rows = rig.ask("SELECT planned, sent, scheduled, acked, outstanding, applied, wanted FROM control")
    assert (before["outstanding"], before["applied"]) == (None, 0)  # the step before the first look
    assert [tuple(row[name] for name in ("planned", "sent", "scheduled", "acked", "outstanding", "applied")) for row in rows] == [
        (1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 1, 0), (0, 0, 1, 0, 1, 0), (0, 0, 0, 1, 1, 0), (0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 0, None)]
    assert [row["wanted"] for row in rows] == [100, 40, 40, 40, 40, 40]  # as of the step's beginning
    [progress] = rig.ask("SELECT lamps, confirmed, waiting, failed, state, level FROM override")
    assert (progress["lamps"], progress["confirmed"], progress["waiting"], progress["state"]) == (3, 1, 0, "active")
    assert rig.ask("SELECT de FROM event WHERE kind = 'override'")[0]["de"] == "Eingriff: 40 %"


def test_whoever_steers_and_however_often_each_thing_is_one_point_of_its_type(server, store):
    one, other = Rig(server, store, "turns"), Rig(server, store, "turns")
    other.clock = one.clock
    other.shipper = FigureShipper(store, towns_outbox(one.settings.influx), one.clock, one.settings,
                                  lease=lambda: (other.steers, None))
    trouble = incident(TOWN, Cause.ASSET, "L1", NOW, Severity.MAJOR, assets=(AssetId("L1"),), kinds=(AlarmKind.LAMP_FAILURE,))
    store.put_incidents(TOWN, [trouble])
    store.tenant(TOWN).add_override(wish())
    night = LampNight(AssetId("L0"), NOW.date(), ZoneId("markt"), CircuitId("K1"), Used(300, 20, 500, 3600))
    store.book_nights(TOWN, [night], NOW)
    for number in range(6):
        one.steers, other.steers = number % 2 == 0, number % 2 == 1
        if number == 3:
            store.tenant(TOWN).act(trouble.id, Deed.CLOSE, "", "anna", one.clock.now())
        one.clock.advance(STEP.total_seconds())
        for bridge in (one, other):
            bridge.shipper.step()
    counts = {sheet: sum(row["n"] for row in one.ask(f'SELECT count("{field}") AS n FROM "{sheet}"'))
              for sheet, field in (("fleet", "devices"), ("incident", "id"), ("override", "id"), ("event", "id"),
                                   ("energy", "used"))}
    assert counts == {"fleet": 6, "incident": 1, "override": 1, "event": 2, "energy": 1}
    [told] = one.ask("SELECT * FROM incident")
    assert (told["state"], told["circuit"], told["time"] // 10**9) == ("closed", "K1", to_ns(NOW) // 10**9)
    assert "anna" not in repr(told)
    [used] = one.ask("SELECT used, undimmed, co2, cost FROM energy")
    assert (used["used"], used["undimmed"], used["cost"]) == (320.0, 500.0, 0.096)
    types = {Kind.FLOAT: "float", Kind.INT: "integer", Kind.TEXT: "string"}
    wanted = {quantity.field: types[quantity.kind] for quantity in figures() if quantity.measurement == "control"}
    found = {row["fieldKey"]: row["fieldType"] for row in one.ask('SHOW FIELD KEYS FROM "control"')}
    assert found == {name: wanted[name] for name in found}
    assert len(found) >= 10
    tags = {row["tagKey"] for row in one.ask('SHOW TAG KEYS FROM "incident"')}
    assert tags <= set(SHEETS["incident"].tags)


def test_each_town_has_only_its_own_figures(server, store):
    rig = Rig(server, store, "own")
    store.commit(Facts(commands=(order(0, NOW),)))
    rig.shipper.step()
    for town in (TOWN, OTHER):
        assert {row["value"] for row in rig.ask('SHOW TAG VALUES WITH KEY = "tenant"', town)} == {town}
    assert rig.ask("SELECT outstanding FROM control", OTHER)[0]["outstanding"] == 0


def test_what_was_sampled_while_influxdb_was_gone_comes_later(server, store):
    rig = Rig(server, store, "gone")
    rig.shipper.step()
    server.kill()
    for _ in range(3):
        with pytest.raises(InfluxDown):
            rig.step()
    server.start()
    rig.step()
    assert len(rig.ask("SELECT devices FROM fleet")) == 5


async def test_the_bridges_own_loop_sends_them(server, store, tmp_path):
    settings = Settings(influx=Influx(url=server.url, bucket="loop", figures_s=10), log=Log(directory=str(tmp_path)))
    log, stop = LocalLog(tmp_path), asyncio.Event()
    clock = ScaledClock(datetime(2026, 11, 22, 19, tzinfo=UTC), 60)
    shipping = Shipping(settings, store, log, clock)
    running = asyncio.create_task(shipping.run(stop))
    sink = open_sink(of_town(settings.influx, TenantId(TOWN)))
    try:
        for _ in range(200):
            await asyncio.sleep(0.05)
            rows = await asyncio.to_thread(_steps, sink)
            if len(rows) >= 3:
                break
        assert len(rows) >= 3
        assert {at % (10 * 10**9) for at in rows} == {0}
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
        sink.close()
        log.close()


def _steps(sink):
    if not any(row["name"] == "loop_ahausen" for row in sink.query("SHOW DATABASES")):
        return []
    return [row["time"] for row in sink.query("SELECT devices FROM fleet")]
