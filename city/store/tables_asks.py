"""What people ask of single devices at once: to report."""

from sqlalchemy import Column, String, Table

from city.store.schema import Moment, metadata, tenant_column

asks = Table(
    "asks", metadata,  # the newest of each asset; those of yesterday are gone
    tenant_column(),
    Column("asset", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
)
