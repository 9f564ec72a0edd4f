"""`stadtfunk simulate`: simulated towns, what they say on tape, and their scenario files."""

import importlib
import sys
from collections.abc import Callable, Sequence

COMMANDS = {
    "run": ("simulator.running", "main", "towns on a broker, in the place of ChirpStack (also without a word here)"),
    "drive": ("simulator.driving", "main", "a town on the air, with gateways in front of a real network server"),
    "provision": ("simulator.provision", "main", "tell a ChirpStack of towns: profiles, gateways, devices, keys, groups"),
    "load": ("simulator.loading", "main", "as many events a second as one wants"),
    "record": ("simulator.record", "main", "what a broker or simulated towns say, to a file"),
    "replay": ("simulator.replay", "main", "a recording to a broker"),
    "scenarios": ("simulator.listing", "scenarios", "the scenarios that come along"),
    "check": ("simulator.listing", "check", "whether a scenario file holds"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the first word says; without one of COMMANDS it is `run`. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["help"]:
        for name, (_, _, text) in COMMANDS.items():
            print(f"  stadtfunk simulate {name:<10} {text}")
        return 0
    named = bool(words) and words[0] in COMMANDS
    module, function, _ = COMMANDS[words[0] if named else "run"]
    run: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), function)
    return run(words[1:] if named else words)


if __name__ == "__main__":
    sys.exit(main())
