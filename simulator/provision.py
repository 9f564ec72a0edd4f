"""`stadtfunk simulate provision`: one command tells a ChirpStack, real or imitated, of whole towns."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence

import grpc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from city.errors import CityError, Invalid
from city.settings import Secret, load
from simulator.inventory import Inventory, inventory
from simulator.options import scenarios_of, shipped
from simulator.provisioning import Provisioner, Report, Step
from simulator.scenario import Scenario

KINDS = ("tenants", "applications", "profiles", "gateways", "devices", "groups")
PARALLEL_MOST = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Provision, with a bar of progress on stderr and what was done on stdout; returns the exit code: 1 after a failure,
    of which one sentence tells."""
    options = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(scenarios_of(options), options))
    except CityError as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _run(scenarios: Sequence[Scenario], options: argparse.Namespace) -> int:
    settings = load().chirpstack
    url, token = options.chirpstack or settings.url, Secret(options.token) if options.token else settings.token
    if not token.reveal():
        raise Invalid("A token is needed: --token, or the setting chirpstack.token. ChirpStack's command create-api-key "
                      "makes one.", field="chirpstack.token", rule="required")
    if options.tenant and len(scenarios) > 1:
        raise Invalid("--tenant is for one town; the scenario has {count}.", field="tenant", rule="one town",
                      count=len(scenarios))
    channel = channel_to(url)
    try:
        provisioner = Provisioner(channel, token, url=url, parallel=options.parallel)
        for scenario in scenarios:
            town = inventory(scenario, seed=options.seed, rx2_dr=options.rx2_dr)
            with _bars(scenario.tenant.name, town) as step:
                report = await provisioner.provision(town, options.seed, tenant_id=options.tenant or "", step=step)
            sys.stdout.write(told(scenario.tenant.name, report))
    finally:
        await channel.close(None)
    return 0


def channel_to(url: str) -> grpc.aio.Channel:
    """A channel to host:port, http://host:port or, with TLS, https://host:port. Raises Invalid."""
    scheme, separator, rest = url.partition("://")
    where = (rest if separator else url).rstrip("/")
    if not where or "/" in where or (separator and scheme not in ("http", "https")):
        raise Invalid("ChirpStack's address must look like host:port or https://host:port.", field="chirpstack.url",
                      rule="host:port")
    if separator and scheme == "https":
        return grpc.aio.secure_channel(where, grpc.ssl_channel_credentials())
    return grpc.aio.insecure_channel(where)


def told(name: str, report: Report) -> str:
    """What was done, and what the platform's settings need to know."""
    lines = [f"{name}: tenant {report.tenant_id}"]
    lines += [f"  application {application}: {ident}" for application, ident in sorted(report.applications.items())]
    for kind in KINDS:
        done = ", ".join(f"{count[kind]} {word}" for word, count in (
            ("created", report.created), ("changed", report.changed), ("right already", report.right)) if count[kind])
        lines.append(f"  {kind}: {done or 'none'}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _bars(name: str, town: Inventory) -> Iterator[Step]:
    totals = {"gateways": len(town.gateways), "devices": len(town.devices), "groups": len(town.groups)}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bars: dict[str, TaskID] = {kind: progress.add_task(f"{name}: {kind}", total=total) for kind, total in totals.items()}
        yield lambda kind, count: progress.advance(bars[kind], count) if kind in bars else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk simulate provision", description="Tells a ChirpStack v4 of simulated "
                                     "towns. What is there already is compared and put right; a second run changes nothing.")
    parser.add_argument("--chirpstack", metavar="URL", help="host:port, or https://host:port (default: setting chirpstack.url)")
    parser.add_argument("--token", help="API key (default: setting chirpstack.token, which no list of processes shows)")
    parser.add_argument("--tenant", metavar="UUID", help="put it into this tenant (a tenant's key needs that)")
    parser.add_argument("--town", help=f"scenario file, or one of: {', '.join(shipped())} (default: hilchenbach)")
    parser.add_argument("--lamps", type=int, help="how many lamps, 1 to 20000")
    parser.add_argument("--bays", type=int, help="how many parking bays, 0 to 20000")
    parser.add_argument("--seed", type=int, default=1, help="what keys are derived from: the same as the town's (default: 1)")
    parser.add_argument("--rx2-dr", type=int, choices=range(6), metavar="0…5", help="the server's RX2 data rate (rx2_dr of its "
                        "region file), at which lamps hear their groups (default: the scenario's rx2_sf)")
    parser.add_argument("--parallel", type=_parallel, default=16, help="calls under way at a time (default: 16)")
    return parser


def _parallel(text: str) -> int:
    number = int(text)
    if not 1 <= number <= PARALLEL_MOST:
        raise argparse.ArgumentTypeError(f"it must lie between 1 and {PARALLEL_MOST}")
    return number
