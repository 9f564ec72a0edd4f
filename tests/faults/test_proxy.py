"""The proxy does to a connection what it says, and nothing where it says nothing."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy, proxy
from tests.faults.toxics import Bandwidth, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout


class Echo:
    """A server that says everything back, and counts the pieces it came in."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                self.pieces.append(len(data))
                connection.sendall(data)
        except OSError:
            pass
        finally:
            connection.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def relay(echo: Echo) -> Iterator[Proxy]:
    with proxy(echo.port, seed=1) as made:
        yield made


def connect(relay: Proxy) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", relay.port), timeout=5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return read(connection, len(data))


def read(connection: socket.socket, size: int) -> bytes:
    said = b""
    while len(said) < size and (more := connection.recv(size - len(said))):
        said += more
    return said


def test_without_toxics_everything_comes_through(relay: Proxy) -> None:
    data = bytes(range(256)) * 4096
    with connect(relay) as one:
        threading.Thread(target=one.sendall, args=(data,)).start()
        assert read(one, len(data)) == data
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""
    assert relay.counts.bytes == {"up": len(data), "down": len(data)}


def test_down_refuses_and_up_listens_on_the_same_port(relay: Proxy) -> None:
    one, port = connect(relay), relay.port
    assert ask(one, b"hello") == b"hello"
    relay.down()
    with pytest.raises(OSError, match="refused"):
        connect(relay)
    with pytest.raises(ConnectionResetError):
        one.recv(1)
    relay.up()
    assert relay.port == port
    with connect(relay) as again:
        assert ask(again, b"again") == b"again"


def test_latency_delays_each_chunk_and_keeps_their_order(relay: Proxy) -> None:
    with connect(relay) as one, relay.poisoned(Latency(0.15, 0.05), "up"):
        began = time.monotonic()
        for number in range(10):
            one.sendall(b"%d" % number)
        assert read(one, 10) == b"0123456789"
        assert 0.1 <= time.monotonic() - began < 1.0, "chunks are delayed side by side, not one after another"


def test_bandwidth_bounds_the_rate(relay: Proxy) -> None:
    with connect(relay) as one, relay.poisoned(Bandwidth(100_000)):
        began = time.monotonic()
        assert ask(one, bytes(20_000)) == bytes(20_000)
        assert time.monotonic() - began >= 0.2


def test_slow_close_passes_the_end_on_late(relay: Proxy) -> None:
    with connect(relay) as one, relay.poisoned(SlowClose(0.2)):
        assert ask(one, b"x") == b"x"
        began = time.monotonic()
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""
        assert time.monotonic() - began >= 0.2


def test_timeout_lets_nothing_through_and_closes_when_it_is_removed(relay: Proxy) -> None:
    with connect(relay) as one:
        assert ask(one, b"x") == b"x"
        one.settimeout(0.1)
        with relay.poisoned(Timeout()):
            one.sendall(b"lost")
            with pytest.raises(TimeoutError):
                one.recv(1)
            assert relay.counts.open == 1, "half open: nobody has hung up"
        one.settimeout(5)
        with pytest.raises(ConnectionResetError):
            one.recv(1)


def test_timeout_with_a_time_closes_by_itself(relay: Proxy) -> None:
    with connect(relay) as one, relay.poisoned(Timeout(0.05)):
        one.sendall(b"lost")
        with pytest.raises(ConnectionResetError):
            one.recv(1)


def test_reset_peer_resets_when_the_answer_comes(relay: Proxy, echo: Echo) -> None:
    with connect(relay) as one, relay.poisoned(ResetPeer()):
        one.sendall(b"stored, but nobody knows")
        with pytest.raises(ConnectionResetError):
            one.recv(1)
    assert sum(echo.pieces) == len(b"stored, but nobody knows")


def test_slicer_cuts_into_small_pieces(relay: Proxy) -> None:
    with connect(relay) as one, relay.poisoned(Slicer(10, 5, 0.002), "up"):
        assert ask(one, bytes(200)) == bytes(200)
    assert relay.counts.pieces["up"] >= 200 // 15


def test_limit_data_closes_after_so_many_bytes(relay: Proxy) -> None:
    with connect(relay) as one, relay.poisoned(LimitData(100)):
        one.sendall(bytes(150))
        assert read(one, 100) == bytes(100)
        one.sendall(b"more")
        with pytest.raises(ConnectionResetError):
            one.recv(1)


def test_cut_resets_those_that_are_open_and_lets_new_ones_in(relay: Proxy) -> None:
    with connect(relay) as one, connect(relay) as two:
        assert ask(one, b"1") + ask(two, b"2") == b"12"
        relay.cut()
        for end in (one, two):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
    with connect(relay) as three:
        assert ask(three, b"3") == b"3"
