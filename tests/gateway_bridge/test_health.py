"""Whether the bridge is ready, why not, and how others learn of it."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from city.clock import ManualClock
from city.errors import BrokerDown, Conflict, StoreDown
from city.health import Beat
from gateway_bridge.health import Facts, Seen, readiness
from gateway_bridge.lag import Vitals
from gateway_bridge.link import MemoryLink
from gateway_bridge.metrics import Metrics, Outcome
from gateway_bridge.serving import served
from tests.patience import PATIENCE_S
from tests.wire.servers import free_port

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)
WELL = Facts(NOW - timedelta(hours=1))


def codes(facts: Facts) -> list[tuple[str, bool]]:
    return [(reason.code, reason.broken) for reason in readiness(facts, NOW).reasons]


def test_all_is_well() -> None:
    assert readiness(WELL, NOW).ready
    assert codes(WELL) == []


@pytest.mark.parametrize(("facts", "code", "broken"), [
    (replace(WELL, connected=False, disconnected_at=NOW - timedelta(seconds=5)), "broker_down", True),
    (replace(WELL, started_at=NOW - timedelta(seconds=3), connected=False), "broker_down", False),
    (replace(WELL, started_at=NOW, connected=False, broker_says="no such user"), "broker_down", True),
    (replace(WELL, session_lost=Seen(1, NOW - timedelta(hours=3))), "session_lost", False),
    (replace(WELL, qos0=Seen(7, NOW)), "qos0", False),
    (replace(WELL, watchdog=Seen(1, NOW)), "watchdog", False),
    (replace(WELL, taken_over=Seen(1, NOW)), "taken_over", False),
    (replace(WELL, storage_says="disk full"), "storage_down", True),
    (replace(WELL, database_says="gone"), "database_down", True),
    (replace(WELL, log_says="fsync failed"), "log_refuses", True),
    (replace(WELL, free=10**8), "disk_nearly_full", False),
    (replace(WELL, quarantined="day-1"), "log_quarantined", False),
    (replace(WELL, dropped=3), "log_dropped", False),
    (replace(WELL, batch_s=31.0, queued=500), "unacknowledged", True),
    (replace(WELL, states_lag_s=61.0), "states_behind", False),
    (replace(WELL, lag_s=61.0, lag_at=NOW), "radio_lag", False),
    (replace(WELL, over_rate="aheim, bheim"), "town_over_rate", False),
    (replace(WELL, influx_says="InfluxDB does not let us in (401)", waiting=5), "influx_held", False),
    (replace(WELL, ship_lag_s=301.0, waiting=5), "influx_behind", False)])
def test_each_trouble_is_named(facts: Facts, code: str, broken: bool) -> None:
    assert codes(facts) == [(code, broken)]
    assert readiness(facts, NOW).ready is not broken
    assert "{" not in str(readiness(facts, NOW).reasons[0])


def test_what_was_lost_long_ago_is_spoken_of_no_more() -> None:
    assert codes(replace(WELL, session_lost=Seen(1, NOW - timedelta(hours=25)), qos0=Seen(1, NOW - timedelta(days=2)))) == []
    assert codes(replace(WELL, lag_s=100.0, lag_at=NOW - timedelta(hours=2))) == []


def test_what_is_broken_comes_first() -> None:
    assert codes(replace(WELL, qos0=Seen(1, NOW), log_says="x"))[0] == ("log_refuses", True)


@dataclass
class Signs:
    beats: list[Beat] = field(default_factory=list)
    down: bool = False

    def put_beat(self, beat: Beat) -> None:
        if self.down:
            raise StoreDown("The city database does not answer: {what}", what="gone")
        self.beats.append(beat)


@dataclass
class Told:
    """What a log and a shipper tell."""

    bytes: int = 4096
    free_bytes: int = 10**12
    fsyncs: int = 7
    last_commit_ms: float = 1.5
    broken: str = ""
    set_aside: tuple[str, ...] = ()
    lost: int = 0
    dropped_unshipped: int = 0
    waiting: int = 3
    lag_s: float = 4.0
    error: str = ""
    held: str = ""


class Instant(ManualClock):
    """Sleeping takes its time at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


def made(told: Told | None = None) -> tuple[Vitals, MemoryLink, Metrics, Instant, Signs]:
    link, metrics, clock, signs = MemoryLink(), Metrics(), Instant(NOW), Signs()
    told = told or Told()
    return Vitals(link, metrics, clock, name="bridge-1", signs=signs, log=lambda: told, shipping=lambda: told), link, metrics, \
        clock, signs


async def test_a_sign_of_life_bears_reasons_and_numbers() -> None:
    vitals, link, metrics, _, signs = made(Told(error="InfluxDB does not answer: x", held="unreachable"))
    link.deliver("application/a/device/b/event/up", b"", qos=0)
    metrics.take(1)
    await vitals.step()
    (beat,) = signs.beats
    assert (beat.name, beat.at) == ("bridge-1", NOW)
    assert [reason.code for reason in beat.reasons] == ["qos0", "influx_held"]
    assert beat.numbers["received"] == 1
    assert beat.numbers["rss"] > 10**6


async def test_a_database_that_is_down_is_a_reason_and_ends_nothing() -> None:
    vitals, _, _, _, signs = made()
    signs.down = True
    await vitals.step()
    assert [reason.code for reason in vitals.readiness().reasons] == ["database_down"]
    signs.down = False
    await vitals.step()
    assert vitals.readiness().ready


def test_a_broker_that_refuses_is_quoted_until_it_takes_us() -> None:
    vitals, link, _, clock, _ = made()
    link.disconnect()
    vitals.failed("listen", BrokerDown("The broker refuses us: {what}", what="Not authorized"))
    began = vitals.facts().disconnected_at
    clock.advance(100)
    assert vitals.facts().disconnected_at == began == NOW
    assert "Not authorized" in str(vitals.readiness().reasons[0])
    link.reconnect()
    assert vitals.readiness().ready


def test_storage_that_refuses_is_quoted_until_a_batch_is_kept() -> None:
    vitals, *_ = made()
    vitals.failed("ship", StoreDown("not ours"))
    assert vitals.readiness().ready
    vitals.failed("listen", StoreDown("The disk is full."))
    assert not vitals.readiness().ready
    vitals.worked("listen")
    assert vitals.readiness().ready


def test_a_log_that_cannot_be_asked_is_no_reason_to_fail() -> None:
    def refuse() -> Told:
        raise StoreDown("closed")

    vitals = Vitals(MemoryLink(), Metrics(), ManualClock(NOW), name="b", signs=Signs(), log=refuse, shipping=refuse)
    assert vitals.facts().free is None


def test_gauges_are_read_when_asked_for() -> None:
    _, link, metrics, *_ = made()
    text = metrics.text().decode()
    assert "stadtfunk_bridge_ready 1.0" in text
    assert "stadtfunk_bridge_influx_waiting 3.0" in text
    assert "stadtfunk_bridge_log_fsyncs_total 7.0" in text
    assert "stadtfunk_bridge_log_commit_seconds 0.0015" in text
    assert float(text.partition("\nstadtfunk_bridge_open_descriptors ")[2].split()[0]) > 3
    link.disconnect()
    vitals_now = metrics.text().decode()
    assert "stadtfunk_bridge_connected" not in vitals_now  # shown by Metrics.watch, not twice


def asked(port: int, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_health_is_served_beside_the_metrics() -> None:
    vitals, link, metrics, *_ = made()
    metrics.settle(Outcome(stored=2))
    port = free_port()
    with served(metrics, vitals.readiness, port):
        assert asked(port, "/healthz") == (200, '{"alive": true}\n')
        assert "stadtfunk_bridge_stored_total 2.0" in asked(port, "/metrics")[1]
        assert json.loads(asked(port, "/readyz?x")[1]) == {"ready": True, "reasons": []}
        link.disconnect()
        vitals.failed("listen", BrokerDown("no"))
        status, body = asked(port, "/readyz")
        assert status == 503
        assert json.loads(body)["reasons"][0]["code"] == "broker_down"
        assert asked(port, "/etc/passwd")[0] == 404
        with pytest.raises(Conflict), served(metrics, vitals.readiness, port):
            pass
    with pytest.raises(OSError, match="refused"):
        asked(port, "/healthz")


def test_no_port_no_server() -> None:
    with served(Metrics(), lambda: readiness(WELL, NOW), 0):
        pass
