"""Parking: what people say of zones and bays, and what the bridge finds out."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, LargeBinary, String, Table, Text, text

from city.store.schema import Moment, metadata, revision_column, tenant_column

# -- people write

parking_sites = Table(
    "parking_sites", metadata,
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of a city.parking_places.ParkingSite
    Column("actor", String, nullable=False),
    Column("at", Moment, nullable=False),
)

permit_zones = Table(
    "permit_zones", metadata,
    tenant_column(),
    Column("code", String, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of a PermitZone
    Column("actor", String, nullable=False),
    Column("at", Moment, nullable=False),
)

parking_towns = Table(
    "parking_towns", metadata,
    tenant_column(),
    Column("body", Text, nullable=False),  # JSON of a TownParking
    Column("actor", String, nullable=False),
    Column("at", Moment, nullable=False),
)

bay_blocks = Table(
    "bay_blocks", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("bay", String, nullable=False),
    Column("start", Moment, nullable=False),
    Column("end", Moment, nullable=False),
    Column("reason", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Index(None, "tenant", "end"),
)

doubts = Table(
    "doubts", metadata,
    tenant_column(),
    Column("id", String, primary_key=True),
    Column("zone", String, nullable=False),
    Column("what", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("shown", String, nullable=False),
    Column("text", String, nullable=False),
    Column("closed_at", Moment),
    Column("closed_by", String, nullable=False),
    Column("outcome", String, nullable=False),
    Index(None, "tenant", "at"),
)

# -- the bridge writes

bay_events = Table(
    "bay_events", metadata,  # raw words of sensors, for the shortest time
    tenant_column(),
    Column("bay", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),  # JSON array of a city.bays.BayEvent
    Index(None, "tenant", "received_at"),
    Index(None, "at"),
)

bays_now = Table(
    "bays_now", metadata,
    tenant_column(),
    Column("bay", String, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of a BayFact
    revision_column(),
    Index(None, "tenant", "revision"),
)

zones_now = Table(
    "zones_now", metadata,
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of a ZoneFact
    Column("evaluated_at", Moment, nullable=False),
)

parking_quarters = Table(
    "parking_quarters", metadata,
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("restriction", String, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("bays", Integer, nullable=False),
    Column("free_s", Integer, nullable=False),
    Column("occupied_s", Integer, nullable=False),
    Column("unknown_s", Integer, nullable=False),
    Column("arrivals", Integer, nullable=False),
    Column("departures", Integer, nullable=False),
    Column("stays", Integer, nullable=False),
    Column("stays_s", Integer, nullable=False),
    Index(None, "tenant", "at"),
    Index("ix_parking_quarters_few", "tenant", "at", sqlite_where=text("bays < 5"), postgresql_where=text("bays < 5")),
)

parking_stays = Table(
    "parking_stays", metadata,  # no bay in it: an alias that changes every day and whose key is kept nowhere
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("began", Moment, primary_key=True),
    Column("ended", Moment, nullable=False),
    Column("restriction", String, nullable=False),
    Column("certain", Boolean, nullable=False),
    Index(None, "ended"),
)

bay_days = Table(
    "bay_days", metadata,
    tenant_column(),
    Column("bay", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("zone", String, nullable=False),
    Column("body", Text, nullable=False),  # JSON of a BayDay
    Index(None, "day"),
)

forecasts = Table(
    "forecasts", metadata,
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("lead_min", Integer, primary_key=True),
    Column("free", Float, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("actual", Float),
    Index(None, "at"),
)

forecast_errors = Table(
    "forecast_errors", metadata,
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of a ForecastError
)

parking_memories = Table(
    "parking_memories", metadata,  # what the counting loop goes on from
    tenant_column(),
    Column("body", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
)

sensor_checks = Table(
    "sensor_checks", metadata,
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("at", Moment, primary_key=True),  # of the report that started it
    Column("body", Text, nullable=False),  # JSON of a city.sensor_checks.SensorCheck, without its sensors …
    Index(None, "tenant", "at"),
)

checked_sensors = Table(
    "checked_sensors", metadata,  # … which are forgotten sooner
    tenant_column(),
    Column("zone", String, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of CheckedSensors
    Index(None, "tenant", "at"),
)

retired = Table(
    "retired", metadata,  # reports of the retention jobs
    tenant_column(),
    Column("what", String, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("removed", BigInteger, nullable=False),
    Column("oldest", Moment),
    Column("keep_days", Float, nullable=False),
    Column("note", String, nullable=False),
)
