"""`stadtfunk simulate drive`: a town's devices, air and gateways in front of a real network server."""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from city.clock import SystemClock
from city.errors import Invalid
from city.settings import Mqtt, Settings, load
from city.store.figure_telling import telling
from simulator import keeping, provision
from simulator.faults import Troubled
from simulator.field import Field
from simulator.field_stage import FieldStage, possible
from simulator.forwarder import Language
from simulator.gateway_mqtt import MqttLanguage
from simulator.gwmp import UdpLanguage
from simulator.link import BrokerLink
from simulator.network import Link, drive
from simulator.options import add_influx, add_panel, file_of, shipped
from simulator.sampling import Played, simulator_teller, tells
from simulator.scenario import Scenario
from simulator.signals import stopping
from simulator.udp import UdpLink
from simulator.view import describe

LOOKS_S, LINES_S, SAVES_S = 0.5, 10.0, 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Tell a network server of a town, where that is asked for, and drive it until Ctrl-C; returns the exit code."""
    options = _parser().parse_args(argv)
    told = provision.main(list(_provisioned(options))) if options.chirpstack else 0
    return told or _drive(options)


def _provisioned(options: argparse.Namespace) -> Iterator[str]:
    """The same options, for `stadtfunk simulate provision`."""
    for name in ("chirpstack", "token", "tenant", "town", "lamps", "bays", "seed", "rx2_dr"):
        value = getattr(options, name)
        if value is not None:
            yield f"--{name.replace('_', '-')}={value}"


def _drive(options: argparse.Namespace) -> int:
    scenario = Scenario.load(file_of(options.town)).sized(lamps=options.lamps, bays=options.bays)
    settings = load()
    if options.mqtt:
        settings = replace(settings, mqtt=replace(settings.mqtt, url=options.mqtt))
    if options.influx:
        settings = replace(settings, influx=replace(settings.influx, url=options.influx))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(scenario, settings, options))
    return 0


async def _run(scenario: Scenario, settings: Settings, options: argparse.Namespace) -> None:
    clock, state = SystemClock(), Path(options.state) if options.state else None
    language: Language = UdpLanguage() if options.udp else MqttLanguage(options.prefix)
    kept = keeping.load(state) if state else {}
    start = clock.now()
    scenario, left_out = possible(scenario)
    for fault in left_out:
        sys.stderr.write(f"not on the air, so left out: {describe(fault)}\n")
    field = Field(scenario, language, seed=options.seed, start=start, kept=kept)
    stage = FieldStage(field)
    town = Troubled(stage, seed=options.seed, start=start)
    with stopping() as stop:
        try:
            async with _panel(options, field, stage, town), asyncio.TaskGroup() as tasks:
                tasks.create_task(drive(town, lambda: _link(settings.mqtt, scenario, options), clock, stop))
                tasks.create_task((_tell if options.headless else _show)(field, stop))
                if tells(settings.influx):
                    teller = simulator_teller(settings.influx, clock, [scenario], lambda: _played(field))
                    tasks.create_task(telling(teller, clock, stop))
                if state:
                    tasks.create_task(_remember(field, state, stop))
        finally:
            if state:
                keeping.save(state, kept | dict(field.kept))


@contextlib.asynccontextmanager
async def _panel(options: argparse.Namespace, field: Field, stage: FieldStage, town: Troubled) -> AsyncIterator[None]:
    """The page and API to control the town by, if they were asked for."""
    if options.panel is None:
        yield
        return
    from simulator.panel.on_air import OnAir  # a web server takes 20 MB, and most runs need none
    from simulator.panel.serving import panel_of

    async with panel_of(options, [OnAir(field, stage, town)]):
        yield


def _link(settings: Mqtt, scenario: Scenario, options: argparse.Namespace) -> Link:
    return UdpLink(options.udp) if options.udp else BrokerLink(settings, f"stadtfunk-gateways-{scenario.tenant.id}")


def _played(field: Field) -> Played:
    air = field.medium.stats
    return Played(len(field.devices), air["sent up"], air["lost up"], field.stats["downlinks"] + field.stats["multicast"])


async def _remember(field: Field, state: Path, stop: asyncio.Event) -> None:
    """Also while it runs: whoever is killed has not forgotten the nonces it has used."""
    while not stop.is_set():
        await _pause(stop, SAVES_S)
        await asyncio.to_thread(keeping.save, state, dict(field.kept))


async def _show(field: Field, stop: asyncio.Event) -> None:
    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        while not stop.is_set():
            live.update(_table(field), refresh=True)
            await _pause(stop, LOOKS_S)


async def _tell(field: Field, stop: asyncio.Event) -> None:
    begun = time.monotonic()
    while not stop.is_set():
        await _pause(stop, LINES_S)
        said = "  ".join(f"{name} {value}" for name, value in _rows(field))
        sys.stderr.write(f"{time.monotonic() - begun:.0f} s  {said}\n")
        sys.stderr.flush()


def _table(field: Field) -> Table:
    shown = Table(title=f"{field.scenario.tenant.name}, on the air", title_justify="left", show_header=False, box=None)
    for name, value in _rows(field):
        shown.add_row(name, value)
    return shown


def _rows(field: Field) -> list[tuple[str, str]]:
    """What a person wants to know: who has joined, what came and went, and what the gateways refused."""
    stats, air = field.stats, field.medium.stats
    joined = sum(one.joined for one in field.devices.values())
    refused = {name.removeprefix("gateway said "): count for name, count in stats.items()
               if name.startswith("gateway said ") and not name.endswith("OK")}
    return [("joined", f"{joined} of {len(field.devices)} ({stats['join requests']} requests)"),
            ("up", (f"{stats['uplinks']} frames, {stats['repetitions']} repeated, {air['collision']} copies collided, "
                    f"{air['lost up']} heard by nobody")),
            ("down", f"{stats['downlinks']} heard, {stats['multicast']} of groups, {stats['downlinks offered']} offered"),
            ("RX2", ", ".join(sorted({f"DR{one.settings.rx2_dr}" for one in field.devices.values() if one.joined})) or "-"),
            ("refused", ", ".join(f"{name} {count}" for name, count in sorted(refused.items())) or "nothing"),
            ("lamps", f"{sum(lamp.level > 0 for lamp in field.lamps.values())} of {len(field.lamps)} burn"),
            ("bays", f"{sum(lot.occupied for lot in field.lots.values())} of {len(field.bays)} taken")]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stadtfunk simulate drive", description="A town's devices with real LoRaWAN frames, behind gateways that speak to "
        "a real network server: over its broker, or over UDP to a ChirpStack Gateway Bridge. In real time. The server must know "
        "the devices: --chirpstack tells it, or `stadtfunk simulate provision` before.")
    parser.add_argument("--town", help=f"scenario file, or one of: {', '.join(shipped())} (default: hilchenbach)")
    parser.add_argument("--lamps", type=int, help="how many lamps, 1 to 20000")
    parser.add_argument("--bays", type=int, help="how many parking bays, 0 to 20000")
    parser.add_argument("--seed", type=_seed, default=1, help="the same seed, the same town and keys (default: 1)")
    parser.add_argument("--chirpstack", metavar="URL", help="tell this ChirpStack of the town first, as `provision` does")
    parser.add_argument("--token", help="its API key (default: setting chirpstack.token)")
    parser.add_argument("--tenant", metavar="UUID", help="put the town into this tenant of it")
    parser.add_argument("--rx2-dr", type=int, choices=range(6), metavar="0…5", help="its RX2 data rate, at which lamps hear "
                        "their groups (default: the scenario's rx2_sf)")
    parser.add_argument("--mqtt", help="the gateways' broker (default: setting mqtt.url)")
    add_influx(parser)
    parser.add_argument("--prefix", default="eu868", help="the region's topic prefix (default: eu868)")
    parser.add_argument("--udp", metavar="HOST:PORT", help="instead of MQTT: Semtech's packet forwarder protocol")
    parser.add_argument("--state", metavar="FILE", help="what the devices must remember from run to run: without it a server "
                        "refuses their join requests the second time")
    add_panel(parser)
    parser.add_argument("--headless", action="store_true", help="no live view: a line on stderr every ten seconds")
    return parser


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Invalid("“{value}” is no seed.", field="seed", rule="an integer", value=text[:40]) from error
