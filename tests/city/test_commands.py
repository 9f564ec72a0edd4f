"""A command's states say what is known; TRANSITIONS is the whole truth."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.commands import TRANSITIONS, Event, Priority, State, advance, can, command
from city.errors import Conflict
from city.ids import AssetId, DevEui, TenantId
from city.orders import MulticastGroup, SetLevel, from_json, to_json

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)


def a_command(order=None):
    return command(tenant=TenantId("t"), device=DevEui("70b3d57ed0000042"), asset=AssetId("L1"),
                   order=order or SetLevel(40, 60), origin="override:1", priority=Priority.OVERRIDE, now=NOW,
                   expires_at=NOW + timedelta(minutes=5))


def after(*events):
    state = a_command()
    for event in events:
        state = advance(state, event, NOW)
    return state


def test_the_straight_line_ends_applied():
    assert after(Event.SEND, Event.TXACK, Event.ACK, Event.CONFIRM).state is State.APPLIED


def test_a_lost_txack_does_not_hide_that_the_lamp_obeys():
    assert after(Event.SEND, Event.CONFIRM).state is State.APPLIED


def test_a_txack_after_the_ack_does_not_step_back():
    assert after(Event.SEND, Event.ACK, Event.TXACK).state is State.ACKED


def test_scheduled_is_never_taken_for_applied():
    assert after(Event.SEND, Event.TXACK).state is State.SCHEDULED


def test_each_attempt_has_its_own_queue_id_and_the_first_is_the_commands():
    first = after(Event.SEND)
    second = advance(advance(first, Event.LOSE, NOW), Event.SEND, NOW)
    assert first.queue_id == first.id
    assert second.queue_id not in ("", first.id)
    assert second.attempts == 2


def test_a_timed_order_holds_from_when_it_was_sent():
    assert after(Event.SEND).holds_until == NOW + timedelta(minutes=60)


def test_a_clock_set_back_does_not_make_a_command_older_than_it_is():
    sent = advance(a_command(), Event.SEND, NOW + timedelta(hours=1))
    assert advance(sent, Event.ACK, NOW).changed_at == NOW + timedelta(hours=1)


def test_planning_the_same_twice_gives_the_same_command():
    assert a_command() == a_command()
    assert a_command(SetLevel(41, 60)).id != a_command().id


@given(st.lists(st.sampled_from(list(Event)), max_size=12))
def test_no_sequence_of_events_leaves_a_final_state(events):
    state = a_command()
    for event in events:
        if can(state, event):
            assert state.state.live
            state = advance(state, event, NOW)
        else:
            with pytest.raises(Conflict):
                advance(state, event, NOW)


def test_every_live_state_can_be_ended_by_people_and_by_time():
    for state in State:
        for event in (Event.SUPERSEDE, Event.EXPIRE):
            assert ((state, event) in TRANSITIONS) is state.live


def test_orders_survive_json_and_keys_do_not_show():
    group = MulticastGroup(1, "11223344", "00" * 16, "ff" * 16)
    assert from_json(to_json(group)) == group
    assert "ff" * 16 not in repr(group)
    assert "ff" * 16 not in repr(a_command(group))
