"""What a lamp's controller should be configured as."""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt

from api import views
from api.audit import record
from api.deps import Acting, Engineering, Now, Viewing
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import ConfigOut
from city.ids import AssetId
from city.places import Device
from city.store.ports import ConfigWish, TenantStore
from firmware_config import profile
from firmware_config.delta import delta

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


class ConfigIn(BaseModel):
    """The fields of DeviceConfig; what is left out stays as it is on the device."""

    model_config = ConfigDict(extra="forbid")
    status_interval_s: StrictInt | None = None
    usage_interval_s: StrictInt | None = None
    fallback_level: StrictInt | None = None
    alarm_limits: LimitsIn | None = None
    position: PositionIn | None = None


@router.get("/luminaires/{asset}/config", summary="A controller's configuration, wanted and reported")
def config(town: Viewing, asset: str) -> ConfigOut:
    """`reported` holds only what the device itself has confirmed, `pending` the settings still to be told to it."""
    return _config(town, _device(town, asset))


@router.put("/luminaires/{asset}/config", status_code=202, summary="Configure a lamp's controller")
def put_config(town: Engineering, who: Acting, now: Now, asset: str, body: ConfigIn) -> ConfigOut:
    """Written down; the bridge stages what differs from the device's own report."""
    device = _device(town, asset)
    wanted = profile.to_json(profile.from_json(body.model_dump_json(exclude_none=True)))
    record(town, who, now, "configure", f"lamp {asset}", wanted.decode())
    town.put_config_wish(ConfigWish(device.dev_eui, wanted, who.name, now))
    return _config(town, device)


def _device(town: TenantStore, asset: str) -> Device:
    return town.device_of(views.lamp_of(town, AssetId(asset)).id)


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
