"""Dead letters take so much room and no more, on SQLite and on PostgreSQL; the oldest of those that are too many go."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.ids import TenantId
from city.places import Site, Tenant
from city.store.database import Database
from city.store.letters import LetterBounds
from city.store.opening import open_store
from city.store.ports import DeadLetter, Facts, Store
from tests.stores import new_database

A, B = TenantId("aheim"), TenantId("bheim")
NOW = datetime(2026, 1, 10, 18, 30, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_database(tmp_path / "city.db") if request.param == "sqlite" else request.getfixturevalue("postgres")()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    for town in (A, B):
        opened.put_tenant(Tenant(town, town.title(), Site(48.4, 10.0)))
    yield opened
    opened.close()


def later(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def letter(id: str, *, at: datetime = NOW, tenant: TenantId | None = None, reason: str = "Truncated") -> DeadLetter:
    return DeadLetter(id, at, "application/1/device/2/event/up", b"{", reason, "too short", tenant)


def _bounded(url: str, bounds: LetterBounds, added: Iterable[DeadLetter]) -> None:
    database = Database(url)
    with database.write() as connection:
        bounds.keep(connection, added)
    database.close()


def test_letters_of_a_town_are_bounded_by_their_bytes_the_oldest_go(url: str, store: Store) -> None:
    large = tuple(replace(letter(f"l{n}", at=later(n), tenant=A), payload=bytes(10_000)) for n in range(20))
    others = (replace(letter("b", tenant=B), payload=bytes(90_000)), letter("nobody"))
    store.commit(Facts(letters=(*large, *others)))
    _bounded(url, LetterBounds(most_bytes=100_000), (*large, *others))
    assert sorted(item.id for item in store.all_letters()) == sorted(
        [*(f"l{n}" for n in range(11, 20)), "b", "nobody"])


def test_letters_of_a_reason_that_a_few_tell_are_bounded_apart(url: str, store: Store) -> None:
    many = tuple(letter(f"f{n}", at=later(n), tenant=A, reason="TooManyFrames") for n in range(8))
    others = (letter("old", tenant=A), letter("b", tenant=B, reason="TooManyFrames"))
    store.commit(Facts(letters=(*many, *others)))
    _bounded(url, LetterBounds(most_of={"TooManyFrames": 3}), (*many, *others))
    assert sorted(item.id for item in store.all_letters()) == ["b", "f5", "f6", "f7", "old"]


def test_letters_are_bounded_by_number_in_each_town_apart(url: str, store: Store) -> None:
    many = tuple(letter(f"f{n}", at=later(n), tenant=town) for town, n in ((None, 0), (None, 1), (A, 2), (A, 3), (A, 4)))
    store.commit(Facts(letters=many))
    _bounded(url, LetterBounds(most=2), many)
    assert sorted(item.id for item in store.all_letters()) == ["f0", "f1", "f3", "f4"]
