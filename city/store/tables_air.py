"""How lamps are reached by groups of radio: multicast groups, their members, what was sent to them; time on air."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from city.store.schema import Moment, metadata, revision_column, tenant_column

multicast_wishes = Table(
    "multicast_wishes", metadata,  # for which lamps people want groups of radio
    tenant_column(),
    Column("target", String, primary_key=True),
    Column("actor", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("generation", Integer, nullable=False),
)

multicast_groups = Table(
    "multicast_groups", metadata,  # what the bridge has made of it
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("target", String, nullable=False),
    Column("model", String, nullable=False),
    Column("application", String, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("dev_addr", String, nullable=False),
    Column("dr", Integer, nullable=False),
    Column("frequency", Integer, nullable=False),
    Column("network_id", String, nullable=False),
    Column("gateways", Text, nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("note", String, nullable=False),
    Column("changed_at", Moment),
)

multicast_members = Table(
    "multicast_members", metadata,
    tenant_column(),
    Column("group", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("enlisted", Boolean, nullable=False),
    Column("told_at", Moment),
    Column("confirmed_at", Moment),
)

casts = Table(
    "casts", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("group", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("order_json", Text, nullable=False),
    Column("lamps", Integer, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("ended_at", Moment),
    Column("estimate", Text, nullable=False),
    Column("measured", Text, nullable=False),
    Column("note", String, nullable=False),
    revision_column(),
    Index(None, "tenant", "created_at"),
)

airtime = Table(
    "airtime", metadata,  # of our own frames, by minute
    tenant_column(),
    Column("gateway", String, primary_key=True),
    Column("band", String, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("us", BigInteger, nullable=False),
    Column("frames", Integer, nullable=False),
)
