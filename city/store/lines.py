"""Entries as InfluxDB line protocol. Pure, and the only place that knows how a reading is named in InfluxDB.

measurement  the part of the quantity's name before its dot: lamp, bay, device, radio; of a raw quantity raw/vendor/model
field        the part after it; one type for ever, by the quantity's kind. A raw one comes from outside: what line
             protocol cannot say is replaced, and a name that InfluxDB or our tags have taken gets a _ behind it
tags         tenant, zone, circuit (where there is one), asset, device; channel for a part of the asset ("dali-9")
time         the reading's own, ns: a pure function of the event, so that sending twice changes nothing

A channel of `device`, `radio` and `lpp` (which data rate, which cause of a reset, which of a sensor's inputs) is a facet
of the device and not a part of the asset: it goes into the field's name ("uplinks_dr5"), so that it does not multiply
series. So does that of a relay, of which a controller may have eight that say nothing else ("relay_closed_relay-8"). Quality
is not sent: late readings are true of their time, implausible ones stay in the local log alone.

The frame itself, as it was heard, is a point of measurement `frame` where it is wanted (influx.frames): port, hex, and fcnt where
that is known, with the tags of its readings and the entry's time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from math import isfinite
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from city.quantities import LAMP_RELAY_CLOSED, RADIO_FCNT, RAW, Kind, Measurement, Quantity, Value, quantities, quantity
from city.readings import Entry, Place, Quality

FRAME = "frame"
FRAME_FIELDS: Mapping[str, Kind] = MappingProxyType({"port": Kind.INT, "hex": Kind.TEXT, "fcnt": Kind.INT})
PLACES_CACHED = 100_000
SHAPES_CACHED = 2048
_FACETS, _FACET_ROWS = frozenset({"device", "radio", "lpp"}), frozenset({LAMP_RELAY_CLOSED.name})
_IMPLAUSIBLE = Quality.IMPLAUSIBLE
_INT64 = 2**63
_QUANTITY, _VALUE, _CHANNEL = attrgetter("quantity"), attrgetter("value"), attrgetter("channel")
_FORMS = {Kind.FLOAT: "%r", Kind.INT: "%di", Kind.BOOL: "%s", Kind.TEXT: "%s"}
_TAKEN = frozenset({"", "time", "measurement", "field", "asset", "channel", "circuit", "device", "tenant", "zone"})


class Writer:
    """Writes entries the fast way, by what it remembers of places and of which quantities come together."""

    def __init__(self, places: int = PLACES_CACHED, shapes: int = SHAPES_CACHED, *, frames: bool = False) -> None:
        """It remembers so many at most. `frames`: whether frames are written too."""
        self._most, self._frames = (places, shapes), frames
        self._places: dict[int, _Known] = {}  # by the object, as hashing a place takes long
        self._equal: dict[Place, _Known] = {}
        self._shapes: dict[_Key, _Shape] = {}

    def block(self, entry: Entry) -> tuple[bytes, int]:
        """`lines(entry)`, with its frame where that is wanted, joined by line ends; and how many they are."""
        said = entry.said
        if not entry.odd:
            _, where, shape = known = self._places.get(id(entry.place)) or self._met(entry.place)
            quantities, channels = tuple(map(_QUANTITY, said)), tuple(map(_CHANNEL, said))
            if shape.quantities != quantities or shape.channels != channels:  # mostly it says what it said last time
                shape = known[2] = self._shaped(said, quantities, channels)
            text = shape.fill(where, entry.at_ns, said)
            if text is not None:
                count = shape.lines
                if self._frames and (entry.f_port or entry.data):
                    frame = _frame(where, entry, said[shape.fcnt].value if shape.fcnt >= 0 else None)
                    text, count = f"{text}\n{frame}" if count else frame, count + 1
                return text.encode("utf-8", "replace"), count
        found = lines(entry, frames=self._frames)
        return b"\n".join(found), len(found)

    def _met(self, place: Place) -> "_Known":
        known = self._equal.get(place)
        if known is not None:  # the same place, read anew from the log
            self._places.pop(id(known[0]), None)
            known[0] = place
        else:
            if len(self._equal) >= self._most[0]:
                self._equal.clear()
                self._places.clear()
            known = self._equal[place] = [place, tags(place), _NO_SHAPE]
        self._places[id(place)] = known  # it keeps the place, so that no other gets its id
        return known

    def _shaped(self, said: tuple[Measurement, ...], quantities: tuple[Quantity, ...], channels: tuple[str, ...]) -> "_Shape":
        key = tuple(map(id, quantities)), channels  # the shape keeps them: no others get their ids
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= self._most[1]:
                self._shapes.clear()
            shape = self._shapes[key] = _shape(said)
        return shape


def lines(entry: Entry, *, frames: bool = False) -> list[bytes]:
    """One line for each measurement, channel and time in `entry`, and one for its frame if it has one and `frames` are wanted;
    without line ends, empty if nothing is to be sent.

    Left out: implausible readings, and numbers that InfluxDB has no form for (not finite, beyond 64 bits).
    """
    points: dict[tuple[str, str, int], dict[str, str]] = {}
    counter: Value | None = None
    for item, at_ns in _sent(entry):
        measurement, field, facet, write, _ = _COLUMNS[item.quantity.name]
        written = write(item.value)
        if written is None:
            continue
        if item.quantity is RADIO_FCNT and not item.channel:
            counter = item.value
        channel = item.channel
        if channel and facet:
            field, channel = _facet(field, channel), ""
        points.setdefault((measurement, channel, at_ns), {})[field] = f"{field}={written}"
    where = tags(entry.place)
    found = [_line(measurement + where, channel, fields, at) for (measurement, channel, at), fields in points.items()]
    if frames and (entry.f_port or entry.data):
        found.append(_frame(where, entry, counter).encode("utf-8", "replace"))
    return found


def column(quantity: Quantity, channel: str = "") -> tuple[str, str]:
    """Measurement and field under which InfluxDB has the quantity, or one channel of it: as a query names them, without
    the escapes of line protocol."""
    field = _field(quantity)
    return quantity.measurement, f"{field}_{_clean(channel)}" if channel and has_facets(quantity) else field


def has_facets(quantity: Quantity) -> bool:
    """Whether a channel goes into its field's name."""
    return quantity.measurement in _FACETS or quantity.name in _FACET_ROWS


def written(quantity: Quantity, channel: str = "") -> tuple[str, str, str]:
    """Measurement, field and value of the tag `channel` ("": no such tag), escaped for line protocol."""
    measurement, field, facet, _, _ = _COLUMNS[quantity.name]
    return (measurement, _facet(field, channel), "") if channel and facet else (measurement, field, tag(channel))


def form(quantity: Quantity, value: Value) -> str | None:
    """`value` as a field's value of the quantity's type; None where InfluxDB has no form for it. Raises TypeError where it is
    of another type."""
    return _WRITERS[quantity.kind](quantity.typed(value))


def tag(text: str) -> str:
    """`text` as a tag's value. Line protocol cannot say a backslash or a control character safely: each becomes _."""
    return _clean(text).replace(",", r"\,").replace("=", r"\=").replace(" ", r"\ ")


def tags(place: Place) -> str:
    """A place's tags with a comma before each, in the order that InfluxDB sorts them in; empty ones left out, as line
    protocol has no empty."""
    pairs = (("asset", place.asset), ("circuit", place.circuit), ("device", place.device), ("tenant", place.tenant),
             ("zone", place.zone))
    return "".join(f",{key}={tag(value)}" for key, value in pairs if value)


def _frame(where: str, entry: Entry, counter: Value | None) -> str:
    known = "" if counter is None else f",fcnt={int(counter)}i"
    return f'{FRAME}{where} port={entry.f_port}i,hex="{entry.data.hex()}"{known} {entry.at_ns}'


class _Column(NamedTuple):
    measurement: str
    field: str
    facet: bool
    write: Callable[[Value], str | None]
    kind: Kind


def _sent(entry: Entry) -> Iterator[tuple[Measurement, int]]:
    """What is sent, with its time."""
    odd = {index: (quality, at_ns) for index, quality, at_ns in entry.odd}
    for index, item in enumerate(entry.said):
        quality, at_ns = odd.get(index, (None, entry.at_ns))
        if quality is not _IMPLAUSIBLE:
            yield item, at_ns


class _Shape(NamedTuple):
    """How entries look that say the same quantities: a template, filled in by one call for all their lines."""

    quantities: tuple[Quantity, ...]
    channels: tuple[str, ...]
    template: str
    pick: "_Pick"
    floats: "_Pick | None"
    ints: "_Pick | None"
    texts: tuple[int, ...]
    flags: tuple[int, ...]
    lines: int
    fcnt: int

    def fill(self, tags: str, at_ns: int, said: tuple[Measurement, ...]) -> str | None:
        """The lines; None where a number may be one that InfluxDB cannot say."""
        values = list(map(_VALUE, said))
        if self.floats and not isfinite(sum(self.floats(values))):
            return None
        if self.ints and not max(map(abs, self.ints(values))) < _INT64:
            return None
        for index in self.flags:
            values[index] = "true" if values[index] else "false"
        for index in self.texts:
            values[index] = _text(values[index])
        return self.template % self.pick((tags, at_ns, *values))


_Pick = Callable[[Any], tuple[Any, ...]]
_Key = tuple[tuple[int, ...], tuple[str, ...]]
_Known = list[Any]  # a place, its tags, and the shape of what it said last


def _shape(said: tuple[Measurement, ...]) -> _Shape:
    points: dict[tuple[str, str], dict[str, tuple[str, int]]] = {}
    for index, item in enumerate(said):
        measurement, field, facet, _, kind = _COLUMNS[item.quantity.name]
        channel = item.channel
        if channel and facet:
            field, channel = _facet(field, channel), ""
        points.setdefault((measurement, channel), {})[field] = (_FORMS[kind], index)
    template, picked = [], []
    for (measurement, channel), fields in points.items():
        prefix = _percent(measurement) + "%s" + (_percent(f",channel={tag(channel)}") if channel else "")
        template.append(f"{prefix} {','.join(f'{_percent(field)}={form}' for field, (form, _) in fields.items())} %d")
        picked += [0, *(index + 2 for _, index in fields.values()), 1]
    kinds = [_COLUMNS[item.quantity.name].kind for item in said]
    floats, ints = _all(kinds, Kind.FLOAT), _all(kinds, Kind.INT)
    return _Shape(tuple(item.quantity for item in said), tuple(item.channel for item in said), "\n".join(template),
                  _getter(picked), _getter(floats) if floats else None, _getter(ints) if ints else None,
                  _all(kinds, Kind.TEXT), _all(kinds, Kind.BOOL), len(points), _counter(said))


def _counter(said: tuple[Measurement, ...]) -> int:
    """Where the frame's counter stands, -1 for nowhere."""
    return max((index for index, item in enumerate(said) if item.quantity is RADIO_FCNT and not item.channel), default=-1)


def _all(kinds: list[Kind], wanted: Kind) -> tuple[int, ...]:
    return tuple(index for index, kind in enumerate(kinds) if kind is wanted)


def _getter(indices: Iterable[int]) -> _Pick:
    """The items at `indices`, always as a tuple."""
    chosen = list(indices)
    if len(chosen) > 1:
        getter: _Pick = itemgetter(*chosen)
        return getter
    return lambda items: tuple(items[index] for index in chosen)


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _line(prefix: str, channel: str, fields: Mapping[str, str], at_ns: int) -> bytes:
    if channel:
        prefix = f"{prefix},channel={tag(channel)}"
    return f"{prefix} {','.join(fields.values())} {at_ns}".encode("utf-8", "replace")


@lru_cache(maxsize=1024)
def _facet(field: str, channel: str) -> str:
    return f"{field}_{tag(channel)}"


def _clean(text: str) -> str:
    return "".join("_" if char == "\\" or not char.isprintable() else char for char in text)


def _field(row: Quantity) -> str:
    """The field's name; that of a raw quantity without what is taken or breaks lines."""
    if not row.name.startswith(RAW):
        return row.field
    free = f"{row.field}_" if row.field.strip("_") in _TAKEN else row.field
    return _clean(free).replace('"', "'")


@lru_cache(maxsize=8192)
def _raw_column(name: str) -> "_Column":
    """Raises KeyError where the name is no quantity's."""
    row = quantity(name)
    return _Column(tag(row.measurement), tag(_field(row)), False, _WRITERS[row.kind], row.kind)


def _float(value: Value) -> str | None:
    number = value if type(value) is float else float(value)
    return repr(number) if isfinite(number) else None


def _int(value: Value) -> str | None:
    number = int(value)
    return f"{number}i" if -_INT64 <= number < _INT64 else None


def _bool(value: Value) -> str | None:
    return "true" if value else "false"


def _text(value: Value) -> str | None:
    said = str(value)
    if "\\" in said or '"' in said:
        said = said.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{said}"'


_WRITERS = {Kind.FLOAT: _float, Kind.INT: _int, Kind.BOOL: _bool, Kind.TEXT: _text}


class _Columns(dict[str, _Column]):
    """The table's quantities, made once; raw ones as they come."""

    def __missing__(self, name: str) -> _Column:
        return _raw_column(name)


_COLUMNS = _Columns({row.name: _Column(row.measurement, row.field, has_facets(row), _WRITERS[row.kind], row.kind)
                     for row in quantities()})
_NO_SHAPE = _shape(())
