"""How long InfluxDB takes to catch up after an outage: a backlog from the local log to a real influxd, with live reports
arriving meanwhile.

    python -m bench.catchup [--events 460000] [--per-second 128] [--directory DIR] [--write docs/performance.md]

460,000 events are an hour of 128 a second. Needs influxd (Debian's package influxdb). Wall-clock figures are those of a
machine that does nothing else; the CPU time of this process is ours.
"""

import argparse
import dataclasses
import tempfile
import time
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from bench._page import measured, put
from bench.lines import REPORT
from bench.lines import entry as report
from city.clock import SystemClock
from city.errors import InfluxDown
from city.ids import AssetId, TenantId
from city.readings import NS, Entry
from city.settings import Influx
from city.store.influx import InfluxDB, Sink
from city.store.influx_places import of_town
from city.store.influx_towns import open_readings
from city.store.readings import LocalLog
from gateway_bridge.ship import Shipper
from tests.wire.influxd import influxd

TOWN, DEVICES = TenantId("ahausen"), 10_000
BATCH = 500


def main() -> None:
    """Fill a log, ship it, and print how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=460_000)
    parser.add_argument("--per-second", type=int, default=128, help="live reports that arrive meanwhile")
    parser.add_argument("--directory", type=Path, help="where log and influxd have their files")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put it into the page, too")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.directory) as name, influxd(Path(name)) as server:
        log = LocalLog(Path(name) / "log")
        start = time.time_ns() - 3600 * NS
        for begin in range(0, words.events, BATCH):
            log.append([_event(start, number) for number in range(begin, min(begin + BATCH, words.events))])
        settings = Influx(url=server.url)
        with closing(open_readings(settings)) as sink, closing(InfluxDB(of_town(settings, TOWN))) as asked:
            said = _catch_up(log, sink, asked, settings, words.events, words.per_second)
        log.close()
    print(said)
    if words.write:
        put(words.write, "catchup", f"## After an outage of InfluxDB (`bench.catchup`)\n\n{measured()}\n\n{said}")


def _catch_up(log: LocalLog, sink: Sink, asked: InfluxDB, settings: Influx, events: int, per_second: int) -> str:
    shipper = Shipper(log, sink, SystemClock(), settings, bury=_nobody)
    began, cpu, live, slowest, away, looked = time.perf_counter(), time.process_time(), 0, 0.0, 0, 0.0
    while shipper.waiting():
        try:
            shipper.step()
        except InfluxDown:
            away += 1
        due = int((time.perf_counter() - began) * per_second)
        if due > live:
            log.append([_live(number) for number in range(live, due)])
            live = due
        if time.perf_counter() > looked + 5:
            slowest, looked = max(slowest, _age(asked)), time.perf_counter()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    stored = sum(int(str(row["n"])) for row in asked.query('SELECT count("level") AS n FROM "lamp"'))
    return (f"{events:,} events of {len(REPORT)} values and {live:,} live ones, {per_second} a second: {took:.1f} s (asked: 120),"
            f" {(events + live) / took:,.0f} a second, {cpu / (events + live) * 1e6:.1f} µs of CPU each in this process, log and"
            f" questions included. {stored:,} are in InfluxDB. The newest live one was {slowest:.1f} s old at most, as InfluxDB"
            f" answers; {away} requests had no answer.")


def _age(asked: InfluxDB) -> float:
    """Seconds since the newest report that InfluxDB has; 0 where that is none of the live ones."""
    rows = asked.query('SELECT last("level") FROM "lamp" WHERE time > now() - 10m AND asset =~ /^L-live/')
    newest = max((int(str(row["time"])) for row in rows), default=0)
    return (time.time_ns() - newest) / NS if newest else 0.0


def _event(at_ns: int, number: int) -> Entry:
    """One of an hour's backlog, all lamps in turn."""
    return report(number % DEVICES, REPORT, at_ns + number * 7_826_087 % (3600 * NS), f"up:{number}")


def _live(number: int) -> Entry:
    """One that arrives now."""
    now = time.time_ns()
    found = report(number % 100, REPORT, now + number, f"live:{number}")
    return replace(found, place=dataclasses.replace(found.place, asset=AssetId(f"L-live-{number % 100}")))


def _nobody(letters: object) -> None:
    raise AssertionError(f"InfluxDB refuses lines: {letters}")


if __name__ == "__main__":
    main()
