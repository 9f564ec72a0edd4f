"""Two towns behind the real application, over a real store, asked in process; the clock stands still."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from argon2 import PasswordHasher

from api.app import create_app
from city.alarms import AlarmKind, begin
from city.clock import ManualClock
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.places import AssetKind, Restriction, Site, Street, Tenant
from city.quantities import LAMP_LEVEL, LAMP_POWER
from city.readings import DeviceState, Entry, Last, Lasts, Place, Reading, to_ns
from city.settings import Settings
from city.store.ports import Account, Facts, Role, Store, TenantStore
from city.store.readings import LocalLog
from tests.stores import new_store

NOW = datetime(2026, 11, 22, 17, 32, tzinfo=UTC)  # 18:32 in Berlin, dark
PASSWORD = "operator-operator"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)  # cheap: there are many tests
HOSTILE = "<script>alert('x')</script> & \"Söhne\""


@dataclass
class World:
    """A store with towns, and what tests do to it."""

    store: Store
    log: LocalLog
    clock: ManualClock
    town: TenantStore
    empty: TenantStore
    rows: list[ImportRow] = field(default_factory=list)

    def lamp(self, id: str, *, zone: str = "markt", name: str = "", level: float | None = 100.0,
             restriction: Restriction = Restriction.NONE, heard: timedelta = timedelta(minutes=2)) -> DevEui:
        """A lamp with a NAS controller that reported `level` a while ago; None: it was never heard."""
        eui = self._add(id, "lamp", zone, name or f"Lampe {id}", "nas/ul20xx", restriction)
        if level is not None:
            self._say(eui, heard, **{"lamp.level": level, "lamp.power": level / 2})
        return eui

    def bays(self, zone: str, *states: bool | None, restriction: Restriction = Restriction.NONE) -> None:
        """Bays of a zone: taken, free, or never heard."""
        for taken in states:
            name = f"{zone}-{restriction.value or 'b'}{len(self.rows)}"
            eui = self._add(name, "bay", zone, name, "bosch/tps110", restriction)
            if taken is not None:
                self._say(eui, timedelta(minutes=5), **{"bay.occupied": taken})

    def alarm(self, asset: str) -> str:
        """An open lamp failure; returns its id."""
        alarm = begin(self.town.tenant.id, AssetId(asset), AlarmKind.LAMP_FAILURE, NOW - timedelta(hours=1))
        self.store.commit(Facts(alarms=(alarm,)))
        return alarm.id

    def history(self, asset: str, eui: DevEui, *levels: float) -> None:
        """One reading an hour, the last one an hour ago."""
        place = Place(self.town.tenant.id, AssetId(asset), "lamp", ZoneId("markt"), None, eui)
        for hours, level in enumerate(reversed(levels), start=1):
            at = to_ns(NOW - timedelta(hours=hours))
            self.log.append([Entry.of(place, at, f"h{hours}", (Reading(place, LAMP_LEVEL, level, at),
                                                            Reading(place, LAMP_POWER, level / 2, at)))])

    def _add(self, id: str, kind: AssetKind, zone: str, name: str, model: str, restriction: Restriction) -> DevEui:
        eui = DevEui(f"{len(self.rows):016x}")
        row = ImportRow(len(self.rows) + 1, AssetId(id), kind, name, Site(51.0 + len(self.rows) / 1e4, 8.1), ZoneId(zone),
                        CircuitId("K1") if kind == "lamp" else None, eui, model, 50.0, "", restriction)
        self.rows.append(row)
        self.town.import_rows([row])
        return eui

    def _say(self, eui: DevEui, ago: timedelta, **values: float | bool) -> None:
        at = to_ns(NOW - ago)
        self.store.commit(Facts(states=(DeviceState(eui, heard_ns=at, last=Lasts.of({
            name: Last(value, at, at) for name, value in values.items()})),)))


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    store, log = new_store(tmp_path / "city.db"), LocalLog(tmp_path / "log")
    for slug, name in (("stadt", "Musterstadt"), ("leer", HOSTILE)):
        store.put_tenant(Tenant(TenantId(slug), name, Site(51.0, 8.1)))
    for name, role, tenant in (("chief", Role.ADMIN, None), ("olga", Role.OPERATOR, "stadt"), ("vera", Role.VIEWER, "stadt")):
        store.put_account(Account(name, role, TenantId(tenant) if tenant else None, HASH))
    town = store.tenant(TenantId("stadt"))
    town.put_streets([Street("Hauptstraße", ((8.1, 51.0), (8.11, 51.01)))])
    yield World(store, log, ManualClock(NOW), town, store.tenant(TenantId("leer")))
    log.close()
    store.close()


@pytest.fixture
async def anybody(world) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that nobody has signed in with."""
    app = create_app(world.store, world.log, world.clock, Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.test") as client:
        yield client


async def sign_in(client: httpx.AsyncClient, name: str) -> httpx.AsyncClient:
    answer = await client.post("/anmelden", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303
    return client


@pytest.fixture
async def operator(anybody) -> httpx.AsyncClient:
    return await sign_in(anybody, "olga")


@pytest.fixture
async def viewer(anybody) -> httpx.AsyncClient:
    return await sign_in(anybody, "vera")


def csrf(html: str) -> str:
    """The token that the page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found, "the page has no form with a token"
    return found[1]
