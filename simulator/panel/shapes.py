"""What goes over the panel's wire, both ways, and the limits of what comes in."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_PAGE, MOST_BYTES = 200, 242
Name = Annotated[str, Field(max_length=64)]


class _In(BaseModel):
    """Something that is asked for."""

    model_config = ConfigDict(extra="forbid")


class Switch(_In):
    """On or off."""

    on: bool


class FaultOf(_In):
    """What a device is to suffer from; "" repairs it."""

    fault: Name


class Car(_In):
    """Whether a vehicle is to stand in the bay."""

    here: bool


class Raw(_In):
    """A frame by hand: hex with or without spaces."""

    port: Annotated[int, Field(ge=1, le=223)]
    hex: Annotated[str, Field(min_length=2, max_length=3 * MOST_BYTES)]
    confirmed: bool = False


class Rush(_In):
    """So many times as many cars as usual, for so many minutes of the town's time."""

    factor: Annotated[float, Field(ge=0, le=100)] = 5.0
    minutes: Annotated[float, Field(gt=0, le=1440)] = 30.0


class WeatherIn(_In):
    """The radio's weather, besides the scenario's own: a share of frames, dB, dB."""

    loss: Annotated[float, Field(ge=0, le=1)] = 0.0
    attenuation_db: Annotated[float, Field(ge=0, le=60)] = 0.0
    noise_db: Annotated[float, Field(ge=0, le=60)] = 0.0


class ClockIn(_In):
    """Whether virtual time stands still."""

    paused: bool


class FaultIn(BaseModel):
    """A fault as in a scenario's [[fault]], without `at`; `for` may be left out."""

    model_config = ConfigDict(extra="allow")
    kind: Name


class ClockOut(BaseModel):
    """Whether time can be stopped here, and whether it is."""

    can_pause: bool
    paused: bool


class WeatherOut(BaseModel):
    """What rules now, and the part of it that was set here."""

    loss: float
    attenuation_db: float
    noise_db: float
    jammers: int
    mine: WeatherIn


class RunningFault(BaseModel):
    """A fault that is happening; `facts` are what it is set to, by the scenario file's names."""

    number: int
    kind: str
    facts: dict[str, str]


class Numbers(BaseModel):
    """A town at one moment. `uplinks_s` is by the town's time, over the last seconds."""

    town: str
    at: str
    level: Literal["events", "frames"]
    paused: bool
    devices: int
    joined: int
    lamps: int
    burning: int
    unpowered: int
    bays: int
    taken: int
    faulty: int
    apart: int
    uplinks: int
    uplinks_s: float
    downlinks: int
    lost_up: int
    lost_down: int
    refused: int
    collisions: int | None
    gateways: int
    gateways_down: int
    airtime: float
    faults: list[RunningFault]


class TownOut(BaseModel):
    """A town in the list of towns."""

    id: str
    name: str
    devices: int
    level: Literal["events", "frames"]


class State(BaseModel):
    """A device as a map shows it: what it does, what is wrong ("" nothing, fault, apart, unjoined), light in per cent."""

    id: str
    does: Literal["burning", "dark", "unpowered", "taken", "free"]
    mark: Literal["", "fault", "apart", "unjoined"]
    level: int


class DeviceRow(State):
    """… and as a list shows it."""

    kind: Literal["lamp", "bay"]
    name: str
    model: str
    zone: str
    circuit: str


class DevicePage(BaseModel):
    """A part of a list, and how many there are in all."""

    total: int
    offset: int
    items: list[DeviceRow]


class ReachOut(BaseModel):
    """A gateway that may hear a device."""

    gateway: str
    snr_db: float | None
    loss_db: float | None


class RadioOut(BaseModel):
    """A device's radio; see simulator.panel.controllable.Radio."""

    joined: bool
    dev_addr: str
    dr: int
    f_cnt_up: int
    f_cnt_down: int | None
    battery: float | None
    device_class: str
    confirms: bool
    power_dbm: int | None
    nb_trans: int | None
    waiting: int | None
    most_bytes: int
    links: list[ReachOut]


class LampOut(BaseModel):
    """A lamp: what its controller wants (per cent) and why, how it really burns, its circuit's power, what it draws (W)."""

    wanted: int
    reason: str
    lit: int
    powered: bool
    power_w: float
    energy_wh: float
    burn_h: float
    clock_valid: bool


class BayOut(BaseModel):
    """A bay: whether a vehicle stands there, what its sensor believes, whether somebody is about to take or leave it."""

    occupied: bool
    believed: bool
    taken: bool


class DeviceOut(DeviceRow):
    """Everything about a device."""

    dev_eui: str
    latitude: float
    longitude: float
    apart: bool
    fault: str
    faults: list[str]
    ports: list[int]
    radio: RadioOut
    lamp: LampOut | None = None
    bay: BayOut | None = None


class CopyOut(BaseModel):
    """A frame at a gateway, or at the device ("")."""

    gateway: str
    reason: str
    rssi_dbm: int | None
    snr_db: float | None


class HeaderOut(BaseModel):
    """What LoRaWAN says of a frame; `whole`: it could be opened with the device's keys."""

    type: str
    length: int
    mic: str
    dev_addr: str
    whole: bool
    facts: dict[str, str] = {}


class CommandOut(BaseModel):
    """A MAC command."""

    hex: str
    name: str
    facts: dict[str, str]


class FieldOut(BaseModel):
    """A part of a payload."""

    offset: int
    hex: str
    name: str
    value: str
    meaning: str
    failed: bool


class ReadingOut(BaseModel):
    """What an uplink says."""

    quantity: str
    channel: str
    value: str
    unit: str


class FrameOut(BaseModel):
    """A frame, explained."""

    number: int
    at: str
    up: bool
    to_group: bool
    copies: list[CopyOut]
    f_cnt: int | None
    confirmed: bool
    port: int | None
    hex: str
    dr: int | None
    frequency: int | None = None
    sf: int | None = None
    bandwidth: int | None = None
    header: HeaderOut | None = None
    commands: list[CommandOut] = []
    fields: list[FieldOut] = []
    readings: list[ReadingOut] = []
    order: str = ""
    problem: str = ""


class CircuitOut(BaseModel):
    """A circuit: its lamps, how many of them have power, how many burn."""

    id: str
    lamps: int
    powered: int
    burning: int


class LotOut(BaseModel):
    """A parking zone."""

    id: str
    bays: int
    taken: int


class BandOut(BaseModel):
    """Seconds on air in the last hour in a sub-band."""

    name: str
    low: int
    high: int
    used_s: float
    most_s: float


class GatewayOut(BaseModel):
    """A gateway; see simulator.panel.controllable.GatewayNow."""

    id: str
    name: str
    latitude: float
    longitude: float
    down: bool
    clock_s: float
    bands: list[BandOut]
    waiting: int | None


class Cell(BaseModel):
    """Devices that stand close together on a map."""

    latitude: float
    longitude: float
    lamps: int
    burning: int
    bays: int
    taken: int
    marked: int


class Thing(State):
    """A device on a map."""

    kind: Literal["lamp", "bay"]
    latitude: float
    longitude: float


class MapOut(BaseModel):
    """A part of a town: single devices, or cells of them where there are too many."""

    south: float
    west: float
    north: float
    east: float
    total: int
    things: list[Thing]
    cells: list[Cell]


class StreetOut(BaseModel):
    """A street as a line of [longitude, latitude]."""

    name: str
    points: list[tuple[float, float]]


class FaultField(BaseModel):
    """A key of a fault: how it is written, and what it is without being set."""

    name: str
    type: Literal["text", "number", "whole", "yes-no", "choice", "point", "period"]
    needed: bool
    default: Any = None
    choices: list[str] = []
    least: float | None = None
    most: float | None = None


class FaultKind(BaseModel):
    """A kind of fault that can happen here."""

    kind: str
    fields: list[FaultField]


class Changes(BaseModel):
    """Devices that are not as they were at the last look; `many`: more than are listed, so look at them anew."""

    many: bool
    items: list[State]
