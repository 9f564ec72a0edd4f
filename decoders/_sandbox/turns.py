"""Who may run next where fewer can than want to."""

import threading
from collections import OrderedDict, deque


class Turns:
    """At most `places` at a time. Owners take turns, whoever has waited longest first; what one owner asks for is done in
    the order in which it was asked. So an owner who asks for much makes nobody wait longer than for one turn of his.
    May be used by several threads at once."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._change = threading.Condition()
        self._waiting: OrderedDict[str, deque[object]] = OrderedDict()
        self._called: set[object] = set()
        self._closed = False

    def enter(self, owner: str) -> None:
        """Waits for a place, or for the end; `leave` gives it back."""
        ticket = object()
        with self._change:
            self._waiting.setdefault(owner, deque()).append(ticket)
            self._call()
            try:
                self._change.wait_for(lambda: self._closed or ticket in self._called)
            except BaseException:
                self._forget(owner, ticket)
                raise
            if ticket not in self._called:
                self._drop(owner, ticket)
                self._free -= 1
            self._called.discard(ticket)

    def leave(self) -> None:
        """A place is free again."""
        with self._change:
            self._free += 1
            self._call()

    def close(self) -> None:
        """Nobody waits any more."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    def _call(self) -> None:
        while self._free > 0 and self._waiting:
            owner, tickets = self._waiting.popitem(last=False)
            self._called.add(tickets.popleft())
            self._free -= 1
            if tickets:
                self._waiting[owner] = tickets
            self._change.notify_all()

    def _forget(self, owner: str, ticket: object) -> None:
        if ticket in self._called:
            self._called.discard(ticket)
            self._free += 1
            self._call()
        else:
            self._drop(owner, ticket)

    def _drop(self, owner: str, ticket: object) -> None:
        tickets = self._waiting[owner]
        tickets.remove(ticket)
        if not tickets:
            del self._waiting[owner]
