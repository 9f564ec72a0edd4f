"""Bays among all other readings are removed one by one, and nothing else is."""

import json
from collections import deque

import pytest

from city.errors import Invalid
from city.ids import AssetId, TenantId
from city.settings import Influx, Secret
from city.store.influx import InfluxHeld
from city.store.influx_forget import forget_bays
from tests.city_store.standin import standin
from tests.city_store.test_influx_bays import MUTE, NOT_FOUND, NOWHERE, OK, ONE, THREE, TWO, bucket

BAYS = [(TenantId("ahausen"), AssetId("P 1")), (TenantId("ahausen"), AssetId('P"2'))]
DONE = (200, {}, b'{"results":[{}]}')


def settings(server, *, per_town=False):
    return Influx(url=server.url, bucket="town", org="stadt", token=Secret("secret"), per_town=per_town)


def test_2x_is_asked_for_each_bay_in_each_bucket():
    with standin(version=TWO, answers=deque([NOWHERE, bucket(0), OK])) as server:
        forget_bays(settings(server), BAYS)
        asked = [(path, json.loads(body)["predicate"]) for _, path, _, body in server.asked if "delete" in path]
    assert len(asked) == 6
    assert asked[0] == ("/api/v2/delete?bucket=town&org=stadt", 'tenant="ahausen" AND asset="P 1"')
    assert asked[1][1] == 'tenant="ahausen" AND asset="P\\"2"'
    assert {path for path, _ in asked} == {f"/api/v2/delete?bucket=town{end}&org=stadt" for end in ("", "_hours", "_days")}


def test_a_bucket_that_is_not_there_has_nothing_to_forget():
    with standin(version=TWO, answers=deque([NOWHERE, bucket(0), OK, OK, NOT_FOUND])) as server:
        forget_bays(settings(server), BAYS)


def test_1x_is_asked_for_all_at_once():
    with standin(version=ONE, answers=deque([NOWHERE, DONE])) as server:
        forget_bays(settings(server), BAYS)
        drops = [body for _, _, _, body in server.asked if b"DROP" in body]
    assert len(drops) == 3


def test_where_each_town_has_its_own_the_place_that_they_shared_is_asked_too():
    bays = [*BAYS, (TenantId("beheim"), AssetId("P 1"))]
    with standin(version=TWO, answers=deque([NOWHERE, bucket(0), OK])) as server:
        forget_bays(settings(server, per_town=True), bays)
        asked = [(path.partition("=")[2].partition("&")[0], json.loads(body)["predicate"])
                 for _, path, _, body in server.asked if "delete" in path]
    ends = ("", "_hours", "_days")
    assert {name for name, _ in asked} == {f"town{of}{end}" for of in ("", "_ahausen", "_beheim") for end in ends}
    assert all(name.split("_")[1] in said for name, said in asked if "hausen" in name or "beheim" in name)
    assert len(asked) == 3 * 3 + 3 * 2 + 3 * 1


@pytest.mark.parametrize(("version", "answers"), [(TWO, [NOWHERE, bucket(0), (403, {}, b'{"message":"no"}')]),
                                                  (ONE, [NOWHERE, DONE, (400, {}, b'{"error":"no"}')])])
def test_who_may_not_is_told(version, answers):
    with standin(version=version, answers=deque(answers)) as server, pytest.raises(InfluxHeld):
        forget_bays(settings(server), BAYS)


@pytest.mark.parametrize("version", [THREE, MUTE])
def test_who_cannot_is_told(version):
    with standin(version=version, answers=deque([NOWHERE])) as server, pytest.raises(Invalid):
        forget_bays(settings(server), BAYS)
