"""One entry of the local log as bytes and back, and the small numbers that stand for its long names.

A row holds numbers for its place, its device and each series (quantity and channel); the bytes hold
[key, f_port, data, [series, value, …]] and, only where they differ from the rule, [[index, quality, offset in ns], …].
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import attrgetter
from sys import intern
from typing import Any, NamedTuple

import msgspec

from city.errors import OutOfRange
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.places import AssetKind
from city.quantities import Kind, Measurement, Quantity, Value, quantity
from city.readings import Entry, Place, Quality

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS devices (id INTEGER PRIMARY KEY, eui TEXT NOT NULL)",
    ("CREATE TABLE IF NOT EXISTS places (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, asset TEXT NOT NULL,"
     " kind TEXT NOT NULL, zone TEXT NOT NULL, circuit TEXT, device INTEGER NOT NULL)"),
    "CREATE INDEX IF NOT EXISTS places_asset ON places (tenant, asset)",
    "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, quantity TEXT NOT NULL, channel TEXT NOT NULL)",
)
_QUALITIES = (Quality.GOOD, Quality.LATE, Quality.IMPLAUSIBLE)
_CODES = {quality: code for code, quality in enumerate(_QUALITIES)}
_EXACT = 2.0**53  # whole numbers below it are the same as float and as int
MOST_SHAPES = 4096
_QUANTITY, _CHANNEL, _VALUE, _NAME = (attrgetter(name) for name in ("quantity", "channel", "value", "name"))
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list[Any]).decode


class _Shape(NamedTuple):
    """What a kind of report says, in its order: with the numbers of its series, and where its fractions stand."""

    quantities: tuple[Quantity, ...]
    channels: tuple[str, ...]
    numbers: list[int]
    floats: tuple[int, ...]


class Names:
    """The writer's numbers for devices, places and series: known ones from memory, new ones into the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.reload()

    def reload(self) -> None:
        """Forget what a transaction has added that came to nothing."""
        run = self._connection.execute
        self._new: dict[str, list[tuple[object, ...]]] = {"devices": [], "places": [], "series": []}
        self._devices: dict[str, int] = {eui: number for number, eui in run("SELECT id, eui FROM devices")}
        self._places = {place: (number, self._devices[place.device])
                        for number, place in places(self._connection).items()}
        self._series: dict[str | tuple[str, str], int] = {
            (name, channel) if channel else name: number
            for number, name, channel in run("SELECT id, quantity, channel FROM series")}
        self._shapes: dict[tuple[tuple[str, ...], tuple[str, ...]], _Shape] = {}
        self._recent = _Shape((), (), [], ())

    def place(self, place: Place) -> tuple[int, int]:
        """The numbers of a place and of its device."""
        known = self._places.get(place)
        return known if known is not None else self._add_place(place)

    def pack(self, entry: Entry) -> tuple[bytes, int, int]:
        """The entry as bytes, and by how many ns at most its readings are older and younger than itself.
        Raises OutOfRange for a value that cannot be kept."""
        said = entry.said
        quantities, channels = tuple(map(_QUANTITY, said)), tuple(map(_CHANNEL, said))
        recent = self._recent
        if quantities != recent.quantities or channels != recent.channels:  # mostly it says what the one before said
            recent = self._recent = self._shaped(quantities, channels)
        values: list[Value] = list(map(_VALUE, said))
        for index in recent.floats:
            value = values[index]
            if value.is_integer() and -_EXACT < value < _EXACT:  # type: ignore[union-attr, operator]  # a float
                values[index] = int(value)  # shorter
        flat: list[Value] = [0] * (2 * len(values))
        flat[::2], flat[1::2] = recent.numbers, values
        if not entry.odd:
            return _encoded(entry, (entry.key, entry.f_port, entry.data, flat)), 0, 0
        odd = [(index, _CODES[quality], at_ns - entry.at_ns) for index, quality, at_ns in entry.odd]
        offsets = [offset for _, _, offset in odd]
        body = _encoded(entry, (entry.key, entry.f_port, entry.data, flat, odd))
        return body, max(0, -min(offsets)), max(0, max(offsets))

    @property
    def pending(self) -> bool:
        """Whether there are new numbers to write."""
        return any(self._new.values())

    def write(self) -> None:
        """New numbers into the transaction that has rows with them."""
        for table, rows in self._new.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
                rows.clear()

    def _add_place(self, place: Place) -> tuple[int, int]:
        if place.device not in self._devices:
            number = len(self._devices) + 1
            self._new["devices"].append((number, place.device))
            self._devices[place.device] = number
        numbers = (len(self._places) + 1, self._devices[place.device])
        self._new["places"].append((numbers[0], place.tenant, place.asset, place.kind, place.zone, place.circuit,
                                    numbers[1]))
        self._places[place] = numbers
        return numbers

    def _shaped(self, quantities: tuple[Quantity, ...], channels: tuple[str, ...]) -> "_Shape":
        key = tuple(map(_NAME, quantities)), channels
        known = self._shapes.get(key)
        if known is None:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
            numbers = [self._number(quantity.name, channel) for quantity, channel in zip(quantities, channels, strict=True)]
            floats = tuple(index for index, quantity in enumerate(quantities) if quantity.kind is Kind.FLOAT)
            known = self._shapes[key] = _Shape(quantities, channels, numbers, floats)
        return known

    def _number(self, name: str, channel: str) -> int:
        known = self._series.get((name, channel) if channel else name)
        return self._add_series(name, channel) if known is None else known

    def _add_series(self, name: str, channel: str) -> int:
        number = len(self._series) + 1
        self._new["series"].append((number, name, channel))
        self._series[(name, channel) if channel else name] = number
        return number


def tag(key: str) -> int:
    """A 64-bit stand-in for an entry's key."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class Meanings:
    """What the numbers stand for. A number never changes its meaning, so what is known stays known."""

    places: Mapping[int, Place]
    series: Mapping[int, tuple[Quantity, str]]
    newest: tuple[int, int]


NO_NAMES = Meanings({}, {}, (0, 0))


def names(connection: sqlite3.Connection, known: Meanings) -> Meanings:
    """`known`, or all there is now if there is more."""
    newest = connection.execute("SELECT coalesce((SELECT max(id) FROM places), 0), coalesce((SELECT max(id) FROM series), 0)"
                                ).fetchone()
    return known if newest == known.newest else Meanings(places(connection), _series(connection), newest)


def places(connection: sqlite3.Connection) -> dict[int, Place]:
    """Every place by its number. Texts that places have in common are kept once."""
    rows = connection.execute("SELECT p.id, tenant, asset, kind, zone, circuit, eui FROM places p"
                              " JOIN devices d ON d.id = p.device")
    kinds: dict[str, AssetKind] = {"lamp": "lamp", "bay": "bay"}
    return {number: _place(intern(tenant), asset, kinds[kind], intern(zone), circuit and intern(circuit), eui)
            for number, tenant, asset, kind, zone, circuit, eui in rows}


def _series(connection: sqlite3.Connection) -> dict[int, tuple[Quantity, str]]:
    """Quantity and channel by number; quantities that the table has no more are left out."""
    found = {}
    for number, name, channel in connection.execute("SELECT id, quantity, channel FROM series"):
        try:
            found[number] = (quantity(name), channel)
        except KeyError:
            continue
    return found


def unpack(body: bytes, at_ns: int, number: int, means: Meanings) -> Entry:
    """The entry in `body`, of the place of that number."""
    place, series = means.places[number], means.series
    key, f_port, data, flat, *rest = _DECODE(body)
    marks = _odd(rest)
    said: list[Measurement] = []
    odd: list[tuple[int, Quality, int]] = []
    for index in range(len(flat) // 2):
        known = series.get(flat[2 * index])
        if known is None:
            continue
        if index in marks:
            code, offset = marks[index]
            odd.append((len(said), _QUALITIES[code], at_ns + offset))
        said.append(Measurement(known[0], _typed(known[0], flat[2 * index + 1]), known[1]))
    return Entry(place, at_ns, key, tuple(said), tuple(odd), f_port, data)


def values_of(body: bytes, at_ns: int, wanted: int, of: Quantity) -> Iterator[tuple[int, Value]]:
    """(time in ns, value) of one series in an entry, implausible ones left out."""
    flat, *rest = _DECODE(body)[3:]
    numbers = flat[::2]
    if wanted not in numbers:
        return
    odd = _odd(rest)
    for index, number in enumerate(numbers):
        if number == wanted:
            code, offset = odd.get(index, (0, 0))
            if _QUALITIES[code] is not Quality.IMPLAUSIBLE:
                yield at_ns + offset, _typed(of, flat[2 * index + 1])


def _encoded(entry: Entry, parts: tuple[Any, ...]) -> bytes:
    try:
        return _ENCODE(parts)
    except (OverflowError, UnicodeEncodeError) as error:
        raise OutOfRange("A reading of {device} cannot be kept: {what}", device=entry.place.device,
                         what=str(error)[:80]) from error


def _odd(rest: Sequence[Any]) -> dict[int, tuple[int, int]]:
    return {index: (code, offset) for index, code, offset in rest[0]} if rest else {}


def _typed(of: Quantity, value: Any) -> Value:  # noqa: ANN401 - what the bytes say
    if of.kind is Kind.FLOAT:
        return float(value)
    kept: Value = value
    return kept


def _place(tenant: str, asset: str, kind: AssetKind, zone: str, circuit: str | None, eui: str) -> Place:
    return Place(TenantId(tenant), AssetId(asset), kind, ZoneId(zone), CircuitId(circuit) if circuit is not None else None,
                 DevEui(eui))


def said_of(body: bytes) -> tuple[Sequence[int], Sequence[Any], Mapping[int, tuple[bool, int]]]:
    """The numbers of the series in an entry, their values as packed (whole floats are int there), and for those that
    are not as the rule, by index: whether it is implausible, and its time's offset in ns."""
    _, _, _, flat, *rest = _DECODE(body)
    odd = {index: (_QUALITIES[code] is Quality.IMPLAUSIBLE, offset) for index, code, offset in rest[0]} if rest else NO_MARKS
    return flat[::2], flat[1::2], odd


NO_MARKS: Mapping[int, tuple[bool, int]] = {}
