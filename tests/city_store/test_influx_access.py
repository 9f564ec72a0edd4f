"""Buckets, mappings and a read token for each town in InfluxDB 2.x, and what is said of versions that have no such things."""

from dataclasses import replace

import pytest

from city.errors import InfluxDown
from city.ids import TenantId
from city.settings import Influx, Secret
from city.store.influx_access import buckets_of_platform, buckets_of_town, opens, prepare, reader_name
from tests.city_store.influx2_server import OPERATOR, ORG, Influx2, influx2
from tests.city_store.standin import standin

AHAUSEN, BEHEIM = TenantId("ahausen"), TenantId("beheim")
NAMES = ["stadtfunk_ahausen", "stadtfunk_ahausen_hours", "stadtfunk_ahausen_days", "stadtfunk_ahausen_bays"]


def admin_of(server: Influx2) -> Influx:
    return Influx(url=server.url, token=Secret(OPERATOR), org=ORG["name"])


def made(server: Influx2, tenant: TenantId | None = AHAUSEN, known: Secret | None = None):
    admin = admin_of(server)
    buckets = buckets_of_platform(admin) if tenant is None else buckets_of_town(admin, tenant, bays_days=7)
    return prepare(admin, reader_name(admin, tenant), buckets, known=known)


def test_a_town_gets_its_buckets_with_their_retention_and_a_token_for_these_alone():
    with influx2() as server:
        first, other = made(server), made(server, BEHEIM)
        days = {name: [rule["everySeconds"] // 86_400 for rule in server.buckets[name]["retentionRules"]] for name in NAMES}
        assert days == {NAMES[0]: [], NAMES[1]: [1830], NAMES[2]: [], NAMES[3]: [7]}
        for name in NAMES:
            assert opens(admin_of(server), first.secret, name)
            assert not opens(admin_of(server), other.secret, name)
        permissions = [one["permissions"] for one in server.tokens.values() if one["description"] == "stadtfunk_grafana_ahausen"]
        assert [{part["action"] for part in one} for one in permissions] == [{"read"}]
        assert {part["resource"]["id"] for part in permissions[0]} == {server.buckets[name]["id"] for name in NAMES}


@pytest.mark.parametrize("hashed", [False, True])
def test_a_second_run_writes_nothing_where_the_secret_is_known(hashed):
    with influx2(hashed=hashed) as server:
        first = made(server)
        server.writes.clear()
        again = made(server, known=first.secret)
        assert (server.writes, again.done) == ([], ())
        assert again.secret.reveal() == first.secret.reveal()


def test_a_forgotten_token_is_read_back_and_where_influxdb_hides_it_replaced():
    with influx2() as server:
        assert made(server).secret.reveal() == made(server).secret.reveal()
        assert len(server.tokens) == 1
        server.hashed = True
        lost = Secret(next(iter(server.tokens.values()))["token"])
        again = made(server)
        assert len(server.tokens) == 1
        assert opens(admin_of(server), again.secret, NAMES[0])
        assert not opens(admin_of(server), lost, NAMES[0])
        assert again.secret.reveal() not in " ".join(again.done)


def test_a_token_that_may_more_or_less_than_it_should_gives_way_to_a_right_one():
    with influx2() as server:
        first = made(server)
        [one] = server.tokens.values()
        one["permissions"].append({"action": "write", "resource": one["permissions"][0]["resource"]})
        again = made(server, known=first.secret)
        assert again.done == ("+ read token stadtfunk_grafana_ahausen", "- older token stadtfunk_grafana_ahausen")
        assert [{part["action"] for part in one["permissions"]} for one in server.tokens.values()] == [{"read"}]


def test_other_peoples_tokens_and_buckets_stay():
    with influx2() as server:
        server.tokens["f" * 16] = {"id": "f" * 16, "status": "active", "token": "theirs", "description": "Nadines Token",
                                   "permissions": []}
        server.buckets[NAMES[0]] = {"id": "e" * 16, "name": NAMES[0], "retentionRules": [{"type": "expire", "everySeconds": 60}]}
        made(server)
        assert server.tokens["f" * 16]["token"] == "theirs"
        assert server.buckets[NAMES[0]]["retentionRules"] == [{"type": "expire", "everySeconds": 60}]
        assert not any(method == "DELETE" for method, _ in server.writes)


def test_mappings_are_made_where_influxdb_makes_none_itself():
    with influx2(virtual=False) as server:
        made(server)
        assert [(one["database"], one["retention_policy"], one["default"]) for one in server.mappings] == [
            (name, "autogen", True) for name in NAMES]
    with influx2() as server:
        made(server)
        assert server.mappings == []


def test_the_platform_has_a_bucket_and_a_reader_that_no_town_can_be_called():
    with influx2() as server:
        made(server, None)
        assert list(server.buckets) == ["stadtfunk__platform"]
        assert [one["description"] for one in server.tokens.values()] == ["stadtfunk_grafana__platform"]


@pytest.mark.parametrize(("rights", "words"), [
    ([], "may not read the organisation stadt"),
    ([("read", "orgs")], "write:orgs/0a0a0a0a0a0a0a0a/buckets is unauthorized"),
    ([("read", "orgs"), ("write", "buckets")], "has no bucket stadtfunk_beheim, or the token may not read it"),
    ([("read", "orgs"), ("read", "buckets"), ("write", "buckets")], "write:orgs/0a0a0a0a0a0a0a0a/authorizations is unauth"),
    ([("read", "orgs"), ("read", "buckets"), ("write", "buckets"), ("write", "authorizations")], "write:users/0c0c0c0c0c0c0c0c")])
def test_who_may_not_make_buckets_or_tokens_hears_what_is_missing_and_no_secret(rights, words):
    with influx2() as server:
        reader = made(server).secret
        [one] = server.tokens.values()
        one["permissions"] += [{"action": action, "resource": {"type": kind}} for action, kind in rights]
        with pytest.raises(InfluxDown) as refused:
            prepare(replace(admin_of(server), token=reader), "x", buckets_of_town(admin_of(server), BEHEIM, bays_days=7))
        assert words in str(refused.value)
        assert reader.reveal() not in str(refused.value)


def test_who_may_make_tokens_and_not_see_them_is_told_that_older_ones_stay():
    with influx2() as server:
        reader = made(server).secret
        [one] = server.tokens.values()
        one["permissions"] += [{"action": action, "resource": {"type": kind}} for action, kind in (
            ("read", "orgs"), ("read", "buckets"), ("write", "buckets"), ("write", "authorizations"), ("write", "users"))]
        outcome = prepare(replace(admin_of(server), token=reader), "x", buckets_of_town(admin_of(server), BEHEIM, bays_days=7))
        assert outcome.done[-2:] == (
            "+ read token x", "! older tokens x stay: the admin's may not read authorizations and its own user")


def test_a_secret_that_opens_another_town_is_not_taken_for_this_ones():
    with influx2(hashed=True) as server:
        other, first = made(server, BEHEIM), made(server)
        again = made(server, known=other.secret)
        assert again.done == ("+ read token stadtfunk_grafana_ahausen", "- older token stadtfunk_grafana_ahausen")
        assert not opens(admin_of(server), first.secret, NAMES[0])
        assert not opens(admin_of(server), other.secret, NAMES[0])
        assert opens(admin_of(server), again.secret, NAMES[0])


def test_where_one_retention_holds_for_all_nothing_is_made():
    with standin() as server:
        server.answers.append((200, {}, b"VictoriaMetrics is Healthy."))
        outcome = prepare(Influx(url=server.url), "x", buckets_of_town(Influx(), AHAUSEN, bays_days=7))
        assert outcome.secret is None
        assert "VictoriaMetrics" in outcome.done[0]
        assert all(method == "GET" for method, *_ in server.asked)
