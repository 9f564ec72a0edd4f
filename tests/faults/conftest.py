"""What the fault tests share. --long runs their full form; --seed repeats one that failed."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.rig import MakeRig, Rig, rigs


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the full form is asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Chooses the random moments of a test; printed, so that a failure can be repeated."""
    given = request.config.getoption("--seed")
    chosen = random.SystemRandom().randrange(10**6) if given is None else int(given)
    print(f"seed {chosen}")  # noqa: T201 - pytest shows it where the test fails
    return chosen


@pytest.fixture
def make_rig(tmp_path: Path, seed: int) -> Iterator[MakeRig]:
    with rigs(tmp_path, seed) as make:
        yield make


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """Twenty lamps."""
    return make_rig()
