"""What the bridge tells InfluxDB of itself and of the gateways: sheets platform, letters and gateway of city.figures."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from city.airtime import BANDS
from city.budget import WINDOW, Budget, Spent, lawful_s
from city.clock import Clock
from city.errors import StoreDown
from city.figures import (
    PLATFORM_ACK_P50,
    PLATFORM_ACK_P99,
    PLATFORM_DUPLICATES,
    PLATFORM_LAG_INFLUX,
    PLATFORM_LAG_LOG,
    PLATFORM_LETTERS,
    PLATFORM_QUEUED,
    PLATFORM_RECEIVED,
    PLATFORM_STEERS,
    PLATFORM_STORED,
    PLATFORM_WAITING,
)
from city.figures_sample import Look, Spread
from city.ids import GatewayId, TenantId
from city.readings import to_ns
from city.settings import Influx, Settings
from city.store.figure_outbox import Lines, Outbox
from city.store.figure_telling import LIMITS, Process, Teller, platform_outbox
from city.store.influx import InfluxDB, open_sink
from city.store.influx_places import of_town
from city.store.ports import Store
from gateway_bridge.lag import Shipped
from gateway_bridge.metrics import Metrics
from gateway_bridge.tally import Tally, gateway_line

_BANDS = {band.letter: band for band in BANDS}  # of two rules for one sub-band the later one, which is the stricter


def bridge_teller(settings: Settings, store: Store, clock: Clock, metrics: Metrics, tally: Tally, *,
                  status: Callable[[], Shipped], steers: Callable[[], bool]) -> Teller:
    """For one bridge. `status`: how far InfluxDB is; `steers`: whether this is the bridge that does. Raises Invalid where the
    settings name no InfluxDB."""
    process = Process("bridge", settings.mqtt.client_id, BridgeLooks(metrics, status, steers).of)
    gateways = Gateways(tally, store, settings, steers)
    return Teller(clock, settings.influx.figures_s, ((process.tells, platform_outbox(settings.influx)),
                                                     (gateways.tells, towns_outbox(settings.influx))))


def towns_outbox(settings: Influx) -> Outbox:
    """To the towns' buckets, by the town's name; to the one for all of them, by any."""
    def opened(town: str) -> InfluxDB:
        return open_sink(of_town(settings, TenantId(town)), creates=settings.per_town, limits=LIMITS)

    return Outbox(opened)


class BridgeLooks:
    """What a bridge counts, beside what the system says of it."""

    def __init__(self, metrics: Metrics, status: Callable[[], Shipped], steers: Callable[[], bool]) -> None:
        self._metrics, self._status, self._steers = metrics, status, steers
        self._dated_ns = 0

    def of(self, look: Look) -> Look:
        """The same look with the bridge's own. The lag is that of a batch of this step, if there was one."""
        m, shipped = self._metrics, None
        with suppress(StoreDown):  # the log cannot be read: the loops that need it say so
            shipped = self._status()
        letters = dict(m.dead_letters)
        fresh, self._dated_ns = m.dated_ns != self._dated_ns, m.dated_ns
        counts = {PLATFORM_RECEIVED: m.received.value, PLATFORM_STORED: m.stored.value,
                  PLATFORM_DUPLICATES: m.duplicates.value, PLATFORM_LETTERS: sum(letters.values())}
        levels = {PLATFORM_QUEUED: int(m.queued.value), PLATFORM_LAG_LOG: m.lag_s.value if fresh else None,
                  PLATFORM_WAITING: shipped.waiting if shipped else None,
                  PLATFORM_LAG_INFLUX: shipped.lag_s if shipped else None, PLATFORM_STEERS: int(self._steers())}
        took = Spread(m.acknowledged_after.bounds, m.acknowledged_after.counts)
        return replace(look, counts=counts, levels=levels, letters=letters, spreads={(PLATFORM_ACK_P50, PLATFORM_ACK_P99): took})


class Gateways:
    """Tells of the gateways that the bridge's uplinks came through."""

    def __init__(self, tally: Tally, store: Store, settings: Settings, steers: Callable[[], bool]) -> None:
        self._tally, self._store, self._steers = tally, store, steers
        self._per_town = settings.influx.per_town
        self._bridge = settings.mqtt.client_id if settings.mqtt.share else ""

    def tells(self, begun: datetime, now: datetime) -> list[tuple[str, Lines]]:
        """See Tells."""
        heard, used = self._tally.take(now), self._used(now)
        found: dict[str, list[bytes]] = {}
        for one in heard:
            duty = used.get(GatewayId(one.gateway), 0.0) if used is not None else None
            said = gateway_line(one, to_ns(begun), bridge=self._bridge, duty=duty)
            if said is not None:
                found.setdefault(one.tenant if self._per_town else "", []).append(said)
        return list(found.items())

    def _used(self, now: datetime) -> Mapping[GatewayId, float] | None:
        """Known to the bridge alone that steers, for it sends the commands of all."""
        if self._steers():
            with suppress(StoreDown):  # whoever steers says that
                return duties(self._store.all_spent(now - WINDOW), now)
        return None


def duties(spent: Iterable[Spent], now: datetime) -> Mapping[GatewayId, float]:
    """Per cent of the time on air which the law allows each gateway in an hour that commands have used, in the sub-band where it
    is most. Pure."""
    its = [one for one in spent if one.band in _BANDS]
    budget, found = Budget(spent=its), dict[GatewayId, float]()
    for gateway, letter in {(one.gateway, one.band) for one in its}:
        percent = 100 * budget.used_s(gateway, _BANDS[letter], now) / lawful_s(_BANDS[letter])
        found[gateway] = max(percent, found.get(gateway, 0.0))
    return found
