"""A resident's report about a zone starts a check of its sensors."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sensor_checks",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_sensor_checks_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", "at", name="pk_sensor_checks"))
    op.create_index("ix_sensor_checks_tenant_at", "sensor_checks", ["tenant", "at"])
    op.create_table(
        "checked_sensors",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_checked_sensors_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", "at", name="pk_checked_sensors"))
    op.create_index("ix_checked_sensors_tenant_at", "checked_sensors", ["tenant", "at"])


def downgrade() -> None:
    op.drop_table("checked_sensors")
    op.drop_table("sensor_checks")
