"""Figures of gateways, of the bridge and of the API on a real influxd, as a board asks for them."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from city.clock import SystemClock
from city.ids import TenantId
from city.readings import from_ns
from city.settings import Api, Bridge, Influx, Log, Mqtt, Settings
from city.store.influx import InfluxDB, RejectedQuery, Row
from city.store.influx_places import of_platform, of_town
from gateway_bridge.run import run_bridge
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.town import Town, small_town
from tests.patience import PATIENCE_S
from tests.wire.influxd import Influxd, influxd

pytestmark = pytest.mark.wire

NEAR, FAR = "0016c001ff10a235", "0016c001ff10a236"
TOWN = TenantId("musterstadt")


class Quick(SystemClock):
    """Waits no longer than a moment."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Influxd]:
    (tmp_path / "influx").mkdir()
    with influxd(tmp_path / "influx") as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with small_town(tmp_path) as made:
        yield made


def frame(f_cnt: int, dr: int = 5) -> bytes:
    heard = [{"gatewayId": gateway, "uplinkId": 1, "rssi": rssi, "snr": snr, "crcStatus": "CRC_OK"}
             for gateway, rssi, snr in ((NEAR, -90, 7.5), (FAR, -118, -11.5))]
    return encode(up(f_cnt=f_cnt, dr=dr, rxInfo=heard, time=SystemClock().now().isoformat(timespec="milliseconds")))


def asked(settings: Influx, text: str) -> list[Row]:
    database = InfluxDB(settings)
    try:
        return database.query(text)
    finally:
        database.close()


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - the loops run beside us
            await asyncio.sleep(0.02)


async def test_a_bridge_its_gateways_and_an_api_are_told_of_through_an_outage(server: Influxd, town: Town,
                                                                             tmp_path: Path) -> None:
    """InfluxDB is killed and comes back: nothing of what happened meanwhile is missing."""
    begun = datetime.now(UTC)
    settings = Settings(bridge=Bridge(tick_s=0.05), log=Log(directory=str(tmp_path / "log")), mqtt=Mqtt(client_id="bridge-1"),
                        influx=Influx(url=server.url, bucket="city", figures_s=1), api=Api(port=8099))
    stop, town.clock = asyncio.Event(), SystemClock()  # type: ignore[assignment]
    running = asyncio.create_task(run_bridge(settings, store=town.store, log=town.log, link=town.link, clock=Quick(), stop=stop))
    for f_cnt in range(10):
        town.link.deliver(topic("up"), frame(f_cnt))
    await until(lambda: len(town.link.acknowledged) == 10)
    await until(lambda: total(settings.influx, "received", "platform") == 10)
    town.wish(40)
    await until(lambda: town.link.published)
    server.kill()
    for f_cnt in range(12, 20):  # two are missing
        town.link.deliver(topic("up"), frame(f_cnt, dr=0))
    town.link.deliver(topic("up"), b"{")
    await until(lambda: len(town.link.acknowledged) == 19)
    await asyncio.to_thread(server.start)
    await until(lambda: total(settings.influx, "received", "platform") == 19)
    with TestClient(create_app(town.store, town.log, SystemClock(), settings)) as client:
        assert client.get("/api/v1/session").status_code < 500
        client.get("/nowhere")
    stop.set()
    await running
    platform = of_platform(settings.influx)
    [bridge] = asked(platform, "SELECT sum(stored) AS stored, max(ack_p99) AS ack, max(memory) AS memory, max(steers) AS steers "
                               f"FROM platform WHERE process = 'bridge' AND \"name\" = 'bridge-1' AND time >= '{begun:%FT%TZ}'")
    assert (bridge["stored"], bridge["steers"]) == (18, 1)
    assert 0 < float(str(bridge["ack"])) < 20_000
    assert 10 < float(str(bridge["memory"])) < 10_000
    [letters] = asked(platform, "SELECT sum(count) AS count FROM letters GROUP BY reason")
    assert (letters["reason"], letters["count"]) == ("MalformedEvent", 1)
    [api] = asked(platform, "SELECT sum(requests) AS requests, sum(errors) AS errors FROM platform WHERE process = 'api' "
                            'GROUP BY "name"')
    assert (api["requests"], api["errors"]) == (2, 0)
    assert str(api["name"]).endswith(":8099")
    radio = asked(of_town(settings.influx, TOWN), "SELECT sum(uplinks) AS uplinks, sum(best) AS best, mean(rssi) AS rssi, "
                  "mean(snr) AS snr, sum(sf7) AS sf7, sum(sf12) AS sf12, sum(missed) AS missed, last(duty) AS duty FROM gateway "
                  "WHERE tenant = 'musterstadt' GROUP BY gateway")
    said = {str(row["gateway"]): {name: row[name] for name in ("uplinks", "best", "rssi", "snr", "sf7", "sf12", "missed", "duty")}
            for row in radio}
    assert 0 < float(str(said[NEAR].pop("duty"))) < 10  # the orders went out there
    assert said[FAR].pop("duty") == 0
    both = {"sf7": 10, "sf12": 8, "uplinks": 18}
    assert said == {NEAR: both | {"best": 18, "rssi": -90, "snr": 7.5, "missed": 2},
                    FAR: both | {"best": 0, "rssi": -118, "snr": -11.5, "missed": 0}}
    [policy] = asked(platform, 'SHOW RETENTION POLICIES ON "city__platform"')
    assert policy["duration"] == "2160h0m0s"
    first = min(int(str(row["time"])) for row in asked(platform, "SELECT received FROM platform"))
    assert begun <= from_ns(first) <= datetime.now(UTC)


def total(settings: Influx, field: str, measurement: str) -> int:
    try:
        found = asked(of_platform(settings), f"SELECT sum({field}) AS total FROM {measurement}")
    except RejectedQuery:  # so early there is no such database
        return 0
    return int(str(found[0]["total"])) if found else 0
