"""What a server adds to an uplink: what a profile's script makes of it, and events that servers before 4.15 sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from city.errors import BadInput, CityError, Unavailable
from simulator.events import Event, Integrated, Location, Log, Up
from simulator.provisioned import CODEC_JS
from simulator.registry import Registry
from simulator.scenario import Antenna
from simulator.station import Station

Codec = Callable[[str, Up, Mapping[str, str]], Mapping[str, Any]]
"""A script, an uplink and the device's variables → the decoded object. Raises BadInput."""

ACCURACY_M = 150.0


class Extras:
    """`codec` runs the scripts of profiles with runtime JS; without one their uplinks stay without `object`."""

    def __init__(self, registry: Registry, *, codec: Codec | None, legacy: bool, antennas: Sequence[Antenna]) -> None:
        self._registry, self._codec, self._legacy, self._antennas = registry, codec, legacy, antennas

    def of(self, station: Station, up: Up, now_ns: int) -> Iterator[Event]:
        """The events of an uplink, in order."""
        if self._codec is not None and up.f_port:
            said = self._decoded(self._codec, station, up, now_ns)
            if said is not None:
                yield said
        yield up
        if self._legacy and len(up.heard) > 1:
            yield from self._of_old(up, now_ns)

    def _decoded(self, codec: Codec, station: Station, up: Up, now_ns: int) -> Log | None:
        """Fill in `object`, or say why there is none: the uplink is sent in any case."""
        profile = self._registry.profiles.get(station.family.profile_id)
        if profile.payload_codec_runtime != CODEC_JS:
            return None
        try:
            up.object = codec(profile.payload_codec_script, up, self._registry.devices.get(station.dev_eui).variables)
        except (BadInput, Unavailable) as error:
            return Log(now_ns, "ERROR", "UPLINK_CODEC", _text(error), {"deduplication_id": up.id})
        return None

    def _of_old(self, up: Up, now_ns: int) -> Iterator[Event]:
        """A place reckoned from who heard it how well, as LoRa Cloud did it."""
        weights = [10 ** (one.snr / 10) for one in up.heard]
        sites = [self._antennas[one.antenna].site for one in up.heard]
        latitude = sum(w * site.latitude for w, site in zip(weights, sites, strict=True)) / sum(weights)
        longitude = sum(w * site.longitude for w, site in zip(weights, sites, strict=True)) / sum(weights)
        yield Location(up.id, now_ns, latitude, longitude, ACCURACY_M)
        yield Integrated(up.id, now_ns, "loracloud", "DAS", {"result": {"gateways": len(up.heard)}})


def _text(error: CityError) -> str:
    return str(error)[:500]
