"""`stadtfunk bridge`: from ChirpStack into the log and the city database, and back."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from city.clock import SystemClock
from city.settings import Settings, load
from city.store.opening import open_store
from city.store.readings import open_log
from gateway_bridge.mqtt import connect
from gateway_bridge.run import run_bridge


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; what is begun is ended first. Returns 0. Raises CityError where it cannot start."""
    parser = argparse.ArgumentParser(prog="stadtfunk bridge", description=__doc__)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings (default: stadtfunk.toml)")
    parser.add_argument("--verbose", action="store_true", help="say more")
    words = parser.parse_args(argv)
    logging.basicConfig(level=logging.DEBUG if words.verbose else logging.INFO, stream=sys.stderr,
                        format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("paho", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    asyncio.run(_run(load(words.settings)))
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = await asyncio.to_thread(open_store, settings.database.url.reveal())
    try:
        log = await asyncio.to_thread(open_log, settings.log, bay_days=settings.parking.raw_days)
        link = connect(settings.mqtt, had_session=log.head() > 0)
        _settle_down()
        try:
            await run_bridge(settings, store=store, log=log, link=link, clock=SystemClock(), stop=stop)
        finally:
            await link.close()
            log.close()
    finally:
        store.close()


def _settle_down() -> None:
    """What is loaded by now stays, and what is known of a device is no cycle: looking for garbage in it ever again finds
    nothing. And whoever waits for an event's acknowledgement must not wait 5 ms, Python's default, each time that another
    thread has something to do."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.0005)


if __name__ == "__main__":
    sys.exit(main())
