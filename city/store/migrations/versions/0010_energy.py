"""Energy of each lamp and night, and the factors of a town."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "energy_nights",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("night", sa.Date, nullable=False),
        sa.Column("asset", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("circuit", sa.String),
        sa.Column("metered_wh", sa.BigInteger, nullable=False),
        sa.Column("estimated_wh", sa.BigInteger, nullable=False),
        sa.Column("undimmed_wh", sa.BigInteger, nullable=False),
        sa.Column("burn_s", sa.Integer, nullable=False),
        sa.Column("missing_s", sa.Integer, nullable=False),
        sa.Column("words", sa.Integer, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("booked_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_energy_nights_tenant"),
        sa.PrimaryKeyConstraint("tenant", "night", "asset", name="pk_energy_nights"))
    op.create_index("ix_energy_nights_tenant_asset_night", "energy_nights", ["tenant", "asset", "night"])
    op.create_table(
        "factors",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("assumed", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_factors_tenant"),
        sa.PrimaryKeyConstraint("tenant", "kind", "valid_from", name="pk_factors"))


def downgrade() -> None:
    op.drop_table("factors")
    op.drop_table("energy_nights")
