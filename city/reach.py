"""Which gateways hear a device, learnt from its uplinks, and which few of them reach all of several devices."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from city.ids import DevEui, GatewayId
from city.places import Site

EARS = 6  # that are remembered of a device
REFRESH_NS = 600 * 1_000_000_000  # what a known gateway hears is counted so often at most: it hardly changes
FORGET_NS = 14 * 86_400 * 1_000_000_000
WEIGHT = 4  # a new reception counts one fourth
ABSURD_DB = 300.0
NEAR_M = 250.0


class Ear(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A gateway that hears the device: smoothed RSSI (dBm) and SNR (dB), and when it was last counted."""

    gateway: GatewayId
    rssi: float
    snr: float
    at_ns: int


Reach = tuple[Ear, ...]  # the best SNR first
Reception = tuple[GatewayId, float, float]  # gateway, RSSI, SNR


class Heard(Protocol):
    """What is known of how a device is heard; a DeviceState is one."""

    @property
    def gateway(self) -> GatewayId | None: ...
    @property
    def reach(self) -> Reach: ...


def reached(reach: Reach, receptions: Collection[Reception], at_ns: int) -> Reach:
    """`reach` after an uplink that these gateways heard; the same object where nothing is to be learnt."""
    known = {ear.gateway: ear for ear in reach}
    if all((ear := known.get(gateway)) is not None and at_ns - ear.at_ns < REFRESH_NS for gateway, _, _ in receptions):
        return reach
    for gateway, rssi, snr in receptions:
        if abs(rssi) <= ABSURD_DB and abs(snr) <= ABSURD_DB:  # a message may say anything
            known[gateway] = _counted(known.get(gateway), gateway, rssi, snr, at_ns)
    kept = [ear for ear in known.values() if at_ns - ear.at_ns < FORGET_NS]
    return tuple(sorted(kept, key=lambda ear: (-ear.snr, ear.gateway))[:EARS])


def gateways_of(state: Heard) -> tuple[GatewayId, ...]:
    """The gateways that reach the device, the best first. Whoever hears it reaches it: in band P a gateway may send with 27
    dBm ERP, a device with 14."""
    if not state.reach:
        return () if state.gateway is None else (state.gateway,)
    return tuple(ear.gateway for ear in state.reach)


def by_neighbours(own: Mapping[DevEui, Sequence[GatewayId]], sites: Mapping[DevEui, Site]) -> dict[DevEui, tuple[GatewayId, ...]]:
    """Which gateways a device probably *hears*: its own, then those that hear devices near it. A gateway sends with up to 29
    dBm EIRP, while ADR makes devices as quiet as their best gateway allows: what only that one hears, they hear from others."""
    squares: dict[tuple[int, int], dict[GatewayId, None]] = {}
    for device, gateways in own.items():
        if (site := sites.get(device)) is not None:
            squares.setdefault(_square(site), {}).update(dict.fromkeys(gateways))
    near = {at: dict.fromkeys(gateway for i in (-1, 0, 1) for j in (-1, 0, 1)
                              for gateway in squares.get((at[0] + i, at[1] + j), ())) for at in squares}
    return {device: tuple(dict.fromkeys([*gateways, *(near[_square(sites[device])] if device in sites else ())]))
            for device, gateways in own.items()}


def covering(reaches: Mapping[DevEui, Collection[GatewayId]]) -> tuple[GatewayId, ...]:
    """Few gateways that together reach all of these devices that any reaches: at each step the one that adds most."""
    left = {device: set(gateways) for device, gateways in reaches.items() if gateways}
    chosen: list[GatewayId] = []
    while left:
        best = _busiest(left.values())
        chosen.append(best)
        left = {device: gateways for device, gateways in left.items() if best not in gateways}
    return tuple(chosen)


def _square(site: Site) -> tuple[int, int]:
    """Squares of about NEAR_M; longitudes as they are in the middle of Europe."""
    return int(site.latitude * 111_195 // NEAR_M), int(site.longitude * 71_000 // NEAR_M)


def _busiest(reaches: Iterable[Iterable[GatewayId]]) -> GatewayId:
    counts = Counter(gateway for gateways in reaches for gateway in gateways)
    return min(counts, key=lambda gateway: (-counts[gateway], gateway))


def _counted(ear: Ear | None, gateway: GatewayId, rssi: float, snr: float, at_ns: int) -> Ear:
    if ear is None:
        return Ear(gateway, round(rssi, 1), round(snr, 1), at_ns)
    return Ear(gateway, round(ear.rssi + (rssi - ear.rssi) / WEIGHT, 1), round(ear.snr + (snr - ear.snr) / WEIGHT, 1), at_ns)
