"""A query as Grafana sends it, in the few words that tests need; see dashboards.fill."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dashboards.fill import ALL, Value, fill, span_ms, unfilled


def filled_in(query: str, start: datetime, end: datetime, *, interval: str = "15m", zones: Sequence[str] = (),
              variables: Mapping[str, Value] | None = None) -> str:
    """`query` filled in, with these zones (none: All) and other variables; AssertionError where a macro is left."""
    filled = fill(query, start, end, span_ms(interval), {"zone": tuple(zones) or ALL, **(variables or {})})
    assert not unfilled(filled), f"a macro nobody knows in {filled}"
    return filled
