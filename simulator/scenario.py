"""A town from a scenario file: streets, lamps, bays, circuits, gateways; the same file and size, the same town.

Geometry in the file is in metres east and north of the town's centre. The file says what is drawn by hand; `sized`
thins that out, or adds quarters around it (simulator.quarters) until the town is large enough.
"""

import csv
import hashlib
import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from math import cos, floor, hypot, radians, sin
from pathlib import Path

import msgspec

from city import ids
from city.errors import Invalid
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import COLUMNS
from city.places import Device, Gateway, Luminaire, ParkingBay, Restriction, Site, Street, Tenant
from simulator import sensors
from simulator.plan import MOST, GatewayPlan, Habit, LotPlan, Plan, Point, StreetPlan, Town, read
from simulator.quarters import grown

TOWNS = Path(__file__).parent / "towns"
DEFAULT = TOWNS / "hilchenbach.toml"
LAMP_MODEL, BAY_MODEL = "nas/ul20xx", sensors.DEFAULT
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Antenna:
    """A gateway where it stands."""

    gateway: Gateway
    site: Site
    altitude: float
    height_m: float
    gnss: bool


@dataclass(frozen=True, slots=True)
class LampSite:
    """One lamp with its controller."""

    lamp: Luminaire
    device: Device


@dataclass(frozen=True, slots=True)
class BaySite:
    """One bay with its sensor; `habit` is how people use it."""

    bay: ParkingBay
    device: Device
    habit: Habit


@dataclass(frozen=True, slots=True)
class Scenario:
    """A town, ready to be simulated or imported."""

    plan: Plan
    tenant: Tenant
    streets: tuple[Street, ...]
    lamps: tuple[LampSite, ...]
    bays: tuple[BaySite, ...]
    antennas: tuple[Antenna, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> "Scenario":
        """The town of a scenario file, or Hilchenbach. Raises Invalid, naming file and field."""
        plan = read(path or DEFAULT)
        return build(plan, lamps=plan.town.lamps, bays=plan.town.bays)

    def sized(self, *, lamps: int | None = None, bays: int | None = None) -> "Scenario":
        """The same town with that many lamps (1 to 20,000) and bays (0 to 20,000). Raises Invalid."""
        return build(self.plan, lamps=len(self.lamps) if lamps is None else lamps,
                     bays=len(self.bays) if bays is None else bays)

    def tuned(self, **devices: float) -> "Scenario":
        """The same town with other values in [devices]."""
        plan = msgspec.structs.replace(self.plan, devices=msgspec.structs.replace(self.plan.devices, **devices))
        return replace(self, plan=plan)

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """The town's gateways."""
        return tuple(antenna.gateway for antenna in self.antennas)

    def application(self, kind: str) -> str:
        """The UUID of ChirpStack's application for lamps ("lamp") or bays ("bay")."""
        return named_uuid(self.tenant.id, "application", kind)

    def import_csv(self) -> bytes:
        """The town's asset list, as `stadtfunk import` reads it."""
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for lamp in self.lamps:
            table.writerow(_row(lamp.lamp, lamp.device))
        for bay in self.bays:
            table.writerow(_row(bay.bay, bay.device))
        return text.getvalue().encode()


def build(plan: Plan, *, lamps: int, bays: int) -> Scenario:
    """The town of a plan with that many lamps and bays. Raises Invalid outside 1…20,000 lamps, 0…20,000 bays."""
    for field, least, number in (("lamps", 1, lamps), ("bays", 0, bays)):
        if not least <= number <= MOST:
            raise Invalid("A simulated town has {least} to {most} {field}, not {number}.", field=field,
                          rule=f"{least}…{MOST}", least=least, most=MOST, number=number)
    whole = grown(plan, lamps=lamps, bays=bays)
    ground = Ground(plan.town)
    return Scenario(
        plan=plan,
        tenant=Tenant(TenantId(plan.town.id), plan.town.name, ground.centre, named_uuid(plan.town.id, "tenant")),
        streets=tuple(Street(street.name, tuple(_lon_lat(ground.site(point)) for point in street.points))
                      for street in whole.street),
        lamps=_lamps(whole, ground, lamps), bays=_bays(whole, ground, bays),
        antennas=tuple(_antenna(plan.town, one, ground) for one in whole.gateway))


class Ground:
    """From metres around the town's centre to the map."""

    def __init__(self, town: Town) -> None:
        self.centre = Site(town.latitude, town.longitude)
        self._per_metre_east = 1 / (METRES_PER_DEGREE * cos(radians(town.latitude)))

    def site(self, point: Point) -> Site:
        """The place of a point, to about a decimetre."""
        east, north = point
        return Site(round(self.centre.latitude + north / METRES_PER_DEGREE, 6),
                    round(self.centre.longitude + east * self._per_metre_east, 6))


def along(points: tuple[Point, ...], spacing: float) -> list[Point]:
    """Points every `spacing` metres along a line, beginning half a step in; at least one."""
    legs = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    count = max(floor(sum(legs) / spacing), 1)
    found, leg, walked = [], 0, 0.0
    for index in range(count):
        distance = (index + 0.5) * sum(legs) / count
        while leg < len(legs) - 1 and distance > walked + legs[leg]:
            walked += legs[leg]
            leg += 1
        share = (distance - walked) / legs[leg] if legs[leg] else 0.0
        a, b = points[leg], points[leg + 1]
        found.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
    return found


@lru_cache(maxsize=1024)
def named_uuid(*names: str) -> str:
    """The UUID of a thing of a simulated town: always the same."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def _lamps(plan: Plan, ground: Ground, wanted: int) -> tuple[LampSite, ...]:
    places = [(street, number, point) for street in plan.street
              for number, point in enumerate(along(street.points, plan.town.spacing_m), start=1)]
    chosen = [index * len(places) // wanted for index in range(wanted)]
    return tuple(_lamp(plan.town, ground, index + 1, *places[index]) for index in chosen)


def _lamp(town: Town, ground: Ground, pole: int, street: StreetPlan, number: int, point: Point) -> LampSite:
    tenant, asset = TenantId(town.id), AssetId(f"{town.pole}-{pole:04d}")
    crosswalk = number in street.crosswalks
    lamp = Luminaire(tenant, asset, f"{street.name} {number}", ground.site(_beside(point, number)), ZoneId(street.zone),
                     CircuitId(street.circuit), street.power_w, street.lighting_class,
                     Restriction.CROSSWALK if crosswalk else Restriction.NONE)
    return LampSite(lamp, Device(_eui(town, 1, pole), tenant, asset, LAMP_MODEL))


def _beside(point: Point, number: int) -> Point:
    """Poles stand at the kerb, on alternating sides."""
    side = 3.5 if number % 2 else -3.5
    return point[0] + side * 0.5, point[1] + side


def _bays(plan: Plan, ground: Ground, wanted: int) -> tuple[BaySite, ...]:
    serial, found = 0, []
    drawn = sum(lot.bays for lot in plan.parking)
    used = 0
    for lot in plan.parking:
        marks = _restrictions(lot)
        for number in range(1, lot.bays + 1):
            serial += 1
            due = serial * wanted // drawn  # spreads what is wanted evenly over what is drawn
            if due > used:
                used = due
                found.append(_bay(plan.town, ground, serial, lot, number, marks.get(number, Restriction.NONE)))
    return tuple(found)


def _bay(town: Town, ground: Ground, serial: int, lot: LotPlan, number: int, restriction: Restriction) -> BaySite:
    tenant, asset = TenantId(town.id), AssetId(f"{lot.mark}-{number:02d}")
    row, place = divmod(number - 1, 20)
    turn = radians(lot.bearing)
    east = lot.at[0] + place * 2.5 * sin(turn) + row * 11 * cos(turn)
    north = lot.at[1] + place * 2.5 * cos(turn) - row * 11 * sin(turn)
    bay = ParkingBay(tenant, asset, f"{lot.zone} {number}", ground.site((east, north)), ZoneId(lot.zone), restriction)
    return BaySite(bay, Device(_eui(town, 2, serial), tenant, asset, lot.model), lot.habit)


def _restrictions(lot: LotPlan) -> Mapping[int, Restriction]:
    kinds = [Restriction.DISABLED] * lot.disabled + [Restriction.CHARGING] * lot.charging \
        + [Restriction.RESIDENT] * lot.resident
    return dict(enumerate(kinds, start=1))


def _antenna(town: Town, plan: GatewayPlan, ground: Ground) -> Antenna:
    site = ground.site(plan.at)
    gateway = Gateway(ids.gateway_id(plan.id), TenantId(town.id), plan.name, site)
    return Antenna(gateway, site, plan.altitude, plan.height_m, plan.gnss)


def _eui(town: Town, kind: int, number: int) -> DevEui:
    """70b3d57e, three digits for the town, one for the kind, four for the number."""
    return DevEui(f"70b3d57e{hashlib.sha256(town.id.encode()).hexdigest()[:3]}{kind}{number:04x}")


def _lon_lat(site: Site) -> tuple[float, float]:
    return site.longitude, site.latitude


def _row(asset: Luminaire | ParkingBay, device: Device) -> list[str]:
    lamp = asset if isinstance(asset, Luminaire) else None
    return [asset.id, asset.kind, asset.name, f"{asset.site.latitude:.6f}", f"{asset.site.longitude:.6f}", asset.zone,
            (lamp.circuit or "") if lamp else "", device.dev_eui, device.model,
            f"{lamp.power_w:g}" if lamp and lamp.power_w is not None else "", lamp.lighting_class if lamp else "",
            asset.restriction.value]


_NAMESPACE = uuid.UUID("8d0e4c1b-2f55-4d0c-9a3c-1b7f1f6f7c01")
