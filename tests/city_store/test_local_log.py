"""LocalLog alone: days, retention, one writer, and what goes wrong with files."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.errors import Invalid, OutOfRange, StoreDown
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import LAMP_LEVEL, RADIO_FCNT, quantity, raw
from city.readings import NS, Entry, Place, Reading, from_ns, to_ns
from city.store.chunks import ENTRIES
from city.store.days import DAY_NS
from city.store.disk import Disk
from city.store.readings import LocalLog

START = to_ns(datetime(2026, 1, 10, tzinfo=UTC))
PLACE = Place(TenantId("aheim"), AssetId("L1"), "lamp", ZoneId("Markt"), None, DevEui("0000000000000001"))


def entry(at_ns: int, level: float = 1.0, key: str = "k") -> Entry:
    return Entry.of(PLACE, at_ns, key, (Reading(PLACE, LAMP_LEVEL, level, at_ns),))


def levels(log: LocalLog, start: int = START, days: int = 1000) -> list[object]:
    return [point.value for point in log.history(PLACE.tenant, PLACE.asset, LAMP_LEVEL, from_ns(start),
                                                 from_ns(start + days * DAY_NS))]


def files(directory: Path, suffix: str = "log") -> list[str]:
    return sorted(path.name for path in (directory / "segments").glob(f"*.{suffix}"))


def of_device(number: int, at_ns: int, level: float) -> Entry:
    place = replace(PLACE, asset=AssetId(f"L{number}"), device=DevEui(f"{number:016x}"))
    return Entry.of(place, at_ns, "k", (Reading(place, LAMP_LEVEL, level, at_ns),))


class CountingDisk(Disk):
    """Counts what the log waits for, and has as much free space as is said."""

    def __init__(self) -> None:
        self.syncs, self.left = 0, 10**12

    def sync(self, file: int) -> None:
        self.syncs += 1
        super().sync(file)

    def free(self, directory: Path) -> int:  # noqa: ARG002 - of any
        return self.left


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


def test_each_utc_day_has_its_file_whose_name_says_the_day_and_the_first_position(log, tmp_path):
    log.append([entry(START), entry(START + DAY_NS - 1)])
    log.append([entry(START + DAY_NS)])
    log.append([entry(START + 5)])
    assert files(tmp_path) == ["0000000000000001-20260110.log", "0000000000000003-20260111.log"]
    assert levels(log) == [1.0] * 4


def test_an_append_waits_for_the_disk_once(tmp_path):
    disk = CountingDisk()
    log = LocalLog(tmp_path, disk=disk)
    log.append([entry(START)])
    disk.syncs = 0
    for number in range(1, 11):
        log.append([entry(START + number, key=str(at)) for at in range(100)])
    assert (disk.syncs, log.status().fsyncs) == (10, 11)
    log.close()


def test_indexes_are_made_beside_appending_and_answer(log, tmp_path):
    for first in range(0, 50_000, 1000):
        log.append([of_device(number % 50, START + number * NS // 2, float(number % 7)) for number in range(first, first + 1000)])
    log.settle()
    [index] = (tmp_path / "segments").glob("*.idx")
    assert index.stat().st_size > 2 * ENTRIES * 32
    again = LocalLog(tmp_path)
    found = list(again.scan([8], START, START + DAY_NS))
    assert [at_ns for _, at_ns, _, _ in found] == [START + number * NS // 2 for number in range(7, 50_000, 50)]
    assert {place for _, _, place, _ in found} == {8}
    assert len(list(again.scan(None, START, START + DAY_NS))) == 50_000
    assert [row[0] for row in again.rows(40_000, 3)] == [40_001, 40_002, 40_003]
    again.close()


def test_a_repetition_is_known_long_after(log, tmp_path):
    batches = [[of_device(number % 50, START + number * NS, 1.0) for number in range(first, first + 1000)]
               for first in range(0, 2 * ENTRIES, 1000)]
    assert sum(map(log.append, batches)) == len(batches) * 1000
    log.append([entry(START + 3 * DAY_NS)])
    log.settle()
    log.close()
    again = LocalLog(tmp_path)
    assert sum(map(again.append, batches)) == 0
    assert again.append([*batches[0], of_device(1, START + 1, 2.0), of_device(1, START + 1, 2.0)]) == 1
    again.close()


def test_a_new_file_begins_when_one_is_full(tmp_path):
    log = LocalLog(tmp_path, file_bytes=1000)
    for number in range(50):
        log.append([entry(START + number, float(number))])
    assert len(files(tmp_path)) > 2
    assert levels(log) == [float(number) for number in range(50)]
    log.close()


def test_the_oldest_days_are_dropped_and_it_is_said_where_they_were_not_shipped(tmp_path, caplog):
    log = LocalLog(tmp_path, keep_days=2)
    log.append([entry(START, 0.0)])
    log.move_cursor("influx", log.head())
    log.append([entry(START + DAY_NS, 1.0)])
    log.append([entry(START + 2 * DAY_NS, 2.0)])
    log.append([entry(START + 2 * DAY_NS + 1, 2.5)])
    log.settle()
    assert (caplog.messages, log.status().dropped_unshipped) == ([], 0)
    log.append([entry(START + 3 * DAY_NS, 3.0)])
    log.settle()
    assert levels(log) == [2.0, 2.5, 3.0]
    assert len(caplog.messages) == 1
    assert "influx" in caplog.messages[0]
    assert log.status().dropped_unshipped == 1
    log.close()


def test_the_oldest_days_are_dropped_where_the_log_is_too_large(tmp_path):
    log = LocalLog(tmp_path, keep_gb=30_000 / 1e9)
    for day in range(10):
        log.append([entry(START + day * DAY_NS + number, float(day), str(number)) for number in range(100)])
        log.move_cursor("influx", log.head())
        log.settle()
    status = log.status()
    kept = sorted(set(levels(log)))
    assert 0 < len(kept) < 10
    assert kept == [float(day) for day in range(10 - len(kept), 10)]
    assert (status.days, status.dropped_unshipped) == (len(kept), 0)
    assert status.oldest_day == f"{from_ns(START + int(kept[0]) * DAY_NS):%Y-%m-%d}"
    log.close()


def test_the_oldest_days_are_dropped_before_the_disk_is_full(tmp_path):
    disk = CountingDisk()
    log = LocalLog(tmp_path, free_gb=1, disk=disk)
    for day in range(3):
        log.append([entry(START + day * DAY_NS, float(day))])
        log.settle()
    assert levels(log) == [0.0, 1.0, 2.0]
    disk.left = 10**8
    log.move_cursor("influx", 1)
    log.append([entry(START + 3 * DAY_NS, 3.0)])
    log.settle()
    assert levels(log) == [1.0, 2.0, 3.0]  # nothing that a sink has not got
    log.move_cursor("influx", 4)
    log.append([entry(START + 4 * DAY_NS, 4.0)])
    log.settle()
    assert levels(log) == [4.0]  # never the newest
    assert log.status().free_bytes == 10**8
    log.close()


def test_the_state_of_the_log_is_told(log, tmp_path):
    log.append([entry(START)])
    log.append([entry(START + 2 * DAY_NS)])
    status = log.status()
    assert (status.head, status.oldest_day, status.days, status.files, status.fsyncs) == (2, "2026-01-10", 3, 2, 2)
    assert (status.broken, status.set_aside, status.findings, status.lost) == ("", (), (), 0)
    assert status.bytes >= sum(path.stat().st_size for path in (tmp_path / "segments").iterdir())
    assert status.last_commit_ms > 0


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
    huge = Entry.of(PLACE, START, "other", (Reading(PLACE, RADIO_FCNT, 2**70, START),))
    for bad in (entry(-1), entry(2**64), huge):
        with pytest.raises(OutOfRange):
            log.append([entry(START), bad])
    assert log.head() == 0
    log.append([entry(START)])
    assert levels(log) == [1.0]


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
    assert [path.name for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077 and path.name != "writer.lock"] == []
