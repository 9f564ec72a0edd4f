"""What people want of the lamps: groups, programs, calendars and where they apply, overrides. Bodies are JSON of the
city's types."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from city.store.schema import Moment, metadata, revision_column, tenant_column

groups = Table(
    "groups", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("body", Text, nullable=False),  # members, or the filter that finds them
)

programs = Table(
    "programs", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("body", Text, nullable=False),
)

calendars = Table(
    "calendars", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("body", Text, nullable=False),
)

assignments = Table(
    "assignments", metadata,  # which calendar holds where
    tenant_column(),
    Column("target", String, primary_key=True),
    Column("calendar", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
)

overrides = Table(
    "overrides", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("level", Integer),  # none: as programmed
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("reason", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("targets", Text, nullable=False),
    Column("ended_at", Moment),
    Column("emergency", Boolean, nullable=False),
    Column("needs_second", Boolean, nullable=False),
    Column("approved_by", String, nullable=False),
    Column("approved_at", Moment),
    revision_column(),
    Index(None, "tenant", "ends_at"),
    Index(None, "tenant", "revision"),
)
