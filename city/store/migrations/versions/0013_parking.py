"""Parking: what people say of zones and bays, and what the bridge finds out."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parking_sites",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_parking_sites_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", name="pk_parking_sites"))
    op.create_table(
        "permit_zones",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_permit_zones_tenant"),
        sa.PrimaryKeyConstraint("tenant", "code", name="pk_permit_zones"))
    op.create_table(
        "parking_towns",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_parking_towns_tenant"),
        sa.PrimaryKeyConstraint("tenant", name="pk_parking_towns"))
    op.create_table(
        "bay_blocks",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("bay", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_bay_blocks_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_bay_blocks"))
    op.create_index("ix_bay_blocks_tenant_end", "bay_blocks", ["tenant", "end"])
    op.create_table(
        "doubts",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("shown", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_by", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_doubts_tenant"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_doubts"))
    op.create_index("ix_doubts_tenant_at", "doubts", ["tenant", "at"])
    op.create_table(
        "bay_events",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("bay", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_bay_events_tenant"),
        sa.PrimaryKeyConstraint("tenant", "bay", "key", name="pk_bay_events"))
    op.create_index("ix_bay_events_at", "bay_events", ["at"])
    op.create_index("ix_bay_events_tenant_received_at", "bay_events", ["tenant", "received_at"])
    op.create_table(
        "bays_now",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("bay", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_bays_now_tenant"),
        sa.PrimaryKeyConstraint("tenant", "bay", name="pk_bays_now"))
    op.create_index("ix_bays_now_tenant_revision", "bays_now", ["tenant", "revision"])
    op.create_table(
        "zones_now",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("evaluated_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_zones_now_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", name="pk_zones_now"))
    op.create_table(
        "parking_quarters",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("restriction", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("bays", sa.Integer, nullable=False),
        sa.Column("free_s", sa.Integer, nullable=False),
        sa.Column("occupied_s", sa.Integer, nullable=False),
        sa.Column("unknown_s", sa.Integer, nullable=False),
        sa.Column("arrivals", sa.Integer, nullable=False),
        sa.Column("departures", sa.Integer, nullable=False),
        sa.Column("stays", sa.Integer, nullable=False),
        sa.Column("stays_s", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_parking_quarters_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", "restriction", "at", name="pk_parking_quarters"))
    op.create_index("ix_parking_quarters_tenant_at", "parking_quarters", ["tenant", "at"])
    op.create_table(
        "parking_stays",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("alias", sa.String, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger, nullable=False),
        sa.Column("restriction", sa.String, nullable=False),
        sa.Column("certain", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_parking_stays_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", "alias", "began", name="pk_parking_stays"))
    op.create_index("ix_parking_stays_ended", "parking_stays", ["ended"])
    op.create_table(
        "bay_days",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("bay", sa.String, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_bay_days_tenant"),
        sa.PrimaryKeyConstraint("tenant", "bay", "day", name="pk_bay_days"))
    op.create_index("ix_bay_days_day", "bay_days", ["day"])
    op.create_table(
        "forecasts",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("lead_min", sa.Integer, nullable=False),
        sa.Column("free", sa.Float, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("actual", sa.Float),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_forecasts_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", "at", "lead_min", name="pk_forecasts"))
    op.create_index("ix_forecasts_at", "forecasts", ["at"])
    op.create_table(
        "forecast_errors",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_forecast_errors_tenant"),
        sa.PrimaryKeyConstraint("tenant", "zone", name="pk_forecast_errors"))
    op.create_table(
        "parking_memories",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_parking_memories_tenant"),
        sa.PrimaryKeyConstraint("tenant", name="pk_parking_memories"))
    op.create_table(
        "retired",
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.BigInteger, nullable=False),
        sa.Column("oldest", sa.BigInteger),
        sa.Column("keep_days", sa.Float, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_retired_tenant"),
        sa.PrimaryKeyConstraint("tenant", "what", "at", name="pk_retired"))


def downgrade() -> None:
    op.drop_table("retired")
    op.drop_table("parking_memories")
    op.drop_table("forecast_errors")
    op.drop_table("forecasts")
    op.drop_table("bay_days")
    op.drop_table("parking_stays")
    op.drop_table("parking_quarters")
    op.drop_table("zones_now")
    op.drop_table("bays_now")
    op.drop_table("bay_events")
    op.drop_table("doubts")
    op.drop_table("bay_blocks")
    op.drop_table("parking_towns")
    op.drop_table("permit_zones")
    op.drop_table("parking_sites")
