"""Who is in a town: its devices by asset, in one order, and how each of them is at the moment."""

from collections.abc import Iterator, Mapping
from typing import Literal

from city.errors import NotFound
from city.ids import AssetId
from city.places import Luminaire, ParkingBay
from simulator.panel.controllable import Controllable
from simulator.panel.shapes import DevicePage, DeviceRow, State
from simulator.scenario import BaySite, LampSite

Does = Literal["burning", "dark", "unpowered", "taken", "free"]
Mark = Literal["", "fault", "apart", "unjoined"]
Look = tuple[Does, Mark, int, bool]


class Roster:
    """A town's devices: lamps first, then bays, as in the scenario."""

    def __init__(self, town: Controllable) -> None:
        self._town, self._stage = town, town.stage
        scenario = town.stage.scenario
        self.sites: tuple[LampSite | BaySite, ...] = (*scenario.lamps, *scenario.bays)
        self._by_asset: Mapping[str, LampSite | BaySite] = {site.device.asset: site for site in self.sites}

    def site(self, asset: str) -> LampSite | BaySite:
        """A device's place. Raises NotFound."""
        site = self._by_asset.get(asset)
        if site is None:
            raise NotFound("There is no device {id} in this town.", field="asset", rule="exists", id=asset[:64])
        return site

    def look(self, site: LampSite | BaySite) -> Look:
        """What a device does, what is wrong with it, its light in per cent, and whether it has joined."""
        asset = site.device.asset
        joined = self._town.joined(asset)
        if isinstance(site, LampSite):
            lamp = self._stage.lamps[asset]
            lit = lamp.driver.lit
            does: Does = "unpowered" if not lamp.powered else "burning" if lit else "dark"
            return does, self._mark(asset, lamp.fault, joined=joined), lit, joined
        bay = self._stage.bays[asset]
        return "taken" if bay.occupied else "free", self._mark(asset, bay.fault, joined=joined), 0, joined

    def state(self, site: LampSite | BaySite) -> State:
        """The same, to be sent."""
        does, mark, level, _ = self.look(site)
        return State(id=site.device.asset, does=does, mark=mark, level=level)

    def row(self, site: LampSite | BaySite) -> DeviceRow:
        """A device in a list."""
        does, mark, level, _ = self.look(site)
        asset = asset_of(site)
        return DeviceRow(id=asset.id, does=does, mark=mark, level=level, kind=asset.kind, name=asset.name,
                         model=site.device.model, zone=str(asset.zone), circuit=str(asset.circuit or ""))

    def page(self, *, text: str, kind: str, shows: str, zone: str, circuit: str, offset: int, limit: int) -> DevicePage:
        """The devices that fit, from `offset` on; `shows` is something that it does or a mark."""
        found = [site for site in self._fitting(text.casefold(), kind, zone, circuit)
                 if not shows or shows in self.look(site)[:2]]
        return DevicePage(total=len(found), offset=offset, items=[self.row(site) for site in found[offset:offset + limit]])

    def _fitting(self, text: str, kind: str, zone: str, circuit: str) -> Iterator[LampSite | BaySite]:
        for site in self.sites:
            asset = asset_of(site)
            if kind in ("", asset.kind) and zone in ("", asset.zone) and circuit in ("", asset.circuit or "") and (
                    not text or any(text in one.casefold() for one in (asset.id, asset.name, site.device.dev_eui))):
                yield site

    def _mark(self, asset: AssetId, fault: str, *, joined: bool) -> Mark:
        if fault:
            return "fault"
        if self._town.apart(asset):
            return "apart"
        return "" if joined else "unjoined"


def asset_of(site: LampSite | BaySite) -> Luminaire | ParkingBay:
    """The lamp or the bay that stands there."""
    return site.lamp if isinstance(site, LampSite) else site.bay
