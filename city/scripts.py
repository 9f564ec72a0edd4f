"""A town's own codec: a TS013 script, or what ChirpStack decoded already, and how its output maps to our quantities.

A *leaf* is one value of the output with its path: {"lamp": {"power_w": 31.5}} has the leaf `lamp.power_w`, a list's
items are numbered from 0 (`bays.0.occupied`). A rule gives a leaf its meaning; a leaf without a rule is kept as a raw
reading under the script's name.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from city.errors import Invalid
from city.ids import TenantId
from city.places import AssetKind

MAX_SOURCE = 256 * 1024  # bytes; the longest codec of the public device libraries has 110 kB
MAX_RULES = 256
_MODEL = re.compile(r"[a-z0-9][a-z0-9-]{0,39}/[a-z0-9][a-z0-9_-]{0,59}")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`leaf` means `quantity` (a name of the table) at `channel`: a number times `scale` plus `offset`, or, where `words`
    names the value as JSON writes it ("occupied", "true", "1"), what stands there."""

    leaf: str
    quantity: str
    channel: str = ""
    scale: float = 1.0
    offset: float = 0.0
    words: dict[str, bool | float | str] = {}


class LeafMapping(msgspec.Struct, frozen=True, kw_only=True):
    """What the leaves mean, which of them are never kept (they concern persons), and how orders are put to the script:
    by the order's name ("SetLevel") the `data` for `encodeDownlink`, with the order's own fields in place of "$level",
    "$minutes" …"""

    rules: tuple[Rule, ...] = ()
    dropped: tuple[str, ...] = ()
    orders: dict[str, dict[str, object]] = {}


@dataclass(frozen=True, slots=True)
class Script:
    """A town's codec for one model. `source` is JavaScript, or "" where the network server's own `object` is read.

    `variables` are what TS013 scripts get as input.variables. `normalized`: the output of `normalizeUplink` is mapped,
    not that of `decodeUplink`. `off` says why it is switched off, "" while it is on. `max_minutes` is the longest that
    one SetLevel holds, None: until told otherwise.
    """

    tenant: TenantId
    model: str
    title: str
    asset: AssetKind
    source: str = ""
    mapping: LeafMapping = field(default_factory=LeafMapping)
    vendor: str = ""
    device_class: str = "A"
    heartbeat: timedelta = timedelta(hours=24)
    max_minutes: int | None = None
    normalized: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    off: str = ""
    changed_at: datetime | None = None
    changed_by: str = ""


def model_name(text: str) -> str:
    """`text` as the name of a model, vendor/model in small letters; raises Invalid."""
    if not _MODEL.fullmatch(text):
        raise Invalid("A model is named vendor/model, in small letters, digits and hyphens, not “{text}”.", field="model",
                      rule="vendor/model", text=text[:80])
    return text
