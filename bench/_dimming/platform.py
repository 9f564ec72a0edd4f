"""A simulated town on the true air, and the real bridge beside it: one process, virtual time, no sockets."""

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path

from bench._dimming.server import Direct
from bench._dimming.watch import LoggedAir, Watch
from city.clock import ManualClock
from city.imports import parse
from city.settings import Bridge, Chirpstack, Scripts, Secret
from city.store.ports import TenantStore
from city.store.readings import LocalLog
from decoders.catalog import catalog
from gateway_bridge.link import MemoryLink
from gateway_bridge.listen import Listener
from gateway_bridge.memory import PACE, Memory
from gateway_bridge.metrics import Metrics
from gateway_bridge.reading import Reader
from gateway_bridge.steer import Steerer
from simulator.chirpstack import ChirpStack
from simulator.scenario import Scenario
from tests.stores import new_store

FLUSH_EVERY_S = 300.0
LOOK_EVERY_S = 1.0  # bridge.tick_s
SECRET = Secret("a secret of a bench that keeps nothing")


class Platform:
    """The town, its network server and the platform's bridge, which may make multicast groups."""

    def __init__(self, directory: Path, scenario: Scenario, *, seed: int, clock: ManualClock) -> None:
        self.scenario, self.clock = scenario, clock
        self.store, self.log = new_store(directory / "city.db"), LocalLog(directory / "log")
        self._register()
        self.chirpstack = ChirpStack(scenario, seed=seed, start=clock.now(), carried_by=LoggedAir)
        if not isinstance(self.chirpstack.carrier, LoggedAir):
            raise TypeError("the bench measures the true air")
        self.air, self.server = self.chirpstack.carrier, Direct(self.chirpstack)
        self.watch = Watch(self.chirpstack)
        self.link, self._turn, self._metrics = MemoryLink(), asyncio.Lock(), Metrics()
        self._reader = Reader(self.store, Scripts(), self._metrics)
        self._memory = Memory(self.store, self.log, pace=PACE)
        self._listener = Listener(self.link, self.store, self.log, clock, Bridge(), self._metrics, turn=self._turn,
                                  reader=self._reader, memory=self._memory)
        self.steer(groups=True)
        self._published, self._flush_at, self._look_at = 0, clock.now(), clock.now()

    def steer(self, *, groups: bool, airtime_percent: float = 50.0) -> None:
        """A bridge begins to steer that tells lamps together, or each alone; whoever did before ends."""
        settings = Chirpstack(url="in memory", group_secret=SECRET if groups else Secret(),
                              rx2_dr=12 - self.scenario.plan.devices.rx2_sf,
                              gps_time=all(one.gnss for one in self.scenario.antennas))
        bridge = Bridge(airtime_percent=airtime_percent)
        self._steerer = Steerer(self.link, self.store, self.clock, bridge, self._metrics, self.server, turn=self._turn,
                                reader=self._reader, memory=self._memory, chirpstack=settings)

    @property
    def town(self) -> TenantStore:
        """The town's half of the store."""
        return self.store.tenant(self.scenario.tenant.id)

    async def run(self, seconds: float, step: float = 1.0) -> None:
        """Let virtual time pass for all of it; the bridge looks at what is wanted once a second."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            await self.clock.tick(step)
            await self._hear()
            if self.clock.now() >= self._look_at:
                self._look_at = max(self._look_at, self.clock.now() - timedelta(seconds=step)) + timedelta(seconds=LOOK_EVERY_S)
                await self._steerer.tick()
            self._hand_over()
            if self.clock.now() >= self._flush_at:
                self.flush()

    def flush(self) -> None:
        """What the bridge knows is in the database."""
        self._memory.flush(everything=True)
        self._flush_at = self.clock.now() + timedelta(seconds=FLUSH_EVERY_S)

    def close(self) -> None:
        """Nothing is kept."""
        self._reader.close()
        self.log.close()
        self.store.close()

    def _register(self) -> None:
        self.store.put_tenant(self.scenario.tenant)
        rows, problems = parse(self.scenario.import_csv(), catalog())
        if problems:
            raise ValueError(f"the bench's town cannot be imported: {problems[0]}")
        self.town.import_rows(rows)

    async def _hear(self) -> None:
        messages = self.chirpstack.advance(self.clock.now())
        for topic, payload in messages:
            self.link.deliver(topic, payload)
        handled = 0
        while handled < len(messages):
            handled += await self._listener.step()
        self.link.acknowledged.clear()

    def _hand_over(self) -> None:
        for topic, payload in itertools.islice(self.link.published, self._published, None):
            self.chirpstack.command(topic, payload, self.clock.now())
        self._published = len(self.link.published)
