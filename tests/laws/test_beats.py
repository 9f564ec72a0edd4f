"""Bridges' signs of life, on both engines."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from city.health import Beat, broken
from city.store.opening import open_store
from city.store.ports import Store
from tests.stores import new_store

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def store(request, tmp_path) -> Iterator[Store]:
    sqlite = request.param == "sqlite"
    opened = new_store(tmp_path / "city.db") if sqlite else open_store(request.getfixturevalue("postgres")())
    yield opened
    opened.close()


def test_each_bridge_has_one_sign_of_life_the_newest_first(store: Store) -> None:
    assert list(store.beats()) == []
    later = Beat("one", NOW + timedelta(seconds=10), (broken("log_refuses", what="“voll”"),), {"rss": 5.0})
    for beat in (Beat("one", NOW), Beat("two", NOW + timedelta(seconds=3)), later):
        store.put_beat(beat)
    assert list(store.beats()) == [later, Beat("two", NOW + timedelta(seconds=3))]


def test_a_name_from_the_settings_may_be_anything(store: Store) -> None:
    store.put_beat(Beat("x\0y" + "z" * 1000, NOW))
    (beat,) = store.beats()
    assert beat.name.startswith("x\N{REPLACEMENT CHARACTER}y")
    assert len(beat.name) == 200
