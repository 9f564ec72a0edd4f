"""A town to which the faults of its scenario happen, at their times: gateways go down, circuits lose their power,
messages come late and twice.

`Troubled` stands in front of a town and lets its time pass up to each beginning and end, so that what happens depends on
virtual time and the seed alone, not on how often it is asked. What acts on messages is a filter (simulator.mischief);
what acts on devices, gateways and the radio is in simulator.troubles.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from city.errors import NotFound
from city.readings import NS
from simulator.fault_plan import AnyFault, BrokerLoss, begins, seconds
from simulator.mischief import Filter, Message
from simulator.scenario import Scenario
from simulator.stage import Stage
from simulator.troubles import Trouble, Troubles

MOST_COMMANDS = 10_000  # that a broker keeps for a session that is away


class Troubled:
    """A town and its faults, from `start` (aware, UTC) on. `always` are filters that its messages pass all the time, last."""

    def __init__(self, stage: Stage, *, seed: int, start: datetime, protobuf: bool = False,
                 always: Sequence[Filter] = ()) -> None:
        self._stage, self._always = stage, always
        plan = stage.scenario.plan
        self._faults = [fault for fault in plan.fault if fault.town in ("", plan.town.id)]
        troubles = self._makes = Troubles(stage, seed, protobuf=protobuf)
        periods = [_period(fault, start, plan.town.timezone) for fault in self._faults]
        self._filters = [troubles.filter(fault, number) for number, fault in enumerate(self._faults)]
        self._troubles: list[Trouble | None] = [
            troubles.trouble(fault, number, None if end is None else (end - begin).total_seconds())
            for number, (fault, (begin, end)) in enumerate(zip(self._faults, periods, strict=True))]
        self._agenda = _agenda(periods, start)
        self._running: list[int] = []
        self._commands: list[Message] = []  # what a broker that is lost has kept for us
        self._held: list[Message] = []  # what an `end` between two calls has let go

    @property
    def scenario(self) -> Scenario:
        """The town's own."""
        return self._stage.scenario

    @property
    def stats(self) -> Counter[str]:
        """The town's own."""
        return self._stage.stats

    @property
    def command_topics(self) -> tuple[str, ...]:
        """The town's own."""
        return self._stage.command_topics

    @property
    def running(self) -> tuple[AnyFault, ...]:
        """The faults that are happening now, in the scenario's order."""
        return tuple(self._faults[number] for number in sorted(self._running))

    @property
    def happening(self) -> Mapping[int, AnyFault]:
        """The faults that are happening now, by the numbers under which `end` knows them."""
        return {number: self._faults[number] for number in sorted(self._running)}

    def begin(self, fault: AnyFault) -> int:
        """A fault that is in no scenario happens from now on, for as long as it says, or until `end`; its number. Who calls
        has seen that the town has what it names."""
        number, lasts_s = len(self._faults), seconds(fault.lasts) if fault.lasts else None
        self._faults.append(fault)
        self._filters.append(self._makes.filter(fault, number))
        self._troubles.append(self._makes.trouble(fault, number, lasts_s))
        if lasts_s is not None:
            insort(self._agenda, (self._now + timedelta(seconds=lasts_s), number, False), key=itemgetter(0))
        self._begin(number)
        return number

    def end(self, number: int) -> None:
        """A fault that is happening is over. Raises NotFound."""
        if number not in self._running:
            raise NotFound("No fault {number} is happening.", field="number", rule="running", number=number)
        self._held += self._end(number)

    def advance(self, now: datetime) -> list[Message]:
        """Let time pass until `now`; what comes out of the town and through its faults since the last call."""
        said, self._held = self._held, []
        while self._agenda and self._agenda[0][0] <= now:
            at, number, begin = self._agenda.pop(0)
            said += self._passed(self._stage.advance(at))
            if begin:
                self._begin(number)
            elif number in self._running:
                said += self._end(number)
        said += self._passed(self._stage.advance(now))
        return said

    def command(self, topic: str, payload: bytes, now: datetime) -> None:
        """A command passes; what the town has to say up to then waits for the next `advance`. While the broker is lost none
        comes: its session keeps them, or nobody does."""
        lost = [fault for fault in self.running if isinstance(fault, BrokerLoss)]
        if lost:
            if all(fault.keeps for fault in lost) and len(self._commands) < MOST_COMMANDS:
                self._commands.append((topic, payload))
            return
        self._stage.command(topic, payload, min(now, self._agenda[0][0]) if self._agenda else now)

    @property
    def _now(self) -> datetime:
        """The town's time."""
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self._stage.now_ns // (NS // 1_000_000))

    def _begin(self, number: int) -> None:
        trouble = self._troubles[number]
        if trouble is not None:
            trouble.begin()
        self._running.append(number)

    def _end(self, number: int) -> list[Message]:
        """What a filter held still passes those that stand behind it."""
        trouble, held = self._troubles[number], self._filters[number]
        if trouble is not None:
            trouble.end()
        behind = [one for one in sorted(self._running) if one > number]
        self._running.remove(number)
        if not any(isinstance(fault, BrokerLoss) for fault in self.running):
            commands, self._commands = self._commands, []
            for topic, payload in commands:
                self._stage.command(topic, payload, self._now)
        return self._through(held.end(), behind) if held is not None else []

    def _passed(self, messages: Iterable[Message]) -> list[Message]:
        return self._through(messages, sorted(self._running))

    def _through(self, messages: Iterable[Message], numbers: Sequence[int]) -> list[Message]:
        for number in numbers:
            one = self._filters[number]
            messages = list(one.take(messages)) if one is not None else messages
        for always in self._always:
            messages = list(always.take(messages))
        return list(messages)


def _period(fault: AnyFault, start: datetime, timezone: str) -> tuple[datetime, datetime | None]:
    begin = begins(fault.at, start, timezone)
    return begin, begin + timedelta(seconds=seconds(fault.lasts)) if fault.lasts else None


def _agenda(periods: Sequence[tuple[datetime, datetime | None]], start: datetime) -> list[tuple[datetime, int, bool]]:
    """Beginnings (true) and ends by time, as the file has them where times are equal; what is over before the start never
    happens, and what has begun by then begins with it."""
    agenda: list[tuple[datetime, int, bool]] = []
    for number, (begin, end) in enumerate(periods):
        if end is None or end > start:
            agenda.append((max(begin, start), number, True))
            agenda += [] if end is None else [(end, number, False)]
    return sorted(agenda, key=itemgetter(0))
