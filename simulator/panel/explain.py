"""A frame in words: its LoRaWAN header and MAC commands where there was one, then what its bytes mean to the model's codec."""

from city.errors import DecodeError, Refused
from decoders.catalog import codec_of
from decoders.codec import Codec, TracedFrame
from simulator import lorawan
from simulator.lorawan import Data, MType
from simulator.panel.commands import Command, commands
from simulator.panel.journal import Seen
from simulator.panel.shapes import CommandOut, CopyOut, FieldOut, FrameOut, HeaderOut, ReadingOut
from simulator.panel.times import iso

HIDDEN = "·" * 8
_KINDS = {MType.JOIN_REQUEST: "Join-Request", MType.JOIN_ACCEPT: "Join-Accept", MType.UNCONFIRMED_UP: "Unconfirmed Data Up",
          MType.UNCONFIRMED_DOWN: "Unconfirmed Data Down", MType.CONFIRMED_UP: "Confirmed Data Up",
          MType.CONFIRMED_DOWN: "Confirmed Data Down"}


def explained(seen: Seen, model: str) -> FrameOut:
    """The frame of a device of that model. Keys that it carries are not shown."""
    said = FrameOut(number=seen.number, at=iso(seen.at_ns), up=seen.up, to_group=seen.to_group,
                    copies=[CopyOut(gateway=one.gateway, reason=one.reason, rssi_dbm=one.rssi_dbm, snr_db=one.snr_db)
                            for one in seen.copies],
                    f_cnt=seen.f_cnt, confirmed=seen.confirmed, port=seen.port or None, hex=seen.data.hex(" "), dr=seen.dr)
    if seen.wave is not None:
        said.frequency, said.sf, said.bandwidth = seen.wave
    if not seen.phy:
        _payload(said, codec_of(model), seen.port, seen.data)
        return said
    data = _opened(seen)
    said.header = _header(seen, data)
    if data is None:
        return said
    said.f_cnt, said.confirmed, said.port, said.hex = data.f_cnt, data.confirmed, data.f_port, data.payload.hex(" ")
    orders = data.options if data.f_port else data.options or data.payload
    said.commands = [_command(one) for one in commands(orders, up=data.up)]
    if data.f_port:
        _payload(said, codec_of(model), data.f_port, data.payload)
    return said


def _opened(seen: Seen) -> Data | None:
    head = lorawan.header(seen.phy)
    if head is None or seen.session is None:
        return None
    counted = lorawan.whole_counter(seen.last, head.counter)
    return lorawan.read(seen.phy, seen.session, counted) or lorawan.read(seen.phy, seen.session, head.counter)


def _header(seen: Seen, data: Data | None) -> HeaderOut:
    kind = lorawan.mtype(seen.phy)
    head, request = lorawan.header(seen.phy), lorawan.read_join_request(seen.phy)
    said = HeaderOut(type=_KINDS[kind] if kind is not None else "?", length=len(seen.phy), mic=seen.phy[-lorawan.MIC:].hex(),
                     dev_addr=f"{head.dev_addr:08x}" if head else "", whole=data is not None or request is not None)
    if request is not None:
        said.facts = {"JoinEUI": request.join_eui, "DevEUI": request.dev_eui, "DevNonce": str(request.dev_nonce)}
    if data is not None:
        bits = {"ADR": data.adr, "ADRACKReq": data.asks, "ACK": data.ack, "FPending": data.pending}
        said.facts = {name: "1" for name, is_set in bits.items() if is_set}
    return said


def _command(one: Command) -> CommandOut:
    return CommandOut(hex=one.hex, name=one.name, facts=one.facts)


def _payload(said: FrameOut, codec: Codec, port: int, data: bytes) -> None:
    """What the codec reads, byte by byte; where it stops, why."""
    frame = TracedFrame(port, data)
    try:
        if said.up:
            said.readings = [ReadingOut(quantity=one.quantity.name, channel=one.channel, value=_value(one.value),
                                        unit=one.quantity.unit) for one in codec.decode_uplink(frame)]
        else:
            said.order = repr(codec.decode_downlink(frame))[:500]
    except (DecodeError, Refused) as error:
        said.problem = str(error)[:500]
    said.fields = [FieldOut(offset=one.offset, hex=one.hex, name=one.name, value=HIDDEN if one.secret else str(one.value)[:200],
                            meaning=one.meaning[:200], failed=one.failed) for one in frame.trace]
    secrets = [(one.offset, len(one.data)) for one in frame.trace if one.secret]
    if secrets:
        shown = [f"{byte:02x}" for byte in data]
        for offset, length in secrets:
            shown[offset:offset + length] = ["··"] * length
        said.hex = " ".join(shown)


def _value(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
