"""An alarm has one beginning and one end."""

from datetime import UTC, datetime, timedelta

from city.alarms import FLOODED, RULE, STEADY, AlarmKind, begin, watch, watch_flood, watch_silence
from city.ids import AssetId, DevEui, TenantId
from city.quantities import DEVICE_CLOCK_VALID, LAMP_FAILURE, Quantity
from city.readings import NS, DeviceState, Last, Lasts, to_ns

T, L = TenantId("t"), AssetId("L1")
NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)


def knowing(*pairs: tuple[Quantity, bool], heard=NOW):
    last = Lasts.of({quantity.name: Last(value, 1, 1) for quantity, value in pairs})
    return DeviceState(DevEui("70b3d57ed0000042"), heard_ns=to_ns(heard), last=last)


def test_a_failure_begins_one_alarm_and_its_end_ends_it():
    (alarm,) = watch(T, L, knowing((LAMP_FAILURE, True)), [], NOW)
    assert (alarm.kind, alarm.open) == (AlarmKind.LAMP_FAILURE, True)
    assert watch(T, L, knowing((LAMP_FAILURE, True)), [alarm], NOW) == ()
    (ended,) = watch(T, L, knowing((LAMP_FAILURE, False)), [alarm], NOW + timedelta(hours=1))
    assert (ended.id, ended.ended_at) == (alarm.id, NOW + timedelta(hours=1))


def test_what_was_never_reported_is_no_alarm():
    assert watch(T, L, knowing(), [], NOW) == ()


def test_a_clock_is_an_alarm_once_it_is_said_not_to_be_set_ten_minutes_after_the_restart():
    assert watch(T, L, knowing((DEVICE_CLOCK_VALID, False)), [], NOW) == ()
    at = to_ns(NOW)
    last = Lasts.of({DEVICE_CLOCK_VALID.name: Last(False, at, at - int(STEADY.total_seconds() * NS))})
    assert [a.kind for a in watch(T, L, DeviceState(DevEui("0" * 16), heard_ns=at, last=last), [], NOW)] == [
        AlarmKind.CLOCK_INVALID]


def test_an_alarm_that_a_rule_has_begun_does_not_end_by_what_the_device_says():
    dark = begin(T, L, AlarmKind.LAMP_FAILURE, NOW - timedelta(days=1), facts={RULE: "lamp_failure", "measured": 0.5})
    assert watch(T, L, knowing((LAMP_FAILURE, False)), [dark], NOW) == ()


def test_silence_is_one_alarm_and_any_uplink_ends_it():
    state = knowing(heard=NOW - timedelta(hours=4))
    alarm = watch_silence(T, L, state, timedelta(hours=3), [], NOW)
    assert alarm is not None
    assert watch_silence(T, L, state, timedelta(hours=3), [alarm], NOW) is None
    assert [a.ended_at for a in watch(T, L, knowing(), [alarm], NOW)] == [NOW]


def test_a_device_that_never_spoke_is_not_called_silent():
    assert watch_silence(T, L, DeviceState(DevEui("70b3d57ed0000042")), timedelta(hours=3), [], NOW) is None


def reported(failure: bool, *, since: datetime):
    last = Lasts.of({LAMP_FAILURE.name: Last(failure, to_ns(since), to_ns(since))})
    return DeviceState(DevEui("70b3d57ed0000042"), heard_ns=to_ns(NOW), last=last)


def test_a_fault_that_comes_and_goes_with_each_report_is_one_alarm():
    (alarm,) = watch(T, L, reported(True, since=NOW), [], NOW)
    for minutes in range(5, 600, 5):
        at = NOW + timedelta(minutes=minutes)
        assert watch(T, L, reported(bool(minutes % 2), since=at), [alarm], at) == ()


def test_a_fault_ends_with_the_first_report_that_has_been_good_for_a_while():
    (alarm,) = watch(T, L, reported(True, since=NOW), [], NOW)
    good = NOW + timedelta(minutes=15)
    assert watch(T, L, reported(False, since=good), [alarm], good) == ()
    (ended,) = watch(T, L, reported(False, since=good), [alarm], good + STEADY)
    assert (ended.id, ended.ended_at) == (alarm.id, good + STEADY)


def test_a_device_that_floods_has_one_alarm_an_hour():
    alarm = watch_flood(T, L, [], NOW)
    assert alarm.kind is AlarmKind.FLOODING
    assert watch_flood(T, L, [alarm], NOW) is None
    assert watch(T, L, knowing(), [alarm], NOW + FLOODED / 2) == ()
    assert [item.ended_at for item in watch(T, L, knowing(), [alarm], NOW + FLOODED)] == [NOW + FLOODED]
