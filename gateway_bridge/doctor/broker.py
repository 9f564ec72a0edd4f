"""Asks a broker what it does: a door to paho. Every question is bounded in time, uses client ids of its own, and leaves
nothing behind: the bridge's own session is never touched.

The queue is measured and not believed: a throwaway session of MQTT 3.1.1 goes offline, `PROBES` small messages are
published to `stadtfunk/doctor/…`, and it is counted how many come back, and how many of them without an acknowledgement.
"""

import queue
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TypeVar

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from city.errors import BrokerDown
from city.settings import Mqtt
from gateway_bridge.mqtt import address

PROBES = 1200
TOPIC = "stadtfunk/doctor"
ANSWER_S, QUIET_S, PUBLISH_S = 5.0, 1.0, 20.0
SAMPLES = 50
MAX_SAMPLE = 2**18
WIDE = "#"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a broker grants to a session that asks for `asked_expiry_s`; None where it does not say (then it grants all)."""

    asked_expiry_s: int
    session_expiry_s: int | None = None
    maximum_qos: int | None = None
    shared: bool = True
    version: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """How much of `sent` came back to a session that had been offline; `window` before anything was acknowledged.
    `refused`: the broker's reason why the probe could not be published or heard."""

    sent: int = 0
    came: int = 0
    window: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it was published: `at_ns` by our clock."""

    topic: str
    payload: bytes = field(repr=False)
    qos: int = 1
    retain: bool = False
    at_ns: int = 0


class Broker:
    """The broker of the settings. All methods raise BrokerDown where it cannot be reached or refuses us."""

    def __init__(self, settings: Mqtt, now_ns: Callable[[], int]) -> None:
        self._settings, self._now_ns = settings, now_ns
        self._host, self._port, tls = address(settings.url)
        self._tls = _context(settings) if tls else None

    def greet(self) -> Greeting:
        """Connect once, and say what was granted."""
        expiry = self._settings.session_expiry_s
        with self._client(expiry_s=expiry) as client:
            granted = client.granted
            version = client.first("$SYS/broker/version", ANSWER_S / 2)
        with self._client(client_id=client.name):
            pass  # a clean start ends the session that was asked for
        return Greeting(expiry, granted.get("SessionExpiryInterval"), granted.get("MaximumQoS"),
                        granted.get("SharedSubscriptionAvailable") != 0,
                        version.decode("utf-8", "replace")[:100] if version else "")

    def keeps_sessions(self) -> bool:
        """Whether a session that we leave is there when we come back."""
        name = _name()
        try:
            with self._client(client_id=name, expiry_s=60):
                pass
            with self._client(client_id=name, expiry_s=60, clean=False) as client:
                return client.session_present
        finally:
            with self._client(client_id=name):
                pass

    def queue(self) -> Queue:
        """Measure how much is kept for a session that is offline, and how much is sent before an acknowledgement."""
        name, topic = _name(), f"{TOPIC}/{token_hex(8)}"
        try:
            with self._client(client_id=name, version=paho.MQTTv311, clean=False) as client:
                client.subscribe(topic, 1)
            refused = self._fill(topic)
            if refused:
                return Queue(refused=refused)
            with self._client(client_id=name, version=paho.MQTTv311, clean=False) as client:
                window = client.count(PROBES, acknowledge=False)
                came = window + client.count(PROBES - window, acknowledge=True)
            return Queue(PROBES, came, window)
        finally:
            with self._client(client_id=name, version=paho.MQTTv311):
                pass

    def listen(self, topic: str, seconds: float, most: int = SAMPLES) -> list[Heard]:
        """What is published there in so many seconds, with the QoS it was published with; it stops at the first event
        that is not retained, or after `most` messages."""
        until = time.monotonic() + seconds
        found: list[Heard] = []
        with self._client() as client:
            client.subscribe(topic, 2)
            while len(found) < most and (left := until - time.monotonic()) > 0:
                raw = client.take(left)
                if raw is None:
                    break
                found.append(Heard(_topic(raw), bytes(raw.payload[:MAX_SAMPLE]), raw.qos, raw.retain, self._now_ns()))
                if topic != WIDE and not raw.retain:
                    until = min(until, time.monotonic() + QUIET_S)
        return found

    def _fill(self, topic: str) -> str:
        """Publish the probes; "" or why the broker refuses them."""
        with self._client() as client:
            return client.publish(topic, PROBES)

    @contextmanager
    def _client(self, *, client_id: str = "", version: MQTTProtocolVersion = paho.MQTTv5, clean: bool = True,
                expiry_s: int = 0) -> Iterator["_Client"]:
        client = _Client(self._settings, client_id or _name(), version, self._tls, clean=clean, expiry_s=expiry_s)
        try:
            client.open(self._host, self._port)
            yield client
        finally:
            client.close()


class _Client:
    """One connection; paho's thread reads, the caller's waits at most so long."""

    def __init__(self, settings: Mqtt, name: str, version: MQTTProtocolVersion, tls: ssl.SSLContext | None, *, clean: bool,
                 expiry_s: int) -> None:
        self.name, self.session_present = name, False
        self.granted: dict[str, int] = {}
        self._five, self._clean, self._expiry_s = version == paho.MQTTv5, clean, expiry_s
        self._keepalive = settings.keepalive_s
        self._greeted: queue.SimpleQueue[ReasonCode | str] = queue.SimpleQueue()
        self._granted: queue.SimpleQueue[list[ReasonCode]] = queue.SimpleQueue()
        self._published: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()
        self._came: queue.SimpleQueue[paho.MQTTMessage] = queue.SimpleQueue()
        self._unacknowledged: list[paho.MQTTMessage] = []
        self._paho = self._made(settings, version, tls)

    def open(self, host: str, port: int) -> None:
        try:
            if self._five:
                self._paho.connect(host, port, self._keepalive, clean_start=self._clean, properties=self._properties())
            else:
                self._paho.connect(host, port, self._keepalive)
        except (OSError, ValueError) as error:
            raise BrokerDown("The broker cannot be reached: {what}", what=str(error)) from error
        self._paho.loop_start()
        code = _taken(self._greeted, ANSWER_S)
        if code is None or isinstance(code, str) or code.is_failure:
            raise BrokerDown("The broker refuses us: {what}", what="no answer in time" if code is None else str(code))

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()

    def subscribe(self, topic: str, qos: int) -> None:
        self._paho.subscribe(topic, qos)
        codes = _taken(self._granted, ANSWER_S)
        if codes is None or any(code.is_failure for code in codes):
            raise BrokerDown("The broker refuses the subscription to {topic}: {what}", topic=topic,
                             what="no answer in time" if codes is None else ", ".join(map(str, codes)))

    def first(self, topic: str, seconds: float) -> bytes | None:
        """The first message there."""
        try:
            self.subscribe(topic, 0)
        except BrokerDown:
            return None  # a broker that does not tell everybody
        raw = self.take(seconds)
        return bytes(raw.payload) if raw is not None else None

    def take(self, seconds: float) -> paho.MQTTMessage | None:
        """The next message, acknowledged, or None after so long."""
        raw = _taken(self._came, seconds)
        if raw is not None:
            self._paho.ack(raw.mid, raw.qos)
        return raw

    def count(self, most: int, *, acknowledge: bool) -> int:
        """How many messages come until it is quiet."""
        if acknowledge:
            for waiting in self._unacknowledged:
                self._paho.ack(waiting.mid, waiting.qos)
        found = 0
        while found < most and (raw := _taken(self._came, QUIET_S)) is not None:
            found += 1
            if acknowledge:
                self._paho.ack(raw.mid, raw.qos)
            else:
                self._unacknowledged.append(raw)
        return found

    def publish(self, topic: str, count: int) -> str:
        """So many small messages; "" or the broker's first refusal."""
        for number in range(count):
            self._paho.publish(topic, b"%d" % number, qos=1)
        until = time.monotonic() + PUBLISH_S
        for _ in range(count):
            code = _taken(self._published, until - time.monotonic())
            if code is None:
                return "no answer in time"
            if code.is_failure:
                return str(code)
        return ""

    def _made(self, settings: Mqtt, version: MQTTProtocolVersion, tls: ssl.SSLContext | None) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self.name, protocol=version, manual_ack=True,
                             reconnect_on_failure=False, clean_session=None if self._five else self._clean)
        if settings.username:
            client.username_pw_set(settings.username, settings.password.reveal() or None)
        if tls is not None:
            client.tls_set_context(tls)
        client.connect_timeout = ANSWER_S
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe = lambda _c, _d, _m, codes, _p: self._granted.put(codes)
        client.on_publish = lambda _c, _d, _m, code, _p: self._published.put(code)
        client.on_message = lambda _c, _d, raw: self._came.put(raw)
        return client

    def _properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho ships it
        properties.SessionExpiryInterval = self._expiry_s
        return properties

    def _on_connect(self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode,
                    properties: Properties | None) -> None:
        self.session_present = flags.session_present
        self.granted = {name: value for name in ("SessionExpiryInterval", "MaximumQoS", "SharedSubscriptionAvailable")
                        if isinstance(value := getattr(properties, name, None), int)}
        self._greeted.put(code)

    def _on_disconnect(self, _client: paho.Client, _data: object, _flags: paho.DisconnectFlags, code: ReasonCode,
                       _properties: Properties | None) -> None:
        self._greeted.put(str(code))


def _taken(waiting: "queue.SimpleQueue[_T]", seconds: float) -> _T | None:
    try:
        return waiting.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        return None


def _topic(raw: paho.MQTTMessage) -> str:
    try:
        return raw.topic
    except UnicodeDecodeError:
        return ""


def _name() -> str:
    return f"stadtfunk-doctor-{token_hex(6)}"


def _context(settings: Mqtt) -> ssl.SSLContext:
    """As the bridge's: certificates are checked, always."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise BrokerDown("The TLS files of the broker cannot be used: {what}", what=str(error)) from error
    return context
