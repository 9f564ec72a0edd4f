"""`stadtfunk ship status`."""

from pathlib import Path

import pytest
from city.store.readings import LocalLog

from city.settings import Influx, Settings
from gateway_bridge.ship import cursor_name
from gateway_bridge.shipping import main, status
from tests.gateway_bridge.test_ship import entry

SETTINGS = Influx(url="http://influx:8086")


def test_status_says_what_waits(tmp_path: Path):
    log = LocalLog(tmp_path)
    log.append([entry(1), entry(2)])
    [(first, _)] = list(log.after(0, 1))
    log.move_cursor(cursor_name(SETTINGS), first)
    said = status(log, Settings(influx=SETTINGS))
    log.close()
    assert said.splitlines()[-1].split() == ["waiting", str(log_distance(tmp_path, first))]


def log_distance(directory: Path, first: int) -> int:
    log = LocalLog(directory)
    try:
        return log.head() - first
    finally:
        log.close()


def test_the_command_reads_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("STADTFUNK_LOG_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 0
    assert "No InfluxDB is set" in capsys.readouterr().out
