"""What the local log and the city database cost, against bare sqlite3 in the same run. Prints ratios.

    python -m bench.store [uplinks]

"bare" appends the same bytes to one keyed table, in batches of the same size, each durable.
"""

import gc
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site, Tenant
from city.quantities import LAMP_ENERGY, LAMP_LEVEL, LAMP_POWER, LAMP_REASON, LAMP_VOLTAGE, RADIO_RSSI
from city.readings import NS, DeviceState, Entry, Last, Lasts, Place, Reading, series, to_ns
from city.store.opening import open_store
from city.store.ports import Facts
from city.store.readings import LocalLog

DEVICES, BATCH = 10_000, 500
START = to_ns(datetime(2026, 1, 10, tzinfo=UTC))
TOWN = Tenant(TenantId("musterstadt"), "Musterstadt", Site(48.4, 10.0))


def main() -> int:
    uplinks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    batches = list(_batches(_entries(uplinks)))
    gc.freeze()  # a bridge does not hold all that it will ever write
    with tempfile.TemporaryDirectory() as directory:
        bare = _measured("bare sqlite3", uplinks, lambda: _bare(Path(directory, "bare.db"), batches))
        ours = _measured("LocalLog", uplinks, lambda: _log(Path(directory, "log"), batches))
        again = _measured("LocalLog, redelivered", uplinks, lambda: _log(Path(directory, "log"), batches))
        print(f"LocalLog / bare: CPU {ours[0] / bare[0]:.2f}, bytes written {ours[1] / bare[1]:.2f};"
              f" redelivered: CPU {again[0] / bare[0]:.2f}")
        for size in (1, 10, 50):
            _small(Path(directory, f"log-{size}"), size, min(uplinks, 20_000))
        _city_database(Path(directory), min(uplinks, 50_000))
    return 0


def _measured(name: str, uplinks: int, run: Callable[[], None]) -> tuple[float, float]:
    """CPU µs and bytes written per uplink."""
    gc.collect()
    written, cpu, wall = _written(), process_time(), perf_counter()
    run()
    wall, cpu, written = perf_counter() - wall, process_time() - cpu, _written() - written
    print(f"{name:<34} {uplinks / wall:>9,.0f} /s  {cpu / uplinks * 1e6:6.1f} µs CPU  {written / uplinks:7.0f} B written")
    return cpu / uplinks * 1e6, max(written / uplinks, 1.0)


def _bare(path: Path, batches: Sequence[Sequence[Entry]]) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE log (at_ns INTEGER, device TEXT, key TEXT, body BLOB,"
                     " PRIMARY KEY (at_ns, device, key)) WITHOUT ROWID")
    body = bytes(100)  # as long as ours
    for batch in batches:
        database.execute("BEGIN")
        database.executemany("INSERT OR IGNORE INTO log VALUES (?, ?, ?, ?)",
                             [(entry.at_ns, entry.place.device, entry.key, body) for entry in batch])
        database.execute("COMMIT")
    database.close()


def _log(directory: Path, batches: Sequence[Sequence[Entry]]) -> None:
    log = LocalLog(directory)
    for batch in batches:
        log.append(batch)
    log.close()


def _small(directory: Path, size: int, uplinks: int) -> None:
    """Appends of `size` entries, after each device has been heard once: what a bridge does that commits what it has read."""
    log = LocalLog(directory)
    entries = list(_entries(DEVICES + uplinks))
    log.append(entries[:DEVICES])
    log.settle()
    before, took = log.status(), list[float]()

    def work() -> None:
        for first in range(DEVICES, len(entries), size):
            begun = perf_counter()
            log.append(entries[first:first + size])
            took.append(perf_counter() - begun)
        log.settle()

    _measured(f"LocalLog, {size} at a time", uplinks, work)
    took.sort()
    print(f"{'':<34} {(log.status().fsyncs - before.fsyncs) / len(took):.2f} syncs an append,"
          f" median {took[len(took) // 2] * 1e3:.2f} ms, 99 % within {took[len(took) * 99 // 100] * 1e3:.2f} ms")
    log.close()


def _city_database(directory: Path, uplinks: int) -> None:
    store = open_store(f"sqlite:///{directory / 'city.db'}")
    store.put_tenant(TOWN)
    store.tenant(TOWN.id).import_rows([_row(number) for number in range(DEVICES)])
    devices = [_eui(number) for number in range(DEVICES)]

    batches = [[_next(devices[(first + number) % DEVICES], first + number) for number in range(BATCH)]
               for first in range(0, uplinks, BATCH)]
    gc.freeze()

    def work() -> None:
        for batch in batches:
            store.view([state.device for state in batch])
            store.commit(Facts(states=tuple(batch)))

    _measured("city database, view and commit", uplinks, work)
    _measured("city database, again", uplinks, work)
    store.close()


def _next(device: DevEui, number: int) -> DeviceState:
    at = START + number * NS
    last = {series(reading.quantity): Last(reading.value, at, at) for reading in _readings(_place(0), at, number)}
    return DeviceState(device, "app", "01020304", number, at, last=Lasts.of(last))


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH)):
        yield batch


def _entries(uplinks: int) -> Iterator[Entry]:
    places = [_place(number) for number in range(DEVICES)]
    for number in range(uplinks):
        at = START + number * NS // 12
        place = places[number % DEVICES]
        yield Entry.of(place, at, f"01a2b3c4:{number}", _readings(place, at, number), 24, bytes(24))


def _readings(place: Place, at: int, number: int) -> tuple[Reading, ...]:
    values = (LAMP_LEVEL(40), LAMP_REASON("profile-1"), LAMP_POWER(31.5 + number % 7), LAMP_ENERGY(123_456 + number),
              LAMP_VOLTAGE(229.8), RADIO_RSSI(-97))
    return tuple(Reading(place, said.quantity, said.value, at) for said in values)


def _place(number: int) -> Place:
    return Place(TOWN.id, AssetId(f"L-{number:05}"), "lamp", ZoneId(f"zone-{number % 40}"),
                 CircuitId(f"feeder-{number % 200}"), _eui(number))


def _eui(number: int) -> DevEui:
    return DevEui(f"70b3d5{number:010x}")


def _row(number: int) -> ImportRow:
    place = _place(number)
    return ImportRow(number + 2, place.asset, "lamp", str(place.asset), TOWN.site, place.zone, place.circuit,
                     place.device, "nas/ul20xx", 60.0, "P4", Restriction.NONE)


def _written() -> int:
    """Bytes that this process has handed to the file systems."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("wchar"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
