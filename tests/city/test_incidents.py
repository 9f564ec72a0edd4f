"""Many alarms, one cause: what is one incident, when it comes back, when it closes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from city.alarms import RULE, Alarm, AlarmKind, Severity, begin
from city.correlating import Vital, correlate
from city.ids import AssetId, TenantId
from city.incidents import Act, Cause, Collective, Deed, Incident, closed, gathered, good_nights
from city.readings import NS, to_ns

T = TenantId("stadt")
NOW = datetime(2026, 11, 10, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def vitals(circuit: str, count: int, heard_ago_s: float, *, gateway: str = "g1", alone: bool = False, start: int = 0,
           powered: bool = True) -> list[Vital]:
    heard = to_ns(NOW) - int(heard_ago_s * NS)
    return [Vital(AssetId(f"{circuit}-{start + number}"), circuit, gateway, heard - number * NS, 3600 * NS,
                  1 if powered else 0, alone) for number in range(count)]


def found(*groups: list[Vital], standing: tuple[Incident, ...] = ()) -> dict[Cause, list[str]]:
    causes: dict[Cause, list[str]] = {}
    for one in correlate([vital for group in groups for vital in group], standing, to_ns(NOW)):
        causes.setdefault(one.cause, []).append(one.subject)
    return causes


def test_a_circuit_that_falls_silent_while_its_neighbours_speak_has_no_power():
    assert found(vitals("a", 40, 4500), vitals("b", 40, 600)) == {Cause.CIRCUIT_OUT: ["a"]}


def test_two_circuits_without_power_are_two_incidents_and_not_a_gateway():
    assert found(vitals("a", 20, 4500), vitals("b", 20, 4500), vitals("c", 20, 600)) == {Cause.CIRCUIT_OUT: ["a", "b"]}


def test_lamps_that_report_all_in_the_same_minute_are_not_silent_in_between():
    assert found(vitals("a", 40, 3500), vitals("b", 40, 600)) == {}


def test_a_few_lamps_that_missed_one_report_are_chance():
    assert found(vitals("a", 3, 4500), vitals("b", 40, 600)) == {}
    assert found(vitals("a", 3, 3 * 3600), vitals("b", 40, 600)) == {Cause.CIRCUIT_OUT: ["a"]}


def test_what_only_one_gateway_hears_is_silent_over_several_circuits():
    silent = [vitals("a", 10, 4500, alone=True), vitals("b", 10, 4500, alone=True)]
    others = vitals("a", 10, 600, gateway="g2", start=50)
    assert found(*silent, others, vitals("c", 30, 600, gateway="g2")) == {Cause.GATEWAY_DOWN: ["g1"]}


def test_a_circuit_half_of_which_another_gateway_hears_has_power():
    assert found(vitals("a", 10, 4500, alone=True), vitals("a", 10, 600, gateway="g2", start=50),
                 vitals("c", 30, 600, gateway="g2")) == {Cause.GATEWAY_DOWN: ["g1"]}


def test_silence_of_everything_is_nobodys_lamp():
    assert found(vitals("a", 20, 4500), vitals("b", 20, 4500, gateway="g2")) == {Cause.TOWN_SILENT: [""]}


def test_a_night_switched_circuit_is_silent_by_day_by_right():
    assert found(vitals("a", 40, 8 * 3600, powered=False), vitals("b", 40, 600)) == {}


def test_a_circuit_that_burns_by_day_is_one_thing():
    lit = [replace_vital(one, by_day=number < 30) for number, one in enumerate(vitals("a", 40, 600))]
    assert found(lit) == {Cause.CIRCUIT_BY_DAY: ["a"]}
    lit = [replace_vital(one, by_day=number < 2) for number, one in enumerate(vitals("a", 40, 600))]
    assert found(lit) == {}


def replace_vital(one: Vital, **changes: bool) -> Vital:
    return Vital(one.asset, one.circuit, one.gateway, one.heard_ns, one.interval_ns, one.since_ns, one.alone, **changes)


def test_an_outage_lasts_until_half_of_the_circuit_is_heard_again():
    (begun,) = gathered(T, [], correlate([*vitals("a", 10, 4500), *vitals("b", 30, 600)], [], to_ns(NOW)), [], NOW)
    some = [*vitals("a", 3, 100), *vitals("a", 7, 5000, start=3), *vitals("b", 30, 600)]
    most = [*vitals("a", 6, 100), *vitals("a", 4, 5000, start=6), *vitals("b", 30, 600)]
    assert found(some, standing=(begun,)) == {Cause.CIRCUIT_OUT: ["a"]}
    assert found(most, standing=(begun,)) == {}


# -- incidents

def alarm(asset: str, kind: AlarmKind = AlarmKind.LAMP_FAILURE, at: datetime = NOW, **more: object) -> Alarm:
    return begin(T, AssetId(asset), kind, at, facts={RULE: kind.value, **more})  # type: ignore[dict-item]


def outage(*assets: str) -> Collective:
    return Collective(Cause.CIRCUIT_OUT, "a", tuple(map(AssetId, assets)), NOW)


def test_all_alarms_of_a_lamp_are_one_incident_of_the_gravest():
    one, = gathered(T, [], [], [alarm("L1", AlarmKind.CLOCK_WRONG), alarm("L1"), alarm("L2")][:2], NOW)
    assert (one.cause, one.subject, one.severity) == (Cause.ASSET, "L1", Severity.MAJOR)
    assert one.kinds == (AlarmKind.LAMP_FAILURE, AlarmKind.CLOCK_WRONG)


def test_the_same_again_changes_nothing():
    first = gathered(T, [], [outage("L1", "L2")], [alarm("L9")], NOW)
    assert len(first) == 2
    assert gathered(T, first, [outage("L1", "L2")], [alarm("L9")], NOW + HOUR) == ()


def test_a_cabinet_outage_takes_the_alarms_of_its_lamps_with_it():
    single = gathered(T, [], [], [alarm("L1", AlarmKind.DEVICE_SILENT)], NOW)
    after = gathered(T, single, [outage("L1", "L2", "L3")], [alarm("L1", AlarmKind.DEVICE_SILENT)], NOW + HOUR)
    by_cause = {one.cause: one for one in after}
    assert by_cause[Cause.ASSET].merged == by_cause[Cause.CIRCUIT_OUT].id
    assert not by_cause[Cause.ASSET].open
    assert by_cause[Cause.CIRCUIT_OUT].severity is Severity.CRITICAL


def test_what_an_outage_does_not_explain_stays_a_lamps_own():
    after = gathered(T, [], [outage("L1")], [alarm("L1", AlarmKind.TILTED)], NOW)
    assert {one.cause for one in after} == {Cause.ASSET, Cause.CIRCUIT_OUT}


def test_a_lamp_that_does_not_come_back_after_the_outage_shows_two_hours_later():
    (out,) = gathered(T, [], [outage("L1")], [], NOW)
    (ended,) = gathered(T, [out], [], [alarm("L1", AlarmKind.DEVICE_SILENT)], NOW + HOUR)
    assert not ended.standing
    after = gathered(T, [ended], [], [alarm("L1", AlarmKind.DEVICE_SILENT)], NOW + 4 * HOUR)
    assert [one.subject for one in after] == ["L1"]


def test_an_incident_closes_after_two_whole_good_nights_and_not_before():
    (one,) = gathered(T, [], [], [alarm("L1")], NOW)
    (ended,) = gathered(T, [one], [], [], NOW + 2 * HOUR)
    assert gathered(T, [ended], [], [], NOW + timedelta(days=2, hours=12)) == ()
    (shut,) = gathered(T, [ended], [], [], NOW + timedelta(days=2, hours=14))
    assert not shut.open


def test_a_fault_that_comes_and_goes_is_one_incident_that_counts():
    (one,) = gathered(T, [], [], [alarm("L1")], NOW)
    for day in range(1, 4):
        (ended,) = gathered(T, [one], [], [], NOW + timedelta(days=day) - HOUR)
        (one,) = gathered(T, [ended], [], [alarm("L1", at=NOW + timedelta(days=day))], NOW + timedelta(days=day))
    assert (one.returns, one.standing, one.began_at) == (3, True, NOW)


def test_alarms_by_a_restarts_own_word_are_no_incident_for_a_quarter_of_an_hour():
    fresh = begin(T, AssetId("L1"), AlarmKind.CLOCK_INVALID, NOW)
    assert gathered(T, [], [], [fresh], NOW + timedelta(minutes=10)) == ()
    assert len(gathered(T, [], [], [fresh], NOW + timedelta(minutes=15))) == 1


def test_nights_are_counted_from_noon_to_noon():
    evening = datetime(2026, 11, 10, 20, tzinfo=UTC)
    assert [good_nights(evening, evening + timedelta(hours=hours)) for hours in (0, 15, 38, 39, 62, 63)] == [0, 0, 0, 1, 1, 2]


def test_whom_a_person_has_closed_comes_back_when_it_does():
    (one,) = gathered(T, [], [], [alarm("L1")], NOW)
    act = Act(one.id, NOW + HOUR, "ada", Deed.CLOSE, "repaired")
    assert closed(one, [act])
    assert not closed(replace(one, returned_at=NOW + 2 * HOUR), [act])
    assert not closed(one, [Act(one.id, NOW, "ada", Deed.NOTE, "seen")])
