"""What we push is what ParkAPI takes: judged by parkapi-sources itself, in a Python that it runs in.

It needs Python 3.12 or newer. `STADTFUNK_PARKAPI_PYTHON` names one that has it; else one is looked for and gets it by pip in a
directory of this run. Where there is none, or no way to get it, tests/exports/test_parkapi.py still holds our own schema.
"""

import json
import os
import random
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from city.exports.parkapi import site, spot
from city.parking_facts import Count
from city.parking_places import SiteKind, SiteRule, TownParking
from city.places import Restriction
from city.public_spots import public_spots
from tests.exports.parkapi_schema import SITE as SITE_SCHEMA
from tests.exports.parkapi_schema import SPOT as SPOT_SCHEMA
from tests.exports.parkapi_schema import faults
from tests.exports.parkapi_town import RING, SAID, SITE, SOURCE, bay, bay_fact, fact, zones

pytestmark = pytest.mark.wire
KINDS = ["", "disabled", "charging", "resident"]
NAMES = ("python3.12", "python3.13", "python3.14")
WANTED = "parkapi-sources>=0.38,<1"
JUDGE = """
import json, sys
from parkapi_sources.models import CombinedParkingSiteInput, CombinedParkingSpotInput
from validataclass.exceptions import ValidationError
from validataclass.validators import DataclassValidator
judges = {"site": DataclassValidator(CombinedParkingSiteInput), "spot": DataclassValidator(CombinedParkingSpotInput)}
def judged(kind, item):
    try:
        judges[kind].validate(item)
    except ValidationError as error:
        return str(error.to_dict())
    return ""
print(json.dumps([judged(*one) for one in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has parkapi-sources."""
    if named := os.environ.get("STADTFUNK_PARKAPI_PYTHON"):
        return named
    newer = next(filter(None, map(_works, (*NAMES, *_of_pyenv()))), None)
    if newer is None:
        pytest.skip("no Python 3.12 or newer here")
    home: Path = tmp_path_factory.mktemp("parkapi") / "env"
    subprocess.run([newer, "-m", "venv", str(home)], check=True, timeout=120)
    made = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    got = subprocess.run([made, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", WANTED],
                         capture_output=True, text=True, check=False, timeout=500)
    if got.returncode:
        pytest.skip(f"parkapi-sources cannot be had: {got.stderr[-200:]}")
    return str(made)


def _works(name: str) -> str | None:
    """The program's path, if it is one that runs: some are only shims."""
    path = shutil.which(name)
    ran = path and subprocess.run([path, "-c", "import venv"], capture_output=True, check=False, timeout=60)
    return path if ran and ran.returncode == 0 else None


def _of_pyenv() -> list[str]:
    """Those that pyenv has but does not put on the path."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return sorted(str(found) for found in root.glob("versions/3.1[2-9]*/bin/python"))


def judged(python: str, items: list[tuple[str, dict[str, Any]]]) -> list[str]:
    ran = subprocess.run([python, "-c", JUDGE], input=msgspec.json.encode(items), capture_output=True, check=True, timeout=300)
    found: list[str] = json.loads(ran.stdout)
    return found


def some_sites(seed: int, many: int) -> list[dict[str, Any]]:
    """Zones of every kind, full, empty, half known, old, small, well and badly described."""
    dice, found = random.Random(seed), []
    for number in range(many):
        counted = {kind: Count(free + taken + dice.randrange(4), free, taken, "few") for kind in
                   dice.sample(KINDS, dice.randint(1, 4))
                   for free, taken in [(dice.randrange(30), dice.randrange(30))]}
        rules = tuple(SiteRule(dice.choice(KINDS), dice.choice(["", "24/7", "Mo-Fr 08:00-18:00"]),
                               dice.choice([0, 1, 60, 90, 1500]), dice.random() < 0.5, False) for _ in range(dice.randrange(4)))
        place = msgspec.structs.replace(
            SITE, zone=f"z{number}", kind=dice.choice(list(SiteKind)).value, rules=rules, area=dice.choice([RING, RING[:2], ()]),
            address="Ä" * dice.choice([0, 20, 700]), note="“n”" * dice.choice([0, 2, 2000]), fee=dice.choice(["", "1 €/h"]),
            orientation=dice.choice(["", "PARALLEL", "quer"]), permit_zone=dice.choice(["", "A", "?"]),
            osm=dice.choice(["", "way/1"]))
        said = TownParking(operator="B" * dice.choice([0, 20, 300]), special_public=dice.random() < 0.5)
        age = timedelta(minutes=dice.choice([0, 3, 20, 45]))
        found += [site(zone, SOURCE) for zone in zones(fact(f"z{number}", counted, age), sites=[place], said=said)]
    return found


def some_spots() -> list[dict[str, Any]]:
    """As a source would be sent them."""
    bays = [bay(f"B{number}", kind, place=number / 100) for number in range(6)
            for kind in [Restriction.DISABLED if number % 2 else Restriction.CHARGING]]
    states = [bay_fact(f"B{number}", word) for number, word in enumerate(("free", "occupied", "unknown", "blocked", "free"))]
    shown = [spot(one, SOURCE) for one in public_spots(zones(fact()), bays, states, SAID, {})]
    return [{**{name: value for name, value in item.items() if name in SPOT_SCHEMA["properties"]}, "uid": item["original_uid"],
             "parking_site_uid": "alt-markt"} for item in shown]


def broken(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The item with one thing wrong, each in another way."""
    without = [{name: value for name, value in item.items() if name != gone}
               for gone in ("uid", "name", "purpose", "type", "lat", "capacity", "has_realtime_data", "static_data_updated_at")]
    wrong = [{**item, **change} for change in (
        {"type": "ZONE"}, {"purpose": "PLANE"}, {"lat": 4.0}, {"lon": 90.0}, {"capacity": -1}, {"capacity": "many"}, {"name": ""},
        {"uid": "x" * 257}, {"address": "x" * 513}, {"orientation": "ACROSS"}, {"realtime_opening_status": "MAYBE"},
        {"realtime_free_capacity": -1}, {"static_data_updated_at": "yesterday"}, {"has_realtime_data": "perhaps"},
        {"restrictions": [{"type": "NEIGHBOURS"}]}, {"restrictions": [{"max_stay": "two hours"}]}, {"public_url": "nowhere"},
        {"external_identifiers": [{"type": "ISBN", "value": "1"}]}, {"geojson": {"type": "Circle", "coordinates": []}})]
    late = {name: value for name, value in item.items() if name != "realtime_data_updated_at"}
    return [*without, *wrong, {**late, "has_realtime_data": True}]


def test_parkapi_takes_every_site_and_spot_that_we_make(python: str) -> None:
    items = [*(("site", item) for item in some_sites(7, 300)), *(("spot", item) for item in some_spots())]
    assert sum(item["has_realtime_data"] for _, item in items) > 50
    assert [fault for fault in judged(python, items) if fault] == []


def test_whatever_parkapi_refuses_our_schema_refuses_too(python: str) -> None:
    [good] = [site(zone, SOURCE) for zone in zones(fact())]
    items = broken(good)
    refused = judged(python, [("site", item) for item in items])
    assert all(refused)
    assert [item for item in items if not faults(SITE_SCHEMA, item)] == []
    assert faults(SITE_SCHEMA, good) == []
