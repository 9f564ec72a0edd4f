"""What a step of towns' figures costs the bridge: CPU ms and lines for a town of so many lamps, in a city database of its own.

    python bench/figures.py [LAMPS ...]

A first look tells all there is; then each step sees what a minute brings: reports of a fifteenth of the lamps, a dimming of a
zone, an alarm. `quiet` is a step in which nothing at all has changed, `storm` one in which a command of every lamp has.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from city.alarms import AlarmKind, begin
from city.clock import ManualClock
from city.commands import Command, Event, Priority, advance, command
from city.energy import LampNight, Used
from city.groups import Target
from city.ids import AssetId, CircuitId, DevEui, OverrideId, TenantId, ZoneId
from city.imports import ImportRow
from city.lighting import override
from city.orders import SetLevel
from city.places import Restriction, Site, Tenant
from city.readings import DeviceState, Last, Lasts, to_ns
from city.settings import Influx, Settings
from city.store.figure_outbox import Outbox
from city.store.opening import open_store
from city.store.ports import Facts, Store
from gateway_bridge.ship_figures import FigureShipper

NOW = datetime(2026, 11, 22, 19, 0, 5, tzinfo=UTC)
TOWN, ZONES, NIGHTS, PAST, STEPS = TenantId("bench"), 60, 30, 200, 5
SETTINGS = Settings(influx=Influx(url="http://localhost:1"))


class Counting:
    """Takes everything."""

    def __init__(self) -> None:
        self.lines = 0

    def write(self, lines: Sequence[bytes]) -> int:
        self.lines += len(lines)
        return 0

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Print what each step costs."""
    for lamps in [int(text) for text in sys.argv[1:]] or [3000, 20_000]:
        with tempfile.TemporaryDirectory() as directory:
            _measure(lamps, Path(directory))


def _measure(lamps: int, directory: Path) -> None:
    store, clock, sink = open_store(f"sqlite:///{directory}/city.db"), ManualClock(NOW), Counting()
    _fill(store, lamps)
    shipper = FigureShipper(store, Outbox(lambda _: sink), clock, SETTINGS, lease=lambda: (True, None))
    print(f"{lamps} lamps, {ZONES} zones, {NIGHTS} nights:")
    _step("first", shipper, sink)
    brings: dict[str, Callable[[int], None]] = {
        "minute": lambda number: _minute(store, clock, lamps, number), "quiet": lambda _: None,
        "storm": lambda number: _storm(store, clock, lamps, number)}
    for name, bring in brings.items():
        for number in range(STEPS):
            clock.advance(60)
            bring(number)
            _step(name, shipper, sink)
    store.close()


def _step(name: str, shipper: FigureShipper, sink: Counting) -> None:
    before, cpu, wall = sink.lines, time.process_time(), time.perf_counter()
    shipper.step()
    print(f"  {name:7} {1000 * (time.process_time() - cpu):8.1f} ms CPU {1000 * (time.perf_counter() - wall):8.1f} ms"
          f" {sink.lines - before:7} lines")


def _fill(store: Store, lamps: int) -> None:
    store.put_tenant(Tenant(TOWN, "Bench", Site(51.0, 8.0)))
    rows = [ImportRow(line=number, asset=_asset(number), kind="lamp", name=f"Lampe {number}", site=Site(51.0, 8.0),
                      zone=ZoneId(f"Z{number % ZONES}"), circuit=CircuitId(f"K{number % (3 * ZONES)}"), dev_eui=_eui(number),
                      model="nas/ul20xx", power_w=40.0, lighting_class="", restriction=Restriction.NONE)
            for number in range(lamps)]
    town = store.tenant(TOWN)
    for begun in range(0, lamps, 5000):
        town.import_rows(rows[begun:begun + 5000])
        store.commit(Facts(states=tuple(_state(number, NOW, 100.0) for number in range(begun, min(begun + 5000, lamps)))))
    for back in range(NIGHTS):
        store.book_nights(TOWN, [LampNight(row.asset, NOW.date() - timedelta(days=back), row.zone, row.circuit,
                                           Used(300, 10, 450, 36_000, 60)) for row in rows], NOW)
    for number in range(PAST):
        at = NOW - timedelta(hours=number + 2)
        town.add_override(override(id=OverrideId(f"past-{number}"), tenant=TOWN, level=50, until=at + timedelta(hours=1), now=at,
                                   actor="bench", targets=[Target("zone", f"Z{number % ZONES}")]))
    town.add_override(override(id=OverrideId("all"), tenant=TOWN, level=50, until=NOW + timedelta(hours=3), now=NOW,
                               actor="bench", targets=[Target("town")]))
    store.commit(Facts(commands=tuple(_commands(range(lamps), NOW)), alarms=tuple(
        begin(TOWN, _asset(number), AlarmKind.DEVICE_SILENT, NOW) for number in range(0, lamps, 50))))


def _minute(store: Store, clock: ManualClock, lamps: int, number: int) -> None:
    now, some = clock.now(), range(number, lamps, 15)
    store.commit(Facts(states=tuple(_state(one, now, 50.0) for one in some),
                       commands=tuple(_ended(one, now) for one in _commands(some, NOW)),
                       alarms=(begin(TOWN, _asset(number), AlarmKind.TILTED, now),)))


def _storm(store: Store, clock: ManualClock, lamps: int, number: int) -> None:
    now = clock.now()
    store.commit(Facts(states=tuple(_state(one, now, float(number)) for one in range(lamps)),
                       commands=tuple(_commands(range(lamps), now))))


def _commands(numbers: range, now: datetime) -> list[Command]:
    return [command(tenant=TOWN, device=_eui(number), asset=_asset(number), order=SetLevel(50, 60), origin="override:all",
                    priority=Priority.OVERRIDE, now=now, expires_at=now + timedelta(hours=1)) for number in numbers]


def _ended(one: Command, now: datetime) -> Command:
    return advance(advance(one, Event.SEND, now), Event.CONFIRM, now)


def _state(number: int, now: datetime, level: float) -> DeviceState:
    at = to_ns(now)
    said = {f"lamp.{name}": Last(1.0, at, at) for name in ("power", "energy", "voltage", "current", "power_factor", "burn_time")}
    return DeviceState(_eui(number), heard_ns=at, last=Lasts.of({"lamp.level": Last(level, at, at), **said}))


def _asset(number: int) -> AssetId:
    return AssetId(f"L{number:05}")


def _eui(number: int) -> DevEui:
    return DevEui(f"70b3d5e7{number:08x}")


if __name__ == "__main__":
    main()
