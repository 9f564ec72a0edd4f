"""Towns take turns where fewer scripts can run than are waiting."""

import threading
from collections.abc import Iterator

import pytest

from decoders._sandbox.turns import Turns
from tests.patience import PATIENCE_S


class Crowd:
    """Threads that want a place, one after the other, and the order in which they got one."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.order, self.threads = turns, list[str](), list[threading.Thread]()

    def wants(self, owner: str) -> None:
        """`owner` waits from here on."""
        thread = threading.Thread(target=self._run, args=(owner,))
        before = self.waiting()
        thread.start()
        self.threads.append(thread)
        while self.waiting() == before:
            pass

    def waiting(self) -> int:
        """How many wait, or have waited."""
        with self.turns._change:
            return sum(map(len, self.turns._waiting.values())) + len(self.order)

    def _run(self, owner: str) -> None:
        self.turns.enter(owner)
        self.order.append(owner)
        self.turns.leave()

    def join(self) -> list[str]:
        """Who got a place, in order."""
        for thread in self.threads:
            thread.join(PATIENCE_S)
        return self.order


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    turns = Turns(1)
    turns.enter("busy")
    made = Crowd(turns)
    yield made
    made.join()


def test_an_owner_who_asks_for_much_makes_another_wait_for_one_turn(crowd: Crowd) -> None:
    for owner in ["greedy"] * 5 + ["modest"] * 2:
        crowd.wants(owner)
    crowd.turns.leave()
    assert crowd.join() == ["greedy", "modest", "greedy", "modest", "greedy", "greedy", "greedy"]


def test_nobody_waits_after_the_end(crowd: Crowd) -> None:
    crowd.wants("one")
    crowd.wants("two")
    crowd.turns.close()
    assert sorted(crowd.join()) == ["one", "two"]
    assert not crowd.turns._waiting
    assert crowd.turns._free == 0


def test_a_place_that_is_free_is_had_at_once() -> None:
    turns = Turns(2)
    turns.enter("one")
    turns.enter("one")
    assert turns._free == 0
    turns.leave()
    turns.enter("two")
    assert turns._free == 0
