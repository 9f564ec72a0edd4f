"""`stadtfunk ship status`, `rewind` and `replay`."""

import dataclasses
import threading
from collections import deque
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from city.clock import ManualClock
from city.errors import Invalid
from city.ids import AssetId, TenantId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site, Tenant
from city.readings import to_ns
from city.settings import Influx, Settings
from city.store.influx_bays import bays_settings
from city.store.lines import lines
from city.store.opening import open_store
from city.store.ports import DeadLetter, Facts
from city.store.readings import LocalLog
from gateway_bridge.rewind import BAYS_FILE, Rewind, Rewinds
from gateway_bridge.ship import Shipper, cursor_name
from gateway_bridge.shipping import main, replay, status
from tests.city_store.standin import standin
from tests.gateway_bridge.test_ship import ListSink, entry

SETTINGS = Influx(url="http://influx:8086")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def letter(id: str, topic: str, payload: bytes, reason: str = "RejectedLines") -> DeadLetter:
    return DeadLetter(id, NOW, topic, payload, reason, "field type conflict")


def test_status_says_what_waits(tmp_path: Path):
    log = LocalLog(tmp_path)
    log.append([entry(1), entry(2)])
    [(first, _)] = list(log.after(0, 1))
    log.move_cursor(cursor_name(SETTINGS), first)
    said, waiting = status(log, Settings(influx=SETTINGS)), log.head() - first
    log.close()
    assert waiting > 0
    assert said.splitlines()[-1].split() == ["waiting", str(waiting)]


def test_status_says_what_waits_of_single_bays_apart(tmp_path: Path):
    log = LocalLog(tmp_path)
    log.append([entry(1), entry(2)])
    log.move_cursor(cursor_name(bays_settings(SETTINGS)), log.head())
    said = status(log, Settings(influx=SETTINGS))
    only = status(log, Settings(influx=dataclasses.replace(SETTINGS, bays="no")))
    shared = status(log, Settings(influx=dataclasses.replace(SETTINGS, per_town=False)))
    bays, rest = said.split("All else")
    log.close()
    assert ("stadtfunk_TOWN_bays\n" in bays, "stadtfunk_TOWN\n" in rest) == (True, True)
    assert ("stadtfunk_bays\n" in shared, "stadtfunk\n" in shared) == (True, True)
    assert "waiting   0" in bays
    assert "waiting   0" not in rest
    assert "Single bays" not in only


def test_the_command_reads_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("STADTFUNK_LOG_DIRECTORY", str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 0
    assert "No InfluxDB is set" in capsys.readouterr().out
    with pytest.raises(Invalid):
        main(["replay"])


def test_what_influxdb_takes_now_is_no_dead_letter_any_more():
    store = open_store("sqlite://")
    store.commit(Facts(letters=(letter("a", "influx", b"lamp x=1 1"), letter("b", "influx", b"lamp x=2 2"),
                                letter("c", "application/1/device/2/event/up", b"{", "MalformedEvent"))))
    sink = ListSink(bad={b"lamp x=2 2"})
    assert replay(store, sink) == (1, 1)
    assert sink.stored == [b"lamp x=1 1"]
    assert {one.id for one in store.all_letters()} == {"b", "c"}
    store.close()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A log of four entries, an hour apart, of which InfluxDB has three."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STADTFUNK_LOG_DIRECTORY", str(tmp_path / "log"))
    monkeypatch.setenv("STADTFUNK_INFLUX_URL", SETTINGS.url)
    log = LocalLog(tmp_path / "log")
    log.append([replace(entry(number), at_ns=to_ns(NOW + timedelta(hours=number))) for number in range(4)])
    positions = [position for position, _ in log.after(0, 10)]
    log.move_cursor(cursor_name(SETTINGS), positions[2])
    log.close()
    return tmp_path / "log", positions


def test_a_rewind_is_explained_and_not_done_without_a_yes(shipped, capsys):
    directory, _ = shipped
    assert main(["rewind", "--to", (NOW + timedelta(hours=1)).isoformat()]) == 1
    said = capsys.readouterr().out
    assert "from 2026-11-22 13:00:00Z on" in said
    assert "2 positions at most" in said
    assert "--yes" in said
    assert Rewinds(directory).asked() is None


@pytest.mark.parametrize(("words", "index"), [(["--all"], 0), (["--to", "2026-11-22T13:00Z"], 1),
                                              (["--to", "2026-11-22T14:30:00+01:00"], 2)])
def test_a_running_bridge_takes_the_rewind(shipped, capsys, words, index):
    directory, _ = shipped
    sink, log = ListSink(), LocalLog(directory)
    ship = Shipper(log, sink, ManualClock(NOW), SETTINGS, bury=[].extend, rewinds=Rewinds(directory))
    ship.step()
    sink.stored.clear()
    asked, stop = threading.Event(), threading.Event()

    def bridge():
        while not stop.is_set():
            if (directory / "ship-again.json").exists():
                ship.step()
                asked.set()
            stop.wait(0.01)

    running = threading.Thread(target=bridge)
    running.start()
    try:
        assert main(["rewind", *words, "--yes"]) == 0
    finally:
        stop.set()
        running.join()
    assert "The bridge sends it now." in capsys.readouterr().out
    assert asked.is_set()
    assert sink.stored == [line for _, one in list(log.after(0, 10))[index:] for line in lines(one)], words
    log.close()


def test_a_rewind_is_one_of_single_bays_too(shipped):
    directory, positions = shipped
    log = LocalLog(directory)
    log.move_cursor(cursor_name(bays_settings(SETTINGS)), positions[3])
    log.close()
    Rewinds(directory).done()
    assert main(["rewind", "--to", str(positions[1])]) == 1
    assert Rewinds(directory, BAYS_FILE).asked() is None
    assert main(["rewind", "--to", str(positions[2]), "--yes"]) == 0
    assert Rewinds(directory, BAYS_FILE).asked() == Rewind(cursor_name(bays_settings(SETTINGS)), positions[2])


def test_refused_lines_of_bays_go_back_to_where_bays_are():
    store = open_store("sqlite://")
    store.commit(Facts(letters=(letter("a", "influx", b"lamp x=1 1"), letter("b", "influx_bays/device/01", b"bay x=2 2"))))
    sink, bays = ListSink(), ListSink()
    assert replay(store, sink) == (1, 0)
    assert replay(store, sink, bays) == (1, 0)
    assert (sink.stored, bays.stored) == ([b"lamp x=1 1"], [b"bay x=2 2"])
    store.close()


def test_a_rewind_forwards_is_nothing_to_do(shipped, capsys):
    directory, positions = shipped
    assert main(["rewind", "--to", str(positions[3]), "--yes"]) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert Rewinds(directory).asked() is None


@pytest.mark.parametrize("when", ["2026-11-20T00:00", "yesterday", "-1", ""])
def test_a_time_without_a_zone_or_sense_is_refused(when, capsys):
    with pytest.raises(SystemExit):
        main(["rewind", "--to", when])
    capsys.readouterr()


def test_status_says_that_a_rewind_is_asked_for_and_how_old_the_oldest_is(shipped, capsys):
    directory, positions = shipped
    Rewinds(directory).ask(Rewind(cursor_name(SETTINGS), positions[0]))
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert f"asked for, to position {positions[0]}" in said
    assert "2026-11-22 15:00:00Z is the oldest that waits" in said


def test_bays_of_an_older_version_are_removed_only_with_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    with standin(version={"X-Influxdb-Version": "1.8.10"}, answers=deque([(200, {}, b'{"results":[{}]}')])) as server:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("STADTFUNK_DATABASE_URL", f"sqlite:///{tmp_path}/city.db")
        monkeypatch.setenv("STADTFUNK_INFLUX_URL", server.url)
        with closing(open_store(f"sqlite:///{tmp_path}/city.db")) as store:
            store.put_tenant(Tenant(TenantId("ahausen"), "Ahausen", Site(51.0, 8.0)))
            store.tenant(TenantId("ahausen")).import_rows([ImportRow(
                1, AssetId("P1"), "bay", "Platz", Site(51.0, 8.0), ZoneId("Markt"), None, None, "", None, "", Restriction.NONE)])
        assert main(["forget"]) == 1
        assert "1 bays" in capsys.readouterr().out
        assert server.asked == []
        assert main(["forget", "--yes"]) == 0
        assert any(b"DROP%20SERIES" in body and b"P1" in body for _, _, _, body in server.asked)
