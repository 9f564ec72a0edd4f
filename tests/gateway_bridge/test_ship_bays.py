"""Single bays are shipped by themselves: neither they nor all else wait for the other, and nothing old is sent."""

from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.clock import ManualClock
from city.errors import InfluxDown
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.quantities import BAY_OCCUPIED, LAMP_LEVEL, RADIO_RSSI
from city.readings import Entry, Place, Reading, to_ns
from city.settings import Influx
from city.store.influx import InfluxHeld
from city.store.influx_bays import BaysWithheld, bays_settings
from city.store.lines import lines
from city.store.readings import LocalLog
from gateway_bridge.ship import BAYS_TOPIC, Part, Shipper, cursor_name, is_bay, is_no_bay
from gateway_bridge.ship_all import _first_of_bays
from tests.gateway_bridge.test_ship import ListLog, ListSink

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAIN = Influx(url="http://influx:8086", batch=10)
BAYS = bays_settings(MAIN)


def said(kind: str, number: int, at: datetime = NOW) -> Entry:
    place = Place(TenantId("ahausen"), AssetId(f"{kind}-{number:03}"), kind, ZoneId("Markt"), None, DevEui(f"{number:016x}"))
    its = (BAY_OCCUPIED, number % 2 == 0) if kind == "bay" else (LAMP_LEVEL, 40.0)
    ns = to_ns(at) + number
    return Entry.of(place, ns, f"up:{number}", tuple(
        Reading(place, quantity, value, ns) for quantity, value in (its, (RADIO_RSSI, -100.0))))


class Pair:
    """Both shippers of one log, as the bridge has them."""

    def __init__(self, log, *, keep_days: int = 7, clock: ManualClock | None = None) -> None:
        self.clock, self.letters = clock or ManualClock(NOW), []
        self.main, self.bays = ListSink(), ListSink()
        self.shippers = {
            "main": Shipper(log, self.main, self.clock, MAIN, bury=self.letters.extend, part=Part(is_no_bay)),
            "bays": Shipper(log, self.bays, self.clock, BAYS, bury=self.letters.extend, part=Part(is_bay, keep_days, BAYS_TOPIC))}

    def step(self, which: str) -> None:
        with suppress(InfluxDown):
            self.shippers[which].step()

    def rest(self) -> None:
        for one in self.shippers.values():
            while one.waiting():
                one.step()


def of(entries, kind):
    return [line for one in entries if one.place.kind == kind for line in lines(one)]


def test_each_goes_its_own_way_in_order():
    entries = [said("bay" if number % 3 else "lamp", number) for number in range(40)]
    pair = Pair(ListLog(entries))
    pair.rest()
    assert pair.main.stored == of(entries, "lamp")
    assert pair.bays.stored == of(entries, "bay")  # radio and device of a bay's sensor too: when it speaks is what it says


def test_lamps_do_not_wait_for_a_bays_bucket_that_takes_nothing():
    entries = [said("bay" if number % 2 else "lamp", number) for number in range(20)]
    log = ListLog(entries)
    pair = Pair(log)
    pair.bays.failures = [InfluxHeld("It keeps them too long.", held="retention")] * 3
    for _ in range(3):
        pair.step("bays")
    while pair.shippers["main"].waiting():
        pair.step("main")
    assert pair.main.stored == of(entries, "lamp")
    assert (pair.shippers["bays"].held, pair.shippers["main"].held) == ("retention", "")
    assert log.cursor(cursor_name(BAYS)) == 1  # what lay before the first bay
    pair.rest()
    assert pair.bays.stored == of(entries, "bay")


@settings(max_examples=60, deadline=None)
@given(kinds=st.lists(st.sampled_from(("lamp", "bay")), max_size=60),
       turns=st.lists(st.tuples(st.sampled_from(("main", "bays")), st.booleans()), max_size=30))
def test_whatever_fails_in_between_each_bucket_gets_all_of_its_own_and_nothing_else(kinds, turns):
    entries = [said(kind, number) for number, kind in enumerate(kinds)]
    pair = Pair(ListLog(entries))
    for which, fails in turns:
        sink = pair.main if which == "main" else pair.bays
        sink.failures = [InfluxDown("away")] if fails else []
        pair.step(which)
    pair.main.failures = pair.bays.failures = []
    pair.rest()
    for sink, kind in ((pair.main, "lamp"), (pair.bays, "bay")):
        assert sink.stored == of(entries, kind)


def test_what_is_older_than_it_may_be_kept_is_never_sent_and_does_not_hold_the_log_back():
    entries = [*(said("bay", number, NOW - timedelta(days=8)) for number in range(5)), said("bay", 5)]
    log = ListLog(entries)
    pair = Pair(log)
    pair.bays.failures = [InfluxHeld("too long", held="retention")]
    for _ in range(2):
        pair.step("bays")
    assert (log.cursor(cursor_name(BAYS)), pair.bays.failures) == (5, [])
    pair.rest()
    assert pair.bays.stored == lines(entries[-1])


def test_while_its_bucket_takes_nothing_for_a_week_what_grows_too_old_is_let_go():
    log, clock = ListLog([said("bay", 0)]), ManualClock(NOW)
    pair = Pair(log, clock=clock)
    pair.bays.failures = [InfluxDown("away")]
    pair.step("bays")
    clock.advance(7 * 86_400 + 60)
    pair.step("bays")
    assert (log.cursor(cursor_name(BAYS)), pair.bays.stored) == (1, [])


def test_bays_that_are_kept_back_are_no_fault_and_are_sent_once_they_may_be():
    log = ListLog([said("bay", 0)])
    pair = Pair(log)
    pair.bays.failures = [BaysWithheld("one retention for all")]
    with pytest.raises(BaysWithheld):
        pair.shippers["bays"].step()
    pair.shippers["bays"].withhold("one retention for all")
    status = pair.shippers["bays"].status()
    assert (status.error, status.held, pair.shippers["bays"].withheld) == ("", "", "one retention for all")
    pair.rest()
    assert pair.shippers["bays"].withheld == ""
    assert len(pair.bays.stored) == 2


def test_a_refused_line_of_a_bay_is_a_letter_that_is_found_by_its_sensor():
    entries = [said("bay", 171), said("bay", 2)]
    pair = Pair(ListLog(entries))
    pair.bays.bad = {lines(entries[0])[0]}
    pair.rest()
    [letter] = pair.letters
    assert letter.topic == f"influx_bays/device/{171:016x}"


def test_a_new_bucket_is_filled_from_the_days_that_bays_may_be_kept(tmp_path):
    days = [NOW - timedelta(days=10), NOW - timedelta(days=9), NOW - timedelta(days=2), NOW]
    with closing(LocalLog(tmp_path)) as log:
        log.append([said(kind, number, at) for number, (kind, at) in enumerate(
            (kind, at) for at in days for kind in ("bay", "lamp"))])
        begin = _first_of_bays(log, to_ns(NOW - timedelta(days=7)))
        rest = log.picked(begin, 100, is_bay)
        assert [one.at_ns // 10**9 for _, one in rest.entries] == [int(at.timestamp()) for at in days[2:]]
        assert (rest.last, rest.looked) == (log.head(), 4)


def test_a_log_without_bays_is_not_read_for_them(tmp_path):
    with closing(LocalLog(tmp_path)) as log:
        log.append([said("lamp", number) for number in range(5)])
        assert _first_of_bays(log, 0) == log.head() - 1
