"""The scenario file of simulated towns, as it is written. Geometry is in metres east and north of a town's centre.

Here is a struct for each table and an attribute for each key; docs/simulator.md explains them. `simulator.reading` reads
and checks the file, `simulator.layout` draws what it only asks for.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from simulator.fault_plan import AnyFault

MOST = 20_000  # lamps, or bays, in one town
MOST_TOWNS = 500

Metres = Annotated[float, Meta(ge=-50_000, le=50_000)]
Point = tuple[Metres, Metres]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=64)]
File = Annotated[str, Meta(min_length=1, max_length=200)]
Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[int, Meta(ge=60, le=86_400)]
Watts = Annotated[float, Meta(ge=5, le=400)]
Latitude = Annotated[float, Meta(ge=-66, le=66)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Habit = Literal["city", "commuter", "resident"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the scenario file."""


class Town(_Part, frozen=True):
    """Who and where: `id` is the tenant, `pole` the letters in front of a pole's number, `land` whose holidays it keeps. Without
    `lamps` and `bays` there are as many as are drawn. `number` keeps DevEUIs of many towns apart; without, it is made from the
    id."""

    id: Name
    name: Name
    latitude: Latitude
    longitude: Longitude
    pole: Annotated[str, Meta(pattern="^[A-Z]{2,4}$")]
    lamps: Annotated[int, Meta(ge=1, le=MOST)] | None = None
    bays: Count | None = None
    timezone: Name = "Europe/Berlin"
    spacing_m: Annotated[float, Meta(ge=5, le=200)] = 30.0
    number: Annotated[int, Meta(ge=0, le=4095)] | None = None
    land: Annotated[str, Meta(pattern="^([A-Z]{2})?$")] = ""


class Devices(_Part, frozen=True):
    """How the town's devices are set up, and how often things go wrong. Shares are of lamps or of frames; a faulty
    lamp fails at some time in its first `fault_within_h` hours."""

    status_interval_s: Seconds = 600
    usage_interval_s: Seconds = 900
    join_within_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    lamp_failure: Share = 0.0
    stuck_driver: Share = 0.0
    silent: Share = 0.0
    fault_within_h: Annotated[float, Meta(gt=0, le=8760)] = 6.0
    missed_edge: Share = 0.02
    stuck_per_day: Share = 0.0
    uplink_loss: Share = 0.01
    downlink_loss: Share = 0.01
    rx2_sf: Annotated[int, Meta(ge=7, le=12)] = 9


class StreetPlan(_Part, frozen=True):
    """A street with its lamps: `crosswalks` are the lamps (counted from 1) that light a pedestrian crossing; a street
    that is not `lit` is on the map only."""

    name: Name
    zone: Name
    circuit: Name
    points: Annotated[tuple[Point, ...], Meta(min_length=2, max_length=200)]
    power_w: Watts = 29.0
    lighting_class: str = "P4"
    crosswalks: tuple[int, ...] = ()
    lit: bool = True
    lighting_class_night: str = ""
    lantern_ring: bool = False
    luminaire_type: Text = ""


class LampPlan(_Part, frozen=True):
    """A single lamp; without `asset`, `dev_eui` and `model` it gets the next number and what the mix says."""

    at: Point
    zone: Name
    circuit: Text = ""
    name: Annotated[str, Meta(max_length=120)] = ""
    asset: Text = ""
    dev_eui: Text = ""
    model: Text = ""
    power_w: Watts | None = 29.0
    lighting_class: str = "P4"
    crosswalk: bool = False
    lighting_class_night: str = ""
    lantern_ring: bool = False
    luminaire_type: Text = ""


class LotPlan(_Part, frozen=True):
    """Parking bays in rows along `bearing` (degrees from north), counted as one zone; `model` is their sensors',
    without which the mix decides."""

    zone: Name
    mark: Annotated[str, Meta(pattern="^[A-Z0-9]{1,6}$")]
    at: Point
    bays: Annotated[int, Meta(ge=1, le=MOST)]
    bearing: float = 90.0
    habit: Habit = "city"
    disabled: Count = 0
    charging: Count = 0
    resident: Count = 0
    model: Text = ""


class BayPlan(_Part, frozen=True):
    """A single bay; without `asset`, `dev_eui` and `model` it gets the next number and what the mix says."""

    at: Point
    zone: Name
    name: Annotated[str, Meta(max_length=120)] = ""
    asset: Text = ""
    dev_eui: Text = ""
    model: Text = ""
    habit: Habit = "city"
    restriction: Literal["", "disabled", "charging", "resident"] = ""


class GatewayPlan(_Part, frozen=True):
    """A gateway; `gnss` says that it dates its frames by satellite."""

    id: Name
    name: Name
    at: Point
    altitude: float = 360.0
    height_m: Annotated[float, Meta(ge=3, le=300)] = 20.0
    gnss: bool = False


class GatewaysPlan(_Part, frozen=True):
    """Gateways that nobody has drawn: on a grid over all lamps and bays, `every_m` metres; every `gnss_every`-th
    dates its frames by satellite (0: none)."""

    every_m: Annotated[float, Meta(ge=200, le=20_000)]
    altitude: float = 360.0
    height_m: Annotated[float, Meta(ge=3, le=300)] = 20.0
    gnss_every: Annotated[int, Meta(ge=0, le=1000)] = 2


class GridPlan(_Part, frozen=True):
    """A quarter of streets at right angles: `columns` streets northwards, `rows` eastwards, turned by `bearing`, each
    corner moved by up to `jitter_m`. Every `main_every`-th street is a main one (0: none). The quarter is split into
    `zones`, named Zone-1 …, and its circuits hold `streets_per_circuit`. `lots` lie at its crossings."""

    zone: Annotated[str, Meta(pattern="^[A-Za-zÄÖÜäöüß-]{1,40}$")]
    columns: Annotated[int, Meta(ge=2, le=200)]
    rows: Annotated[int, Meta(ge=2, le=200)]
    at: Point = (0.0, 0.0)
    block_m: tuple[Annotated[float, Meta(ge=20, le=1000)], Annotated[float, Meta(ge=20, le=1000)]] = (90.0, 110.0)
    bearing: float = 0.0
    jitter_m: Annotated[float, Meta(ge=0, le=50)] = 8.0
    seed: int = 1
    zones: Annotated[int, Meta(ge=1, le=50)] = 1
    circuit: Annotated[str, Meta(pattern="^[A-Z]{1,4}$")] = "SV"
    streets_per_circuit: Annotated[int, Meta(ge=1, le=100)] = 4
    power_w: Watts = 24.0
    lighting_class: str = "P4"
    main_every: Annotated[int, Meta(ge=0, le=100)] = 4
    main_power_w: Watts = 58.0
    main_class: str = "M5"
    lots: Annotated[int, Meta(ge=0, le=500)] = 0
    lot_bays: Annotated[int, Meta(ge=1, le=500)] = 24
    habits: Annotated[tuple[Habit, ...], Meta(min_length=1, max_length=20)] = ("resident", "city", "commuter")


class MapPlan(_Part, frozen=True):
    """A GeoJSON file, such as an extract of OpenStreetMap: lines with `highway` are streets, points with
    highway=street_lamp lamps, amenity=parking and parking_space bays. `lamps` says which: the mapped points, every
    `spacing_m` along the streets, or the points where there are any. `zone_m` is the edge of the squares that zones and
    circuits are cut into."""

    file: File
    zone: Annotated[str, Meta(pattern="^[A-Za-zÄÖÜäöüß-]{1,40}$")] = "Gebiet"
    circuit: Annotated[str, Meta(pattern="^[A-Z]{1,4}$")] = "SV"
    zone_m: Annotated[float, Meta(ge=50, le=20_000)] = 500.0
    lamps: Literal["auto", "points", "streets"] = "auto"


class AssetsPlan(_Part, frozen=True):
    """An asset list as `stadtfunk import` reads it (CSV or GeoJSON): lamps and bays with their own names and DevEUIs."""

    file: File
    habit: Habit = "city"


class MixPlan(_Part, frozen=True):
    """Which models, in which shares; they need not add up to one."""

    lamps: dict[Name, Annotated[float, Meta(gt=0, le=1_000_000)]] = {}
    bays: dict[Name, Annotated[float, Meta(gt=0, le=1_000_000)]] = {}


class WeatherPlan(_Part, frozen=True):
    """The radio all day long: a share of frames lost for reasons of its own, attenuation, noise."""

    loss: Share = 0.0
    attenuation_db: Annotated[float, Meta(ge=0, le=60)] = 0.0
    noise_db: Annotated[float, Meta(ge=0, le=60)] = 0.0


class Plan(_Part, frozen=True):
    """A scenario file of one town."""

    town: Town
    street: Annotated[tuple[StreetPlan, ...], Meta(max_length=MOST)] = ()
    parking: Annotated[tuple[LotPlan, ...], Meta(max_length=MOST)] = ()
    gateway: Annotated[tuple[GatewayPlan, ...], Meta(max_length=1000)] = ()
    lamp: Annotated[tuple[LampPlan, ...], Meta(max_length=MOST)] = ()
    bay: Annotated[tuple[BayPlan, ...], Meta(max_length=MOST)] = ()
    grid: Annotated[tuple[GridPlan, ...], Meta(max_length=100)] = ()
    map: Annotated[tuple[MapPlan, ...], Meta(max_length=20)] = ()
    assets: Annotated[tuple[AssetsPlan, ...], Meta(max_length=20)] = ()
    gateways: GatewaysPlan | None = None
    mix: MixPlan = MixPlan()
    weather: WeatherPlan = WeatherPlan()
    devices: Devices = Devices()
    fault: Annotated[tuple[AnyFault, ...], Meta(max_length=1000)] = ()


class Member(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A town of a union: ["Wilnsdorf", 50.82, 8.10, 900, 240]."""

    name: Name
    latitude: Latitude
    longitude: Longitude
    lamps: Annotated[int, Meta(ge=1, le=MOST)]
    bays: Count


class UnionPlan(_Part, frozen=True):
    """Many towns that are made alike: a grid of streets each, large enough for its lamps, and gateways over it."""

    name: Name
    towns: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=MOST_TOWNS)]
    timezone: Name = "Europe/Berlin"
    gateways_every_m: Annotated[float, Meta(ge=200, le=20_000)] = 1800.0
    spacing_m: Annotated[float, Meta(ge=5, le=200)] = 30.0


class UnionFile(_Part, frozen=True):
    """A scenario file of many towns."""

    union: UnionPlan
    mix: MixPlan = MixPlan()
    weather: WeatherPlan = WeatherPlan()
    devices: Devices = Devices()
    fault: Annotated[tuple[AnyFault, ...], Meta(max_length=1000)] = ()
