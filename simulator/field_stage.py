"""A town at frame level as something that faults can happen to."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import msgspec

from city.ids import AssetId, ZoneId
from city.readings import NS
from simulator import fault_plan as plans
from simulator.bay import Bay, Lot
from simulator.bugs import Buggy, Spoil
from simulator.fault_plan import AnyFault
from simulator.field import Field
from simulator.forwarder import Message
from simulator.lamp import Lamp
from simulator.makes import Application
from simulator.radio import Weather
from simulator.scenario import Scenario

GASP_S = 5.0  # a radio lives so long on what is left in its capacitors


def possible(scenario: Scenario) -> tuple[Scenario, tuple[AnyFault, ...]]:
    """The scenario with those of its faults that can happen where there are only gateways' frames, and the others: what a
    server does wrong, and what happens to the events of single devices."""
    faults = scenario.plan.fault
    can = tuple(fault for fault in faults if not of_events(fault))
    plan = msgspec.structs.replace(scenario.plan, fault=can)
    return dataclasses.replace(scenario, plan=plan), tuple(fault for fault in faults if of_events(fault))


def of_events(fault: AnyFault) -> bool:
    """Whether a fault is one of a server's events, which gateways' frames are not."""
    named = any(getattr(fault, key, "") for key in ("zone", "circuit", "model", "asset"))
    by_device = isinstance(fault, plans.Duplicates | plans.Reordered | plans.BrokenMessages) and named
    return by_device or isinstance(fault, plans.Strangers | plans.CodecGarbage | plans.Burst) or (
        isinstance(fault, plans.ClockStep) and fault.of == "server")


class FieldStage:
    """simulator.stage.Stage for a Field; it is its own `fleet`."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._index: Mapping[str, int] = {one.gateway.id: index for index, one in enumerate(field.scenario.antennas)}
        self._assets: Mapping[str, AssetId] = {device.who.dev_eui: asset for asset, device in field.devices.items()}

    @property
    def scenario(self) -> Scenario:
        """The field's own."""
        return self._field.scenario

    @property
    def stats(self) -> Counter[str]:
        """The field's own."""
        return self._field.stats

    @property
    def command_topics(self) -> tuple[str, ...]:
        """The field's own."""
        return self._field.command_topics

    @property
    def lamps(self) -> Mapping[AssetId, Lamp]:
        """The field's own."""
        return self._field.lamps

    @property
    def bays(self) -> Mapping[AssetId, Bay]:
        """The field's own."""
        return self._field.bays

    @property
    def lots(self) -> Mapping[ZoneId, Lot]:
        """The field's own."""
        return self._field.lots

    @property
    def weather(self) -> Weather:
        """The field's own."""
        return self._field.weather

    @property
    def fleet(self) -> "FieldStage":
        """The gateways."""
        return self

    @property
    def now_ns(self) -> int:
        """The virtual time."""
        return self._field.engine.now

    def advance(self, now: datetime) -> list[Message]:
        """Let time pass."""
        return self._field.advance(now)

    def command(self, topic: str, payload: bytes, now: datetime) -> None:
        """What a server has sent."""
        self._field.command(topic, payload, now)

    def silence(self, gateway_id: str, silent: bool) -> None:
        """Take a gateway off the net, or bring it back."""
        (self.weather.down.add if silent else self.weather.down.discard)(self._index[gateway_id])

    def shift_clock(self, gateway_id: str, seconds: float) -> None:
        """From now on its clock is so many seconds fast."""
        self._field.clock_ns[self._index[gateway_id]] = int(seconds * NS)

    def power(self, asset: AssetId, *, on: bool) -> None:
        """A lamp's feeder loses its power, or has it again; its radio goes off a little later, and on with the lamp's start."""
        lamp, device = self.lamps[asset], self._field.devices[asset]
        if not on:
            lamp.cut()
            self._field.engine.after(GASP_S, self._run_down, asset)
            return
        if lamp.firmware.keeps_session:
            device.power_on()
        lamp.restore()

    def join_again(self, dev_eui: str, after_s: float) -> None:
        """A device restarts after so long."""
        self._field.engine.after(after_s, self._field.devices[self._assets[dev_eui]].rejoin)

    def spoil(self, dev_eui: str, *, said: Spoil | None, heard: Spoil | None, deaf: bool = False) -> None:
        """From now on a device says and hears frames as these make them; what is sent to a group it hears as it is."""
        asset = self._assets[dev_eui]
        self._field.spoilt.pop(dev_eui, None)
        if said is not None:
            self._field.spoilt[dev_eui] = said
        lamp = self.lamps.get(asset)
        app: Application = self.bays[asset] if lamp is None else lamp
        self._field.devices[asset].attach(Buggy(app, None if deaf else heard) if deaf or heard else app, lamp)

    def _run_down(self, asset: AssetId) -> None:
        if not self.lamps[asset].powered:
            self._field.devices[asset].power_off()
