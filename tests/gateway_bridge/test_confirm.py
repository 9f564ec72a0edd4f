"""What an uplink proves about a command under way, and what it does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.commands import Event, Priority, State, advance, command
from city.ids import AssetId, DevEui, TenantId
from city.losses import ANSWER_LOST
from city.orders import FallbackLevel, ReadStatus, Resume, SetLevel
from city.quantities import DEVICE_ECHO, DEVICE_REJECTED, LAMP_LEVEL, LAMP_POWER, LAMP_REASON
from city.readings import to_ns
from decoders.catalog import codec_of
from gateway_bridge.confirm import after_uplink

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
NAS = codec_of("nas/ul20xx")
ACKED, PLANNED = (Event.SEND, Event.ACK), ()


def told(order, *events):
    made = command(tenant=TenantId("t"), device=DevEui("70b3d57ed0000042"), asset=AssetId("L1"), order=order,
                   origin="override:1", priority=Priority.OVERRIDE, now=NOW, expires_at=NOW + timedelta(minutes=5))
    for event in events or (Event.SEND,):
        made = advance(made, event, NOW)
    return made


def state_after(made, *said, seconds=60, codec=NAS):
    at = NOW + timedelta(seconds=seconds)
    changed = after_uplink([made], codec, to_ns(at), said, at)
    return changed[0].state if changed else made.state


def echo_of(order):
    return DEVICE_ECHO(NAS.echo(NAS.encode_downlink(order)))


def test_an_echo_is_receipt_and_not_obedience():
    assert state_after(told(SetLevel(40, 60)), echo_of(SetLevel(40, 60))) is State.ACKED


def test_the_echo_of_another_order_proves_nothing():
    assert state_after(told(SetLevel(40, 60)), echo_of(SetLevel(70, 60))) is State.SENT


def test_a_setting_is_in_force_when_it_is_echoed():
    assert state_after(told(FallbackLevel(80)), echo_of(FallbackLevel(80))) is State.APPLIED


@pytest.mark.parametrize("events", [(Event.SEND,), (Event.SEND, Event.TXACK), ACKED])
def test_the_wanted_level_is_obedience_whatever_was_lost_before(events):
    assert state_after(told(SetLevel(40, 60), *events), LAMP_LEVEL(40)) is State.APPLIED


def test_a_level_heard_before_the_sending_proves_nothing():
    assert state_after(told(SetLevel(40, 60)), LAMP_LEVEL(40), seconds=-1) is State.SENT


@pytest.mark.parametrize(("one", "other", "state"), [
    (40, 40, State.APPLIED), (40, 100, State.PLANNED), (100, 40, State.PLANNED)])
def test_a_lamp_that_speaks_of_its_parts_only_obeys_when_all_do(one, other, state):
    made = told(SetLevel(40, 60), *ACKED)
    assert state_after(made, LAMP_LEVEL(one, "dali-1"), LAMP_LEVEL(other, "dali-2")) is state


def test_another_level_has_the_order_sent_again():
    assert state_after(told(SetLevel(40, 60), *ACKED), LAMP_LEVEL(100)) is State.PLANNED


def test_a_lamp_that_listens_after_its_uplinks_has_not_heard_an_order_that_no_gateway_has_sent():
    sleepy = replace(NAS, device_class="A")
    assert state_after(told(SetLevel(40, 60)), LAMP_LEVEL(100), seconds=290, codec=sleepy) is State.SENT
    assert state_after(told(SetLevel(40, 60)), LAMP_LEVEL(100), seconds=290) is State.PLANNED
    transmitted = told(SetLevel(40, 60), Event.SEND, Event.TXACK)
    assert state_after(transmitted, LAMP_LEVEL(100), seconds=290, codec=sleepy) is State.PLANNED


def test_a_lamp_still_fading_is_given_a_moment():
    assert state_after(told(SetLevel(40, 60), *ACKED), LAMP_LEVEL(70), seconds=5) is State.ACKED


@pytest.mark.parametrize(("reason", "state"), [("profile-0", State.APPLIED), ("manual", State.PLANNED)])
def test_a_lamp_is_released_when_it_no_longer_burns_by_hand(reason, state):
    assert state_after(told(Resume(), *ACKED), LAMP_REASON(reason)) is state


def test_a_refusal_names_the_port_and_an_error_of_the_makers():
    assert state_after(told(SetLevel(40, 60)), DEVICE_REJECTED("60:0a")) is State.FAILED
    assert state_after(told(SetLevel(40, 60)), DEVICE_REJECTED("50:0a")) is State.SENT


def test_a_question_is_answered_by_a_level_and_not_by_a_meter():
    assert state_after(told(ReadStatus()), LAMP_POWER(30)) is State.SENT
    assert state_after(told(ReadStatus()), LAMP_LEVEL(100)) is State.APPLIED


def test_a_lamp_that_is_to_be_told_again_but_reports_that_it_was_released_has_heard_it():
    waits = told(Resume(), Event.SEND, Event.LOSE)
    assert state_after(waits, LAMP_REASON("profile-1")) is State.APPLIED
    assert state_after(waits, LAMP_REASON("manual")) is State.PLANNED
    assert state_after(waits, LAMP_REASON("profile-1"), seconds=-1) is State.PLANNED
    assert state_after(told(Resume(), Event.SUPERSEDE), LAMP_REASON("profile-1")) is State.SUPERSEDED


def test_the_level_of_an_order_that_holds_for_a_while_proves_nothing_while_it_waits_to_be_said_again():
    assert state_after(told(SetLevel(40, 60), Event.SEND, Event.LOSE), LAMP_LEVEL(40)) is State.PLANNED


@pytest.mark.parametrize(("events", "holes", "note"), [
    ((Event.SEND, Event.LOSE, Event.SEND), 0b010, ANSWER_LOST),
    ((Event.SEND, Event.LOSE, Event.SEND), 0b100, ANSWER_LOST),
    ((Event.SEND, Event.LOSE, Event.SEND), 0b1000, ""),  # long before it was told
    ((Event.SEND, Event.LOSE, Event.SEND), 0, ""),
    ((Event.SEND,), 0b010, "")])
def test_whether_an_order_or_its_answer_was_lost_shows_in_the_frames_that_are_missing(events, holes, note):
    order = SetLevel(40, 60)
    at = NOW + timedelta(seconds=60)
    (after,) = after_uplink([told(order, *events)], NAS, to_ns(at), [echo_of(order)], at, holes=holes)
    assert (after.state, after.note) == (State.ACKED, note)
