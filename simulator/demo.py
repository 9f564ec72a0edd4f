"""`stadtfunk demo`: the whole platform in one process on embedded defaults. The only module above api and the bridge.

Simulated towns speak to a broker, the bridge listens there, pages and API read what it has stored: the same wires as in
earnest, only shorter. The towns have lived a little before the demo begins, so that there is something to see.
"""

import argparse
import asyncio
import contextlib
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from rich.console import Console

from api.__main__ import server as web_server
from api.app import create_app
from api.auth import new_account
from city.clock import Clock, ScaledClock, SystemClock
from city.errors import Conflict
from city.imports import parse
from city.parking_facts import ZoneFact
from city.quantities import LAMP_LEVEL
from city.readings import to_ns
from city.settings import Api, Database, Influx, Log, Mqtt, Secret, Settings, load
from city.store.figure_telling import telling
from city.store.opening import open_store
from city.store.ports import Role, Store, TenantStore
from city.store.readings import open_log
from decoders.catalog import catalog
from gateway_bridge.link import Link
from gateway_bridge.mqtt import connect
from gateway_bridge.run import run_bridge
from simulator.broker import embedded_broker
from simulator.chirpstack import ChirpStack
from simulator.direct import Direct
from simulator.furnishing import furnish
from simulator.influxd import local_influxd
from simulator.network import drive
from simulator.parking_furnishing import furnish_parking
from simulator.sampling import of_towns, simulator_teller, tells
from simulator.scenario import Scenario

TOWNS = Path(__file__).parent / "towns"
OPERATOR = "betrieb"
DEMO_BUCKET = "stadtfunk-demo"
COUNTED_WITHIN_S = 15.0
READY_AFTER = 0.9  # share of lamps that must have spoken of the present before we call the towns ready
RX2_DR = 3  # SF9, as the towns' devices have it
PRESENT = timedelta(minutes=30)  # a lamp of the demo reports every ten minutes
HISTORY_H, HISTORY_DEVICE_HOURS = 6.0, 3000.0  # what the towns have lived already; large ones less, for it is told first


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    port: int
    town: Path | None
    lamps: int | None
    bays: int | None
    speed: float
    keep: Path | None
    history_h: float | None
    seed: int
    influx: str = ""
    influxd: bool = False


def main(argv: Sequence[str]) -> int:
    """Run the demo until Ctrl-C; returns the exit code."""
    options = _options(argv)
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(_directory(options.keep))
        settings = _settings(options, directory)
        if not settings.mqtt.url:
            broker = stack.enter_context(embedded_broker(directory))
            settings = replace(settings, mqtt=replace(settings.mqtt, url=broker))
        if options.influxd:
            url = stack.enter_context(local_influxd(directory / "influxdb"))
            settings = replace(settings, influx=replace(settings.influx, url=url, token=Secret(), org="", api="1"))
        asyncio.run(_run(options, settings, console))
    return 0


def _options(argv: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="stadtfunk demo", description="A simulated town and the whole platform in one process.")
    parser.add_argument("--port", type=int, default=8080, help="port of the pages (8080)")
    parser.add_argument("--town", type=Path, help="scenario file; default: two invented towns")
    parser.add_argument("--lamps", type=int, help="how many lamps (1 to 20,000)")
    parser.add_argument("--bays", type=int, help="how many bays (0 to 20,000)")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast the town lives: 60 makes an hour a minute")
    parser.add_argument("--keep", type=Path, help="directory that keeps the data; default: a temporary one")
    parser.add_argument("--history", type=float, metavar="HOURS", help="hours the town has lived already (6; less if large)")
    parser.add_argument("--seed", type=int, default=1, help="another number makes another day (1)")
    boards = parser.add_mutually_exclusive_group()
    boards.add_argument("--influx", default="", metavar="URL", help="send everything to this InfluxDB too, for Grafana's boards; "
                        f"into {DEMO_BUCKET}_… unless influx.bucket is set")
    boards.add_argument("--influxd", action="store_true", help="the same with an InfluxDB 1.x of its own: needs influxd")
    given = parser.parse_args(argv)
    if not 0 < given.speed <= 100_000:
        parser.error("--speed must lie between 0 and 100000")
    if not 1 <= given.port <= 65535:
        parser.error("--port must lie between 1 and 65535")
    if given.history is not None and not 0 <= given.history <= 48:
        parser.error("--history must lie between 0 and 48 hours")
    return Options(given.port, given.town, given.lamps, given.bays, given.speed, given.keep, given.history, given.seed,
                   given.influx, given.influxd)


@contextlib.contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="stadtfunk-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _settings(options: Options, directory: Path) -> Settings:
    """What people have set, with the demo's own places for data, and its own broker unless one is set."""
    asked = load()
    return replace(asked,
                   mqtt=replace(asked.mqtt, url="" if asked.mqtt.url == Mqtt().url else asked.mqtt.url,
                                client_id=f"{asked.mqtt.client_id}-{secrets.token_hex(4)}"),
                   database=Database(url=Secret(f"sqlite:///{directory / 'stadtfunk.db'}")),
                   log=Log(directory=str(directory / "log"), keep_days=asked.log.keep_days),
                   chirpstack=replace(asked.chirpstack, group_secret=_kept_secret(directory),
                                      rx2_dr=RX2_DR),
                   bridge=replace(asked.bridge, tick_s=max(asked.bridge.tick_s, options.speed / 2)),
                   parking=replace(asked.parking, evaluate_s=max(asked.parking.evaluate_s, round(2 * options.speed))),
                   influx=_influx(options, asked.influx),
                   api=replace(asked.api, host=Api().host, port=options.port))


def _influx(options: Options, asked: Influx) -> Influx:
    """Invented readings never go where a town's true ones may be."""
    bucket = DEMO_BUCKET if asked.bucket == Influx().bucket else asked.bucket
    return replace(asked, url=options.influx or asked.url, bucket=bucket)


def _kept_secret(directory: Path) -> Secret:
    """From which the keys of radio groups are derived: the same as before where the data are kept."""
    file = directory / "group-secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return Secret(file.read_text())


async def _run(options: Options, settings: Settings, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    system = SystemClock()
    clock: Clock = system if options.speed == 1 else ScaledClock(system.now(), options.speed)
    store = open_store(settings.database.url.reveal())
    log = open_log(settings.log, bay_days=settings.parking.raw_days)
    try:
        scenarios = [_registered(store, scenario, clock.now(), options) for scenario in _scenarios(options)]
        known = _heard([store.tenant(scenario.tenant.id) for scenario in scenarios]) > 0  # kept data: its past is told already
        password = _operator(store)
        link = connect(settings.mqtt)
        async with _closing(link), _serving(create_app(store, log, clock, settings), settings, stop), \
                asyncio.TaskGroup() as tasks:
            living = [ChirpStack(scenario, seed=options.seed, start=clock.now() - (
                timedelta(0) if known else _history(options, scenario))) for scenario in scenarios]
            tasks.create_task(run_bridge(settings, store=store, log=log, link=link, clock=clock, stop=stop,
                                         network=Direct(living)))
            await _listening(link, stop)
            for town in living:
                tasks.create_task(drive(town, settings.mqtt, clock, stop))
            if tells(settings.influx):
                teller = simulator_teller(settings.influx, clock, scenarios, lambda: of_towns(living))
                tasks.create_task(telling(teller, clock, stop))
            await _awake([store.tenant(scenario.tenant.id) for scenario in scenarios], clock, console, stop)
            await _counted([store.tenant(scenario.tenant.id) for scenario in scenarios], stop)
            if not stop.is_set():
                print(f"ready: http://{settings.api.host}:{settings.api.port}", flush=True)
                print(f"operator: {OPERATOR}  password: {password}", flush=True)
                if settings.influx.url:
                    print(f"boards: {_preview(settings, scenarios, options.speed)}", flush=True)
                print("Ctrl-C ends it.", flush=True)
    finally:
        log.close()
        store.close()


def _preview(settings: Settings, scenarios: Sequence[Scenario], speed: float) -> str:
    """The command that draws this demo's boards; a town that lives faster is ahead of the clock by which they are drawn."""
    towns = "".join(f" --tenant {scenario.tenant.id}" for scenario in scenarios)
    ahead = " --from now-6h --to now+2d" if speed > 1 else ""
    return f"stadtfunk dashboards preview boards --influx {settings.influx.url} --bucket {settings.influx.bucket}{towns}{ahead}"


def _scenarios(options: Options) -> list[Scenario]:
    if options.town is not None:
        return [Scenario.load(options.town).sized(lamps=options.lamps, bays=options.bays)]
    first, *others = (Scenario.load(path) for path in sorted(TOWNS.glob("*.toml")))
    return [first.sized(lamps=options.lamps, bays=options.bays), *others]


def _registered(store: Store, scenario: Scenario, now: datetime, options: Options) -> Scenario:
    """The town in our registry, by the same import that its staff would use, with what people would long have done there."""
    store.put_tenant(scenario.tenant)
    town = store.tenant(scenario.tenant.id)
    town.put_streets(scenario.streets)
    rows, problems = parse(scenario.import_csv(), catalog())
    if problems:
        raise Conflict("The scenario's own list does not hold: {what}", field="town", rule="import", what=str(problems[0]))
    town.import_rows(rows)
    furnish(town, now)
    furnish_parking(store, scenario, now, now - _history(options, scenario))
    return scenario


def _operator(store: Store) -> str:
    """A new password for the demo's operator, who may act in every town."""
    password = secrets.token_urlsafe(9)
    store.put_account(new_account(name=OPERATOR, password=password, role=Role.ADMIN, tenant=None))
    return password


@contextlib.asynccontextmanager
async def _closing(link: Link) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def _serving(app: FastAPI, settings: Settings, stop: asyncio.Event) -> AsyncIterator[None]:
    """The web server for as long as the block runs; Ctrl-C is the demo's, not the server's."""
    server = web_server(app, settings, signals=False)
    task = asyncio.create_task(server.serve())
    task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def _listening(link: Link, stop: asyncio.Event) -> None:
    """Until the bridge has subscribed: a broker keeps nothing for a session that it has never seen."""
    while not (link.connected or stop.is_set()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.05)


async def _awake(towns: Sequence[TenantStore], clock: Clock, console: Console, stop: asyncio.Event) -> None:
    """Say how far the towns are until most lamps have spoken of the present, or until `stop`."""
    lamps = sum(len(town.luminaires()) for town in towns)
    with console.status("the towns wake up") as status:
        while not stop.is_set():
            present = await asyncio.to_thread(_present, towns, to_ns(clock.now() - PRESENT))
            status.update(f"the towns wake up: {present} of {lamps} lamps have reported")
            if present >= READY_AFTER * lamps:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.5)


async def _counted(towns: Sequence[TenantStore], stop: asyncio.Event) -> None:
    """Until something is known of the bays of each town that has any, or too long: their sensors may not have spoken yet."""
    end = asyncio.get_running_loop().time() + COUNTED_WITHIN_S
    parking = [town for town in towns if town.bays()]
    while not stop.is_set() and asyncio.get_running_loop().time() < end:
        if await asyncio.to_thread(lambda: all(any(_known(fact) for fact in town.zone_facts()) for town in parking)):
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)


def _known(fact: ZoneFact) -> bool:
    return any(count.known for count in fact.counts.values())


def _present(towns: Sequence[TenantStore], since_ns: int) -> int:
    """How many lamps have spoken since then."""
    return sum(LAMP_LEVEL.name in state.last and state.heard_ns >= since_ns
               for town in towns for state in town.states().values())


def _heard(towns: Sequence[TenantStore]) -> int:
    """How many devices have ever spoken."""
    return sum(state.heard_ns > 0 for town in towns for state in town.states().values())


def _history(options: Options, scenario: Scenario) -> timedelta:
    devices = max(len(scenario.lamps) + len(scenario.bays), 1)
    hours = min(HISTORY_H, HISTORY_DEVICE_HOURS / devices) if options.history_h is None else options.history_h
    return timedelta(hours=hours)
