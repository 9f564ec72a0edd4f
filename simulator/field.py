"""A town at frame level: devices that speak LoRaWAN, the air between, and gateways that speak to a real network server.

The same lamps and bays as before ChirpStack's imitation, but nothing is shared with the server here: what reaches it came
through the air, and it must find the keys, check the counters and answer in time itself. Time is real time, since the
server's is.
"""

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from functools import lru_cache
from random import Random
from types import MappingProxyType

from city.errors import MalformedEvent
from city.ids import AssetId, ZoneId
from city.places import Luminaire, ParkingBay
from city.readings import to_ns
from decoders.catalog import codec_of
from decoders.codec import Frame
from simulator.bay import Bay, Lot
from simulator.bugs import Spoil
from simulator.concentrator import Concentrator, Totals
from simulator.controllers import CONTROLLERS
from simulator.device import EndDevice
from simulator.engine import Engine
from simulator.flights import Spot
from simulator.forwarder import Language, Message, Moment
from simulator.habits import LocalWeek
from simulator.inventory import listens
from simulator.lamp import Lamp, lamp_of
from simulator.makes import Credentials, Kept, Make
from simulator.medium import Medium, Received
from simulator.propagation import GROUND, POLE
from simulator.radio import Weather
from simulator.scenario import BaySite, LampSite, Scenario
from simulator.secrets_of import keys
from simulator.timetable import Sky

STATS_S, ALIVE_S = 30.0, 5.0
JOIN_EUI = "0" * 16
BAY = Make(confirms=True)
BATTERY_LEVELS = 253  # DevStatusAns: 1 (empty) to 254 (full)


class Field:
    """Devices, air and gateways of one town (simulator.town.Town). The same seed and start give the same frames, as long as
    the server says the same. `kept` is what the devices had not forgotten when they were last simulated."""

    def __init__(self, scenario: Scenario, language: Language, *, seed: int, start: datetime,
                 kept: Mapping[str, Kept] | None = None) -> None:
        self.scenario, self._language, self._seed = scenario, language, seed
        self._setup, self._rng = scenario.plan.devices, Random(f"{seed}/field")
        self.stats: Counter[str] = Counter()
        self.engine = Engine(to_ns(start))
        lasting = scenario.plan.weather
        self.weather = Weather(1 - (1 - self._setup.uplink_loss) * (1 - lasting.loss), lasting.attenuation_db, lasting.noise_db)
        self.medium = Medium(self.engine, scenario.antennas, self.weather, seed=seed, uplink=self._heard)
        self.gateways = [Concentrator(self.engine, self.medium, index, seed=seed, gnss=one.gnss)
                         for index, one in enumerate(scenario.antennas)]
        self.clock_ns = [0] * len(scenario.antennas)  # how far each gateway's clock is off
        self.spoilt: dict[str, Spoil] = {}  # what a device's firmware makes of its own frames
        self._index: Mapping[str, int] = {one.gateway.id: index for index, one in enumerate(scenario.antennas)}
        self._before = [Totals() for _ in scenario.antennas]
        self._outbox: list[Message] = []
        self.devices: dict[AssetId, EndDevice] = {}
        kept, sky = kept or {}, Sky(scenario.tenant.site)
        self.lamps: Mapping[AssetId, Lamp] = MappingProxyType(
            {site.lamp.id: self._lamp(site, sky, kept) for site in scenario.lamps})
        self.bays: Mapping[AssetId, Bay] = MappingProxyType({site.bay.id: self._bay(site, kept) for site in scenario.bays})
        self.lots: Mapping[ZoneId, Lot] = MappingProxyType(self._lots())
        self._begin()

    @property
    def command_topics(self) -> tuple[str, ...]:
        """What to subscribe to, or the gateways that have a socket each."""
        return self._language.topics(self.scenario.antennas)

    @property
    def kept(self) -> Mapping[str, Kept]:
        """What the devices must not forget, by DevEUI: a server refuses a DevNonce that it has seen."""
        return {one.who.dev_eui: one.kept for one in self.devices.values()}

    def advance(self, now: datetime) -> list[Message]:
        """Let time pass until `now`; what the gateways say meanwhile, in order."""
        self.engine.run(to_ns(now))
        messages, self._outbox = self._outbox, []
        return messages

    def command(self, topic: str, payload: bytes, now: datetime) -> None:
        """What a server has sent to a gateway. What cannot be read is only counted, as forwarders only log it."""
        self.engine.run(to_ns(now))
        try:
            downlink = self._language.read(topic, payload)
        except MalformedEvent:
            self.stats["commands refused"] += 1
            return
        index = None if downlink is None else self._index.get(downlink.gateway_id)
        if downlink is None or index is None or index in self.weather.down:
            self.stats["other commands"] += 1
            return
        said = self.gateways[index].offer(downlink.items)
        self.stats["downlinks offered"] += 1
        self.stats[f"gateway said {next((one for one in said if one != 'IGNORED'), 'IGNORED')}"] += 1
        self._outbox.append(self._language.ack(downlink, said))

    # -- the town

    def _begin(self) -> None:
        for device in self.devices.values():
            self.engine.after(self._rng.uniform(0, self._setup.join_within_s), device.power_on)
        for index in range(len(self.gateways)):
            self.engine.after(index * STATS_S / (len(self.gateways) + 1), self._say_stats, index)
            self.engine.after(0, self._say_alive, index)

    def _lamp(self, site: LampSite, sky: Sky, kept: Mapping[str, Kept]) -> Lamp:
        device = self._device(site.lamp, site.dev_eui, _make(site.model), kept, self._spot(site))
        lamp = lamp_of(site.model, site.lamp, self._setup, engine=self.engine, sky=sky, rng=self._rng,
                       radio=_Radio(self, device))
        device.attach(lamp, lamp)
        return lamp

    def _bay(self, site: BaySite, kept: Mapping[str, Kept]) -> Bay:
        device = self._device(site.bay, site.dev_eui, BAY, kept, self._spot(site), self._battery_of(site.bay.id))
        bay = Bay(site.bay, codec_of(site.model), missed_edge=self._setup.missed_edge,
                  stuck_per_day=self._setup.stuck_per_day, engine=self.engine, rng=self._rng, radio=_Radio(self, device))
        device.attach(bay)
        return bay

    def _spot(self, site: LampSite | BaySite) -> Spot:
        place, asset = (POLE, site.lamp) if isinstance(site, LampSite) else (GROUND, site.bay)
        return self.medium.spot(site.dev_eui, asset.site, loss_db=place.loss_db, height_m=place.height_m)

    def _device(self, asset: Luminaire | ParkingBay, dev_eui: str, make: Make, kept: Mapping[str, Kept], spot: Spot,
                battery: "_Battery | None" = None) -> EndDevice:
        who = Credentials(dev_eui, JOIN_EUI, keys(self._seed, dev_eui).app_key)
        device = EndDevice(who, make, kept.get(dev_eui), ether=self.medium, spot=spot, engine=self.engine, rng=self._rng,
                           stats=self.stats, ppm=self._rng.uniform(-20, 20), battery=battery)
        self.devices[asset.id] = device
        return device

    def _battery_of(self, asset: AssetId) -> "_Battery":
        return _Battery(self, asset)

    def _lots(self) -> dict[ZoneId, Lot]:
        week = LocalWeek(self.scenario.plan.town.timezone)
        habits = {site.bay.zone: site.habit for site in self.scenario.bays}
        bays: dict[ZoneId, list[Bay]] = {zone: [] for zone in habits}
        for bay in self.bays.values():
            bays[bay.asset.zone].append(bay)
        return {zone: Lot(bays[zone], habit, week, engine=self.engine, rng=self._rng) for zone, habit in habits.items()}

    # -- the gateways

    def _heard(self, index: int, received: Received) -> None:
        self.gateways[index].count(received)
        if received.crc_ok:
            moment = Moment(received.ended_ns + self.clock_ns[index], self.gateways[index].counter(received.ended_ns))
            number = self._rng.getrandbits(32)
            self._outbox.append(self._language.up(self.scenario.antennas[index], received, moment, number))

    def _say_stats(self, index: int) -> None:
        self.engine.after(STATS_S, self._say_stats, index)
        if index not in self.weather.down:
            gateway, now = self.gateways[index], self.engine.now
            moment = Moment(now + self.clock_ns[index], gateway.counter(now))
            self._outbox.append(self._language.stats(self.scenario.antennas[index], gateway.totals, self._before[index], moment))
            self._before[index] = deepcopy(gateway.totals)

    def _say_alive(self, index: int) -> None:
        said = self._language.alive(self.scenario.antennas[index])
        if said is not None:
            self.engine.after(ALIVE_S, self._say_alive, index)
            if index not in self.weather.down:
                self._outbox.append(said)


@lru_cache(maxsize=64)
def _make(model: str) -> Make:
    """How lamp controllers of a model are built."""
    return Make(class_c=listens(model), asks_time=True, remembers=CONTROLLERS[model].keeps_session)


class _Radio:
    """A device as its lamp or sensor speaks through it: what the firmware spoils is spoilt here."""

    __slots__ = ("_device", "_field")

    def __init__(self, field: Field, device: EndDevice) -> None:
        self._field, self._device = field, device

    def send(self, frame: Frame) -> None:
        """An uplink."""
        spoilt, device = self._field.spoilt, self._device
        device.say(spoilt[device.who.dev_eui](frame) if spoilt and device.who.dev_eui in spoilt else frame)

    def rejoin(self) -> None:
        """The device restarts."""
        self._device.rejoin()


class _Battery:
    """What a sensor's radio module says of its battery: 1 to 254 (TS001-1.0.4 §5.5)."""

    __slots__ = ("_asset", "_field")

    def __init__(self, field: Field, asset: AssetId) -> None:
        self._field, self._asset = field, asset

    def __call__(self) -> int:
        return 1 + round(self._field.bays[self._asset].battery * BATTERY_LEVELS / 100)
