"""A gateway as Semtech's packet forwarder speaks: UDP datagrams with JSON (GWMP version 2, PROTOCOL.TXT of lora_pkt_fwd).

    up     2 | token 2 | kind 1 | gateway 8 | JSON        PUSH_DATA, PULL_DATA, TX_ACK
    down   2 | token 2 | kind 1 | JSON                    PUSH_ACK, PULL_ACK (4 bytes), PULL_RESP
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from city.airtime import FSK, FSK_BIT_S
from city.errors import MalformedEvent
from city.readings import from_ns
from simulator.concentrator import GPS_EPOCH_NS, LEAP_NS, WRAP, Item, Totals
from simulator.flights import Wave
from simulator.forwarder import Downlink, Message, Moment
from simulator.medium import Received
from simulator.scenario import Antenna

VERSION = 2
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK = range(6)
MOST_BYTES = 4096  # far more than any PULL_RESP
MS = 1_000_000
_MHZ = 1_000_000


class UdpLanguage:
    """Translates for any gateway; messages bear the gateway's id as their name. Tokens count up."""

    def __init__(self) -> None:
        self._token = 0

    def topics(self, antennas: tuple[Antenna, ...]) -> tuple[str, ...]:
        """The gateways: each has a socket of its own."""
        return tuple(str(one.gateway.id) for one in antennas)

    def up(self, antenna: Antenna, received: Received, moment: Moment, number: int) -> Message:  # noqa: ARG002 - as all languages
        wave = received.wave
        packet: dict[str, object] = {
            "tmst": moment.counter, "freq": wave.frequency / _MHZ, "chan": received.channel,
            "rfch": 1 if received.channel < 3 else 0, "stat": 1 if received.crc_ok else -1, "modu": "LORA",
            "datr": f"SF{wave.sf}BW{wave.bandwidth // 1000}", "codr": "4/5", "rssi": round(received.rssi_dbm),
            "lsnr": round(received.snr_db, 1), "size": len(received.phy), "data": b64encode(received.phy).decode()}
        if wave.sf == FSK:
            packet |= {"modu": "FSK", "datr": FSK_BIT_S}
            del packet["codr"], packet["lsnr"]
        if antenna.gnss:
            packet |= {"time": from_ns(moment.at_ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                       "tmms": (moment.at_ns - GPS_EPOCH_NS + LEAP_NS) // MS}
        return antenna.gateway.id, self._pushed(antenna, {"rxpk": [packet]})

    def stats(self, antenna: Antenna, now: Totals, before: Totals, moment: Moment) -> Message:
        received, ok = now.rx_received - before.rx_received, now.rx_ok - before.rx_ok
        said = {"time": from_ns(moment.at_ns).strftime("%Y-%m-%d %H:%M:%S GMT"), "lati": round(antenna.site.latitude, 5),
                "long": round(antenna.site.longitude, 5), "alti": round(antenna.altitude), "rxnb": received, "rxok": ok,
                "rxfw": ok, "ackr": 100.0, "dwnb": now.tx_received - before.tx_received,
                "txnb": now.tx_emitted - before.tx_emitted}
        return antenna.gateway.id, self._pushed(antenna, {"stat": said})

    def alive(self, antenna: Antenna) -> Message:
        """PULL_DATA keeps the way down open."""
        return antenna.gateway.id, self._head(PULL_DATA) + bytes.fromhex(antenna.gateway.id)

    def read(self, name: str, payload: bytes) -> Downlink | None:
        if not 4 <= len(payload) <= MOST_BYTES or payload[0] != VERSION:
            raise MalformedEvent("This is no datagram of a network server: {what}", what=payload[:16].hex())
        if payload[3] in (PUSH_ACK, PULL_ACK):
            return None
        try:
            if payload[3] != PULL_RESP:
                raise ValueError(f"kind {payload[3]}")
            tree = msgspec.json.decode(payload[4:], type=dict[str, dict[str, Any]])
            return Downlink(name, int.from_bytes(payload[1:3], "big"), (_item(tree["txpk"]),))
        except (msgspec.DecodeError, KeyError, ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
            raise MalformedEvent("This is no datagram of a network server: {what}", what=str(error)[:200]) from error

    def ack(self, downlink: Downlink, said: list[str]) -> Message:
        error = "NONE" if said[0] == "OK" else said[0]
        body = msgspec.json.encode({"txpk_ack": {"error": error}})
        head = bytes([VERSION]) + downlink.number.to_bytes(2, "big") + bytes([TX_ACK])
        return downlink.gateway_id, head + bytes.fromhex(downlink.gateway_id) + body

    def _pushed(self, antenna: Antenna, body: Mapping[str, object]) -> bytes:
        return self._head(PUSH_DATA) + bytes.fromhex(antenna.gateway.id) + msgspec.json.encode(body)

    def _head(self, kind: int) -> bytes:
        self._token = self._token + 1 & 0xFFFF
        return bytes([VERSION]) + self._token.to_bytes(2, "big") + bytes([kind])


def _item(packet: Mapping[str, Any]) -> Item:
    """A txpk. Raises KeyError, ValueError, TypeError."""
    data = b64decode(str(packet["data"]), validate=True)
    if not 1 <= len(data) <= 255 or packet.get("size", len(data)) != len(data):
        raise ValueError(f"{len(data)} bytes")
    sf, bandwidth = _rate(str(packet["modu"]), packet["datr"])
    wave = Wave(round(float(packet["freq"]) * _MHZ), sf, bandwidth, float(packet.get("powe", 14)),
                down=bool(packet.get("ipol", False)))
    if packet.get("imme"):
        return Item(data, wave)
    if "tmst" in packet:
        return Item(data, wave, at_us=int(packet["tmst"]) % WRAP)
    return Item(data, wave, gps_ns=int(packet["tmms"]) * MS)


def _rate(modulation: str, rate: object) -> tuple[int, int]:
    if modulation == "FSK":
        return FSK, 125_000
    text = str(rate)
    if modulation != "LORA" or not text.startswith("SF") or "BW" not in text:
        raise ValueError(f"{modulation[:16]} {text[:16]}")
    sf, bandwidth = (int(part) for part in text[2:].split("BW", 1))
    if not 7 <= sf <= 12 or bandwidth not in (125, 250, 500):
        raise ValueError(text[:16])
    return sf, bandwidth * 1000
