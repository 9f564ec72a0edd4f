"""Incidents, what people did about them, whom to tell, and what lamps of a kind are known to draw. Bodies are JSON."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, text

from city.store.schema import Moment, metadata, revision_column, tenant_column

incidents = Table(
    "incidents", metadata,  # the bridge's
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("cause", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("closed_at", Moment),
    Column("assets", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("returned_at", Moment),
    Column("returns", Integer, nullable=False),
    Column("merged", String, nullable=False),
    revision_column(),
    Index("ix_incidents_open", "tenant", sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
    Index(None, "tenant", "began_at"),
    Index(None, "tenant", "revision"),
)

acts = Table(
    "acts", metadata,  # what people did about incidents: only added to
    tenant_column(),
    Column("incident", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("deed", String, nullable=False),
    Column("body", Text, nullable=False),
    revision_column(),
    Index(None, "tenant", "at"),
    Index(None, "tenant", "revision"),
)

typical = Table(
    "typical", metadata,  # what lamps of a type draw at a level, learnt by the bridge
    tenant_column(),
    Column("type", String, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("nights", Text, nullable=False),
    Column("lamps", Integer, nullable=False),
)

inspections = Table(
    "inspections", metadata,  # what the bridge remembers of a town's lamps from look to look, compressed
    tenant_column(),
    Column("at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

channels = Table(
    "channels", metadata,  # whom to tell of incidents, and how
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("address", String, nullable=False),
    Column("secret", String, nullable=False),
    Column("language", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("quiet_from", Integer),  # minutes after local midnight
    Column("quiet_until", Integer),
    Column("at_once", Integer, nullable=False),
    Column("repeat_minutes", Integer, nullable=False),
    Column("off", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String, nullable=False),
    Column("trial_at", Moment),  # when somebody last wanted a message on trial
)

deliveries = Table(
    "deliveries", metadata,  # each message that was sent or is to be sent, written by the bridge
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("channel", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment),
    Column("note", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "tenant", "at"),
)
