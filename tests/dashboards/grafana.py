"""Grafana's part in a query: it fills in its macros and variables, in the words of its InfluxDB data source."""

import re
from collections.abc import Sequence
from datetime import datetime

from city.readings import to_ns


def filled_in(query: str, start: datetime, end: datetime, *, interval: str = "15m", zones: Sequence[str] = ()) -> str:
    """`query` as Grafana sends it: times in ms, several values as (a|b) escaped for a regex, All as allValue."""
    times = f"time >= {to_ns(start) // 10**6}ms and time <= {to_ns(end) // 10**6}ms"
    zone = ".*" if not zones else _chosen(zones)
    filled = query.replace("$timeFilter", times).replace("$__interval", interval).replace("$zone", zone)
    assert "$" not in filled.replace("$/", ""), f"a macro nobody knows in {filled}"
    return filled


def _chosen(values: Sequence[str]) -> str:
    escaped = [re.sub(r"[\\^$*+?.()|[\]{}\/]", lambda match: "\\" + match.group(), value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
