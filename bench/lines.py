"""What a point of line protocol costs: ours against influxdb_client.Point, in the same run.

    python bench/lines.py
"""

import time
from collections.abc import Callable

from influxdb_client import Point, WritePrecision

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import (
    LAMP_DALI_STATUS,
    LAMP_ENERGY,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_VOLTAGE,
)
from city.readings import Entry, Place, Reading
from city.store.lines import lines

AT = 1_769_000_000_000_000_000
SAID = ((LAMP_LEVEL, 40.0), (LAMP_POWER, 31.5), (LAMP_ENERGY, 123456.0), (LAMP_VOLTAGE, 229.4), (LAMP_DALI_STATUS, 4),
        (LAMP_FAILURE, False))


def main() -> None:
    """Print µs per point (5 tags, 6 fields), best of five runs over 10,000 devices."""
    entries = [_entry(number) for number in range(10_000)]
    ours = _best(lambda: [lines(entry) for entry in entries], len(entries))
    theirs = _best(lambda: [_point(entry) for entry in entries], len(entries))
    spin = _best(lambda: [sum(range(1000)) for _ in range(1000)], 1000)
    print(f"city.store.lines      {ours:6.2f} µs per point")
    print(f"influxdb_client.Point {theirs:6.2f} µs per point   ({theirs / ours:.1f} times as long)")
    print(f"spin (sum(range(1000))) {spin:.2f} µs")


def _entry(number: int) -> Entry:
    place = Place(TenantId("ahausen"), AssetId(f"L-{number:05}"), "lamp", ZoneId(f"Zone-{number % 20}"),
                  CircuitId(f"K{number % 200}"), DevEui(f"70b3d5e7{number:08x}"))
    return Entry.of(place, AT, "up", tuple(Reading(place, quantity, value, AT) for quantity, value in SAID))


def _point(entry: Entry) -> str:
    place = entry.place
    point = Point("lamp").tag("asset", place.asset).tag("circuit", place.circuit).tag("device", place.device)
    point.tag("tenant", place.tenant).tag("zone", place.zone)
    for reading in entry.readings:
        point.field(reading.quantity.field, reading.value)
    line: str = point.time(entry.at_ns, WritePrecision.NS).to_line_protocol()
    return line


def _best(work: Callable[[], object], points: int) -> float:
    took = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took) / points * 1e6


if __name__ == "__main__":
    main()
