"""People may ask a device to report at once."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asks",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("asset", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_asks_tenant"),
        sa.PrimaryKeyConstraint("tenant", "asset", name="pk_asks"))


def downgrade() -> None:
    op.drop_table("asks")
