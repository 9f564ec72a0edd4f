"""A real influxd, filled by the shipper from a real local log; the lighting board's queries asked of it."""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import DEVICE_DEBUG, LAMP_FAILURE, LAMP_LEVEL, LAMP_POWER, LAMP_REASON, RADIO_FCNT, RADIO_RSSI
from city.readings import Entry, Place, Quality, Reading, to_ns
from city.settings import Influx
from city.store.aggregates import settings_of, spans
from city.store.influx import open_sink
from city.store.lines import lines
from city.store.readings import LocalLog
from dashboards.board import Panel, Source
from dashboards.boards import lighting
from dashboards.fill import ALL
from gateway_bridge.aggregate import Aggregator
from gateway_bridge.rewind import Rewind, Rewinds
from gateway_bridge.ship import Shipper, cursor_name
from tests.dashboards.grafana import filled_in
from tests.wire.influxd import Influxd, influxd

pytestmark = pytest.mark.wire

END = datetime(2026, 11, 22, 20, tzinfo=UTC)
START = END - timedelta(hours=6)
LAMPS, REPORTS, POWER = 40, 24, 31.5  # a report each 15 minutes
ZONES = ("Altstadt", "Süd.1")
TOWN, OTHER = TenantId("ahausen"), TenantId("beheim")


def place(number: int, tenant: TenantId = TOWN) -> Place:
    eui = hashlib.sha256(f"{tenant}{number}".encode()).hexdigest()[:16]
    return Place(tenant, AssetId(f"L-{number:04}"), "lamp", ZoneId(ZONES[number % 2]), CircuitId(f"K{number % 5}"),
                 DevEui(eui))


def report(number: int, step: int, tenant: TenantId = TOWN) -> Entry:
    """Even lamps burn at 40 %, odd ones at 100 %; the last ten are off."""
    where, at = place(number, tenant), to_ns(START + timedelta(minutes=15 * step + 1, seconds=number))
    level = 0.0 if number >= LAMPS - 10 else 100.0 if number % 2 else 40.0
    said = ((LAMP_LEVEL, level), (LAMP_POWER, POWER), (LAMP_REASON, "calendar-night"), (LAMP_FAILURE, False),
            (RADIO_RSSI, -100.5), (RADIO_FCNT, step))
    return Entry.of(where, at, f"up:{step}", tuple(Reading(where, quantity, value, at) for quantity, value in said))


def town(tenant: TenantId = TOWN) -> list[Entry]:
    return [report(number, step, tenant) for step in range(REPORTS) for number in range(LAMPS)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


@pytest.fixture
def log(tmp_path: Path):
    opened = LocalLog(tmp_path / "log")
    yield opened
    opened.close()


class Shipping:
    """One log, one InfluxDB, and what was refused."""

    def __init__(self, server: Influxd, log: LocalLog, bucket: str, batch: int = 5000,
                 rewinds: Rewinds | None = None) -> None:
        settings = self.settings = Influx(url=server.url, bucket=bucket, batch=batch)
        self.letters: list = []
        self.sink = open_sink(settings)
        self.shipper = Shipper(log, self.sink, ManualClock(END), settings, bury=self.letters.extend,
                               rewinds=rewinds)

    def all(self) -> int:
        shipped = 0
        while step := self.shipper.step():
            shipped += step
        return shipped

    def count(self, field: str = "level", measurement: str = "lamp") -> int:
        rows = self.sink.query(f'SELECT count("{field}") AS n FROM "{measurement}"')
        return int(rows[0]["n"]) if rows else 0


@pytest.fixture(scope="module")
def filled(server, tmp_path_factory):
    """Two towns of 40 lamps and 6 hours."""
    log = LocalLog(tmp_path_factory.mktemp("log"))
    log.append(town())
    log.append(town(OTHER))
    shipping = Shipping(server, log, "filled")
    assert shipping.all() == 2 * LAMPS * REPORTS
    yield shipping
    log.close()


def panels() -> dict[str, Panel]:
    """The lighting board's panels that show readings of lamps, by their English titles."""
    return {panel.title.en: panel for panel in lighting(TOWN).panels()
            if isinstance(panel, Panel) and panel.title is not None and panel.source is Source.RAW}


SHOWN = ("Lamps burning", "Total power", "Newest report", "Level by zone", "Level of each lamp", "Power of each lamp")


@pytest.mark.parametrize("title", SHOWN)
@pytest.mark.parametrize("zones", [(), ZONES[:1], ZONES[1:], ZONES])
def test_every_panel_shows_this_towns_data_in_the_right_magnitude(filled, title, zones):
    panel = panels()[title]
    rows = filled.sink.query(filled_in(panel.queries[0].text, START, END, zones=zones, variables={"circuit": ALL}))
    lamps = [n for n in range(LAMPS) if not zones or ZONES[n % 2] in zones]
    burning = [n for n in lamps if n < LAMPS - 10]
    field = panel.quantity.field
    values = [row[field] for row in rows if row[field] is not None]
    match title:
        case "Lamps burning":
            assert values == [len(burning)]
        case "Total power":
            assert values == [pytest.approx(POWER * len(lamps))]
        case "Newest report":
            newest = max(report(n, REPORTS - 1).at_ns for n in lamps)
            assert [row["time"] for row in rows] == [newest]
        case "Level by zone":
            assert {row["zone"] for row in rows} == set(zones or ZONES)
            for row in rows:
                assert row[field] == pytest.approx(30.0 if row["zone"] == ZONES[0] else 75.0)
        case _:
            assert [row["asset"] for row in rows] == [f"L-{n:04}" for n in lamps]  # by time: lamps report one after another
            assert all(row["time"] >= report(0, REPORTS - 1).at_ns for row in rows)
            assert {(row["zone"], row["circuit"]) for row in rows} == {(ZONES[n % 2], f"K{n % 5}") for n in lamps}


def test_every_variable_offers_this_towns_choices(filled):
    offered = {variable.name: {row["value"] for row in filled.sink.query(filled_in(variable.query, START, END, zones=ZONES[:1]))}
               for variable in lighting(TOWN).variables if variable.query}
    assert offered == {"zone": set(ZONES), "circuit": {f"K{n % 5}" for n in range(0, LAMPS, 2)}}


def test_shipping_twice_changes_nothing(server, log):
    shipping = Shipping(server, log, "twice")
    log.append(town()[:80])
    assert shipping.all() == 80
    before = shipping.sink.query('SELECT * FROM "lamp"')
    log.append(town()[:80])  # redelivered: known by its key
    assert shipping.all() == 0
    shipping.sink.write([line for entry in town()[:80] for line in lines(entry)])
    assert shipping.sink.query('SELECT * FROM "lamp"') == before
    assert len(before) == 80


def test_influxd_killed_in_the_middle_loses_nothing(tmp_path, log):
    log.append(town())
    with influxd(tmp_path) as server:
        shipping = Shipping(server, log, "killed", batch=400)
        for _ in range(2):
            shipping.shipper.step()
        server.kill()
        waiting = shipping.shipper.waiting()
        with pytest.raises(InfluxDown):
            shipping.shipper.step()
        assert shipping.shipper.waiting() == waiting > 0
        server.start()
        again = Shipping(server, log, "killed", batch=400)  # a new bridge: the cursor is in the log
        again.all()
        assert again.count() == LAMPS * REPORTS
        assert again.shipper.waiting() == 0


def test_a_line_of_another_type_is_a_dead_letter_and_the_rest_is_stored(server, log):
    shipping = Shipping(server, log, "conflict")
    shipping.sink.write([b'lamp,tenant=ahausen failure="somebody else wrote this" %d' % to_ns(START)])
    clean = [Entry.of(entry.place, entry.at_ns, entry.key,
                   tuple(one for one in entry.readings if one.quantity is not LAMP_FAILURE))
             for entry in town()[:60]]
    bad = town()[60]
    log.append([*clean[:30], bad, *clean[30:]])
    assert shipping.all() == 61
    [letter] = shipping.letters
    assert letter.payload in lines(bad)
    assert "field type conflict" in letter.detail
    assert letter.tenant == TOWN
    assert shipping.count() == 60
    assert shipping.count("rssi", "radio") == 61


def test_many_lines_of_another_type_take_three_requests(server, log):
    """InfluxDB names the field and says how many points it has dropped."""
    shipping = Shipping(server, log, "conflicts")
    shipping.sink.write([b'lamp,tenant=ahausen failure="somebody else wrote this" %d' % to_ns(START)])
    log.append(town()[:200])
    shipping.all()
    assert len(shipping.letters) == 200
    assert shipping.count("rssi", "radio") == 200
    counts = shipping.shipper.counts
    assert (counts.requests, counts.passed, counts.stored, counts.refused) == (4, 400, 200, 200)


def test_a_database_that_was_deleted_is_made_again_and_filled_by_a_rewind(server, log, tmp_path):
    shipping = Shipping(server, log, "deleted")
    log.append(town()[:80])
    shipping.all()
    shipping.sink.query('DROP DATABASE "deleted"')
    log.append(town()[80:100])
    shipping.all()
    assert shipping.count() == 20
    Rewinds(tmp_path).ask(Rewind(cursor_name(shipping.settings), 0))
    again = Shipping(server, log, "deleted", rewinds=Rewinds(tmp_path))
    again.all()
    assert again.count() == 100


def test_readings_older_than_influxdb_keeps_are_done_and_no_letters(server, log):
    settings = Influx(url=server.url, bucket="short", readings_days=1)
    sink, letters = open_sink(settings), []
    shipper = Shipper(log, sink, ManualClock(END), settings, bury=letters.extend)
    now = to_ns(datetime.now(UTC))
    log.append([Entry.of(place(1), now - days * 86400 * 10**9, f"up:{days}", [
        Reading(place(1), LAMP_LEVEL, 40.0, now - days * 86400 * 10**9)]) for days in (400, 300, 0)])
    while shipper.step():
        pass
    counts = shipper.counts
    assert (counts.passed, counts.stored, counts.expired, letters) == (3, 1, 2, [])
    sink.close()


def test_hours_and_days_are_in_databases_of_their_own_with_their_retention(server, log, tmp_path):
    settings = Influx(url=server.url, bucket="kept", hourly_days=500)
    clock = ManualClock(END)
    sinks = [(span, open_sink(settings_of(span, settings), creates=True, keep_days=span.keep_days)) for span in spans(settings)]
    aggregator = Aggregator(log, sinks, clock, directory=tmp_path, cursor=cursor_name(settings), keep_days=400)
    sink = open_sink(settings)
    shipper = Shipper(log, sink, clock, settings, bury=[].extend, passed=aggregator.passed)
    log.append(town())
    while shipper.step():
        pass
    clock.advance(86400)
    while aggregator.step():
        pass
    raw = sink.query('SELECT mean("power") AS mean, max("level") AS max, count("power") AS count FROM "lamp" '
                     "WHERE time >= 0 AND time < now() + 900d GROUP BY time(1h), asset fill(none)")
    rows = sinks[0][1].query('SELECT power_mean AS mean, level_max AS max, power_count AS count, asset FROM "lamp"')
    key = ("asset", "time", "mean", "max", "count")
    assert sorted(tuple(row[name] for name in key) for row in rows) == sorted(tuple(row[name] for name in key) for row in raw)
    [day] = sinks[1][1].query('SELECT sum(power_count) AS count FROM "lamp"')
    assert day["count"] == LAMPS * REPORTS
    [kept] = [row for row in sinks[0][1].query('SHOW RETENTION POLICIES ON "kept_hours"') if row["default"]]
    assert kept["duration"] == f"{500 * 24}h0m0s"
    for _, one in [*sinks, (None, sink)]:
        one.close()


def test_after_an_outage_live_data_is_there_within_seconds_and_the_backlog_soon(server, log, record_property):
    """The same at a small scale; bench/catchup.py measures 460,000 events."""
    settings = Influx(url=server.url, bucket="outage")
    sink = open_sink(settings)
    clock = ManualClock(END)
    shipper = Shipper(log, sink, clock, settings, bury=[].extend, backlog=5000)
    for step in range(30):
        log.append([report(number, step) for number in range(500)])
    shipper.step()
    log.append([report(1000, 0)])
    clock.advance(1)
    shipper.step()
    assert sink.query('SELECT level FROM "lamp" WHERE asset = \'L-1000\'')
    assert shipper.waiting() > 5000
    began = time.perf_counter()
    shipped = 0
    while shipper.waiting():
        shipped += shipper.step()
    record_property("entries_per_second", round(shipped / (time.perf_counter() - began)))
    [row] = sink.query('SELECT count("level") AS n FROM "lamp"')
    assert row["n"] == 30 * 500 + 1
    assert log.cursor(cursor_name(settings)) == log.head()
    sink.close()


def test_every_text_comes_back_as_it_was_said(server, log):
    texts = ['plain', 'with "quotes"', "back\\slash\\", "new\nline", "comma, equals= space", "Straße ü €", "'", ""]
    shipping = Shipping(server, log, "texts")
    where = place(1)
    log.append([Entry.of(where, at, "up", (Reading(where, DEVICE_DEBUG, text, at),))
                for at, text in enumerate(texts, start=to_ns(START))])
    shipping.all()
    assert [row["debug"] for row in shipping.sink.query('SELECT "debug" FROM "device"')] == texts
    assert shipping.letters == []


def test_implausible_values_stay_at_home(server, log):
    shipping = Shipping(server, log, "implausible")
    where, at = place(1), to_ns(START)
    log.append([Entry.of(where, at, "up", (Reading(where, LAMP_LEVEL, 240.0, at, "", Quality.IMPLAUSIBLE),
                                        Reading(where, LAMP_POWER, 30.0, at)))])
    shipping.all()
    [row] = shipping.sink.query('SELECT * FROM "lamp"')
    assert (row["power"], "level" in row) == (30.0, False)


def test_series_per_device_are_few(filled):
    rows = filled.sink.query("SHOW SERIES")
    assert len(rows) == 2 * LAMPS * 2  # lamp and radio for each


def test_shipping_keeps_up_with_a_large_town(server, log, record_property):
    """10,000 lamps that report each quarter of an hour are 11 entries a second; this must be far above it."""
    entries = [report(number, step) for step in range(10) for number in range(500)]
    log.append(entries)
    shipping = Shipping(server, log, "speed")
    began = time.perf_counter()
    assert shipping.all() == len(entries)
    rate = len(entries) / (time.perf_counter() - began)
    record_property("entries_per_second", round(rate))
    assert rate > 500
