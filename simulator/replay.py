"""`stadtfunk simulate replay`: a recording to a broker, in its order and with its distances, at any speed."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from city.clock import Clock, SystemClock
from city.errors import BrokerDown, Invalid
from city.settings import Mqtt, load
from simulator.link import BrokerLink
from simulator.options import speed
from simulator.signals import stopping
from simulator.tape import Entry, entries, shifted

LOOK_S = 0.05
LAST_WORDS_S = 30.0  # how long the broker may take to confirm the last messages


def main(argv: Sequence[str] | None = None) -> int:
    """Replay to the end or Ctrl-C; returns the exit code."""
    options = _parser().parse_args(argv)
    settings = load().mqtt
    if options.mqtt:
        settings = replace(settings, url=options.mqtt)
    count = asyncio.run(_run(Path(options.file), settings, options.speed, shift=options.shift_to_now))
    sys.stderr.write(f"{count} messages to {settings.url.rpartition('@')[2]}\n")
    return 0


class Pace:
    """When each message is due, from the moment that it was made."""

    def __init__(self, clock: Clock, times: float, *, shift: bool) -> None:
        self._clock, self._speed, self._shift = clock, times, shift
        self._began = clock.now()

    def due(self, entry: Entry) -> datetime:
        """The clock's time to say it."""
        return self._began + timedelta(seconds=entry.seconds / self._speed)

    def waits_s(self, entry: Entry) -> float:
        """How long still; 0 where it is due."""
        return max((self.due(entry) - self._clock.now()).total_seconds(), 0.0)

    def payload(self, entry: Entry) -> bytes:
        """The payload, with its times moved to the present where that is wanted. Raises Invalid where the recording has no
        times to move from."""
        if not self._shift:
            return entry.payload
        if entry.at is None:
            raise Invalid("--shift-to-now needs a recording with times, not with seconds.", field="shift-to-now", rule="times")
        return shifted(entry.payload, self.due(entry) - entry.at)


async def _run(path: Path, settings: Mqtt, times: float, *, shift: bool) -> int:
    broker, clock, count = BrokerLink(settings, f"stadtfunk-simulator-replay-{os.getpid()}"), SystemClock(), 0
    with path.open("rb") as file, _progress() as progress, stopping() as stop:
        task = progress.add_task("replayed", total=os.fstat(file.fileno()).st_size)
        tape = entries(file, path.name)
        first = next(tape, None)  # before anything is sent: a file that is no recording is refused at once
        try:
            await broker.connect(())
            pace = Pace(clock, times, shift=shift)
            for count, entry in enumerate(_chained(first, tape), start=1):
                if not await _reached(pace, entry, broker, stop):
                    return count - 1
                broker.publish(entry.topic, pace.payload(entry))
                if count % 100 == 0:
                    progress.update(task, completed=file.tell())
                    broker.check()
            await _confirmed(broker, clock)
            progress.update(task, completed=file.tell())
        finally:
            broker.close()
    return count


async def _reached(pace: Pace, entry: Entry, broker: BrokerLink, stop: asyncio.Event) -> bool:
    """Wait until a message is due and the broker takes it; whether it is still wanted. Raises BrokerDown."""
    while (wait := pace.waits_s(entry)) > 0 or not broker.room():
        broker.check()
        await broker.wait(min(wait, LOOK_S) if wait > 0 else LOOK_S)
        if stop.is_set():
            return False
    return not stop.is_set()


async def _confirmed(broker: BrokerLink, clock: Clock) -> None:
    """Until the broker has everything. Raises BrokerDown where it does not say so."""
    until = clock.now() + timedelta(seconds=LAST_WORDS_S)
    while unsent := broker.unsent():
        if clock.now() > until:
            raise BrokerDown("The broker has not confirmed {count} messages.", count=len(unsent))
        broker.check()
        await broker.wait(LOOK_S)


def _chained(first: Entry | None, rest: Iterator[Entry]) -> Iterator[Entry]:
    if first is not None:
        yield first
        yield from rest


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
                    console=Console(stderr=True), transient=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk simulate replay", description="Publish a recording: in its order, with its "
                                     "distances in time.")
    parser.add_argument("file", metavar="FILE", help="a recording of `stadtfunk simulate record`")
    parser.add_argument("--mqtt", metavar="URL", help="broker (default: setting mqtt.url)")
    parser.add_argument("--speed", type=speed, default=1.0, help="recorded seconds a second (default: 1)")
    parser.add_argument("--shift-to-now", action="store_true", help="move the times in the events to the present")
    return parser
