"""InfluxDB's answers as Grafana's frames, and what the transformations that our boards use make of them.

Frames and their names: pkg/tsdb/influxdb/influxql/buffered/response_parser.go and influxql/util/util.go (FormatFrameName);
reducers: packages/grafana-data/src/transformations/fieldReducer.ts; transformations: transformers/ beside it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isfinite
from typing import Any

from city.errors import BadInput
from city.store.influx import Series

Json = dict[str, Any]
MOST_TEXT = 2000  # characters of one value
_ALIAS = re.compile(r"\$(\w+)|\[\[([\s\S]+?)\]\]")


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `kind` time (ms since 1970), number, string or boolean; `shown` is the name that the data source gives it."""

    name: str
    kind: str
    values: tuple[Any, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of one length; `ref` names the query."""

    ref: str
    fields: tuple[Field, ...]
    name: str = ""

    @property
    def rows(self) -> int:
        return len(self.fields[0].values) if self.fields else 0

    @property
    def time(self) -> Field | None:
        return next((one for one in self.fields if one.kind == "time"), None)


def frames(ref: str, answer: Sequence[Series], *, table: bool, alias: str = "") -> list[Frame]:
    """One frame for each column of each series, or one table of all of them: time, tags (Grafana has them in any order; here by
    name), values. Raises BadInput where the answer is not made as InfluxDB makes it."""
    answer = [_sound(one) for one in answer]
    if not table:
        return [one for series in answer for one in _lines(ref, series, alias)]
    if not answer:
        return []
    columns, tags = list(answer[0].columns), sorted(answer[0].tags)
    begin, length = (1, [len(one.values) for one in answer]) if columns[0] == "time" else (0, [len(one.values) for one in answer])
    made = [Field("Time", "time", tuple(_ms(row[0]) for one in answer for row in one.values))] if begin else []
    made += [Field(tag, "string", tuple(one.tags.get(tag, "") for one, count in zip(answer, length, strict=True)
                                        for _ in range(count)), shown=tag) for tag in tags]
    for number, column in enumerate(columns[begin:], begin):
        values = tuple(row[number] for one in answer for row in one.values)
        made.append(Field(column, kind_of(values), values, shown=column))
    return [Frame(ref, tuple(made), answer[0].name)]


def kind_of(values: Sequence[object]) -> str:
    """By the first value that there is; numbers where there is none."""
    first = next((value for value in values if value is not None), 0)
    return "boolean" if isinstance(first, bool) else "string" if isinstance(first, str) else "number"


def reduced(values: Sequence[Any], calc: str) -> Any:  # noqa: ANN401 - as the column has it
    """What one of Grafana's reducers makes of a column; None of nothing, and of a reducer that is not known here."""
    there = [value for value in values if value is not None]
    numbers = [float(value) for value in there if isinstance(value, int | float)]
    if calc in ("last", "first"):
        return (values[-1] if calc == "last" else values[0]) if values else None
    if calc in ("count", "distinctCount"):
        return len(values) if calc == "count" else len(set(there))
    if calc == "lastNotNull":
        return there[-1] if there else None
    if calc == "firstNotNull":
        return there[0] if there else None
    one = _REDUCERS.get(calc)
    return one(numbers) if one and numbers else None


_REDUCERS: Mapping[str, Callable[[list[float]], float]] = {
    "sum": sum, "min": min, "max": max, "mean": lambda all_: sum(all_) / len(all_), "range": lambda all_: max(all_) - min(all_),
    "diff": lambda all_: all_[-1] - all_[0], "median": lambda all_: sorted(all_)[len(all_) // 2],
    "delta": lambda all_: sum(max(later - before, 0) for before, later in pairwise(all_)),
}


def transformed(given: list[Frame], transformations: Sequence[Json], name_of: Callable[[Frame, Field], str]) -> tuple[
        list[Frame], list[str]]:
    """The frames after the panel's transformations, and those that are not known here. `name_of` tells a field's shown name."""
    unknown = []
    for one in transformations:
        if one.get("disabled"):
            continue
        known = _TRANSFORMATIONS.get(one.get("id", ""))
        if known is None:
            unknown.append(str(one.get("id", ""))[:40])
        else:
            given = known(given, one.get("options") or {}, name_of)
    return given, unknown


Named = Callable[[Frame, Field], str]


def _organize(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    hidden, places = options.get("excludeByName") or {}, options.get("indexByName") or {}
    renamed = options.get("renameByName") or {}
    return [replace(frame, fields=tuple(
        replace(one, shown=renamed.get(name_of(frame, one)) or one.shown)
        for one in sorted(frame.fields, key=lambda one: places.get(name_of(frame, one), len(places) + 99))
        if not hidden.get(name_of(frame, one)))) for frame in given]


def _rename(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    """transformers/renameByRegex.ts; $1 … $9 stand for groups."""
    pattern, wanted = str(options.get("regex") or ""), str(options.get("renamePattern") or "")
    regex = re.compile(pattern[1:-1] if pattern.startswith("/") and pattern.endswith("/") else f"^{pattern}$")

    def renamed(name: str) -> str:
        return regex.sub(lambda found: re.sub(r"\$([1-9])", lambda group: found[int(group[1])] or "", wanted), name, count=1)

    return [replace(frame, fields=tuple(one if one.kind == "time" else replace(one, shown=renamed(name_of(frame, one)))
                                        for one in frame.fields)) for frame in given]


def _sort_by(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    wanted = next(iter(options.get("sort") or []), None)
    return [_sorted(frame, wanted, name_of) for frame in given] if wanted else given


def _sorted(frame: Frame, wanted: Json, name_of: Named) -> Frame:
    by = next((one for one in frame.fields if wanted.get("field") in (one.name, name_of(frame, one))), None)
    if by is None:
        return frame
    there = [number for number, value in enumerate(by.values) if value is not None]
    there.sort(key=lambda number: (_comparable(by.values[number])), reverse=bool(wanted.get("desc")))
    missing = [number for number, value in enumerate(by.values) if value is None]
    return _taken(frame, there + missing)


def _comparable(value: object) -> Any:  # noqa: ANN401
    return value.casefold() if isinstance(value, str) else value


def _limit(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    del name_of
    most = int(options.get("limitField") or 10)
    return [_taken(frame, range(min(most, frame.rows))) for frame in given]


def _merge(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    """Rows that agree in what is common to all frames become one."""
    del options
    if len(given) < 2:
        return given
    names = [[name_of(frame, one) for one in frame.fields] for frame in given]
    common = [name for name in names[0] if all(name in some for some in names)]
    columns: dict[str, Field] = {}
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for frame, own in zip(given, names, strict=True):
        for name, one in zip(own, frame.fields, strict=True):
            columns.setdefault(name, one)
        for number in range(frame.rows):
            row = {name: one.values[number] for name, one in zip(own, frame.fields, strict=True)}
            rows.setdefault(tuple(row[name] for name in common), {}).update(
                {name: value for name, value in row.items() if value is not None})
    return [Frame(given[0].ref, tuple(replace(one, values=tuple(row.get(name) for row in rows.values()))
                                      for name, one in columns.items()), given[0].name)]


def _join(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    """By one field, by time where none is named."""
    wanted = options.get("byField")
    keys = [next((one for one in frame.fields if (name_of(frame, one) == wanted if wanted else one.kind == "time")), None)
            for frame in given]
    joined = [(frame, key) for frame, key in zip(given, keys, strict=True) if key is not None]
    if not joined:
        return given
    inner = options.get("mode") == "inner"
    order: dict[Any, None] = {}
    for _, key in joined:
        order.update(dict.fromkeys(key.values))
    if inner:
        order = {value: None for value in order if all(value in key.values for _, key in joined)}
    first = joined[0][1]
    values = sorted(order) if first.kind in ("time", "number") else list(order)
    made = [replace(first, values=tuple(values))]
    for frame, key in joined:
        at = {value: number for number, value in enumerate(key.values)}
        made += [replace(one, values=tuple(one.values[at[value]] if value in at else None for value in values))
                 for one in frame.fields if one is not key]
    return [Frame(given[0].ref, tuple(made), given[0].name)]


def _only_named(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    include, exclude = options.get("include") or {}, options.get("exclude") or {}
    return [replace(frame, fields=tuple(one for one in frame.fields
                                        if (not include or _matches(include, name_of(frame, one)))
                                        and not (exclude and _matches(exclude, name_of(frame, one))))) for frame in given]


def _matches(wanted: Json, name: str) -> bool:
    pattern = str(wanted.get("pattern") or "")
    return name in (wanted.get("names") or ()) or bool(pattern and re.search(pattern.strip("/"), name))


def _calculated(given: list[Frame], options: Json, name_of: Named) -> list[Frame]:
    """Of two columns, or one and a number."""
    binary = options.get("binary") or {}
    made = []
    for frame in given:
        sides = [_side(frame, binary.get(side), name_of) for side in ("left", "right")]
        if options.get("mode") != "binary" or any(side is None for side in sides):
            made.append(frame)
            continue
        values = tuple(_of_two(str(binary.get("operator", "+")), left, right)
                       for left, right in zip(sides[0] or (), sides[1] or (), strict=True))
        name = str(options.get("alias") or f"{binary.get('left')} {binary.get('operator')} {binary.get('right')}")
        kept = tuple(one for one in frame.fields if one.kind == "time") if options.get("replaceFields") else frame.fields
        made.append(replace(frame, fields=(*kept, Field(name, "number", values, shown=name))))
    return made


def _side(frame: Frame, wanted: object, name_of: Named) -> tuple[Any, ...] | None:
    if isinstance(wanted, dict):
        wanted = (wanted.get("matcher") or {}).get("options", wanted.get("fixed"))
    one = next((one for one in frame.fields if wanted in (one.name, name_of(frame, one))), None)
    if one is not None:
        return one.values
    try:
        return (float(str(wanted)),) * frame.rows
    except ValueError:
        return None


def _of_two(operator: str, left: object, right: object) -> float | None:
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return None
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right if right else None
    return None


_TRANSFORMATIONS: Mapping[str, Callable[[list[Frame], Json, Named], list[Frame]]] = {
    "organize": _organize, "renameByRegex": _rename, "sortBy": _sort_by, "limit": _limit, "merge": _merge, "joinByField": _join,
    "seriesToColumns": _join, "filterFieldsByName": _only_named, "calculateField": _calculated,
}


def _taken(frame: Frame, numbers: Sequence[int]) -> Frame:
    return replace(frame, fields=tuple(replace(one, values=tuple(one.values[number] for number in numbers))
                                       for one in frame.fields))


def _lines(ref: str, series: Series, alias: str) -> list[Frame]:
    if "time" not in series.columns:  # SHOW …
        last = 1 if len(series.columns) > 1 else 0
        return [Frame(ref, (Field("Value", "string", tuple(str(row[last]) for row in series.values)),), series.name)]
    times = Field("Time", "time", tuple(_ms(row[0]) for row in series.values))
    made = []
    for number, column in enumerate(series.columns[1:], 1):
        values = tuple(row[number] for row in series.values)
        name = _named(series, column, alias)
        made.append(Frame(ref, (times, Field("Value", kind_of(values), values, dict(series.tags), name)), name))
    return made


def _named(series: Series, column: str, alias: str) -> str:
    if not alias:
        tags = ", ".join(f"{key}: {value}" for key, value in sorted(series.tags.items()))
        return f"{series.name}.{column}" + (f" {{ {tags} }}" if tags else "")

    def instead(found: re.Match[str]) -> str:
        word = found[1] or found[2]
        if word in ("m", "measurement"):
            return series.name
        if word == "col":
            return column
        return series.tags.get(word.removeprefix("tag_"), found.group()) if word.startswith("tag_") else found.group()

    return _ALIAS.sub(instead, alias)


def _sound(series: Series) -> Series:
    """Rows as long as the columns, and nothing but texts, truths and numbers that a float can hold."""
    if not series.columns or any(len(row) != len(series.columns) for row in series.values):
        raise BadInput("InfluxDB's answer has rows that do not fit its columns.")
    return series._replace(values=[[_plain(value) for value in row] for row in series.values])


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value[:MOST_TEXT]
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**64):
        return value
    return value if isinstance(value, float) and isfinite(value) else None


def _ms(value: object) -> int | None:
    return value // 10**6 if isinstance(value, int) else None
