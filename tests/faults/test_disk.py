"""The disk loses power, fills up, rots and breaks: F5, F14–F16."""

import os
from pathlib import Path

import pytest

from tests.faults import invariant
from tests.faults.disk import Disk
from tests.faults.rig import Rig
from tests.faults.waiting import during, until

pytestmark = pytest.mark.wire


def test_f05_power_cut(rig: Rig, tmp_path: Path, long: bool) -> None:
    """kill -9, and every byte that was not synced is gone: what the bridge acknowledged is still there."""
    bridge = rig.bridge(start=False)
    disk = Disk(tmp_path / "disk", bridge.directory)
    disk.under(bridge, shadow=True)
    for _ in range(10 if long else 2):
        bridge.start(60.0)
        with rig.publisher.running(rate=400):
            rig.wait_stored(bridge, 200 + rig.random.randrange(200))
            bridge.kill()
        disk.cut_power()
    bridge.start(60.0)
    rig.wait_drained()
    invariant.balance(bridge)
    assert bridge.stop() == 0
    rig.check()


def test_f14_disk_full_stops_acknowledging_and_goes_on_by_itself(rig: Rig, tmp_path: Path, long: bool) -> None:
    bridge = rig.bridge(start=False)
    disk = Disk(tmp_path / "disk", bridge.log_directory)
    disk.under(bridge)
    bridge.start()
    rig.publisher.publish(200)
    rig.wait_stored(bridge, 200)
    process = bridge.pid
    with disk.failing("write ENOSPC"):
        rig.publisher.publish(500)
        until(lambda: bridge.metrics()["failures"] > 0, said=bridge.said)
        during(60.0 if long else 3.0, lambda: bridge.running and bridge.metrics()["stored"] == 200)
        until(lambda: bridge.page("readyz")[0] == 503, said=bridge.said)
    rig.wait_stored(bridge, 700, 90.0)
    until(lambda: bridge.page("readyz")[0] == 200, 60.0, said=bridge.said)
    assert bridge.pid == process
    assert bridge.running, "no crash loop"
    assert bridge.stop() == 0
    rig.check()


def test_f15_rotten_bytes_are_set_aside_and_said(rig: Rig) -> None:
    bridge = rig.bridge()
    rig.publisher.publish(1000)
    rig.wait_stored(bridge, 1000)
    assert bridge.stop() == 0
    _rot(max(bridge.log_directory.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0), rig)
    bridge.start()
    until(lambda: "set aside" in bridge.said(10**6), said=bridge.said)
    assert any((bridge.log_directory / "quarantine").iterdir())
    rig.publisher.publish(300)
    rig.wait_stored(bridge, 300)
    assert bridge.stop() == 0
    kept = invariant.stored(rig.fleet, [bridge.log_directory])
    assert set(kept) >= set(range(1000, 1300)), "what came afterwards is there"
    assert max(kept.values()) == 1


def test_f16_never_acknowledges_what_could_not_be_synced(rig: Rig, tmp_path: Path) -> None:
    bridge = rig.bridge(start=False)
    disk = Disk(tmp_path / "disk", bridge.log_directory)
    disk.under(bridge)
    bridge.start()
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    for fault in ("write EROFS", "fsync EIO"):
        with disk.failing(fault):
            rig.publisher.publish(100)
            if fault.startswith("fsync"):  # what the system said was written may be gone: only a new process may go on
                until(lambda: not bridge.running, said=bridge.said)
                assert bridge.wait(1.0) != 0
            else:
                until(lambda: bridge.metrics()["failures"] > 0, said=bridge.said)
                during(1.0, lambda: bridge.metrics()["stored"] == 100)
        if not bridge.running:  # as a supervisor would
            bridge.start()
        until(lambda: rig.stored() == rig.publisher.sent, 60.0, bridge.said, every=0.2)
    bridge.kill()
    bridge.start()
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()


def _rot(path: Path, rig: Rig) -> None:
    """Some bytes in the middle of the file are others."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(20):
            at = rig.random.randrange(size // 10, size * 9 // 10)
            file.seek(at)
            found = file.read(32)
            file.seek(at)
            file.write(bytes(byte ^ 0xA5 for byte in found))
