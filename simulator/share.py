"""A device's share of the air: what it may send in each sub-band, and when it may ask to be let in once more."""

from city.airtime import band_of
from city.readings import NS
from simulator.region import Channel

JOIN_DUTY = ((3600 * NS, 0.01), (11 * 3600 * NS, 0.001))  # by the time since the first request (TS001-1.0.4 §7)
JOIN_DUTY_AT_LAST = 0.0001  # 8.7 s a day


class Share:
    """After a frame its sub-band is closed for as long as its share demands: Toff = ToA / duty - ToA (LoRaWAN 1.0.2 §7.2)."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free: dict[str, int] | None = None  # by the band's letter, ns

    def free_at(self, channel: Channel) -> int:
        """When the channel may be used again, ns; 0 where it was not used yet."""
        band = band_of(channel.uplink_hz)
        return self._free.get(band.letter, 0) if self._free and band else 0

    def spend(self, channels: list[Channel], used: Channel, begun_ns: int, ended_ns: int, max_duty: int) -> None:
        """It was on the air. With `max_duty` n the network allows 2^-n of the time, in all bands of `channels` together."""
        free = self._free = self._free or {}
        airtime = ended_ns - begun_ns
        band = band_of(used.uplink_hz)
        if band is not None:
            free[band.letter] = ended_ns + airtime * (1000 - band.permille) // band.permille
        closed = ended_ns + airtime * (2**max_duty - 1) if max_duty else 0
        for letter in {other.letter for one in channels if (other := band_of(one.uplink_hz))} if closed else ():
            free[letter] = max(free.get(letter, 0), closed)


def join_pause_s(airtime_s: float, since_first_ns: int) -> float:
    """The least pause after a join-request that nobody has answered."""
    duty = next((share for until, share in JOIN_DUTY if since_first_ns < until), JOIN_DUTY_AT_LAST)
    return airtime_s * (1 / duty - 1)
