"""Areas that people draw or paste: checked rings of WGS 84 points, and how far they reach. Pure."""

import math
from collections.abc import Sequence

import msgspec

from city.errors import Invalid
from city.parking_places import Ring
from city.places import Site

MAX_POINTS = 500
MAX_TEXT = 60_000
REACH_M = 30_000.0  # nothing of a town lies further from its middle
_LEAST_POINTS = 4  # a triangle, closed
_M_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6371.0088 km (IUGG mean radius)
Point = tuple[float, float]


def ring_of(shape: object, field: str) -> Ring:
    """The outer ring of GeoJSON (RFC 7946: Polygon, Feature with one, or its bare ring), closed. None or "" is no area. Raises
    Invalid, naming `field`. What it encloses is not looked at: see ring_fault."""
    if shape is None or shape == "":
        return ()
    if isinstance(shape, dict) and shape.get("type") == "Feature":
        shape = shape.get("geometry")
    if isinstance(shape, dict):
        rings = shape.get("coordinates")
        if shape.get("type") != "Polygon" or not isinstance(rings, list) or len(rings) != 1:
            raise Invalid("An area is one GeoJSON polygon without holes.", field=field, rule="RFC 7946 §3.1.6")
        shape = rings[0]
    if not isinstance(shape, list | tuple) or len(shape) > MAX_POINTS + 1:
        raise Invalid("An area has at most {most} corners.", field=field, rule=f"≤ {MAX_POINTS}", most=MAX_POINTS)
    points = tuple(_point(one, field) for one in shape)
    return points if not points or points[0] == points[-1] else (*points, points[0])


def ring_of_text(text: str, field: str) -> Ring:
    """As ring_of, of pasted text."""
    text = text.strip()
    if not text:
        return ()
    try:
        if len(text) > MAX_TEXT:
            raise ValueError("too long")
        shape = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise Invalid("This is no GeoJSON polygon, as maps and GIS export it.", field=field, rule="RFC 7946 §3.1.6") from None
    return ring_of(shape, field)


def text_of(ring: Ring) -> str:
    """The area as GeoJSON text; "" for none."""
    return msgspec.json.encode({"type": "Polygon", "coordinates": [ring]}).decode() if ring else ""


def ring_fault(ring: Ring, town: Site, field: str) -> Invalid | None:
    """What is wrong with an area: it needs at least three corners, closed, near the town's middle, and must not cross itself."""
    if not ring:
        return None
    if len(ring) < _LEAST_POINTS or len(ring) > MAX_POINTS + 1 or ring[0] != ring[-1] or len(set(ring)) != len(ring) - 1:
        return Invalid("An area has three to {most} different corners and ends where it begins.", field=field,
                       rule="closed", most=MAX_POINTS)
    if any(metres(point, (town.longitude, town.latitude)) > REACH_M for point in ring):
        return Invalid("The area lies more than {most} km from the town's middle.", field=field, rule=f"≤ {REACH_M / 1000:g} km",
                       most=round(REACH_M / 1000))
    if _crosses_itself(ring):
        return Invalid("The area's outline crosses itself.", field=field, rule="simple")
    return None


def extent_m(ring: Ring) -> float:
    """The longest distance between two of its corners, in metres; 0 for no area."""
    corners = ring[:-1]
    return max((metres(one, other) for index, one in enumerate(corners) for other in corners[index + 1:]), default=0.0)


def metres(one: Point, other: Point) -> float:
    """The distance on a plane that touches there: off by less than 0.1 % within 30 km."""
    north = (one[1] - other[1]) * _M_PER_DEGREE
    east = (one[0] - other[0]) * _M_PER_DEGREE * math.cos(math.radians((one[1] + other[1]) / 2))
    return math.hypot(north, east)


def _point(value: object, field: str) -> Point:
    if isinstance(value, list | tuple) and 2 <= len(value) <= 3 and all(_is_number(one) for one in value):
        longitude, latitude = float(value[0]), float(value[1])
        if -180 <= longitude <= 180 and -90 <= latitude <= 90:
            return round(longitude, 7), round(latitude, 7)
    raise Invalid("A corner is longitude and latitude in degrees, like [9.18, 48.78].", field=field, rule="RFC 7946 §3.1.1")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def _crosses_itself(ring: Ring) -> bool:
    last = len(ring) - 2  # the last side; it meets the first one
    for index in range(last):
        one, two = ring[index], ring[index + 1]
        if _turn(one, two, ring[(index + 2) % (last + 1)]) == 0 and _within(one, two, ring[(index + 2) % (last + 1)]):
            return True  # it goes back on itself
        low, high = min(one[0], two[0]), max(one[0], two[0])
        for other in range(index + 2, last + (1 if index else 0)):
            three, four = ring[other], ring[other + 1]
            if (three[0] < low and four[0] < low) or (three[0] > high and four[0] > high):
                continue
            if _meet(one, two, three, four):
                return True
    return False


def _meet(one: Point, two: Point, three: Point, four: Point) -> bool:
    first, second = _turn(one, two, three), _turn(one, two, four)
    third, fourth = _turn(three, four, one), _turn(three, four, two)
    if first != second and third != fourth:
        return True
    touching: Sequence[tuple[int, Point, Point, Point]] = (
        (first, one, two, three), (second, one, two, four), (third, three, four, one), (fourth, three, four, two))
    return any(turn == 0 and _within(start, end, point) for turn, start, end, point in touching)


def _turn(one: Point, two: Point, three: Point) -> int:
    """Left, right or straight on."""
    area = (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])
    return 0 if abs(area) < 1e-16 else (1 if area > 0 else -1)


def _within(start: Point, end: Point, point: Point) -> bool:
    return (min(start[0], end[0]) <= point[0] <= max(start[0], end[0])
            and min(start[1], end[1]) <= point[1] <= max(start[1], end[1]))
