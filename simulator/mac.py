"""MAC commands of LoRaWAN 1.0.3 and 1.0.4, as an end-device obeys them (TS001-1.0.4 §5; a pure function of its settings).

Where the two versions differ it is said: NbTrans 0 is 1 in 1.0.3 and “as before” in 1.0.4, and only 1.0.4 knows data rate
and power 15, “as before”. Class B is not built: its commands are passed over, as by a device that has none.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from city.airtime import DATA_RATES, RX2_DR, RX2_HZ
from simulator.region import HIGHEST_DR, HIGHEST_HZ, JOIN, LOWEST_HZ, MOST_CHANNELS, MOST_OFFSET, POWERS, Channel

Version = Literal["1.0.3", "1.0.4"]
LINK_CHECK, LINK_ADR, DUTY_CYCLE, RX_PARAM_SETUP, DEV_STATUS, NEW_CHANNEL = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
RX_TIMING_SETUP, TX_PARAM_SETUP, DL_CHANNEL, DEVICE_TIME = 0x08, 0x09, 0x0A, 0x0D
LENGTHS = {LINK_CHECK: 2, LINK_ADR: 4, DUTY_CYCLE: 1, RX_PARAM_SETUP: 4, DEV_STATUS: 0, NEW_CHANNEL: 5, RX_TIMING_SETUP: 1,
           TX_PARAM_SETUP: 1, DL_CHANNEL: 4, DEVICE_TIME: 5, 0x10: 0, 0x11: 4, 0x13: 3}  # bytes after the identifier, going down
STICKY = frozenset({RX_PARAM_SETUP, RX_TIMING_SETUP, DL_CHANNEL})  # answered in every uplink until a downlink has come
AS_BEFORE = 15
EXTERNAL, UNKNOWN_BATTERY = 0, 255
_MASK_OK, _DR_OK, _POWER_OK, _ALL_OK = 1, 2, 4, 7


@dataclass(frozen=True, slots=True)
class Settings:
    """What the network has set. `mask` has bit n for channel n; delays are in seconds; the device may be on the air for
    a share of 2 to the minus `max_duty`."""

    channels: tuple[Channel | None, ...] = JOIN
    mask: int = 0b111
    dr: int = 0
    power: int = 0
    nb_trans: int = 1
    rx1_delay: int = 1
    rx1_offset: int = 0
    rx2_hz: int = RX2_HZ
    rx2_dr: int = RX2_DR
    max_duty: int = 0

    def open(self, dr: int) -> list[Channel]:
        """The channels that may be used with this data rate."""
        return [one for number, one in enumerate(self.channels) if one and self.mask >> number & 1 and one.takes(dr)]


@lru_cache(maxsize=256)
def after_joining(frequencies: tuple[int, ...], dr: int, rx1_delay: int, rx1_offset: int, rx2_dr: int) -> Settings:
    """What a join-accept sets (TS001-1.0.4 §6.2.3): its frequencies are those of the channels after the ones for joining. The
    same for all devices that are told the same."""
    channels = tuple(Channel(hertz, hertz) if hertz else None for hertz in frequencies)
    mask = 0b111 | sum(1 << number for number, one in enumerate(channels, start=len(JOIN)) if one)
    return Settings(JOIN + channels, mask, dr, rx1_delay=rx1_delay, rx1_offset=rx1_offset,
                    rx2_dr=min(rx2_dr, len(DATA_RATES) - 1))


@dataclass(frozen=True, slots=True)
class Told:
    """The network's time, by an answer to DeviceTimeReq: seconds since 1980 without leap seconds, at the uplink's end."""

    gps_s: float


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer to LinkCheckReq: dB above the limit at the best of so many gateways."""

    margin: int
    gateways: int


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What came of a frame's commands: settings as they are now, answers (those that are repeated apart), what was told."""

    settings: Settings
    answers: bytes = b""
    sticky: bytes = b""
    told: tuple[Told | Checked, ...] = ()


@dataclass(frozen=True, slots=True)
class Gauge:
    """What DevStatusAns says: `battery` 0 (external), 1 to 254, 255 (cannot tell); SNR of the downlink that asks, dB."""

    battery: int
    snr_db: float


def obey(settings: Settings, commands: bytes, gauge: Gauge, *, version: Version = "1.0.4", adr: bool = True) -> Obeyed:
    """Do what a downlink's commands say, in their order. From one that is not known, or cut short, on the rest is not
    read (§5). A device that chooses its data rate itself (not `adr`) takes the channel mask of LinkADRReq alone."""
    now = Obeyed(settings)
    found = list(split(commands))
    while found:
        cid = found[0][0]
        block = 1
        while cid == LINK_ADR and block < len(found) and found[block][0] == LINK_ADR:
            block += 1
        now = _link_adr(now, [body for _, body in found[:block]], version, adr=adr) if cid == LINK_ADR \
            else _HANDLERS.get(cid, _pass_over)(now, found[0][1], gauge)
        found = found[block:]
    return now


def split(commands: bytes) -> Iterator[tuple[int, bytes]]:
    """Identifier and body of each command going down, up to one that is unknown or cut short."""
    at = 0
    while at < len(commands):
        length = LENGTHS.get(commands[at])
        if length is None or at + 1 + length > len(commands):
            return
        yield commands[at], commands[at + 1:at + 1 + length]
        at += 1 + length


def slower(settings: Settings, length: int = 0) -> Settings:
    """One data rate down, where there is one that takes so many bytes, and a channel for it."""
    dr = max(settings.dr - 1, 0)
    return replace(settings, dr=dr) if length <= DATA_RATES[dr].most and settings.open(dr) else settings


def nearer(settings: Settings) -> Settings:
    """One step of the back-off when nobody answers: full power, then slower, then all channels for joining and no
    repetitions (§4.3.1.1 of 1.0.3, §4.2.1.3 of 1.0.4)."""
    if settings.power:
        return replace(settings, power=0)
    if settings.dr:
        return slower(settings)
    return replace(settings, mask=settings.mask | 0b111, nb_trans=1)


def _link_adr(now: Obeyed, block: list[bytes], version: Version, *, adr: bool) -> Obeyed:
    """Requests that follow each other are one (§5.3): masks add up, data rate, power and NbTrans are the last one's, all
    is done or nothing, and each is answered alike."""
    settings, mask, mask_ok = now.settings, now.settings.mask, True
    for body in block:
        mask, ok = _masked(settings, mask, int.from_bytes(body[1:3], "little"), body[3] >> 4 & 7)
        mask_ok = mask_ok and ok
    dr, power, wanted = block[-1][0] >> 4, block[-1][0] & 15, block[-1][3] & 15
    keeps = version == "1.0.4"
    dr = settings.dr if keeps and dr == AS_BEFORE else dr
    power = settings.power if keeps and power == AS_BEFORE else power
    nb_trans = wanted or (settings.nb_trans if keeps else 1)
    status = (_MASK_OK if mask_ok else 0) | (_DR_OK if _dr_fits(settings, mask, dr) else 0) | (
        _POWER_OK if power < POWERS else 0)
    if not adr:
        status &= _MASK_OK
        if mask_ok:
            settings = replace(settings, mask=mask)
    elif status == _ALL_OK:
        settings = replace(settings, mask=mask, dr=dr, power=power, nb_trans=nb_trans)
    return replace(now, settings=settings, answers=now.answers + bytes([LINK_ADR, status]) * len(block))


def _masked(settings: Settings, mask: int, wanted: int, control: int) -> tuple[int, bool]:
    """ChMaskCntl 0: these of the first 16 channels; 6: all that there are; the others are not used in EU868."""
    there = sum(1 << number for number, one in enumerate(settings.channels) if one)
    if control == 6:
        return there, True
    return (wanted, True) if control == 0 and wanted and not wanted & ~there else (mask, False)


def _dr_fits(settings: Settings, mask: int, dr: int) -> bool:
    return dr < len(DATA_RATES) and bool(replace(settings, mask=mask).open(dr))


def _duty_cycle(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    return _answered(replace(now, settings=replace(now.settings, max_duty=body[0] & 15)), DUTY_CYCLE)


def _rx_param_setup(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    offset, dr, hertz = body[0] >> 4 & 7, body[0] & 15, _hertz(body[1:4])
    status = (1 if _may(hertz) else 0) | (2 if dr < len(DATA_RATES) else 0) | (4 if offset <= MOST_OFFSET else 0)
    if status == _ALL_OK:
        now = replace(now, settings=replace(now.settings, rx1_offset=offset, rx2_dr=dr, rx2_hz=hertz))
    return _answered(now, RX_PARAM_SETUP, status)


def _dev_status(now: Obeyed, _: bytes, gauge: Gauge) -> Obeyed:
    margin = max(-32, min(31, round(gauge.snr_db)))
    return _answered(now, DEV_STATUS, gauge.battery, margin & 0x3F)


def _new_channel(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    """Frequency 0 takes a channel away; the three for joining stay as they are."""
    number, hertz, highest, lowest = body[0], _hertz(body[1:4]), body[4] >> 4, body[4] & 15
    changeable = len(JOIN) <= number < MOST_CHANNELS
    status = (1 if changeable and (not hertz or _may(hertz)) else 0) | (
        2 if changeable and (not hertz or lowest <= highest < len(DATA_RATES)) else 0)
    if status == 3:
        channel = Channel(hertz, hertz, lowest, highest) if hertz else None
        now = replace(now, settings=_with_channel(now.settings, number, channel))
    return _answered(now, NEW_CHANNEL, status)


def _with_channel(settings: Settings, number: int, channel: Channel | None) -> Settings:
    channels = [*settings.channels, *[None] * MOST_CHANNELS][:MOST_CHANNELS]
    channels[number] = channel
    while channels[-1] is None:
        channels.pop()
    bit = 1 << number
    return usable(replace(settings, channels=tuple(channels), mask=settings.mask | bit if channel else settings.mask & ~bit))


def usable(settings: Settings) -> Settings:
    """A device that is left without a channel for its data rate goes back to the ones for joining, as LoRaMac-node does."""
    if settings.open(settings.dr):
        return settings
    return replace(settings, mask=settings.mask | 0b111, dr=min(settings.dr, HIGHEST_DR))


def _rx_timing_setup(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    return _answered(replace(now, settings=replace(now.settings, rx1_delay=body[0] & 15 or 1)), RX_TIMING_SETUP)


def _dl_channel(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    number, hertz = body[0], _hertz(body[1:4])
    channel = now.settings.channels[number] if number < len(now.settings.channels) else None
    status = (1 if _may(hertz) else 0) | (2 if channel else 0)
    if status == 3 and channel:
        now = replace(now, settings=_with_downlink(now.settings, number, replace(channel, downlink_hz=hertz)))
    return _answered(now, DL_CHANNEL, status)


def _with_downlink(settings: Settings, number: int, channel: Channel) -> Settings:
    return replace(settings, channels=(*settings.channels[:number], channel, *settings.channels[number + 1:]))


def _link_check(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    return replace(now, told=(*now.told, Checked(body[0], body[1])))


def _device_time(now: Obeyed, body: bytes, _: Gauge) -> Obeyed:
    seconds, part = struct.unpack("<IB", body)
    return replace(now, told=(*now.told, Told(seconds + part / 256)))


def _pass_over(now: Obeyed, _body: bytes, _gauge: Gauge) -> Obeyed:
    """TXParamSetupReq means nothing in EU868 and is not answered (RP002-1.0.4 §2.4.3); class B neither."""
    return now


def _answered(now: Obeyed, cid: int, *body: int) -> Obeyed:
    answer = bytes([cid, *body])
    if cid in STICKY:
        return replace(now, sticky=now.sticky + answer)
    return replace(now, answers=now.answers + answer)


def _hertz(body: bytes) -> int:
    return int.from_bytes(body, "little") * 100


def _may(hertz: int) -> bool:
    return LOWEST_HZ <= hertz <= HIGHEST_HZ


_HANDLERS: dict[int, Callable[[Obeyed, bytes, Gauge], Obeyed]] = {
    LINK_CHECK: _link_check, DUTY_CYCLE: _duty_cycle, RX_PARAM_SETUP: _rx_param_setup, DEV_STATUS: _dev_status,
    NEW_CHANNEL: _new_channel, RX_TIMING_SETUP: _rx_timing_setup, DL_CHANNEL: _dl_channel, DEVICE_TIME: _device_time}
