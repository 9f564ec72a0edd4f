"""What a town must offer to be controlled while it runs, at whichever level it is simulated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from city.ids import AssetId
from simulator.fault_plan import AnyFault
from simulator.faults import Troubled
from simulator.makes import RawFrame
from simulator.panel.journal import Journal
from simulator.stage import Stage

Level = Literal["events", "frames"]


@dataclass(frozen=True, slots=True)
class Totals:
    """What has happened since the start, in frames. `collisions` is None where the air is only statistical."""

    uplinks: int
    downlinks: int
    lost_up: int
    lost_down: int
    refused: int
    collisions: int | None


@dataclass(frozen=True, slots=True)
class Radio:
    """A device as its radio has it: data rate 0 to 7, counters of the next uplink and of the last downlink (None: none yet),
    the share of its battery in per cent (None: mains), frames that wait for it at the imitated server (None: unknown)."""

    joined: bool
    dev_addr: str
    dr: int
    f_cnt_up: int
    f_cnt_down: int | None
    battery: float | None
    device_class: Literal["A", "C"]
    confirms: bool
    power_dbm: int | None
    nb_trans: int | None
    waiting: int | None
    links: Sequence["Reach"]


@dataclass(frozen=True, slots=True)
class Reach:
    """A gateway that may hear a device: dB of SNR that are to be expected at the event level, dB that are lost on the way
    at frame level."""

    gateway: str
    snr_db: float | None
    loss_db: float | None


@dataclass(frozen=True, slots=True)
class BandUse:
    """Seconds on air in the last hour in a sub-band (Hz), and how many are allowed."""

    name: str
    low: int
    high: int
    used_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class GatewayNow:
    """A gateway: whether it is off the net, how far its clock is off, what of the air it has used, frames in its queue."""

    id: str
    name: str
    latitude: float
    longitude: float
    down: bool
    clock_s: float
    bands: Sequence[BandUse]
    waiting: int | None


class Controllable(Protocol):
    """A town with its faults. Assets are those of its scenario; others raise KeyError."""

    @property
    def level(self) -> Level:
        """Whether it makes events of a server or frames of devices."""
        ...

    @property
    def stage(self) -> Stage:
        """The town itself."""
        ...

    @property
    def troubled(self) -> Troubled:
        """The town behind its faults."""
        ...

    @property
    def journal(self) -> Journal:
        """The last frames."""
        ...

    def totals(self) -> Totals:
        """What has happened so far."""
        ...

    def joined(self, asset: AssetId) -> bool:
        """Whether a device has a session."""
        ...

    def radio(self, asset: AssetId) -> Radio:
        """A device's radio."""
        ...

    def most_bytes(self, asset: AssetId) -> int:
        """How many bytes its data rate carries now."""
        ...

    def apart(self, asset: AssetId) -> bool:
        """Whether it was taken off the net."""
        ...

    def part(self, asset: AssetId, *, off: bool) -> None:
        """From now on no gateway hears it and it hears none; or they do again."""
        ...

    def reboot(self, asset: AssetId) -> None:
        """It restarts and joins anew."""
        ...

    def say(self, asset: AssetId, frame: RawFrame) -> None:
        """A device that has joined sends this."""
        ...

    def gateways(self) -> list[GatewayNow]:
        """All gateways."""
        ...

    def possible(self, fault: AnyFault) -> bool:
        """Whether a fault can happen at this level."""
        ...
