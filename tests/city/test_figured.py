"""Figures from what the city database says: counts that are right, points that stay the same, and nothing of a single bay."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from city.alarms import AlarmKind, Severity, begin
from city.bookkeeping import Known, NightBook
from city.commands import State
from city.energy import Heard as Said
from city.energy import Used
from city.energy_report import NightSum
from city.factors import Factor, FactorKind, Factors
from city.figured import Ground, apart_ns
from city.figured_energy import energy, expected_wh
from city.figured_faults import FaultBook, fleet, sensors
from city.figured_orders import KEPT, OrderBook
from city.figured_text import of_incident, of_program
from city.figured_wishes import Wanted, WishBook, programmed
from city.figures import SHEETS
from city.figures_sample import step_of
from city.glance import PROGRAMMING, Heard, Ordered, Programmed
from city.groups import Group, Target
from city.ids import AssetId, CircuitId, CommandId, DevEui, GroupId, ZoneId
from city.incidents import Act, Cause, Deed, incident
from city.nights import Night
from city.parking_facts import BayFact
from city.places import Device, Luminaire, ParkingBay, Restriction, Site
from city.readings import to_ns
from city.store.figure_lines import line
from tests.city.lighted import EVENING, TOWN, T, street, wish

EVERY = 60
AT = step_of(EVENING, EVERY)
MODEL = "acme/lamp"


def ground(lamps=4, bays=0, least=5, zone="platz", **more) -> Ground:
    here = street(lamps, power_w=40.0)
    places = [ParkingBay(T, AssetId(f"B{number}"), "", Site(51, 8), ZoneId(zone)) for number in range(bays)]
    devices = [Device(DevEui(f"e-{one.id}"), T, one.id, MODEL) for one in (*here, *places)]
    return Ground(here, places, devices, heartbeats={MODEL: timedelta(hours=1)}, least_bays=least, **more)


def ordered(number, state, changed_at, origin="override:o1", asset=None, created_at=None):
    return Ordered(CommandId(f"c{number}"), AssetId(asset or f"L{number}"), origin, state, created_at or changed_at, changed_at)


def heard(number, at=EVENING, level=None, level_at=None):
    return Heard(DevEui(f"e-L{number}"), to_ns(at), level, to_ns(level_at or at))


def by_name(figure):
    return {quantity.name.partition(".")[2]: value for quantity, value in figure.values.items()}


def written(figures):
    return [line(one.sheet, {"tenant": T, **one.tags}, one.values, one.at_ns) for one in figures]


# --- commands ---------------------------------------------------------------------------------------------------------


def test_commands_under_way_are_counted_by_state_and_zone_with_the_age_of_the_oldest():
    book, zones = OrderBook(EVERY), {AssetId("L0"): ZoneId("a"), AssetId("L1"): ZoneId("a"), AssetId("L2"): ZoneId("b")}
    book.learn([ordered(0, State.PLANNED, AT - timedelta(seconds=90)), ordered(1, State.ACKED, AT),
                ordered(2, State.SENT, AT), ordered(9, State.SENT, AT, asset="bay")], zones, EVENING)
    a, b, c = book.under_way(AT, [ZoneId("a"), ZoneId("b"), ZoneId("c")], {ZoneId("a"): 62.5})
    assert by_name(a) == {"planned": 1, "sent": 0, "scheduled": 0, "acked": 1, "outstanding": 2, "oldest": 90.0,
                          "wanted": 62.5}
    assert (by_name(b)["sent"], by_name(b)["outstanding"]) == (1, 1)
    assert (by_name(c)["outstanding"], by_name(c)["oldest"], by_name(c)["wanted"]) == (0, None, None)
    assert {one.at_ns for one in (a, b, c)} == {to_ns(AT)}


def test_what_ended_counts_once_and_in_the_step_in_which_it_did():
    book, zones = OrderBook(EVERY), {AssetId(f"L{number}"): ZoneId("a") for number in range(9)}
    step = timedelta(seconds=EVERY)
    ends = [ordered(0, State.APPLIED, AT - step), ordered(1, State.FAILED, AT - 3 * step), ordered(2, State.APPLIED, AT)]
    book.learn(ends, zones, EVENING)
    book.learn(ends, zones, EVENING)
    told = {one.at_ns: by_name(one) for one in book.ended(AT, [ZoneId("a")])}
    assert told == {to_ns(AT - step): {"applied": 1, "failed": 0, "expired": 0, "superseded": 0},
                    to_ns(AT - 3 * step): {"applied": 0, "failed": 1, "expired": 0, "superseded": 0}}
    [last] = book.ended(AT + step, [ZoneId("a")])  # the one that ended in a step that was not over
    assert (last.at_ns, by_name(last)["applied"]) == (to_ns(AT), 1)
    book.learn([ordered(3, State.EXPIRED, AT - step)], zones, EVENING)  # told late: its step is told again, with all
    late = {one.at_ns: by_name(one) for one in book.ended(AT + step, [ZoneId("a")])}
    assert late[to_ns(AT - step)] == {"applied": 1, "failed": 0, "expired": 1, "superseded": 0}


def test_a_command_that_ended_long_ago_is_no_figure_any_more_and_none_under_way():
    book, zones = OrderBook(EVERY), {AssetId("L0"): ZoneId("a")}
    book.learn([ordered(0, State.SENT, AT - KEPT)], zones, EVENING)
    book.learn([ordered(0, State.FAILED, AT - KEPT - timedelta(hours=1))], zones, EVENING)
    assert by_name(next(book.under_way(AT, [ZoneId("a")], {})))["outstanding"] == 0
    assert [by_name(one)["failed"] for one in book.ended(AT, [ZoneId("a")])] == [0]


# --- overrides --------------------------------------------------------------------------------------------------------


def told(book, known, said=(), now=EVENING):
    found = book.figures(known, {one.device: one for one in said}, now)
    return [one for _, figures in found for one in figures]


def test_an_override_is_followed_lamp_by_lamp_until_it_is_over():
    book, known = WishBook(), ground(lamps=5)
    orders = [ordered(0, State.APPLIED, EVENING), ordered(1, State.SENT, EVENING), ordered(2, State.FAILED, EVENING),
              ordered(3, State.APPLIED, EVENING)]
    book.learn([wish(40)], orders, EVENING)
    said = [heard(0, level=40.0), heard(1, level=100.0), heard(3, level=70.0),
            heard(4, EVENING, 40.4, EVENING - timedelta(hours=3))]
    point, event = told(book, known, said)
    begins = to_ns(EVENING) // 10**6
    assert by_name(point) == {"id": "o1", "level": 40.0, "begins": begins, "until": begins + 2 * 3_600_000, "lamps": 5,
                              "confirmed": 2, "waiting": 1, "failed": 1, "state": "active"}
    assert (point.tags, event.tags) == ({"zone": "markt"}, {"kind": "override", "zone": "markt"})
    assert by_name(event)["de"] == "Eingriff: 40 %"
    over, _ = told(book, known, said, EVENING + timedelta(hours=3))
    assert by_name(over)["state"] == "over"
    assert "confirmed" not in by_name(over)  # InfluxDB keeps what was counted last
    assert over.at_ns == point.at_ns
    assert told(book, known, said, EVENING + timedelta(hours=3)) == []


def test_a_second_attempt_counts_and_not_the_first_one_that_failed():
    book, known = WishBook(), ground(lamps=1)
    late = EVENING + timedelta(minutes=1)
    book.learn([wish(40)], [ordered(7, State.SENT, late, asset="L0"), ordered(0, State.FAILED, EVENING)], late)
    assert by_name(told(book, known, now=late)[0])["waiting"] == 1


def test_the_level_that_is_wanted_follows_overrides_and_the_program():
    wanted, lit = Wanted(), ground(lamps=4)
    one = replace(wish(40, "lamp:L0"), ended_at=None)
    known = [wanted.means(lit, TOWN, wishes, at) for wishes, at in (
        ([], AT), ([one], AT + timedelta(minutes=1)), ([replace(one, ended_at=AT)], AT + timedelta(minutes=2)),
        ([one], one.end), ([], Night.around(AT, TOWN.site).sunrise + timedelta(minutes=1)))]
    assert known == [{"markt": level} for level in (100.0, 85.0, 100.0, 50.0, 0.0)]
    assert wanted.means(Ground(street(2)), TOWN, [], AT) == {}  # nobody would obey


def test_what_was_never_allowed_or_ended_before_it_began_is_no_event():
    known, soon = ground(), EVENING + timedelta(hours=1)
    for one, state in ((wish(40, needs_second=True), "pending"), (wish(40, start=soon), "coming")):
        book = WishBook()
        book.learn([one], [], EVENING)
        [point] = told(book, known)
        assert (by_name(point)["state"], by_name(point)["confirmed"]) == (state, 0)
    book = WishBook()
    book.learn([replace(wish(40, start=soon), ended_at=EVENING)], [], EVENING)
    assert [one.sheet for one in told(book, known, now=soon)] == ["override"]


def test_neither_who_nor_why_leaves_the_house():
    book = WishBook()
    book.learn([wish(40, reason="Frau Meier bat darum", actor="anna.schmidt")], [], EVENING)
    lines = b"\n".join(written(told(book, ground())))
    assert b"Meier" not in lines
    assert b"anna" not in lines


def test_an_override_concerns_no_crossing_that_it_would_dim_and_each_lamp_once():
    lamps = [*street(3), Luminaire(T, AssetId("X"), "", Site(51, 8), ZoneId("markt"), restriction=Restriction.CROSSWALK)]
    group = Group(T, GroupId("g"), "G", frozenset({AssetId("L0"), AssetId("L1")}))
    known = Ground(lamps, groups={group.id: group})
    for targets, level, count in ((("zone:markt",), 40, 3), (("zone:markt",), 100, 4), (("group:g", "lamp:L0"), 40, 2),
                                  (("town", "circuit:K1"), 40, 3), (("lamp:gone", "zone:markt"), None, 4)):
        assert sum(map(len, known.cover(wish(level, *targets)).values())) == count


def test_what_was_asked_for_of_programs_becomes_events_without_a_person():
    lines = [Programmed(EVENING, action, "zone:markt" if action == "assign calendar" else "sparsam", "Sparsam")
             for action in PROGRAMMING]
    figures = list(programmed(lines))
    assert {one.tags["zone"] for one in figures} == {"", "markt"}
    assert len({one.at_ns for one in figures}) == len(lines)
    assert all(by_name(one)["until"] == one.at_ns // 10**6 for one in figures)
    said, english = of_program(lines[2], Target("zone", "markt"))
    assert said == "Kalender „Sparsam“ gilt für Zone markt"
    assert english == "Calendar “Sparsam” applies to zone markt"
    nothing = of_program(Programmed(EVENING, "assign calendar", "town", "none of its own"), Target("town"))
    assert nothing[0] == "Die Stadt hat keinen eigenen Kalender mehr"


# --- faults -----------------------------------------------------------------------------------------------------------


def trouble(asset="L1", began=EVENING, **more):
    return incident(T, Cause.ASSET, asset, began, Severity.MAJOR, assets=(AssetId(asset),), kinds=(AlarmKind.LAMP_FAILURE,),
                    **more)


def test_an_incident_is_told_when_it_changes_and_only_then():
    book, known, one = FaultBook(), ground(), trouble()
    book.learn([], [one], [])
    point, event = book.incidents(known)
    assert by_name(point)["de"] == "HIL-0001: Die Leuchte soll brennen und tut es nicht."
    assert (point.tags, by_name(point)["state"], by_name(point)["severity"]) == (
        {"cause": "asset", "zone": "markt", "circuit": "K1"}, "standing", "major")
    assert event.tags == {"kind": "incident", "zone": "markt"}
    assert list(book.incidents(known)) == []
    book.learn([], [], [Act(one.id, EVENING, "", Deed.CLOSE)])
    assert by_name(next(iter(book.incidents(known))))["state"] == "closed"
    book.learn([], [replace(one, ended_at=EVENING, closed_at=EVENING)], [])
    after, _ = book.incidents(known)
    assert (by_name(after)["ended"], after.at_ns) == (to_ns(EVENING) // 10**6, point.at_ns)
    later = EVENING + timedelta(hours=1)
    book.learn([], [replace(one, ended_at=later)], [])
    _, over = book.incidents(known)  # drawn as a moment while it stands, then from its beginning to its end
    assert (by_name(event)["until"], by_name(over)["until"]) == (event.at_ns // 10**6, to_ns(later) // 10**6)


def test_many_incidents_of_one_moment_are_as_many_points():
    found = [apart_ns(EVENING, trouble(f"L{number}").id) for number in range(3000)]
    assert len(set(found)) == 3000
    assert all(0 <= at - to_ns(EVENING) < 10**9 for at in found)


def test_what_stands_is_counted_by_zone_and_its_age_until_somebody_has_seen_it():
    book, known = FaultBook(), ground()
    alarms = [begin(T, AssetId("L1"), AlarmKind.LAMP_FAILURE, EVENING, severity=severity) for severity in (Severity.CRITICAL,)]
    alarms.append(begin(T, AssetId("L2"), AlarmKind.BATTERY_LOW, EVENING))
    one = trouble(began=AT - timedelta(minutes=10))
    gateway = incident(T, Cause.GATEWAY_DOWN, "0102", AT - timedelta(minutes=1), Severity.MAJOR,
                       assets=(AssetId("L1"), AssetId("B0")))
    book.learn(alarms, [one, gateway], [])
    town, zone = book.standing(AT, known)
    assert by_name(zone) == {"open": 2, "critical": 1, "major": 0, "incidents": 1, "unattended": 600.0}
    assert by_name(town) == {"open": 0, "critical": 0, "major": 0, "incidents": 1, "unattended": 60.0}
    assert town.tags == {"zone": ""}
    book.learn([], [], [Act(one.id, EVENING, "", Deed.ACKNOWLEDGE)])
    assert by_name(list(book.standing(AT, known))[1])["unattended"] is None


def test_a_circuit_without_power_is_told_with_its_circuit():
    one = incident(T, Cause.CIRCUIT_OUT, "K1", EVENING, Severity.CRITICAL, assets=(AssetId("L0"), AssetId("L1")))
    book = FaultBook()
    book.learn([], [one], [])
    point = next(iter(book.incidents(ground())))
    assert point.tags == {"cause": "circuit_out", "zone": "markt", "circuit": "K1"}
    assert of_incident(one, "K1")[1] == "Circuit K1 has no power: 2 lamps fell silent together."


# --- bays -------------------------------------------------------------------------------------------------------------


def test_of_few_bays_and_of_single_ones_nothing_is_told():
    alarm = begin(T, AssetId("B0"), AlarmKind.BATTERY_LOW, EVENING)
    for bays, zones in ((4, set()), (5, {"platz"})):
        known, book = ground(bays=bays), FaultBook()
        book.learn([alarm], [trouble("B0")], [])
        assert list(book.incidents(known)) == []
        standing = [one for one in book.standing(AT, known) if one.tags["zone"] == "platz"]
        assert [by_name(one)["open"] for one in standing] == [1] * len(zones)
        told = [*standing, *fleet(known, {}, (), AT), *sensors(known, {}, (), AT)]
        assert {one.tags["zone"] for one in told} - {"markt"} == zones
        assert b"B0" not in b"".join(written(told))


def test_sensors_are_counted_by_what_can_be_trusted():
    def fact(number, occupancy="free", why="", start_fault=""):
        return BayFact(AssetId(f"B{number}"), ZoneId("platz"), occupancy, why, None, None, None, certain=True, learning=False,
                       start_fault=start_fault)
    facts = [fact(0), fact(1, "occupied"), fact(2, "unknown", "gone"), fact(3, "unknown", "flapping"),
             fact(4, "unknown", "fault"), fact(5, start_fault="coverage")]
    known = ground(bays=7)
    [one] = sensors(known, {fact.bay: fact for fact in facts}, {AssetId("B0")}, AT)
    assert by_name(one) == {"bays": 7, "known": 2, "stale": 1, "suspect": 1, "faulty": 2, "blocked": 1}


def test_devices_are_heard_silent_or_never_heard():
    known = ground(lamps=4)
    said = [heard(0, AT - timedelta(hours=2)), heard(1, AT - timedelta(hours=4)), heard(2, AT)]
    [one] = fleet(known, {one.device: one for one in said}, {AssetId("L2")}, AT)
    assert one.tags == {"zone": "markt", "kind": "lamp"}
    assert by_name(one) == {"devices": 4, "heard": 1, "silent": 2, "never": 1}


# --- energy -----------------------------------------------------------------------------------------------------------


def test_a_night_is_dated_at_its_noon_and_costs_what_the_factor_of_then_says():
    night = date(2026, 11, 22)
    own = Factors((Factor(FactorKind.PRICE, night, 0.5, "contract"), Factor(FactorKind.CO2, night, 400.0, "x")))
    sums = [NightSum(night, ZoneId("markt"), CircuitId("K1"), 3, Used(900, 100, 1500, 3600, 60)),
            NightSum(night - timedelta(days=1), ZoneId("markt"), None, 3, Used(1000, 0, 900, 3600, 0))]
    now, before = energy(sums, own, {(ZoneId("markt"), CircuitId("K1")): 1100.0}, tonight=night)
    assert by_name(now) == {"used": 1000.0, "metered": 900.0, "estimated": 100.0, "undimmed": 1500.0, "expected": 1100.0,
                            "over": False, "co2": 0.4, "co2_saved": 0.2, "cost": 0.5, "burn": 3600.0, "missing": 60.0, "lamps": 3}
    assert now.at_ns == to_ns(datetime(2026, 11, 22, 11, tzinfo=UTC))  # noon in winter
    assert (by_name(before)["cost"], by_name(before)["co2_saved"]) == (0.3, -0.0363)
    assert (by_name(before)["expected"], by_name(before)["over"]) == (None, True)


def test_what_is_expected_is_what_the_book_estimates_of_a_lamp_without_a_controller():
    lamps = street(3, power_w=40.0)
    night = Night.of(EVENING.date(), TOWN.site)
    book = NightBook(Known(TOWN), night, night.next_noon)
    booked = sum(book.line(lamp, Said()).used.wh for lamp in lamps)
    [(place, wh)] = expected_wh(lamps, Known(TOWN), EVENING.date()).items()
    assert place == (ZoneId("markt"), CircuitId("K1"))
    assert abs(wh - booked) < 2
    assert expected_wh([*lamps, *street(1)], Known(TOWN), EVENING.date()) == {}  # of one the power is not known


# --- all of them ------------------------------------------------------------------------------------------------------


def test_the_same_facts_give_the_same_bytes_and_only_tags_of_the_table():
    def all_of_it():
        known, orders, faults, wishes = ground(bays=6), OrderBook(EVERY), FaultBook(), WishBook()
        orders.learn([ordered(0, State.SENT, AT)], known.zone_of, EVENING)
        faults.learn([], [trouble()], [])
        wishes.learn([wish(40)], [], EVENING)
        return [*orders.under_way(AT, known.lamp_zones, {}), *orders.ended(AT, known.lamp_zones), *faults.standing(AT, known),
                *faults.incidents(known), *told(wishes, known), *fleet(known, {}, (), AT), *sensors(known, {}, (), AT)]
    first = all_of_it()
    assert written(first) == written(all_of_it())
    assert {one.sheet for one in first} == {"control", "faults", "incident", "event", "override", "fleet", "sensors"}
    assert all(one.tags.keys() <= set(SHEETS[one.sheet].tags) for one in first)
