"""What the codecs of parking sensors share: a bay's state, what a simulated sensor is to say, settings by name."""

from collections.abc import Sequence

from city.errors import Invalid
from city.orders import Parameters
from city.quantities import BAY_OCCUPIED, DEVICE_HEARTBEAT, Measurement, Quantity, Value
from decoders.codec import unsayable

CHANGED, UNCHANGED = False, True
"""Of DEVICE_HEARTBEAT: the frame was sent because the state changed; or as a sign of life, a restart, an answer."""

_STATES = {(occupied, heartbeat): (BAY_OCCUPIED(occupied), DEVICE_HEARTBEAT(heartbeat))
           for occupied in (False, True) for heartbeat in (CHANGED, UNCHANGED)}


def state(occupied: bool, heartbeat: bool) -> tuple[Measurement, Measurement]:
    """The bay's state, and whether the frame was sent without a change of it."""
    return _STATES[occupied, heartbeat]


def free_or_occupied(raw: int) -> str:
    """Bit 0 in words."""
    return "occupied" if raw & 1 else "free"


class Said:
    """What a simulated sensor is to say; what is missing or fits no frame is raised as `unsayable`."""

    __slots__ = ("_port", "_title", "_values")

    def __init__(self, title: str, port: int, measurements: Sequence[Measurement]) -> None:
        self._title, self._port = title, port
        self._values = {(said.quantity.name, said.channel): said.value for said in measurements}

    def get(self, quantity: Quantity, channel: str = "") -> Value | None:
        return self._values.get((quantity.name, channel))

    def needed(self, quantity: Quantity, channel: str = "") -> Value:
        value = self.get(quantity, channel)
        if value is None:
            raise unsayable(self._title, self._port, f"{quantity.name} is missing")
        return value

    def flag(self, quantity: Quantity, default: bool = False) -> bool:
        value = self.get(quantity)
        return default if value is None else bool(value)

    def whole(self, quantity: Quantity, channel: str = "", *, scale: float = 1, offset: float = 0,
              default: float | None = None) -> int:
        """(value − offset) · scale, rounded."""
        value = self.get(quantity, channel)
        if value is None:
            value = self.needed(quantity, channel) if default is None else default
        try:
            return round((float(value) - offset) * scale)
        except (ValueError, OverflowError):
            raise unsayable(self._title, self._port, f"{quantity.name} is {value}") from None

    def raw(self, quantity: Quantity, default: bytes = b"") -> bytes:
        """The bytes of a hex text."""
        value = self.get(quantity)
        try:
            return default if value is None else bytes.fromhex(str(value))
        except ValueError:
            raise unsayable(self._title, self._port, f"{quantity.name} is {value}") from None

    def version(self, quantity: Quantity, parts: int) -> list[int]:
        """The numbers of a text like 1.2.3."""
        value = str(self.needed(quantity))
        numbers = value.split(".")
        if len(numbers) != parts or not all(number.isascii() and number.isdigit() for number in numbers):
            raise unsayable(self._title, self._port, f"{quantity.name} is {value}")
        return [int(number) for number in numbers]

    def code(self, quantity: Quantity, words: dict[int, str], default: str | None = None) -> int:
        """The number behind a word, or of a word like code-9."""
        value = self.get(quantity)
        word = str(self.needed(quantity) if value is None and default is None else default if value is None else value)
        for code, known in words.items():
            if known == word:
                return code
        number = word.removeprefix("code-")
        if word == number or not (number.isascii() and number.isdigit() and len(number) < 6):
            raise unsayable(self._title, self._port, f"{quantity.name} is {word}")
        return int(number)


def parameters(title: str, order: Parameters, *kinds: Sequence[str]) -> dict[str, int]:
    """The order's values where their names are exactly those of one of the kinds; else raises Invalid."""
    values = dict(order.values)
    if not any(values.keys() == set(kind) for kind in kinds):
        raise Invalid("A {model} has these parameters: {names}.", field="values", rule="names", model=title,
                      names=" | ".join(", ".join(kind) for kind in kinds))
    return values


def ordered(values: dict[str, int]) -> Parameters:
    """Settings as an order, in the order of their names."""
    return Parameters(tuple(sorted(values.items())))
