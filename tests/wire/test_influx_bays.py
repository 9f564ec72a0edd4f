"""Single bays and zones' quarters in real servers: influxd 1.x forgets bays and keeps zones; VictoriaMetrics gets no bays."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from city.clock import ManualClock, SystemClock
from city.errors import InfluxDown
from city.ids import AssetId, TenantId, ZoneId
from city.parking_facts import Quarter
from city.places import Site, Tenant
from city.quantities import BAY_OCCUPIED
from city.settings import Influx, Log, Parking, Secret, Settings
from city.store.influx import InfluxHeld, open_sink
from city.store.influx_bays import BaySink, BaysWithheld, Kept, Server, bays_settings, look
from city.store.influx_forget import forget_bays
from city.store.influx_queries import InfluxQueries
from city.store.lines import lines
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from city.store.queries import Question
from city.store.readings import LocalLog
from gateway_bridge.doctor.findings import Level
from gateway_bridge.doctor.judge_services import judge_influx
from gateway_bridge.doctor.services import probe_influx
from gateway_bridge.ship import BAYS_TOPIC, Part, Shipper, cursor_name, is_bay, is_no_bay
from gateway_bridge.ship_all import Shipping
from gateway_bridge.ship_quarters import QuarterShipper
from tests.gateway_bridge.test_ship_bays import said
from tests.patience import PATIENCE_S
from tests.wire.influxd import influxd
from tests.wire.victoria import victoria

pytestmark = pytest.mark.wire

NOW = datetime.now(UTC).replace(microsecond=0)  # the server lets go what is old by its own clock
TOWN = TenantId("ahausen")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


def ships(log: LocalLog, settings: Influx) -> tuple[Shipper, Shipper]:
    clock, letters = ManualClock(NOW), []
    bays = BaySink(settings, clock, days=7)
    return (Shipper(log, open_sink(settings), clock, settings, bury=letters.extend, part=Part(is_no_bay)),
            Shipper(log, bays, clock, bays_settings(settings), bury=letters.extend, part=Part(is_bay, 7, BAYS_TOPIC)))


def counted(settings: Influx, measurement: str, field: str) -> int:
    with closing(open_sink(settings)) as sink:
        rows = sink.query(f'SELECT count("{field}") AS n FROM "{measurement}"')
    return int(str(rows[0]["n"])) if rows else 0


def test_a_real_influxdb_keeps_bays_for_a_week_and_everything_else_for_ever(server, tmp_path):
    settings = Influx(url=server.url, bucket="town", per_town=False)
    entries = [said("bay" if number % 2 else "lamp", number, NOW - timedelta(minutes=number)) for number in range(60)]
    entries += [said("bay", 61, NOW - timedelta(days=8)), said("lamp", 62, NOW - timedelta(days=8))]
    with closing(LocalLog(tmp_path)) as log:
        log.append(entries)
        for ship in ships(log, settings):
            while ship.waiting():
                ship.step()
    assert look(bays_settings(settings)) == Kept(Server.ONE, there=True, seconds=7 * 86_400)
    assert (counted(settings, "lamp", "level"), counted(settings, "bay", "occupied"), counted(settings, "radio", "rssi")) == \
        (31, 0, 31)
    bays = bays_settings(settings)
    assert (counted(bays, "lamp", "level"), counted(bays, "bay", "occupied"), counted(bays, "radio", "rssi")) == (0, 30, 30)
    with closing(open_sink(bays)) as sink:
        [policy] = sink.query("SHOW RETENTION POLICIES")
    assert (policy["duration"], policy["shardGroupDuration"]) == ("168h0m0s", "6h0m0s")
    question = Question(TOWN, BAY_OCCUPIED, NOW - timedelta(days=1), NOW + timedelta(days=1), asset=AssetId("bay-001"))
    assert [row.value for row in InfluxQueries(settings).series(question)] == [False]
    assert len(InfluxQueries(settings).last(TOWN, BAY_OCCUPIED)) == 30


def test_a_database_for_ever_gets_no_bays_until_what_the_doctor_says_is_done(server, tmp_path):
    settings = Influx(url=server.url, bucket="kept")
    with closing(open_sink(settings)) as main, closing(open_sink(bays_settings(settings), keep_days=0)) as careless:
        for sink in (main, careless):
            sink.write([b"other value=1i 1"])
        with closing(LocalLog(tmp_path)) as log:
            log.append([said("bay", 1)])
            _, ship = ships(log, settings)
            with pytest.raises(InfluxHeld) as caught:
                ship.step()
            assert caught.value.held == "retention"
            [found] = [item for item in judge_influx(probe_influx(settings, SystemClock()), settings, 7)
                       if item.check == "InfluxDB's bays"]
            assert found.level is Level.BROKEN
            careless.query(found.mend)
            assert ship.step() == 1
    assert counted(bays_settings(settings), "bay", "occupied") == 1


def older(settings: Influx) -> None:
    """An InfluxDB as an older version has filled it, with bays in their new place too."""
    with closing(open_sink(settings)) as sink, closing(open_sink(bays_settings(settings))) as bays:
        for number in range(300):
            sink.write(lines(said("bay", number, NOW)) + lines(said("lamp", number, NOW)))
        bays.write(lines(said("bay", 1, NOW)))


ALL_BAYS = [(TOWN, AssetId(f"bay-{number:03}")) for number in range(300)]


def test_bays_that_an_older_version_left_are_found_and_gone_when_the_doctors_words_are_followed(server):
    settings = Influx(url=server.url, bucket="older")
    older(settings)

    def found() -> list[Level]:
        return [item.level for item in judge_influx(probe_influx(settings, SystemClock()), settings, 7) if "older" in item.check]

    assert found() == [Level.BROKEN]
    forget_bays(settings, [(TOWN, AssetId('x" OR "asset" != \'y')), *ALL_BAYS])
    forget_bays(settings, ALL_BAYS)
    assert found() == []
    assert [counted(settings, *of) for of in (("bay", "occupied"), ("radio", "rssi"), ("lamp", "level"))] == [0, 300, 300]
    assert counted(bays_settings(settings), "bay", "occupied") == 1


def test_victoriametrics_forgets_them_too(tmp_path):
    with victoria(tmp_path) as server:
        settings = Influx(url=server.url, token=Secret("any"), org="any", bucket="older")
        with closing(open_sink(settings)) as sink:
            sink.write([line for number in range(20) for kind in ("bay", "lamp") for line in lines(said(kind, number, NOW))])
        assert len(server.exported()) == 4 * 20  # what it has just been told it does not find yet
        forget_bays(settings, ALL_BAYS[:20])
        assert {name for name, _ in server.exported()} == {"lamp_level", "radio_rssi"}
        assert len(server.exported()) == 2 * 20


def test_quarters_come_through_a_crash_of_influxdb_once_each(tmp_path):
    at = NOW.replace(minute=0, second=0) - timedelta(hours=1)
    (tmp_path / "influx").mkdir()
    with influxd(tmp_path / "influx") as own, closing(open_store("sqlite://")) as store:
        settings = Influx(url=own.url, bucket="town")
        store.put_tenant(Tenant(TOWN, "Ahausen", Site(51.0, 8.0)))
        quarters = [Quarter(ZoneId("Markt"), kind, at - number * timedelta(minutes=15), 10, 2700, 5400, 900)
                    for number in range(500) for kind in ("", "disabled", "resident")]
        store.put_parking(TOWN, ParkingFound(quarters=quarters))

        def shipper(name: str) -> QuarterShipper:
            (tmp_path / name).mkdir(exist_ok=True)
            return QuarterShipper(store, open_sink(settings), ManualClock(NOW), Parking(), directory=tmp_path / name,
                                  cursor="one", lease=lambda: (True, None))

        one = shipper("a")
        one.step()
        own.kill()
        with pytest.raises(InfluxDown):
            one.step()
        own.start()
        for name in ("a", "b"):  # another bridge takes over and sends it all again
            one = shipper(name)
            while not one.step():
                pass
        assert counted(settings, "parking", "free") == 2 * 500
        with closing(open_sink(settings)) as sink:
            rows = sink.query('SELECT * FROM "parking" GROUP BY "restriction" LIMIT 1')
            kinds = {row["fieldKey"]: row["fieldType"] for row in sink.query('SHOW FIELD KEYS FROM "parking"')}
    assert {row["restriction"] for row in rows} == {"", "resident"}
    assert {(row["free"], row["taken"], row["unknown"], row["capacity"], row["coverage"], row["zone"]) for row in rows} == \
        {(3.0, 6.0, 1.0, 10, 0.9, "Markt")}
    assert kinds == {"free": "float", "taken": "float", "unknown": "float", "coverage": "float", "capacity": "integer",
                     "arrivals": "integer", "departures": "integer"}


@pytest.mark.parametrize("api", ["", "1", "2"])
def test_victoriametrics_gets_lamps_and_no_bay_unless_somebody_says_so(tmp_path, api):
    (tmp_path / "vm").mkdir()
    with victoria(tmp_path / "vm") as server, closing(LocalLog(tmp_path / "log")) as log:
        settings = Influx(url=server.url, token=Secret("any"), org="any", bucket="town", api=api)
        log.append([said("lamp", 1), said("bay", 2)])
        main, bays = ships(log, settings)
        assert main.step() == 1
        with pytest.raises(BaysWithheld):
            bays.step()
        assert {name for name, _ in server.exported()} == {"lamp_level", "radio_rssi"}
        assert look(bays_settings(settings)).server is Server.VICTORIA
        _, bays = ships(log, Influx(url=server.url, token=Secret("any"), org="any", bucket="town", api=api, bays="yes"))
        assert bays.step() == 1
        assert "bay_occupied" in {name for name, _ in server.exported()}


async def test_the_bridge_ships_lamps_bays_and_quarters_side_by_side_and_reports_what_is_forgotten(server, tmp_path):
    influx = Influx(url=server.url, bucket="whole", per_town=False, aggregates=False)
    settings = Settings(influx=influx, log=Log(directory=str(tmp_path / "log")))
    at = NOW.replace(minute=0, second=0) - timedelta(hours=2)
    with closing(LocalLog(tmp_path / "log")) as log, closing(open_store("sqlite://")) as store:
        store.put_tenant(Tenant(TOWN, "Ahausen", Site(51.0, 8.0)))
        store.put_parking(TOWN, ParkingFound(quarters=[Quarter(ZoneId("Markt"), "", at, 10, 2700, 5400, 900)]))
        log.append([said("bay" if number % 2 else "lamp", number, NOW - timedelta(minutes=number)) for number in range(40)])
        clock, stop = ManualClock(NOW), asyncio.Event()
        shipping = Shipping(settings, store, log, clock)
        running = asyncio.create_task(shipping.run(stop))

        def arrived() -> bool:
            bays = log.cursor(cursor_name(bays_settings(settings.influx)))
            return not shipping.status().waiting and bays == log.head() and bool(store.tenant(TOWN).retired()) \
                and counted(settings.influx, "parking", "free") == 1

        for _ in range(400):
            if await asyncio.to_thread(arrived):
                break
            await clock.tick(5)
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)
        [report, *_] = store.tenant(TOWN).retired()
        registry = CollectorRegistry()
        registry.register(shipping)
        metrics = generate_latest(registry).decode()
    assert counted(settings.influx, "bay", "occupied") == 0
    assert (counted(settings.influx, "lamp", "level"), counted(bays_settings(settings.influx), "bay", "occupied")) == (20, 20)
    assert (report.what, report.note, shipping.overdue()) == ("influx_bays", "", "")
    assert 'stadtfunk_bridge_ship_bays_held{reason="retention"} 0.0' in metrics
    assert "stadtfunk_bridge_ship_bays_withheld 0.0" in metrics
    assert "stadtfunk_bridge_quarter_lines_total 1.0" in metrics
