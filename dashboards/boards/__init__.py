"""Every board there is: one function each, from a tenant (and the address of its console) to its Board."""

from typing import Protocol

from city.ids import TenantId
from dashboards.board import Board
from dashboards.boards.device import device
from dashboards.boards.energy import energy
from dashboards.boards.lighting import lighting
from dashboards.boards.network import network
from dashboards.boards.parking import parking
from dashboards.boards.platform import platform


class Make(Protocol):
    """Makes a town's board; `console` is the base address of the operator console without a slash at the end, "" for no links."""

    __name__: str

    def __call__(self, tenant: TenantId, console: str = "") -> Board: ...


BOARDS: tuple[Make, ...] = (lighting, energy, parking, network, device)
PLATFORM = platform  # no town's
