"""All loops together: they start, survive their neighbours' failures and their own, and stop."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.request import urlopen

import pytest

from city.clock import ManualClock, SystemClock
from city.commands import State
from city.errors import BrokerDown, LogBroken, StoreDown
from city.settings import Bridge, Settings
from gateway_bridge.metrics import Metrics
from gateway_bridge.run import run_bridge
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.town import Instead, Town
from tests.patience import PATIENCE_S
from tests.wire.servers import free_port

QUICK = Settings(bridge=Bridge(tick_s=0.01))


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - the loops run beside us
            await asyncio.sleep(0.01)


def now_up(f_cnt: int) -> bytes:
    return encode(up(f_cnt=f_cnt, time=SystemClock().now().isoformat(timespec="milliseconds")))


async def test_an_uplink_in_and_a_downlink_out_and_a_clean_stop(town: Town) -> None:
    stop, metrics = asyncio.Event(), Metrics()
    settings = replace(QUICK, bridge=replace(QUICK.bridge, metrics_port=free_port()))
    town.clock = SystemClock()  # type: ignore[assignment]
    running = asyncio.create_task(run_bridge(settings, store=town.store, log=town.log, link=town.link,
                                             clock=SystemClock(), stop=stop, metrics=metrics))
    town.link.deliver(topic("up"), now_up(1))
    town.wish(40)
    await until(lambda: town.link.published)
    page = await asyncio.to_thread(_read, f"http://127.0.0.1:{settings.bridge.metrics_port}/metrics")
    assert "stadtfunk_bridge_received_total 1.0" in page
    assert "stadtfunk_bridge_connected 1.0" in page
    stop.set()
    async with asyncio.timeout(PATIENCE_S):
        await running
    assert town.commands()[0].state is State.SENT
    assert metrics.balance() == {"received": 1, "stored": 1, "duplicates": 0, "dead_letters": 0, "queued": 0}


def _read(url: str) -> str:
    with urlopen(url, timeout=PATIENCE_S) as answer:
        text: str = answer.read().decode()
        return text


async def test_failures_of_neighbours_and_of_our_own_are_waited_out(town: Town) -> None:
    """The broker refuses, then the log is down, then our own code is wrong: the event is kept, as a dead letter."""
    failures: list[Exception] = [StoreDown("no"), RuntimeError("a fault of ours")]

    class Log:
        def __getattr__(self, name: str) -> Any:
            return getattr(town.log, name)

        def append(self, entries: Any) -> int:
            if failures:
                raise failures.pop(0)
            return town.log.append(entries)

    class Quick(SystemClock):
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(min(seconds, 0.01))

    stop, metrics = asyncio.Event(), Metrics()
    running = asyncio.create_task(run_bridge(QUICK, store=town.store, log=Log(), link=town.link,  # type: ignore[arg-type]
                                             clock=Quick(), stop=stop, metrics=metrics))
    town.link.refuse(BrokerDown("no"))
    await until(lambda: b'failures_total{loop="listen",reason="BrokerDown"} 1.0' in metrics.text())
    town.link.deliver(topic("up"), now_up(7))
    await until(lambda: town.link.acknowledged)
    assert b'failures_total{loop="listen",reason="StoreDown"} 1.0' in metrics.text()
    stop.set()
    await running
    assert not failures
    assert town.store.count_letters() == {"InternalError": 1}


async def test_stopping_ends_a_wait_on_a_clock_that_stands_still(town: Town) -> None:
    stop = asyncio.Event()
    clock = ManualClock(town.clock.now())
    running = asyncio.create_task(run_bridge(Settings(), store=town.store, log=town.log, link=town.link, clock=clock,
                                             stop=stop))
    await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(PATIENCE_S):
        await running


async def test_a_batch_that_is_being_kept_is_finished_before_the_stop(town: Town) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class SlowLog:
        def __getattr__(self, name: str) -> Any:
            return getattr(town.log, name)

        def append(self, entries: Any) -> int:
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(PATIENCE_S)
            return town.log.append(entries)

    stop = asyncio.Event()
    running = asyncio.create_task(run_bridge(QUICK, store=town.store, log=SlowLog(), link=town.link,  # type: ignore[arg-type]
                                             clock=SystemClock(), stop=stop))
    town.link.deliver(topic("up"), now_up(1))
    await entered.wait()
    stop.set()
    await asyncio.sleep(0.05)
    assert not running.done()
    leave.set()
    async with asyncio.timeout(PATIENCE_S):
        await running
    assert len(town.link.acknowledged) == 1


async def test_a_log_whose_disk_has_failed_ends_the_process(town: Town) -> None:
    class Broken(Instead):
        def append(self, entries: Any) -> int:
            raise LogBroken("{count} entries may be lost.", count=len(entries))

    town.link.deliver(topic("up"), now_up(1))
    with pytest.raises(LogBroken):
        async with asyncio.timeout(PATIENCE_S):
            await run_bridge(QUICK, store=town.store, log=Broken(town.log), link=town.link,  # type: ignore[arg-type]
                             clock=SystemClock(), stop=asyncio.Event())
    assert town.link.acknowledged == []


async def test_all_states_are_in_the_database_at_the_end(town: Town) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run_bridge(QUICK, store=town.store, log=town.log, link=town.link, clock=SystemClock(),
                                             stop=stop))
    for f_cnt in range(3):
        town.link.deliver(topic("up"), now_up(f_cnt))
    await until(lambda: len(town.link.acknowledged) == 3)
    stop.set()
    await running
    assert town.known().state.f_cnt == 2
    assert town.log.cursor("states") == town.log.head() == 3
