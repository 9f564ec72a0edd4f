"""The leaves of a script's output: one name and one value each, safe to store whatever the script says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2s
from itertools import pairwise
from typing import Any

from city.errors import ScriptError, TooManySeries
from city.quantities import Value

MAX_LEAVES = 256
MAX_DEPTH = 32
MAX_NAME = 90  # of the 100 characters that a raw reading's name may have; ":flag" and ":text" need some
MAX_TEXT = 256
_NESTED: frozenset[object] = frozenset((dict, list, tuple))  # what JSON is read into
_MOST = 1.7e308  # what a float can hold, and no infinity

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\:.\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W0-9_]+|[°%]")
_ADDRESS = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[^\s@]+@[^\s@]+\.[^\s@.]+",
                      re.IGNORECASE)
_PERSONAL = frozenset((
    "tag", "tags", "tagid", "beacon", "beacons", "beaconid", "ibeacon", "eddystone", "mac", "macs", "macaddress", "bssid", "ssid",
    "uuid", "uid", "imsi", "msisdn", "phone", "email", "plate", "plates", "licenceplate", "licenseplate", "numberplate", "lpn",
    "vin", "user", "userid", "username", "person", "owner", "visitor", "customer", "resident", "permit", "badge", "card",
    "cardid", "rfid", "nfc", "wifi", "wlan", "ble", "bluetooth", "kennzeichen", "imei"))


def leaves(data: Mapping[str, Any]) -> dict[str, Value]:
    """Every value of the output by its path, in the output's order: {"lamp": {"power_w": 31.5}} is `lamp.power_w`, list
    items are numbered from 0.

    Left out are null, numbers that are not finite, and values of which two would have the same name once the names are
    safe: nobody could tell which is meant. In a name, control characters, spaces, colons, backslashes and dots become
    "_"; a long one ends in a checksum of itself. Text is cut at 256 characters. Raises TooManySeries beyond 256 leaves,
    ScriptError beyond 32 levels.
    """
    found: dict[str, Value] = {}
    twice: set[str] = set()
    for name, value in _walk(data, "", 1):
        if name in found:
            twice.add(name)
        elif len(found) >= MAX_LEAVES:
            raise TooManySeries("This output has more than {most} values.", most=MAX_LEAVES)
        found[name] = value
    for name in twice:
        del found[name]
    return found


def safe_name(path: str) -> str:
    """A path as it is stored: short enough, and still its own."""
    if len(path) <= MAX_NAME:
        return path
    return f"{path[:MAX_NAME - 9]}~{blake2s(path.encode(), digest_size=4).hexdigest()}"


@lru_cache(maxsize=8192)
def safe_key(key: str) -> str:
    """One key of a path without what would break a name."""
    return _UNSAFE.sub("_", key) or "_"


def words(leaf: str) -> tuple[str, ...]:
    """The words that a leaf's name is made of, in small letters: `lamp.activePower_mW` is lamp, active, power, m, w."""
    return tuple(part.lower() for part in _PARTS.findall(leaf))


def personal(leaf: str, value: Value) -> bool:
    """Whether this looks as if it were about a person: a tag, a beacon, an address of somebody's telephone, a plate."""
    return _named_personal(leaf) or (isinstance(value, str) and _ADDRESS.fullmatch(value.strip()) is not None)


@lru_cache(maxsize=8192)
def _named_personal(leaf: str) -> bool:
    said = words(leaf)
    return any(word in _PERSONAL for word in said) or any(a + b in _PERSONAL for a, b in pairwise(said))


def _walk(node: Mapping[str, Any] | Sequence[Any], path: str, depth: int) -> Iterator[tuple[str, Value]]:
    if depth > MAX_DEPTH:
        raise ScriptError("This output nests more than {most} levels.", most=MAX_DEPTH)
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
        name = path + safe_key(str(key))
        if value.__class__ in _NESTED:
            yield from _walk(value, name + ".", depth + 1)
        elif (safe := _safe_value(value)) is not None:
            yield (name if len(name) <= MAX_NAME else safe_name(name)), safe


def _safe_value(value: object) -> Value | None:
    match value:
        case bool():
            return value
        case int() | float():
            return value if abs(value) <= _MOST else None  # neither is NaN
        case str():
            return value if value.isprintable() and len(value) <= MAX_TEXT else \
                _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value[:MAX_TEXT])
    return None
