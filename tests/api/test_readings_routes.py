"""History over HTTP: bounded, and for whom it may concern."""

import threading
from datetime import timedelta

import pytest

from city.quantities import BAY_OCCUPIED, LAMP_POWER
from city.readings import Entry, to_ns
from city.store.ports import Registered, Role
from tests.patience import PATIENCE_S

URL, SERIES = "/api/v1/tenants/alt/readings", "/api/v1/tenants/alt/series"
SPAN = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}


@pytest.fixture
def history(log, town, clock):
    """L1 draws 20 W at 22:00 and 40 W at 22:30; B1 is taken."""
    for asset, minutes, measured in (("L1", 0, LAMP_POWER(20.0)), ("L1", 30, LAMP_POWER(40.0)),
                                     ("B1", 0, BAY_OCCUPIED(True))):
        at = to_ns(clock.now() + timedelta(minutes=minutes))
        where = Registered.of(town.tenant, town.device_of(asset), town.asset(asset)).place
        log.append([Entry(where, at, f"{asset}{minutes}", (measured,))])


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


def test_more_than_ten_thousand_values_are_refused_but_come_as_csv(operator, log, town, clock):
    where = Registered.of(town.tenant, town.device_of("L1"), town.asset("L1")).place
    for begin in (0, 5001):
        log.append([Entry(where, to_ns(clock.now() + timedelta(milliseconds=number)), "k", (LAMP_POWER(1.5),))
                    for number in range(begin, begin + 5001)])
    asked = {"asset": "L1", "quantity": "lamp.power", **SPAN}
    refused = operator.get(URL, params=asked)
    assert (refused.status_code, refused.json()["rule"]) == (413, "≤ 10000 rows")
    table = operator.get(URL, params={**asked, "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    lines = table.text.split("\r\n")
    assert (lines[0], lines[1], len(lines), lines[-1]) == ("at,value", "2026-03-02T22:00:00+00:00,1.5", 10_004, "")


@pytest.mark.usefixtures("history")
def test_a_town_by_zone_and_all_together(operator):
    asked = {"quantity": "lamp.power", "every": "1h", **SPAN}
    body = operator.get(SERIES, params=asked).json()
    assert body == {"quantity": "lamp.power", "unit": "W", "every_s": 3600.0, "series": [
        {"of": "markt", "points": [{"at": "2026-03-02T22:00:00Z", "value": 30.0}]}]}
    for how, value in (("sum", 60.0), ("max", 40.0), ("count", 2)):
        [one] = operator.get(SERIES, params={**asked, "by": "all", "how": how}).json()["series"]
        assert (one["of"], one["points"][0]["value"]) == ("", value)
    [lamp] = operator.get(SERIES, params={**asked, "by": "asset", "every": "30m"}).json()["series"]
    assert (lamp["of"], [point["value"] for point in lamp["points"]]) == ("L1", [20.0, 40.0])


@pytest.mark.usefixtures("history")
def test_a_viewer_learns_of_lamps_only(as_role):
    viewer = as_role(Role.VIEWER)
    assert viewer.get(SERIES, params={"quantity": "lamp.power", **SPAN}).status_code == 200
    for quantity in ("bay.occupied", "device.battery"):
        assert viewer.get(SERIES, params={"quantity": quantity, **SPAN}).status_code == 403


@pytest.mark.parametrize(("changed", "field"), [({"how": "mean", "quantity": "lamp.reason"}, "how"), ({"every": "1"}, "every"),
                                                ({"to": "2026-03-01T00:00:00Z"}, "to"), ({"how": "median"}, "how")])
def test_senseless_questions_about_a_town_are_refused(operator, changed, field):
    answer = operator.get(SERIES, params={"quantity": "lamp.power", **SPAN, **changed})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_the_work_ends_when_whoever_asked_has_gone():
    from starlette.requests import ClientDisconnect, Request

    from api.history import asked

    async def receive():
        return {"type": "http.disconnect"}

    def ask(stop):
        gone = threading.Event()
        with stop.ending(gone.set):
            assert gone.wait(PATIENCE_S)
        stop.check()

    with pytest.raises(ClientDisconnect):
        await asked(Request({"type": "http"}, receive), ask)


@pytest.mark.parametrize(("value", "cell"), [
    (1.5, "1.5"), (True, "true"), (7, "7"), ('a "b"', '"a ""b"""'), ("=1+1", "\"'=1+1\"")])
def test_a_cell_is_never_a_formula(value, cell):
    from api.history import _cell

    assert _cell(value) == cell


@pytest.mark.usefixtures("history")
def test_a_bays_history_is_for_operators(as_role, operator):
    asked = {"asset": "B1", "quantity": "bay.occupied", **SPAN}
    assert as_role(Role.VIEWER).get(URL, params=asked).status_code == 403
    assert operator.get(URL, params=asked).json()["points"][0]["value"] is True


def test_an_asset_that_is_none(operator):
    assert operator.get(URL, params={"asset": "Z9", "quantity": "lamp.power", **SPAN}).status_code == 404
