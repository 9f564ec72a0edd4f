"""One town at the panel: what is to be seen of it, and what people may do to it. Nothing here waits."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from city.errors import Conflict, Invalid, NotFound, TooOften
from city.readings import NS
from decoders.catalog import codec_of
from decoders.codec import ANY_PORT
from simulator.bay import FAULTS as BAY_FAULTS
from simulator.driver import FAULTS as LAMP_FAULTS
from simulator.fault_plan import AnyFault, CabinetOutage, GatewayDown, Weather
from simulator.fault_plan import Rush as RushFault
from simulator.makes import RawFrame
from simulator.panel import faults_here, maps
from simulator.panel.controllable import Controllable
from simulator.panel.explain import explained
from simulator.panel.roster import Roster, asset_of
from simulator.panel.shapes import (
    MOST_BYTES,
    BayOut,
    CircuitOut,
    DeviceOut,
    FrameOut,
    GatewayOut,
    LampOut,
    LotOut,
    Numbers,
    RadioOut,
    Raw,
    RunningFault,
    Rush,
    TownOut,
    WeatherIn,
    WeatherOut,
)
from simulator.panel.times import iso
from simulator.panel.watch import Rate, Watch
from simulator.scenario import BaySite, LampSite

MOST_FAULTS, MOST_BEGUN = 100, 10_000  # that happen at a time; that were started by hand


class Desk:
    """A town, by id. Assets, circuits, zones and gateways that it lacks raise NotFound."""

    def __init__(self, town: Controllable) -> None:
        self.town, self._stage = town, town.stage
        self.scenario = town.stage.scenario
        self.roster = Roster(town)
        self.watch = Watch(self.roster)
        self.box = maps.box_of(self.scenario)
        self._rate = Rate()
        self._weather: int | None = None  # the number of the one that was set here
        self._begun = 0
        self._circuits: Mapping[str, list[LampSite]] = _grouped(self.scenario.lamps, lambda one: str(one.lamp.circuit or ""))
        self._zones: Mapping[str, list[BaySite]] = _grouped(self.scenario.bays, lambda one: str(one.bay.zone))

    # -- what is to be seen

    def about(self) -> TownOut:
        """Which town it is."""
        return TownOut(id=self.scenario.tenant.id, name=self.scenario.tenant.name, devices=len(self.roster.sites),
                       level=self.town.level)

    def numbers(self, *, paused: bool = False) -> Numbers:
        """The town now, devices as the watch has last seen them."""
        counts, totals, gateways = self.watch.counts, self.town.totals(), self.town.gateways()
        shares = [band.used_s / band.most_s for one in gateways for band in one.bands if band.most_s]
        now = self._stage.now_ns
        lamps, bays = len(self.scenario.lamps), len(self.scenario.bays)
        return Numbers(
            town=self.scenario.tenant.id, at=iso(now), level=self.town.level, paused=paused, devices=lamps + bays,
            joined=counts["joined"], lamps=lamps, burning=counts["burning"],
            unpowered=counts["unpowered"], bays=bays, taken=counts["taken"],
            faulty=counts["fault"], apart=counts["apart"], uplinks=totals.uplinks,
            uplinks_s=round(self._rate.of(now, totals.uplinks), 2), downlinks=totals.downlinks, lost_up=totals.lost_up,
            lost_down=totals.lost_down, refused=totals.refused, collisions=totals.collisions, gateways=len(gateways),
            gateways_down=sum(one.down for one in gateways), airtime=round(max(shares, default=0.0), 4), faults=self.faults())

    def device(self, asset: str) -> DeviceOut:
        """Everything about a device."""
        site = self.roster.site(asset)
        place, codec = asset_of(site), codec_of(site.device.model)
        radio = self.town.radio(place.id)
        lamp, bay = self._stage.lamps.get(place.id), self._stage.bays.get(place.id)
        return DeviceOut(
            **self.roster.row(site).model_dump(), dev_eui=site.device.dev_eui, latitude=place.site.latitude,
            longitude=place.site.longitude, apart=self.town.apart(place.id),
            fault=lamp.fault if lamp else bay.fault if bay else "",
            faults=list(LAMP_FAULTS if lamp else BAY_FAULTS),
            ports=[] if tuple(codec.uplink_ports) == ANY_PORT else list(codec.uplink_ports),
            radio=RadioOut(**asdict(radio), most_bytes=self.town.most_bytes(place.id)),
            lamp=None if lamp is None else LampOut(
                wanted=lamp.level, reason=lamp.reason, lit=lamp.driver.lit, powered=lamp.powered,
                power_w=round(lamp.power() if lamp.powered else 0.0, 1), energy_wh=round(lamp.energy_wh, 1),
                burn_h=round(lamp.burn_s / 3600, 1), clock_valid=lamp.clock_valid),
            bay=None if bay is None else BayOut(occupied=bay.occupied, believed=bay.believed, taken=bay.taken))

    def frames(self, asset: str, limit: int) -> list[FrameOut]:
        """A device's last frames, newest first."""
        site = self.roster.site(asset)
        found = [seen for seen, _ in zip(self.town.journal.of(site.device.asset), range(limit), strict=False)]
        return [explained(seen, site.device.model) for seen in found]

    def circuits(self) -> list[CircuitOut]:
        """All circuits that have lamps."""
        return [self.circuit(name) for name in sorted(self._circuits) if name]

    def circuit(self, name: str) -> CircuitOut:
        """A circuit."""
        lamps = [self._stage.lamps[site.lamp.id] for site in _of(self._circuits, name, "circuit")]
        return CircuitOut(id=name, lamps=len(lamps), powered=sum(one.powered for one in lamps),
                          burning=sum(one.driver.lit > 0 for one in lamps))

    def lots(self) -> list[LotOut]:
        """All parking zones."""
        return [self.lot(name) for name in sorted(self._zones)]

    def lot(self, name: str) -> LotOut:
        """A parking zone."""
        bays = _of(self._zones, name, "zone")
        return LotOut(id=name, bays=len(bays), taken=sum(self._stage.bays[site.bay.id].occupied for site in bays))

    def gateways(self) -> list[GatewayOut]:
        """All gateways."""
        return [GatewayOut(**asdict(one)) for one in self.town.gateways()]

    def gateway(self, gateway: str) -> GatewayOut:
        """A gateway."""
        found = next((one for one in self.gateways() if one.id == gateway), None)
        if found is None:
            raise _missing("gateway", gateway)
        return found

    def weather(self) -> WeatherOut:
        """The radio's weather."""
        now, mine = self._stage.weather, self._mine()
        return WeatherOut(loss=round(now.loss, 4), attenuation_db=now.attenuation_db, noise_db=now.noise_db,
                          jammers=len(now.jammers), mine=mine)

    def faults(self) -> list[RunningFault]:
        """What is happening."""
        return faults_here.running(self.town.troubled.happening)

    # -- what may be done: to devices

    def part(self, asset: str, *, on: bool) -> None:
        """Take a device off the net, or bring it back."""
        self.town.part(self.roster.site(asset).device.asset, off=not on)

    def fail(self, asset: str, fault: str) -> None:
        """Give a device a fault; "" repairs it. Raises Invalid."""
        site = self.roster.site(asset)
        if fault not in faults_here.FAULTS[asset_of(site).kind]:
            raise Invalid("“{what}” is no fault of such a device.", field="fault", rule="fault", what=fault)
        if isinstance(site, LampSite):
            self._stage.lamps[site.lamp.id].fail(fault)
        else:
            self._stage.bays[site.bay.id].fail(fault)

    def park(self, asset: str, *, here: bool) -> None:
        """Let a vehicle come or go. Raises Invalid for a lamp, Conflict where the bay is as it is asked to be."""
        site = self.roster.site(asset)
        if isinstance(site, LampSite):
            raise Invalid("{id} is no parking bay.", field="asset", rule="a bay", id=asset)
        bay = self._stage.bays[site.bay.id]
        if bay.taken == here:
            raise Conflict("Somebody stands there already." if here else "Nobody stands there.", field="here", rule="other")
        (bay.arrive if here else bay.leave)()

    def reboot(self, asset: str) -> None:
        """Let a device start anew. Raises Conflict where it has no power."""
        self._powered(asset)
        self.town.reboot(self.roster.site(asset).device.asset)

    def say(self, asset: str, raw: Raw) -> None:
        """Let a device send a frame. Raises Invalid on bytes that are none or too many, Conflict without power or a
        session."""
        who = self.roster.site(asset).device.asset
        try:
            data = bytes.fromhex(raw.hex)
        except ValueError:
            raise Invalid("An even number of digits 0-9 and a-f is needed.", field="hex", rule="hex") from None
        most = min(self.town.most_bytes(who), MOST_BYTES)
        if not 1 <= len(data) <= most:
            raise Invalid("At its data rate a frame of this device carries 1 to {most} bytes, not {number}.", field="hex",
                          rule=f"1…{most}", most=most, number=len(data))
        self._powered(asset)
        if not self.town.joined(who):
            raise Conflict("This device has not joined: it cannot send.", field="asset", rule="joined")
        self.town.say(who, RawFrame(raw.port, data, confirmed=raw.confirmed))

    def _powered(self, asset: str) -> None:
        lamp = self._stage.lamps.get(self.roster.site(asset).device.asset)
        if lamp is not None and not lamp.powered:
            raise Conflict("This device has no power.", field="asset", rule="powered")

    # -- … to circuits, lots, gateways and the radio

    def power(self, circuit: str, *, on: bool) -> None:
        """Cut a circuit; or end all that has cut it. Raises Conflict where it is so already."""
        _of(self._circuits, circuit, "circuit")
        self._switch(lambda one: isinstance(one, CabinetOutage) and one.circuit == circuit,
                     CabinetOutage(at=faults_here.NOW, circuit=circuit), on=on)

    def switch_gateway(self, gateway: str, *, on: bool) -> None:
        """Take a gateway off the net; or end all that has done so. Raises Conflict where it is so already."""
        found = self.gateway(gateway)
        self._switch(lambda one: isinstance(one, GatewayDown) and one.gateway in (found.id, found.name),
                     GatewayDown(at=faults_here.NOW, gateway=gateway), on=on)

    def rush(self, zone: str, rush: Rush) -> int:
        """More people come to a lot for a while; the fault's number."""
        _of(self._zones, zone, "zone")
        return self.begin(RushFault(at=faults_here.NOW, lasts=f"{rush.minutes:.3f} min", zone=zone, factor=rush.factor))

    def set_weather(self, asked: WeatherIn) -> None:
        """The radio's weather, in the place of what was set here before; without any of it, as the scenario has it."""
        if self._weather in self.town.troubled.happening and self._weather is not None:
            self.town.troubled.end(self._weather)
        self._weather = None
        if asked.loss or asked.attenuation_db or asked.noise_db:
            self._weather = self.begin(Weather(at=faults_here.NOW, **asked.model_dump()))

    # -- faults

    def start_fault(self, given: Mapping[str, Any]) -> RunningFault:
        """A fault of a scenario's kinds begins now. Raises Invalid, NotFound, Unsupported, TooOften."""
        number = self.begin(faults_here.read(given, self.town))
        return next(iter(faults_here.running({number: self.town.troubled.happening[number]})))

    def begin(self, fault: AnyFault) -> int:
        """Its number. Raises TooOften beyond MOST_FAULTS that happen at a time, and beyond MOST_BEGUN."""
        if len(self.town.troubled.happening) >= MOST_FAULTS or self._begun >= MOST_BEGUN:
            raise TooOften("{most} faults happen already: end some first.", field="kind", rule="most", most=MOST_FAULTS)
        self._begun += 1
        return self.town.troubled.begin(fault)

    def end(self, number: int) -> None:
        """A fault is over; a rush calms down at once. Raises NotFound."""
        fault = self.town.troubled.happening.get(number)
        self.town.troubled.end(number)
        if isinstance(fault, RushFault):
            for name, lot in self._stage.lots.items():
                if fault.zone in ("", name):
                    lot.rush(1.0, self._stage.now_ns + NS)

    def _switch(self, meant: Callable[[AnyFault], bool], fault: AnyFault, *, on: bool) -> None:
        """Begin a fault that takes something away, or end all that are `meant`."""
        running = [number for number, one in self.town.troubled.happening.items() if meant(one)]
        if on != bool(running):
            raise Conflict("That is so already.", field="on", rule="other")
        for number in running:
            self.town.troubled.end(number)
        if not on:
            self.begin(fault)

    def _mine(self) -> WeatherIn:
        fault = self.town.troubled.happening.get(-1 if self._weather is None else self._weather)
        if not isinstance(fault, Weather):
            return WeatherIn()
        return WeatherIn(loss=fault.loss, attenuation_db=fault.attenuation_db, noise_db=fault.noise_db)


def _grouped(sites: Any, key: Callable[[Any], str]) -> dict[str, list[Any]]:  # noqa: ANN401 - lamps or bays
    groups: dict[str, list[Any]] = {}
    for site in sites:
        groups.setdefault(key(site), []).append(site)
    return groups


def _of(groups: Mapping[str, list[Any]], name: str, kind: str) -> list[Any]:
    if not name or name not in groups:
        raise _missing(kind, name)
    return groups[name]


def _missing(kind: str, name: str) -> NotFound:
    return NotFound("There is no {kind} {id} in this town.", field=kind, rule="exists", kind=kind, id=name[:64])
