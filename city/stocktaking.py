"""A town's asset list held against what is registered, and what is registered against what its devices say: before anything
is written, and whenever somebody wants to know. Nothing here changes anything."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from city.guards import distance_m
from city.ids import AssetId, DevEui
from city.imports import ImportRow
from city.places import Asset, Device, Luminaire, Site
from city.quantities import DEVICE_LATITUDE, DEVICE_LONGITUDE, LAMP_LEVEL, LAMP_POWER
from city.readings import DeviceState

FAR_M = 50.0  # a receiver on a pole is better than this; what lies farther off hangs elsewhere
POWER_SHARE, POWER_LEAST_W = 0.2, 5.0  # at 100 % a lamp draws its nominal power, within this
MOVED_M = 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact of an asset that the list tells otherwise: as it is, and as the list has it."""

    column: str
    now: str
    new: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An asset that the list would change."""

    row: ImportRow
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An asset whose device says otherwise than the registry: `rule` is "position" or "power"."""

    asset: AssetId
    name: str
    rule: str
    registered: str
    reported: str


@dataclass(frozen=True, slots=True)
class Stocktaking:
    """What a list would do: assets that are new, changed, as they are, and registered ones that it does not name."""

    new: Sequence[ImportRow]
    changed: Sequence[Changed]
    unchanged: int
    missing: Sequence[Asset] = field(default=())


def compare(rows: Iterable[ImportRow], assets: Iterable[Asset], devices: Iterable[Device]) -> Stocktaking:
    """What importing these rows would do to these assets. `missing` are assets of the kinds that the list has at all: they
    stay as they are."""
    known = {asset.id: asset for asset in assets}
    served = {device.asset: device for device in devices}
    rows = list(rows)
    new = [row for row in rows if row.asset not in known]
    held = [(row, list(differences(row, known[row.asset], served.get(row.asset)))) for row in rows if row.asset in known]
    named, kinds = {row.asset for row in rows}, {row.kind for row in rows}
    return Stocktaking(new, [Changed(row, found) for row, found in held if found], sum(not found for _, found in held),
                       [asset for asset in known.values() if asset.id not in named and asset.kind in kinds])


def differences(row: ImportRow, asset: Asset, device: Device | None) -> Iterator[Difference]:
    """What the row tells of the asset otherwise than it is registered."""
    pairs: list[tuple[str, object, object]] = [
        ("kind", asset.kind, row.kind), ("name", asset.name, row.name), ("zone", asset.zone, row.zone),
        ("restriction", asset.restriction.value, row.restriction.value)]
    if isinstance(asset, Luminaire):
        pairs += _of_lamp(row, asset)
    if row.dev_eui is not None:
        now_eui, now_model = (device.dev_eui, device.model) if device else ("", "")
        pairs += [("dev_eui", now_eui, row.dev_eui), ("model", now_model, row.model)]
    for column, now, new in pairs:
        if now != new:
            yield Difference(column, _text(now), _text(new))
    moved = distance_m(asset.site, row.site)
    if moved > MOVED_M:
        yield Difference("position", _place(asset.site), f"{_place(row.site)} ({moved:.0f} m)")


def mismatches(assets: Iterable[Asset], devices: Mapping[AssetId, Device],
               states: Mapping[DevEui, DeviceState]) -> Iterator[Mismatch]:
    """Where devices say otherwise than the registry. Of which model a device is, it does not say: frames that its registered
    model cannot have sent are kept as dead letters."""
    for asset in assets:
        device = devices.get(asset.id)
        state = states.get(device.dev_eui) if device else None
        if device is None or state is None:
            continue
        yield from _elsewhere(asset, state)
        if isinstance(asset, Luminaire):
            yield from _other_power(asset, state)


def _elsewhere(asset: Asset, state: DeviceState) -> Iterator[Mismatch]:
    latitude, longitude = _number(state, DEVICE_LATITUDE.name), _number(state, DEVICE_LONGITUDE.name)
    if latitude is None or longitude is None or (latitude, longitude) == (0.0, 0.0):
        return
    there = Site(latitude, longitude)
    away = distance_m(asset.site, there)
    if away > FAR_M:
        yield Mismatch(asset.id, asset.name, "position", _place(asset.site), f"{_place(there)} ({away:.0f} m)")


def _other_power(lamp: Luminaire, state: DeviceState) -> Iterator[Mismatch]:
    """Judged only where the lamp reported its power while it burnt fully."""
    power, level = state.last.get(LAMP_POWER.name), state.last.get(LAMP_LEVEL.name)
    if lamp.power_w is None or power is None or level is None or not isinstance(power.value, int | float):
        return
    if not isinstance(level.value, int | float) or level.value < 100 or power.at_ns < level.since_ns:
        return
    if abs(power.value - lamp.power_w) > max(POWER_SHARE * lamp.power_w, POWER_LEAST_W):
        yield Mismatch(lamp.id, lamp.name, "power", f"{lamp.power_w:.0f} W", f"{power.value:.0f} W")


def _of_lamp(row: ImportRow, lamp: Luminaire) -> list[tuple[str, object, object]]:
    more = row.more
    given = {"lighting_class_night": more.lighting_class_night, "designed_value": more.designed_value,
             "lantern_ring": more.lantern_ring, "luminaire_type": more.luminaire_type, "min_level": more.min_level}
    return [("circuit", lamp.circuit or "", row.circuit or ""), ("power_w", lamp.power_w, row.power_w),
            ("lighting_class", lamp.lighting_class, row.lighting_class),
            *((name, getattr(lamp, name), value) for name, value in given.items() if value is not None)]


def _number(state: DeviceState, name: str) -> float | None:
    last = state.last.get(name)
    return float(last.value) if last is not None and isinstance(last.value, int | float) else None


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _place(site: Site) -> str:
    return f"{site.latitude:.5f}, {site.longitude:.5f}"
