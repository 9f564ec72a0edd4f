"""What faults may do to a town, and to which of its devices."""

import hashlib
from collections.abc import Mapping
from typing import Protocol

from city.ids import AssetId, ZoneId
from simulator.bay import Bay, Lot
from simulator.bugs import Spoil
from simulator.fault_plan import AnyFault
from simulator.lamp import Lamp
from simulator.radio import Weather
from simulator.scenario import BaySite, LampSite, Scenario
from simulator.town import Town


class Gateways(Protocol):
    """What may happen to a town's gateways; both raise KeyError where it has none of that id."""

    def silence(self, gateway_id: str, silent: bool) -> None:
        """Take a gateway off the net, or bring it back."""
        ...

    def shift_clock(self, gateway_id: str, seconds: float) -> None:
        """From now on the gateway dates frames so many seconds late (early, if negative)."""
        ...


class Stage(Town, Protocol):
    """A town that faults can happen to."""

    @property
    def lamps(self) -> Mapping[AssetId, Lamp]:
        """All lamps."""
        ...

    @property
    def bays(self) -> Mapping[AssetId, Bay]:
        """All bays."""
        ...

    @property
    def lots(self) -> Mapping[ZoneId, Lot]:
        """All parking zones."""
        ...

    @property
    def fleet(self) -> Gateways:
        """The gateways: which are silent, whose clocks are wrong."""
        ...

    @property
    def weather(self) -> Weather:
        """The radio's, to be changed."""
        ...

    @property
    def now_ns(self) -> int:
        """The virtual time."""
        ...

    def power(self, asset: AssetId, *, on: bool) -> None:
        """A lamp's feeder loses its power, or has it again."""
        ...

    def join_again(self, dev_eui: str, after_s: float) -> None:
        """A device loses its session and joins after so long."""
        ...

    def spoil(self, dev_eui: str, *, said: Spoil | None, heard: Spoil | None, deaf: bool = False) -> None:
        """From now on a device says and hears frames as these make them; without any of them it is well again."""
        ...


def chosen(scenario: Scenario, fault: AnyFault, draw: str, *, all_of_them: bool = False) -> list[LampSite | BaySite]:
    """The devices that a fault names, in the scenario's order; of these the share that `draw` (the seed and the fault's
    number) draws by hash, so that it depends on no order. `all_of_them`: its share is of something else."""
    share = 1.0 if all_of_them else getattr(fault, "share", 1.0)
    sites: list[LampSite | BaySite] = [*scenario.lamps, *scenario.bays]
    return [site for site in sites
            if _meant(site, fault) and (share >= 1 or fraction(f"{draw}/{site.device.dev_eui}") < share)]


def fraction(name: str) -> float:
    """A number from 0 to below 1 that belongs to a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64


def _meant(site: LampSite | BaySite, fault: AnyFault) -> bool:
    asset = site.lamp if isinstance(site, LampSite) else site.bay
    facts = {"zone": str(asset.zone), "circuit": str(asset.circuit or ""), "model": site.device.model, "asset": asset.kind}
    return all(getattr(fault, key, "") in ("", value) for key, value in facts.items())
