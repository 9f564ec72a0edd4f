"""The door for messages about incidents, mails over SMTP and webhooks over HTTPS, and for pushes of open data. Blocking; no
message is ever sent twice by itself, who calls decides on another attempt.

A webhook's address comes from a town's people, and this process stands inside the network. So only https to public addresses
is served: the name is resolved once, every address it has must be public, and the connection goes to the address that was
looked at. Redirects are not followed, little of the answer is read, and none of it for long: who drips it byte by byte must not
keep others waiting.
"""

import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Protocol
from urllib.parse import SplitResult

from city.errors import Undelivered
from city.notices import checked_url, signature
from city.settings import Notices

TIMEOUT_S = 10.0  # of silence
WITHIN_S = 20.0  # all of a webhook, once its name is resolved
MOST_ANSWER = 65_536
MOST_BODY = 1_000_000
_UNICAST = ipaddress.IPv6Network("2000::/3")
Resolve = Callable[[str, int], list[str]]


class Post(Protocol):
    """What carries messages; both raise Undelivered."""

    def mail(self, to: str, subject: str, text: str, *, id: str, at: datetime) -> None:
        """One mail in plain text."""
        ...

    def hook(self, url: str, body: bytes, *, secret: str, id: str, at: datetime) -> None:
        """One POST of JSON, signed if there is a secret."""
        ...


class Postman:
    """Over the network, as the settings say."""

    def __init__(self, settings: Notices, resolve: Resolve | None = None, *, within_s: float = WITHIN_S) -> None:
        self._settings, self._resolve, self._within_s = settings, resolve or addresses_of, within_s

    def mail(self, to: str, subject: str, text: str, *, id: str, at: datetime) -> None:
        settings = self._settings
        if not settings.smtp_host:
            raise Undelivered("No mail server is set (notices.smtp_host).")
        try:
            letter = _letter(settings.sender, to, subject, text, id=id, at=at)
            with self._server() as server:
                if settings.smtp_user:
                    server.login(settings.smtp_user, settings.smtp_password.reveal())
                server.send_message(letter)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered("The mail server did not take it: {what}", what=_said(error)) from error

    def hook(self, url: str, body: bytes, *, secret: str, id: str, at: datetime) -> None:
        if len(body) > MOST_BODY:
            raise Undelivered("The message is too large.")
        stamp = int(at.timestamp())
        headers = {"Content-Type": "application/json", "User-Agent": "stadtfunk", "X-Stadtfunk-Delivery": id,
                   "X-Stadtfunk-Timestamp": str(stamp)}
        if secret:
            headers["X-Stadtfunk-Signature"] = f"sha256={signature(secret, stamp, body)}"
        status, _ = exchange("POST", url, body, headers, private=self._settings.allow_private, resolve=self._resolve,
                             within_s=self._within_s)
        if not 200 <= status < 300:
            raise Undelivered("The receiver answered {status}.", status=status)

    def _server(self) -> smtplib.SMTP:
        settings, context = self._settings, ssl.create_default_context()
        if settings.smtp_tls == "tls":
            return smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port or 465, timeout=TIMEOUT_S, context=context)
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port or 587, timeout=TIMEOUT_S)
        if settings.smtp_tls != "none":
            server.starttls(context=context)
        return server


def exchange(method: str, url: str, body: bytes, headers: Mapping[str, str], *, private: bool, resolve: Resolve,
             within_s: float = WITHIN_S, most: int = MOST_ANSWER) -> tuple[int, bytes]:
    """One request, to an address that was looked at: its status and the first `most` bytes of its answer. `private`: it may go
    into the own network, and over plain http. Raises Invalid where it is no address, Undelivered where it is not reached."""
    parts = checked_url(url, private=private)
    connection = _connection(parts, private=private, resolve=resolve)
    try:
        with _cut_after(within_s, connection):
            connection.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read(most)
    except (OSError, HTTPException, ValueError) as error:
        raise Undelivered("The receiver cannot be reached: {what}", what=_said(error)) from error
    finally:
        connection.close()


def _connection(parts: SplitResult, *, private: bool, resolve: Resolve) -> "_Plain | _Secure":
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = resolve(host, port)
    except OSError as error:
        raise Undelivered("The receiver's name cannot be resolved: {what}", what=_said(error)) from error
    if not addresses:
        raise Undelivered("The receiver's name has no address.")
    if not private and not all(is_public(one) for one in addresses):
        raise Undelivered("The receiver's address is not public; only public ones are served.")
    return _Secure(host, port, addresses[0]) if parts.scheme == "https" else _Plain(host, port, addresses[0])


class _Plain(HTTPConnection):
    """To one address, whatever its name may resolve to by now."""

    wire: socket.socket | None = None

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._address = address

    def connect(self) -> None:
        self.wire = self.sock = socket.create_connection((self._address, self.port), TIMEOUT_S)


class _Secure(HTTPSConnection):
    """As _Plain; the certificate must be the name's."""

    wire: socket.socket | None = None

    def __init__(self, host: str, port: int, address: str) -> None:
        self._checks = ssl.create_default_context()
        super().__init__(host, port, timeout=TIMEOUT_S, context=self._checks)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), TIMEOUT_S)
        try:
            self.wire = self.sock = self._checks.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()
        except OSError:
            plain.close()
            raise


@contextmanager
def _cut_after(seconds: float, connection: _Plain | _Secure) -> Iterator[None]:
    """Whatever still goes on over the connection then fails with an OSError or HTTPException."""
    timer = Timer(seconds, _cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: _Plain | _Secure) -> None:
    if connection.wire is not None:
        with suppress(OSError):
            socket.socket.shutdown(connection.wire, socket.SHUT_RDWR)  # not TLS's own, which is not for two threads


def is_public(address: str) -> bool:
    """Whether the address is one of the public internet. Of IPv6 only global unicast, and none that has an IPv4 inside."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if not found.is_global or found.is_multicast:
        return False
    return isinstance(found, ipaddress.IPv4Address) or (found in _UNICAST and found.sixtofour is None and found.teredo is None)


def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a name, in the system's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _letter(sender: str, to: str, subject: str, text: str, *, id: str, at: datetime) -> EmailMessage:
    """Raises ValueError for an address that is none."""
    letter = EmailMessage()
    letter["From"] = Address("stadtfunk", addr_spec=sender or "stadtfunk@localhost")
    letter["To"] = Address(addr_spec=to)
    letter["Subject"] = subject
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = f"<{id}@stadtfunk>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    return letter


def _said(error: Exception) -> str:
    """The first line of it, without what a server may add."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:150]
