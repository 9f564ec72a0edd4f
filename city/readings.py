"""From what a device said (Measurement) to what we keep (Reading): put in place and time, and judged.

Nothing here knows of MQTT, SQL or InfluxDB. Times of events are integer nanoseconds since 1970 UTC, because the
network server's are, and because a reading's time must be a pure function of its event.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

import msgspec

from city.counters import Window
from city.ids import AssetId, CircuitId, DevEui, GatewayId, TenantId, ZoneId
from city.places import AssetKind
from city.quantities import Measurement, Quantity, Value
from city.reach import Reach

NS = 1_000_000_000
NO_CONFIG: Mapping[str, str] = MappingProxyType({})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Quality(Enum):
    """How far a reading can be trusted."""

    GOOD = "good"
    LATE = "late"  # older than what we already know: kept in history, never the current state
    IMPLAUSIBLE = "implausible"  # outside the quantity's range: kept, shown as such, never the current state


Mark = tuple[int, Quality, int]  # index of a measurement, how far it can be trusted, its time in ns


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading belongs: from our registry, never from the message alone."""

    tenant: TenantId
    asset: AssetId
    kind: AssetKind
    zone: ZoneId
    circuit: CircuitId | None
    device: DevEui

    def __hash__(self) -> int:
        """Of the device alone: few have ever had two places, and every entry is looked up by its own."""
        return hash(self.device)


class Reading(msgspec.Struct, frozen=True, gc=False):  # a struct: thirty of them are made for each uplink
    """One quantity of one asset at one time."""

    place: Place
    quantity: Quantity
    value: Value
    at_ns: int
    channel: str = ""
    quality: Quality = Quality.GOOD


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What one uplink or status event said: the unit of the local log, and of redelivery.

    `key` makes redelivery idempotent: the same event gives the same (at_ns, device, key). `said` are undated; what is
    not good, or dates itself, stands in `odd`: its index in `said`, its quality and its time.
    """

    place: Place
    at_ns: int
    key: str
    said: tuple[Measurement, ...]
    odd: tuple[Mark, ...] = ()
    f_port: int = 0
    data: bytes = b""

    @classmethod
    def of(cls, place: Place, at_ns: int, key: str, readings: Iterable[Reading], f_port: int = 0,
           data: bytes = b"") -> "Entry":
        """The entry that has these readings, all of the same place."""
        kept = tuple(readings)
        odd = tuple((index, one.quality, one.at_ns) for index, one in enumerate(kept)
                    if one.quality is not Quality.GOOD or one.at_ns != at_ns)
        return cls(place, at_ns, key, tuple(Measurement(one.quantity, one.value, one.channel) for one in kept), odd, f_port,
                   data)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Each measurement with its place, time and quality."""
        marks = {index: (quality, at_ns) for index, quality, at_ns in self.odd}
        return tuple(self._reading(item, *marks.get(index, (Quality.GOOD, self.at_ns)))
                     for index, item in enumerate(self.said))

    def _reading(self, item: Measurement, quality: Quality, at_ns: int) -> Reading:
        return Reading(self.place, item.quantity, item.value, at_ns, item.channel, quality)


class Last(msgspec.Struct, frozen=True, gc=False):
    """The newest good value of a series, when it was true, and since when it has been that value."""

    value: Value
    at_ns: int
    since_ns: int


class Lasts(msgspec.Struct, frozen=True, gc=False, eq=False):
    """The newest good value of each series of a device, by quantity name, or "name@channel" for a part of it.

    Kept in columns whose names are shared by all devices that say the same: a town's lamps are a hundred thousand.
    """

    index: dict[str, int]
    values: tuple[Value, ...]
    at: tuple[int, ...]
    since: tuple[int, ...]

    @classmethod
    def of(cls, lasts: Mapping[str, Last]) -> "Lasts":
        """Those of a mapping."""
        known = lasts.values()
        return cls(lasts_index(tuple(lasts)), tuple(one.value for one in known), tuple(one.at_ns for one in known),
                   tuple(one.since_ns for one in known))

    def __getitem__(self, name: str) -> Last:
        number = self.index[name]
        return Last(self.values[number], self.at[number], self.since[number])

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def __iter__(self) -> Iterator[str]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lasts) and dict(self.items()) == dict(other.items())

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def get(self, name: str) -> Last | None:
        return self[name] if name in self.index else None

    def items(self) -> Iterator[tuple[str, Last]]:
        return ((name, self[name]) for name in self.index)

    def value(self, name: str) -> Value | None:
        """The value alone, or None."""
        number = self.index.get(name)
        return None if number is None else self.values[number]

    def after(self, said: Sequence[Measurement], at_ns: int) -> "tuple[Lasts, tuple[Mark, ...]]":
        """Judge and remember what an event of this time says, in its order: the values afterwards, and a mark for each
        measurement that is not good or dates itself."""
        index, values, at, since = self.index, list(self.values), list(self.at), list(self.since)
        odd: list[Mark] = []
        new = False
        for position, item in enumerate(said):
            quantity, value = item.quantity, item.value
            when = at_ns if item.at is None else to_ns(item.at)
            if quantity.ranged and not quantity.least <= value <= quantity.most:  # type: ignore[operator]  # a number
                odd.append((position, Quality.IMPLAUSIBLE, when))
                continue
            name = f"{quantity.name}@{item.channel}" if item.channel else quantity.name
            number = index.get(name)
            if number is None:
                index = index if new else dict(index)
                index[name], new = len(values), True
                values.append(value)
                at.append(when)
                since.append(when)
            elif when < at[number]:
                odd.append((position, Quality.LATE, when))
                continue
            else:
                if values[number] != value:
                    values[number] = value
                    since[number] = when
                at[number] = when
            if item.at is not None:
                odd.append((position, Quality.GOOD, when))
        return Lasts(lasts_index(tuple(index)) if new else index, tuple(values), tuple(at), tuple(since)), tuple(odd)

    def without(self, names: Container[str]) -> "Lasts":
        """These series forgotten."""
        return Lasts.of({name: last for name, last in self.items() if name not in names})


NO_LASTS = Lasts({}, (), (), ())


class DeviceState(msgspec.Struct, frozen=True, gc=False):
    """What is known of a device now.

    `session` is the DevAddr of the current join; counters only compare inside one session. `config` is what the device
    has confirmed to be configured as: a setting's name (its class in city.orders) and the order as JSON. `f_cnt`, `missed`,
    `holes` and `counted_ns` are the frame counter's window (city.counters). `gateway` heard the last uplink best; `reach` is all
    that hear the device (city.reach).
    """

    device: DevEui
    application_id: str = ""
    session: str = ""
    f_cnt: int = -1
    heard_ns: int = 0
    gateway: GatewayId | None = None
    missed: int = 0
    last: Lasts = NO_LASTS
    config: Mapping[str, str] = NO_CONFIG
    holes: int = 0
    counted_ns: int = 0
    reach: Reach = ()

    @property
    def window(self) -> Window:
        """What has been heard of the session's frame counter."""
        return Window(self.counted_ns, self.f_cnt, self.holes, self.missed)

    def value(self, quantity: Quantity, channel: str = "") -> Value | None:
        """The newest good value, or None."""
        return self.last.value(series(quantity, channel))

    def at(self, quantity: Quantity, channel: str = "") -> datetime | None:
        """When that value was true, or None."""
        known = self.last.get(series(quantity, channel))
        return from_ns(known.at_ns) if known else None


def series(quantity: Quantity, channel: str = "") -> str:
    """The key of a quantity, or of one channel of it, in `DeviceState.last`."""
    return f"{quantity.name}@{channel}" if channel else quantity.name


def entered(where: Place, at_ns: int, key: str, said: Sequence[Measurement], last: Lasts, f_port: int = 0,
            data: bytes = b"") -> tuple[Entry, Lasts]:
    """What an event said, as the entry of the log and as the newest values after it."""
    after, odd = last.after(said, at_ns)
    undated = tuple(said) if not odd else tuple(
        item if item.at is None else Measurement(item.quantity, item.value, item.channel) for item in said)
    return Entry(where, at_ns, key, undated, odd, f_port, data), after


def to_ns(at: datetime) -> int:
    """Nanoseconds since 1970 UTC, exact to the microsecond; `at` is aware."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(ns: int) -> datetime:
    """The aware UTC time, cut to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


@lru_cache(maxsize=4096)
def lasts_index(names: tuple[str, ...]) -> dict[str, int]:
    """One and the same for the same names; never changed."""
    return {name: number for number, name in enumerate(names)}
