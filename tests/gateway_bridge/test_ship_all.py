"""All that goes to one InfluxDB, against a stand-in: readings, hours and days, what is shown, and what one does to the other."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest

from city.clock import ManualClock
from city.ids import TenantId
from city.places import Site, Tenant
from city.readings import to_ns
from city.settings import Influx, Log, Mqtt, Settings
from city.store.lines import lines
from city.store.opening import open_store
from city.store.readings import LocalLog
from gateway_bridge.ship_all import Shipping
from tests.city_store.standin import standin
from tests.gateway_bridge.test_ship import entry
from tests.gateway_bridge.test_ship_bays import said
from tests.patience import PATIENCE_S

NOW = datetime(2026, 11, 22, 12, 50, tzinfo=UTC)
ONE = {"X-Influxdb-Version": "1.8.10"}


class Bridge:
    """What ships, with a log of three entries."""

    def __init__(self, directory: Path, url: str, share: str = "", **influx: object) -> None:
        self.log, self.store, self.clock = LocalLog(directory), open_store("sqlite://"), ManualClock(NOW)
        self.settings = Settings(influx=Influx(url=url, **{"per_town": False, **influx}), log=Log(directory=str(directory)),
                                 mqtt=Mqtt(share=share, client_id="bridge-2"))
        self.entries = [replace(entry(number), at_ns=to_ns(NOW) + number) for number in range(3)]
        self.log.append(self.entries)
        self.shipping = Shipping(self.settings, self.store, self.log, self.clock)
        self.stop = asyncio.Event()

    def metrics(self) -> dict[str, float]:
        registry = CollectorRegistry()
        registry.register(self.shipping)
        said = generate_latest(registry).decode().splitlines()
        return {name: float(value) for line in said if not line.startswith("#") for name, value in [line.rsplit(" ", 1)]}

    async def until(self, holds) -> None:
        running = asyncio.create_task(self.shipping.run(self.stop))
        try:
            for _ in range(400):
                if holds():
                    return
                await self.clock.tick(5)
                await asyncio.sleep(0.005)
            raise AssertionError("it never came to hold")
        finally:
            self.stop.set()
            await asyncio.wait_for(running, PATIENCE_S)
            self.log.close()
            self.store.close()


def written(server, database):
    return [line for _, path, _, body in server.asked if f"db={database}&" in path for line in body.split(b"\n")]


async def test_readings_hours_and_days_go_to_their_databases(tmp_path):
    with standin(version=ONE) as server:
        bridge = Bridge(tmp_path, server.url)
        await bridge.until(lambda: written(server, "stadtfunk_hours"))
        assert written(server, "stadtfunk") == [line for one in bridge.entries for line in lines(one)]
        assert len(written(server, "stadtfunk_hours")) == 6
        assert b",bridge=" not in b"".join(written(server, "stadtfunk_hours"))
        metrics = bridge.metrics()
    assert metrics['stadtfunk_bridge_ship_lines_total{outcome="stored"}'] == 6
    assert metrics["stadtfunk_bridge_aggregates_waiting"] == 1  # the day


async def test_one_bridge_of_several_says_which_it_is(tmp_path):
    with standin(version=ONE) as server:
        bridge = Bridge(tmp_path, server.url, share="town")
        await bridge.until(lambda: written(server, "stadtfunk_hours"))
        assert all(b",bridge=bridge-2 " in line for line in written(server, "stadtfunk_hours"))


async def test_without_hours_and_days_only_readings_are_sent(tmp_path):
    with standin(version=ONE) as server:
        bridge = Bridge(tmp_path, server.url, aggregates=False)
        await bridge.until(lambda: written(server, "stadtfunk"))
        assert bridge.shipping.aggregates() is None
        assert not [name for name in bridge.metrics() if "aggregates" in name]


async def test_a_wrong_token_is_an_alarm_that_names_what_to_mend_until_it_is_mended(tmp_path):
    no = (401, {}, b'{"error":"authorization failed"}')
    with standin(version=ONE, answers=deque([no])) as server:
        bridge = Bridge(tmp_path, server.url, aggregates=False)
        seen = []

        def mended():
            status = bridge.shipping.status()
            if status.held and not seen:
                seen.append((status, bridge.metrics()))
                server.answers = deque([(204, {}, b"")])
            return bool(seen) and not status.waiting

        await bridge.until(mended)
    [(status, metrics)] = seen
    assert (status.held, status.waiting) == ("unauthorized", 3)
    assert "authorization failed" in status.error
    assert metrics['stadtfunk_bridge_ship_held{reason="unauthorized"}'] == 1
    assert metrics['stadtfunk_bridge_ship_held{reason="missing"}'] == 0
    assert bridge.metrics()['stadtfunk_bridge_ship_held{reason="unauthorized"}'] == 0


@pytest.mark.parametrize("tenant", ["ahausen", None])
async def test_refused_lines_are_dead_letters_in_the_city_database_even_of_a_town_that_it_has_lost(tmp_path, tenant):
    with standin(version=ONE) as server:
        bridge = Bridge(tmp_path, server.url, aggregates=False)
        if tenant:
            bridge.store.put_tenant(Tenant(TenantId(tenant), "Ahausen", Site(51.0, 8.0)))
        bad = lines(bridge.entries[1])[0]
        server.judge = bad.__eq__
        letters = []

        def buried():
            letters[:] = bridge.store.all_letters()
            return letters and not bridge.shipping.status().waiting

        await bridge.until(buried)
    [letter] = letters
    assert (letter.payload, letter.topic, letter.tenant) == (bad, "influx", tenant)


async def test_while_the_database_for_hours_cannot_be_made_readings_are_stored(tmp_path):
    with standin() as server:  # 2.x
        class Answers(deque):
            """Every bucket but the first is missing, and may not be made."""

            def __len__(self):
                return 1

            def __getitem__(self, index):
                _, path, _, _ = server.asked[-1]
                if "bucket=stadtfunk_" in path:
                    return 404, {}, b'{"message":"bucket not found"}'
                return (200, {}, b'{"orgs":[{"id":"1"}]}') if "orgs" in path else \
                    (403, {}, b'{"message":"no"}') if "buckets" in path else (204, {}, b"")

        server.answers = Answers()
        bridge = Bridge(tmp_path, server.url, org="ahausen")
        await bridge.until(lambda: bridge.shipping.aggregates().held and not bridge.shipping.status().waiting)
        assert bridge.shipping.aggregates().held == "missing"
        assert len(server.points) == 6


async def test_a_bays_bucket_that_keeps_too_long_is_an_alarm_and_holds_up_nothing_else(tmp_path):
    with standin() as server:  # 2.x
        class Answers(deque):
            def __len__(self):
                return 1

            def __getitem__(self, index):
                _, path, _, _ = server.asked[-1]
                if "buckets" in path:
                    return 200, {}, b'{"buckets":[{"name":"stadtfunk_bays","retentionRules":[]}]}'
                return (204 if "write" in path else 404), {}, b""

        server.answers = Answers()
        bridge = Bridge(tmp_path, server.url, org="ahausen", aggregates=False)
        bridge.log.append([said("bay", 1, NOW)])
        seen = []

        def held():
            seen[:] = [bridge.shipping.status(), bridge.metrics()]
            return seen[0].held and not seen[0].waiting

        await bridge.until(held)
        status, metrics = seen
        assert (status.held, server.points) == ("retention", {line for one in bridge.entries for line in lines(one)})
    assert "stadtfunk_bays keeps readings of single bays" in status.error
    assert metrics['stadtfunk_bridge_ship_bays_held{reason="retention"}'] == 1
    assert metrics['stadtfunk_bridge_ship_held{reason="retention"}'] == 0


async def test_it_stops_while_influxdb_is_away(tmp_path):
    bridge = Bridge(tmp_path, "http://127.0.0.1:9")
    errors = []

    def away():
        errors.append(bridge.shipping.status().error)
        return errors[-1]

    await bridge.until(away)
    assert "does not answer" in errors[-1]
