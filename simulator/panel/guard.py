"""Who may ask the panel, before anything is read: the names that it goes by, its own page, and whoever has the token.

A page of somebody else's, in the browser of whoever runs the simulator, can send requests here; with a name of its own that
it lets point here (DNS rebinding) it could read the answers, too. So a request must name an address that nobody can lend
out, must not come from another origin, and needs the token if it is to change anything.
"""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from city.errors import CityError, Forbidden, SignInNeeded, TooLarge
from city.settings import Secret
from simulator.panel.problems import problem

READS = frozenset(("GET", "HEAD", "OPTIONS"))
MOST_BODY = 64 * 1024
SCHEME = "Bearer "


class Guard:
    """In front of the app. `host` is the name that the panel was told to listen on; IP addresses and localhost are always
    taken, as no name server has a say in them."""

    def __init__(self, app: ASGIApp, *, token: Secret, host: str) -> None:
        self._app, self._token, self._host = app, token, host.casefold()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check(str(scope["method"]), str(scope["scheme"]), headers)
        except CityError as error:
            await problem(error, headers.get("accept-language", ""))(scope, receive, send)
            return
        await self._app(scope, _Bounded(receive), send)

    def _check(self, method: str, scheme: str, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            raise Forbidden("The panel does not go by this name.", field="host", rule="own")
        origin = headers.get("origin")
        if origin is not None and origin.casefold() != f"{scheme}://{host}".casefold():
            raise Forbidden("Only the panel's own page may ask.", field="origin", rule="own")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and method not in READS:
            raise Forbidden("Only the panel's own page may ask.", field="origin", rule="own")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:12]) > MOST_BODY:
            raise TooLarge("The request is too large.", field="body", rule=f"{MOST_BODY}")
        if method not in READS and not self._holds(headers.get("authorization", "")):
            raise SignInNeeded("The token that was shown at the start is needed.", field="authorization", rule="token")

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in ("localhost", self._host):
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _holds(self, authorization: str) -> bool:
        given = authorization.removeprefix(SCHEME) if authorization.startswith(SCHEME) else ""
        return hmac.compare_digest(given.encode(), self._token.reveal().encode())


class _Bounded:
    """A body without a length may not go on for ever either."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left = receive, MOST_BODY

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge("The request is too large.", field="body", rule=f"{MOST_BODY}")
        return message
