"""Devices whose new firmware has a bug: a layer between a device and its radio."""

from collections.abc import Callable, Mapping
from random import Random

from city.errors import BadInput, Refused
from city.orders import SetLevel
from city.quantities import DEVICE_FIRMWARE
from decoders.codec import Codec, Frame
from simulator.station import EndDevice

Spoil = Callable[[Frame], Frame]


def whole(frame: Frame) -> Frame:
    """A frame as it is."""
    return frame


def truncated(frame: Frame) -> Frame:
    """The second half of a frame is never sent; one byte always is."""
    return Frame(frame.port, frame.data[:max(len(frame.data) // 2, 1)])


def garbage(rng: Random) -> Spoil:
    """As many random bytes as the frame has."""
    return lambda frame: Frame(frame.port, rng.randbytes(len(frame.data)))


def contrary(codec: Codec) -> Spoil:
    """A dimming order becomes its opposite; others stay as they are."""
    def spoil(frame: Frame) -> Frame:
        try:
            order = codec.decode_downlink(frame)
        except (BadInput, Refused):
            return frame
        if not isinstance(order, SetLevel):
            return frame
        return codec.encode_downlink(SetLevel(100 - order.level, order.minutes))
    return spoil


def versioned(codec: Codec, version: str, spoil: Spoil) -> Spoil:
    """A frame that tells of the firmware tells of this version and is whole; others become what `spoil` makes of them."""
    def say(frame: Frame) -> Frame:
        try:
            said = codec.decode_uplink(frame)
            if not any(one.quantity is DEVICE_FIRMWARE for one in said):
                return spoil(frame)
            return codec.encode_uplink(frame.port, [
                DEVICE_FIRMWARE(version) if one.quantity is DEVICE_FIRMWARE else one for one in said])
        except (BadInput, Refused):
            return spoil(frame)
    return say


class Buggy:
    """A device that hears what `spoil` makes of a downlink; without one it hears nothing."""

    __slots__ = ("_device", "_spoil")

    def __init__(self, device: EndDevice, spoil: Spoil | None) -> None:
        self._device, self._spoil = device, spoil

    @property
    def groups(self) -> Mapping[str, tuple[str, str]]:
        """The device's own multicast groups."""
        groups: Mapping[str, tuple[str, str]] = getattr(self._device, "groups", {})
        return groups

    @property
    def device(self) -> EndDevice:
        """The device without its bug."""
        return self._device

    def start(self) -> None:
        """It has joined."""
        self._device.start()

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink has reached its radio."""
        if self._spoil is not None:
            self._device.receive(self._spoil(frame), to_group=to_group)
