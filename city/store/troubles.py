"""What goes wrong with the files of the local log, said so that an operator knows what to do."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from city.errors import StoreDown
from city.store import ledger

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


@contextmanager
def errors(directory: Path) -> Iterator[None]:
    """A block whose errors of files and SQLite come out as StoreDown."""
    try:
        yield
    except OSError as error:
        raise _of_file(error, directory) from error
    except sqlite3.Error as error:
        raise _of_ledger(error, directory) from error


def is_full(error: StoreDown) -> bool:
    """Whether the reason is that there is no space."""
    cause = error.__cause__
    return (isinstance(cause, OSError) and cause.errno in FULL) or getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def _of_file(error: OSError, directory: Path) -> StoreDown:
    where = str(directory)
    if error.errno in FULL:
        return _full(where)
    if error.errno == errno.EROFS:
        return _read_only(where)
    if error.errno in _FORBIDDEN:
        return StoreDown("This user may not write the local log in {directory}: {what}.", directory=where, what=str(error))
    return StoreDown("The local log cannot be used: {what}", what=str(error))


def _of_ledger(error: sqlite3.Error, directory: Path) -> StoreDown:
    if ledger.corrupt(error):
        return StoreDown("The local log in {directory} is damaged ({what}). It is set aside, and what is whole of it goes on,"
                         " when the process starts again.", directory=str(directory), what=str(error))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(str(directory))
    if code == sqlite3.SQLITE_READONLY:
        return _read_only(str(directory))
    return StoreDown("The local log cannot be used: {what}", what=str(error))


def _full(where: str) -> StoreDown:
    return StoreDown("The disk of the local log in {directory} is full: nothing is acknowledged until there is space again.",
                     directory=where)


def _read_only(where: str) -> StoreDown:
    return StoreDown("The local log in {directory} is on a file system that cannot be written: nothing is acknowledged until"
                     " it can.", directory=where)
