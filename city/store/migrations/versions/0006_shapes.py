"""The names of a state's values, kept once for all devices that say the same."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shapes",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("names", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_shapes"))


def downgrade() -> None:
    op.drop_table("shapes")
