"""`stadtfunk simulate run`: towns of simulated devices on a broker, in the place of ChirpStack, and a look at them."""

import argparse
import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from rich.console import Console
from rich.live import Live

from city.clock import Clock, ScaledClock, SystemClock
from city.errors import Invalid
from city.settings import Secret, Settings, load
from city.store.figure_telling import telling
from simulator.chirpstack import ChirpStack
from simulator.faults import Troubled
from simulator.network import drive
from simulator.options import add_influx, add_panel, add_town, period, scenarios_of, speed, troubled
from simulator.panel.pausing import PausableClock
from simulator.sampling import of_towns, simulator_teller, tells
from simulator.scenario import Scenario
from simulator.server_codec import ServerCodec
from simulator.signals import stopping
from simulator.view import Look, look, sentence, table

LOOKS_S, LINES_S = 0.5, 10.0  # the live view; a line without one
Towns = Sequence[tuple[ChirpStack, Troubled]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the towns until Ctrl-C, or write an asset list; returns the exit code."""
    options = _parser().parse_args(argv)
    scenarios = scenarios_of(options)
    if options.csv is not None:
        return _write_csv(scenarios, Path(options.csv))
    settings = load()
    if options.mqtt:
        settings = replace(settings, mqtt=replace(settings.mqtt, url=options.mqtt))
    if options.influx:
        settings = replace(settings, influx=replace(settings.influx, url=options.influx))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(scenarios, settings, options))
    return 0


def _write_csv(scenarios: Sequence[Scenario], path: Path) -> int:
    if len(scenarios) > 1:
        raise Invalid("An asset list is one town's; this scenario has {count}.", field="csv", rule="one town",
                      count=len(scenarios))
    path.write_bytes(scenarios[0].import_csv())
    sys.stdout.write(f"{len(scenarios[0].lamps)} lamps and {len(scenarios[0].bays)} bays written to {path}\n")
    return 0


async def _run(scenarios: Sequence[Scenario], settings: Settings, options: argparse.Namespace) -> None:
    start = (options.start or SystemClock().now()).astimezone(UTC)
    clock: Clock = SystemClock()
    if options.speed != 1 or options.start is not None:
        clock = PausableClock(ScaledClock(start, options.speed))
    with stopping() as stop, ServerCodec() as codec:
        towns = [troubled(scenario, options, start, known=not options.empty, legacy=options.legacy, codec=codec)
                 for scenario in scenarios]
        async with (_api(options, [chirpstack for chirpstack, _ in towns]), _panel(options, towns, clock),
                    asyncio.TaskGroup() as tasks):
            for _, town in towns:
                tasks.create_task(drive(town, settings.mqtt, clock, stop))
            tasks.create_task((_tell if options.headless else _show)(towns, _title(scenarios, settings), stop))
            if tells(settings.influx):
                teller = simulator_teller(settings.influx, clock, scenarios, lambda: of_towns(one for one, _ in towns))
                tasks.create_task(telling(teller, clock, stop))
            if options.lasts is not None:
                await _until(clock.sleep(options.lasts), stop)


async def _until(over: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    """Stop everything when it is over, or wait no longer where everything has been stopped."""
    waits = [asyncio.create_task(over), asyncio.create_task(stop.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    stop.set()


@contextlib.asynccontextmanager
async def _api(options: argparse.Namespace, towns: Sequence[ChirpStack]) -> AsyncIterator[None]:
    """ChirpStack's gRPC API beside the town, if it was asked for; whoever started it is told the token."""
    if not options.api:
        yield
        return
    if len(towns) > 1:
        raise Invalid("--api is for one town; the scenario has {count}.", field="api", rule="one town", count=len(towns))
    from simulator.grpc_api import GrpcApi  # gRPC takes 12 MB, and most runs need none

    door = GrpcApi(towns[0], Secret(options.api_secret or secrets.token_urlsafe(32)), SystemClock())
    port = await door.start(options.api)
    sys.stderr.write(f"ChirpStack's API: {options.api.rpartition(':')[0]}:{port}  token: {door.admin_token()}\n")
    try:
        yield
    finally:
        await door.stop()


@contextlib.asynccontextmanager
async def _panel(options: argparse.Namespace, towns: Towns, clock: Clock) -> AsyncIterator[None]:
    """The page and API to control the towns by, if they were asked for; only virtual time can be stopped there."""
    if options.panel is None:
        yield
        return
    from simulator.panel.imitation import Imitation  # a web server takes 20 MB, and most runs need none
    from simulator.panel.journal import LEAST, MOST
    from simulator.panel.serving import panel_of

    desks = [Imitation(*town, frames=max(MOST // len(towns), LEAST)) for town in towns]
    async with panel_of(options, desks, clock if isinstance(clock, PausableClock) else None):
        yield


def _title(scenarios: Sequence[Scenario], settings: Settings) -> str:
    names = scenarios[0].tenant.name if len(scenarios) == 1 else f"{len(scenarios)} towns"
    return f"{names} at {settings.mqtt.url.rpartition('@')[2]}"


async def _show(towns: Towns, title: str, stop: asyncio.Event) -> None:
    """The live view."""
    looks: list[Look] = []
    with Live(console=Console(stderr=True), auto_refresh=False, transient=False) as live:
        while not stop.is_set():
            looks = [*looks[-10:], look(towns, time.monotonic())]
            live.update(table(looks[-1], looks[0], title), refresh=True)
            await _pause(stop, LOOKS_S)


async def _tell(towns: Towns, title: str, stop: asyncio.Event) -> None:
    """A line each so often."""
    sys.stderr.write(f"{title}\n")
    before = look(towns, time.monotonic())
    while not stop.is_set():
        await _pause(stop, LINES_S)
        now = look(towns, time.monotonic())
        sys.stderr.write(sentence(now, before) + "\n")
        sys.stderr.flush()
        before = now


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk simulate run", description="Simulated towns on an MQTT broker, in the "
                                     "place of ChirpStack: events out, downlink commands in. Other commands: record, replay, "
                                     "scenarios, check.")
    add_town(parser)
    parser.add_argument("--speed", type=speed, default=1.0, help="virtual seconds a second (default: 1)")
    parser.add_argument("--mqtt", help="broker (default: setting mqtt.url)")
    add_influx(parser)
    parser.add_argument("--for", dest="lasts", type=period, metavar="TIME", help="end after so much of the town's time, as 10min")
    parser.add_argument("--headless", action="store_true", help="no live view: a line on stderr every ten seconds")
    parser.add_argument("--api", metavar="HOST:PORT", help="ChirpStack's gRPC API too; port 0 takes any")
    parser.add_argument("--api-secret", metavar="TEXT", help="what its tokens are signed with (default: another each time)")
    add_panel(parser)
    parser.add_argument("--empty", action="store_true", help="the server knows of nothing until it is provisioned")
    parser.add_argument("--legacy", action="store_true", help="also the events that servers before 4.15 sent")
    parser.add_argument("--csv", metavar="FILE", help="write the town's asset list for `stadtfunk import`, and end")
    return parser
