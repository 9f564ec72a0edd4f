"""What a codec is: a frame's meaning, an order's bytes, and what the planner must know of the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from city.errors import UnknownPort, Unsupported
from city.orders import Order
from city.places import AssetKind
from city.planning import Abilities
from city.quantities import Measurement
from decoders.bits import Field, Reader, Tracer
from decoders.bits import Order as ByteOrder

ANY_PORT = tuple(range(1, 224))  # for models whose frames do not depend on the FPort


@dataclass(frozen=True, slots=True)
class Frame:
    """Port (FPort 1-223) and bytes, either way."""

    port: int
    data: bytes

    def reader(self, order: ByteOrder = "little") -> Reader:
        """A reader at the first byte; a codec reads its frame with nothing else."""
        return Reader(self.data, order=order)


@dataclass(frozen=True, slots=True)
class TracedFrame(Frame):
    """A frame that writes down in `trace` what a codec reads of it."""

    trace: list[Field] = field(default_factory=list, compare=False)

    def reader(self, order: ByteOrder = "little") -> Reader:
        return Tracer(self.data, order=order, trace=self.trace)


def plain_echo(frame: Frame) -> str:
    """A downlink as DEVICE_ECHO repeats it: "port:hex"."""
    return f"{frame.port}:{frame.data.hex()}"


def no_downlink(order: Order) -> Frame:
    """For models that cannot be told anything."""
    raise Unsupported("This model takes no {order}.", field="order", rule="model", order=type(order).__name__)


def no_order(frame: Frame) -> Order:
    """The inverse of `no_downlink`."""
    raise UnknownPort("This model takes no downlink on FPort {port}.", port=frame.port)


def unknown_uplink(title: str, port: int) -> UnknownPort:
    """For an uplink on a port of which the maker's documents say nothing."""
    return UnknownPort("A {model} sends nothing documented on FPort {port}.", model=title, port=port)


def unknown_downlink(title: str, port: int) -> UnknownPort:
    """For a downlink on a port of which the maker's documents say nothing."""
    return UnknownPort("A {model} takes nothing documented on FPort {port}.", model=title, port=port)


def unsupported(title: str, order: Order) -> Unsupported:
    """For an order that the model has no documented words for."""
    return Unsupported("A {model} takes no {order}.", field="order", rule="model", model=title,
                       order=type(order).__name__)


def unsayable(title: str, port: int, what: str) -> Unsupported:
    """For measurements that a frame of this model on this port cannot say, or lacks."""
    return Unsupported("A {model} cannot say this on FPort {port}: {what}.", field="measurements", rule="FPort",
                       model=title, port=port, what=what)


def whole(frame: Frame) -> bytes:
    """All bytes of an uplink may be kept: nothing in it is about a person."""
    return frame.data


@dataclass(frozen=True, slots=True)
class Codec:
    """One model. All functions are pure.

    `decode_uplink` raises DecodeError and nothing else. `encode_downlink` raises Unsupported for orders that the model
    does not have. `decode_downlink` is its inverse. `encode_uplink` is the device's side, for the simulator: the frame
    on `port` that says these measurements; raises Unsupported where the port cannot say them. `echo` is what
    DEVICE_ECHO will say once the device has confirmed a downlink by repeating it; keys in it are hashed. What the maker's
    documents leave open stands in `leaves_open` and is not guessed. `keepable` is the bytes of an uplink without what is
    about persons (tag ids, beacons): zeros stand in its place. `acts` are how names of Parameters begin that are acts or
    secrets and no settings: nobody may keep them as a device's configuration.
    """

    model: str
    vendor: str
    title: str
    asset: AssetKind
    device_class: str
    source: str
    decode_uplink: Callable[[Frame], list[Measurement]]
    encode_downlink: Callable[[Order], Frame]
    decode_downlink: Callable[[Frame], Order]
    encode_uplink: Callable[[int, Sequence[Measurement]], Frame]
    uplink_ports: tuple[int, ...]
    downlink_ports: tuple[int, ...]
    abilities: Abilities = field(default=Abilities(dims=False, max_minutes=None))
    heartbeat: timedelta = timedelta(hours=24)
    leaves_open: tuple[str, ...] = ()
    echo: Callable[[Frame], str] = plain_echo
    keepable: Callable[[Frame], bytes] = whole
    acts: tuple[str, ...] = ()
