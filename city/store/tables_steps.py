"""What became of each command, step by step."""

from sqlalchemy import Column, Integer, String, Table

from city.store.schema import Moment, metadata, tenant_column

command_steps = Table(
    "command_steps", metadata,  # only ever added to, and pruned with its command
    tenant_column(),
    Column("command", String, primary_key=True),
    Column("attempts", Integer, primary_key=True, autoincrement=False),
    Column("state", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("note", String, nullable=False),
)
