"""What may be forgotten: finished commands with their courses, ended alarms, casts, time on air, expired sessions. Intents and
the audit are kept."""

from datetime import datetime

from sqlalchemy import and_, delete, exists

from city.store import tables
from city.store.database import Database
from city.store.steps import lonely
from city.store.tables_air import airtime, casts


def prune(database: Database, before: datetime) -> int:
    """Delete what was over before that time, and returns how many rows. The newest applied order of each device stays,
    because planning builds on it."""
    commands, applied, alarms = tables.commands.c, tables.applied.c, tables.alarms.c
    needed = exists().where(and_(applied.tenant == commands.tenant, applied.command == commands.id))
    with database.write() as connection:
        gone = sum(connection.execute(statement).rowcount for statement in (
            delete(tables.commands).where(~commands.live, commands.changed_at < before, ~needed),
            delete(tables.alarms).where(alarms.ended_at < before),
            delete(casts).where(casts.c.ended_at < before), delete(airtime).where(airtime.c.at < before),
            delete(tables.sessions).where(tables.sessions.c.expires_at < before)))
        connection.execute(lonely())
        return gone
