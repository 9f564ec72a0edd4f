"""Whether the bridge can do its work: a pure function of what is seen of it. `gateway_bridge.lag` does the looking."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from city.health import Readiness, Reason, broken, span, stamp, warning

RECENT_S = 86400.0  # a loss is spoken of for a day
START_S = 30.0  # how long a first connection may take
LOW_SPACE = 500 * 2**20
LONG_LAG_S = 60.0
LONG_SHIP_LAG_S = 300.0
LONG_BATCH_S = 30.0
LONG_STATES_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How often something has happened, and when last."""

    count: int = 0
    at: datetime | None = None


NEVER = Seen()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is seen of a bridge. Moments are None where the thing has not happened; texts "" where all is well.

    `batch_s`: how long the oldest unacknowledged batch has waited. `lag_s`: of the last batch, from the network server's
    time to durable. `ship_lag_s`: age of the oldest entry that InfluxDB has not got. `free`: bytes of the log's disk.
    """

    started_at: datetime
    connected: bool = True
    disconnected_at: datetime | None = None
    broker_says: str = ""
    session_lost: Seen = NEVER
    qos0: Seen = NEVER
    watchdog: Seen = NEVER
    taken_over: Seen = NEVER
    storage_says: str = ""
    database_says: str = ""
    log_says: str = ""
    quarantined: str = ""
    dropped: int = 0
    free: int | None = None
    queued: int = 0
    over_rate: str = ""
    batch_s: float = 0.0
    lag_s: float = 0.0
    lag_at: datetime | None = None
    states_lag_s: float = 0.0
    influx_says: str = ""
    waiting: int = 0
    ship_lag_s: float = 0.0
    retention_says: str = ""


def readiness(facts: Facts, now: datetime) -> Readiness:
    """What is wrong now. Ready means: events that come are made durable and acknowledged. That InfluxDB is down, or that
    something has been lost before, is no reason to send nobody to us any more, and warns."""
    return Readiness.of([*_broker(facts, now), *_storage(facts), *_lags(facts, now), *_influx(facts), *_retention(facts)])


def _broker(facts: Facts, now: datetime) -> Iterator[Reason]:
    if not facts.connected:
        since = facts.disconnected_at or facts.started_at
        say = broken if (now - facts.started_at).total_seconds() > START_S or facts.broker_says else warning
        yield say("broker_down", since=stamp(since), what=facts.broker_says or "no answer yet")
    if _recent(facts.session_lost, now):
        yield warning("session_lost", at=stamp(facts.session_lost.at or now))
    if _recent(facts.qos0, now):
        yield warning("qos0", count=facts.qos0.count)
    for code, seen in (("watchdog", facts.watchdog), ("taken_over", facts.taken_over)):
        if _recent(seen, now):
            yield warning(code, count=seen.count, at=stamp(seen.at or now))


def _storage(facts: Facts) -> Iterator[Reason]:
    if facts.database_says:
        yield broken("database_down", what=facts.database_says)
    if facts.log_says:
        yield broken("log_refuses", what=facts.log_says)
    elif facts.storage_says and not facts.database_says:
        yield broken("storage_down", what=facts.storage_says)
    if facts.free is not None and facts.free < LOW_SPACE:
        yield warning("disk_nearly_full", free_mb=facts.free // 2**20)
    if facts.quarantined:
        yield warning("log_quarantined", what=facts.quarantined)
    if facts.dropped:
        yield warning("log_dropped", count=facts.dropped)
    if facts.batch_s > LONG_BATCH_S:
        yield broken("unacknowledged", count=facts.queued, lag=span(facts.batch_s))
    if facts.states_lag_s > LONG_STATES_S:
        yield warning("states_behind", lag=span(facts.states_lag_s))


def _lags(facts: Facts, now: datetime) -> Iterator[Reason]:
    if facts.lag_s > LONG_LAG_S and facts.lag_at is not None and (now - facts.lag_at).total_seconds() < RECENT_S / 24:
        yield warning("radio_lag", lag=span(facts.lag_s))
    if facts.over_rate:
        yield warning("town_over_rate", towns=facts.over_rate)


def _influx(facts: Facts) -> Iterator[Reason]:
    if facts.influx_says:
        yield warning("influx_held", what=facts.influx_says, waiting=facts.waiting)
    elif facts.ship_lag_s > LONG_SHIP_LAG_S:
        yield warning("influx_behind", lag=span(facts.ship_lag_s), waiting=facts.waiting)


def _retention(facts: Facts) -> Iterator[Reason]:
    if facts.retention_says:
        yield warning("retention_late", what=facts.retention_says)


def _recent(seen: Seen, now: datetime) -> bool:
    return seen.at is not None and (now - seen.at).total_seconds() < RECENT_S
