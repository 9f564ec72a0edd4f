"""A town behind the imitation of ChirpStack, to be controlled: no frames, so no MAC commands and no reasons of the air."""

from collections.abc import Mapping, Sequence

from city.airtime import band_of
from city.ids import AssetId
from decoders.codec import Frame
from simulator.chirpstack import ChirpStack
from simulator.downlinks import BUDGET_G1_S, BUDGET_G3_S
from simulator.events import CHANNELS, RX2_HZ
from simulator.fault_plan import AnyFault
from simulator.faults import Troubled
from simulator.makes import RawFrame, is_confirmed
from simulator.panel.controllable import BandUse, GatewayNow, Level, Radio, Reach, Totals
from simulator.panel.journal import MOST, NOBODY, Copy, Journal, Seen
from simulator.radio import MAX_PAYLOAD, Heard, Link
from simulator.stage import Stage
from simulator.station import Station


class Imitation:
    """simulator.panel.controllable.Controllable for a ChirpStack with its faults. It watches from its making on."""

    level: Level = "events"

    def __init__(self, chirpstack: ChirpStack, troubled: Troubled, *, frames: int = MOST) -> None:
        """`frames` of it are kept to be looked at."""
        self._town, self.troubled, self.journal = chirpstack, troubled, Journal(frames)
        scenario = chirpstack.scenario
        devices = [site.device for site in scenario.lamps] + [site.device for site in scenario.bays]
        self._euis: Mapping[AssetId, str] = {one.asset: one.dev_eui for one in devices}
        self._assets: Mapping[str, AssetId] = {eui: asset for asset, eui in self._euis.items()}
        self._parted: dict[AssetId, Link] = {}
        chirpstack.witness = chirpstack.queues.witness = chirpstack.multicast.witness = self

    @property
    def stage(self) -> Stage:
        """The town itself."""
        return self._town

    def totals(self) -> Totals:
        """What has happened so far."""
        stats = self._town.stats
        return Totals(stats["up"], stats["txack"] + stats["multicast sent"], stats["lost up"], stats["lost down"],
                      stats["commands refused"] + stats["joins refused"] + stats["gateway refused"], None)

    def joined(self, asset: AssetId) -> bool:
        """Whether device and server share a session."""
        return self._station(asset).in_session

    def radio(self, asset: AssetId) -> Radio:
        """A device's radio."""
        one, bay = self._station(asset), self._town.bays.get(asset)
        antennas = self._town.scenario.antennas
        return Radio(
            one.in_session, one.dev_addr, one.link.dr, one.f_cnt_up, one.f_cnt_down - 1 if one.f_cnt_down else None,
            None if bay is None else bay.battery, "C" if one.class_c else "A", one.confirms, None, None, len(one.queue),
            [Reach(str(antennas[index].gateway.id), snr, None) for index, snr in one.link.medians])

    def most_bytes(self, asset: AssetId) -> int:
        """How many bytes its data rate carries now."""
        return MAX_PAYLOAD[self._station(asset).link.dr]

    def apart(self, asset: AssetId) -> bool:
        """Whether it was taken off the net."""
        return asset in self._parted

    def part(self, asset: AssetId, *, off: bool) -> None:
        """From now on no gateway hears it and it hears none; or they do again."""
        station = self._station(asset)
        if off and asset not in self._parted:
            self._parted[asset], station.link = station.link, Link((), station.link.dr)
        elif not off and asset in self._parted:
            station.link = self._parted.pop(asset)

    def reboot(self, asset: AssetId) -> None:
        """It restarts and joins anew."""
        self._town.join_again(self._euis[asset], 0.0)

    def say(self, asset: AssetId, frame: RawFrame) -> None:
        """A device that has joined sends this."""
        self._town.send(self._station(asset), frame)

    def gateways(self) -> list[GatewayNow]:
        """All gateways."""
        fleet = self._town.fleet
        return [GatewayNow(str(one.gateway.id), one.gateway.name, one.site.latitude, one.site.longitude,
                           fleet.is_silent(index), fleet.clock_ns[index] / 1e9, self._bands(index), None)
                for index, one in enumerate(self._town.scenario.antennas)]

    def possible(self, fault: AnyFault) -> bool:  # noqa: ARG002 - here everything is
        """Every fault can happen here."""
        return True

    # -- what it sees (simulator.station.Witness)

    def up(self, station: Station, frame: Frame, f_cnt: int, heard: Sequence[Heard]) -> None:
        """A device has sent this."""
        antennas = self._town.scenario.antennas
        copies = [Copy(str(antennas[one.antenna].gateway.id), "", one.rssi, one.snr) for one in heard]
        self._note(station, Seen(self._town.now_ns, True, copies or [Copy("", NOBODY)], frame.port, frame.data, f_cnt,
                                 is_confirmed(frame, station.confirms), dr=station.link.dr))

    def down(self, station: Station, frame: Frame, *, heard: bool, to_group: bool = False) -> None:
        """A gateway has sent this to a device."""
        self._note(station, Seen(self._town.now_ns, False, [Copy("", "" if heard else NOBODY)], frame.port, frame.data,
                                 to_group=to_group))

    def _note(self, station: Station, seen: Seen) -> None:
        asset = self._assets.get(station.who.dev_eui)
        if asset is not None:
            self.journal.add(asset, seen)

    def _station(self, asset: AssetId) -> Station:
        return self._town.stations[self._euis[asset]]

    def _bands(self, index: int) -> list[BandUse]:
        fleet, found = self._town.fleet, []
        for frequency, most, rx2 in ((CHANNELS[0], BUDGET_G1_S, False), (RX2_HZ, BUDGET_G3_S, True)):
            band = band_of(frequency)
            if band is not None:
                found.append(BandUse(band.letter, band.low, band.high, fleet.used_s(index, rx2=rx2), most))
        return found
