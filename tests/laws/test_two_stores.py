"""Two bridges and a web server write one database at once: whoever is told to try again loses nothing by it."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from city import orders
from city.alarms import Alarm, AlarmKind, begin
from city.commands import Command, Event, Priority, advance, command
from city.errors import StoreDown
from city.groups import Target
from city.ids import AssetId, DevEui, OverrideId, TenantId, ZoneId
from city.imports import ImportRow
from city.lighting import Override
from city.places import Restriction, Site, Tenant
from city.readings import DeviceState, to_ns
from city.store.opening import open_store
from city.store.ports import DeadLetter, Facts, Lease, Store
from tests.stores import new_database

TOWNS = (TenantId("aheim"), TenantId("bheim"))
NOW = datetime(2026, 1, 10, 18, 30, tzinfo=UTC)
LAMPS, STEPS, BRIDGES = 12, 60, 4


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.wire)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_database(tmp_path / "city.db") if request.param == "sqlite" else request.getfixturevalue("postgres")()


def eui(town: TenantId, lamp: int) -> DevEui:
    return DevEui(f"{TOWNS.index(town):08x}{lamp:08x}")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def row(town: TenantId, lamp: int) -> ImportRow:
    return ImportRow(2, AssetId(f"L{lamp}"), "lamp", "Lampe", Site(48.4, 10.0), ZoneId("Markt"), None, eui(town, lamp),
                     "nas/ul20xx", 60.0, "P4", Restriction.NONE)


class Writer:
    """One thread of a process: it says what it knows until it is taken, and counts how often it was told to try again."""

    def __init__(self, store: Store, number: int) -> None:
        self.store, self.number, self.chance = store, number, random.Random(number)
        self.again = 0
        self.commands: list[Command] = []
        self.alarms: list[Alarm] = []

    def run(self) -> "Writer":
        for step in range(STEPS):
            self._until_taken(self._work(step))
        return self

    def _work(self, step: int) -> Callable[[], object]:
        town, kind = self.chance.choice(TOWNS), self.chance.randrange(16)
        own = self.store.tenant(town)
        if kind == 0:
            return lambda: self.store.take_lease(Lease("steering", f"bridge-{self.number}"), 0)
        if kind == 1:
            return lambda: own.import_rows([row(town, lamp) for lamp in range(LAMPS)])
        if kind == 2:
            return lambda: own.add_override(Override(OverrideId(f"o{self.number}-{step}"), town, 40, NOW, later(60), "", "ada",
                                                     NOW, (Target("zone", "Markt"),)))
        if kind == 3:
            return lambda: self.store.remove_letters([f"gone-{n}" for n in range(20)])
        return partial(self.store.commit, self._facts(step))

    def _facts(self, step: int) -> Facts:
        """Of several devices of both towns, in an order of their own."""
        devices = [(town, lamp) for town in TOWNS for lamp in self.chance.sample(range(LAMPS), 5)]
        self.chance.shuffle(devices)
        at = step + self.number / 10
        states = tuple(DeviceState(eui(town, lamp), "app", "01020304", step, to_ns(later(at))) for town, lamp in devices)
        told = tuple(self._command(town, lamp, at) for town, lamp in devices[:4])
        letters = tuple(DeadLetter(f"{kind}-{self.chance.randrange(20)}", later(at), "topic", b"x", "Truncated", "", town)
                        for town, _ in devices for kind in ("same", "gone"))
        kind, known = list(AlarmKind)[self.number], {(alarm.tenant, alarm.asset) for alarm in self.alarms}
        alarms = tuple(begin(town, AssetId(f"L{lamp}"), kind, later(at)) for town, lamp in devices[:3]
                       if (town, f"L{lamp}") not in known)
        self.commands += told
        self.alarms += alarms
        return Facts(states=states, commands=told, alarms=alarms, letters=letters)

    def _command(self, town: TenantId, lamp: int, at: float) -> Command:
        made = command(tenant=town, device=eui(town, lamp), asset=AssetId(f"L{lamp}"), order=orders.SetLevel(40, 60),
                       origin="program", priority=Priority.PROGRAM, now=NOW, expires_at=later(900))
        return advance(made, Event.SEND, later(at + 1))

    def _until_taken(self, work: Callable[[], object]) -> None:
        while True:
            try:
                work()
            except StoreDown:
                self.again += 1
                assert self.again < 200, "it is never taken"
            else:
                return


def test_writers_that_meet_lose_nothing(url: str) -> None:
    stores = [open_store(url) for _ in range(2)]
    for town in TOWNS:
        stores[0].put_tenant(Tenant(town, town.title(), Site(48.4, 10.0)))
        stores[0].tenant(town).import_rows([row(town, lamp) for lamp in range(LAMPS)])
    writers = [Writer(stores[number % 2], number) for number in range(BRIDGES)]
    with ThreadPoolExecutor(BRIDGES) as pool:
        list(pool.map(Writer.run, writers))
    own = {town: stores[0].tenant(town) for town in TOWNS}
    for town in TOWNS:
        wanted = {item.id for writer in writers for item in writer.commands if item.tenant == town}
        assert {item.id for item in own[town].commands(limit=100_000)} == wanted
        wanted = {item.id for writer in writers for item in writer.alarms if item.tenant == town}
        assert {item.id for item in own[town].alarms(limit=100_000)} == wanted
        newest = {item.device: max(sent.changed_at for w in writers for sent in w.commands if sent.id == item.id)
                  for item in own[town].commands(limit=100_000)}
        assert {item.device: item.changed_at for item in own[town].commands(limit=100_000)} == newest
    assert sum(writer.again for writer in writers) < STEPS * BRIDGES / 10, "they stand in each other's way"
    for store in stores:
        store.close()
