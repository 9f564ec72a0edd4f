"""A reader for each town on a real influxd 1.x that asks who is there: it opens its own town's databases and no other."""

import urllib.parse
import urllib.request
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from city.errors import InfluxDown
from city.ids import TenantId
from city.settings import Influx, Secret
from city.store.influx import InfluxDB, InfluxHeld, RejectedQuery
from city.store.influx_access import buckets_of_platform, buckets_of_town, opens, prepare, reader_name
from tests.wire.influxd import influxd

pytestmark = pytest.mark.wire
AHAUSEN, BEHEIM = TenantId("ahausen"), TenantId("be-heim")


@pytest.fixture
def admin(tmp_path: Path):
    with influxd(tmp_path, auth=True) as server:
        query = urllib.parse.urlencode({"q": "CREATE USER root WITH PASSWORD 'wurzel' WITH ALL PRIVILEGES"})
        with urllib.request.urlopen(f"{server.url}/query?{query}", data=b"", timeout=5) as answer:
            assert answer.status == 200
        yield Influx(url=server.url, token=Secret("root:wurzel"), hourly_days=30)


def made(admin: Influx, tenant: TenantId | None, known: Secret | None = None):
    buckets = buckets_of_platform(admin) if tenant is None else buckets_of_town(admin, tenant, bays_days=7)
    return prepare(admin, reader_name(admin, tenant), buckets, known=known)


def asked(admin: Influx, secret: Secret, bucket: str, query: str):
    with closing(InfluxDB(replace(admin, token=secret, bucket=bucket))) as database:
        return database.query(query)


def test_a_towns_reader_reads_its_own_and_is_refused_elsewhere(admin):
    for town in ("ahausen", "be-heim"):
        first = made(admin, TenantId(town))
        assert first.secret is not None
        with closing(InfluxDB(replace(admin, bucket=f"stadtfunk_{town}"))) as writer:
            writer.write([f"lamp,tenant={town} level=40 1900000000000000000".encode()])
    mine = made(admin, AHAUSEN).secret
    assert mine is not None
    query = 'SELECT "level" FROM "lamp"'
    assert [row["level"] for row in asked(admin, mine, "stadtfunk_ahausen", query)] == [40]
    for bucket in ("stadtfunk_ahausen_hours", "stadtfunk_ahausen_days", "stadtfunk_ahausen_bays"):
        assert opens(admin, mine, bucket)
    for bucket in ("stadtfunk_be-heim", "stadtfunk_be-heim_bays", "stadtfunk__platform"):
        with pytest.raises((InfluxHeld, RejectedQuery)):
            asked(admin, mine, bucket, query)
    with pytest.raises((InfluxHeld, RejectedQuery)):  # … not by naming the other database in the query either
        asked(admin, mine, "stadtfunk_ahausen", 'SELECT "level" FROM "stadtfunk_be-heim"."autogen"."lamp"')
    with closing(InfluxDB(replace(admin, token=mine, bucket="stadtfunk_ahausen"))) as writer, pytest.raises(InfluxDown):
        writer.write([b"lamp level=1 1900000000000000000"])
    with pytest.raises((InfluxHeld, RejectedQuery)):
        asked(admin, mine, "stadtfunk_ahausen", 'DROP MEASUREMENT "lamp"')


def test_a_second_run_changes_nothing_while_the_password_is_known(admin):
    first = made(admin, AHAUSEN)
    assert [line[0] for line in first.done] == ["+"] * 9  # four databases, the user, four grants
    again = made(admin, AHAUSEN, first.secret)
    assert again.done == ()
    assert again.secret is not None
    assert first.secret is not None
    assert again.secret.reveal() == first.secret.reveal()


def test_a_forgotten_password_is_replaced_and_the_old_one_opens_nothing(admin):
    first = made(admin, AHAUSEN)
    again = made(admin, AHAUSEN, None)
    assert len(again.done) == 1
    assert "password" in again.done[0]
    assert opens(admin, again.secret, "stadtfunk_ahausen")
    assert not opens(admin, first.secret, "stadtfunk_ahausen")
    assert again.secret.reveal().partition(":")[2] not in " ".join(again.done)


def test_a_reader_loses_what_is_not_its_own(admin):
    mine, other = made(admin, AHAUSEN), made(admin, BEHEIM)
    asked(admin, admin.token, "any", f'GRANT ALL ON "stadtfunk_be-heim" TO "{reader_name(admin, AHAUSEN)}"')
    assert opens(admin, mine.secret, "stadtfunk_be-heim")
    assert made(admin, AHAUSEN, mine.secret).done == ("- stadtfunk_grafana_ahausen: ALL PRIVILEGES on stadtfunk_be-heim",)
    assert not opens(admin, mine.secret, "stadtfunk_be-heim")
    assert opens(admin, other.secret, "stadtfunk_be-heim")


def test_databases_forget_when_the_settings_say_so_and_older_ones_stay_as_they_are(admin):
    asked(admin, admin.token, "any", 'CREATE DATABASE "stadtfunk_ahausen" WITH DURATION 5d')
    made(admin, AHAUSEN)
    kept = {name: asked(admin, admin.token, name, f'SHOW RETENTION POLICIES ON "{name}"')[0]["duration"] for name in (
        "stadtfunk_ahausen", "stadtfunk_ahausen_hours", "stadtfunk_ahausen_days", "stadtfunk_ahausen_bays")}
    assert kept == {"stadtfunk_ahausen": "120h0m0s", "stadtfunk_ahausen_hours": "720h0m0s", "stadtfunk_ahausen_days": "0s",
                    "stadtfunk_ahausen_bays": "168h0m0s"}


def test_who_may_not_make_users_is_told_so_without_the_password(admin):
    reader = made(admin, AHAUSEN).secret
    with pytest.raises(InfluxDown) as refused:
        prepare(replace(admin, token=reader), "stadtfunk_grafana_neu", buckets_of_town(admin, AHAUSEN, bays_days=7))
    assert "PASSWORD" not in str(refused.value)
    assert reader.reveal().partition(":")[2] not in str(refused.value)
