"""Groups, programs, calendars; overrides of any targets; what the law needs to know of a lamp."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _columns()
    _programs(op.get_bind())
    _overrides(op.get_bind())


def downgrade() -> None:
    for table in ("groups", "calendars", "assignments", "programs", "overrides"):
        op.drop_table(table)
    _former_programs()
    _former_overrides()
    for column in ("luminaire_type", "lantern_ring", "designed_value", "lighting_class_night"):
        op.drop_column("assets", column)
    for column in ("supply", "delivery_point", "name"):
        op.drop_column("circuits", column)
    op.drop_column("tenants", "land")


def _columns() -> None:
    op.add_column("tenants", sa.Column("land", sa.String, nullable=False, server_default=""))
    for column in ("name", "delivery_point"):
        op.add_column("circuits", sa.Column(column, sa.String, nullable=False, server_default=""))
    op.add_column("circuits", sa.Column("supply", sa.String, nullable=False, server_default="permanent"))
    op.add_column("assets", sa.Column("lighting_class_night", sa.String, nullable=False, server_default=""))
    op.add_column("assets", sa.Column("designed_value", sa.Float))
    op.add_column("assets", sa.Column("lantern_ring", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("assets", sa.Column("luminaire_type", sa.String, nullable=False, server_default=""))


def _programs(bind: sa.Connection) -> None:
    former = bind.execute(sa.text("SELECT tenant, name, level, reduced_level, reduced_from, reduced_until FROM programs")).all()
    op.drop_table("programs")
    for name in ("programs", "calendars", "groups"):
        op.create_table(
            name,
            sa.Column("tenant", sa.String, nullable=False),
            sa.Column("id", sa.String, nullable=False),
            sa.Column("name", sa.String, nullable=False),
            sa.Column("body", sa.Text, nullable=False),
            sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=f"fk_{name}_tenant"),
            sa.PrimaryKeyConstraint("tenant", "id", name=f"pk_{name}"))
    op.create_table(
        "assignments",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("calendar", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_assignments_tenant"),
        sa.PrimaryKeyConstraint("tenant", "target", name="pk_assignments"))
    for row in former:
        body = {"on": {"at": {"anchor": "sunset"}, "level": row.level},
                "steps": [{"at": {"anchor": "clock", "minutes": _minutes(row.reduced_from)}, "level": row.reduced_level},
                          {"at": {"anchor": "clock", "minutes": _minutes(row.reduced_until)}, "level": row.level}],
                "off": {"at": {"anchor": "sunrise"}, "level": 0}}
        values = {"tenant": row.tenant, "id": "halbnacht", "name": row.name, "body": json.dumps(body)}
        bind.execute(sa.text("INSERT INTO programs (tenant, id, name, body) VALUES (:tenant, :id, :name, :body)"), values)


def _minutes(at: object) -> int:
    hours, minutes = str(at).split(":")[:2]
    return 60 * int(hours) + int(minutes)


def _overrides(bind: sa.Connection) -> None:
    former = bind.execute(sa.text("SELECT * FROM overrides")).mappings().all()
    op.drop_table("overrides")
    op.create_table(
        "overrides",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("level", sa.Integer),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("emergency", sa.Boolean, nullable=False),
        sa.Column("needs_second", sa.Boolean, nullable=False),
        sa.Column("approved_by", sa.String, nullable=False),
        sa.Column("approved_at", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_overrides_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_overrides"))
    op.create_index("ix_overrides_tenant_ends_at", "overrides", ["tenant", "ends_at"])
    op.create_index("ix_overrides_tenant_revision", "overrides", ["tenant", "revision"])
    insert = sa.text("INSERT INTO overrides (tenant, id, level, starts_at, ends_at, reason, actor, created_at, targets, ended_at,"
                     " emergency, needs_second, approved_by, revision) VALUES (:tenant, :id, :level, :starts_at, :ends_at,"
                     " :reason, :actor, :created_at, :targets, :ended_at, :no, :no, '', :revision)")
    for row in former:
        target = f"lamp:{row['asset']}" if row["asset"] is not None else f"zone:{row['zone']}"
        bind.execute(insert, {**row, "targets": json.dumps([target]), "no": False})


def _former_programs() -> None:
    op.create_table(
        "programs",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("reduced_level", sa.Integer, nullable=False),
        sa.Column("reduced_from", sa.Time, nullable=False),
        sa.Column("reduced_until", sa.Time, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_programs_tenant"),
        sa.PrimaryKeyConstraint("tenant", name="pk_programs"))


def _former_overrides() -> None:
    op.create_table(
        "overrides",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("zone", sa.String),
        sa.Column("asset", sa.String),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "asset"], ["assets.tenant", "assets.id"], name="fk_overrides_tenant_asset"),
        sa.ForeignKeyConstraint(["tenant", "zone"], ["zones.tenant", "zones.id"], name="fk_overrides_tenant_zone"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_overrides_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_overrides"))
    op.create_index("ix_overrides_tenant_ends_at", "overrides", ["tenant", "ends_at"])
    op.create_index("ix_overrides_tenant_revision", "overrides", ["tenant", "revision"])
