"""`stadtfunk ship`: what waits in the local log for InfluxDB, and lines that it refused."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from city.errors import Invalid
from city.settings import Settings, load
from city.store.influx import RejectedLines, Sink, open_sink
from city.store.opening import open_store
from city.store.ports import ReadingLog, Store
from city.store.readings import LocalLog
from gateway_bridge.ship import TOPIC, cursor_name

MOST = 100_000


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code: 1 where a line that was sent again is still refused. Raises CityError."""
    parser = argparse.ArgumentParser(prog="stadtfunk ship", description="What waits for InfluxDB.")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings (default: stadtfunk.toml)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("status", help="how much of the local log InfluxDB has")
    actions.add_parser("replay", help="send the lines again that InfluxDB refused")
    words = parser.parse_args(argv)
    settings = load(words.settings)
    return _status(settings) if words.action == "status" else _replay(settings)


def status(log: ReadingLog, settings: Settings) -> str:
    """A few lines for a person; no secrets."""
    if not settings.influx.url:
        return "No InfluxDB is set (influx.url): readings stay in the local log.\n"
    shipped, newest = log.cursor(cursor_name(settings.influx)), log.head()
    return (f"InfluxDB  {settings.influx.url}, {settings.influx.bucket}\n"
            f"shipped   {shipped}\n"
            f"newest    {newest}\n"
            f"waiting   {max(newest - shipped, 0)}\n")


def replay(store: Store, sink: Sink) -> tuple[int, int]:
    """Send every refused line again; what InfluxDB takes now is no dead letter any more. Returns how many it took and
    how many it still refuses. Raises InfluxDown or StoreDown; the letters not yet sent stay."""
    taken = refused = 0
    for letter in store.all_letters(MOST, RejectedLines.__name__):
        if letter.topic != TOPIC:
            continue
        try:
            sink.write([letter.payload])
        except RejectedLines:
            refused += 1
        else:
            store.remove_letter(letter.id)
            taken += 1
    return taken, refused


def _status(settings: Settings) -> int:
    log = LocalLog(Path(settings.log.directory), keep_days=settings.log.keep_days)
    try:
        sys.stdout.write(status(log, settings))
    finally:
        log.close()
    return 0


def _replay(settings: Settings) -> int:
    if not settings.influx.url:
        raise Invalid("No InfluxDB is set (influx.url).", field="influx.url", rule="set")
    sink = open_sink(settings.influx)
    store = open_store(settings.database.url.reveal())
    try:
        taken, refused = replay(store, sink)
    finally:
        store.close()
        sink.close()
    sys.stdout.write(f"{taken} stored, {refused} still refused\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
