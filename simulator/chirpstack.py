"""A town behind an imitation of ChirpStack v4: the same MQTT messages out, the same commands in, no I/O.

`ChirpStack.advance(now)` lets virtual time pass and gives what would have been published; `command` takes what would
have been received. What it imitates: deduplicated uplinks with radio facts, joins, confirmations, device status, log
lines, the downlink queue with its locks and time-outs, and the duty cycle of the gateways. Frames, keys and MAC
commands are not made: between device and server the simulator hands over plain payloads.

Differences that matter: no class B, no multicast (that is gRPC), no codec in the server (`object` is never there).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from random import Random
from types import MappingProxyType

from city.airtime import time_on_air
from city.errors import MalformedEvent
from city.ids import AssetId, ZoneId
from city.readings import NS, to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator import as_protobuf, downlinks
from simulator.as_json import JsonWriter
from simulator.bay import HEARTBEAT_S, Bay, Lot
from simulator.device_queue import LOCK_NS, DeviceQueues, uuid_of
from simulator.engine import Engine
from simulator.events import KINDS, Event, Join, Log, Status, Up, Writer
from simulator.habits import LocalWeek
from simulator.lamp import Lamp
from simulator.radio import NEEDED_SNR, Air
from simulator.scenario import BaySite, LampSite, Scenario
from simulator.station import Station, identity
from simulator.timetable import Sky

COLLECT_S, ANSWER_S = 0.2, 0.1  # deduplication_delay, get_downlink_data_delay
ATTEMPTS = 8  # of a confirmed uplink
JOIN_S = 5.0  # from the accept to the device's first frame
BURIED_DB = 12.0  # what a sensor in the ground loses


class ChirpStack:
    """One town's network server, gateways and devices. The same scenario, seed, start and commands give the same
    messages, byte by byte."""

    def __init__(self, scenario: Scenario, *, seed: int, start: datetime, protobuf: bool = False) -> None:
        self.scenario, self._setup = scenario, scenario.plan.devices
        self._rng = Random(seed)
        self._engine = Engine(to_ns(start))
        self._air = Air(scenario.antennas, loss=self._setup.uplink_loss, rng=self._rng)
        self._writer: Writer = (as_protobuf.ProtobufWriter if protobuf else JsonWriter)(scenario.antennas)
        self._read_command = as_protobuf.read_command if protobuf else downlinks.read_command
        self._outbox: list[tuple[str, bytes]] = []
        self._stations: dict[str, Station] = {}
        self.stats: Counter[str] = Counter()
        self._queues = DeviceQueues(self._setup, scenario.antennas, engine=self._engine, rng=self._rng, stats=self.stats,
                                    publish=self._publish, say=self._send)
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
        if match is None or station is None or match[1] != station.who.application_id or not self._queues.enqueue(
                station, order):
            self.stats["commands refused"] += 1

    @property
    def command_topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        return tuple(f"application/{self.scenario.application(kind)}/device/+/command/+" for kind in ("lamp", "bay"))

    def on_air_s(self, gateway: str) -> float:
        """Seconds that a gateway was on the air in the RX2 band during the last hour; its budget is 360."""
        index = next(i for i, one in enumerate(self.scenario.antennas) if one.gateway.id == gateway)
        return self._queues.transmitters[index].used_s(self._engine.now)

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
        up = Up(uuid_of(bits >> 32), at, session, dr, f_cnt, frame.port, confirmed, frame.data, heard,
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
            if ack:
                self._queues.acknowledged(station, up.id)
        if not station.class_c:
            self._engine.after(ANSWER_S, self._answer_class_a, station, up, frame, attempt)

    def _answer_class_a(self, station: Station, up: Up, frame: Frame, attempt: int) -> None:
        """RX1 after an uplink: the next item of the queue, and the acknowledgement of a confirmed uplink."""
        self._queues.answer(station, up)
        if up.confirmed and self._rng.random() < self._setup.downlink_loss:
            self._repeat(station, up.dev_addr, frame, up.f_cnt, attempt)  # it did not hear our acknowledgement

    def _device_status(self, station: Station) -> None:
        """DevStatusReq, once a day; what the answer says becomes a status event."""
        self._engine.after(HEARTBEAT_S, self._device_status, station)
        station.battery = max(station.battery - self._rng.uniform(0, 0.05), 0.0)
        if station.gateway is not None:
            margin = round(station.link.medians[0][1] - NEEDED_SNR[station.link.dr])
            self._publish(station, Status(self._uuid(), self._engine.now, max(min(margin, 31), -32),
                                          round(round(station.battery * 2.54) / 2.54, 2)))

    # -- out

    def _publish(self, station: Station, event: Event) -> None:
        kind = KINDS[type(event)]
        self.stats[kind] += 1
        self._outbox.append((station.topic + kind, self._writer.write(station.who, event)))

    def _uuid(self) -> str:
        return uuid_of(self._rng.getrandbits(128))
