"""`stadtfunk doctor`: look at the whole chain, from ChirpStack to InfluxDB, and say how to mend what is wrong."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from rich.console import Console

from city.clock import Clock, SystemClock
from city.errors import CityError
from city.readings import to_ns
from city.settings import Mqtt, Settings, load
from gateway_bridge.doctor import broker, files, host, judge_broker, judge_services, parkapi, services
from gateway_bridge.doctor.findings import Finding, as_json, broken, exit_code, show, unknown
from gateway_bridge.mqtt import address

LISTEN_S, WIDE_S, PROBE_S = 10.0, 5.0, 45.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look at. `load`: whether the broker's queue may be measured by publishing. None: no such file."""

    seconds: float = LISTEN_S
    load: bool = True
    mosquitto: Path | None = None
    chirpstack: Path | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is found; returns 0 where all is well, 1 on warnings, 2 where something is broken. Raises CityError."""
    words = _parser().parse_args(argv)
    settings = load(words.settings)
    beside = address(settings.mqtt.url)[0] in judge_broker.LOOPBACK
    wanted = Wanted(words.seconds, not words.no_load, words.mosquitto_conf or (_there(files.MOSQUITTO) if beside else None),
                    words.chirpstack_toml or _there(files.CHIRPSTACK))
    findings = list(examine(settings, wanted, SystemClock()))
    if words.json:
        sys.stdout.write(as_json(findings) + "\n")
    else:
        show(findings, Console())
    return exit_code(findings)


def examine(settings: Settings, wanted: Wanted, clock: Clock) -> Iterator[Finding]:
    """All findings, in the order of the chain."""
    yield from files.judge_chirpstack(files.read_chirpstack(wanted.chirpstack) if wanted.chirpstack else None)
    yield from _broker(settings, wanted, clock)
    yield from files.judge_mosquitto(files.read_mosquitto(wanted.mosquitto) if wanted.mosquitto else None)
    directory = Path(settings.log.directory)
    yield from _within("log directory", lambda: host.probe_disk(directory), host.judge_disk)
    yield from _within("city database", lambda: services.probe_database(settings.database.url),
                       lambda facts: judge_services.judge_database(facts, shared=bool(settings.mqtt.share)))
    if settings.influx.url:
        days = max(settings.parking.raw_days, 1)
        yield from _within("InfluxDB", lambda: services.probe_towns(settings.influx, settings.database.url, clock),
                           lambda found: judge_services.judge_towns(found, settings.influx, days))
    if settings.chirpstack.url:
        yield from _within("ChirpStack's API", lambda: services.probe_api(settings.chirpstack, clock), judge_services.judge_api)
    if settings.parkapi.url:
        yield from _within("ParkAPI", lambda: parkapi.probe_parkapi(settings.parkapi), parkapi.judge_parkapi)
    yield from _within("this machine", host.probe_machine, host.judge_machine)


def _broker(settings: Settings, wanted: Wanted, clock: Clock) -> Iterator[Finding]:
    mqtt = settings.mqtt
    try:
        name, _, tls = address(mqtt.url)
        server = broker.Broker(mqtt, lambda: to_ns(clock.now()))
        greeting = _bounded(server.greet)
    except CityError as error:
        yield broken("broker", str(error), "start the broker; settings: mqtt.url, mqtt.username, mqtt.password, mqtt.ca_file")
        return
    yield judge_broker.judge_transport(mqtt, name, tls=tls)
    if greeting is None:
        yield broken("broker", f"The broker has not answered in {PROBE_S:.0f} s.", "settings: mqtt.url")
        return
    yield from judge_broker.judge_greeting(greeting, mqtt.share)
    yield from _within("session kept", server.keeps_sessions, lambda kept: [judge_broker.judge_session(kept)])
    if wanted.load:
        yield from _within("queue", server.queue, lambda found: judge_broker.judge_queue(
            found, mqtt.receive_maximum, five=_speaks_five(mqtt)))
    before = services.connections(settings.bridge.metrics_port)
    yield from _within("events", lambda: _listen(server, mqtt.topic, wanted.seconds), judge_broker.judge_traffic,
                       wanted.seconds + WIDE_S + PROBE_S)
    yield judge_broker.judge_takeover(before, services.connections(settings.bridge.metrics_port), wanted.seconds)


def _listen(server: broker.Broker, topic: str, seconds: float) -> judge_broker.Traffic:
    ours = server.listen(topic, seconds)
    if any(not heard.retain for heard in ours):
        return judge_broker.Traffic(topic, seconds, ours)
    return judge_broker.Traffic(topic, seconds, ours, server.listen(broker.WIDE, min(WIDE_S, seconds)))


def _within(check: str, probe: Callable[[], _T], judge: Callable[[_T], Iterable[Finding]],
            seconds: float = PROBE_S) -> Iterator[Finding]:
    """The judge's findings; one that says so where the probe fails or takes too long."""
    try:
        facts = _bounded(probe, seconds)
    except CityError as error:
        yield unknown(check, f"It could not be checked: {error}")
        return
    if facts is None:
        yield broken(check, f"There was no answer in {seconds:.0f} s.", "see whether that program or disk hangs")
    else:
        yield from judge(facts)


def _bounded(probe: Callable[[], _T], seconds: float = PROBE_S) -> _T | None:
    """What the probe returns, or None where it takes longer. Raises what it raises."""
    box: SimpleQueue[tuple[_T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            box.put((probe(), None))
        except Exception as error:
            box.put((None, error))

    Thread(target=run, daemon=True).start()  # one that hangs is left behind; the process ends without it
    try:
        found, error = box.get(timeout=seconds)
    except Empty:
        return None
    if error is not None:
        raise error
    return found


def _speaks_five(mqtt: Mqtt) -> bool:
    return mqtt.version.startswith("5")


def _there(path: Path) -> Path | None:
    return path if path.exists() else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk doctor", description=__doc__)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings (default: stadtfunk.toml)")
    parser.add_argument("--json", action="store_true", help="for a program")
    parser.add_argument("--seconds", type=float, default=LISTEN_S, metavar="N",
                        help="how long to wait for an event of ChirpStack (default: %(default)g)")
    parser.add_argument("--no-load", action="store_true",
                        help=f"do not measure the broker's queue with {broker.PROBES} small messages")
    parser.add_argument("--mosquitto-conf", type=Path, metavar="FILE", help="Mosquitto's configuration, where it runs here")
    parser.add_argument("--chirpstack-toml", type=Path, metavar="FILE", help="ChirpStack's configuration, or its directory")
    return parser


if __name__ == "__main__":
    sys.exit(main())
