"""Grafana's part in an InfluxQL query: what it puts in place of macros and variables, and how long $__interval is.

As Grafana 11 to 13 do it, read from their source: variables in the browser (public/app/plugins/datasource/influxdb/datasource.ts,
interpolateQueryExpr and applyVariables; public/app/features/templating), macros on the server (pkg/tsdb/influxdb/models/query.go,
Build), the length of a step in packages/grafana-data/src/datetime/rangeutil.ts (calculateInterval, roundInterval).
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from city.errors import Invalid
from city.readings import to_ns

DEFAULT_WIDTH_PX = 500  # Grafana's own guess for a panel that nobody has drawn


@dataclass(frozen=True, slots=True)
class All:
    """“All” is chosen: Grafana puts the variable's allValue into the query as it stands."""

    text: str = ".*"


ALL = All()
Value = str | Sequence[str] | All  # one value, several values of a multi-value variable, all of them

VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?::([^}]+))?\}")
_SPECIAL = re.compile(r"[\\^$*+?.()|[\]{}/]")
_SPAN = re.compile(r"(\d{1,9}(?:\.\d+)?)(ms|[yMwdhms])?")
_SPAN_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "M": 2_592_000_000,
            "y": 31_536_000_000}
_S, _M, _H, _D = 1000, 60_000, 3_600_000, 86_400_000
_BELOW = (10, 15, 35, 75, 150, 350, 750, 1500, 3500, 7500, 12_500, 17_500, 25_000, 45_000, 90_000, 210_000, 450_000, 750_000,
          1_050_000, 1_500_000, 2_700_000, 5_400_000, 9_000_000, 16_200_000, 32_400_000, _D, 7 * _D, 21 * _D, 42 * _D)
_ROUND = (1, 10, 20, 50, 100, 200, 500, _S, 2 * _S, 5 * _S, 10 * _S, 15 * _S, 20 * _S, 30 * _S, _M, 2 * _M, 5 * _M, 10 * _M,
          15 * _M, 20 * _M, 30 * _M, _H, 2 * _H, 3 * _H, 6 * _H, 12 * _H, _D, 7 * _D, 30 * _D, 365 * _D)
_DURATIONS = ((365 * _D, "y"), (_D, "d"), (_H, "h"), (_M, "m"), (_S, "s"), (1, "ms"))


def fill(query: str, start: datetime, end: datetime, interval_ms: int, variables: Mapping[str, Value] | None = None) -> str:
    """`query` as Grafana sends it to InfluxDB. First variables ($name, [[name]], ${name}, ${name:format}): several values as
    (a|b), escaped for a regex; one value escaped where it stands in a regex, else as it is; All as its allValue. Then
    $timeFilter in ms, both ends included; $interval, $__interval and $__interval_ms. What nobody knows stays as it stands, as in
    Grafana: see `unfilled`. Raises Invalid where a format is none that we know."""
    known: dict[str, Value] = {**(variables or {}), **_range(start, end)}
    filled = VARIABLE.sub(lambda found: _instead(found, known, query), query)
    text = duration(interval_ms)
    times = f"time >= {to_ns(start) // 10**6}ms and time <= {to_ns(end) // 10**6}ms"
    return (filled.replace("$timeFilter", times).replace("$interval", text)
            .replace("$__interval_ms", str(max(interval_ms, 1))).replace("$__interval", text))


def unfilled(query: str) -> list[str]:
    """Names of macros and variables that stand in a query after `fill`: InfluxDB would read them as text."""
    return list(dict.fromkeys(next(name for name in (found[1], found[2], found[4]) if name)
                              for found in VARIABLE.finditer(query)))


def interval(span: timedelta, width_px: float = DEFAULT_WIDTH_PX, shortest: str = "") -> int:
    """$__interval in ms: about one value for each pixel of a panel that is `width_px` wide (or has so many maxDataPoints), never
    shorter than `shortest`, the panel's (else the data source's) own least step ("15m"). Raises Invalid where that is none."""
    pixels = span / timedelta(milliseconds=1) / max(width_px, 1)
    return max(rounded(pixels), span_ms(shortest) if shortest else 1)


def rounded(interval_ms: float) -> int:
    """The nearest of Grafana's steps (roundInterval), in ms."""
    return _ROUND[bisect_right(_BELOW, interval_ms)]


def span_ms(text: str) -> int:
    """The ms of "15m", "1.5h", "90d" or "30" (seconds); Grafana counts whole units only. Raises Invalid."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise Invalid("“{text}” is no span of time as Grafana writes it.", field="interval", rule="15m", text=text[:20])
    return int(float(found[1])) * _SPAN_MS[found[2] or "s"]


def duration(interval_ms: int) -> str:
    """As Grafana's server writes a step into a query: whole units of the largest that fits, so that 90 minutes become 1h
    (gtime.FormatInterval)."""
    length, unit = next(((length, unit) for length, unit in _DURATIONS if interval_ms >= length), (1, "ms"))
    return f"{max(interval_ms, 1) // length}{unit}"


def escaped(value: str) -> str:
    """A value so that a regex takes it literally (escapeRegex)."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(), value)


def _range(start: datetime, end: datetime) -> dict[str, str]:
    begin_ms, end_ms = to_ns(start) // 10**6, to_ns(end) // 10**6
    return {"__from": str(begin_ms), "__to": str(end_ms), "__range_ms": str(end_ms - begin_ms),
            "__range_s": str(round((end_ms - begin_ms) / 1000)), "__range": f"{round((end_ms - begin_ms) / 1000)}s"}


def _instead(found: re.Match[str], known: Mapping[str, Value], query: str) -> str:
    name, wanted = found[1] or found[2] or found[4], found[3] or found[5] or ""
    if name not in known:
        return found.group()
    value = known[name]
    if isinstance(value, All):
        return value.text
    return _formatted(name, value, wanted) if wanted else _expression(name, value, query)


def _expression(name: str, value: str | Sequence[str], query: str) -> str:
    if not isinstance(value, str):
        return _alternatives(value)
    in_regex = re.search(rf"/\^?[^/]*\$\{{?{name}\b[^/]*/", query)  # /^$zone$/, /$zone/, /^($zone)$/
    return escaped(value) if in_regex else value


def _formatted(name: str, value: str | Sequence[str], wanted: str) -> str:
    values = [value] if isinstance(value, str) else list(value)
    match wanted:
        case "regex":
            return _alternatives(values)
        case "raw" | "csv" | "text":
            return ",".join(values)
        case "pipe":
            return "|".join(values)
        case "percentencode":
            return quote(values[0] if len(values) == 1 else "{" + ",".join(values) + "}", safe="")
        case "queryparam":
            return "&".join(f"var-{name}={quote(one, safe='')}" for one in values)
    raise Invalid("The format “{wanted}” of the variable {name} is not known here.", field=name, rule="format", name=name,
                  wanted=wanted[:20])


def _alternatives(values: Sequence[str]) -> str:
    each = [escaped(value) for value in values]
    return each[0] if len(each) == 1 else f"({'|'.join(each)})"
