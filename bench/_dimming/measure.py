"""One dim of a zone, watched: what was reckoned, what truly happened, what the platform knew of it, what it cost."""

import logging
import tempfile
import uuid
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

from api.pricing import price
from bench._dimming.place import ZONE, scenario
from bench._dimming.platform import Platform
from bench._dimming.watch import Sent
from city.airtime import DUTY_CYCLE, HOUR_S, Estimate
from city.clock import ManualClock
from city.commands import State
from city.groups import Target
from city.ids import OverrideId, ZoneId
from city.lighting import override
from city.multicast import GroupWish, Membership
from city.orders import LevelNotice
from city.places import Luminaire
from city.readings import NS, to_ns
from city.reporting import spread_for

START = datetime(2026, 12, 20, 16, 15, tzinfo=UTC)  # dark in Germany; the shipped program changes nothing before 22 h
LEVEL = 40
PREPARE_S = HOUR_S
RESTED = 0.1  # of its hour, what a gateway may have used before the bench begins
IDLE_STEP_S, RESTORE_MIN = 5.0, 40
STATUS_S, USAGE_S = 900, 3600  # what the lamps of the bench report anyway
CLOSE_S = 120.0  # so long it is looked at in quarters of a second

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be measured: a zone of a third of so many lamps, a share of downlinks lost on top of what the radio
    loses, by multicast or by single messages alone, at RX2's spreading factor, watched for so long at most. `settle_s`:
    until anybody is told anything; `pause_s`: before the dim, so that the hour is its own. `learns`: the zone is dimmed and lit
    once before, so that the town has told its lamps something under this loss. `turn` counts the dims."""

    lamps: int
    loss: float
    groups: bool
    sf: int = 9
    seed: int = 7
    most_s: float = 1200.0
    settle_s: float = 1800.0
    pause_s: float = 900.0
    learns: bool = False
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Dimmed:
    """What came of it. Times are seconds from the order, sorted: when lamps obeyed, truly, and when the platform knew."""

    case: Case
    lamps: int
    estimate: Estimate
    obeyed: Sequence[float]
    known: Sequence[float]
    by_group: int
    first_s: float  # the first frame was over
    round_s: float  # every gateway had sent once
    repeats_s: float  # all rounds were over
    group_frames: int
    single_frames: int
    airtime_s: Sequence[float]  # of each gateway, from the order to the end
    busiest_s: float  # the most that a gateway was on the air within any hour
    refused: int  # by gateways: duty cycle, full queue, too late
    uplinks: int
    lost_uplinks: int
    ended_s: float
    ready_s: float = 0.0  # what it took to make the groups and tell the keys
    cpu_s: float = 0.0
    before: "Dimmed | None" = None  # the dim from which the town has learnt

    def within(self, share: float, *, known: bool = False) -> float | None:
        """Seconds until that share of the zone's lamps had obeyed, or was known to; None if it never did."""
        times, needed = self.known if known else self.obeyed, max(round(share * self.lamps + 0.499), 1)
        return times[needed - 1] if len(times) >= needed else None

    def share_at(self, seconds: float) -> float:
        """The share of the lamps that had obeyed by then."""
        return bisect_right(self.obeyed, seconds) / self.lamps

    @property
    def budget_share(self) -> float:
        """Of what a gateway may send in an hour, what the busiest one sent in its busiest."""
        return self.busiest_s / (HOUR_S * DUTY_CYCLE)


async def measure(cases: Sequence[Case]) -> list[Dimmed]:
    """Build and prepare the town of the first case, and dim its zone for each, with the light back in between.
    Raises AssertionError where a gateway exceeded its share."""
    first = cases[0]
    with tempfile.TemporaryDirectory(prefix="stadtfunk-dimming-") as directory:
        town = scenario(first.lamps, uplink_loss=0.0, downlink_loss=0.0, join_within_s=first.settle_s / 2, rx2_sf=first.sf,
                        status_interval_s=STATUS_S, usage_interval_s=USAGE_S)
        platform = Platform(Path(directory), town, seed=first.seed, clock=ManualClock(START))
        try:
            ready_s = await _prepared(platform, first, groups=any(case.groups for case in cases))
            found = []
            for case in cases:
                before = await _dimmed(platform, case) if case.learns else None
                if before is not None:
                    await _lit(platform)
                done = await _dimmed(platform, replace(case, turn=case.turn + 1))
                found.append(replace(done, case=case, ready_s=ready_s, before=before))
                if case is not cases[-1]:
                    await _lit(platform)
            return found
        finally:
            platform.close()


def zone_of(platform: Platform) -> Sequence[Luminaire]:
    """The lamps that are dimmed."""
    return platform.town.luminaires(zone=ZoneId(ZONE))


async def _dimmed(platform: Platform, case: Case) -> Dimmed:
    """One dim with all that it takes; afterwards the lamps are told to burn as programmed."""
    begun = process_time()
    await platform.run(case.pause_s, IDLE_STEP_S)
    platform.air.loss = case.loss
    platform.steer(groups=case.groups)
    dim = _Dim(platform, case)
    done = await dim.watched()
    if done.busiest_s > HOUR_S * DUTY_CYCLE:
        raise AssertionError(f"a gateway was on the air for {done.busiest_s:.1f} s of an hour")
    platform.steer(groups=True)
    platform.town.end_override(dim.wish, platform.clock.now())
    return replace(done, cpu_s=process_time() - begun)


async def _lit(platform: Platform) -> None:
    """Until every lamp burns as programmed, and nothing is under way."""
    for _ in range(RESTORE_MIN):
        await platform.run(60.0)
        dark = sum(platform.chirpstack.lamps[lamp.id].level != 100 for lamp in zone_of(platform))
        _log.info("%d lamps are not lit yet", dark)
        if not dark and not platform.store.live_commands():
            return
    if dark:
        raise AssertionError(f"{dark} lamps do not burn as programmed again")


async def _prepared(platform: Platform, case: Case, *, groups: bool) -> float:
    """Everybody has joined and is known; groups are made, and have told their keys. Seconds that the latter took."""
    spread = spread_for(len(zone_of(platform)))
    for lamp in zone_of(platform):
        platform.chirpstack.lamps[lamp.id].notice = LevelNotice(spread, 0)
    await platform.run(case.settle_s, IDLE_STEP_S)
    _log.info("settled, %.0f s of processor time", process_time())
    platform.air.loss = case.loss
    if not groups:
        return 0.0
    begun = platform.clock.now()
    platform.steer(groups=True, airtime_percent=100.0)  # otherwise it takes two of the bench's hours
    platform.town.put_group_wish(GroupWish(Target("zone", ZONE), "bench", platform.clock.now()))
    while platform.clock.now() - begun < timedelta(seconds=PREPARE_S) and _unready(platform):
        await platform.run(60)
        _log.info("%d lamps without keys, %.0f s of processor time", _unready(platform), process_time())
    ready_s = (platform.clock.now() - begun).total_seconds()
    while _busiest_s(platform) > RESTED * HOUR_S * DUTY_CYCLE:  # else the dim waits for what keys took of the gateways' hour
        await platform.run(60, IDLE_STEP_S)
    return ready_s


def _busiest_s(platform: Platform) -> float:
    """Of its hour, what the gateway that sent most has used by now."""
    return max(platform.air.used_s(index, True) for index in range(len(platform.air.gateways)))


def _unready(platform: Platform) -> int:
    """Lamps that have not confirmed the keys of their group."""
    confirmed = sum(one.state is Membership.CONFIRMED for one in platform.town.radio_members())
    return len(zone_of(platform)) - confirmed


class _Dim:
    """The order, and what follows from it."""

    def __init__(self, platform: Platform, case: Case) -> None:
        self._platform, self._case, self._busiest = platform, case, 0.0
        self._origin, self._began, self._lamps = "", platform.clock.now(), len(zone_of(platform))
        self.wish = OverrideId(str(uuid.uuid5(uuid.NAMESPACE_OID, repr(case))))

    async def watched(self) -> Dimmed:
        """From the order to the end."""
        platform = self._platform
        await platform.run(0.5, 0.25)  # people do not wait for the bridge's second
        platform.flush()
        estimate = price(platform.town, zone_of(platform), LEVEL, now=platform.clock.now(), rx2_dr=12 - self._case.sf)
        handed, rounds = len(platform.air.log), len(platform.server.casts)
        platform.watch.begin(LEVEL)
        self._order()
        await platform.run(CLOSE_S, 0.25)
        while self._since() < self._case.most_s and len(self._known()) < self._lamps:
            await platform.run(10)
            self._look()
            _log.info("%.0f %% lost, groups %s: %d obey, %d known after %.0f s, %.0f s of processor time", 100 * self._case.loss,
                      self._case.groups, len(platform.watch.obeyed), len(self._known()), self._since(), process_time())
        self._look()
        return self._result(estimate, platform.air.log[handed:], len(platform.server.casts) - rounds)

    def _order(self) -> None:
        platform, self._began = self._platform, self._platform.clock.now()
        wish = override(id=self.wish, tenant=platform.town.tenant.id,
                        targets=(Target("zone", ZONE),), level=LEVEL, until=self._began + timedelta(hours=4), actor="bench",
                        now=self._began, reason="bench")
        platform.town.add_override(wish)
        self._origin = f"override:{wish.id}"

    def _known(self) -> list[float]:
        """When the platform came to know of each lamp that it obeys."""
        first: dict[str, datetime] = {}
        for one in self._platform.town.commands(origin=self._origin, states=(State.APPLIED,), limit=10 * self._lamps):
            at = one.changed_at or one.created_at
            first[one.asset] = min(first.get(one.asset, at), at)
        return sorted((at - self._began).total_seconds() for at in first.values())

    def _result(self, estimate: Estimate, log: Sequence[Sent], rounds: int) -> Dimmed:
        platform, watch, start = self._platform, self._platform.watch, to_ns(self._began)
        taken = [one for one in log if one.said == "OK"]
        ends = [(one.over_ns - start) / NS for one in taken if one.to_group]
        airtime = [sum(one.seconds for one in taken if one.gateway == index) for index in range(len(platform.air.gateways))]
        return Dimmed(
            case=self._case, lamps=self._lamps, estimate=estimate, known=self._known(),
            obeyed=sorted((at - start) / NS for at in watch.obeyed.values()), by_group=len(watch.by_group),
            first_s=ends[0] if ends else 0.0, round_s=ends[len(ends) // rounds - 1] if rounds and ends else 0.0,
            repeats_s=ends[-1] if ends else 0.0, group_frames=len(ends), single_frames=len(taken) - len(ends),
            airtime_s=airtime, busiest_s=self._busiest, refused=len(log) - len(taken),
            uplinks=watch.frames["up"] + watch.frames["up lost"], lost_uplinks=watch.frames["up lost"],
            ended_s=self._since())

    def _look(self) -> None:
        """How much of its hour each gateway has used by now."""
        self._busiest = max(self._busiest, _busiest_s(self._platform))

    def _since(self) -> float:
        return (self._platform.clock.now() - self._began).total_seconds()
