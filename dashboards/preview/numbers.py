"""Values with their units, as Grafana writes them, in German or English.

Units by Grafana's ids: packages/grafana-data/src/valueFormats (categories.ts, symbolFormatters.ts, dateTimeFormatters.ts). Names
of times are written short and alike in both languages (min, h, d).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from dashboards.board import Language

BLANK = "–"
_SI = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E")
_SHORT = ("", " K", " Mil", " Bil", " Tri")
_MONEY = ("", " K", " M", " B", " T")
# unit's id: symbol, and how many steps of a thousand the number is away from it (masskg: kilograms, counted in grams)
_SCALED: Mapping[str, tuple[str, int]] = MappingProxyType({
    "watt": ("W", 0), "kwatt": ("W", 1), "watth": ("Wh", 0), "kwatth": ("Wh", 1), "volt": ("V", 0), "amp": ("A", 0),
    "rothz": ("Hz", 0), "hertz": ("Hz", 0), "lengthm": ("m", 0), "massg": ("g", 0), "masskg": ("g", 1), "voltamp": ("VA", 0),
    "decbytes": ("B", 0), "deckbytes": ("B", 1), "decmbytes": ("B", 2), "decgbytes": ("B", 3)})
_FIXED: Mapping[str, str] = MappingProxyType({
    "none": "", "string": "", "percent": "%", "lux": " lux", "degree": "°", "celsius": " °C", "dB": " dB", "dBm": " dBm",
    "accG": " g", "rotdegs": " °/s", "pressurehpa": " hPa", "ppm": " ppm", "reqps": " req/s", "cps": " c/s", "humidity": " %H"})
_TIMES_MS: Mapping[str, int] = MappingProxyType({"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000})
_TIME_STEPS = ((365 * 86_400_000, " a"), (7 * 86_400_000, " w"), (86_400_000, " d"), (3_600_000, " h"), (60_000, " min"),
               (1000, " s"), (1, " ms"), (1e-3, " µs"))
_MONEY_SIGNS: Mapping[str, str] = MappingProxyType({"currencyEUR": "€", "currencyUSD": "$", "currencyGBP": "£"})


@dataclass(frozen=True, slots=True)
class Scale:
    """How the numbers of one axis are written: divided, with so many digits (None: as many as they need), between two texts."""

    divisor: float = 1.0
    suffix: str = ""
    prefix: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """Whose eyes read it."""

    language: Language
    zone: ZoneInfo
    now: datetime


def scale(unit: str, biggest: float, decimals: int | None) -> Scale:
    """The scale for numbers up to `biggest`; a unit that is none of Grafana's stands behind the number as it is."""
    size = abs(biggest)
    if unit in _SCALED:
        symbol, offset = _SCALED[unit]
        step = _thousands(size, -5 - offset, 6 - offset)
        return Scale(1000.0**step, f" {_SI[5 + offset + step]}{symbol}", "", decimals)
    if unit == "percentunit":
        return Scale(0.01, "%", "", decimals)
    if unit in _TIMES_MS:
        length, name = next(((length, name) for length, name in _TIME_STEPS if size * _TIMES_MS[unit] >= length), (1, " ms"))
        if not size:
            return Scale(1.0, {"m": " min"}.get(unit, f" {unit}"), "", decimals)
        return Scale(length / _TIMES_MS[unit], name, "", decimals)
    if unit in _MONEY_SIGNS:
        step = _thousands(size, 0, 4)
        return Scale(1000.0**step, _MONEY[step], _MONEY_SIGNS[unit], decimals)
    if unit == "short":
        step = _thousands(size, 0, 4)
        return Scale(1000.0**step, _SHORT[step], "", decimals)
    kind, given, rest = unit.partition(":")
    if given and kind == "prefix":
        return Scale(1.0, "", rest, decimals)
    return Scale(1.0, (rest if given and kind == "suffix" else _FIXED.get(unit, f" {unit}" if unit else "")), "", decimals)


def written(value: object, unit: str, decimals: int | None, where: Where) -> str:
    """One value as a person reads it; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return BLANK
    if isinstance(value, bool):
        yes, no = {"bool_on_off": ("an", "aus") if where.language == "de" else ("On", "Off"),
                   "bool": ("wahr", "falsch") if where.language == "de" else ("True", "False")}.get(
                       unit, ("ja", "nein") if where.language == "de" else ("true", "false"))
        return yes if value else no
    if not isinstance(value, int | float):
        return str(value)
    if unit.startswith(("dateTime", "time:")):
        return moment_text(value, unit, where)
    if unit == "dtdurations":
        return _clock(value)
    return number_text(value, scale(unit, value, decimals), where.language)


def number_text(value: float, how: Scale, language: Language) -> str:
    """A number on its scale."""
    scaled = value / how.divisor
    digits = _needed(scaled) if how.decimals is None else how.decimals
    plain = f"{scaled:,.{digits}f}"
    if float(plain.replace(",", "")) == 0:
        plain = plain.lstrip("-")
    if language == "de":
        plain = plain.translate(str.maketrans(",.", ".,"))
    return f"{how.prefix}{plain.replace('-', '−')}{how.suffix}"


def moment_text(ms: float, unit: str, where: Where) -> str:
    """A moment (ms since 1970) in the town's own time; …FromNow as its distance."""
    try:
        at = datetime.fromtimestamp(ms / 1000, UTC).astimezone(where.zone)
    except (ValueError, OverflowError, OSError):  # no year that a calendar has
        return number_text(ms, Scale(decimals=0), where.language)
    if unit == "dateTimeFromNow":
        return _ago((where.now - at).total_seconds(), where.language)
    today = at.date() == where.now.astimezone(where.zone).date()
    day = f"{at:%d.%m.%Y}" if where.language == "de" else f"{at:%Y-%m-%d}"
    return f"{at:%H:%M:%S}" if today and unit.endswith("NoDateIfToday") else f"{day} {at:%H:%M:%S}"


def _ago(seconds: float, language: Language) -> str:
    steps = ((86_400, "d"), (3600, "h"), (60, "min"))
    size, name = next(((size, name) for size, name in steps if abs(seconds) >= size), (1, "s"))
    text = f"{abs(seconds) / size:.0f} {name}"
    if language == "de":
        return f"vor {text}" if seconds >= 0 else f"in {text}"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (f"{days} d " if days else "") + f"{hours:02}:{minutes:02}:{rest:02}"


def _thousands(size: float, least: int, most: int) -> int:
    return min(max(math.floor(math.log10(size) / 3 + 1e-9), least), most) if size and math.isfinite(size) else 0


def _needed(value: float) -> int:
    """Grafana's guess of how many digits a number needs (getDecimalsForValue)."""
    size = abs(value)
    if not size or not math.isfinite(size) or value == int(value):
        return 0
    digits = 1 - math.floor(math.log10(size))
    return min(max(digits + (size / 10.0**-digits > 2.25), 0), 6)
