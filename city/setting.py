"""One setting of city.settings: its default, what it is, and between which numbers it lies."""

from dataclasses import field
from typing import Any

LARGEST = 2**32 - 1  # what MQTT can say, and more than any time, size or rate here needs


def setting(default: Any, help: str, low: float = 0, high: float = LARGEST) -> Any:  # noqa: ANN401 - as dataclasses.field
    """A field of a section: `low` ≤ value ≤ `high` where it is a number."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})
