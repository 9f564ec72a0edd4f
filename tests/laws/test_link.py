"""What every Link promises: one suite over the memory and a real Mosquitto behind a cable that can be cut."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest
from paho.mqtt import client as paho
from paho.mqtt import publish as paho_publish

from city.errors import BrokerDown, Invalid
from city.settings import Mqtt, Secret
from gateway_bridge.link import Link, MemoryLink, Message
from gateway_bridge.mqtt import MqttLink, address, connect
from tests.patience import PATIENCE_S
from tests.wire.servers import Cable, Mosquitto, cable, mosquitto, program

TOPIC = "application/a/device/70b3d57ed0000042/event/up"


class World(Protocol):
    """A link, and what the rest of the world can do to it."""

    link: Link

    async def deliver(self, *payloads: bytes, qos: int = 1) -> None: ...
    async def break_connection(self) -> None: ...
    async def lose_session(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.link = self.memory = MemoryLink()

    async def deliver(self, *payloads: bytes, qos: int = 1) -> None:
        for payload in payloads:
            self.memory.deliver(TOPIC, payload, qos=qos)

    async def break_connection(self) -> None:
        self.memory.disconnect()
        self.memory.reconnect()

    async def lose_session(self) -> None:
        self.memory.disconnect()
        self.memory.reconnect(session_present=False)


class MqttWorld:
    def __init__(self, broker: Mosquitto, wire: Cable, link: MqttLink) -> None:
        self.link, self._broker, self._wire = link, broker, wire

    async def deliver(self, *payloads: bytes, qos: int = 1) -> None:
        messages = [{"topic": TOPIC, "payload": payload, "qos": qos} for payload in payloads]
        await asyncio.to_thread(paho_publish.multiple, messages, hostname="127.0.0.1", port=self._broker.port,
                                protocol=paho.MQTTv5)

    async def break_connection(self) -> None:
        before = self.link.counts.connections
        self._wire.cut()
        await self._until_connected(before)

    async def lose_session(self) -> None:
        """Somebody else ends our session under our name."""
        before = self.link.counts.connections
        await asyncio.to_thread(_steal_session, self._broker.port)
        await self._until_connected(before)

    async def _until_connected(self, before: int) -> None:
        await until_connected(self.link, after=before)


async def until_connected(link: MqttLink, after: int = 0) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while link.counts.connections == after or not link.connected:  # noqa: ASYNC110 - a link has no such event
            await asyncio.sleep(0.01)


def _steal_session(port: int) -> None:
    thief = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="bridge", protocol=paho.MQTTv5)
    thief.connect("127.0.0.1", port, clean_start=True)
    while not thief.is_connected():
        thief.loop(0.1)
    thief.disconnect()
    thief.loop(0.1)


@asynccontextmanager
async def mqtt_world(directory: Path, version: str = "5") -> AsyncIterator[MqttWorld]:
    with mosquitto(directory) as broker:
        async with cable(broker.port) as wire:
            link = MqttLink(Mqtt(url=wire.url, client_id="bridge", version=version))
            waiting = asyncio.create_task(link.receive(1, 0))
            await until_connected(link)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
            try:
                yield MqttWorld(broker, wire, link)
            finally:
                await link.close()


@pytest.fixture(params=["memory", pytest.param("5", marks=pytest.mark.wire), pytest.param("3.1.1", marks=pytest.mark.wire)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with mqtt_world(tmp_path / "broker", request.param) as real:
        yield real


async def take(link: Link, count: int) -> list[Message]:
    """Exactly `count` messages; a broken connection met on the way is no answer."""
    taken: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(taken) < count:
            with suppress(BrokerDown):
                taken += await link.receive(count - len(taken), 0.01)
    return taken


async def nothing_but(link: Link) -> None:
    """Take messages until the link has a problem."""
    while True:
        await link.receive(1, 0)


async def nothing_more(link: Link) -> bool:
    try:
        async with asyncio.timeout(0.3):
            while True:
                with suppress(BrokerDown):
                    await link.receive(1, 0)
                    return False
    except TimeoutError:
        return True


async def test_messages_arrive_in_order_and_in_batches_of_at_most_the_limit(world: World) -> None:
    payloads = [b"%d" % n for n in range(30)]
    await world.deliver(*payloads)
    first = await world.link.receive(10, 0.2)
    assert len(first) <= 10
    rest = await take(world.link, 30 - len(first))
    assert [message.payload for message in first + rest] == payloads
    assert {message.topic for message in first} == {TOPIC}


async def test_the_unacknowledged_comes_again_after_a_broken_connection_and_the_acknowledged_does_not(
        world: World) -> None:
    await world.deliver(b"1", b"2", b"3")
    first = await take(world.link, 3)
    await world.link.acknowledge(first[:1])
    await asyncio.sleep(0.1)
    await world.break_connection()
    again = await take(world.link, 2)
    assert [message.payload for message in again] == [b"2", b"3"]
    assert all(message.dup and message.generation > first[0].generation for message in again)
    await world.link.acknowledge(again)
    assert await nothing_more(world.link)


async def test_an_acknowledgement_for_a_former_connection_is_never_sent(world: World) -> None:
    await world.deliver(b"1", b"2")
    former = await take(world.link, 2)
    await world.break_connection()
    again = await take(world.link, 2)
    await world.link.acknowledge(former)
    assert world.link.counts.stale == 2
    await asyncio.sleep(0.1)
    await world.break_connection()
    assert [message.payload for message in await take(world.link, 2)] == [b"1", b"2"]
    assert [message.payload for message in again] == [b"1", b"2"]


async def test_a_later_message_is_not_acknowledged_before_an_earlier_one(world: World) -> None:
    await world.deliver(b"1", b"2")
    _, second = await take(world.link, 2)
    await world.link.acknowledge([second])
    await asyncio.sleep(0.1)
    await world.break_connection()
    again = await take(world.link, 2)
    assert [message.payload for message in again] == [b"1", b"2"]
    await world.link.acknowledge([again[1]])
    await world.link.acknowledge([again[0]])
    await asyncio.sleep(0.1)
    await world.break_connection()
    assert await nothing_more(world.link)


async def test_what_was_received_but_not_taken_is_delivered_once_in_a_kept_session(world: World) -> None:
    await world.deliver(b"1", b"2", b"3")
    await take(world.link, 1)
    await world.break_connection()
    assert [message.payload for message in await take(world.link, 3)] == [b"1", b"2", b"3"]
    assert await nothing_more(world.link)


async def test_a_lost_session_is_counted_and_what_is_already_here_stays(world: World) -> None:
    await world.deliver(b"1", b"2")
    await take(world.link, 1)
    await world.lose_session()
    assert world.link.counts.sessions_lost == 1
    assert [message.payload for message in await take(world.link, 1)] == [b"2"]
    await world.deliver(b"3")
    assert (await take(world.link, 1))[0].payload == b"3"


async def test_qos_0_events_arrive_are_counted_and_need_no_acknowledgement(world: World) -> None:
    await world.deliver(b"weak", qos=0)
    messages = await take(world.link, 1)
    assert messages[0].payload == b"weak"
    await world.link.acknowledge(messages)
    assert world.link.counts.qos0 == 1
    assert world.link.counts.stale == 0


async def test_publishing_reaches_the_broker(world: World) -> None:
    await world.link.publish("application/a/device/70b3d57ed0000042/command/down", b"{}")


async def test_publishing_without_a_connection_says_that_the_broker_is_down() -> None:
    link = MemoryLink()
    link.disconnect()
    with pytest.raises(BrokerDown):
        await link.publish("t", b"")
    real = connect(Mqtt(url="mqtt://127.0.0.1:1"))
    with pytest.raises(BrokerDown):
        await real.publish("t", b"")
    await real.close()


@pytest.mark.wire
async def test_commands_published_are_seen_by_a_subscriber_with_qos_1(tmp_path: Path) -> None:
    async with mqtt_world(tmp_path / "broker") as world:
        other = MqttLink(Mqtt(url=world._broker.url, client_id="other", topic="application/+/device/+/command/+"))
        waiting = asyncio.create_task(take(other, 1))
        await until_connected(other)
        await world.link.publish("application/a/device/b/command/down", b"order")
        (seen,) = await waiting
        assert (seen.payload, seen.qos) == (b"order", 1)
        await other.close()


@pytest.mark.wire
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_events_published_while_the_bridge_is_away_wait_at_the_broker(tmp_path: Path, version: str) -> None:
    async with mqtt_world(tmp_path / "broker", version) as world:
        await world.link.close()
        await world.deliver(*(b"%d" % n for n in range(1500)))
        back = MqttLink(Mqtt(url=world._broker.url, client_id="bridge", receive_maximum=100, version=version))
        seen: list[bytes] = []
        while len(seen) < 1500:
            messages = await take(back, 1) + await back.receive(99, 0)  # fewer than the window: acknowledge as we go
            seen += [message.payload for message in messages]
            await back.acknowledge(messages)
        assert seen == [b"%d" % n for n in range(1500)]
        await back.close()


@pytest.mark.wire
async def test_a_broker_that_comes_back_is_found_again(tmp_path: Path) -> None:
    async with mqtt_world(tmp_path / "broker") as world:
        world._broker.stop()
        with pytest.raises(BrokerDown):
            await world.link.receive(1, 0)
        world._broker.start()
        await world._until_connected(1)
        await world.deliver(b"back")
        assert (await take(world.link, 1))[0].payload == b"back"


@pytest.mark.wire
async def test_a_refused_login_is_reported(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    with mosquitto(tmp_path / "closed", f"allow_anonymous false\npassword_file {passwords}") as broker:
        link = MqttLink(Mqtt(url=broker.url, username="bridge", password=Secret("wrong")))
        with pytest.raises(BrokerDown, match="refuses us"):
            await link.receive(1, 0)
        await link.close()


@pytest.mark.wire
async def test_tls_is_spoken_and_certificates_are_checked(tmp_path: Path) -> None:
    cert, key = _certificate(tmp_path)
    with mosquitto(tmp_path / "tls", f"allow_anonymous true\ncertfile {cert}\nkeyfile {key}") as broker:
        url = broker.url.replace("mqtt:", "mqtts:")
        trusting = MqttLink(Mqtt(url=url, ca_file=str(cert), client_id="trusting"))
        waiting = asyncio.create_task(take(trusting, 300))
        await until_connected(trusting)
        for n in range(300):
            await trusting.publish(TOPIC, b"%d" % n * 50)
        assert [message.payload for message in await waiting] == [b"%d" % n * 50 for n in range(300)]
        await trusting.close()
        doubting = MqttLink(Mqtt(url=url, client_id="doubting"))
        with pytest.raises(BrokerDown, match="certificate"):
            await doubting.receive(1, 0)
        await doubting.close()


@pytest.mark.wire
async def test_two_links_share_a_subscription_without_doubling_anything(tmp_path: Path) -> None:
    async with mqtt_world(tmp_path / "broker") as world:
        await world.link.close()
        links = [MqttLink(Mqtt(url=world._broker.url, client_id=f"half-{n}", share="bridges")) for n in range(2)]
        seen: list[bytes] = []

        async def drain(link: MqttLink) -> None:
            while True:
                messages = await link.receive(50, 0)
                await link.acknowledge(messages)
                seen.extend(message.payload for message in messages)

        tasks = [asyncio.create_task(drain(link)) for link in links]
        for link in links:
            await until_connected(link)
        await world.deliver(*(b"%d" % n for n in range(200)))
        async with asyncio.timeout(PATIENCE_S):
            while len(seen) < 200:  # noqa: ASYNC110 - the two drain beside us
                await asyncio.sleep(0.01)
        assert sorted(map(int, seen)) == list(range(200))
        for task in tasks:
            task.cancel()
        for link in links:
            await link.close()


async def test_a_broker_that_talks_nonsense_is_left_and_reported() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _packet(reader)
        writer.write(bytes.fromhex("2003000000"))
        await _packet(reader)
        writer.write(bytes.fromhex("30050003616263ff") + b"\xff" * 64)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    link = MqttLink(Mqtt(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(BrokerDown):
        await nothing_but(link)
    await link.close()
    server.close()


async def test_a_refused_subscription_is_reported() -> None:
    """A broker that greets us and then answers SUBSCRIBE with 0x87, not authorised."""

    async def greet_and_refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _packet(reader)
        writer.write(bytes.fromhex("2003000000"))
        subscribe = await _packet(reader)
        writer.write(bytes.fromhex("9004") + subscribe[:2] + bytes.fromhex("0087"))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet_and_refuse, "127.0.0.1", 0)
    link = MqttLink(Mqtt(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(BrokerDown, match="refuses the subscription"):
        await link.receive(1, 0)
    assert not link.connected
    await link.close()
    server.close()


def _certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", str(key),
                    "-out", str(cert)], check=True, capture_output=True)
    return cert, key


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """The body of one MQTT packet shorter than 128 bytes."""
    head = await reader.readexactly(2)
    return await reader.readexactly(head[1])


@pytest.mark.parametrize(("url", "expected"), [
    ("mqtt://broker", ("broker", 1883, False)),
    ("mqtts://broker", ("broker", 8883, True)),
    ("mqtts://[::1]:9000", ("::1", 9000, True)),
])
def test_addresses(url: str, expected: tuple[str, int, bool]) -> None:
    assert address(url) == expected


@pytest.mark.parametrize("url", ["", "broker:1883", "http://broker", "mqtt://", "mqtt://broker:port",
                                 "mqtt://user:word@broker", "mqtt://broker/path", "mqtt://[broken"])
def test_wrong_addresses_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        address(url)
    assert "word" not in str(caught.value).replace("password", "")
