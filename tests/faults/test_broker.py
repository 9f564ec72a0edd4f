"""The broker restarts, dies, freezes, repeats itself and forgets: F1–F4, F17, F19, F20, F27 and F29."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.faults import invariant
from tests.faults.bridge import Bridge
from tests.faults.fleet import TOWN
from tests.faults.rig import MakeRig, Rig
from tests.faults.toxics import Bandwidth, Slicer, Timeout
from tests.faults.waiting import during, until

pytestmark = pytest.mark.wire


def test_f01_broker_restarts_cleanly(rig: Rig, long: bool) -> None:
    bridge = rig.bridge()
    rounds = 20 if long else 3
    with rig.publisher.running(rate=2000):
        for _ in range(rounds):
            rig.wait_stored(bridge, int(bridge.metrics()["stored"]) + 300)
            connections = bridge.metrics()["connections"]
            rig.broker.stop()
            rig.broker.start()
            until(lambda known=connections: bridge.metrics()["connections"] > known, 30.0, bridge.said)
            bridge.wait_connected()
    rig.wait_drained()
    counted = invariant.balance(bridge)
    assert counted["sessions_lost"] == 0, "the session is kept through a clean restart"
    assert bridge.stop() == 0
    rig.check()


def test_f02_broker_dies_and_forgets_and_that_is_said(rig: Rig) -> None:
    """Without autosave a killed broker forgets what it held for us: ours is not lost, its own loss is reported."""
    bridge = rig.bridge()
    rig.publisher.publish(400)
    rig.wait_stored(bridge, 400)
    rig.to_broker.down()
    until(lambda: not bridge.metrics()["connected"])
    rig.publisher.publish(200)  # acknowledged by the broker, and gone with it
    _kill_broker(rig)
    rig.to_broker.up()
    until(lambda: bridge.metrics()["connections"] == 2, 60.0, bridge.said)
    bridge.wait_connected()
    rig.publisher.publish(400)
    rig.wait_stored(bridge, 800)
    counted = invariant.balance(bridge)
    assert counted["sessions_lost"] == 1
    assert "meanwhile is gone" in bridge.said()
    assert bridge.stop() == 0
    rig.check(lost_by_broker=range(400, 600))
    states = rig.store.tenant(TOWN).states().values()
    assert {state.f_cnt for state in states} == {50}
    assert sum(state.window.missing for state in states) == 200, "every device's gap is counted"


def test_f02_broker_dies_and_keeps_what_it_has_saved(make_rig: MakeRig) -> None:
    rig = make_rig(broker="allow_anonymous true\nautosave_interval 1")
    bridge = rig.bridge()
    rig.publisher.publish(200)
    rig.wait_stored(bridge, 200)
    assert bridge.stop() == 0
    rig.publisher.publish(300)
    saved = rig.directory / "broker" / "mosquitto.db"
    wanted = time.time()
    until(lambda: saved.exists() and saved.stat().st_mtime > wanted + 1.0)  # a save that began after the last event
    _kill_broker(rig)
    bridge.start()
    rig.wait_stored(bridge, 300)
    assert invariant.balance(bridge)["sessions_lost"] == 0
    assert bridge.stop() == 0
    rig.check()


def test_f03_half_open_connection_is_found_out(rig: Rig, long: bool) -> None:
    keepalive_s = 10 if long else 3
    bridge = rig.bridge(mqtt_keepalive_s=keepalive_s)
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    frozen = Timeout()
    rig.to_broker.add(frozen, "up")
    rig.to_broker.add(frozen, "down")
    began, spent = time.monotonic(), bridge.cpu_s()
    rig.publisher.publish(500)
    until(lambda: not bridge.metrics()["connected"], keepalive_s * 1.5 + 2.0, bridge.said)
    during(600.0 if long else 3.0, lambda: not bridge.metrics()["connected"], every=0.25)
    assert bridge.cpu_s() - spent < 0.3 * (time.monotonic() - began), "it waits, it does not spin"
    rig.to_broker.clear()
    rig.wait_stored(bridge, 600, 90.0)
    assert bridge.stop() == 0
    rig.check()


def test_f03_the_answer_to_a_subscription_may_stand_behind_a_backlog(rig: Rig, long: bool) -> None:
    """Over a slow link what the broker has kept for us takes longer than an answer may: it is not given up meanwhile."""
    backlog = 4000 if long else 1200
    bridge = rig.bridge()
    assert bridge.stop() == 0
    rig.publisher.publish(backlog)
    with rig.to_broker.poisoned(Bandwidth(100_000)):
        bridge.launch()
        rig.wait_stored(bridge, backlog, 240.0)
        bridge.wait_connected()
    assert invariant.balance(bridge)["connections"] == 1
    assert bridge.stop() == 0
    rig.check()


def test_f04_kill_9_at_random_moments(rig: Rig, long: bool) -> None:
    """Between receipt, commit, acknowledgement and shipping: nothing lost, nothing twice, and the log opens clean."""
    kills, window = 100 if long else 4, 1000
    bridge = rig.bridge(influx_url=rig.influx_url)
    duplicates = 0.0
    with rig.publisher.running(rate=500):
        for _ in range(kills):
            until(lambda: bridge.metrics()["stored"] > 0, said=bridge.said, every=0.01)
            duplicates = max(duplicates, bridge.metrics()["duplicates"])
            # mostly between a first commit and its acknowledgement, and now and then much later: whatever was never
            # acknowledged comes again before anything else, so that else a backlog would only grow
            time.sleep(rig.random.uniform(0.0, rig.random.choice((0.15, 0.15, 3.0))))
            bridge.kill()
            bridge.launch()
    bridge.wait_connected()
    rig.wait_drained(600.0)
    duplicates = max(duplicates, invariant.balance(bridge)["duplicates"])
    until(lambda: invariant.count_shipped(rig.influx.url) == rig.publisher.sent, 600.0, bridge.said, every=0.3)
    assert bridge.stop() == 0
    rig.check()
    invariant.check(rig.publisher.acked, invariant.shipped(rig.fleet, rig.influx.url), seed=rig.seed)
    assert duplicates <= (kills + 1) * window, "at most what was on its way at each kill comes again"
    assert "corrupt" not in bridge.said(10**7)


def test_f17_repeated_and_disordered_events_are_stored_once(rig: Rig) -> None:
    bridge = rig.bridge()
    rig.publisher.publish(600)
    rig.wait_stored(bridge, 600)
    again = list(range(600)) * 2
    rig.random.shuffle(again)
    rig.publisher.again(again)
    counted = until(lambda: (now := invariant.balance(bridge))["received"] == 1800 and now, said=bridge.said)
    assert (counted["stored"], counted["duplicates"]) == (600, 1200)
    assert bridge.stop() == 0
    rig.check()
    assert rig.stored() == 600


def test_f19_acknowledgements_of_a_former_connection_are_withheld(rig: Rig) -> None:
    """The city database is locked while the connection breaks: what is done afterwards belongs to the former one."""
    bridge = rig.bridge()
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    with _locked(rig):
        rig.publisher.send(rig.fleet.topic(rig.fleet.eui(0)), b"a dead letter needs the city database")
        rig.publisher.publish(50)
        until(lambda: bridge.metrics()["queued"] > 0, said=bridge.said)
        rig.to_broker.cut()
        until(lambda: bridge.metrics()["connections"] == 2, said=bridge.said)
        bridge.wait_connected()
    rig.wait_stored(bridge, 151)
    rig.wait_drained()
    assert invariant.balance(bridge)["stale"] > 0
    rig.publisher.publish(50)
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()


def test_f20_a_window_that_is_not_acknowledged_stays_bounded_and_alive(make_rig: MakeRig) -> None:
    window = 100
    rig = make_rig(broker=f"allow_anonymous true\nmax_inflight_messages {window}")
    bridge = rig.bridge(mqtt_keepalive_s=2, mqtt_receive_maximum=window)
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    before = rig.to_broker.counts.bytes["down"]
    with _locked(rig):
        rig.publisher.send(rig.fleet.topic(rig.fleet.eui(0)), b"a dead letter needs the city database")
        rig.publisher.publish(2000)
        during(5.0, lambda: bridge.metrics()["connections"] == 1, every=0.25)
        size = len(rig.fleet.message(500)[1]) + 200
        assert rig.to_broker.counts.bytes["down"] - before < 2 * window * size, "the broker sends no more than the window"
    rig.wait_drained()
    assert invariant.balance(bridge)["connections"] == 1
    assert bridge.stop() == 0
    rig.check()


def test_f27_retained_and_qos_0_events_are_recognised(rig: Rig) -> None:
    topic, payload = rig.fleet.message(0)
    rig.publisher.send(topic, payload, retain=True)  # before anybody subscribes: it comes with the flag
    bridge = rig.bridge()
    until(lambda: bridge.metrics()["retained"] == 1, said=bridge.said)
    rig.publisher.publish(40)
    rig.publisher.send(*rig.fleet.message(41), qos=0)
    until(lambda: bridge.metrics()["received"] == 42, said=bridge.said)
    counted = invariant.balance(bridge)
    assert (counted["retained"], counted["qos0"]) == (1, 1)
    assert counted["duplicates"] + counted["dead_letters"] >= 1, "the retained event is the same uplink as number 0"
    assert bridge.stop() == 0
    rig.check()


def test_f29_sigterm_under_load_ends_in_order(rig: Rig) -> None:
    bridge = rig.bridge()
    with rig.publisher.running(rate=4000):
        rig.wait_stored(bridge, 1000)
        began = time.monotonic()
        assert bridge.stop(10.0) == 0
        assert time.monotonic() - began < 10.0
    bridge.start()
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()
    assert "Traceback" not in bridge.said(10**7)


def test_a_link_in_small_slow_pieces_changes_nothing(rig: Rig) -> None:
    bridge: Bridge = rig.bridge(start=False)
    with rig.to_broker.poisoned(Slicer(700, 600, 0.0005)):
        bridge.start()
        rig.publisher.publish(500)
        rig.wait_stored(bridge, 500, 60.0)
    assert bridge.stop() == 0
    rig.check()


def _kill_broker(rig: Rig) -> None:
    process = rig.broker._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    rig.publisher.close()
    rig.broker.start()


@contextmanager
def _locked(rig: Rig) -> Iterator[None]:
    """Nobody else can write the city database."""
    with closing(sqlite3.connect(rig.directory / "city.db", timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
