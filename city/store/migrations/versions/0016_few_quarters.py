"""Quarters of an hour about few bays are found quickly: they go long before those of many."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
NAME, FEW = "ix_parking_quarters_few", sa.text("bays < 5")


def upgrade() -> None:
    op.create_index(NAME, "parking_quarters", ["tenant", "at"], sqlite_where=FEW, postgresql_where=FEW)


def downgrade() -> None:
    op.drop_index(NAME, "parking_quarters")
