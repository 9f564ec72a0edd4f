"""The town's gateways as the network server sees them: what they transmit, when they were last heard, and their clocks."""

from collections.abc import Callable, Sequence

from city.errors import Invalid
from city.readings import NS
from simulator.downlinks import Transmitter
from simulator.engine import Engine
from simulator.events import REGION
from simulator.provisioned import GatewayRecord
from simulator.radio import Heard
from simulator.registry import Registry
from simulator.scenario import Antenna

STATS_NS = 30 * NS  # between two stats messages of a gateway, whatever the server was told
NOT_THERE = ""  # no tx-ack at all
REFUSALS = ("TOO_LATE", "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON", "TX_FREQ", "TX_POWER", "GPS_UNLOCKED",
            "QUEUE_FULL", "INTERNAL_ERROR", "DUTY_CYCLE_OVERFLOW")  # gw.TxAckStatus
NEVER_SEEN, ONLINE, OFFLINE = 0, 1, 2  # api.GatewayState


class Fleet:
    """A gateway is meant by its index among the scenario's antennas. `clock_ns` is how far each one's clock is off; only
    those that the registry knows are listened to (`allow_unknown_gateways` is false in ChirpStack)."""

    def __init__(self, antennas: Sequence[Antenna], registry: Registry, engine: Engine) -> None:
        self.antennas = antennas
        self.clock_ns = [0] * len(antennas)
        self._registry, self._engine, self._start_ns = registry, engine, engine.now
        self._ids = [str(one.gateway.id) for one in antennas]
        self._index: dict[str, int] = {name: index for index, name in enumerate(self._ids)}
        self._transmitters = [Transmitter() for _ in antennas]
        self._silent_ns: dict[int, int] = {}  # since when
        self._refusing: dict[int, str] = {}
        self.gauge: Callable[[int, bool], float] | None = None  # `used_s`, where others send

    def index(self, gateway_id: str) -> int | None:
        """Where a gateway stands among the antennas; None where the town has no such gateway."""
        return self._index.get(gateway_id)

    def silence(self, gateway_id: str, silent: bool) -> None:
        """Take a gateway off the net, or bring it back. Raises KeyError where the town has none of that id."""
        index = self._index[gateway_id]
        if silent:
            self._silent_ns.setdefault(index, self._engine.now)
        else:
            self._silent_ns.pop(index, None)

    def is_silent(self, index: int) -> bool:
        """Whether a gateway is off the net."""
        return index in self._silent_ns

    def refuse(self, gateway_id: str, why: str) -> None:
        """Let a gateway refuse every downlink, as `why` of gw.TxAckStatus; "" ends that. Raises KeyError where the town has
        none of that id, and Invalid where no gateway says so."""
        if why not in ("", *REFUSALS):
            raise Invalid("“{value}” is nothing that a gateway says of a downlink.", field="status", rule="TxAckStatus",
                          value=why[:40])
        index = self._index[gateway_id]
        self._refusing.pop(index, None)
        if why:
            self._refusing[index] = why

    def shift_clock(self, gateway_id: str, seconds: float) -> None:
        """From now on the gateway dates frames so many seconds late (early, if negative)."""
        self.clock_ns[self._index[gateway_id]] = int(seconds * NS)

    def listening(self, heard: Sequence[Heard]) -> list[Heard]:
        """What of a frame's receptions reaches the server."""
        known, silent, ids = self._registry.gateways.rows, self._silent_ns, self._ids
        return [one for one in heard if one.antenna not in silent and ids[one.antenna] in known]

    def send(self, index: int, airtime_s: float, *, rx2: bool) -> tuple[str, int]:
        """What the gateway says ("OK", an error of gw.TxAckStatus, or NOT_THERE), and when the frame will have been sent
        (ns)."""
        objection = self.objection(index)
        if objection is not None:
            return objection, self._engine.now
        return self._transmitters[index].send(self._engine.now, airtime_s, rx2=rx2)

    def objection(self, index: int) -> str | None:
        """Why a gateway takes no downlink at all: NOT_THERE, or what it was made to say; None where it takes some."""
        return NOT_THERE if index in self._silent_ns else self._refusing.get(index)

    def used_s(self, index: int, *, rx2: bool = True) -> float:
        """Seconds on air in the RX2 band during the last hour; in that of RX1 otherwise."""
        if self.gauge is not None:
            return self.gauge(index, rx2)
        return self._transmitters[index].used_s(self._engine.now, rx2=rx2)

    def last_seen_ns(self, record: GatewayRecord) -> int | None:
        """When its last stats message came that the server took; None before the first."""
        index = self._index.get(record.gateway_id)
        if index is None:
            return None
        until = self._silent_ns.get(index, self._engine.now)
        first = self._start_ns + STATS_NS * (index + 1) // (len(self.antennas) + 1)
        if until < first:
            return None
        last = first + (until - first) // STATS_NS * STATS_NS
        return last if last >= record.created_ns else None

    def state(self, record: GatewayRecord) -> int:
        """NEVER_SEEN, ONLINE, or OFFLINE: nothing for two of the intervals that the server was told."""
        seen = self.last_seen_ns(record)
        if seen is None:
            return NEVER_SEEN
        return OFFLINE if self._engine.now - seen > 2 * record.stats_interval * NS else ONLINE

    def region(self, record: GatewayRecord) -> str:
        """The region that a gateway's stats have told of; "" before the first."""
        return "" if self.last_seen_ns(record) is None else REGION

    def time_of(self, heard: Sequence[Heard], at_ns: int, server_ns: int, drift_ns: int = 30 * NS) -> int:
        """When a frame came, as the server reckons: the first satellite time, unchecked; else a gateway's clock that is
        off by at most 30 s (`rx_timestamp_max_drift`); else its own."""
        for one in heard:
            if self.antennas[one.antenna].gnss:
                return at_ns + self.clock_ns[one.antenna]
        for one in heard:
            said = at_ns + self.clock_ns[one.antenna]
            if abs(said - server_ns) <= drift_ns:
                return said
        return server_ns
