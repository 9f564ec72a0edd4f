"""From metres around a town's centre to the map, and back."""

from itertools import pairwise
from math import cos, floor, hypot, radians

from city.places import Site
from simulator.plan import Point, Town

METRES_PER_DEGREE = 111_320.0


class Ground:
    """A plane that touches the earth at the town's centre."""

    def __init__(self, town: Town) -> None:
        self.centre = Site(town.latitude, town.longitude)
        self._per_metre_east = 1 / (METRES_PER_DEGREE * cos(radians(town.latitude)))

    def site(self, point: Point) -> Site:
        """The place of a point, to about a decimetre."""
        east, north = point
        return Site(round(self.centre.latitude + north / METRES_PER_DEGREE, 6),
                    round(self.centre.longitude + east * self._per_metre_east, 6))

    def point(self, site: Site) -> Point:
        """The point of a place."""
        return ((site.longitude - self.centre.longitude) / self._per_metre_east,
                (site.latitude - self.centre.latitude) * METRES_PER_DEGREE)


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
