"""Our own devices' frames: one CBOR map with whole numbers as keys, deterministic (RFC 8949 §4.2.1), and what it may hold.

The format is described in docs/reference/cbor-device.md; a test holds the two together. It has maps with ascending keys
of 0 and more, arrays, whole numbers of 64 bits, byte and text strings, true, false and null: no tags, no floats, no
indefinite lengths. A frame is read, written again, and must come out the same; else it is refused.
"""

import struct
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import pairwise
from typing import Any, NoReturn

import cbor2

from city.errors import OutOfRange, Trailing, Truncated
from decoders.codec import Frame, TracedFrame

DEPTH, LONGEST = 4, 242  # maps and arrays inside each other; bytes
HASH = 4  # bytes of SHA-256 by which a device names the downlink that it confirms
Map = dict[int, Any]
Name = Callable[[int], str]


class Foreign(ValueError):
    """A value that the format does not have; its text says which."""


def read_map(frame: Frame, names: Name, secrets: frozenset[int] = frozenset()) -> Map:
    """The frame's map; raises DecodeError. `names` names a key for a trace, where what is under `secrets` is not shown."""
    data = frame.data
    if type(frame) is Frame and (plain := plain_map(data)) is not None:
        return plain
    try:
        value = _loads(data)
        again = encoded(value)
    except (Foreign, cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        _refuse(frame, error)
    if again != data:
        _refuse(frame, None)
    if value.__class__ is not dict:
        _refuse(frame, Foreign("it is no map"))
    if isinstance(frame, TracedFrame):
        _trace(frame, value, names, secrets)
    found: Map = value
    return found


def plain_map(data: bytes) -> Map | None:
    """The map of nearly all frames: numbers of 32 bits, truth, short strings, arrays and maps of them, each as
    short as it can be. None where the bytes are anything else, a wrong frame too."""
    try:
        found, end = _plain_map(data, _COUNTS[data[0]], 1, 1)
    except (IndexError, KeyError, UnicodeDecodeError):
        return None
    return found if end == len(data) else None


def _plain_map(data: bytes, count: int, at: int, depth: int) -> tuple[Map, int]:
    """A map of `count` keys that begin at `at`, and where it ends. Raises IndexError, KeyError, UnicodeDecodeError."""
    found: Map = {}
    last = -1
    for _ in range(count):
        key, head = data[at], data[at + 1]
        if key == 0x18 and head >= 24:
            at += 1
            key, head = head, data[at + 1]
        elif key >= 24:
            raise KeyError
        if key <= last:
            raise KeyError
        last = key
        if head < 0x18:
            found[key] = head
            at += 2
        elif head == 0x19 and (value := data[at + 2] << 8 | data[at + 3]) > 0xFF:
            found[key] = value
            at += 4
        else:
            found[key], at = _plain(data, at + 1, depth)
    return found, at


def _plain(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The item at `at`, and where it ends. Raises what _plain_map raises."""
    head = data[at]
    if head < 0x18:
        return head, at + 1
    if head < 0x1B:
        size = 1 << head - 0x18
        value = int.from_bytes(data[at + 1:at + 1 + size], "big")
        if value < _LEAST[size]:
            raise KeyError
        return value, at + 1 + size
    if head == 0xF4 or head == 0xF5:
        return head == 0xF5, at + 1
    count, kind = head & 0x1F, head & 0xE0
    if count > 0x17:
        raise KeyError
    if kind == 0x20:
        return -1 - count, at + 1
    if kind == 0x40 or kind == 0x60:
        raw = data[at + 1:at + 1 + count]
        return raw if kind == 0x40 else raw.decode(), at + 1 + count
    if depth >= DEPTH:
        raise KeyError
    if kind == 0xA0:
        return _plain_map(data, count, at + 1, depth + 1)
    if kind != 0x80:
        raise KeyError
    items: list[Any] = []
    at += 1
    for _ in range(count):
        item, at = _plain(data, at, depth + 1)
        items.append(item)
    return items, at


def encoded(value: object) -> bytes:
    """The one encoding of a value, its maps in the order in which they are; raises Foreign."""
    parts: list[bytes] = []
    _put(parts, value, 0)
    return b"".join(parts)


def frame_of(port: int, message: Map) -> Frame:
    """A frame with the map, its keys in order."""
    return Frame(port, encoded(dict(sorted(message.items()))))


def confirmation(frame: Frame) -> bytes:
    """By what a device names a downlink that it confirms: SHA-256 over FPort and payload, its first bytes."""
    return sha256(bytes([frame.port]) + frame.data).digest()[:HASH]


def echo(frame: Frame) -> str:
    """A confirmed downlink as DEVICE_ECHO says it; no key can be read from it."""
    return f"{frame.port}:sha256:{confirmation(frame).hex()}"


def _put(parts: list[bytes], value: Any, depth: int) -> None:  # noqa: ANN401 - whatever cbor2 has read
    kind = value.__class__
    if kind is int:
        parts.append(_SMALL.get(value) or (_head(0, value) if value >= 0 else _head(1, -1 - value)))
    elif kind is dict:
        _put_map(parts, value, depth)
    elif kind is bool or value is None:
        parts.append(b"\xf6" if value is None else b"\xf5" if value else b"\xf4")
    elif kind is bytes or kind is str:
        data = value if kind is bytes else value.encode()
        parts.append(_head(2 if kind is bytes else 3, len(data)) + data)
    elif kind is list:
        _deeper(depth)
        parts.append(_head(4, len(value)))
        for item in value:
            _put(parts, item, depth + 1)
    else:
        raise Foreign(_FOREIGN.get(kind.__name__, "it holds a tag or a simple value"))


def _put_map(parts: list[bytes], value: Map, depth: int) -> None:
    _deeper(depth)
    small, last, put = _SMALL, -1, parts.append
    put(_head(5, len(value)))
    for key, item in value.items():
        if key.__class__ is not int or key <= last:
            raise Foreign("its keys are no numbers of 0 and more, or do not ascend")
        last = key
        put(small[key] if key < _FEW else _head(0, key))
        if item.__class__ is int:  # nearly all that devices say; the common sizes without a call
            if -_FEW <= item < _FEW:
                put(small[item])
            elif _FEW <= item < 0x10000:
                put(_TWO_BYTES(0x19, item))
            elif 0x10000 <= item < 0x100000000:
                put(_FOUR_BYTES(0x1A, item))
            else:
                _put(parts, item, depth + 1)
        elif item is True:
            put(b"\xf5")
        elif item is False:
            put(b"\xf4")
        else:
            _put(parts, item, depth + 1)


def _deeper(depth: int) -> None:
    if depth >= DEPTH:
        raise Foreign(f"maps and arrays lie more than {DEPTH} deep")


def _head(major: int, number: int) -> bytes:
    """Major type and number in as few bytes as it takes."""
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise Foreign("it holds a number of more than 64 bits")


def _loads(data: bytes) -> Any:  # noqa: ANN401 - any CBOR
    if len(data) > LONGEST:
        raise Foreign(f"it is longer than {LONGEST} bytes")
    return cbor2.loads(data, semantic_decoders=_TAGS)


def _no_tag(*_: object) -> NoReturn:
    raise Foreign("it holds a tag")


def _refuse(frame: Frame, error: Exception | None) -> NoReturn:
    """Says what is wrong; a trace shows the frame as it is."""
    frame.reader("big").rest("not readable", max=len(frame.data))
    if isinstance(error, cbor2.CBORDecodeEOF) or not frame.data:
        raise Truncated("The frame ends inside its CBOR map.")
    what = str(error) if isinstance(error, Foreign) else _rule(frame.data)
    if what == _GOES_ON:
        raise Trailing("The frame goes on behind its CBOR map.")
    raise OutOfRange("The frame is not in the format's CBOR: {what}.", what=what)


def _rule(data: bytes) -> str:
    """Which rule of deterministic encoding the bytes break, as far as cbor2 can tell."""
    options: tuple[tuple[str, dict[str, Any]], ...] = (
        ("it holds a tag", {"semantic_decoders": _TAGS}), ("a length is indefinite", {"allow_indefinite": False}),
        ("a key is there twice", {"allow_duplicate_keys": False}))
    try:
        value = cbor2.loads(data)
    except (ValueError, TypeError, OverflowError, cbor2.CBORError) as error:
        return "it holds a tag" if "tag" in str(error) else f"it is no CBOR ({error})"
    for rule, option in options:
        try:
            cbor2.loads(data, **option)
        except (ValueError, TypeError, OverflowError, cbor2.CBORError):
            return rule
    return _GOES_ON if data.startswith(encoded(value)) else "a number or length is longer than it need be"


def _trace(frame: Frame, message: Map, names: Name, secrets: frozenset[int]) -> None:
    read = frame.reader("big")
    read.raw("map", len(_head(5, len(message))), means=lambda _: f"{len(message)} entries")
    for key, item in message.items():
        name = names(key)
        read.raw("key", len(encoded(key)), means=lambda _, key=key, name=name: f"{key}, {name}")  # type: ignore[misc]
        read.raw(name, len(encoded(item)), means=lambda _, item=item: shown(item), secret=key in secrets)  # type: ignore[misc]


def shown(value: object) -> str:
    """A value in CBOR's diagnostic notation (RFC 8949 §8)."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else str(value)


def ascends(values: list[int]) -> bool:
    """Whether each number is greater than the one before it."""
    return all(one < other for one, other in pairwise(values))


_GOES_ON = "it goes on"
_TAGS: Mapping[int, Callable[..., Any]] = dict.fromkeys(
    (*range(6), *range(21, 38), 43, 44, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799), _no_tag)
_COUNTS = {0xA0 + count: count for count in range(24)}  # by the first byte of a map
_LEAST = {1: 24, 2: 0x100, 4: 0x10000}  # number that takes so many bytes
_FEW = 1024
_SMALL = {number: _head(0, number) if number >= 0 else _head(1, -1 - number) for number in range(-_FEW, _FEW)}
_TWO_BYTES, _FOUR_BYTES = struct.Struct(">BH").pack, struct.Struct(">BI").pack
_FOREIGN = {"float": "it holds a float", "CBORTag": "it holds a tag"}
