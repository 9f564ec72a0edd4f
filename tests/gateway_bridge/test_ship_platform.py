"""What a running bridge tells InfluxDB of itself and of the gateways."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from city.clock import SystemClock
from city.errors import StoreDown
from city.figures import (
    PLATFORM_ACK_P50,
    PLATFORM_DUPLICATES,
    PLATFORM_LAG_INFLUX,
    PLATFORM_LAG_LOG,
    PLATFORM_LETTERS,
    PLATFORM_QUEUED,
    PLATFORM_RECEIVED,
    PLATFORM_STEERS,
    PLATFORM_STORED,
    PLATFORM_WAITING,
)
from city.figures_sample import Look, sample
from city.settings import Bridge, Influx, Log, Mqtt, Settings
from gateway_bridge.metrics import Metrics, Outcome
from gateway_bridge.run import run_bridge
from gateway_bridge.ship_platform import BridgeLooks
from tests.city_store.standin import Standin, standin
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.town import Town
from tests.patience import PATIENCE_S

GATEWAY = "0016c001f153a14c"


@dataclass
class Shipped:
    waiting: int = 7
    lag_s: float = 90.0
    error: str = ""
    held: str = ""


def seen(looks: BridgeLooks, at: float) -> Look:
    return looks.of(Look(at, 0.0))


def test_a_bridge_is_told_of_by_what_it_counted_in_the_step() -> None:
    metrics, steers = Metrics(), [False]
    looks = BridgeLooks(metrics, Shipped, lambda: steers[0])
    before = seen(looks, 0.0)
    metrics.take(10)
    metrics.settle(Outcome(6, 1, {"Truncated": 2}, newest_ns=5 * 10**9, oldest_ns=4 * 10**9), 7 * 10**9)
    metrics.queued.set(1)
    metrics.acknowledged_after.observe(0.03)
    steers[0] = True
    after = seen(looks, 60.0)
    found = sample(before, after)
    assert {one: found.values[one] for one in (PLATFORM_RECEIVED, PLATFORM_STORED, PLATFORM_DUPLICATES, PLATFORM_LETTERS)} == {
        PLATFORM_RECEIVED: 10, PLATFORM_STORED: 6, PLATFORM_DUPLICATES: 1, PLATFORM_LETTERS: 2}
    assert {one: found.values[one] for one in (PLATFORM_QUEUED, PLATFORM_WAITING, PLATFORM_LAG_INFLUX, PLATFORM_LAG_LOG,
                                              PLATFORM_STEERS)} == {
        PLATFORM_QUEUED: 1, PLATFORM_WAITING: 7, PLATFORM_LAG_INFLUX: 90.0, PLATFORM_LAG_LOG: 2.0, PLATFORM_STEERS: 1}
    assert found.letters == {"Truncated": 2}
    median = found.values[PLATFORM_ACK_P50]
    assert isinstance(median, float)
    assert 20 <= median <= 50
    later = sample(after, seen(looks, 120.0))
    assert (later.values[PLATFORM_RECEIVED], later.values[PLATFORM_ACK_P50], later.letters) == (0, None, {})
    assert later.values[PLATFORM_LAG_LOG] is None  # no batch: the last one's lag is no news


def test_a_log_that_cannot_be_read_hides_only_what_it_would_tell() -> None:
    def status() -> Shipped:
        raise StoreDown("no")

    found = sample(Look(0.0, 0.0), seen(BridgeLooks(Metrics(), status, lambda: True), 60.0)).values
    assert (found[PLATFORM_WAITING], found[PLATFORM_LAG_INFLUX], found[PLATFORM_STEERS]) == (None, None, 1)


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - the loops run beside us
            await asyncio.sleep(0.01)


class Quick(SystemClock):
    """Waits no longer than a moment."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


def settings(town: Path, influx: Standin) -> Settings:
    return Settings(bridge=Bridge(tick_s=0.01), log=Log(directory=str(town / "log")), mqtt=Mqtt(client_id="bridge-7"),
                    influx=Influx(url=influx.url, bucket="city", figures_s=1))


def written(influx: Standin, bucket: str) -> list[str]:
    return [line for _, path, _, body in list(influx.asked) if f"db={bucket}&" in path for line in body.decode().split("\n")]


async def test_a_running_bridge_tells_and_ends_with_what_has_begun(town: Town, tmp_path: Path) -> None:
    with standin(version={"X-Influxdb-Version": "1.8.10"}) as influx:
        stop = asyncio.Event()
        running = asyncio.create_task(run_bridge(settings(tmp_path, influx), store=town.store, log=town.log, link=town.link,
                                                 clock=Quick(), stop=stop))
        for count in range(3):
            now = SystemClock().now().isoformat(timespec="milliseconds")
            town.link.deliver(topic("up"), encode(up(f_cnt=count, time=now)))
        town.link.deliver(topic("up"), b"{")
        await until(lambda: any(line.startswith("platform,") for line in written(influx, "city__platform")))
        town.link.deliver(topic("up"), encode(up(f_cnt=9, time=SystemClock().now().isoformat(timespec="milliseconds"))))
        await until(lambda: len(town.link.acknowledged) == 5)
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await running
    told, heard = written(influx, "city__platform"), written(influx, "city_musterstadt")
    assert total(told, "platform,name=bridge-7,process=bridge ", "received") == 5
    assert total(told, "platform,name=bridge-7,process=bridge ", "stored") == 4
    assert total(told, "letters,name=bridge-7,process=bridge,reason=MalformedEvent ", "count") == 1
    heard = [line for line in heard if line.startswith("gateway,")]
    assert {line.split(" ")[0] for line in heard} == {f"gateway,gateway={GATEWAY},tenant=musterstadt"}
    assert total(heard, "", "uplinks") == 4
    assert total(heard, "", "missed") == 6
    dates = [line.rsplit(" ", 1)[1] for line in heard]
    assert len(set(dates)) == len(dates)  # no point overwrites another


async def test_no_figures_are_told_where_none_are_wanted(town: Town, tmp_path: Path) -> None:
    with standin(version={"X-Influxdb-Version": "1.8.10"}) as influx:
        stop, wanted = asyncio.Event(), settings(tmp_path, influx)
        running = asyncio.create_task(run_bridge(replace(wanted, influx=replace(wanted.influx, figures_s=0)), store=town.store,
                                                 log=town.log, link=town.link, clock=Quick(), stop=stop))
        town.link.deliver(topic("up"), encode(up(time=SystemClock().now().isoformat(timespec="milliseconds"))))
        await until(lambda: any("lamp," in line for bucket in ("city", "city_musterstadt") for line in written(influx, bucket)))
        stop.set()
        await running
    assert written(influx, "city__platform") == []
    assert not [line for line in written(influx, "city_musterstadt") if line.startswith("gateway,")]


def total(lines: list[str], begins: str, field: str) -> int:
    said = [dict(pair.split("=") for pair in line.split(" ")[-2].split(",")) for line in lines if line.startswith(begins)]
    return sum(int(fields[field].rstrip("i")) for fields in said if field in fields)
