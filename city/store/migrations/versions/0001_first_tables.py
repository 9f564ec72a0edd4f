"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "overrides",
    "devices",
    "sessions",
    "assets",
    "zones",
    "wishes",
    "tokens",
    "streets",
    "states",
    "programs",
    "letters",
    "commands",
    "circuits",
    "audit",
    "applied",
    "alarms",
    "accounts",
    "tenants",
    "counters",
)


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_counters"),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("chirpstack_tenant", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_accounts_tenant"),
        sa.PrimaryKeyConstraint("name", name="pk_accounts"),
    )
    op.create_table(
        "alarms",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_alarms_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_alarms"),
    )
    op.create_index(
        "ix_alarms_open",
        "alarms",
        ["tenant", "asset"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_alarms_tenant_began_at", "alarms", ["tenant", "began_at"], unique=False)
    op.create_index("ix_alarms_tenant_revision", "alarms", ["tenant", "revision"], unique=False)
    op.create_table(
        "applied",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_applied_tenant"),
        sa.PrimaryKeyConstraint("tenant", "device", name="pk_applied"),
    )
    op.create_table(
        "audit",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_audit_tenant"),
        sa.PrimaryKeyConstraint("tenant", "seq", name="pk_audit"),
    )
    op.create_table(
        "circuits",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_circuits_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_circuits"),
    )
    op.create_table(
        "commands",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("order_json", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("holds_until", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_commands_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_commands"),
    )
    op.create_index(
        "ix_commands_live",
        "commands",
        ["device"],
        unique=False,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.create_index("ix_commands_tenant_asset_created_at", "commands", ["tenant", "asset", "created_at"], unique=False)
    op.create_index("ix_commands_tenant_created_at", "commands", ["tenant", "created_at"], unique=False)
    op.create_index(
        "ix_commands_tenant_origin_created_at", "commands", ["tenant", "origin", "created_at"], unique=False
    )
    op.create_index("ix_commands_tenant_revision", "commands", ["tenant", "revision"], unique=False)
    op.create_table(
        "letters",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_letters_tenant"),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
    )
    op.create_index("ix_letters_received_at", "letters", ["received_at"], unique=False)
    op.create_index("ix_letters_tenant_received_at", "letters", ["tenant", "received_at"], unique=False)
    op.create_table(
        "programs",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("reduced_level", sa.Integer(), nullable=False),
        sa.Column("reduced_from", sa.Time(), nullable=False),
        sa.Column("reduced_until", sa.Time(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_programs_tenant"),
        sa.PrimaryKeyConstraint("tenant", name="pk_programs"),
    )
    op.create_table(
        "states",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("heard_ns", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_states_tenant"),
        sa.PrimaryKeyConstraint("tenant", "device", name="pk_states"),
    )
    op.create_index("ix_states_device", "states", ["device"], unique=True)
    op.create_index("ix_states_tenant_revision", "states", ["tenant", "revision"], unique=False)
    op.create_table(
        "streets",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("points", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_streets_tenant"),
        sa.PrimaryKeyConstraint("tenant", "position", name="pk_streets"),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_tokens_tenant"),
        sa.PrimaryKeyConstraint("digest", name="pk_tokens"),
    )
    op.create_table(
        "wishes",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("wanted", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_wishes_tenant"),
        sa.PrimaryKeyConstraint("tenant", "device", name="pk_wishes"),
    )
    op.create_table(
        "zones",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_zones_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_zones"),
    )
    op.create_table(
        "assets",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("circuit", sa.String(), nullable=True),
        sa.Column("power_w", sa.Float(), nullable=True),
        sa.Column("lighting_class", sa.String(), nullable=False),
        sa.Column("restriction", sa.String(), nullable=False),
        sa.Column("min_level", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "circuit"], ["circuits.tenant", "circuits.id"], name="fk_assets_tenant_circuit"
        ),
        sa.ForeignKeyConstraint(["tenant", "zone"], ["zones.tenant", "zones.id"], name="fk_assets_tenant_zone"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_assets_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_assets"),
    )
    op.create_index("ix_assets_tenant_revision", "assets", ["tenant", "revision"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name="fk_sessions_account"),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)
    op.create_table(
        "devices",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("dev_eui", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "asset"], ["assets.tenant", "assets.id"], name="fk_devices_tenant_asset"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_devices_tenant"),
        sa.PrimaryKeyConstraint("tenant", "dev_eui", name="pk_devices"),
        sa.UniqueConstraint("dev_eui", name="uq_devices_dev_eui"),
        sa.UniqueConstraint("tenant", "asset", name="uq_devices_tenant_asset"),
    )
    op.create_table(
        "overrides",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.String(), nullable=True),
        sa.Column("asset", sa.String(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "asset"], ["assets.tenant", "assets.id"], name="fk_overrides_tenant_asset"),
        sa.ForeignKeyConstraint(["tenant", "zone"], ["zones.tenant", "zones.id"], name="fk_overrides_tenant_zone"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_overrides_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_overrides"),
    )
    op.create_index("ix_overrides_tenant_ends_at", "overrides", ["tenant", "ends_at"], unique=False)
    op.create_index("ix_overrides_tenant_revision", "overrides", ["tenant", "revision"], unique=False)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
