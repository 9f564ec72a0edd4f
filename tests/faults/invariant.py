"""The promise, checked from outside: what the broker acknowledged to the network server is stored or a dead letter,
nothing is stored twice, and the counters balance."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from city.settings import Influx
from city.store.influx import RejectedQuery, Row, Sink, open_sink
from city.store.influx_places import of_town
from city.store.opening import open_store
from city.store.readings import LocalLog
from tests.faults.bridge import Bridge
from tests.faults.fleet import TOWN, Fleet
from tests.faults.waiting import PATIENCE_S, until

PAGE, MANY = 5000, 10_000_000


def stored(fleet: Fleet, logs: Iterable[Path]) -> Counter[int]:
    """How often each number is in these logs."""
    found: Counter[int] = Counter()
    for directory in logs:
        log, position = LocalLog(directory), 0
        try:
            while page := list(log.after(position, PAGE)):
                position = page[-1][0]
                numbers = (fleet.number_of_key(entry.place.device, entry.key) for _, entry in page)
                found.update(number for number in numbers if number is not None)
        finally:
            log.close()
    return found


def in_order(fleet: Fleet, log: Path) -> list[int]:
    """The numbers in one log, in order of arrival."""
    reader = LocalLog(log)
    try:
        found = [fleet.number_of_key(entry.place.device, entry.key) for _, entry in reader.after(0, MANY)]
    finally:
        reader.close()
    return [number for number in found if number is not None]


def buried(fleet: Fleet, database: str) -> set[int]:
    """The numbers that are dead letters."""
    store = open_store(database)
    try:
        return {number for letter in store.all_letters(MANY) if (number := fleet.number_in(letter.payload)) is not None}
    finally:
        store.close()


def shipped(fleet: Fleet, url: str) -> Counter[int]:
    """How often each number is in InfluxDB: a point for each time at which a device has said its counter."""
    found: Counter[int] = Counter()
    with closing(open_sink(of_town(Influx(url=url), TOWN))) as sink:
        for eui in map(fleet.eui, range(fleet.size)):  # one by one: a whole fleet's months would be one large answer
            rows = _rows(sink, f"SELECT \"fcnt\" FROM \"radio\" WHERE \"device\" = '{eui}'")
            numbers = (fleet.number(eui, int(str(row["fcnt"]))) for row in rows)
            found.update(number for number in numbers if number is not None)
    return found


def count_shipped(url: str) -> int:
    """How many points with a counter InfluxDB has; cheap to ask for."""
    with closing(open_sink(of_town(Influx(url=url), TOWN))) as sink:
        return sum(int(str(row["count"])) for row in _rows(sink, 'SELECT count("fcnt") FROM "radio"'))


def _rows(sink: Sink, query: str) -> Sequence[Row]:
    try:
        return sink.query(query)
    except RejectedQuery as error:  # nothing has been written yet
        if "database not found" in str(error):
            return []
        raise


def check(publisher_acked: Collection[int], kept: Counter[int], letters: Collection[int] = (), *, seed: object = "",
          lost_by_broker: Collection[int] = ()) -> None:
    """Nothing lost, nothing stored twice; else says what, and by which seed it happens again."""
    lost = sorted(set(publisher_acked) - set(kept) - set(letters) - set(lost_by_broker))
    twice = sorted(number for number, count in kept.items() if count > 1)
    assert not lost, f"{len(lost)} of {len(publisher_acked)} events are lost (seed {seed}): {lost[:20]} …"
    assert not twice, f"{len(twice)} events are stored twice (seed {seed}): {twice[:20]} …"


def order_kept(fleet: Fleet, numbers: Sequence[int]) -> None:
    """Each device's numbers rise; a number that comes again changes nothing."""
    newest: dict[int, int] = {}
    seen: set[int] = set()
    for number in numbers:
        device = number % fleet.size
        assert number > newest.get(device, -1) or number in seen, f"{number} comes after {newest[device]}"
        newest[device] = max(number, newest.get(device, -1))
        seen.add(number)


def balance(bridge: Bridge, seconds: float = PATIENCE_S, *, queued: int | None = 0) -> Mapping[str, float]:
    """received = stored + duplicates + dead letters + queued, as soon as nothing moves; returns the counters."""
    def balanced() -> Mapping[str, float] | None:
        now = bridge.metrics()
        holds = now["received"] == now["stored"] + now["duplicates"] + now["dead_letters"] + now["queued"]
        return now if holds and "received" in now and (queued is None or now["queued"] == queued) else None

    def words() -> str:
        now = bridge.metrics()
        return f"{ {name: now[name] for name in ('received', 'stored', 'duplicates', 'dead_letters', 'queued')} }"

    found = until(balanced, seconds, words)
    assert found is not None
    return found
