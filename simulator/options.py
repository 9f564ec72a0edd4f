"""What the commands of `stadtfunk simulate` have in common: names of towns, times, speeds."""

import argparse
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random

from city.errors import Invalid
from simulator.chirpstack import ChirpStack
from simulator.extras import Codec
from simulator.fault_plan import PERIOD, seconds
from simulator.faults import Troubled
from simulator.mischief import Mischief, Spoiler
from simulator.scenario import DEFAULT, TOWNS, Scenario, load_all

SCENARIOS = Path(__file__).parent / "scenarios"
FASTEST = 100_000
MISCHIEF = Mischief(0.01, 0.001, 0.001)
_PERIOD = re.compile(rf"{PERIOD}( {PERIOD})*")


def shipped() -> dict[str, Path]:
    """The scenario files that come along, by name."""
    return {path.stem: path for directory in (TOWNS, SCENARIOS) for path in sorted(directory.glob("*.toml"))}


def file_of(town: str | None) -> Path:
    """The scenario file of that name or path; Hilchenbach's without."""
    return DEFAULT if town is None else shipped().get(town, Path(town))


def scenarios_of(options: argparse.Namespace) -> tuple[Scenario, ...]:
    """The towns that `--town`, `--lamps` and `--bays` ask for. Raises Invalid."""
    found = load_all(file_of(options.town))
    if options.lamps is None and options.bays is None:
        return found
    if len(found) > 1:
        raise Invalid("--lamps and --bays are for a scenario of one town; {file} has {count}.", field="lamps", rule="one town",
                      file=str(options.town), count=len(found))
    return tuple(scenario.sized(lamps=options.lamps, bays=options.bays) for scenario in found)


def troubled(scenario: Scenario, options: argparse.Namespace, start: datetime, *, known: bool = True,
             legacy: bool = False, codec: Codec | None = None) -> tuple[ChirpStack, Troubled]:
    """A town behind what imitates ChirpStack (see there for `known`, `legacy` and `codec`), and the same with the faults of
    its scenario in front of it."""
    chirpstack = ChirpStack(scenario, seed=options.seed, start=start, protobuf=options.protobuf, known=known, legacy=legacy,
                            codec=codec)
    always = [Spoiler(MISCHIEF, Random(f"{options.seed}/mischief"))] if options.mischief else []
    return chirpstack, Troubled(chirpstack, seed=options.seed, start=start, protobuf=options.protobuf, always=always)


def add_town(parser: argparse.ArgumentParser) -> None:
    """The options that say which town."""
    parser.add_argument("--town", help=f"scenario file, or one of: {', '.join(shipped())} (default: hilchenbach)")
    parser.add_argument("--lamps", type=int, help="how many lamps, 1 to 20000")
    parser.add_argument("--bays", type=int, help="how many parking bays, 0 to 20000")
    parser.add_argument("--start", type=moment, help="virtual time to start at, ISO 8601 with offset (default: now)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same town (default: 1)")
    parser.add_argument("--protobuf", action="store_true", help="as ChirpStack with json = false")
    parser.add_argument("--mischief", action="store_true", help="some duplicates, broken messages, unknown devices")


def add_influx(parser: argparse.ArgumentParser) -> None:
    """The option that says who is told what is played."""
    parser.add_argument("--influx", metavar="URL", help="InfluxDB that is told of devices, frames and losses (default: setting "
                        "influx.url; measurement platform)")


def add_panel(parser: argparse.ArgumentParser) -> None:
    """The options of the panel."""
    parser.add_argument("--panel", metavar="[HOST:]PORT", help="a page and an API to control it by, on this machine unless "
                        "told otherwise; port 0 takes any")
    parser.add_argument("--panel-token", metavar="TEXT", help="what the panel asks for before it changes anything "
                        "(default: another each time)")


def speed(text: str) -> float:
    """Virtual seconds a second."""
    return _between(0, FASTEST)(text)


def moment(text: str) -> datetime:
    """A time with its offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs its offset, as in 2026-11-21T16:00:00+01:00")
    return at


def period(text: str) -> float:
    """A period like "90 s" or "1 h 30 min", in seconds."""
    if not _PERIOD.fullmatch(text):
        raise argparse.ArgumentTypeError("a period looks like 90s, 10min or '1 h 30 min'")
    return seconds(text)


def _between(low: float, high: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text} is no number") from error
        if not low < value <= high:
            raise argparse.ArgumentTypeError(f"it must lie between {low} and {high}")
        return value
    return number
