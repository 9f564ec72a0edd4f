"""Hostile names in a script's output, from the output to a real influxd and back, and through the local log by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.clock import ManualClock
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.places import Device
from city.quantities import quantity
from city.readings import Entry, Place, to_ns
from city.scripts import LeafMapping
from city.settings import Influx
from city.store.influx import open_sink
from city.store.lines import column
from city.store.readings import LocalLog
from dashboards.queries import name
from decoders import mapping
from gateway_bridge.ship import Shipper
from tests.wire.influxd import influxd

pytestmark = pytest.mark.wire

START = datetime(2026, 11, 22, 14, tzinfo=UTC)
TOWN, ASSET, MODEL = TenantId("ahausen"), AssetId("P-1"), "acme/x-1_b"
KEYS = ("plain", "time", "_time", "time_", "asset", "_field", "tenant", "", " ", "a b", "a,b", "a=b", "a\"b", "a\\b", "a\\",
        "a.b", "..", "-1", "0", "1e5", "$x", "a;drop series from /.*/", "') or 1=1 --", "/.*/", "*", "#comment", "Straße", "温度",
        "🚗", "é" * 80, "a\nb", "a\rb", "a\tb", "\x00", "\u2028x", "\u202ex", "\ud800", "a:flag", "a:text", "__proto__",
        "null", "SELECT", "x" * 500, "t" * 90, "\u00ada", "%s{0}", "<script>")


def outputs() -> list[dict[str, object]]:
    """Each key alone and in a group, with a number, a text and a truth in turn, so that any name has each type."""
    said: list[dict[str, object]] = []
    for value in (1.5, "a \"text\", with = and \\", True):
        said += [{key: value, "of": {key: [value]}} for key in KEYS]
    return said


def entries() -> list[Entry]:
    device = Device(DevEui("70b3d57ed0000001"), TOWN, ASSET, MODEL)
    where = Place(TOWN, ASSET, "bay", ZoneId("markt"), None, device.dev_eui)
    found = []
    for number, said in enumerate(outputs()):
        at = to_ns(START + timedelta(seconds=number))
        measured = mapping.apply(MODEL, LeafMapping(), mapping.leaves(said))
        found.append(Entry(where, at, f"up:{number}", tuple(measured)))
    return found


def test_whatever_a_script_calls_a_value_it_is_kept_and_found_under_that_name(tmp_path: Path) -> None:
    log, sent = LocalLog(tmp_path / "log"), entries()
    assert sum(len(entry.readings) for entry in sent) > 250
    log.append(sent)
    buried: list[object] = []
    with influxd(tmp_path) as server:
        settings = Influx(url=server.url, bucket="raw")
        sink = open_sink(settings)
        shipper = Shipper(log, sink, ManualClock(START + timedelta(hours=1)), settings, bury=buried.extend)
        while shipper.step():
            pass
        assert buried == []
        for reading in (reading for entry in sent for reading in entry.readings):
            measurement, field = column(quantity(reading.quantity.name))
            [row] = sink.query(f"SELECT {name(field)} AS v FROM {name(measurement)} WHERE time = {reading.at_ns}")
            assert row["v"] == reading.value, reading.quantity.name
            points = log.history(TOWN, ASSET, quantity(reading.quantity.name), START, START + timedelta(hours=1))
            assert reading.value in [point.value for point in points], reading.quantity.name
        assert [row["name"] for row in sink.query("SHOW MEASUREMENTS")] == [f"raw/{MODEL}"]
        assert {row["tagKey"] for row in sink.query("SHOW TAG KEYS")} == {"asset", "device", "tenant", "zone"}
        sink.close()
    log.close()
