"""A script that breaks its limits again and again is switched off for its town, and a person is told.

Breaches are counted by frame, so that one that is delivered again is not another. A bridge that has just started counts
from the dead letters that the former one left.
"""

import logging
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from city.alarms import AlarmKind, begin
from city.errors import NotFound, ScriptBreach
from city.ids import AssetId, TenantId
from city.scripts import Script
from city.settings import Scripts
from city.store.ports import AuditLine, Facts, Store
from gateway_bridge.events import device_of
from gateway_bridge.metrics import Metrics

ACTOR = "bridge"
MOST_SEEN = 1000  # letters of a former run
MOST_ALARMS = 100_000
_EVER = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)


class Breaches:
    """The breaches of every town's scripts within the last minutes. Any thread may use it."""

    def __init__(self, store: Store, settings: Scripts, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        self._most, self._window = max(settings.breaches, 1), timedelta(minutes=settings.breach_minutes)
        self._lock = threading.Lock()
        self._times: dict[tuple[TenantId, str], dict[str, datetime]] | None = None
        self._again: dict[tuple[TenantId, str], list[datetime]] = {}

    def count(self, script: Script, asset: AssetId, key: str, error: ScriptBreach, now: datetime) -> bool:
        """Note that the frame `key` of a device at `asset` broke a limit; whether the script is off from now on.
        Raises StoreDown; the same frame may then be counted again."""
        self._metrics.breaches.labels(script.tenant, script.model).inc()
        with self._lock:
            if self._times is None:
                self._times = self._former(now)
            since = max(now - self._window, script.changed_at or _EVER)
            times = {**self._times.get((script.tenant, script.model), {}), key: now}
            times = {known: at for known, at in times.items() if at >= since}
            self._times[script.tenant, script.model] = times
            if len(times) < self._most:
                return False
            switched = self._switch_off(script, asset, error, len(times), now)
            del self._times[script.tenant, script.model]
        return switched

    def count_again(self, script: Script, now: datetime) -> None:
        """A letter that a former version could not read broke a limit of this one too. That switches nothing off."""
        self._metrics.breaches.labels(script.tenant, script.model).inc()
        with self._lock:
            self._again.setdefault((script.tenant, script.model), []).append(now)

    def again(self, script: Script, now: datetime) -> bool:
        """Whether letters have broken this version's limits so often that no more of them should be tried for now."""
        key, since = (script.tenant, script.model), max(now - self._window, script.changed_at or _EVER)
        with self._lock:
            self._again[key] = [at for at in self._again.get(key, ()) if at >= since]
            return len(self._again[key]) >= self._most

    def _switch_off(self, script: Script, asset: AssetId, error: ScriptBreach, times: int, now: datetime) -> bool:
        """First the alarm: if we die in between, the frames come again, and an alarm of a script that is on ends."""
        why = f"It broke its limits {times} times within {self._window // timedelta(minutes=1)} minutes, lastly: {error}"[:900]
        with suppress(NotFound):
            own = self._store.tenant(script.tenant)
            running = own.alarms(open_only=True, limit=MOST_ALARMS)
            if not any(alarm.asset == asset and alarm.kind is AlarmKind.SCRIPT_OFF for alarm in running):
                self._store.commit(Facts(alarms=(begin(script.tenant, asset, AlarmKind.SCRIPT_OFF, now),)))
            own.switch_script(script.model, why, ACTOR, now)
            own.audit(AuditLine(now, ACTOR, "switch codec off", f"model {script.model}", why))
            self._metrics.switched_off.labels(script.tenant, script.model).inc()
            _log.error("the script of %s in %s is switched off: %s", script.model, script.tenant, why)
            return True
        return False  # it has been removed meanwhile

    def _former(self, now: datetime) -> dict[tuple[TenantId, str], dict[str, datetime]]:
        """What the letters of a former run tell."""
        letters = {letter.id: letter for letter in self._store.all_letters(MOST_SEEN, ScriptBreach.__name__)
                   if letter.received_at >= now - self._window}
        device = {key: eui for key, letter in letters.items() if (eui := device_of(letter.topic)) is not None}
        registered = self._store.registered(set(device.values()))
        times: dict[tuple[TenantId, str], dict[str, datetime]] = {}
        for key, eui in device.items():
            if eui in registered:
                known = registered[eui]
                times.setdefault((known.tenant.id, known.device.model), {})[key] = letters[key].received_at
        return times
