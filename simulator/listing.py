"""`stadtfunk simulate scenarios` and `check`: what comes along, and whether a file of one's own holds."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from simulator.options import file_of, shipped
from simulator.reading import read_all
from simulator.scenario import Scenario, load_all, size


def scenarios(argv: Sequence[str] | None = None) -> int:
    """List the scenarios that come along, with their sizes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="stadtfunk simulate scenarios", description="List the scenarios that come along.")
    parser.parse_args(argv)
    sys.stdout.write(f"{'name':<20}{'towns':>6}{'lamps':>8}{'bays':>8}{'gateways':>10}{'faults':>8}\n")
    for name, path in sorted(shipped().items()):
        plans = read_all(path)
        sizes = [size(plan) for plan in plans]
        sys.stdout.write(f"{name:<20}{len(plans):>6}{sum(lamps for lamps, _ in sizes):>8}{sum(bays for _, bays in sizes):>8}"
                         f"{sum(len(plan.gateway) for plan in plans):>10}{len(plans[0].fault):>8}\n")
    return 0


def check(argv: Sequence[str] | None = None) -> int:
    """Read a scenario file and say what is in it; an error names file and line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="stadtfunk simulate check", description="Check a scenario file.")
    parser.add_argument("file", metavar="FILE", help="a scenario file, or the name of one that comes along")
    path = file_of(parser.parse_args(argv).file)
    for scenario in load_all(path):
        sys.stdout.write(_summary(scenario, path) + "\n")
    return 0


def _summary(scenario: Scenario, path: Path) -> str:
    models = Counter([site.device.model for site in scenario.lamps] + [site.device.model for site in scenario.bays])
    said = ", ".join(f"{count} {model}" for model, count in models.most_common())
    faults = f", {len(scenario.plan.fault)} faults" if scenario.plan.fault else ""
    return (f"{path.name}: {scenario.tenant.name}: {len(scenario.lamps)} lamps, {len(scenario.bays)} bays, "
            f"{len(scenario.gateways)} gateways, {len(scenario.streets)} streets{faults} ({said})")
