"""The book of energy out of the local log: booked once, made up when missed, corrected by what comes late."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from city.clock import ManualClock
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.imports import parse
from city.nights import Night
from city.places import Site, Tenant
from city.quantities import LAMP_ENERGY, LAMP_LEVEL, Quantity
from city.readings import Entry, Place, Reading, to_ns
from city.store.readings import LocalLog
from decoders.catalog import catalog
from gateway_bridge.bookkeeping import FILE, Bookkeeper
from tests.stores import new_store

TOWN = TenantId("ahausen")
SITE = Site(50.94, 6.96)
FIRST = date(2026, 11, 10)
DAY = timedelta(days=1)
ASSETS = (b"asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w\n"
          b"L1,lamp,Eins,50.94,6.96,markt,K1,70b3d5e75e000001,nas/ul20xx,40\n"
          b"L2,lamp,Zwei,50.94,6.96,markt,K1,70b3d5e75e000002,nas/ul20xx,40\n"
          b"L3,lamp,Drei,50.94,6.96,hafen,K2,,,40\n")


class Books:
    """A town of three lamps, one without a controller; its log and its bookkeeper."""

    def __init__(self, directory: Path) -> None:
        self.store, self.log = new_store(directory / "city.db"), LocalLog(directory / "log")
        self.store.put_tenant(Tenant(TOWN, "Ahausen", SITE))
        rows, problems = parse(ASSETS, set(catalog()))
        assert not problems
        self.store.tenant(TOWN).import_rows(rows)
        self.clock, self.number = ManualClock(datetime(2026, 11, 10, 10, tzinfo=UTC)), 0
        self.start()

    def start(self) -> None:
        self.keeper = Bookkeeper(self.store, self.log, self.clock, directory=self.log.directory, keep_days=400)

    def says(self, lamp: int, at: datetime, quantity: Quantity, value: float) -> None:
        self.number += 1
        place = Place(TOWN, AssetId(f"L{lamp}"), "lamp", ZoneId("markt"), None, DevEui(f"70b3d5e75e00000{lamp}"))
        self.log.append([Entry.of(place, to_ns(at), f"up:{self.number}", [Reading(place, quantity, float(value), to_ns(at))])])

    def counts(self, lamp: int, first: datetime, last: datetime, *, wh: float = 1000.0, watts: float = 20.0) -> float:
        """Every half hour the counter of a lamp that draws the same day and night."""
        while first <= last:
            self.says(lamp, first, LAMP_ENERGY, wh)
            first, wh = first + timedelta(minutes=30), wh + watts / 2
        return wh

    def run(self, at: datetime | None = None) -> None:
        if at is not None:
            self.clock.advance((at - self.clock.now()).total_seconds())
        while self.keeper.step():
            pass

    def wh(self, lamp: int, night: date = FIRST) -> tuple[int, int]:
        """Metered and estimated."""
        line = next(one for one in self.store.tenant(TOWN).lamp_nights(night, night) if one.asset == f"L{lamp}")
        return line.used.metered_wh, line.used.estimated_wh


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.log.close()
    made.store.close()


def noon(night: date) -> datetime:
    return Night.of(night, SITE).noon


def test_a_night_is_booked_two_hours_after_its_noon(books: Books):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(hours=26))
    books.run(noon(FIRST) + timedelta(hours=26, minutes=15))
    assert books.wh(1) == (480, 0)
    metered, estimated = books.wh(3)
    assert metered == 0 < estimated  # no controller: as programmed
    line = next(one for one in books.store.tenant(TOWN).lamp_nights(FIRST, FIRST) if one.asset == "L2")
    assert line.used.wh == 0 < line.used.missing_s  # it has one, and is not heard


def test_the_running_night_is_booked_as_it_goes(books: Books):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(hours=6))
    books.run(noon(FIRST) + timedelta(hours=6))
    assert books.wh(1) == (120, 0)
    books.counts(1, noon(FIRST) + timedelta(hours=6, minutes=30), noon(FIRST) + timedelta(hours=12), wh=1150)
    books.run(noon(FIRST) + timedelta(hours=12))
    assert books.wh(1) == (240, 0)


def test_missed_nights_are_made_up(books: Books):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(days=5))
    books.run(noon(FIRST) + timedelta(days=5, hours=3))
    assert [books.wh(1, FIRST + timedelta(days=number)) for number in range(5)] == [(480, 0)] * 5


def test_what_comes_late_corrects_its_night_and_no_other(books: Books):
    end = books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(days=2))
    books.run(noon(FIRST) + timedelta(days=2, hours=3))
    assert books.wh(2) == (0, 0)
    books.counts(2, noon(FIRST) + timedelta(hours=1), noon(FIRST) + timedelta(hours=5))
    books.run(noon(FIRST) + timedelta(days=2, hours=4))
    assert books.wh(2) == (80, 0)
    assert books.wh(1) == (480, 0)
    assert end > 1000


def test_a_lamp_that_was_moved_stays_where_it_was_in_the_nights_before(books: Books):
    books.counts(1, noon(FIRST), noon(FIRST + DAY))
    books.run(noon(FIRST + DAY) + timedelta(hours=3))
    moved, _ = parse(ASSETS.replace(b"L1,lamp,Eins,50.94,6.96,markt,K1", b"L1,lamp,Eins,50.94,6.96,hafen,K2"), set(catalog()))
    books.store.tenant(TOWN).import_rows(moved)
    books.says(1, noon(FIRST) + timedelta(hours=3, minutes=10), LAMP_ENERGY, 1063.0)
    books.run(noon(FIRST + DAY) + timedelta(hours=4))
    (line,) = [one for one in books.store.tenant(TOWN).lamp_nights(FIRST, FIRST) if one.asset == "L1"]
    assert (line.zone, line.circuit) == ("markt", "K1")
    assert line.words == 49  # what came late is in it


def test_a_counter_that_went_on_in_silence_fills_the_nights_before(books: Books):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(hours=2), wh=1000)
    books.run(noon(FIRST) + timedelta(days=3, hours=3))
    assert sum(books.wh(1, FIRST + timedelta(days=number))[0] for number in range(3)) < 50
    back = noon(FIRST) + timedelta(days=3, hours=4)
    books.counts(1, back, back + timedelta(hours=22), wh=1060 + 900)
    books.run(noon(FIRST) + timedelta(days=4, hours=3))
    nights = [books.wh(1, FIRST + timedelta(days=number))[0] for number in range(3)]
    assert sum(nights) == pytest.approx(40 + 900, abs=2)  # two hours' worth heard, the rest shared as programmed
    assert [round(one, -1) for one in nights] == [340, 300, 300]


def test_nothing_is_forgotten_by_a_restart_and_nothing_done_twice(books: Books):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(hours=27))
    books.run(noon(FIRST) + timedelta(hours=27))
    books.says(2, noon(FIRST) + timedelta(hours=8), LAMP_LEVEL, 100.0)  # late, and the process dies before it looks
    books.start()
    books.run(noon(FIRST) + timedelta(hours=28))
    assert books.wh(2)[1] == 160  # 40 W for the four hours that a last word holds


@pytest.mark.parametrize("nonsense", [b"", b"[]", b'{"done": 3}', b'{"done": "x", "position": 1, "again": {}}', b"\xff"])
def test_a_damaged_file_makes_all_nights_again(books: Books, nonsense: bytes):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(hours=27))
    (books.log.directory / FILE).write_bytes(nonsense)
    books.run(noon(FIRST) + timedelta(hours=27))
    assert books.wh(1) == (480, 0)


def test_who_heard_less_of_a_night_does_not_overwrite_it(books: Books, tmp_path: Path):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(hours=27))
    books.run(noon(FIRST) + timedelta(hours=27))
    other = LocalLog(tmp_path / "other")
    keeper = Bookkeeper(books.store, other, books.clock, directory=other.directory, keep_days=400)
    while keeper.step():
        pass
    other.close()
    assert books.wh(1) == (480, 0)


def test_old_nights_are_forgotten(books: Books):
    books.counts(1, noon(FIRST) - timedelta(hours=1), noon(FIRST) + timedelta(days=4))
    books.keeper = Bookkeeper(books.store, books.log, books.clock, directory=books.log.directory, keep_days=2)
    books.run(noon(FIRST) + timedelta(days=4, hours=3))
    booked = books.store.tenant(TOWN).booked()
    assert booked is not None
    assert booked.first == FIRST + timedelta(days=2)
