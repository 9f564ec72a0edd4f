"""What we publish goes over a connection of its own: no backlog stands before its answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from city.errors import BrokerDown
from city.settings import Mqtt
from gateway_bridge.link import Message
from gateway_bridge.mqtt import MqttLink
from tests.laws.test_link import TOPIC, take, until_connected
from tests.patience import PATIENCE_S
from tests.wire.servers import Cable, Mosquitto, mosquitto
from tests.wire.test_mqtt_broker import US, both_versions, deployed, linked, publish, until

pytestmark = pytest.mark.wire
__all__ = ["deployed"]
COMMAND = TOPIC.replace("event/up", "command/down")
BACKLOG = 20_000
NOTHING = "There is no connection for commands"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as server:
        yield server


class Wire:
    """A client of MQTT 3.1.1 by hand, which holds a place at the broker and publishes without waiting."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def publish(self, count: int, size: int) -> None:
        """Events 0, 1 … of so many bytes each; returns when the broker has them."""
        body = len(TOPIC).to_bytes(2, "big") + TOPIC.encode()
        length = len(body) + 2 + size
        head = bytes([0x32, length & 127 | 128, length >> 7]) + body
        for mid in range(1, count + 1):
            self._writer.write(head + mid.to_bytes(2, "big") + b"%d" % (mid - 1) + b" " * (size - len(str(mid - 1))))
        await asyncio.gather(self._writer.drain(), self._reader.readexactly(4 * count))


@asynccontextmanager
async def wired(broker: Mosquitto) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"\x10\x11\0\x04MQTT\x04\x02\0\0\0\x05other")
    assert await reader.readexactly(4) == bytes.fromhex("20020000")
    yield Wire(reader, writer)
    writer.close()
    await writer.wait_closed()


async def session_of(broker: Mosquitto, client_id: str) -> bool:
    """Whether the broker keeps a session under this name. It has none afterwards."""
    found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)

    def greeted(_client: paho.Client, _data: object, flags: paho.ConnectFlags, *_: object) -> None:
        found.get_loop().call_soon_threadsafe(found.set_result, flags.session_present)

    client.on_connect = greeted
    await asyncio.to_thread(client.connect, "127.0.0.1", broker.port, clean_start=False)
    client.loop_start()
    try:
        return await asyncio.wait_for(found, PATIENCE_S)
    finally:
        client.disconnect()
        client.loop_stop()


@both_versions
async def test_a_command_is_handed_over_once_and_at_once_while_a_backlog_drains(broker: Mosquitto, version: str) -> None:
    """Mosquitto 2.0.11 sends a backlog without regard to the window: its answer would stand behind most of it."""
    async with linked(broker, version=version):
        pass
    async with wired(broker) as other:
        await other.publish(BACKLOG, 1500)
    async with linked(broker, version=version, client_id="gateway", topic=COMMAND) as gateway:
        async with linked(broker, version=version) as link:
            link._inbox.MOST_BYTES = 500_000  # of what it has no room for, it reads nothing
            events: list[Message] = []
            slow = asyncio.create_task(_take_slowly(link, events))
            await until(lambda: len(events) > 500)
            for number in range(5):
                async with asyncio.timeout(2):
                    await link.publish(COMMAND, b"%d" % number)
                await asyncio.sleep(0.2)
            assert len(events) < BACKLOG / 2, "the backlog was no longer there"
            slow.cancel()
        await gateway.publish(COMMAND, b"end")
        assert [message.payload for message in await take(gateway, 6)] == [b"0", b"1", b"2", b"3", b"4", b"end"]


async def _take_slowly(link: MqttLink, events: list[Message]) -> None:
    while True:
        messages = await link.receive(100, 0)
        events += messages
        await asyncio.sleep(0.05)
        await link.acknowledge(messages)


@both_versions
async def test_both_connections_come_back_after_a_restart_of_the_broker(broker: Mosquitto, version: str) -> None:
    async with linked(broker, version=version) as link:
        await link.publish(COMMAND, b"before")
        broker.stop()
        await until(lambda: not link.connected)
        with pytest.raises(BrokerDown):
            await link.publish(COMMAND, b"meanwhile")
        broker.start()
        await until_connected(link, after=1)
        await link.publish(TOPIC, b"after")
        assert (await take(link, 1))[0].payload == b"after"
        assert link.counts.connections == 2


async def test_commands_can_be_given_soon_after_each_of_many_restarts_of_the_broker(broker: Mosquitto) -> None:
    """Whatever waited longer and longer for its own connection tries at once when the broker serves the events again."""
    async with linked(broker) as link:
        for restarts in range(1, 8):
            await until_connected(link, after=restarts - 1)
            broker.stop()
            await until(lambda: not link._hears and not link._outlet.ready)
            broker.start()
            await until(lambda: link._hears)
            async with asyncio.timeout(3):
                await until_connected(link, after=restarts)


class Late:
    """A broker of MQTT 3.1.1 that has kept our session and answers our subscription only after all that waits in it, as
    Mosquitto 2.0.11 does with what it has sent before. It sends a hundred events at a time, ten times a second, and closes
    the connection, as the standard has it, after one and a half times the keep-alive time without a word from us."""

    def __init__(self, events: int) -> None:
        self.events, self.connections, self.acknowledged, self.before_answer = events, 0, 0, -1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            _, body = await self._packet(reader)
            if b"-commands" in body:
                writer.write(bytes.fromhex("20020000"))
                await reader.read()
                return
            self.connections += 1
            writer.write(bytes.fromhex("20020100"))
            patience = 1.5 * int.from_bytes(body[8:10], "big")
            _, body = await self._packet(reader)
            sending = asyncio.create_task(self._send(writer, body[:2]))
            try:
                while True:
                    async with asyncio.timeout(patience):
                        kind, _ = await self._packet(reader)
                    self.acknowledged += kind == 0x40
                    if kind == 0xC0:
                        writer.write(bytes.fromhex("d000"))
            finally:
                sending.cancel()
        writer.close()

    async def _send(self, writer: asyncio.StreamWriter, mid: bytes) -> None:
        topic = len(TOPIC).to_bytes(2, "big") + TOPIC.encode()
        for number in range(self.events):
            body = topic + (number + 1).to_bytes(2, "big") + b"%d" % number
            writer.write(bytes([0x32, len(body)]) + body)
            if number % 100 == 99:
                await asyncio.sleep(0.1)
        self.before_answer = self.acknowledged
        writer.write(b"\x90\x04" + mid + b"\x01\x01")

    async def _packet(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        first, length = await reader.readexactly(2)
        if length > 127:
            length = length - 128 + 128 * (await reader.readexactly(1))[0]
        return first & 0xF0, await reader.readexactly(length)


async def test_a_backlog_that_takes_longer_than_the_keep_alive_time_is_taken_in_one_go() -> None:
    """Were nothing acknowledged and no sign of life given until the subscription is answered, the broker would close the
    connection and begin anew, for ever."""
    broker = Late(5000)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    link = MqttLink(Mqtt(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", client_id="bridge", version="3.1.1",
                         keepalive_s=2))
    numbers: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(numbers) < broker.events:
            messages = await link.receive(500, 0)
            numbers += [int(message.payload) for message in messages if message.topic == TOPIC]
            await link.acknowledge(messages)
        await until(lambda: broker.acknowledged == broker.events and broker.before_answer >= 0)
    assert numbers == list(range(broker.events))
    assert broker.connections == link.counts.connections == 1
    assert broker.before_answer > broker.events / 2
    await link.close()
    server.close()


class Guard(Cable):
    """A relay that lets nobody through who gives commands, until it is told to: a broker with rules for client ids, or
    with as many clients as it takes."""

    answer, strict = b"", True

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(2)
        body = await reader.readexactly(head[1])
        if self.strict and b"bridge-commands" in body:
            writer.write(self.answer)
            writer.close()
            return
        ahead = asyncio.StreamReader()
        ahead.feed_data(head + body)
        forward = asyncio.create_task(self._pump(reader, _Feeding(ahead)))  # type: ignore[arg-type]
        try:
            await super().join(ahead, writer)
        finally:
            forward.cancel()


class _Feeding:
    """A StreamReader, as one writes into it."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def write(self, data: bytes) -> None:
        self._reader.feed_data(data)

    async def drain(self) -> None:
        """It takes everything."""

    def close(self) -> None:
        self._reader.feed_eof()


@pytest.mark.parametrize(("version", "answer", "what"), [
    ("5", "2003008700", "refuses us: Not authorized"), ("3.1.1", "20020005", "refuses us"), ("5", "", "has closed it")])
async def test_a_refused_second_connection_is_said_and_found_again_while_events_go_on(
        broker: Mosquitto, version: str, answer: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(broker.port)
    guard.answer = bytes.fromhex(answer)
    server = await asyncio.start_server(guard.join, "127.0.0.1", 0)
    guard.port = server.sockets[0].getsockname()[1]
    link = MqttLink(Mqtt(url=guard.url, client_id="bridge", version=version))
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(BrokerDown, match=rf"{NOTHING} \(client id bridge-commands\): .*{what}"):
            await link.receive(1, 0)
        await until(lambda: link._hears)
        assert (link.connected, link.counts.connections) == (False, 1)
        await publish(broker, *[b"%d" % number for number in range(300)])
        await link.acknowledge(await take(link, 300))
        with pytest.raises(BrokerDown, match=NOTHING):
            await link.publish(COMMAND, b"{}")
        guard.strict = False
        await until_connected(link)
        await link.publish(COMMAND, b"{}")
    assert (link.counts.connections, link.counts.taken_over) == (1, 0)
    await link.close()
    guard.cut()
    server.close()
    assert "client id bridge-commands" in caplog.text


async def test_a_command_that_the_broker_s_rules_forbid_is_said_and_costs_no_connection(deployed: Mosquitto) -> None:
    async with linked(deployed, **US) as link:
        with pytest.raises(BrokerDown, match="refuses a command"):
            await link.publish(TOPIC, b"not ours to say")
        await link.publish(COMMAND, b"{}")
        assert (link.connected, link.counts.connections) == (True, 1)


@both_versions
async def test_the_broker_keeps_a_session_for_events_and_none_for_commands(broker: Mosquitto, version: str) -> None:
    async with linked(broker, version=version) as link:
        await link.publish(COMMAND, b"{}")
    assert not await session_of(broker, "bridge-commands")
    assert await session_of(broker, "bridge")


async def test_what_comes_to_the_commands_connection_unasked_is_nobody_s(broker: Mosquitto,
                                                                       caplog: pytest.LogCaptureFixture) -> None:
    """Some brokers subscribe whoever comes. Here by hand, on the same socket."""
    caplog.set_level(logging.INFO)
    async with linked(broker, topic="events/#") as link:
        connection = link._outlet._connection
        assert connection is not None
        connection._client.subscribe(TOPIC, qos=1)
        await asyncio.sleep(0.2)
        await publish(broker, b"1", b"2")
        await publish(broker, b"mine", topic="events/a")
        assert [message.payload for message in await take(link, 1)] == [b"mine"]
        await link.publish(COMMAND, b"{}")
        assert len(connection.unacknowledged) == 0
        assert (link.connected, link.counts.most_open) == (True, 1)
