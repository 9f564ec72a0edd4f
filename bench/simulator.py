"""How many events a second one core makes of a simulated town, codec included.

    python -m bench.simulator [--lamps 5000] [--bays 5000]

Processor time, so that busy neighbours do not count; the clock does not run, the queue of events does.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta

from simulator.chirpstack import ChirpStack
from simulator.scenario import Scenario

START = datetime(2026, 11, 21, 15, tzinfo=UTC)


def main() -> None:
    """Measure one virtual hour, after ten minutes of joining, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lamps", type=int, default=5000)
    parser.add_argument("--bays", type=int, default=5000)
    options = parser.parse_args()
    began = time.process_time()
    town = ChirpStack(Scenario.load().sized(lamps=options.lamps, bays=options.bays), seed=1, start=START)
    town.advance(START + timedelta(minutes=10))
    built = time.process_time()
    messages = town.advance(START + timedelta(minutes=70))
    spent = time.process_time() - built
    size = sum(len(payload) for _, payload in messages) / len(messages)
    print(f"{options.lamps} lamps, {options.bays} bays: built in {built - began:.1f} s; one hour is {len(messages)} events "
          f"of {size:.0f} B in {spent:.2f} s: {len(messages) / spent:,.0f} events/s, {1e6 * spent / len(messages):.0f} µs")


if __name__ == "__main__":
    main()
