"""The MAC commands that a device has still to say."""

from collections.abc import Iterator

from simulator import mac
from simulator.lorawan import MOST_OPTIONS
from simulator.mac import Obeyed

LENGTHS = {mac.LINK_CHECK: 0, mac.LINK_ADR: 1, mac.DUTY_CYCLE: 0, mac.RX_PARAM_SETUP: 1, mac.DEV_STATUS: 2, mac.NEW_CHANNEL: 1,
           mac.RX_TIMING_SETUP: 0, mac.DL_CHANNEL: 1, mac.DEVICE_TIME: 0}  # bytes after the identifier, going up
MOST = 64  # bytes that wait; a network that asks for more is not answered further


class Answers:
    """Those said once, and those said in each uplink until a downlink has come."""

    __slots__ = ("_once", "_sticky")

    def __init__(self, once: bytes = b"") -> None:
        self._once, self._sticky = once, b""

    def __bool__(self) -> bool:
        return bool(self._once or self._sticky)

    def add(self, done: Obeyed) -> None:
        """What came of a downlink's commands; that it came has ended the repetition of former ones."""
        self._sticky = done.sticky
        if len(self._once) + len(done.answers) <= MOST:
            self._once += done.answers

    def heard(self) -> None:
        """A downlink has come."""
        self._sticky = b""

    def take(self, room: int) -> bytes:
        """As many whole ones as fit into so many bytes of a header, sticky ones first; those said once are said then."""
        room = min(room, MOST_OPTIONS)
        sticky = _fitting(self._sticky, room)
        once = _fitting(self._once, room - len(sticky))
        self._once = self._once[len(once):]
        return sticky + once

    def take_all(self) -> bytes:
        """All that wait, where that is more than a header holds (then they are a frame's payload); else nothing."""
        together = self._sticky + self._once
        if len(together) <= MOST_OPTIONS:
            return b""
        self._once = b""
        return together


def _fitting(answers: bytes, room: int) -> bytes:
    taken = b""
    for one in _each(answers):
        if len(taken) + len(one) > room:
            break
        taken += one
    return taken


def _each(answers: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(answers):
        end = at + 1 + LENGTHS[answers[at]]
        yield answers[at:end]
        at = end
