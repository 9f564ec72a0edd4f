"""`stadtfunk ship status` and `replay`."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.errors import Invalid
from city.settings import Influx, Settings
from city.store.opening import open_store
from city.store.ports import DeadLetter, Facts
from city.store.readings import LocalLog
from gateway_bridge.ship import cursor_name
from gateway_bridge.shipping import main, replay, status
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
