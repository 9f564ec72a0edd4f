"""asyncio's threads, done without: nothing here waits for a disk that others need, and a hand-over takes milliseconds on a
busy machine."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Inline(ThreadPoolExecutor):
    """Does at once what it is given, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # as a thread would: the caller sees it where it waits for the result
            done.set_exception(error)
        return done


def run(work: Coroutine[object, object, T]) -> T:
    """As asyncio.run, without threads."""
    async def inline() -> T:
        asyncio.get_running_loop().set_default_executor(Inline(1))
        return await work

    return asyncio.run(inline())
