"""What is known of devices in memory, and how it reaches the city database."""

from random import Random

import pytest
from msgspec import structs

from city.errors import StoreDown
from city.ids import DevEui
from city.imports import COLUMNS, parse
from city.quantities import BAY_OCCUPIED, DEVICE_TEMPERATURE, LAMP_LEVEL, RADIO_RSSI
from city.readings import entered, to_ns
from city.store.opening import open_store
from city.store.ports import Facts
from gateway_bridge.memory import AT_ONCE, CURSOR, MET_AT_ONCE, Allowance, Memory
from tests.examples import examples
from tests.gateway_bridge.town import NOW, Instead, Town

LAMPS = [DevEui(f"70b3d57ed000a{number:03x}") for number in range(6)]


def with_lamps(town: Town, lamps=LAMPS, model="nas/ul20xx"):
    lines = [f"M-{number},lamp,,48.7,13.8,nord,K1,{eui},{model},40,P4," for number, eui in enumerate(lamps)]
    rows, problems = parse("\n".join([",".join(COLUMNS), *lines]).encode(), {model})
    assert not problems, problems
    town.own.import_rows(rows)
    return town


class Fragile(Instead):
    """A store that is away now and then, before it has written or after."""

    away = ""

    def commit(self, facts):
        if self.away == "before":
            raise StoreDown("away")
        revisions = self.of.commit(facts)
        if self.away == "after":
            raise StoreDown("away")
        return revisions


class Life:
    """A memory, a log and a database, and all that was ever said."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town, self.dice, self.turn = town, Random(seed), 0
        self.store = Fragile(town.store)
        self.others = open_store(f"sqlite:///{town.log.directory.parent}/city.db")
        self.said: dict[int, tuple[DevEui, int]] = {}  # device and time by position
        self.newest: dict[tuple[DevEui, str], object] = {}
        self.begin()

    def begin(self) -> None:
        self.memory = Memory(self.store, self.town.log, pace=0.001)
        self.memory.recover()

    def say(self) -> None:
        self.turn += 1
        device, at_ns = self.dice.choice(LAMPS), to_ns(NOW) + self.turn * 1_000_000_000
        known = self.memory.look([device])[device]
        quantity = self.dice.choice([LAMP_LEVEL, DEVICE_TEMPERATURE])
        value = float(self.dice.randrange(40))
        entry, last = entered(known.registered.place, at_ns, f"abc:{self.turn}", [quantity(value)], known.state.last)
        position = self.town.log.head()
        self.town.log.append([entry])
        self.memory.keep({device: structs.replace(known, state=structs.replace(known.state, last=last, heard_ns=at_ns))},
                         position)
        self.said[self.town.log.head()] = (device, at_ns)
        self.newest[device, quantity.name] = value

    def write(self) -> None:
        """As the bridge does: chosen, written while more is said, noted as written."""
        part = self.memory.due(everything=self.dice.random() < 0.5)
        if part is None:
            return
        try:
            revisions = self.memory.write(part)
        except StoreDown:
            return
        for _ in range(self.dice.randrange(3)):
            self.say()
        self.memory.written(part, revisions, 0.0)

    def mark(self) -> None:
        self.memory.mark(at_once=True)

    def refresh(self) -> None:
        self.memory.refresh()

    def crash(self) -> None:
        self.store.away = ""
        self.begin()

    def break_or_mend(self) -> None:
        self.store.away = self.dice.choice(["", "", "before", "after"])

    def another(self) -> None:
        """Another bridge writes what it has heard of the device."""
        self.turn += 1
        device, at_ns = self.dice.choice(LAMPS), to_ns(NOW) + self.turn * 1_000_000_000
        known = self.others.view([device])[device]
        value = float(-self.turn)
        last = known.state.last.after([RADIO_RSSI(value)], at_ns)[0]
        self.others.commit(Facts(states=(structs.replace(known.state, last=last, heard_ns=at_ns),)))
        self.newest[device, RADIO_RSSI.name] = value

    def check(self) -> None:
        """The cursor has not passed what the database does not know."""
        cursor, states = self.town.log.cursor(CURSOR), self.town.own.states()
        for position, (device, at_ns) in self.said.items():
            assert position > cursor or states[device].heard_ns >= at_ns, (position, cursor)

    def end(self) -> None:
        """All is written now, and the newest value of each series is there, whoever heard it."""
        self.store.away = ""
        self.memory.flush(everything=True)
        self.others.close()
        states = self.town.own.states()
        for (device, name), value in self.newest.items():
            assert states[device].last.value(name) == value, (device, name)


@pytest.mark.parametrize("seed", range(examples(20)))
def test_whatever_happens_the_database_ends_with_the_newest_states(town: Town, seed: int) -> None:
    life = Life(with_lamps(town), seed)
    steps = [life.say] * 6 + [life.write] * 3 + [life.mark, life.refresh, life.crash, life.break_or_mend, life.another]
    for _ in range(60):
        life.dice.choice(steps)()
        life.check()
    life.end()
    assert life.memory.waiting == 0
    assert town.log.cursor(CURSOR) == town.log.head()


def test_what_was_said_before_the_first_mark_is_not_forgotten(town: Town) -> None:
    life = Life(with_lamps(town), 1)
    for _ in range(10):
        life.say()
    life.crash()
    life.end()


def test_a_first_word_of_a_lamp_may_wait_but_a_changed_level_is_written_first(town: Town) -> None:
    many = [DevEui(f"70b3d57ed000b{number:03x}") for number in range(AT_ONCE + 20)]
    with_lamps(town, many)
    memory = Memory(town.store, town.log, pace=0.001)
    memory.recover()

    def say(devices, at_ns, level):
        view = memory.look(devices)
        memory.keep({device: structs.replace(known, state=structs.replace(
            known.state, heard_ns=at_ns, last=known.state.last.after([LAMP_LEVEL(level)], at_ns)[0]))
            for device, known in view.items()}, 0)

    say(many, 1, 50.0)
    assert [state.device for state in memory.due().states] == many[:AT_ONCE]
    memory.flush(everything=True)
    say(many[:-1], 2, 50.0)
    say(many[-1:], 2, 70.0)
    assert [state.device for state in memory.due().states] == [many[-1]]


def test_all_devices_are_met_before_they_are_heard_and_new_ones_soon(town: Town) -> None:
    many = [DevEui(f"70b3d57ed000b{number:03x}") for number in range(MET_AT_ONCE + 20)]
    with_lamps(town, many)
    memory = Memory(town.store, town.log, pace=0.001)
    met = [memory.meet(), memory.meet(), memory.meet()]
    assert met[-1] is False
    assert not memory.missing(many)
    with_lamps(town, [*many, LAMPS[0]])
    assert memory.missing([LAMPS[0]])
    while memory.meet():
        pass
    assert not memory.missing([*many, LAMPS[0]])


def test_what_another_bridge_says_of_a_device_that_was_only_met_is_known(town: Town) -> None:
    with_lamps(town)
    memory, other = Memory(town.store, town.log), open_store(f"sqlite:///{town.log.directory.parent}/city.db")
    memory.meet()
    (known,) = other.view(LAMPS[:1]).values()
    other.commit(Facts(states=(structs.replace(known.state, heard_ns=7, application_id="app"),)))
    other.close()
    assert memory.look(LAMPS[:1])[LAMPS[0]].state.application_id == "app"


def test_nobody_sees_a_device_of_a_script_as_one_of_ours_while_it_is_learned(town: Town) -> None:
    """Another thread looks whenever it likes: here each time the answer of the database is looked into."""
    with_lamps(town, LAMPS[:1], model="town/own")
    seen = []

    class Answer(dict):
        def items(self):
            seen.append((LAMPS[0] in memory, memory.foreign(LAMPS[:1])))
            return super().items()

        def keys(self):
            seen.append((LAMPS[0] in memory, memory.foreign(LAMPS[:1])))
            return super().keys()

    class Watched(Instead):
        def view(self, devices):
            return Answer(self.of.view(devices))

    memory = Memory(Watched(town.store), town.log)
    memory.learn(LAMPS[:1])
    assert memory.foreign(LAMPS[:1])
    assert seen
    assert (True, False) not in seen


def test_a_changed_bay_is_written_first(town: Town) -> None:
    memory = Memory(town.store, town.log, pace=0.001)
    bay = DevEui("70b3d57ed0000099")
    for at_ns, occupied in ((1, True), (2, False)):
        memory.flush(everything=True)
        known = memory.look([bay])[bay]
        last = known.state.last.after([BAY_OCCUPIED(occupied)], at_ns)[0]
        memory.keep({bay: structs.replace(known, state=structs.replace(known.state, last=last, heard_ns=at_ns))}, 0)
    memory._for_all.spend(1e12)
    assert [state.device for state in memory.due().states] == [bay]


def test_what_is_not_allowed_waits_but_not_for_ever_and_not_at_the_end(town: Town) -> None:
    life = Life(with_lamps(town), 3)
    for _ in range(20):
        life.say()
    life.memory._for_urgent.spend(1e6 + 1e12)
    life.memory._for_all.spend(1e6 + 1e12)
    assert life.memory.due() is None
    assert life.memory.waiting > 0
    life.end()


def test_an_allowance_grows_with_what_is_heard() -> None:
    allowance = Allowance(0.0, 100.0)
    assert allowance.spend(Allowance.MOST + 500.0)
    assert not allowance.spend(1.0)
    allowance.earn(4)
    assert not allowance.spend(1.0)
    allowance.earn(1)
    assert allowance.spend(1.0)
