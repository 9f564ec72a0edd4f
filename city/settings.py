"""One typed tree of settings for every process: defaults, then stadtfunk.toml, then STADTFUNK_* variables.

A variable's name is the path to the setting: `mqtt.url` is STADTFUNK_MQTT_URL. Secrets are never shown: their repr is
"redacted". The reference page docs/reference/settings.md is generated from this module.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from city.errors import Invalid
from city.parking_settings import Parking as Parking
from city.parking_settings import check
from city.setting import LARGEST
from city.setting import setting as _setting

PREFIX = "STADTFUNK_"
MAX_PORT = 65535


class Secret(str):
    """A text that nobody should see: it prints as "redacted"; `reveal()` gives the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'redacted'" if self else "''"

    def __str__(self) -> str:
        return "redacted" if self else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The text itself."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class Mqtt:
    """The broker between ChirpStack and the bridge."""

    url: str = _setting("mqtt://127.0.0.1:1883", "broker: mqtt://host:port, or mqtts:// with TLS")
    username: str = _setting("", "user name at the broker")
    password: Secret = _setting(Secret(), "password at the broker")
    ca_file: str = _setting("", "PEM file of the broker's authority; empty: the system's")
    cert_file: str = _setting("", "PEM file of our client certificate")
    key_file: str = _setting("", "PEM file of its key")
    # 5, because an event costs the bridge the same in both (bench/mqtt.py) and only 5 lets the bridge say its window and
    # how long its session is kept, whatever the broker's configuration, and be told why a connection ends
    version: str = _setting("5", "protocol: 5; or 3.1.1, where the broker's own settings rule window and session")
    client_id: str = _setting("stadtfunk-bridge", "fixed client id: the broker keeps our session under it; another one for "
                              "each bridge, and a new one where topic or share change")
    session_expiry_s: int = _setting(7 * 86400, "how long the broker keeps our session while we are away (MQTT 5)")
    receive_maximum: int = _setting(1000, "messages the broker may send before we acknowledge one (MQTT 5)")
    topic: str = _setting("application/+/device/+/event/+", "what the bridge subscribes to")
    share: str = _setting("", "group name under which several bridges share the events; empty: not shared")
    keepalive_s: int = _setting(30, "within this time a dead connection is found; 0: never")
    watchdog_s: int = _setting(60, "after so long without an event the broker must bring back a message of our own on "
                               "stadtfunk/probe/CLIENT_ID; 0: never")


@dataclass(frozen=True, slots=True)
class Database:
    """The city database."""

    url: Secret = _setting(Secret("sqlite:///stadtfunk.db"), "SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://…")


@dataclass(frozen=True, slots=True)
class Log:
    """The local log of readings: what permits an acknowledgement, and the queue in front of InfluxDB."""

    directory: str = _setting("log", "directory of the log")
    keep_days: int = _setting(400, "days that are kept")
    keep_gb: float = _setting(0.0, "size of the log in GB at which its oldest days are dropped; 0: any")
    free_gb: float = _setting(0.5, "free GB on its disk below which its oldest days are dropped that InfluxDB has; 0: none")


@dataclass(frozen=True, slots=True)
class Influx:
    """InfluxDB; not needed where `url` is empty."""

    url: str = _setting("", "http(s)://host:port of InfluxDB 1.x, 2.x or 3.x")
    token: Secret = _setting(Secret(), "token for 2.x and 3.x; user:password for 1.x with authentication")
    org: str = _setting("", "organisation (2.x)")
    bucket: str = _setting("stadtfunk", "bucket (2.x), database (1.x, 3.x); with per_town the beginning of its name")
    per_town: bool = _setting(True, "a bucket for each town, <bucket>_<town>; no: one for all, divided by the tag tenant")
    batch: int = _setting(5000, "lines in one request at most")
    api: str = _setting("", "1: /write, 2: /api/v2/write; empty: by the version that InfluxDB says it has")
    gzip: str = _setting("", "compress what is sent: yes or no; empty: unless InfluxDB is here or in a private network")
    aggregates: bool = _setting(True, "keep hourly and daily values in <bucket>_hours and <bucket>_days too")
    bays: str = _setting("", "readings of single bays, in <bucket>_bays: no: never; empty: where it is known to forget them "
                         "after parking.raw_days; yes: wherever, and whoever runs InfluxDB sees to that")
    readings_days: int = _setting(0, "days of readings that a bucket made by us keeps; 0: for ever")
    hourly_days: int = _setting(1830, "… of hourly values; 0: for ever")
    daily_days: int = _setting(0, "… of daily values; 0: for ever")
    frames: bool = _setting(True, "send frames as they were heard, too (measurement frame)")
    figures_s: int = _setting(60, "seconds between two samples of what the platform itself knows (docs/dashboards.md); 0: none")
    platform_days: int = _setting(90, "days of the platform's own figures that a bucket made by us keeps; 0: for ever")


@dataclass(frozen=True, slots=True)
class Chirpstack:
    """ChirpStack's gRPC API; not needed for uplinks and single downlinks."""

    url: str = _setting("", "host:port of the API, https:// in front for TLS")
    token: Secret = _setting(Secret(), "API key")
    group_secret: Secret = _setting(Secret(), "secret of 32 characters or more from which the keys of multicast groups are "
                                    "derived; empty: every lamp is told alone")
    rx2_dr: int = _setting(0, "data rate of RX2, as ChirpStack's network.rx2_dr and so the devices have it (DR0 = SF12 … DR5 = "
                              "SF7); groups use the same")
    gps_time: bool = _setting(False, "all gateways of a group send at one instant; needs GNSS time at each of them")


@dataclass(frozen=True, slots=True)
class Bridge:
    """The three loops."""

    batch: int = _setting(500, "events in one commit at most")
    linger_ms: int = _setting(5, "how long to wait for more events before a commit")
    tick_s: float = _setting(1.0, "seconds between two looks at what is wanted")
    frames_per_tick: int = _setting(50, "downlinks handed to the network server in one look at most; 0: never steers")
    airtime_percent: float = _setting(50.0, "per cent of the time on air that the law allows each gateway in an hour, for orders;"
                                      " the rest is left to joins, acknowledgements and others")
    outstanding: int = _setting(8, "single orders that one gateway has to send at a time, at most")
    lease_s: float = _setting(10.0, "of several bridges one steers; another takes over when it is silent for so many seconds")
    device_per_minute: int = _setting(600, "frames of one device within a minute of its own time at most, the others become "
                                      "dead letters; 0: any number")
    town_per_s: float = _setting(2000.0, "events of one town a second, beyond which it is said (nothing is refused); 0: any")
    metrics_port: int = _setting(0, "port for Prometheus on 127.0.0.1; 0: none")
    local_clocks: str = _setting("", "models, separated by commas, whose own programs run in local time with summer time; the "
                                 "others' in UTC (try one: their makers do not say)")


@dataclass(frozen=True, slots=True)
class Scripts:
    """Towns' own codecs (TS013), and what switches one off that breaks its limits."""

    workers: int = _setting(1, "processes in which scripts run")
    budget_ms: int = _setting(500, "time that a town's scripts may take of one batch; its other frames wait their turn")
    breaches: int = _setting(3, "a script that breaks its limits so often is switched off …")
    breach_minutes: int = _setting(10, "… where that happens within so many minutes")
    raw_series: int = _setting(5000, "different names that one town's own codecs and unknown models may use; 0: any number")


@dataclass(frozen=True, slots=True)
class Guards:
    """Guard-rails of wishes for light, beyond those of the law, which have no settings."""

    typed_above: int = _setting(200, "for more lamps at once their number must be typed")
    second_above: int = _setting(1000, "more lamps at once need a second person")
    dark_percent: int = _setting(50, "share of a circuit's lamps that may be put out by people")
    operator_hours: int = _setting(24, "longest override of an operator")
    engineer_hours: int = _setting(7 * 24, "… of an engineer")
    admin_hours: int = _setting(31 * 24, "… of an administrator, and the longest of all")


@dataclass(frozen=True, slots=True)
class Energy:
    """The book of energy."""

    keep_days: int = _setting(800, "nights of which each lamp's line is kept (operating values, no billing data)")


@dataclass(frozen=True, slots=True)
class Parkapi:
    """Push of zones to a ParkAPI (generic source); not done where `url` is empty."""

    url: str = _setting("", "address of the ParkAPI: https://…/park-api, without /api/admin")
    sources: str = _setting("", "towns that push and their source's name: town=source, separated by commas")
    passwords: Secret = _setting(Secret(), "passwords of the sources: source=password, separated by commas")
    every_s: int = _setting(240, "seconds between two pushes, 30 to 300")
    allow_private: bool = _setting(False, "it may have a private address and be reached over plain http: for one in the own "
                                   "network")


@dataclass(frozen=True, slots=True)
class Notices:
    """Messages about incidents, to the channels that towns have."""

    smtp_host: str = _setting("", "mail server; empty: no mails")
    smtp_port: int = _setting(0, "its port; 0: 587, or 465 with smtp_tls tls")
    smtp_tls: str = _setting("starttls", "starttls, tls, or none")
    smtp_user: str = _setting("", "name to sign in with; empty: none")
    smtp_password: Secret = _setting(Secret(), "and its password")
    sender: str = _setting("", "address that mails come from")
    allow_private: bool = _setting(False, "webhooks may go to private addresses and over plain http: for receivers in the own "
                                   "network")


@dataclass(frozen=True, slots=True)
class Api:
    """The web server."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8080, "port to listen on")
    public_url: str = _setting("", "address people use, where a proxy stands in front: https://…")
    session_hours: int = _setting(12, "how long a sign-in lasts")
    secure_cookies: bool = _setting(False, "send cookies only over https; always so where public_url is https://")
    max_body_mb: int = _setting(16, "largest request body")
    keep_answers: bool = _setting(True, "finished answers of public pages and open data are kept in memory (64 MB at most)")
    history: str = _setting("auto", "who answers questions about history: local (the local log), influx (InfluxDB), or auto: the"
                                    " local log where it has anything, else InfluxDB where there is one")

    @property
    def https(self) -> bool:
        """Whether people come over https."""
        return self.secure_cookies or self.public_url.startswith("https://")


@dataclass(frozen=True, slots=True)
class Grafana:
    """Grafana, as `stadtfunk dashboards plan` and `apply` set it up; of all this the API needs only where its pages lead to."""

    url: str = _setting("", "address of Grafana: http(s)://host:port, with its path where it has one")
    public_url: str = _setting("", "and as people's browsers reach it, where pages lead to its boards; empty: grafana.url")
    user: str = _setting("", "its server administrator, who may make an organisation for each town; empty: the token")
    password: Secret = _setting(Secret(), "and the password")
    token: Secret = _setting(Secret(), "token of a service account (role Admin): good for one organisation only")
    ca_file: str = _setting("", "PEM file of Grafana's authority; empty: the system's")
    influx_url: str = _setting("", "InfluxDB's address as Grafana reaches it; empty: influx.url")
    access_file: str = _setting("grafana-access.json", "file with what Grafana reads each town's buckets with, made by "
                                "`stadtfunk dashboards influx-setup`; only its owner may read it")
    contacts: Secret = _setting(Secret(), "who is told of alerts: town=name@example.org or town=https://…, separated by commas; "
                                "town * is the platform; several for one town are allowed")


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it."""

    mqtt: Mqtt = field(default_factory=Mqtt)
    database: Database = field(default_factory=Database)
    log: Log = field(default_factory=Log)
    influx: Influx = field(default_factory=Influx)
    chirpstack: Chirpstack = field(default_factory=Chirpstack)
    bridge: Bridge = field(default_factory=Bridge)
    scripts: Scripts = field(default_factory=Scripts)
    guards: Guards = field(default_factory=Guards)
    energy: Energy = field(default_factory=Energy)
    parking: Parking = field(default_factory=Parking)
    parkapi: Parkapi = field(default_factory=Parkapi)
    notices: Notices = field(default_factory=Notices)
    api: Api = field(default_factory=Api)
    grafana: Grafana = field(default_factory=Grafana)


def load(file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `file` (default: ./stadtfunk.toml if there is one) and `environ` (default: the process's).
    Raises Invalid, naming the setting, on unknown names and wrong types."""
    path = file or Path("stadtfunk.toml")
    tree: dict[str, Any] = {}
    if file is not None or path.exists():
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Invalid("The settings in {file} cannot be read: {what}", field=str(path), rule="TOML",
                          file=str(path), what=str(error)) from error
    for name, text in (os.environ if environ is None else environ).items():
        if name.startswith(PREFIX):
            section, _, key = name[len(PREFIX):].lower().partition("_")
            tree.setdefault(section, {})[key] = text
    settings: Settings = _build(Settings, tree, "")
    check(settings.parking)
    return settings


def table() -> list[tuple[str, str, str, str]]:
    """Every setting as (path, variable, default, help), in the order of the tree."""
    rows = []
    for section in fields(Settings):
        hint = get_type_hints(Settings)[section.name]
        for item in fields(hint):
            default = item.default.reveal() if isinstance(item.default, Secret) else str(item.default)
            rows.append((f"{section.name}.{item.name}", f"{PREFIX}{section.name}_{item.name}".upper(), default,
                         item.metadata["help"] + _range(item)))
    return rows


def _range(item: Field[Any]) -> str:
    low, high = item.metadata["low"], item.metadata["high"]
    return "" if (low, high) == (0, LARGEST) else f" ({low:g} to {high:g})"


def _build(kind: type, tree: object, path: str) -> Any:  # noqa: ANN401 - any of the classes above
    if not isinstance(tree, dict):
        raise Invalid("The setting “{name}” is a section, not a value.", field=path, rule="section", name=path)
    hints = get_type_hints(kind)
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}
    values = {}
    for key, value in tree.items():
        name = f"{path}.{key}" if path else key
        if key not in known:
            raise Invalid("There is no setting “{name}”.", field=name, rule="known name", name=name)
        hint = hints[key]
        section = isinstance(hint, type) and is_dataclass(hint)
        values[key] = _build(hint, value, name) if section else _typed(hint, value, name, known[key])
    return kind(**values)


def _typed(hint: Any, value: object, name: str, item: Field[Any]) -> object:  # noqa: ANN401 - a type hint
    if get_origin(hint) in (Union, UnionType):
        hint = next(item for item in get_args(hint) if item is not type(None))
    try:
        if hint is bool:
            return _truth(value)
        if hint is Secret or hint is str:
            if not isinstance(value, str):
                raise ValueError("not a text")
            return hint(value)
        if isinstance(value, bool):
            raise ValueError("not a number")
        return _bounded(hint(value), name, item)
    except (TypeError, ValueError):
        raise Invalid("The setting “{name}” takes {kind}, not “{value}”.", field=name, rule="type", name=name,
                      kind=hint.__name__, value="…" if hint is Secret else str(value)[:80]) from None


def _bounded(number: float, name: str, item: Field[Any]) -> float:
    low, high = item.metadata["low"], MAX_PORT if name.endswith("port") else item.metadata["high"]
    if not low <= number <= high:
        raise Invalid("The setting “{name}” lies between {least} and {most}, not at {value}.", field=name, rule="range",
                      name=name, least=low, most=high, value=number)
    return number


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise ValueError("neither true nor false")
