"""A small town on a real store and a real log in a temporary directory, for the bridge's tests."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from city.clock import ManualClock
from city.commands import Command, Priority, command
from city.groups import Target
from city.ids import AssetId, DevEui, OverrideId, TenantId
from city.imports import COLUMNS, parse
from city.lighting import Override
from city.orders import Order, SetLevel
from city.places import Site, Tenant
from city.quantities import Quantity
from city.settings import Bridge
from city.store.ports import Facts, Known, Point, Store, TenantStore
from city.store.readings import LocalLog
from decoders.javascript import Sandbox
from gateway_bridge.link import MemoryLink
from gateway_bridge.listen import Listener
from gateway_bridge.metrics import Metrics
from gateway_bridge.network_server import NetworkServer
from gateway_bridge.reading import Reader
from gateway_bridge.steer import Steerer
from tests.gateway_bridge.samples import EUI, encode, topic
from tests.stores import new_store

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)  # 45 s after the sample uplink; by day
LAMP, BAY, BAY_EUI = AssetId("N-0042"), AssetId("P-1"), DevEui("70b3d57ed0000099")
CSV = ("N-0042,lamp,Lampe 42,48.7,13.8,nord,K1,70b3d57ed0000042,nas/ul20xx,40,P4,\n"
       "P-1,bay,Platz 1,48.7,13.8,markt,,70b3d57ed0000099,bosch/tps110,,,\n")


class Instead:
    """Something that does what `of` does, but for what a subclass does otherwise."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


@dataclass
class Town:
    store: Store
    log: LocalLog
    clock: ManualClock
    link: MemoryLink
    metrics: Metrics
    listener: Listener
    steerer: Steerer
    reader: Reader
    turn: asyncio.Lock

    @property
    def own(self) -> TenantStore:
        return self.store.tenant(TenantId("musterstadt"))

    def known(self, device: str = EUI) -> Known:
        return self.store.view([DevEui(device)])[DevEui(device)]

    def commands(self) -> list[Command]:
        return list(self.own.commands())

    def history(self, quantity: Quantity, asset: AssetId = LAMP) -> list[Point]:
        return self.log.history(TenantId("musterstadt"), asset, quantity, NOW - timedelta(days=399),
                                NOW + timedelta(days=2))

    async def hear(self, kind: str, event: dict[str, object] | bytes, eui: str = EUI) -> int:
        """One event through the listening loop."""
        self.link.deliver(topic(kind, eui), event if isinstance(event, bytes) else encode(event))
        return await self.listener.step()

    def stamp(self, seconds: float = 0.0) -> str:
        """The clock's time as ChirpStack writes it."""
        return (self.clock.now() + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")

    def wish(self, level: int, minutes: int = 60, id: str = "wish") -> Override:
        now = self.clock.now()
        override = Override(OverrideId(id), TenantId("musterstadt"), level, now, now + timedelta(minutes=minutes), "",
                            "ada", now, (Target("lamp", LAMP),))
        self.own.add_override(override)
        return override

    def put_command(self, order: Order | None = None, origin: str = "override:x") -> Command:
        now = self.clock.now()
        made = command(tenant=TenantId("musterstadt"), device=DevEui(EUI), asset=LAMP, order=order or SetLevel(40, 60),
                       origin=origin, priority=Priority.OVERRIDE, now=now, expires_at=now + timedelta(minutes=5))
        self.store.commit(Facts(commands=(made,)))
        return made


@contextmanager
def small_town(directory: Path, *, bind: str = "", register: bool = True, batch: int = 500,
               network: NetworkServer | None = None, sandbox: Sandbox | None = None) -> Iterator[Town]:
    store = new_store(directory / "city.db")
    log = LocalLog(directory / "log")
    store.put_tenant(Tenant(TenantId("musterstadt"), "Musterstadt", Site(48.7, 13.8), bind))
    clock, link, metrics = ManualClock(NOW), MemoryLink(), Metrics()
    metrics.watch(link)
    settings = Bridge(batch=batch, linger_ms=0)
    reader, turn = Reader(store, metrics=metrics, sandbox=sandbox), asyncio.Lock()
    town = Town(store, log, clock, link, metrics,
                Listener(link, store, log, clock, settings, metrics, turn=turn, reader=reader),
                Steerer(link, store, clock, settings, metrics, network, turn=turn, reader=reader), reader, turn)
    if register:
        register_assets(town.own)
    try:
        yield town
    finally:
        reader.close()
        log.close()
        store.close()


def register_assets(own: TenantStore) -> None:
    """The sample lamp and bay."""
    rows, problems = parse((",".join(COLUMNS) + "\n" + CSV).encode(), {"nas/ul20xx", "bosch/tps110"})
    assert not problems, problems
    own.import_rows(rows)
