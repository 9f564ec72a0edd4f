"""What a PacketSocket makes of the bytes of a connection, however they are cut."""

import itertools
import socket
import ssl
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho

from gateway_bridge import sockets
from gateway_bridge.client import Client
from gateway_bridge.link import Message
from gateway_bridge.sockets import LARGEST, PacketSocket
from tests.examples import examples

PINGRESP, TOPIC = b"\xd0\x00", "application/a/device/b/event/up"


class Wire(socket.socket):
    """A socket that gives what it is told to, read by read, and keeps what is sent; None: nothing there now."""

    def __init__(self, reads: Iterable[bytes | OSError | None] = (), takes: int = 10**9) -> None:
        super().__init__()
        self.reads, self.sends, self.takes = iter(reads), list[bytes](), takes

    def recv(self, size: int, _flags: int = 0) -> bytes:
        data = next(self.reads, None)
        if data is None:
            raise BlockingIOError
        if isinstance(data, OSError):
            raise data
        assert len(data) <= size
        return data

    def send(self, data: object, _flags: int = 0) -> int:
        if not self.takes:
            raise BlockingIOError
        said = bytes(data)[:self.takes]  # type: ignore[call-overload]
        self.sends.append(said)
        return len(said)


def varint(number: int) -> bytes:
    said = b""
    while True:
        number, low = divmod(number, 128)
        said += bytes([low | (128 if number else 0)])
        if not number:
            return said


def publish(payload: bytes, *, flags: int = 2, mid: int = 7, topic: str = TOPIC, properties: bytes | None = None) -> bytes:
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if flags & 6 else b"")
    body += b"" if properties is None else varint(len(properties)) + properties
    return bytes([0x30 | flags]) + varint(len(body) + len(payload)) + body + payload


def packets_of(wire: Wire, *, version5: bool = False) -> PacketSocket:
    return PacketSocket(wire, version5=version5, generation=3, numbers=itertools.count(1))


def all_of(packets: PacketSocket, reads: int) -> list[Message]:
    return [message for _ in range(reads) for message in packets.read()]


def chunks(data: bytes, sizes: Iterator[int]) -> list[bytes]:
    found = []
    while data:
        size = next(sizes)
        found.append(data[:size])
        data = data[size:]
    return found


@settings(max_examples=examples(60), deadline=None)
@given(version5=st.booleans(), sizes=st.lists(st.integers(1, 600), min_size=1, max_size=8),
       items=st.lists(st.tuples(st.integers(0, 300), st.sampled_from([0, 1, 2, 3, 4, 10, 12]), st.integers(0, 200)), max_size=20))
def test_however_the_bytes_are_cut_every_event_is_a_message_and_every_other_packet_paho_s(
        version5: bool, sizes: list[int], items: list[tuple[int, int, int]]) -> None:
    stream = b"".join([publish(b"p" * length, flags=flags, mid=number + 1, properties=b"\x26" * extra if version5 else None)
                       + PINGRESP for number, (length, flags, extra) in enumerate(items)])
    cut = chunks(stream, itertools.cycle(sizes))
    packets = packets_of(Wire(cut), version5=version5)
    messages = all_of(packets, len(cut))
    assert not packets.ended
    assert [(len(m.payload), m.qos, m.retain, m.dup) for m in messages] == [
        (length, flags >> 1 & 3, bool(flags & 1), bool(flags & 8)) for length, flags, _ in items]
    assert [m.mid for m in messages] == [number + 1 if flags & 6 else 0 for number, (_, flags, _) in enumerate(items)]
    assert {(m.topic, m.generation) for m in messages} <= {(TOPIC, 3)}
    assert [m.number for m in messages] == list(range(1, len(items) + 1))
    assert b"".join(iter(lambda: packets.recv(1) if packets.waiting else b"", b"")) == PINGRESP * len(items)


def test_acknowledgements_go_out_together_and_never_inside_a_packet_of_paho_s() -> None:
    wire = Wire([publish(b"1", mid=1) + publish(b"2", mid=258) + publish(b"3", mid=3, flags=4)], takes=3)
    packets = packets_of(wire)
    messages = packets.read()
    wire.takes = 0
    assert packets.send(b"a whole packet of paho's") == 24
    packets.acknowledge(messages)
    assert packets.unsent
    wire.takes = 10**9
    packets.flush()
    assert wire.sends == [b"a whole packet of paho's" + bytes.fromhex("40020001 40020102 50020003")]
    assert not packets.unsent


def test_of_qos_2_the_broker_is_told_first_that_we_have_it_and_then_that_it_is_over() -> None:
    wire = Wire([publish(b"2", mid=9, flags=4), bytes.fromhex("62020009")])
    packets = packets_of(wire)
    (message,) = packets.read()
    assert (message.qos, wire.sends) == (2, [])
    packets.acknowledge([message])
    assert packets.read() == []
    assert wire.sends == [bytes.fromhex("50020009"), bytes.fromhex("70020009")]


def test_a_packet_of_256_mb_is_cut_takes_no_memory_and_stops_nothing() -> None:
    size = 268_435_455 - len(TOPIC) - 4
    head = publish(b"", mid=1)[2:]
    whole = b"\x32" + varint(len(head) + size) + head
    block = b"x" * sockets.CHUNK
    stream = itertools.chain([whole], itertools.repeat(block, size // len(block)), [block[:size % len(block)]],
                             [publish(b"next", mid=2)])
    packets = packets_of(Wire(stream))
    tracemalloc.start()
    messages = all_of(packets, size // len(block) + 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(message.payload) for message in messages] == [LARGEST - len(head), 4]
    assert (packets.cut, packets.ended) == (1, "")
    assert peak < 8 * LARGEST


@pytest.mark.parametrize("data", [
    b"\x32\xff\xff\xff\xff\x01",  # a length of five bytes
    publish(b"", flags=6),  # QoS 3
    publish(b"", mid=0),
    b"\x32\x02\x00\xff" + b"x" * 300,  # a topic longer than the packet
    b"\x32\x00",
    b"\xd0" + varint(LARGEST + 1) + b"x" * sockets.CHUNK,
], ids=["length", "qos", "mid", "topic", "empty", "large"])
def test_what_is_not_mqtt_ends_the_connection(data: bytes) -> None:
    packets = packets_of(Wire(chunks(data, itertools.repeat(sockets.CHUNK)) + [b"x" * sockets.CHUNK] * 5))
    assert all_of(packets, 6) == []
    assert packets.ended
    assert packets.recv(1) == b""


@given(st.binary(max_size=400), st.booleans())
def test_nonsense_never_raises(data: bytes, version5: bool) -> None:
    packets = packets_of(Wire([data, b""]), version5=version5)
    packets.read()
    packets.read()
    assert packets.ended


def test_a_topic_that_is_no_text_is_empty() -> None:
    packets = packets_of(Wire([publish(b"p").replace(b"device", b"\xff\xfevice")]))
    assert [(message.topic, message.payload) for message in packets.read()] == [("", b"p")]


@pytest.mark.parametrize("how", [b"", ConnectionResetError("reset by peer")])
def test_the_end_of_a_connection_is_told_to_paho_after_the_packets_before_it(how: bytes | OSError) -> None:
    packets = packets_of(Wire([PINGRESP, how, None]))
    packets.read()
    packets.read()
    assert (packets.recv(9), packets.recv(9)) == (PINGRESP, b"")
    assert packets.ended == ("reset by peer" if how else "the broker has closed it")
    packets.acknowledge([])
    assert not packets.unsent


def test_a_broker_that_reads_nothing_does_not_fill_our_memory() -> None:
    packets = packets_of(Wire(takes=0))
    packets.send(b"x" * (sockets.UNSENT_MOST + 1))
    with pytest.raises(BlockingIOError):
        packets.send(b"x")
    many = [Message("", b"", mid=1)] * 400_000
    packets.acknowledge(many)
    assert packets.ended == "the broker does not read what we say"


def test_paho_still_makes_its_connections_where_we_put_our_socket_under_it() -> None:
    """`Client._create_socket` is private: this fails where a new paho goes another way."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Client(paho.CallbackAPIVersion.VERSION2, client_id="x", protocol=paho.MQTTv5)
        client.prepare(1, itertools.count(1))
        client.connect_async("127.0.0.1", server.getsockname()[1])
        client.reconnect()
        assert isinstance(client.socket(), PacketSocket)
        assert client.socket() is client.packets
        accepted, _ = server.accept()
        client.loop_write()
        assert accepted.recv(2)[:1] == b"\x10"
        accepted.sendall(bytes.fromhex("20 03 00 00 00"))
        greeted = []
        client.on_connect = lambda *facts: greeted.append(facts[2].session_present)
        accepted.sendall(publish(b"event", properties=b""))
        messages: list[Message] = []
        while not messages:
            messages += client.packets.read()
            while client.packets.waiting:
                client.loop_read()
        assert greeted == [False]
        assert [message.payload for message in messages] == [b"event"]
        accepted.close()
        client.packets.close()


def test_tls_records_are_read_until_there_are_no_more() -> None:
    class Records(ssl.SSLSocket):
        def __init__(self) -> None:
            pass

        def recv(self, _size: int = 0, _flags: int = 0) -> bytes:
            data = next(records)
            if not data:
                raise ssl.SSLWantReadError
            return data

    records = iter([publish(b"1"), publish(b"2"), b"", b""])
    packets = PacketSocket(Records.__new__(Records), version5=False, generation=1, numbers=itertools.count(1))
    assert [message.payload for message in packets.read()] == [b"1", b"2"]
    assert packets.read() == []
