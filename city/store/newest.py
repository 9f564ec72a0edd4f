"""The newest good value of each asset, from the states in the city database: those that have not changed are not looked
at again, for in a town of ten thousand lamps a few hundred speak between two looks."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.places import Asset
from city.quantities import Quantity
from city.readings import DeviceState, from_ns, series
from city.store.ports import Store, TenantStore
from city.store.queries import Row

MOST = 16  # quantities of towns that are remembered
_Served = tuple[AssetId, DevEui, ZoneId]


@dataclass(slots=True)
class _Look:
    """What was seen of one quantity: the states, and of each served asset its row."""

    served: Sequence[_Served]
    states: Mapping[DevEui, DeviceState] = field(default_factory=dict)
    rows: list[Row | None] = field(default_factory=list)


class Newest:
    """Any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._registry = -1
        self._served: dict[TenantId, Sequence[_Served]] = {}
        self._looks: OrderedDict[tuple[TenantId, str], _Look] = OrderedDict()

    def of(self, tenant: TenantId, quantity: Quantity, zone: ZoneId | None) -> list[Row]:
        """In order of asset. A device's values are those of the asset that it serves now. Raises NotFound, StoreDown."""
        registry, town = self._store.registry_revision(), self._store.tenant(tenant)
        states, key = town.states(), series(quantity)
        with self._turn:
            served = self._assets(town, registry)
            look = self._looks.get((tenant, key))
            if look is None or look.served is not served:
                look = _Look(served, {}, [None] * len(served))
            if look.states is not states:
                look = self._looks[tenant, key] = _next(look, states, key)
            self._looks.move_to_end((tenant, key))
            while len(self._looks) > MOST:
                self._looks.popitem(last=False)
        if zone is None:
            return [row for row in look.rows if row is not None]
        return [row for row, (_, _, where) in zip(look.rows, served, strict=True) if row is not None and where == zone]

    def _assets(self, town: TenantStore, registry: int) -> Sequence[_Served]:
        if registry != self._registry:
            self._served, self._registry = {}, registry
        tenant = town.tenant.id
        if tenant not in self._served:
            self._served[tenant] = _served(town)
        return self._served[tenant]


def _next(look: _Look, states: Mapping[DevEui, DeviceState], key: str) -> _Look:
    """The same with other states."""
    before, rows = look.states, look.rows.copy()
    for index, (asset, device, _) in enumerate(look.served):
        state = states.get(device)
        if state is not before.get(device):
            known = state.last.get(key) if state is not None else None
            rows[index] = Row(from_ns(known.at_ns), known.value, asset) if known is not None else None
    return _Look(look.served, states, rows)


def _served(town: TenantStore) -> Sequence[_Served]:
    assets: tuple[Asset, ...] = (*town.luminaires(), *town.bays())
    zones = {asset.id: asset.zone for asset in assets}
    return sorted((device.asset, device.dev_eui, zones[device.asset]) for device in town.devices() if device.asset in zones)
