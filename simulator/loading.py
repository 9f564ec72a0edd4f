"""`stadtfunk simulate load`: as many events a second as one wants, on a broker."""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from city.clock import SystemClock
from city.settings import Mqtt, load
from simulator.link import BrokerLink
from simulator.load import MOST_PER_S, Load
from simulator.network import drive
from simulator.options import file_of, shipped
from simulator.scenario import Scenario
from simulator.signals import stopping

LINES_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Publish until Ctrl-C, or for so long; returns the exit code."""
    options = _parser().parse_args(argv)
    scenario = Scenario.load(file_of(options.town)).sized(lamps=options.lamps, bays=options.bays)
    settings = load().mqtt
    if options.mqtt:
        settings = replace(settings, url=options.mqtt)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(scenario, settings, options))
    return 0


async def _run(scenario: Scenario, settings: Mqtt, options: argparse.Namespace) -> None:
    clock = SystemClock()
    source = Load(scenario, seed=options.seed, start=clock.now(), per_second=options.rate)
    with stopping() as stop:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(drive(source, lambda: BrokerLink(settings, f"stadtfunk-load-{scenario.tenant.id}"), clock, stop))
            tasks.create_task(_tell(source, options, stop))


async def _tell(source: Load, options: argparse.Namespace, stop: asyncio.Event) -> None:
    """What was made, each so often; ends the run when its time is over."""
    begun = before = time.monotonic()
    made = 0
    while not stop.is_set():
        left = options.seconds - (time.monotonic() - begun) if options.seconds else LINES_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(min(left, LINES_S), 0.0))
        now, count = time.monotonic(), source.stats["up"]
        sys.stderr.write(f"{now - begun:.0f} s  {count} events, {(count - made) / (now - before):,.0f}/s\n")
        made, before = count, now
        if options.seconds and now - begun >= options.seconds:
            stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stadtfunk simulate load", description="Events of a town's devices, each a new one, at a fixed rate: for measuring "
        "a bridge and its broker. What the devices say does not change, and nobody obeys.")
    parser.add_argument("--rate", type=float, default=1000.0, help=f"events a second, up to {MOST_PER_S:,.0f} (default: 1000)")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after so long (default: Ctrl-C)")
    parser.add_argument("--town", help=f"scenario file, or one of: {', '.join(shipped())} (default: hilchenbach)")
    parser.add_argument("--lamps", type=int, help="how many lamps, 1 to 20000")
    parser.add_argument("--bays", type=int, help="how many parking bays, 0 to 20000")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same load (default: 1)")
    parser.add_argument("--mqtt", help="broker (default: setting mqtt.url)")
    return parser
