"""The states of a town's devices in memory, brought up to date by revision: decoding ten thousand takes half a second.

Filled when somebody first asks for all of a town's states, so a process that never does pays nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import select

from city.ids import DevEui, TenantId
from city.readings import DeviceState
from city.store import rows, tables
from city.store.database import counted
from city.store.registry import REGISTRY, WHOLE
from city.store.scope import Scope
from city.store.shapes import Shapes

MOST = 200_000  # states of all towns together; those of the town that nobody has asked about for longest give way


@dataclass(slots=True)
class _Town:
    """`states` is never changed: who got it may keep it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    registry: int = -1  # a device that serves another asset begins anew: its state is removed
    revision: int = -1
    states: Mapping[DevEui, DeviceState] = field(default_factory=dict)


class States:
    """Any thread may ask."""

    def __init__(self, shapes: Shapes, most: int = MOST) -> None:
        self.shapes, self._most = shapes, most
        self._turn = threading.Lock()
        self._towns: OrderedDict[TenantId, _Town] = OrderedDict()

    def of(self, scope: Scope) -> Mapping[DevEui, DeviceState]:
        """All states of the scope's town as they are now; not to be changed. Raises StoreDown."""
        with self._turn:
            town = self._towns.setdefault(scope.tenant.id, _Town())
            self._towns.move_to_end(scope.tenant.id)
        with town.turn:
            states = _updated(town, scope, self.shapes)
        self._make_room()
        return states

    def _make_room(self) -> None:
        with self._turn:
            while self._towns and sum(len(town.states) for town in self._towns.values()) > self._most:
                self._towns.popitem(last=False)


def _updated(town: _Town, scope: Scope, shapes: Shapes) -> Mapping[DevEui, DeviceState]:
    table = tables.states.c
    with scope.database.read() as connection:
        registry, revision = counted(connection, WHOLE, REGISTRY), scope.revision(connection)
        if (registry, revision) == (town.registry, town.revision):
            return town.states
        known = town.states if registry == town.registry else {}
        since = town.revision if registry == town.registry else -1
        newer = connection.execute(select(table.device, table.body).where(
            table.tenant == scope.tenant.id, table.revision > since)).all()  # after the revision: what is newer comes twice
        index_of = partial(shapes.index, connection)
        town.states = {**known, **{row.device: rows.state(row.body, index_of) for row in newer}}
    town.registry, town.revision = registry, revision
    return town.states
