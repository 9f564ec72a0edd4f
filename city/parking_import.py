"""A town's list of parking zones, as GeoJSON or CSV, into checked sites, and what keeping them would change. Pure.

What a row does not name stays as it is known; every bad row is named with its line, its column and the rule.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from city.errors import Invalid
from city.ids import ZoneId
from city.imports import Problem
from city.parking_checks import site_faults
from city.parking_places import ParkingSite, SiteRule
from city.parking_shapes import ring_of
from city.places import Site

CHAINED = "A zone can only be merged into one that is counted by itself."
COLUMNS = tuple(field for field in ParkingSite.__struct_fields__ if field != "area")
MAX_BYTES = 4 * 2**20
MAX_ROWS = 2000
_YES, _NO = frozenset({"yes", "ja", "true", "1", "x"}), frozenset({"no", "nein", "false", "0"})
_TEXTS = frozenset(COLUMNS) - {"zone", "public", "rules"}


@dataclass(frozen=True, slots=True)
class Known:
    """What a list is checked against: the town's zones, what is said of them, its permit zones and where it lies."""

    zones: Collection[str]
    sites: Mapping[ZoneId, ParkingSite]
    permit_zones: Collection[str]
    town: Site


@dataclass(frozen=True, slots=True)
class Preview:
    """What a list would do: sites that are new and changed (with the fields that differ), how many are as they were, and what
    is wrong with the other rows."""

    new: Sequence[ParkingSite]
    changed: Sequence[tuple[ParkingSite, tuple[str, ...]]]
    same: int
    problems: Sequence[Problem]

    @property
    def sites(self) -> list[ParkingSite]:
        """All that has to be kept, together."""
        return sorted([*self.new, *(site for site, _ in self.changed)], key=lambda site: site.zone)

    @property
    def bad_lines(self) -> int:
        """How many rows have problems."""
        return len({problem.line for problem in self.problems})


def preview(data: bytes, known: Known) -> Preview:
    """What keeping the list would change. GeoJSON where `data` begins with "{", else CSV (UTF-8, comma or semicolon). Raises
    Invalid where there is no list to read at all."""
    sites: dict[str, ParkingSite] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for line, row in _rows(data):
        found = _site(line, row, known, sites)
        if isinstance(found, ParkingSite):
            sites[found.zone], lines[found.zone] = found, line
        else:
            problems += found
    for zone in _chained({**known.sites, **{ZoneId(zone): site for zone, site in sites.items()}}, sites):
        problems.append(Problem(lines[zone], "merged_into", "not merged itself", CHAINED, {}))
        del sites[zone]
    if not sites and not problems:
        raise Invalid("The file lists no parking zone.", field="file", rule="has rows")
    before = known.sites
    new = [site for site in sites.values() if site.zone not in before]
    changed = [(site, _differs(before[ZoneId(site.zone)], site)) for site in sites.values()
               if site.zone in before and before[ZoneId(site.zone)] != site]
    return Preview(new, changed, len(sites) - len(new) - len(changed), problems)


def _chained(after: Mapping[ZoneId, ParkingSite], listed: Collection[str]) -> list[str]:
    """The listed zones that would be merged into ones that are merged themselves, or into which others are."""
    merged = {zone: site.merged_into for zone, site in after.items() if site.merged_into}
    targets = {target for zone, target in merged.items() if target in merged}
    return sorted(zone for zone in listed if zone in targets or merged.get(ZoneId(zone)) in targets)


def _rows(data: bytes) -> Iterator[tuple[int, Mapping[str, object]]]:
    if len(data) > MAX_BYTES:
        raise Invalid("The file is larger than {most} MB.", field="file", rule="size", most=MAX_BYTES // 2**20)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not UTF-8 text (byte {at}).", field="file", rule="UTF-8", at=error.start) from error
    for number, row in enumerate(_geojson(text) if text.lstrip().startswith("{") else _csv(text)):
        if number >= MAX_ROWS:
            raise Invalid("The file lists more than {most} zones.", field="file", rule="rows", most=MAX_ROWS)
        yield row


def _geojson(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        collection = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("The file is not JSON: {what}.", field="file", rule="JSON", what=str(error)) from error
    features = collection.get("features")
    if not isinstance(features, list):
        raise Invalid("The file is no GeoJSON FeatureCollection.", field="file", rule="GeoJSON")
    for line, feature in enumerate(features, start=1):
        one = feature if isinstance(feature, dict) else {}
        named = one.get("properties")
        row: dict[str, object] = {key: value for key, value in named.items() if key in COLUMNS} if isinstance(named, dict) else {}
        yield line, {**row, **({"area": one["geometry"]} if one.get("geometry") is not None else {})}


def _csv(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in head else ",", strict=True)
    try:
        names = [(name or "").strip() for name in reader.fieldnames or []]
        strange = [name for name in names if name not in COLUMNS]
        if strange or "zone" not in names or len(set(names)) < len(names):
            raise Invalid("The columns are zone, which is needed, and any of: {known}.", field="file", rule="columns",
                          known=", ".join(COLUMNS[1:]))
        for cells in reader:
            if None in cells:
                raise Invalid("Line {line} is not CSV: {what}.", field="file", rule="CSV", line=reader.line_num, what="…")
            yield reader.line_num, {key.strip(): (value or "").strip() for key, value in cells.items() if value}
    except csv.Error as error:
        raise Invalid("Line {line} is not CSV: {what}.", field="file", rule="CSV", line=reader.line_num,
                      what=str(error)) from error


def _site(line: int, row: Mapping[str, object], known: Known, earlier: Mapping[str, ParkingSite]) -> ParkingSite | list[Problem]:
    zone = str(row.get("zone", ""))
    problems: list[Problem] = []
    if zone not in known.zones:
        return [Problem(line, "zone", "exists", "There is no parking zone “{zone}”.", {"zone": zone[:64]})]
    if zone in earlier:
        return [Problem(line, "zone", "unique", "The zone “{zone}” stands there twice.", {"zone": zone})]
    values: dict[str, Any] = {}
    for column, value in row.items():
        try:
            values[column] = _READ[column](value, column)
        except Invalid as error:
            problems.append(_problem(line, error))
    site = msgspec.structs.replace(known.sites.get(ZoneId(zone), ParkingSite(zone)), **values)
    problems += [_problem(line, error) for error in site_faults(site, known.town, known.permit_zones)]
    if site.merged_into and (site.merged_into not in known.zones or site.merged_into == zone):
        problems.append(Problem(line, "merged_into", "exists", "There is no parking zone “{zone}”.",
                                {"zone": site.merged_into[:64]}))
    return problems or site


def _problem(line: int, error: Invalid) -> Problem:
    return Problem(line, error.field, error.rule, error.message, error.facts)


def _text(value: object, column: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    raise Invalid("“{value}” is no text.", field=column, rule="text", value=str(value)[:40])


def _truth(value: object, column: str) -> bool:
    word = str(value).casefold()
    if word not in _YES | _NO:
        raise Invalid("“{value}” is neither yes nor no.", field=column, rule="yes or no", value=str(value)[:40])
    return word in _YES


def _rules(value: object, column: str) -> tuple[SiteRule, ...]:
    try:
        read = (msgspec.json.decode(value, type=tuple[_Rule, ...]) if isinstance(value, str)
                else msgspec.convert(value, tuple[_Rule, ...]))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid("Rules are a list like [{example}]: {what}", field=column, rule="rules",
                      example='{"kind": "", "hours": "Mo-Fr 08:00-18:00", "max_stay_min": 120, "disc": true}',
                      what=str(error)[:120]) from error
    return tuple(SiteRule(one.kind, one.hours, one.max_stay_min, one.fee, one.disc) for one in read)


class _Rule(SiteRule, frozen=True, forbid_unknown_fields=True):
    """A rule of a list: no names but ours, lest a misspelled one be lost."""


def _differs(before: ParkingSite, after: ParkingSite) -> tuple[str, ...]:
    return tuple(field for field in ParkingSite.__struct_fields__ if getattr(before, field) != getattr(after, field))


_READ: Mapping[str, Callable[[object, str], Any]] = {
    "zone": _text, "public": _truth, "rules": _rules, "area": ring_of, **dict.fromkeys(_TEXTS, _text)}
