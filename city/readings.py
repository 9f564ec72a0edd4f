"""From what a device said (Measurement) to what we keep (Reading): put in place and time, and judged.

Nothing here knows of MQTT, SQL or InfluxDB. Times of events are integer nanoseconds since 1970 UTC, because the
network server's are, and because a reading's time must be a pure function of its event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

import msgspec

from city.ids import AssetId, CircuitId, DevEui, GatewayId, TenantId, ZoneId
from city.places import Asset, AssetKind, Device
from city.quantities import Measurement, Quantity, Value

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Quality(Enum):
    """How far a reading can be trusted."""

    GOOD = "good"
    LATE = "late"  # older than what we already know: kept in history, never the current state
    IMPLAUSIBLE = "implausible"  # outside the quantity's range: kept, shown as such, never the current state


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading belongs: from our registry, never from the message alone."""

    tenant: TenantId
    asset: AssetId
    kind: AssetKind
    zone: ZoneId
    circuit: CircuitId | None
    device: DevEui


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
    not good, or not of the entry's own time, stands in `odd`: its index in `said`, its quality and its time.
    """

    place: Place
    at_ns: int
    key: str
    said: tuple[Measurement, ...]
    odd: tuple[tuple[int, Quality, int], ...] = ()
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
    """The newest good value of a quantity."""

    value: Value
    at_ns: int


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What is known of a device now. `last` is keyed by quantity name, or "name@channel" for a part of it.

    `session` is the DevAddr of the current join; counters only compare inside one session.
    `since_ns` is when each of those values last changed. `config` is what the device has confirmed to be configured
    as: a setting's name (its class in city.orders) and the order as JSON.
    """

    device: DevEui
    application_id: str = ""
    session: str = ""
    f_cnt: int = -1
    heard_ns: int = 0
    gateway: GatewayId | None = None
    missed: int = 0
    last: Mapping[str, Last] = field(default_factory=dict)
    since_ns: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)

    def value(self, quantity: Quantity, channel: str = "") -> Value | None:
        """The newest good value, or None."""
        known = self.last.get(series(quantity, channel))
        return known.value if known else None

    def at(self, quantity: Quantity, channel: str = "") -> datetime | None:
        """When that value was true, or None."""
        known = self.last.get(series(quantity, channel))
        return from_ns(known.at_ns) if known else None


def series(quantity: Quantity, channel: str = "") -> str:
    """The key of a quantity, or of one channel of it, in `DeviceState.last`."""
    return f"{quantity.name}@{channel}" if channel else quantity.name


def place(measurements: Iterable[Measurement], device: Device, asset: Asset, at_ns: int) -> tuple[Reading, ...]:
    """Each measurement at the device's asset, at the frame's time or at its own if the frame dates it."""
    where = Place(asset.tenant, asset.id, asset.kind, asset.zone, asset.circuit, device.dev_eui)
    return tuple(Reading(where, m.quantity, m.value, at_ns if m.at is None else to_ns(m.at), m.channel)
                 for m in measurements)


def judge(readings: Iterable[Reading], state: DeviceState) -> tuple[Reading, ...]:
    """The readings with their quality: implausible by the quantity's range, late by what is already known."""
    return tuple(_judged(reading, state) for reading in readings)


def remember(state: DeviceState, readings: Iterable[Reading]) -> DeviceState:
    """The state after these readings: the newest good value of each series wins."""
    last, since = dict(state.last), dict(state.since_ns)
    for reading in readings:
        if reading.quality is not Quality.GOOD:
            continue
        key = series(reading.quantity, reading.channel)
        known = last.get(key)
        if known is None or known.value != reading.value:
            since[key] = reading.at_ns
        last[key] = Last(reading.value, reading.at_ns)
    return replace(state, last=last, since_ns=since)


def to_ns(at: datetime) -> int:
    """Nanoseconds since 1970 UTC, exact to the microsecond; `at` is aware."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(ns: int) -> datetime:
    """The aware UTC time, cut to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _judged(reading: Reading, state: DeviceState) -> Reading:
    if not reading.quantity.plausible(reading.value):
        quality = Quality.IMPLAUSIBLE
    else:
        known = state.last.get(series(reading.quantity, reading.channel))
        quality = Quality.LATE if known is not None and reading.at_ns < known.at_ns else Quality.GOOD
    if quality is reading.quality:
        return reading
    return Reading(reading.place, reading.quantity, reading.value, reading.at_ns, reading.channel, quality)
