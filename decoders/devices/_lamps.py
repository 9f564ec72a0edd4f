"""What the codecs of several lamp controllers share: how the device's side finds what to say, and orders refused alike."""

from collections.abc import Sequence

from city.errors import Invalid
from city.orders import ReadStatus, SetLevel
from city.quantities import Measurement, Quantity, Value
from decoders.codec import unsayable

HIGHEST_PORT = 223


class Saying:
    """What a frame on `port` shall say, by quantity and channel. Every method raises Unsupported where it is missing, or
    nothing that this frame can carry."""

    __slots__ = ("port", "title", "values")

    def __init__(self, title: str, port: int, measurements: Sequence[Measurement]) -> None:
        if not 1 <= port <= HIGHEST_PORT:
            raise unsayable(title, port, "there is no such FPort")
        self.title, self.port = title, port
        self.values = {(said.quantity.name, said.channel): said.value for said in measurements}

    def get(self, quantity: Quantity, channel: str = "") -> Value | None:
        return self.values.get((quantity.name, channel))

    def need(self, quantity: Quantity, channel: str = "") -> Value:
        value = self.get(quantity, channel)
        if value is None:
            raise unsayable(self.title, self.port, f"{quantity.name} is missing")
        return value

    def number(self, quantity: Quantity, factor: float = 1, channel: str = "") -> int:
        """The value times `factor` as the whole number that goes on the air."""
        try:
            return round(float(self.need(quantity, channel)) * factor)
        except (ValueError, OverflowError) as error:
            raise unsayable(self.title, self.port, f"{quantity.name} is no number") from error

    def hex(self, quantity: Quantity, channel: str = "") -> bytes:
        """The bytes that a text value spells out."""
        try:
            return bytes.fromhex(str(self.need(quantity, channel)))
        except ValueError as error:
            raise unsayable(self.title, self.port, f"{quantity.name} is no hex") from error


def untimed(title: str, order: SetLevel) -> None:
    """Raises Invalid where a level shall hold for some minutes and the model holds it until told otherwise."""
    if order.minutes is not None:
        raise Invalid("A {model} holds a level until it is told otherwise, not for {minutes} minutes.", field="minutes",
                      rule="none", model=title, minutes=order.minutes)


def no_part(title: str, channel: str) -> Invalid:
    """For a channel that the model does not have."""
    return Invalid("A {model} has no part “{channel}”.", field="channel", rule="model", model=title, channel=channel[:32])


def switched(title: str, order: SetLevel) -> bool:
    """Whether a relay is to be closed; raises Invalid for a level between off and on."""
    if order.level not in (0, 100):
        raise Invalid("A {model} only switches: 0 or 100 %, not {level}.", field="level", rule="0, 100", model=title,
                      level=order.level)
    return order.level == 100


def status_alone(title: str, order: ReadStatus) -> None:
    """Raises Invalid where something else than the status is asked of a model that has one report."""
    if order != ReadStatus():
        raise Invalid("A {model} reports everything at once: ask for its status alone.", field="status", rule="status only",
                      model=title)
