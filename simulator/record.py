"""`stadtfunk simulate record`: what towns say to a file, from a broker as it comes, or from the towns themselves as fast as
they can."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from city.clock import Clock, SystemClock
from city.errors import BrokerDown
from city.settings import Mqtt, load
from simulator.link import BrokerLink
from simulator.options import add_town, period, scenarios_of, troubled
from simulator.signals import stopping
from simulator.tape import line
from simulator.town import Town

STEP = timedelta(seconds=0.1)  # how finely a town's messages are dated
EVENTS = "application/+/device/+/event/+"
LOOK_S, RETRY_S = 0.5, 2.0
Said = tuple[datetime, str, bytes]


def main(argv: Sequence[str] | None = None) -> int:
    """Record until the time is up or Ctrl-C; returns the exit code."""
    options = _parser().parse_args(argv)
    with Path(options.out).open("xb" if not options.force else "wb") as file:
        count = _from_broker(options, file) if options.mqtt else _from_towns(options, file)
    sys.stderr.write(f"{count} messages in {options.out}\n")
    return 0


def said_by(town: Town, start: datetime, lasts_s: float) -> Iterator[Said]:
    """All that a town says from `start` on, with the time to a tenth of a second."""
    for step in range(1, int(lasts_s / STEP.total_seconds()) + 1):
        at = start + step * STEP
        for topic, payload in town.advance(at):
            yield at, topic, payload


def _from_towns(options: argparse.Namespace, file: BinaryIO) -> int:
    start = (options.start or SystemClock().now()).astimezone(UTC)
    towns = [troubled(scenario, options, start)[1] for scenario in scenarios_of(options)]
    streams = [said_by(town, start, options.lasts) for town in towns]
    count = 0
    with _progress() as progress:
        task = progress.add_task("recorded", total=options.lasts)
        for count, (at, topic, payload) in enumerate(merge(*streams, key=itemgetter(0)), start=1):
            file.write(line(at, topic, payload))
            if count % 1000 == 0:
                progress.update(task, completed=(at - start).total_seconds())
        progress.update(task, completed=options.lasts)
    return count


def _from_broker(options: argparse.Namespace, file: BinaryIO) -> int:
    settings = replace(load().mqtt, url=options.mqtt)
    return asyncio.run(_listen(settings, options.topic, SystemClock(), options.lasts, file))


async def _listen(settings: Mqtt, topic: str, clock: Clock, lasts_s: float, file: BinaryIO) -> int:
    """Write what comes, until the time is up. Raises BrokerDown where the broker does not answer at first; later it is
    waited for."""
    until = clock.now() + timedelta(seconds=lasts_s)
    count, met = 0, False
    with stopping() as stop:
        while clock.now() < until and not stop.is_set():
            broker = BrokerLink(settings, "stadtfunk-simulator-recorder")
            try:
                await broker.connect([topic])
                met = True
                while clock.now() < until and not stop.is_set():
                    await broker.wait(LOOK_S)
                    count += _write(broker, clock.now(), file)
                    broker.check()
            except BrokerDown:
                if not met:
                    raise
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_S)
            finally:
                broker.close()
    return count


def _write(broker: BrokerLink, now: datetime, file: BinaryIO) -> int:
    received = broker.received()
    file.writelines(line(now, topic, payload) for topic, payload in received)
    return len(received)


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
                    console=Console(stderr=True), transient=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk simulate record", description="Record messages to a file of JSON lines: "
                                     "from a broker, with --mqtt, or what simulated towns say, as fast as it goes.")
    parser.add_argument("--out", required=True, metavar="FILE", help="where to")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.add_argument("--for", dest="lasts", type=period, default=600.0, metavar="TIME", help="how long, as 90s or 2h (10min)")
    parser.add_argument("--mqtt", metavar="URL", help="record from this broker")
    parser.add_argument("--topic", default=EVENTS, help=f"what to subscribe to there ({EVENTS})")
    add_town(parser)
    return parser
