"""Towns in a real influxd, as the bridge ships them: databases of their own for readings, frames, bays, hours and quarters;
killed in between; and read back by each town alone."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from city.clock import ManualClock, SystemClock
from city.ids import DevEui, TenantId, ZoneId
from city.parking_facts import Quarter
from city.places import Site, Tenant
from city.quantities import LAMP_LEVEL, RADIO_RSSI
from city.readings import Entry
from city.settings import Database, Influx, Log, Secret, Settings
from city.store.influx import InfluxDB
from city.store.influx_places import of_town
from city.store.influx_queries import InfluxQueries
from city.store.influx_towns import open_readings
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from city.store.ports import Store
from city.store.queries import Question
from city.store.readings import LocalLog
from gateway_bridge.doctor.findings import Level
from gateway_bridge.doctor.judge_services import judge_towns
from gateway_bridge.doctor.services import probe_towns
from gateway_bridge.ship import Shipper, cursor_name
from gateway_bridge.ship_all import Shipping
from tests.gateway_bridge.test_ship_bays import said
from tests.patience import PATIENCE_S
from tests.wire.influxd import Influxd, influxd

pytestmark = pytest.mark.wire

NOW = datetime.now(UTC).replace(minute=50, second=0, microsecond=0) - timedelta(hours=1)  # bays go by the server's own clock
A, B, NEW = TenantId("ahausen"), TenantId("b-dorf"), TenantId("neustadt")
EACH = 400  # entries a town: one in four is a bay's


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "influx").mkdir()
    with influxd(tmp_path / "influx") as running:
        yield running


def heard(town: TenantId, number: int) -> Entry:
    """A frame each minute, back from NOW; assets are called alike in all towns."""
    one = said("bay" if number % 4 == 0 else "lamp", number % 20, NOW - timedelta(minutes=number))
    place = one.place
    device = DevEui(f"{sum(town.encode()):08x}{number % 20:08x}")
    own = type(place)(town, place.asset, place.kind, place.zone, place.circuit, device)
    return replace(one, place=own, key=f"up:{number}", f_port=10, data=bytes([number % 256]))


class Town:
    """The bridge's shipping, its log, and what is in influxd."""

    def __init__(self, directory: Path, server: Influxd, **influx: object) -> None:
        self.server, self.clock = server, ManualClock(NOW)
        database = f"sqlite:///{directory}/city.db"
        self.settings = Settings(influx=Influx(url=server.url, bucket="stadt", batch=200, **influx),  # type: ignore[arg-type]
                                 log=Log(directory=str(directory / "log")), database=Database(Secret(database)))
        self.log, self.store = LocalLog(directory / "log"), open_store(database)

    def ship(self) -> "asyncio.Task[None]":
        self.shipping, self.stop = Shipping(self.settings, self.store, self.log, self.clock), asyncio.Event()
        return asyncio.create_task(self.shipping.run(self.stop))

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(1500):
            if await asyncio.to_thread(holds):
                return
            await self.clock.tick(1)
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never came to hold: {self.shipping.status()} {self.shipping.aggregates()}")

    def rows(self, database: str, query: str) -> list[Mapping[str, object]]:
        with closing(InfluxDB(Influx(url=self.server.url, bucket=database))) as asked:
            return list(asked.query(query))

    def databases(self) -> set[str]:
        return {str(row["name"]) for row in self.rows("_internal", "SHOW DATABASES")} - {"_internal"}

    def count(self, database: str, measurement: str, field: str) -> int:
        if database not in self.databases():
            return 0
        rows = self.rows(database, f'SELECT count("{field}") AS n FROM "{measurement}"')
        return int(str(rows[0]["n"])) if rows else 0

    def close(self) -> None:
        self.log.close()
        self.store.close()


def quarters(store: Store) -> None:
    at = NOW.replace(minute=0) - timedelta(hours=2)
    for town in (A, B):
        store.put_tenant(Tenant(town, town, Site(51.0, 8.0)))
        store.put_parking(town, ParkingFound(quarters=[Quarter(ZoneId("Markt"), "", at, 10, 2700, 5400, 900)]))


async def test_each_town_has_all_of_its_own_and_nothing_of_the_other_though_influxd_is_killed(tmp_path, server):
    town = Town(tmp_path, server)
    quarters(town.store)
    for number in range(EACH):
        town.log.append([heard(name, number) for name in (A, B)])
    running = town.ship()
    await town.until(lambda: town.count(f"stadt_{A}", "lamp", "level") > 0)
    await asyncio.to_thread(server.kill)  # -9
    town.log.append([heard(NEW, number) for number in range(EACH)])  # a town that nobody has prepared anything for
    await town.until(lambda: "does not answer" in town.shipping.status().error)
    await asyncio.to_thread(server.start)
    lamps, bays = EACH * 3 // 4, EACH // 4
    names = [f"stadt_{name}{end}" for name in (A, B, NEW) for end in ("", "_bays", "_hours")]
    await town.until(lambda: not town.shipping.status().waiting and all(
        town.count(f"stadt_{name}_bays", "frame", "port") == bays for name in (A, B, NEW))
        and all(town.count(f"stadt_{name}_hours", "lamp", "level_count") > 0 for name in (A, B, NEW))
        and all(town.count(f"stadt_{name}", "parking", "free") == 1 for name in (A, B)))
    town.stop.set()
    await asyncio.wait_for(running, PATIENCE_S)

    assert town.databases() - {f"stadt_{name}_days" for name in (A, B, NEW)} == set(names)
    for name in (A, B, NEW):
        for end in ("", "_bays", "_hours"):
            tenants = {row["value"] for row in town.rows(f"stadt_{name}{end}", 'SHOW TAG VALUES WITH KEY = "tenant"')}
            assert tenants == {name}
        own = f"stadt_{name}"
        fields = (("lamp", "level"), ("frame", "port"), ("radio", "rssi"), ("bay", "occupied"))
        assert [town.count(own, *of) for of in fields] == [lamps, lamps, lamps, 0]
        assert [town.count(f"{own}_bays", *of) for of in (("bay", "occupied"), ("lamp", "level"))] == [bays, 0]
        [policy] = [row for row in town.rows(f"{own}_bays", f'SHOW RETENTION POLICIES ON "{own}_bays"') if row["default"]]
        assert (policy["duration"], policy["shardGroupDuration"]) == ("168h0m0s", "6h0m0s")
        [frame] = town.rows(own, f'SELECT "port", "hex", "asset" FROM "frame" WHERE time = {heard(name, 1).at_ns}')
        assert (frame["port"], frame["hex"], frame["asset"]) == (10, "01", "lamp-001")
        per_device = [row for row in town.rows(own, "SHOW SERIES") if f"{sum(name.encode()):08x}00000001" in str(row["key"])]
        assert len(per_device) == 3  # lamp, radio, frame
    kinds = {row["fieldKey"]: row["fieldType"] for row in town.rows(f"stadt_{A}", 'SHOW FIELD KEYS FROM "frame"')}
    assert kinds == {"port": "integer", "hex": "string"}  # nothing here tells the counter

    findings = list(judge_towns(probe_towns(town.settings.influx, town.settings.database.url, SystemClock()),
                                town.settings.influx, 7))
    assert {item.level for item in findings} == {Level.OK}
    assert {name for item in findings for name in (f"stadt_{A}", f"stadt_{B}") if name in item.sentence} == \
        {f"stadt_{A}", f"stadt_{B}"}

    answers = InfluxQueries(town.settings.influx)
    for name in (A, B):
        question = Question(name, LAMP_LEVEL, NOW - timedelta(days=1), NOW + timedelta(hours=1))
        assert len(list(answers.series(question))) == lamps
        assert len(answers.last(name, RADIO_RSSI)) == 20
    assert answers.last(TenantId("nirgendwo"), LAMP_LEVEL) == []
    town.close()


async def test_a_change_from_one_place_to_many_fills_them_from_the_beginning_of_the_log(tmp_path, server):
    town = Town(tmp_path, server)
    town.log.append([heard(name, number) for number in range(1, 40) for name in (A, B)])
    before = Influx(url=server.url, bucket="stadt", per_town=False)

    async def shipped(settings: Influx, holds: Callable[[], bool]) -> None:
        town.settings = Settings(influx=settings, log=town.settings.log, database=town.settings.database)
        running = town.ship()
        await town.until(holds)
        town.stop.set()
        await asyncio.wait_for(running, PATIENCE_S)

    lamps = sum(number % 4 > 0 for number in range(1, 40))
    await shipped(before, lambda: town.count("stadt", "lamp", "level") == 2 * lamps)
    await shipped(Influx(url=server.url, bucket="stadt"), lambda: all(
        town.count(f"stadt_{name}", "lamp", "level") == lamps for name in (A, B)))
    assert town.log.cursor(cursor_name(before)) == 0
    assert town.count("stadt", "lamp", "level") == 2 * lamps  # what is there stays
    town.close()


def test_a_user_who_may_write_one_towns_database_only_holds_up_the_others_alone(tmp_path):
    """1.x with authentication: it says 403 for the database that the user may not write."""
    (tmp_path / "influx").mkdir()
    with influxd(tmp_path / "influx", auth=True) as server, closing(LocalLog(tmp_path / "log")) as log:
        def admin(query: str, database: str = "x", token: str = "admin:admin") -> list[Mapping[str, object]]:
            with closing(InfluxDB(Influx(url=server.url, bucket=database, token=Secret(token)))) as asked:
                return list(asked.query(query))

        admin("CREATE USER admin WITH PASSWORD 'admin' WITH ALL PRIVILEGES", token="")
        for name in (A, B):
            admin(f'CREATE DATABASE "stadt_{name}"')
        admin("CREATE USER bridge WITH PASSWORD 'bridge'")
        admin(f'GRANT ALL ON "stadt_{B}" TO bridge')
        settings = Influx(url=server.url, bucket="stadt", token=Secret("bridge:bridge"), batch=50)
        log.append([heard(name, number) for number in range(1, 80) for name in (A, B)])
        clock = ManualClock(NOW)
        with closing(open_readings(settings)) as sink:
            shipper = Shipper(log, sink, clock, settings, bury=[].extend)
            while shipper.step() or shipper.hurries:
                pass
            assert (shipper.held, shipper.error.startswith(f"{A}: ")) == ("forbidden", True)
            count = 'SELECT count("rssi") AS n FROM "radio"'
            assert admin(count, database=of_town(settings, B).bucket)[0]["n"] == 79
            assert admin(count, database=of_town(settings, A).bucket) == []
            admin(f'GRANT ALL ON "stadt_{A}" TO bridge')
            clock.advance(5)
            while shipper.step() or shipper.hurries:
                pass
            assert admin(count, database=of_town(settings, A).bucket)[0]["n"] == 79
            assert (shipper.held, shipper.waiting()) == ("", 0)
