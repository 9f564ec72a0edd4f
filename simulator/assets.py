"""Lamps and bays from an asset list, as `stadtfunk import` reads it, into a plan."""

from pathlib import Path

from msgspec.structs import replace

from city.errors import Invalid
from city.imports import MAX_BYTES, ImportRow, parse
from city.places import Restriction
from decoders.catalog import catalog
from simulator.ground import Ground
from simulator.plan import MOST, AssetsPlan, BayPlan, LampPlan, Plan, Point
from simulator.sensors import VOICES

FAR_M = 50_000.0


def listed(plan: Plan, assets: AssetsPlan, path: Path) -> Plan:
    """The plan with the lamps and bays of a list. Raises Invalid, naming the list and its line."""
    lamps, bays = list(plan.lamp), list(plan.bay)
    ground = Ground(plan.town)
    for row in _rows(path):
        at = ground.point(row.site)
        if max(map(abs, at)) > FAR_M:
            raise Invalid("{file}, line {line}: {asset} lies more than {most} km from the town's centre.", field=path.name,
                          rule="near", file=path.name, line=row.line, asset=row.asset, most=int(FAR_M / 1000))
        if row.kind == "lamp":
            lamps.append(_lamp(row, at))
        else:
            bays.append(_bay(row, at, assets, path.name))
    if max(len(lamps), len(bays)) > MOST:
        raise Invalid("{file} lists more than {most} lamps or bays.", field=path.name, rule="size", file=path.name, most=MOST)
    return replace(plan, lamp=tuple(lamps), bay=tuple(bays), assets=())


def _rows(path: Path) -> list[ImportRow]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid("{file} cannot be read: {why}", field=path.name, rule="readable", file=path.name,
                      why=error.strerror or str(error)) from error
    rows, problems = parse(data, catalog())
    if problems:
        raise Invalid("{file}, {problem}", field=path.name, rule="import", file=path.name, problem=str(problems[0]))
    return rows


def _lamp(row: ImportRow, at: Point) -> LampPlan:
    power = row.power_w if row.power_w is not None and 5 <= row.power_w <= 400 else None
    return LampPlan(at=at, zone=row.zone, circuit=row.circuit or "", name=row.name, asset=row.asset, dev_eui=row.dev_eui or "",
                    model=row.model, power_w=power, lighting_class=row.lighting_class,
                    crosswalk=row.restriction is Restriction.CROSSWALK)


def _bay(row: ImportRow, at: Point, assets: AssetsPlan, file: str) -> BayPlan:
    if row.model and row.model not in VOICES:
        raise Invalid("{file}, line {line}: {model} is no parking sensor that can be simulated.", field=file, rule="model",
                      file=file, line=row.line, model=row.model)
    restriction = row.restriction
    kind = restriction.value if restriction is not Restriction.CROSSWALK else ""
    return BayPlan(at=at, zone=row.zone, name=row.name, asset=row.asset, dev_eui=row.dev_eui or "", model=row.model,
                   habit=assets.habit, restriction=kind)  # type: ignore[arg-type]
