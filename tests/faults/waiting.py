"""Waiting for what another process does: polled, with a deadline, and with words when it does not happen."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.patience import PATIENCE_S

_T = TypeVar("_T")


def until(what: Callable[[], _T], seconds: float = PATIENCE_S, said: Callable[[], str] = str, every: float = 0.03) -> _T:
    """What `what` says as soon as that is true; AssertionError with `said` after so long."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not happen within {seconds:.0f} s. {said()}"
        time.sleep(every)
    return found


def during(seconds: float, holds: Callable[[], object], every: float = 0.05) -> None:
    """Fails as soon as it does not hold; returns after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert holds()
        time.sleep(every)
