"""The demo's own InfluxDB: there, kept, and gone with us."""

import pytest

from city.errors import InfluxDown
from city.settings import Influx
from city.store.influx import open_sink
from simulator.influxd import local_influxd

pytestmark = pytest.mark.wire


def test_it_keeps_what_it_was_told_and_does_not_outlive_us(tmp_path):
    with local_influxd(tmp_path / "influxdb") as url:
        sink = open_sink(Influx(url=url, bucket="demo", api="1"))
        sink.write([b"lamp,tenant=ahausen level=40 1795356000000000000"])
    with pytest.raises(InfluxDown):
        sink.version()
    sink.close()
    with local_influxd(tmp_path / "influxdb") as url:
        again = open_sink(Influx(url=url, bucket="demo", api="1"))
        assert [row["level"] for row in again.query('SELECT "level" FROM "lamp"')] == [40]
        again.close()


def test_an_influxd_that_does_not_come_up_is_said(tmp_path):
    (tmp_path / "meta").write_text("no directory")
    with pytest.raises(InfluxDown, match=r"influxd\.log"), local_influxd(tmp_path, within_s=2.0):
        pass
