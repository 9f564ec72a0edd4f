"""What each kind of fault does to a town when it begins, and undoes when it ends."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Protocol

from city.readings import NS
from decoders.catalog import codec_of
from simulator import fault_plan as plans
from simulator.bugs import Spoil, contrary, garbage, truncated, versioned, whole
from simulator.fault_plan import AnyFault, seconds
from simulator.ground import Ground
from simulator.mischief import Filter, Holder, Mischief, Rewriter, Shuffler, Spoiler
from simulator.radio import Jammer
from simulator.rewrites import BrokenCodec, ServerClock
from simulator.scenario import BaySite, LampSite
from simulator.stage import Stage, chosen, fraction

EU868_HZ = (863_000_000, 870_000_000)
FOREVER_S = 10 * 365 * 86_400.0


class Trouble(Protocol):
    """A fault that acts on devices, gateways or the radio."""

    def begin(self) -> None:
        """It happens."""
        ...

    def end(self) -> None:
        """It is over."""
        ...


class _Doings:
    """A trouble of two actions."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self.begin, self.end = begin, end


class Troubles:
    """Makes faults of one town into troubles and filters; several faults may meet on one thing."""

    def __init__(self, stage: Stage, seed: int, *, protobuf: bool) -> None:
        self._stage, self._seed, self._protobuf = stage, seed, protobuf
        self._silenced: Counter[str] = Counter()
        self._shifted: Counter[str] = Counter()
        self._cut: Counter[str] = Counter()
        self._base = (stage.weather.loss, stage.weather.attenuation_db, stage.weather.noise_db)
        self._weathers: list[plans.Weather] = []

    def filter(self, fault: AnyFault, number: int) -> Filter | None:
        """The filter of a fault that acts on messages; None for one that does not."""
        rng, draw = Random(f"{self._seed}/{number}/messages"), f"{self._seed}/{number}"
        share = getattr(fault, "share", 1.0)

        def devices(*, drawn: bool = False) -> frozenset[str] | None:
            named = any(getattr(fault, key, "") for key in ("zone", "circuit", "model", "asset")) or (drawn and share < 1)
            return frozenset(site.device.dev_eui for site in chosen(
                self._stage.scenario, fault, draw, all_of_them=not drawn)) if named else None
        match fault:
            case plans.BrokerLoss(keeps=keeps):
                return Holder(keeps=keeps)
            case plans.Burst():
                return Holder(devices(drawn=True))
            case plans.Duplicates():
                return Spoiler(Mischief(duplicates=share), rng, devices())
            case plans.BrokenMessages():
                return Spoiler(Mischief(bad_json=share), rng, devices())
            case plans.Strangers():
                return Spoiler(Mischief(strangers=share), rng, devices())
            case plans.Reordered(by=by):
                return Shuffler(share, by, rng, devices())
            case plans.CodecGarbage():
                return Rewriter(BrokenCodec(rng), share, rng, devices())
            case plans.ClockStep(of="server", seconds=wrong):
                return Rewriter(ServerClock(wrong, protobuf=self._protobuf), 1.0, rng)
        return None

    def trouble(self, fault: AnyFault, number: int, lasts_s: float | None) -> Trouble | None:
        """What a fault does to the town itself; None where it only acts on messages. `lasts_s` None: to the end."""
        sites = chosen(self._stage.scenario, fault, f"{self._seed}/{number}")
        match fault:
            case plans.GatewayDown(gateway=name):
                return self._silence(self._gateway(name))
            case plans.CabinetOutage():
                return self._outage(sites)
            case plans.JoinStorm(within=within):
                return _Doings(lambda: self._storm(sites, number, seconds(within)), _nothing)
            case plans.FirmwareBug():
                return _Doings(lambda: self._update(sites, fault, number), lambda: self._mend(sites))
            case plans.Jammer():
                return self._jam(fault)
            case plans.Weather():
                return _Doings(lambda: self._weather(fault, begins=True), lambda: self._weather(fault, begins=False))
            case plans.GpsTime(gateway=name, seconds=wrong):
                return self._clocks([self._gateway(name)], wrong)
            case plans.ClockStep(of="gateway", gateway=name, seconds=wrong):
                ids = [self._gateway(name)] if name else [str(one.id) for one in self._stage.scenario.gateways]
                return self._clocks(ids, wrong)
            case plans.ClockStep(of="device", seconds=wrong):
                return _Doings(lambda: self._step(sites, wrong), _nothing)  # until it is told the time again
            case plans.DeviceFault(fault=what):
                return _Doings(lambda: self._fail(sites, what), lambda: self._fail(sites, ""))
            case plans.Rush(zone=zone, factor=factor):
                return _Doings(lambda: self._rush(zone, factor, lasts_s or FOREVER_S), _nothing)
        return None

    # -- gateways and radio

    def _gateway(self, name: str) -> str:
        """The id of the gateway of that id or name; the scenario's reader has seen that it is there."""
        return next(str(one.id) for one in self._stage.scenario.gateways if name in (one.id, one.name))

    def _silence(self, gateway: str) -> Trouble:
        def change(by: int) -> None:
            self._silenced[gateway] += by
            self._stage.fleet.silence(gateway, self._silenced[gateway] > 0)
        return _Doings(lambda: change(1), lambda: change(-1))

    def _clocks(self, gateways: list[str], wrong: int) -> Trouble:
        def change(by: int) -> None:
            for gateway in gateways:
                self._shifted[gateway] += by
                self._stage.fleet.shift_clock(gateway, self._shifted[gateway])
        return _Doings(lambda: change(wrong), lambda: change(-wrong))

    def _jam(self, fault: plans.Jammer) -> Trouble:
        site = Ground(self._stage.scenario.plan.town).site(fault.place)
        jammer, jammers = Jammer(site, fault.power_dbm, *EU868_HZ, duty=fault.busy), self._stage.weather.jammers
        return _Doings(lambda: jammers.append(jammer), lambda: jammers.remove(jammer))

    def _weather(self, fault: plans.Weather, *, begins: bool) -> None:
        """All weathers that rule now, together with the town's own."""
        (self._weathers.append if begins else self._weathers.remove)(fault)
        clear = 1 - self._base[0]
        for one in self._weathers:
            clear *= 1 - one.loss
        weather = self._stage.weather
        weather.loss = 1 - clear
        weather.attenuation_db = self._base[1] + sum(one.attenuation_db for one in self._weathers)
        weather.noise_db = self._base[2] + sum(one.noise_db for one in self._weathers)

    # -- devices

    def _outage(self, sites: list[LampSite | BaySite]) -> Trouble:
        lamps = [site.lamp.id for site in sites if isinstance(site, LampSite)]

        def change(by: int) -> None:
            for lamp in lamps:
                self._cut[lamp] += by
                if by > 0 or not self._cut[lamp]:
                    self._stage.power(lamp, on=by < 0)
        return _Doings(lambda: change(1), lambda: change(-1))

    def _storm(self, sites: list[LampSite | BaySite], number: int, within_s: float) -> None:
        for site in sites:
            eui = site.device.dev_eui
            self._stage.join_again(eui, within_s * fraction(f"{self._seed}/{number}/{eui}/join"))

    def _update(self, sites: list[LampSite | BaySite], fault: plans.FirmwareBug, number: int) -> None:
        """The new firmware reaches each device at a time of its own; it restarts with it."""
        for site in sites:
            eui = site.device.dev_eui
            codec = codec_of(site.device.model)
            rng = Random(f"{self._seed}/{number}/{eui}")
            said: Spoil | None = {"truncates": truncated, "garbage": garbage(rng)}.get(fault.does)
            if fault.version:
                said = versioned(codec, fault.version, said or whole)
            heard = contrary(codec) if fault.does == "obeys-wrongly" else None
            self._stage.spoil(eui, said=said, heard=heard, deaf=fault.does == "deaf")
        self._storm(sites, number, seconds(fault.over))

    def _mend(self, sites: list[LampSite | BaySite]) -> None:
        for site in sites:
            self._stage.spoil(site.device.dev_eui, said=None, heard=None)

    def _fail(self, sites: list[LampSite | BaySite], fault: str) -> None:
        for site in sites:
            if isinstance(site, LampSite):
                self._stage.lamps[site.lamp.id].fail(fault)
            else:
                self._stage.bays[site.bay.id].fail(fault)

    def _step(self, sites: list[LampSite | BaySite], wrong: int) -> None:
        for site in sites:
            if isinstance(site, LampSite):
                self._stage.lamps[site.lamp.id].step_clock(wrong)

    def _rush(self, zone: str, factor: float, lasts_s: float) -> None:
        until = self._stage.now_ns + int(lasts_s * NS)
        for name, lot in self._stage.lots.items():
            if zone in ("", name):
                lot.rush(factor, until)


def _nothing() -> None:
    """What is over is over by itself."""
