"""The last days of each town's zones in means over quarters of an hour, read once a quarter for all who ask."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request

from api.public_view import public_history
from city.exports.sensorthings import KEPT, QUARTER, Past, by_zone
from city.ids import TenantId
from city.settings import Parking
from city.store.ports import TenantStore

MOST_TOWNS: Final = 16  # whose past is held; of others it is read again


@dataclass(frozen=True, slots=True)
class _Kept:
    quarter: datetime
    past: Past


class PastQuarters:
    """Remembers each town's last days until a quarter of an hour is over. For many threads at once."""

    def __init__(self, settings: Parking) -> None:
        self._settings = settings
        self._kept: OrderedDict[TenantId, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, town: TenantStore, now: datetime) -> Past:
        """By zone, the newest first. Whoever tells it must leave out the zones that are not public any more."""
        seconds = int(QUARTER.total_seconds())
        quarter = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, now.tzinfo)
        with self._lock:  # one reads, the others wait for it
            kept = self._kept.get(town.tenant.id)
            if kept is None or kept.quarter != quarter:
                kept = _Kept(quarter, by_zone(public_history(town, quarter - KEPT, quarter, now, self._settings)))
                self._kept[town.tenant.id] = kept
            self._kept.move_to_end(town.tenant.id)
            while len(self._kept) > MOST_TOWNS:
                self._kept.popitem(last=False)
            return kept.past


def past_quarters(request: Request) -> PastQuarters:
    """This process's PastQuarters."""
    found: PastQuarters = request.app.state.past_quarters
    return found


Recalling = Annotated[PastQuarters, Depends(past_quarters)]
