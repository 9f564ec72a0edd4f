"""Sensors that are stuck or restless, by comparison with their zone: rule 7 of docs/parking.md."""

from datetime import timedelta

from city.bay_suspects import StuckRules, Suspicion, features, suspects
from city.bays import Span
from city.ids import AssetId
from city.readings import NS

HOUR, RULES = 3600 * NS, StuckRules()
NOW = 30 * 24 * HOUR


def alternating(stay_h, vacancy_h, begin=NOW - 8 * 24 * HOUR, end=NOW):
    """Spans from `begin` on: a stay, a vacancy, and so on."""
    at, occupied = begin, True
    while at < end:
        until = min(at + int((stay_h if occupied else vacancy_h) * HOUR), end)
        yield Span(at, until, occupied, True)
        at, occupied = until, not occupied


def zone(*odd, bays=8, stay_h=2.0, vacancy_h=3.0):
    usual = {AssetId(f"B{n}"): list(alternating(stay_h, vacancy_h)) for n in range(bays)}
    return usual | {AssetId(f"X{n}"): spans for n, spans in enumerate(odd)}


def found(of, rules=RULES):
    return dict(suspects({bay: features(spans, NOW, rules) for bay, spans in of.items()}, rules))


def lasting(hours, occupied=True):
    begin = NOW - int(hours * HOUR)
    before = list(alternating(2, 3, end=begin))
    return [*before[:-1], Span(before[-1].begin_ns, begin, not occupied, True), Span(begin, NOW, occupied, False)]


def test_features_are_those_of_seven_days():
    one = features(list(alternating(2, 3)), NOW, RULES)
    assert one.known == timedelta(days=7)
    assert 0.38 < one.share < 0.42
    assert 9 < one.changes_a_day < 10
    assert (one.median_stay, one.median_vacancy) == (timedelta(hours=2), timedelta(hours=3))
    assert features([], NOW, RULES).state is None


def test_signs_of_life_do_not_make_a_state_younger():
    spans = [Span(NOW - 90 * HOUR, NOW - 50 * HOUR, True, False), Span(NOW - 50 * HOUR, NOW, True, False)]
    assert features(spans, NOW, RULES).lasting == timedelta(hours=90)


def test_a_bay_that_does_not_change_while_all_others_do_is_suspect():
    assert found(zone(lasting(80), lasting(80, occupied=False))) == {
        "X0": Suspicion.STUCK_OCCUPIED, "X1": Suspicion.STUCK_FREE}


def test_where_much_is_known_of_the_zone_less_time_is_enough():
    assert found(zone(lasting(11))) == {}
    assert found(zone(lasting(13))) == {"X0": Suspicion.STUCK_OCCUPIED}
    assert found(zone(lasting(71), bays=4, stay_h=9, vacancy_h=13)) == {}  # few stays: only the general limit
    assert found(zone(lasting(73), bays=4, stay_h=9, vacancy_h=13)) == {"X0": Suspicion.STUCK_OCCUPIED}


def test_nobody_is_suspect_where_the_zone_hardly_changes():
    assert found(zone(lasting(100), stay_h=30, vacancy_h=10)) == {}


def test_nobody_is_suspect_without_enough_to_compare_with():
    assert found(zone(lasting(100), bays=2)) == {}


def test_a_record_that_is_over_does_not_excuse_the_bay_that_holds_it():
    stuck_before = [Span(NOW - 160 * HOUR, NOW - 101 * HOUR, True, True), Span(NOW - 101 * HOUR, NOW - 40 * HOUR, False, True),
                    Span(NOW - 40 * HOUR, NOW, True, False)]
    assert found(zone(stuck_before)) == {"X0": Suspicion.STUCK_OCCUPIED}


def test_a_sensor_that_changes_far_more_often_than_the_others_is_suspect():
    assert found(zone(list(alternating(0.2, 0.3)))) == {"X0": Suspicion.RESTLESS}
    assert found(zone(list(alternating(1, 1)))) == {}


def test_a_bay_that_changes_again_is_suspect_no_more():
    *before, last = lasting(80)
    now = [Span(last.begin_ns, NOW - HOUR, True, False), Span(NOW - HOUR, NOW, False, False)]
    assert found(zone([*before, *now])) == {}
