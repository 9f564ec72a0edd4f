"""What lamps said in a night, out of the local log: their counters, powers and levels, and nothing else."""

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from city.counting import Count
from city.energy import Heard
from city.ids import AssetId, TenantId
from city.quantities import LAMP_BURN_TIME, LAMP_ENERGY, LAMP_ENERGY_USED, LAMP_LEVEL, LAMP_POWER, Quantity
from city.readings import NS
from city.store import packing
from city.store.packing import Meanings
from city.store.queries import counts

AT_ONCE = 1000  # lamps whose night is held in memory at a time
_SLOTS: Mapping[Quantity, int] = {LAMP_ENERGY: 0, LAMP_ENERGY_USED: 1, LAMP_BURN_TIME: 2, LAMP_LEVEL: 3, LAMP_POWER: 4}
_Found = tuple[tuple[int, int], ...]  # index in a row, slot


class Scanned(Protocol):
    """As much of the local log as is read here: see LocalLog."""

    def scan(self, places: Collection[int] | None, first_ns: int, last_ns: int) -> Iterator[tuple[int, int, int, bytes]]: ...
    def means(self) -> Meanings: ...


def places_of(log: Scanned, tenant: TenantId) -> dict[AssetId, list[int]]:
    """The numbers of the places of a town's lamps: one for each device that a lamp has had. Raises StoreDown."""
    found: dict[AssetId, list[int]] = {}
    for number, place in log.means().places.items():
        if place.tenant == tenant and place.kind == "lamp":
            found.setdefault(place.asset, []).append(number)
    return found


def heard_of(log: Scanned, places: Mapping[AssetId, Collection[int]], first_ns: int, last_ns: int) -> dict[AssetId, Heard]:
    """What these lamps said with first ≤ time < last; those that said nothing are missing. Raises StoreDown."""
    wanted = {number: asset for asset, numbers in places.items() for number in numbers}
    if not wanted:
        return {}
    found: dict[AssetId, Heard] = {}
    shapes = _Shapes(log.means())
    for _, at_ns, number, body in log.scan(wanted.keys(), first_ns, last_ns):
        asset = wanted.get(number)
        if asset is None:
            continue
        series, values, odd = packing.said_of(body)
        wanted_here = shapes.of(tuple(series))
        if not wanted_here:
            continue
        heard = found.get(asset)
        if heard is None:
            heard = found[asset] = Heard()
        device = shapes.devices[number]
        for index, slot in wanted_here:
            implausible, offset = odd.get(index, _AS_THE_ROW) if odd else _AS_THE_ROW
            if not implausible and first_ns <= at_ns + offset < last_ns and counts(values[index]):
                _add(heard, slot, (at_ns + offset) / NS, float(values[index]), device)
    return found


_AS_THE_ROW = False, 0


class _Shapes:
    """Where in a row what is wanted stands; rows of one kind of message are alike."""

    def __init__(self, means: Meanings) -> None:
        self.devices = {number: place.device for number, place in means.places.items()}
        self._slots = {number: _SLOTS[quantity] for number, (quantity, channel) in means.series.items()
                       if not channel and quantity in _SLOTS}
        self._known: dict[tuple[int, ...], _Found] = {}

    def of(self, series: tuple[int, ...]) -> _Found:
        found = self._known.get(series)
        if found is None:
            found = self._known[series] = tuple((index, self._slots[number]) for index, number in enumerate(series)
                                                if number in self._slots)
        return found


def _add(heard: Heard, slot: int, at: float, value: float, device: str) -> None:
    match slot:
        case 4:
            heard.powers.append((at, value))
        case 3:
            heard.levels.append((at, value))
        case 0:
            heard.energy.append(Count(at, value, device))
        case 1:
            heard.used.append(Count(at, value, device))
        case 2:
            heard.burn.append(Count(at, value, device))
