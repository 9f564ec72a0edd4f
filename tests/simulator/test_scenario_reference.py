"""The reference of the scenario file in docs/simulator.md names every key, with its default."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from simulator import plan
from simulator.fault_plan import AnyFault, Fault

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
TABLES: Mapping[str, type[msgspec.Struct]] = {
    "[town]": plan.Town, "[devices]": plan.Devices, "[[street]]": plan.StreetPlan, "[[lamp]]": plan.LampPlan,
    "[[parking]]": plan.LotPlan, "[[bay]]": plan.BayPlan, "[[gateway]]": plan.GatewayPlan, "[gateways]": plan.GatewaysPlan,
    "[[grid]]": plan.GridPlan, "[[map]]": plan.MapPlan, "[[assets]]": plan.AssetsPlan, "[mix]": plan.MixPlan,
    "[weather]": plan.WeatherPlan, "[union]": plan.UnionPlan}
FAULTS = {kind.__struct_config__.tag: kind for kind in get_args(AnyFault)}
NAMES_DEVICES = {"zone", "circuit", "model", "asset", "share"}


def section(heading: str) -> str:
    """The text below a heading of the reference."""
    return TEXT.split(f"### `{heading}`\n", 1)[1].split("\n### ", 1)[0]


def rows(heading: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section(heading).splitlines()
            if line.startswith("| `")]


def default_of(field: msgspec.structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else msgspec.NODEFAULT


@pytest.mark.parametrize(("heading", "table"), TABLES.items())
def test_each_key_stands_there_with_its_default(heading: str, table: type[msgspec.Struct]) -> None:
    written = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(heading)}
    fields = {field.encode_name: default_of(field) for field in msgspec.structs.fields(table)}
    assert list(written) == list(fields)
    for name, default in fields.items():
        if default is msgspec.NODEFAULT:
            assert written[name] == "needed", name
        elif isinstance(default, bool):
            assert written[name] == str(default).lower(), name
        elif isinstance(default, int | float):
            assert float(written[name]) == default, name
        elif isinstance(default, tuple) and default:
            assert written[name].strip("[]").split(", ") == [f"{one:g}" if isinstance(one, float) else one for one in default]
        elif isinstance(default, str) and default:
            assert written[name] == default
        else:
            assert written[name] in ("–", "[]"), name
        assert len({cells[0].strip("`"): cells[2] for cells in rows(heading)}[name]) > 5, "it says what it means"


def test_every_table_of_a_file_is_described() -> None:
    names = {field.encode_name for kind in (plan.Plan, plan.UnionFile) for field in msgspec.structs.fields(kind)}
    assert names == {heading.strip("[]") for heading in [*TABLES, "[[fault]]"]}


def test_each_kind_of_fault_stands_there_with_its_keys() -> None:
    written = {cells[0].strip("`"): cells for cells in rows("[[fault]]")}
    assert list(written) == list(FAULTS)
    common = {field.encode_name for field in msgspec.structs.fields(Fault)}
    for tag, kind in FAULTS.items():
        names = {field.encode_name for field in msgspec.structs.fields(kind)} - common
        on_devices = names >= NAMES_DEVICES
        assert ("names devices" in written[str(tag)][1]) == on_devices, tag
        own = set(re.findall(r"`([a-z_]+)`(?: \(|:)", written[str(tag)][2]))
        assert own == (names - NAMES_DEVICES if on_devices else names), tag
