"""MAC commands in words, both ways (TS001-1.0.4 §5): what each is called, and what its bytes say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator import mac

_UP_LENGTHS = {mac.LINK_CHECK: 0, mac.LINK_ADR: 1, mac.DUTY_CYCLE: 0, mac.RX_PARAM_SETUP: 1, mac.DEV_STATUS: 2,
               mac.NEW_CHANNEL: 1, mac.RX_TIMING_SETUP: 0, mac.TX_PARAM_SETUP: 0, mac.DL_CHANNEL: 1, mac.DEVICE_TIME: 0}
_NAMES = {mac.LINK_CHECK: ("LinkCheckReq", "LinkCheckAns"), mac.LINK_ADR: ("LinkADRAns", "LinkADRReq"),
          mac.DUTY_CYCLE: ("DutyCycleAns", "DutyCycleReq"), mac.RX_PARAM_SETUP: ("RXParamSetupAns", "RXParamSetupReq"),
          mac.DEV_STATUS: ("DevStatusAns", "DevStatusReq"), mac.NEW_CHANNEL: ("NewChannelAns", "NewChannelReq"),
          mac.RX_TIMING_SETUP: ("RXTimingSetupAns", "RXTimingSetupReq"),
          mac.TX_PARAM_SETUP: ("TXParamSetupAns", "TXParamSetupReq"), mac.DL_CHANNEL: ("DlChannelAns", "DlChannelReq"),
          mac.DEVICE_TIME: ("DeviceTimeReq", "DeviceTimeAns")}
Facts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its bytes in hex, its name in the standard, and its parts by their names there."""

    hex: str
    name: str
    facts: Facts


def commands(data: bytes, *, up: bool) -> list[Command]:
    """The commands of a frame; what cannot be read any more is one of the name "?"."""
    found = list(_split(data, up=up))
    read = sum(1 + len(body) for _, body in found)
    said = [Command(bytes([cid, *body]).hex(" "), _NAMES[cid][not up] if cid in _NAMES else f"0x{cid:02x}",
                    (_UP if up else _DOWN).get(cid, _nothing)(body)) for cid, body in found]
    return said + ([Command(data[read:].hex(" "), "?", {})] if read < len(data) else [])


def _split(data: bytes, *, up: bool) -> Iterator[tuple[int, bytes]]:
    lengths, at = _UP_LENGTHS if up else mac.LENGTHS, 0
    while at < len(data):
        length = lengths.get(data[at])
        if length is None or at + 1 + length > len(data):
            return
        yield data[at], data[at + 1:at + 1 + length]
        at += 1 + length


def _nothing(_: bytes) -> Facts:
    return {}


def _acks(*names: str) -> Callable[[bytes], Facts]:
    """A status byte: bit n says whether the n-th part was taken."""
    return lambda body: {name: "yes" if body[0] >> bit & 1 else "no" for bit, name in enumerate(names)}


def _link_adr(body: bytes) -> Facts:
    return {"DataRate": str(body[0] >> 4), "TXPower": str(body[0] & 15), "ChMask": f"{int.from_bytes(body[1:3], 'little'):016b}",
            "ChMaskCntl": str(body[3] >> 4 & 7), "NbTrans": str(body[3] & 15)}


def _rx_param_setup(body: bytes) -> Facts:
    return {"RX1DROffset": str(body[0] >> 4 & 7), "RX2DataRate": str(body[0] & 15), "Frequency": _megahertz(body[1:4])}


def _new_channel(body: bytes) -> Facts:
    return {"ChIndex": str(body[0]), "Frequency": _megahertz(body[1:4]), "MaxDR": str(body[4] >> 4), "MinDR": str(body[4] & 15)}


def _dev_status(body: bytes) -> Facts:
    margin = body[1] & 0x3F
    return {"Battery": str(body[0]), "Margin": f"{margin - 64 if margin > 31 else margin} dB"}


def _device_time(body: bytes) -> Facts:
    return {"GPS time": f"{int.from_bytes(body[:4], 'little') + body[4] / 256:.3f} s"}


def _megahertz(body: bytes) -> str:
    return f"{int.from_bytes(body, 'little') / 10_000:.1f} MHz"


_UP: dict[int, Callable[[bytes], Facts]] = {
    mac.LINK_ADR: _acks("ChannelMaskACK", "DataRateACK", "PowerACK"),
    mac.RX_PARAM_SETUP: _acks("ChannelACK", "RX2DataRateACK", "RX1DROffsetACK"),
    mac.NEW_CHANNEL: _acks("ChannelFrequencyOk", "DataRateRangeOk"),
    mac.DL_CHANNEL: _acks("ChannelFrequencyOk", "UplinkFrequencyExists"),
    mac.DEV_STATUS: _dev_status}
_DOWN: dict[int, Callable[[bytes], Facts]] = {
    mac.LINK_ADR: _link_adr, mac.RX_PARAM_SETUP: _rx_param_setup, mac.NEW_CHANNEL: _new_channel, mac.DEVICE_TIME: _device_time,
    mac.LINK_CHECK: lambda body: {"Margin": f"{body[0]} dB", "GwCnt": str(body[1])},
    mac.DUTY_CYCLE: lambda body: {"MaxDCycle": str(body[0] & 15)},
    mac.RX_TIMING_SETUP: lambda body: {"Delay": f"{body[0] & 15 or 1} s"},
    mac.DL_CHANNEL: lambda body: {"ChIndex": str(body[0]), "Frequency": _megahertz(body[1:4])}}
