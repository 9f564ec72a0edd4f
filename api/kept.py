"""What many ask for and costs much to read: of each town once for a while. The last days of its zones for a quarter of an hour,
how bright its streets are for a minute."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Request

from api.public_view import public_history
from city.exports.sensorthings import KEPT, QUARTER, Past, by_zone
from city.exports.sta_lighting import ZoneLight, zone_lights
from city.ids import TenantId
from city.quantities import LAMP_LEVEL
from city.readings import from_ns
from city.settings import Parking
from city.store.ports import TenantStore

MOST_TOWNS: Final = 16  # of whom something is held; of others it is read again
T = TypeVar("T")


class PerTown(Generic[T]):
    """Remembers what `make` finds of a town, as of a full `step` of time, until the next one. For many threads at once."""

    def __init__(self, make: Callable[[TenantStore, datetime], T], step: timedelta) -> None:
        self._make, self._seconds = make, int(step.total_seconds())
        self._kept: OrderedDict[TenantId, tuple[datetime, T]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, town: TenantStore, now: datetime) -> T:
        """As of the beginning of the step that `now` is in."""
        at = datetime.fromtimestamp(int(now.timestamp()) // self._seconds * self._seconds, now.tzinfo)
        with self._lock:  # one reads, the others wait for it
            kept = self._kept.get(town.tenant.id)
            if kept is None or kept[0] != at:
                kept = self._kept[town.tenant.id] = at, self._make(town, at)
            self._kept.move_to_end(town.tenant.id)
            while len(self._kept) > MOST_TOWNS:
                self._kept.popitem(last=False)
            return kept[1]


class Kept:
    """This process's PerTowns. Whoever tells the past must leave out the zones that are not public any more."""

    def __init__(self, settings: Parking) -> None:
        def read(town: TenantStore, at: datetime) -> Past:
            return by_zone(public_history(town, at - KEPT, at, at, settings))

        self.past = PerTown[Past](read, QUARTER)
        self.lights = PerTown[Sequence[ZoneLight]](_lights, timedelta(minutes=1))


def kept(request: Request) -> Kept:
    """This process's Kept."""
    found: Kept = request.app.state.kept
    return found


Keeping = Annotated[Kept, Depends(kept)]


def _lights(town: TenantStore, at: datetime) -> Sequence[ZoneLight]:
    states = town.states()
    said = {device.asset: state.last.get(LAMP_LEVEL.name) for device in town.devices()
            if (state := states.get(device.dev_eui)) is not None}
    levels = {asset: (float(last.value), from_ns(last.at_ns)) for asset, last in said.items() if last is not None}
    return zone_lights(town.zones(), town.luminaires(), levels, at)
