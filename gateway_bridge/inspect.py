"""The loop that looks after a town's lamps: every five minutes what they have said is judged, and incidents begin and end.

The judging is city.inspecting's, pure; here is where it gets its facts from and where its memory is kept: in this process, and
in the city database every quarter of an hour and at the end, so that another process, or the next one, goes on from there. Of
several bridges the one that steers looks.
"""

import asyncio
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from city.clock import Clock
from city.errors import Invalid, LeaseLost
from city.faults import Want
from city.ids import TenantId
from city.inspecting import Found, Inspected, Lamp, inspect, packed, unpacked
from city.orders import StatusInterval
from city.orders import from_json as order_from_json
from city.places import Luminaire, Supply, Tenant
from city.readings import NS, to_ns
from city.store.ports import Facts, Known, Lease, Store, TenantStore
from city.wants import Wants
from decoders.catalog import catalog
from gateway_bridge.memory import Memory
from gateway_bridge.waiting import WAIT_S, unbroken

EVERY_S = 300.0
SAVE_EVERY = timedelta(minutes=15)
LARGEST = 256 * 2**20  # bytes of a memory when it is unpacked
OTHERS = 10_000  # open alarms of assets that are no lamps, at most

_log = logging.getLogger(__name__)


class Inspector:
    """Looks at all towns, one after the other."""

    def __init__(self, store: Store, memory: Memory, clock: Clock, turn: asyncio.Lock,
                 lease: Callable[[], tuple[bool, Lease | None]]) -> None:
        """`lease`: whether this process is the one that looks, and under which lease. `turn` and `memory` are shared with the
        loops of the same process that change states."""
        self._store, self._memory, self._clock, self._turn, self._lease = store, memory, clock, turn, lease
        self._towns: dict[TenantId, Inspected] = {}
        self._saved: dict[TenantId, datetime] = {}

    async def step(self) -> int:
        """One look at every town; returns how many alarms and incidents have changed. Raises StoreDown."""
        ours, lease = self._lease()
        if not ours:
            self._towns.clear()
            return 0
        changed = 0
        for town in await asyncio.to_thread(self._store.tenants):
            try:
                changed += await unbroken(self._look(town, lease))
            except LeaseLost as error:
                _log.warning("%s", error)
                self._towns.clear()
                break
        return changed

    def save(self) -> None:
        """Keep what is remembered, at the end. Raises StoreDown."""
        ours, lease = self._lease()
        for tenant in self._towns if ours else ():
            self._keep(tenant, self._clock.now(), lease)

    async def _look(self, town: Tenant, lease: Lease | None) -> int:
        async with self._turn:
            known = [one for one in self._memory.everything() if one.tenant.id == town.id]
        now = self._clock.now()
        found = await asyncio.to_thread(self._judge, town, known, now)
        async with self._turn:
            await unbroken(asyncio.to_thread(self._commit, town.id, found, lease))
        if now - self._saved.setdefault(town.id, now) >= SAVE_EVERY:
            await asyncio.to_thread(self._keep, town.id, now, lease)
        return len(found.alarms) + len(found.incidents)

    def _judge(self, town: Tenant, known: Sequence[Known], now: datetime) -> Found:
        store = self._store.tenant(town.id)
        return look(store, self._remembered(store), known, now)

    def _remembered(self, store: TenantStore) -> Inspected:
        tenant = store.tenant.id
        if tenant not in self._towns:
            body, learnt = self._store.inspection(tenant), store.learnt()
            self._towns[tenant] = Inspected(learnt=learnt) if body is None else unpacked(_inflated(body), learnt)
        return self._towns[tenant]

    def _commit(self, tenant: TenantId, found: Found, lease: Lease | None) -> None:
        if found.alarms:
            facts = Facts(alarms=found.alarms)
            revisions = self._store.commit(facts) if lease is None else \
                self._store.commit_as(lease, facts, wait_s=WAIT_S)
            self._memory.committed(facts, revisions)
        self._store.put_incidents(tenant, found.incidents, lease=lease)
        if found.learnt is not None:
            self._store.put_learnt(tenant, found.learnt, lease=lease)

    def _keep(self, tenant: TenantId, now: datetime, lease: Lease | None) -> None:
        body = zlib.compress(packed(self._towns[tenant]), 1)
        self._store.put_inspection(tenant, body, now, lease=lease)
        self._saved[tenant] = now


def look(store: TenantStore, memory: Inspected, known: Sequence[Known], now: datetime) -> Found:
    """One look at a town, of whose devices this is `known`; `memory` is brought up to date."""
    wants = Wants(store.programming(), store.overrides(now), now)
    fed = frozenset(one.id for one in store.circuits() if one.supply is Supply.NIGHT)
    lamps = lamps_of(known)
    others = [alarm for one in known if not isinstance(one.asset, Luminaire) for alarm in one.alarms if alarm.open]
    return inspect(store.tenant.id, memory, lamps, others[:OTHERS], store.incidents(limit=100_000), site=store.tenant.site,
                   want=lambda lamp: wanted(wants, lamp), night_fed=fed, now=now)


def lamps_of(known: Sequence[Known]) -> list[Lamp]:
    """The lamps among these devices, as the inspection sees them."""
    ours, found = catalog(), []
    for one in known:
        if isinstance(one.asset, Luminaire):
            codec = ours.get(one.device.model)
            found.append(Lamp(one.asset, one.state, one.alarms, interval_ns(one.state.config),
                              codec is not None and codec.abilities.dims))
    return found


def wanted(wants: Wants, lamp: Luminaire) -> Want:
    """The level that is wanted of a lamp, and since when."""
    found = wants.of(lamp)
    return Want(found.level, to_ns(found.since), found.reason == "override")


def interval_ns(config: Mapping[str, str]) -> int:
    """How often a lamp reports, as it has confirmed; 0 where it has not."""
    return _interval_s(config.get(StatusInterval.__name__, "")) * NS


@lru_cache(maxsize=4096)
def _interval_s(confirmed: str) -> int:
    try:
        interval = order_from_json(confirmed)
    except (Invalid, msgspec.DecodeError):
        return 0
    return interval.seconds if isinstance(interval, StatusInterval) else 0


def _inflated(body: bytes) -> bytes:
    """Never more than LARGEST: what does not fit is no memory of ours."""
    try:
        return zlib.decompressobj().decompress(body, LARGEST)
    except zlib.error:
        return b""
