"""What a frame of our own devices says: each key of its map, both ways."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from city.errors import DecodeError, OutOfRange, UnknownVersion
from city.quantities import (
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_FIRMWARE,
    DEVICE_HEARTBEAT,
    DEVICE_REJECTED,
    Measurement,
    Quantity,
    Value,
)
from decoders.codec import Frame, unknown_uplink, unsayable
from decoders.devices._cbor import HASH, Map, encoded, frame_of, read_map

OPTIONAL = 128  # keys from here on may be passed over by whoever does not know them
U32 = 2**32 - 1
Said = dict[tuple[str, str], Value]  # by quantity and channel


class Field:
    """One key: its name in the CDDL, and what its value says. `read` raises OutOfRange; `write` takes what it says out of
    `said` and returns the key's value, None where nothing is said."""

    def __init__(self, key: int, name: str) -> None:
        self.key, self.name = key, name

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401 - whatever the frame holds
        raise NotImplementedError

    def write(self, said: Said, channel: str) -> object:
        raise NotImplementedError

    def takes(self) -> Sequence[Quantity]:
        """The quantities of which `write` may take something out."""
        return ()

    def bad(self, value: object, what: str) -> DecodeError:
        """For a value that the key does not have."""
        return OutOfRange("“{name}” (key {key}) is {value}, and only {what} is allowed.", name=self.name, key=self.key,
                          value=value if isinstance(value, int | bool) else type(value).__name__, what=what)


class Number(Field):
    """A whole number in steps of a quantity's unit (`steps` 0: as it is)."""

    def __init__(self, key: int, name: str, quantity: Quantity, steps: int, low: int = 0, high: int = U32,
                 axis: str = "") -> None:
        super().__init__(key, name)
        self.quantity, self.steps, self.low, self.high, self.axis = quantity, steps, low, high, axis

    def takes(self) -> Sequence[Quantity]:
        return (self.quantity,)

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401
        if value.__class__ is not int or not self.low <= value <= self.high:
            raise self.bad(value, f"{self.low} to {self.high}")
        return (Measurement(self.quantity, value / self.steps if self.steps else value, channel + self.axis),)

    def write(self, said: Said, channel: str) -> object:
        value = said.pop((self.quantity.name, channel + self.axis), None)
        return None if value is None else round(float(value) * (self.steps or 1))


class Chosen(Field):
    """A value that stands for ready measurements: truth, a word, the bits of a byte."""

    def __init__(self, key: int, name: str, what: str, choices: Mapping[Any, tuple[Measurement, ...]]) -> None:
        super().__init__(key, name)
        self.what, self.choices, self.kind = what, choices, type(next(iter(choices)))
        self._keys = {tuple(one.value for one in ready): key for key, ready in reversed(list(choices.items()))}
        self._quantities = tuple(one.quantity for one in next(iter(choices.values())))

    def takes(self) -> Sequence[Quantity]:
        return self._quantities

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401
        if value.__class__ is not self.kind or value not in self.choices:
            raise self.bad(value, self.what)
        ready = self.choices[value]
        return ready if not channel else [Measurement(one.quantity, one.value, channel) for one in ready]

    def write(self, said: Said, channel: str) -> object:
        given = [said.pop((quantity.name, channel), None) for quantity in self._quantities]
        if all(value is None for value in given):
            return None
        return self._keys.get(tuple(value or False for value in given), ())


class Text(Field):
    """A text of at most `most` bytes."""

    def __init__(self, key: int, name: str, quantity: Quantity, most: int) -> None:
        super().__init__(key, name)
        self.quantity, self.most = quantity, most

    def takes(self) -> Sequence[Quantity]:
        return (self.quantity,)

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401
        if value.__class__ is not str or not value.isprintable() or not 0 < len(value.encode()) <= self.most:
            raise self.bad(value, f"printable text of 1 to {self.most} bytes")
        return (Measurement(self.quantity, value, channel),)

    def write(self, said: Said, channel: str) -> object:
        return said.pop((self.quantity.name, channel), None)


class Version(Field):
    """Firmware: [major, minor, patch]."""

    def takes(self) -> Sequence[Quantity]:
        return (DEVICE_FIRMWARE,)

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401
        if value.__class__ is not list or len(value) != 3 or any(n.__class__ is not int or not 0 <= n <= 65535 for n in value):
            raise self.bad(value, "[major, minor, patch]")
        return (Measurement(DEVICE_FIRMWARE, ".".join(map(str, value)), channel),)

    def write(self, said: Said, channel: str) -> object:
        text = said.pop((DEVICE_FIRMWARE.name, channel), None)
        return None if text is None else [int(part) for part in str(text).split(".")]


class Several(Field):
    """An array of numbers that belong together."""

    def __init__(self, key: int, name: str, *numbers: Number) -> None:
        super().__init__(key, name)
        self.numbers = numbers

    def takes(self) -> Sequence[Quantity]:
        return [number.quantity for number in self.numbers]

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401
        if value.__class__ is not list or len(value) != len(self.numbers):
            raise self.bad(value, f"an array of {len(self.numbers)}")
        return [one for number, item in zip(self.numbers, value, strict=True) for one in number.read(item, channel)]

    def write(self, said: Said, channel: str) -> object:
        values = [number.write(said, channel) for number in self.numbers]
        return None if all(value is None for value in values) else values


class Answer(Field):
    """[FPort, h'hash']: the downlink was taken; [FPort, code]: it was refused."""

    def takes(self) -> Sequence[Quantity]:
        return DEVICE_ECHO, DEVICE_REJECTED

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401, ARG002
        if value.__class__ is not list or len(value) != 2 or value[0].__class__ is not int or not 1 <= value[0] <= 223:
            raise self.bad(value, "[FPort, hash or code]")
        port, about = value
        if about.__class__ is bytes and len(about) == HASH:
            return (Measurement(DEVICE_ECHO, f"{port}:sha256:{about.hex()}"),)
        if about.__class__ is int and 0 <= about <= 255:
            return (Measurement(DEVICE_REJECTED, f"{port}:{about:02x}"),)
        raise self.bad(about, f"a hash of {HASH} bytes or a code of 0 to 255")

    def write(self, said: Said, channel: str) -> object:
        taken, refused = said.pop((DEVICE_ECHO.name, channel), None), said.pop((DEVICE_REJECTED.name, channel), None)
        if taken is not None:
            port, _, digest = str(taken).partition(":sha256:")
            return [int(port), bytes.fromhex(digest)]
        if refused is not None:
            port, _, code = str(refused).partition(":")
            return [int(port), int(code, 16)]
        return None


class Format(Field):
    """The version of this format, by which a later one is known; it says nothing else."""

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401, ARG002
        if value.__class__ is not int or value != 1:
            raise UnknownVersion("The device speaks version {version} of the format, and only 1 is known.",
                                 version=value if isinstance(value, int) else type(value).__name__)
        return ()

    def write(self, said: Said, channel: str) -> object:  # noqa: ARG002 - only a start-up needs it, see `Speech.write`
        return None


class Parts(Field):
    """Parts of the device: {address: map}, where the map has some of the keys of the whole."""

    def __init__(self, key: int, name: str, fields: Sequence[Field], names: Mapping[int, str]) -> None:
        super().__init__(key, name)
        self.fields, self.names = {field.key: field for field in fields}, names

    def takes(self) -> Sequence[Quantity]:
        return [quantity for field in self.fields.values() for quantity in field.takes()]

    def read(self, value: Any, channel: str) -> Sequence[Measurement]:  # noqa: ANN401, ARG002
        if value.__class__ is not dict or not value:
            raise self.bad(value, "a map of parts")
        said: list[Measurement] = []
        for address, part in value.items():
            if address not in self.names or part.__class__ is not dict or not part or part.keys() - self.fields.keys():
                raise self.bad(address, "a part of the device with keys of its own")
            for key, item in part.items():
                said += self.fields[key].read(item, self.names[address])
        return said

    def write(self, said: Said, channel: str) -> object:  # noqa: ARG002
        told = {part for _, part in said}
        parts = {address: {field.key: value for field in self.fields.values() if (value := field.write(said, name)) is not None}
                 for address, name in self.names.items() if name in told}
        return parts or None


def yes_no(key: int, name: str, quantity: Quantity) -> Chosen:
    """A key that is true or false."""
    return Chosen(key, name, "true or false", {value: (quantity(value),) for value in (False, True)})


def word(key: int, name: str, quantity: Quantity, words: Mapping[int, str]) -> Chosen:
    """A key whose numbers stand for words."""
    return Chosen(key, name, "a number of the list", {number: (quantity(text),) for number, text in words.items()})


def bits(key: int, name: str, *quantities: Quantity) -> Chosen:
    """A key whose bits, from the lowest, each say one thing."""
    return Chosen(key, name, f"0 to {(1 << len(quantities)) - 1}",
                  {byte: tuple(quantity(bool(byte >> bit & 1)) for bit, quantity in enumerate(quantities))
                   for byte in range(1 << len(quantities))})


@dataclass(frozen=True, slots=True)
class Port:
    """An FPort: keys that must be there, and measurements that the FPort itself says."""

    name: str
    needs: frozenset[int]
    says: tuple[Measurement, ...] = ()


class Speech:
    """All that a model says: its fields by key, its FPorts."""

    def __init__(self, title: str, fields: Iterable[Field], ports: Mapping[int, Port]) -> None:
        self.title, self.ports = title, ports
        self.fields = {field.key: field for field in fields}
        self._numbers = {key: (field.quantity, field.low, field.high, field.steps)
                         for key, field in self.fields.items() if type(field) is Number}
        self._chosen = {key: (field.kind, field.choices) for key, field in self.fields.items() if type(field) is Chosen}
        self._takers: dict[str, list[Field]] = {}
        for field in self.fields.values():
            for quantity in field.takes():
                self._takers.setdefault(quantity.name, []).append(field)

    def name(self, key: int) -> str:
        """A key's name for a trace."""
        return self.fields[key].name if key in self.fields else "not known"

    def read(self, frame: Frame) -> list[Measurement]:
        """What the frame says; raises DecodeError and nothing else."""
        port = self.ports.get(frame.port)
        if port is None:
            raise unknown_uplink(self.title, frame.port)
        message = read_map(frame, self.name)
        if not port.needs <= message.keys():
            raise OutOfRange("A frame on FPort {port} needs {keys}.", port=frame.port,
                             keys=", ".join(self.name(key) for key in sorted(port.needs - message.keys())))
        said, numbers, chosen = list(port.says), self._numbers, self._chosen
        for key, value in message.items():
            if (known := numbers.get(key)) is not None:  # nearly all keys: no call for these
                quantity, low, high, steps = known
                if value.__class__ is int and low <= value <= high:
                    said.append(Measurement(quantity, value / steps if steps else value))
                    continue
            elif (choice := chosen.get(key)) is not None and value.__class__ is choice[0] and value in choice[1]:
                said += choice[1][value]
                continue
            said += self._seldom(key, value)
        return said

    def write(self, port: int, measurements: Sequence[Measurement]) -> Frame:
        """The frame that says these measurements; raises Unsupported where the FPort cannot."""
        if port not in self.ports:
            raise unsayable(self.title, port, "any measurement")
        said: Said = {(one.quantity.name, one.channel): one.value for one in measurements}
        for one in self.ports[port].says:
            said.pop((one.quantity.name, ""), None)
        wanted = {field.key: field for name, _ in said for field in self._takers.get(name, ())}
        message: Map = {key: field.write(said, "") for key, field in wanted.items()}
        message.update({key: 1 for key in self.ports[port].needs if type(self.fields[key]) is Format})
        message.update(_kept(said))
        message = {key: value for key, value in message.items() if value is not None}
        lacking = [self.name(key) for key in self.ports[port].needs - message.keys()]
        if said or lacking or () in message.values():
            raise unsayable(self.title, port, ", ".join(name for name, _ in said) or ", ".join(lacking) or "a word of its own")
        return frame_of(port, message)

    def _seldom(self, key: int, value: object) -> Sequence[Measurement]:
        field = self.fields.get(key)
        if field is not None:
            return field.read(value, "")
        if key >= OPTIONAL:
            return (DEVICE_DEBUG(encoded(value).hex(), f"key-{key}"),)
        raise UnknownVersion("Key {key} is in no version of the format that is known.", key=key)


def _kept(said: Said) -> dict[int, Any]:
    """Optional keys that were kept, as they stood in the frame."""
    kept = {channel: said.pop((name, channel)) for name, channel in list(said)
            if name == DEVICE_DEBUG.name and channel.startswith("key-")}
    return {int(channel.removeprefix("key-")): cbor2.loads(bytes.fromhex(str(value))) for channel, value in kept.items()}


def heartbeat(periodic: bool) -> tuple[Measurement, ...]:
    """What a bay's FPort says of itself."""
    return (DEVICE_HEARTBEAT(periodic),)
