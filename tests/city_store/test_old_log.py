"""Logs of version 0.3, one SQLite table a day, are moved into files when they are opened."""

import sqlite3
from pathlib import Path

import pytest

from city.store import packing
from city.store.days import DAY_NS
from city.store.readings import FILE, LocalLog
from tests.city_store.test_local_log import START, entry, levels, of_device


def old_log(directory: Path) -> list[object]:
    """Three days, one late entry, and gaps where entries had been repeated."""
    directory.mkdir(exist_ok=True)
    connection = sqlite3.connect(directory / FILE, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in (*packing.SCHEMA, ("CREATE TABLE days (day INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL,"
                      " lag_ns INTEGER NOT NULL, lead_ns INTEGER NOT NULL, closed INTEGER NOT NULL)"),
                      "CREATE TABLE cursors (sink TEXT PRIMARY KEY, position INTEGER NOT NULL)",
                      "INSERT INTO cursors VALUES ('influx', 3)"):
        connection.execute(statement)
    entries = [of_device(number % 3, START + number * DAY_NS // 4, float(number)) for number in range(12)]
    entries.append(of_device(1, START + 5, 99.0))
    names = packing.Names(connection)
    for seq, item in zip((1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 20, 21), entries, strict=True):
        name = f"day_{20260110 + (item.at_ns - START) // DAY_NS}"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, device INTEGER"
                           " NOT NULL, tag INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL)")
        place, device = names.place(item.place)
        connection.execute(f"INSERT INTO {name} VALUES (?, ?, ?, 0, ?, ?)", (seq, item.at_ns, device, place, names.pack(item)[0]))
        connection.execute("INSERT OR IGNORE INTO days VALUES (?, ?, 0, 0, 0)", (item.at_ns // DAY_NS, seq))
    names.write()
    connection.close()
    return list(entries)


@pytest.fixture
def entries(tmp_path):
    return old_log(tmp_path)


def test_all_of_an_old_log_is_there_in_order_and_known(tmp_path, entries):
    log = LocalLog(tmp_path)
    shipped = list(log.after(0, 100))
    assert [item for _, item in shipped] == entries
    assert [position for position, _ in shipped] == [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 20, 21]
    assert (log.cursor("influx"), log.head()) == (3, 21)
    assert log.append([*entries, entry(START + 9 * DAY_NS)]) == 1
    assert log.head() == 22
    log.close()
    assert len(list((tmp_path / "segments").glob("*.log"))) == 3
    assert (tmp_path / FILE).stat().st_size < 100_000


def test_a_move_that_was_interrupted_goes_on(tmp_path, entries):
    LocalLog(tmp_path).close()
    files = sorted((tmp_path / "segments").glob("*.log"))
    files[-1].unlink()  # as if the last day had not been moved yet
    whole = {path: path.read_bytes() for path in files[:-1]}
    (tmp_path / FILE).unlink()
    old_log(tmp_path)
    log = LocalLog(tmp_path)
    assert [item for _, item in log.after(0, 100)] == entries
    assert {path: path.read_bytes() for path in whole} == whole
    log.close()


def test_what_can_be_read_of_a_damaged_old_log_is_moved(tmp_path, entries):
    path = tmp_path / FILE
    with sqlite3.connect(path) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'day_20260111'").fetchone()
        [index] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'places_asset'").fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    for number in (page, index):
        data[(number - 1) * 4096:number * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    log = LocalLog(tmp_path)
    assert [item for _, item in log.after(0, 100)] == [*entries[:4], *entries[8:]]
    assert (log.cursor("influx"), log.status().set_aside) == (3, (f"{FILE}.1",))
    assert levels(log) == [99.0, 1.0, 10.0]
    log.close()
