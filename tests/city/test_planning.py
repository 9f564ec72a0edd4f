"""The reconciler orders only what is missing, once, and never leaves a lamp wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from city.commands import Event, Priority, State, advance, cast
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.lighting import Setpoint
from city.orders import ReadStatus, Resume, SetLevel
from city.places import Luminaire, Site
from city.planning import Abilities, Wanted, follow_up, plan

NOW = datetime(2026, 11, 22, 19, tzinfo=UTC)
LAMP = Luminaire(TenantId("t"), AssetId("L1"), "L1", Site(51, 8), ZoneId("markt"))
NAS = Abilities(dims=True, max_minutes=255, reports_on_demand=True)


def override_to(level, hours=2.0, id="o"):
    return Setpoint(level, "override", f"override:{id}", NOW, NOW + timedelta(hours=hours))


def program_of(level, since=NOW - timedelta(hours=1)):
    return Setpoint(level, "program", "program", since, NOW + timedelta(hours=3))


def wanted(setpoint, *, level=100.0, level_at=NOW - timedelta(minutes=5), last=None, live=(), abilities=NAS):
    return Wanted(LAMP, DevEui("70b3d57ed0000042"), abilities, setpoint, level, level_at, last, live)


def sent(command, at=NOW):
    return advance(command, Event.SEND, at)


def applied(command, at=NOW):
    return advance(sent(command, at), Event.CONFIRM, at)


def test_a_lamp_that_differs_is_ordered_once():
    first = plan([wanted(override_to(40))], NOW)
    assert [command.order for command in first.commands] == [SetLevel(40, 120)]
    again = plan([wanted(override_to(40), live=first.commands)], NOW)
    assert again.commands == again.superseded == ()


def test_a_newer_wish_takes_the_place_of_the_older_command():
    (old,) = plan([wanted(override_to(40))], NOW).commands
    result = plan([wanted(override_to(70, id="p"), live=(sent(old),))], NOW)
    assert [c.order for c in result.commands] == [SetLevel(70, 120)]
    assert [(c.id, c.state) for c in result.superseded] == [(old.id, State.SUPERSEDED)]


def test_a_lamp_that_already_burns_so_by_chance_is_ordered_to_hold_it():
    assert plan([wanted(override_to(100))], NOW).commands


def test_an_order_longer_than_the_controller_can_hold_is_renewed_before_it_ends():
    (first,) = plan([wanted(override_to(40, hours=10))], NOW).commands
    assert first.order == SetLevel(40, 255)
    held = applied(first)
    soon = NOW + timedelta(minutes=100)
    assert plan([wanted(override_to(40, hours=10), level=40.0, last=held)], soon).commands == ()
    late = NOW + timedelta(minutes=250)
    assert [c.order for c in plan([wanted(override_to(40, hours=10), level=40.0, last=held)], late).commands]


def test_when_an_override_ends_early_the_lamp_is_released():
    held = applied(plan([wanted(override_to(40))], NOW).commands[0])
    at = NOW + timedelta(minutes=10)
    result = plan([wanted(program_of(100), level=40.0, last=held)], at)
    assert [c.order for c in result.commands] == [Resume()]
    assert plan([wanted(program_of(100), level=40.0, last=held, live=result.commands)], at).commands == ()


def test_an_override_ended_while_its_order_is_on_its_way_is_taken_back_though_the_lamp_still_reports_as_wanted():
    (old,) = plan([wanted(override_to(40))], NOW).commands
    lost = advance(sent(old), Event.LOSE, NOW)
    for on_its_way in (sent(old), lost):
        result = plan([wanted(program_of(100), live=(on_its_way,))], NOW)
        assert [c.order for c in result.commands] == [Resume()]
        assert plan([wanted(program_of(100), live=result.commands)], NOW).commands == ()
    assert plan([wanted(program_of(100), live=(old,))], NOW).commands == ()  # never sent: nothing to take back


def test_a_lamp_that_is_held_as_wanted_is_told_again_when_another_order_is_on_its_way():
    held = applied(plan([wanted(program_of(50))], NOW).commands[0])
    (old,) = plan([wanted(override_to(100), level=50.0, last=held)], NOW).commands
    result = plan([wanted(program_of(50), level=50.0, last=held, live=(sent(old),))], NOW)
    assert [c.order for c in result.commands] == [SetLevel(50, 180)]


def test_a_program_step_that_the_lamp_cannot_know_is_ordered():
    assert [c.order for c in plan([wanted(program_of(50))], NOW).commands] == [SetLevel(50, 180)]


def test_dusk_and_dawn_are_the_lamps_own_doing_until_it_fails_to():
    fresh = program_of(100, since=NOW - timedelta(minutes=5))
    assert plan([wanted(fresh, level=0.0, level_at=NOW)], NOW).commands == ()
    old = program_of(100, since=NOW - timedelta(hours=1))
    assert [c.order for c in plan([wanted(old, level=0.0, level_at=NOW)], NOW).commands] == [SetLevel(100, 180)]


def test_a_lamp_that_cannot_dim_is_left_alone():
    assert plan([wanted(override_to(40), abilities=Abilities(dims=False, max_minutes=None))], NOW).commands == ()


def test_silence_is_answered_by_sending_again_and_at_last_by_giving_up():
    command = sent(plan([wanted(override_to(40))], NOW).commands[0])
    assert follow_up(command, NAS, NOW + timedelta(seconds=30)) is command
    at = NOW
    for _ in range(2):
        at += timedelta(seconds=60)
        command = follow_up(command, NAS, at)
        assert command.state is State.PLANNED
        command = sent(command, at)
    assert follow_up(command, NAS, at + timedelta(seconds=60)).state is State.FAILED


def test_a_lamp_that_confirmed_receipt_but_does_not_report_is_asked_once():
    (order,) = plan([wanted(override_to(100))], NOW).commands
    acked = advance(sent(order), Event.ACK, NOW)
    soon, later = NOW + timedelta(seconds=20), NOW + timedelta(seconds=40)
    assert plan([wanted(override_to(100), live=(acked,))], soon).commands == ()
    (question,) = plan([wanted(override_to(100), live=(acked,))], later).commands
    assert question.order == ReadStatus()
    assert plan([wanted(override_to(100), live=(acked, question))], later).commands == ()


def test_a_lamp_of_a_crowd_is_asked_late_but_soon_once_it_was_told_alone():
    crowd = replace(NAS, ask_after=timedelta(minutes=10))
    (order,) = plan([wanted(override_to(100))], NOW).commands
    acked = advance(sent(order), Event.ACK, NOW)
    again = advance(sent(advance(acked, Event.LOSE, NOW)), Event.ACK, NOW)
    later = NOW + timedelta(seconds=40)
    assert plan([wanted(override_to(100), live=(acked,), abilities=crowd)], later).commands == ()
    (question,) = plan([wanted(override_to(100), live=(again,), abilities=crowd)], later).commands
    assert question.order == ReadStatus()


def test_a_command_that_nobody_sent_in_time_expires():
    (command,) = plan([wanted(override_to(40))], NOW).commands
    assert follow_up(command, NAS, command.expires_at).state is State.EXPIRED


LEVELS = st.sampled_from([0, 20, 50, 100])


@given(LEVELS, st.booleans(), st.one_of(st.none(), LEVELS), st.one_of(st.none(), LEVELS), st.integers(0, 300))
def test_planning_twice_plans_nothing_more(level, by_override, reported, held_at, minutes):
    want = override_to(level) if by_override else program_of(level)
    last = None
    if held_at is not None:
        last = applied(plan([wanted(override_to(held_at, id="old"), level=None, level_at=None)], NOW).commands[0])
    at = NOW + timedelta(minutes=minutes) if minutes < 120 else NOW
    now_wanted = wanted(want, level=None if reported is None else float(reported), last=last)
    first = plan([now_wanted], at)
    again = plan([replace(now_wanted, live=first.commands)], at)
    assert len(first.commands) <= 1
    assert again.commands == again.superseded == ()


def by_own_program(own, setpoint=None, **facts):
    return replace(wanted(setpoint or program_of(50), **facts), own=own)


def test_a_lamp_that_holds_its_program_is_told_nothing_at_any_level():
    assert not plan([by_own_program(50, level=50.0)], NOW).commands
    late = program_of(50, since=NOW - timedelta(minutes=10))
    assert not plan([by_own_program(50, late, level=100.0)], NOW).commands  # it gets its time to say so


def test_a_lamp_that_fails_to_do_what_it_holds_is_corrected():
    (order,) = plan([by_own_program(50, level=100.0)], NOW).commands
    assert order.order == SetLevel(50, 180)


def test_a_lamp_whose_own_program_does_something_else_is_told_live_even_to_be_dark_or_full():
    (order,) = plan([by_own_program(50, program_of(100), level=50.0)], NOW).commands
    assert order.order == SetLevel(100, 180)


def test_a_lamp_that_holds_its_program_is_released_after_an_override():
    (dimmed,) = plan([wanted(override_to(20))], NOW - timedelta(minutes=5)).commands
    held = applied(dimmed, NOW - timedelta(minutes=4))
    (release,) = plan([by_own_program(50, level=20.0, last=held)], NOW).commands
    assert release.order == Resume()
    assert not plan([by_own_program(50, level=20.0, last=held, live=(release,))], NOW).commands
    (live,) = plan([by_own_program(None, level=20.0, last=held)], NOW).commands
    assert live.order == SetLevel(50, 180)


def held_at(level, minutes=240):
    """An order that the lamp has obeyed half an hour ago."""
    begun = NOW - timedelta(minutes=30)
    want = Setpoint(level, "override", "override:o", begun, begun + timedelta(minutes=minutes))
    (order,) = plan([wanted(want)], begun).commands
    return applied(order, begun)


def test_a_lamp_that_reports_to_burn_as_programmed_is_released_no_more():
    done = held_at(40)
    told = wanted(program_of(100, since=NOW), level=40.0, last=done, live=())
    assert [one.order for one in plan([told], NOW).commands] == [Resume()]
    again = replace(told, level=100.0, level_at=NOW - timedelta(minutes=1), by_hand=False)
    assert plan([again], NOW).commands == ()
    assert plan([replace(again, by_hand=None)], NOW).commands == ()  # a model that gives no reasons


def test_a_lamp_that_burns_so_by_hand_is_released_all_the_same():
    told = wanted(program_of(100, since=NOW), level=100.0, level_at=NOW - timedelta(minutes=1), last=held_at(40))
    assert [one.order for one in plan([replace(told, by_hand=True)], NOW).commands] == [Resume()]


def test_a_lamp_that_an_unseen_order_holds_dark_is_released_at_once_and_before_programs():
    told = wanted(program_of(100, since=NOW - timedelta(minutes=2)), level=40.0, level_at=NOW - timedelta(minutes=1))
    assert plan([told], NOW).commands == ()  # it may be about to switch by itself
    (order,) = plan([replace(told, by_hand=True)], NOW).commands
    assert (order.order, order.priority) == (Resume(), Priority.OVERRIDE)


def test_what_a_group_was_told_is_no_attempt_to_tell_the_lamp_alone():
    (order,) = plan([wanted(override_to(40))], NOW).commands
    told = cast(order, "c1", NOW, quiet_until=NOW, order=order.order)
    for minute in (1, 2, 3):
        told = follow_up(told, NAS, NOW + timedelta(minutes=minute))
        assert told.state is State.PLANNED
        told = sent(told, NOW + timedelta(minutes=minute))
    over = follow_up(told, NAS, NOW + timedelta(minutes=4))
    assert (over.state, over.attempts, over.alone) == (State.FAILED, 4, 3)
