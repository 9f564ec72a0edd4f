"""Messages about incidents: written once, sent once, tried again, and never into our own network."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from city.alarms import AlarmKind, Severity
from city.errors import Undelivered
from city.ids import AssetId, TenantId
from city.incidents import Cause, Incident, incident
from city.notices import Channel, Sent, Way, signature
from city.settings import Notices
from gateway_bridge.notify import Notifier
from gateway_bridge.post import Postman, is_public
from tests.gateway_bridge.town import LAMP, NOW, Town, small_town

T = TenantId("musterstadt")


class Letterbox:
    """A post that keeps what it is given, or refuses."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, str]] = []
        self.hooks: list[tuple[str, bytes, str]] = []
        self.broken = False

    def mail(self, to: str, subject: str, text: str, **_: Any) -> None:
        if self.broken:
            raise Undelivered("The receiver answered {status}.", status=503)
        self.mails.append((to, subject, text))

    def hook(self, url: str, body: bytes, *, secret: str, **_: Any) -> None:
        self.hooks.append((url, body, secret))


@pytest.fixture
def town(tmp_path) -> Iterator[Town]:
    with small_town(tmp_path) as made:
        yield made


def failure(asset: str = LAMP, severity: Severity = Severity.MAJOR) -> Incident:
    return incident(T, Cause.ASSET, asset, NOW - timedelta(minutes=10), severity, assets=(AssetId(asset),),
                    kinds=(AlarmKind.LAMP_FAILURE,))


def channel(way: Way = Way.MAIL, address: str = "ada@example.org") -> Channel:
    return Channel(f"to-{way.value}", T, "Ada", way, address, secret="0123456789abcdef", changed_at=NOW)


def notifier(town: Town, post: Letterbox, *, ours: bool = True) -> Notifier:
    return Notifier(town.store, town.clock, post, lambda: (ours, None), public_url="https://town.example/")


async def test_an_incident_is_told_once_by_mail_and_webhook(town: Town) -> None:
    post = Letterbox()
    town.own.put_channel(channel())
    town.own.put_channel(channel(Way.WEBHOOK, "https://hook.example/x"))
    town.store.put_incidents(T, [failure()])
    for _ in range(5):
        await notifier(town, post).step()
        town.clock.advance(60)
    ((to, subject, text),) = post.mails
    assert to == "ada@example.org"
    assert subject == "[Musterstadt] Neu: Lampe 42: Die Leuchte soll brennen und tut es nicht."
    assert "https://town.example/musterstadt/betrieb/stoerungen" in text
    ((url, body, secret),) = post.hooks
    assert (url, secret) == ("https://hook.example/x", "0123456789abcdef")
    assert json.loads(body)["incidents"][0]["kinds"] == ["lamp_failure"]
    assert {item.state for item in town.own.deliveries()} == {Sent.DONE}


async def test_what_was_refused_is_sent_again_later_and_only_then(town: Town) -> None:
    post = Letterbox()
    post.broken = True
    town.own.put_channel(channel())
    town.store.put_incidents(T, [failure()])
    await notifier(town, post).step()
    (item,) = town.own.deliveries()
    assert (item.state, item.attempts, "503" in item.note) == (Sent.WAITING, 1, True)
    post.broken = False
    assert await notifier(town, post).step() == 0
    town.clock.advance(31)
    await notifier(town, post).step()
    assert len(post.mails) == 1
    assert town.own.deliveries()[0].state is Sent.DONE


async def test_who_does_not_steer_tells_nobody(town: Town) -> None:
    post = Letterbox()
    town.own.put_channel(channel())
    town.store.put_incidents(T, [failure()])
    await notifier(town, post, ours=False).step()
    assert post.mails == []


async def test_a_trial_is_sent_when_somebody_asks(town: Town) -> None:
    post = Letterbox()
    town.own.put_channel(channel())
    await notifier(town, post).step()
    assert post.mails == []
    town.own.try_channel("to-mail", town.clock.now())
    for _ in range(3):
        await notifier(town, post).step()
        town.clock.advance(20)
    assert [subject for _, subject, _ in post.mails] == ["[Musterstadt] Probe"]


async def test_a_receiver_that_does_not_answer_is_asked_once_in_a_step(town: Town) -> None:
    post = Letterbox()
    post.broken = True
    town.own.put_channel(channel())
    town.own.put_channel(channel(Way.WEBHOOK, "https://hook.example/x"))
    town.store.put_incidents(T, [failure(f"lamp-{number}") for number in range(5)])
    await notifier(town, post).step()
    assert [item.attempts for item in town.own.deliveries() if item.channel == "to-mail"].count(1) == 1
    assert len(post.hooks) == 5
    post.broken = False
    for _ in range(4):
        town.clock.advance(15)
        await notifier(town, post).step()
    assert len(post.mails) == 5


async def test_a_channel_that_is_switched_off_is_not_told_what_was_waiting(town: Town) -> None:
    post = Letterbox()
    post.broken = True
    town.own.put_channel(channel())
    town.store.put_incidents(T, [failure()])
    await notifier(town, post).step()
    post.broken = False
    town.own.put_channel(replace(channel(), off=True))
    for _ in range(3):
        town.clock.advance(60)
        await notifier(town, post).step()
    assert post.mails == []
    assert [item.state for item in town.own.deliveries()] == [Sent.FAILED]


# -- over the network

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.status = [], 204  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def hook(post: Postman, url: str, body: bytes = b"{}") -> None:
    post.hook(url, body, secret="0123456789abcdef", id="d1", at=NOW)


def test_a_webhook_is_signed(receiver: Any) -> None:
    hook(Postman(Notices(allow_private=True)), f"http://127.0.0.1:{receiver.server_port}/x?y=1", b'{"a":1}')
    ((path, headers, body),) = receiver.got
    assert path == "/x?y=1"
    stamp = int(headers["X-Stadtfunk-Timestamp"])
    assert headers["X-Stadtfunk-Signature"] == f"sha256={signature('0123456789abcdef', stamp, body)}"


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_a_redirect_is_not_followed_and_a_refusal_is_one(receiver: Any, status: int) -> None:
    receiver.status = status
    with pytest.raises(Undelivered, match=str(status)):
        hook(Postman(Notices(allow_private=True)), f"http://127.0.0.1:{receiver.server_port}/")
    assert len(receiver.got) == 1


def test_who_drips_his_answer_byte_by_byte_keeps_nobody_waiting() -> None:
    over, done = threading.Event(), threading.Event()

    def drip(listening: socket.socket) -> None:
        wire, _ = listening.accept()
        with wire, suppress(OSError):
            wire.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(400):
                if over.wait(0.01):
                    return
                wire.sendall(b"x")
            done.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=[listening], daemon=True)
        thread.start()
        hook(Postman(Notices(allow_private=True), within_s=0.1), f"http://127.0.0.1:{listening.getsockname()[1]}/")
        assert not done.is_set()  # that it has taken the message was said before
        over.set()
        thread.join()


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1",
    "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "224.0.0.1", "255.255.255.255", "64:ff9b:1::1"])
def test_no_webhook_goes_into_our_own_network(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(Undelivered, match="not public"):
        hook(Postman(Notices(), lambda _host, _port: ["93.184.216.34", address]), "https://rebound.example/")


def test_public_addresses_are_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2a00:1450:4001:80b::200e")


def test_a_name_without_an_address_or_a_port_without_a_server_is_said() -> None:
    with pytest.raises(Undelivered):
        hook(Postman(Notices(), lambda _host, _port: []), "https://nowhere.example/")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Undelivered):
        hook(Postman(Notices(allow_private=True)), f"http://127.0.0.1:{port}/")


def test_without_a_mail_server_a_mail_is_not_delivered() -> None:
    with pytest.raises(Undelivered, match="smtp_host"):
        Postman(Notices()).mail("a@b.de", "s", "t", id="d", at=NOW)
