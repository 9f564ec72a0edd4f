"""What stands in InfluxDB: each field with type and unit, and its measurement's tags, from the tables of quantities and figures.

docs/reference/influxdb.md is written from here, and tests ask a filled InfluxDB whether it is true.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from city.figures import SHEETS, figures
from city.quantities import Kind, Quantity, quantities
from city.store.lines import FRAME, FRAME_FIELDS, column

PLACE_TAGS = ("asset", "channel", "circuit", "device", "tenant", "zone")  # of a reading: see city.store.lines.tags
SERIES_PER_DEVICE = 10  # at most, in each bucket of its town
_PLACED = PLACE_TAGS[:1] + PLACE_TAGS[2:]
_FRAME: Mapping[str, tuple[float | None, float | None, str]] = MappingProxyType({
    "port": (0, 255, "FPort"), "hex": (None, None, "the frame's bytes as they were heard, decrypted"),
    "fcnt": (0, 2**32 - 1, "its uplink counter, where that is known")})

TAGS: Mapping[str, str] = MappingProxyType({
    "asset": "lamps and bays in the registry",
    "bridge": "bridges that share the work (mqtt.share); otherwise absent",
    "cause": "kinds of incidents (city.incidents)",
    "channel": "parts of a lamp that it speaks of by themselves; mostly absent",
    "circuit": "circuits in the registry",
    "device": "devices in the registry, one an asset",
    "gateway": "gateways that have heard a device of the town; so many at most as gateway_bridge.tally keeps",
    "kind": "lamp and bay; override, program and incident",
    "name": "processes of the platform",
    "process": "bridge, api and simulator",
    "reason": "reasons of dead letters: the names of our errors",
    "restriction": "who may park there (city.places.Restriction)",
    "tenant": "one in its own bucket",
    "zone": "zones in the registry",
})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a measurement, for ever of one type; `low` and `high` as the quantity has them."""

    measurement: str
    name: str
    kind: Kind
    unit: str
    low: float | None
    high: float | None
    help: str


def readings() -> Iterator[Field]:
    """What devices say, in the order of the table, and the frames that they said it in. Raw quantities of towns' own scripts have
    measurements of their own (raw/…), which no table knows."""
    for quantity in quantities():
        yield _field(quantity)
    for name, kind in FRAME_FIELDS.items():
        yield Field(FRAME, name, kind, "", *_FRAME[name])


def figured() -> Iterator[Field]:
    """What the platform itself knows, in the order of its table."""
    return map(_field, figures())


def tags_of(measurement: str) -> tuple[str, ...]:
    """The tags that a measurement's points may have."""
    if measurement in SHEETS:
        return SHEETS[measurement].tags
    return PLACE_TAGS if measurement in ("lamp", "bay") else _PLACED


def _field(quantity: Quantity) -> Field:
    measurement, name = column(quantity)
    return Field(measurement, name, quantity.kind, quantity.unit, quantity.low, quantity.high, quantity.help)
