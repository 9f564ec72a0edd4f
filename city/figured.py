"""What figures (city.figures) have in common: a point, its time, and the town that it is of. Pure."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from city.groups import Groups, Target
from city.ids import AssetId, CircuitId, GroupId, ZoneId
from city.lighting import Override
from city.places import Device, Luminaire, ParkingBay
from city.quantities import Quantity
from city.readings import to_ns

MS_NS = 1_000_000
MOST_COVERS = 256  # sets of targets whose lamps are remembered
Said = Mapping[Quantity, float | int | str | None]
Zones = Mapping[ZoneId, Sequence[Luminaire]]


class Figure(NamedTuple):
    """A point: the sheet of city.figures that it stands on, its tags but for the town, its values, and its time (ns since
    1970)."""

    sheet: str
    tags: Mapping[str, str]
    values: Said
    at_ns: int


@dataclass(frozen=True)
class Ground:
    """A town's registry, as figures see it. `least_bays`: of fewer bays with a sensor nothing is told, for InfluxDB keeps it for
    years (docs/privacy.md). `heartbeats`: how often a device of a model is heard at least."""

    lamps: Sequence[Luminaire] = ()
    bays: Sequence[ParkingBay] = ()
    devices: Sequence[Device] = ()
    groups: Groups = field(default_factory=dict)
    heartbeats: Mapping[str, timedelta] = field(default_factory=dict)
    least_bays: int = 5
    zone_of: Mapping[AssetId, ZoneId] = field(init=False)  # of lamps
    lamp: Mapping[AssetId, Luminaire] = field(init=False)
    device_of: Mapping[AssetId, Device] = field(init=False)
    lamp_zones: Sequence[ZoneId] = field(init=False)
    bay_zone_of: Mapping[AssetId, ZoneId] = field(init=False)  # of bays with a sensor in zones that may be told of

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "zone_of", {lamp.id: lamp.zone for lamp in self.lamps})
        put(self, "lamp", {lamp.id: lamp for lamp in self.lamps})
        put(self, "device_of", {device.asset: device for device in self.devices})
        put(self, "lamp_zones", sorted({lamp.zone for lamp in self.lamps}))
        put(self, "bay_zone_of", self._told())
        put(self, "_named", {})
        put(self, "_covers", {})

    def cover(self, override: Override) -> Zones:
        """The lamps that the override concerns, by zone."""
        dims = override.level is not None and override.level != 100
        key, covers = (override.targets, dims), self.__dict__["_covers"]
        if key not in covers:
            if len(covers) >= MOST_COVERS:
                covers.clear()
            covers[key] = self._cover(override)
        found: Zones = covers[key]
        return found

    def common(self, assets: Iterable[AssetId]) -> tuple[str, str]:
        """The zone and the circuit that all of these have, "" where they have none in common; of bays nothing is told."""
        found = [self.lamp.get(asset) for asset in assets]
        return (_one([one.zone if one else None for one in found]), _one([one.circuit if one else None for one in found]))

    def _cover(self, override: Override) -> Zones:
        lamps = {lamp.id: lamp for target in override.targets for lamp in self._of(target)}
        zones: dict[ZoneId, list[Luminaire]] = {}
        for lamp in lamps.values():
            if override.concerns(lamp):
                zones.setdefault(lamp.zone, []).append(lamp)
        return zones

    def _of(self, target: Target) -> Collection[Luminaire]:
        """The lamps of one target; those of places are sorted once."""
        match target.kind:
            case "town":
                return self.lamps
            case "lamp":
                lamp = self.lamp.get(AssetId(target.id))
                return () if lamp is None else (lamp,)
            case "zone" | "circuit":
                return self._sorted(target.kind).get(target.id, ())
        group = self.groups.get(GroupId(target.id))
        return [] if group is None else [lamp for lamp in self.lamps if group.covers(lamp)]

    def _sorted(self, kind: str) -> Mapping[str, Sequence[Luminaire]]:
        named: dict[str, dict[str, list[Luminaire]]] = self.__dict__["_named"]
        if kind not in named:
            found = named[kind] = dict[str, list[Luminaire]]()
            for lamp in self.lamps:
                found.setdefault(str((lamp.zone if kind == "zone" else lamp.circuit) or ""), []).append(lamp)
        return named[kind]

    def _told(self) -> dict[AssetId, ZoneId]:
        sensed = [bay for bay in self.bays if bay.id in self.device_of]
        counts: dict[ZoneId, int] = {}
        for bay in sensed:
            counts[bay.zone] = counts.get(bay.zone, 0) + 1
        return {bay.id: bay.zone for bay in sensed if counts[bay.zone] >= self.least_bays}


def apart_ns(at: datetime, id: str) -> int:
    """The time of the point of one thing among others that may have begun in the same microsecond: later by less than a
    second, as follows from its id, so that none of them overwrites another."""
    return to_ns(at) + uuid.uuid5(uuid.NAMESPACE_OID, id).int % 1_000_000_000


def ms(at: datetime | None) -> int | None:
    """Milliseconds since 1970."""
    return None if at is None else to_ns(at) // MS_NS


def _one(values: Sequence[ZoneId | CircuitId | None]) -> str:
    different = set(values)
    return str(values[0] or "") if len(different) == 1 else ""
