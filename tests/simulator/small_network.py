"""A small network server behind gateways: frames in, deduplicated; answers out in the windows; by ChirpStack's gateway topics.

Beside SmallServer's view of frames this keeps a gateway's side: context, timing, and what a tx-ack must look like.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from chirpstack_api import gw

from tests.simulator.small_server import Heard, SmallServer, down

COLLECT, ANSWER = timedelta(milliseconds=200), timedelta(milliseconds=300)


class SmallNetwork:
    """`answer(heard)` gives the PHY payload that follows an uplink, or None."""

    def __init__(self, server: SmallServer, *, rx1_delay: int = 1, rx2_sf: int = 12) -> None:
        self.server, self.rx1_delay, self.rx2_sf = server, rx1_delay, rx2_sf
        self.answer: Callable[[Heard], bytes | None] = lambda _: None
        self.copies: dict[bytes, list] = {}
        self.due: list[tuple[datetime, bytes]] = []
        self.best: dict[str, gw.UplinkFrame] = {}
        self.stats: dict[str, gw.GatewayStats] = {}
        self.acks: list[tuple[int, list[str]]] = []
        self.commands: list[tuple[str, bytes]] = []
        self._number = 0

    def take(self, topic: str, payload: bytes, now: datetime) -> None:
        _, _, gateway, _, event = topic.split("/")
        if event == "up":
            frame = gw.UplinkFrame.FromString(payload)
            assert frame.rx_info.gateway_id == gateway
            if frame.phy_payload not in self.copies:
                self.due.append((now + COLLECT, frame.phy_payload))
            self.copies.setdefault(frame.phy_payload, []).append(frame)
        elif event == "stats":
            self.stats[gateway] = gw.GatewayStats.FromString(payload)
        elif event == "ack":
            said = gw.DownlinkTxAck.FromString(payload)
            self.acks.append((said.downlink_id, [gw.TxAckStatus.Name(item.status) for item in said.items]))

    def step(self, now: datetime) -> list[tuple[str, bytes]]:
        """What is sent to gateways now."""
        for _, phy in [one for one in self.due if one[0] <= now]:
            self._process(phy)
        self.due = [one for one in self.due if one[0] > now]
        commands, self.commands = self.commands, []
        return commands

    def _process(self, phy: bytes) -> None:
        best = max(self.copies.pop(phy), key=lambda one: one.rx_info.snr)
        said = self.server.take(phy)
        if isinstance(said, bytes):
            self.class_a(best, said, 5)
        elif said is not None:
            self.best[said.eui] = best
            answer = self.answer(said)
            if answer:
                self.class_a(best, answer, self.rx1_delay)

    def class_a(self, up: gw.UplinkFrame, phy: bytes, delay: int) -> None:
        frame = self._frame(up)
        for hertz, sf, power, after in ((up.tx_info.frequency, up.tx_info.modulation.lora.spreading_factor, 16, delay),
                                        (869_525_000, self.rx2_sf, 29, delay + 1)):
            item = self._item(frame, phy, hertz, sf, power)
            item.tx_info.context = up.rx_info.context
            item.tx_info.timing.delay.delay.FromSeconds(after)
        self._send(frame)

    def class_c(self, eui: str, phy: bytes) -> int:
        frame = self._frame(self.best[eui])
        self._item(frame, phy, 869_525_000, self.rx2_sf, 29).tx_info.timing.immediately.SetInParent()
        return self._send(frame)

    def multicast(self, gateway: str, keys: tuple[bytes, bytes, bytes, int], port: int, data: bytes) -> int:
        nwk, app, address, counter = keys
        frame = gw.DownlinkFrame(gateway_id=gateway)
        phy = down(nwk, app, address, counter, port=port, data=data)
        self._item(frame, phy, 869_525_000, self.rx2_sf, 29).tx_info.timing.immediately.SetInParent()
        return self._send(frame)

    def _frame(self, up: gw.UplinkFrame) -> gw.DownlinkFrame:
        return gw.DownlinkFrame(gateway_id=up.rx_info.gateway_id)

    def _item(self, frame: gw.DownlinkFrame, phy: bytes, hertz: int, sf: int, power: int):
        item = frame.items.add(phy_payload=phy)
        item.tx_info.frequency, item.tx_info.power = hertz, power
        lora = item.tx_info.modulation.lora
        lora.bandwidth, lora.spreading_factor, lora.code_rate = 125_000, sf, gw.CodeRate.CR_4_5
        lora.polarization_inversion = True
        return item

    def _send(self, frame: gw.DownlinkFrame) -> int:
        self._number += 1
        frame.downlink_id = self._number
        self.commands.append((f"eu868/gateway/{frame.gateway_id}/command/down", frame.SerializeToString()))
        return self._number
