"""Questions about history over HTTP: asked in a thread, given up when whoever asked has gone, answered piece by piece."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import TypeVar

import msgspec
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from city.clock import Clock
from city.errors import StoreDown
from city.quantities import Value
from city.store.local_queries import SLICE, LocalQueries
from city.store.queries import Row, Stop, Stopped

PIECE = 1000  # rows that are sent at a time
PAUSE_S = 30.0  # between two looks for rows to add up
T = TypeVar("T")
_log = logging.getLogger(__name__)


async def asked(request: Request, ask: Callable[[Stop], T]) -> tuple[T, Stop]:
    """What `ask` says, in a thread of its own, and the word that ends what it has begun. Raises ClientDisconnect once
    whoever asked has gone: `ask` is told, and gives up."""
    stop = Stop()
    watching = asyncio.create_task(_watch(request, stop))
    try:
        return await run_in_threadpool(ask, stop), stop
    except Stopped:
        raise ClientDisconnect from None
    finally:
        watching.cancel()


def begun(rows: Iterator[Row]) -> Iterator[Row]:
    """The same rows, of which the first has been asked for: so that a refusal comes before the answer begins."""
    first = list(islice(rows, 1))
    return chain(first, rows)


def csv(rows: Iterator[Row], stop: Stop) -> Response:
    """Time and value of each row, and what it is of where that varies. The answer breaks off where a row cannot be had."""
    return StreamingResponse(_pieces(rows, stop), media_type="text/csv; charset=utf-8")


def json(body: object) -> Response:
    """`body` as it is; times get a Z."""
    return Response(msgspec.json.encode(body), media_type="application/json")


async def keep_up(answers: LocalQueries, clock: Clock) -> None:
    """Add up what the log gets, a little at a time, until cancelled."""
    while True:
        try:
            taken = await run_in_threadpool(answers.keep_up)
        except StoreDown as error:
            _log.warning("%s", error)
            taken = 0
        await clock.sleep(PAUSE_S if taken < SLICE else 0.01)


async def ended(task: "asyncio.Task[None]") -> None:
    """Cancel it, and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _watch(request: Request, stop: Stop) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stop.set()


def _pieces(rows: Iterator[Row], stop: Stop) -> Iterator[str]:
    try:
        yield "at,value\r\n"
        while piece := list(islice(rows, PIECE)):
            yield "".join(f"{row.at.isoformat()},{_cell(row.value)}\r\n" for row in piece)
    finally:
        stop.set()


def _cell(value: Value) -> str:
    """A value as RFC 4180 has it."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    safe = f"'{value}" if value[:1] in ("=", "+", "-", "@") else value  # no spreadsheet takes it for a formula
    quoted = safe.replace('"', '""')
    return f'"{quoted}"'
