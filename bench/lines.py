"""What line protocol costs: ours against influxdb_client.Point, in the same run, in CPU time of this process.

    python bench/lines.py
"""

import time
from collections.abc import Callable, Sequence

from influxdb_client import Point, WritePrecision
from msgspec.structs import replace

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import (
    DEVICE_TEMPERATURE,
    LAMP_CURRENT,
    LAMP_DALI_STATUS,
    LAMP_ENERGY,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_LOAD_POWER,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_VOLTAGE,
    RADIO_DR,
    RADIO_FCNT,
    RADIO_RSSI,
    RADIO_SNR,
    Quantity,
    Value,
)
from city.readings import Entry, Place, Reading
from city.store.lines import Writer, lines

AT = 1_769_000_000_000_000_000
POINT = ((LAMP_LEVEL, 40.0), (LAMP_POWER, 31.5), (LAMP_ENERGY, 123456.0), (LAMP_VOLTAGE, 229.4), (LAMP_DALI_STATUS, 4),
         (LAMP_FAILURE, False))
REPORT = (*POINT, (LAMP_REASON, "calendar-night"), (LAMP_LOAD_POWER, 28.25), (LAMP_CURRENT, 0.137), (LAMP_POWER_FACTOR, 0.97),
          (RADIO_RSSI, -101.5), (RADIO_SNR, 7.25), (RADIO_FCNT, 4711), (RADIO_DR, 3), (DEVICE_TEMPERATURE, 12.5))
FRAME = bytes(range(24))
RUNS, DEVICES = 9, 10_000


def main() -> None:
    """Print µs for a point (5 tags, 6 fields) and for a lamp's report (15 values in 3 lines); the best of nine runs over
    10,000 devices."""
    spin = _best(lambda: [sum(range(1000)) for _ in range(1000)], 1000)
    for name, said in (("point", POINT), ("report", REPORT)):
        entries = [entry(number, said) for number in range(DEVICES)]
        block = Writer().block
        ours = _best(lambda: [block(one) for one in entries], DEVICES)  # noqa: B023 - used at once
        framed, both = [replace(one, f_port=85, data=FRAME) for one in entries], Writer(frames=True).block
        frames = _best(lambda: [both(one) for one in framed], DEVICES)  # noqa: B023
        plain = _best(lambda: [lines(one) for one in entries], DEVICES)  # noqa: B023
        theirs = _best(lambda: [_points(one) for one in entries], DEVICES)  # noqa: B023
        print(f"a {name} of {len(said)} values, µs: block {ours:.2f}, with its frame {frames:.2f}, lines {plain:.2f}, "
              f"influxdb_client.Point {theirs:.2f} ({theirs / ours:.1f} times as long as block)")
    print(f"spin (sum(range(1000))) {spin:.2f} µs")


def entry(number: int, said: Sequence[tuple[Quantity, Value]] = POINT, at_ns: int = AT, key: str = "up") -> Entry:
    """What lamp `number` says at one time."""
    place = Place(TenantId("ahausen"), AssetId(f"L-{number:05}"), "lamp", ZoneId(f"Zone-{number % 20}"),
                  CircuitId(f"K{number % 200}"), DevEui(f"70b3d5e7{number:08x}"))
    return Entry.of(place, at_ns, key, tuple(Reading(place, quantity, value, at_ns) for quantity, value in said))


def _points(entry: Entry) -> list[str]:
    """One for each measurement, as one would write it with the library."""
    points: dict[str, Point] = {}
    for item in entry.said:
        name = item.quantity.measurement
        if name not in points:
            place = entry.place
            points[name] = Point(name).tag("asset", place.asset).tag("circuit", place.circuit).tag("device", place.device)
            points[name].tag("tenant", place.tenant).tag("zone", place.zone).time(entry.at_ns, WritePrecision.NS)
        points[name].field(item.quantity.field, item.value)
    return [point.to_line_protocol() for point in points.values()]


def _best(work: Callable[[], object], points: int) -> float:
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took) / points * 1e6


if __name__ == "__main__":
    main()
