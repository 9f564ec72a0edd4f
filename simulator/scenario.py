"""A town from a scenario file: streets, lamps, bays, circuits, gateways; the same file and size, the same town.

Geometry in the file is in metres east and north of the town's centre. The file says what is drawn, or where it is to be
taken from; `sized` thins that out, or adds quarters around it (simulator.quarters) until the town is large enough.
"""

import csv
import hashlib
import io
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import cos, radians, sin
from pathlib import Path
from typing import Literal

import msgspec

from city import ids
from city.errors import Invalid
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import COLUMNS
from city.places import Device, Gateway, Luminaire, ParkingBay, Restriction, Site, Street, Tenant
from simulator import sensors
from simulator.ground import Ground, along
from simulator.layout import town_digits
from simulator.plan import MOST, BayPlan, GatewayPlan, Habit, LampPlan, LotPlan, Plan, Point, StreetPlan, Town
from simulator.quarters import grown, poles_along
from simulator.reading import read, read_all

TOWNS = Path(__file__).parent / "towns"
DEFAULT = TOWNS / "hilchenbach.toml"
LAMP_MODEL, BAY_MODEL = "nas/ul20xx", sensors.DEFAULT


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
    """One lamp with its controller: DevEUI and model."""

    lamp: Luminaire
    dev_eui: DevEui
    model: str

    @property
    def device(self) -> Device:
        """The controller as the platform knows it."""
        return Device(self.dev_eui, self.lamp.tenant, self.lamp.id, self.model)


@dataclass(frozen=True, slots=True)
class BaySite:
    """One bay with its sensor: DevEUI and model; `habit` is how people use it."""

    bay: ParkingBay
    dev_eui: DevEui
    model: str
    habit: Habit

    @property
    def device(self) -> Device:
        """The sensor as the platform knows it."""
        return Device(self.dev_eui, self.bay.tenant, self.bay.id, self.model)


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
        return build(read(path or DEFAULT))

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


def load_all(path: Path) -> tuple[Scenario, ...]:
    """All towns of a scenario file. Raises Invalid, naming file and line."""
    return tuple(build(plan) for plan in read_all(path))


def size(plan: Plan) -> tuple[int, int]:
    """How many lamps and bays a plan asks for, or draws."""
    lamps, bays = plan.town.lamps, plan.town.bays
    if lamps is None:
        lamps = len(plan.lamp) + sum(poles_along(street, plan.town.spacing_m) for street in plan.street if street.lit)
    return lamps, len(plan.bay) + sum(lot.bays for lot in plan.parking) if bays is None else bays


def build(plan: Plan, *, lamps: int | None = None, bays: int | None = None) -> Scenario:
    """The town of a plan with that many lamps and bays; without, as many as it says, or as are drawn. Raises Invalid
    outside 1…20,000 lamps, 0…20,000 bays, and where a name stands there twice."""
    drawn = size(plan)
    lamps, bays = drawn[0] if lamps is None else lamps, drawn[1] if bays is None else bays
    for field, least, number in (("lamps", 1, lamps), ("bays", 0, bays)):
        if not least <= number <= MOST:
            raise Invalid("A simulated town has {least} to {most} {field}, not {number}.", field=field,
                          rule=f"{least}…{MOST}", least=least, most=MOST, number=number)
    whole = grown(plan, lamps=lamps, bays=bays)
    ground = Ground(plan.town)
    return _whole(Scenario(
        plan=plan,
        tenant=Tenant(TenantId(plan.town.id), plan.town.name, ground.centre, named_uuid(plan.town.id, "tenant"),
                      plan.town.land),
        streets=tuple(Street(street.name, tuple(_lon_lat(ground.site(point)) for point in street.points))
                      for street in whole.street),
        lamps=_lamps(whole, ground, lamps), bays=_bays(whole, ground, bays),
        antennas=tuple(_antenna(plan.town, one, ground) for one in whole.gateway)))


@lru_cache(maxsize=1024)
def named_uuid(*names: str) -> str:
    """The UUID of a thing of a simulated town: always the same."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def _lamps(plan: Plan, ground: Ground, wanted: int) -> tuple[LampSite, ...]:
    """Those of the streets and the single ones, thinned out evenly."""
    places = [_street_lamp(street, number, point) for street in plan.street if street.lit
              for number, point in enumerate(along(street.points, plan.town.spacing_m), start=1)]
    places += plan.lamp
    chosen = [index * len(places) // wanted for index in range(wanted)]
    return tuple(_lamp(plan, ground, index + 1, places[place]) for index, place in enumerate(chosen))


def _street_lamp(street: StreetPlan, number: int, point: Point) -> LampPlan:
    return LampPlan(at=_beside(point, number), zone=street.zone, circuit=street.circuit, name=f"{street.name} {number}",
                    power_w=street.power_w, lighting_class=street.lighting_class, crosswalk=number in street.crosswalks,
                    lighting_class_night=street.lighting_class_night, lantern_ring=street.lantern_ring,
                    luminaire_type=street.luminaire_type)


def _lamp(plan: Plan, ground: Ground, pole: int, place: LampPlan) -> LampSite:
    tenant, asset = TenantId(plan.town.id), AssetId(place.asset or f"{plan.town.pole}-{pole:04d}")
    lamp = Luminaire(tenant, asset, place.name or str(asset), ground.site(place.at), ZoneId(place.zone),
                     CircuitId(place.circuit) if place.circuit else None, place.power_w, place.lighting_class,
                     Restriction.CROSSWALK if place.crosswalk else Restriction.NONE, 0, place.lighting_class_night,
                     lantern_ring=place.lantern_ring, luminaire_type=place.luminaire_type or _type_of(place.power_w))
    model = place.model or _mixed(plan.mix.lamps, f"{plan.town.id}/{asset}", LAMP_MODEL)
    eui = ids.dev_eui(place.dev_eui) if place.dev_eui else _eui(plan.town, 1, pole)
    return LampSite(lamp, eui, model)


def _type_of(power_w: float | None) -> str:
    """Lamps of one power are of one make, unless somebody says otherwise."""
    return "" if power_w is None else f"LED {power_w:g} W"


def _beside(point: Point, number: int) -> Point:
    """Poles stand at the kerb, on alternating sides."""
    side = 3.5 if number % 2 else -3.5
    return point[0] + side * 0.5, point[1] + side


def _bays(plan: Plan, ground: Ground, wanted: int) -> tuple[BaySite, ...]:
    places = [place for lot in plan.parking for place in _lot_bays(lot)]
    places += plan.bay
    found, used = [], 0
    for serial, place in enumerate(places, start=1):
        due = serial * wanted // len(places)  # spreads what is wanted evenly over what is drawn
        if due > used:
            used = due
            found.append(_bay(plan, ground, serial, place))
    return tuple(found)


def _lot_bays(lot: LotPlan) -> Iterator[BayPlan]:
    """A lot's bays in rows of twenty."""
    marks, turn = _restrictions(lot), radians(lot.bearing)
    for number in range(1, lot.bays + 1):
        row, place = divmod(number - 1, 20)
        east = lot.at[0] + place * 2.5 * sin(turn) + row * 11 * cos(turn)
        north = lot.at[1] + place * 2.5 * cos(turn) - row * 11 * sin(turn)
        yield BayPlan(at=(east, north), zone=lot.zone, name=f"{lot.zone} {number}", asset=f"{lot.mark}-{number:02d}",
                      model=lot.model, habit=lot.habit, restriction=marks.get(number, ""))


def _bay(plan: Plan, ground: Ground, serial: int, place: BayPlan) -> BaySite:
    tenant, asset = TenantId(plan.town.id), AssetId(place.asset or f"BAY-{serial:04d}")
    bay = ParkingBay(tenant, asset, place.name or str(asset), ground.site(place.at), ZoneId(place.zone),
                     Restriction(place.restriction))
    model = place.model or _mixed(plan.mix.bays, f"{plan.town.id}/{asset}", BAY_MODEL)
    eui = ids.dev_eui(place.dev_eui) if place.dev_eui else _eui(plan.town, 2, serial)
    return BaySite(bay, eui, model, place.habit)


def _mixed(shares: Mapping[str, float], who: str, default: str) -> str:
    """The model of a device by the shares of a mix: always the same for the same name."""
    if not shares:
        return default
    drawn = int.from_bytes(hashlib.blake2b(who.encode(), digest_size=8).digest(), "big") / 2**64 * sum(shares.values())
    for model, share in shares.items():
        drawn -= share
        if drawn < 0:
            return model
    return list(shares)[-1]


def _whole(scenario: Scenario) -> Scenario:
    """The scenario; raises Invalid where two things of a list and of the drawing have one name."""
    assets = [str(site.lamp.id) for site in scenario.lamps] + [str(site.bay.id) for site in scenario.bays]
    euis = [str(site.dev_eui) for site in scenario.lamps] + [str(site.dev_eui) for site in scenario.bays]
    for what, names in (("asset", assets), ("dev_eui", euis)):
        if len(set(names)) < len(names):
            twice = next(name for name, count in Counter(names).items() if count > 1)
            raise Invalid("The scenario of {town} has {what} twice ({name}).", field=what, rule="unique",
                          town=scenario.tenant.id, what=what, name=twice)
    return scenario


def _restrictions(lot: LotPlan) -> Mapping[int, Literal["disabled", "charging", "resident"]]:
    kinds: list[Literal["disabled", "charging", "resident"]] = [
        *["disabled"] * lot.disabled, *["charging"] * lot.charging, *["resident"] * lot.resident]  # type: ignore[list-item]
    return dict(enumerate(kinds, start=1))


def _antenna(town: Town, plan: GatewayPlan, ground: Ground) -> Antenna:
    site = ground.site(plan.at)
    gateway = Gateway(ids.gateway_id(plan.id), TenantId(town.id), plan.name, site)
    return Antenna(gateway, site, plan.altitude, plan.height_m, plan.gnss)


def _eui(town: Town, kind: int, number: int) -> DevEui:
    """70b3d57e, three digits for the town, one for the kind, four for the number."""
    return DevEui(f"70b3d57e{town_digits(town)}{kind}{number:04x}")


def _lon_lat(site: Site) -> tuple[float, float]:
    return site.longitude, site.latitude


def _row(asset: Luminaire | ParkingBay, device: Device) -> list[str]:
    lamp = asset if isinstance(asset, Luminaire) else None
    return [asset.id, asset.kind, asset.name, f"{asset.site.latitude:.6f}", f"{asset.site.longitude:.6f}", asset.zone,
            (lamp.circuit or "") if lamp else "", device.dev_eui, device.model,
            f"{lamp.power_w:g}" if lamp and lamp.power_w is not None else "", lamp.lighting_class if lamp else "",
            asset.restriction.value, lamp.lighting_class_night if lamp else "", "",
            "" if lamp is None else "yes" if lamp.lantern_ring else "no", lamp.luminaire_type if lamp else "", ""]


_NAMESPACE = uuid.UUID("8d0e4c1b-2f55-4d0c-9a3c-1b7f1f6f7c01")
