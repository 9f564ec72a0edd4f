"""Fixtures of the bridge's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway_bridge.town import Town, small_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with small_town(tmp_path) as made:
        yield made
