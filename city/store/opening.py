"""Open the city database, bringing its tables up to date on the way."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from city.errors import Invalid
from city.store.database import Database
from city.store.ports import Store
from city.store.sql import SqlStore

_UPGRADE_LOCK = 0x5DAD7F  # any number of our own; PostgreSQL makes others who want it wait


def open_store(url: str) -> Store:
    """The database at `url` (sqlite:///FILE, sqlite:// for one in memory, postgresql+psycopg://…), with its tables at
    this program's revision. Raises StoreDown where it does not answer, Invalid where it is newer than this program."""
    database = Database(url)
    upgrade(database)
    return SqlStore(database)


def upgrade(database: Database) -> None:
    """Bring the tables to this program's revision. Several processes may do so at once: one does, the others wait."""
    with database.read() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest():
            return
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _UPGRADE_LOCK})
        _migrate(connection)


def version(database: Database) -> str | None:
    """The revision that the tables are at; None for an empty database."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The revision that this program brings a database to."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _migrate(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Invalid("This database was made by a newer version of stadtfunk; update the program.",
                      field="database.url", rule="version") from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
