"""What Nwave's NPS405 and NPS310 share: start-up frames and the way a sensor's words go out."""

from city.quantities import BAY_OCCUPIED, DEVICE_BOOT, DEVICE_FIRMWARE, Measurement
from decoders.bits import Part, Reader, Record, Writer
from decoders.devices._bays import UNCHANGED, Said, free_or_occupied, state

STATUS, HEARTBEAT, START, DEBUG, TAG = 1, 2, 3, 6, 10  # FPorts

Boots = dict[int, str]


class Start:
    """The start-up frame (5 B) of a model whose reset causes are `boots`."""

    def __init__(self, boots: Boots) -> None:
        self._boots = boots
        self._layout = Record("big", Part("firmware major", "B"), Part("firmware minor", "B"), Part("firmware micro", "B"),
                              Part("reset cause", "B", self._word), Part("state", "B", free_or_occupied))

    def read(self, read: Reader) -> list[Measurement]:
        major, minor, micro, cause, flags = read.record(self._layout)
        return [DEVICE_FIRMWARE(f"{major}.{minor}.{micro}"), DEVICE_BOOT(self._word(cause)),
                *state(bool(flags & 1), UNCHANGED)]

    def write(self, said: Said) -> bytes:
        write = Writer("big")
        for part in said.version(DEVICE_FIRMWARE, 3):
            write.u8("firmware", part)
        return write.u8("reset cause", said.code(DEVICE_BOOT, self._boots)).u8("state", bool(
            said.needed(BAY_OCCUPIED))).written()

    def _word(self, cause: int) -> str:
        return self._boots.get(cause, f"code-{cause}")
