"""The server's way down to one device: its queue, the scheduler of class C, the answer of class A."""

from collections import Counter
from collections.abc import Callable
from heapq import nsmallest
from random import Random

from city.airtime import QUEUE_FRAMES_S, SCHEDULER_S, time_on_air
from city.readings import NS
from decoders.codec import Frame
from simulator.downlinks import Order, QueueItem, Transmitter
from simulator.engine import Engine
from simulator.events import CHANNELS, RX2_HZ, Ack, Event, Log, TxAck, Up
from simulator.plan import Devices
from simulator.radio import MAX_PAYLOAD
from simulator.scenario import Antenna
from simulator.station import Station

LOCK_NS = 5 * NS  # class_a_lock_duration after an uplink, class_c_lock_duration between downlinks
CLASS_C_TIMEOUT_S = 10.0  # the device profile's: how long a confirmed downlink waits for its acknowledgement
RX2_DBM, RX1_DBM = 29, 16


class DeviceQueues:
    """All devices' queues. `publish` takes the events, `say` what a device sends because of a downlink."""

    def __init__(self, setup: Devices, antennas: tuple[Antenna, ...], *, engine: Engine, rng: Random,
                 stats: Counter[str], publish: Callable[[Station, Event], None],
                 say: Callable[[Station, Frame], None]) -> None:
        self._setup, self._antennas, self._engine, self._rng = setup, antennas, engine, rng
        self._stats, self._publish, self._say = stats, publish, say
        self.transmitters = [Transmitter() for _ in antennas]
        self._queued: set[str] = set()  # ids of items in any queue: the primary key of ChirpStack's table
        self._waiting: dict[Station, None] = {}  # class C devices with something in their queue
        self._ticking = False

    def enqueue(self, station: Station, order: Order) -> bool:
        """Put an order into a device's queue; False where ChirpStack would refuse it."""
        if order.dev_eui != station.who.dev_eui or not 0 < order.f_port < 256 or order.id in self._queued:
            return False
        item = QueueItem(order.id or uuid_of(self._rng.getrandbits(128)), order)
        station.queue.append(item)
        self._queued.add(item.id)
        if station.class_c:
            self._waiting[station] = None
            self._wind_up()
        return True

    def acknowledged(self, station: Station, uplink_id: str) -> None:
        """An uplink carried the acknowledgement of the item that waits for one."""
        item = next((item for item in station.queue if item.pending_until_ns is not None), None)
        if item is not None:
            self._drop(station, item)
            self._publish(station, Ack(uplink_id, self._engine.now, item.id, True, item.f_cnt))

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
        for station in nsmallest(QUEUE_FRAMES_S, due, key=lambda one: one.who.dev_eui):
            self._send_class_c(station)
        self._wind_up()

    def _send_class_c(self, station: Station) -> None:
        sf = self._setup.rx2_sf
        item = self._next(station, MAX_PAYLOAD[12 - sf], "")
        if item is not None:
            station.locked_until_ns = self._engine.now + LOCK_NS
            self._dispatch(station, item, sf=sf, frequency=RX2_HZ, delay_s=0)
        if not station.queue:
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
                self._publish(station, Ack(uplink_id, now, item.id, False, item.f_cnt))
            elif (why := unsendable(item, most, now)) is not None:
                self._drop(station, item)
                self._publish(station, why)
            else:
                return item
        return None

    def _dispatch(self, station: Station, item: QueueItem, *, sf: int, frequency: int, delay_s: int) -> None:
        """Hand an item to the gateway that heard the device best; a refusal leaves the item where it is."""
        gateway = station.gateway or 0  # nobody gets here before the session's first uplink
        now, rx2 = self._engine.now, delay_s == 0
        airtime = time_on_air(len(item.order.data), sf)
        said, sent_ns = self.transmitters[gateway].send(now, airtime, rx2=rx2)
        if said != "OK":
            self._stats["gateway refused"] += 1
            self._publish(station, Log(now, "ERROR", "DOWNLINK_GATEWAY", said))
            return
        item.f_cnt = station.f_cnt_down
        station.f_cnt_down += 1
        self._publish(station, TxAck(self._rng.getrandbits(32), now, item.id, item.f_cnt, self._antennas[gateway],
                                     frequency, sf, RX2_DBM if rx2 else RX1_DBM, delay_s))
        if item.order.confirmed:
            item.pending_until_ns = sent_ns + int(CLASS_C_TIMEOUT_S * NS)
        else:
            self._drop(station, item)
        if self._rng.random() < self._setup.downlink_loss:
            self._stats["lost down"] += 1
        else:
            self._engine.at(sent_ns + delay_s * NS, self._deliver, station, item.order)

    def _deliver(self, station: Station, order: Order) -> None:
        if order.confirmed:
            station.ack_due = True
            self._engine.after(self._rng.uniform(2.5, 4), self._acknowledge_alone, station)
        if station.device is not None:
            station.device.receive(Frame(order.f_port, order.data))

    def _acknowledge_alone(self, station: Station) -> None:
        """A device with nothing to say answers a confirmed downlink with an empty frame."""
        if station.ack_due and station.class_c:
            self._say(station, Frame(0, b""))

    def _drop(self, station: Station, item: QueueItem) -> None:
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
