"""F30: hours of events with a random fault every few seconds; and the figures of a bridge that lasts: memory, descriptors
and threads are as they were.

One minute in everyday runs; 20 with --long; --soak-minutes 1440 for a day. The seed says which fault came when.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults import invariant
from tests.faults.bridge import Bridge
from tests.faults.disk import Disk
from tests.faults.fleet import Fleet
from tests.faults.rig import MakeRig, Rig
from tests.faults.toxics import Bandwidth, Latency, LimitData, ResetPeer, Slicer, Timeout, Toxic
from tests.faults.waiting import during, until

pytestmark = pytest.mark.wire
LAMPS = 500
POOL = min(32, (os.cpu_count() or 1) + 4) + 4  # asyncio's own threads come as they are needed, and a request's end with it


class Soak:
    """What is done to the rig; every method is one fault, and leaves everything mended."""

    def __init__(self, rig: Rig, bridge: Bridge, disk: Disk) -> None:
        self.rig, self.bridge, self._disk = rig, bridge, disk
        self.gentle: list[Callable[[], None]] = [
            self.broker_restarts, self.broker_is_cut, self.broker_is_half_open, self.broker_is_slow, self.broker_in_pieces,
            self.influx_is_down, self.influx_is_slow, self.influx_hangs, self.influx_resets, self.influx_cuts_off,
            self.influx_dies, self.disk_is_full, self.database_is_locked]
        self.deadly = [self.bridge_is_killed, self.bridge_is_restarted, self.sync_fails]

    def broker_restarts(self) -> None:
        self.rig.broker.stop()
        self.rig.broker.start()

    def broker_is_cut(self) -> None:
        self.rig.to_broker.cut()

    def broker_is_half_open(self) -> None:
        self._poison(self.rig.to_broker, Timeout())

    def broker_is_slow(self) -> None:
        self._poison(self.rig.to_broker, Latency(0.3, 0.2))

    def broker_in_pieces(self) -> None:
        self._poison(self.rig.to_broker, Slicer(2000, 1900))

    def influx_is_down(self) -> None:
        self.rig.to_influx.down()
        self._last()
        self.rig.to_influx.up()

    def influx_is_slow(self) -> None:
        self._poison(self.rig.to_influx, Bandwidth(200_000), "up")

    def influx_hangs(self) -> None:
        self._poison(self.rig.to_influx, Timeout())

    def influx_resets(self) -> None:
        self._poison(self.rig.to_influx, ResetPeer())

    def influx_cuts_off(self) -> None:
        self._poison(self.rig.to_influx, LimitData(5000), "up")

    def influx_dies(self) -> None:
        self.rig.influx.kill()
        self.rig.influx.start()

    def disk_is_full(self) -> None:
        with self._disk.failing("write ENOSPC"):
            self._last()

    def sync_fails(self) -> None:
        with self._disk.failing("fsync EIO"):
            until(lambda: not self.bridge.running, said=self.bridge.said)
        self.bridge.launch()

    def database_is_locked(self) -> None:
        with closing(sqlite3.connect(self.rig.directory / "city.db", timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._last()
            connection.execute("ROLLBACK")

    def bridge_is_killed(self) -> None:
        self.bridge.kill()
        self.bridge.launch()

    def bridge_is_restarted(self) -> None:
        assert self.bridge.stop(20.0) == 0
        self.bridge.launch()

    def _poison(self, where: object, toxic: Toxic, way: str = "down") -> None:
        with where.poisoned(toxic, way):  # type: ignore[attr-defined]
            self._last()

    def _last(self) -> None:
        """A fault takes a while."""
        during(self.rig.random.uniform(0.5, 3.0), lambda: True)


def test_f30_soak(make_rig: MakeRig, tmp_path: Path, long: bool, request: pytest.FixtureRequest) -> None:
    minutes = request.config.getoption("--soak-minutes") or (20.0 if long else 0.75)
    rate, every = (500, 10.0) if long else (200, 5.0)
    rig = make_rig(fleet=Fleet(LAMPS, step_ms=2))
    bridge = rig.bridge(start=False, influx_url=rig.influx_url, mqtt_keepalive_s=4)
    disk = Disk(tmp_path / "disk", bridge.log_directory)
    disk.under(bridge)
    bridge.start()
    soak = Soak(rig, bridge, disk)
    with rig.publisher.running(rate=rate):
        _faults(soak, soak.gentle + soak.deadly, minutes * 60 / 3, every)
        _mended(soak, rate)  # from here on the same process lives
        before = (bridge.pid, bridge.rss_mb(), bridge.descriptors(), bridge.threads())
        _faults(soak, soak.gentle, minutes * 60 * 2 / 3, every)
        _mended(soak, rate)
        after = (bridge.pid, bridge.rss_mb(), bridge.descriptors(), bridge.threads())
    bridge.wait_connected(90.0)
    rig.wait_drained(180.0)
    counted = invariant.balance(bridge, 60.0)
    until(lambda: invariant.count_shipped(rig.influx.url) >= len(rig.publisher.acked), 180.0, bridge.said, every=0.5)
    invariant.check(rig.publisher.acked, invariant.shipped(rig.fleet, rig.influx.url), seed=rig.seed)
    until(lambda: bridge.threads() <= before[3] + POOL, said=lambda: f"{bridge.threads()} threads, {before[3]} before")
    print(f"{rig.publisher.sent} events, before {before}, after {after}, {dict(counted)}")  # noqa: T201 - what must be shown
    assert bridge.stop() == 0
    rig.check()
    assert before[0] == after[0], "no fault of the gentle ones ends the bridge"
    assert after[1] < before[1] * 1.15 + 12.0, "memory is flat"
    assert after[2] <= before[2] + 12, "descriptors are flat"


def _faults(soak: Soak, faults: list[Callable[[], None]], seconds: float, every: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault, began = soak.rig.random.choice(faults), time.monotonic()
        print(f"{end - began:7.1f} s left: {fault.__name__}")  # noqa: T201 - shown where the test fails
        fault()
        during(max(0.0, every - (time.monotonic() - began)), lambda: soak.bridge.running, every=0.2)


def _mended(soak: Soak, rate: int) -> None:
    """Connected, and no further behind than a moment's events: what is measured now is its usual state."""
    bridge = soak.bridge
    bridge.wait_connected(90.0)
    acked = len(soak.rig.publisher.acked)
    until(lambda: soak.rig.stored() >= acked, 120.0, bridge.said, every=max(0.5, acked / 100_000))
    assert bridge.metrics()["queued"] <= 10 * rate
