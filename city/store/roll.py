"""The lamps and devices of towns in memory, for as long as the registry does not change: reading twenty thousand of them
takes most of a second, and nearly everything that people ask for begins with them.

Filled when somebody first asks, so a process that never does pays nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection

from city.ids import TenantId
from city.store.database import counted
from city.store.scope import Scope

What = Literal["lamps", "devices"]
MOST = 200_000  # of all towns together; what nobody has asked about for longest gives way
WHOLE, REGISTRY = "", "registry"  # the counter of the registry of all towns: processes compare it with what they remember
_T = TypeVar("_T")


class Roll:
    """Any thread may ask."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._turn = threading.Lock()
        self._known: OrderedDict[tuple[TenantId, What], tuple[int, tuple[Any, ...]]] = OrderedDict()

    def of(self, scope: Scope, what: What, read: Callable[[Connection], Iterable[_T]]) -> list[_T]:
        """All of the scope's town as they are now, by `read` where that is not known. Raises StoreDown."""
        key = scope.tenant.id, what
        with scope.database.read() as connection:
            registry = counted(connection, WHOLE, REGISTRY)  # before the rows: what is newer is read once more
            known = self._known.get(key)
            found = known[1] if known is not None and known[0] == registry else tuple(read(connection))
        self._keep(key, registry, found)
        return list(found)

    def _keep(self, key: tuple[TenantId, What], registry: int, found: tuple[Any, ...]) -> None:
        with self._turn:
            self._known[key] = registry, found
            self._known.move_to_end(key)
            while len(self._known) > 1 and sum(len(rows) for _, rows in self._known.values()) > self._most:
                self._known.popitem(last=False)
