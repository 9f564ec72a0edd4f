"""Device repositories: the scripts, the devices they are for, and the examples that show what they say.

Two layouts are read: that of The Things Network's `lorawan-devices` (vendor/index.yaml, vendor/V/index.yaml, a YAML file
for each device, profile and codec, the examples in the codec's) and that of ChirpStack's device profiles
(vendors/V/vendor.toml, devices/, profiles/, codecs/ with test_decode_C.json and test_encode_C.json).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from city.errors import Invalid
from decoders.checkout import Checkout, UnreadableFileError
from decoders.codec import Frame

Way = Literal["up", "normal", "down", "down back"]
MAX_EXAMPLES = 2000  # of one codec
MAX_DEVICES = 5000  # of one vendor
MAX_PROFILES = 100  # of one device
WITHOUT_TIME = datetime(2024, 1, 1, tzinfo=UTC)  # examples that give no time of reception get this one
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Example:
    """One call and what it should return: `data`, `warnings`, `errors`, or for "down" `bytes` and `fPort`.

    "up" calls decodeUplink and "normal" normalizeUplink after it; "down back" is decodeDownlink.
    """

    way: Way
    title: str
    expected: Mapping[str, Any]
    frame: Frame = field(default=Frame(1, b""))
    at: datetime = WITHOUT_TIME
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that a codec is for."""

    model: str
    title: str
    description: str = ""
    device_class: str = "A"


@dataclass(frozen=True, slots=True)
class Found:
    """One codec of a repository: "vendor/name", its script, the devices it is for, its examples, and what could not be
    read of it, one sentence each."""

    name: str
    vendor: str
    source: str
    devices: tuple[KnownDevice, ...] = ()
    examples: tuple[Example, ...] = ()
    problems: tuple[str, ...] = ()


def read(directory: Path, only: Sequence[str] = ()) -> Iterator[Found]:
    """The codecs of a checkout, one after the other: all, or those of which the vendor, "vendor/codec" or "vendor/device"
    begins with one of `only`. Raises Invalid where the directory is of neither layout."""
    checkout = Checkout(directory)
    things, chirpstack = (checkout.root / "vendor").is_dir(), (checkout.root / "vendors").is_dir()
    if not things and not chirpstack:
        raise Invalid("{directory} is no device repository: it has neither vendor/ nor vendors/.", field="directory",
                      rule="layout", directory=str(directory))
    try:
        for layout in (_of_the_things if things else None, _of_chirpstack if chirpstack else None):
            yield from (found for found in (layout(checkout, only) if layout else ()) if _wanted(found, only))
    except UnreadableFileError as error:
        raise Invalid("{file} cannot be read: {what}", field="directory", rule="readable", file=str(directory),
                      what=str(error)) from error


def examples_in(path: Path) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """The examples of one file, a codec's YAML or a test_decode_*.json or test_encode_*.json, and what is wrong with it."""
    checkout = Checkout(path.parent)
    bad: list[str] = []
    try:
        if path.suffix in (".yaml", ".yml"):
            return _things_examples(_table(checkout.yaml(path.name)), bad), tuple(bad)
        way: Way = "down" if path.name.startswith("test_encode") else "up"
        return _chirpstack_examples(checkout.json(path.name), way, path.name, bad), tuple(bad)
    except UnreadableFileError as error:
        return (), (str(error),)


def model_of(vendor: str, device: str) -> str:
    """A device's id as a model's name."""
    def slug(text: str, most: int) -> str:
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:most].strip("-") or "unnamed"
    return f"{slug(vendor, 40)}/{slug(device, 60)}"


def _wanted(found: Found, only: Sequence[str]) -> bool:
    names = (found.name, *(device.model for device in found.devices))
    return not only or any(name.startswith(start) for name in names for start in only)


def _vendor_wanted(vendor: str, only: Sequence[str]) -> bool:
    return not only or any(vendor.startswith(start) if "/" not in start else vendor == start.partition("/")[0] for start in only)


# The Things Network's lorawan-devices

def _of_the_things(checkout: Checkout, only: Sequence[str]) -> Iterator[Found]:
    names = _vendor_names(checkout)
    for vendor in [*dict.fromkeys([*names, *checkout.names("vendor")])]:
        if _ID.fullmatch(vendor) and _vendor_wanted(vendor, only) and checkout.exists("vendor", vendor, "index.yaml"):
            yield from _things_vendor(checkout, vendor, names.get(vendor, vendor))


def _vendor_names(checkout: Checkout) -> dict[str, str]:
    try:
        listed = _rows(_table(checkout.yaml("vendor", "index.yaml")).get("vendors"))
    except UnreadableFileError:
        return {}
    return {str(one.get("id")): _line(one.get("name")) for one in listed}


def _things_vendor(checkout: Checkout, vendor: str, name: str) -> Iterator[Found]:
    devices: dict[str, dict[str, KnownDevice]] = {}
    bad: list[str] = []
    try:
        listed = _items(_table(checkout.yaml("vendor", vendor, "index.yaml")).get("endDevices"))
        ids = list(dict.fromkeys(map(_line, listed)))[:MAX_DEVICES]
    except UnreadableFileError as error:
        ids = []
        bad.append(str(error))
    for one in ids:
        try:
            for codec, device in _things_device(checkout, vendor, one):
                devices.setdefault(codec, {}).setdefault(device.model, device)
        except UnreadableFileError as error:
            bad.append(str(error))
    for codec, known in devices.items():
        yield _things_codec(checkout, vendor, name, codec, tuple(known.values()))
    if bad:
        yield Found(f"{vendor}/index", name, "", problems=tuple(bad))


def _things_device(checkout: Checkout, vendor: str, id: str) -> Iterator[tuple[str, KnownDevice]]:
    about = _table(checkout.yaml("vendor", vendor, f"{id}.yaml"))
    profiles = {(_line(profile["codec"]), _line(profile.get("vendorID") or vendor), _line(profile.get("id"))): None
                for firmware in _rows(about.get("firmwareVersions"))
                for profile in map(_table, _table(firmware.get("profiles")).values()) if profile.get("codec")}
    for codec, owner, profile in list(profiles)[:MAX_PROFILES]:
        kind = _things_class(checkout, owner, profile)
        yield codec, KnownDevice(model_of(vendor, id), _line(about.get("name") or id), _line(about.get("description")), kind)


def _things_class(checkout: Checkout, vendor: str, profile: str) -> str:
    try:
        about = _table(checkout.yaml("vendor", vendor, f"{profile}.yaml"))
    except UnreadableFileError:
        return "A"
    return "C" if about.get("supportsClassC") is True else "A"


def _things_codec(checkout: Checkout, vendor: str, name: str, codec: str, devices: tuple[KnownDevice, ...]) -> Found:
    bad: list[str] = []
    source, examples = "", ()  # type: str, tuple[Example, ...]
    try:
        about = _table(checkout.yaml("vendor", vendor, f"{codec}.yaml"))
        files = {str(part["fileName"]): None for part in map(_table, map(about.get, _SIDES)) if part.get("fileName")}
        source = _joined({file: checkout.text("vendor", vendor, file) for file in files})
        examples = _things_examples(about, bad)
    except UnreadableFileError as error:
        bad.append(str(error))
    return Found(f"{vendor}/{codec}", name, source, devices, examples, tuple(bad))


_SIDES: dict[str, Way] = {"uplinkDecoder": "up", "downlinkEncoder": "down", "downlinkDecoder": "down back"}
_ENTRIES = ("decodeUplink", "normalizeUplink", "encodeDownlink", "decodeDownlink", "Decode", "Decoder", "Encode", "Encoder")


def _joined(sources: Mapping[str, str]) -> str:
    """One script of several files, each in a scope of its own, for their helpers often bear the same names. The first
    that defines an entry function has it."""
    if len(sources) <= 1:
        return "".join(sources.values())
    parts = ["var sides = [];"]
    for text in sources.values():
        found = ", ".join(f"{name}: typeof {name} === 'function' ? {name} : undefined" for name in _ENTRIES)
        parts.append(f"sides.push((function () {{{text}\nreturn {{{found}}};\n}})());")
    parts += [f"var {name} = sides.map(function (side) {{ return side.{name}; }}).filter(Boolean)[0];" for name in _ENTRIES
              if any(re.search(rf"\b{name}\b", text) for text in sources.values())]
    return "\n".join(parts)


def _things_examples(about: Mapping[str, Any], bad: list[str]) -> tuple[Example, ...]:
    found: list[Example] = []
    for side, way in _SIDES.items():
        for row in _rows(_table(about.get(side)).get("examples"))[:MAX_EXAMPLES]:
            found += _examples(way, _line(row.get("description")), row.get("input"), row.get("output"), bad)
            if way == "up" and "normalizedOutput" in row:
                found += _examples("normal", _line(row.get("description")), row.get("input"), row["normalizedOutput"], bad)
    return tuple(found)


# ChirpStack's device profiles

def _of_chirpstack(checkout: Checkout, only: Sequence[str]) -> Iterator[Found]:
    for vendor in checkout.names("vendors"):
        if _ID.fullmatch(vendor) and _vendor_wanted(vendor, only):
            yield from _chirpstack_vendor(checkout, vendor)


def _chirpstack_vendor(checkout: Checkout, vendor: str) -> Iterator[Found]:
    bad: list[str] = []
    name = vendor
    try:
        name = _line(_table(checkout.toml("vendors", vendor, "vendor.toml").get("vendor")).get("name")) or vendor
    except UnreadableFileError as error:
        bad.append(str(error))
    devices: dict[str, dict[str, KnownDevice]] = {}
    for file in _listed(checkout, bad, "vendors", vendor, "devices", ending=".toml")[:MAX_DEVICES]:
        try:
            for codec, device in _chirpstack_device(checkout, vendor, file):
                devices.setdefault(codec, {}).setdefault(device.model, device)
        except UnreadableFileError as error:
            bad.append(str(error))
    for codec in dict.fromkeys([*_listed(checkout, bad, "vendors", vendor, "codecs", ending=".js"), *devices]):
        yield _chirpstack_codec(checkout, vendor, name, codec, tuple(devices.get(codec, {}).values()))
    if bad:
        yield Found(f"{vendor}/vendor", name, "", problems=tuple(bad))


def _listed(checkout: Checkout, bad: list[str], *parts: str, ending: str) -> list[str]:
    try:
        return list(checkout.names(*parts, ending=ending))
    except UnreadableFileError as error:
        bad.append(str(error))
        return []


def _chirpstack_device(checkout: Checkout, vendor: str, file: str) -> Iterator[tuple[str, KnownDevice]]:
    about = _table(checkout.toml("vendors", vendor, "devices", file).get("device"))
    model, title = model_of(vendor, file.removesuffix(".toml")), _line(about.get("name") or file)
    for firmware in _rows(about.get("firmware"))[:MAX_PROFILES]:
        if codec := firmware.get("codec"):
            kind = _chirpstack_class(checkout, vendor, _items(firmware.get("profiles")))
            yield _line(codec), KnownDevice(model, title, _line(about.get("description")), kind)


def _chirpstack_class(checkout: Checkout, vendor: str, profiles: Sequence[object]) -> str:
    for profile in profiles[:1]:
        try:
            about = _table(checkout.toml("vendors", vendor, "profiles", str(profile)).get("profile"))
        except UnreadableFileError:
            break
        return "C" if about.get("supports_class_c") is True else "A"
    return "A"


def _chirpstack_codec(checkout: Checkout, vendor: str, name: str, file: str, devices: tuple[KnownDevice, ...]) -> Found:
    bad: list[str] = []
    examples: list[Example] = []
    stem, source = file.removesuffix(".js"), ""
    tests: tuple[tuple[str, Way], ...] = ((f"test_decode_{stem}.json", "up"), (f"test_encode_{stem}.json", "down"))
    try:
        source = checkout.text("vendors", vendor, "codecs", file)
    except UnreadableFileError as error:
        bad.append(str(error))
    for test, way in tests:
        if checkout.exists("vendors", vendor, "codecs", test):
            try:
                examples += _chirpstack_examples(checkout.json("vendors", vendor, "codecs", test), way, test, bad)
            except UnreadableFileError as error:
                bad.append(str(error))
    return Found(_line(f"{vendor}/{stem}"), name, source, devices, tuple(examples), tuple(bad))


def _chirpstack_examples(rows: object, way: Way, file: str, bad: list[str]) -> tuple[Example, ...]:
    if not isinstance(rows, list):
        bad.append(f"{file}: is no list of examples")
    found: list[Example] = []
    for row in _rows(rows)[:MAX_EXAMPLES]:
        title = _line(row.get("name") or row.get("description"))
        found += _examples(way, title, row.get("input"), row.get("expected"), bad)
    return tuple(found)


# both

def _examples(way: Way, title: str, given: object, expected: object, bad: list[str]) -> list[Example]:
    """The example, or nothing and one more sentence in `bad`."""
    try:
        asked, wanted = _given(given), _given(expected)
        if way == "down":
            return [Example(way, title, wanted, data=_given(asked.get("data")))]
        frame = Frame(_port(asked.get("fPort")), _bytes(asked.get("bytes")))
        return [Example(way, title, wanted, frame, _time(asked.get("recvTime")))]
    except ValueError as error:
        bad.append(f"the example “{title}” {error}")
        return []


def _given(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("lacks input, output or data")
    return value


def _port(value: object) -> int:
    """1 where an example gives none."""
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
        raise ValueError("has no FPort of 0 to 255")
    return value


def _bytes(value: object) -> bytes:
    try:
        if isinstance(value, str):
            return bytes.fromhex(value)
        if isinstance(value, list) and len(value) <= 4096:
            return bytes(value)
    except (ValueError, TypeError):
        pass
    raise ValueError("has no bytes of 0 to 255")


def _time(value: object) -> datetime:
    if value is None:
        return WITHOUT_TIME
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("has no time of reception in ISO 8601") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(value: object) -> str:
    """Words of the repository on one line, at most 200 characters, none of which acts on a terminal."""
    words = " ".join(str(value if value is not None else "")[:400].split())
    return "".join(c if c.isprintable() else "�" for c in words)[:200]


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in _items(value) if isinstance(row, dict)]
