"""The scenarios that come along: of the sizes that they promise, and always the same."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from city.imports import parse
from decoders.catalog import catalog
from simulator.__main__ import main
from simulator.chirpstack import ChirpStack
from simulator.faults import Troubled
from simulator.options import shipped
from simulator.reading import read_all
from simulator.scenario import Scenario, build, load_all

START = datetime(2026, 11, 20, 5, 55, tzinfo=UTC)  # a working day: the rush hour begins at 07:00 by the town's clocks
SIZES = {"hilchenbach": (120, 72), "netphen": (40, 33), "hilchenbach-klein": (200, 60), "kreisstadt": (3000, 400),
         "sturmnacht": (300, 80), "stosszeit": (60, 600)}


def first_minutes(scenario: Scenario, seed: int, minutes: int = 10) -> str:
    """A hash of what a town says in its first virtual minutes."""
    town = Troubled(ChirpStack(scenario, seed=seed, start=START), seed=seed, start=START)
    said = hashlib.sha256()
    for topic, payload in town.advance(START + timedelta(minutes=minutes)):
        said.update(topic.encode() + b"\0" + payload + b"\0")
    return said.hexdigest()


def test_there_is_one_of_each_that_is_promised() -> None:
    assert set(shipped()) == {*SIZES, "verband"}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_a_scenario_has_its_size_and_its_list_imports(name: str, size: tuple[int, int]) -> None:
    [scenario] = load_all(shipped()[name])
    assert (len(scenario.lamps), len(scenario.bays)) == size
    rows, problems = parse(scenario.import_csv(), catalog())
    assert problems == []
    assert len(rows) == sum(size)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_a_run_is_the_same_for_its_seed_and_another_for_another(name: str) -> None:
    scenario = Scenario.load(shipped()[name]).sized(lamps=30, bays=20)
    assert first_minutes(scenario, 1) == first_minutes(scenario, 1) != first_minutes(scenario, 2)


def test_towns_of_the_union_run_and_differ() -> None:
    small = [build(plan, lamps=20, bays=5) for plan in read_all(shipped()["verband"])[:3]]
    assert len({first_minutes(scenario, 1) for scenario in small}) == 3


def test_sturmnacht_lives_through_all_of_its_faults() -> None:
    scenario = Scenario.load(shipped()["sturmnacht"]).sized(lamps=30, bays=20)
    start = datetime(2026, 11, 21, 19, tzinfo=UTC)
    town = Troubled(ChirpStack(scenario, seed=1, start=start), seed=1, start=start)
    seen = set()
    for minute in range(0, 300, 5):
        said = town.advance(start + timedelta(minutes=minute))
        seen |= {type(fault) for fault in town.running}
    assert len(seen) == len({type(fault) for fault in scenario.plan.fault})
    assert said, "it lives still"


def test_the_list_and_the_check_say_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "sturmnacht"]) == 0
    said = capsys.readouterr().out
    assert "300 lamps, 80 bays" in said
    assert "16 faults" in said
    assert main(["help"]) == 0
    helped = capsys.readouterr().out
    assert all(name in helped for name in ("run", "record", "replay", "scenarios", "check"))
