"""Energy of each lamp and night, and the factors that turn it into money and CO2."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, String, Table, Text

from city.store.schema import Moment, metadata, tenant_column

energy_nights = Table(
    "energy_nights", metadata,  # one line a lamp and night; the bridge that heard more of it has the last word
    tenant_column(),
    Column("night", Date, primary_key=True),  # the day of its evening
    Column("asset", String, primary_key=True),
    Column("zone", String, nullable=False),
    Column("circuit", String),
    Column("metered_wh", BigInteger, nullable=False),
    Column("estimated_wh", BigInteger, nullable=False),
    Column("undimmed_wh", BigInteger, nullable=False),
    Column("burn_s", Integer, nullable=False),
    Column("missing_s", Integer, nullable=False),
    Column("words", Integer, nullable=False),
    Column("ends", Text, nullable=False),  # JSON: the first and last readings of its counters; "" where there are none
    Column("booked_at", Moment, nullable=False),
    Index(None, "tenant", "asset", "night"),
)

factors = Table(
    "factors", metadata,
    tenant_column(),
    Column("kind", String, primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("value", Float, nullable=False),
    Column("source", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("assumed", Boolean, nullable=False),
    Column("actor", String, nullable=False),
    Column("at", Moment, nullable=False),
)
