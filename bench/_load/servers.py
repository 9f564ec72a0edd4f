"""Mosquitto and InfluxDB for a bench: on free ports of 127.0.0.1, in directories of their own."""

import contextlib
import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench._load.processes import Running, free_port, listens, until

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto.conf"
OURS_ALONE = ("listener", "allow_anonymous", "password_file", "acl_file")  # replaced: a free port, nobody else there
SAVING = ("autosave_on_changes", "autosave_interval")
START_S = 15.0


def program(name: str) -> str | None:
    """Its path, or None."""
    return shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")


@contextlib.contextmanager
def mosquitto(directory: Path, *, keeps: bool = False) -> Iterator[int]:
    """A Mosquitto with the limits of deploy/mosquitto.conf; yields its port. `keeps`: it saves what waits, too, as it is
    deployed. A drain is measured without that: to save thirty thousand events ever again would be all that we see."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    lines = [line for line in DEPLOYED.read_text(encoding="utf-8").splitlines()
             if line and not line.startswith(("#", *OURS_ALONE)) and (keeps or not line.startswith(SAVING))]
    lines += [f"listener {port} 127.0.0.1", "allow_anonymous true", "user root"]
    lines += ["persistence true", f"persistence_location {directory}/"] if keeps else []
    (directory / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = program("mosquitto")
    if path is None:
        raise SystemExit("bench: mosquitto is not installed")
    with Running([path, "-c", str(directory / "mosquitto.conf")], directory) as running:
        until(lambda: listens(port), "mosquitto", START_S, running=running)
        yield port


@dataclass(frozen=True, slots=True)
class Influx:
    """A running influxd 1.x."""

    port: int
    running: Running

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def create(self, database: str) -> None:
        self._ask(f'CREATE DATABASE "{database}"', "")

    def drop(self, database: str) -> None:
        self._ask(f'DROP DATABASE "{database}"', "")

    def count(self, database: str, measurement: str, field: str) -> int:
        """How many points have the field."""
        series = self._ask(f'SELECT count("{field}") FROM "{measurement}"', database)["results"][0].get("series", [])
        return int(series[0]["values"][0][1]) if series else 0

    def _ask(self, text: str, database: str) -> "dict[str, list[dict[str, list[dict[str, list[list[int]]]]]]]":
        data = urllib.parse.urlencode({"q": text, "db": database}).encode()
        with urllib.request.urlopen(f"{self.url}/query", data, timeout=60) as answer:
            found: dict[str, list[dict[str, list[dict[str, list[list[int]]]]]]] = json.loads(answer.read())
            return found


@contextlib.contextmanager
def influxd(directory: Path) -> Iterator[Influx | None]:
    """A running influxd 1.x, or None where none is installed."""
    path = program("influxd")
    if path is None:
        yield None
        return
    directory.mkdir(parents=True, exist_ok=True)
    port, backup = free_port(), free_port()
    (directory / "influxdb.conf").write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{backup}"\n[meta]\ndir = "{directory}/meta"\n'
        f'[data]\ndir = "{directory}/data"\nwal-dir = "{directory}/wal"\nquery-log-enabled = false\n'
        f'max-series-per-database = 0\n[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n'
        f'[monitor]\nstore-enabled = false\n[logging]\nlevel = "error"\n', encoding="utf-8")
    with Running([path, "-config", str(directory / "influxdb.conf")], directory) as running:
        until(lambda: listens(port), "influxd", START_S, running=running)
        yield Influx(port, running)
