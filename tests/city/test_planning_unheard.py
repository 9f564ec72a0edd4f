"""A lamp that tells nobody its level, and cannot be told to resume, is still steered: by what it has acknowledged."""

from dataclasses import replace
from datetime import timedelta

from city.commands import Event, State, advance
from city.orders import ReadStatus, SetLevel
from city.planning import EXPIRES_AFTER, MAX_ATTEMPTS, TELL_AGAIN, Abilities, follow_up, plan
from tests.city.test_planning import NOW, override_to, program_of, sent, wanted

UNHEARD = Abilities(dims=True, max_minutes=None, resumes=False, reports_level=False)


def unheard(setpoint, **known):
    return wanted(setpoint, level=None, level_at=None, abilities=UNHEARD, **known)


def obeyed(setpoint, at=NOW):
    (command,) = plan([unheard(setpoint)], at).commands
    return follow_up(advance(sent(command, at), Event.ACK, at), UNHEARD, at)


def test_an_acknowledged_level_counts_as_obeyed_and_is_not_sent_again():
    held = obeyed(override_to(40))
    assert (held.state, held.order) == (State.APPLIED, SetLevel(40))
    assert plan([unheard(override_to(40), last=held)], NOW + timedelta(minutes=10)).commands == ()


def test_only_a_level_is_taken_on_trust():
    (command,) = plan([unheard(override_to(40))], NOW).commands
    on_its_way = advance(sent(command), Event.TXACK, NOW)
    assert follow_up(on_its_way, UNHEARD, NOW).state is State.SCHEDULED  # a gateway has sent it; who heard it?
    asked = advance(sent(replace(command, order=ReadStatus())), Event.ACK, NOW)
    assert follow_up(asked, UNHEARD, NOW).state is State.ACKED


def test_a_lamp_that_reports_its_level_is_not_believed_before_it_does():
    reporting = Abilities(dims=True, max_minutes=255)
    (command,) = plan([wanted(override_to(40), abilities=reporting)], NOW).commands
    assert follow_up(advance(sent(command), Event.ACK, NOW), reporting, NOW).state is State.ACKED


def test_it_is_told_again_while_the_level_shall_last_for_its_own_windows_may_have_begun():
    held = obeyed(override_to(40, hours=10))
    late = NOW + TELL_AGAIN - timedelta(minutes=5)
    assert [c.order for c in plan([unheard(override_to(40, hours=10), last=held)], late).commands] == [SetLevel(40)]


def test_when_an_override_ends_it_is_told_the_level_of_the_program_for_it_cannot_resume():
    held = obeyed(override_to(40))
    at = NOW + timedelta(minutes=10)
    result = plan([unheard(program_of(100), last=held)], at)
    assert [c.order for c in result.commands] == [SetLevel(100)]
    assert plan([unheard(program_of(100), last=held, live=result.commands)], at).commands == ()
    under_way = sent(plan([unheard(override_to(40))], NOW).commands[0])
    assert [c.order for c in plan([unheard(program_of(100), live=(under_way,))], NOW).commands] == [SetLevel(100)]


def test_last_nights_order_is_no_reason_to_leave_out_tonights():
    held = obeyed(program_of(50), NOW - timedelta(hours=24))
    assert [c.order for c in plan([unheard(program_of(50), last=held)], NOW).commands] == [SetLevel(50)]


def test_dusk_and_dawn_are_left_to_its_own_tasks():
    assert plan([unheard(program_of(100))], NOW).commands == ()
    released = replace(obeyed(program_of(50), NOW - timedelta(hours=3)), order=SetLevel(100))
    assert plan([unheard(program_of(0), last=released)], NOW).commands == ()


def test_it_is_set_free_even_where_nobody_steered_when_the_level_ended():
    for last in (override_to(30), program_of(50)):
        held = obeyed(last, NOW - timedelta(hours=3))
        (command,) = plan([unheard(program_of(100), last=held)], NOW).commands
        assert command.order == SetLevel(100)
        freed = follow_up(advance(sent(command), Event.ACK, NOW), UNHEARD, NOW)
        assert plan([unheard(program_of(100), last=freed)], NOW + timedelta(hours=3)).commands == ()


def test_an_order_stays_valid_for_as_long_as_the_lamp_may_take_to_hear_it():
    slow = replace(UNHEARD, answer_within=timedelta(minutes=70))
    (command,) = plan([replace(unheard(override_to(40)), abilities=slow)], NOW).commands
    assert command.expires_at == NOW + timedelta(minutes=70)
    (short,) = plan([replace(unheard(override_to(40, hours=0.5)), abilities=slow)], NOW).commands
    assert short.expires_at == NOW + timedelta(minutes=30)
    (quick,) = plan([wanted(override_to(40))], NOW).commands
    assert quick.expires_at == NOW + EXPIRES_AFTER


def test_silence_is_answered_by_sending_again_and_at_last_by_giving_up():
    (command,) = plan([unheard(override_to(40))], NOW).commands
    for minute in range(MAX_ATTEMPTS):
        at = NOW + timedelta(minutes=minute)
        command = follow_up(sent(command, at), UNHEARD, at + timedelta(seconds=59))
    assert command.state is State.FAILED
