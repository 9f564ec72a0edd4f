"""Waiting that can be called off, and work that cannot."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

WAIT_S = 2.0  # for the city database's locks, where the reading of events waits as well: it must not stand still at sunset


class Backoff:
    """Growing pauses after failures: half to all of 1, 2, 4 … seconds, a minute at most."""

    def __init__(self, first_s: float = 1.0, longest_s: float = 60.0) -> None:
        self._first, self._longest = first_s, longest_s
        self._next = first_s

    def failed(self) -> float:
        """How long to wait now."""
        pause, self._next = self._next, min(self._next * 2, self._longest)
        return pause * random.uniform(0.5, 1.0)

    def worked(self) -> None:
        """The next failure is a first one again."""
        self._next = self._first


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """The work's result. Called off meanwhile, it is still done to its end before the cancellation goes on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Until the first of them is done; the others are called off. Raises what it raises."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
