"""ChirpStack v4's events, JSON or protobuf, into frozen events. Pure: any bytes give an event or MalformedEvent.

The kind is the last word of the topic. JSON follows pbjson, not Google's mapper: nested gw.* messages leave out zero
values, 64-bit integers are strings, bytes are base64 in either alphabet, with or without padding. `{` never begins a
protobuf event of ChirpStack (it would be field 15, a group), so the first byte tells the two apart.

`at_ns` is a pure function of the event. ChirpStack copies a gateway's GPS time unchecked; where that is more than five
minutes from the server's own time of the same reception, the server's is taken and `clock_off` names the gateway.
"""

import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from chirpstack_api import integration
from google.protobuf.message import DecodeError as ProtobufError

from city.errors import Invalid, MalformedEvent
from city.ids import DevEui, GatewayId, dev_eui
from city.reach import Reception
from city.readings import NS, from_ns
from gateway_bridge.event_json import (
    MAX_TEXT,
    AckJson,
    HeaderJson,
    IntegrationJson,
    JoinJson,
    LocationJson,
    LogJson,
    RxJson,
    StatusJson,
    TxAckJson,
    UpJson,
    checked_word,
    dev_addr,
    known_gateway,
    known_word,
    parse_base64,
    parse_time,
    plain_text,
    word,
)

MAX_PAYLOAD = 256 * 1024
MAX_CLOCK_ERROR_NS = 300 * NS
MOST_EARS = 20


class _Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every event says. `key` is the network server's own number of the event, "" where it gave none."""

    device: DevEui
    at_ns: int
    tenant_id: str = ""
    application_id: str = ""
    key: str = ""


class Uplink(_Event, frozen=True, kw_only=True, gc=False):
    """One deduplicated frame heard. `rssi` (dBm), `snr` (dB) and `gateway` are the best reception's, None without one;
    `ears` are all receptions where there are several.
    `object` is what the network server's own codec says, undecoded: gateway_bridge.objects reads it."""

    dev_addr: str
    f_cnt: int
    f_port: int
    dr: int
    data: bytes
    gateways: int = 0
    gateway: GatewayId | None = None
    rssi: float | None = None
    snr: float | None = None
    clock_off: GatewayId | None = None
    ears: tuple[Reception, ...] = ()
    object: bytes = b""


class Scheduled(_Event, frozen=True, kw_only=True, gc=False):
    """txack: a gateway has accepted a downlink for sending, at this spreading factor (0: not LoRa, or not said)."""

    queue_id: str
    spreading_factor: int = 0


class Acked(_Event, frozen=True, kw_only=True, gc=False):
    """ack: the device has confirmed a confirmed downlink, or (`acknowledged` False) did not in time."""

    queue_id: str
    acknowledged: bool


class Joined(_Event, frozen=True, kw_only=True, gc=False):
    """join: the device starts a new session under `dev_addr`."""

    dev_addr: str


class Status(_Event, frozen=True, kw_only=True, gc=False):
    """status: the answer to DevStatusReq. `margin` in dB, `battery` in per cent, None where unknown."""

    margin: int
    external_power: bool
    battery: float | None


class LogLine(_Event, frozen=True, kw_only=True, gc=False):
    """log: something the network server wants to be known. `code` is a name of integration.LogCode."""

    level: str
    code: str
    description: str
    queue_id: str = ""


class Located(_Event, frozen=True, kw_only=True, gc=False):
    """location: where the network server reckons the device to be, WGS 84 degrees (older servers only)."""

    latitude: float
    longitude: float


Event = Uplink | Scheduled | Acked | Joined | Status | LogLine | Located


def parse(topic: str, payload: bytes) -> Event:
    """The event; raises MalformedEvent, and nothing else."""
    kind = topic[topic.rfind("/") + 1:]
    if kind not in _KINDS:
        raise MalformedEvent("The topic names no kind of event that we know: {topic}", topic=topic[:MAX_TEXT])
    if len(payload) > MAX_PAYLOAD:
        raise MalformedEvent("The event has {size} bytes; at most {most} are read.", size=len(payload), most=MAX_PAYLOAD)
    try:
        is_json = payload[:1] == b"{" or payload.lstrip()[:1] == b"{"
        event = _from_json(kind, payload) if is_json else _from_protobuf(kind, payload)
    except (msgspec.DecodeError, ProtobufError, ValueError, OverflowError, RecursionError, Invalid) as error:
        raise MalformedEvent("This is no “{kind}” event: {what}", kind=kind, what=str(error)[:MAX_TEXT]) from error
    if not topic.endswith(f"/device/{event.device}/event/{kind}"):  # as nearly all do
        device = _address(topic)
        if device is not None and device != event.device:
            raise MalformedEvent("The topic names the device {topic}, the event {event}.", topic=device, event=event.device)
    return event


def device_of(topic: str) -> DevEui | None:
    """The device that a topic of ChirpStack's default form names, or None."""
    try:
        return _address(topic)
    except MalformedEvent:
        return None


def _address(topic: str) -> DevEui | None:
    """The device of a topic that has ChirpStack's default form, None of any other. Raises MalformedEvent."""
    parts = topic.rsplit("/", 4)
    if len(parts) < 4 or parts[-4] != "device" or parts[-2] != "event":
        return None
    try:
        return dev_eui(parts[-3])
    except Invalid as error:
        raise MalformedEvent("The topic names no device: {topic}", topic=topic[:MAX_TEXT]) from error


def _from_json(kind: str, payload: bytes) -> Event:
    decoder, build = _KINDS[kind]
    return build(decoder.decode(payload))


def _from_protobuf(kind: str, payload: bytes) -> Event:
    """Through the same checks as JSON: the message's fields as a mapping, converted."""
    message_type = _MESSAGES.get(kind)
    if message_type is None:
        raise ValueError("unknown in protobuf")
    message = message_type.FromString(payload)
    fields = {name.json_name: getattr(message, name.name) for name in message.DESCRIPTOR.fields
              if name.type in _SCALARS and not name.is_repeated}
    info = message.device_info
    fields["deviceInfo"] = {"devEui": info.dev_eui, "tenantId": info.tenant_id, "applicationId": info.application_id}
    fields["time"] = _rfc3339(message.time)
    fields.update(_NESTED.get(kind, _nothing)(message))
    shape, build = _SHAPES[kind]
    return build(msgspec.convert(fields, shape, strict=False))


def _up_fields(message: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    return {"data": binascii.b2a_base64(message.data, newline=False).decode("ascii"),
            "object": msgspec.Raw(message.object.SerializeToString()),
            "rxInfo": [{"gatewayId": rx.gateway_id, "rssi": rx.rssi, "snr": rx.snr,
                        "nsTime": _rfc3339(rx.ns_time) if rx.HasField("ns_time") else ""} for rx in message.rx_info]}


def _txack_fields(message: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    lora = message.tx_info.modulation.lora
    return {"txInfo": {"modulation": {"lora": {"spreadingFactor": lora.spreading_factor}}}}


def _log_fields(message: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    return {"context": dict(message.context)}


def _location_fields(message: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    return {"location": {"latitude": message.location.latitude, "longitude": message.location.longitude}}


def _nothing(_message: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    return {}


def _rfc3339(stamp: Any) -> str:  # noqa: ANN401 - a protobuf Timestamp
    seconds = from_ns(0) + timedelta(seconds=stamp.seconds)
    if not 0 <= stamp.nanos < NS:
        raise ValueError("nanoseconds out of range")
    return f"{seconds:%Y-%m-%dT%H:%M:%S}.{stamp.nanos:09d}+00:00" if seconds.year >= 1000 else ""


def _header(source: HeaderJson) -> dict[str, Any]:
    info = source.device_info
    return {"device": dev_eui(info.dev_eui), "at_ns": parse_time(source.time), "tenant_id": known_word(info.tenant_id),
            "application_id": known_word(info.application_id), "key": checked_word(source.deduplication_id)}


def _uplink(up: UpJson) -> Uplink:
    info, heard = up.device_info, up.rx_info
    at_ns, off = parse_time(up.time), None
    if heard and heard[0].ns_time and heard[0].ns_time[:16] != up.time[:16]:  # else they are the same minute
        server_ns = parse_time(heard[0].ns_time)
        if abs(at_ns - server_ns) > MAX_CLOCK_ERROR_NS:
            at_ns, off = server_ns, known_gateway(heard[0].gateway_id)
    best = heard[0] if len(heard) == 1 else max(heard, key=_strength, default=None)
    return Uplink(
        device=dev_eui(info.dev_eui), at_ns=at_ns, tenant_id=known_word(info.tenant_id),
        application_id=known_word(info.application_id), key=checked_word(up.deduplication_id),
        dev_addr=dev_addr(up.dev_addr), f_cnt=up.f_cnt, f_port=up.f_port, dr=up.dr, data=parse_base64(up.data),
        gateways=len(heard), gateway=known_gateway(best.gateway_id) if best else None, rssi=float(best.rssi) if best else None,
        snr=best.snr if best else None, clock_off=off, ears=_ears(heard) if len(heard) > 1 else (), object=bytes(up.object))


def _ears(heard: Sequence[RxJson]) -> tuple[Reception, ...]:
    """Of the gateways that have an EUI, MOST_EARS at most: a message from outside may name any number."""
    return tuple((gateway, float(rx.rssi), rx.snr) for rx in heard[:MOST_EARS]
                 if (gateway := known_gateway(rx.gateway_id)) is not None)


def _strength(rx: RxJson) -> tuple[float, int]:
    return rx.snr, rx.rssi


def _scheduled(ack: TxAckJson) -> Scheduled:
    modulation = ack.tx_info.modulation if ack.tx_info else None
    lora = modulation.lora if modulation else None
    return Scheduled(**_header(ack), queue_id=ack.queue_item_id, spreading_factor=lora.spreading_factor if lora else 0)


def _acked(ack: AckJson) -> Acked:
    return Acked(**_header(ack), queue_id=ack.queue_item_id, acknowledged=ack.acknowledged)


def _joined(join: JoinJson) -> Joined:
    return Joined(**_header(join), dev_addr=dev_addr(join.dev_addr))


def _status(status: StatusJson) -> Status:
    known = not (status.battery_level_unavailable or status.external_power_source)
    return Status(**_header(status), margin=status.margin, external_power=status.external_power_source,
                  battery=status.battery_level if known else None)


def _log_line(log: LogJson) -> LogLine:
    header = _header(log)
    header["key"] = header["key"] or word(log.context.get("deduplication_id", ""))
    return LogLine(**header, level=_enum(integration.LogLevel, log.level), code=_enum(integration.LogCode, log.code),
                   description=plain_text(log.description), queue_id=word(log.context.get("queue_item_id", "")))


def _located(event: LocationJson) -> Located:
    return Located(**_header(event), latitude=event.location.latitude, longitude=event.location.longitude)


def _integrated(event: IntegrationJson) -> LogLine:
    """An `integration` event of a server before 4.15: known, and only noted."""
    return LogLine(**_header(event), level="INFO", code="INTEGRATION", description=plain_text(event.integration_name))


def _enum(kind: Any, value: str | int) -> str:  # noqa: ANN401 - a protobuf enum
    """The name of an enum's value, which JSON may give as name or number; UNKNOWN for what this version lacks."""
    if isinstance(value, int):
        return next((name for name, number in kind.items() if number == value), "UNKNOWN")
    return value if value in kind.keys() else "UNKNOWN"  # noqa: SIM118 - the wrapper is no mapping


_Build = Callable[[Any], Event]
_SHAPES: Mapping[str, tuple[type[Any], _Build]] = {
    "up": (UpJson, _uplink), "txack": (TxAckJson, _scheduled), "ack": (AckJson, _acked), "join": (JoinJson, _joined),
    "status": (StatusJson, _status), "log": (LogJson, _log_line), "location": (LocationJson, _located),
    "integration": (IntegrationJson, _integrated),
}
_KINDS: Mapping[str, tuple["msgspec.json.Decoder[Any]", _Build]] = {
    kind: (msgspec.json.Decoder(shape, strict=False), build) for kind, (shape, build) in _SHAPES.items()}
_MESSAGES: Mapping[str, Any] = {
    "up": integration.UplinkEvent, "txack": integration.TxAckEvent, "ack": integration.AckEvent,
    "join": integration.JoinEvent, "status": integration.StatusEvent, "log": integration.LogEvent,
    "location": integration.LocationEvent,
}
_NESTED: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "up": _up_fields, "txack": _txack_fields, "log": _log_fields, "location": _location_fields}
_SCALARS = frozenset(range(1, 19)) - {10, 11, 12}  # neither groups, messages nor bytes
