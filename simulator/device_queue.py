"""The server's way down to one device: its queue, the scheduler of class C, the answer of class A."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from heapq import nsmallest
from random import Random

from city.airtime import QUEUE_FRAMES_S, SCHEDULER_S
from city.errors import Conflict, Invalid, TooLarge
from city.readings import NS
from decoders.codec import Frame
from simulator.carrier import Carrier
from simulator.downlinks import Order, QueueItem
from simulator.engine import Engine
from simulator.events import CHANNELS, RX2_HZ, Ack, Event, Log, TxAck, Up, context_at
from simulator.fleet import NOT_THERE, Fleet
from simulator.plan import Devices
from simulator.radio import MAX_PAYLOAD
from simulator.station import Station, Witness

COLLECT_NS = NS // 5  # deduplication_delay
WAITING_MOST = 100_000  # items
RX2_DBM, RX1_DBM = 29, 16


class DeviceQueues:
    """All devices' queues. `publish` takes the events, `say` what a device sends because of a downlink; `patience` is the
    profile's class_c_timeout: for how many seconds a confirmed downlink waits for its acknowledgement."""

    def __init__(self, setup: Devices, fleet: Fleet, carrier: Carrier, *, engine: Engine, rng: Random, stats: Counter[str],
                 publish: Callable[[Station, Event], None], say: Callable[[Station, Frame], None],
                 patience: Callable[[Station], int]) -> None:
        self._setup, self._fleet, self._carrier, self._engine, self._rng = setup, fleet, carrier, engine, rng
        self._stats, self._publish, self._say, self._patience = stats, publish, say, patience
        self._queued: set[str] = set()  # ids of items in any queue: the primary key of ChirpStack's table
        self.witness: Witness | None = None
        self._waiting: dict[Station, None] = {}  # class C devices with something in their queue
        self._ticking = False

    def enqueue(self, station: Station, order: Order) -> str:
        """Put an order into a device's queue; the item's id. Raises Invalid, Conflict where the id is taken, and TooLarge
        beyond 100,000 items."""
        if not 0 < order.f_port < 256:
            raise Invalid("Validation error: {what}", field="f_port", rule="1…255", what="FPort must be between 1 - 255")
        if order.id in self._queued:
            raise Conflict("Object already exists (id: {id})", id=order.id)
        if len(self._queued) >= WAITING_MOST:
            raise TooLarge("This simulated server keeps at most {most} objects of a kind.", most=WAITING_MOST)
        item = QueueItem(order.id or uuid_of(self._rng.getrandbits(128)), order)
        if isinstance(station.queue, tuple):
            station.queue = []
        station.queue.append(item)
        self._queued.add(item.id)
        self.look_at(station)
        return item.id

    def flush(self, station: Station, *, pending: bool) -> None:
        """Forget what waits for a device; that which waits for an acknowledgement too, if `pending`."""
        for item in list(station.queue):
            if pending or item.pending_until_ns is None:
                self._drop(station, item)

    def look_at(self, station: Station) -> None:
        """The device may have become one of class C, with something in its queue."""
        if station.class_c and station.queue:
            self._waiting[station] = None
            self._wind_up()

    def acknowledged(self, station: Station, uplink_id: str) -> None:
        """An uplink carried the acknowledgement of the item that waits for one."""
        item = next((item for item in station.queue if item.pending_until_ns is not None), None)
        if item is not None:
            self._drop(station, item)
            self._publish(station, Ack(uplink_id, self._engine.now, item.id, True, item.f_cnt or 0))

    def answer(self, station: Station, up: Up) -> None:
        """RX1 after a class A uplink: the next item of the queue."""
        item = self._next(station, MAX_PAYLOAD[up.dr], up.id)
        if item is not None:
            self._dispatch(station, item, sf=12 - up.dr, frequency=CHANNELS[up.channel], delay_s=1)

    # -- class C

    def _wind_up(self) -> None:
        """The scheduler looks every whole second, and only while anything waits."""
        if self._waiting and not self._ticking:
            self._ticking = True
            step = int(SCHEDULER_S * NS)
            self._engine.at((self._engine.now // step + 1) * step, self._schedule)

    def _schedule(self) -> None:
        self._ticking = False
        now = self._engine.now
        due = (station for station in self._waiting if station.gateway is not None and station.locked_until_ns <= now)
        for station in nsmallest(QUEUE_FRAMES_S, due, key=lambda one: one.dev_eui):
            self._send_class_c(station)
        self._wind_up()

    def _send_class_c(self, station: Station) -> None:
        sf = self._setup.rx2_sf
        item = self._next(station, MAX_PAYLOAD[12 - sf], "")
        if item is not None:
            station.sent_ns = self._engine.now
            self._dispatch(station, item, sf=sf, frequency=RX2_HZ, delay_s=0)
        if not station.queue or not station.class_c:
            self._waiting.pop(station, None)

    # -- one item

    def _next(self, station: Station, most: int, uplink_id: str) -> QueueItem | None:
        """The item to send now; what is expired, timed out or too large is dropped on the way, and said."""
        now = self._engine.now
        while station.queue:
            item = station.queue[0]
            if item.pending_until_ns is not None:
                if station.class_c and now < item.pending_until_ns:
                    return None
                self._drop(station, item)
                self._publish(station, Ack(uplink_id, now, item.id, False, item.f_cnt or 0))
            elif (why := unsendable(item, most, now)) is not None:
                self._drop(station, item)
                self._publish(station, why)
            else:
                return item
        return None

    def _dispatch(self, station: Station, item: QueueItem, *, sf: int, frequency: int, delay_s: int) -> None:
        """Hand an item to the gateway that heard the device best. A refusal leaves the item where it is, and so does a
        gateway that says nothing: then the same counter is sent again."""
        gateway = station.gateway or 0  # nobody gets here before the session's first uplink
        now, rx2 = self._engine.now, delay_s == 0
        said, sent_ns = self._carrier.down(gateway, station, Frame(item.order.f_port, item.order.data), sf=sf,
                                           frequency=frequency, delay_s=delay_s,
                                           arrived=partial(self._arrived, station, item.order))
        if said == NOT_THERE:
            self._stats["no tx-ack"] += 1
            return
        if said != "OK":
            self._stats["gateway refused"] += 1
            self._publish(station, Log(now, "ERROR", "DOWNLINK_GATEWAY", said))
            return
        item.f_cnt = station.f_cnt_down
        station.f_cnt_down = (station.f_cnt_down + 1) & 0xFFFF_FFFF
        self._publish(station, TxAck(self._rng.getrandbits(32), now, item.id, item.f_cnt,
                                     self._fleet.antennas[gateway], frequency, sf, RX2_DBM if rx2 else RX1_DBM, delay_s,
                                     context_at(station.last_seen_ns - COLLECT_NS)))
        if item.order.confirmed:
            item.pending_until_ns = sent_ns + self._patience(station) * NS
        else:
            self._drop(station, item)

    def _arrived(self, station: Station, order: Order, heard: bool) -> None:
        if heard:
            self._deliver(station, order)
        else:
            self._tell(station, order, heard=False)

    def _deliver(self, station: Station, order: Order) -> None:
        if order.confirmed:
            station.ack_due = True
            self._engine.after(self._rng.uniform(2.5, 4), self._acknowledge_alone, station)
        self._tell(station, order, heard=True)
        if station.device is not None and station.in_session:
            station.device.receive(Frame(order.f_port, order.data))

    def _tell(self, station: Station, order: Order, *, heard: bool) -> None:
        if self.witness is not None:
            self.witness.down(station, Frame(order.f_port, order.data), heard=heard)

    def _acknowledge_alone(self, station: Station) -> None:
        """A device with nothing to say answers a confirmed downlink with an empty frame."""
        if station.ack_due and station.class_c:
            self._say(station, Frame(0, b""))

    def _drop(self, station: Station, item: QueueItem) -> None:
        if isinstance(station.queue, list):
            station.queue.remove(item)
        self._queued.discard(item.id)


def unsendable(item: QueueItem, most: int, now_ns: int) -> Log | None:
    """What ChirpStack says when it drops an item because it is too old, or larger than `most` bytes."""
    size, expires = len(item.order.data), item.order.expires_ns
    if expires is not None and expires <= now_ns:
        return Log(now_ns, "ERROR", "EXPIRED", "Device queue-item discarded because it has expired",
                   {"queue_item_id": item.id})
    if size > most:
        return Log(now_ns, "ERROR", "DOWNLINK_PAYLOAD_SIZE",
                   "Device queue-item discarded because it exceeds the max. payload size",
                   {"max_payload_size": str(most), "item_size": str(size), "queue_item_id": item.id})
    return None


def uuid_of(bits: int) -> str:
    """A UUID of version 4 from random bits."""
    text = f"{bits & (1 << 128) - 1:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
