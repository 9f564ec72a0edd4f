"""Class C multicast as ChirpStack schedules it: an item for each gateway, no acknowledgement and no event.

Sources: `chirpstack/src/storage/multicast.rs`, `downlink/multicast.rs`. One difference: a frame of GPS_TIME is handed over
in time for its instant.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from city.airtime import QUEUE_FRAMES_S, SCHEDULER_S
from city.errors import Invalid, TooLarge
from city.readings import NS
from decoders.codec import Frame
from simulator.carrier import Carrier
from simulator.engine import Engine
from simulator.fleet import NOT_THERE, Fleet
from simulator.provisioned import GPS_TIME, Group
from simulator.radio import MAX_PAYLOAD
from simulator.registry import Registry
from simulator.station import Listener, Station, Witness

MARGIN_NS = 5 * NS  # multicast_class_c_margin
LOCK_NS = 5 * NS  # scheduler_lock_duration: until an item is tried again that no gateway has answered for
STEP_NS = int(SCHEDULER_S * NS)
WAITING_MOST = 10_000  # items


@dataclass(slots=True, eq=False)
class Item:
    """A frame for one gateway; `emit_ns` is set where all are to send at one instant."""

    group_id: str
    gateway_id: str
    f_cnt: int
    f_port: int
    data: bytes
    due_ns: int
    emit_ns: int | None
    expires_ns: int | None


class Multicasts:
    """All groups' queues."""

    def __init__(self, registry: Registry, fleet: Fleet, stations: Mapping[str, Station], carrier: Carrier, *,
                 engine: Engine, stats: Counter[str]) -> None:
        self._registry, self._fleet, self._stations, self._carrier = registry, fleet, stations, carrier
        self._engine, self._stats = engine, stats
        self._items: list[Item] = []
        self.witness: Witness | None = None
        self._ticking = False

    def listen(self, station: Station, device: Listener) -> None:
        """The device at a station may be told of groups."""
        self._carrier.listen(station, device)

    def enqueue(self, group: Group, f_port: int, data: bytes, expires_ns: int | None = None) -> int:
        """Queue a frame for every gateway that it takes; returns its counter. Nobody heard: nothing sent, and no error.
        Raises Invalid, and TooLarge beyond 10,000 waiting frames."""
        if not 0 < f_port < 256:
            raise Invalid("Validation error: {what}", field="f_port", rule="1…255", what="FPort must be between 1 - 255")
        gateways = list(group.gateways) or self._covering(group)
        if len(self._items) + len(gateways) > WAITING_MOST:
            raise TooLarge("This simulated server keeps at most {most} objects of a kind.", most=WAITING_MOST)
        together = group.class_c_scheduling_type == GPS_TIME
        due = self._after_last(group.id) + (MARGIN_NS if together else 0)
        for number, gateway in enumerate(gateways):
            at = due if together else due + number * MARGIN_NS
            self._items.append(Item(group.id, gateway, group.f_cnt, f_port, data, at, at if together else None, expires_ns))
        f_cnt, group.f_cnt = group.f_cnt, (group.f_cnt + 1) & 0xFFFF_FFFF
        self._wind_up()
        return f_cnt

    def flush(self, group_id: str) -> None:
        """Forget what waits for a group."""
        self._items = [item for item in self._items if item.group_id != group_id]

    def waiting(self, group_id: str) -> list[Item]:
        """One item for each counter that waits, oldest first."""
        return list({item.f_cnt: item for item in reversed(self._items) if item.group_id == group_id}.values())[::-1]

    def _after_last(self, group_id: str) -> int:
        last = max((item.due_ns for item in self._items if item.group_id == group_id), default=None)
        return self._engine.now if last is None else last + MARGIN_NS

    def _covering(self, group: Group) -> list[str]:
        """Few gateways that together have heard every member that was heard: at each step the one that adds most."""
        left = {dev_eui: self._stations[dev_eui].heard_by for dev_eui in group.devices if dev_eui in self._stations}
        left = {dev_eui: heard for dev_eui, heard in left.items() if heard}
        chosen: list[str] = []
        while left:
            counts = Counter(index for heard in left.values() for index in heard)
            best = min(counts, key=lambda index: (-counts[index], index))
            chosen.append(self._fleet.antennas[best].gateway.id)
            left = {dev_eui: heard for dev_eui, heard in left.items() if best not in heard}
        return chosen

    # -- the scheduler

    def _wind_up(self) -> None:
        if self._items and not self._ticking:
            self._ticking = True
            self._engine.at((self._engine.now // STEP_NS + 1) * STEP_NS, self._schedule)

    def _schedule(self) -> None:
        self._ticking = False
        horizon = self._engine.now
        due = [item for item in self._items
               if item.due_ns - (2 * STEP_NS if item.emit_ns is not None else 0) <= horizon]
        for item in due[:QUEUE_FRAMES_S]:
            self._handle(item)
        self._wind_up()

    def _handle(self, item: Item) -> None:
        group, gateway = self._registry.groups.find(item.group_id), self._registry.gateways.find(item.gateway_id)
        if group is None or gateway is None:
            self._items.remove(item)
        elif item.expires_ns is not None and item.expires_ns < self._engine.now:
            self._items.remove(item)
            self._stats["multicast expired"] += 1
        elif not self._fleet.region(gateway) or not self._online(gateway.gateway_id):
            item.due_ns = self._engine.now + LOCK_NS  # it waits for the gateway
        elif len(item.data) > MAX_PAYLOAD[min(group.dr, len(MAX_PAYLOAD) - 1)]:
            self._items.remove(item)
            self._stats["multicast too large"] += 1
        else:
            self._send(group, item)

    def _online(self, gateway_id: str) -> bool:
        record = self._registry.gateways.get(gateway_id)
        seen = self._fleet.last_seen_ns(record)
        return seen is not None and self._engine.now - seen <= 2 * record.stats_interval * NS

    def _send(self, group: Group, item: Item) -> None:
        index = self._fleet.index(item.gateway_id)
        if index is None:
            self._items.remove(item)
            return
        if item.emit_ns is not None and not self._fleet.antennas[index].gnss:
            said = "GPS_UNLOCKED"
        else:
            said, _ = self._carrier.cast(index, group, Frame(item.f_port, item.data), emit_ns=item.emit_ns,
                                         take=partial(self._take, group.mc_addr, item))
        if said == NOT_THERE:
            item.due_ns = self._engine.now + LOCK_NS
            return
        self._items.remove(item)
        self._stats["multicast sent" if said == "OK" else "multicast refused"] += 1

    # -- at the devices

    def _take(self, mc_addr: str, item: Item, station: Station, device: Listener) -> None:
        """A device drops what is not newer than its last one: the copy of a second gateway, and a counter set back."""
        counters = station.group_counters
        if counters is None:
            counters = station.group_counters = {}
        if item.f_cnt > counters.get(mc_addr, -1):
            counters[mc_addr] = item.f_cnt
            self._stats["multicast heard"] += 1
            if self.witness is not None:
                self.witness.down(station, Frame(item.f_port, item.data), heard=True, to_group=True)
            device.receive(Frame(item.f_port, item.data), to_group=True)
