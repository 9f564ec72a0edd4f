"""Towns from grids, maps, asset lists, and unions of towns."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from city.errors import Invalid
from city.imports import parse
from city.places import Restriction
from decoders.catalog import catalog
from simulator.options import SCENARIOS
from simulator.radio import distance
from simulator.reading import read_all
from simulator.scenario import Scenario, load_all

TOWN = '[town]\nid = "t"\nname = "T"\nlatitude = 51.0\nlongitude = 8.0\npole = "TT"\n'
GATEWAYS = "[gateways]\nevery_m = 1000\n"
GRID = '[[grid]]\nzone = "Nord"\ncolumns = 5\nrows = 4\n'


def town(directory: Path, *parts: str, **files: str) -> Scenario:
    """The town of a scenario file of these parts; `files` lie beside it (a_csv is a.csv)."""
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text, encoding="utf-8")
    path = directory / "t.toml"
    path.write_text("\n".join(parts), encoding="utf-8")
    return Scenario.load(path)


def feature(shape: str, coordinates: object, **tags: object) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": shape, "coordinates": coordinates}, "properties": tags}


def geojson(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def line_of(error: Invalid, directory: Path) -> str:
    """The line of the scenario file that an error names."""
    named = re.search(r"t\.toml cannot be used, line (\d+): ", str(error))
    assert named, error
    return (directory / "t.toml").read_text(encoding="utf-8").splitlines()[int(named[1]) - 1]


STREET = feature("LineString", [[8.0, 51.0], [8.01, 51.0]], highway="residential", name="Hauptstraße")


def test_a_grid_has_streets_both_ways_zones_circuits_and_lots(tmp_path: Path) -> None:
    grid = GRID + "zones = 2\nlots = 3\nlot_bays = 7\nmain_every = 2\nstreets_per_circuit = 3\n"
    made = town(tmp_path, TOWN, GATEWAYS, grid)
    assert len(made.streets) == 5 + 2 * 4, "five northwards, four eastwards cut where the zones meet"
    assert {site.lamp.zone for site in made.lamps} == {"Nord-1", "Nord-2"}
    assert len({site.lamp.circuit for site in made.lamps}) == 2 + 3
    assert len(made.bays) == 21
    assert {site.lamp.power_w for site in made.lamps} == {24.0, 58.0}
    rows, problems = parse(made.import_csv(), catalog())
    assert problems == []
    assert len(rows) == len(made.lamps) + len(made.bays)


def test_a_grid_is_the_same_for_its_seed_and_another_for_another(tmp_path: Path) -> None:
    one, again = (town(tmp_path, TOWN, GATEWAYS, GRID) for _ in range(2))
    other = town(tmp_path, TOWN, GATEWAYS, GRID + "seed = 2\n")
    assert one == again
    assert one.streets != other.streets


def test_gateways_stand_where_lamps_are(tmp_path: Path) -> None:
    far = '[[grid]]\nzone = "Fern"\ncolumns = 3\nrows = 3\nat = [9000, 9000]\ncircuit = "F"\n'
    made = town(tmp_path, TOWN, GATEWAYS, GRID, far)
    assert 2 <= len(made.antennas) <= 12
    for antenna in made.antennas:
        assert min(distance(antenna.site, site.lamp.site) for site in made.lamps) < 300


def test_a_map_gives_streets_lamps_and_parking(tmp_path: Path) -> None:
    drawn = geojson(
        STREET, feature("LineString", [[8.0, 51.001], [8.001, 51.001]], highway="footway", name="Pfad"),
        feature("LineString", [[8.0, 51.002], [8.001, 51.002]], tags={"highway": "primary", "name": "Hauptstraße", "lit": "yes"}),
        feature("Point", [8.004, 51.003], other_tags='"amenity"=>"parking","capacity"=>"17","access"=>"private"'),
        feature("Polygon", [[[8.0, 51.004], [8.001, 51.004], [8.0, 51.005], [8.0, 51.004]]], amenity="parking_space",
                parking_space="disabled"))
    made = town(tmp_path, TOWN, GATEWAYS, '[[map]]\nfile = "m.json"\n', m_json=drawn)
    names = Counter(site.lamp.name.rsplit(" ", 1)[0] for site in made.lamps)
    assert names["Hauptstraße"] == 23, "700 m at 30 m"
    assert names["Hauptstraße (2)"] == 2
    assert "Pfad" not in names, "a footway is lit only where the map says so"
    assert {street.name for street in made.streets} == {"Hauptstraße", "Hauptstraße (2)", "Pfad"}
    assert len(made.bays) == 18
    assert made.bays[-1].bay.restriction is Restriction.DISABLED
    assert {site.habit for site in made.bays} == {"resident", "city"}


def test_lamps_of_a_map_are_its_points_where_it_has_any(tmp_path: Path) -> None:
    drawn = geojson(STREET, *(feature("Point", [8.0 + n / 1000, 51.0], highway="street_lamp", ref=f"L{n}") for n in range(5)))
    made = town(tmp_path, TOWN, GATEWAYS, '[[map]]\nfile = "m.json"\n', m_json=drawn)
    assert [site.lamp.name for site in made.lamps] == ["L0", "L1", "L2", "L3", "L4"]
    assert made.lamps[3].lamp.site.longitude == pytest.approx(8.003, abs=1e-6)
    along = town(tmp_path, TOWN, GATEWAYS, '[[map]]\nfile = "m.json"\nlamps = "streets"\n')
    assert len(along.lamps) == 23


@pytest.mark.parametrize(("text", "says"), [
    ("[" * 100_000, "no JSON"), ("\xff", "no JSON"), ("[]", "FeatureCollection"), ('{"features": 7}', "FeatureCollection"),
    (geojson(feature("LineString", [[8.0, "north"], [8, 51]], highway="primary")), "feature 1"),
    (geojson(STREET, feature("Point", [9.9, 51.0], highway="street_lamp")), "feature 2 lies more than 50 km"),
    (geojson(feature("Point", [1e308, -1e308], amenity="parking")), "feature 1"),
    (geojson(None, 7, {"properties": 3}, feature("Polygon", [[]], amenity="parking"), feature("Point", None, a=1)), "no street"),
])
def test_a_hostile_map_is_refused_with_the_line_that_asks_for_it(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        town(tmp_path, TOWN, GATEWAYS, '[[map]]\nfile = "m.json"\n', m_json=text)
    assert says in str(refused.value)
    assert line_of(refused.value, tmp_path) in ("[[map]]", "[town]")


def test_an_asset_list_keeps_its_names_places_and_euis(tmp_path: Path) -> None:
    listed = ("asset,kind,latitude,longitude,zone,circuit,dev_eui,model,power_w,restriction\n"
              "L-7,lamp,51.001234,8.002345,Mitte,C1,0011223344556677,stadtfunk/lamp,35,\n"
              "P-1,bay,51.001,8.002,Markt,,0011223344556688,nwave/nps405,,disabled\n"
              "L-8,lamp,51.002,8.002,Mitte,C1,,,,crosswalk\n")
    made = town(tmp_path, TOWN, GATEWAYS, '[[assets]]\nfile = "a.csv"\n', a_csv=listed)
    lamp = made.lamps[0]
    assert (lamp.lamp.id, lamp.device.dev_eui, lamp.device.model, lamp.lamp.power_w) == (
        "L-7", "0011223344556677", "stadtfunk/lamp", 35.0)
    assert (lamp.lamp.site.latitude, lamp.lamp.site.longitude) == (51.001234, 8.002345)
    assert made.lamps[1].lamp.restriction is Restriction.CROSSWALK
    assert made.lamps[1].device.model == "nas/ul20xx"
    assert (made.bays[0].bay.restriction, made.bays[0].device.model) == (Restriction.DISABLED, "nwave/nps405")


@pytest.mark.parametrize(("row", "says"), [
    ("L-1,lamp,51.0,8.0,No Zone", "line 2, zone"), ("L-1,lamp,52.0,8.0,Z", "line 2: L-1 lies more than 50 km"),
    ("L-1,tree,51.0,8.0,Z", "neither lamp nor bay"),
])
def test_a_bad_asset_list_is_refused_with_both_lines(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        town(tmp_path, TOWN, GATEWAYS, '[[assets]]\nfile = "a.csv"\n', a_csv=f"asset,kind,latitude,longitude,zone\n{row}\n")
    assert says in str(refused.value)
    assert line_of(refused.value, tmp_path) == "[[assets]]"


def test_a_mix_gives_each_model_its_share_and_each_device_always_the_same(tmp_path: Path) -> None:
    mix = '[mix.lamps]\n"nas/ul20xx" = 7\n"stadtfunk/lamp" = 3\n[mix.bays]\n"pni/placepod" = 1\n'
    made = town(tmp_path, TOWN + "lamps = 2000\nbays = 50\n", GATEWAYS, GRID, mix)
    models = Counter(site.device.model for site in made.lamps)
    assert 1320 < models["nas/ul20xx"] < 1480
    assert {site.device.model for site in made.bays} == {"pni/placepod"}
    fewer = made.sized(lamps=1000, bays=50)
    assert [site.device.model for site in fewer.lamps] == [site.device.model for site in made.lamps[:1000]]


@pytest.mark.parametrize(("part", "line", "says"), [
    ('[[grid]]\nzone = "A"\ncolumns = 1\nrows = 4\n', "columns = 1", "columns"),
    ('[[grid]]\nzone = "A"\ncolumns = 4\nrows = 4\nlighting_class = "Q9"\n', "lighting_class", "Q9"),
    (GRID + '[mix.lamps]\n"bosch/tps110" = 1\n', '"bosch', "no lamp"),
    (GRID + '[mix.bays]\n"nas/ul20xx" = 1\n', '"nas', "no parking sensor"),
    (GRID + '[devices]\n\nuplink_los = 0.1\n', "uplink_los", "uplink_los"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "gateway-down"\ngateway = "Nirgends"\n', "gateway =", "no gateway Nirgends"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "cabinet-outage"\ncircuit = "X-1"\n', "circuit =", "no circuit X-1"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "rush"\nzone = "Weg"\n', "zone =", "no zone Weg"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "duplicates"\nmodel = "acme/x"\n', "model =", "no model acme/x"),
    (GRID + '[[fault]]\nat = "later"\nkind = "duplicates"\n', "at =", "at"),
    (GRID + '[[fault]]\nat = "25:61"\nkind = "duplicates"\n', "at =", "25:61 is no time"),
    (GRID + '[[fault]]\nat = "2026-02-30T10:00"\nkind = "duplicates"\n', "at =", "is no time"),
    (GRID + '[[fault]]\nat = "+999999 d 999999 d 999999 d 999999 d"\nkind = "duplicates"\n', "at =", "is no time"),
    (GRID + '[[fault]]\nat = "+1 h"\nfor = "999999 d"\nkind = "duplicates"\n', "for =", "too long"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "earthquake"\n', "kind =", "earthquake"),
    (GRID + '[[fault]]\nat = "+1 h"\nfor = "10 m"\nkind = "duplicates"\n', "for =", "for"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "device-fault"\nfault = "stuck"\n', "fault =", "stuck is no fault"),
    (GRID + '[[fault]]\nat = "+1 h"\nkind = "duplicates"\ntown = "other"\n', "town =", "no town other"),
    (GRID + '[[lamp]]\nat = [0, 0]\nzone = "Z"\nmodel = "pni/placepod"\n', "model =", "no lamp"),
    (GRID + '[[lamp]]\nat = [0, 0]\nzone = "Z"\ndev_eui = "xyz"\n', "dev_eui =", "EUI"),
    (GRID + '[[bay]]\nat = [0, 0]\nzone = "Z"\nasset = "A"\n[[bay]]\nat = [0, 0]\nzone = "Z"\nasset = "A"\n',
     'asset = "A"', "A stands there twice"),
])
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, part: str, line: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        town(tmp_path, TOWN, GATEWAYS, part)
    assert line_of(refused.value, tmp_path).startswith(line)
    assert says in str(refused.value)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(Invalid, match="no number"):
        town(tmp_path, TOWN, GATEWAYS, GRID, f'[[lamp]]\nat = [{number}, 0]\nzone = "Z"\n')


def test_a_name_of_a_list_that_is_drawn_too_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="twice"):
        town(tmp_path, TOWN, GATEWAYS, GRID, '[[lamp]]\nat = [0, 0]\nzone = "Z"\nasset = "TT-0001"\n')


def test_the_union_has_its_towns_and_no_name_twice() -> None:
    plans = read_all(SCENARIOS / "verband.toml")
    assert len(plans) == 72
    assert sum((plan.town.lamps or 0) + (plan.town.bays or 0) for plan in plans) == 100_000
    gateways = [gateway.id for plan in plans for gateway in plan.gateway]
    assert len(set(gateways)) == len(gateways) > 200
    assert len({plan.town.number for plan in plans}) == len({plan.town.id for plan in plans}) == 72


def test_towns_of_a_union_share_no_eui_and_have_their_own_faults(tmp_path: Path) -> None:
    path = tmp_path / "u.toml"
    path.write_text('[union]\nname = "U"\ntowns = [["Öhringen", 49.2, 9.5, 40, 10], ["Bad B", 49.3, 9.6, 300, 0]]\n'
                    '[[fault]]\nkind = "rush"\nat = "+1 h"\ntown = "oehringen"\n', encoding="utf-8")
    one, other = load_all(path)
    assert (one.tenant.id, other.tenant.id) == ("oehringen", "bad-b")
    assert (len(one.lamps), len(one.bays), len(other.lamps), len(other.bays)) == (40, 10, 300, 0)
    assert not {site.device.dev_eui for site in one.lamps} & {site.device.dev_eui for site in other.lamps}
    assert (len(one.plan.fault), len(other.plan.fault)) == (1, 0)
    for town_of in (one, other):
        assert parse(town_of.import_csv(), catalog())[1] == []
    path.write_text(path.read_text(encoding="utf-8").replace('town = "oehringen"', 'zone = "Quartier-P1"'), encoding="utf-8")
    one, other = load_all(path)
    assert (len(one.plan.fault), len(other.plan.fault)) == (1, 0), "the second town has no car park"
    with pytest.raises(Invalid, match="has 2 towns"):
        Scenario.load(path)


@pytest.mark.parametrize(("text", "says"), [
    ('towns = [["A", 49.2, 9.5, 40, 10], ["a", 49.2, 9.5, 40, 10]]', "the town a stands there twice"),
    ('towns = []', "towns"), ('towns = [["A", 49.2, 9.5, 0, 10]]', "line 3"),
    ('towns = [["A", 49.2, 9.5, 1, 1]]\n[[fault]]\nkind = "rush"\nat = "+1 h"\ntown = "b"', "line 7: there is no town b"),
    ('towns = [["A", 49.2, 9.5, 1, 1]]\n[[fault]]\nkind = "cabinet-outage"\nat = "+1 h"\ncircuit = "Q"',
     "line 7: there is no circuit Q"),
])
def test_a_bad_union_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "u.toml"
    path.write_text(f'[union]\nname = "U"\n{text}\n', encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        load_all(path)
    assert says in str(refused.value)
