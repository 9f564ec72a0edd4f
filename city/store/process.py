"""What the system says of this process."""

import os
import time
from pathlib import Path

from city.figures_sample import Look

PAGE = os.sysconf("SC_PAGE_SIZE")
SELF = Path("/proc/self")
MB = 1e6


def resident(root: Path = SELF) -> int:
    """Bytes of memory in use; 0 where the system does not tell."""
    try:
        return int((root / "statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def look() -> Look:
    """Time, CPU and memory of this moment, of all that runs in the process; nothing else."""
    return Look(time.monotonic(), time.process_time(), resident() / MB or None)


def host() -> str:
    """The machine's own name."""
    return os.uname().nodename
