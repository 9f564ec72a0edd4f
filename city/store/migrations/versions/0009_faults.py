"""Incidents, what people did about them, whom to tell, what was learnt; alarms have a severity and their proof."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _table(name: str, *columns: sa.Column[Any], key: tuple[str, ...]) -> None:
    op.create_table(
        name, sa.Column("tenant", sa.String, nullable=False), *columns,
        sa.PrimaryKeyConstraint("tenant", *key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=f"fk_{name}_tenant"))


def upgrade() -> None:
    op.add_column("alarms", sa.Column("severity", sa.Integer, nullable=False, server_default="1"))
    op.add_column("alarms", sa.Column("facts", sa.Text, nullable=False, server_default="{}"))
    _table("incidents",
           sa.Column("id", sa.String, nullable=False), sa.Column("cause", sa.String, nullable=False),
           sa.Column("subject", sa.String, nullable=False), sa.Column("severity", sa.Integer, nullable=False),
           sa.Column("began_at", sa.BigInteger, nullable=False), sa.Column("ended_at", sa.BigInteger),
           sa.Column("closed_at", sa.BigInteger), sa.Column("assets", sa.Text, nullable=False),
           sa.Column("size", sa.Integer, nullable=False), sa.Column("kinds", sa.Text, nullable=False),
           sa.Column("facts", sa.Text, nullable=False), sa.Column("returned_at", sa.BigInteger),
           sa.Column("returns", sa.Integer, nullable=False), sa.Column("merged", sa.String, nullable=False),
           sa.Column("revision", sa.BigInteger, nullable=False), key=("id",))
    op.create_index("ix_incidents_open", "incidents", ["tenant"], sqlite_where=sa.text("closed_at IS NULL"),
                    postgresql_where=sa.text("closed_at IS NULL"))
    op.create_index("ix_incidents_tenant_began_at", "incidents", ["tenant", "began_at"])
    op.create_index("ix_incidents_tenant_revision", "incidents", ["tenant", "revision"])
    _table("acts",
           sa.Column("incident", sa.String, nullable=False), sa.Column("number", sa.Integer, nullable=False),
           sa.Column("at", sa.BigInteger, nullable=False), sa.Column("actor", sa.String, nullable=False),
           sa.Column("deed", sa.String, nullable=False), sa.Column("body", sa.Text, nullable=False),
           sa.Column("revision", sa.BigInteger, nullable=False), key=("incident", "number"))
    op.create_index("ix_acts_tenant_at", "acts", ["tenant", "at"])
    op.create_index("ix_acts_tenant_revision", "acts", ["tenant", "revision"])
    _table("typical",
           sa.Column("type", sa.String, nullable=False), sa.Column("level", sa.Integer, nullable=False),
           sa.Column("nights", sa.Text, nullable=False), sa.Column("lamps", sa.Integer, nullable=False),
           key=("type", "level"))
    _table("inspections", sa.Column("at", sa.BigInteger, nullable=False), sa.Column("body", sa.LargeBinary, nullable=False),
           key=())
    _table("channels",
           sa.Column("id", sa.String, nullable=False), sa.Column("name", sa.String, nullable=False),
           sa.Column("kind", sa.String, nullable=False), sa.Column("address", sa.String, nullable=False),
           sa.Column("secret", sa.String, nullable=False), sa.Column("language", sa.String, nullable=False),
           sa.Column("severity", sa.Integer, nullable=False), sa.Column("quiet_from", sa.Integer),
           sa.Column("quiet_until", sa.Integer), sa.Column("at_once", sa.Integer, nullable=False),
           sa.Column("repeat_minutes", sa.Integer, nullable=False), sa.Column("off", sa.Boolean, nullable=False),
           sa.Column("changed_at", sa.BigInteger, nullable=False), sa.Column("changed_by", sa.String, nullable=False),
           sa.Column("trial_at", sa.BigInteger), key=("id",))
    _table("deliveries",
           sa.Column("id", sa.String, nullable=False), sa.Column("channel", sa.String, nullable=False),
           sa.Column("at", sa.BigInteger, nullable=False), sa.Column("state", sa.String, nullable=False),
           sa.Column("attempts", sa.Integer, nullable=False), sa.Column("next_at", sa.BigInteger),
           sa.Column("note", sa.Text, nullable=False), sa.Column("body", sa.Text, nullable=False), key=("id",))
    op.create_index("ix_deliveries_tenant_at", "deliveries", ["tenant", "at"])


def downgrade() -> None:
    for table in ("deliveries", "channels", "inspections", "typical", "acts", "incidents"):
        op.drop_table(table)
    op.drop_column("alarms", "facts")
    op.drop_column("alarms", "severity")
