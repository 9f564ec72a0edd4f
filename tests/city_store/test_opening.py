"""The city database's tables and how they come to be."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from city.clock import ManualClock
from city.errors import Invalid, StoreDown
from city.settings import Secret
from city.store.__main__ import main
from city.store.database import Database
from city.store.opening import MIGRATIONS, newest, open_store, upgrade, version
from city.store.ports import Account, Role, Session
from city.store.tables import metadata


def test_metadata_and_migrations_agree():
    database = Database("sqlite://")
    upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_index_and_key_of_the_metadata_is_migrated():
    database = Database("sqlite://")
    upgrade(database)
    with database.read() as connection:
        seen = inspect(connection)
        for table in metadata.sorted_tables:
            assert {index["name"] for index in seen.get_indexes(table.name)} == {index.name for index in table.indexes}
            assert seen.get_pk_constraint(table.name)["constrained_columns"] == [key.name for key in table.primary_key]
            assert len(seen.get_foreign_keys(table.name)) == len(table.foreign_key_constraints)


def test_each_tenant_owned_table_is_keyed_by_the_tenant_first():
    # of the platform, or of nobody
    shared = {"tenants", "letters", "accounts", "tokens", "sessions", "leases", "beats", "shapes"}
    for table in metadata.sorted_tables:
        if table.name not in shared:
            assert next(iter(table.primary_key)).name == "tenant", table.name


def test_a_database_in_memory_serves_every_thread():
    store = open_store("sqlite://")
    assert list(store.tenants()) == []
    store.close()


def test_a_secret_address_is_understood(tmp_path):
    open_store(Secret(f"sqlite:///{tmp_path}/city.db")).close()
    assert (tmp_path / "city.db").exists()


def test_the_file_is_its_owners_alone(tmp_path):
    open_store(f"sqlite:///{tmp_path}/deep/city.db").close()
    assert stat.S_IMODE((tmp_path / "deep" / "city.db").stat().st_mode) == 0o600


def test_sqlite_is_durable_and_keeps_foreign_keys(tmp_path):
    with Database(f"sqlite:///{tmp_path}/city.db").read() as connection:
        asked = {name: connection.execute(text(f"PRAGMA {name}")).scalar()
                 for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://localhost/town", "sqlite+aiosqlite"])
def test_an_address_that_is_none_is_invalid(url):
    with pytest.raises(Invalid):
        open_store(url)


def test_a_file_that_is_no_database_is_store_down(tmp_path):
    (tmp_path / "city.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreDown):
        open_store(f"sqlite:///{tmp_path}/city.db")


def test_a_file_that_cannot_be_made_is_store_down(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown):
        open_store(f"sqlite:///{tmp_path}/file/city.db")


def test_a_newer_database_is_refused(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/city.db")
    upgrade(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Invalid, match="newer"):
        open_store(f"sqlite:///{tmp_path}/city.db")


def test_errors_never_show_values_or_passwords(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/city.db")
    with pytest.raises(StoreDown) as down, database.read() as connection:
        connection.execute(text("SELECT * FROM nowhere WHERE x = :secret"), {"secret": "hush"})
    assert "hush" not in str(down.value) + repr(down.value.__cause__)
    with pytest.raises(StoreDown) as down:
        open_store("postgresql://town:hush@127.0.0.1:1/town")
    assert "hush" not in str(down.value) + str(down.value.__cause__)


def test_the_command_upgrades_and_tells_the_version(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/city.db"
    assert main(["version", "--url", url]) == 3
    assert main(["upgrade", "--url", url]) == 0
    assert main(["version", "--url", url]) == 0
    assert newest() in capsys.readouterr().out
    assert version(Database(url)) == newest()


def test_the_command_prunes_by_the_clock(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/city.db"
    assert main(["prune", "--url", url]) == 3
    store = open_store(url)
    store.put_account(Account("anna", Role.VIEWER, None, "hash"))
    now = datetime(2026, 1, 10, tzinfo=UTC)
    store.put_session(Session("digest", "anna", "csrf", now))
    store.close()
    for days, gone in ((29, 0), (31, 1)):
        assert main(["prune", "--days", "30", "--url", url], ManualClock(now + timedelta(days=days))) == 0
        assert f"pruned: {gone} rows" in capsys.readouterr().out


def test_the_migrations_lie_inside_the_package():
    import city.store.migrations as migrations

    directory = Path(migrations.__file__).parent
    assert (directory / "env.py").exists()
    assert (directory / "script.py.mako").exists()


def test_the_newest_revision_is_the_one_that_alembic_would_choose():
    scripts = Config()
    scripts.set_main_option("script_location", str(MIGRATIONS))
    assert newest() == ScriptDirectory.from_config(scripts).get_current_head()


def test_a_database_of_our_revision_is_opened_without_what_makes_revisions(tmp_path):
    open_store(f"sqlite:///{tmp_path}/city.db").close()
    code = (f"import sys; from city.store.opening import open_store; import gateway_bridge.__main__; "
            f"open_store('sqlite:///{tmp_path}/city.db').close(); "
            f"print(sorted({{'alembic', 'grpc', 'influxdb_client'}} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
