"""A town of simulated lamps whose frames go straight into the bridge's own pipeline and inspection, in virtual time.

Physics, controllers and frames are the simulator's; decoding, judging, correlating are the bridge's. What is left out is what
neither needs to be judged by: JSON, broker, database. Each gateway loses frames by chance; night-switched feeders cut their
controllers' power by day.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

from msgspec import structs

from city.alarms import Alarm
from city.errors import BadInput
from city.faults import Want
from city.ids import AssetId, CircuitId, DevEui, GatewayId, TenantId, ZoneId
from city.incidents import Incident
from city.inspecting import Found, Inspected, inspect
from city.nights import Night
from city.orders import Profile, ProfileStep, StatusInterval, to_json
from city.places import Device, Luminaire, Restriction, Site, Tenant
from city.programs import Programming
from city.readings import DeviceState, from_ns, to_ns
from city.store.ports import Known, Registered
from city.wants import Wants
from decoders.catalog import codec_of
from decoders.codec import Frame
from gateway_bridge.events import Joined, Uplink
from gateway_bridge.inspect import lamps_of, wanted
from gateway_bridge.pipeline import handle
from simulator.engine import Engine
from simulator.lamp import Lamp
from simulator.plan import Devices
from simulator.timetable import Sky

TOWN, SITE = TenantId("labor"), Site(50.99, 8.11)
MODELS = (("nas/ul20xx", 0.8), ("stadtfunk/lamp", 0.2))
POWERS = (25.0, 40.0, 64.0)
GATEWAYS = tuple(GatewayId(f"{number:016x}") for number in range(1, 5))
PER_CIRCUIT, NIGHT_FED = 40, 3  # lamps; every third circuit
LOOK = timedelta(minutes=5)
_HALBNACHT = (ProfileStep(0, 50), ProfileStep(4 * 60, None), ProfileStep(21 * 60, 50))
LOSS = 0.05  # of a frame at each gateway


@dataclass(slots=True)
class LabLamp:
    """One lamp: what it is, what simulates it, what the bridge knows of it."""

    asset: Luminaire
    gateways: tuple[GatewayId, ...]
    known: Known
    lab: "Laboratory"
    lamp: Lamp = field(init=False)
    number: int = 0
    seen: Known | None = None
    f_cnt: int = 0
    session: int = 0

    def send(self, frame: Frame) -> None:
        """Its radio: heard by each gateway that is up and has luck."""
        self.f_cnt += 1
        heard = tuple((gateway, -90.0 - 6 * place, 8.0 - 4 * place) for place, gateway in enumerate(self.gateways)
                      if gateway not in self.lab.down and self.lab.rng.random() >= LOSS)
        if heard:
            self.lab.uplink(self, frame, heard)

    def rejoin(self) -> None:
        """Its radio joins anew, a little later; without a gateway, or with a dead radio, it tries on."""
        self.lab.engine.after(self.lab.rng.uniform(5, 90), self.join)

    def join(self) -> None:
        if self.lamp.fault == "silent" or all(gateway in self.lab.down for gateway in self.gateways):
            self.lab.engine.after(self.lab.rng.uniform(60, 600), self.join)
            return
        if self.lamp.powered:
            self.session, self.f_cnt = self.session + 1, 0
            self.lab.joined(self)
            self.lamp.start()


class Laboratory:
    """The town, its bridge and their time."""

    def __init__(self, lamps: int, start: datetime, seed: int = 1, interval_s: int = 3600) -> None:
        self.rng, self.engine = Random(seed), Engine(to_ns(start))
        self.start, self.now, self.interval_s = start, start, interval_s
        self.config = {"StatusInterval": to_json(StatusInterval(interval_s)).decode()}  # as the lamps have confirmed it
        self.down: set[GatewayId] = set()
        self.cut: dict[CircuitId, int] = defaultdict(int)
        self.tenant = Tenant(TOWN, "Labor", SITE)
        self.programming, self.memory = Programming(SITE), Inspected()
        self.incidents: dict[str, Incident] = {}
        self.alarms: dict[str, Alarm] = {}
        self.uplinks = self.unread = 0
        sky = Sky(SITE)
        self.lamps = {one.asset.id: one for one in (self._lamp(number, lamps, sky) for number in range(lamps))}
        self.circuits: dict[CircuitId, list[LabLamp]] = defaultdict(list)
        for number, one in enumerate(self.lamps.values()):
            one.number = number
        self._seen = lamps_of([one.known for one in self.lamps.values()])
        for one in self.lamps.values():
            self.circuits[CircuitId(str(one.asset.circuit))].append(one)
        self.night_fed = frozenset(sorted(self.circuits)[2::NIGHT_FED])
        for one in self.lamps.values():
            self.engine.after(self.rng.uniform(0, 3000), self._begin, one)
        for name in sorted(self.night_fed):
            self._feed(name, start.date())

    def run(self, until: datetime) -> Iterator[tuple[datetime, Found]]:
        """Let time pass, and look every five minutes."""
        while self.now < until:
            self.now += LOOK
            self.engine.run(to_ns(self.now))
            yield self.now, self._look()

    # -- what happens to it

    def power(self, circuit: CircuitId, *, on: bool) -> None:
        """Its feeder, cut for one reason more or less."""
        self.cut[circuit] += -1 if on else 1
        for one in self.circuits[circuit]:
            if on and not self.cut[circuit]:
                one.lamp.restore()
            elif not on:
                one.lamp.cut()

    def uplink(self, one: LabLamp, frame: Frame, heard: tuple[tuple[GatewayId, float, float], ...]) -> None:
        gateway, rssi, snr = heard[0]
        event = Uplink(device=one.known.device.dev_eui, at_ns=self.engine.now, application_id="a", dev_addr=f"{one.session:08x}",
                       f_cnt=one.f_cnt, f_port=frame.port, dr=3, data=frame.data, gateways=len(heard), gateway=gateway,
                       rssi=rssi, snr=snr, ears=heard)
        self.uplinks += 1
        self._handle(one, event)

    def joined(self, one: LabLamp) -> None:
        self._handle(one, Joined(device=one.known.device.dev_eui, at_ns=self.engine.now, application_id="a",
                                 dev_addr=f"{one.session:08x}"))

    def _handle(self, one: LabLamp, event: Uplink | Joined) -> None:
        try:
            done = handle(event, one.known, from_ns(self.engine.now))
        except BadInput:
            self.unread += 1
            return
        one.known = done.known
        for alarm in done.alarms:
            self.alarms[alarm.id] = alarm

    # -- how

    def _look(self) -> Found:
        wants = Wants(self.programming, (), self.now)

        def want(lamp: Luminaire) -> Want:
            return wanted(wants, lamp)
        for one in self.lamps.values():
            if one.known is not one.seen:
                one.seen = one.known
                self._seen[one.number] = lamps_of([one.known])[0]
        found = inspect(TOWN, self.memory, self._seen, (),
                        [one for one in self.incidents.values() if one.open], site=SITE, want=want, night_fed=self.night_fed,
                        now=self.now)
        for alarm in found.alarms:
            one = self.lamps[alarm.asset]
            others = tuple(other for other in one.known.alarms if other.id != alarm.id)
            one.known = structs.replace(one.known, alarms=(*others, alarm) if alarm.open else others)
            self.alarms[alarm.id] = alarm
        self.incidents.update((one.id, one) for one in found.incidents)
        return found

    def _lamp(self, number: int, lamps: int, sky: Sky) -> LabLamp:
        rng, place = self.rng, number / lamps
        model = MODELS[0][0] if rng.random() < MODELS[0][1] else MODELS[1][0]
        home = min(int(place * len(GATEWAYS)), len(GATEWAYS) - 1)
        near = [(home + step) % len(GATEWAYS) for step in (1, 3, 2)]
        others = tuple(GATEWAYS[index] for index in near[:rng.choice((0, 1, 1, 2))])
        power = POWERS[number // PER_CIRCUIT % len(POWERS)]
        asset = Luminaire(TOWN, AssetId(f"L{number:05}"), f"L{number:05}", Site(SITE.latitude + place * 0.02, SITE.longitude),
                          ZoneId("z"), CircuitId(f"C{number // PER_CIRCUIT:03}"), power, luminaire_type=f"LED {power:g}",
                          restriction=Restriction.CROSSWALK if number % 97 == 0 else Restriction.NONE)
        device = Device(DevEui(f"{number:016x}"), TOWN, asset.id, model)
        one = LabLamp(asset, (GATEWAYS[home], *others), Known(Registered.of(self.tenant, device, asset),
                                                              DeviceState(device.dev_eui, config=self.config)), self)
        setup = Devices(status_interval_s=self.interval_s, usage_interval_s=self.interval_s)
        one.lamp = Lamp(asset, codec_of(model), setup, engine=self.engine, sky=sky, rng=Random(number), radio=one)
        return one

    def _begin(self, one: LabLamp) -> None:
        """It joins, and holds the town's standard program (its clock is UTC): half the light from 22 to 5 h. Lamps at
        pedestrian crossings do not."""
        if one.asset.restriction is not Restriction.CROSSWALK:
            one.lamp._learn(Profile(0, tuple(range(8)), _HALBNACHT))  # noqa: SLF001 - as if it had been told before
        if one.lamp.powered:
            one.join()

    def _feed(self, circuit: CircuitId, day: date) -> None:
        """A night-switched feeder: on at sunset, off at sunrise, for all days to come."""
        night = Night.of(day, SITE)
        late = self.rng.uniform(-200, 200)
        self.engine.at(to_ns(night.sunset + timedelta(seconds=late)), self._on, circuit, day)
        if day == self.start.date():
            self.power(circuit, on=False)

    def _on(self, circuit: CircuitId, day: date) -> None:
        self.power(circuit, on=True)
        off = Night.of(day, SITE).sunrise + timedelta(seconds=self.rng.uniform(-200, 200))
        self.engine.at(to_ns(off), self._off, circuit, day)

    def _off(self, circuit: CircuitId, day: date) -> None:
        self.power(circuit, on=False)
        self._feed(circuit, day + timedelta(days=1))


def first_noon(year: int = 2026) -> datetime:
    """A noon in late autumn, from which nights are counted."""
    return datetime(year, 11, 2, 11, tzinfo=UTC)


