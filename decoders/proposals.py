"""What the leaves of an output probably mean, by the words of their names, the units in them, and one value of each.

A person reads every proposal before it counts, so it is better to propose nothing than something wrong: a name with a
word in it that we do not know, a number without a unit where units differ, a value outside the quantity's range, or two
leaves for one quantity remain without a meaning and are kept raw.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from city.places import AssetKind
from city.quantities import Value, quantity
from city.scripts import MAX_RULES, LeafMapping, Rule
from decoders.leaves import personal, words
from decoders.meaning import meant, number, word

_UNITS: dict[str, tuple[str, float, float]] = {  # what it measures, and how its numbers become our unit
    "w": ("power", 1, 0), "watt": ("power", 1, 0), "watts": ("power", 1, 0), "mw": ("power", 0.001, 0), "kw": ("power", 1000, 0),
    "v": ("voltage", 1, 0), "volt": ("voltage", 1, 0), "volts": ("voltage", 1, 0), "mv": ("voltage", 0.001, 0),
    "a": ("current", 1, 0), "amp": ("current", 1, 0), "amps": ("current", 1, 0), "ampere": ("current", 1, 0),
    "ma": ("current", 0.001, 0),
    "wh": ("energy", 1, 0), "kwh": ("energy", 1000, 0), "mwh": ("energy", 0.001, 0),
    "s": ("time", 1, 0), "sec": ("time", 1, 0), "secs": ("time", 1, 0), "second": ("time", 1, 0), "seconds": ("time", 1, 0),
    "min": ("time", 60, 0), "mins": ("time", 60, 0), "minute": ("time", 60, 0), "minutes": ("time", 60, 0),
    "h": ("time", 3600, 0), "hr": ("time", 3600, 0), "hrs": ("time", 3600, 0), "hour": ("time", 3600, 0),
    "hours": ("time", 3600, 0), "day": ("time", 86400, 0), "days": ("time", 86400, 0),
    "c": ("temperature", 1, 0), "degc": ("temperature", 1, 0), "celsius": ("temperature", 1, 0), "cel": ("temperature", 1, 0),
    "°c": ("temperature", 1, 0), "f": ("temperature", 5 / 9, -160 / 9), "degf": ("temperature", 5 / 9, -160 / 9),
    "fahrenheit": ("temperature", 5 / 9, -160 / 9), "°f": ("temperature", 5 / 9, -160 / 9),
    "k": ("temperature", 1, -273.15), "kelvin": ("temperature", 1, -273.15),
    "percent": ("share", 1, 0), "percentage": ("share", 1, 0), "pct": ("share", 1, 0), "perc": ("share", 1, 0),
    "prozent": ("share", 1, 0), "%": ("share", 1, 0),
    "hz": ("frequency", 1, 0), "lux": ("illuminance", 1, 0), "lx": ("illuminance", 1, 0),
    "deg": ("angle", 1, 0), "degree": ("angle", 1, 0), "degrees": ("angle", 1, 0), "°": ("angle", 1, 0),
}
_JOINED = {  # written as one word, and other words for the same
    "powerfactor": "power factor", "activepower": "active power", "parkingstatus": "parking status", "carstatus": "car status",
    "parkingstate": "parking state", "batterylevel": "battery level", "batteryvoltage": "battery voltage",
    "batterypercent": "battery percent", "battvoltage": "battery voltage", "batvoltage": "battery voltage",
    "dimlevel": "dim level", "dimminglevel": "dim level", "dimvalue": "dim value", "burnhours": "burn hours",
    "burninghours": "burn hours", "operatinghours": "operating hours", "lamphours": "lamp hours", "runhours": "runtime hours",
    "lowbattery": "battery low", "batterylow": "battery low", "cosphi": "power factor", "pf": "power factor",
    "cosfi": "power factor", "dimmer": "dim",
    "bat": "battery", "batt": "battery", "batterie": "battery", "akku": "battery", "vbat": "battery voltage",
    "vbatt": "battery voltage", "temp": "temperature", "temperatur": "temperature", "dimming": "dim",
    "brightness": "dim", "luminosity": "illuminance", "illumination": "illuminance", "burning": "burn", "operation": "operating",
    "occupation": "occupied", "occupancy": "occupied", "isoccupied": "occupied", "lat": "latitude", "lng": "longitude",
    "lon": "longitude", "long": "longitude", "fw": "firmware", "switching": "switch", "inclination": "tilt", "rh": "humidity",
    "relativehumidity": "humidity", "spannung": "voltage", "leistung": "power", "strom": "current", "energie": "energy",
    "belegt": "occupied", "besetzt": "occupied", "frei": "free", "vehiclepresent": "vehicle present",
}
_NEUTRAL = frozenset((
    "lamp", "light", "luminaire", "mains", "grid", "line", "sensor", "device", "internal", "measured", "actual",
    "present", "value", "val", "data", "payload", "meter", "reading", "node", "chip", "board", "ambient", "is", "state", "status",
    "the", "of", "in", "active", "total", "parking", "space", "spot", "bay", "slot", "lot", "place", "decoded", "object"))
_NEVER = frozenset((
    "previous", "prev", "last", "max", "min", "maximum", "minimum", "average", "avg", "mean", "peak", "limit", "threshold",
    "target", "setpoint", "set", "raw", "alarm", "alert", "warning", "interval", "apparent", "reactive", "rated", "nominal",
    "config", "settings", "setting", "delta", "diff", "offset", "calibration", "default", "high", "error", "fault", "history",
    "rssi", "snr", "gateway", "lora", "lorawan", "radio", "baseline", "reference", "forecast", "solar", "timer", "delay"))
_LISTS = frozenset(("messages", "measurements", "readings", "data", "payload", "values", "records", "samples", "events"))
_YES = ("occupied", "busy", "taken", "parked", "full", "vehicle", "car", "belegt", "besetzt")
_NO = ("free", "vacant", "empty", "unoccupied", "available", "frei", "no vehicle", "no car", "not occupied", "not_occupied")
_ON, _OFF = ("on", "closed", "close", "active", "enabled"), ("off", "open", "opened", "inactive", "disabled")


@dataclass(frozen=True, slots=True)
class _Hint:
    """Names that mean a quantity: each is a set of words that must all be there. `unit` is what its unit measures, ""
    where it has none; a number without a unit means our own unit only between `low` and `high`, and only as a fraction
    where `broken`."""

    quantity: str
    names: tuple[str, ...]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    broken: bool = False
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    factors: tuple[tuple[str, float], ...] = ()  # other units, and their scale


_SHARED = (
    _Hint("device.battery", ("battery level", "battery soc", "battery capacity", "battery percent", "battery"), "share", 6, 100),
    _Hint("device.battery_voltage", ("battery voltage", "battery"), "voltage", 1.5, 5.5, broken=True),
    _Hint("device.battery_low", ("battery low",), yes=_ON, no=_OFF),
    _Hint("device.temperature", ("temperature",), "temperature", -40, 60),
    _Hint("device.humidity", ("humidity",), "share", 0, 100),
    _Hint("device.firmware", ("firmware version", "firmware", "software version", "sw version")),
    _Hint("device.serial", ("serial number", "serial", "sn")),
    _Hint("device.uptime", ("uptime", "up time"), "time"),
    _Hint("device.latitude", ("latitude",), "angle", -90, 90, broken=True),
    _Hint("device.longitude", ("longitude",), "angle", -180, 180, broken=True),
    _Hint("device.heartbeat", ("heartbeat",)),
)
_HINTS: dict[AssetKind, tuple[_Hint, ...]] = {
    "lamp": (
        *_SHARED,
        _Hint("lamp.level", ("dim level", "dim value", "dim", "lamp level", "level"), "share", 0, 100),
        _Hint("lamp.power_factor", ("power factor",), "ratio", 0, 1, factors=(("share", 0.01),)),
        _Hint("lamp.power", ("active power", "power"), "power", 0, 2000),
        _Hint("lamp.energy", ("active energy", "energy", "consumption"), "energy"),
        _Hint("lamp.voltage", ("voltage",), "voltage", 80, 300),
        _Hint("lamp.current", ("current",), "current", 0.001, 32, broken=True),
        _Hint("lamp.burn_time", ("burn time", "burn", "operating time", "operating", "lamp time", "lamp", "runtime",
                                 "on time"), "time"),
        _Hint("lamp.frequency", ("frequency",), "frequency", 45, 65),
        _Hint("lamp.illuminance", ("illuminance", "light", "ambient light"), "illuminance"),
        _Hint("lamp.tilt", ("tilt angle", "tilt"), "angle", 0, 90),
        _Hint("lamp.relay_closed", ("relay", "relay closed", "switch"), yes=_ON, no=_OFF),
        _Hint("lamp.lit", ("lit", "lamp on", "light on"), yes=_ON, no=_OFF),
        _Hint("lamp.failure", ("lamp failure",)),
    ),
    "bay": (
        *_SHARED,
        _Hint("bay.occupied", ("occupied", "parking status", "parking state", "parking", "vehicle", "vehicle present", "car",
                               "car status", "car present", "vehicle detected", "car detected"), yes=_YES, no=_NO),
        _Hint("bay.occupied", ("free", "vacant", "available"), yes=("false",), no=("true",)),
        _Hint("bay.occupied", ("status", "state", "slot status", "space status"), yes=_YES, no=_NO, broken=True),
        _Hint("device.battery_voltage", ("voltage",), "voltage", 1.5, 5.5, broken=True),
    ),
}


@dataclass(frozen=True, slots=True)
class _Name:
    """A leaf's name, taken apart: its words without unit and number, how many of them are those of the key that names it,
    the number of the part if there is one, and its unit."""

    words: tuple[str, ...]
    own: int
    part: str
    unit: str


def propose(leaves: Mapping[str, Value], asset: AssetKind) -> LeafMapping:
    """A mapping for an asset of that kind: rules for what is clear, and what looks personal is dropped."""
    dropped = tuple(leaf for leaf, value in leaves.items() if personal(leaf, value))
    found: dict[tuple[str, str], list[tuple[bool, Rule]]] = defaultdict(list)
    for leaf, value in leaves.items():
        if leaf in dropped:
            continue
        name = _name(leaf, leaves)
        if rule := None if _listed(leaf) else _rule(leaf, name, value, asset):
            found[rule.quantity, rule.channel].append((bool(name.unit), rule))
    clear = [rule for rules in found.values() if (rule := _only(rules))]
    order = {leaf: place for place, leaf in enumerate(leaves)}
    return LeafMapping(rules=tuple(sorted(clear, key=lambda rule: order[rule.leaf])[:MAX_RULES]), dropped=dropped)


def _only(rules: list[tuple[bool, Rule]]) -> Rule | None:
    """The one rule for a quantity; where several leaves claim it, the only one that names its unit."""
    if len(rules) == 1:
        return rules[0][1]
    sure = [rule for has_unit, rule in rules if has_unit]
    return sure[0] if len(sure) == 1 else None


def _listed(leaf: str) -> bool:
    """Whether it stands in a list of readings, whose places mean no parts."""
    keys = leaf.lower().split(".")
    return any(key in _LISTS and _is_number(after) for key, after in pairwise(keys))


def _rule(leaf: str, name: _Name, value: Value, asset: AssetKind) -> Rule | None:
    said = set(name.words)
    if _NEVER & said or said >= {"light", "level"}:  # a light level may be the lamp's or the sky's
        return None
    hints = [hint for hint in _HINTS[asset] if _named(hint, name)]
    for hint in hints:
        if rule := _by_hint(leaf, name, value, hint):
            return rule
    return None


def _named(hint: _Hint, name: _Name) -> bool:
    """Whether one of the hint's names is there, and the key that bears the name says nothing more."""
    above, own = name.words[:len(name.words) - name.own], set(name.words[len(name.words) - name.own:])
    for one in hint.names:
        needed = set(one.split())
        if needed <= set(name.words) and own <= needed | _NEUTRAL and not _stranger(above, needed):
            return True
    return False


def _stranger(above: Iterable[str], needed: set[str]) -> bool:
    """Whether the keys above speak of something else: the level in `battery.level` is no light level."""
    return bool({"battery", "temperature", "humidity", "driver", "dali"} & set(above) - needed)


def _by_hint(leaf: str, name: _Name, value: Value, hint: _Hint) -> Rule | None:
    said = quantity(hint.quantity)
    channel = name.part
    if said.kind.value == "bool":
        return _truth(leaf, value, hint, channel)
    if said.kind.value == "text":
        return Rule(leaf=leaf, quantity=said.name, channel=channel) if isinstance(value, str) and not name.unit else None
    scaled = _scale(name, value, hint)
    if scaled is None:
        return None
    rule = Rule(leaf=leaf, quantity=said.name, channel=channel, scale=scaled[0], offset=scaled[1])
    one = meant(rule, value)
    return rule if one and said.plausible(one.value) else None


def _scale(name: _Name, value: Value, hint: _Hint) -> tuple[float, float] | None:
    """Scale and offset by the name's unit; without one, none where the value alone is clear."""
    if name.unit:
        measures, scale, offset = _UNITS[name.unit]
        for other, factor in hint.factors:
            if measures == other:
                return factor, 0.0
        return (float(scale), float(offset)) if measures == hint.unit else None
    plain = number(value)
    if plain is None or hint.low is None or hint.high is None or not hint.low <= plain <= hint.high:
        return None
    return None if hint.broken and plain == int(plain) else (1.0, 0.0)


def _truth(leaf: str, value: Value, hint: _Hint, channel: str) -> Rule | None:
    inverted = hint.yes == ("false",)
    if isinstance(value, bool) or value in (0, 1):
        if hint.broken:  # a status of 1 may be anything
            return None
        asks = {"true": False, "false": True, "1": False, "0": True} if inverted else {}
        return Rule(leaf=leaf, quantity=hint.quantity, channel=channel, words=dict(asks))
    known = _vocabulary(word(value), hint) if isinstance(value, str) else {}
    return Rule(leaf=leaf, quantity=hint.quantity, channel=channel, words=dict(known)) if known else None


def _vocabulary(said: str, hint: _Hint) -> dict[str, bool]:
    """All words of the hint, written as this one is; none if it is not among them."""
    if said.lower() not in (*hint.yes, *hint.no) or hint.yes == ("false",):
        return {}
    written = str.upper if said.isupper() else str.lower if said.islower() else str.capitalize
    return {written(one): True for one in hint.yes} | {written(one): False for one in hint.no}


def _name(leaf: str, leaves: Mapping[str, Value]) -> _Name:
    *above, key = leaf.split(".")
    own, unit = _unit(_split(key))
    if not unit and key in ("value", "val"):
        beside = leaves.get(".".join([*above, "unit"]))
        unit = beside.lower() if isinstance(beside, str) and beside.lower() in _UNITS else ""
    while above and all(one in _NEUTRAL or _is_number(one) for one in own):  # in `temperature.value` the key above names it
        own = [*_split(above.pop()), *own]
    upper = [part for one in above for part in _split(one)]
    words = [one for one in own if not _is_number(one)]
    return _Name((*(one for one in upper if not _is_number(one)), *words), len(words), _part([*upper, *own]), unit)


def _split(key: str) -> list[str]:
    return [part for one in words(key) for part in _JOINED.get(one, one).split()]


def _unit(said: list[str]) -> tuple[list[str], str]:
    """The words before the unit, and the unit: `m`, `w` are one word here, as in activePower_mW. A name that is nothing
    but a unit word (`lux`, `hours`) keeps it as its meaning."""
    for count in (3, 2, 1):
        joined = "".join(said[-count:])
        if len(said) > count and joined in _UNITS:
            return said[:-count], joined
    if len(said) == 1 and said[0] in ("lux", "lx"):
        return ["illuminance"], "lux"
    return said, ""


def _part(said: list[str]) -> str:
    """The part that a number in the name speaks of: `relay_2.closed` is relay-2."""
    for place, one in enumerate(said):
        if _is_number(one) and len(one) <= 4:
            before = said[place - 1] if place else "part"
            return f"{before if before.isascii() else 'part'}-{int(one)}"
    return ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
