"""From a script's output to quantities, and from an order to what the script's encoder is given. Pure.

A leaf with a rule becomes the rule's quantity. A leaf without one, or with a value that its rule cannot read, is kept
as a raw reading under the script's name. A leaf that is dropped, or looks as if it were about a person, is kept nowhere.
"""

import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from city import orders
from city.errors import Invalid
from city.orders import Order
from city.places import AssetKind
from city.quantities import RAW, Kind, Measurement, Quantity, Value, quantity, raw
from city.scripts import MAX_RULES, LeafMapping, Rule
from decoders.codec import unsupported
from decoders.leaves import MAX_DEPTH, MAX_LEAVES, MAX_NAME, leaves, personal, safe_key
from decoders.meaning import meant
from decoders.proposals import propose

__all__ = ["MAX_DEPTH", "MAX_LEAVES", "apply", "check", "leaves", "order_data", "propose"]

MAX_WORDS = 64
MAX_TEMPLATE = 4096  # bytes as JSON
_ORDERS: dict[str, Any] = {kind.__name__: kind for kind in typing.get_args(Order)}
_ONLY_LAMPS = frozenset(("SetLevel", "Resume", "FallbackLevel", "Profile", "SunCalendar", "Holidays", "LevelNotice"))
_LEVELS = ("on", "switch", "relay")  # what follows from a level, for scripts that only switch
_CHANNEL = re.compile(r"(?:[a-z0-9][a-z0-9_-]{0,39})?")


def apply(model: str, mapping: LeafMapping, leaves: Mapping[str, Value]) -> list[Measurement]:
    """What the leaves mean, in their order. Where two leaves of one output mean the same quantity and part, the rule that
    stands first wins and the other leaf is kept raw."""
    meanings = _meanings(mapping.rules, leaves)
    ruled = {rule.leaf for rule in mapping.rules}
    said: list[Measurement] = []
    for leaf, value in leaves.items():
        if leaf in meanings:
            said += meanings[leaf]
        elif leaf in ruled or not (_dropped(leaf, mapping.dropped) or personal(leaf, value)):
            said.append(raw(model, leaf, value))
    return said


def check(mapping: LeafMapping, asset: AssetKind) -> LeafMapping:
    """The mapping, if it can be used for that kind of asset; raises Invalid, naming field and rule."""
    if len(mapping.rules) > MAX_RULES or len(mapping.dropped) > MAX_RULES:
        raise Invalid("A mapping has at most {most} rules.", field="rules", rule="number", most=MAX_RULES)
    seen: set[tuple[str, str, str]] = set()
    for number, rule in enumerate(mapping.rules):
        _check_rule(rule, f"rules[{number}]", asset, mapping.dropped)
        key = (rule.leaf, rule.quantity, rule.channel)
        if key in seen:
            raise Invalid("The leaf “{leaf}” has the same meaning twice.", field=f"rules[{number}]", rule="unique",
                          leaf=rule.leaf)
        seen.add(key)
    for number, leaf in enumerate(mapping.dropped):
        _check_leaf(leaf, f"dropped[{number}]")
    for name, template in mapping.orders.items():
        _check_template(name, template, asset)
    return mapping


def order_data(mapping: LeafMapping, order: Order, title: str = "") -> dict[str, Any]:
    """What the script's `encodeDownlink` is given as `data`: the order's template, with the order's fields in place of
    "$level", "$minutes" …, and "$on" (true or false), "$switch" ("on" or "off") and "$relay" (1 or 0) for a level above 0.
    A field that has no value is left out. Raises Unsupported where there is no template, or where the template leaves
    unsaid what the order asks for."""
    template = mapping.orders.get(type(order).__name__)
    fields = _fields(order)
    if template is None or not _asked(order) <= set(_places(template)):
        raise unsupported(title or "device of this model", order)
    return {key: value for key, one in template.items() if (value := _filled(one, fields)) is not None}


def _meanings(rules: Sequence[Rule], leaves: Mapping[str, Value]) -> dict[str, list[Measurement]]:
    """What each leaf means by the rules, none of it said twice."""
    found: dict[str, list[Measurement]] = {}
    taken: set[tuple[str, str]] = set()
    for rule in rules:
        value = leaves.get(rule.leaf)
        if value is None or (rule.quantity, rule.channel) in taken:
            continue
        one = meant(rule, value)
        if one is not None:
            taken.add((rule.quantity, rule.channel))
            found.setdefault(rule.leaf, []).append(one)
    return found


def _dropped(leaf: str, dropped: tuple[str, ...]) -> bool:
    return any(leaf == name or leaf.startswith(name + ".") for name in dropped)


def _check_rule(rule: Rule, field: str, asset: AssetKind, dropped: tuple[str, ...]) -> None:
    _check_leaf(rule.leaf, field)
    if _dropped(rule.leaf, dropped):
        raise Invalid("The leaf “{leaf}” is dropped and cannot have a meaning too.", field=field, rule="dropped", leaf=rule.leaf)
    said = _quantity_for(rule.quantity, field, asset)
    if not _CHANNEL.fullmatch(rule.channel):
        raise Invalid("A part is named in small letters, digits and hyphens, not “{text}”.", field=field, rule="channel",
                      text=rule.channel[:80])
    _check_numbers(rule, field, said)
    _check_words(rule, field, said)


def _check_leaf(leaf: str, field: str) -> None:
    if not 0 < len(leaf) <= MAX_NAME or leaf != ".".join(map(safe_key, leaf.split("."))):
        raise Invalid("“{leaf}” is no name of a leaf.", field=field, rule="leaf", leaf=leaf[:80])


def _quantity_for(name: str, field: str, asset: AssetKind) -> Quantity:
    of = name.partition(".")[0]
    try:
        said = None if name.startswith(RAW) or of not in (asset, "device") else quantity(name)
    except KeyError:
        said = None
    if said is None:
        raise Invalid("A {asset} has no quantity “{quantity}”.", field=field, rule="quantity", asset=asset, quantity=name[:80])
    return said


def _check_numbers(rule: Rule, field: str, said: Quantity) -> None:
    plain = rule.scale == 1 and rule.offset == 0
    if not (isfinite(rule.scale) and isfinite(rule.offset)) or rule.scale == 0:
        raise Invalid("Scale and offset are finite numbers, and the scale is not 0.", field=field, rule="finite")
    if not plain and said.kind not in (Kind.FLOAT, Kind.INT):
        raise Invalid("“{quantity}” is no number: it has neither scale nor offset.", field=field, rule="number",
                      quantity=rule.quantity)


def _check_words(rule: Rule, field: str, said: Quantity) -> None:
    if len(rule.words) > MAX_WORDS or any(len(word) > MAX_NAME for word in rule.words):
        raise Invalid("A rule has at most {most} words.", field=field, rule="words", most=MAX_WORDS)
    for word, value in rule.words.items():
        one = meant(rule, word)
        if one is None or one.value != value or not said.plausible(one.value):
            raise Invalid("The word “{word}” cannot mean {value} for “{quantity}”.", field=field, rule="words", word=word,
                          value=str(value)[:80], quantity=rule.quantity)


def _check_template(name: str, template: Mapping[str, object], asset: AssetKind) -> None:
    kind = _ORDERS.get(name)
    if kind is None or (asset != "lamp" and name in _ONLY_LAMPS):
        raise Invalid("A {asset} has no order “{order}”.", field="orders", rule="order", asset=asset, order=name[:80])
    try:
        size = len(msgspec.json.encode(template))
    except (TypeError, ValueError, RecursionError):
        size = MAX_TEMPLATE + 1
    if size > MAX_TEMPLATE:
        raise Invalid("What the script is given for “{order}” must be JSON of at most {most} bytes.", field="orders", rule="size",
                      order=name, most=MAX_TEMPLATE)
    wrong = sorted(set(_places(template)) - {*kind.__struct_fields__, *(_LEVELS if name == "SetLevel" else ())})
    if wrong:
        raise Invalid("The order “{order}” has no field “{name}”.", field="orders", rule="field", order=name, name=wrong[0][:80])
    if name == "SetLevel" and not {"level", *_LEVELS} & set(_places(template)):
        raise Invalid("What the script is given for SetLevel must hold “$level”.", field="orders", rule="$level")


def _fields(order: Order) -> dict[str, Any]:
    """The order's fields as JSON values, and what follows from a level."""
    fields: dict[str, Any] = msgspec.to_builtins(order)
    fields.pop("type", None)
    if isinstance(order, orders.SetLevel):
        fields |= {"on": order.level > 0, "switch": "on" if order.level else "off", "relay": int(order.level > 0)}
    return fields


def _asked(order: Order) -> set[str]:
    """The fields that a template must put to the script: all that differ from their default, but for a level that may be
    said as on or off."""
    known = type(order).__struct_defaults__
    names = type(order).__struct_fields__
    defaults = dict(zip(names[len(names) - len(known):], known, strict=True))
    asked = {name for name in names if name not in defaults or getattr(order, name) != defaults[name]}
    if isinstance(order, orders.SetLevel) and order.level in (0, 100):
        asked.discard("level")  # check() sees to it that it is said in one way or another
    return asked


def _places(template: object) -> Iterable[str]:
    """The names of the fields that a template asks for."""
    if isinstance(template, str):
        if template.startswith("$") and not template.startswith("$$"):
            yield template[1:]
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _places(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from _places(value)


def _filled(template: object, fields: Mapping[str, Any]) -> object:
    if isinstance(template, str) and template.startswith("$"):
        return template[1:] if template.startswith("$$") else fields.get(template[1:])
    if isinstance(template, Mapping):
        return {key: value for key, one in template.items() if (value := _filled(one, fields)) is not None}
    if isinstance(template, list | tuple):
        return [_filled(one, fields) for one in template]
    return template
