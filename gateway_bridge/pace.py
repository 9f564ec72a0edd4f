"""How fast orders may go out: a few under way at each gateway, neighbours in turns (their frames would spoil each other),
and never more on the air in an hour than the budget."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.airtime import DATA_RATES, time_on_air
from city.budget import Budget, Spent, down_band
from city.commands import Command, Priority, State
from city.ids import DevEui, GatewayId
from city.quantities import RADIO_DOWNLINK_SF
from city.rationing import per_slot
from city.readings import DeviceState
from city.settings import Bridge, Chirpstack
from city.store.ports import Known
from city.turns import Turns

UNDER_WAY = timedelta(seconds=10)  # an order of which nothing is heard is not under way any more, as far as its gateway goes
LEAST_BYTES = 4  # of an order, before it is encoded
Gate = Callable[[GatewayId | None, Priority], bool]


@dataclass(frozen=True, slots=True)
class _Out:
    gateway: GatewayId
    command: Command
    at: datetime


class Pace:
    """The gateways' budgets, and what is under way at each. A device that listens only after its own uplinks does not count:
    it is answered in other sub-bands, by the way. So does one of which no gateway is known."""

    def __init__(self, settings: Bridge, chirpstack: Chirpstack, spent: Iterable[Spent] = ()) -> None:
        self._share = min(settings.airtime_percent / 100, 1.0)
        self._budget = Budget(self._share, spent)
        self._most = settings.outstanding
        self._sf = DATA_RATES[min(chirpstack.rx2_dr, len(DATA_RATES) - 1)].sf
        self._band = down_band()
        self._out: dict[DevEui, _Out] = {}
        self._counts: dict[GatewayId, int] = {}
        self._turns = Turns()

    @property
    def per_slot(self) -> float:
        """Frames of lamps' programs that one gateway may send in a slot of their circle (city.rationing)."""
        return per_slot(self._share, self._sf)

    def begin(self, known: Callable[[DevEui], Known | None], now: datetime) -> None:
        """A new look: what a gateway has sent, or nobody has heard of for a while, is not under way any more."""
        self._out = {device: out for device, out in self._out.items()
                     if timedelta() <= now - out.at < UNDER_WAY and _waits(out.command, known(device))}
        self._counts = {}
        for out in self._out.values():
            self._counts[out.gateway] = self._counts.get(out.gateway, 0) + 1

    def gate(self, now: datetime) -> Gate:
        """Whether an order of this priority may go by a gateway now."""
        least = time_on_air(LEAST_BYTES, self._sf)

        def opens(gateway: GatewayId | None, priority: Priority) -> bool:
            if gateway is None:
                return True
            return (self._counts.get(gateway, 0) < self._most or priority is Priority.SAFETY) \
                and self._budget.allows(gateway, self._band, least, priority, now)

        return opens

    def has_turn(self, state: DeviceState, now: datetime) -> bool:
        """Whether a gateway may send to the device alone now: nobody else sends whom it hears too well."""
        if state.gateway is None:
            return True
        return self._turns.opens(state.gateway, state.reach, time_on_air(LEAST_BYTES, self._factor(state)), now)

    def send(self, command: Command, state: DeviceState, size: int, now: datetime) -> Spent | None:
        """A single order of so many bytes goes out now; what it costs, None where nobody knows."""
        if state.gateway is None:
            return None
        self._turns.took(state.gateway, state.reach, time_on_air(size, self._factor(state)), now)
        self._out[command.device] = _Out(state.gateway, command, now)
        self._counts[state.gateway] = self._counts.get(state.gateway, 0) + 1
        return self._spend(state.gateway, time_on_air(size, self._factor(state)), now)

    def fits(self, gateways: Sequence[GatewayId], seconds: float, priority: Priority, now: datetime) -> bool:
        """Whether each of these may send a frame of so many seconds."""
        return all(self._budget.allows(gateway, self._band, seconds, priority, now) for gateway in gateways)

    def cast(self, gateways: Sequence[GatewayId], seconds: float, now: datetime, until: datetime) -> list[Spent]:
        """A frame goes out by each of these; who hears any of them is told nothing alone `until` it is over."""
        self._turns.hush(gateways, until)
        return [self._spend(gateway, seconds, now) for gateway in gateways]

    def used_s(self, gateway: GatewayId, now: datetime) -> float:
        """Seconds on air in the hour before `now`."""
        return self._budget.used_s(gateway, self._band, now)

    def _spend(self, gateway: GatewayId, seconds: float, now: datetime) -> Spent:
        spent = Spent(gateway, self._band.letter, now, seconds)
        self._budget.spend(spent)
        return spent

    def _factor(self, state: DeviceState) -> int:
        """The spreading factor by which the device was told last: some have an RX2 of their own."""
        used = state.value(RADIO_DOWNLINK_SF)
        return used if isinstance(used, int) and 7 <= used <= 12 else self._sf


def _waits(command: Command, known: Known | None) -> bool:
    """Whether the attempt is still to be sent by a gateway, as far as anybody knows."""
    if known is None:
        return False
    return any(one.id == command.id and one.state is State.SENT and one.attempts == command.attempts for one in known.live)
