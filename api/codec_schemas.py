"""Codecs over the wire: models, scripts with their mapping, and the test box."""

from base64 import b64decode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from api.library import ModelView
from api.trying import MAX_FPORT, Outcome
from city.errors import CityError, Invalid
from city.places import AssetKind
from city.quantities import Measurement, Value
from city.scripts import MAX_RULES, LeafMapping, Rule, Script
from decoders.bits import Field as Traced
from decoders.codec import Frame

Explain = Callable[[CityError], str]
Name = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[StrictInt, Field(ge=-2**53, le=2**53)]


class _In(BaseModel):
    """A body: unknown fields are refused, so that a typing error is heard."""

    model_config = ConfigDict(extra="forbid")


class RuleIO(_In):
    """`leaf` means `quantity` at `channel`: a number times `scale` plus `offset`, or what `words` says of it."""

    leaf: Name
    quantity: Name
    channel: Name = ""
    scale: Number = 1.0
    offset: Number = 0.0
    words: dict[Name, StrictBool | Whole | StrictFloat | StrictStr] = {}

    @classmethod
    def of(cls, rule: Rule) -> Self:
        return cls(leaf=rule.leaf, quantity=rule.quantity, channel=rule.channel, scale=rule.scale, offset=rule.offset,
                   words=dict(rule.words))

    def to_city(self) -> Rule:
        return Rule(leaf=self.leaf, quantity=self.quantity, channel=self.channel, scale=self.scale, offset=self.offset,
                    words=dict(self.words))


class MappingIO(_In):
    """What the leaves mean, which are never kept (`dropped`), and how orders are put to the script (`orders`)."""

    rules: Annotated[list[RuleIO], Field(max_length=MAX_RULES)] = []
    dropped: Annotated[list[Name], Field(max_length=MAX_RULES)] = []
    orders: Annotated[dict[Name, dict[str, Any]],
                      Field(max_length=32, examples=[{"SetLevel": {"brightness": "$level"}}])] = {}

    @classmethod
    def of(cls, mapping: LeafMapping) -> Self:
        return cls(rules=[RuleIO.of(rule) for rule in mapping.rules], dropped=list(mapping.dropped),
                   orders={name: dict(data) for name, data in mapping.orders.items()})

    def to_city(self) -> LeafMapping:
        return LeafMapping(rules=tuple(rule.to_city() for rule in self.rules), dropped=tuple(self.dropped),
                           orders=dict(self.orders))


class ModelOut(BaseModel):
    """A model that devices of the town may be of. `on` false: its script is switched off, `off` says why."""

    model: str
    vendor: str
    title: str
    asset: AssetKind
    native: bool
    device_class: str
    uplink_ports: list[int]
    downlink_ports: list[int]
    directions: list[str]
    heartbeat_s: int
    devices: int
    on: bool
    off: str
    documents: str = Field(description="where the layout is published")
    leaves_open: list[str]
    changed_at: datetime | None

    @classmethod
    def of(cls, view: ModelView) -> Self:
        return cls(**_facts(view))


class ScriptOut(BaseModel):
    """A script as it is kept."""

    source: str
    mapping: MappingIO
    normalized: bool
    variables: dict[str, str]
    max_minutes: int | None
    changed_by: str

    @classmethod
    def of(cls, script: Script) -> Self:
        return cls(source=script.source, mapping=MappingIO.of(script.mapping), normalized=script.normalized,
                   variables=dict(script.variables), max_minutes=script.max_minutes, changed_by=script.changed_by)


class CodecOut(ModelOut):
    """One model; `script` for the town's own, for those who may edit it."""

    script: ScriptOut | None = None

    @classmethod
    def whole(cls, view: ModelView, *, shows_source: bool) -> Self:
        script = ScriptOut.of(view.script) if view.script and shows_source else None
        return cls(**_facts(view), script=script)


class ScriptIn(_In):
    """A town's codec. `source` "": only the network server's own `object` is read."""

    title: Name = ""
    vendor: Name = ""
    asset: Literal["lamp", "bay"]
    source: str = Field("", description="JavaScript, at most 256 kB")
    mapping: MappingIO = MappingIO()
    device_class: str = Field("A", max_length=1)
    heartbeat_s: StrictInt = Field(86_400, ge=60, le=31 * 86_400)
    max_minutes: StrictInt | None = None
    normalized: StrictBool = False
    variables: dict[str, str] = {}

    def to_city(self, town: Any, model: str) -> Script:  # noqa: ANN401 - a TenantId
        return Script(town, model, self.title, self.asset, self.source, self.mapping.to_city(), self.vendor,
                      self.device_class, timedelta(seconds=self.heartbeat_s), self.max_minutes, self.normalized,
                      dict(self.variables))


class TryIn(_In):
    """A frame or an order to try, with a `model` that is known or with the `source` of a script that is not kept.

    `direction` "up": a frame as the device sends it, or the `object` that the network server made of it; "down": a frame
    as it is sent to the device; "encode": an `order`, or the `object` for the script's encodeDownlink.
    `mapping` left out: for a known script its own, else the proposed one.
    """

    model: Name = ""
    source: str | None = None
    direction: Literal["up", "down", "encode"] = "up"
    port: StrictInt = Field(1, description=f"FPort, 1 to {MAX_FPORT}")
    hex: str | None = Field(None, max_length=2000)
    base64: str | None = Field(None, max_length=2000)
    object: dict[str, Any] | None = None
    order: dict[str, Any] | None = Field(None, examples=[{"type": "SetLevel", "level": 40, "minutes": 60}])
    variables: dict[str, str] | None = None
    mapping: MappingIO | None = None
    asset: Literal["lamp", "bay"] | None = None
    normalized: StrictBool | None = None


class ReadingOut(BaseModel):
    quantity: str
    channel: str
    value: Value
    unit: str
    plausible: bool

    @classmethod
    def of(cls, said: Measurement) -> Self:
        return cls(quantity=said.quantity.name, channel=said.channel, value=said.value, unit=said.quantity.unit,
                   plausible=said.quantity.plausible(said.value))


class FieldOut(BaseModel):
    """One field of a frame: where it stands, its bytes, and what they mean. Secrets are dots."""

    offset: int
    hex: str
    name: str
    value: str
    meaning: str
    failed: bool

    @classmethod
    def of(cls, field: Traced) -> Self:
        value = "" if field.secret else str(field.value)
        return cls(offset=field.offset, hex=field.hex, name=field.name, value=value, meaning=field.meaning, failed=field.failed)


class FrameOut(BaseModel):
    port: int
    hex: str

    @classmethod
    def of(cls, frame: Frame) -> Self:
        return cls(port=frame.port, hex=frame.data.hex())


class ErrorOut(BaseModel):
    """Why the codec or the script could not read or write it: the stable name, and a sentence."""

    kind: str
    detail: str


class OutcomeOut(BaseModel):
    """What came of a try; `error` is the codec's own."""

    object: dict[str, Any] | None
    warnings: list[str]
    error: ErrorOut | None
    leaves: dict[str, Value]
    proposal: MappingIO | None
    readings: list[ReadingOut]
    trace: list[FieldOut]
    frame: FrameOut | None
    order: dict[str, Any] | None
    microseconds: int

    @classmethod
    def of(cls, outcome: Outcome, explain: Explain) -> Self:
        error = outcome.error
        return cls(
            object=dict(outcome.object) if outcome.object is not None else None, warnings=list(outcome.warnings),
            error=ErrorOut(kind=error.reason, detail=explain(error)) if error else None, leaves=dict(outcome.leaves),
            proposal=MappingIO.of(outcome.proposal) if outcome.proposal else None,
            readings=[ReadingOut.of(said) for said in outcome.readings],
            trace=[FieldOut.of(field) for field in outcome.trace],
            frame=FrameOut.of(outcome.frame) if outcome.frame else None,
            order=msgspec.to_builtins(outcome.order) if outcome.order is not None else None,
            microseconds=outcome.microseconds)


class SwitchIn(_In):
    on: StrictBool


def decoded_base64(text: str) -> bytes:
    """The bytes that base64 says; raises Invalid."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise Invalid("This is no base64.", field="base64", rule="base64") from None


def _facts(view: ModelView) -> dict[str, Any]:
    codec = view.codec
    return {"model": view.model, "vendor": codec.vendor, "title": view.title, "asset": view.asset, "native": view.native,
            "device_class": codec.device_class, "uplink_ports": list(codec.uplink_ports),
            "downlink_ports": list(codec.downlink_ports), "directions": list(view.directions),
            "heartbeat_s": int(view.heartbeat.total_seconds()), "devices": view.devices, "on": not view.off,
            "off": view.off, "documents": view.documents, "leaves_open": list(view.leaves_open),
            "changed_at": view.changed_at}
