"""Quarters of an hour of parking, from the city database to InfluxDB's bucket of long memory: by the bridge that steers.

Quarters are booked a minute and a half after they are over, and again for some hours where something comes late. So all that may
still change is looked at every few minutes, and what has changed is sent. Whatever is older has been sent when the position of
its town is past it; that stands in a file beside the log, for each InfluxDB. A bridge that has none, because it steers for the
first time or writes to a new InfluxDB, begins with the oldest quarter that there is: points that are there already stay as they
are, so several bridges make no duplicates, and what one of them has not sent the next one does.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from city.clock import Clock
from city.errors import StoreDown, Unavailable
from city.ids import TenantId
from city.parking_counting import KEEP_NS
from city.parking_display import ZoneRules
from city.readings import NS
from city.retention import QUARTERS
from city.settings import Parking
from city.store.influx import InfluxHeld, RejectedLines, Sink
from city.store.influx_towns import TownsHeld
from city.store.ports import Lease, Store
from city.store.quarter_lines import quarter_lines
from gateway_bridge.sift import Line, sift

FILE = "quarters.json"
MAX_BYTES = 4 * 2**20
LOOK_EVERY_S, IDLE_S = 300.0, 30.0
DAY, MAY_CHANGE = timedelta(days=1), timedelta(seconds=KEEP_NS // NS + 900)
LINES = 5000

_log = logging.getLogger(__name__)


class QuarterShipper:
    """Sends for all towns. `step` blocks and belongs to one loop."""

    def __init__(self, store: Store, sink: Sink, clock: Clock, rules: Parking, *, directory: Path, cursor: str,
                 lease: Callable[[], tuple[bool, Lease | None]]) -> None:
        """`cursor` names the InfluxDB; `lease`: whether this process is the one that sends."""
        self._store, self._sink, self._clock, self._lease = store, sink, clock, lease
        self._rules, self._path, self._cursor = ZoneRules.of(rules), directory / FILE, cursor
        self._positions: dict[TenantId, datetime] | None = None
        self._sent: dict[TenantId, frozenset[bytes]] = {}  # of the quarters that may still change
        self.held = self.error = ""
        self.lines = self.refused = 0

    def step(self) -> float:
        """Send a day of each town at most; returns in how many seconds there may be more. Raises InfluxDown or StoreDown:
        nothing is lost."""
        if not self._lease()[0]:
            self._sent.clear()
            self._positions = None  # whoever steers meanwhile sends; what is known here grows old
            return IDLE_S
        try:
            more, held = self._step(self._clock.now())
            if held is not None and not more:
                raise held
        except Unavailable as error:
            self.error, self.held = str(error), error.held if isinstance(error, InfluxHeld) else ""
            raise
        self.error, self.held = (str(held), held.held) if held else ("", "")
        return 0.0 if more else LOOK_EVERY_S

    def _step(self, now: datetime) -> tuple[bool, TownsHeld | None]:
        """Whether there is more, and which towns' buckets take nothing: the others do not wait for these."""
        positions, held, more = self._known(), dict[TenantId, InfluxHeld](), False
        for tenant in [town.id for town in self._store.tenants()]:
            try:
                more = self._town(tenant, now, positions) or more
            except TownsHeld as error:
                held |= error.towns
        return more, TownsHeld(held) if held else None

    def _town(self, tenant: TenantId, now: datetime, positions: dict[TenantId, datetime]) -> bool:
        """Whether there is more."""
        settled = now - MAY_CHANGE
        start = positions.get(tenant) or self._store.oldest(tenant, QUARTERS)
        if start is None:
            return False
        end = min(start + DAY, now) if start < settled else now
        town = self._store.tenant(tenant)
        found = quarter_lines(tenant, town.quarters(start, end), town.parking_sites(), self._rules)
        before = self._sent.get(tenant, frozenset())
        self._send(tenant, [line for line in found if line not in before])
        self._sent[tenant] = frozenset(found) if end == now else frozenset()
        reached = min(end, max(settled, start))
        if reached > start or tenant not in positions:
            positions[tenant] = reached
            self._save(positions)
        return end < now

    def _send(self, tenant: TenantId, lines: Sequence[bytes]) -> None:
        for begin in range(0, len(lines), LINES):
            part = lines[begin:begin + LINES]
            try:
                self._sink.write(part)
            except RejectedLines:
                sifted = sift([Line(line, tenant) for line in part], self._sink.write)
                if sifted.refused:
                    self.refused += len(sifted.refused)
                    _log.warning("InfluxDB refused %d quarters of parking: %s", len(sifted.refused), sifted.refused[0][1])
            self.lines += len(part)

    def _known(self) -> dict[TenantId, datetime]:
        """Up to when each town's quarters have been sent to this InfluxDB for good. Raises StoreDown."""
        if self._positions is None:
            self._positions = self._saved()
        return self._positions

    def _saved(self) -> dict[TenantId, datetime]:
        try:
            with self._path.open("rb") as file:
                said = json.loads(file.read(MAX_BYTES))
            if said["cursor"] != self._cursor:
                return {}
            return {TenantId(name): datetime.fromtimestamp(int(at), UTC) for name, at in said["sent"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            _log.warning("%s cannot be read (%s): all quarters of parking are sent again.", self._path, error)
            return {}
        except OSError as error:
            raise _unusable(error) from error

    def _save(self, positions: dict[TenantId, datetime]) -> None:
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"cursor": self._cursor, "sent": {name: int(at.timestamp()) for name, at in positions.items()}}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise _unusable(error) from error


def _unusable(error: OSError) -> StoreDown:
    return StoreDown("The local log cannot be used: {what}", what=str(error))
