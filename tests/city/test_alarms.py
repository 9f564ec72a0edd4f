"""An alarm has one beginning and one end."""

from datetime import UTC, datetime, timedelta

from city.alarms import AlarmKind, watch, watch_silence
from city.ids import AssetId, DevEui, TenantId
from city.quantities import DEVICE_CLOCK_VALID, LAMP_FAILURE, Quantity
from city.readings import DeviceState, Last, to_ns

T, L = TenantId("t"), AssetId("L1")
NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)


def knowing(*pairs: tuple[Quantity, bool], heard=NOW):
    return DeviceState(DevEui("70b3d57ed0000042"), heard_ns=to_ns(heard), last={q.name: Last(v, 1) for q, v in pairs})


def test_a_failure_begins_one_alarm_and_its_end_ends_it():
    (alarm,) = watch(T, L, knowing((LAMP_FAILURE, True)), [], NOW)
    assert (alarm.kind, alarm.open) == (AlarmKind.LAMP_FAILURE, True)
    assert watch(T, L, knowing((LAMP_FAILURE, True)), [alarm], NOW) == ()
    (ended,) = watch(T, L, knowing((LAMP_FAILURE, False)), [alarm], NOW + timedelta(hours=1))
    assert (ended.id, ended.ended_at) == (alarm.id, NOW + timedelta(hours=1))


def test_what_was_never_reported_is_no_alarm():
    assert watch(T, L, knowing(), [], NOW) == ()


def test_a_clock_that_is_not_set_is_an_alarm():
    assert [a.kind for a in watch(T, L, knowing((DEVICE_CLOCK_VALID, False)), [], NOW)] == [AlarmKind.CLOCK_INVALID]


def test_silence_is_one_alarm_and_any_uplink_ends_it():
    state = knowing(heard=NOW - timedelta(hours=4))
    alarm = watch_silence(T, L, state, timedelta(hours=3), [], NOW)
    assert alarm is not None
    assert watch_silence(T, L, state, timedelta(hours=3), [alarm], NOW) is None
    assert [a.ended_at for a in watch(T, L, knowing(), [alarm], NOW)] == [NOW]


def test_a_device_that_never_spoke_is_not_called_silent():
    assert watch_silence(T, L, DeviceState(DevEui("70b3d57ed0000042")), timedelta(hours=3), [], NOW) is None
