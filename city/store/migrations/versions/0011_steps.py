"""What became of each command, step by step; of those there are, the last step is known."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "command_steps",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_command_steps_tenant"),
        sa.PrimaryKeyConstraint("tenant", "command", "attempts", "state", name="pk_command_steps"))
    op.execute("INSERT INTO command_steps (tenant, command, attempts, state, at, note) "
               "SELECT tenant, id, attempts, state, changed_at, note FROM commands")


def downgrade() -> None:
    op.drop_table("command_steps")
