"""`stadtfunk simulate run`: towns of simulated devices on a broker, in the place of ChirpStack, and a look at them."""

import argparse
import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random

from rich.console import Console
from rich.live import Live
from rich.text import Text

from city.clock import Clock, ScaledClock, SystemClock
from city.errors import Invalid
from city.settings import Secret, Settings, load
from simulator.chirpstack import ChirpStack
from simulator.mischief import Mischief, Spoiler
from simulator.network import drive
from simulator.scenario import TOWNS, Scenario
from simulator.spoilt import Spoilt

LOOKS_S = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run a town until Ctrl-C, or write its asset list; returns the exit code."""
    options = _parser().parse_args(argv)
    scenario = _scenario(options)
    if options.csv is not None:
        Path(options.csv).write_bytes(scenario.import_csv())
        sys.stdout.write(f"{len(scenario.lamps)} lamps and {len(scenario.bays)} bays written to {options.csv}\n")
        return 0
    settings = load()
    if options.mqtt:
        settings = replace(settings, mqtt=replace(settings.mqtt, url=options.mqtt))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(scenario, settings, options))
    return 0


async def _run(scenario: Scenario, settings: Settings, options: argparse.Namespace) -> None:
    start = options.start or SystemClock().now()
    clock: Clock = SystemClock() if options.speed == 1 and options.start is None else ScaledClock(start, options.speed)
    chirpstack = ChirpStack(scenario, seed=options.seed, start=clock.now(), protobuf=options.protobuf,
                            known=not options.empty, legacy=options.legacy)
    town = Spoilt(chirpstack, [Spoiler(Mischief(0.01, 0.001, 0.001), Random(options.seed))]) if options.mischief else chirpstack
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt does it there
            loop.add_signal_handler(name, stop.set)
    shown = asyncio.create_task(_show(chirpstack, clock, settings.mqtt.url, stop))
    try:
        async with _api(options, chirpstack):
            await drive(town, settings.mqtt, clock, stop)
    finally:
        stop.set()
        await shown


@contextlib.asynccontextmanager
async def _api(options: argparse.Namespace, town: ChirpStack) -> AsyncIterator[None]:
    """ChirpStack's gRPC API beside the town, if it was asked for; who started it is told the token."""
    if not options.api:
        yield
        return
    from simulator.grpc_api import GrpcApi  # gRPC takes 12 MB, and most runs need none

    door = GrpcApi(town, Secret(options.api_secret or secrets.token_urlsafe(32)), SystemClock())
    host, _, _ = options.api.rpartition(":")
    port = await door.start(options.api)
    sys.stderr.write(f"ChirpStack's API answers at {host}:{port}; token: {door.admin_token()}\n")
    try:
        yield
    finally:
        await door.stop()


async def _show(chirpstack: ChirpStack, clock: Clock, url: str, stop: asyncio.Event) -> None:
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not stop.is_set():
            live.update(_line(chirpstack, clock, url), refresh=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOKS_S)


def _line(chirpstack: ChirpStack, clock: Clock, url: str) -> Text:
    stats, lamps = chirpstack.stats, chirpstack.lamps.values()
    burning, parked = sum(lamp.level > 0 for lamp in lamps), sum(lot.occupied for lot in chirpstack.lots.values())
    return Text(f"{chirpstack.scenario.tenant.name}  {clock.now():%Y-%m-%d %H:%M:%S} UTC  {url}  "
                f"{burning}/{len(lamps)} lamps burn  {parked}/{len(chirpstack.bays)} bays taken  "
                f"↑ {stats['up']}  ↓ {stats['txack']}  lost {stats['lost up']}+{stats['lost down']}  "
                f"refused {stats['commands refused']}", no_wrap=True, overflow="ellipsis")


def _scenario(options: argparse.Namespace) -> Scenario:
    path = None
    if options.town is not None:
        named = TOWNS / f"{options.town}.toml"
        path = named if named.is_file() else Path(options.town)
    return Scenario.load(path).sized(lamps=options.lamps, bays=options.bays)


def _parser() -> argparse.ArgumentParser:
    towns = ", ".join(sorted(path.stem for path in TOWNS.glob("*.toml")))
    parser = argparse.ArgumentParser(prog="stadtfunk simulate", description="A simulated town on an MQTT broker, in "
                                     "the place of ChirpStack: events out, downlink commands in.")
    parser.add_argument("--town", help=f"scenario file, or one of: {towns} (default: hilchenbach)")
    parser.add_argument("--lamps", type=int, help="how many lamps, 1 to 20000")
    parser.add_argument("--bays", type=int, help="how many parking bays, 0 to 20000")
    parser.add_argument("--speed", type=_speed, default=1.0, help="virtual seconds a second (default: 1)")
    parser.add_argument("--start", type=_time, help="virtual time to start at, ISO 8601 with offset (default: now)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same town (default: 1)")
    parser.add_argument("--mqtt", help="broker (default: setting mqtt.url)")
    parser.add_argument("--protobuf", action="store_true", help="as ChirpStack with json = false")
    parser.add_argument("--mischief", action="store_true", help="some duplicates, broken messages, unknown devices")
    parser.add_argument("--api", metavar="HOST:PORT", help="ChirpStack's gRPC API too; port 0 takes any")
    parser.add_argument("--api-secret", metavar="TEXT", help="what its tokens are signed with (default: another each time)")
    parser.add_argument("--empty", action="store_true", help="the server knows of nothing until it is provisioned")
    parser.add_argument("--legacy", action="store_true", help="also the events of servers before 4.15")
    parser.add_argument("--csv", metavar="FILE", help="write the town's asset list for `stadtfunk import`, and end")
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 100_000:
        raise Invalid("A speed lies between 0 and 100000, not {speed}.", field="speed", rule="0…100000", speed=speed)
    return speed


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs its offset, as in 2026-11-21T16:00:00+01:00")
    return at
