"""Command truth: every step is told, also across supersession, restarts and crashes; nothing is sent twice in a way that
matters."""

import asyncio
import base64
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.commands import TRANSITIONS, Command, Event, Priority, State, advance, command
from city.courses import CommandStep, course, step_of
from city.errors import Conflict
from city.ids import CommandId, DevEui, TenantId, ZoneId
from city.lighting import Setpoint
from city.orders import SetLevel
from city.places import Luminaire, Site, Tenant
from city.planning import EXPIRES_AFTER, MAX_ATTEMPTS, Abilities, Wanted, follow_up, plan
from city.settings import Bridge
from city.store.ports import Facts
from city.store.pruning import prune
from decoders.catalog import catalog
from gateway_bridge.metrics import Metrics
from gateway_bridge.steer import Steerer
from gateway_bridge.wishes import patience
from tests.examples import examples
from tests.gateway_bridge.samples import EUI, other, up
from tests.gateway_bridge.town import LAMP, NOW, Instead, Town, small_town

MUSTERSTADT, NORD = TenantId("musterstadt"), ZoneId("nord")
NEXT = {(before, after) for (before, _), after in TRANSITIONS.items()}


class Crash(BaseException):
    """The process is gone."""


class Breaking(Instead):
    """A broker that ends the process before or after a publish, and remembers when each was."""

    def __init__(self, of: Any, now: Callable[[], datetime]) -> None:
        super().__init__(of)
        self.when, self.now, self.sent = "", now, list[tuple[str, datetime]]()

    async def publish(self, topic: str, payload: bytes) -> None:
        if self.when == "before":
            self.when = ""
            raise Crash
        await self.of.publish(topic, payload)
        self.sent.append((json.loads(payload)["id"], self.now()))
        if self.when == "after":
            self.when = ""
            raise Crash


class BreakingStore(Instead):
    """A store that ends the process before or after a commit."""

    when = ""

    def commit(self, facts: Facts) -> Any:
        if self.when == "before" and facts.commands:
            self.when = ""
            raise Crash
        done = self.of.commit(facts)
        if self.when == "after" and facts.commands:
            self.when = ""
            raise Crash
        return done


class Rig:
    """A town with one lamp, whose bridge can end at any time and begin anew."""

    def __init__(self, town: Town) -> None:
        self.town, self.f_cnt, self.level, self.number = town, 100, 0, 0
        self.link, self.store = Breaking(town.link, town.clock.now), BreakingStore(town.store)
        self.heard: set[str] = set()
        self.restart()

    def restart(self) -> None:
        settings = Bridge(batch=500, linger_ms=0)
        self.steerer = Steerer(self.link, self.store, self.town.clock, settings, Metrics(), turn=asyncio.Lock(),
                               reader=self.town.reader)

    async def tick(self, seconds: float = 1.0) -> None:
        self.town.clock.advance(seconds)
        try:
            await self.steerer.tick()
        except Crash:
            self.restart()

    async def answer(self) -> None:
        """The lamp hears what it was sent last, obeys, repeats it and reports."""
        downs = [json.loads(payload) for _, payload in self.town.link.published]
        for down in downs[-1:]:
            if down["id"] not in self.heard:
                self.heard.add(down["id"])
                ordered = next((one for one in self.town.commands() if is_of(down["id"], one)), None)
                if ordered is not None:
                    self.level = ordered.order.level if isinstance(ordered.order, SetLevel) else 0
                await self._says(down["fPort"], base64.b64decode(down["data"]))
        await self.report()

    async def report(self) -> None:
        await self._says(23, bytes.fromhex(f"01F37F205E80003209160000FEFD{self.level:02x}00"))

    async def txack(self) -> None:
        if self.town.link.published and self.town.link.connected:
            item = json.loads(self.town.link.published[-1][1])["id"]
            await self.town.hear("txack", other(time=self.town.stamp(), queueItemId=item))

    def wish(self, level: int) -> None:
        self.number += 1
        self.town.clock.advance(1)
        self.town.wish(level, minutes=600, id=f"wish-{self.number}")

    async def _says(self, port: int, data: bytes) -> None:
        self.town.clock.advance(1)
        self.f_cnt += 1
        if not self.town.link.connected:
            return  # nobody hears it
        await self.town.hear("up", up(data, f_port=port, f_cnt=self.f_cnt, time=self.town.stamp(), rxInfo=[]))

    def told(self, id: CommandId) -> list[tuple[str, int]]:
        return [(step.state.value, step.attempts) for step in self.town.own.command_steps([id])[id]]


def is_of(queue_id: str, one: Command) -> bool:
    """Whether an attempt was one of the command's."""
    return any(replace(one, attempts=number).queue_id == queue_id for number in range(1, one.attempts + 1))


@pytest.fixture
async def rig(town: Town) -> Rig:
    made = Rig(town)
    await made.report()
    town.clock.advance(10)
    return made


async def test_a_newer_wish_ends_the_older_order_and_both_courses_say_so(rig: Rig) -> None:
    rig.wish(40)
    await rig.tick()
    [first] = rig.town.commands()
    rig.wish(70)
    await rig.tick(6)
    await rig.tick(6)
    await rig.answer()
    newer = next(one for one in rig.town.commands() if one.id != first.id)
    assert rig.told(first.id) == [("planned", 0), ("sent", 1), ("superseded", 1)]
    assert rig.town.own.command_steps([first.id])[first.id][-1].note == "a newer order takes its place"
    assert rig.told(newer.id)[-1] == ("applied", 1)


async def test_a_lost_attempt_is_told_with_its_reason_and_the_last_one_too(rig: Rig) -> None:
    rig.wish(40)
    for _ in range(20):
        await rig.tick(30)
    steps = rig.town.own.command_steps([one.id for one in rig.town.commands()])
    first = min(steps.values(), key=lambda one: one[0].at)
    assert [(step.state.value, step.attempts) for step in first][:4] == [("planned", 0), ("sent", 1), ("planned", 1), ("sent", 2)]
    assert first[2].note == "no answer in time"
    assert first[-1].state in (State.FAILED, State.EXPIRED)
    assert first[-1].note


async def test_what_was_planned_goes_out_once_after_a_restart(rig: Rig) -> None:
    rig.wish(40)
    rig.town.link.disconnect()
    await rig.tick()
    assert [one.state for one in rig.town.commands()] == [State.PLANNED]
    rig.town.link.reconnect()
    rig.restart()
    await rig.tick()
    await rig.tick()
    assert len(rig.link.sent) == 1


async def test_what_was_sent_waits_for_its_answer_after_a_restart_and_goes_again_under_another_id(rig: Rig) -> None:
    rig.wish(40)
    await rig.tick()
    rig.restart()
    await rig.tick(20)
    assert len(rig.link.sent) == 1
    await rig.tick(30)
    await rig.tick(1)
    assert len({item for item, _ in rig.link.sent}) == 2
    [one] = rig.town.commands()
    assert rig.told(one.id) == [("planned", 0), ("sent", 1), ("planned", 1), ("sent", 2)]


async def test_an_answer_that_comes_after_a_restart_still_counts(rig: Rig) -> None:
    rig.wish(40)
    await rig.tick()
    rig.restart()
    await rig.answer()
    await rig.tick()
    [one] = rig.town.commands()
    assert one.state is State.APPLIED
    assert len(rig.link.sent) == 1


async def test_what_the_broker_did_not_take_was_sent_when_it_did(rig: Rig) -> None:
    rig.wish(40)
    await rig.tick()
    rig.town.link.disconnect()
    rig.wish(60)
    await rig.tick(10)
    rig.town.link.reconnect()
    await rig.tick(10)
    [newer] = [one for one in rig.town.commands() if one.state.live]
    sent = next(step for step in rig.town.own.command_steps([newer.id])[newer.id] if step.state is State.SENT)
    assert sent.at == newer.sent_at == rig.link.sent[-1][1]


ACTIONS = ("tick", "tick", "tick", "wait", "answer", "answer", "report", "txack", "wish 40", "wish 70", "wish 100", "broker off",
           "broker on", "restart", "crash before publish", "crash after publish", "crash before commit", "crash after commit")


@settings(deadline=None, max_examples=examples(20))
@given(st.lists(st.sampled_from(ACTIONS), max_size=25))
def test_whatever_breaks_when_nothing_goes_out_twice_and_the_lamp_obeys_in_the_end(actions: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory, small_town(Path(directory)) as town:
        asyncio.run(_live_through(Rig(town), actions))


async def _live_through(rig: Rig, actions: list[str]) -> None:
    await rig.report()
    for action in ["wish 40", *actions]:
        await _do(rig, action)
    rig.link.when = rig.store.when = ""
    if not rig.town.link.connected:
        rig.town.link.reconnect()
    for _ in range(14):
        await rig.tick(25)
        await rig.answer()
    wanted = rig.town.own.overrides(rig.town.clock.now())[0].level
    commands = {one.id: one for one in rig.town.commands()}
    assert rig.level == wanted
    assert not any(one.state.live for one in commands.values())
    _nothing_twice(rig, commands)
    for steps in rig.town.own.command_steps(list(commands)).values():
        assert steps[0].state is State.PLANNED
        assert all((one.state, two.state) in NEXT for one, two in pairwise(steps)), steps
        assert steps[-1].state is commands[steps[-1].command].state


def _nothing_twice(rig: Rig, commands: dict[CommandId, Command]) -> None:
    """Each attempt went out once at most, none after its command was over, and never more than there may be."""
    assert max(Counter(item for item, _ in rig.link.sent).values()) == 1
    for one in commands.values():
        mine = [at for item, at in rig.link.sent if is_of(item, one)]
        assert len(mine) <= MAX_ATTEMPTS
        assert one.changed_at is not None
        assert all(at <= one.changed_at for at in mine)


async def _do(rig: Rig, action: str) -> None:
    match action.split():
        case ["tick"]:
            await rig.tick()
        case ["wait"]:
            await rig.tick(50)
        case ["answer"]:
            await rig.answer()
        case ["report"]:
            await rig.report()
        case ["txack"]:
            await rig.txack()
        case ["wish", level]:
            rig.wish(int(level))
        case ["broker", "off"]:
            rig.town.link.disconnect()
        case ["broker", "on"] if not rig.town.link.connected:
            rig.town.link.reconnect()
        case ["restart"]:
            rig.restart()
        case ["crash", when, "publish"]:
            rig.link.when = when
        case ["crash", when, "commit"]:
            rig.store.when = when


# --- deadlines --------------------------------------------------------------------------------------------------------

DIMMERS = {model: codec for model, codec in catalog().items() if codec.abilities.dims}


def ordered(abilities: Abilities) -> Command:
    lamp = Luminaire(MUSTERSTADT, LAMP, "L", Site(51, 8), NORD)
    want = Setpoint(40, "override", "override:x", NOW, NOW + timedelta(days=2))
    [made] = plan([Wanted(lamp, DevEui(EUI), abilities, want, 100.0, NOW, None, ())], NOW).commands
    return made


@pytest.mark.parametrize("model", sorted(DIMMERS))
def test_an_order_lives_as_long_as_its_device_may_take_to_hear_it(model: str) -> None:
    able = patience(DIMMERS[model])
    made, within = ordered(able), able.answer_within
    assert made.expires_at - NOW >= max(EXPIRES_AFTER, within)
    sent = advance(made, Event.SEND, NOW)
    assert follow_up(sent, able, NOW + within - timedelta(seconds=1)) == sent
    later = follow_up(sent, able, NOW + within + timedelta(seconds=1))
    assert (later.state, later.note) in ((State.PLANNED, "no answer in time"), (State.EXPIRED, "its time ran out"))


def test_a_device_that_listens_after_its_own_uplinks_only_is_given_until_after_the_next_one() -> None:
    for codec in DIMMERS.values():
        within = patience(codec).answer_within
        assert within > codec.heartbeat if codec.device_class == "A" else within == codec.abilities.answer_within


# --- the course -------------------------------------------------------------------------------------------------------


def a_command(now: datetime = NOW) -> Command:
    return command(tenant=MUSTERSTADT, device=DevEui(EUI), asset=LAMP, order=SetLevel(40), origin="program",
                   priority=Priority.PROGRAM, now=now, expires_at=now + timedelta(minutes=5))


@given(st.lists(st.sampled_from(list(Event)), max_size=12), st.randoms())
def test_a_course_is_the_same_in_whatever_order_and_however_often_its_steps_are_heard(events: list[Event], random: Any) -> None:
    walked = [a_command()]
    for number, event in enumerate(events, 1):
        with suppress(Conflict):
            walked.append(advance(walked[-1], event, NOW + timedelta(seconds=number)))
    steps = [step_of(one) for one in walked]
    shuffled = [*steps, *random.sample(steps, len(steps))]
    random.shuffle(shuffled)
    told = course(shuffled)
    assert [step.key for step in told] == list(dict.fromkeys(step.key for step in steps))
    assert len(told) <= 5 * (walked[-1].attempts + 1)


def test_what_another_bridge_heard_too_late_does_not_hide_the_end() -> None:
    one = a_command().id
    end = CommandStep(one, State.SUPERSEDED, NOW, 1)
    late = CommandStep(one, State.ACKED, NOW + timedelta(seconds=5), 1)
    assert course([end, late]) == (late, end)


def test_a_course_is_forgotten_with_its_command_and_not_before(town: Town) -> None:
    old, new = a_command(NOW - timedelta(days=500)), a_command()
    for one in (old, new):
        sent = advance(one, Event.SEND, one.created_at)
        town.store.commit(Facts(commands=(one, sent, advance(sent, Event.GIVE_UP, one.created_at, "nothing"))))
    prune(town.store._database, NOW - timedelta(days=400))  # type: ignore[attr-defined]
    assert set(town.own.command_steps([old.id, new.id])) == {new.id}
    assert len(town.own.command_steps([new.id])[new.id]) == 3


def test_facts_that_are_heard_twice_are_one_step(town: Town) -> None:
    one = a_command()
    sent = advance(one, Event.SEND, NOW + timedelta(seconds=1))
    for facts in (Facts(commands=(one, sent)), Facts(commands=(sent,)), Facts(commands=(one,))):
        town.store.commit(facts)
    assert [step.state for step in town.own.command_steps([one.id])[one.id]] == [State.PLANNED, State.SENT]


def test_another_town_sees_no_course(town: Town) -> None:
    one = a_command()
    town.store.commit(Facts(commands=(one,)))
    town.store.put_tenant(Tenant(TenantId("neu"), "Neu", Site(51, 8)))
    assert town.store.tenant(TenantId("neu")).command_steps([one.id]) == {}
