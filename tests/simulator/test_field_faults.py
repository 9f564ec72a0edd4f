"""Faults where there are only devices, air and gateways, in front of the tests' own network server."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
from chirpstack_api import gw

from simulator.fault_plan import AnyFault
from simulator.faults import Troubled
from simulator.field_stage import FieldStage, possible
from simulator.scenario import Scenario
from tests.simulator.test_field import NOW, STEP, Town


class Troubles(Town):
    """A field with faults; what its gateways said, by the minute in which they did."""

    def __init__(self, *faults: Mapping[str, object], lamps: int = 12, bays: int = 1) -> None:
        super().__init__(lamps=lamps, bays=bays, status_interval_s=60.0)
        plan = msgspec.structs.replace(self.field.scenario.plan, fault=made(faults))
        self.field.scenario = replace(self.field.scenario, plan=plan)
        self.town = Troubled(FieldStage(self.field), seed=7, start=NOW)
        self.said: list[tuple[int, gw.UplinkFrame]] = []

    def run(self, seconds: float) -> "Troubles":
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += STEP
            for topic, payload in self.town.advance(self.now):
                if topic.endswith("/up"):
                    self.said.append((int((self.now - NOW).total_seconds() // 60), gw.UplinkFrame.FromString(payload)))
                self.network.take(topic, payload, self.now)
            for topic, payload in self.network.step(self.now):
                self.town.command(topic, payload, self.now)
        return self

    def heard_by(self, first: int, last: int) -> set[str]:
        return {frame.rx_info.gateway_id for minute, frame in self.said if first <= minute < last}


def made(faults: Sequence[Mapping[str, object]]) -> tuple[AnyFault, ...]:
    return msgspec.convert(faults, tuple[AnyFault, ...])


GATEWAY = Scenario.load().gateways[0].id
CIRCUIT = str(Scenario.load().sized(lamps=12, bays=1).lamps[0].lamp.circuit)


def test_a_gateway_falls_silent_and_another_has_a_wrong_clock() -> None:
    other = Scenario.load().gateways[1].id
    scene = Troubles({"kind": "gateway-down", "at": "+2 min", "for": "2 min", "gateway": GATEWAY},
                     {"kind": "gps-time", "at": "+2 min", "for": "2 min", "gateway": other}).run(330)
    assert GATEWAY in scene.heard_by(0, 2)
    assert GATEWAY not in scene.heard_by(2, 4)
    assert GATEWAY in scene.heard_by(4, 6)
    off = {(minute, round(frame.rx_info.gw_time.seconds - NOW.timestamp() - minute * 60, -2)) for minute, frame in scene.said
           if frame.rx_info.gateway_id == other and frame.rx_info.HasField("gw_time")}
    assert {late for minute, late in off if 2 <= minute < 4} <= {1800, 1900}
    assert {late for minute, late in off if minute in (0, 1, 4, 5)} <= {0, 100}


def test_lamps_without_power_fall_silent_and_join_again() -> None:
    scene = Troubles({"kind": "cabinet-outage", "at": "+2 min", "for": "2 min", "circuit": CIRCUIT}).run(125)
    dark = {site.lamp.id for site in scene.field.scenario.lamps if site.lamp.circuit == CIRCUIT}
    assert dark
    scene.run(20)
    assert {asset for asset, device in scene.field.devices.items() if not device.joined} == dark
    joins = scene.field.stats["join requests"]
    scene.run(200)
    assert all(device.joined for device in scene.field.devices.values())
    assert scene.field.stats["join requests"] >= joins + len(dark)


def test_a_firmware_with_a_bug_is_read_behind_keys_and_counters() -> None:
    scene = Troubles({"kind": "firmware-bug", "at": "+90 s", "over": "5 s", "asset": "lamp", "does": "truncates"}).run(80)
    site = scene.field.scenario.lamps[0]

    def longest() -> int:
        return max(len(up.data) for up in scene.server.heard if up.eui == site.device.dev_eui)
    whole = longest()
    scene.server.heard.clear()
    scene.run(150)
    assert 0 < longest() <= whole // 2 + 1


def test_what_only_a_server_can_do_wrong_is_left_out_and_named() -> None:
    base = Scenario.load()
    faults = made(({"kind": "codec-garbage", "at": "+1 min"}, {"kind": "duplicates", "at": "+1 min", "asset": "lamp"},
                   {"kind": "clock-step", "of": "server", "seconds": 5, "at": "+1 min"}, {"kind": "duplicates", "at": "+1 min"},
                   {"kind": "gateway-down", "gateway": GATEWAY, "at": "+1 min"}))
    scenario, left_out = possible(replace(base, plan=msgspec.structs.replace(base.plan, fault=faults)))
    assert left_out == faults[:3]
    assert scenario.plan.fault == faults[3:]
