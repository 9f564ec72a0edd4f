"""Single words of bays' sensors leave the log after some days; all else of those days, and every position, stays."""

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import BAY_OCCUPIED, LAMP_LEVEL, Quantity
from city.readings import NS, Entry, Place, Reading, from_ns, to_ns
from city.store.days import DAY_NS
from city.store.disk import Disk
from city.store.forgetting import FILE
from city.store.readings import LocalLog

TOWN, START = TenantId("ahausen"), to_ns(datetime(2026, 7, 1, tzinfo=UTC))
KEEP, SECRET = 7, b"\xde\xad\xbe\xef\x07\x42"


def place(kind: str, number: int) -> Place:
    asset = AssetId(f"{kind}-{number}")
    return Place(TOWN, asset, "bay" if kind == "bay" else "lamp", ZoneId("markt"), None, DevEui(f"{kind[0]:b>4}{number:012x}"
                                                                                           .replace("l", "0")))


def entry(kind: str, number: int, at_ns: int, value: float) -> Entry:
    here = place(kind, number)
    quantity: Quantity = BAY_OCCUPIED if kind == "bay" else LAMP_LEVEL
    said = bool(value % 2) if kind == "bay" else float(value)
    return Entry.of(here, at_ns, f"{kind}:{number}:{at_ns}", [Reading(here, quantity, said, at_ns)], f_port=1,
                    data=SECRET if kind == "bay" else b"\x01")


def day(number: int, only: str = "") -> list[list[Entry]]:
    """What comes on one day, in three appends: of both, of bays alone, of both."""
    at = START + number * DAY_NS + 3600 * NS
    both = [[entry(kind, index, at + (20 * turn + index) * NS + (1 if kind == "bay" else 0), turn)
             for index in range(4) for kind in ("lamp", "bay") if only in ("", kind)] for turn in (0, 2)]
    alone = [entry("bay", index, at + (10 + index) * NS, 1) for index in range(4)]
    return [both[0], alone, both[1]] if only != "lamp" else both


def write(log: LocalLog, first: int, last: int, only: str = "") -> None:
    for number in range(first, last):
        for batch in day(number, only):
            log.append(batch)
    log.settle()


def opened(directory: Path, disk: Disk | None = None, bay_days: int = KEEP) -> LocalLog:
    return LocalLog(directory, bay_days=bay_days, disk=disk)


def told(log: LocalLog) -> dict[str, list[tuple[int, Entry]]]:
    found: dict[str, list[tuple[int, Entry]]] = {"bay": [], "lamp": []}
    cursor = 0
    while batch := list(log.after(cursor, 7)):
        for position, item in batch:
            found[item.place.kind].append((position, item))
        cursor = batch[-1][0]
    return found


def everything(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((directory / "segments").iterdir()))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, dict[str, list[tuple[int, Entry]]]]:
    """A log of ten days that forgets nothing, and what it tells."""
    log = opened(tmp_path / "all", bay_days=0)
    write(log, 0, 10)
    found = told(log)
    log.close()
    return tmp_path / "all", found


def test_words_of_bays_are_gone_after_the_days_and_those_of_lamps_are_not(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]]):
    directory, before = kept
    log = opened(directory)
    write(log, 10, 11)
    after = told(log)
    assert after["lamp"][:len(before["lamp"])] == before["lamp"]
    oldest = min(item.at_ns for _, item in after["bay"])
    assert oldest >= START + 4 * DAY_NS  # on day 10 of those of day 3 nothing is left
    assert {item for item in before["bay"] if item[1].at_ns >= START + 4 * DAY_NS} <= set(after["bay"])
    assert log.status().findings == ()
    log.close()


def test_no_byte_of_them_is_left_in_any_file(tmp_path: Path):
    log = opened(tmp_path)
    write(log, 0, 1)
    assert everything(tmp_path).count(SECRET) == 12
    for number in range(1, KEEP + 1):
        write(log, number, number + 1, only="lamp")
    assert SECRET not in everything(tmp_path)
    times = [item.at_ns for batch in day(0) for item in batch if item.place.kind == "bay"]
    files = everything(tmp_path)
    assert not any(at_ns.to_bytes(8, "little") in files for at_ns in times)
    log.close()


def test_positions_and_cursors_stay(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]]):
    directory, before = kept
    log = opened(directory)
    position = before["bay"][3][0]
    log.move_cursor("influx", position)
    head = log.head()
    write(log, 10, 11)
    assert log.cursor("influx") == position
    assert log.head() == head + 20
    lamps = [item for item in before["lamp"] if item[0] > position]
    found = [(at, item) for at, item in log.after(position, 1000) if item.place.kind == "lamp"]
    assert found[:len(lamps)] == lamps
    log.close()


def test_a_sink_that_is_far_behind_is_not_stopped_by_what_was_forgotten(tmp_path: Path):
    log = opened(tmp_path)
    for number in range(3):
        for batch in day(number, only="bay"):
            log.append(batch)
    write(log, 3, 12, only="lamp")
    assert [item.place.kind for _, item in log.after(0, 2)] == ["lamp", "lamp"]
    assert log.rows(log.head(), 10) == []
    log.close()


def test_a_reader_that_has_looked_before_goes_on_and_finds_no_damage(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]]):
    directory, before = kept
    reader, asked = LocalLog(directory), (from_ns(START), from_ns(START + 20 * DAY_NS))
    lamp, bay = place("lamp", 1), place("bay", 1)
    lamps = reader.entries(TOWN, lamp.asset, *asked, 1000)
    assert len(reader.entries(TOWN, bay.asset, *asked, 1000)) == 30
    log = opened(directory)
    write(log, 10, 11)
    assert lamps == reader.entries(TOWN, lamp.asset, *asked, 1000)[-len(lamps):]
    assert len(reader.entries(TOWN, bay.asset, *asked, 1000)) == 3 * 7
    fresh = LocalLog(directory)
    assert len(fresh.entries(TOWN, bay.asset, *asked, 1000)) == 3 * 7
    assert reader.status().findings == fresh.status().findings == log.status().findings == ()
    assert len(before["bay"]) > len(told(fresh)["bay"])
    for one in (reader, fresh, log):
        one.close()


def test_the_index_is_as_if_it_had_been_made_anew(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]], tmp_path: Path):
    directory, _ = kept
    log = opened(directory)
    write(log, 10, 11)
    log.close()
    again = tmp_path / "again"
    shutil.copytree(directory, again)
    made = {path.name: path.read_bytes() for path in (directory / "segments").glob("*.idx")}
    for path in (again / "segments").glob("*.idx"):
        path.unlink()
    log = opened(again)
    write(log, 11, 12)
    log.close()
    old = [name for name in made if name < "0000000000000060"]
    assert len(old) >= 3
    for name in old:
        assert (again / "segments" / name).read_bytes() == made[name]


class Snapshots(Disk):
    """Copies the log's directory whenever upkeep asks the disk for anything: what a killed process leaves."""

    def __init__(self, directory: Path, copies: Path) -> None:
        self.directory, self.copies, self.count, self.on = directory, copies, 0, False

    def _copy(self) -> None:
        if self.on and threading.current_thread().name.startswith("log"):
            self.count += 1
            shutil.copytree(self.directory, self.copies / str(self.count))

    def write(self, file: int, data: bytes, position: int) -> None:
        half = len(data) // 2
        super().write(file, data[:half], position)
        self._copy()
        super().write(file, data[half:], position + half)

    def sync(self, file: int) -> None:
        super().sync(file)
        self._copy()

    def sync_names(self, directory: Path) -> None:
        self._copy()
        super().sync_names(directory)


def test_a_process_that_is_killed_at_any_moment_of_it_leaves_a_whole_log(tmp_path: Path):
    log = opened(tmp_path / "log", bay_days=0)
    write(log, 0, 1)
    write(log, 1, 7, only="lamp")
    before = told(log)
    log.close()
    disk = Snapshots(tmp_path / "log", tmp_path)
    log = opened(tmp_path / "log", disk)
    disk.on = True
    write(log, 7, 8, only="lamp")
    disk.on = False
    log.close()
    assert disk.count > 10
    for number in range(1, disk.count + 1):
        directory = tmp_path / str(number)
        log = opened(directory, bay_days=0)
        found = told(log)
        assert found["lamp"][:len(before["lamp"])] == before["lamp"], number
        assert log.status().lost == 0, number
        log.close()
        log = opened(directory)
        write(log, 12, 13, only="lamp")
        found = told(log)
        assert found["lamp"][:len(before["lamp"])] == before["lamp"], number
        assert found["bay"] == [], number
        assert log.status().lost == 0, number
        log.close()
        assert SECRET not in everything(directory), number
        assert not list(directory.rglob("*.fresh")), number


def test_an_index_that_is_newer_than_its_file_is_no_harm(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]], tmp_path: Path):
    """Killed between the two renames."""
    directory, before = kept
    done = tmp_path / "done"
    shutil.copytree(directory, done)
    log = opened(done)
    write(log, 10, 11)
    log.close()
    for path in sorted((directory / "segments").glob("*.log"))[:3]:
        shutil.copy((done / "segments" / path.name).with_suffix(".idx"), path.with_suffix(".idx"))
    log = opened(directory)
    asked = (from_ns(START), from_ns(START + 20 * DAY_NS))
    assert len(log.entries(TOWN, place("lamp", 1).asset, *asked, 1000)) == 20
    write(log, 10, 11)
    assert told(log)["lamp"][:len(before["lamp"])] == before["lamp"]
    assert log.status().findings == ()
    assert min(item.at_ns for _, item in told(log)["bay"]) >= START + 4 * DAY_NS
    log.close()


def test_what_was_done_is_not_done_again_and_a_lost_note_changes_nothing(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]]):
    directory, _ = kept
    log = opened(directory)
    write(log, 10, 11)
    log.close()
    inodes = {path.name: path.stat().st_ino for path in (directory / "segments").glob("*.log")}
    data = {path.name: path.read_bytes() for path in (directory / "segments").glob("*.log")}
    (directory / FILE).write_text("nonsense")
    log = opened(directory)
    write(log, 11, 12, only="lamp")
    log.close()
    old = sorted(inodes)[:4]
    assert {name: (directory / "segments" / name).stat().st_ino for name in old} == {name: inodes[name] for name in old}
    assert all((directory / "segments" / name).read_bytes() == data[name] for name in old)


def test_a_log_that_keeps_all_keeps_bays_too(kept: tuple[Path, dict[str, list[tuple[int, Entry]]]]):
    directory, before = kept
    log = opened(directory, bay_days=0)
    write(log, 10, 30, only="lamp")
    assert told(log)["bay"] == before["bay"]
    log.close()
