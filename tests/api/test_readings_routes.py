"""History over HTTP: bounded, and for whom it may concern."""

from datetime import timedelta

import pytest

from city.places import Device
from city.quantities import BAY_OCCUPIED, LAMP_POWER
from city.readings import Entry, place, to_ns
from city.store.ports import Role

URL = "/api/v1/tenants/alt/readings"
SPAN = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}


@pytest.fixture
def history(log, town, clock):
    """L1 draws 20 W at 22:00 and 40 W at 22:30; B1 is taken."""
    for asset, minutes, measured in (("L1", 0, LAMP_POWER(20.0)), ("L1", 30, LAMP_POWER(40.0)),
                                     ("B1", 0, BAY_OCCUPIED(True))):
        at = to_ns(clock.now() + timedelta(minutes=minutes))
        owned = town.asset(asset)
        device: Device = town.device_of(asset)
        readings = place([measured], device, owned, at)
        log.append([Entry.of(readings[0].place, at, f"{asset}{minutes}", readings)])


@pytest.mark.usefixtures("history")
def test_all_values_of_a_time(operator):
    body = operator.get(URL, params={"asset": "L1", "quantity": "lamp.power", **SPAN}).json()
    assert body["points"] == [{"at": "2026-03-02T22:00:00Z", "value": 20.0}, {"at": "2026-03-02T22:30:00Z", "value": 40.0}]
    assert (body["unit"], body["every_s"]) == ("W", None)


@pytest.mark.usefixtures("history")
def test_one_value_a_step(operator):
    body = operator.get(URL, params={"asset": "L1", "quantity": "lamp.power", "every": "1h", **SPAN}).json()
    assert [point["value"] for point in body["points"]] == [30.0]
    assert body["every_s"] == 3600


@pytest.mark.usefixtures("history")
def test_the_end_is_not_part_of_it(operator):
    body = operator.get(URL, params={"asset": "L1", "quantity": "lamp.power", "from": "2026-03-02T22:00:00Z",
                                     "to": "2026-03-02T22:30:00Z"}).json()
    assert len(body["points"]) == 1


@pytest.mark.parametrize(("changed", "field"), [
    ({"quantity": "lamp.mood"}, "quantity"), ({"every": "soon"}, "every"), ({"every": "0"}, "every"),
    ({"to": "2026-03-01T00:00:00Z"}, "to"), ({"to": "2026-04-03T00:00:00Z"}, "every"),
    ({"every": "1"}, "every"), ({"from": "2020-01-01T00:00:00Z", "every": "1d"}, "from"),
    ({"from": "2026-03-02T00:00:00"}, "from")])
def test_what_is_too_much_or_wrong_is_refused_clearly(operator, changed, field):
    answer = operator.get(URL, params={"asset": "L1", "quantity": "lamp.power", **SPAN, **changed})
    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_more_than_ten_thousand_values_are_refused(operator, log, monkeypatch):
    from city.store.ports import Point

    monkeypatch.setattr(type(log), "history", lambda *_: [Point(None, 1.0)] * 10_001)
    answer = operator.get(URL, params={"asset": "L1", "quantity": "lamp.power", **SPAN})
    assert answer.json()["rule"] == "≤ 10000 points"


@pytest.mark.usefixtures("history")
def test_a_bays_history_is_for_operators(as_role, operator):
    asked = {"asset": "B1", "quantity": "bay.occupied", **SPAN}
    assert as_role(Role.VIEWER).get(URL, params=asked).status_code == 403
    assert operator.get(URL, params=asked).json()["points"][0]["value"] is True


def test_an_asset_that_is_none(operator):
    assert operator.get(URL, params={"asset": "Z9", "quantity": "lamp.power", **SPAN}).status_code == 404
