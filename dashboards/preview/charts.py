"""A time series panel as data for uPlot, which Grafana draws with too: lines, steps, bars, stacks, two axes, events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from dashboards.preview.asking import Event
from dashboards.preview.fields import Looks, colour, looks
from dashboards.preview.frames import Frame, Json, reduced
from dashboards.preview.moments import Range
from dashboards.preview.numbers import BLANK, Scale, Where, moment_text, scale

MOST_LINES, MOST_POINTS, MOST_MARKS = 40, 4000, 60
_PATHS = {"stepAfter": "after", "stepBefore": "before", "smooth": "smooth", "linear": "linear"}


@dataclass(frozen=True, slots=True)
class Line:
    """One series as its legend and its table say it."""

    name: str
    colour: str
    dashed: bool
    count: int
    last: str
    at: str
    low: str
    high: str
    mean: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`data` is what the page's script draws; `lines` say the same in words."""

    data: Json
    lines: tuple[Line, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Series:
    look: Looks
    times: tuple[int, ...]
    values: tuple[float | None, ...]

    @property
    def numbers(self) -> list[float]:
        return [value for value in self.values if value is not None]


def chart(panel: Json, given: Sequence[Frame], where: Where, span: Range, events: Sequence[Event]) -> Chart:
    """The panel's numbers through time; text is left out, as Grafana leaves it out."""
    found = list(_series(panel, given))
    drawn = found[:MOST_LINES]
    stacked = [one for one in drawn if _stack(one) != "none"]
    tops = _stacked(stacked)
    units = list(dict.fromkeys(one.look.unit for one in drawn))
    axes = {unit: f"y{min(number, 1)}" for number, unit in enumerate(units)}
    order = sorted(range(len(drawn)), key=lambda number: -number if _stack(drawn[number]) != "none" else -len(drawn))
    data: Json = {
        "from": span.start.timestamp(), "to": span.end.timestamp(),
        "series": [_drawn(drawn[number], tops.get(id(drawn[number])), axes[drawn[number].look.unit]) for number in order],
        "axes": [_axis(unit, drawn, tops) for unit in units[:2]],
        "lines": [line for one in drawn[:1] for line in _thresholds(panel, one.look)],
        "marks": [_mark(number, event) for number, event in enumerate(events[:MOST_MARKS], 1)
                  if event.end_ms >= span.start.timestamp() * 1000 and event.start_ms <= span.end.timestamp() * 1000],
    }
    return Chart(data, tuple(_line(one, where) for one in drawn), len(found) - len(drawn))


def _series(panel: Json, given: Sequence[Frame]) -> Iterable[_Series]:
    number = 0
    for frame in given:
        time = frame.time
        for field in frame.fields:
            if time is None or field.kind not in ("number", "boolean"):
                continue
            look = looks(panel, frame, field, number)
            number += 1
            if look.hidden or not field.values:
                continue
            pairs = sorted((at, None if value is None else float(value))
                           for at, value in zip(time.values, field.values, strict=True) if isinstance(at, int))[-MOST_POINTS:]
            times, values = _bridged(_cut(pairs, look.custom.get("insertNulls")), look.custom.get("spanNulls"))
            yield _Series(look, times, values)


def _bridged(pairs: Sequence[tuple[int, float | None]], span: object) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """Gaps as spanNulls wants them (nullToUndefThreshold): True bridges all nulls, a number those between values less than so
    many ms apart. Where there is no row at all Grafana always draws on."""
    most = inf if span is True else float(span) if isinstance(span, int | float) else 0.0
    kept, nulls = list[tuple[int, float | None]](), list[tuple[int, float | None]]()
    for at, value in pairs:
        if value is None:
            nulls.append((at, value))
            continue
        if nulls and not (kept and at - kept[-1][0] < most):
            kept += nulls
        nulls.clear()
        kept.append((at, value))
    kept += nulls
    return tuple(at for at, _ in kept), tuple(value for _, value in kept)


def _cut(pairs: Sequence[tuple[int, float | None]], span: object) -> list[tuple[int, float | None]]:
    """A null where nothing came for longer than insertNulls ms (nullInsertThreshold.ts)."""
    if isinstance(span, bool) or not isinstance(span, int | float) or span <= 0:
        return list(pairs)
    kept = list[tuple[int, float | None]]()
    for at, value in pairs:
        if kept and at - kept[-1][0] > span:
            kept.append((kept[-1][0] + int(span), None))
        kept.append((at, value))
    return kept


def _stack(one: _Series) -> str:
    return str((one.look.custom.get("stacking") or {}).get("mode") or "none")


def _stacked(parts: Sequence[_Series]) -> dict[int, tuple[tuple[int, ...], tuple[float, ...]]]:
    """Where the top of each part lies; what a part does not say at a moment counts as nothing."""
    times = tuple(sorted({at for one in parts for at in one.times}))
    below, found = [0.0] * len(times), {}
    wholes = [0.0] * len(times)
    for one in parts:
        values = dict(zip(one.times, one.values, strict=True))
        wholes = [whole + (values.get(at) or 0.0) for whole, at in zip(wholes, times, strict=True)]
    for one in parts:
        values = dict(zip(one.times, one.values, strict=True))
        share = [100.0 / whole if whole and _stack(one) == "percent" else 1.0 for whole in wholes]
        below = [low + (values.get(at) or 0.0) * part for low, at, part in zip(below, times, share, strict=True)]
        found[id(one)] = (times, tuple(below))
    return found


def _drawn(one: _Series, top: tuple[tuple[int, ...], tuple[float, ...]] | None, axis: str) -> Json:
    custom = one.look.custom
    style = str(custom.get("drawStyle") or "line")
    path = style if style in ("bars", "points") else _PATHS.get(str(custom.get("lineInterpolation")), "linear")
    times, values = top or (one.times, one.values)
    own = dict(zip(one.times, one.values, strict=True))
    return {"name": one.look.name, "colour": _shade(one), "dash": _dash(custom), "axis": axis, "path": path,
            "width": float(custom.get("lineWidth", 1)), "stacked": top is not None,
            "fill": float(custom.get("fillOpacity") or 0) / 100,
            "points": custom.get("showPoints") == "always" or path == "points",
            "x": [at / 1000 for at in times], "y": list(values), "own": [own.get(at) for at in times] if top else None}


def _shade(one: _Series) -> str:
    return one.look.tone(reduced(one.values, "lastNotNull")) if one.look.by_threshold else one.look.colour


def _dash(custom: Mapping[str, Any]) -> list[float]:
    style = custom.get("lineStyle") or {}
    if style.get("fill") not in ("dash", "dot"):
        return []
    return [float(part) for part in (style.get("dash") or ([0, 10] if style["fill"] == "dot" else [10, 10]))][:8]


def _axis(unit: str, drawn: Sequence[_Series], tops: Mapping[int, tuple[tuple[int, ...], tuple[float, ...]]]) -> Json:
    own = [one for one in drawn if one.look.unit == unit]
    biggest = max((abs(value) for one in own for value in (tops[id(one)][1] if id(one) in tops else one.numbers)), default=0.0)
    look = own[0].look
    percent = any(_stack(one) == "percent" for one in own)
    how = Scale(suffix="%", decimals=0) if percent else scale(unit, max(biggest, look.high or 0.0), look.decimals)
    bars = any(one.look.custom.get("drawStyle") == "bars" or id(one) in tops for one in own)
    return {"div": how.divisor, "suffix": how.suffix, "prefix": how.prefix, "decimals": how.decimals,
            "min": 0 if bars and look.low is None else look.low, "max": 100 if percent else look.high,
            "softMin": look.custom.get("axisSoftMin"), "softMax": look.custom.get("axisSoftMax")}


def _thresholds(panel: Json, look: Looks) -> list[Json]:
    custom = ((panel.get("fieldConfig") or {}).get("defaults") or {}).get("custom") or {}
    mode = str((custom.get("thresholdsStyle") or {}).get("mode") or "off")
    if mode == "off":
        return []
    return [{"at": at, "colour": tone, "dashed": "dashed" in mode} for at, tone in look.steps if at is not None and tone]


def _mark(number: int, event: Event) -> Json:
    return {"number": number, "from": event.start_ms / 1000, "to": event.end_ms / 1000, "colour": colour(event.colour)}


def _line(one: _Series, where: Where) -> Line:
    numbers, word = one.numbers, one.look.word
    last = next((number for number in range(len(one.values) - 1, -1, -1) if one.values[number] is not None), None)
    if last is None:
        return Line(one.look.name, _shade(one), bool(_dash(one.look.custom)), 0, BLANK, BLANK, BLANK, BLANK, BLANK)
    return Line(one.look.name, _shade(one), bool(_dash(one.look.custom)), len(numbers), word(one.values[last], where),
                moment_text(one.times[last], "dateTimeAsLocal", where), word(min(numbers), where), word(max(numbers), where),
                word(sum(numbers) / len(numbers), where))
