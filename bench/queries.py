"""What questions about history cost, against a plain SQL scan of the same values in the same run.

    python -m bench.queries [devices] [days] [--write docs/performance.md]      (10000 3)

10,000 lamps and 30 days take half an hour. Each lamp reports each 15 minutes. "scan" is one SQLite table of (time, device,
zone, power), without an index, in the page cache: what answers anything and knows nothing. Times are this process's CPU
time but for the last line's.
"""

import argparse
import gc
import http.client
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep

from api.__main__ import server
from api.app import create_app
from api.auth import new_token
from bench._page import measured, put
from city.clock import ManualClock
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site, Tenant
from city.quantities import (
    DEVICE_TEMPERATURE,
    LAMP_CURRENT,
    LAMP_ENERGY,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_REASON,
    LAMP_VOLTAGE,
    RADIO_DR,
    RADIO_FCNT,
    RADIO_RSSI,
    RADIO_SNR,
)
from city.readings import NS, DeviceState, Entry, Last, Lasts, Place, to_ns
from city.settings import Api, Log, Settings
from city.store.local_queries import LocalQueries
from city.store.opening import open_store
from city.store.ports import Facts, Role, Store
from city.store.queries import Question
from city.store.readings import LocalLog

TOWN = Tenant(TenantId("musterstadt"), "Musterstadt", Site(48.4, 10.0))
START, QUARTER_S, ZONES, BATCH = datetime(2026, 1, 1, tzinfo=UTC), 900, 40, 1000
TIMES, REQUESTS = 20, 300
Say = Callable[[str], None]
_WHAT = """
Each lamp reports 12 values each 15 minutes. CPU time of this process, median of 20; in brackets what was asked. *Scan*: one
SQLite table of (time, device, zone, power) without an index, in memory, in the same run.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("devices", type=int, nargs="?", default=10_000)
    parser.add_argument("days", type=int, nargs="?", default=3)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put it into the page, too")
    words = parser.parse_args()
    devices, days, said = words.devices, words.days, list[str]()

    def say(line: str) -> None:
        print(line, flush=True)
        said.append(line)

    places = [_place(number) for number in range(devices)]
    with tempfile.TemporaryDirectory() as directory:
        log, store = LocalLog(Path(directory, "log")), open_store(f"sqlite:///{directory}/city.db")
        answers = LocalQueries(log, store)
        scanned = _fill(log, places, days, say)
        _register(store, places)
        _measure(answers, scanned, store, devices, days, say)
        _requests(log, store, START + timedelta(days=days), say)
        answers.close()
        log.close()
        store.close()
    if words.write:
        body = "\n".join(said)
        put(words.write, "queries", f"## Questions about history (`bench.queries`)\n\n{measured()}\n{_WHAT}\n```\n{body}\n```")
    return 0


def _fill(log: LocalLog, places: list[Place], days: int, say: Say) -> sqlite3.Connection:
    """The log, with its own sums; and the table that is scanned."""
    plain = sqlite3.connect(":memory:", isolation_level=None)
    plain.execute("CREATE TABLE said (at INTEGER, device INTEGER, zone INTEGER, power REAL)")
    uplinks, cpu = len(places) * days * 96, process_time()
    for batch in _entries(places, days):
        log.append(batch)
    say(f"{len(places):,} lamps, {days} days, {uplinks:,} uplinks;"
        f" written in {(process_time() - cpu) / uplinks * 1e6:.1f} µs each")
    plain.execute("BEGIN")
    plain.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", (
        (at, number, number % ZONES, 20.5 + (at // QUARTER_S + number) % 7)
        for at in range(0, days * 86_400, QUARTER_S) for number in range(len(places))))
    plain.execute("COMMIT")
    return plain


def _measure(answers: LocalQueries, plain: sqlite3.Connection, store: Store, devices: int, days: int, say: Say) -> None:
    uplinks, cpu, end = devices * days * 96, process_time(), START + timedelta(days=days)
    gc.freeze()
    while answers.keep_up():
        pass
    say(f"added up by hour and zone in {(process_time() - cpu) / uplinks * 1e6:.1f} µs an uplink, once and by whoever asks")

    def ask(**more: object) -> Callable[[], object]:
        asked = {"start": START, "end": end, "every_s": 3600.0, **more}
        return lambda: list(answers.series(Question(TOWN.id, LAMP_POWER, **asked)))  # type: ignore[arg-type]

    def row(name: str, most_ms: float | None, run: Callable[[], object], scan: str, values: tuple[int, ...],
            times: int = TIMES) -> None:
        say(_row(name, most_ms, run, plain, scan, values, times))

    lamp, day = AssetId(f"L-{devices // 2:06}"), end - timedelta(days=1)
    scan = "SELECT avg(power) FROM said WHERE at >= ? AND device BETWEEN ? AND ? GROUP BY at / 3600"
    one, whole = (devices // 2, devices // 2), (0, devices)
    row("one lamp, 24 h by hour", 8, ask(start=day, asset=lamp), scan, ((days - 1) * 86_400, *one))
    row("one lamp, 24 h, every value", None, ask(start=day, asset=lamp, every_s=None), scan, ((days - 1) * 86_400, *one))
    row(f"the town, {days} days by hour", 1500, ask(), scan, (0, *whole))
    row(f"its zones, {days} days by hour", 1500, ask(by="zone"),
         "SELECT zone, avg(power) FROM said WHERE at >= ? AND device BETWEEN ? AND ? GROUP BY zone, at / 3600", (0, *whole))
    row("the town until half past", None, ask(end=end - timedelta(minutes=30)), scan, (0, *whole))
    answers.last(TOWN.id, LAMP_POWER)
    row("the last of each lamp", 10, lambda: answers.last(TOWN.id, LAMP_POWER),
         "SELECT device, power, max(at) FROM said WHERE at >= ? AND device BETWEEN ? AND ? GROUP BY device", (0, *whole))
    store.commit(Facts(states=tuple(_state(_place(number), 99) for number in range(100))))
    row("… 100 of which have just spoken", 10, lambda: answers.last(TOWN.id, LAMP_POWER),
         "SELECT device, power, max(at) FROM said WHERE at >= ? AND device BETWEEN ? AND ? GROUP BY device", (0, *whole), times=1)


def _row(name: str, most_ms: float | None, ask: Callable[[], object], plain: sqlite3.Connection, scan: str,
         values: tuple[int, ...], times: int) -> str:
    """One line: the median, its bound, and how it compares with the scan."""
    ours = median(_cpu_ms(ask) for _ in range(times))
    theirs = _cpu_ms(lambda: plain.execute(scan, values).fetchall())
    bound = f"(≤ {most_ms:,.0f})" if most_ms else ""
    return (f"{name:<34} {ours:9.2f} ms {bound:<10} scan {theirs:9.1f} ms   {ours / theirs:8.4f} of it")


def _cpu_ms(run: Callable[[], object]) -> float:
    begun = process_time()
    run()
    return (process_time() - begun) * 1e3


def _requests(log: LocalLog, store: Store, end: datetime, say: Say) -> None:
    """One lamp's 24 hours by hour, over HTTP, one request after the other."""
    settings = Settings(api=Api(port=18080, history="local"), log=Log(directory=str(log.directory)))
    text, token = new_token(name="bench", role=Role.VIEWER, tenant=TOWN.id, now=end)
    store.put_token(token)
    serving = server(create_app(store, log, ManualClock(end), settings), settings, signals=False)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    while not serving.started:
        sleep(0.01)
    connection = http.client.HTTPConnection("127.0.0.1", settings.api.port, timeout=30)
    address = (f"/api/v1/tenants/{TOWN.id}/readings?asset=L-000001&quantity=lamp.power&every=1h"
               f"&from={_iso(end - timedelta(days=1))}&to={_iso(end)}")
    took = []
    for _ in range(REQUESTS):
        begun = perf_counter()
        connection.request("GET", address, headers={"Authorization": f"Bearer {text}"})
        answer = connection.getresponse()
        body = answer.read()
        took.append((perf_counter() - begun) * 1e3)
        if answer.status != 200:
            raise SystemExit(f"{answer.status} {body[:300]!r}")
    took.sort()
    serving.should_exit = True
    connection.close()
    thread.join(10)
    say(f"the same over HTTP, {REQUESTS} times, by the wall clock: median {median(took):.1f} ms,"
        f" 99 % within {took[REQUESTS * 99 // 100]:.1f} ms (≤ 8 on an idle machine), {len(body)} bytes")


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _entries(places: list[Place], days: int) -> Iterator[list[Entry]]:
    for at in range(0, days * 86_400, QUARTER_S):
        ns = to_ns(START) + at * NS
        for first in range(0, len(places), BATCH):
            yield [_entry(place, ns + first + index, at, first + index)
                   for index, place in enumerate(places[first:first + BATCH])]


def _entry(place: Place, ns: int, at: int, number: int) -> Entry:
    step = at // QUARTER_S
    return Entry(place, ns, f"01a2b3c4:{step}", (
        LAMP_LEVEL(40.0 + step % 50), LAMP_REASON("profile-1"), LAMP_POWER(20.5 + (step + number) % 7),
        LAMP_ENERGY(1000.5 + 7 * step), LAMP_VOLTAGE(229.8), LAMP_CURRENT(0.125), LAMP_FAILURE(False),
        DEVICE_TEMPERATURE(11.25 + step % 9), RADIO_RSSI(-97.0), RADIO_SNR(5.5), RADIO_DR(5), RADIO_FCNT(step)), f_port=24,
        data=bytes(24))


def _register(store: Store, places: list[Place]) -> None:
    store.put_tenant(TOWN)
    store.tenant(TOWN.id).import_rows([
        ImportRow(2 + number, place.asset, "lamp", place.asset, TOWN.site, place.zone, None, place.device, "nas/ul20xx", 60.0,
                  "P4", Restriction.NONE) for number, place in enumerate(places)])
    for first in range(0, len(places), BATCH):
        store.commit(Facts(states=tuple(_state(place, 1) for place in places[first:first + BATCH])))


def _state(place: Place, number: int) -> DeviceState:
    at = to_ns(START) + number * NS
    said = _entry(place, at, number, 0).said
    return DeviceState(place.device, "app", "01020304", number, at,
                       last=Lasts.of({item.quantity.name: Last(item.value, at, at) for item in said}))


def _place(number: int) -> Place:
    return Place(TOWN.id, AssetId(f"L-{number:06}"), "lamp", ZoneId(f"zone-{number % ZONES}"), None, DevEui(f"{number + 1:016x}"))


if __name__ == "__main__":
    sys.exit(main())
