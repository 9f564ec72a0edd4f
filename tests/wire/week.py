"""A week of two small towns, from the simulator's lamps and bays to a real InfluxDB, in virtual time.

What runs is the bridge itself (gateway_bridge.run), on a clock that moves when everything has come to rest: simulated devices
speak, the bridge listens, steers, books, counts and ships; the API and the simulator tell of themselves. Beside it stands what
really was, by the simulator's own physics (`Truth`).

The week lies in the future of the machine's clock, so that no retention of a real server lets anything of it go while it is
looked at, and so that it is the same week, with the same nights, whenever the tests run.
"""

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from time import monotonic, process_time

import httpx
from argon2 import PasswordHasher

from api.app import create_app
from city.ids import AssetId, TenantId
from city.imports import parse
from city.readings import NS, from_ns, to_ns
from city.settings import Bridge, Influx, Log, Mqtt, Parking, Settings
from city.store.figure_telling import telling
from city.store.ports import Account, Role
from city.store.readings import LocalLog
from decoders.catalog import catalog
from gateway_bridge.link import MemoryLink
from gateway_bridge.run import run_bridge
from simulator.chirpstack import ChirpStack
from simulator.plan import Devices, GatewayPlan, LotPlan, Plan, StreetPlan, Town
from simulator.sampling import of_towns, simulator_teller
from simulator.scenario import Scenario, build
from tests.stores import new_store
from tests.wire.influxd import influxd

MONDAY = datetime(2087, 11, 3, 10, 30, tzinfo=UTC)  # half an hour before noon in Berlin, where nights of the book begin
END = MONDAY + timedelta(days=7, hours=7)  # dark again; the seventh night was booked for good three hours after its noon
STEP_S, WATCH_S, SAMPLE_S, FINE_S, LOOK_S = 3600, 720, 300, 120, 180
ANSWERED = timedelta(minutes=6)  # the answer to an order is there, and has been sampled
LAST = timedelta(minutes=75)  # in which all figures are sampled as often as they should be; before, at each step
TUESDAY = MONDAY.replace(hour=0, minute=0) + timedelta(days=1)
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
HERE, THERE = TenantId("ahausen"), TenantId("beheim")
LAST_LEVEL = 50
SAVING = "Alt-Nord_2"  # the zone that gets a program of its own
BUCKET = "woche"
PASSWORD = "a long enough password"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
RESTS_WITHIN_S, STARTS_AFTER_S = 60.0, 2.0  # of the machine's time
CALM = Devices(status_interval_s=3600, usage_interval_s=1800, join_within_s=60, missed_edge=0.0, uplink_loss=0.01)
FIRST, SECOND = "00800000a0000001", "00800000a0000002"


def towns() -> tuple[Scenario, Scenario]:
    """30 lamps and 24 bays in three zones each, with two gateways; and a neighbour with a zone and assets of the same names."""
    return (build(Plan(
        town=Town(id=HERE, name="Ahausen", latitude=50.99, longitude=8.11, pole="AB", lamps=30, bays=24, number=1),
        devices=CALM, gateway=(GatewayPlan(id=FIRST, name="Kirchturm", at=(0, 300)), GatewayPlan(id=SECOND, name="Rathaus",
                                                                                                at=(900, -300))),
        street=(_street("Marktstraße", "Markt", "K1", 0, 58.0), _street("Hohler Weg", "Süd.1", "K2", -400, 29.0),
                _street("Altgasse", SAVING, "K3", 500, 42.0)),
        parking=(LotPlan(zone="Markt", mark="M", at=(60, 20), bays=8, habit="city"),
                 LotPlan(zone="Bahnhof", mark="B", at=(400, -200), bays=8, habit="commuter"),
                 LotPlan(zone="Wohnen", mark="W", at=(-200, 250), bays=8, habit="resident", disabled=1)))),
        build(Plan(
            town=Town(id=THERE, name="Beheim", latitude=51.3, longitude=8.6, pole="AB", lamps=4, bays=6, number=2), devices=CALM,
            gateway=(GatewayPlan(id="00800000b0000001", name="Silo", at=(0, 100)),),
            street=(_street("Marktstraße", "Markt", "K1", 0, 100.0), _street("Nordring", "Nordstadt", "K9", 300, 100.0)),
            parking=(LotPlan(zone="Markt", mark="M", at=(60, 20), bays=6, habit="resident"),))))


def _street(name: str, zone: str, circuit: str, north: float, power_w: float) -> StreetPlan:
    return StreetPlan(name=name, zone=zone, circuit=circuit, points=((-200.0, north), (220.0, north)), power_w=power_w)


class Steps:
    """A clock that moves only when told to. `rest` waits until everybody who sleeps on it does so again."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._serial, self.loops = 0, 0

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._serial += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), self._serial, future))
        await future

    def advance(self, seconds: float) -> None:
        """Move on; nobody wakes yet."""
        self._now += timedelta(seconds=seconds)

    def wake(self) -> None:
        """Wake whoever has slept enough."""
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def asleep(self) -> int:
        """How many sleep, with time to go."""
        self.wake()
        return sum(not future.done() for _, _, future in self._sleepers)

    async def learn(self) -> None:
        """At the start: how many loops there are."""
        since, count = monotonic(), -1
        while monotonic() - since < STARTS_AFTER_S:
            await asyncio.sleep(0.01)
            if (now := self.asleep()) != count:
                since, count = monotonic(), now
        self.loops = count

    async def rest(self) -> None:
        """Until all loops sleep again."""
        deadline = monotonic() + RESTS_WITHIN_S
        while (count := self.asleep()) < self.loops:
            assert monotonic() < deadline, f"{self.loops - count} of {self.loops} loops do not come to rest"
            await asyncio.sleep(0.0005)
        self.loops = count  # whoever began late counts too


@dataclass
class Truth:
    """What really was in a town, looked at every three minutes; times are beginnings of hours and quarters."""

    lit: dict[tuple[str, datetime], list[float]] = field(default_factory=lambda: defaultdict(list))  # zone, hour: %
    watts: dict[tuple[str, datetime], list[float]] = field(default_factory=lambda: defaultdict(list))  # zone, hour: all lamps
    taken: dict[tuple[str, datetime], list[int]] = field(default_factory=lambda: defaultdict(list))  # zone, quarter: for all
    energy: dict[datetime, dict[AssetId, float]] = field(default_factory=dict)  # noon: what each meter stands at, Wh
    heard: Counter[tuple[str, datetime]] = field(default_factory=Counter)  # gateway, hour: frames
    frames: Counter[datetime] = field(default_factory=Counter)  # hour: new frames that anybody heard

    def used(self, noon: datetime, assets: Sequence[AssetId]) -> float:
        """Wh that these lamps have taken from that noon to the next."""
        return sum(self.energy[noon + DAY][one] - self.energy[noon][one] for one in assets)

    def look(self, town: ChirpStack, now: datetime) -> None:
        """The lamps and bays as they are."""
        hour, quarter, now_ns = now.replace(minute=0), now.replace(minute=now.minute // 15 * 15), to_ns(now)
        lit, watts = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
        for lamp in town.lamps.values():
            lit[lamp.asset.zone].append(lamp.driver.lit)
            watts[lamp.asset.zone].append(lamp.driver.power(now_ns))
        for zone, levels in lit.items():
            self.lit[zone, hour].append(mean(levels))
            self.watts[zone, hour].append(sum(watts[zone]))
        for zone, lot in town.lots.items():
            self.taken[zone, quarter].append(sum(bay.occupied for bay in lot.bays if not bay.asset.restriction.value))
        if (now.hour, now.minute) == (11, 0):  # noon in Berlin, in winter
            for lamp in town.lamps.values():
                lamp.driver.count(now_ns)
            self.energy[now] = {asset: lamp.driver.energy_wh for asset, lamp in town.lamps.items()}


class Ears:
    """What the simulator's gateways hear (simulator.station.Witness)."""

    def __init__(self, town: ChirpStack, truth: Truth) -> None:
        self._town, self._truth = town, truth
        self._gateways = [one.gateway.id for one in town.scenario.antennas]
        self._known: dict[str, tuple[str, int]] = {}

    def up(self, station, _frame, f_cnt, heard) -> None:
        """A repetition of a frame that the server has is none of its uplinks."""
        if not heard or self._known.get(station.dev_eui) == (station.dev_addr, f_cnt):
            return
        self._known[station.dev_eui] = (station.dev_addr, f_cnt)
        hour = from_ns(self._town.now_ns).replace(minute=0, second=0, microsecond=0)
        self._truth.frames[hour] += 1
        for one in heard:
            self._truth.heard[self._gateways[one.antenna], hour] += 1

    def down(self, station, frame, *, heard, to_group=False) -> None:
        """Orders are looked at elsewhere."""


class Week:
    """The towns, the platform, and what becomes of them. `live` lets the week pass."""

    def __init__(self, directory: Path, url: str, *, end: datetime = END) -> None:
        self.end = end
        self.clock = Steps(MONDAY)
        self.settings = Settings(influx=Influx(url=url, bucket=BUCKET, figures_s=SAMPLE_S),
                                 parking=Parking(raw_days=31, stays_days=60, evaluate_s=SAMPLE_S, publish_s=SAMPLE_S),
                                 log=Log(directory=str(directory / "log")),
                                 bridge=Bridge(linger_ms=0, lease_s=86_400.0), mqtt=Mqtt(client_id="woche"))
        self.store = new_store(directory / "city.db")
        self.log = LocalLog(directory / "log")
        self.link = MemoryLink()
        self.towns = {one.tenant.id: ChirpStack(one, seed=11, start=MONDAY) for one in towns()}
        self.truth = {tenant: Truth() for tenant in self.towns}
        self._applications = {town.scenario.application(kind): town for town in self.towns.values() for kind in ("lamp", "bay")}
        self._handed = self._delivered = self.steps = 0
        self._busy_until = self._watched_until = MONDAY
        self.seconds = 0.0
        for tenant, town in self.towns.items():
            self._register(town)
            town.witness = Ears(town, self.truth[tenant])
        self.store.put_account(Account("anna", Role.ADMIN, None, HASH))
        self.app = create_app(self.store, self.log, self.clock, self.settings)

    def scenario(self, tenant: TenantId) -> Scenario:
        return self.towns[tenant].scenario

    async def live(self) -> None:
        """The whole week, with what people do in it and what goes wrong."""
        begun, stop = process_time(), asyncio.Event()
        playing = simulator_teller(self.settings.influx, self.clock, [one.scenario for one in self.towns.values()],
                                   lambda: of_towns(self.towns.values()))
        async with self.app.router.lifespan_context(self.app), asyncio.TaskGroup() as tasks:
            tasks.create_task(run_bridge(self.settings, store=self.store, log=self.log, link=self.link, clock=self.clock,
                                         stop=stop))
            tasks.create_task(telling(playing, self.clock, stop))
            await self.clock.learn()
            for at, what in PLOT:
                if TUESDAY + at < self.end:
                    await self._until(TUESDAY + at)
                    await what(self)
                    self._busy_until = self.clock.now() + ANSWERED
            await self._until(self.end)
            stop.set()
        self.seconds = process_time() - begun

    def close(self) -> None:
        self.log.close()
        self.store.close()

    # -- what happens

    async def dims_both(self) -> None:
        """People dim the market, in both towns."""
        await self._dim(HERE, 60, 60)
        await self._dim(THERE, 30, 60)

    async def dims_again(self) -> None:
        """And again on a Sunday, where by then a lamp is deaf."""
        await self._dim(HERE, 80, 30)

    async def dims_last(self) -> None:
        """What still holds when the week is looked at."""
        await self._dim(HERE, LAST_LEVEL, 120)

    async def lights_the_town(self) -> None:
        """Every lamp is given the program of its town, and keeps it by itself from then on."""
        for tenant in self.towns:
            await self._program(tenant, "town", "nacht", {"level": 100}, (22, 50), (5, 100))

    async def changes_program(self) -> None:
        """A zone gets a program of its own."""
        await self._program(HERE, f"zone:{SAVING}", "spar", {"level": 80}, (21, 40))

    async def _program(self, tenant: TenantId, target: str, name: str, first: dict[str, int], *steps: tuple[int, int]) -> None:
        """From sunset to sunrise: the first level, and others from full hours on, local time."""
        program = {"name": name, "on": {"at": {"anchor": "sunset"}, **first}, "off": {"at": {"anchor": "sunrise"}, "level": 0},
                   "steps": [{"at": {"anchor": "clock", "minutes": 60 * hour}, "level": level} for hour, level in steps]}
        async with self._browser() as browser:
            for path, body in ((f"programs/{name}", program), (f"calendars/{name}", {"name": name, "default": name}),
                               ("assignments", {"target": target, "calendar": name})):
                answer = await browser.put(f"/api/v1/tenants/{tenant}/{path}", json=body)
                assert answer.status_code < 300, answer.text

    async def goes_dark(self) -> None:
        """A feeder loses its power. Silence counts only for a bridge that looks often."""
        self._power(on=False)
        self._watched_until = self.clock.now() + 4 * HOUR

    async def comes_back(self) -> None:
        """… and has it again."""
        self._power(on=True)

    async def breaks(self) -> None:
        """A light source fails, a lamp's radio, and a bay's sensor."""
        zoned = {lamp.asset.zone: lamp for lamp in self.towns[HERE].lamps.values()}
        zoned["Süd.1"].fail("lamp failure")
        zoned["Markt"].fail("silent")
        self.towns[HERE].bays[AssetId("B-03")].fail("silent")

    async def hears_nonsense(self) -> None:
        """Something on the broker that nobody can read."""
        site = self.scenario(HERE).lamps[0]
        self._deliver([(f"application/{self.scenario(HERE).application('lamp')}/device/{site.dev_eui}/event/up", b"{nonsense")])
        await self._heard()

    async def _dim(self, tenant: TenantId, level: int, minutes: int) -> None:
        wish = {"targets": ["zone:Markt"], "level": level, "minutes": minutes}
        async with self._browser() as browser:
            answer = await browser.post(f"/api/v1/tenants/{tenant}/overrides", json=wish)
        assert answer.status_code == 202, answer.text

    def _power(self, *, on: bool) -> None:
        for lamp in self.towns[HERE].lamps.values():
            if lamp.asset.circuit == "K2":
                self.towns[HERE].power(lamp.asset.id, on=on)

    # -- how

    def _register(self, town: ChirpStack) -> None:
        self.store.put_tenant(town.scenario.tenant)
        store = self.store.tenant(town.scenario.tenant.id)
        rows, problems = parse(town.scenario.import_csv(), catalog())
        assert problems == []
        store.import_rows(rows)

    async def _until(self, end: datetime) -> None:
        """In small steps while orders are under way: a bridge that looks once an hour would give all of them up."""
        while (left := (end - (now := self.clock.now())).total_seconds()) > 0:
            await self._step(min(left, FINE_S if now < self._busy_until else SAMPLE_S if now >= self.end - LAST else
                                 WATCH_S if now < self._watched_until else STEP_S))

    async def _step(self, seconds: float) -> None:
        self.steps += 1
        for tenant, town in self.towns.items():
            self._live(town, self.truth[tenant], self.clock.now() + timedelta(seconds=seconds))
        self.clock.advance(seconds)
        await self._heard()
        self.clock.wake()
        await self.clock.rest()
        self._hand_over()

    def _live(self, town: ChirpStack, truth: Truth, end: datetime) -> None:
        """The town lives, and is looked at every few minutes, at full ones."""
        now_s, end_s = town.now_ns // NS, int(end.timestamp())
        for at_s in [*range(now_s - now_s % LOOK_S + LOOK_S, end_s, LOOK_S), end_s]:
            self._deliver(town.advance(at := datetime.fromtimestamp(at_s, UTC)))
            if at_s % LOOK_S == 0:
                truth.look(town, at)

    def _deliver(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            self.link.deliver(topic, payload)
        self._delivered += len(messages)

    async def _heard(self) -> None:
        """Until the bridge has all that was said."""
        deadline = monotonic() + RESTS_WITHIN_S
        while len(self.link.acknowledged) < self._delivered:
            assert monotonic() < deadline, f"{self._delivered - len(self.link.acknowledged)} messages are not acknowledged"
            await asyncio.sleep(0.0005)

    def _hand_over(self) -> None:
        for topic, payload in self.link.published[self._handed:]:
            self._applications[topic.split("/")[1]].command(topic, payload, self.clock.now())
        if len(self.link.published) > self._handed:
            self._busy_until = self.clock.now() + ANSWERED
        self._handed = len(self.link.published)

    @asynccontextmanager
    async def _browser(self):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://town") as client:
            signed_in = await client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
            assert signed_in.status_code in (200, 201), signed_in.text
            client.headers["X-CSRF-Token"] = signed_in.json()["csrf"]
            yield client


PLOT: Sequence[tuple[timedelta, Callable[[Week], Awaitable[None]]]] = (  # since Tuesday's midnight, UTC
    (timedelta(hours=-13), Week.lights_the_town),
    (timedelta(hours=18), Week.dims_both),
    (timedelta(days=1, hours=20), Week.goes_dark),
    (timedelta(days=1, hours=23), Week.comes_back),
    (timedelta(days=2, hours=9), Week.changes_program),
    (timedelta(days=2, hours=12), Week.hears_nonsense),
    (timedelta(days=3, hours=12), Week.breaks),
    (timedelta(days=5, hours=19), Week.dims_again),
    (timedelta(days=6, hours=17), Week.dims_last))


@contextmanager
def lived(directory: Path) -> Iterator[Week]:
    """The week, when it is over, with an influxd that is running."""
    with influxd(directory) as server:
        week = Week(directory, server.url)
        try:
            asyncio.run(week.live())
            yield week
        finally:
            week.close()
