"""GeoJSON for the maps."""

from collections.abc import Iterable
from typing import Any

from city.places import Street


def streets(lines: Iterable[Street]) -> dict[str, Any]:
    """The town's own streets, the base map."""
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": street.name},
         "geometry": {"type": "LineString", "coordinates": [list(point) for point in street.points]}}
        for street in lines if len(street.points) > 1]}
