"""What every Answers promises: the local log, and a real InfluxDB that got the same entries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from msgspec import structs

from city.errors import Invalid, TooLarge
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import ImportRow
from city.places import Restriction, Site, Tenant
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_UPLINKS,
    LAMP_ENERGY,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_REASON,
    RADIO_FCNT,
    RADIO_RSSI,
    Quantity,
    Value,
)
from city.readings import DeviceState, Entry, Place, Quality, Reading, to_ns
from city.settings import Influx
from city.store.influx import open_sink
from city.store.influx_bays import bays_settings
from city.store.influx_places import of_town
from city.store.influx_queries import InfluxQueries
from city.store.influx_towns import TownSink
from city.store.lines import lines
from city.store.local_queries import LocalQueries
from city.store.opening import open_store
from city.store.ports import Facts, Store
from city.store.queries import Answers, Question, Stop, Stopped
from city.store.readings import LocalLog
from tests.wire.influxd import influxd

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
TOWN, OTHER = TenantId("aheim"), TenantId("bheim")
HOUR = 3600.0


def place(number: int, zone: str = "Markt", tenant: TenantId = TOWN) -> Place:
    return Place(tenant, AssetId(f"L{number}"), "lamp", ZoneId(zone), CircuitId("K1"), DevEui(f"{number:016x}"))


L1, L2, L3 = place(1), place(2), place(3, "Süd 'Ost'")


def bay(number: int, zone: str = "Markt") -> Place:
    return Place(TOWN, AssetId(f"P{number}"), "bay", ZoneId(zone), None, DevEui(f"b{number:015x}"))


class Asked:
    """Answers, and how they get to know of entries."""

    def __init__(self, answers: Answers, tell: Callable[[Sequence[Entry]], object]) -> None:
        self.answers, self.tell = answers, tell
        self.store: Store | None = None  # where the newest values come from, if not from entries

    def rows(self, quantity: Quantity, start: float = -86_400, end: float = 86_400, every_s: float | None = None,
             **more: object) -> list[tuple[object, ...]]:
        """(seconds, value), with asset or zone where one was asked for."""
        question = Question(more.pop("tenant", TOWN), quantity, at(start), at(end), every_s, **more)  # type: ignore[arg-type]
        return [((row.at - START).total_seconds(), row.value, *((row.of,) if question.by else ()))
                for row in self.answers.series(question)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


@pytest.fixture(params=["rows", "sums", pytest.param("influx", marks=pytest.mark.wire)])
def asked(request, tmp_path) -> Iterator[Asked]:
    """The local log with rows only, or with hourly sums of all but the newest rows; InfluxDB."""
    if request.param == "influx":
        settings = Influx(url=request.getfixturevalue("server").url, bucket=f"t{abs(hash(request.node.name)) % 10**9}")
        places = [partial(of_town, settings), lambda town: bays_settings(of_town(settings, town))]
        sinks, answers = [TownSink(lambda town, its=its: open_sink(its(town))) for its in places], InfluxQueries(settings)

        def ship(entries: Sequence[Entry]) -> None:
            for entry in entries:
                sinks[entry.place.kind == "bay"].write(lines(entry))

        yield Asked(answers, ship)
        answers.close()
        for sink in sinks:
            sink.close()
        return
    log, store = LocalLog(tmp_path), open_store("sqlite://")
    local = LocalQueries(log, store)

    def tell(entries: Sequence[Entry]) -> None:
        log.append(entries)
        if request.param == "sums":
            local.keep_up(max(len(entries) - 1, 1))

    asked = Asked(local, tell)
    asked.store = store
    yield asked
    local.close()
    log.close()
    store.close()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def entry(seconds: float, *said: tuple[Quantity, Value], place: Place = L1, quality: Quality = Quality.GOOD,
          channel: str = "", own: float = 0) -> Entry:
    """`own`: by how many seconds its readings are younger than it."""
    ns = to_ns(at(seconds))
    return Entry.of(place, ns, "k", [Reading(place, quantity, value, ns + round(own * 10**9), channel, quality)
                                     for quantity, value in said])


def test_nothing_is_known_of_nothing(asked):
    assert asked.rows(LAMP_LEVEL) == []
    assert asked.rows(LAMP_LEVEL, 0, 7200, HOUR, by="zone") == []


def test_every_value_from_start_to_before_end_in_order_of_time(asked):
    asked.tell([entry(seconds, (LAMP_LEVEL, float(seconds))) for seconds in (3, 1, 2, 0)])
    assert asked.rows(LAMP_LEVEL, 1, 3) == [(1, 1.0), (2, 2.0)]


def test_values_have_their_quantitys_type_and_aware_times(asked):
    asked.tell([entry(0, (LAMP_LEVEL, 40.0), (LAMP_REASON, "night"), (BAY_OCCUPIED, True), (RADIO_FCNT, 7))])
    found = [row for quantity in (LAMP_LEVEL, LAMP_REASON, BAY_OCCUPIED, RADIO_FCNT)
             for row in asked.answers.series(Question(TOWN, quantity, at(0), at(1)))]
    assert [(type(row.value), row.value) for row in found] == [(float, 40.0), (str, "night"), (bool, True), (int, 7)]
    assert {row.at.utcoffset() for row in found} == {timedelta(0)}


def test_a_bay_is_found_like_a_lamp(asked):
    asked.tell([entry(0, (BAY_OCCUPIED, True), (RADIO_FCNT, 7), place=bay(1)),
                entry(5, (BAY_OCCUPIED, False), (RADIO_FCNT, 8), place=bay(1)),
                entry(3, (RADIO_FCNT, 20), place=L1), entry(4, (RADIO_FCNT, 21), place=L2)])
    assert asked.rows(BAY_OCCUPIED, asset=AssetId("P1")) == [(0, True), (5, False)]
    assert asked.rows(BAY_OCCUPIED, 0, 3600, HOUR, asset=AssetId("P1")) == [(0, False)]
    assert asked.rows(RADIO_FCNT) == [(0, 7), (3, 20), (4, 21), (5, 8)]
    assert asked.rows(RADIO_FCNT, by="asset") == [(3, 20, "L1"), (4, 21, "L2"), (0, 7, "P1"), (5, 8, "P1")]
    assert asked.rows(RADIO_FCNT, 0, 3600, HOUR, by="asset") == [(0, 20, "L1"), (0, 21, "L2"), (0, 8, "P1")]


@pytest.mark.parametrize(("how", "found"), [("mean", [(0, -90.0), (3600, -50.0)]), ("min", [(0, -120.0), (3600, -50.0)]),
                                            ("max", [(0, -60.0), (3600, -50.0)]), ("count", [(0, 4), (3600, 1)]),
                                            ("sum", [(0, -360.0), (3600, -50.0)])])
def test_lamps_and_bays_of_a_town_make_one_number(asked, how, found):
    asked.tell([entry(0, (RADIO_RSSI, -60.0), place=bay(1)), entry(1, (RADIO_RSSI, -80.0), place=bay(2)),
                entry(2, (RADIO_RSSI, -100.0), place=bay(1)), entry(3, (RADIO_RSSI, -120.0)),
                entry(3600, (RADIO_RSSI, -50.0))])
    rows = [(at, pytest.approx(value)) for at, value in found]
    assert asked.rows(RADIO_RSSI, 0, 7200, HOUR, how=how) == rows
    assert asked.rows(RADIO_RSSI, 0, 7200, HOUR, how=how, by="zone") == [(*row, "Markt") for row in rows]


def test_the_most_rows_are_those_of_both_together(asked):
    asked.tell([entry(0, (RADIO_RSSI, -60.0), place=bay(1)), entry(1, (RADIO_RSSI, -60.0)), entry(2, (RADIO_RSSI, -60.0))])
    assert len(asked.rows(RADIO_RSSI, most=3)) == 3
    with pytest.raises(TooLarge):
        asked.rows(RADIO_RSSI, most=2)


def test_one_asset_one_zone_one_channel_one_town(asked):
    asked.tell([entry(0, (LAMP_LEVEL, 1.0)), entry(1, (LAMP_LEVEL, 2.0), place=L2), entry(2, (LAMP_LEVEL, 3.0), place=L3),
                entry(3, (LAMP_LEVEL, 4.0), channel="dali-9"), entry(4, (LAMP_LEVEL, 5.0), place=place(1, tenant=OTHER)),
                entry(5, (DEVICE_UPLINKS, 6), channel="dr5")])
    assert asked.rows(LAMP_LEVEL) == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert asked.rows(LAMP_LEVEL, asset=AssetId("L1")) == [(0, 1.0)]
    assert asked.rows(LAMP_LEVEL, zone=L3.zone) == [(2, 3.0)]
    assert asked.rows(LAMP_LEVEL, asset=AssetId("L1"), zone=L3.zone) == []
    assert asked.rows(LAMP_LEVEL, channel="dali-9") == [(3, 4.0)]
    assert asked.rows(LAMP_LEVEL, tenant=OTHER) == [(4, 5.0)]
    assert asked.rows(DEVICE_UPLINKS, channel="dr5") == [(5, 6)]
    assert asked.rows(DEVICE_UPLINKS) == []


def test_series_come_one_after_the_other(asked):
    asked.tell([entry(0, (LAMP_LEVEL, 1.0)), entry(1, (LAMP_LEVEL, 2.0), place=L3), entry(2, (LAMP_LEVEL, 3.0)),
                entry(3, (LAMP_LEVEL, 4.0), place=L2)])
    assert asked.rows(LAMP_LEVEL, by="asset") == [(0, 1.0, "L1"), (2, 3.0, "L1"), (3, 4.0, "L2"), (1, 2.0, "L3")]
    assert asked.rows(LAMP_LEVEL, by="zone") == [(0, 1.0, "Markt"), (2, 3.0, "Markt"), (3, 4.0, "Markt"),
                                                 (1, 2.0, "Süd 'Ost'")]


@pytest.mark.parametrize(("how", "first", "second"), [
    (None, 20.0, 60.0), ("mean", 20.0, 60.0), ("min", 0.0, 60.0), ("max", 50.0, 60.0), ("sum", 60.0, 60.0), ("count", 3, 1),
    ("last", 50.0, 60.0)])
def test_a_step_is_made_from_its_values(asked, how, first, second):
    asked.tell([entry(60 * minutes, (LAMP_POWER, float(minutes))) for minutes in (0, 10, 50, 60)])
    assert asked.rows(LAMP_POWER, 0, 3 * 3600, HOUR, how=how) == [(0, first), (3600, second)]


def test_counters_whole_numbers_text_and_truth_are_the_last_of_a_step(asked):
    asked.tell([entry(seconds, (LAMP_ENERGY, float(seconds)), (LAMP_REASON, str(seconds)), (BAY_OCCUPIED, seconds == 50),
                      (RADIO_FCNT, seconds)) for seconds in (0, 10, 50, 3600)])
    assert asked.rows(LAMP_ENERGY, 0, 7200, HOUR) == [(0, 50.0), (3600, 3600.0)]
    assert asked.rows(LAMP_REASON, 0, 7200, HOUR) == [(0, "50"), (3600, "3600")]
    assert asked.rows(BAY_OCCUPIED, 0, 7200, HOUR) == [(0, True), (3600, False)]
    assert asked.rows(RADIO_FCNT, 0, 7200, HOUR) == [(0, 50), (3600, 3600)]


def test_steps_count_from_the_start_whenever_that_is(asked):
    asked.tell([entry(seconds, (LAMP_POWER, float(seconds))) for seconds in (0, 10, 50, 60, 150)])
    assert asked.rows(LAMP_POWER, 5.5, 160, 60, how="max") == [(5.5, 60.0), (125.5, 150.0)]
    assert asked.rows(LAMP_POWER, -86_400, 86_400, 0.5, how="count", most=400_000)[1] == (10, 1)


def test_steps_by_zone_and_by_asset(asked):
    asked.tell([entry(0, (LAMP_POWER, 10.0)), entry(60, (LAMP_POWER, 20.0), place=L2), entry(61, (LAMP_POWER, 33.0), place=L3),
                entry(3700, (LAMP_POWER, 4.0), place=L2)])
    assert asked.rows(LAMP_POWER, 0, 7200, HOUR, by="zone") == [(0, 15.0, "Markt"), (3600, 4.0, "Markt"),
                                                               (0, 33.0, "Süd 'Ost'")]
    assert asked.rows(LAMP_POWER, 0, 7200, HOUR, how="sum") == [(0, 63.0), (3600, 4.0)]
    assert asked.rows(LAMP_POWER, 0, 7200, HOUR, by="zone", zone=L3.zone) == [(0, 33.0, "Süd 'Ost'")]
    assert asked.rows(LAMP_POWER, 0, 7200, HOUR, by="asset", how="count") == [
        (0, 1, "L1"), (0, 1, "L2"), (3600, 1, "L2"), (0, 1, "L3")]


def test_the_end_cuts_a_step_that_goes_on(asked):
    asked.tell([entry(60 * minutes, (LAMP_POWER, float(minutes))) for minutes in (0, 59, 60, 89, 90, 119)])
    assert asked.rows(LAMP_POWER, 0, 5400, HOUR, how="max") == [(0, 59.0), (3600, 89.0)]
    assert asked.rows(LAMP_POWER, 0, 1800, HOUR, how="max") == [(0, 0.0)]


def test_late_readings_count_and_implausible_ones_do_not(asked):
    asked.tell([entry(0, (LAMP_POWER, 1.0))])
    asked.tell([entry(10, (LAMP_POWER, 5.0), quality=Quality.LATE), entry(20, (LAMP_POWER, 9e9), quality=Quality.IMPLAUSIBLE)])
    assert asked.rows(LAMP_POWER) == [(0, 1.0), (10, 5.0)]
    assert asked.rows(LAMP_POWER, 0, 3600, HOUR, how="sum", by="zone") == [(0, 6.0, "Markt")]


def test_readings_of_another_time_than_their_report(asked):
    asked.tell([entry(7200, (LAMP_POWER, 1.0), own=-7100), entry(7300, (LAMP_POWER, 2.0), own=90_000)])
    assert asked.rows(LAMP_POWER, 0, 200_000, HOUR, how="sum") == [(0, 1.0), (97_200, 2.0)]
    assert asked.rows(LAMP_POWER, 0, 200) == [(100, 1.0)]


def remembered(store: Store, entries: Sequence[Entry]) -> None:
    """What the bridge would have written of these entries, the newest last."""
    store.put_tenant(Tenant(TOWN, "Aheim", Site(48.4, 10.0)))
    store.tenant(TOWN).import_rows([
        ImportRow(2, where.asset, "lamp", where.asset, Site(48.4, 10.0), where.zone, None, where.device, "nas/ul20xx", 60.0, "P4",
                  Restriction.NONE) for where in (L1, L2, L3)])
    states = {item.place.device: DeviceState(item.place.device) for item in entries}
    for item in entries:
        known = states[item.place.device]
        states[known.device] = structs.replace(known, last=known.last.after(item.said, item.at_ns)[0], heard_ns=item.at_ns)
    store.commit(Facts(states=tuple(states.values())))


def test_the_newest_value_of_each_asset(asked):
    entries = [entry(0, (LAMP_POWER, 1.0), (LAMP_REASON, "night")), entry(9, (LAMP_POWER, 2.0)),
               entry(5, (LAMP_POWER, 3.0), place=L3), entry(6, (LAMP_LEVEL, 4.0), place=L2)]
    asked.tell(entries)
    if asked.store is not None:
        remembered(asked.store, entries)

    def last(quantity: Quantity, zone: ZoneId | None = None) -> list[tuple[object, ...]]:
        return [((row.at - START).total_seconds(), row.value, row.of) for row in asked.answers.last(TOWN, quantity, zone)]

    assert last(LAMP_POWER) == [(9, 2.0, "L1"), (5, 3.0, "L3")]
    assert last(LAMP_POWER, L3.zone) == [(5, 3.0, "L3")]
    assert last(LAMP_REASON) == [(0, "night", "L1")]
    assert last(BAY_OCCUPIED) == []
    assert last(LAMP_POWER) == [(9, 2.0, "L1"), (5, 3.0, "L3")]
    newer = [entry(20, (LAMP_POWER, 7.0), place=L3)]
    asked.tell(newer)
    if asked.store is not None:
        remembered(asked.store, [*entries, *newer])
    assert last(LAMP_POWER) == [(9, 2.0, "L1"), (20, 7.0, "L3")]


def test_an_answer_ends_where_it_would_be_too_long(asked):
    asked.tell([entry(seconds, (LAMP_POWER, 1.0)) for seconds in range(10)])
    assert len(asked.rows(LAMP_POWER, most=10)) == 10
    with pytest.raises(TooLarge, match="more than 9 rows") as refused:
        asked.rows(LAMP_POWER, most=9)
    assert (refused.value.field, refused.value.rule) == ("every", "≤ 9 rows")
    with pytest.raises(TooLarge):
        asked.rows(LAMP_POWER, 0, 10, 1, by="asset", most=9)


def test_nobody_who_has_gone_gets_an_answer(asked):
    asked.tell([entry(seconds, (LAMP_POWER, 1.0)) for seconds in range(10)])
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        list(asked.answers.series(Question(TOWN, LAMP_POWER, at(0), at(10)), stop))
    rows = asked.answers.series(Question(TOWN, LAMP_POWER, at(0), at(10)))
    assert next(rows).value == 1.0
    rows.close()
    later = Stop()
    unread = asked.answers.series(Question(TOWN, LAMP_POWER, at(0), at(10)), later)
    later.set()
    with pytest.raises(Stopped):
        next(unread)
    assert len(asked.rows(LAMP_POWER)) == 10


@pytest.mark.parametrize("evil", ["'", "\\'", "' OR 1=1 --", '"', "a\nb", "/.*/", "Süd 'Ost'"])
def test_names_are_only_names(asked, evil):
    asked.tell([entry(0, (LAMP_LEVEL, 1.0))])
    for more in ({"asset": evil}, {"zone": evil}, {"channel": evil}, {"tenant": evil}):
        assert asked.rows(LAMP_LEVEL, **more) == []
        assert asked.rows(LAMP_LEVEL, 0, 7200, HOUR, by="asset", **more) == []


@pytest.mark.parametrize(("change", "field"), [
    ({"every_s": 0}, "every"), ({"every_s": -1}, "every"), ({"how": "mean"}, "how"), ({"start": datetime(2026, 1, 1)}, "start"),  # noqa: DTZ001
    ({"every_s": 60, "quantity": LAMP_REASON, "how": "max"}, "how"),
    ({"every_s": 60, "quantity": LAMP_ENERGY, "how": "mean"}, "how"),
    ({"every_s": 60, "quantity": BAY_OCCUPIED, "how": "sum"}, "how")])
def test_senseless_questions_cannot_be_asked(change, field):
    good = Question(TOWN, LAMP_LEVEL, at(0), at(1))
    with pytest.raises(Invalid) as refused:
        replace(good, **change)
    assert refused.value.field == field
