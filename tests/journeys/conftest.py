"""A whole town in one process on virtual time: simulator, bridge, store and API joined by a link in memory, no sockets."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from argon2 import PasswordHasher

from api.app import create_app
from city.clock import ManualClock
from city.imports import parse
from city.settings import Settings
from city.store.ports import Account, Role
from city.store.readings import LocalLog
from decoders.catalog import catalog
from gateway_bridge.link import MemoryLink
from gateway_bridge.listen import Listener
from gateway_bridge.mend import Mender
from gateway_bridge.metrics import Metrics
from gateway_bridge.parking import ParkingCounter, Surroundings
from gateway_bridge.reading import Reader
from gateway_bridge.steer import Steerer
from simulator.chirpstack import ChirpStack
from simulator.scenario import Scenario
from tests.stores import new_store

EVENING = datetime(2026, 11, 22, 18, tzinfo=UTC)  # dark, before the program reduces at 22:00 local time
COUNT_EVERY = timedelta(seconds=60)
PASSWORD = "a long enough password"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)  # cheap: there are many tests


class Platform:
    """The town and its platform; `run(seconds)` lets virtual time pass for all of it."""

    def __init__(self, directory, *, start=EVENING, lamps=12, bays=12, model=None, **devices):
        calm = {"lamp_failure": 0.0, "stuck_driver": 0.0, "silent": 0.0, "uplink_loss": 0.0, "downlink_loss": 0.0} | devices
        self.scenario = Scenario.load(None).sized(lamps=lamps, bays=bays).tuned(**calm)
        if model is not None:
            self.scenario = replace(self.scenario, lamps=tuple(replace(site, model=model) for site in self.scenario.lamps))
        self.clock, self.start = ManualClock(start), start
        self.store = new_store(directory / "city.db")
        self.log = LocalLog(directory / "log")
        self.link = MemoryLink()
        self.settings = Settings()
        metrics = Metrics()
        self.reader, turn = Reader(self.store, self.settings.scripts, metrics), asyncio.Lock()
        shared = {"turn": turn, "reader": self.reader}
        self.listener = Listener(self.link, self.store, self.log, self.clock, self.settings.bridge, metrics, **shared)
        self.steerer = Steerer(self.link, self.store, self.clock, self.settings.bridge, metrics, **shared)
        self.mender = Mender(self.store, self.log, self.clock, **shared)
        self.counter = ParkingCounter(self.store, self.log, self.clock, self.settings.parking, Surroundings(
            lambda: (True, None), lambda eui: self.store.view([eui]).get(eui), lambda: self.link.connected,
            lambda: self.link.counts.sessions_lost, self.reader.scripts))
        self._counted = start
        self.metrics = metrics
        self.chirpstack = ChirpStack(self.scenario, seed=7, start=start)
        self.app = create_app(self.store, self.log, self.clock, self.settings)
        self.heard = 0
        self._commands = 0
        self._register()

    @property
    def town(self):
        return self.store.tenant(self.scenario.tenant.id)

    def _register(self):
        self.store.put_tenant(self.scenario.tenant)
        self.town.put_streets(self.scenario.streets)
        rows, problems = parse(self.scenario.import_csv(), catalog())
        assert problems == []
        self.town.import_rows(rows)
        self.store.put_account(Account("anna", Role.ADMIN, None, HASH))

    async def run(self, seconds, step=1.0):
        """Let virtual time pass: devices speak, the bridge listens and steers, commands go back."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            await self.clock.tick(step)
            await self.hear()
            await self.steerer.tick()
            self._hand_over()
            if self.clock.now() - self._counted >= COUNT_EVERY:
                self.count()

    def count(self):
        """Look at the bays."""
        self._counted = self.clock.now()
        while self.counter.step():
            pass

    async def hear(self):
        """Deliver what the town has said up to now, and handle all of it."""
        messages = self.chirpstack.advance(self.clock.now())
        for topic, payload in messages:
            self.link.deliver(topic, payload)
        handled = 0
        while handled < len(messages):
            handled += await self.listener.step()
        self.heard += handled

    def _hand_over(self):
        published = self.link.published
        for topic, payload in itertools.islice(list(published), self._commands, None):
            self.chirpstack.command(topic, payload, self.clock.now())
        self._commands = len(published)

    @asynccontextmanager
    async def browser(self):
        """An HTTP client signed in as Anna, with the page's CSRF token on every request."""
        async with self.anybody() as client:
            signed_in = await client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
            assert signed_in.status_code in (200, 201), signed_in.text
            client.headers["X-CSRF-Token"] = signed_in.json()["csrf"]
            yield client

    def anybody(self):
        """An HTTP client that has not signed in."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://town")

    def close(self):
        self.reader.close()
        self.log.close()
        self.store.close()


@pytest.fixture
def platform(tmp_path):
    """A small town in the evening, nothing lost on the air."""
    made = []

    def make(**options):
        made.append(Platform(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
