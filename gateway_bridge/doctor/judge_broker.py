"""What a broker's answers and ChirpStack's traffic mean. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from city.errors import MalformedEvent
from city.health import span
from city.readings import NS
from city.settings import Mqtt
from gateway_bridge.doctor.broker import PROBES, TOPIC, Greeting, Heard, Queue
from gateway_bridge.doctor.findings import Finding, broken, ok, unknown, warning
from gateway_bridge.events import parse

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EXPIRY_AT_LEAST_S = 86_400
AHEAD_S, LATE_S = 5.0, 120.0
KINDS = ("up", "join", "ack", "txack", "log", "status", "location", "integration")
CONF, TOML = "mosquitto.conf", "chirpstack.toml, section [integration.mqtt]"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was heard in `seconds`: on our topic, and (where that was nothing) on everything that we may hear."""

    topic: str
    seconds: float
    ours: Sequence[Heard] = ()
    wide: Sequence[Heard] = ()


def judge_greeting(greeting: Greeting, share: str) -> Iterator[Finding]:
    """What a session may be, and the broker's version."""
    yield ok("broker", f"The broker answers{': ' + greeting.version if greeting.version else ''}.")
    asked, granted = greeting.asked_expiry_s, greeting.session_expiry_s
    kept = asked if granted is None else granted
    if asked == 0:
        yield broken("session expiry", "The session ends with the connection: events of every restart are lost.",
                     "settings: mqtt.session_expiry_s = 604800")
    elif kept < min(asked, EXPIRY_AT_LEAST_S):
        yield broken("session expiry", f"The broker keeps a session for {span(kept)} only; {span(asked)} were asked for.",
                     f"{CONF}: persistent_client_expiration 14d (other brokers: session expiry of 7 days or more)")
    elif kept < EXPIRY_AT_LEAST_S:
        yield warning("session expiry", f"A session is kept for {span(kept)}: a longer outage of ours loses events.",
                      "settings: mqtt.session_expiry_s = 604800")
    else:
        yield ok("session expiry", f"A session is kept for {span(kept)}.")
    if greeting.maximum_qos == 0:
        yield broken("broker QoS", "The broker carries QoS 0 only: any event may be lost.", "use a broker that carries QoS 1")
    if share and not greeting.shared:
        yield broken("shared subscription", "The broker knows no shared subscriptions, and mqtt.share is set.",
                     'settings: mqtt.share = "" and one bridge')
    yield from _judge_version(greeting.version)


def judge_session(kept: bool) -> Finding:
    """Whether a session was there when its owner came back."""
    if kept:
        return ok("session kept", "A session is there when its owner comes back.")
    return broken("session kept", "The broker forgets a session as soon as its owner leaves: events of every restart are "
                  "lost.", f"{CONF}: persistence true, no max_connections or plugin that ends sessions; "
                  "one broker address, not several behind a load balancer")


def judge_queue(found: Queue, receive_maximum: int, *, five: bool) -> Iterator[Finding]:
    """What is kept for a bridge that is away, and how much is on its way at once. `five`: our bridge speaks MQTT 5, which
    sets the width itself."""
    if found.refused or not found.came:
        yield unknown("queue", f"How much the broker keeps could not be measured: {found.refused or 'nothing came back'}.",
                      f"ACL file: `topic readwrite {TOPIC}/#` for our user, and run the doctor again")
        return
    if found.came < found.sent:
        yield broken("max_queued_messages", f"The broker kept {found.came} of {found.sent} messages for a session that was "
                     "away, and acknowledged the others all the same: they are lost.",
                     f"{CONF}: max_queued_messages 1000000 and max_queued_bytes 2147483648, then restart it")
    else:
        yield ok("max_queued_messages", f"The broker kept all {found.sent} messages for a session that was away.")
    if found.window >= min(receive_maximum, PROBES):
        yield ok("max_inflight_messages", f"{found.window} messages come without an acknowledgement.")
        return
    sentence = (f"The broker sends {found.window} messages and waits for an acknowledgement (MQTT 3.1.1); we take "
                f"{receive_maximum}")
    if five:
        yield ok("max_inflight_messages", f"{sentence}. Our bridge speaks MQTT 5, where its own width counts.")
    else:
        yield warning("max_inflight_messages", f"{sentence}: each fsync makes {found.window} events durable at most.",
                      f"{CONF}: max_inflight_messages {receive_maximum}, then restart it")


def judge_traffic(traffic: Traffic) -> Iterator[Finding]:
    """What ChirpStack publishes, and where."""
    fresh = [heard for heard in traffic.ours if not heard.retain]
    if any(heard.retain for heard in traffic.ours):
        yield warning("retained", "Events are published as retained: each connection brings an old one again.",
                      "find who publishes with retain (ChirpStack does not), and clear it: mosquitto_pub -r -n -t TOPIC")
    if fresh:
        yield ok("events", f"{len(fresh)} events came on {traffic.topic}.")
        yield _judge_qos(fresh)
        yield from _judge_content(fresh)
    else:
        yield _judge_silence(traffic)


def judge_transport(mqtt: Mqtt, host: str, *, tls: bool) -> Finding:
    """Whether others on the way can read and write."""
    if tls or host in LOOPBACK:
        return ok("transport", "The way to the broker is " + ("encrypted." if tls else "inside this machine."))
    said = " The password goes over it, too." if mqtt.password else ""
    return warning("transport", f"Events and commands go to {host} unencrypted.{said}",
                   "settings: mqtt.url = \"mqtts://…:8883\"; mosquitto.conf: listener 8883 with cafile, certfile, keyfile")


def judge_takeover(before: float | None, after: float | None, seconds: float) -> Finding:
    """From the running bridge's count of connections at two times: whether somebody takes its session again and again."""
    if before is None or after is None:
        return unknown("client id", "Whether two bridges fight for one client id can only be seen at a running bridge.",
                       "start the bridge with bridge.metrics_port set (9108), and run the doctor again")
    if after - before >= 2:
        return broken("client id", f"The bridge has connected {after - before:.0f} times in {seconds:.0f} s: a second program "
                      "uses its client id, and each throws the other out.",
                      "settings: another mqtt.client_id for each bridge; with the same mqtt.share they divide the work")
    return ok("client id", "The bridge keeps its connection: nobody else uses its client id.")


def _judge_version(version: str) -> Iterator[Finding]:
    number = numbers(version)
    if "mosquitto" in version.lower() and number and number < (2, 0):
        yield warning("broker version", f"{version} has neither all of MQTT 5 nor safe defaults.",
                      "install Mosquitto 2.0 or later")


def _judge_qos(fresh: Sequence[Heard]) -> Finding:
    qos0 = sum(heard.qos == 0 for heard in fresh)
    if not qos0:
        return ok("event QoS", "Events are published with QoS 1.")
    return broken("event QoS", f"{qos0} of {len(fresh)} events were published with QoS 0: what is on its way when a "
                  "connection breaks, or while we are away, is lost.", f"{TOML}: qos = 1, then restart ChirpStack")


def _judge_content(fresh: Sequence[Heard]) -> Iterator[Finding]:
    """Whether we understand the events, and their clock is ours."""
    ahead, wrong = [], Counter[str]()
    for heard in fresh:
        try:
            event = parse(heard.topic, heard.payload)
        except MalformedEvent as error:
            wrong[str(error)] += 1
            continue
        ahead.append((event.at_ns - heard.at_ns) / NS)
    if wrong:
        words, count = wrong.most_common(1)[0]
        yield warning("event format", f"{wrong.total()} of {len(fresh)} events cannot be read, {count} of them so: {words}",
                      "ChirpStack v4 in its default form is understood; see `stadtfunk letters list`")
    if ahead:
        yield judge_skew("event clock", median(ahead), "The network server's", late_s=LATE_S)


def judge_skew(check: str, ahead_s: float, whose: str, *, late_s: float = AHEAD_S) -> Finding:
    """A clock that is `ahead_s` of ours; events may be older than they are new, by `late_s`."""
    if -late_s <= ahead_s <= AHEAD_S:
        return ok(check, f"{whose} clock and ours agree.")
    say = broken if abs(ahead_s) > 300 else warning
    return say(check, f"{whose} clock is {span(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} ours.",
               "both machines: timedatectl set-ntp true, then compare `timedatectl` on both")


def _judge_silence(traffic: Traffic) -> Finding:
    """Nothing on our topic: is there traffic elsewhere?"""
    prefixes = _prefixes(traffic.wide, traffic.topic)
    if prefixes:
        prefix, count = prefixes.most_common(1)[0]
        mend = f'settings: mqtt.topic = "{prefix}"' if prefix.endswith("event/+") else \
            "chirpstack.toml: [integration] enabled = [\"mqtt\"] (only the gateways' side is heard)"
        return broken("topic", f"Nothing came on {traffic.topic} in {span(traffic.seconds)}, but {count} messages on {prefix}.",
                      f"{mend}, or {TOML}: event_topic as the default")
    others = sorted({heard.topic.partition("/")[0] for heard in traffic.wide})[:5]
    said = f" What else is there begins with {', '.join(others)}." if others else ""
    return unknown("events", f"No event came in {span(traffic.seconds)}: QoS, topic and clock of events are not checked.{said}",
                   "run it again with --seconds 900, or make a device send")


def _prefixes(wide: Iterable[Heard], ours: str) -> Counter[str]:
    """Patterns of topics that look like ChirpStack's, and how often each came."""
    found = Counter[str]()
    for heard in wide:
        words = heard.topic.split("/")
        if "gateway" in words[:-2]:
            found["/".join([*words[:words.index("gateway")], "gateway", "#"])] += 1
        elif len(words) >= 3 and words[-2] == "event" and words[-1] in KINDS:
            found["/".join([*("+" if _changes(word) else word for word in words[:-1]), "+"])] += 1
    found.pop(ours, None)
    return found


def _changes(word: str) -> bool:
    """Whether this part of a topic is the name of one thing: a EUI or a UUID."""
    plain = word.replace("-", "")
    return len(plain) in (16, 32) and all(char in "0123456789abcdefABCDEF" for char in plain)


def numbers(version: str) -> tuple[int, ...]:
    """The first dotted number in it."""
    for word in version.replace("v", " ").split():
        parts = word.split(".")
        if len(parts) > 1 and all(part.isdecimal() for part in parts[:2]):
            return tuple(int(part) for part in parts[:2])
    return ()
