"""What the demo makes of its options for InfluxDB."""

from dataclasses import replace

import pytest

from city.errors import Unsupported
from city.settings import Influx, Settings
from simulator.demo import DEMO_BUCKET, _influx, _options, _preview, _scenarios
from simulator.influxd import local_influxd


def test_invented_readings_go_to_a_bucket_of_their_own():
    assert _influx(_options(["--influx", "http://i:8086"]), Influx()) == Influx(url="http://i:8086", bucket=DEMO_BUCKET)
    own = Influx(url="http://own:8086", bucket="probe")
    assert _influx(_options([]), own) == own
    assert _influx(_options([]), Influx()).url == ""


def test_the_command_for_boards_looks_ahead_where_the_town_lives_faster():
    settings = replace(Settings(), influx=Influx(url="http://i:8086", bucket="b"))
    town = _scenarios(_options(["--lamps", "3", "--bays", "0"]))[:1]
    said = f"stadtfunk dashboards preview boards --influx http://i:8086 --bucket b --tenant {town[0].tenant.id}"
    assert _preview(settings, town, 1) == said
    assert _preview(settings, town, 60) == f"{said} --from now-6h --to now+2d"


def test_an_influxdb_elsewhere_and_one_of_its_own_exclude_each_other():
    with pytest.raises(SystemExit):
        _options(["--influx", "http://i:8086", "--influxd"])
    assert _options(["--influxd"]).influxd


def test_where_influxd_is_not_installed_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="--influx URL"), local_influxd(tmp_path, places=()):
        pass
