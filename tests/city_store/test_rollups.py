"""Sums by the hour are those of the rows, whatever has happened in between."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, isclose, nan
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import TooLarge
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_TEMPERATURE,
    LAMP_DALI_STATUS,
    LAMP_ENERGY,
    LAMP_POWER,
    LAMP_REASON,
    RADIO_FCNT,
    RADIO_RSSI,
)
from city.readings import NS, Entry, Place, Quality, Reading, to_ns
from city.store import local_queries, rollups
from city.store.local_queries import LocalQueries, answer
from city.store.opening import open_store
from city.store.queries import Question
from city.store.readings import LocalLog
from tests.examples import examples

START = datetime(2026, 1, 10, 22, tzinfo=UTC)
TOWN = TenantId("aheim")
PLACES = [Place(TOWN, AssetId(f"L{number % 3}"), "lamp", ZoneId("AB"[number % 2]), None, DevEui(f"{number:016x}"))
          for number in range(4)] + [Place(TenantId("bheim"), AssetId("L0"), "lamp", ZoneId("A"), None, DevEui("f" * 16))]
NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.integers(-5, 5).map(float), st.sampled_from([inf, -inf, nan]))
SAID = st.one_of(st.tuples(st.sampled_from([LAMP_POWER, DEVICE_TEMPERATURE]), NUMBERS),
                 st.tuples(st.just(LAMP_DALI_STATUS), st.integers(-2**63, 2**63 - 1)),
                 st.tuples(st.just(BAY_OCCUPIED), st.booleans()), st.tuples(st.just(LAMP_REASON), st.text("ab", max_size=2)))
READING = st.tuples(SAID, st.sampled_from(["", "", "dali-9"]), st.sampled_from([0, 0, 0, -30_000, -1, 1, 5000]),
                    st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.LATE, Quality.IMPLAUSIBLE]))
ENTRY = st.tuples(st.sampled_from(PLACES), st.integers(0, 40), st.lists(READING, max_size=4))
STEP = st.one_of(st.tuples(st.just("append"), st.lists(ENTRY, max_size=6)), st.tuples(st.just("add"), st.integers(1, 9)),
                 st.tuples(st.just("restart"), st.none()), st.tuples(st.just("again"), st.none()))


@pytest.fixture
def log(tmp_path):
    opened = LocalLog(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def queries(log):
    store = open_store("sqlite://")
    opened = LocalQueries(log, store)
    yield opened
    opened.close()
    store.close()


def made(place, minutes, readings) -> Entry:
    at = to_ns(START) + minutes * 600 * NS
    return Entry.of(place, at, f"{len(readings)}", [Reading(place, quantity, value, at + own * NS, channel, quality)
                                                   for (quantity, value), channel, own, quality in readings])


def power(seconds: float, watts: float = 1.0) -> Entry:
    return Entry(PLACES[0], to_ns(START) + round(seconds * NS), f"{watts} W", (LAMP_POWER(watts),))


def total(queries: LocalQueries, hours: float = 48, **more: object) -> list[object]:
    question = Question(TOWN, LAMP_POWER, START, START + timedelta(hours=hours), 3600, **{"how": "sum", **more})
    return [row.value for row in queries.series(question)]


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(STEP, max_size=12), st.integers(1, 60), st.sampled_from(["", "zone"]))
def test_sums_answer_as_the_rows_do(steps, hours, by):
    with TemporaryDirectory() as directory:
        log, store, appended = LocalLog(Path(directory)), open_store("sqlite://"), []
        queries = LocalQueries(log, store)
        for what, more in steps:
            if what == "append":
                appended = [made(*item) for item in more]
                log.append(appended)
            elif what == "again":
                log.append(appended)
            elif what == "add":
                queries.keep_up(more)
            else:
                queries.close()
                log.close()
                log = LocalLog(Path(directory))
                queries = LocalQueries(log, store)
        for quantity in (LAMP_POWER, DEVICE_TEMPERATURE, LAMP_DALI_STATUS, BAY_OCCUPIED):
            for how in ("mean", "min", "max", "sum", "count", "last") if quantity is not BAY_OCCUPIED else ("count", "last"):
                for channel in ("", "dali-9"):
                    question = Question(TOWN, quantity, START - timedelta(hours=10), START + timedelta(minutes=7 * hours), 7200,
                                        how, by, channel)
                    ours, rows = list(queries.series(question)), list(answer(log, question))
                    assert [(row.at, row.of) for row in ours] == [(row.at, row.of) for row in rows]
                    assert all(same(one.value, other.value) for one, other in zip(ours, rows, strict=True)), (how, ours, rows)
        queries.close()
        log.close()
        store.close()


def same(one, other) -> bool:
    """Numbers but for the order in which they were added up."""
    return one == other or (type(one) is not str and isclose(one, other, rel_tol=1e-9, abs_tol=1e-5))


def test_what_zones_are_not_asked_about_is_not_kept():
    assert [rollups.rolled(quantity) for quantity in (LAMP_POWER, RADIO_RSSI, BAY_OCCUPIED)] == [True] * 3
    assert [rollups.rolled(quantity) for quantity in (LAMP_ENERGY, LAMP_REASON, RADIO_FCNT)] == [False] * 3


def test_an_answer_from_sums_reads_no_row_that_is_in_them(log, queries, monkeypatch):
    log.append([power(60 * minutes) for minutes in range(600)])
    while queries.keep_up():
        pass
    monkeypatch.setattr(type(log), "scan", lambda *_: pytest.fail("rows were read"))
    assert total(queries) == [60.0] * 10
    log.append([power(36_001)])  # newer than the sums
    assert total(queries) == [60.0] * 10 + [1.0]


def test_the_sums_of_another_log_are_not_believed(log, queries, tmp_path):
    log.append([power(seconds) for seconds in range(5)])
    assert (queries.keep_up(), total(queries)) == (5, [5.0])
    queries.close()
    other = LocalLog(tmp_path / "other")
    other.append([power(seconds, 7.0) for seconds in range(6)])
    (tmp_path / "other" / rollups.FILE).write_bytes((tmp_path / rollups.FILE).read_bytes())
    store = open_store("sqlite://")
    asked = LocalQueries(other, store)
    assert total(asked) == [42.0]
    assert (asked.keep_up(), total(asked)) == (6, [42.0])
    asked.close()
    other.close()
    store.close()


@pytest.mark.parametrize("damage", [b"no database at all", b""])
def test_a_file_that_is_damaged_is_made_anew(log, queries, tmp_path, damage):
    log.append([power(seconds) for seconds in range(5)])
    queries.keep_up()
    queries.close()
    for path in tmp_path.glob(f"{rollups.FILE}*"):
        path.unlink()
    (tmp_path / rollups.FILE).write_bytes(damage)
    assert total(queries) == [5.0]
    assert (queries.keep_up(), total(queries)) == (5, [5.0])


def test_another_layout_is_thrown_away(log, queries, tmp_path):
    log.append([power(0)])
    queries.keep_up()
    queries.close()
    with sqlite3.connect(tmp_path / rollups.FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("ALTER TABLE hours RENAME TO days")
    connection.close()
    assert (queries.keep_up(), total(queries)) == (1, [1.0])


def test_two_processes_add_each_row_once(log, queries):
    store = open_store("sqlite://")
    other = LocalQueries(log, store)
    log.append([power(seconds) for seconds in range(100)])
    taken = [one.keep_up(7) for _ in range(20) for one in (queries, other)]
    assert sum(taken) == 100
    assert total(queries) == total(other) == [100.0]
    other.close()
    store.close()


def test_a_question_that_would_read_far_too_much_is_refused(log, queries, monkeypatch):
    monkeypatch.setattr(local_queries, "MOST_READ", 9)
    log.append([power(seconds) for seconds in range(10)])
    question = Question(TOWN, LAMP_POWER, START, START + timedelta(hours=1), 60)
    with pytest.raises(TooLarge, match="9 reports"):
        list(queries.series(question))
    queries.keep_up()
    assert len(list(queries.series(replace(question, every_s=3600)))) == 1


def test_who_is_far_behind_catches_up_first(log, queries, monkeypatch):
    monkeypatch.setattr(local_queries, "BEHIND", 50)
    for hour in range(4):
        log.append([power(3600 * hour + seconds) for seconds in range(100)])
    monkeypatch.setattr(type(log), "scan", lambda *_: pytest.fail("rows were read"))
    assert total(queries) == [100.0] * 4
