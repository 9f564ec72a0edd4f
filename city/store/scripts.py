"""A tenant's own codecs: kept, bounded, switched on and off; and the number by which others see that one has changed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from city.errors import Conflict, Invalid, NotFound
from city.scripts import MAX_RULES, MAX_SOURCE, Script, model_name
from city.store import rows, tables
from city.store.database import Database, count_up, counted, plain
from city.store.registry import WHOLE
from city.store.scope import Scope

MOST_SCRIPTS = 200  # of one town: the bridge holds every town's in memory
MOST_TOGETHER = 8 << 20  # characters of all its sources
SCRIPTS = "scripts"  # the counter of all towns' scripts
MOST_BYTES = {"source": MAX_SOURCE, "mapping": MAX_SOURCE, "variables": 16 * 1024, "title": 400, "vendor": 400,
              "off": 4000, "changed_by": 400}


class ScriptsPart:
    """The scripts of a TenantStore."""

    _scope: Scope

    def scripts(self) -> Sequence[Script]:
        """In the order of their models."""
        query = self._scope.select(tables.scripts).order_by(tables.scripts.c.model)
        with self._scope.database.read() as connection:
            return [rows.script(row) for row in connection.execute(query)]

    def script(self, model: str) -> Script:
        with self._scope.database.read() as connection:
            return self._one(connection, model)

    def put_script(self, script: Script) -> None:
        values = self._scope.row(rows.script_row(script))
        _check_sizes(script, values)
        with self._scope.database.write() as connection:
            self._check_assets(connection, script)
            self._check_room(connection, script)
            connection.execute(self._scope.database.upsert(tables.scripts), values)
            self._changed(connection)

    def remove_script(self, model: str) -> None:
        devices = tables.devices
        used = self._scope.select(devices, devices.c.model == model).with_only_columns(func.count())
        with self._scope.database.write() as connection:
            count = connection.execute(used).scalar_one()
            if count:
                raise Conflict("The model {model} is in use by {count} devices.", field="model", rule="not in use",
                               model=model[:64], count=count)
            removed = connection.execute(self._scope.delete(tables.scripts, tables.scripts.c.model == model))
            if not removed.rowcount:
                self._one(connection, model)
            self._changed(connection)

    def switch_script(self, model: str, off: str, actor: str, now: datetime) -> Script:
        change = self._scope.update(tables.scripts, tables.scripts.c.model == model)
        values = {"off": plain(off)[:MOST_BYTES["off"] // 4], "changed_at": now, "changed_by": plain(actor)}
        with self._scope.database.write() as connection:
            connection.execute(change.values(**values))
            script = self._one(connection, model)
            self._changed(connection)
        return script

    def _one(self, connection: Connection, model: str) -> Script:
        row = connection.execute(self._scope.select(tables.scripts, tables.scripts.c.model == model)).first()
        if row is None:
            raise NotFound("There is no script for the model “{model}”.", field="model", rule="exists", model=model[:64])
        return rows.script(row)

    def _check_assets(self, connection: Connection, script: Script) -> None:
        """Devices of the model serve what the script is for."""
        devices, assets = tables.devices.c, tables.assets.c
        serving = self._scope.select(tables.devices, devices.model == script.model).with_only_columns(devices.asset)
        other = self._scope.select(tables.assets, assets.id.in_(serving), assets.kind != script.asset)
        found = connection.execute(other.limit(1)).first()
        if found is not None:
            raise Conflict("“{model}” serves a {serves}, not a {kind}.", field="asset", rule="serves this kind",
                           model=script.model, serves=script.asset, kind=found.kind)

    def _check_room(self, connection: Connection, script: Script) -> None:
        """No town fills the memory that all share."""
        table = tables.scripts.c
        others = self._scope.select(tables.scripts, table.model != script.model).with_only_columns(
            func.count(), func.coalesce(func.sum(func.length(table.source)), 0))
        count, size = connection.execute(others).one()
        if count >= MOST_SCRIPTS or size + len(script.source) > MOST_TOGETHER:
            raise Conflict("A town keeps at most {most} scripts, of {megabytes} MB together.", field="model", rule="number",
                           most=MOST_SCRIPTS, megabytes=MOST_TOGETHER >> 20)

    def _changed(self, connection: Connection) -> None:
        self._scope.next_revision(connection)
        count_up(self._scope.database, connection, WHOLE, SCRIPTS)


def all_scripts(database: Database) -> Sequence[Script]:
    """Every town's, by town and model."""
    table = tables.scripts
    with database.read() as connection:
        return [rows.script(row) for row in connection.execute(select(table).order_by(table.c.tenant, table.c.model))]


def scripts_revision(database: Database) -> int:
    """A number that rises with any change of any script."""
    with database.read() as connection:
        return counted(connection, WHOLE, SCRIPTS)


def _check_sizes(script: Script, values: dict[str, object]) -> None:
    model_name(script.model)
    for field, most in MOST_BYTES.items():
        if len(str(values[field]).encode()) > most:
            raise Invalid("The script's {field} may have {most} bytes at most.", field=field, rule="size", most=most)
    if len(script.mapping.rules) > MAX_RULES:
        raise Invalid("A mapping has {most} rules at most.", field="mapping", rule="rules", most=MAX_RULES)
