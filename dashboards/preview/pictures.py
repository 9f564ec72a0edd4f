"""Pictures of previews by a headless Chromium, where one is installed: a program of its own, given one file and a time limit.

What it draws are our own pages, whose policy lets them ask nobody for anything. The only door to other programs in dashboards.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from city.errors import Unavailable

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WITHIN_S = 60.0
MOST_PX = 16_000  # higher pictures are cut off
_HIGH = re.compile(r'data-high="(\d{1,6})"')

DRAWN_WITHIN_MS = 2000

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


class NoBrowser(Unavailable):
    """No Chromium is installed, or it does not draw."""


def browser() -> str | None:
    """The path of a Chromium or Chrome."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def take(program: str, page: Path, *, width: int = 1440, themes: Sequence[Theme] = THEMES) -> Iterator[Path]:
    """PNGs of the whole page, one in each light, beside it. Raises NoBrowser where the browser fails or takes too long."""
    address = page.resolve().as_uri()
    with tempfile.TemporaryDirectory(prefix="stadtfunk-preview-") as profile:
        found = _HIGH.search(_run(program, profile, f"--window-size={width},900", "--dump-dom", address))
        if not found:
            raise NoBrowser("{program} does not run the page's script.", program=program)
        size = f"--window-size={width},{min(int(found[1]), MOST_PX)}"
        for theme in themes:
            picture = page.with_name(f"{page.stem}-{theme}.png")
            _run(program, profile, size, f"--screenshot={picture.resolve()}", f"{address}#{theme}")
            if not picture.is_file():
                raise NoBrowser("{program} has made no picture.", program=program)
            yield picture


def _run(program: str, profile: str, *options: str) -> str:
    command = [program, "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
               "--disable-background-networking", "--disable-sync", "--force-device-scale-factor=1",
               f"--virtual-time-budget={DRAWN_WITHIN_MS}", f"--user-data-dir={profile}",
               *(["--no-sandbox"] if os.geteuid() == 0 else []), *options]  # Chromium has no sandbox for root
    try:
        done = subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise NoBrowser("{program} does not draw: {what}", program=program, what=type(error).__name__) from error
    return done.stdout.decode("utf-8", "replace")
