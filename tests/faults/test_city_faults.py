"""The city around the bridge misbehaves: two bridges, wrong clocks, deaf lamps, a locked database, no Grafana: F18, F21,
F28, F31 and F32."""

import json
import re
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from city.commands import Command, State
from city.groups import Kind, Target
from city.ids import OverrideId
from city.lighting import Override
from city.store.readings import LocalLog
from tests.faults import invariant
from tests.faults.bridge import ROOT, Bridge
from tests.faults.clock import FakeClock
from tests.faults.fleet import TOWN, Fleet
from tests.faults.publisher import listener
from tests.faults.rig import MakeRig, Rig
from tests.faults.waiting import during, until
from tests.wire.servers import free_port, stop

pytestmark = pytest.mark.wire
DOWN = "application/+/device/+/command/down"


def _wish(rig: Rig, now: datetime, kind: Kind, name: str) -> None:
    rig.store.tenant(TOWN).add_override(Override(OverrideId("wish"), TOWN, 40, now, now + timedelta(hours=1), "", "ada", now,
                                                 (Target(kind, name),)))


def _wished(rig: Rig) -> list[Command]:
    """The commands of the wish, the first one first."""
    made = [one for one in rig.store.tenant(TOWN).commands(limit=10_000) if one.origin.startswith("override:")]
    return sorted(made, key=lambda one: one.created_at)


def test_f18_two_bridges_share_the_work_and_command_once(make_rig: MakeRig, postgres: Callable[[], str]) -> None:
    rig = make_rig(database=postgres())
    bridges = [rig.bridge(name, mqtt_share="town", mqtt_client_id=f"bridge-{name}", influx_url="") for name in ("one", "two")]
    rig.publisher.publish(2000)
    rig.wait_drained()
    parts = [len(invariant.stored(rig.fleet, [bridge.log_directory])) for bridge in bridges]
    assert min(parts) > 200, f"both work: {parts}"
    with listener(rig.broker.port, DOWN) as commands:
        _wish(rig, datetime.now(UTC), "lamp", rig.fleet.asset(0))
        until(lambda: any(json.loads(payload)["devEui"] == rig.fleet.eui(0) for _, payload in list(commands.heard)), 60.0)
        during(3.0, lambda: True)
        ids = [json.loads(payload)["id"] for _, payload in commands.heard]
    assert len(ids) == len(set(ids)), "one command path"
    assert len(_wished(rig)) == 1
    assert [bridge.stop() for bridge in bridges] == [0, 0]
    rig.check()


def test_f21_clock_jumps_dates_and_a_boot_in_1970(rig: Rig, tmp_path: Path) -> None:
    """Events keep the network server's time; timers do not care; what comes from a future that cannot be is kept, and read
    when the clock is right again."""
    clock, bridge = FakeClock(tmp_path / "clock"), rig.bridge(start=False)
    clock.under(bridge)
    bridge.start()
    moments = [datetime.now(UTC) - timedelta(minutes=50), datetime.now(UTC) + timedelta(hours=1),
               datetime(2028, 2, 29, 23, 59, 57, tzinfo=UTC), datetime(2028, 10, 29, 0, 59, 57, tzinfo=UTC)]
    fleets = []
    for number, moment in enumerate(moments):
        clock.turn_to(moment)
        fleets.append(Fleet(rig.fleet.size, datetime.now(UTC) if number < 2 else moment, first=1 + number * 10, step_ms=25))
        rig.publish_as(fleets[-1]).publish(200)
        rig.wait_stored(bridge, 200 * (number + 1))
    assert bridge.metrics()["connections"] == 1, "keep-alive and back-off count seconds, not dates"
    assert rig.store.count_letters() == {}, "an hour ahead or behind is no reason to reject anything"
    clock.turn_to(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    fleets.append(Fleet(rig.fleet.size, moments[-1] + timedelta(minutes=5), first=1000))
    rig.publish_as(fleets[-1]).publish(200)
    until(lambda: bridge.metrics()["dead_letters"] >= 200, said=bridge.said)
    assert bridge.running
    assert bridge.stop() == 0
    clock.turn_to(moments[-1] + timedelta(minutes=10))
    _replay(bridge)
    assert rig.store.count_letters() == {}
    assert _times(bridge) == {fleet.at_ns(number) for fleet in fleets for number in range(200)}
    assert "Traceback" not in bridge.said(10**7)


def test_f28_a_deaf_lamp_and_a_dead_broker_end_in_a_state_with_a_reason(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig(devices=3)
    clock, bridge = FakeClock(tmp_path / "clock"), rig.bridge(start=False)
    clock.under(bridge)
    bridge.start()
    fresh = rig.publish_as(Fleet(3, datetime.now(UTC)))
    fresh.publish(3)
    rig.wait_stored(bridge, 3)
    with listener(rig.broker.port, DOWN) as downs:
        _wish(rig, clock.now(), "lamp", "L-0")
        until(lambda: _told(rig, downs.heard), 60.0, bridge.said)
        rig.broker.stop()  # after it has taken the command; no gateway ever says that it sent it
        rig.broker.start()
        bridge.wait_connected(60.0)

        def ended() -> Command | None:
            clock.advance(20.0)
            first = _wished(rig)[0]
            return None if first.state.live else first

        command = until(ended, 60.0, bridge.said, every=0.5)
        assert command is not None
        attempts = [down for down in _told(rig, downs.heard) if down["id"].startswith(command.id) or True]
    assert command.state in (State.FAILED, State.EXPIRED)
    assert command.note or command.state is State.EXPIRED
    assert 1 <= command.attempts <= 5, "tried again, but not for ever"
    assert len({down["data"] for down in attempts if down["fPort"] == attempts[0]["fPort"]}) <= 2, "the same order each time"
    assert bridge.stop() == 0


def test_f28_a_whole_zone_at_sunset_is_told_in_an_orderly_way(make_rig: MakeRig) -> None:
    lamps, at_once = 60, 15
    rig = make_rig(fleet=Fleet(lamps, datetime.now(UTC)))
    # nobody tells when one has been sent
    bridge = rig.bridge(bridge_frames_per_tick=at_once, chirpstack_rx2_dr=5, bridge_outstanding=lamps)
    rig.publisher.publish(lamps)
    rig.wait_stored(bridge, lamps)
    with listener(rig.broker.port, DOWN) as downs:
        _wish(rig, datetime.now(UTC), "zone", "nord")
        until(lambda: downs.heard, 60.0, bridge.said, every=0.01)
        began = time.monotonic()
        until(lambda: len({topic for topic, _ in list(downs.heard)}) == lamps, 60.0, bridge.said, every=0.01)
        assert time.monotonic() - began > (lamps / at_once - 2), "not all at once: gateways may send only so much"
        ids = [json.loads(payload)["id"] for _, payload in downs.heard]
    assert len(ids) == len(set(ids))
    assert bridge.stop() == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_f31_a_locked_city_database_stops_no_readings_and_hangs_no_page(make_rig: MakeRig, kind: str,
                                                                        request: pytest.FixtureRequest) -> None:
    rig = make_rig(database="" if kind == "sqlite" else request.getfixturevalue("postgres")())
    bridge = rig.bridge()
    rig.publisher.publish(200)
    rig.wait_stored(bridge, 200)
    with _api(rig, bridge) as ask, _locked(rig):
        rig.publisher.publish(600)
        # PostgreSQL's locks keep readers out, too: some questions may first run into their limit of 10 s each
        rig.wait_stored(bridge, 800, 8.0 if kind == "sqlite" else 45.0)
        began = time.monotonic()
        assert ask("/luminaires/L-0/override", {"level": 40, "minutes": 10, "reason": "test"}) == 503
        assert time.monotonic() - began < 25.0
    rig.wait_drained()
    invariant.balance(bridge)
    assert bridge.stop() == 0
    rig.check()


def test_f32_without_grafana_nothing_stops_and_its_files_are_the_same_each_time(rig: Rig) -> None:
    """Grafana sets itself up from files, so that its being down or new never reaches us: it reads them when it is back."""
    bridge = rig.bridge()
    texts = []
    for place in ("one", "two", "one"):  # again into the same place, as after an upgrade
        _run(bridge, "dashboards", "render", str(rig.directory / place), "--tenant", str(TOWN))
        texts.append({path.relative_to(rig.directory / place): path.read_bytes()
                      for path in (rig.directory / place).rglob("*") if path.is_file()})
        rig.publisher.publish(100)
    assert texts[0] == texts[1] == texts[2]
    assert len(texts[0]) >= 3
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()


def _told(rig: Rig, heard: list[tuple[str, bytes]]) -> list[dict[str, object]]:
    """What lamp 0 was told."""
    downs = [json.loads(payload) for _, payload in list(heard)]
    ids = {one.queue_id for one in _wished(rig)} | {one.id for one in _wished(rig)}
    return [down for down in downs if down["devEui"] == rig.fleet.eui(0) and (down["id"] in ids)]


def _times(bridge: Bridge) -> set[int]:
    log = LocalLog(bridge.log_directory)
    try:
        return {entry.at_ns for _, entry in log.after(0, 100_000) if entry.key.startswith("00189440:")}
    finally:
        log.close()


def _run(bridge: Bridge, *words: str) -> str:
    """A command of ours with the bridge's settings; it must end with 0."""
    done = subprocess.run([sys.executable, "-m", "stadtfunk", *words], cwd=ROOT, env=bridge.environment, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _replay(bridge: Bridge) -> None:
    _run(bridge, "letters", "replay", "--all")


@contextmanager
def _api(rig: Rig, bridge: Bridge) -> Iterator[Callable[[str, object], int]]:
    """The web server on the same database; asks it as an engineer and gives the status, 0 where it does not answer."""
    port = free_port()
    environment = {**bridge.environment, "STADTFUNK_API_PORT": str(port)}
    token = re.search(r"sf_\S+", _run(bridge, "account", "token", "test", "--tenant", str(TOWN), "--role", "engineer"))
    assert token
    with (rig.directory / "api.txt").open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "stadtfunk", "api"], env=environment, cwd=rig.directory,
                                   stdout=output, stderr=output)

    def ask(path: str, body: object) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode() if body else None,
                                         method="PUT" if body else "GET")
        request.add_header("Authorization", f"Bearer {token[0]}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    try:
        until(lambda: ask("/readyz", None) == 200, said=(rig.directory / "api.txt").read_text)
        yield lambda path, body: ask(f"/api/v1/tenants/{TOWN}{path}", body)
    finally:
        stop(process)


@contextmanager
def _locked(rig: Rig) -> Iterator[None]:
    """Nobody else can write the city database, nor read it where that is PostgreSQL."""
    if rig.database.startswith("sqlite"):
        with closing(sqlite3.connect(rig.directory / "city.db", timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    with psycopg.connect(rig.database.replace("+psycopg", "")) as session:
        tables = session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        session.execute("LOCK TABLE " + ", ".join(f'"{name}"' for (name,) in tables) + " IN ACCESS EXCLUSIVE MODE")
        yield
        session.rollback()
