"""What each gateway has heard of each town's devices since somebody last asked: for the sheet `gateway` of city.figures.

Kept in memory and counted where uplinks are kept (gateway_bridge.listen), so on the hot path: a few additions for each gateway
that heard a frame. An uplink counts when it arrives, however late; a frame that the broker delivers again, only once. What is
counted and not yet told is lost with a crash: these are statistics, of a step at most (city.store.figure_telling).

A message names its gateways, so their number has a limit: those of a town beyond MOST_GATEWAYS are counted as "other".
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from city.airtime import DATA_RATES
from city.counters import WIDTH
from city.figures import (
    GATEWAY_BEST,
    GATEWAY_DUTY,
    GATEWAY_MISSED,
    GATEWAY_RSSI,
    GATEWAY_SF,
    GATEWAY_SNR,
    GATEWAY_UPLINKS,
)
from city.ids import DevEui, TenantId
from city.quantities import Quantity
from city.readings import DeviceState
from city.store.figure_lines import line
from city.store.ports import Known, View
from gateway_bridge.events import Uplink
from gateway_bridge.metrics import OTHER, Missed
from gateway_bridge.pipeline import Arrival

MOST_GATEWAYS = 500
KNOWN_FOR = timedelta(days=1)  # a gateway that hears nothing is told of with zeros for so long
_UPLINKS, _BEST, _RSSI, _SNR, _MISSED, _FIRST_SF = range(6)
_AT = {rate.dr: _FIRST_SF + rate.sf - min(GATEWAY_SF) for rate in DATA_RATES if rate.sf in GATEWAY_SF}  # EU868
_CELLS = _FIRST_SF + len(GATEWAY_SF)

Cell = list[float]


class Heard(NamedTuple):
    """What a gateway heard of a town's devices. Sums: strength in dBm, signal-to-noise ratio in dB."""

    tenant: TenantId
    gateway: str
    cell: Sequence[float]


class Tally:
    """Of one bridge. `note` is the loop's; `take` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._cells: dict[TenantId, dict[str, Cell]] = {}
        self._known: dict[TenantId, dict[str, datetime | None]] = {}  # gateways, and when they were last told of as hearing

    def note(self, arrivals: Iterable[Arrival], changed: Mapping[DevEui, Known], missed: Iterable[Missed],
             before: View | None = None) -> None:
        """The uplinks of a batch that were good, by what it has changed. `before`: what was known before it, where some of them
        may have been heard already."""
        with self._lock:
            for arrival in arrivals:
                up = arrival.event
                if not isinstance(up, Uplink):
                    continue
                known = changed.get(up.device)
                if known is not None and not (before is not None and _heard(before[up.device].state, up)):
                    self._note(known.registered.tenant.id, up)
            for town, gateway, count in missed:
                if gateway:
                    self._cell(TenantId(town), gateway)[_MISSED] += count

    def take(self, now: datetime) -> list[Heard]:
        """All since it was last called, and with zeros those gateways that have heard nothing since, but within a day."""
        with self._lock:
            cells, self._cells = self._cells, {}
            for town, gateways in self._known.items():
                its = cells.setdefault(town, {})
                for gateway, at in list(gateways.items()):
                    if gateway in its:
                        gateways[gateway] = now
                    elif at is not None and now - at > KNOWN_FOR:
                        del gateways[gateway]
                    else:
                        its[gateway] = _NOTHING
        return [Heard(town, gateway, cell) for town, its in cells.items() for gateway, cell in its.items()]

    def _note(self, town: TenantId, up: Uplink) -> None:
        if up.gateway is None:
            return
        at, cells = _AT.get(up.dr), self._cells.get(town, _NONE)
        for gateway, rssi, snr in up.ears or ((up.gateway, up.rssi or 0.0, up.snr or 0.0),):
            cell = cells.get(gateway) or self._cell(town, gateway)
            cell[_UPLINKS] += 1
            cell[_RSSI] += rssi
            cell[_SNR] += snr
            if at is not None:
                cell[at] += 1
            if gateway == up.gateway:
                cell[_BEST] += 1

    def _cell(self, town: TenantId, gateway: str) -> Cell:
        cells, known = self._cells.setdefault(town, {}), self._known.setdefault(town, {})
        if gateway not in known:
            gateway = gateway if len(known) < MOST_GATEWAYS else OTHER
            known.setdefault(gateway, None)
        return cells.setdefault(gateway, [0] * _CELLS)


def gateway_line(heard: Heard, at_ns: int, *, bridge: str = "", duty: float | None = None) -> bytes | None:
    """The point of a gateway. `duty`: per cent of the time on air that the law allows it, None: not known here. Pure."""
    cell, count = heard.cell, int(heard.cell[_UPLINKS])
    said: dict[Quantity, float | int | None] = {
        GATEWAY_UPLINKS: count, GATEWAY_BEST: int(cell[_BEST]), GATEWAY_MISSED: int(cell[_MISSED]), GATEWAY_DUTY: duty,
        GATEWAY_RSSI: _mean(GATEWAY_RSSI, cell[_RSSI], count), GATEWAY_SNR: _mean(GATEWAY_SNR, cell[_SNR], count)}
    said |= {quantity: int(cell[_FIRST_SF + index]) for index, quantity in enumerate(GATEWAY_SF.values())}
    return line("gateway", {"tenant": heard.tenant, "gateway": heard.gateway, "bridge": bridge}, said, at_ns)


def _mean(quantity: Quantity, total: float, count: int) -> float | None:
    """None where nothing was heard, or where some message said what cannot be."""
    mean = total / count if count else None
    return mean if mean is not None and quantity.least <= mean <= quantity.most else None


def _heard(state: DeviceState, up: Uplink) -> bool:
    """Whether the device's counter says that this frame was known already."""
    behind = state.f_cnt - up.f_cnt
    return up.dev_addr == state.session and 0 <= behind < WIDTH and not state.holes >> behind & 1


_NOTHING: Cell = [0] * _CELLS
_NONE: dict[str, Cell] = {}
