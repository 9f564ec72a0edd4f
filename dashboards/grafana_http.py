"""HTTP to Grafana: grafana-client's session, kept within bounds, and addresses."""

import time
from typing import Any
from urllib.parse import urlsplit

import niquests

from city.errors import Invalid

MAX_ANSWER = 32 * 2**20


class Redirected(Exception):
    """Grafana names another address: `where`, without what may be secret in it."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class TooMuch(Exception):
    """The answer is too large, or comes too slowly."""


def address(url: str) -> tuple[str, int | None, str]:
    """Host, port and path ("" or ending in /) of Grafana's address. Raises Invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise Invalid("grafana.url must be http(s)://host:port, without user or password.", field="grafana.url", rule="address")
    path = parts.path.strip("/")
    return parts.hostname, port, f"{path}/" if path else ""


class Bounded(niquests.Session):
    """A session whose answers are read here, whole and within their bounds, and that goes nowhere else."""

    def __init__(self, whole_s: float) -> None:
        # no HTTP/3: that would be another port than the address says; no asking a third party whether a certificate is revoked
        super().__init__(pool_maxsize=2, disable_http3=True, allow_incoming_cookies=False, revocation_configuration=None)
        self._whole_s = whole_s

    def request(self, *words: Any, **more: Any) -> niquests.Response:  # noqa: ANN401
        deadline = time.monotonic() + self._whole_s
        answer: niquests.Response = super().request(*words, **{**more, "stream": True, "allow_redirects": False})
        try:
            if answer.is_redirect or answer.is_permanent_redirect:
                raise Redirected(shown(str(answer.headers.get("Location") or "")))
            parts, size = [], 0
            for part in answer.iter_content(65_536):
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER or time.monotonic() > deadline:
                    raise TooMuch
            answer._content = b"".join(parts)  # noqa: SLF001 - where Response.content keeps it
        except BaseException:
            answer.close()
            raise
        return answer


def shown(url: str) -> str:
    """The address without what may be secret in it."""
    try:
        parts = urlsplit(url)
        if not parts.hostname:
            return parts.path[:100]
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"[:200]
    except ValueError:
        return "?"
