"""Entries as InfluxDB line protocol. Pure, and the only place that knows how a reading is named in InfluxDB.

measurement  the part of the quantity's name before its dot: lamp, bay, device, radio; of a raw quantity raw/vendor/model
field        the part after it; one type for ever, by the quantity's kind. A raw one comes from outside: what line
             protocol cannot say is replaced, and a name that InfluxDB or our tags have taken gets a _ behind it
tags         tenant, zone, circuit (where there is one), asset, device; channel for a part of the asset ("dali-9")
time         the reading's own, ns: a pure function of the event, so that sending twice changes nothing

A channel of `device`, `radio` and `lpp` (which data rate, which cause of a reset, which of a sensor's inputs) is a facet
of the device and not a part of the asset: it goes into the field's name ("uplinks_dr5"), so that it does not multiply
series. Quality is not sent: late readings are true of their time, implausible ones stay in the local log alone.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

from city.quantities import RAW, Kind, Quantity, Value, quantities, quantity
from city.readings import Entry, Place, Quality

PLACES_CACHED = 100_000
_FACETS = frozenset({"device", "radio", "lpp"})
_IMPLAUSIBLE = Quality.IMPLAUSIBLE
_INT64 = 2**63
_TAKEN = frozenset({"", "time", "measurement", "field", "asset", "channel", "circuit", "device", "tenant", "zone"})


def lines(entry: Entry) -> list[bytes]:
    """One line for each measurement, channel and time in `entry`, without line ends; empty if nothing is to be sent.

    Left out: implausible readings, and numbers that InfluxDB has no form for (not finite, beyond 64 bits).
    """
    points: dict[tuple[str, str, int], dict[str, str]] = {}
    last: tuple[str, str, int] | None = None
    fields: dict[str, str] = {}
    for reading in entry.readings:
        if reading.quality is _IMPLAUSIBLE:
            continue
        measurement, field, facet, write = _COLUMNS[reading.quantity.name]
        written = write(reading.value)
        if written is None:
            continue
        channel = reading.channel
        if channel and facet:
            field, channel = _facet(field, channel), ""
        point = (measurement, channel, reading.at_ns)
        if point != last:  # readings of one point mostly follow each other
            fields, last = points.setdefault(point, {}), point
        fields[field] = f"{field}={written}"
    tags = _tags(entry.place)
    return [_line(measurement + tags, channel, fields, at) for (measurement, channel, at), fields in points.items()]


def column(quantity: Quantity, channel: str = "") -> tuple[str, str]:
    """Measurement and field under which InfluxDB has the quantity, or one channel of it: as a query names them, without
    the escapes of line protocol."""
    field = _field(quantity)
    return quantity.measurement, f"{field}_{_clean(channel)}" if channel and quantity.measurement in _FACETS else field


def tag(text: str) -> str:
    """`text` as a tag's value. Line protocol cannot say a backslash or a control character safely: each becomes _."""
    return _clean(text).replace(",", r"\,").replace("=", r"\=").replace(" ", r"\ ")


class _Column(NamedTuple):
    """A named tuple, as unpacking one is what the hot loop does most."""

    measurement: str
    field: str
    facet: bool
    write: Callable[[Value], str | None]


def _line(prefix: str, channel: str, fields: Mapping[str, str], at_ns: int) -> bytes:
    if channel:
        prefix = f"{prefix},channel={tag(channel)}"
    return f"{prefix} {','.join(fields.values())} {at_ns}".encode("utf-8", "replace")


@lru_cache(maxsize=PLACES_CACHED)
def _tags(place: Place) -> str:
    """A place's tags, in the order that InfluxDB sorts them in; empty ones left out, as line protocol has no empty."""
    pairs = (("asset", place.asset), ("circuit", place.circuit), ("device", place.device), ("tenant", place.tenant),
             ("zone", place.zone))
    return "".join(f",{key}={tag(value)}" for key, value in pairs if value)


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
    return _Column(tag(row.measurement), tag(_field(row)), False, _WRITERS[row.kind])


def _float(value: Value) -> str | None:
    number = value if type(value) is float else float(value)
    return repr(number) if isfinite(number) else None


def _int(value: Value) -> str | None:
    number = int(value)
    return f"{number}i" if -_INT64 <= number < _INT64 else None


def _bool(value: Value) -> str | None:
    return "true" if value else "false"


def _text(value: Value) -> str | None:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_WRITERS = {Kind.FLOAT: _float, Kind.INT: _int, Kind.BOOL: _bool, Kind.TEXT: _text}


class _Columns(dict[str, _Column]):
    """The table's quantities, made once; raw ones as they come."""

    def __missing__(self, name: str) -> _Column:
        return _raw_column(name)


_COLUMNS = _Columns({row.name: _Column(row.measurement, row.field, row.measurement in _FACETS, _WRITERS[row.kind])
                     for row in quantities()})
