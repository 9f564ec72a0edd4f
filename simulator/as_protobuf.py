"""Events as ChirpStack writes them with `json = false`, and commands as it reads them then."""

from collections.abc import Sequence
from typing import Any

from chirpstack_api import common, gw, integration
from google.protobuf.message import DecodeError, Message

from city.errors import MalformedEvent, Unsupported
from city.readings import NS
from simulator.as_json import GPS_EPOCH_NS, LEAP_NS, SERVER_LAG_NS
from simulator.downlinks import Order
from simulator.events import (
    CHANNELS,
    REGION,
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
from simulator.scenario import Antenna


class ProtobufWriter:
    """Writes chirpstack_api's messages. `clock_ns` is how far each gateway's clock is off."""

    def __init__(self, antennas: Sequence[Antenna], clock_ns: Sequence[int] | None = None) -> None:
        self._antennas, self._clock_ns = antennas, clock_ns if clock_ns is not None else [0] * len(antennas)

    def write(self, who: Identity, event: Event) -> bytes:
        """The message's payload."""
        match event:
            case Up():
                message = self._up(event)
            case Join():
                message = integration.JoinEvent(deduplication_id=event.id, dev_addr=event.dev_addr,
                                                region_config_id=REGION)
            case Ack():
                message = integration.AckEvent(deduplication_id=event.id, queue_item_id=event.queue_id,
                                               acknowledged=event.acknowledged, f_cnt_down=event.f_cnt)
            case TxAck():
                message = _tx_ack(event)
            case Status():
                message = integration.StatusEvent(deduplication_id=event.id, margin=event.margin,
                                                  battery_level=event.battery)
            case Log():
                message = integration.LogEvent(level=event.level, code=event.code, description=event.description,
                                               context=dict(event.context))
            case Location():
                message = integration.LocationEvent(deduplication_id=event.id)
                place = message.location
                place.latitude, place.longitude, place.accuracy = event.latitude, event.longitude, event.accuracy_m
                place.source = common.LocationSource.GEO_RESOLVER_TDOA
            case Integrated():
                raise Unsupported("The event “integration” is no message of chirpstack-api 4.15 and later: use JSON.")
        _set_time(message.time, event.time_ns or event.at_ns if isinstance(event, Up) else event.at_ns)
        message.device_info.CopyFrom(_device_info(who))
        data: bytes = message.SerializeToString()
        return data

    def _up(self, up: Up) -> Any:  # noqa: ANN401 - chirpstack_api has no types
        message = integration.UplinkEvent(
            deduplication_id=up.id, dev_addr=up.dev_addr, adr=True, dr=up.dr, f_cnt=up.f_cnt, f_port=up.f_port,
            confirmed=up.confirmed, data=up.data, region_config_id=REGION)
        if up.object is not None:
            message.object.update(up.object)
        message.tx_info.frequency = CHANNELS[up.channel]
        _set_lora(message.tx_info.modulation.lora, 12 - up.dr)
        for one in up.heard:
            antenna, info = self._antennas[one.antenna], message.rx_info.add()
            info.gateway_id, info.rssi, info.snr = antenna.gateway.id, one.rssi, one.snr
            info.uplink_id = (up.nonce + one.antenna * 2_654_435_761) & 0xFFFF_FFFF
            info.channel, info.rf_chain, info.crc_status = up.channel, int(up.channel < 3), gw.CRCStatus.CRC_OK
            info.context = context_at(up.at_ns)
            said_ns = up.at_ns + self._clock_ns[one.antenna]
            _set_time(info.gw_time, said_ns)
            _set_time(info.ns_time, up.at_ns + SERVER_LAG_NS + one.antenna * 7_000_000)
            if antenna.gnss:
                _set_time(info.time_since_gps_epoch, said_ns - GPS_EPOCH_NS + LEAP_NS)
            place = info.location
            place.latitude, place.longitude, place.altitude = (antenna.site.latitude, antenna.site.longitude,
                                                               antenna.altitude)
        return message


def read_command(data: bytes) -> Order:
    """The command of a `DownlinkCommand`; raises MalformedEvent."""
    try:
        message = integration.DownlinkCommand.FromString(data)
    except DecodeError as error:
        raise MalformedEvent("This is no DownlinkCommand: {what}", what=str(error)) from error
    expires = message.expires_at.seconds * NS + message.expires_at.nanos if message.HasField("expires_at") else None
    return Order(message.id, message.dev_eui, message.confirmed, message.f_port, message.data, expires)


def _device_info(who: Identity) -> Message:
    info: Message = integration.DeviceInfo(
        tenant_id=who.tenant_id, tenant_name=who.tenant_name, application_id=who.application_id,
        application_name=who.application_name, device_profile_id=who.profile_id, device_profile_name=who.profile_name,
        device_name=who.name, dev_eui=who.dev_eui, device_class_enabled=who.device_class, tags=dict(who.tags.items()))
    return info


def _tx_ack(event: TxAck) -> Any:  # noqa: ANN401 - chirpstack_api has no types
    message = integration.TxAckEvent(downlink_id=event.downlink_id, queue_item_id=event.queue_id,
                                     f_cnt_down=event.f_cnt, gateway_id=event.antenna.gateway.id)
    info = message.tx_info
    info.frequency, info.power, info.context = event.frequency, event.power_dbm, event.context
    _set_lora(info.modulation.lora, event.sf)
    info.modulation.lora.polarization_inversion = True
    if event.delay_s:
        info.timing.delay.delay.seconds = event.delay_s
    else:
        info.timing.immediately.SetInParent()
    return message


def _set_lora(lora: Any, sf: int) -> None:  # noqa: ANN401 - chirpstack_api has no types
    lora.bandwidth, lora.spreading_factor, lora.code_rate = 125_000, sf, gw.CodeRate.CR_4_5


def _set_time(field: Any, ns: int) -> None:  # noqa: ANN401 - Timestamp or Duration
    field.seconds, field.nanos = divmod(ns, NS)


