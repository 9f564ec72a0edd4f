"""A perfect air for tests: whatever is sent is heard by the server, whatever it answers by whoever listens for it."""

from collections.abc import Callable
from dataclasses import dataclass

from city.airtime import DATA_RATES, phy_time_on_air
from city.readings import NS


@dataclass
class Sent:
    """One frame of a device on the air."""

    phy: bytes
    hertz: int
    rate: object
    dbm: int
    begun: int
    ended: int


class PerfectEther:
    """Spots are names. `network(sent)` is called at each frame's end."""

    def __init__(self, engine) -> None:
        self.engine, self.sent = engine, []
        self.ears: dict[object, tuple] = {}
        self.network: Callable[[Sent, object], None] = lambda _sent, _spot: None
        self.busy: dict[object, int] = {}

    def send(self, spot, phy, wave):
        self.ears.pop(spot, None)
        seconds = phy_time_on_air(len(phy), wave.sf, bandwidth=wave.bandwidth, crc=True)
        rate = next(one for one in DATA_RATES if (one.sf, one.bandwidth) == (wave.sf, wave.bandwidth))
        one = Sent(phy, wave.frequency, rate, wave.power_dbm, self.engine.now, self.engine.now + int(seconds * NS))
        self.sent.append(one)
        self.engine.at(one.ended, self.network, one, spot)
        return one.ended

    def listen(self, spot, ear, frequency, sf, bandwidth, addresses):  # noqa: ARG002 - an ether's contract
        self.ears[spot] = (ear, frequency, sf, addresses)

    def hush(self, spot):
        self.ears.pop(spot, None)

    def hearing(self, spot):
        return self.busy.get(spot, 0)

    def emit(self, phy: bytes, hertz: int, rate, at_ns: int, snr: float = 7.5) -> None:
        """A gateway begins to send at `at_ns`; who listens then hears it at its end."""
        self.engine.at(at_ns, self._begin, phy, hertz, rate, snr)

    def _begin(self, phy, hertz, rate, snr):
        seconds = phy_time_on_air(len(phy), rate.sf, bandwidth=rate.bandwidth, crc=False)
        end = self.engine.now + int(seconds * NS)
        address = int.from_bytes(phy[1:5], "little") if phy[0] != 0x20 else None
        for spot, (ear, tuned, sf, addresses) in list(self.ears.items()):
            if (tuned, sf) == (hertz, rate.sf) and (addresses is None or address in addresses):
                self.busy[spot] = end
                self.engine.at(end, self._end, spot, ear, phy, snr)

    def _end(self, spot, ear, phy, snr):
        self.busy.pop(spot, None)
        if spot in self.ears and self.ears[spot][0] is ear:
            ear.hears(phy, None, -80.0, snr)
