"""A lamp's controller is asked what tasks it holds: after it was told some, once a day, and what it lacks is told anew."""

from dataclasses import replace
from datetime import datetime, timedelta

from msgspec import structs

from city.commands import Command, Event, Priority, State, advance, command
from city.ids import AssetId, DevEui, GatewayId, TenantId
from city.orders import DimTask, Order, ReadTask, SetLevel, to_json
from city.places import Device
from city.programs import Programming
from city.quantities import DEVICE_ECHO, LAMP_TASK, Measurement
from city.readings import DeviceState, to_ns
from city.store.ports import Known, Registered
from firmware_config.compile import compiled, confirmed_by
from firmware_config.delta import read_back
from gateway_bridge.asking import READ_BACK, UNANSWERED
from gateway_bridge.towns import Town
from gateway_bridge.wishes import decide_in_full, failure_alarms, next_to_send, served
from tests.gateway_bridge.test_holding import LAMP, NOON, TOLD, town

EUI = DevEui("70b3d57ed0000042")
CONFIG = compiled(TOLD, LAMP, "zenosmart/lcc", NOON).config
TASKS = CONFIG.tasks or ()


def told(now: datetime) -> DeviceState:
    """A controller that has confirmed every task, the last one at this time."""
    state = DeviceState(EUI, application_id="a", gateway=GatewayId("b" * 16), config=confirmed_by(CONFIG), heard_ns=to_ns(now))
    return says(state, now, DEVICE_ECHO("8:86010100000001"))


def says(state: DeviceState, at: datetime, *said: Measurement) -> DeviceState:
    """The state after an uplink."""
    return structs.replace(state, config=read_back(state.config, said), heard_ns=to_ns(at),
                           last=state.last.after(list(said), to_ns(at))[0])


def tells(state: DeviceState, at: datetime, slot: int, task: DimTask) -> DeviceState:
    return says(state, at, LAMP_TASK(to_json(task).decode(), f"slot-{slot}"))


def new(place: Town, state: DeviceState, now: datetime, live: tuple = ()):  # type: ignore[no-untyped-def,type-arg]
    known = Known(Registered.of(place.tenant, Device(EUI, TenantId("t"), AssetId("L"), "zenosmart/lcc"), LAMP), state, live)
    item = served(known, {})
    assert item is not None
    return [one for one in decide_in_full(place, item, known, now).new if one.origin in ("tables", READ_BACK)]


def asked_all(place: Town, state: DeviceState, now: datetime) -> tuple[DeviceState, datetime]:
    for slot, task in enumerate(TASKS):
        [question] = new(place, state, now)
        assert question.order == ReadTask(slot)
        assert new(place, state, now, (question,)) == []
        now += timedelta(minutes=1)
        state = tells(state, now, slot, task)
    return state, now


def test_after_it_was_told_its_tasks_it_is_asked_for_each_slot_one_at_a_time_and_then_not_before_the_next_day() -> None:
    place = town(TOLD)
    state, now = asked_all(place, told(NOON), NOON + timedelta(minutes=1))
    times = [now + timedelta(minutes=10 * number) for number in range(145)]
    due = [at for at in times if new(place, structs.replace(state, heard_ns=to_ns(at)), at)]
    assert due
    assert due[0] - now > timedelta(minutes=10)
    assert due == times[times.index(due[0]):]


def test_nobody_is_asked_for_tasks_who_was_told_none_or_lacks_some() -> None:
    assert new(town(TOLD), structs.replace(told(NOON), config={}), NOON + timedelta(minutes=1))[0].origin == "tables"
    state = structs.replace(told(NOON), config={})
    assert new(town(Programming(TOLD.site)), state, NOON + timedelta(minutes=1)) == []




def test_a_task_that_a_slot_tells_otherwise_is_told_anew() -> None:
    place, now = town(TOLD), NOON + timedelta(minutes=1)
    other = structs.replace(TASKS[0], windows=TASKS[1].windows)
    [order] = new(place, tells(told(NOON), now, 0, other), now + timedelta(minutes=1))
    assert order.order == structs.replace(TASKS[0], replaces=True)


def test_a_task_that_lies_in_no_slot_is_told_anew_once_the_others_have_told() -> None:
    place, now = town(TOLD), NOON + timedelta(minutes=1)
    state = told(NOON)
    for slot, task in enumerate(TASKS[:-1]):
        state = tells(state, now, slot, task)
    [question] = new(place, state, now)
    assert question.order == ReadTask(len(TASKS) - 1)
    lost = advance(advance(question, Event.SEND, now), Event.GIVE_UP, now, "no answer")
    place.told(lost)
    [order] = new(place, state, now + timedelta(minutes=1))
    assert order.order == TASKS[-1]
    assert failure_alarms([lost], (), now) == []
    assert lost.state is State.FAILED


def test_a_controller_that_answers_no_question_is_asked_again_the_next_day_and_told_nothing() -> None:
    place, now, asked = town(TOLD), NOON + timedelta(minutes=1), 0
    while asked < len(TASKS):
        [question] = new(place, told(NOON), now)
        place.told(advance(advance(question, Event.SEND, now), Event.GIVE_UP, now, "no answer"))
        asked += 1
    assert new(place, told(NOON), now) == []
    later = now + UNANSWERED
    place.failed = {key: at for key, at in place.failed.items() if later - at < UNANSWERED}
    assert [one.order for one in new(place, structs.replace(told(NOON), heard_ns=to_ns(later)), later)] == [ReadTask(0)]


def test_light_waits_for_no_answer_to_a_setting_or_a_question_and_these_wait_for_light() -> None:
    def order(what: Order, priority: Priority, state: State) -> Command:
        made = command(tenant=TenantId("t"), device=EUI, asset=LAMP.id, order=what, origin=str(priority), priority=priority,
                       now=NOON, expires_at=NOON + timedelta(hours=2))
        return as_(made, state)

    setting, light = order(TASKS[0], Priority.CONFIG, State.SENT), order(SetLevel(100), Priority.SAFETY, State.PLANNED)
    assert next_to_send([setting, light], NOON) is light
    waits = order(ReadTask(0), Priority.CONFIG, State.PLANNED)
    assert next_to_send([setting, waits], NOON) is None
    assert next_to_send([as_(light, State.SCHEDULED), waits], NOON) is None
    other = order(SetLevel(50), Priority.OVERRIDE, State.PLANNED)
    assert next_to_send([setting, as_(light, State.SENT), other], NOON) is None


def as_(item: Command, state: State) -> Command:
    """The command in another state."""
    return replace(item, state=state)
