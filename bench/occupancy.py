"""Truth laboratory: simulated parking zones whose truth is known, counted by the bridge's own code.

    python -m bench.occupancy [--days 8] [--zones 3] [--seed 1] [--jobs 2] [--write docs/parking.md]

People, bays, sensors and their frames are the simulator's; decoding, tracks, zones, silence of gateways and what is told of it
are the bridge's. Every minute the number of free bays that everybody would be told is compared with the truth, and so is the
naive count in which the last status of each sensor wins. What is left out is what neither is judged by: JSON, broker, database.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import process_time

from bench._page import measured
from bench._truth import Result, Scenario, Score, Told, put, scenarios, table
from city.bay_suspects import StuckRules, features, suspects
from city.bay_tracks import follow, spans_until
from city.bays import BayEvent, Rules, Span, Track, event_of
from city.errors import BadInput
from city.ids import AssetId, DevEui, GatewayId, TenantId, ZoneId
from city.parking import sign_of_life
from city.parking_counting import Kept, Sensor, Town
from city.parking_display import Tells, ZoneRules, tells
from city.parking_doubt import DoubtRules
from city.places import Device, ParkingBay, Restriction, Site, Tenant
from city.quantities import BAY_OCCUPIED
from city.readings import NS, DeviceState, from_ns, to_ns
from city.reception import GatewayWord, SilenceRules, usual_ears
from city.settings import Parking
from city.store.ports import Known, Registered
from decoders.catalog import codec_of
from decoders.codec import Codec, Frame
from gateway_bridge.events import Uplink
from gateway_bridge.pipeline import handle
from simulator.bay import Bay, Lot
from simulator.engine import Engine
from simulator.habits import LocalWeek
from simulator.plan import Habit

TOWN, SITE = TenantId("labor"), Site(50.99, 8.11)
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HABITS: tuple[Habit, ...] = ("city", "commuter", "resident")
BAYS, LOOK, HOUR, DAY = 24, timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WARM = timedelta(days=7)  # what is usual at each gateway and in each zone must be learnt; not measured
SELDOM = 5  # minutes between two looks at all zones, while no gateway is silent; the others are where something was said
SETTINGS = Parking()
ASKED_NS, STATS_NS = 60 * NS, 30 * NS  # see gateway_bridge.parking_gateways


def run(scenario: Scenario, days: int, zones: int, seed: int = 1) -> Result:
    """One run, of which the time WARM is not measured."""
    begun = process_time()
    laboratory = Laboratory(scenario, zones, seed)
    laboratory.run(days * DAY)
    laboratory.result.seconds = process_time() - begun
    return laboratory.result


class Spot:
    """One bay with its sensor, and its radio: what is known of it, by the bridge and by who believes each frame."""

    def __init__(self, laboratory: "Laboratory", asset: ParkingBay, number: int, codec: Codec) -> None:
        self.asset, self.naive, self.f_cnt = asset, False, 0
        device = Device(DevEui(f"{number:016x}"), TOWN, asset.id, codec.model)
        self.known = Known(Registered.of(laboratory.tenant, device, asset), DeviceState(device.dev_eui))
        self.codec, self._laboratory = codec, laboratory
        setup = laboratory.scenario
        self.bay = Bay(asset, codec, missed_edge=setup.missed, engine=laboratory.engine, rng=Random(laboratory.rng.random()),
                       radio=self, stuck_per_day=setup.stuck)

    def send(self, frame: Frame) -> None:
        """Heard by the only gateway, if it hears and by luck."""
        self.f_cnt += 1
        if not self._laboratory.deaf and self._laboratory.rng.random() >= self._laboratory.scenario.loss:
            self._laboratory.uplink(self, frame)

    def rejoin(self) -> None:
        """No sensor restarts here."""


class Laboratory:
    """Zones with their people, and the bridge that counts them."""

    def __init__(self, scenario: Scenario, zones: int, seed: int) -> None:
        self.scenario, self.rng, self.engine = scenario, Random(f"{seed} {scenario}"), Engine(to_ns(MONDAY))
        self.tenant, self.deaf, self.result = Tenant(TOWN, "Labor", SITE), False, Result()
        self.rules, self.zone_rules = Rules.of(SETTINGS), ZoneRules.of(SETTINGS)
        codec, week = codec_of(scenario.model), LocalWeek("Europe/Berlin")
        self.spots = {one.asset.id: one for one in (Spot(self, _bay(number), number, codec) for number in range(zones * BAYS))}
        self.zones: dict[ZoneId, list[Spot]] = defaultdict(list)
        for spot in self.spots.values():
            self.zones[spot.asset.zone].append(spot)
        self.lots = {zone: Lot([one.bay for one in spots], HABITS[place % len(HABITS)], week, engine=self.engine, rng=self.rng)
                     for place, (zone, spots) in enumerate(self.zones.items())}
        self.town = Town(Kept(), self.rules, self.zone_rules, DoubtRules.of(SETTINGS))
        self.town.register([one.asset for one in self.spots.values()], {one: self._sensor(one) for one in self.spots}, {})
        self.town.kept.reception.rules = SilenceRules.of(SETTINGS)
        self._asked_ns, self._deaf_since, self._lag_ns = 0, 0, self.rng.randrange(30) * NS
        self._said: Mapping[GatewayId, GatewayWord] | None = None
        self._heard: list[tuple[AssetId, BayEvent]] = []
        self._tracks: dict[AssetId, tuple[Track, list[Span]]] = {asset: (Track(), []) for asset in self.spots}
        self._suspects: frozenset[AssetId] = frozenset()
        for spot in self.spots.values():
            self.engine.after(self.rng.uniform(0, 3600), spot.bay.start)
        if scenario.others:
            self.engine.after(1.0, self._other)

    def run(self, lasts: timedelta) -> None:
        """Let so much time pass, and look every minute."""
        for outage in self.scenario.outages:
            self.engine.at(to_ns(MONDAY + outage.begin), self._deafen, True)
            self.engine.at(to_ns(MONDAY + outage.begin + outage.lasts), self._deafen, False)
        now = MONDAY
        while now < MONDAY + lasts:
            now += LOOK
            self.engine.run(to_ns(now))
            self._look(now)

    def uplink(self, spot: Spot, frame: Frame) -> None:
        ears = ((GATEWAY, -100.0, 5.0),)
        event = Uplink(device=spot.known.device.dev_eui, at_ns=self.engine.now, application_id="a", dev_addr="00000001",
                       f_cnt=spot.f_cnt, f_port=frame.port, dr=3, data=frame.data, gateways=1, gateway=GATEWAY, rssi=-100.0,
                       snr=5.0, ears=ears)
        self.result.frames += 1
        try:
            done = handle(event, spot.known, from_ns(self.engine.now))
        except BadInput as error:
            raise AssertionError(frame) from error
        spot.known = done.known
        self.town.kept.reception.heard(GATEWAY, self.engine.now)
        said = done.entry.said if done.entry is not None else ()
        spot.naive = next((bool(one.value) for one in said if one.quantity is BAY_OCCUPIED), spot.naive)
        if done.entry is not None and (heard := event_of(done.entry)) is not None:
            self._heard.append((spot.asset.id, heard))

    # -- how

    def _look(self, now: datetime) -> None:
        heard, self._heard = self._heard, []
        late = self.town.take(heard)
        if late:
            raise AssertionError(late)  # nothing comes late here
        for asset in {asset for asset, _ in heard}:
            self.town.serve(asset, self._sensor(asset))
        self._remember(heard)
        if now.minute == 0:
            self._compare(now)
        changed = self.town.kept.reception.look(now, self._words(now))
        self.town.look(now, full=bool(changed or self.town.kept.reception.silent) or now.minute % SELDOM == 0)
        if now - MONDAY > WARM:
            self._score(now)

    def _sensor(self, asset: AssetId) -> Sensor:
        spot = self.spots[asset]
        state = spot.known.state
        return Sensor(sign_of_life(state, spot.codec.heartbeat), usual_ears(state, state.heard_ns))

    def _remember(self, heard: Iterable[tuple[AssetId, BayEvent]]) -> None:
        for asset, event in heard:
            track, spans = self._tracks[asset]
            track, new = follow(track, [event], self.rules, self.spots[asset].codec.heartbeat)
            self._tracks[asset] = track, spans + new

    def _compare(self, now: datetime) -> None:
        """Once an hour: which sensors are stuck, by comparison with their zones."""
        found, since = set[AssetId](), to_ns(now - 2 * STUCK.window)
        for spots in self.zones.values():
            of = {}
            for spot in spots:
                track, spans = self._tracks[spot.asset.id]
                spans = [one for one in spans if one.end_ns > since]
                self._tracks[spot.asset.id] = track, spans
                still = spans_until(track, to_ns(now), self.rules, spot.codec.heartbeat)
                of[spot.asset.id] = features([*spans, *still], to_ns(now), STUCK)
            found |= suspects(of, STUCK).keys()
        self._suspects = frozenset(found)
        self.town.judge(blocked=(), suspects=found)
        if now - MONDAY > WARM:
            stuck = {asset for asset, spot in self.spots.items() if spot.bay.fault == "stuck"}
            self.result.bay_hours += len(self.spots)
            self.result.stuck_hours += len(stuck)
            self.result.suspect_hours += len(stuck & found)
            self.result.accused_hours += len(found - stuck)

    def _score(self, now: datetime) -> None:
        score = self._when(now)
        for zone, lot in self.lots.items():
            score.add(len(lot.bays) - lot.occupied, self._told(zone), sum(not one.naive for one in self.zones[zone]))

    def _told(self, zone: ZoneId) -> Told:
        fact = self.town.fact(zone)
        if fact is None:
            return Told(Tells.NOTHING, 0, 0)
        counted = fact.counts[Restriction.NONE.value]
        how = tells(counted, Restriction.NONE, timedelta(0), self.zone_rules)
        if how is Tells.RANGE:
            return Told(how, counted.least_free, counted.most_free)
        return Told(how, counted.free, counted.free)

    def _when(self, now: datetime) -> Score:
        for one in self.scenario.outages:
            if one.begin <= now - MONDAY < one.begin + one.lasts:
                return self.result.outage
            if one.begin <= now - MONDAY < one.begin + one.lasts + DAY:
                return self.result.after
        return self.result.usual

    def _deafen(self, deaf: bool) -> None:
        self.deaf, self._deaf_since = deaf, self.engine.now if deaf else 0

    def _words(self, now: datetime) -> Mapping[GatewayId, GatewayWord] | None:
        """What the network server has said when it was last asked, if it is asked at all: a gateway tells it every 30 s that
        it is there, and is offline when it has not for two of these times. A gateway has its own second for that."""
        if not self.scenario.asked:
            return None
        if to_ns(now) - self._asked_ns >= ASKED_NS:
            at = self._asked_ns = to_ns(now) - self._lag_ns
            seen = (min(at, self._deaf_since or at) - self._lag_ns) // STATS_NS * STATS_NS + self._lag_ns
            self._said = {GATEWAY: GatewayWord(at - seen <= 2 * STATS_NS, seen)}
        return self._said

    def _other(self) -> None:
        """A frame of a lamp."""
        if not self.deaf:
            self.town.kept.reception.heard(GATEWAY, self.engine.now)
        self.engine.after(self.rng.expovariate(self.scenario.others / 3600), self._other)


def _bay(number: int) -> ParkingBay:
    zone = number // BAYS
    return ParkingBay(TOWN, AssetId(f"P{number:04}"), f"P{number:04}", SITE, ZoneId(f"zone-{zone}"))


def run_many(of: Sequence[Scenario], days: int, zones: int, seed: int, jobs: int) -> dict[Scenario, Result]:
    """All of them, in processes of their own."""
    with ProcessPoolExecutor(jobs) as pool:
        parts = {one: pool.submit(run, one, days, zones, seed) for one in of}
        return {one: part.result() for one, part in parts.items()}


def main() -> None:
    """Run, print, and write the page's tables where asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--zones", type=int, default=3, help="of 24 bays: shops, commuters, residents, and again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="scenarios whose name has this in it")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    wanted = [one for one in scenarios(options.days) if options.only in one.name]
    results = run_many(wanted, options.days, options.zones, options.seed, options.jobs)
    lines = table(results)
    print("\n".join(lines))
    if options.write:
        how = (f"{options.zones} zones of {BAYS} bays, seed {options.seed}, {options.days} days of which {WARM.days} are not "
               f"measured, a look each minute; {sum(one.frames for one in results.values()):,} frames, "
               f"{sum(one.seconds for one in results.values()) / 60:.1f} min of processor time.")
        put(options.write, "\n".join(["## Truth laboratory (`bench.occupancy`)", "", measured(), how, "", *lines]))


GATEWAY = GatewayId("0000000000000001")
STUCK = StuckRules.of(SETTINGS)


if __name__ == "__main__":
    main()
