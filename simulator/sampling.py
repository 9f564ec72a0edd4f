"""What the simulator tells InfluxDB of itself: sheet platform of city.figures, dated by the towns' own time."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from city.clock import Clock
from city.figures import PLATFORM_DEVICES, PLATFORM_FRAMES, PLATFORM_LOST, PLATFORM_ORDERS
from city.figures_sample import Look
from city.settings import Influx
from city.store.figure_telling import Process, Teller, platform_outbox
from simulator.chirpstack import ChirpStack
from simulator.scenario import Scenario

MOST_NAMED = 3


class Played(NamedTuple):
    """Devices; since the beginning: frames that they sent, how many of these nobody heard, and downlinks that they heard."""

    devices: int
    frames: int
    lost: int
    orders: int


def simulator_teller(settings: Influx, clock: Clock, scenarios: Sequence[Scenario], played: Callable[[], Played]) -> Teller:
    """For one simulator, named by its towns. Raises Invalid where the settings name no InfluxDB."""
    process = Process("simulator", named(scenarios), lambda look: with_played(look, played()))
    return Teller(clock, settings.figures_s, ((process.tells, platform_outbox(settings)),))


def tells(settings: Influx) -> bool:
    """Whether there is somebody to tell."""
    return bool(settings.url and settings.figures_s)


def named(scenarios: Sequence[Scenario]) -> str:
    """By its towns; of many the first ones and how many more."""
    more = len(scenarios) - MOST_NAMED
    return "+".join([*(one.tenant.id for one in scenarios[:MOST_NAMED]), *([str(more)] if more > 0 else [])])


def with_played(look: Look, played: Played) -> Look:
    """The same look with what is played."""
    counts = {PLATFORM_FRAMES: played.frames, PLATFORM_LOST: played.lost, PLATFORM_ORDERS: played.orders}
    return replace(look, counts=counts, levels={PLATFORM_DEVICES: played.devices})


def of_towns(towns: Iterable[ChirpStack]) -> Played:
    """What the imitations of ChirpStack have seen of their towns."""
    totals: Counter[str] = Counter()
    devices = 0
    for town in towns:
        totals.update(dict(town.stats))
        devices += len(town.scenario.lamps) + len(town.scenario.bays)
    lost = totals["lost up"]
    return Played(devices, totals["up"] + lost, lost, max(totals["txack"] - totals["lost down"], 0))
