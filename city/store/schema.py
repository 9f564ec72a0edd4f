"""What the city database's tables are made of: moments, the metadata they share, the columns that many have."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from city.readings import from_ns, to_ns


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, kept exactly to the microsecond."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else to_ns(value) // 1000

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_ns(value * 1000)

    @property
    def python_type(self) -> type[datetime]:
        return datetime


metadata = MetaData(naming_convention={
    "pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"})


def tenant_column(*, key: bool = True) -> Column[str]:
    """The town that owns the row, first in its key."""
    return Column("tenant", String, ForeignKey("tenants.id"), primary_key=key, nullable=not key)


def revision_column() -> Column[int]:
    """The number, counted in each tenant, of the transaction that last changed the row."""
    return Column("revision", BigInteger, nullable=False)
