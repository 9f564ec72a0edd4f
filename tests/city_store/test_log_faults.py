"""The local log under faults: F4, F5, F14, F15, F16 of the fault list. What was acknowledged is there or said to be lost."""

import logging
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from city.errors import LogBroken, StoreDown
from city.ids import AssetId, DevEui
from city.readings import NS, Entry
from city.store.days import DAY_NS
from city.store.readings import FILE, LocalLog
from tests.city_store.log_disk import BROKEN, FULL, READ_ONLY, FailingDisk, ForgetfulDisk
from tests.city_store.test_local_log import PLACE, START, entry, levels


def segments(directory: Path) -> list[Path]:
    return sorted((directory / "segments").glob("*.log"))


def filled(directory: Path, days: int = 1, batches: int = 10) -> list[Entry]:
    """What was stored in a log that has been closed."""
    log = LocalLog(directory)
    stored = []
    for day in range(days):
        for number in range(batches):
            at = START + day * DAY_NS + number * NS
            batch = [entry(at + index, float(number), f"{day}/{number}/{index}") for index in range(20)]
            log.append(batch)
            stored += batch
    log.move_cursor("influx", 5)
    log.close()
    return stored


def kept(directory: Path) -> tuple[LocalLog, list[Entry]]:
    log = LocalLog(directory)
    return log, [item for _, item in log.after(0, 100_000)]


def flip(path: Path, byte: int) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= 0xFF
    path.write_bytes(data)


# F15: damaged files

def test_a_damaged_frame_is_lost_alone_and_said_and_the_file_set_aside(tmp_path, caplog):
    stored = filled(tmp_path)
    [path] = segments(tmp_path)
    flip(path, path.stat().st_size // 2)
    before = path.read_bytes()
    log, found = kept(tmp_path)
    assert len(found) == len(stored) - 20
    assert set(map(repr, found)) < set(map(repr, stored))
    status = log.status()
    assert status.lost == 20
    assert status.set_aside == (f"{path.name}.1",)
    assert (tmp_path / "quarantine" / f"{path.name}.1").read_bytes() == before
    assert any("20 entries" in finding for finding in status.findings)
    assert all(finding in caplog.text for finding in status.findings)
    assert log.append(stored) == 20  # redelivered, they are new
    assert log.cursor("influx") == 5
    log.close()


@pytest.mark.parametrize("seed", range(20))
def test_wherever_bytes_flip_nothing_vanishes_in_silence(tmp_path, seed):
    stored = filled(tmp_path, days=2, batches=5)
    rng = random.Random(seed)
    path = rng.choice(segments(tmp_path))
    for _ in range(rng.randint(1, 4)):
        flip(path, rng.randrange(path.stat().st_size))
    log, found = kept(tmp_path)
    lost = len(stored) - len(found)
    assert set(map(repr, found)) <= set(map(repr, stored))
    assert lost > 0
    assert log.status().findings
    head = log.head()
    assert head >= len(stored)
    assert log.append([entry(START + 5 * DAY_NS)]) == 1
    assert log.head() > head
    [(_, last)] = list(log.after(head, 10))
    assert last.at_ns == START + 5 * DAY_NS
    log.close()


def test_damage_in_a_finished_file_is_passed_over_when_it_is_read_and_mended_beside_appending(tmp_path):
    stored = filled(tmp_path, days=2)
    path = segments(tmp_path)[0]
    flip(path, path.stat().st_size // 2)
    log, found = kept(tmp_path)
    assert (len(found), log.status().lost) == (len(stored) - 20, 20)
    log.append([entry(START + 2 * DAY_NS)])
    log.settle()
    assert log.status().set_aside == (f"{path.name}.1",)
    assert len(list(log.after(0, 1000))) == len(stored) - 20 + 1
    assert log.status().lost == 20  # said once
    log.close()


def test_history_leaves_out_a_value_whose_bytes_are_damaged(tmp_path):
    filled(tmp_path, days=2, batches=1)
    path = segments(tmp_path)[0]
    log = LocalLog(tmp_path)
    log.append([entry(START + 3 * DAY_NS, 9.0)])
    log.settle()  # indexed
    flip(path, path.stat().st_size - 2)
    assert levels(log) == [0.0] * 39 + [9.0]
    assert log.status().lost == 1
    log.close()


def test_a_file_of_nonsense_is_set_aside_and_positions_go_on(tmp_path):
    filled(tmp_path)
    [path] = segments(tmp_path)
    size = path.stat().st_size
    path.write_bytes(b"\xff" * size)
    log = LocalLog(tmp_path)
    assert log.head() >= 200
    assert log.status().set_aside == (f"{path.name}.1",)
    head = log.head()
    log.append([entry(START)])
    assert [position for position, _ in log.after(head, 5)] == [log.head()]
    log.close()


def test_a_write_that_was_cut_off_is_no_damage_and_is_cut_off(tmp_path):
    stored = filled(tmp_path)
    [path] = segments(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:300])
    log, found = kept(tmp_path)
    assert list(map(repr, found)) == list(map(repr, stored))
    assert path.read_bytes() == whole
    assert log.status().lost == 0
    assert (tmp_path / "quarantine" / log.status().set_aside[0]).read_bytes() == whole[:300]
    log.append([entry(START + DAY_NS)])
    assert len(list(log.after(0, 1000))) == len(stored) + 1
    log.close()


def test_a_damaged_ledger_is_made_anew_from_the_files(tmp_path):
    stored = filled(tmp_path, days=2)
    (tmp_path / FILE).write_bytes(b"this was never a database" * 400)
    log, found = kept(tmp_path)
    assert list(map(repr, found)) == list(map(repr, stored))
    assert log.cursor("influx") == 0  # sinks begin again
    assert log.status().set_aside == (f"{FILE}.1",)
    other = replace(PLACE, asset=AssetId("L2"), device=DevEui("0000000000000002"))
    assert log.append([*stored, replaced(stored[0], other)]) == 1
    log.close()
    assert kept_places(tmp_path) == {"L1", "L2"}


def test_a_ledger_that_is_older_than_the_files_learns_from_all_of_them(tmp_path):
    filled(tmp_path)
    old = (tmp_path / FILE).read_bytes()
    log = LocalLog(tmp_path)
    log.append([replaced(entry(START + day * DAY_NS), replace(PLACE, asset=AssetId(f"L{day}"))) for day in (2,)])
    log.append([replaced(entry(START + 3 * DAY_NS), replace(PLACE, asset=AssetId("L3")))])
    log.close()
    (tmp_path / FILE).write_bytes(old)
    assert kept_places(tmp_path) == {"L1", "L2", "L3"}


def replaced(item: Entry, place: object) -> Entry:
    return Entry(place, item.at_ns, item.key, item.said, item.odd, item.f_port, item.data)  # type: ignore[arg-type]


def kept_places(directory: Path) -> set[str]:
    log, found = kept(directory)
    log.close()
    return {item.place.asset for item in found}


def test_cursors_are_saved_from_a_ledger_with_a_broken_page(tmp_path):
    filled(tmp_path)
    path = tmp_path / FILE
    with sqlite3.connect(path) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'places_asset'").fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096:page * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    log, found = kept(tmp_path)
    assert (len(found), log.cursor("influx")) == (200, 5)
    log.close()


def test_a_second_damaged_file_does_not_overwrite_the_first(tmp_path):
    for _ in range(2):
        (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
        LocalLog(tmp_path).close()
    assert sorted(path.name for path in (tmp_path / "quarantine").iterdir()) == [f"{FILE}.1", f"{FILE}.2"]


def test_a_damaged_index_is_made_anew(tmp_path):
    filled(tmp_path, days=2)
    log = LocalLog(tmp_path)
    log.append([entry(START + 2 * DAY_NS)])
    log.settle()
    expected = levels(log)
    log.close()
    for damage in (lambda path: flip(path, path.stat().st_size // 2), lambda path: path.write_bytes(b"\xff" * 500),
                   lambda path: path.write_bytes(path.read_bytes()[:-10])):
        [index, *_] = (tmp_path / "segments").glob("*.idx")
        damage(index)
        again = LocalLog(tmp_path)
        assert levels(again) == expected
        again.append([entry(START + 2 * DAY_NS + 1 + len(expected), key="more")])
        again.settle()
        expected = levels(again)
        assert again.status().lost == 0
        again.close()


def test_a_damaged_ledger_is_not_taken_from_under_a_writer(tmp_path):
    (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
    with (tmp_path / "writer.lock").open("ab") as lock:
        flock(lock, LOCK_EX)
        with pytest.raises(StoreDown, match="damaged"):
            LocalLog(tmp_path)
    assert (tmp_path / FILE).exists()


# F14, F16: the disk is full, fails, or cannot be written

def test_a_full_disk_is_said_nothing_is_there_and_it_goes_on_by_itself(tmp_path):
    disk = FailingDisk()
    log = LocalLog(tmp_path, disk=disk)
    log.append([entry(START)])
    disk.write_error = FULL
    for written in (0, 10, 200):
        disk.written = written
        with pytest.raises(StoreDown, match="is full") as caught:
            log.append([entry(START + 1, 2.0), entry(START + DAY_NS, 3.0)])
        assert not isinstance(caught.value, LogBroken)
    assert (log.head(), levels(log)) == (1, [1.0])
    disk.write_error = 0
    assert log.append([entry(START + 1, 2.0), entry(START + DAY_NS, 3.0)]) == 2
    assert (log.head(), levels(log)) == (3, [1.0, 2.0, 3.0])
    log.close()
    again = LocalLog(tmp_path)
    assert (levels(again), again.status().findings) == ([1.0, 2.0, 3.0], ())
    again.close()


def test_nothing_is_stored_after_the_disk_failed_to_make_something_durable(tmp_path):
    disk = FailingDisk()
    log = LocalLog(tmp_path, disk=disk)
    log.append([entry(START, 0.0)])
    disk.sync_error = BROKEN
    with pytest.raises(LogBroken, match="started again"):
        log.append([entry(START + 1, 1.0)])
    disk.sync_error = 0
    with pytest.raises(LogBroken):
        log.append([entry(START + 2, 2.0)])
    assert log.status().broken
    assert (log.head(), levels(log)) == (1, [0.0])
    log.close()
    again = LocalLog(tmp_path)
    again.append([entry(START + 1, 1.0), entry(START + 2, 2.0)])
    assert levels(again) == [0.0, 1.0, 2.0]
    again.close()


def test_what_the_system_may_not_have_written_is_written_again_at_the_start(tmp_path):
    """After a failed sync the system shows bytes that are not on the disk, and no later sync would write them."""
    filled(tmp_path)
    disk = ForgetfulDisk()
    LocalLog(tmp_path, disk=disk).close()
    disk.cut(tmp_path, tmp_path / "cut")
    assert segments(tmp_path / "cut")[0].read_bytes() == segments(tmp_path)[0].read_bytes()


def test_a_disk_that_cannot_be_written_is_said(tmp_path):
    disk = FailingDisk()
    log = LocalLog(tmp_path, disk=disk)
    disk.write_error = READ_ONLY
    with pytest.raises(StoreDown, match="cannot be written"):
        log.append([entry(START)])
    log.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from city.errors import StoreDown
from city.store.readings import LocalLog
from tests.city_store.test_local_log import START, entry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = LocalLog(Path(sys.argv[1]))
log.append([entry(START, 0.0)])
size = max(path.stat().st_size for path in Path(sys.argv[1]).rglob("*"))
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


def run(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, str(directory)], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60)


def test_a_file_that_may_not_grow_is_store_down_and_nothing_of_the_batch_is_there(tmp_path):
    done = run(LIMITED, tmp_path / "log")
    assert done.stdout.startswith("down:"), done.stdout + done.stderr
    assert done.stdout.splitlines()[1] == "1 4999 5000"


# F4: the process is killed

KILLED = """
import os, sys, threading, random
from pathlib import Path
from city.store.readings import LocalLog
from tests.city_store.test_local_log import START, entry
log = LocalLog(Path(sys.argv[1]))
first = log.head() + 1
for number in range(first, 10**9):
    log.append([entry(START + number * 1000 + index, float(number), str(number)) for index in range(5)])
    os.write(1, b"%d\\n" % number)
    if number == first:  # not by the time: a busy machine would have said nothing yet
        threading.Timer(random.uniform(0.0, 0.05), os.kill, (os.getpid(), 9)).start()
"""


def test_what_was_acknowledged_survives_any_kill(tmp_path):
    acknowledged = set()
    for _ in range(5):
        done = run(KILLED, tmp_path)
        assert done.returncode == -9, done.stderr
        acknowledged |= set(map(int, done.stdout.split()))
    log, found = kept(tmp_path)
    there = [item.key for item in found]
    assert acknowledged
    assert {str(number) for number in acknowledged} <= set(there)
    assert all(there.count(str(number)) == 5 for number in acknowledged)
    assert (log.status().lost, len(set(map(repr, found)))) == (0, len(found))
    log.close()


# F5: the power is cut

@pytest.mark.parametrize("steps", [
    LocalLog.head,
    lambda log: log.append([entry(START + 50 * DAY_NS)]),
    lambda log: log.move_cursor("influx", log.head()),
], ids=["after an append", "after a new file", "after a cursor"])
def test_what_was_acknowledged_survives_a_power_cut(tmp_path, steps: Callable[[LocalLog], object]):
    disk = ForgetfulDisk()
    log = LocalLog(tmp_path / "log", disk=disk, keep_days=100)
    other = replace(PLACE, asset=AssetId("L2"), device=DevEui("0000000000000002"))
    stored = []
    for day in range(3):
        for number in range(20):
            batch = [entry(START + day * DAY_NS + number), replaced(entry(START + day * DAY_NS + number), other)]
            log.append(batch)
            stored += batch
    steps(log)
    disk.cut(tmp_path / "log", tmp_path / "cut")
    head = log.head()
    log.close()
    again, found = kept(tmp_path / "cut")
    assert list(map(repr, found[:120])) == list(map(repr, stored))
    assert again.head() >= head
    assert again.append(stored) == 0
    assert again.status().findings == ()
    again.close()


def test_a_reader_sees_nothing_that_is_not_durable(tmp_path):
    disk = FailingDisk()
    log = LocalLog(tmp_path, disk=disk)
    log.append([entry(START, 0.0)])
    disk.sync_error = BROKEN
    with pytest.raises(LogBroken):
        log.append([entry(START + 1, 1.0)])
    assert [item.at_ns for _, item in log.after(0, 10)] == [START]
    log.close()


def test_said_findings_are_errors_in_the_log(tmp_path, caplog):
    filled(tmp_path)
    flip(segments(tmp_path)[0], 400)
    with caplog.at_level(logging.ERROR, "stadtfunk.log"):
        LocalLog(tmp_path).close()
    assert all(record.levelname == "ERROR" for record in caplog.records)
    assert caplog.records
