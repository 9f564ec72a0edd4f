"""LocalLog alone: days, retention, one writer, and what goes wrong with files."""

import logging
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from city.errors import Invalid, OutOfRange, StoreDown
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import LAMP_LEVEL, RADIO_FCNT, quantity, raw
from city.readings import NS, Entry, Place, Reading, from_ns, to_ns
from city.store import days
from city.store.days import DAY_NS, PART_NS
from city.store.readings import FILE, LocalLog

START = to_ns(datetime(2026, 1, 10, tzinfo=UTC))
PLACE = Place(TenantId("aheim"), AssetId("L1"), "lamp", ZoneId("Markt"), None, DevEui("0000000000000001"))


def entry(at_ns: int, level: float = 1.0, key: str = "k") -> Entry:
    return Entry.of(PLACE, at_ns, key, (Reading(PLACE, LAMP_LEVEL, level, at_ns),))


def levels(log: LocalLog, start: int = START, days: int = 1000) -> list[object]:
    return [point.value for point in log.history(PLACE.tenant, PLACE.asset, LAMP_LEVEL, from_ns(start),
                                                 from_ns(start + days * DAY_NS))]


def tables(directory: Path, kind: str) -> list[str]:
    with sqlite3.connect(directory / FILE) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = ? AND name LIKE 'day@_%' ESCAPE '@'"
                                  " ORDER BY name", (kind,)).fetchall()
    connection.close()
    return [name for (name,) in rows]


@pytest.fixture
def log(tmp_path):
    opened = LocalLog(tmp_path)
    yield opened
    opened.close()


def test_raw_readings_come_back_by_their_name_and_type_after_opening_again(log, tmp_path):
    said = [raw("acme/x1", "sensor.t 1", 4), raw("acme/x1", "state", "open"), raw("acme/x1", "state", True)]
    kept = Entry.of(PLACE, START, "k", tuple(Reading(PLACE, item.quantity, item.value, START) for item in said))
    log.append([kept])
    log.close()
    again = LocalLog(tmp_path)
    until = from_ns(START + 1000)
    for item in said:
        [point] = again.history(PLACE.tenant, PLACE.asset, quantity(item.quantity.name), from_ns(START), until)
        assert (point.value, type(point.value)) == (item.value, type(item.value))
    assert [entry for _, entry in again.after(0, 10)] == [kept]
    again.close()


def test_each_utc_day_has_its_table(log, tmp_path):
    log.append([entry(START), entry(START + DAY_NS - 1), entry(START + DAY_NS)])
    assert tables(tmp_path, "table") == ["day_20260110", "day_20260111"]


def test_a_finished_day_gets_its_index_and_the_running_one_has_none(log, tmp_path):
    log.append([entry(START)])
    log.append([entry(START + DAY_NS)])
    assert "day_20260110_device" not in tables(tmp_path, "index")
    log.append([entry(START + DAY_NS + 1)])
    assert "day_20260110_device" in tables(tmp_path, "index")
    assert "day_20260111_device" not in tables(tmp_path, "index")
    assert levels(log) == [1.0, 1.0, 1.0]


def test_an_index_that_is_missing_at_start_is_built(log, tmp_path):
    log.append([entry(START), entry(START + DAY_NS)])
    log.close()
    again = LocalLog(tmp_path)
    again.append([entry(START + DAY_NS + 1)])
    assert "day_20260110_device" in tables(tmp_path, "index")
    again.close()


def test_finished_parts_of_the_running_day_are_indexed(log, tmp_path):
    log.append([entry(START, 0.0), entry(START + PART_NS, 1.0)])
    log.append([entry(START + 2 * PART_NS, 2.0)])
    log.append([entry(START + PART_NS + 1, 1.5), entry(START + 2 * PART_NS + 1, 2.5)])
    assert tables(tmp_path, "index") == ["day_20260110_00", "day_20260110_01", "day_20260110_at"]
    with sqlite3.connect(tmp_path / FILE) as connection:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        list(days.of_places(connection, [1], START, START + DAY_NS))
        connection.set_trace_callback(None)
        plans = [str(connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()) for query in seen if "body" in query]
    connection.close()
    assert ["COVERING INDEX day_20260110_00" in plans[0], "COVERING INDEX day_20260110_at" in plans[2]] == [True, True]
    assert levels(log) == [0.0, 1.0, 1.5, 2.0, 2.5]
    log.append([entry(START + DAY_NS)])
    log.append([entry(START + DAY_NS + 1)])
    assert tables(tmp_path, "index") == ["day_20260110_at", "day_20260110_device", "day_20260111_at"]


def test_a_history_question_is_answered_by_indexes(log, tmp_path):
    log.append([entry(START), entry(START + DAY_NS)])
    log.append([entry(START + DAY_NS + 1)])
    with sqlite3.connect(tmp_path / FILE) as connection:
        for day, index in (("day_20260110", "day_20260110_device"), ("day_20260111", "day_20260111_at")):
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN SELECT seq FROM {day} WHERE at_ns >= 0 AND at_ns < 9"
                                          " AND device IN (1)").fetchall())
            assert f"COVERING INDEX {index}" in plan
    connection.close()


def test_the_oldest_days_are_dropped_and_it_is_said_where_they_were_not_shipped(tmp_path, caplog):
    log = LocalLog(tmp_path, keep_days=2)
    log.append([entry(START, 0.0)])
    log.move_cursor("influx", log.head())
    log.append([entry(START + DAY_NS, 1.0)])
    with caplog.at_level(logging.WARNING, "stadtfunk.log"):
        log.append([entry(START + 2 * DAY_NS, 2.0)])
        log.append([entry(START + 2 * DAY_NS + 1, 2.5)])
        assert caplog.messages == []
        log.append([entry(START + 3 * DAY_NS, 3.0)])
        log.append([entry(START + 3 * DAY_NS + 1, 3.5)])
    assert levels(log) == [2.0, 2.5, 3.0, 3.5]
    assert len(caplog.messages) == 1
    assert "influx" in caplog.messages[0]
    log.close()


def test_positions_never_begin_again(tmp_path):
    log = LocalLog(tmp_path, keep_days=1)
    log.append([entry(START + number) for number in range(5)])
    log.append([entry(START + DAY_NS)])
    log.append([entry(START + 2 * DAY_NS)])
    log.move_cursor("influx", log.head())
    head = log.head()
    log.close()
    again = LocalLog(tmp_path, keep_days=1)
    again.append([entry(START + 3 * DAY_NS)])
    assert again.head() == head + 1
    assert [item.at_ns for _, item in again.after(again.cursor("influx"), 10)] == [START + 3 * DAY_NS]
    again.close()


def test_only_one_may_write_and_others_read(log, tmp_path):
    log.append([entry(START)])
    reader = LocalLog(tmp_path)
    assert levels(reader) == [1.0]
    with pytest.raises(StoreDown, match="Another process"):
        reader.append([entry(START + 1)])
    log.append([entry(START + 2, 2.0)])
    assert levels(reader) == [1.0, 2.0]
    log.close()
    assert reader.append([entry(START + 3)]) == 1
    reader.close()


def test_many_threads_read_while_one_writes(log):
    log.append([entry(START, -1.0)])

    def read(_: int) -> int:
        return len(levels(log)) + len(list(log.after(0, 100))) + log.head()

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(read, range(100))
        for number in range(1, 20):
            log.append([entry(START + number)])
        assert all(answer >= 3 for answer in answers)


def test_what_no_log_can_keep_is_out_of_range_and_nothing_is_stored(log):
    huge = Entry.of(PLACE, START, "k", (Reading(PLACE, RADIO_FCNT, 2**70, START),))
    for bad in (entry(-1), entry(2**64), huge):
        with pytest.raises(OutOfRange):
            log.append([entry(START), bad])
    assert log.head() == 0
    log.append([entry(START)])
    assert levels(log) == [1.0]


def test_a_corrupt_log_is_moved_aside_and_said(tmp_path, caplog):
    (tmp_path / FILE).write_bytes(b"this was never a database" * 400)
    with caplog.at_level(logging.ERROR, "stadtfunk.log"):
        log = LocalLog(tmp_path)
    assert "moved to" in caplog.messages[0]
    assert (tmp_path / f"{FILE}.corrupt-1").read_bytes().startswith(b"this was never")
    assert log.append([entry(START)]) == 1
    log.close()


def test_a_log_with_a_broken_page_is_moved_aside(tmp_path):
    log = LocalLog(tmp_path)
    log.append([entry(START + number) for number in range(2000)])
    log.close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    again = LocalLog(tmp_path)
    assert again.head() == 0
    assert again.append([entry(START)]) == 1
    again.close()


def test_a_second_corrupt_log_does_not_overwrite_the_first(tmp_path):
    for _ in range(2):
        (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
        LocalLog(tmp_path).close()
    assert (tmp_path / f"{FILE}.corrupt-2").exists()


def test_a_corrupt_log_is_not_taken_from_under_a_writer(tmp_path):
    (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
    with (tmp_path / "writer.lock").open("ab") as lock:
        flock(lock, LOCK_EX)
        with pytest.raises(StoreDown, match="Another process"):
            LocalLog(tmp_path)
    assert (tmp_path / FILE).exists()


def test_a_directory_that_cannot_be_made_is_store_down(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown):
        LocalLog(tmp_path / "file" / "log")


def test_a_closed_log_is_store_down(log):
    log.close()
    for ask in (log.head, lambda: log.append([entry(START)]), lambda: log.move_cursor("influx", 1)):
        with pytest.raises(StoreDown):
            ask()


def test_at_least_a_day_is_kept(tmp_path):
    with pytest.raises(Invalid):
        LocalLog(tmp_path, keep_days=0)


def test_others_may_not_read_the_files(log, tmp_path):
    log.append([entry(START)])
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from city.errors import StoreDown
from city.store.readings import LocalLog
sys.path.insert(0, {tests!r})
from test_local_log import START, entry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = LocalLog(Path({directory!r}))
log.append([entry(START, 0.0)])
size = max(path.stat().st_size for path in Path({directory!r}).iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, resource.RLIM_INFINITY))
batch = [entry(START + number, float(number), "k" * 50) for number in range(1, 5000)]
try:
    log.append(batch)
except StoreDown as error:
    print("down:", error)
head = log.head()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(head, log.append(batch), len(list(log.after(0, 10000))))
"""


def test_a_full_disk_is_store_down_and_nothing_of_the_batch_is_there(tmp_path):
    script = FULL_DISK.format(tests=str(Path(__file__).parent), directory=str(tmp_path / "log"))
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert run.stdout.startswith("down:"), run.stdout
    assert run.stdout.splitlines()[1] == "1 4999 5000"


KILLED = """
import os, sys
from pathlib import Path
from city.store.readings import LocalLog
sys.path.insert(0, {tests!r})
from test_local_log import START, entry
log = LocalLog(Path({directory!r}))
log.append([entry(START + number) for number in range(500)])
print("durable", flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_was_appended_survives_a_kill(tmp_path):
    script = KILLED.format(tests=str(Path(__file__).parent), directory=str(tmp_path / "log"))
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert (run.returncode, run.stdout) == (-9, "durable\n")
    log = LocalLog(tmp_path / "log")
    assert len(list(log.after(0, 1000))) == 500
    assert log.append([entry(START), entry(START + 10 * NS)]) == 1
    log.close()
