"""Whether InfluxDB has forgotten single bays is asked and reported, like what this program removes itself."""

import json
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import TenantId
from city.places import Site, Tenant
from city.readings import to_ns
from city.settings import Influx
from city.store.opening import open_store
from city.store.retiring import INFLUX_BAYS, LEFT
from gateway_bridge.ship_report import BayReporter
from tests.city_store.standin import standin

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOWN = TenantId("ahausen")
NOTHING = (200, {}, b'{"results":[{"statement_id":0}]}')
NO_DATABASE = (200, {}, b'{"results":[{"statement_id":0,"error":"database not found: town_bays"}]}')


def oldest(days):
    series = {"name": "bay", "columns": ["time", "first"], "values": [[to_ns(NOW - timedelta(days=days)), True]]}
    return 200, {}, json.dumps({"results": [{"series": [series]}]}).encode()


@pytest.fixture
def store():
    opened = open_store("sqlite://")
    opened.put_tenant(Tenant(TOWN, "Ahausen", Site(51.0, 8.0)))
    yield opened
    opened.close()


def reporter(store, server, clock=None, *, steers=True):
    return BayReporter(store, Influx(url=server.url, bucket="town"), clock or ManualClock(NOW), days=7,
                       lease=lambda: (steers, None))


@pytest.mark.parametrize(("answers", "found", "late"), [
    ([NOTHING, NO_DATABASE], None, False), ([NOTHING, oldest(7.2)], 7.2, False), ([NOTHING, oldest(8)], 8, True),
    ([oldest(100), oldest(3)], 100, True), ([oldest(3), NO_DATABASE], 3, False)])
def test_the_oldest_reading_of_a_bay_is_reported_wherever_it_is(store, answers, found, late):
    with standin(answers=deque(answers)) as server:
        one = reporter(store, server)
        one.step()
        [report] = store.tenant(TOWN).retired()
    assert (report.what, report.keep_days, report.note) == (INFLUX_BAYS, 7.0, LEFT if late else "")
    assert report.oldest == (None if found is None else NOW - timedelta(days=found))
    assert bool(one.says()) is late


def test_each_town_is_asked_for_in_its_own_places_and_in_those_that_all_shared(store):
    with standin(answers=deque([NOTHING])) as server:
        reporter(store, server).step()
        names = [path.partition("db=")[2].partition("&")[0] for _, path, _, _ in server.asked]
    assert names == ["town_ahausen", "town_ahausen_bays", "town", "town_bays"]


@pytest.mark.parametrize(("answers", "reports"), [([NOTHING, NOTHING, (403, {}, b"{}")], 1), ([NOTHING, (403, {}, b"{}")], 0)])
def test_a_token_that_opens_only_the_towns_own_places_is_enough(store, answers, reports):
    with standin(answers=deque(answers)) as server:
        reporter(store, server).step()
    assert len(store.tenant(TOWN).retired()) == reports


def test_it_is_reported_once_a_day_and_at_once_when_it_is_late_or_no_longer(store):
    clock = ManualClock(NOW)
    with standin(answers=deque([NOTHING])) as server:
        one = reporter(store, server, clock)
        for answers, reports in (([NOTHING], 1), ([NOTHING], 1), ([oldest(30)], 2), ([oldest(30)], 2), ([NOTHING], 3)):
            server.answers = deque(answers)
            one.step()
            clock.advance(3600)
            assert len(store.tenant(TOWN).retired()) == reports
        assert one.says() == ""
        clock.advance(86_400)
        one.step()
        assert len(store.tenant(TOWN).retired()) == 4


@pytest.mark.parametrize("answer", [(400, {}, b'{"error":"what is InfluxQL?"}'), (404, {}, b"404 page"),
                                    (401, {}, b'{"error":"no"}')])
def test_of_a_server_that_answers_no_such_question_nothing_is_said(store, answer):
    with standin(answers=deque([answer])) as server:
        one = reporter(store, server)
        one.step()
        assert (store.tenant(TOWN).retired(), one.says()) == ([], "")


def test_an_influxdb_that_is_away_is_asked_again(store):
    one = BayReporter(store, Influx(url="http://127.0.0.1:9"), ManualClock(NOW), days=7, lease=lambda: (True, None))
    with pytest.raises(InfluxDown):
        one.step()


def test_who_does_not_steer_asks_nobody(store):
    with standin() as server:
        reporter(store, server, steers=False).step()
        assert server.asked == []
