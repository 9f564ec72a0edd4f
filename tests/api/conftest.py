"""Two towns with the same names for their things, so that leaks show; a clock that stands; a signed-in client."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import auth
from api.app import create_app
from city.clock import ManualClock
from city.ids import AssetId, DevEui, TenantId
from city.imports import parse
from city.places import Site, Tenant
from city.quantities import BAY_OCCUPIED, LAMP_LEVEL, LAMP_POWER, LAMP_REASON, Quantity, Value
from city.readings import DeviceState, Last, Lasts, to_ns
from city.settings import Settings
from city.store.opening import open_store
from city.store.ports import Account, Facts, Role, Store, TenantStore
from city.store.readings import LocalLog
from decoders.catalog import catalog

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NIGHT = datetime(2026, 3, 2, 22, tzinfo=UTC)  # 23:00 in Berlin: the program is at 50 %
PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)  # cheap: there are many tests
HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"


def asset_list(seed: str) -> bytes:
    """Four lamps on Markt, a crosswalk and an uncontrolled lamp, six bays of which one is for disabled people."""
    lamps = [f"L{n},lamp,Markt {n},51.0{n},8.1,markt,K1,{seed}00000000000000{n:x},nas/ul20xx,40,P4," for n in range(1, 5)]
    odd = [f"X1,lamp,Zebra,51.05,8.1,schule,K1,{seed}0000000000000a1,nas/ul20xx,60,C3,crosswalk",
           "U1,lamp,Hof,51.06,8.1,hof,K1,,,30,,"]
    bays = [f"B{n},bay,Platz {n},51.0{n},8.2,platz,,{seed}00000000000001{n:x},bosch/tps110,,," for n in (1, 2, 3, 5, 6)]
    disabled = [f"B4,bay,Platz 4,51.04,8.2,platz,,{seed}000000000000014,bosch/tps110,,,disabled"]
    return (HEAD + "\n".join(lamps + odd + bays + disabled) + "\n").encode()


def seeded(store: Store) -> None:
    for town, name, seed in (("alt", "Altstadt", "a"), ("neu", "Neustadt", "b")):
        store.put_tenant(Tenant(TenantId(town), name, Site(51.0, 8.1)))
        rows, problems = parse(asset_list(seed), set(catalog()))
        assert not problems
        store.tenant(TenantId(town)).import_rows(rows)
        for role in Role:
            store.put_account(Account(f"{town}-{role.value}", role, TenantId(town), HASH))


def state(device: DevEui, at: datetime, **values: Value) -> DeviceState:
    """A device that said these at one time, all of them new."""
    names: dict[str, Quantity] = {"level": LAMP_LEVEL, "power": LAMP_POWER, "reason": LAMP_REASON,
                                  "occupied": BAY_OCCUPIED}
    last = {names[name].name: Last(names[name].typed(value), to_ns(at), to_ns(at)) for name, value in values.items()}
    return DeviceState(device, heard_ns=to_ns(at), last=Lasts.of(last))


def says(store: Store, town: TenantStore, asset: str, at: datetime, **values: Value) -> None:
    """The device of an asset says something, as the bridge would write it."""
    store.commit(Facts(states=(state(town.device_of(AssetId(asset)).dev_eui, at, **values),)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NIGHT)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with both towns, made once and copied for each test."""
    file: Path = tmp_path_factory.mktemp("towns") / "city.db"
    made = open_store(f"sqlite:///{file}")
    seeded(made)
    made.close()
    return file


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    file = tmp_path / "city.db"
    shutil.copy(template, file)
    opened = open_store(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.fixture
def town(store: Store) -> TenantStore:
    return store.tenant(TenantId("alt"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LocalLog]:
    opened = LocalLog(tmp_path / "log")
    yield opened
    opened.close()


@pytest.fixture
def app(store: Store, log: LocalLog, clock: ManualClock) -> FastAPI:
    return create_app(store, log, clock, Settings())


@pytest.fixture
def anonymous(app: FastAPI) -> TestClient:
    return TestClient(app, headers={"Accept-Language": "en"})


@pytest.fixture
def token(store: Store, clock: ManualClock) -> Callable[[str, Role], str]:
    """A new API token of a town and role."""

    def make(tenant: str, role: Role) -> str:
        text, kept = auth.new_token(name=f"{tenant} {role.value}", role=role, tenant=TenantId(tenant), now=clock.now())
        store.put_token(kept)
        return text

    return make


@pytest.fixture
def as_role(app: FastAPI, token: Callable[[str, Role], str]) -> Callable[..., TestClient]:
    """A client that speaks with a token."""

    def client(role: Role, tenant: str = "alt") -> TestClient:
        return TestClient(app, headers={"Authorization": f"Bearer {token(tenant, role)}", "Accept-Language": "en"})

    return client


@pytest.fixture
def operator(as_role: Callable[..., TestClient]) -> TestClient:
    return as_role(Role.OPERATOR)


@pytest.fixture
def engineer(as_role: Callable[..., TestClient]) -> TestClient:
    return as_role(Role.ENGINEER)


@pytest.fixture
def hears(store: Store, town: TenantStore) -> Callable[..., None]:
    """Call it to let an asset of Altstadt say something: hears("L1", at, level=50.0)."""

    def say(asset: str, at: datetime, **values: Value) -> None:
        says(store, town, asset, at, **values)

    return say


@pytest.fixture
def person(app: FastAPI) -> Callable[[str], TestClient]:
    """A client of somebody who has signed in at a browser."""

    def signed_in(name: str) -> TestClient:
        client = TestClient(app, headers={"Accept-Language": "en"})
        session = client.post("/api/v1/session", json={"name": name, "password": PASSWORD}).json()
        client.headers["X-CSRF-Token"] = session["csrf"]
        return client

    return signed_in
