"""`stadtfunk database`: bring the city database up to date, say which version it is, forget what is long over."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta

from city.clock import Clock, SystemClock
from city.settings import load
from city.store.database import Database
from city.store.opening import newest, upgrade, version
from city.store.pruning import prune


def main(argv: Sequence[str] | None = None, clock: Clock | None = None) -> int:
    """Run `upgrade`, `version` or `prune` on the database of the settings, or on `--url`; returns the exit code:
    3 where the database is not at this program's version."""
    parser = argparse.ArgumentParser(prog="stadtfunk database", description=__doc__)
    parser.add_argument("action", choices=("upgrade", "version", "prune"))
    parser.add_argument("--url", help="instead of the settings' database.url")
    parser.add_argument("--days", type=int, default=400,
                        help="prune: how long finished commands and ended alarms are kept (400)")
    chosen = parser.parse_args(argv)
    if chosen.days < 1:
        parser.error("--days must be at least 1")
    database = Database(chosen.url or load().database.url)
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
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
