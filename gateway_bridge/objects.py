"""What the network server's own codec says of a frame: ChirpStack's `object`, as JSON or as a protobuf Struct.

As with events, the first byte tells the two apart: a Struct never begins with "{". Read only where we have no codec.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.struct_pb2 import Struct, Value

from city.errors import OutOfRange, ScriptError

MAX_OBJECT = 64 * 1024  # bytes, as much as a script may say


def object_of(carried: bytes) -> Mapping[str, Any] | None:
    """What `Uplink.object` says; None where the network server has said nothing. Raises DecodeError."""
    if len(carried) > MAX_OBJECT:
        raise OutOfRange("The network server's reading of the frame has {size} bytes; at most {most} are taken.",
                         size=len(carried), most=MAX_OBJECT)
    if not carried or carried == b"null":
        return None
    try:
        return _JSON.decode(carried) if carried[:1] == b"{" else _fields(Struct.FromString(carried))
    except (msgspec.DecodeError, ProtobufError, ValueError, RecursionError) as error:
        raise ScriptError("The network server's reading of the frame cannot be taken: {what}",
                          what=str(error)[:200]) from error


def _fields(struct: Struct) -> dict[str, Any]:
    return {name: _plain(value) for name, value in struct.fields.items()}


def _plain(value: Value) -> object:
    kind = value.WhichOneof("kind")
    match kind:
        case "struct_value":
            return _fields(value.struct_value)
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case None | "null_value":
            return None
    return getattr(value, kind)


_JSON = msgspec.json.Decoder(dict[str, Any])
