"""Between gRPC's messages and what the registry keeps. What the registry has no field for is carried along unread."""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from city.errors import Invalid
from city.readings import NS
from simulator.provisioned import NO_TAGS, Deployment, Profile, Record, Tenant

Proto: TypeAlias = Any
"""A message of chirpstack_api, which has no types."""

R = TypeVar("R", bound=Record)
HEX = "hex"  # the rule of texts that are no EUI, address or key
_HEX = re.compile(r"[0-9a-fA-F]*\Z")
_WHOLE: Mapping[type[Any], str] = {Tenant: "Tenant", Profile: "DeviceProfile", Deployment: "FuotaDeployment"}  # with `rest`
_OWN = ("rest", "created_ns", "updated_ns", "devices", "gateways", "keys")


def record_of(kind: type[R], message: Proto, **given: Any) -> R:  # noqa: ANN401 - whatever the record's fields take
    """The record that a message describes; `given` goes before what it says."""
    names, values = _fields(kind, type(message)), dict[str, Any]()
    for name in names:
        value = getattr(message, name)
        values[name] = (dict(value) or NO_TAGS) if isinstance(value, Mapping) else value
    if "rest" in kind.__slots__:
        left = type(message)()
        left.CopyFrom(message)
        for name in names:
            left.ClearField(name)
        values["rest"] = left.SerializeToString(deterministic=True)
    return kind(**{**values, **given})


def fill(message: Proto, record: Record) -> Proto:
    """Put into a message all that a record has under the same names; the message."""
    rest = getattr(record, "rest", b"")
    if rest and type(message).DESCRIPTOR.name == _WHOLE[type(record)]:
        message.MergeFromString(rest)
    for name in _fields(type(record), type(message)):
        value = getattr(record, name)
        if isinstance(value, Mapping):
            getattr(message, name).update(value)
        else:
            setattr(message, name, value)
    return message


def page(request: Proto, answer: Proto, rows: Iterable[R], key: Callable[[R], Any],
         item: Callable[[Proto, R], object]) -> Proto:
    """A list answer: the count of all, and as many rows as `limit` says: none without a limit."""
    found = sorted(rows, key=key)
    answer.total_count = len(found)
    for row in found[request.offset:request.offset + request.limit] if request.limit else ():
        item(answer.result.add(), row)
    return answer


def stamped(message: Proto, record: Record) -> Proto:
    """With the times of a record; the message."""
    set_time(message.created_at, record.created_ns)
    set_time(message.updated_at, record.updated_ns)
    return message


def set_time(field: Proto, ns: int) -> None:
    """Nanoseconds since 1970 into a Timestamp."""
    field.seconds, field.nanos = divmod(ns, NS)


def time_of(message: Proto, field: str) -> int | None:
    """Nanoseconds since 1970 of a Timestamp field; None where it is not set."""
    if not message.HasField(field):
        return None
    value = getattr(message, field)
    return int(value.seconds * NS + value.nanos)


def part(request: Proto, field: str) -> Proto:
    """A request's message field. Raises Invalid where it is missing."""
    if not request.HasField(field):
        raise Invalid("The request lacks {what}.", field=field, rule="required", what=field)
    return getattr(request, field)


def uuid_text(text: str) -> str:
    """A UUID in its usual form. Raises Invalid."""
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise Invalid("“{value}” is no UUID.", field="id", rule="UUID", value=text[:60]) from error


def eui(text: str) -> str:
    """A DevEUI, JoinEUI or gateway id in lower case; "" is zeros. Raises Invalid."""
    return _hex(text, 8)


def dev_addr(text: str) -> str:
    """A device address in lower case; "" is zeros. Raises Invalid."""
    return _hex(text, 4)


def key_text(text: str) -> str:
    """A 128-bit key in lower-case hex; "" is zeros. Raises Invalid, which does not show it."""
    if len(text) not in (0, 32) or not _HEX.match(text):
        raise Invalid("A key has 32 hexadecimal digits.", field="key", rule=HEX)
    return text.lower() or "00" * 16


def matches(search: str, *texts: str) -> bool:
    """ChirpStack's search: the words stand in one of the texts, in whatever case."""
    return not search or any(search.lower() in text.lower() for text in texts)


def has_tags(wanted: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Whether a thing has all these tags."""
    return all(tags.get(name) == value for name, value in wanted.items())


def _hex(text: str, size: int) -> str:
    if not text:
        return "00" * size
    if len(text) != 2 * size or not _HEX.match(text):
        raise Invalid("“{value}” is not {digits} hexadecimal digits.", field="id", rule=HEX, value=text[:40],
                      digits=2 * size)
    return text.lower()


def _fields(kind: type[Any], message: type[Any]) -> Sequence[str]:
    named = message.DESCRIPTOR.fields_by_name
    return tuple(name for name in kind.__slots__ if name in named and name not in _OWN)
