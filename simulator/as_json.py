"""Events as ChirpStack writes them in JSON: pbjson's rules, which are not those of Google's mapper.

Scalars of `integration.*` messages are always there; message fields that are not set are left out; inside `gw.*`
messages zero values are left out. Times end in +00:00 and have 0, 3, 6 or 9 digits; 64-bit integers and durations are
strings; bytes are base64.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from city.readings import NS
from simulator.events import (
    CHANNELS,
    REGION,
    RX2_HZ,
    Ack,
    Event,
    Identity,
    Integrated,
    Join,
    Location,
    Log,
    Status,
    TxAck,
    Up,
    context_at,
)
from simulator.radio import Heard
from simulator.scenario import Antenna

GPS_EPOCH_NS, LEAP_NS = 315_964_800 * NS, 18 * NS
_INFO = ("tenantId", "tenantName", "applicationId", "applicationName", "deviceProfileId", "deviceProfileName")
SERVER_LAG_NS = 34_000_000  # from a gateway's clock to the server's


class JsonWriter:
    """Writes by filling in text; what many devices share, or a gateway's messages, is encoded once. `clock_ns` is how far
    each gateway's clock is off."""

    def __init__(self, antennas: Sequence[Antenna], clock_ns: Sequence[int] | None = None) -> None:
        self._clock_ns = clock_ns if clock_ns is not None else [0] * len(antennas)
        self._places = [(f'"gatewayId":"{one.gateway.id}",', f'"location":{_location(one)},', one.gnss)
                        for one in antennas]
        self._heads: dict[tuple[str, ...], str] = {}

    def write(self, who: Identity, event: Event) -> bytes:
        """The message's payload."""
        known = self._device_info(who)
        if isinstance(event, Up):
            return self._up(known, event).encode()
        return self._other(known, event).encode()

    def _up(self, who: str, up: Up) -> str:
        at, channel = stamp(up.time_ns or up.at_ns), up.channel
        heard_at = at if up.time_ns in (0, up.at_ns) else stamp(up.at_ns)
        context = _base64(context_at(up.at_ns))
        radio = (f'"channel":{channel},' if channel else "") + ('"rfChain":1,' if channel < 3 else "")
        heard = ",".join([self._heard(one, up, heard_at, radio, context) for one in up.heard])
        made = "" if up.object is None else f'"object":{_text(dict(up.object))},'
        return (f'{{"deduplicationId":"{up.id}","time":"{at}","deviceInfo":{who},"devAddr":"{up.dev_addr}","adr":true,'
                f'"dr":{up.dr},"fCnt":{up.f_cnt},"fPort":{up.f_port},"confirmed":{_truth(up.confirmed)},'
                f'"data":"{_base64(up.data)}",{made}"rxInfo":[{heard}],'
                f'"txInfo":{{"frequency":{CHANNELS[channel]},"modulation":{{"lora":{{"bandwidth":125000,'
                f'"spreadingFactor":{12 - up.dr},"codeRate":"CR_4_5"}}}}}},"regionConfigId":"{REGION}"}}')

    def _heard(self, one: Heard, up: Up, at: str, channel: str, context: str) -> str:
        """One gateway's reception; what is zero is left out."""
        index = one.antenna
        head, place, gnss = self._places[index]
        late_ns = self._clock_ns[index]
        said_ns = up.at_ns + late_ns
        uplink_id = (up.nonce + index * 2_654_435_761) & 0xFFFF_FFFF
        number = f'"uplinkId":{uplink_id},' if uplink_id else ""
        gps = _since_gps(said_ns) if gnss else ""
        rssi = f'"rssi":{one.rssi},' if one.rssi else ""
        snr = f'"snr":{one.snr},' if one.snr else ""
        lag = stamp(up.at_ns + SERVER_LAG_NS + index * 7_000_000)
        said = stamp(said_ns) if late_ns else at
        return (f'{{{head}{number}"gwTime":"{said}","nsTime":"{lag}",{gps}{rssi}{snr}{channel}{place}'
                f'"context":"{context}","crcStatus":"CRC_OK"}}')

    def _other(self, who: str, event: Event) -> str:
        at = f'"time":"{stamp(event.at_ns)}","deviceInfo":{who}'
        match event:
            case Join():
                return (f'{{"deduplicationId":"{event.id}",{at},"devAddr":"{event.dev_addr}",'
                        f'"regionConfigId":"{REGION}"}}')
            case Ack():
                return (f'{{"deduplicationId":"{event.id}",{at},"queueItemId":"{event.queue_id}",'
                        f'"acknowledged":{_truth(event.acknowledged)},"fCntDown":{event.f_cnt}}}')
            case TxAck():
                return (f'{{"downlinkId":{event.downlink_id},{at},"queueItemId":"{event.queue_id}",'
                        f'"fCntDown":{event.f_cnt},"gatewayId":"{event.antenna.gateway.id}",'
                        f'"txInfo":{_text(_downlink_tx_info(event))}}}')
            case Status():
                return (f'{{"deduplicationId":"{event.id}",{at},"margin":{event.margin},"externalPowerSource":false,'
                        f'"batteryLevelUnavailable":false,"batteryLevel":{event.battery}}}')
            case Log():
                return (f'{{{at},"level":"{event.level}","code":"{event.code}",'
                        f'"description":{_text(event.description)},"context":{_text(dict(event.context))}}}')
            case Location():
                return (f'{{"deduplicationId":"{event.id}",{at},"location":{{"latitude":{event.latitude},'
                        f'"longitude":{event.longitude},"source":"GEO_RESOLVER_TDOA","accuracy":{event.accuracy_m}}}}}')
            case Integrated():
                return (f'{{"deduplicationId":"{event.id}",{at},"integrationName":{_text(event.name)},'
                        f'"eventType":{_text(event.kind)},"object":{_text(dict(event.object))}}}')
        raise TypeError(f"not written here: {event!r}")

    def _device_info(self, who: Identity) -> str:
        key = (who.tenant_id, who.tenant_name, who.application_id, who.application_name, who.profile_id, who.profile_name)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = _text(dict(zip(_INFO, key, strict=True)))[:-1]
        return (f'{head},"deviceName":{_text(who.name)},"devEui":"{who.dev_eui}",'
                f'"deviceClassEnabled":"{who.device_class}","tags":{_text(dict(who.tags.items()))}}}')


def stamp(ns: int) -> str:
    """RFC 3339 with +00:00 and as many digits, in threes, as it takes."""
    second, rest = divmod(ns, NS)
    return f"{_to_the_second(second)}{_fraction(rest)}+00:00"


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _fraction(ns: int) -> str:
    if not ns:
        return ""
    if ns % 1000:
        return f".{ns:09d}"
    return f".{ns // 1000:06d}" if ns % 1_000_000 else f".{ns // 1_000_000:03d}"


def _seconds(ns: int) -> str:
    second, rest = divmod(ns, NS)
    return f"{second}{_fraction(rest)}s"


@lru_cache(maxsize=4)
def _since_gps(ns: int) -> str:
    """The member of a reception that all gateways with a clock from the sky write alike."""
    return f'"timeSinceGpsEpoch":"{_seconds(ns - GPS_EPOCH_NS + LEAP_NS)}",'


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON can say
    return msgspec.json.encode(value).decode()


def _location(antenna: Antenna) -> str:
    said = {"latitude": antenna.site.latitude, "longitude": antenna.site.longitude, "altitude": antenna.altitude}
    return _text({name: float(value) for name, value in said.items() if value})


def _downlink_tx_info(sent: TxAck) -> dict[str, object]:
    lora = {"bandwidth": 125_000, "spreadingFactor": sent.sf, "codeRate": "CR_4_5", "polarizationInversion": True}
    timing: dict[str, object] = {"delay": {"delay": f"{sent.delay_s}s"}} if sent.delay_s else {"immediately": {}}
    context = {"context": _base64(sent.context)} if sent.context else {}
    return {"frequency": sent.frequency or RX2_HZ, "power": sent.power_dbm, "modulation": {"lora": lora},
            "timing": timing, **context}
