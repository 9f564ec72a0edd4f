"""What a device should be configured as."""

from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from api import views
from api.audit import record
from api.auth import Actor
from api.deps import Acting, Engineering, Here, Now, ParkingEngineering, ParkingViewing, Viewing
from api.holding import local_models
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import ConfigOut
from city.errors import Invalid
from city.ids import AssetId
from city.orders import Parameters
from city.places import Device
from city.store.ports import ConfigWish, TenantStore
from decoders.catalog import catalog
from decoders.codec import unsupported
from firmware_config import profile
from firmware_config.by_hand import check_by_hand
from firmware_config.delta import delta
from firmware_config.families import family
from firmware_config.profile import DeviceConfig

router = APIRouter(prefix=TENANT, tags=["configuration"], responses=RESPONSES)


class LimitsIn(BaseModel):
    """Report at once outside these: W, V, power factor."""

    model_config = ConfigDict(extra="forbid")
    min_power: StrictInt | None = None
    max_power: StrictInt | None = None
    min_voltage: StrictInt | None = None
    max_voltage: StrictInt | None = None
    min_power_factor: StrictFloat | None = None


class PositionIn(BaseModel):
    """WGS 84 degrees."""

    model_config = ConfigDict(extra="forbid")
    latitude: float
    longitude: float


class SunStepIn(BaseModel):
    """At this zenith angle of the sun, degrees, burn at this level, per cent."""

    model_config = ConfigDict(extra="forbid")
    zenith: float
    level: StrictInt


class SunCalendarIn(BaseModel):
    """A lamp's levels through dawn and dusk."""

    model_config = ConfigDict(extra="forbid")
    latitude: float
    longitude: float
    sunrise: list[SunStepIn] = Field(max_length=15)
    sunset: list[SunStepIn] = Field(max_length=15)
    clamps_profiles: bool = False


class HolidaysIn(BaseModel):
    """Days of the year, [month, day], on which profiles of day 0 hold."""

    model_config = ConfigDict(extra="forbid")
    days: list[tuple[StrictInt, StrictInt]] = Field(max_length=40)


class ProfileStepIn(BaseModel):
    """From this minute of the day on burn at this level; null: say nothing any more."""

    model_config = ConfigDict(extra="forbid")
    minute: StrictInt
    level: StrictInt | None


class ProfileIn(BaseModel):
    """Levels by the clock on some days: 0 holidays, 1 Monday … 7 Sunday."""

    model_config = ConfigDict(extra="forbid")
    slot: StrictInt
    days: list[StrictInt] = Field(max_length=8)
    steps: list[ProfileStepIn] = Field(max_length=24)


class ConfigIn(BaseModel):
    """The fields of DeviceConfig; what is left out stays as it is on the device."""

    model_config = ConfigDict(extra="forbid")
    status_interval_s: StrictInt | None = None
    usage_interval_s: StrictInt | None = None
    fallback_level: StrictInt | None = None
    alarm_limits: LimitsIn | None = None
    position: PositionIn | None = None
    parameters: dict[str, StrictInt] | None = Field(default=None, description="What only the model has; its page names them")
    sun_calendar: SunCalendarIn | None = Field(default=None, description="A lamp's own program set by hand: with any of these "
                                               "three the platform does not tell it the town's program")
    holidays: HolidaysIn | None = None
    profiles: list[ProfileIn] | None = Field(default=None, max_length=16)


@router.get("/luminaires/{asset}/config", summary="A controller's configuration, wanted and reported")
def config(town: Viewing, asset: str) -> ConfigOut:
    """`reported` holds only what the device itself has confirmed, `pending` the settings still to be told to it."""
    return _config(town, _device(town, asset))


@router.put("/luminaires/{asset}/config", status_code=202, summary="Configure a lamp's controller")
def put_config(here: Here, town: Engineering, who: Acting, now: Now, asset: str, body: ConfigIn) -> ConfigOut:
    """Written down; the bridge stages what differs from the device's own report. Refused where the lamp would by itself burn
    dimmer than it may."""
    lamp, device = views.lamp_of(town, AssetId(asset)), _device(town, asset)
    state = town.state(device.dev_eui)
    check_by_hand(_wanted(body), state.config if state is not None else {}, lamp,
                  family(device.model, local_models(here.settings.bridge)), town.tenant.site, now)
    return _configure(town, device, body, who, now, f"lamp {asset}")


@router.get("/bays/{asset}/config", summary="A parking sensor's configuration, wanted and reported")
def bay_config(town: ParkingViewing, asset: str) -> ConfigOut:
    """`reported` holds only what the device itself has confirmed, `pending` the settings still to be told to it."""
    return _config(town, _sensor(town, asset))


@router.put("/bays/{asset}/config", status_code=202, summary="Configure a bay's parking sensor")
def put_bay_config(town: ParkingEngineering, who: Acting, now: Now, asset: str, body: ConfigIn) -> ConfigOut:
    """Written down; the bridge stages what differs from the device's own report."""
    return _configure(town, _sensor(town, asset), body, who, now, f"bay {asset}")


def _device(town: TenantStore, asset: str) -> Device:
    return town.device_of(views.lamp_of(town, AssetId(asset)).id)


def _sensor(town: TenantStore, asset: str) -> Device:
    return town.device_of(views.bay_of(town, AssetId(asset)).id)


def _configure(town: TenantStore, device: Device, body: ConfigIn, who: Actor, now: datetime, what: str) -> ConfigOut:
    config = _wanted(body)
    if config.parameters is not None:
        _admit(device.model, config.parameters)
    wanted = profile.to_json(config)
    record(town, who, now, "configure", what, wanted.decode())
    town.put_config_wish(ConfigWish(device.dev_eui, wanted, who.name, now))
    return _config(town, device)


def _wanted(body: ConfigIn) -> DeviceConfig:
    return profile.from_json(body.model_dump_json(exclude_unset=True))


def _admit(model: str, parameters: Parameters) -> None:
    """Raises Refused where the model cannot be told these: what only it has, only it can check."""
    codec = catalog().get(model)
    if codec is None:
        raise unsupported(model, parameters)
    for name, _ in parameters.values:
        if name.startswith(codec.acts):
            raise Invalid("“{name}” is an act or a secret and no setting; it is not kept as configuration.",
                          field=f"parameters.{name}", rule="setting", name=name)
    codec.encode_downlink(parameters)


def _config(town: TenantStore, device: Device) -> ConfigOut:
    wish, state = town.config_wish(device.dev_eui), town.state(device.dev_eui)
    confirmed = state.config if state else {}
    pending = delta(confirmed, profile.from_json(wish.wanted)) if wish else []
    return ConfigOut(device=device.dev_eui, wanted=msgspec.json.decode(wish.wanted) if wish else None,
                     wanted_by=wish.actor if wish else "", wanted_at=wish.at if wish else None,
                     pending=[type(setting).__name__ for setting in pending],
                     reported={name: _setting(text) for name, text in confirmed.items()})


def _setting(text: str) -> dict[str, object]:
    """One confirmed order as JSON, without the keys that it may carry."""
    order: dict[str, object] = msgspec.json.decode(text)
    return {name: value for name, value in order.items() if name != "type" and not name.endswith("_key")}
