"""The engine behind the city database: transactions, and the one place where its errors become ours."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    String,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    exc,
    func,
    make_url,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Compiled
from sqlalchemy.pool import StaticPool

from city.errors import Conflict, Invalid, StoreDown
from city.settings import Secret
from city.store import tables

BUSY_S = 10.0  # how long a writer waits for another
WAL_PAGES = 10_000  # 40 MB
Insert = sqlite.Insert | postgresql.Insert


class Database:
    """A database on SQLite or PostgreSQL; its transactions raise StoreDown, Conflict and Invalid, never an engine's own
    error. Any thread may use it. Statements are never shown with their values: some of those are secrets."""

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        memory = self.sqlite and parsed.database in (None, "", ":memory:")
        self._engine = _sqlite_engine(parsed, memory=memory) if self.sqlite else _postgres_engine(parsed)
        self._writing = self._engine.execution_options(writes=True, preserve_rowcount=True)
        self._turn = threading.Lock()  # SQLite's own waiting is a poll, and unfair
        self._one_connection = memory
        self._thread = threading.local()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database (SQLite) or one a statement (PostgreSQL)."""
        with _errors(), self._lock(self._one_connection), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block has ended, and never was if it raises."""
        wait_s: float | None = getattr(self._thread, "wait_s", None)
        engine = self._writing if wait_s is None else self._writing.execution_options(wait_s=wait_s)
        with _errors(), self._lock(self.sqlite, wait_s), engine.begin() as connection:
            if wait_s is not None and not self.sqlite:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(wait_s * 1000)}")
            condition: Callable[[Connection], None] | None = getattr(self._thread, "condition", None)
            if condition is not None:
                condition(connection)
            yield connection

    @contextmanager
    def only_if(self, condition: Callable[[Connection], None]) -> Iterator[None]:
        """Within the block each writing transaction of this thread begins with `condition`, and ends there if it raises."""
        self._thread.condition = condition
        try:
            yield
        finally:
            self._thread.condition = None

    @contextmanager
    def hurried(self, wait_s: float | None) -> Iterator[None]:
        """Within the block a writing transaction of this thread raises StoreDown when it has waited so long for others twice:
        within this process, and for other processes. None: BUSY_S, as everywhere."""
        self._thread.wait_s = wait_s
        try:
            yield
        finally:
            self._thread.wait_s = None

    def insert(self, table: Table) -> Insert:
        """An insert that can be told what to do on conflict."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def upsert(self, table: Table, *, keep: Sequence[str] = ()) -> Insert:
        """An insert that replaces the row of the same key, except for the columns in `keep`."""
        statement = self.insert(table)
        keys = [column.name for column in table.primary_key]
        new = {column.name: statement.excluded[column.name] for column in table.columns
               if column.name not in keys and column.name not in keep}
        if not new:
            return statement.on_conflict_do_nothing(index_elements=keys)
        return statement.on_conflict_do_update(index_elements=keys, set_=new)

    def among(self, column: ColumnElement[Any], name: str = "among") -> ColumnElement[bool]:
        """`column IN (…)` with one parameter for all the values, which `listed` gives, however many they are."""
        if self.sqlite:
            values = func.json_each(bindparam(name, type_=String)).table_valued("value")
            return column.in_(select(values.c.value))
        return column == any_(bindparam(name, type_=postgresql.ARRAY(String)))

    def listed(self, values: Sequence[str], name: str = "among") -> dict[str, Any]:
        """The parameter of a statement with `among`."""
        return {name: msgspec.json.encode(values).decode() if self.sqlite else list(values)}

    def prepared(self, statement: Insert) -> "Prepared":
        """A statement that is run often, on many rows of plain texts and numbers."""
        return Prepared(statement.compile(dialect=self._engine.dialect))

    def close(self) -> None:
        self._engine.dispose()

    def _lock(self, needed: bool, wait_s: float | None = None) -> AbstractContextManager[object]:
        if not needed:
            return nullcontext()
        return self._turn if wait_s is None else _within(self._turn, wait_s)


class Prepared:
    """A statement in the driver's own form: rows go to it as they are."""

    def __init__(self, compiled: Compiled) -> None:
        self._sql = str(compiled)
        self._order: list[str] | None = getattr(compiled, "positiontup", None)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """How many rows were inserted or changed."""
        if not rows:
            return 0
        order = self._order
        values: Any = rows if order is None else [tuple(map(row.__getitem__, order)) for row in rows]
        return max(connection.exec_driver_sql(self._sql, values).rowcount, 0)


def count_up(database: Database, connection: Connection, tenant: str, name: str) -> int:
    """The next value of a tenant's counter; others who want it wait until this transaction ends."""
    own = (tables.counters.c.tenant == tenant, tables.counters.c.name == name)
    raised = connection.execute(update(tables.counters).where(*own).values(value=tables.counters.c.value + 1))
    if not raised.rowcount:
        first = database.insert(tables.counters).values(tenant=tenant, name=name, value=1)
        connection.execute(first.on_conflict_do_update(index_elements=["tenant", "name"],
                                                       set_={"value": tables.counters.c.value + 1}))
    return counted(connection, tenant, name)


def counted(connection: Connection, tenant: str, name: str) -> int:
    """A counter's value; 0 if nothing has been counted."""
    return connection.execute(_COUNTED, {"of": tenant, "what": name}).scalar() or 0


def plain(text: str) -> str:
    """A text from outside as every engine can keep it: no NUL, no half of a character."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


@contextmanager
def _within(lock: threading.Lock, wait_s: float) -> Iterator[None]:
    if not lock.acquire(timeout=wait_s):
        raise StoreDown("The city database does not answer: {what}", what="other writing takes too long")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise Conflict("This contradicts what the database holds.", field="row", rule="integrity") from error
    except exc.DataError as error:
        raise Invalid("The database cannot hold this value.", field="row", rule="data") from error
    except exc.ProgrammingError:
        raise  # our own mistake
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise StoreDown("The city database does not answer: {what}", what=_cause(error)) from error


def _cause(error: exc.SQLAlchemyError) -> str:
    """The driver's own words, one line of them, without the statement."""
    text = str(error.orig if isinstance(error, exc.DBAPIError) else error)
    return text.strip().partition("\n")[0][:200]


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url.reveal() if isinstance(url, Secret) else url)
    except (exc.ArgumentError, ValueError):
        raise Invalid("The database's address cannot be read. It is sqlite:///FILE or postgresql+psycopg://…",
                      field="database.url", rule="SQLAlchemy URL") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise Invalid("The database “{name}” is not supported; sqlite and postgresql are.", field="database.url",
                      rule="engine", name=parsed.get_backend_name())
    return parsed if parsed.get_backend_name() == "sqlite" else parsed.set(drivername="postgresql+psycopg")


def _sqlite_engine(url: URL, *, memory: bool) -> Engine:
    if memory:
        engine = create_engine(url, hide_parameters=True, poolclass=StaticPool,
                               connect_args={"check_same_thread": False})
    else:
        _private_file(Path(url.database or ""))
        # Each connection has a cache of its own: the fewer are in use, the better.
        engine = create_engine(url, hide_parameters=True, pool_size=10, max_overflow=40, pool_timeout=BUSY_S,
                               pool_use_lifo=True, connect_args={"timeout": BUSY_S, "cached_statements": 256})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private_file(path: Path) -> None:
    """Make the file readable by its owner alone: it will hold password hashes and radio keys."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreDown("The database file {file} cannot be opened: {what}", file=str(path),
                        what=error.strerror) from error


def _set_up_sqlite(raw: Any, record: object) -> None:  # noqa: ANN401, ARG001 - as SQLAlchemy's hook is
    raw.isolation_level = None  # we say BEGIN ourselves: the driver's own begins too late for DDL and reads
    # The bridge writes the same pages again and again: the longer they stay in the WAL, the fewer are written twice.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={int(BUSY_S * 1000)}",
                   f"wal_autocheckpoint={WAL_PAGES}"):
        raw.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    wait_s = options.get("wait_s", BUSY_S)
    if connection.info.get("wait_s", BUSY_S) != wait_s:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(wait_s * 1000)}")
        connection.info["wait_s"] = wait_s
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")


def _postgres_engine(url: URL) -> Engine:
    busy = int(BUSY_S * 1000)
    # A process that is frozen in a transaction must not hold its locks until somebody finds it.
    options = f"-c lock_timeout={busy} -c idle_in_transaction_session_timeout={busy} -c timezone=UTC"
    try:
        return create_engine(url, hide_parameters=True, pool_size=10, max_overflow=40, pool_timeout=BUSY_S,
                             pool_pre_ping=True, connect_args={"connect_timeout": 5, "options": options})
    except ImportError as error:
        raise Invalid("PostgreSQL needs the package psycopg: pip install 'stadtfunk[postgres]'",
                      field="database.url", rule="driver") from error


_COUNTED = select(tables.counters.c.value).where(  # made once: every batch of the bridge asks
    tables.counters.c.tenant == bindparam("of"), tables.counters.c.name == bindparam("what"))
