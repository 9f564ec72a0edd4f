"""The city database's tables. Each table that a tenant owns has the tenant first in its key.

Times are integer microseconds since 1970 UTC, the same on every engine. `revision` is the number, counted in each
tenant, of the transaction that last changed a row: it lets the console ask for what is newer.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from city.store import tables_air, tables_asks, tables_energy, tables_faults, tables_lighting, tables_parking, tables_steps
from city.store.schema import Moment
from city.store.schema import metadata as metadata
from city.store.schema import revision_column as _revision
from city.store.schema import tenant_column as _tenant

# of their own subjects, same metadata
PARTS = (tables_air, tables_asks, tables_energy, tables_faults, tables_lighting, tables_parking, tables_steps)

tenants = Table(
    "tenants", metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("chirpstack_tenant", String, nullable=False),
    Column("land", String, nullable=False),
)

counters = Table(
    "counters", metadata,  # tenant "" counts the registry of all towns
    Column("tenant", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

zones = Table(
    "zones", metadata,
    _tenant(),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
)

circuits = Table(
    "circuits", metadata,
    _tenant(),
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("delivery_point", String, nullable=False),
    Column("supply", String, nullable=False),
)

assets = Table(
    "assets", metadata,
    _tenant(),
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("zone", String, nullable=False),
    Column("circuit", String),
    Column("power_w", Float),
    Column("lighting_class", String, nullable=False),
    Column("restriction", String, nullable=False),
    Column("min_level", Integer, nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("lighting_class_night", String, nullable=False),
    Column("designed_value", Float),
    Column("lantern_ring", Boolean, nullable=False),
    Column("luminaire_type", String, nullable=False),
    _revision(),
    ForeignKeyConstraint(["tenant", "zone"], ["zones.tenant", "zones.id"]),
    ForeignKeyConstraint(["tenant", "circuit"], ["circuits.tenant", "circuits.id"]),
    Index(None, "tenant", "revision"),
)

devices = Table(
    "devices", metadata,
    _tenant(),
    Column("dev_eui", String, primary_key=True),
    Column("asset", String, nullable=False),
    Column("model", String, nullable=False),
    ForeignKeyConstraint(["tenant", "asset"], ["assets.tenant", "assets.id"]),
    UniqueConstraint("dev_eui"),
    UniqueConstraint("tenant", "asset"),
)

scripts = Table(
    "scripts", metadata,
    _tenant(),
    Column("model", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("asset", String, nullable=False),
    Column("source", Text, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("vendor", String, nullable=False),
    Column("device_class", String, nullable=False),
    Column("heartbeat_us", BigInteger, nullable=False),
    Column("max_minutes", Integer),
    Column("normalized", Boolean, nullable=False),
    Column("variables", Text, nullable=False),
    Column("off", Text, nullable=False),
    Column("changed_at", Moment),
    Column("changed_by", String, nullable=False),
)

streets = Table(
    "streets", metadata,
    _tenant(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("points", Text, nullable=False),
)

wishes = Table(
    "wishes", metadata,
    _tenant(),
    Column("device", String, primary_key=True),
    Column("wanted", LargeBinary, nullable=False),
    Column("actor", String, nullable=False),
    Column("at", Moment, nullable=False),
)

audit = Table(
    "audit", metadata,
    _tenant(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("detail", Text, nullable=False),
)

states = Table(
    "states", metadata,
    _tenant(),
    Column("device", String, primary_key=True),
    Column("heard_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    _revision(),
    Index(None, "device", unique=True),
    Index(None, "tenant", "revision"),
)

commands = Table(
    "commands", metadata,
    _tenant(),
    Column("id", String, primary_key=True),
    Column("device", String, nullable=False),
    Column("asset", String, nullable=False),
    Column("order_json", Text, nullable=False),
    Column("origin", String, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("state", String, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("holds_until", Moment),
    Column("cast", String, nullable=False, server_default=""),
    Column("quiet_until", Moment),
    Column("note", String, nullable=False),
    _revision(),
    Index("ix_commands_live", "device", sqlite_where=text("live"), postgresql_where=text("live")),
    Index(None, "tenant", "created_at"),
    Index(None, "tenant", "asset", "created_at"),
    Index(None, "tenant", "origin", "created_at"),
    Index(None, "tenant", "revision"),
)

applied = Table(
    "applied", metadata,  # the newest applied level order of each device
    _tenant(),
    Column("device", String, primary_key=True),
    Column("command", String, nullable=False),
    Column("at", Moment, nullable=False),
)

alarms = Table(
    "alarms", metadata,
    _tenant(),
    Column("id", String, primary_key=True),
    Column("asset", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("began_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("facts", Text, nullable=False),
    _revision(),
    Index("ix_alarms_open", "tenant", "asset", sqlite_where=text("ended_at IS NULL"),
          postgresql_where=text("ended_at IS NULL")),
    Index(None, "tenant", "began_at"),
    Index(None, "tenant", "revision"),
)

letters = Table(
    "letters", metadata,
    Column("id", String, primary_key=True),
    _tenant(key=False),
    Column("received_at", Moment, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Index(None, "received_at"),
    Index(None, "tenant", "received_at"),
    Index(None, "reason", "tenant", "received_at"),
)

accounts = Table(
    "accounts", metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    _tenant(key=False),
    Column("password_hash", String, nullable=False),
    Column("areas", String, nullable=False),  # names of city.store.ports.Area, with commas
)

tokens = Table(
    "tokens", metadata,
    Column("digest", String, primary_key=True),
    Column("prefix", String, nullable=False),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    _tenant(key=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("areas", String, nullable=False),
)

sessions = Table(
    "sessions", metadata,
    Column("digest", String, primary_key=True),
    Column("account", String, ForeignKey("accounts.name"), nullable=False),
    Column("csrf", String, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index(None, "expires_at"),
)

leases = Table(
    "leases", metadata,  # who alone does a job that several processes could do
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until_us", BigInteger, nullable=False),  # by the database's own clock
    Column("fence", BigInteger, nullable=False),  # one higher with each new holder
)

shapes = Table(
    "shapes", metadata,  # the names of the values of states, see city.store.shapes
    Column("key", String, primary_key=True),
    Column("names", String, nullable=False),
)

beats = Table(
    "beats", metadata,  # the last sign of life of each bridge
    Column("name", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
