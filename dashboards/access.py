"""The file with what Grafana reads each town's buckets with: JSON that only its owner may read (grafana.access_file).

`stadtfunk dashboards influx-setup` makes it, `apply` reads it; whoever has it can read all towns' readings.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from city import ids
from city.errors import Invalid
from city.settings import Secret
from dashboards.wanted import PLATFORM_TOWN

MAX_BYTES = 4 * 2**20


def read(path: Path) -> dict[str, Secret]:
    """The secret of each town; none where there is no file. Raises Invalid where others may read it, or it is no such file."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Invalid("Others can read {file}, and it has secrets in it: chmod 600 {file}", field=str(path),
                              rule="mode 600", file=str(path))
            said = json.loads(file.read(MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise _unreadable(path) from error
    towns = said.get("influxdb") if isinstance(said, dict) else None
    if not isinstance(towns, dict) or not all(isinstance(secret, str) for secret in towns.values()):
        raise _unreadable(path)
    return {name if name == PLATFORM_TOWN else ids.tenant_id(name): Secret(secret) for name, secret in towns.items()}


def write(path: Path, secrets: Mapping[str, Secret]) -> None:
    """Put them there in place of what was; whoever reads meanwhile finds the old or the new."""
    text = json.dumps({"influxdb": {name: secret.reveal() for name, secret in sorted(secrets.items())}}, indent=2) + "\n"
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _unreadable(path: Path) -> Invalid:
    return Invalid("{file} is not what `stadtfunk dashboards influx-setup` writes.", field=str(path), rule="JSON", file=str(path))
