"""The figures of bench.bridge as a page: what was asked, what was measured, whether it is met; then all of it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import process_time

from bench._load.measures import Drained, Live
from bench._page import measured
from bench._peers.nodered import VERSIONS as NODE_RED

SPIN = 2_000_000  # turns
GERMANY = 10_556  # 9.5 million lamps, a report from each every 15 minutes
Row = tuple[str, str, str, bool | None]


_HOW = """
- *Event*: ChirpStack v4 JSON, 1.2 kB and more, of a NAS UL20xx's status (17 quantities, and 5 of the radio) as each lamp
  sends it every 15 minutes; one to three gateways; lamps in shuffled order, each of which has been heard before. They burn
  as their town's program wants, but for one of 200, which has an alert, does not obey and has orders sent.
- *Ours*: `python -m gateway_bridge` with all that it does: registry, codec, judging, state, alarms, log with fsync, city
  database (SQLite), metrics; its settings are the defaults but for addresses.
- *Backlog*: connected and subscribed, the process is stopped (SIGSTOP), the broker filled, the process let go (SIGCONT); no
  loader runs meanwhile. CPU is all that the kernel has counted for the process from then until it has ended (wait4), so that
  nothing put off is left out, less the {leaving:.0f} ms that a bridge with nothing to do takes to leave; of bare paho, until
  the last event. MB: resident at the end of the backlog.
- *Void otherwise*: after each run all entries of the log are read; each event must be there once, no dead letter, and the
  city database must know every lamp. InfluxDB is asked how many events it has.
- *Broker*: Mosquitto with the limits of deploy/mosquitto.conf; live, it saves what waits as it is deployed, for a backlog it
  does not, as else the saving is all that is seen.
- *Publish → durable*: from when an event is due at the loader (in {loader}) to the bridge's acknowledgement as a relay in front
  of the broker sees it. The bridge acknowledges what is durable, so broker, relay, network and fsync are in it.
- *Stolen*: processor time that the machine under this virtual one gave to others meanwhile. Of {lives} tries of a live rate
  the one is shown from which least was stolen: where much was, latencies are not the bridge's.
- *Bytes written*: what the kernel counts as caused by the process (`write_bytes`): whole pages of 4 kB, so the fewer events
  come at a time, the more for each.
- *Bare paho*: `loop_forever`, a persistent session, a callback that counts.
- *Node-RED*: {node_red}; a flow of mqtt in, function, influxdb out
  that decodes the same frame. It acknowledges on receipt: what it holds is lost with it.
"""


@dataclass(slots=True)
class Results:
    """What a run of the bench has found. `drained` by contender, a value for each round; `two`: events a second of one
    bridge and of two; `live` by rate and whether the disk was slow."""

    rounds: int
    events: int
    lamps: int
    loader: str
    influx: bool
    telegraf: bool
    slow_ms: int
    many_lamps: int
    lives: int
    drained: dict[str, list[Drained]] = field(default_factory=dict)
    live: dict[tuple[int, bool], Live] = field(default_factory=dict)
    bare_live: Live | None = None
    two: list[tuple[float, float]] = field(default_factory=list)
    caught_up: Drained | None = None
    many: Drained | None = None
    spins: list[float] = field(default_factory=list)
    leaving: list[float] = field(default_factory=list)

    def us(self, name: str) -> float:
        """The median of its rounds, CPU µs for an event."""
        return median(run.us for run in self.drained[name])

    @property
    def protocols(self) -> list[str]:
        return [name.removeprefix("ours, ") for name in self.drained if name.startswith("ours, ")]


def spin() -> float:
    """ns for a turn of an empty loop of Python: how fast this processor is for us just now."""
    begun = process_time()
    for _ in range(SPIN):
        pass
    return (process_time() - begun) / SPIN * 1e9


def page(results: Results) -> str:
    """Markdown."""
    return "\n".join([*_head(results), *_asked(results), *_compared(results), *_live(results), *_rest(results),
                      *_how(results)]) + "\n"


def _head(results: Results) -> Iterator[str]:
    yield "## The bridge, beside its peers (`bench.bridge`)"
    yield ""
    yield measured()
    yield (f"Median of {max(len(runs) for runs in results.drained.values())} interleaved rounds of {results.events:,} events of "
           f"{results.lamps:,} lamps, each with its own time and counter. An empty turn of Python's `for` took "
           f"{median(results.spins):.0f} ns ({min(results.spins):.0f} to {max(results.spins):.0f}): compare other machines, "
           "and other days, by that. Ratios within a run are good to about 15 %.")
    yield ""


def _asked(results: Results) -> Iterator[str]:
    yield "### Asked and measured"
    yield ""
    yield "| | asked | measured | met |"
    yield "|---|---|---|---|"
    for what, asked, found, met in _rows(results):
        yield f"| {what} | {asked} | {found} | {'not measured' if met is None else 'yes' if met else '**no**'} |"
    yield ""


def _rows(results: Results) -> Iterator[Row]:
    for protocol in results.protocols:
        yield from _speed_rows(results, protocol)
    yield from _live_rows(results)
    runs = results.drained[f"ours, {results.protocols[0]}"]
    yield _memory_row(results.lamps, 120, runs)
    if results.many:
        yield _memory_row(results.many.events, 300, [results.many])
    written = median(run.written / run.events for run in runs)
    yield "bytes written for an uplink, backlog", "≤ 400 B", f"{written:,.0f} B", written <= 400
    if results.two:
        ratios = sorted(two / one for one, two in results.two)
        found = f"{median(ratios):.2f} × ({ratios[0]:.2f} to {ratios[-1]:.2f}) on {os.cpu_count()} cores"
        yield "two bridges on a shared subscription against one", "≥ 1.2 ×", found, median(ratios) >= 1.2
    if results.caught_up:
        yield ("events shipped to InfluxDB in a second, catching up (460,000 in 2 min)", "≥ 3,834/s",
               f"{results.caught_up.per_s:,.0f}/s", results.caught_up.per_s >= 3834)


def _speed_rows(results: Results, protocol: str) -> Iterator[Row]:
    ours, bare = f"ours, {protocol}", f"bare paho, {protocol}, auto ack"
    mine, theirs = results.us(ours), results.us(bare)
    yield (f"uplinks for each CPU second of the bridge, {protocol}", f"≥ {GERMANY:,}", f"{1e6 / mine:,.0f}",
           1e6 / mine >= GERMANY)
    pairs = zip(results.drained[ours], results.drained[bare], strict=True)
    shares = sorted(other.us / run.us for run, other in pairs)
    found = f"{median(shares) * 100:.0f} % ({shares[0] * 100:.0f} to {shares[-1] * 100:.0f})"
    yield f"… as a share of bare paho's, {protocol}", "≥ 60 %", found, median(shares) >= 0.6
    yield (f"our own part of an uplink beyond bare paho, {protocol}", "≤ 25 µs", f"{mine - theirs:.1f} µs",
           mine - theirs <= 25)


def _memory_row(lamps: int, most: int, runs: Sequence[Drained]) -> Row:
    return (f"memory with {lamps:,} lamps, all heard", f"≤ {most} MB", _memory(runs),
            median(run.rss_mb for run in runs) <= most)


def _live_rows(results: Results) -> Iterator[Row]:
    if calm := results.live.get((1000, False)):
        bare = f"; bare paho {results.bare_live.cpu_share * 100:.1f} %" if results.bare_live else ""
        yield "of a core at 1,000 uplinks/s, live", "≤ 15 %", f"{calm.cpu_share * 100:.1f} %{bare}", calm.cpu_share <= 0.15
    if busy := results.live.get((5000, False)):
        written = busy.written / busy.events
        yield "bytes written for an uplink, live at 5,000/s", "≤ 400 B", f"{written:,.0f} B", written <= 400
    for slow, most in ((False, 10), (True, 30)):
        if run := results.live.get((5000, slow)):
            disk = f", fsync {results.slow_ms} ms slower" if slow else ""
            yield (f"publish → durable at 5,000/s{disk}, p99", f"≤ {most} ms", f"{run.late(0.99):.1f} ms", run.late(0.99) <= most)


def _compared(results: Results) -> Iterator[str]:
    yield "### A backlog, beside the peers"
    yield ""
    yield "| | CPU µs an event | events for each CPU second | events/s | B written | MB | lowest to highest µs |"
    yield "|---|---|---|---|---|---|---|"
    for name, runs in results.drained.items():
        us = results.us(name)
        written, memory = median(run.written / run.events for run in runs), median(run.rss_mb for run in runs)
        yield (f"| {name} | {us:.1f} | {1e6 / us:,.0f} | {median(run.per_s for run in runs):,.0f} | {written:,.0f} | "
               f"{_or_dash(memory)} | {min(run.us for run in runs):.1f} to {max(run.us for run in runs):.1f} |")
    yield ""


def _live(results: Results) -> Iterator[str]:
    if not results.live:
        return
    yield "### Live"
    yield ""
    yield "| | of a core | CPU µs an event | publish → durable p50 | p99 | slowest | B written | stolen |"
    yield "|---|---|---|---|---|---|---|---|"
    for (rate, slow), run in results.live.items():
        yield _live_row(f"{rate:,}/s{f', fsync {results.slow_ms} ms slower' if slow else ''}", run)
    if results.bare_live:
        yield _live_row("1,000/s, bare paho, MQTT 5, which keeps nothing", results.bare_live)
    yield ""


def _live_row(name: str, run: Live) -> str:
    return (f"| {name} | {run.cpu_share * 100:.1f} % | {run.us:.0f} | {run.late(0.5):.1f} ms | {run.late(0.99):.1f} ms | "
            f"{run.late(1.0):.1f} ms | {run.written / run.events:,.0f} | {run.stolen * 100:.0f} % |")


def _rest(results: Results) -> Iterator[str]:
    yield "### More"
    yield ""
    for one, two in results.two:
        yield f"- One bridge took {one:,.0f} events/s of a backlog, two on a shared subscription {two:,.0f}/s (wall time)."
    if results.caught_up:
        found = results.caught_up
        yield (f"- Catching up, {found.events:,} events of the log went into InfluxDB at {found.per_s:,.0f}/s; the bridge used "
               f"{found.us:.1f} µs CPU for each.")
    if results.many:
        yield (f"- With {results.many.events:,} lamps: {results.many.us:.1f} µs CPU an event (the first of each lamp), "
               f"{_memory([results.many])}.")
    yield ""


def _how(results: Results) -> Iterator[str]:
    yield "### How it is measured"
    yield ""
    yield _HOW.format(loader=results.loader, node_red=NODE_RED,
                      lives=results.lives,
                      leaving=median(results.leaving) * 1e3).strip()
    if not any("Node-RED" in name for name in results.drained):
        yield "- Node-RED is not measured here: it needs npm and InfluxDB."
    if not results.telegraf:
        yield "- Telegraf is not measured here: `--telegraf BINARY` does. It cannot decode a payload (bench/_peers/telegraf.py)."


def _memory(runs: Sequence[Drained]) -> str:
    return f"{median(run.rss_mb for run in runs):.0f} MB, at most {max(run.peak_mb for run in runs):.0f} MB"


def _or_dash(number: float) -> str:
    return f"{number:.0f}" if number else "–"
