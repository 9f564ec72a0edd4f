"""The courses of commands and the wishes there have been: a tenant's half, what the bridge commits, and what may be forgotten."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Delete, and_, delete, exists, literal_column

from city.commands import Command, State
from city.courses import CommandStep, course, step_of
from city.ids import CommandId, TenantId
from city.lighting import Override
from city.readings import to_ns
from city.store import tables, tables_lighting
from city.store.database import Database, plain
from city.store.overrides import override_of
from city.store.scope import Scope
from city.store.tables_steps import command_steps


class StepsPart:
    """The courses of a TenantStore."""

    _scope: Scope

    def command_steps(self, ids: Collection[CommandId]) -> Mapping[CommandId, Sequence[CommandStep]]:
        database, table = self._scope.database, command_steps.c
        found: dict[CommandId, list[CommandStep]] = defaultdict(list)
        with database.read() as connection:
            query = self._scope.select(command_steps, database.among(table.command))
            for row in connection.execute(query, database.listed(sorted(set(ids)))):
                found[row.command].append(CommandStep(row.command, State(row.state), row.at, row.attempts, row.note))
        return {command: course(steps) for command, steps in found.items()}

    def past_overrides(self, limit: int) -> Sequence[Override]:
        table = tables_lighting.overrides
        query = self._scope.select(table).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
        with self._scope.database.read() as connection:
            return [override_of(row) for row in connection.execute(query)]


class Steps:
    """The bridge's half: each step is written once. Only when it was sent may be said anew: what the broker did not take was
    planned again, with its attempt unspent, and was sent when it did take it."""

    def __init__(self, database: Database) -> None:
        keys, insert = [column.name for column in command_steps.primary_key], database.insert(command_steps)
        new, old = insert.excluded, command_steps.c
        self._put = database.prepared(insert.on_conflict_do_update(
            index_elements=keys, set_={"at": new.at},
            where=and_(old.state == literal_column(f"'{State.SENT.value}'"), new.at > old.at)))

    def commit(self, connection: Connection, commands: Iterable[Command]) -> None:
        """Write the steps that led to these commands, in one fixed order, so that two writers never wait for each other."""
        new: dict[tuple[TenantId, tuple[CommandId, int, State]], CommandStep] = {}
        for command in commands:
            step = step_of(command)
            if (key := (command.tenant, step.key)) not in new or step.state is State.SENT:
                new[key] = step
        self._put.run(connection, sorted((_row(tenant, step) for (tenant, _), step in new.items()), key=_key))


def lonely() -> Delete:
    """Deletes the steps of commands that are no longer kept."""
    steps, commands = command_steps.c, tables.commands.c
    kept = exists().where(and_(commands.tenant == steps.tenant, commands.id == steps.command))
    return delete(command_steps).where(~kept)


def _row(tenant: TenantId, step: CommandStep) -> dict[str, object]:
    return {"tenant": tenant, "command": step.command, "attempts": step.attempts, "state": step.state.value,
            "at": to_ns(step.at) // 1000, "note": plain(step.note)}


def _key(row: Mapping[str, object]) -> tuple[str, ...]:
    return str(row["tenant"]), str(row["command"]), f"{row['attempts']:09}", str(row["state"])
