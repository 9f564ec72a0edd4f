"""Every board there is: one function each, from a tenant to its Board."""

from collections.abc import Callable

from city.ids import TenantId
from dashboards.board import Board
from dashboards.boards.lighting import lighting

BOARDS: tuple[Callable[[TenantId], Board], ...] = (lighting,)
