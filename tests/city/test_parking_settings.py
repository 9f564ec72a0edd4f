"""Every number of parking is a setting, and every setting decides something: changed alone, it makes another decision."""

import ast
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.pages.public_doubts import DoubtLimiter
from city.bay_health import Finding, health
from city.bay_suspects import StuckRules, features, suspects
from city.bay_tracks import bay_state, flapping, follow, learning, shown, start_fault
from city.bays import BayEvent, Rules, Sign, Span, Track
from city.errors import TooOften
from city.ids import AssetId, DevEui, GatewayId, TenantId, ZoneId
from city.parking_counting import Kept, Sensor, Town
from city.parking_display import Display, ZoneRules, display, grey, tells
from city.parking_doubt import DoubtRules
from city.parking_facts import BayDay, Count, Forecast, Quarter, ZoneFact
from city.parking_forecast import ForecastRules, errors, forecast, looked_back, profile
from city.parking_places import Doubt, Doubting, ParkingSite, PermitZone
from city.parking_settings import Parking
from city.parking_stats import quarters
from city.places import ParkingBay, Restriction, Site
from city.pressure import pressures
from city.quantities import DEVICE_BATTERY
from city.readings import NS, DeviceState, Last, Lasts, to_ns
from city.reception import EDGES, Hearing, Reception, SilenceRules
from city.retention import plan
from city.sensor_checks import CheckRules, Evidence, SensorCheck, begin, check_of, look, wanted
from gateway_bridge.parking import due, pause

NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # a Monday
NOW, MINUTE, HOUR, DAY = to_ns(NOON), 60 * NS, 3600 * NS, 86_400 * NS
ZONE, BAY = ZoneId("markt"), AssetId("B1")
PLACE = ParkingBay(TenantId("t"), BAY, "B1", Site(51.0, 8.0), ZONE)
Decision = Callable[[Parking], object]


# -- bays

def _shows(said: Parking) -> object:
    track = Track(occupied=True, since_ns=NOW - 50 * NS, settled=False, settled_ns=NOW - HOUR)
    return shown(track, NOW, Rules.of(said))


def _arrivals(said: Parking) -> object:
    start = NOON - timedelta(minutes=30)
    spans = [Span(NOW - 30 * MINUTE, NOW - 20 * MINUTE, False, True), Span(NOW - 20 * MINUTE, NOW - 16 * MINUTE, True, True),
             Span(NOW - 16 * MINUTE, NOW, False, True)]
    return sum(one.arrivals for one in quarters(ZONE, "", [spans], start, NOON, Rules.of(said)))


def _flaps(said: Parking) -> object:
    return flapping(Track(flips=tuple(NOW - minutes * MINUTE for minutes in (12, 8, 7, 6, 5, 3, 2, 1))), NOW, Rules.of(said))


def _learns(said: Parking) -> object:
    return learning(Track(starts=((NOW - HOUR, ""),), edges=8), Rules.of(said))


def _ages(said: Parking) -> object:
    """How old a state may be."""
    return [bay_state(PLACE, Track(occupied=True, since_ns=1, said_ns=NOW - age * HOUR, settled=True), beat=timedelta(hours=10),
                      now_ns=NOW, rules=Rules.of(said)).why for age in range(1, 40)]


def _coverage(said: Parking) -> object:
    starts = tuple((NOW - hours * HOUR, "re-join") for hours in (30, 20, 10, 2))
    return start_fault(Track(starts=starts), NOW, Rules.of(said))


def _repairs(said: Parking) -> object:
    """Two equal words, with how long the state between them lasted: a lost change is put in its place, if that is well known."""
    found = []
    for minutes, error in ((60, 4.0), (60 * 47, 1.0), (600, 0.0)):
        events = [BayEvent(NOW - 72 * HOUR, "s", 1, Sign.EDGE.value, False),
                  BayEvent(NOW - 71 * HOUR, "s", 2, Sign.EDGE.value, True),
                  BayEvent(NOW, "s", 4, Sign.EDGE.value, True, minutes, error)]
        found.append(follow(Track(), events, Rules.of(said), timedelta(hours=96)))
    late = [BayEvent(NOW - HOUR, "s", 1, Sign.EDGE.value, True), BayEvent(NOW, "s", 2, Sign.EDGE.value, False, 57.0)]
    return found, follow(Track(), late, Rules.of(said), timedelta(hours=24))


# -- sensors

def _alternating(hours: float, end: int, *, days: float = 6.9) -> list[Span]:
    at, occupied, found = end - int(days * DAY), True, []
    while at < end:
        until = min(at + int(hours * HOUR), end)
        found.append(Span(at, until, occupied, True))
        at, occupied = until, not occupied
    return found


def _zone_of_sensors(last_h: float, *, usual_h: float = 2.0, bays: int = 4, mine_h: float = 2.0, days: float = 6.9) -> dict[
        AssetId, list[Span]]:
    """Bays that change every `usual_h` hours, and one that changed every `mine_h` until `last_h` ago."""
    begin = NOW - int(last_h * HOUR)
    before = _alternating(mine_h, begin, days=days - last_h / 24)
    of = {AssetId(f"B{number}"): _alternating(usual_h, NOW, days=days) for number in range(bays)}
    return of | {AssetId("X"): [*before, Span(begin, NOW, not before[-1].occupied, False)]}


def _suspects(said: Parking) -> object:
    rules = StuckRules.of(said)
    zones = (_zone_of_sensors(13, bays=9), _zone_of_sensors(80, usual_h=9), _zone_of_sensors(80, usual_h=9, bays=3),
             _zone_of_sensors(40, usual_h=9), _zone_of_sensors(11, bays=9), _zone_of_sensors(0.2, mine_h=0.5, usual_h=3),
             _zone_of_sensors(0.2, mine_h=0.8, usual_h=6.0), _zone_of_sensors(80, usual_h=10.5),
             _zone_of_sensors(31, bays=30, usual_h=16.0), _zone_of_sensors(20, bays=3, usual_h=2.0),
             _zone_of_sensors(0.2, mine_h=0.4, usual_h=6, days=2.5))
    return [suspects({bay: features(spans, NOW, rules) for bay, spans in of.items()}, rules) for of in zones]


def _health(said: Parking) -> object:
    day = BayDay(BAY, NOON.date(), ZONE, 10, 40, 3, 6, 0, 0, 0, 0)
    few = BayDay(BAY, NOON.date(), ZONE, 10, 15, 7, 8, 0, 0, 0, 0)
    state = DeviceState(DevEui("a" * 16), last=Lasts.of({DEVICE_BATTERY.name: Last(25.0, NOW, NOW)}))
    return [health(PLACE, DevEui("a" * 16), "m", None, [one], state, said).findings for one in (day, few)]


# -- zones

def _tells(said: Parking) -> object:
    rules = ZoneRules.of(said)
    return [tells(Count(total, known // 2, known - known // 2, "few"), Restriction.NONE, timedelta(minutes=age), rules)
            for total, known, age in ((100, 92, 0), (100, 70, 0), (6, 6, 0), (20, 20, 25), (20, 20, 40))]


def _words(said: Parking) -> object:
    rules = ZoneRules.of(said)
    fresh = [display(Display(), Count(20, free, 20 - free, ""), NOON, rules).word for free in range(21)]
    since = NOON - timedelta(seconds=130)
    left = [display(Display("many", since), Count(20, free, 20 - free, ""), NOON, rules) for free in range(21)]
    return fresh, left


def _grey(said: Parking) -> object:
    return grey(ZoneFact(ZONE, {}, NOON - timedelta(minutes=7), None, "", 8.0, 51.0), NOON, ZoneRules.of(said))


def _trend(said: Parking) -> object:
    """Of twenty bays two, and then three, become free within half an hour."""
    found = []
    for freed, since_min in ((2, 15), (3, 15), (3, 35)):
        town = Town(Kept(), Rules.of(said), ZoneRules.of(said))
        bays = [replace(PLACE, id=AssetId(f"B{number}")) for number in range(20)]
        town.register(bays, {bay.id: Sensor(timedelta(hours=24)) for bay in bays}, {})
        town.take((bay.id, BayEvent(NOW - HOUR, "s", 1, Sign.BEAT.value, True)) for bay in bays)
        for minute in range(70):
            if minute == 70 - since_min:
                at = NOW + (minute - 1) * MINUTE
                town.take((bay.id, BayEvent(at, "s", 2, Sign.BEAT.value, False)) for bay in bays[:freed])
            town.look(NOON + timedelta(minutes=minute), full=True)
        fact = town.fact(ZONE)
        found.append(fact.trend if fact else None)
    return found


# -- forecasts

def _history(weeks: float, known: float = 1.0) -> list[Quarter]:
    begin = NOON - timedelta(weeks=weeks)
    return [Quarter(ZONE, "", begin + timedelta(minutes=15 * step), 20, round(9000 * known) + 90 * (step // 672),
                    round(9000 * known) - 90 * (step // 672), round(18_000 * (1 - known)), 0, 0)
            for step in range(round(weeks * 672))]


def _forecasts(said: Parking) -> object:
    rules, counted = ForecastRules.of(said), Count(20, 5, 15, "")
    sparse = [one for one in _history(4.5) if one.at < NOON - timedelta(weeks=3) or one.at.hour < 16]
    return [(forecast(ZONE, usual := profile(history, NOON, rules, lambda _: False), counted, NOON, rules), len(usual.shares))
            for history in (_history(6), _history(2.5), _history(5, 0.7), _history(1.5), sparse)]


def _judged(said: Parking) -> object:
    rules, history = ForecastRules.of(said), _history(6)
    made = [Forecast(ZONE, NOON - timedelta(days=days), 15, 12.0, NOON, 9.2) for days in (1, 20)]
    off = [Forecast(ZONE, NOON - timedelta(days=25), 15, 12.0, NOON, 0.2)]
    return (errors(ZONE, made, 20, 6, NOON, rules), errors(ZONE, made + off, 20, 6, NOON, rules),
            len(looked_back(ZONE, history, NOON, rules, lambda _: False)), rules.least_true)


def _pressure(said: Parking) -> object:
    found = [Quarter(ZONE, "", NOON + timedelta(minutes=15 * place), 10, 9000 - taken - unknown, taken, unknown, 0, 0)
             for place, (taken, unknown) in enumerate(((8400, 0), (5000, 3000)))]
    sites = {ZONE: ParkingSite(ZONE, permit_zone="A")}
    return pressures([PermitZone("A", hours="24/7")], sites, found, said, land="NW", point=(8.0, 51.0))


def _off(said: Parking) -> object:
    """A count that may be off by three bays, and one by six."""
    return [tells(Count(20, 10, 10, "few", margin), Restriction.NONE, timedelta(0), ZoneRules.of(said)) for margin in (0, 3, 6)]


def _silence(said: Parking) -> object:
    """A gateway that usually hears sixty frames an hour is not heard; of bays that it alone hears, one after the other."""
    rules, one = SilenceRules.of(said), Hearing()
    one.rates.usual, one.rates.learnt, one.silences = [60.0] * 72, [9] * 72, [800.0, *[0.0] * len(EDGES)]
    one.last_ns = one.at_ns = NOW
    reception = Reception({GatewayId("a" * 16): one}, rules=rules)
    silent = []
    for minutes in range(1, 90):
        reception.look(NOON + timedelta(minutes=minutes))
        silent.append(bool(reception.silent))
    return silent, round(one.odds, 3)


def _doubts(said: Parking) -> object:
    return DoubtRules.of(said)


def _reports(said: Parking) -> object:
    """How many are taken, of one neighbourhood and of all."""
    limiter, taken = DoubtLimiter(said), [0, 0]
    for way, addresses in enumerate((["198.51.100.1"] * 12, [f"10.{number}.0.1" for number in range(250)])):
        for address in addresses:
            with suppress(TooOften):
                limiter.check(TenantId("abcd"[way]), address, NOON)
                taken[way] += 1
    return taken


def _checks(said: Parking) -> object:
    """Which reports begin checks, for how long these run, and what their sensors' words tell meanwhile."""
    by, day = CheckRules.of(said), timedelta(hours=24)

    def doubted(number: int, ago: timedelta) -> Doubt:
        return Doubt(str(number), TenantId("t"), ZoneId(f"z{number}"), Doubting.FULLER, NOON - ago)

    def looked(after: timedelta, *findings: Finding) -> object:
        check = begin(ZONE, NOON, {BAY: day}, Rules.of(said), NOON, by)
        words = [BayEvent(NOW - HOUR, "s", 1, Sign.EDGE.value, False), BayEvent(NOW + HOUR, "s", 2, Sign.BEAT.value, True)]
        heard = [one for one in words if one.at_ns <= to_ns(NOON + after)]
        return look(check, {BAY: Evidence(heard, day, findings)}, NOON + after, Rules.of(said), by).sensors

    one = [doubted(1, timedelta(minutes=60)), doubted(1, timedelta(minutes=40))]
    running = [SensorCheck(ZoneId("z1"), NOON - timedelta(hours=hours), NOON + day, NOON, 1, 1) for hours in (2, 3, 4)]
    return (len(wanted(one, [], NOON, by)), len(wanted([doubted(1, timedelta(hours=30))], [], NOON, by)),
            check_of(one[0], running, by) is None, len(wanted([doubted(n, timedelta(0)) for n in range(250)], [], NOON, by)),
            looked(timedelta(hours=1, minutes=20)), looked(timedelta(minutes=7), Finding.FLAPPING),
            begin(ZONE, NOON, {BAY: day * 30}, Rules.of(said), NOON, by).until)


def _kept(said: Parking) -> object:
    return plan(said, NOON)


def _rhythm(said: Parking) -> object:
    at = NOON + timedelta(seconds=32)
    return pause(at, said), [due(NOON, NOON + timedelta(seconds=s), said) for s in range(0, 200, 10)]


# setting: another value than the default, and what it decides
DECIDES: Mapping[str, tuple[float, Decision]] = {
    "evaluate_s": (10, _rhythm), "publish_s": (120, _rhythm),
    "debounce_s": (60, _shows), "shortest_stay_s": (300, _arrivals), "flaps": (8, _flaps), "flap_minutes": (4, _flaps),
    "learning_edges": (5, _learns), "grace_minutes": (240, _ages), "stale_beats": (1.5, _ages), "gone_beats": (3.0, _ages),
    "coverage_starts": (4, _coverage), "coverage_hours": (6, _coverage),
    "repair_hours": (24, _repairs), "own_clock_minutes": (5.0, _repairs), "sharp_minutes": (3.0, _repairs),
    "stuck_hours": (100, _suspects), "stuck_turnover": (1.2, _suspects), "stuck_least_hours": (14, _suspects),
    "stuck_times": (7.0, _suspects), "stuck_states": (1000, _suspects), "restless_changes": (60.0, _suspects),
    "restless_times": (7.0, _suspects), "suspect_days": (3, _suspects), "suspect_bays": (6, _suspects),
    "suspect_known_hours": (72, _suspects),
    "missed_percent": (10.0, _health), "lost_percent": (12.0, _health), "share_least": (50, _health),
    "battery_percent": (30.0, _health),
    "number_percent": (95, _tells), "range_percent": (80, _tells), "least_bays": (10, _tells), "hide_minutes": (20, _tells),
    "many_percent": (50, _words), "full_up_to": (2, _words), "word_margin": (3, _words), "word_hold_s": (180, _words),
    "grey_minutes": (10, _grey), "trend_minutes": (60, _trend), "trend_percent": (12.0, _trend), "trend_bays": (3, _trend),
    "forecast_weeks": (4, _forecasts), "forecast_least_weeks": (2, _forecasts), "forecast_least_days": (3, _forecasts),
    "forecast_known_percent": (80, _forecasts), "forecast_decay_minutes": (30, _forecasts), "forecast_hours": (2, _forecasts),
    "forecast_error_percent": (10, _judged), "forecast_judged_days": (10, _judged), "forecast_judged_least": (10, _judged),
    "forecast_tried_days": (3, _judged),
    "off_bays": (4, _off), "fails_days": (1.0, _silence), "fails_minutes": (5.0, _silence), "silent_percent": (99.9, _silence),
    "off_percent": (1.0, _doubts), "off_unheard_percent": (1.0, _doubts), "outage_doubt_percent": (50, _doubts),
    "reports_each": (8, _reports), "reports_town": (100, _reports), "check_joins_minutes": (15, _checks),
    "check_fresh_hours": (48, _checks), "checks_zone": (5, _checks), "checks_town": (100, _checks),
    "check_late_minutes": (30, _checks), "check_shown_minutes": (10, _checks), "check_hours": (72, _checks),
    "pressure_full_percent": (90, _pressure), "pressure_known_percent": (80, _pressure),
    "raw_days": (8, _kept), "stays_days": (31, _kept), "sensor_days": (91, _kept), "doubt_days": (91, _kept),
    "quarter_days": (0, _kept), "report_days": (365, _kept),
}
# decided where the store and the clock are needed: by whom it is asked for, and in which test that shows
ELSEWHERE = {"history_minutes": "tests/api/test_parking_numbers.py", "health_days": "tests/api/test_parking_numbers.py"}


def changed(name: str, value: Any) -> Parking:
    return replace(Parking(), **{name: value})


@pytest.mark.parametrize("name", DECIDES)
def test_a_setting_that_is_changed_alone_changes_a_decision(name: str) -> None:
    value, decision = DECIDES[name]
    assert decision(changed(name, value)) != decision(Parking()), name


def test_no_setting_is_left_out_of_these_tests() -> None:
    assert {field.name for field in fields(Parking)} == DECIDES.keys() | ELSEWHERE.keys()
    assert all((ROOT / path).exists() for path in ELSEWHERE.values())
    assert not DECIDES.keys() & ELSEWHERE.keys()


def test_the_defaults_are_the_numbers_of_the_rules() -> None:
    """Rules 2 to 13 and the rules of privacy, as docs/parking.md and docs/privacy.md give them."""
    said = Parking()
    assert 30 <= said.debounce_s <= 60
    assert (said.shortest_stay_s, said.flaps, said.flap_minutes, said.learning_edges) == (180, 6, 10, 10)
    assert (said.coverage_starts, said.coverage_hours, said.stale_beats, said.grace_minutes, said.gone_beats) == (3, 24, 1, 60, 2)
    assert (said.suspect_days, said.stuck_hours, said.stuck_turnover) == (7, 72, 1)
    assert (said.number_percent, said.range_percent, said.many_percent, said.full_up_to) == (90, 60, 30, 1)
    assert (said.word_margin, said.word_hold_s, said.grey_minutes, said.hide_minutes) == (1, 120, 5, 30)
    assert (said.forecast_weeks, said.forecast_decay_minutes, said.forecast_error_percent, said.forecast_least_weeks) \
        == (6, 60, 15, 3)
    assert (said.least_bays, said.history_minutes, said.raw_days, said.stays_days) == (5, 15, 7, 30)


# -- no number is left in the code

ROOT = Path(__file__).parents[2]
MODULES = ("bays", "bay_tracks", "bay_suspects", "bay_health", "bay_memory", "parking_display", "parking_stats",
           "parking_forecast", "public_parking", "pressure", "overstays", "retention", "sensor_checks",
           "parking_doubt", "reception", "usual")
FACTS = {
    "OPEN_END_MIN": "where a maker's scale ends", "ANY_MIN": "and that it says nothing beyond",
    "MOST_COUNTED": "half of what a counter of 8 bits counts", "MOST_BEHIND": "frames: a bound for hostile counters",
    "MOST_SKEW_NS": "how far the clocks of gateways may lie apart", "MOST_STARTS": "a bound of memory", "MOST_FLIPS": "as before",
    "LEAST_FOR_A_WORD": "whatever is set, as LEAST_BAYS",
    "ROLL_NS": "a bound of memory: how late a word may come", "MOST_SPANS": "as before", "MOST_STEPS": "a bound of time",
    "QUARTER": "the step in which sums are kept", "DWELL_BINS": "the columns of a table", "SUNDAY": "a day of the week",
    "LEADS": "the columns of a table", "WEEK_QUARTERS": "of a week", "_HOURS": "of a day", "EVERY": "of the loop",
    "FEW_BAYS": "of the law, and of an index", "SLACK": "of the loop", "_ORDER": "of words",
    "SILENT_AFTER": "of the loop", "MARGIN": "as ROLL_NS", "HOUR_NS": "an hour", "QUARTER_NS": "a quarter",
    "KEEP_NS": "as ROLL_NS", "HOURS": "of three kinds of days", "KINDS": "of days", "MOST_GATEWAYS": "a bound of memory",
    "MOST_GAPS": "as before", "MOST_CHECKS": "as before", "MOST_FRAMES": "as before", "MOST_SILENCES": "as before",
    "STATS_NS": "how often network servers say how gateways are", "STEP_NS": "of the loop", "STEPS": "as before",
    "OFTEN_NS": "as before",
    **dict.fromkeys(("USUAL_CHECKS", "USUAL_WRONG", "MANY_CHANGES", "LIKELY", "DEAF", "SURE", "LEAST_ODDS", "LEVEL_NS", "RARE",
                     "LEVEL_WORDS", "LOSS_FRAMES", "LOSS_USUAL", "MOST_GAP", "HARDEST", "EDGES", "FEW_SILENCES", "AS_IF",
                     "STRANGE", "LEARNS", "UNSEEN", "LOOK_BACK_H", "MOST_UNSEEN"),
                    "the shape of an estimate, which bench/occupancy.py judges as a whole"),
}


@pytest.mark.parametrize("module", MODULES)
def test_no_number_of_the_rules_stands_in_the_code(module: str) -> None:
    tree = ast.parse((ROOT / f"city/{module}.py").read_text(encoding="utf-8"))
    named = {target.id for node in tree.body if isinstance(node, ast.Assign) and _has_number(node.value)
             for part in node.targets for target in ast.walk(part) if isinstance(target, ast.Name)}
    assert named - FACTS.keys() == set()


def _has_number(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (0, 1, -1)
               for node in ast.walk(value))
