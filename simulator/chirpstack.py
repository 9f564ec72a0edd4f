"""A town behind an imitation of ChirpStack v4: the same MQTT messages out, the same commands in, no I/O.

`ChirpStack.advance(now)` lets virtual time pass and gives what would have been published; `command` takes what would
have been received. What it imitates: deduplicated uplinks with radio facts, joins, confirmations, device status, log
lines, the downlink queue with its locks and time-outs, multicast, and the duty cycle of the gateways. What gRPC would
change is changed through `registry`, `queues`, `multicast` and `sessions` (simulator.grpc_api is their door). Frames and
MAC commands are not made: between device and server the simulator hands over plain payloads.

Differences that matter: no class B; a profile's script is run only where a `codec` is given.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Literal

import msgspec

from city.errors import BadInput, MalformedEvent, Refused
from city.ids import AssetId, ZoneId
from city.readings import to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator import as_protobuf, downlinks
from simulator.as_json import JsonWriter
from simulator.bay import HEARTBEAT_S, Bay, Lot
from simulator.bugs import Buggy, Spoil
from simulator.carrier import Builder, Chance
from simulator.device_queue import COLLECT_NS, DeviceQueues, uuid_of
from simulator.engine import Engine
from simulator.events import KINDS, Event, Join, Status, TxAck, Up, Writer, battery_level
from simulator.extras import Codec, Extras
from simulator.fleet import Fleet
from simulator.habits import LocalWeek
from simulator.inventory import Inventory, inventory
from simulator.lamp import Lamp, lamp_of
from simulator.makes import is_confirmed
from simulator.multicast import Multicasts
from simulator.provisioned import Registered
from simulator.radio import NEEDED_SNR, Air, Heard, Link, Weather
from simulator.registry import Registry
from simulator.scenario import BaySite, LampSite, Scenario
from simulator.sessions import Sessions, not_new, retry_s
from simulator.station import Family, Station, Witness, family
from simulator.timetable import Sky

ANSWER_S = 0.1  # get_downlink_data_delay
ATTEMPTS = 8  # of a confirmed uplink
JOIN_S = 5.0  # from the accept to the device's first frame
BURIED_DB = 12.0  # what a sensor in the ground loses
STATUS_LEAST_S = 60.0  # between two requests of a device's status, whatever the profile says
UNANSWERED_MOST = 64 + 32  # ADR_ACK_LIMIT and ADR_ACK_DELAY
NOWHERE = Link((), 0)
Misbehaviour = Literal["counter", "nonces", "key"]


class ChirpStack:
    """One town's network server, gateways and devices. The same scenario, seed, start and commands give the same
    messages, byte by byte."""

    def __init__(self, scenario: Scenario, *, seed: int, start: datetime, protobuf: bool = False, known: bool = True,
                 legacy: bool = False, codec: Codec | None = None, carried_by: Builder = Chance) -> None:
        """`known`: the server has been told of the whole town; otherwise its devices call in vain until it is. `legacy`:
        also the events `location` and `integration` of servers before 4.15. `carried_by`: what becomes of frames."""
        self.scenario, self._setup, self._known = scenario, scenario.plan.devices, known
        self._rng, ids = Random(seed), Random(f"{seed}/ids")
        engine = self._engine = Engine(to_ns(start))
        self._air = Air(scenario.antennas, loss=self._setup.uplink_loss, rng=self._rng, seed=seed)
        weather, lasting = self._air.weather, scenario.plan.weather
        weather.attenuation_db, weather.noise_db = lasting.attenuation_db, lasting.noise_db
        weather.loss = 1 - (1 - weather.loss) * (1 - lasting.loss)
        self._spoilt: dict[str, Spoil] = {}  # what a device's firmware makes of its own frames
        self._outbox: list[tuple[str, bytes]] = []
        self._stations: dict[str, Station] = {}
        self.stats: Counter[str] = Counter()
        self.witness: Witness | None = None  # is told of each frame, and of who heard it
        self.registry = Registry(lambda: self._engine.now, lambda: uuid_of(ids.getrandbits(128)), changed=self._changed,
                                 forgotten=self._forgotten)
        self.fleet = Fleet(scenario.antennas, self.registry, self._engine)
        self._writer: Writer = (as_protobuf.ProtobufWriter if protobuf else JsonWriter)(scenario.antennas,
                                                                                       self.fleet.clock_ns)
        self._read_command = as_protobuf.read_command if protobuf else downlinks.read_command
        self.carrier = carried_by(scenario, self._air, self.fleet, engine=engine, rng=self._rng, stats=self.stats, seed=seed)
        self.queues = DeviceQueues(self._setup, self.fleet, self.carrier, engine=self._engine, rng=self._rng, stats=self.stats,
                                   publish=self._publish, say=self.send, patience=self._patience)
        self.multicast = Multicasts(self.registry, self.fleet, self._stations, self.carrier, engine=self._engine,
                                    stats=self.stats)
        self.sessions = Sessions(self.registry, self._stations, self.queues, seed=seed)
        self._extras = Extras(self.registry, codec=codec, legacy=legacy, antennas=scenario.antennas)
        self._build(inventory(scenario, seed=seed))
        if not known:
            self._forget_all()
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
        try:
            match = downlinks.TOPIC.match(topic)
            order = self._read_command(payload)
            if match is None or order.dev_eui != match[2]:
                raise MalformedEvent("This is no DownlinkCommand: {what}", what="topic and devEui differ")
            if self.registry.devices.get(match[2]).application_id != match[1]:
                raise MalformedEvent("This is no DownlinkCommand: {what}", what="another application's device")
            self.queues.enqueue(self.station(match[2]), order)
        except (BadInput, Refused):
            self.stats["commands refused"] += 1

    @property
    def command_topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        if not self._known:
            return ("application/+/device/+/command/+",)
        return tuple(f"application/{self.scenario.application(kind)}/device/+/command/+" for kind in ("lamp", "bay"))

    @property
    def now_ns(self) -> int:
        """The virtual time that has been reached."""
        return self._engine.now

    def station(self, dev_eui: str) -> Station:
        """A provisioned device as the server sees it; one that is nowhere in the town never speaks. Raises NotFound."""
        self.registry.devices.get(dev_eui)
        return self._stations[dev_eui]

    @property
    def stations(self) -> Mapping[str, Station]:
        """Every device by DevEUI, those too that the server has not been told of."""
        return self._stations

    def on_air_s(self, gateway: str) -> float:
        """Seconds that a gateway was on the air in the RX2 band during the last hour; its budget is 360."""
        return self.fleet.used_s(next(i for i, one in enumerate(self.scenario.antennas) if one.gateway.id == gateway))

    def misbehave(self, dev_eui: str, how: Misbehaviour) -> None:
        """Let a device lose its uplink counter ("counter"), or join anew having lost its DevNonces ("nonces") or with
        the wrong key ("key"). Raises NotFound."""
        station = self.station(dev_eui)
        if how == "counter":
            station.f_cnt_up = 0
            return
        if how == "nonces":
            station.nonce = 0
        station.bad_key = how == "key"
        self.rejoin(station)

    @property
    def joined(self) -> int:
        """How many devices share a session with the server."""
        return sum(station.in_session for station in self._stations.values())

    @property
    def weather(self) -> Weather:
        """The radio's, to be changed while the town lives."""
        return self._air.weather

    def power(self, asset: AssetId, *, on: bool) -> None:
        """A lamp's feeder loses its power, or has it again. Raises KeyError."""
        (self.lamps[asset].restore if on else self.lamps[asset].cut)()

    def join_again(self, dev_eui: str, after_s: float) -> None:
        """A device joins anew after so long; what it has in mind until then goes on. Raises KeyError."""
        self._engine.after(after_s, self.rejoin, self._stations[dev_eui])

    def spoil(self, dev_eui: str, *, said: Spoil | None, heard: Spoil | None, deaf: bool = False) -> None:
        """From now on a device says and hears frames as these make them, or hears none; without any it is well again.
        Raises KeyError."""
        station = self._stations[dev_eui]
        if isinstance(station.device, Buggy):
            station.device = station.device.device
        self._spoilt.pop(dev_eui, None)
        if said is not None:
            self._spoilt[dev_eui] = said
        if station.device is not None and (heard is not None or deaf):
            station.device = Buggy(station.device, None if deaf else heard)

    # -- the town

    def _build(self, whole: Inventory) -> None:
        """Every device stands there, and the server knows of all of them."""
        self.registry.fill(whole)
        sky = Sky(self.scenario.tenant.site)
        self.lamps: Mapping[AssetId, Lamp] = MappingProxyType(
            {site.lamp.id: self._lamp(site, sky) for site in self.scenario.lamps})
        self.bays: Mapping[AssetId, Bay] = MappingProxyType(
            {site.bay.id: self._bay(site) for site in self.scenario.bays})
        self.lots: Mapping[ZoneId, Lot] = MappingProxyType(self._lots())

    def _forget_all(self) -> None:
        """A server as after its installation."""
        self.registry.delete_tenant(self.scenario.tenant.chirpstack_tenant)

    def _lamp(self, site: LampSite, sky: Sky) -> Lamp:
        station = self._station(site)
        lamp = lamp_of(site.model, site.lamp, self._setup, engine=self._engine, sky=sky, rng=self._rng, radio=station)
        station.device = lamp
        self.multicast.listen(station, lamp)
        return lamp

    def _bay(self, site: BaySite) -> Bay:
        station = self._station(site)
        bay = Bay(site.bay, codec_of(site.model), missed_edge=self._setup.missed_edge,
                  stuck_per_day=self._setup.stuck_per_day, engine=self._engine, rng=self._rng, radio=station)
        station.device = bay
        station.battery = bay.battery
        station.confirms = station.status_due = True  # the bay sensor's default; lamps ask for no confirmation
        self._engine.after(self._rng.uniform(60, HEARTBEAT_S), self._device_status, station)
        return bay

    def _station(self, site: LampSite | BaySite) -> Station:
        asset = site.lamp if isinstance(site, LampSite) else site.bay
        record = self.registry.devices.get(site.dev_eui)
        buried_db = BURIED_DB if asset.kind == "bay" else 0.0
        link = self._air.link(asset.site, dev_eui=site.dev_eui, buried_db=buried_db)
        station = Station(record, self._family(record), link, self)
        self._stations[record.dev_eui] = station
        self.carrier.place(station, asset.site, buried_db)
        return station

    def _lots(self) -> dict[ZoneId, Lot]:
        week = LocalWeek(self.scenario.plan.town.timezone)
        habits = {site.bay.zone: site.habit for site in self.scenario.bays}
        bays: dict[ZoneId, list[Bay]] = {zone: [] for zone in habits}
        for bay in self.bays.values():
            bays[bay.asset.zone].append(bay)
        return {zone: Lot(bays[zone], habit, week, engine=self._engine, rng=self._rng) for zone, habit in habits.items()}

    # -- what the server was told

    def _family(self, device: Registered) -> Family:
        registry = self.registry
        application, profile = registry.applications.get(device.application_id), registry.profiles.get(device.device_profile_id)
        return family(registry.tenant_of(application.id), application, profile)

    def _changed(self, dev_eui: str) -> None:
        device = self.registry.devices.get(dev_eui)
        station, told = self._stations.get(dev_eui), self._family(device)
        if station is None:  # provisioned, but not in this town
            station = self._stations[dev_eui] = Station(device, told, NOWHERE, self)
        if station.in_session:  # a session keeps its class
            told = told.of_class(station.family.device_class)
        station.record, station.family, station.known = device, told, not device.is_disabled
        if self._status_interval_s(station) is not None and not station.status_due:
            station.status_due = True
            self._engine.after(self._rng.uniform(60, HEARTBEAT_S), self._device_status, station)

    def _forgotten(self, dev_eui: str) -> None:
        station = self._stations[dev_eui]
        self.queues.flush(station, pending=True)
        station.known = False
        station.forget_session()
        if station.device is None:
            del self._stations[dev_eui]

    def _patience(self, station: Station) -> int:
        return self.registry.profiles.get(station.family.profile_id).class_c_timeout

    def _status_interval_s(self, station: Station) -> float | None:
        profile = self.registry.profiles.find(station.family.profile_id)
        rate = profile.device_status_req_interval if profile is not None else 0
        return max(86_400 / rate, STATUS_LEAST_S) if rate else None

    # -- up

    def _join(self, station: Station) -> None:
        """A join-request, and the server's answer; without one the device asks again, less and less often."""
        verdict = self.sessions.verdict(station, self._engine.now, self._uuid) if not self._air_is_mute(station) else None
        station.nonce += 1
        if verdict != "accepted":
            if verdict is not None:
                self._publish(station, verdict)
            self.stats["joins refused"] += 1
            self._engine.after(retry_s(station, self._engine.now, self._rng), self._join, station)
            return
        profile = self.registry.profiles.get(station.family.profile_id)
        station.begin_session(f"{0x0100_0000 | self._rng.getrandbits(24):08x}")
        station.record = self.registry.devices.get(station.dev_eui)
        station.family = self._family(station.record)
        if profile.flush_queue_on_activate:
            self.queues.flush(station, pending=True)
        self._publish(station, Join(self._uuid(), self._engine.now, station.dev_addr))
        self.queues.look_at(station)
        if station.device is not None:
            self._engine.after(JOIN_S + self._rng.uniform(0.5, 3), station.device.start)

    def _air_is_mute(self, station: Station) -> bool:
        """Whether no gateway within reach is on the net and known."""
        return not self.fleet.listening([Heard(index, 0, snr) for index, snr in station.link.medians])

    def rejoin(self, station: Station) -> None:
        """A device has restarted, and joins soon."""
        self._engine.after(self._rng.uniform(2, 12), self._join, station)

    def send(self, station: Station, frame: Frame) -> None:
        """A device's next uplink."""
        if self._spoilt and station.dev_eui in self._spoilt:
            frame = self._spoilt[station.dev_eui](frame)
        self._transmit(station, station.dev_addr, frame, station.f_cnt_up, 1)
        station.f_cnt_up += 1

    def _transmit(self, station: Station, session: str, frame: Frame, f_cnt: int, attempt: int) -> None:
        """One attempt on the air; a confirmed uplink that nobody hears is repeated under the same counter."""
        if station.dev_addr == session:
            self.carrier.up(station, frame, f_cnt, partial(self._landed, station, session, frame, f_cnt, attempt))

    def _landed(self, station: Station, session: str, frame: Frame, f_cnt: int, attempt: int, copies: list[Heard],
                ended_ns: int) -> None:
        """The gateways that are there have these copies of it, the best first."""
        heard = self.fleet.listening(copies)
        ack, station.ack_due = station.ack_due, False
        if self.witness is not None:
            self.witness.up(station, frame, f_cnt, heard)
        confirmed = is_confirmed(frame, station.confirms)
        if not heard:
            self.stats["lost up"] += 1
            if confirmed:
                self._repeat(station, session, frame, f_cnt, attempt)
            return
        bits, dr = self._rng.getrandbits(163), station.link.dr
        at = ended_ns + (bits >> 140 & 0x3FF)
        done = at + COLLECT_NS
        up = Up(uuid_of(bits >> 32), at, session, dr, f_cnt, frame.port, confirmed, frame.data, heard,
                bits >> 160, bits & 0xFFFF_FFFF, self.fleet.time_of(heard, at, done))
        self._engine.at(done, self._collected, station, up, frame, ack, attempt)

    def _repeat(self, station: Station, session: str, frame: Frame, f_cnt: int, attempt: int) -> None:
        if attempt < ATTEMPTS:
            self._engine.after(self._rng.uniform(3, 10), self._transmit, station, session, frame, f_cnt, attempt + 1)

    def _collected(self, station: Station, up: Up, frame: Frame, ack: bool, attempt: int) -> None:
        """All gateways' copies are there: what the server does with an uplink."""
        if up.dev_addr != station.dev_addr:
            return
        if not station.known or not station.in_session:  # its MIC fits no session: no event at all
            self._unheard(station)
            return
        station.was_heard([one.antenna for one in up.heard], self._engine.now)
        if up.f_cnt > station.heard_f_cnt or self.sessions.counts_freely(station):
            station.heard_f_cnt = up.f_cnt
            for event in self._extras.of(station, up, self._engine.now):
                self._publish(station, event)
            if ack:
                self.queues.acknowledged(station, up.id)
        else:
            self._publish(station, not_new(up, station.heard_f_cnt, self._engine.now))
            if up.f_cnt < station.heard_f_cnt:
                return
        if not station.class_c:
            self._engine.after(ANSWER_S, self._answer_class_a, station, up, frame, attempt)

    def _unheard(self, station: Station) -> None:
        """A device that is answered nothing joins anew in the end (ADR_ACK_LIMIT + ADR_ACK_DELAY)."""
        station.unanswered += 1
        if station.unanswered == UNANSWERED_MOST:
            self.rejoin(station)

    def _answer_class_a(self, station: Station, up: Up, frame: Frame, attempt: int) -> None:
        """RX1 after an uplink: the next item of the queue, and the acknowledgement of a confirmed uplink."""
        if station.in_session:
            self.queues.answer(station, up)
        if up.confirmed and self._rng.random() < self._setup.downlink_loss:
            self._repeat(station, up.dev_addr, frame, up.f_cnt, attempt)  # it did not hear our acknowledgement

    def _device_status(self, station: Station) -> None:
        """DevStatusReq, at the profile's rate; what the answer says becomes a status event."""
        interval_s = self._status_interval_s(station)
        if interval_s is None:
            station.status_due = False
            return
        self._engine.after(interval_s, self._device_status, station)
        if isinstance(station.device, Bay):
            station.battery = station.device.battery
        if station.gateway is not None and station.link.medians:
            margin = round(station.link.medians[0][1] - NEEDED_SNR[station.link.dr])
            station.margin = max(min(margin, 31), -32)
            self._publish(station, Status(self._uuid(), self._engine.now, station.margin, battery_level(station.battery)))

    # -- out

    def _publish(self, station: Station, event: Event) -> None:
        kind = KINDS[type(event)]
        self.stats[kind] += 1
        who = station.who
        if isinstance(event, TxAck) and self.registry.applications.get(who.application_id).tags:
            who = msgspec.structs.replace(who, tags=self.registry.tags_of(station.record, application=False))
        self._outbox.append((f"application/{who.application_id}/device/{who.dev_eui}/event/{kind}",
                             self._writer.write(who, event)))

    def _uuid(self) -> str:
        return uuid_of(self._rng.getrandbits(128))
