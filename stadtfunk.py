"""The console script: one name in front of each process. It imports what is asked for, and nothing else."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence

from city.errors import CityError

COMMANDS = {
    "demo": ("simulator.demo", "a whole town in one process, on embedded defaults"),
    "bridge": ("gateway_bridge.__main__", "from ChirpStack into the log and the city database, and back"),
    "api": ("api.__main__", "the web server: REST, pages, live updates"),
    "simulate": ("simulator.__main__", "a town of simulated devices on a broker"),
    "import": ("api.importing", "assets and devices from CSV or GeoJSON"),
    "codec": ("decoders.__main__", "codecs: list, explain, check; test a script, import a device repository"),
    "account": ("api.accounts", "towns, accounts and API tokens"),
    "letters": ("gateway_bridge.letters", "dead letters: list, show, replay"),
    "ship": ("gateway_bridge.shipping", "what waits for InfluxDB"),
    "doctor": ("gateway_bridge.doctor.__main__", "look at the whole chain, and say how to mend what is wrong"),
    "dashboards": ("dashboards.__main__", "boards for Grafana"),
    "database": ("city.store.__main__", "bring the city database up to date"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process that the first word names; returns its exit code. One clear sentence where something is wrong."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: stadtfunk COMMAND …\n")
        for name, (_, text) in COMMANDS.items():
            print(f"  {name:<11} {text}")
        return 0 if words else 2
    if words[0] not in COMMANDS:
        print(f"stadtfunk: there is no command “{words[0]}”; `stadtfunk --help` lists them", file=sys.stderr)
        return 2
    run: Callable[[list[str]], int] = importlib.import_module(COMMANDS[words[0]][0]).main
    try:
        return run(words[1:])
    except CityError as error:
        print(f"stadtfunk {words[0]}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"stadtfunk {words[0]}: {what}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
