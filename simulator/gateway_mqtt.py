"""A gateway as ChirpStack knows it over MQTT: protobuf on {prefix}/gateway/{id}/event/… and …/command/… (gw.proto)."""

import re
from collections.abc import Mapping
from typing import Any

from chirpstack_api import common, gw
from google.protobuf.message import DecodeError

from city.airtime import FSK, FSK_BIT_S
from city.errors import MalformedEvent
from simulator.concentrator import GPS_EPOCH_NS, LEAP_NS, WRAP, Item, Totals
from simulator.flights import Wave
from simulator.forwarder import Downlink, Message, Moment
from simulator.medium import Received
from simulator.scenario import Antenna

MOST_BYTES = 10_240  # rumqttc's own limit for a packet, so ChirpStack sends no more
MOST_ITEMS = 16
US = 1000
_COMMAND = re.compile(r"[^/+#]{1,64}/gateway/([0-9a-f]{16})/command/([a-z]{1,16})\Z")
_FSK_DEVIATION = 25_000


class MqttLanguage:
    """Translates for all gateways of one region; `prefix` is its topic prefix."""

    def __init__(self, prefix: str = "eu868") -> None:
        self._prefix = prefix

    def topics(self, antennas: tuple[Antenna, ...]) -> tuple[str, ...]:
        return tuple(f"{self._prefix}/gateway/{one.gateway.id}/command/+" for one in antennas)

    def up(self, antenna: Antenna, received: Received, moment: Moment, number: int) -> Message:
        frame = gw.UplinkFrame(phy_payload=received.phy)
        frame.tx_info.frequency = received.wave.frequency
        _modulation(frame.tx_info.modulation, received.wave)
        info = frame.rx_info
        info.gateway_id, info.uplink_id = antenna.gateway.id, number
        info.rssi, info.snr, info.channel = round(received.rssi_dbm), received.snr_db, received.channel
        info.rf_chain = 1 if received.channel < 3 else 0
        info.gw_time.FromNanoseconds(moment.at_ns)
        if antenna.gnss:
            info.time_since_gps_epoch.FromNanoseconds(moment.at_ns - GPS_EPOCH_NS + LEAP_NS)
        info.context = moment.counter.to_bytes(4, "big")
        info.crc_status = gw.CRCStatus.CRC_OK if received.crc_ok else gw.CRCStatus.BAD_CRC
        _location(info.location, antenna)
        return self._event(antenna.gateway.id, "up"), frame.SerializeToString()

    def stats(self, antenna: Antenna, now: Totals, before: Totals, moment: Moment) -> Message:
        said = gw.GatewayStats(gateway_id=antenna.gateway.id,
                               rx_packets_received=now.rx_received - before.rx_received,
                               rx_packets_received_ok=now.rx_ok - before.rx_ok,
                               tx_packets_received=now.tx_received - before.tx_received,
                               tx_packets_emitted=now.tx_emitted - before.tx_emitted)
        said.time.FromNanoseconds(moment.at_ns)
        _location(said.location, antenna)
        said.rx_packets_per_frequency.update(now.rx_frequency - before.rx_frequency)
        said.tx_packets_per_frequency.update(now.tx_frequency - before.tx_frequency)
        said.tx_packets_per_status.update(now.tx_status - before.tx_status)
        _rates(said.rx_packets_per_modulation, now.rx_rate - before.rx_rate)
        _rates(said.tx_packets_per_modulation, now.tx_rate - before.tx_rate)
        return self._event(antenna.gateway.id, "stats"), said.SerializeToString()

    def alive(self, antenna: Antenna) -> None:
        """The broker's keep-alive does it."""

    def read(self, name: str, payload: bytes) -> Downlink | None:
        match = _COMMAND.match(name)
        if match is None or match[2] != "down":
            return None  # config, exec, raw: a gateway that can do none of it says nothing
        frame = gw.DownlinkFrame()
        try:
            if len(payload) > MOST_BYTES:
                raise MalformedEvent("A message of {bytes} bytes is too large.", bytes=len(payload))
            frame.ParseFromString(payload)
            items = tuple(_item(one) for one in frame.items[:MOST_ITEMS])
        except (DecodeError, ValueError) as error:
            raise MalformedEvent("This is no DownlinkFrame: {what}", what=str(error)) from error
        if frame.gateway_id != match[1] or not items:
            raise MalformedEvent("This is no DownlinkFrame: {what}", what="another gateway, or nothing to send")
        return Downlink(match[1], frame.downlink_id, items)

    def ack(self, downlink: Downlink, said: list[str]) -> Message:
        answer = gw.DownlinkTxAck(gateway_id=downlink.gateway_id, downlink_id=downlink.number)
        for status in said:
            answer.items.add(status=gw.TxAckStatus.Value(status))
        return self._event(downlink.gateway_id, "ack"), answer.SerializeToString()

    def _event(self, gateway_id: str, event: str) -> str:
        return f"{self._prefix}/gateway/{gateway_id}/event/{event}"


def _modulation(modulation: gw.Modulation, wave: Wave) -> None:
    if wave.sf == FSK:
        modulation.fsk.frequency_deviation, modulation.fsk.datarate = _FSK_DEVIATION, FSK_BIT_S
    else:
        lora = modulation.lora
        lora.bandwidth, lora.spreading_factor, lora.code_rate = wave.bandwidth, wave.sf, gw.CodeRate.CR_4_5


def _rates(said: Any, counts: Mapping[tuple[int, int], int]) -> None:  # noqa: ANN401 - generated code has no types
    for (sf, bandwidth), count in counts.items():
        _modulation(said.add(count=count).modulation, Wave(0, sf, bandwidth, 0, down=False))


def _location(location: common.Location, antenna: Antenna) -> None:
    location.latitude, location.longitude, location.altitude = antenna.site.latitude, antenna.site.longitude, antenna.altitude


def _item(item: Any) -> Item:  # noqa: ANN401 - generated code has no types
    """Raises ValueError."""
    info = item.tx_info
    kind, modulation = info.modulation.WhichOneof("parameters"), info.modulation
    if kind == "lora":
        wave = Wave(info.frequency, modulation.lora.spreading_factor, modulation.lora.bandwidth, info.power,
                    down=modulation.lora.polarization_inversion)
        if not 7 <= wave.sf <= 12 or wave.bandwidth not in (125_000, 250_000, 500_000):
            raise ValueError(f"SF{wave.sf} at {wave.bandwidth} Hz")
    elif kind == "fsk":
        wave = Wave(info.frequency, FSK, 125_000, info.power, down=True)
    else:
        raise ValueError(f"modulation {kind}")
    if not 1 <= len(item.phy_payload) <= 255:
        raise ValueError(f"{len(item.phy_payload)} bytes")
    timing = info.timing.WhichOneof("parameters")
    if timing == "delay":
        delay_us = info.timing.delay.delay.ToNanoseconds() // US
        if len(info.context) != 4:
            raise ValueError("a delay after nothing")
        return Item(item.phy_payload, wave, at_us=(int.from_bytes(info.context, "big") + delay_us) % WRAP)
    if timing == "gps_epoch":
        return Item(item.phy_payload, wave, gps_ns=info.timing.gps_epoch.time_since_gps_epoch.ToNanoseconds())
    if timing == "immediately":
        return Item(item.phy_payload, wave)
    raise ValueError("no timing")


