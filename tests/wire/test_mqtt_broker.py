"""The link on a real Mosquitto as it is deployed, as it is by default, and as it is not meant to be."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt import publish as paho_publish

from city.errors import BrokerDown
from city.settings import Mqtt, Secret
from gateway_bridge.link import Message
from gateway_bridge.mqtt import MqttLink
from gateway_bridge.sockets import LARGEST
from tests.laws.test_link import TOPIC, nothing_more, take, until_connected
from tests.patience import PATIENCE_S
from tests.wire.servers import Mosquitto, cable, program

pytestmark = pytest.mark.wire
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
both_versions = pytest.mark.parametrize("version", ["5", "3.1.1"])


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Mosquitto]:
    """deploy/mosquitto.conf and .acl, with a port and a password file of our own."""
    passwords = tmp_path / "passwords"
    for number, name in enumerate(("chirpstack", "stadtfunk")):
        subprocess.run([program("mosquitto_passwd"), "-b", *([] if number else ["-c"]), str(passwords), name, "word"],
                       check=True, capture_output=True)
    conf = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8")
    conf = re.sub("(?m)^password_file .*", f"password_file {passwords}", conf)
    conf = re.sub("(?m)^acl_file .*", f"acl_file {DEPLOY / 'mosquitto.acl'}", conf)
    yield from started(tmp_path, re.sub("(?m)^listener .*", "", conf))


def started(tmp_path: Path, conf: str) -> Iterator[Mosquitto]:
    """A Mosquitto with these lines and nothing else but a port and a place to save."""
    server = Mosquitto(tmp_path / "broker")
    (tmp_path / "broker" / "mosquitto.conf").write_text(
        f"user root\nlistener {server.port} 127.0.0.1\npersistence true\npersistence_location {tmp_path}/broker/\n{conf}",
        encoding="utf-8")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto's defaults: 20 messages on their way."""
    yield from started(tmp_path, "allow_anonymous true\n")


@asynccontextmanager
async def linked(broker: Mosquitto, **settings: object) -> AsyncIterator[MqttLink]:
    """A connected link; what it receives waits in it."""
    link = MqttLink(Mqtt(**{"url": broker.url, "client_id": "bridge", **settings}))  # type: ignore[arg-type]
    with suppress(BrokerDown):  # not yet; but it begins to connect
        await link.publish("stadtfunk/probe/start", b"")
    try:
        await until_connected(link)
        yield link
    finally:
        await link.close()


async def publish(broker: Mosquitto, *payloads: bytes, topic: str = TOPIC, qos: int = 1, retain: bool = False,
                  auth: dict[str, str] | None = None) -> None:
    messages = [{"topic": topic, "payload": payload, "qos": qos, "retain": retain} for payload in payloads]
    await asyncio.to_thread(paho_publish.multiple, messages, hostname="127.0.0.1", port=broker.port, auth=auth,
                            protocol=paho.MQTTv5)


async def all_that_comes(link: MqttLink, within_s: float = 1.0) -> list[Message]:
    found: list[Message] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while True:
                found += await link.receive(1000, 0)
    return found


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - a link has no such event
            await asyncio.sleep(0.02)


CHIRPSTACK, US = {"username": "chirpstack", "password": "word"}, {"username": "stadtfunk", "password": Secret("word")}


@both_versions
async def test_the_deployed_broker_lets_hundreds_of_events_be_on_their_way_and_us_hear_ourselves(
        deployed: Mosquitto, version: str, caplog: pytest.LogCaptureFixture) -> None:
    async with linked(deployed, version=version, watchdog_s=1, **US) as link:
        await publish(deployed, *[b"%d" % number for number in range(400)], auth=CHIRPSTACK)
        assert [message.payload for message in await take(link, 400)] == [b"%d" % number for number in range(400)]
        assert link.counts.most_open >= 400
        await link.publish(TOPIC.replace("event/up", "command/down"), b"{}")
    async with linked(deployed, version=version, watchdog_s=1, **US) as link:
        await link.acknowledge(await take(link, 400))
        await asyncio.sleep(3.5)  # two rounds of the watchdog in silence
        assert (link.counts.connections, link.counts.unanswered, link.counts.watchdog) == (1, 0, 0)
        assert link.connected
    assert "not be noticed" not in caplog.text


async def test_the_narrow_window_of_a_broker_that_nobody_has_set_shows_with_3_1_1(plain: Mosquitto) -> None:
    """Mosquitto 2.0 counts strictly only until the first acknowledgement; `stadtfunk doctor` asks it before that."""
    async with linked(plain, version="3.1.1", watchdog_s=0) as link:
        await publish(plain, *[b"%d" % number for number in range(100)])
        messages = await take(link, 20)
        assert await nothing_more(link)
        assert link.counts.most_open == 20
        await link.acknowledge(messages)
        assert (await take(link, 1))[0].payload == b"20"


async def test_with_mqtt_5_the_window_is_ours_whatever_the_broker_s_own(plain: Mosquitto) -> None:
    async with linked(plain, receive_maximum=77, watchdog_s=0) as link:  # an echo of its own among them would hold a place
        await publish(plain, *[b"%d" % number for number in range(90)])
        first = await take(link, 77)
        assert await nothing_more(link)
        await link.acknowledge(first)
        assert len(await take(link, 13)) == 13


@both_versions
async def test_a_broker_that_does_not_let_us_hear_ourselves_is_reported_and_kept(
        tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read application/#\ntopic write application/#\n")
    for broker in started(tmp_path, f"allow_anonymous true\nacl_file {acl}\n"):
        async with linked(broker, version=version, watchdog_s=1) as link:
            await until(lambda: "will not be noticed" in caplog.text)
            await publish(broker, b"event")
            assert (await take(link, 1))[0].payload == b"event"
            await asyncio.sleep(1.5)
        assert link.counts.connections == 1
    assert caplog.text.count("will not be noticed") == 1


@both_versions
async def test_what_a_topic_keeps_is_recognised_and_counted_and_said_once(
        plain: Mosquitto, version: str, caplog: pytest.LogCaptureFixture) -> None:
    await publish(plain, b"old", retain=True)
    await publish(plain, b"old", retain=True, topic=TOPIC.replace("42", "43"))
    async with linked(plain, version=version) as link:
        messages = await take(link, 2)
        assert all(message.retain for message in messages)
        await link.acknowledge(messages)
        await publish(plain, b"new", retain=True)
        assert not (await take(link, 1))[0].retain  # it has just happened
        assert link.counts.retained == 2
        await publish(plain, b"weak", qos=0)
        await take(link, 1)
        assert link.counts.qos0 == 1
    assert caplog.text.count("published as retained") == 1
    assert caplog.text.count("QoS 0") == 1


async def test_of_an_old_subscription_with_qos_2_nothing_is_lost_either(plain: Mosquitto) -> None:
    """A client id that another program has used: its session still subscribes with QoS 2."""
    await asyncio.to_thread(_subscribe, plain.port, "bridge", "old/#", 2)
    async with cable(plain.port) as wire:
        link = MqttLink(Mqtt(url=wire.url, client_id="bridge"))
        await publish(plain, b"1", b"2", topic="old/topic", qos=2)
        first, second = await take(link, 2)
        assert first.qos == second.qos == 2
        await link.acknowledge([first])
        await asyncio.sleep(0.2)
        wire.cut()
        (again,) = await take(link, 1)
        assert (again.payload, again.dup) == (b"2", True)
        await link.acknowledge([again])
        assert await nothing_more(link)
        await publish(plain, b"3")
        assert (await take(link, 1))[0].payload == b"3"
        await link.close()


async def test_a_huge_event_is_cut_with_3_1_1_and_stays_at_the_broker_with_5(plain: Mosquitto) -> None:
    async with linked(plain, version="3.1.1", client_id="three") as three, linked(plain, client_id="five") as five:
        await publish(plain, b"x" * (40 * LARGEST), b"small")
        huge, small = await take(three, 2)
        assert len(huge.payload) < LARGEST
        assert (small.payload, three.counts.cut) == (b"small", 1)
        assert (await take(five, 1))[0].payload == b"small"
        await three.acknowledge([huge, small])
        assert await nothing_more(three)


async def test_the_deployed_broker_lets_nothing_huge_in(deployed: Mosquitto) -> None:
    async with linked(deployed, version="3.1.1", **US) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", deployed.port)
        writer.write(b"\x10\x22\0\x04MQTT\x04\xc2\0\x3c\0\x04load\0\x0achirpstack\0\x04word")
        assert await reader.readexactly(4) == bytes.fromhex("20020000")
        with suppress(ConnectionError):
            writer.write(b"\x32\xff\xff\x7f" + len(TOPIC).to_bytes(2, "big") + TOPIC.encode() + b"\0\1" + b"x" * (2 * LARGEST))
            assert await reader.read() == b""
        writer.close()
        assert await nothing_more(link)
        assert link.counts.cut == 0


async def test_another_program_with_our_client_id_is_noticed(plain: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """Mosquitto 2.0 closes the older connection without a word, and the two chase each other."""
    async with linked(plain) as link, linked(plain) as other:
        await until(lambda: link.counts.taken_over or other.counts.taken_over)
    assert "another program may use our client id bridge" in caplog.text


async def test_a_broker_that_says_who_has_our_session_is_repeated() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _packet(reader)
        writer.write(bytes.fromhex("2003000000"))
        _, subscribe = await _packet(reader)
        writer.write(b"\x90\x05" + subscribe[:2] + bytes.fromhex("000101 e0028e00"))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = MqttLink(Mqtt(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", client_id="bridge"))
    with pytest.raises(BrokerDown, match="Another program uses our client id bridge"):
        await link.receive(1, 0)
    assert link.counts.taken_over == 1
    await link.close()
    server.close()


async def test_a_bridge_that_begins_to_share_no_longer_gets_everything(plain: Mosquitto) -> None:
    async with linked(plain):
        pass
    async with linked(plain, share="bridges") as one, linked(plain, share="bridges", client_id="bridge-2") as two:
        await asyncio.sleep(0.2)
        await publish(plain, *[b"%d" % number for number in range(100)])
        halves = await asyncio.gather(all_that_comes(one), all_that_comes(two))
        assert sorted(int(message.payload) for half in halves for message in half) == list(range(100))


@both_versions
async def test_two_bridges_share_and_what_one_has_not_acknowledged_comes_again_when_it_is_back(
        plain: Mosquitto, version: str) -> None:
    how = {"version": version, "share": "bridges"}
    seen: list[bytes] = []
    async with linked(plain, client_id="bridge-2", **how) as two:
        async with linked(plain, client_id="bridge-1", **how) as one:
            await publish(plain, *[b"%d" % number for number in range(20)])
            kept, left = await asyncio.gather(all_that_comes(two), all_that_comes(one))
            assert (len(kept) + len(left), bool(kept), bool(left)) == (20, True, True)
            await two.acknowledge(kept)
        await publish(plain, *[b"%d" % number for number in range(20, 40)])
        more = await all_that_comes(two)
        await two.acknowledge(more)
        async with linked(plain, client_id="bridge-1", **how) as back:
            again = await all_that_comes(back)
            await back.acknowledge(again)
            seen += [message.payload for message in kept + more + again + await all_that_comes(two, 0.2)]
        assert {message.payload for message in left} <= {message.payload for message in again}
    assert sorted(map(int, seen)) == list(range(40))


async def test_a_broker_that_answers_but_stops_delivering_is_left_and_found_again() -> None:
    """It greets, subscribes, brings the first message of our own back, and then answers nothing but PINGREQ."""
    greeted = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal greeted
        published = 0
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, body = await _packet(reader)
                if kind == 0x10:
                    greeted += not body.endswith(b"-commands")
                    writer.write(bytes.fromhex("20020000"))
                elif kind == 0x82:
                    writer.write(b"\x90\x04" + body[:2] + b"\x01\x01")
                elif kind == 0xC0:
                    writer.write(bytes.fromhex("d000"))
                elif kind & 0xF0 == 0x30:
                    published += 1
                    end = 2 + int.from_bytes(body[:2], "big")
                    writer.write(b"\x40\x02" + body[end:end + 2])
                    if published == 1:
                        writer.write(b"\x32" + bytes([len(body)]) + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = MqttLink(Mqtt(url=f"mqtt://127.0.0.1:{port}", version="3.1.1", keepalive_s=2, watchdog_s=1))
    with pytest.raises(BrokerDown, match=r"answers, but has delivered nothing for [1-9]"):
        await asyncio.wait_for(link.receive(1, 0), PATIENCE_S)
    assert (link.counts.watchdog, link.counts.unanswered) == (1, 1)
    await until(lambda: link.counts.connections == 2)
    await link.close()
    server.close()
    assert greeted == 2


async def test_a_cable_that_swallows_everything_is_found_within_the_keepalive_time(plain: Mosquitto) -> None:
    async with Swallowing(plain.port) as wire, linked(plain, url=wire.url, keepalive_s=4, watchdog_s=0) as link:
        await publish(plain, b"1")
        assert len(await take(link, 1)) == 1
        wire.swallow = True
        before = asyncio.get_running_loop().time()
        with pytest.raises(BrokerDown, match="no sign of life"):
            await link.receive(1, 0)
        assert asyncio.get_running_loop().time() - before < 4 * 1.5


async def test_a_bridge_that_takes_nothing_more_stops_reading_stays_connected_and_goes_on(plain: Mosquitto) -> None:
    """QoS 0 knows no window: what is not taken must not fill our memory, nor cost the connection."""
    async with linked(plain, keepalive_s=2, watchdog_s=0) as link:
        link._inbox.MOST_BYTES = 100_000
        await publish(plain, *[b"x" * 1000] * 2000, qos=0)
        await asyncio.sleep(4)
        assert sum(len(message.payload) for message in link._inbox._waiting) < 1_000_000
        assert (link.counts.connections, link.connected) == (1, True)
        assert len(await all_that_comes(link)) > 100
        await publish(plain, b"after")
        assert (await all_that_comes(link))[-1].payload == b"after"
        assert link.counts.connections == 1


@both_versions
async def test_a_bridge_that_acknowledges_nothing_gets_a_window_full_and_stays_connected(tmp_path: Path, version: str) -> None:
    """F20: our own silence is neither the cable's nor the broker's fault, so the watchdog holds still."""
    for broker in started(tmp_path, "allow_anonymous true\nmax_inflight_messages 30\n"):
        async with linked(broker, version=version, receive_maximum=30, keepalive_s=2, watchdog_s=1) as link:
            await publish(broker, *[b"%d" % number for number in range(100)])
            first = await take(link, 30)
            await asyncio.sleep(5)
            assert (link.counts.connections, link.counts.watchdog, link.counts.most_open) == (1, 0, 30)
            await link.acknowledge(first)
            assert [message.payload for message in await take(link, 30)] == [b"%d" % number for number in range(30, 60)]


@both_versions
async def test_a_bridge_that_has_worked_before_reports_a_session_that_the_broker_no_longer_knows(
        plain: Mosquitto, version: str, caplog: pytest.LogCaptureFixture) -> None:
    for had_session, lost in ((False, 0), (True, 1)):
        link = MqttLink(Mqtt(url=plain.url, client_id=f"bridge-{lost}", version=version), had_session=had_session)
        with suppress(BrokerDown):
            await link.publish(TOPIC, b"")
        await until_connected(link)
        assert link.counts.sessions_lost == lost
        await link.close()
    assert caplog.text.count("the broker knows no session of bridge-1") == 1


class Swallowing:
    """A relay that can stop passing anything on without closing anything."""

    def __init__(self, target: int) -> None:
        self.swallow, self._target, self._tasks = False, target, set[asyncio.Task[None]]()

    async def __aenter__(self) -> "Swallowing":
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.url = f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for ends in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(self._pump(*ends)))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self.swallow:
                    writer.write(data)
        writer.close()


def _subscribe(port: int, client_id: str, topic: str, qos: int) -> None:
    properties = paho.Properties(paho.PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    client.on_connect = lambda *_: client.subscribe(topic, qos)
    client.on_subscribe = lambda *_: client.disconnect()
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_forever()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The first byte and the body of a packet shorter than 128 bytes."""
    head = await reader.readexactly(2)
    return head[0], await reader.readexactly(head[1])
