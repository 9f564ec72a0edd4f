"""`stadtfunk database`: bring the city database up to date, say which version it is, forget what is long over, and remove at
once what must not be kept of parking (the bridge does so every hour)."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta

from city.clock import Clock, SystemClock
from city.retention import plan
from city.settings import Settings, load
from city.store.database import Database
from city.store.opening import newest, upgrade, version
from city.store.pruning import prune
from city.store.retiring import retire
from city.store.sql import SqlStore


def main(argv: Sequence[str] | None = None, clock: Clock | None = None) -> int:
    """Run `upgrade`, `version`, `prune` or `retire` on the database of the settings, or on `--url`; returns the exit code:
    3 where the database is not at this program's version, 4 where something is left whose time is over."""
    parser = argparse.ArgumentParser(prog="stadtfunk database", description=__doc__)
    parser.add_argument("action", choices=("upgrade", "version", "prune", "retire"))
    parser.add_argument("--url", help="instead of the settings' database.url")
    parser.add_argument("--days", type=int, default=400,
                        help="prune: how long finished commands and ended alarms are kept (400)")
    chosen = parser.parse_args(argv)
    if chosen.days < 1:
        parser.error("--days must be at least 1")
    settings = load()
    database = Database(chosen.url or settings.database.url)
    try:
        if chosen.action == "upgrade":
            upgrade(database)
        at = version(database)
        print(f"database: {at or 'empty'} (this program: {newest()})")
        if at != newest():
            return 3
        if chosen.action == "prune":
            gone = prune(database, (clock or SystemClock()).now() - timedelta(days=chosen.days))
            print(f"pruned: {gone} rows that were over for {chosen.days} days")
        if chosen.action == "retire":
            return _retire(database, settings, clock or SystemClock())
    finally:
        database.close()
    return 0


def _retire(database: Database, settings: Settings, clock: Clock) -> int:
    now, left = clock.now(), False
    for step in retire(SqlStore(database), plan(settings.parking, now), now):
        if step.report is not None:
            oldest = "nothing" if step.report.oldest is None else f"from {step.report.oldest:%Y-%m-%d %H:%M}Z on"
            print(f"{step.tenant} {step.what}: {step.report.removed} removed, older than {step.report.keep_days:g} days;"
                  f" kept: {oldest}{' – TOO OLD' if step.report.note else ''}")
            left = left or bool(step.report.note)
    return 4 if left else 0


if __name__ == "__main__":
    sys.exit(main())
