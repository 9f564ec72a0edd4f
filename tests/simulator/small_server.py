"""A small network server for tests: one join server, sessions, a counter each way, answers in RX1, RX2 or at once.

It is written from the standard with its own bytes and its own use of AES, and imports nothing of the simulator, so that it
can judge the devices' frames.
"""

import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def seal(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()[:4]


def cipher(key: bytes, data: bytes, direction: int, address: bytes, counter: int) -> bytes:
    out = b""
    for number in range(0, len(data), 16):
        stream = aes(key, struct.pack("<B4xB4sIxB", 1, direction, address, counter, number // 16 + 1))
        out += bytes(a ^ b for a, b in zip(data[number:number + 16], stream, strict=False))
    return out


def mic(key: bytes, message: bytes, direction: int, address: bytes, counter: int) -> bytes:
    return seal(key, struct.pack("<B4xB4sIxB", 0x49, direction, address, counter, len(message)) + message)


@dataclass
class Heard:
    """An uplink as the server understood it."""

    eui: str
    f_cnt: int
    port: int | None
    data: bytes
    options: bytes
    confirmed: bool
    adr: bool
    asks: bool
    ack: bool


@dataclass
class Member:
    """A device that the server knows."""

    eui: str
    app_key: bytes
    nonces: set[int] = field(default_factory=set)
    address: bytes = b""
    nwk: bytes = b""
    app: bytes = b""
    up: int = -1
    down: int = 0


class SmallServer:
    """`take` is what a gateway heard; it returns what the server understood, None where that is nothing."""

    def __init__(self, *, cf_list: tuple[int, ...] = (), rx_delay: int = 1, offset: int = 0, rx2_dr: int = 0) -> None:
        self.members: dict[str, Member] = {}
        self.heard: list[Heard] = []
        self.refused: list[str] = []
        self.copies = 0
        self._nonce, self._cf_list, self._settings = 0, cf_list, bytes([offset << 4 | rx2_dr, rx_delay])

    def know(self, eui: str, app_key: bytes) -> Member:
        self.members[eui] = Member(eui, app_key)
        return self.members[eui]

    def take(self, phy: bytes) -> Heard | bytes | None:
        """A join-accept, or a data frame as understood."""
        if phy[0] == 0:
            return self._join(phy)
        if phy[0] in (0x40, 0x80):
            return self._data(phy)
        self.refused.append(f"MHDR {phy[0]:02x}")
        return None

    def _join(self, phy: bytes) -> bytes | None:
        eui, nonce = phy[9:17][::-1].hex(), int.from_bytes(phy[17:19], "little")
        member = self.members.get(eui)
        if member is None or seal(member.app_key, phy[:19]) != phy[19:]:
            self.refused.append("join MIC")
            return None
        if nonce in member.nonces:
            self.refused.append("DevNonce")
            return None
        member.nonces.add(nonce)
        self._nonce += 1
        member.address = struct.pack("<I", 0x0020_0000 + self._nonce)
        said = self._nonce.to_bytes(3, "little") + b"\x00\x00\x00"
        listed = b"".join((hz // 100).to_bytes(3, "little") for hz in self._cf_list) + b"\0" if self._cf_list else b""
        body = said + member.address + self._settings + listed
        key = nonce.to_bytes(2, "little") + bytes(7)
        member.nwk, member.app = aes(member.app_key, b"\1" + said + key), aes(member.app_key, b"\2" + said + key)
        member.up, member.down = -1, 0
        body += seal(member.app_key, b"\x20" + body)
        decryptor = Cipher(algorithms.AES(member.app_key), modes.ECB()).decryptor()
        return b"\x20" + decryptor.update(body)

    def _data(self, phy: bytes) -> Heard | None:
        address, control, counter = phy[1:5], phy[5], int.from_bytes(phy[6:8], "little")
        member = next((one for one in self.members.values() if one.address == address), None)
        if member is None:
            self.refused.append("address")
            return None
        whole = max(member.up, 0) & ~0xFFFF | counter
        whole += 0x10000 if whole < member.up else 0
        if mic(member.nwk, phy[:-4], 0, address, whole) != phy[-4:]:
            self.refused.append("MIC")
            return None
        if whole == member.up:
            self.copies += 1
            return None
        member.up = whole
        options, body = phy[8:8 + (control & 15)], phy[8 + (control & 15):-4]
        port = body[0] if body else None
        data = cipher(member.app if port else member.nwk, body[1:], 0, address, whole) if body else b""
        heard = Heard(member.eui, whole, port, data, options, phy[0] == 0x80, bool(control & 0x80), bool(control & 0x40),
                      bool(control & 0x20))
        self.heard.append(heard)
        return heard

    def down(self, eui: str, *, port: int | None = None, data: bytes = b"", options: bytes = b"", ack: bool = False,
             confirmed: bool = False, pending: bool = False, again: bool = False) -> bytes:
        """A downlink; `again` with the counter of the one before."""
        member = self.members[eui]
        member.down += 0 if again else 1
        return down(member.nwk, member.app, member.address, member.down - 1, port=port, data=data, options=options, ack=ack,
                    confirmed=confirmed, pending=pending)


def down(nwk: bytes, app: bytes, address: bytes, counter: int, *, port: int | None = None, data: bytes = b"",
         options: bytes = b"", ack: bool = False, confirmed: bool = False, pending: bool = False) -> bytes:
    control = (0x20 if ack else 0) | (0x10 if pending else 0) | len(options)
    body = bytes([0xA0 if confirmed else 0x60]) + address + bytes([control]) + struct.pack("<H", counter & 0xFFFF) + options
    if port is not None:
        body += bytes([port]) + cipher(app if port else nwk, data, 1, address, counter)
    return body + mic(nwk, body, 1, address, counter)
