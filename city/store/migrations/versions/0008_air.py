"""Multicast groups, what was sent to them, time on air; commands that went out by a group."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _wishes()
    _groups()
    _members()
    _casts()
    _airtime()
    op.add_column("commands", sa.Column("cast", sa.String, nullable=False, server_default=""))
    op.add_column("commands", sa.Column("quiet_until", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("commands", "quiet_until")
    op.drop_column("commands", "cast")
    for table in ("airtime", "casts", "multicast_members", "multicast_groups", "multicast_wishes"):
        op.drop_table(table)


def _table(name: str, key: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    op.create_table(
        name, sa.Column("tenant", sa.String, nullable=False), *columns,
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=f"fk_{name}_tenant"),
        sa.PrimaryKeyConstraint("tenant", *key, name=f"pk_{name}"))


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.String, nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False)


def _moment(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=optional)


def _wishes() -> None:
    _table("multicast_wishes", ("target",), _text("target"), _text("actor"), _moment("at"), _number("generation"))


def _groups() -> None:
    _table("multicast_groups", ("id",), _text("id"), _text("target"), _text("model"), _text("application"), _number("slot"),
           _number("generation"), _text("dev_addr"), _number("dr"), _number("frequency"), _text("network_id"),
           sa.Column("gateways", sa.Text, nullable=False), sa.Column("ready", sa.Boolean, nullable=False), _text("note"),
           _moment("changed_at", optional=True))


def _members() -> None:
    _table("multicast_members", ("group", "device"), _text("group"), _text("device"), _text("state"),
           sa.Column("enlisted", sa.Boolean, nullable=False), _moment("told_at", optional=True),
           _moment("confirmed_at", optional=True))


def _casts() -> None:
    _table("casts", ("id",), _text("id"), _text("group"), _text("origin"), _number("priority"),
           sa.Column("order_json", sa.Text, nullable=False), _number("lamps"), _number("repeats"),
           sa.Column("seconds", sa.Float, nullable=False), _moment("created_at"), _moment("expires_at"), _moment("next_at"),
           _number("sent"), _moment("ended_at", optional=True), sa.Column("estimate", sa.Text, nullable=False),
           sa.Column("measured", sa.Text, nullable=False), _text("note"),
           sa.Column("revision", sa.BigInteger, nullable=False))
    op.create_index("ix_casts_tenant_created_at", "casts", ["tenant", "created_at"])


def _airtime() -> None:
    _table("airtime", ("gateway", "band", "at"), _text("gateway"), _text("band"), _moment("at"), _moment("us"),
           _number("frames"))
