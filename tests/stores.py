"""City databases for tests: migrated once a process, and copied from then on."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from city.store.opening import open_store
from city.store.ports import Store


@cache
def _migrated() -> Path:
    file = Path(mkdtemp(prefix="stadtfunk-")) / "city.db"
    open_store(f"sqlite:///{file}").close()
    return file


def new_database(file: Path) -> str:
    """The URL of a new database at `file`, with all its tables and nothing in them."""
    shutil.copy(_migrated(), file)
    return f"sqlite:///{file}"


def new_store(file: Path) -> Store:
    """A store over `new_database`."""
    return open_store(new_database(file))
