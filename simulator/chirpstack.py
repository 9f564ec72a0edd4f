"""A town behind an imitation of ChirpStack v4: the same MQTT messages out, the same commands in, no I/O.

`ChirpStack.advance(now)` lets virtual time pass and gives what would have been published; `command` takes what would
have been received. What it imitates: deduplicated uplinks with radio facts, joins, confirmations, device status, log
lines, the downlink queue with its locks and time-outs, and the duty cycle of the gateways. Frames, keys and MAC
commands are not made: between device and server the simulator hands over plain payloads.

Differences that matter: no class B, no multicast (that is gRPC), no codec in the server (`object` is never there).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from random import Random
from types import MappingProxyType

from city.airtime import QUEUE_FRAMES_S, SCHEDULER_S, time_on_air
from city.errors import MalformedEvent
from city.ids import AssetId, DevEui, ZoneId
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator import as_protobuf, downlinks
from simulator.as_json import JsonWriter
from simulator.bay import HEARTBEAT_S, Bay, Lot
from simulator.downlinks import Order, QueueItem, Transmitter
from simulator.engine import Engine
from simulator.events import CHANNELS, KINDS, RX2_HZ, Ack, Event, Join, Log, Status, TxAck, Up, Writer
from simulator.habits import LocalWeek
from simulator.lamp import Lamp
from simulator.radio import MAX_PAYLOAD, NEEDED_SNR, Air
from simulator.scenario import BaySite, LampSite, Scenario
from simulator.station import Station, identity, stranger
from simulator.timetable import Sky

COLLECT_S, ANSWER_S = 0.2, 0.1  # deduplication_delay, get_downlink_data_delay
LOCK_NS = 5 * NS  # class_a_lock_duration after an uplink, class_c_lock_duration between downlinks
CLASS_C_TIMEOUT_S = 10.0  # the device profile's: how long a confirmed downlink waits for its acknowledgement
ATTEMPTS = 8  # of a confirmed uplink
JOIN_S = 5.0  # from the accept to the device's first frame
BURIED_DB = 12.0  # what a sensor in the ground loses
RX2_DBM, RX1_DBM = 29, 16


@dataclass(frozen=True, slots=True)
class Mischief:
    """Shares of messages that go wrong on purpose: sent twice, cut short, or from a device that nobody knows."""

    duplicates: float = 0.0
    bad_json: float = 0.0
    strangers: float = 0.0


class ChirpStack:
    """One town's network server, gateways and devices. The same scenario, seed, start and commands give the same
    messages, byte by byte."""

    def __init__(self, scenario: Scenario, *, seed: int, start: datetime, protobuf: bool = False,
                 mischief: Mischief | None = None) -> None:
        self.scenario, self._setup = scenario, scenario.plan.devices
        self._rng = Random(seed)
        self._engine = Engine(to_ns(start))
        self._air = Air(scenario.antennas, loss=self._setup.uplink_loss, rng=self._rng)
        self._writer: Writer = (as_protobuf.ProtobufWriter if protobuf else JsonWriter)(scenario.antennas)
        self._read_command = as_protobuf.read_command if protobuf else downlinks.read_command
        self._mischief = mischief
        self._outbox: list[tuple[str, bytes]] = []
        self._transmitters = [Transmitter() for _ in scenario.antennas]
        self._stations: dict[str, Station] = {}
        self._queued: set[str] = set()  # ids of items in any queue: the primary key of ChirpStack's table
        self._waiting: dict[Station, None] = {}  # class C devices with something in their queue
        self._ticking = False
        self.stats: Counter[str] = Counter()
        sky = Sky(scenario.tenant.site)
        self.lamps: Mapping[AssetId, Lamp] = MappingProxyType(
            {site.lamp.id: self._lamp(site, sky) for site in scenario.lamps})
        self.bays: Mapping[AssetId, Bay] = MappingProxyType({site.bay.id: self._bay(site) for site in scenario.bays})
        self.lots: Mapping[ZoneId, Lot] = MappingProxyType(self._lots())
        for station in self._stations.values():
            self._engine.after(self._rng.uniform(0, self._setup.join_within_s), self._join, station)

    def advance(self, now: datetime) -> list[tuple[str, bytes]]:
        """Let time pass until `now`; the messages (topic, payload) since the last call, in order."""
        self._engine.run(to_ns(now))
        messages, self._outbox = self._outbox, []
        return messages

    def command(self, topic: str, payload: bytes, now: datetime) -> None:
        """A message on a command topic. What is wrong with it is only counted (`stats`), as ChirpStack only logs it."""
        self._engine.run(to_ns(now))
        match = downlinks.TOPIC.match(topic)
        station = self._stations.get(match[2]) if match else None
        try:
            order = self._read_command(payload)
        except MalformedEvent:
            station = None
        if match is None or station is None or match[1] != station.who.application_id or not self._enqueue(
                station, order):
            self.stats["commands refused"] += 1

    @property
    def command_topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        return tuple(f"application/{self.scenario.application(kind)}/device/+/command/+" for kind in ("lamp", "bay"))

    def on_air_s(self, gateway: str) -> float:
        """Seconds that a gateway was on the air in the RX2 band during the last hour; its budget is 360."""
        index = next(i for i, one in enumerate(self.scenario.antennas) if one.gateway.id == gateway)
        return self._transmitters[index].used_s(self._engine.now)

    # -- the town

    def _lamp(self, site: LampSite, sky: Sky) -> Lamp:
        station = self._station(site)
        lamp = Lamp(site.lamp, codec_of(site.device.model), self._setup, engine=self._engine, sky=sky, rng=self._rng,
                    send=lambda frame: self._send(station, frame), rejoin=lambda: self._rejoin(station))
        station.device = lamp
        return lamp

    def _bay(self, site: BaySite) -> Bay:
        station = self._station(site)
        bay = Bay(site.bay, codec_of(site.device.model), missed_edge=self._setup.missed_edge, engine=self._engine,
                  rng=self._rng, send=lambda frame: self._send(station, frame))
        station.device = bay
        station.battery = self._rng.uniform(86, 100)
        self._engine.after(self._rng.uniform(60, HEARTBEAT_S), self._device_status, station)
        return bay

    def _station(self, site: LampSite | BaySite) -> Station:
        asset = site.lamp if isinstance(site, LampSite) else site.bay
        who = identity(self.scenario, asset, site.device)
        link = self._air.link(asset.site, buried_db=BURIED_DB if asset.kind == "bay" else 0.0)
        station = Station(who, f"application/{who.application_id}/device/{who.dev_eui}/event/", link)
        self._stations[who.dev_eui] = station
        return station

    def _lots(self) -> dict[ZoneId, Lot]:
        week = LocalWeek(self.scenario.plan.town.timezone)
        habits = {site.bay.zone: site.habit for site in self.scenario.bays}
        bays: dict[ZoneId, list[Bay]] = {zone: [] for zone in habits}
        for bay in self.bays.values():
            bays[bay.asset.zone].append(bay)
        return {zone: Lot(bays[zone], habit, week, engine=self._engine, rng=self._rng)
                for zone, habit in habits.items()}

    # -- up

    def _join(self, station: Station) -> None:
        station.begin_session(f"{0x0100_0000 | self._rng.getrandbits(24):08x}")
        self._publish(station, Join(self._uuid(), self._engine.now, station.dev_addr))
        if station.device is not None:
            self._engine.after(JOIN_S + self._rng.uniform(0.5, 3), station.device.start)

    def _rejoin(self, station: Station) -> None:
        self._engine.after(self._rng.uniform(2, 12), self._join, station)

    def _send(self, station: Station, frame: Frame) -> None:
        confirmed = not station.class_c  # the bay sensor's default; lamps ask for no confirmation
        self._transmit(station, station.dev_addr, frame, confirmed, station.f_cnt_up, 1)
        station.f_cnt_up += 1

    def _transmit(self, station: Station, session: str, frame: Frame, confirmed: bool, f_cnt: int,
                  attempt: int) -> None:
        """One attempt on the air; a confirmed uplink that nobody hears is repeated under the same counter."""
        if station.dev_addr != session:
            return
        heard = self._air.hear(station.link)
        ack, station.ack_due = station.ack_due, False
        if not heard:
            self.stats["lost up"] += 1
            if confirmed:
                self._repeat(station, session, frame, f_cnt, attempt)
            return
        bits, dr = self._rng.getrandbits(163), station.link.dr
        at = self._engine.now + int(time_on_air(len(frame.data), 12 - dr, crc=True) * NS) + (bits >> 140 & 0x3FF)
        up = Up(_uuid(bits >> 32), at, session, dr, f_cnt, frame.port, confirmed, frame.data, heard,
                bits >> 160, bits & 0xFFFF_FFFF)
        self._engine.at(at + int(COLLECT_S * NS), self._collected, station, up, frame, ack, attempt)

    def _repeat(self, station: Station, session: str, frame: Frame, f_cnt: int, attempt: int) -> None:
        if attempt < ATTEMPTS:
            self._engine.after(self._rng.uniform(3, 10), self._transmit, station, session, frame, True, f_cnt,
                               attempt + 1)

    def _collected(self, station: Station, up: Up, frame: Frame, ack: bool, attempt: int) -> None:
        """All gateways' copies are there: what the server does with an uplink."""
        if up.dev_addr != station.dev_addr:
            return
        station.gateway, station.locked_until_ns = up.heard[0].antenna, self._engine.now + LOCK_NS
        if up.f_cnt <= station.heard_f_cnt:
            self._publish(station, Log(
                self._engine.now, "WARNING", "UPLINK_F_CNT_RETRANSMISSION",
                "Uplink was flagged as re-transmission / frame-counter did not increment",
                {"deduplication_id": up.id, "f_cnt_up": str(up.f_cnt)}))
        else:
            station.heard_f_cnt = up.f_cnt
            self._publish(station, up)
            self._acknowledge(station, up, ack)
        if not station.class_c:
            self._engine.after(ANSWER_S, self._answer_class_a, station, up, frame, attempt)

    def _acknowledge(self, station: Station, up: Up, ack: bool) -> None:
        item = next((item for item in station.queue if item.pending_until_ns is not None), None)
        if item is not None and ack:
            self._drop(station, item)
            self._publish(station, Ack(up.id, self._engine.now, item.id, True, item.f_cnt))

    def _device_status(self, station: Station) -> None:
        """DevStatusReq, once a day; what the answer says becomes a status event."""
        self._engine.after(HEARTBEAT_S, self._device_status, station)
        station.battery = max(station.battery - self._rng.uniform(0, 0.05), 0.0)
        if station.gateway is not None:
            margin = round(station.link.medians[0][1] - NEEDED_SNR[station.link.dr])
            self._publish(station, Status(self._uuid(), self._engine.now, max(min(margin, 31), -32),
                                          round(round(station.battery * 2.54) / 2.54, 2)))

    # -- down

    def _enqueue(self, station: Station, order: Order) -> bool:
        if order.dev_eui != station.who.dev_eui or not 0 < order.f_port < 256 or order.id in self._queued:
            return False
        item = QueueItem(order.id or self._uuid(), order)
        station.queue.append(item)
        self._queued.add(item.id)
        if station.class_c:
            self._waiting[station] = None
            self._wind_up()
        return True

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
        if item is None:
            if not station.queue:
                self._waiting.pop(station, None)
            return
        station.locked_until_ns = self._engine.now + LOCK_NS
        self._dispatch(station, item, sf=sf, frequency=RX2_HZ, delay_s=0)
        if not station.queue:
            self._waiting.pop(station, None)

    def _answer_class_a(self, station: Station, up: Up, frame: Frame, attempt: int) -> None:
        """RX1 after an uplink: the next item of the queue, and the acknowledgement of a confirmed uplink."""
        item = self._next(station, MAX_PAYLOAD[up.dr], up.id)
        if item is not None:
            self._dispatch(station, item, sf=12 - up.dr, frequency=CHANNELS[up.channel], delay_s=1)
        if up.confirmed and self._rng.random() < self._setup.downlink_loss:
            self._repeat(station, up.dev_addr, frame, up.f_cnt, attempt)  # it did not hear our acknowledgement

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
            elif item.order.expires_ns is not None and item.order.expires_ns <= now:
                self._drop(station, item)
                self._publish(station, Log(now, "ERROR", "EXPIRED", "Device queue-item discarded because it has expired",
                                           {"queue_item_id": item.id}))
            elif len(item.order.data) > most:
                self._drop(station, item)
                self._publish(station, Log(
                    now, "ERROR", "DOWNLINK_PAYLOAD_SIZE",
                    "Device queue-item discarded because it exceeds the max. payload size",
                    {"max_payload_size": str(most), "item_size": str(len(item.order.data)), "queue_item_id": item.id}))
            else:
                return item
        return None

    def _dispatch(self, station: Station, item: QueueItem, *, sf: int, frequency: int, delay_s: int) -> None:
        """Hand an item to the gateway that heard the device best; a refusal leaves the item where it is."""
        gateway = station.gateway or 0  # nobody gets here before the session's first uplink
        now, rx2 = self._engine.now, delay_s == 0
        airtime = time_on_air(len(item.order.data), sf)
        said, sent_ns = self._transmitters[gateway].send(now, airtime, rx2=rx2)
        if said != "OK":
            self.stats["gateway refused"] += 1
            self._publish(station, Log(now, "ERROR", "DOWNLINK_GATEWAY", said))
            return
        item.f_cnt = station.f_cnt_down
        station.f_cnt_down += 1
        self._publish(station, TxAck(self._rng.getrandbits(32), now, item.id, item.f_cnt,
                                     self.scenario.antennas[gateway], frequency, sf,
                                     RX2_DBM if rx2 else RX1_DBM, delay_s))
        if item.order.confirmed:
            item.pending_until_ns = sent_ns + int(CLASS_C_TIMEOUT_S * NS)
        else:
            self._drop(station, item)
        if self._rng.random() < self._setup.downlink_loss:
            self.stats["lost down"] += 1
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
            self._send(station, Frame(0, b""))

    def _drop(self, station: Station, item: QueueItem) -> None:
        station.queue.remove(item)
        self._queued.discard(item.id)

    # -- out

    def _publish(self, station: Station, event: Event) -> None:
        kind = KINDS[type(event)]
        self.stats[kind] += 1
        payload = self._writer.write(station.who, event)
        self._outbox.append((station.topic + kind, payload))
        if self._mischief is not None:
            self._do_mischief(self._mischief, station, event, payload)

    def _do_mischief(self, mischief: Mischief, station: Station, event: Event, payload: bytes) -> None:
        topic, rng = station.topic + KINDS[type(event)], self._rng
        if rng.random() < mischief.duplicates:
            self._outbox.append((topic, payload))
        if rng.random() < mischief.bad_json:
            self._outbox.append((topic, payload[:rng.randrange(len(payload))]))
        if rng.random() < mischief.strangers:
            nobody = DevEui(f"70b3d57effff{rng.getrandbits(16):04x}")
            self._outbox.append((topic.replace(station.who.dev_eui, nobody),
                                 self._writer.write(stranger(station.who, nobody), event)))

    def _uuid(self) -> str:
        return _uuid(self._rng.getrandbits(128))


def _uuid(bits: int) -> str:
    """A UUID of version 4 from random bits."""
    text = f"{bits & (1 << 128) - 1:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


