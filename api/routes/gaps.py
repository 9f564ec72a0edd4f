"""Which devices lose frames on the way, by their own frame counters."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import AllViewing
from api.problems import RESPONSES
from api.routes.common import TENANT

Most = Annotated[int, Query(ge=1, le=200)]
router = APIRouter(prefix=TENANT, tags=["records"], responses=RESPONSES)


class DeviceGapsOut(BaseModel):
    device: str
    asset: str
    gateway: str | None = Field(description="the one that heard it best last")
    missed: int = Field(description="frames of its counter that never came, of all its sessions")


class GatewayGapsOut(BaseModel):
    gateway: str
    missed: int


class GapsOut(BaseModel):
    """Frames that are missing: in all, of the worst devices, and by the gateway that heard those devices last."""

    missed: int
    devices: list[DeviceGapsOut]
    gateways: list[GatewayGapsOut]


@router.get("/gaps", summary="Devices that lose frames, the worst first")
def gaps(town: AllViewing, limit: Most = 20) -> GapsOut:
    """What may still come (buffered by a gateway, or held for another bridge) counts as missing until it comes."""
    missing = {state.device: (state.window.missing, state.gateway) for state in town.states().values()}
    assets = {device.dev_eui: device.asset for device in town.devices()}
    worst = sorted((eui for eui, (count, _) in missing.items() if count and eui in assets),
                   key=lambda eui: (-missing[eui][0], eui))
    by_gateway = Counter[str]()
    for count, gateway in missing.values():
        if gateway and count:
            by_gateway[gateway] += count
    return GapsOut(
        missed=sum(count for count, _ in missing.values()),
        devices=[DeviceGapsOut(device=eui, asset=assets[eui], gateway=missing[eui][1], missed=missing[eui][0])
                 for eui in worst[:limit]],
        gateways=[GatewayGapsOut(gateway=name, missed=count) for name, count in by_gateway.most_common(limit)])
