"""Towns from scenario files: believable, importable, of any size, and always the same."""

from itertools import pairwise
from pathlib import Path

import pytest

from city.errors import Invalid
from city.imports import parse
from city.places import Restriction
from decoders.catalog import catalog
from simulator.radio import distance
from simulator.reading import read
from simulator.scenario import DEFAULT, TOWNS, Scenario

TOWN_FILES = sorted(TOWNS.glob("*.toml"))


@pytest.mark.parametrize("file", TOWN_FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("lamps", "bays"), [(None, None), (1, 1), (1, 0), (7, 5), (900, 400)])
def test_every_town_imports_without_a_problem_at_any_size(file: Path, lamps: int | None, bays: int | None) -> None:
    town = Scenario.load(file).sized(lamps=lamps, bays=bays)
    rows, problems = parse(town.import_csv(), catalog())
    assert problems == []
    assert len(rows) == len(town.lamps) + len(town.bays)
    assert len(town.lamps) == (lamps or len(town.lamps))
    assert bays in (None, len(town.bays))


def test_the_largest_town_has_unique_names_and_grows_outwards() -> None:
    small, large = Scenario.load(), Scenario.load().sized(lamps=20_000, bays=20_000)
    devices = [site.device for site in (*large.lamps, *large.bays)]
    assert len({device.dev_eui for device in devices}) == len({device.asset for device in devices}) == 40_000
    assert len(large.gateways) > 20
    assert len({street.name for street in large.streets}) == len(large.streets)
    assert max(distance(large.tenant.site, site.lamp.site) for site in large.lamps) > 2000
    assert max(distance(small.tenant.site, site.lamp.site) for site in small.lamps) < 1000


def test_hilchenbach_is_as_it_was_drawn() -> None:
    town = Scenario.load()
    assert (len(town.lamps), len(town.bays), len(town.gateways)) == (120, 72, 3)
    assert len({site.bay.zone for site in town.bays}) == 5
    assert 6 <= len({site.lamp.circuit for site in town.lamps}) <= 8
    assert all(18 <= (site.lamp.power_w or 0) <= 80 for site in town.lamps)
    crosswalks = [site.lamp for site in town.lamps if site.lamp.restriction is Restriction.CROSSWALK]
    assert {lamp.zone for lamp in crosswalks} == {"Schulviertel"}
    assert {Restriction.DISABLED, Restriction.CHARGING, Restriction.RESIDENT} <= {
        site.bay.restriction for site in town.bays}
    assert town.lamps[41].lamp.id.startswith("HIL-")


def test_a_town_is_always_the_same_and_two_towns_share_nothing() -> None:
    one, again, other = Scenario.load(), Scenario.load(DEFAULT), Scenario.load(TOWNS / "netphen.toml")
    assert one == again
    assert one.tenant.chirpstack_tenant != other.tenant.chirpstack_tenant
    assert one.application("lamp") not in (one.application("bay"), other.application("lamp"))
    assert not {site.device.dev_eui for site in one.lamps} & {site.device.dev_eui for site in other.lamps}
    assert not {gateway.id for gateway in one.gateways} & {gateway.id for gateway in other.gateways}


def test_neighbouring_lamps_stand_a_few_dozen_metres_apart() -> None:
    lamps = [site.lamp for site in Scenario.load().lamps if site.lamp.name.startswith("Industriestraße")]
    gaps = [distance(a.site, b.site) for a, b in pairwise(lamps)]
    assert all(25 <= gap <= 60 for gap in gaps)


@pytest.mark.parametrize(("field", "number"), [("lamps", 0), ("lamps", 20_001), ("bays", -1), ("bays", 1_000_000)])
def test_impossible_sizes_are_refused(field: str, number: int) -> None:
    with pytest.raises(Invalid, match="to 20000") as refused:
        Scenario.load().sized(**{field: number})
    assert refused.value.field == field


@pytest.mark.parametrize(("old", "new", "says"), [
    ('pole = "HIL"', 'pole = "hil 1"', "pole"),
    ("bays = 24", "bays = 3", "more reserved bays than bays"),
    ('mark = "BF"', 'mark = "MP"', "MP stands there twice"),
    ('id = "hilchenbach"', 'id = "Hilchen bach"', "a-z"),
    ('lighting_class = "M4"', 'lighting_class = "M9"', "EN 13201-2"),
    ('habit = "commuter"', 'habit = "never"', "habit"),
    ("uplink_loss = 0.01", "uplink_loss = 2", "uplink_loss"),
    ("uplink_loss", "uplnk_loss", "uplnk_loss"),
    ('id = "0016c001f1500a01"', 'id = "gateway one"', "EUI"),
    ("[town]", "[town", "scenario"),
    ('zone = "Altstadt"', 'zone = "Alt Stadt"', "Alt Stadt"),
])
def test_what_is_wrong_with_a_scenario_file_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "bad.toml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        read(file)
    assert says in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"nowhere\.toml"):
        Scenario.load(tmp_path / "nowhere.toml")
