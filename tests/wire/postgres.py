"""A throw-away PostgreSQL on a socket in a directory of its own."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg

from city.store.opening import open_store


@contextmanager
def postgres_cluster(*options: str) -> Iterator[Callable[..., str]]:
    """Each call makes a new database in it and gives its URL: with all tables and nothing in them, or with `empty=True`
    without tables. `options` are further ones of the server (`-c name=value`)."""
    binaries = Path(_binary("initdb")).parent
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    person = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    os.chown(directory, person.pw_uid, person.pw_gid)
    user = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}

    def run(program: str, *words: str) -> None:
        subprocess.run([binaries / program, *words], check=True, cwd=directory, stdout=subprocess.DEVNULL,
                       env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **user)

    run("initdb", "-D", "data", "-U", "town", "-A", "trust", "-E", "UTF8", "--no-sync")
    settings = " ".join(("-c listen_addresses=''", f"-k {directory}", "-c fsync=off", *options))
    run("pg_ctl", "-D", "data", "-w", "-s", "-l", "log", "-o", settings, "start")
    numbers = itertools.count()

    def create(template: str) -> str:
        name = f"town{next(numbers)}"
        with psycopg.connect(host=str(directory), user="town", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(name: str) -> str:
        return f"postgresql+psycopg://town@/{name}?host={directory}"

    @cache
    def migrated() -> str:
        name = create("template0")
        open_store(url(name)).close()
        return name

    def make(*, empty: bool = False) -> str:
        return url(create("template0" if empty else migrated()))

    try:
        yield make
    finally:
        run("pg_ctl", "-D", "data", "-w", "-s", "-m", "immediate", "stop")
        shutil.rmtree(directory)


def _binary(name: str) -> str:
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    assert found, f"{name} of PostgreSQL is needed here"
    return found
