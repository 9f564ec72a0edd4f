"""Accounts and tokens work in lighting, in parking or in both; those that exist work in both."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("accounts", "tokens"):
        op.add_column(table, sa.Column("areas", sa.String, nullable=False, server_default="lighting,parking"))


def downgrade() -> None:
    for table in ("accounts", "tokens"):
        op.drop_column(table, "areas")
