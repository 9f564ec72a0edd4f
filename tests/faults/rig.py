"""Broker, proxy, bridge, publisher and city database, put together for one test."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from city.store.opening import open_store
from city.store.ports import Store
from tests.faults import invariant
from tests.faults.bridge import Bridge
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy, proxy
from tests.faults.publisher import Publisher
from tests.faults.waiting import PATIENCE_S, until
from tests.wire.influxd import Influxd, influxd
from tests.wire.servers import Mosquitto, mosquitto


class Rig:
    """A town of `devices` lamps; nothing but the broker runs until it is asked for."""

    def __init__(self, stack: ExitStack, directory: Path, *, devices: int = 20, seed: int = 0, database: str = "",
                 broker: str = "allow_anonymous true", fleet: Fleet | None = None) -> None:
        self._stack, self.directory, self.seed = stack, directory, seed
        self.random = random.Random(seed)
        self.database = database or f"sqlite:///{directory}/city.db"
        self.broker: Mosquitto = stack.enter_context(mosquitto(directory / "broker", broker))
        self.to_broker: Proxy = stack.enter_context(proxy(self.broker.port, seed=seed))
        self.fleet = fleet or Fleet(devices)
        self.bridges: list[Bridge] = []
        self.store: Store = open_store(self.database)
        stack.callback(self.store.close)
        self.fleet.register(self.store)
        self.publisher = self.publish_as(self.fleet)

    def publish_as(self, fleet: Fleet) -> Publisher:
        """A publisher of another fleet's events."""
        made = Publisher(self.broker.port, fleet)
        self._stack.callback(made.close)
        return made

    def bridge(self, name: str = "bridge", *, start: bool = True, through_proxy: bool = True, **settings: object) -> Bridge:
        """A bridge with these settings; discarded at the end of the test."""
        url = f"mqtt://127.0.0.1:{self.to_broker.port}" if through_proxy else self.broker.url
        made = Bridge(self.directory / name, url, self.database, **settings)
        self.bridges.append(made)
        self._stack.callback(made.discard)
        if start:
            made.start()
        return made

    @cached_property
    def influx(self) -> Influxd:
        """A real influxd."""
        directory = self.directory / "influx"
        directory.mkdir()
        return self._stack.enter_context(influxd(directory))

    @cached_property
    def to_influx(self) -> Proxy:
        """The way to it."""
        return self._stack.enter_context(proxy(int(self.influx.url.rpartition(":")[2]), seed=self.seed))

    @property
    def influx_url(self) -> str:
        return f"http://127.0.0.1:{self.to_influx.port}"

    def stored(self) -> int:
        """How many different events are in the logs now."""
        return len(invariant.stored(self.fleet, [bridge.log_directory for bridge in self.bridges]))

    def wait_stored(self, bridge: Bridge, count: int, seconds: float = PATIENCE_S) -> Mapping[str, float]:
        """Until the bridge has counted so many events as stored, since it was started."""
        def enough() -> Mapping[str, float] | None:
            now = bridge.metrics()
            return now if now["stored"] + now["dead_letters"] >= count else None

        found = until(enough, seconds, bridge.said)
        assert found is not None
        return found

    def wait_drained(self, seconds: float = PATIENCE_S) -> None:
        """Until every event that the broker has taken is stored or a dead letter."""
        def left() -> set[int]:
            return set(self.publisher.acked) - set(self._kept()) - invariant.buried(self.fleet, self.database)

        until(lambda: not left(), seconds, lambda: f"Left are {len(found := sorted(left()))} of {len(self.publisher.acked)}: "
              f"{found[:10]} … {self.bridges[-1].said()}", every=max(0.2, len(self.publisher.acked) / 50_000))

    def check(self, **more: object) -> None:
        """The invariant, over all logs and dead letters."""
        invariant.check(self.publisher.acked, self._kept(), invariant.buried(self.fleet, self.database), seed=self.seed,
                        **more)  # type: ignore[arg-type]

    def _kept(self) -> "invariant.Counter[int]":
        return invariant.stored(self.fleet, [one.log_directory for one in self.bridges if one.log_directory.exists()])


MakeRig = Callable[..., Rig]


@contextmanager
def rigs(directory: Path, seed: int) -> Iterator[MakeRig]:
    """A maker of rigs, each in a directory of its own; all are taken down at the end."""
    with ExitStack() as stack:
        made: list[Rig] = []

        def make(**how: object) -> Rig:
            place = directory / f"rig{len(made)}"
            place.mkdir()
            made.append(Rig(stack, place, **{"seed": seed, **how}))  # type: ignore[arg-type]
            return made[-1]

        yield make
