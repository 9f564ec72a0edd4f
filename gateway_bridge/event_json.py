"""ChirpStack's JSON as it is written, and the texts in it: times, bytes, identifiers. Nothing here knows what events mean.

Shapes are decoded by type: what is not asked for is skipped, what is wrong is refused with its path.
"""

import binascii
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import msgspec

from city.errors import Invalid
from city.ids import GatewayId, gateway_id
from city.readings import NS

MAX_TEXT = 300

_FCnt = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Small = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_Word = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[0-9A-Za-z._:-]*$")]  # checked by known_word on the way


class _Json(msgspec.Struct, rename="camel", gc=False):
    pass


class _DeviceInfo(_Json):
    dev_eui: str
    tenant_id: str = ""
    application_id: str = ""


class RxJson(_Json):
    gateway_id: str = ""
    ns_time: str = ""
    rssi: _Small = 0
    snr: float = 0.0


class HeaderJson(_Json, kw_only=True):
    device_info: _DeviceInfo
    time: str
    deduplication_id: str = ""


class UpJson(HeaderJson, kw_only=True):
    dev_addr: str = ""
    dr: _Byte = 0
    f_cnt: _FCnt = 0
    f_port: _Byte = 0
    data: str = ""
    rx_info: list[RxJson] = []
    object: msgspec.Raw = msgspec.Raw(b"")


class _Lora(_Json):
    spreading_factor: _Byte = 0


class _Modulation(_Json):
    lora: _Lora | None = None


class _TxInfo(_Json):
    modulation: _Modulation | None = None


class TxAckJson(HeaderJson, kw_only=True):
    queue_item_id: _Word = ""
    tx_info: _TxInfo | None = None


class AckJson(HeaderJson, kw_only=True):
    queue_item_id: _Word = ""
    acknowledged: bool = False


class JoinJson(HeaderJson, kw_only=True):
    dev_addr: str = ""


class StatusJson(HeaderJson, kw_only=True):
    margin: _Small = 0
    external_power_source: bool = False
    battery_level_unavailable: bool = False
    battery_level: float = 0.0


class LogJson(HeaderJson, kw_only=True):
    level: str | int = ""
    code: str | int = ""
    description: str = ""
    context: dict[str, str] = {}


class _Position(_Json):
    latitude: float = 0.0
    longitude: float = 0.0


class LocationJson(HeaderJson, kw_only=True):
    location: _Position = msgspec.field(default_factory=_Position)


class IntegrationJson(HeaderJson, kw_only=True):
    integration_name: str = ""


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time with 0 to 9 fractional digits, exact. Raises ValueError."""
    if text[-6:] == "+00:00" or text[-1:] == "Z":  # as the network server writes it; a second is looked up, not reckoned
        second, fraction = text[:19], text[19:-6] if text[-1:] != "Z" else text[19:-1]
        if not fraction:
            return _second(second)
        if fraction[0] == "." and 1 < len(fraction) <= 10 and fraction.isascii() and fraction[1:].isdecimal():
            return _second(second) + int(fraction[1:]) * _SCALES[len(fraction)]
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"no RFC 3339 time: {text[:40]!r}")
    seconds, fraction, offset = match.groups()
    at = datetime.fromisoformat(seconds.replace(" ", "T") + ("+00:00" if offset in "Zz" else offset))
    whole = at.astimezone(UTC) - _EPOCH
    return (whole.days * 86400 + whole.seconds) * NS + int((fraction or "0").ljust(9, "0"))


def parse_base64(text: str) -> bytes:
    """The bytes of standard or URL-safe base64, padded or not. Raises ValueError (binascii.Error is one)."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        standard = text.translate(_URL_SAFE).rstrip("=")
        return binascii.a2b_base64((standard + "=" * (-len(standard) % 4)).encode("ascii"), strict_mode=True)


@lru_cache(maxsize=4096)
def _second(text: str) -> int:
    match = _SECOND.fullmatch(text)
    if match is None:
        raise ValueError(f"no RFC 3339 time: {text[:40]!r}")
    whole = datetime.fromisoformat(text.replace(" ", "T")).replace(tzinfo=UTC) - _EPOCH
    return (whole.days * 86400 + whole.seconds) * NS


@lru_cache(maxsize=4096)
def known_gateway(text: str) -> GatewayId | None:
    try:
        return gateway_id(text)
    except Invalid:
        return None


def dev_addr(text: str) -> str:
    if not _DEV_ADDR.fullmatch(text):
        raise ValueError(f"no DevAddr: {text[:40]!r}")
    return text.lower()


def checked_word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError(f"no identifier: {text[:80]!r}")
    return text


@lru_cache(maxsize=4096)
def known_word(text: str) -> str:
    """Towns and applications are few."""
    return checked_word(text)


def word(text: str) -> str:
    return text if _WORD.fullmatch(text) else ""


def plain_text(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]


_SECOND = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d", re.ASCII)
_SCALES: tuple[int, ...] = (0, 0, *(10**(9 - digits) for digits in range(1, 10)))  # by the length of ".123"
_DEV_ADDR = re.compile(r"(?:[0-9A-Fa-f]{8})?", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z._:-]{0,64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_URL_SAFE = str.maketrans("-_", "+/")
