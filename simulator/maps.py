"""Streets, lamps and bays from a GeoJSON file, such as an extract of OpenStreetMap, into a plan.

Tags are read as they come from the usual converters: as properties of a feature, in a `tags` object inside them, or in a
text `other_tags` of "key"=>"value". What
a feature says that we do not know is left out; what is no GeoJSON at all is refused. Sizes are bounded: the file may come
from anywhere.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from math import floor, isfinite
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from city.errors import Invalid
from city.places import Site
from simulator.ground import Ground
from simulator.plan import MOST, BayPlan, Habit, LampPlan, LotPlan, MapPlan, Plan, Point, StreetPlan

MAX_BYTES, MAX_FEATURES, MAX_POINTS = 32 * 2**20, 200_000, 500_000
FAR_M = 50_000.0
PIECE = 200  # points of one street of a plan
LOT_BAYS, MOST_LOT_BAYS = 12, 500  # where a car park does not say its capacity
CLASSES: Mapping[str, tuple[float, str]] = {  # highway: watts and class, as German towns light them
    "primary": (75.0, "M4"), "secondary": (58.0, "M4"), "tertiary": (42.0, "M5"), "unclassified": (29.0, "P4"),
    "residential": (24.0, "P4"), "living_street": (18.0, "P5"), "pedestrian": (29.0, "P2"), "footway": (14.0, "P6"),
    "cycleway": (14.0, "P6"), "path": (14.0, "P6"), "service": (18.0, "P6")}
ONLY_IF_LIT = frozenset({"footway", "cycleway", "path", "service"})
_HSTORE = re.compile(r'"([^"\\]{1,80})"=>"([^"\\]{0,200})"')
HABITS: Mapping[str, Habit] = {"residents": "resident", "private": "resident", "permit": "resident"}


class _Thing(NamedTuple):
    """A feature that may be something: its tags, its shape, its points."""

    tags: Mapping[str, str]
    shape: str
    points: tuple[Point, ...]


def mapped(plan: Plan, wanted: MapPlan, path: Path) -> Plan:
    """The plan with what the map shows. Raises Invalid, naming the map and the feature (counted from 1)."""
    return _Drawing(plan, wanted).of(_things(_features(path), Ground(plan.town), path.name), path.name)


class _Drawing:
    """A plan to which a map's things are added."""

    def __init__(self, plan: Plan, wanted: MapPlan) -> None:
        self._plan, self._wanted = plan, wanted
        self._streets, self._lots = list(plan.street), list(plan.parking)
        self._lamps, self._bays = list(plan.lamp), list(plan.bay)
        self._names = Counter({street.name: 1 for street in plan.street})
        self._squares: dict[tuple[int, int], int] = {}

    def of(self, things: Iterator[_Thing], file: str) -> Plan:
        """The plan with these things. Raises Invalid where they are too many."""
        for thing in things:
            self._draw(thing)
            if max(len(self._streets), len(self._lamps), len(self._bays), len(self._lots)) > MOST:
                raise Invalid("{file} shows more than {most} streets, lamps or bays.", field=file, rule="size", file=file,
                              most=MOST)
        points = bool(self._lamps) if self._wanted.lamps == "auto" else self._wanted.lamps == "points"
        streets = [replace(one, lit=one.lit and not points) if index >= len(self._plan.street) else one
                   for index, one in enumerate(self._streets)]
        lamps = self._lamps if points else list(self._plan.lamp)
        return replace(self._plan, street=tuple(streets), parking=tuple(self._lots), lamp=tuple(lamps),
                       bay=tuple(self._bays), map=())

    def _draw(self, thing: _Thing) -> None:
        highway, amenity = thing.tags.get("highway", ""), thing.tags.get("amenity", "")
        if highway == "street_lamp" and thing.shape == "Point":
            self._lamp(thing)
        elif highway in CLASSES and thing.shape == "LineString" and len(thing.points) > 1:
            self._street(thing, highway)
        elif amenity == "parking":
            self._lot(thing)
        elif amenity == "parking_space":
            zone = self._zone(thing.points[0])
            self._bays.append(BayPlan(at=_middle(thing.points), zone=f"{zone}-P", habit=_habit(thing.tags),
                                      restriction="disabled" if thing.tags.get("parking_space") == "disabled" else ""))

    def _lamp(self, thing: _Thing) -> None:
        zone = self._zone(thing.points[0])
        self._lamps.append(LampPlan(at=thing.points[0], zone=zone, circuit=self._circuit(thing.points[0]),
                                    name=_text(thing.tags.get("ref", ""))))

    def _street(self, thing: _Thing, highway: str) -> None:
        lit = thing.tags.get("lit", "")
        watts, lighting_class = CLASSES[highway]
        name = _text(thing.tags.get("name", "")) or "Weg"
        for begin in range(0, len(thing.points) - 1, PIECE - 1):
            points = thing.points[begin:begin + PIECE]
            self._names[name] += 1
            turn = self._names[name]
            self._streets.append(StreetPlan(
                name=name if turn == 1 else f"{name} ({turn})", zone=self._zone(points[0]), circuit=self._circuit(points[0]),
                points=points, power_w=watts, lighting_class=lighting_class,
                lit=lit != "no" and (bool(lit) or highway not in ONLY_IF_LIT)))

    def _lot(self, thing: _Thing) -> None:
        number = len(self._lots) + 1
        said = thing.tags.get("capacity", "")
        bays = min(max(int(said), 1), MOST_LOT_BAYS) if said.isdecimal() and len(said) < 6 else LOT_BAYS
        disabled = thing.tags.get("capacity:disabled", "")
        self._lots.append(LotPlan(zone=f"{self._wanted.zone}-P{number}", mark=f"K{number}", at=_middle(thing.points), bays=bays,
                                  habit=_habit(thing.tags),
                                  disabled=min(int(disabled), bays) if disabled.isdecimal() and len(disabled) < 4 else 0))

    def _square(self, point: Point) -> int:
        """The square of the map that a point lies in, counted as they are met."""
        edge = self._wanted.zone_m
        return self._squares.setdefault((floor(point[0] / edge), floor(point[1] / edge)), len(self._squares) + 1)

    def _zone(self, point: Point) -> str:
        return f"{self._wanted.zone}-{self._square(point)}"

    def _circuit(self, point: Point) -> str:
        return f"{self._wanted.circuit}-{self._square(point):02d}"


def _features(path: Path) -> list[object]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid("{file} cannot be read: {why}", field=path.name, rule="readable", file=path.name,
                      why=error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise Invalid("{file} is larger than {most} MB.", field=path.name, rule="size", file=path.name, most=MAX_BYTES // 2**20)
    try:
        collection = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid("{file} is no JSON: {why}", field=path.name, rule="JSON", file=path.name, why=str(error)) from error
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or len(features) > MAX_FEATURES:
        raise Invalid("{file} is no GeoJSON FeatureCollection of at most {most} features.", field=path.name, rule="GeoJSON",
                      file=path.name, most=MAX_FEATURES)
    return features


def _things(features: list[object], ground: Ground, file: str) -> Iterator[_Thing]:
    """The features with tags and a shape that we know, one for each part of a shape of several."""
    points = 0
    for number, feature in enumerate(features, start=1):
        tags = _tags(feature)
        if not tags:
            continue
        for shape, coordinates in _shapes(feature):
            points += len(coordinates)
            if points > MAX_POINTS:
                raise Invalid("{file} has more than {most} points.", field=file, rule="size", file=file, most=MAX_POINTS)
            yield _Thing(tags, shape, tuple(_point(one, ground, file, number) for one in coordinates))


def _tags(feature: object) -> Mapping[str, str]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        return {}
    nested, other = properties.get("tags"), properties.get("other_tags")
    said = properties | nested if isinstance(nested, dict) else properties
    if isinstance(other, str):
        said = dict(_HSTORE.findall(other[:10_000])) | said
    return {str(key): str(value) for key, value in said.items() if isinstance(value, str | int) and not isinstance(value, bool)}


def _shapes(feature: object) -> Iterator[tuple[str, list[object]]]:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    shape, coordinates = (geometry.get("type"), geometry.get("coordinates")) if isinstance(geometry, dict) else (None, None)
    if not isinstance(coordinates, list) or not coordinates:
        return
    if shape == "Point":
        yield "Point", [coordinates]
    elif shape == "LineString":
        yield "LineString", coordinates
    elif shape in ("MultiLineString", "Polygon"):
        parts = [part for part in coordinates if isinstance(part, list) and part]
        yield from [("LineString" if shape == "MultiLineString" else "Polygon", part) for part in
                    (parts if shape == "MultiLineString" else parts[:1])]
    elif shape == "MultiPolygon" and isinstance(coordinates[0], list) and coordinates[0] and isinstance(coordinates[0][0], list):
        yield "Polygon", coordinates[0][0]


def _point(pair: object, ground: Ground, file: str, number: int) -> Point:
    if not (isinstance(pair, list) and len(pair) >= 2 and all(_degrees(one) for one in pair[:2])):
        raise Invalid("{file}, feature {number}: a place is [longitude, latitude].", field=file, rule="GeoJSON", file=file,
                      number=number)
    point = ground.point(Site(float(pair[1]), float(pair[0])))
    if max(map(abs, point)) > FAR_M:
        raise Invalid("{file}, feature {number} lies more than {most} km from the town's centre.", field=file, rule="near",
                      file=file, number=number, most=int(FAR_M / 1000))
    return point


def _degrees(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and abs(value) <= 180


def _middle(points: tuple[Point, ...]) -> Point:
    return sum(east for east, _ in points) / len(points), sum(north for _, north in points) / len(points)


def _habit(tags: Mapping[str, str]) -> Habit:
    """Who parks there, by `access`; park and ride is for commuters."""
    if tags.get("park_ride", "no") not in ("", "no"):
        return "commuter"
    return HABITS.get(tags.get("access", ""), "city")


def _text(text: str) -> str:
    """A name of the map as a name of ours: printable, and short enough for a number behind it."""
    return "".join(letter for letter in text if letter.isprintable())[:56].strip()
