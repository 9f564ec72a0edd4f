"""Open the city database, bringing its tables up to date on the way."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from city.errors import Invalid
from city.store.database import Database
from city.store.ports import Store
from city.store.sql import SqlStore

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_LOCK = 0x5DAD7F  # any number of our own; PostgreSQL makes others who want it wait
_SAYS = re.compile(r"^(revision|down_revision)\b[^=\n]*= *[\"'](\w+)[\"']", re.MULTILINE)


def open_store(url: str) -> Store:
    """The database at `url` (sqlite:///FILE, sqlite:// for one in memory, postgresql+psycopg://…), with its tables at
    this program's revision. Raises StoreDown where it does not answer, Invalid where it is newer than this program."""
    database = Database(url)
    upgrade(database)
    return SqlStore(database)


def upgrade(database: Database) -> None:
    """Bring the tables to this program's revision. Several processes may do so at once: one does, the others wait."""
    if version(database) == newest():
        return
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _UPGRADE_LOCK})
        _migrate(connection)


def version(database: Database) -> str | None:
    """The revision that the tables are at; None for an empty database."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)


def newest() -> str | None:
    """The revision that this program brings a database to: the one after which none comes."""
    said = [dict(_SAYS.findall(path.read_text(encoding="utf-8"))) for path in sorted((MIGRATIONS / "versions").glob("*.py"))]
    former = {one.get("down_revision") for one in said}
    return next((one["revision"] for one in said if "revision" in one and one["revision"] not in former), None)


def _migrate(connection: Connection) -> None:
    # Here, because alembic takes 11 MB and half a second, and a database is seldom behind the program.
    from alembic import command
    from alembic.util.exc import CommandError

    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Invalid("This database was made by a newer version of stadtfunk; update the program.",
                      field="database.url", rule="version") from error


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
