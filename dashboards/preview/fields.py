"""What a panel's fieldConfig says of each field: its name, unit, limits, thresholds, colours and words.

packages/grafana-data/src/field: fieldOverrides.ts, fieldState.ts (names), thresholds.ts, utils/valueMappings.ts; colours by name
from themes/createVisualizationColors.ts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dashboards.preview.frames import Field, Frame, Json
from dashboards.preview.numbers import Where, written

PALETTE = ("#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#705DA0", "#37872D", "#FADE2A",
           "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477")  # palette-classic
_NAMES: Mapping[str, str] = MappingProxyType({
    "green": "#73BF69", "yellow": "#FADE2A", "red": "#F2495C", "blue": "#5794F2", "orange": "#FF9830", "purple": "#B877D9",
    "dark-green": "#37872D", "dark-yellow": "#E0B400", "dark-red": "#C4162A", "dark-blue": "#1F60C4", "dark-orange": "#FA6400",
    "dark-purple": "#8F3BB8", "semi-dark-green": "#56A64B", "semi-dark-yellow": "#F2CC0C", "semi-dark-red": "#E02F44",
    "semi-dark-blue": "#3274D9", "semi-dark-orange": "#FF780A", "semi-dark-purple": "#A352CC", "light-green": "#96D98D",
    "light-yellow": "#FFEE52", "light-red": "#FF7383", "light-blue": "#8AB8FF", "light-orange": "#FFB357",
    "light-purple": "#CA95E5", "gray": "#8e8e8e", "grey": "#8e8e8e", "black": "#000000", "white": "#ffffff"})
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}")
_IN_NAME = re.compile(r"\$\{__(?:(series|field)\.name|field\.labels(?:\.([\w-]+)|\[\"([^\"]+)\"\]))\}|\$__(?:series|field)_name")


@dataclass(frozen=True, slots=True)
class Looks:
    """How one field is shown. `steps` are thresholds: from which value on which colour; `custom` is the panel type's own."""

    name: str
    unit: str
    decimals: int | None
    low: float | None
    high: float | None
    colour: str
    by_threshold: bool
    steps: tuple[tuple[float | None, str], ...]
    mappings: tuple[Json, ...]
    none: str
    hidden: bool
    links: tuple[Json, ...]
    custom: Mapping[str, Any]

    def word(self, value: object, where: Where) -> str:
        """The value as it is written: its word where it has one, else number and unit."""
        mapped = _mapped(self.mappings, value)
        if mapped and mapped.get("text"):
            return str(mapped["text"])
        return self.none if value is None and self.none else written(value, self.unit, self.decimals, where)

    def tone(self, value: object) -> str:
        """Its colour as #rrggbb: the word's own, else the threshold's that it has reached, else the field's."""
        mapped = _mapped(self.mappings, value)
        if mapped and (own := str(mapped.get("color") or "")):
            return colour(own)  # "" of transparent
        return self.reached(value) if self.by_threshold else self.colour

    def reached(self, value: object) -> str:
        """The colour of the highest threshold that a number has reached; "" of none."""
        found = ""
        for begin, tone in self.steps:
            if begin is None or (isinstance(value, int | float) and value >= begin):
                found = tone
        return found


def name_of(frame: Frame, field: Field) -> str:
    """What a field is called before anything is configured: as the data source names it."""
    del frame
    return field.shown or field.name


def looks(panel: Json, frame: Frame, field: Field, number: int) -> Looks:
    """The panel's defaults with its overrides for this field, the `number`-th that is drawn."""
    config = panel.get("fieldConfig") or {}
    defaults: Json = dict(config.get("defaults") or {})
    custom: Json = dict(defaults.get("custom") or {})
    for override in config.get("overrides") or ():
        if _meant(override.get("matcher") or {}, frame, field):
            for one in override.get("properties") or ():
                key = str(one.get("id", ""))
                if key.startswith("custom."):
                    _put(custom, key.removeprefix("custom."), one.get("value"))
                else:
                    defaults[key] = one.get("value")
    shade = defaults.get("color") or {}
    mode = str(shade.get("mode", ""))
    fixed = colour(str(shade.get("fixedColor", ""))) if mode in ("fixed", "shades") else ""
    hide = custom.get("hideFrom") or {}
    return Looks(
        name=_title(str(defaults.get("displayName") or ""), frame, field), unit=_unit(defaults, field),
        decimals=_whole(defaults.get("decimals")), low=_number(defaults.get("min")), high=_number(defaults.get("max")),
        colour=fixed or PALETTE[number % len(PALETTE)], by_threshold=mode == "thresholds",
        steps=_steps(defaults.get("thresholds") or {}, defaults), mappings=tuple(defaults.get("mappings") or ()),
        none=str(defaults.get("noValue") or ""), hidden=bool(custom.get("hidden") or hide.get("viz")),
        links=tuple(defaults.get("links") or ()), custom=custom)


def colour(name: str) -> str:
    """#rrggbb of one of Grafana's colours; "" of what is none, so that nothing else gets into a style."""
    return name if _COLOUR.fullmatch(name) else _NAMES.get(name, "")


def _unit(defaults: Json, field: Field) -> str:
    unit = str(defaults.get("unit") or "")
    return unit or ("dateTimeAsLocal" if field.kind == "time" else "")


def _title(wanted: str, frame: Frame, field: Field) -> str:
    if not wanted:
        return name_of(frame, field)
    return _IN_NAME.sub(lambda found: (field.labels.get(found[2] or found[3], "") if found[2] or found[3]
                                       else name_of(frame, field)), wanted)


def _meant(matcher: Json, frame: Frame, field: Field) -> bool:
    wanted = matcher.get("options")
    match matcher.get("id"):
        case "byName":
            return wanted in (field.name, name_of(frame, field))
        case "byNames":
            return name_of(frame, field) in ((wanted or {}).get("names") or ())
        case "byRegexp":
            return bool(re.search(str(wanted or "").strip("/"), name_of(frame, field)))
        case "byType":
            return bool(wanted == field.kind)
        case "byFrameRefID":
            return bool(wanted == frame.ref)
    return False


def _put(custom: Json, path: str, value: object) -> None:
    *way, last = path.split(".")
    for key in way:
        custom[key] = dict(custom.get(key) or {})
        custom = custom[key]
    custom[last] = value


def _steps(thresholds: Json, defaults: Json) -> tuple[tuple[float | None, str], ...]:
    steps = [(_number(step.get("value")), colour(str(step.get("color", "")))) for step in thresholds.get("steps") or ()]
    if thresholds.get("mode") == "percentage":
        low, high = _number(defaults.get("min")) or 0.0, _number(defaults.get("max"))
        span = (100.0 if high is None else high) - low
        steps = [(None if at is None else low + span * at / 100, tone) for at, tone in steps]
    first = steps[:1]  # counts from minus infinity, whatever its value
    return (*((None, tone) for _, tone in first), *steps[1:])


def _mapped(mappings: Sequence[Json], value: object) -> Json | None:
    for mapping in mappings:
        options = mapping.get("options") or {}
        match mapping.get("type"):
            case "value":
                found = options.get(_key(value))
                if found is not None:
                    return dict(found)
            case "range":
                low, high = options.get("from"), options.get("to")
                if isinstance(value, int | float) and (low is None or value >= low) and (high is None or value <= high):
                    return dict(options.get("result") or {})
            case "regex":
                if isinstance(value, str) and re.search(str(options.get("pattern", "")).strip("/"), value):
                    return dict(options.get("result") or {})
            case "special":
                if _special(str(options.get("match", "")), value):
                    return dict(options.get("result") or {})
    return None


def _special(match: str, value: object) -> bool:
    nan = isinstance(value, float) and value != value
    return {"null": value is None, "nan": nan, "null+nan": value is None or nan, "true": value is True, "false": value is False,
            "empty": value == ""}.get(match, False)


def _key(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return min(max(int(value), 0), 10) if isinstance(value, int | float) else None
