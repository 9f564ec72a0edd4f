"""What a rule makes of one value."""

import re
from functools import lru_cache

from city.quantities import Kind, Measurement, Quantity, Value, quantity
from city.scripts import Rule

_NUMBER = re.compile(r"\s*[-+]?\d{1,15}(?:\.\d{1,15})?(?:[eE][-+]?\d{1,2})?\s*")


def meant(rule: Rule, value: Value) -> Measurement | None:
    """The value by the rule, None where the rule cannot say what it means.

    What stands in the rule's words counts first. Else a number (or a text that is one, "21.50") is scaled, 0 and 1 are
    false and true, text stays text. Truth is no number, and text no truth, unless the words say so.
    """
    said = _quantity(rule.quantity)
    known = rule.words.get(word(value)) if rule.words else None
    typed = _typed(said, known) if known is not None else _plain(rule, said.kind, value)
    return None if typed is None else said(typed, rule.channel)


def word(value: Value) -> str:
    """The value as JSON writes it, without the quotes around text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def number(value: Value) -> int | float | None:
    """The value as a number, or None where it is none."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return None if isinstance(value, bool) else value


def _plain(rule: Rule, kind: Kind, value: Value) -> Value | None:
    match kind:
        case Kind.FLOAT | Kind.INT:
            return _scaled(rule, kind, value)
        case Kind.BOOL:
            return value == 1 if isinstance(value, bool | int | float) and value in (0, 1) else None
        case Kind.TEXT:
            return value if isinstance(value, str) else None


def _scaled(rule: Rule, kind: Kind, value: Value) -> int | float | None:
    found = number(value)
    if found is None:
        return None
    if rule.scale != 1 or rule.offset:
        found = float(f"{found * rule.scale + rule.offset:.12g}")  # 0.1 × 3 is 0.3 here
    if abs(found) > 1e300:
        return None
    if kind is Kind.FLOAT:
        return float(found)
    return int(found) if found == int(found) else None


def _typed(said: Quantity, value: Value) -> Value | None:
    try:
        return said.typed(int(value) if said.kind is Kind.INT and isinstance(value, float) and value.is_integer() else value)
    except TypeError:
        return None


@lru_cache(maxsize=512)
def _quantity(name: str) -> Quantity:
    return quantity(name)
