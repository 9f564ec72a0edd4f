"""Letters that wait for a script are asked for again and again, town by town."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEX = "ix_letters_reason_tenant_received_at"


def upgrade() -> None:
    op.create_index(_INDEX, "letters", ["reason", "tenant", "received_at"])


def downgrade() -> None:
    op.drop_index(_INDEX, "letters")
