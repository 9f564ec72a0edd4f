"""What a device makes of a frame that it has heard: whether it is for it, new, and whole."""

from simulator import lorawan
from simulator.lorawan import Data, Header, JoinAccept, Session
from simulator.mac import Version
from simulator.makes import Kept, Member

MAX_FCNT_GAP = 16_384  # 1.0.3 §4.3.1.5; 1.0.4 has none


def accept_of(phy: bytes, app_key: bytes, kept: Kept, version: Version) -> JoinAccept | None:
    """The join-accept, if it is for us; 1.0.4 takes no JoinNonce twice (TS001-1.0.4 §6.2.3)."""
    accept = lorawan.read_join_accept(phy, app_key)
    if accept is None or (version == "1.0.4" and accept.join_nonce <= kept.join_nonce):
        return None
    return accept


def own_of(phy: bytes, head: Header, kept: Kept, version: Version) -> Data | None:
    """The downlink, if its counter is new and it was made with our keys."""
    session, f_cnt = kept.session, lorawan.whole_counter(kept.f_cnt_down, head.counter)
    if session is None:
        return None
    if version == "1.0.3" and f_cnt - max(kept.f_cnt_down, 0) > MAX_FCNT_GAP:
        return None
    return lorawan.read(phy, session, f_cnt)


class Multicast:
    """The groups that a device belongs to, and the counters that it has heard in each."""

    __slots__ = ("_counts", "member")

    def __init__(self, member: Member) -> None:
        self.member = member
        self._counts: dict[int, int] = {}

    @property
    def addresses(self) -> set[int]:
        """The groups' DevAddrs."""
        return {int(address, 16) for address in self.member.groups}

    def hear(self, phy: bytes, dev_addr: int, counter: int) -> Data | None:
        """The frame, if it is new and for one of the groups: unconfirmed, without commands, for an application
        (§17.3 of 1.0.3; TS005 §2)."""
        keys = self.member.groups.get(f"{dev_addr:08x}")
        if keys is None:
            return None
        session = Session(dev_addr, bytes.fromhex(keys[0]), bytes.fromhex(keys[1]))
        data = lorawan.read(phy, session, lorawan.whole_counter(self._counts.get(dev_addr, -1), counter))
        if data is None or data.confirmed or data.ack or data.options or not data.f_port:
            return None
        self._counts[dev_addr] = data.f_cnt
        return data
