"""A town at frame level, to be controlled: what becomes of each copy of each frame is seen."""

from collections.abc import Mapping
from itertools import islice

from city.airtime import DATA_RATES
from city.ids import AssetId
from simulator import lorawan
from simulator.fault_plan import AnyFault
from simulator.faults import Troubled
from simulator.field import Field
from simulator.field_stage import of_events
from simulator.flights import Flight, Spot
from simulator.lorawan import Session
from simulator.makes import RawFrame
from simulator.panel.controllable import BandUse, GatewayNow, Level, Radio, Reach, Totals
from simulator.panel.journal import Copy, Journal, Seen
from simulator.propagation import shown_rssi, shown_snr
from simulator.region import eirp_dbm
from simulator.stage import Stage

JUST_NOW = 6  # frames that a device may hear while one of its own is on the air
WALL_DB = 300.0  # what a device that is taken off the net loses besides: more than any link has to give


class OnAir:
    """simulator.panel.controllable.Controllable for a Field with its faults. It watches from its making on."""

    level: Level = "frames"

    def __init__(self, field: Field, stage: Stage, troubled: Troubled) -> None:
        self._field, self.stage, self.troubled, self.journal = field, stage, troubled, Journal()
        self._assets: Mapping[Spot, AssetId] = {device.spot: asset for asset, device in field.devices.items()}
        self._gateways = [str(one.gateway.id) for one in field.scenario.antennas]
        self._parted: set[AssetId] = set()
        field.medium.witness = self

    def totals(self) -> Totals:
        """What has happened so far."""
        air, stats = self._field.medium.stats, self._field.stats
        refused = sum(count for name, count in stats.items()
                      if name.startswith("gateway said ") and not name.endswith("OK"))
        return Totals(air["sent up"], air["sent down"], air["lost up"],
                      sum(count for name, count in air.items() if name.startswith("down ")), refused, air["collision"])

    def joined(self, asset: AssetId) -> bool:
        """Whether a device has a session."""
        return self._field.devices[asset].joined

    def radio(self, asset: AssetId) -> Radio:
        """A device's radio."""
        one, bay = self._field.devices[asset], self._field.bays.get(asset)
        kept, settings = one.kept, one.settings
        links = [Reach(self._gateways[gateway], None, round(loss - WALL_DB * self.apart(asset), 1))
                 for gateway, loss in zip(one.spot.gateways, one.spot.losses, strict=True)]
        return Radio(
            one.joined, f"{kept.session.dev_addr:08x}" if kept.session else "", settings.dr, kept.f_cnt_up,
            kept.f_cnt_down if kept.f_cnt_down >= 0 else None, None if bay is None else bay.battery,
            "C" if one.make.class_c else "A", one.make.confirms, eirp_dbm(settings.power), settings.nb_trans, None, links)

    def most_bytes(self, asset: AssetId) -> int:
        """How many bytes its data rate carries now."""
        return DATA_RATES[self._field.devices[asset].settings.dr].most

    def apart(self, asset: AssetId) -> bool:
        """Whether it was taken off the net."""
        return asset in self._parted

    def part(self, asset: AssetId, *, off: bool) -> None:
        """From now on no gateway hears it and it hears none; or they do again."""
        spot = self._field.devices[asset].spot
        if off and asset not in self._parted:
            self._parted.add(asset)
            self._field.medium.muffle(spot, WALL_DB)
        elif not off and asset in self._parted:
            self._parted.discard(asset)
            self._field.medium.muffle(spot, -WALL_DB)

    def reboot(self, asset: AssetId) -> None:
        """It restarts and joins anew."""
        self._field.devices[asset].rejoin()

    def say(self, asset: AssetId, frame: RawFrame) -> None:
        """A device that has joined sends this."""
        self._field.devices[asset].say(frame)

    def gateways(self) -> list[GatewayNow]:
        """All gateways."""
        field = self._field
        return [GatewayNow(str(one.gateway.id), one.gateway.name, one.site.latitude, one.site.longitude,
                           index in field.weather.down, field.clock_ns[index] / 1e9, self._bands(index),
                           field.gateways[index].waiting)
                for index, one in enumerate(field.scenario.antennas)]

    def possible(self, fault: AnyFault) -> bool:
        """What a server does wrong cannot happen where there are only gateways' frames."""
        return not of_events(fault)

    # -- what it sees (simulator.medium.Witness)

    def up(self, flight: Flight, gateway: int, reason: str, snr_db: float) -> None:
        """What has become of an uplink at a gateway."""
        asset = self._assets.get(flight.spot) if flight.spot is not None else None
        if asset is None:
            return  # a gateway's frame that another one was following
        newest = islice(self.journal.of(asset), JUST_NOW)
        last = next((seen for seen in newest if seen.up and seen.at_ns == flight.began), None) or self._sent(asset, flight)
        rssi = None if reason else shown_rssi(flight.power[gateway])
        last.copies.append(Copy(self._gateways[gateway] if gateway >= 0 else "", reason, rssi,
                                None if reason else shown_snr(snr_db, 0.0)))

    def down(self, flight: Flight, spot: Spot, reason: str, rssi_dbm: float, snr_db: float) -> None:
        """What an ear has made of a downlink; those of others are passed over."""
        asset, head = self._assets.get(spot), lorawan.header(flight.phy)
        if asset is None:
            return
        session, to_group, last = self._reader(asset, head.dev_addr) if head is not None else (None, False, -1)
        if (head is not None and session is None) or (head is None and not self._lets_in(asset, flight.phy)):
            return
        copy = Copy(self._gateways[flight.gateway], reason, shown_rssi(rssi_dbm), shown_snr(snr_db, 0.0))
        self.journal.add(asset, Seen(flight.began, False, [copy], to_group=to_group,
                                     wave=_wave(flight), phy=flight.phy, session=session, last=last))

    def _reader(self, asset: AssetId, dev_addr: int) -> tuple[Session | None, bool, int]:
        """The session that reads a downlink to that address, whether it is a group's, and the last counter heard in it."""
        kept, lamp = self._field.devices[asset].kept, self._field.lamps.get(asset)
        if kept.session is not None and kept.session.dev_addr == dev_addr:
            return kept.session, False, kept.f_cnt_down
        keys = lamp.groups.get(f"{dev_addr:08x}") if lamp is not None else None
        return (Session(dev_addr, bytes.fromhex(keys[0]), bytes.fromhex(keys[1])) if keys else None), True, -1

    def _lets_in(self, asset: AssetId, phy: bytes) -> bool:
        """Whether a join-accept is for this device: one that joins hears those of all others, too."""
        return lorawan.read_join_accept(phy, self._field.devices[asset].who.app_key) is not None

    def _sent(self, asset: AssetId, flight: Flight) -> Seen:
        kept = self._field.devices[asset].kept
        seen = Seen(flight.began, True, [], wave=_wave(flight), phy=flight.phy, session=kept.session,
                    last=kept.f_cnt_up - 2)
        self.journal.add(asset, seen)
        return seen

    def _bands(self, index: int) -> list[BandUse]:
        return [BandUse(load.band.letter, load.band.low, load.band.high, load.used_us / 1e6, load.most_us / 1e6)
                for load in self._field.gateways[index].loads()]


def _wave(flight: Flight) -> tuple[int, int, int]:
    return flight.wave.frequency, flight.wave.sf, flight.wave.bandwidth
