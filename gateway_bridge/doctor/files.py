"""Reads neighbours' own configuration files where they lie on this machine, and judges what cannot be asked for over the
network: whether what waits in the broker outlives it, how ChirpStack is told to publish, and which gateway it lets send."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway_bridge.doctor.findings import Finding, broken, ok, unknown, warning
from gateway_bridge.doctor.judge_broker import CONF, TOML

MOSQUITTO, CHIRPSTACK = Path("/etc/mosquitto/mosquitto.conf"), Path("/etc/chirpstack/chirpstack.toml")
MOST_BYTES, MOST_FILES = 2**20, 100
DEFAULT_SAVE_S = 1800
DAY = 86_400
MARGIN_DB = 10.0  # ChirpStack's default (chirpstack/src/config.rs, RegionNetwork)
SURELY_DB = 100.0  # no lamp is heard with so much to spare, so the best gateway sends
EXPIRY_UNITS = {"h": 3600, "d": DAY, "w": 7 * DAY, "m": 30 * DAY, "y": 365 * DAY}  # Mosquitto's
# humantime's, which ChirpStack reads
TIME_UNITS = {"": 1, "ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600, "d": DAY, "w": 7 * DAY}


@dataclass(frozen=True, slots=True)
class Conf:
    """A configuration that was read: `values` has the last value of each name, `problem` why there are none."""

    path: str
    values: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Chirpstack:
    """`mqtt` is the section [integration.mqtt], `enabled` the integrations that run, `margins` the gateway_prefer_min_margin of
    each region that is enabled, in dB."""

    path: str
    mqtt: Mapping[str, object] = field(default_factory=dict)
    enabled: tuple[str, ...] = ("mqtt",)
    margins: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""


def read_mosquitto(path: Path) -> Conf:
    """The file and those that it includes by include_dir."""
    values: dict[str, str] = {}
    waiting, read = [path], 0
    try:
        while waiting and read < MOST_FILES:
            read += 1
            for name, value in _lines(waiting.pop(0)):
                if name == "include_dir":
                    waiting += sorted(Path(value).glob("*.conf"))
                else:
                    values[name] = value
    except OSError as error:
        return Conf(str(path), problem=str(error))
    return Conf(str(path), values)


def read_chirpstack(path: Path) -> Chirpstack:
    """The file and its regions' beside it; ChirpStack itself reads all *.toml of its directory as one."""
    try:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path, *sorted(path.parent.glob("region_*.toml"))]
        tree = tomllib.loads("\n".join(_text(file) for file in files[:MOST_FILES]))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Chirpstack(str(path), problem=str(error))
    integration = tree.get("integration", {})
    enabled = integration.get("enabled", ())
    mqtt = integration.get("mqtt", {})
    return Chirpstack(str(path), mqtt if isinstance(mqtt, dict) else {},
                      tuple(map(str, enabled)) if isinstance(enabled, list) else (), _margins(tree))


def judge_mosquitto(conf: Conf | None) -> Iterator[Finding]:
    """Whether what waits in the broker outlives its restart, its crash, and our absence."""
    if conf is None or conf.problem:
        said = f": {conf.problem}" if conf else ""
        yield unknown("broker's disk", "Whether the broker keeps what waits over a restart or a crash cannot be asked over the "
                      f"network, and its configuration could not be read{said}.", "run again with --mosquitto-conf FILE")
        return
    values = conf.values
    if values.get("persistence", "false") != "true":
        yield broken("broker's disk", "The broker keeps nothing on disk: each of its restarts loses sessions and events.",
                     f"{CONF}: persistence true, persistence_location /var/lib/mosquitto/")
        return
    yield _judge_saving(values)
    expiry = values.get("persistent_client_expiration")
    if expiry is None:
        yield warning("dead sessions", "Sessions of programs that never come back stay for ever and fill the disk.",
                      f"{CONF}: persistent_client_expiration 14d")
    elif _seconds(expiry, EXPIRY_UNITS) < DAY:
        yield broken("dead sessions", f"The broker forgets sessions after {expiry}: a longer outage of ours loses events.",
                     f"{CONF}: persistent_client_expiration 14d")
    if values.get("allow_anonymous") == "true":
        yield warning("anonymous", "Anybody who reaches the broker may report anything for any lamp, and switch it.",
                      f"{CONF}: allow_anonymous false, password_file, acl_file (see deploy/)")


def judge_chirpstack(conf: Chirpstack | None) -> Iterator[Finding]:
    """How ChirpStack is told to publish."""
    if conf is None or conf.problem:
        said = f": {conf.problem}" if conf else ""
        yield unknown(TOML.partition(",")[0], f"ChirpStack's configuration could not be read{said}. Neither how it publishes nor "
                      "which gateway it lets send to a lamp can be asked for over the network.",
                      "run again with --chirpstack-toml FILE, on its machine; by hand: deploy/README.md, section ChirpStack")
        return
    if "mqtt" not in conf.enabled:
        yield broken("ChirpStack's integration", "ChirpStack publishes nothing over MQTT.",
                     'chirpstack.toml: [integration] enabled = ["mqtt"]')
    qos = conf.mqtt.get("qos", 0)
    if qos == 0:
        yield broken("ChirpStack's QoS", "ChirpStack publishes with QoS 0: what is on its way when a connection breaks is lost.",
                     f"{TOML}: qos = 1")
    else:
        yield ok("ChirpStack's QoS", f"ChirpStack publishes with QoS {qos}.")
    yield from _judge_session(conf.mqtt)
    yield _judge_topic(conf.mqtt)
    yield _judge_margins(conf.margins)


def _judge_saving(values: Mapping[str, str]) -> Finding:
    every = _number(values.get("autosave_interval", ""), DEFAULT_SAVE_S)
    if values.get("autosave_on_changes") == "true":
        if every == 0:
            return broken("broker's autosave", "The broker saves only when it stops: a crash or a power cut loses all.",
                          f"{CONF}: autosave_interval 1000")
        if every < 100:
            return warning("broker's autosave", f"The broker writes all that waits after each {every} changes: with many "
                           "events waiting it gets slow.", f"{CONF}: autosave_interval 1000")
        return ok("broker's autosave", f"A power cut costs the last {every} changes of the broker at most.")
    if every == 0 or every > 60:
        what = f"what came in the last {every} s" if every else "everything since its start"
        return warning("broker's autosave", f"A crash of the broker or a power cut loses {what}, acknowledged or not.",
                       f"{CONF}: autosave_on_changes true, autosave_interval 1000")
    return ok("broker's autosave", f"A power cut costs the broker's last {every} s at most.")


def _judge_session(mqtt: Mapping[str, object]) -> Iterator[Finding]:
    mend = f'{TOML}: client_id = "chirpstack-integration", clean_session = false, session_expiry_interval = "1h"'
    expiry = str(mqtt.get("session_expiry_interval", "0s"))
    if mqtt.get("clean_session", False) or _seconds(expiry, TIME_UNITS) == 0:
        yield warning("ChirpStack's session", "ChirpStack's own session ends with its connection (session expiry 0): events "
                      "that are on their way when the broker restarts are dropped, at QoS 1 too.", mend)
    elif not mqtt.get("client_id", ""):
        yield warning("ChirpStack's session", "ChirpStack takes another client id at each start and never finds its session.",
                      mend)
    else:
        yield ok("ChirpStack's session", f"ChirpStack's session outlives its connection by {expiry}.")


def _judge_topic(mqtt: Mapping[str, object]) -> Finding:
    default = "application/{{application_id}}/device/{{dev_eui}}/event/{{event}}"
    topic = str(mqtt.get("event_topic", default))
    if topic.replace(" ", "") == default:
        return ok("ChirpStack's topic", "ChirpStack publishes on its default topics.")
    return warning("ChirpStack's topic", f"ChirpStack publishes on {topic}, and we look where its default is.",
                   f'{TOML}: event_topic = "{default}" (or without that line)')


def _judge_margins(margins: Mapping[str, float]) -> Finding:
    """Whether the best gateway sends; see city.turns."""
    mend = "region_….toml: [regions.network] gateway_prefer_min_margin = 1000.0"
    if not margins:
        return unknown("ChirpStack's gateways", "Which gateway ChirpStack lets send to a lamp stands in its regions' files, "
                       "which were not found.", f"run again with --chirpstack-toml DIRECTORY; by hand: {mend}")
    by_lot = [f"{region} ({margin:g} dB)" for region, margin in margins.items() if margin < SURELY_DB]
    if by_lot:
        return warning("ChirpStack's gateways", "Of gateways that heard a lamp with so much to spare ChirpStack lets any send "
                       f"by lot: {', '.join(by_lot)}. Frames of two gateways that should take turns meet at the lamps between "
                       "them and are lost.", mend)
    return ok("ChirpStack's gateways", "ChirpStack lets the gateway send that hears a lamp best.")


def _margins(tree: Mapping[str, object]) -> dict[str, float]:
    regions, network = tree.get("regions", ()), tree.get("network", {})
    enabled = network.get("enabled_regions") if isinstance(network, dict) else None
    found = {}
    for region in (one for one in (regions if isinstance(regions, list) else ()) if isinstance(one, dict)):
        name, own = str(region.get("id", region.get("name", ""))), region.get("network", {})
        margin = own.get("gateway_prefer_min_margin", MARGIN_DB) if isinstance(own, dict) else MARGIN_DB
        if isinstance(margin, int | float) and (not isinstance(enabled, list) or name in enabled):
            found[name] = float(margin)
    return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for line in _text(path).splitlines():
        name, _, value = line.strip().partition(" ")
        if name and not name.startswith("#"):
            yield name, value.strip()


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", "replace")


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


def _seconds(text: str, units: Mapping[str, float]) -> float:
    """A time as these programs write it: 14d, 1h, 0s; what cannot be read counts as for ever."""
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(digits):]
    return float(digits) * units[unit] if digits.strip().isdecimal() and unit in units else float("inf")
