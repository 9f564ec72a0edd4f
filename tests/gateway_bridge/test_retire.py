"""What must not be kept any longer goes by itself, with a report, and whoever cannot remove it says so."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.bays import BayEvent
from city.clock import ManualClock
from city.errors import StoreDown
from city.health import Reason
from city.ids import AssetId, TenantId, ZoneId
from city.imports import parse
from city.parking_facts import BayDay, Forecast, Quarter, Stay
from city.parking_places import Block, Doubt, Doubting
from city.places import Site, Tenant
from city.readings import to_ns
from city.retention import REPORTS, broken_promises, latest, over, plan
from city.sensor_checks import CheckedSensor, SensorCheck
from city.settings import Parking
from city.store.parking_found import AGED
from city.store.port_parking import ParkingFound
from city.store.ports import DeadLetter, Facts, Lease, Store
from city.store.retiring import retire
from decoders.catalog import catalog
from gateway_bridge.health import Facts as Seen
from gateway_bridge.health import readiness
from gateway_bridge.metrics import Metrics
from gateway_bridge.retire import Retirer
from tests.stores import new_store

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)
TOWN, NEXT, BAY, ZONE = TenantId("ahausen"), TenantId("behausen"), AssetId("P1"), ZoneId("markt")
ROWS = (b"asset,kind,name,latitude,longitude,zone,dev_eui,model,power_w\n"
        b"P1,bay,Platz,50.94,6.96,markt,70b3d5e75e000001,bosch/tps110,\n"
        b"L1,lamp,Eins,50.94,6.96,markt,70b3d5e75e000002,nas/ul20xx,40\n")
SPAN = timedelta(days=4000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = new_store(tmp_path / "city.db")
    rows, problems = parse(ROWS, set(catalog()))
    assert not problems
    for town in (TOWN, NEXT):
        made.put_tenant(Tenant(town, "Stadt", Site(50.94, 6.96)))
    made.tenant(TOWN).import_rows(rows)
    yield made
    made.close()


def fill(store: Store, at: datetime, name: str = "x", town: TenantId = TOWN) -> None:
    """One of each kind, of that time."""
    store.add_bay_events(town, [(BAY, BayEvent(to_ns(at), name, 1, "edge", True))], at)
    store.put_parking(town, ParkingFound(
        quarters=[Quarter(ZONE, "", at, 1, 0, 900, 0), Quarter(ZoneId("wall"), "", at, 5, 0, 4500, 0)],
        stays=[Stay(ZONE, "", name, at - timedelta(minutes=9), at, True)],
        days=[BayDay(BAY, at.date(), ZONE, 1, 1, 0, 0, 0, 900, 0)], forecasts=[Forecast(ZONE, at, 15, 1.0, at)],
        checks=[SensorCheck(ZONE, at, at, at, 1, 0, sensors=(CheckedSensor(BAY),))]))
    if town == TOWN:
        mine = store.tenant(town)
        mine.add_blocks([Block(name, town, BAY, at - timedelta(hours=1), at, "", "a", at - timedelta(hours=2))])
        mine.add_doubt(Doubt(name, town, ZONE, Doubting.OTHER, at))
        store.commit(Facts(letters=(letter(name, at, "70b3d5e75e000001"),)))


def letter(name: str, at: datetime, device: str) -> DeadLetter:
    return DeadLetter(name, at, f"application/1/device/{device}/event/up", b"x", "Truncated", "", TOWN)


@dataclass
class Job:
    """The loop and its clock."""

    store: Store
    rules: Parking = field(default_factory=Parking)
    ours: bool = True

    def __post_init__(self) -> None:
        self.clock, self.metrics = ManualClock(NOW), Metrics()
        self.retirer = Retirer(self.store, self.clock, self.rules, self.metrics,
                               lambda: (self.ours, Lease("steering", "me")))

    def run(self, hours: float = 0) -> None:
        """Until there is nothing more to do."""
        self.clock.advance(3600 * hours)
        while self.retirer.step() < 1:
            pass

    def gone(self, what: str) -> float:
        return self.metrics.registry.get_sample_value("stadtfunk_bridge_retired_rows_total", {"what": what}) or 0.0


def test_everything_of_parking_that_has_a_time_has_an_end():
    assert {term.what for term in plan(Parking(quarter_days=100), NOW)} == set(AGED)


def test_each_kind_is_kept_as_long_as_is_set_and_no_longer(store: Store):
    for term in plan(Parking(), NOW):
        if term.what != REPORTS:
            fill(store, term.before - timedelta(seconds=1), f"old {term.what}")
            fill(store, term.before + timedelta(seconds=1), f"new {term.what}")
    job = Job(store)
    job.run()
    for term in plan(Parking(), NOW):
        oldest = store.oldest(TOWN, term.what)
        assert oldest is not None
        assert term.before <= oldest, term.what
        assert term.what == REPORTS or job.gone(term.what) > 0, term.what


def test_nothing_of_a_single_bay_is_left_after_thirty_days_but_the_health_of_its_sensor(store: Store):
    fill(store, NOW - timedelta(days=31))
    Job(store).run()
    town = store.tenant(TOWN)
    assert not town.bay_events(BAY, NOW - SPAN, NOW)
    assert not town.stays(NOW - SPAN, NOW)
    assert len(town.bay_days((NOW - SPAN).date(), NOW.date())) == 1
    assert [one.bays for one in town.quarters(NOW - SPAN, NOW)] == [5]


def test_dead_letters_of_a_bays_sensor_go_with_its_words_and_those_of_lamps_stay(store: Store):
    old = NOW - timedelta(days=8)
    store.commit(Facts(letters=(letter("bay", old, "70b3d5e75e000001"), letter("lamp", old, "70b3d5e75e000002"))))
    Job(store).run()
    assert [one.id for one in store.all_letters()] == ["lamp"]


def test_a_report_says_what_was_removed_and_what_is_the_oldest_left(store: Store):
    fill(store, NOW - timedelta(days=9), "old")
    fill(store, NOW - timedelta(days=2), "new")
    Job(store).run()
    report = latest(store.tenant(TOWN).retired())["bay_events"]
    assert (report.at, report.removed, report.keep_days, report.note) == (NOW, 1, 7.0, "")
    assert report.oldest == NOW - timedelta(days=2)


def test_many_rows_go_a_few_at_a_time(store: Store):
    for number in range(5):
        fill(store, NOW - timedelta(days=9, hours=number), str(number))
    steps = list(retire(store, plan(Parking(), NOW), NOW, rows=2))
    assert [step.removed for step in steps if step.what == "bay_events" and step.tenant == TOWN] == [2, 2, 1, 0]


def test_it_is_done_every_hour_and_reported_once_a_day_where_there_is_nothing(store: Store):
    job = Job(store)
    job.run()
    first = len(store.tenant(TOWN).retired(1000))
    for _ in range(22):
        job.run(hours=1)
    assert len(store.tenant(TOWN).retired(1000)) == first
    fill(store, job.clock.now() - timedelta(days=6, hours=23, minutes=30))
    job.run(hours=1)
    assert job.gone("bay_events") == 1
    job.run(hours=2)
    assert len(store.tenant(TOWN).retired(1000)) >= 2 * first


def test_a_bridge_that_does_not_steer_removes_nothing(store: Store):
    fill(store, NOW - timedelta(days=40))
    job = Job(store, ours=False)
    assert job.retirer.step() > 1
    assert store.tenant(TOWN).bay_events(BAY, NOW - SPAN, NOW)
    assert job.retirer.says() == ""


class Stuck:
    """A store that removes nothing."""

    def __init__(self, store: Store, *, down: bool = False) -> None:
        self._store, self.down = store, down

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def retire(self, *_: object) -> int:
        if self.down:
            raise StoreDown("The city database cannot be used: {what}", what="gone")
        return 0


def test_what_cannot_be_removed_is_said_until_it_is_gone(store: Store):
    fill(store, NOW - timedelta(days=9))
    job = Job(store)
    job.retirer._store = Stuck(store)  # type: ignore[assignment]
    job.run()
    assert "bay_events of ahausen, since 2026-07-18 09:35:00Z" in job.retirer.says()
    report = latest(store.tenant(TOWN).retired())["bay_events"]
    assert report.note
    assert "bay_events" in broken_promises(plan(Parking(), NOW), latest(store.tenant(TOWN).retired()), NOW)
    job.retirer._store = store
    job.run(hours=1)
    assert job.retirer.says() == ""


def test_a_job_that_fails_again_and_again_is_in_the_bridges_health(store: Store):
    job = Job(store)
    job.run()
    job.retirer._store = Stuck(store, down=True)  # type: ignore[assignment]
    job.clock.advance(4 * 3600)
    with pytest.raises(StoreDown):
        job.retirer.step()
    assert "gone" in job.retirer.says()
    reasons = readiness(Seen(NOW - timedelta(days=1), retention_says=job.retirer.says()), NOW).reasons
    assert [(reason.code, reason.broken) for reason in reasons] == [("retention_late", False)]
    assert isinstance(reasons[0], Reason)
    assert "could not be removed" in str(reasons[0])


def test_a_run_that_broke_off_begins_anew(store: Store):
    fill(store, NOW - timedelta(days=9))
    job = Job(store)
    stuck = Stuck(store, down=True)
    job.retirer._store = stuck  # type: ignore[assignment]
    with pytest.raises(StoreDown):
        job.run()
    stuck.down = False
    job.retirer._store = store
    job.run()
    assert not store.tenant(TOWN).bay_events(BAY, NOW - SPAN, NOW)


def test_silence_is_a_broken_promise():
    terms = plan(Parking(), NOW)
    assert broken_promises(terms, {}, NOW) == [term.what for term in terms]


def test_what_became_too_old_since_the_last_run_is_not_overdue():
    term = plan(Parking(), NOW)[0]
    assert not over(term, term.before - timedelta(minutes=59))
    assert over(term, term.before - timedelta(hours=3))
    assert not over(term, None)
