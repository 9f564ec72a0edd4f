"""How a zone of a thousand lamps is dimmed over the true air: what was reckoned, what happened, what was known, what it cost.

    python -m bench.dimming [--lamps 3000] [--loss 0 0.05 0.2] [--quick] [--jobs 2] [--write docs/dimming.md]

The simulated town has the radio of simulator.medium and simulator.concentrator (collisions, half duplex, transmit queues,
duty cycle), the bridge is the real one, time is virtual. Each loss is measured by multicast and by single messages alone,
each in a town of its own that has this loss from the beginning; by multicast twice: the second estimate has learnt the loss.
Ends with 1 where something that was asked is not met, with --check.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench._dimming import inline
from bench._dimming.measure import Case, Dimmed, measure
from bench._dimming.table import failures, page
from bench._page import measured

BEGIN, END = "<!-- dimming -->", "<!-- end of dimming -->"
QUICK = 300


def main() -> None:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lamps", type=int, default=3000, help="of the town; a third of them is dimmed")
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.05, 0.2], help="shares of downlinks lost on top")
    parser.add_argument("--sf", type=int, default=9, help="RX2's spreading factor")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=1, help="2: multicast and single messages in processes of their own")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} lamps, 5 %% lost")
    parser.add_argument("--multicast-only", action="store_true", help="leave single messages out")
    parser.add_argument("--check", action="store_true", help="fail where what was asked is not met")
    parser.add_argument("--verbose", action="store_true", help="say how far it is")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING)
    lamps, losses = (QUICK, [0.05]) if options.quick else (options.lamps, options.loss)
    ways = (True,) if options.multicast_only else (True, False)
    towns = [[Case(lamps, loss, groups, options.sf, options.seed, learns=groups)] for groups in ways for loss in losses]
    found = run(towns, options.jobs)
    text = f"{_head(found)}\n\n{page(found)}"
    print(text)
    if options.write:
        put(options.write, text)
    if options.check and (missed := failures(found)):
        sys.exit("not met: " + "; ".join(missed))


def run(towns: Sequence[Sequence[Case]], jobs: int = 1) -> list[Dimmed]:
    """Each town in its turn, or in a process of its own."""
    if jobs == 1:
        return [one for cases in towns for one in _measured(cases)]
    with ProcessPoolExecutor(jobs) as pool:
        return [one for some in pool.map(_measured, towns) for one in some]


def put(path: Path, text: str) -> None:
    """Between the marks of the page; what stands around them stays."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{text.strip()}\n{END}{after}", encoding="utf-8")


def _measured(cases: Sequence[Case]) -> list[Dimmed]:
    return inline.run(measure(cases))


def _head(found: Sequence[Dimmed]) -> str:
    first, spent = found[0], sum(one.cpu_s for one in found)
    ready = max(one.ready_s for one in found)
    return (f"{measured()} {first.case.lamps:,} lamps, of which {first.lamps:,} are dimmed; seed {first.case.seed}; RX2 at "
            f"SF{first.case.sf}. To tell {first.lamps:,} lamps the keys of their group took {ready / 60:.0f} min beforehand. "
            f"All runs took {spent:.0f} s of processor time.")


if __name__ == "__main__":
    main()
