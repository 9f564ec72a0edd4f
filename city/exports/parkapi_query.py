"""What ParkAPI v3's readers may ask for: filters and the cursor, as park-api-v3 0.47 has them (webapp/shared/parking_site/
parking_site_search_query.py). Pure. What it does not know it ignores, as that server does; what it knows must be right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import asin, cos, isfinite, radians, sin, sqrt
from urllib.parse import urlencode

from city.errors import Invalid
from city.exports.parkapi import Item, stamp

MOST, MOST_TEXT, MOST_NUMBER = 1000, 256, 2**53
PURPOSES = ("CAR", "BIKE", "MOTORCYCLE", "ITEM")
SITE_TYPES = ("ON_STREET", "OFF_STREET_PARKING_GROUND", "UNDERGROUND", "CAR_PARK", "WALL_LOOPS", "SAFE_WALL_LOOPS", "STANDS",
              "LOCKERS", "SHED", "TWO_TIER", "BUILDING", "FLOOR", "LOCKBOX", "OTHER")
EARTH_M = 6_371_000.0
TRUE, FALSE = ("true", "1"), ("false", "0")
_Test = Callable[[Item], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """Tests that an item must pass, all of them; then at most `limit` (None: any number) from the id `start` on. `raw`: whether
    `has_realtime_data` shall tell what could be, and not what is told now."""

    tests: tuple[_Test, ...] = ()
    limit: int | None = None
    start: int = 0
    raw: bool = False


def parsed(asked: Mapping[str, str], source: str) -> Query:
    """The query; `source` is the name of the one source there is. Raises Invalid, naming the parameter."""
    asked = {name: text for name, text in asked.items() if text != ""}
    tests = (*_sources(asked, source), *_texts(asked), *_times(asked), *_box(asked), *_circle(asked))
    return Query(tests, _whole(asked, "limit", 1, MOST), _whole(asked, "start", 0, MOST_NUMBER) or 0,
                 not _truth(asked, "calculate_has_realtime_data", default=True))


def page(items: Sequence[Item], query: Query, path: str, asked: Mapping[str, str]) -> Item:
    """The page that the query asks for, as ParkAPI writes it: `items`, `total_count`, and where there may be more the `next_id`
    with which it begins and the `next_path` that asks for it."""
    fitting = sorted((item for item in items if all(test(item) for test in query.tests)), key=lambda item: int(item["id"]))
    shown = [item for item in fitting if item["id"] >= query.start][:query.limit]
    answer: Item = {"items": shown, "total_count": len(fitting)}
    if query.limit is not None and len(shown) == query.limit:
        following = shown[-1]["id"] + 1
        answer |= {"next_id": following, "next_path": f"{path}?{urlencode({**asked, 'start': str(following)})}"}
    return answer


def _sources(asked: Mapping[str, str], source: str) -> list[_Test]:
    ours = [asked["source_uid"] == source] if "source_uid" in asked else []
    ours += [source in _text(asked, "source_uids").split(",")] if "source_uids" in asked else []
    return [] if all(ours) else [lambda _: False]


def _texts(asked: Mapping[str, str]) -> list[_Test]:
    tests: list[_Test] = []
    if "name" in asked:
        part = _text(asked, "name").casefold()
        tests.append(lambda item: part in str(item.get("name", "")).casefold())
    if "official_region_code" in asked:
        region = _text(asked, "official_region_code")
        tests.append(lambda item: item.get("official_region_code") == region)
    purpose, kind = _one_of(asked, "purpose", PURPOSES), _one_of(asked, "type", SITE_TYPES)
    other = _one_of(asked, "not_type", SITE_TYPES)
    tests += [lambda item: item.get("purpose") == purpose] if purpose else []
    tests += [lambda item: item.get("type") == kind] if kind else []
    tests += [lambda item: item.get("type") != other] if other else []
    return tests


def _times(asked: Mapping[str, str]) -> list[_Test]:
    return [_since_or_until(f"{of}_data_updated_at", end, _time(asked, name)) for of in ("static", "realtime")
            for end in ("since", "until") if (name := f"{of}_data_updated_at_{end}") in asked]


def _since_or_until(field: str, end: str, at: str) -> _Test:
    """`at` as ParkAPI writes it, so that texts compare as times do. What has no such time passes neither."""
    if end == "since":
        return lambda item: str(item.get(field, "")) >= at
    return lambda item: "" < str(item.get(field, "")) <= at


def _box(asked: Mapping[str, str]) -> list[_Test]:
    return [_bound(name[:3], end, _number(asked, name)) for name in ("lat_min", "lat_max", "lon_min", "lon_max")
            for end in (name[4:],) if name in asked]


def _bound(axis: str, end: str, limit: float) -> _Test:
    return (lambda item: float(item[axis]) >= limit) if end == "min" else (lambda item: float(item[axis]) <= limit)


def _circle(asked: Mapping[str, str]) -> list[_Test]:
    names = [name for name in ("lat", "lon", "radius") if name in asked]
    if not names:
        return []
    if len(names) < 3:
        raise Invalid("The parameters lat, lon and radius only work together.", field=names[0], rule="lat, lon, radius")
    latitude, longitude, radius = (_number(asked, name) for name in ("lat", "lon", "radius"))
    if radius < 0:
        raise _not_between("radius", "0", "…")
    return [lambda item: _metres(latitude, longitude, float(item["lat"]), float(item["lon"])) <= radius]


def _metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """On the great circle (haversine)."""
    up, across = radians(other_latitude - latitude), radians(other_longitude - longitude)
    half = sin(up / 2) ** 2 + cos(radians(latitude)) * cos(radians(other_latitude)) * sin(across / 2) ** 2
    return 2 * EARTH_M * asin(min(1.0, sqrt(max(0.0, half))))


def _text(asked: Mapping[str, str], name: str) -> str:
    if len(asked[name]) > MOST_TEXT:
        raise Invalid("“{name}” has at most {most} characters.", field=name, rule=f"≤ {MOST_TEXT}", name=name, most=MOST_TEXT)
    return asked[name]


def _one_of(asked: Mapping[str, str], name: str, values: Sequence[str]) -> str:
    text = asked.get(name, "")
    if text and text not in values:
        raise Invalid("“{name}” is one of {values}.", field=name, rule="known value", name=name, values=", ".join(values))
    return text


def _truth(asked: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = asked.get(name, "").lower()
    _one_of({name: text}, name, (*TRUE, *FALSE))
    return text in TRUE if text else default


def _number(asked: Mapping[str, str], name: str) -> float:
    try:
        value = float(asked[name])
    except ValueError:
        value = float("nan")
    most = {"lat": 90, "lon": 180}.get(name[:3], 50_000_000)
    if not isfinite(value) or abs(value) > most:
        raise _not_between(name, str(-most), str(most))
    return value


def _whole(asked: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise _not_between(name, str(low), str(high))
    return int(text)


def _time(asked: Mapping[str, str], name: str) -> str:
    try:
        text = asked[name][:40]
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)  # a plus in an address reads as a blank
        return stamp(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise Invalid("“{name}” is a time such as 2026-11-22T12:00:00Z.", field=name, rule="ISO 8601", name=name) from None


def _not_between(name: str, low: str, high: str) -> Invalid:
    return Invalid("“{name}” lies between {low} and {high}.", field=name, rule=f"{low}…{high}", name=name, low=low, high=high)
