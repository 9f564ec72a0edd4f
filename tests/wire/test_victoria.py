"""The write path of InfluxDB 2.x and 3.x (influxdb-client's synchronous write) against a real server that accepts it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.clock import ManualClock
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import LAMP_FAILURE, LAMP_LEVEL, LAMP_REASON, RADIO_FCNT
from city.readings import Entry, Place, Reading, to_ns
from city.settings import Influx, Secret
from city.store.influx import InfluxDB, open_sink
from city.store.readings import LocalLog
from gateway_bridge.ship import Shipper
from tests.wire.victoria import Victoria, victoria

pytestmark = pytest.mark.wire

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with victoria(tmp_path_factory.mktemp("victoria")) as running:
        yield running


def place(number: int, zone: str) -> Place:
    return Place(TenantId("ahausen"), AssetId(f"L-{number:04}"), "lamp", ZoneId(zone), CircuitId("K 1"), DevEui(f"{number:016x}"))


def report(number: int, zone: str) -> Entry:
    where, at = place(number, zone), to_ns(NOW) + number * 1_000_000
    said = ((LAMP_LEVEL, 40.5), (LAMP_FAILURE, True), (LAMP_REASON, "manual"), (RADIO_FCNT, number))
    return Entry.of(where, at, "up", [Reading(where, quantity, value, at) for quantity, value in said])


def shipped(server: Victoria, directory: Path, zone: str, **more: object) -> tuple[Shipper, InfluxDB, list]:
    settings = Influx(url=server.url, token=Secret("any"), org="any", bucket="town", batch=200, **more)
    log, letters = LocalLog(directory), []
    log.append([report(number, zone) for number in range(300)])
    sink = open_sink(settings)
    shipper = Shipper(log, sink, ManualClock(NOW), settings, bury=letters.extend)
    while shipper.step():
        pass
    return shipper, sink, letters


@pytest.mark.parametrize(("api", "gzip"), [("2", "no"), ("2", "yes"), ("", "no"), ("1", "yes")])
def test_what_the_log_has_is_there_once_with_its_tags_times_and_values(server, tmp_path, api, gzip):
    zone = f"Süd, {api or 'auto'}={gzip}"
    shipper, sink, letters = shipped(server, tmp_path, zone, api=api, gzip=gzip)
    found = {(name, dict(labels)["asset"]): (labels, points) for (name, labels), points in server.exported().items()
             if dict(labels).get("zone") == zone}
    assert (letters, shipper.waiting()) == ([], 0)
    assert len(found) == 300 * 4  # a text is a 0 there
    for number in range(300):
        asset, at = f"L-{number:04}", (to_ns(NOW) + number * 1_000_000) // 1_000_000
        labels, points = found["lamp_level", asset]
        assert points == [(at, 40.5)]
        assert found["lamp_failure", asset][1] == [(at, 1)]
        assert found["radio_fcnt", asset][1] == [(at, number)]
        assert dict(labels)["circuit"] == "K 1"
        assert dict(labels)["device"] == f"{number:016x}"
    sink.close()


def test_it_does_not_say_what_it_is_and_is_written_as_the_newer_ones_are(server):
    sink = open_sink(Influx(url=server.url, token=Secret("any")))
    assert sink.version() == ""
    sink.close()
