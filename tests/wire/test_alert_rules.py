"""Every alert rule on a real influxd 1.x: it is quiet while all is well, and says whose fault it is where something is wrong."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.ids import TenantId
from city.readings import to_ns
from city.settings import Influx
from city.store.influx import InfluxDB
from dashboards.alerts import Rule, platform_rules, rule_json, town_rules
from tests.dashboards.grafana_rules import alarms
from tests.wire.influxd import influxd

pytestmark = pytest.mark.wire
NOW = datetime(2031, 3, 4, 12, 7, 30, tzinfo=UTC)
AHAUSEN = TenantId("ahausen")
RULES: dict[str, tuple[Rule, TenantId | None]] = {
    **{rule.name: (rule, AHAUSEN) for rule in town_rules(AHAUSEN)}, **{rule.name: (rule, None) for rule in platform_rules()}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield Influx(url=running.url, bucket="alerts", per_town=False)


@pytest.fixture
def settings(server: Influx, request: pytest.FixtureRequest) -> Influx:
    """A database of its own for each test."""
    return replace(server, bucket="".join(char if char.isalnum() else "_" for char in request.node.name))


def written(settings: Influx, *points: tuple[str, timedelta]) -> None:
    """(measurement, tags and fields; how long ago)."""
    with closing(InfluxDB(settings)) as database:
        database.write([f"{line} {to_ns(NOW - ago)}".encode() for line, ago in points])


def heard(settings: Influx, name: str) -> set[str] | str:
    """The values of the labels of what is in alarm, or the state that no data means."""
    rule, tenant = RULES[name]
    said = rule_json(rule, tenant=tenant, language="de", source="x", panel=None, console="", contact="")
    with closing(InfluxDB(settings)) as database:
        found = alarms(said, database.query, NOW)
    return found if isinstance(found, str) else {value for labels in found for _, value in labels}


def each(step: timedelta, count: int, line: str, *, ago: timedelta = timedelta(0)) -> list[tuple[str, timedelta]]:
    return [(line, ago + step * number) for number in range(count)]


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_without_any_figures_only_that_nothing_comes_is_an_alarm(settings):
    written(settings, ("other,tenant=ahausen x=1", MINUTE))
    assert {name: heard(settings, name) for name in RULES} == {
        "silent-gateway": "OK", "unattended": "OK", "coverage": "OK", "failing": "OK", "dead-letters": "OK",
        "lag-log": "OK", "lag-influx": "Alerting"}


def test_a_gateway_that_falls_silent_is_named_and_those_that_were_never_busy_are_not(settings):
    written(settings,
            *each(5 * MINUTE, 300, "gateway,tenant=ahausen,gateway=hears uplinks=3i", ago=MINUTE),
            *each(5 * MINUTE, 500, "gateway,tenant=ahausen,gateway=silent uplinks=3i", ago=HOUR),
            *each(5 * MINUTE, 12, "gateway,tenant=ahausen,gateway=silent uplinks=0i"),
            *each(5 * MINUTE, 500, "gateway,tenant=ahausen,gateway=lately uplinks=3i", ago=40 * MINUTE),
            *each(HOUR, 46, "gateway,tenant=ahausen,gateway=village uplinks=4i", ago=2 * HOUR),
            *each(5 * MINUTE, 300, "gateway,tenant=beheim,gateway=neighbour uplinks=3i", ago=HOUR))
    assert heard(settings, "silent-gateway") == {"silent"}


@pytest.mark.parametrize("step_s", [60, 900])
def test_a_gateway_that_hears_is_never_silent_however_seldom_samples_are_taken(settings, step_s):
    step = timedelta(seconds=step_s)
    begun = timedelta(seconds=(NOW - datetime(2031, 3, 4, tzinfo=UTC)).seconds % step_s)
    written(settings, *each(step, 48 * 3600 // step_s, "gateway,tenant=ahausen,gateway=hears uplinks=5i", ago=begun + step))
    [rule] = [rule for rule in town_rules(AHAUSEN, step_s=step_s) if rule.name == "silent-gateway"]
    said = rule_json(rule, tenant=AHAUSEN, language="de", source="x", panel=None, console="", contact="")
    with closing(InfluxDB(settings)) as database:
        for minutes in range(0, 46, 5):
            assert alarms(said, database.query, NOW - timedelta(minutes=minutes)) == set()


def test_a_gateway_of_which_no_points_come_at_all_is_silent_too(settings):
    written(settings, *each(5 * MINUTE, 300, "gateway,tenant=ahausen,gateway=gone uplinks=3i", ago=HOUR))
    assert heard(settings, "silent-gateway") == {"gone"}


def test_an_incident_that_nobody_attends_to_is_an_alarm_after_half_an_hour_and_no_more_once_somebody_does(settings):
    written(settings,
            *each(MINUTE, 10, "faults,tenant=ahausen,zone=markt unattended=1900,open=3i"),
            *each(MINUTE, 10, "faults,tenant=ahausen,zone=bahnhof unattended=1700,open=3i"),
            *each(MINUTE, 10, "faults,tenant=beheim,zone=elsewhere unattended=9000"),
            *each(MINUTE, 10, "faults,tenant=ahausen,zone=attended open=3i"),
            *each(MINUTE, 10, "faults,tenant=ahausen,zone=attended unattended=9000", ago=6 * MINUTE))
    assert heard(settings, "unattended") == {"markt"}


def test_a_zone_of_which_little_is_known_is_an_alarm_and_bays_weigh_alike(settings):
    quarter = timedelta(minutes=15)
    ago = timedelta(minutes=7, seconds=30)  # a quarter begins
    written(settings,
            *each(quarter, 5, "parking,tenant=ahausen,zone=good capacity=30i,unknown=3.0,coverage=0.9", ago=ago),
            *each(quarter, 5, "parking,tenant=ahausen,zone=bad capacity=30i,unknown=15.0,coverage=0.5", ago=ago),
            *each(quarter, 5, "parking,tenant=ahausen,zone=mixed capacity=30i,unknown=3.0,coverage=0.9", ago=ago),
            *each(quarter, 5, "parking,tenant=ahausen,zone=mixed,restriction=resident capacity=3i,unknown=3.0,coverage=0.0",
                  ago=ago),
            *each(quarter, 5, "parking,tenant=beheim,zone=elsewhere capacity=30i,unknown=30.0,coverage=0.0", ago=ago))
    assert heard(settings, "coverage") == {"bad"}


def test_failing_commands_are_an_alarm_where_they_are_many_and_a_share_of_all(settings):
    def line(zone: str, failed: int, applied: int) -> list[tuple[str, timedelta]]:
        return each(5 * MINUTE, 5, f"control,tenant=ahausen,zone={zone} failed={failed}i,applied={applied}i", ago=MINUTE)

    written(settings, *line("few", 0, 0), *line("large", 2, 900), *line("broken", 3, 1), *line("dead", 2, 0),
            *each(5 * MINUTE, 5, "control,tenant=beheim,zone=elsewhere failed=9i,applied=0i", ago=MINUTE),
            *each(5 * MINUTE, 5, "control,tenant=ahausen,zone=yesterday failed=9i,applied=0i", ago=24 * HOUR))
    assert heard(settings, "failing") == {"broken", "dead"}


def test_dead_letters_are_an_alarm_by_their_reason(settings):
    written(settings, *each(MINUTE, 25, "letters,process=bridge,name=b1,reason=Truncated count=1i"),
            *each(MINUTE, 25, "letters,process=bridge,name=b2,reason=UnknownDevice count=1i", ago=20 * MINUTE),
            *each(10 * MINUTE, 3, "letters,process=bridge,name=b2,reason=UnknownPort count=1i"))
    assert heard(settings, "dead-letters") == {"Truncated"}


def test_lag_is_an_alarm_by_bridge_after_five_minutes(settings):
    written(settings,
            *each(MINUTE, 5, "platform,process=bridge,name=b1 lag_log=2,lag_influx=301"),
            *each(MINUTE, 5, "platform,process=bridge,name=b2 lag_log=400,lag_influx=5"),
            *each(MINUTE, 5, "platform,process=api,name=a lag_log=9999"))
    assert (heard(settings, "lag-log"), heard(settings, "lag-influx")) == ({"b2"}, {"b1"})
