"""`stadtfunk ship status`: what waits in the local log for InfluxDB."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from city.store.readings import LocalLog

from city.settings import Settings, load
from city.store.ports import ReadingLog
from gateway_bridge.ship import cursor_name


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="stadtfunk ship", description="What waits for InfluxDB.")
    parser.add_argument("what", choices=["status"])
    parser.parse_args(argv)
    settings = load()
    log = LocalLog(Path(settings.log.directory), keep_days=settings.log.keep_days)
    try:
        sys.stdout.write(status(log, settings))
    finally:
        log.close()
    return 0


def status(log: ReadingLog, settings: Settings) -> str:
    """A few lines for a person; no secrets."""
    if not settings.influx.url:
        return "No InfluxDB is set (influx.url): readings stay in the local log.\n"
    shipped, newest = log.cursor(cursor_name(settings.influx)), log.head()
    return (f"InfluxDB  {settings.influx.url}, {settings.influx.bucket}\n"
            f"shipped   {shipped}\n"
            f"newest    {newest}\n"
            f"waiting   {max(newest - shipped, 0)}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
