"""What every Store promises of energy, on SQLite and on PostgreSQL: one line a lamp and night, the better heard one stays."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from city.counting import Count
from city.energy import Ends, LampNight, Used
from city.errors import Conflict, NotFound
from city.factors import MAX_FACTORS, SHIPPED, Factor, FactorKind
from city.ids import AssetId, CircuitId, TenantId, ZoneId
from city.places import Site, Tenant
from city.store.opening import open_store
from city.store.ports import Store
from tests.stores import new_database

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
NIGHT = date(2026, 11, 21)
A, B = TenantId("aheim"), TenantId("bheim")
PRICE = Factor(FactorKind.PRICE, date(2026, 1, 1), 0.27, "Vertrag", "netto")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        yield from _opened(new_database(tmp_path / "city.db"))
    else:
        yield from _opened(request.getfixturevalue("postgres")())


def _opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    for town in (A, B):
        store.put_tenant(Tenant(town, town, Site(51, 8)))
    yield store
    store.close()


def line(asset: str = "L1", night: date = NIGHT, words: int = 10, wh: int = 300, circuit: str | None = "K1") -> LampNight:
    at = float(datetime.combine(night, datetime.min.time(), UTC).timestamp())
    ends = Ends(energy=(Count(at, 5.0, "d"), Count(at + 60, 6.5, "d")))
    place = CircuitId(circuit) if circuit else None
    return LampNight(AssetId(asset), night, ZoneId("z"), place, Used(wh, 10, 500, 3600, 60), words, ends)


def test_a_line_is_kept_as_it_is(store: Store):
    assert store.book_nights(A, [line(), line("L2", circuit=None)], NOW) == 2
    assert list(store.tenant(A).lamp_nights(NIGHT, NIGHT)) == [line(), line("L2", circuit=None)]
    assert list(store.tenant(B).lamp_nights(NIGHT, NIGHT)) == []
    assert store.lines_of(A, NIGHT, [AssetId("L2")]) == {"L2": line("L2", circuit=None)}


def test_what_was_heard_better_stays(store: Store):
    store.book_nights(A, [line(words=10, wh=300)], NOW)
    assert store.book_nights(A, [line(words=9, wh=100)], NOW) == 0
    assert store.book_nights(A, [line(words=10, wh=310)], NOW) == 1
    assert store.book_nights(A, [line(words=11, wh=320)], NOW) == 1
    assert [one.used.metered_wh for one in store.tenant(A).lamp_nights(NIGHT, NIGHT)] == [320]


def test_sums_are_by_night_zone_and_circuit(store: Store):
    lines = [line(f"L{number}", NIGHT - timedelta(days=number % 2), circuit=("K1", "K2", None)[number % 3])
             for number in range(12)]
    store.book_nights(A, lines, NOW)
    found = store.tenant(A).energy(NIGHT - timedelta(days=1), NIGHT)
    assert [(one.night, one.circuit, one.lamps, one.used.metered_wh) for one in found] == [
        (night, circuit, 2, 600) for night in (NIGHT - timedelta(days=1), NIGHT) for circuit in (None, "K1", "K2")]
    assert len(store.tenant(A).energy(NIGHT, NIGHT)) == 3


def test_a_counter_goes_on_from_the_nearest_night_in_which_it_was_heard(store: Store):
    silent = LampNight(AssetId("L1"), NIGHT - timedelta(days=1), ZoneId("z"), None, Used())
    store.book_nights(A, [line(night=NIGHT - timedelta(days=40)), line(night=NIGHT - timedelta(days=3)), silent,
                          line(night=NIGHT + timedelta(days=2))], NOW)
    before, after = store.counter_ends(A, NIGHT)
    assert {asset: night for asset, (night, _) in before.items()} == {"L1": NIGHT - timedelta(days=3)}
    assert {asset: night for asset, (night, _) in after.items()} == {"L1": NIGHT + timedelta(days=2)}
    assert before[AssetId("L1")][1] == line(night=NIGHT - timedelta(days=3)).ends
    assert store.counter_ends(B, NIGHT) == ({}, {})


def test_the_oldest_nights_are_forgotten_some_at_a_time(store: Store):
    store.book_nights(A, [line(night=NIGHT - timedelta(days=number)) for number in range(6)], NOW)
    assert store.drop_nights(NIGHT - timedelta(days=1), limit=3) == 3
    assert store.drop_nights(NIGHT - timedelta(days=1), limit=3) == 1
    booked = store.tenant(A).booked()
    assert booked is not None
    assert (booked.first, booked.last, booked.at) == (NIGHT - timedelta(days=1), NIGHT, NOW)
    assert store.tenant(B).booked() is None


def test_each_town_forgets_its_own_share(store: Store):
    for town in (A, B):
        store.book_nights(town, [line(night=NIGHT - timedelta(days=number)) for number in range(3)], NOW)
    assert store.drop_nights(NIGHT, limit=1) == 2
    assert [len(store.tenant(town).lamp_nights(date.min, NIGHT)) for town in (A, B)] == [2, 2]


def test_figures_of_a_town(store: Store):
    town = store.tenant(A)
    assert town.factors().at(FactorKind.PRICE, NIGHT) in SHIPPED
    town.put_factor(PRICE, "me", NOW)
    town.put_factor(Factor(FactorKind.PRICE, date(2026, 1, 1), 0.28, "Vertrag 2"), "me", NOW)
    assert town.factors().at(FactorKind.PRICE, NIGHT).value == 0.28
    assert town.factors().at(FactorKind.PRICE, date(2025, 12, 31)).value == 0.30
    assert store.tenant(B).factors().own == ()
    town.remove_factor(FactorKind.PRICE, PRICE.valid_from)
    with pytest.raises(NotFound):
        town.remove_factor(FactorKind.PRICE, PRICE.valid_from)


def test_a_town_keeps_a_bounded_number_of_figures(store: Store):
    town = store.tenant(A)
    for number in range(MAX_FACTORS):
        town.put_factor(Factor(FactorKind.CO2, date(2020, 1, 1) + timedelta(days=number), 300, "x"), "me", NOW)
    town.put_factor(Factor(FactorKind.CO2, date(2020, 1, 1), 301, "x"), "me", NOW)  # a new version of one is none more
    with pytest.raises(Conflict):
        town.put_factor(PRICE, "me", NOW)
