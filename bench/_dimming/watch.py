"""What truly happens in the town: which lamp heard which order when, and what each gateway sent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench._dimming.place import MODEL
from city.airtime import time_on_air
from city.errors import BadInput, Refused
from city.orders import Resume, SetLevel
from city.readings import NS
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator.carrier import Arrived, Take
from simulator.chirpstack import ChirpStack
from simulator.provisioned import Group
from simulator.radio import Heard
from simulator.station import Station
from simulator.true_air import TrueAir

QUEUE_S = 0.08  # from a gateway's OK to the first symbol, where nothing else waits


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that a gateway was handed: what it said, and how long it is on the air. `at_ns`: when it was handed over."""

    at_ns: int
    gateway: int
    said: str
    seconds: float
    to_group: bool

    @property
    def over_ns(self) -> int:
        """When it has ended, where nothing else waits."""
        return self.at_ns + int((QUEUE_S + self.seconds) * NS)


class LoggedAir(TrueAir):
    """The true air; what gateways were handed is written down."""

    @cached_property
    def log(self) -> list[Sent]:
        """In order."""
        return []

    def down(self, gateway: int, station: Station, frame: Frame, *, sf: int, frequency: int, delay_s: int,
             arrived: Arrived) -> tuple[str, int]:
        said = super().down(gateway, station, frame, sf=sf, frequency=frequency, delay_s=delay_s, arrived=arrived)
        self._note(gateway, said[0], time_on_air(len(frame.data), sf), to_group=False)
        return said

    def cast(self, gateway: int, group: Group, frame: Frame, *, emit_ns: int | None, take: Take) -> tuple[str, int]:
        said = super().cast(gateway, group, frame, emit_ns=emit_ns, take=take)
        self._note(gateway, said[0], time_on_air(len(frame.data), 12 - group.dr), to_group=True)
        return said

    def _note(self, gateway: int, said: str, seconds: float, *, to_group: bool) -> None:
        self.log.append(Sent(self.engine.now, gateway, said, seconds, to_group))


class Watch:
    """A witness of the imitated server. From `begin` on it notes when each lamp first hears the order that it waits for."""

    def __init__(self, town: ChirpStack) -> None:
        self._town, self._level, self._codec = town, -1, codec_of(MODEL)
        self.obeyed: dict[str, int] = {}  # DevEUI → ns
        self.by_group: set[str] = set()
        self.frames: Counter[str] = Counter()
        town.witness = town.queues.witness = town.multicast.witness = self

    def begin(self, level: int) -> None:
        """An order for this level is about to be given."""
        self._level, self.obeyed, self.by_group = level, {}, set()
        self.frames.clear()

    def up(self, station: Station, frame: Frame, f_cnt: int, heard: Sequence[Heard]) -> None:  # noqa: ARG002 - a Witness's
        """An uplink has ended."""
        self.frames["up" if heard else "up lost"] += 1

    def down(self, station: Station, frame: Frame, *, heard: bool, to_group: bool = False) -> None:
        """A downlink has ended."""
        if heard and station.dev_eui not in self.obeyed and self._is_it(frame):
            self.obeyed[station.dev_eui] = self._town.now_ns
            if to_group:
                self.by_group.add(station.dev_eui)

    def _is_it(self, frame: Frame) -> bool:
        try:
            order = self._codec.decode_downlink(frame)
        except (BadInput, Refused):
            return False
        return isinstance(order, SetLevel | Resume) and getattr(order, "level", None) == self._level
