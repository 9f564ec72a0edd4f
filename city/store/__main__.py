"""`stadtfunk database`: bring the city database up to date, or say which version it is."""

import argparse
import sys
from collections.abc import Sequence

from city.settings import load
from city.store.database import Database
from city.store.opening import newest, upgrade, version


def main(argv: Sequence[str] | None = None) -> int:
    """Run `upgrade` or `version` on the database of the settings, or on `--url`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="stadtfunk database", description=__doc__)
    parser.add_argument("action", choices=("upgrade", "version"))
    parser.add_argument("--url", help="instead of the settings' database.url")
    chosen = parser.parse_args(argv)
    database = Database(chosen.url or load().database.url)
    try:
        if chosen.action == "upgrade":
            upgrade(database)
        at = version(database)
    finally:
        database.close()
    print(f"database: {at or 'empty'} (this program: {newest()})")
    return 0 if at == newest() else 3


if __name__ == "__main__":
    sys.exit(main())
