"""LoRaWAN 1.0.3 and 1.0.4 frames: keys, integrity, encryption (TS001-1.0.4 §4 and §6; the same in 1.0.3).

Reading never raises: what is on the air may be for somebody else, broken or hostile, and is then simply nothing (None).
EUIs are lower-case hex as people write them and turned round on the air; DevAddr, NetID and nonces are integers;
counters are whole (32 bits), of which 16 are on the air.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.cmac import CMAC

MIC = 4
MOST_OPTIONS = 15  # bytes of MAC commands in a frame's header
OVERHEAD = 12  # bytes around FPort and payload: MHDR, DevAddr, FCtrl, FCnt, MIC
MOST_PHY = 255
JOIN_REQUEST_LENGTH, JOIN_ACCEPT_LENGTHS = 23, (17, 33)
_ADR, _ASKS, _ACK, _PENDING = 0x80, 0x40, 0x20, 0x10
_UP, _DOWN = 0, 1


class MType(IntEnum):
    """What a frame is (TS001-1.0.4 §4.2.1)."""

    JOIN_REQUEST = 0
    JOIN_ACCEPT = 1
    UNCONFIRMED_UP = 2
    UNCONFIRMED_DOWN = 3
    CONFIRMED_UP = 4
    CONFIRMED_DOWN = 5


_TYPES = {(True, False): MType.UNCONFIRMED_UP, (False, False): MType.UNCONFIRMED_DOWN,
          (True, True): MType.CONFIRMED_UP, (False, True): MType.CONFIRMED_DOWN}
_DATA = {mtype: key for key, mtype in _TYPES.items()}


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A device asks to be let in (§6.2.2)."""

    join_eui: str
    dev_eui: str
    dev_nonce: int


@dataclass(frozen=True, slots=True)
class JoinAccept:
    """What the network gives a device (§6.2.3): `rx_delay` in seconds, 1 to 15; `frequencies` (Hz) are those of channels
    3 to 7 by a CFList of type 0, 0 where one is not used."""

    join_nonce: int
    net_id: int
    dev_addr: int
    rx1_dr_offset: int = 0
    rx2_dr: int = 0
    rx_delay: int = 1
    frequencies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """An address and its keys (16 bytes each), which are never shown: of one device, or of a multicast group."""

    dev_addr: int
    nwk_s_key: bytes = field(repr=False)
    app_s_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    """What anybody can read of a data frame; `counter` are the 16 bits on the air."""

    up: bool
    confirmed: bool
    dev_addr: int
    counter: int


@dataclass(frozen=True, slots=True)
class Data:
    """A data frame in the clear. `asks` is ADRACKReq going up; `pending` is FPending going down. `f_port` is None where
    there is no payload; MAC commands stand in `options` or, with FPort 0, in `payload`."""

    up: bool
    dev_addr: int
    f_cnt: int
    f_port: int | None = None
    payload: bytes = b""
    options: bytes = b""
    confirmed: bool = False
    adr: bool = False
    asks: bool = False
    ack: bool = False
    pending: bool = False


def mtype(phy: bytes) -> MType | None:
    """What this is, if it is of LoRaWAN R1 at all."""
    if not 12 <= len(phy) <= MOST_PHY or phy[0] & 0x1F:
        return None
    kind = phy[0] >> 5
    return MType(kind) if kind <= MType.CONFIRMED_DOWN else None


def write_join_request(request: JoinRequest, app_key: bytes) -> bytes:
    """23 bytes."""
    body = bytes([MType.JOIN_REQUEST << 5]) + _turned(request.join_eui) + _turned(request.dev_eui) \
        + request.dev_nonce.to_bytes(2, "little")
    return body + cmac(app_key, body)


def read_join_request(phy: bytes) -> JoinRequest | None:
    """What it says, its integrity unchecked: who it is tells which key to check it with (`is_whole`)."""
    if mtype(phy) is not MType.JOIN_REQUEST or len(phy) != JOIN_REQUEST_LENGTH:
        return None
    return JoinRequest(phy[8:0:-1].hex(), phy[16:8:-1].hex(), int.from_bytes(phy[17:19], "little"))


def is_whole(phy: bytes, app_key: bytes) -> bool:
    """Whether a join-request was made with this key."""
    return cmac(app_key, phy[:-MIC]) == phy[-MIC:]


def write_join_accept(accept: JoinAccept, app_key: bytes) -> bytes:
    """17 bytes, 33 with frequencies. The network deciphers, so that a device needs only to encipher (§6.2.3)."""
    head = bytes([MType.JOIN_ACCEPT << 5])
    plain = (accept.join_nonce.to_bytes(3, "little") + accept.net_id.to_bytes(3, "little")
             + accept.dev_addr.to_bytes(4, "little") + bytes([accept.rx1_dr_offset << 4 | accept.rx2_dr, accept.rx_delay]))
    if accept.frequencies:
        listed = [*accept.frequencies, 0, 0, 0, 0, 0][:5]
        plain += b"".join((hertz // 100).to_bytes(3, "little") for hertz in listed) + b"\0"
    sealed = plain + cmac(app_key, head + plain)
    decryptor = Cipher(AES128(app_key), modes.ECB()).decryptor()
    return head + decryptor.update(sealed)


def read_join_accept(phy: bytes, app_key: bytes) -> JoinAccept | None:
    """What it says; None where it was not made with this key, or holds a CFList that is not one of frequencies."""
    if mtype(phy) is not MType.JOIN_ACCEPT or len(phy) not in JOIN_ACCEPT_LENGTHS:
        return None
    plain = aes(app_key, phy[1:])
    if cmac(app_key, phy[:1] + plain[:-MIC]) != plain[-MIC:]:
        return None
    listed: tuple[int, ...] = ()
    if len(phy) == max(JOIN_ACCEPT_LENGTHS) and plain[27] == 0:
        listed = tuple(int.from_bytes(plain[at:at + 3], "little") * 100 for at in range(12, 27, 3))
    return JoinAccept(int.from_bytes(plain[:3], "little"), int.from_bytes(plain[3:6], "little"),
                      int.from_bytes(plain[6:10], "little"), plain[10] >> 4 & 7, plain[10] & 15, plain[11] & 15 or 1, listed)


def session_of(app_key: bytes, accept: JoinAccept, dev_nonce: int) -> Session:
    """The session's keys (§6.2.3 of 1.0.3): NwkSKey with 01, AppSKey with 02."""
    said = accept.join_nonce.to_bytes(3, "little") + accept.net_id.to_bytes(3, "little") \
        + dev_nonce.to_bytes(2, "little") + bytes(7)
    keys = aes(app_key, b"\1" + said + b"\2" + said)
    return Session(accept.dev_addr, keys[:16], keys[16:])


def write(frame: Data, session: Session) -> bytes:
    """The frame enciphered and sealed. Raises ValueError on more than 15 bytes of options, or on options beside FPort 0."""
    if len(frame.options) > MOST_OPTIONS or (frame.options and frame.f_port == 0):
        raise ValueError("MAC commands stand in the header or under FPort 0, not in both")
    control = (frame.adr and _ADR) | (frame.asks and _ASKS) | (frame.ack and _ACK) | (frame.pending and _PENDING)
    body = (bytes([_TYPES[frame.up, frame.confirmed] << 5]) + frame.dev_addr.to_bytes(4, "little")
            + bytes([control | len(frame.options)]) + (frame.f_cnt & 0xFFFF).to_bytes(2, "little") + frame.options)
    if frame.f_port is not None:
        key = session.app_s_key if frame.f_port else session.nwk_s_key
        body += bytes([frame.f_port]) + _ciphered(key, frame.payload, up=frame.up, dev_addr=frame.dev_addr,
                                                  f_cnt=frame.f_cnt)
    return body + _mic(session, body, up=frame.up, f_cnt=frame.f_cnt)


def header(phy: bytes) -> Header | None:
    """Who a data frame is from or for."""
    kind = mtype(phy)
    if kind is None or kind not in _DATA:
        return None
    up, confirmed = _DATA[kind]
    return Header(up, confirmed, int.from_bytes(phy[1:5], "little"), int.from_bytes(phy[6:8], "little"))


def read(phy: bytes, session: Session, f_cnt: int) -> Data | None:
    """The frame in the clear, if it was made with the session's keys and this whole counter."""
    head = header(phy)
    if head is None or head.dev_addr != session.dev_addr or head.counter != f_cnt & 0xFFFF:
        return None
    control = phy[5]
    start = 8 + (control & MOST_OPTIONS)
    if start > len(phy) - MIC or _mic(session, phy[:-MIC], up=head.up, f_cnt=f_cnt) != phy[-MIC:]:
        return None
    f_port, payload, body = None, b"", phy[start:-MIC]
    if body:
        f_port = body[0]
        key = session.app_s_key if f_port else session.nwk_s_key
        payload = _ciphered(key, body[1:], up=head.up, dev_addr=head.dev_addr, f_cnt=f_cnt)
    if f_port == 0 and start > 8:
        return None  # commands in both places: such a frame is to be dropped (§4.3.1.6)
    return Data(head.up, head.dev_addr, f_cnt, f_port, payload, phy[8:start], head.confirmed, bool(control & _ADR),
                head.up and bool(control & _ASKS), bool(control & _ACK), not head.up and bool(control & _PENDING))


def whole_counter(last: int, on_air: int) -> int:
    """The smallest whole counter above `last` (-1: none yet) that ends in these 16 bits."""
    following = last + 1
    return following + (on_air - following & 0xFFFF)


def aes(key: bytes, blocks: bytes) -> bytes:
    """Each block of 16 bytes enciphered by itself (AES-128, FIPS 197)."""
    return Cipher(AES128(key), modes.ECB()).encryptor().update(blocks)


def cmac(key: bytes, message: bytes) -> bytes:
    """The first four bytes of AES-CMAC (RFC 4493)."""
    seal = CMAC(AES128(key))
    seal.update(message)
    return seal.finalize()[:MIC]


def _mic(session: Session, message: bytes, *, up: bool, f_cnt: int) -> bytes:
    first = bytes([0x49, 0, 0, 0, 0, _UP if up else _DOWN]) + session.dev_addr.to_bytes(4, "little") \
        + f_cnt.to_bytes(4, "little") + bytes([0, len(message)])
    return cmac(session.nwk_s_key, first + message)


def _ciphered(key: bytes, data: bytes, *, up: bool, dev_addr: int, f_cnt: int) -> bytes:
    """The same way in and out: the data under a stream made of numbered blocks (§4.3.3)."""
    if not data:
        return b""
    head = bytes([1, 0, 0, 0, 0, _UP if up else _DOWN]) + dev_addr.to_bytes(4, "little") + f_cnt.to_bytes(4, "little") + b"\0"
    blocks = -(-len(data) // 16)
    stream = aes(key, b"".join(head + bytes([number]) for number in range(1, blocks + 1)))
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream[:len(data)], "big")).to_bytes(len(data), "big")


def _turned(eui: str) -> bytes:
    return bytes.fromhex(eui)[::-1]
