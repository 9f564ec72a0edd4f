"""What of a message that cannot be handled may be kept: nothing that its model's codec keeps about persons."""

from base64 import b64encode

from msgspec import structs

from decoders.catalog import catalog
from decoders.codec import Frame
from gateway_bridge.events import Uplink
from gateway_bridge.link import Message


def without_persons(message: Message, up: Uplink, model: str) -> Message:
    """The message with zeros for what is about persons, so that it can still be replayed; without a payload where the
    network server has read the frame too, or where the bytes are not found as they were read."""
    codec = catalog().get(model)
    if codec is None or not up.f_port:
        return message
    kept = codec.keepable(Frame(up.f_port, up.data))
    if kept == up.data:
        return message
    payload = b"" if up.object not in _NOTHING else _replaced(message.payload, up.data, kept)
    return structs.replace(message, payload=payload)


def _replaced(payload: bytes, data: bytes, kept: bytes) -> bytes:
    """As JSON has it in base64, or as protobuf has it."""
    for before, after in ((b64encode(data), b64encode(kept)), (data, kept)):
        if before in payload:
            return payload.replace(before, after)
    return b""


_NOTHING = (b"", b"null", b"{}")
