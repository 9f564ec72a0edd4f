"""`stadtfunk simulate`: simulated towns, what they say on tape, and their scenario files."""

import importlib
import sys
from collections.abc import Callable, Sequence

COMMANDS = {
    "run": ("simulator.running", "towns on a broker, in the place of ChirpStack (what happens without a word here)"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the first word says; without one of COMMANDS it is `run`. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["help"], ["--commands"]):
        for name, (_, text) in COMMANDS.items():
            print(f"  stadtfunk simulate {name:<10} {text}")
        return 0
    named = bool(words) and words[0] in COMMANDS
    run: Callable[[Sequence[str]], int] = importlib.import_module(COMMANDS[words[0] if named else "run"][0]).main
    return run(words[1:] if named else words)


if __name__ == "__main__":
    sys.exit(main())
