"""docs/performance.md: each bench has a section there, and leaves those of the others as they are."""

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

SECTIONS = ("bridge", "residents", "paint", "catchup", "queries", "simulator")  # in this order
_HEAD = """# How fast it is

Written by the benches, `python -m bench.NAME --write docs/performance.md`; do not edit.
"""


def put(path: Path, name: str, text: str) -> None:
    """Into the page as the section of this bench, in the place of its former one."""
    sections = _sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    sections[name] = text.strip()
    known = [f"<!-- {name} -->\n{sections[name]}\n<!-- end of {name} -->" for name in SECTIONS if name in sections]
    path.write_text("\n\n".join([_HEAD.strip(), *known]) + "\n", encoding="utf-8")


def measured() -> str:
    """When, on what and with which versions."""
    return f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {_machine()}; {_versions()}."


def _sections(page: str) -> dict[str, str]:
    found = re.finditer(r"<!-- (\w+) -->\n(.*?)\n<!-- end of \1 -->", page, re.DOTALL)
    return {match[1]: match[2] for match in found}


def _machine() -> str:
    processor = next((line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
                     platform.processor())
    memory = next((int(line.split()[1]) // 2**20 for line in _lines(Path("/proc/meminfo")) if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores of {processor}, {memory} GiB, {platform.system()} {platform.release()}"


def _versions() -> str:
    said = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("paho-mqtt", "msgspec")),
            _said("mosquitto", "-h"), _said("influxd", "version"), f"Node {_said('node', '--version')}"]
    return ", ".join(word for word in said if word.strip() != "Node")


def _said(name: str, option: str) -> str:
    """The first words of a program about itself, "" where it is not there."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        return ""
    done = subprocess.run([path, option], capture_output=True, text=True, check=False, timeout=20)
    first = next((line for line in (done.stdout + done.stderr).splitlines() if any(char.isdigit() for char in line)), "")
    return first.partition("(")[0].strip()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
