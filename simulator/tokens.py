"""ChirpStack's bearer tokens: JSON web tokens signed with HS256 (RFC 7515, RFC 7519), of users and of API keys."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Literal

import msgspec

from city.errors import SignInNeeded
from city.settings import Secret

ISSUER = AUDIENCE = "chirpstack"
USER_S = 86_400  # how long a user's token holds; an API key's has no end
TOKEN_MOST = 4096  # characters
Kind = Literal["user", "key"]


class _Claims(msgspec.Struct, omit_defaults=True):
    aud: str
    iss: str
    sub: str
    typ: str
    exp: float | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose token it is: `id` is the user's or the API key's."""

    kind: Kind
    id: str


def sign(secret: Secret, kind: Kind, ident: str, *, expires_s: int | None = None) -> str:
    """A token; `expires_s` in seconds since 1970."""
    claims = _Claims(AUDIENCE, ISSUER, ident, kind, expires_s)
    head = _encoded(b'{"typ":"JWT","alg":"HS256"}') + "." + _encoded(msgspec.json.encode(claims))
    return head + "." + _encoded(_mac(secret, head))


def verify(secret: Secret, token: str, *, now_s: float) -> Bearer:
    """Whose it is. Raises SignInNeeded where it is none of ours, altered, or too old."""
    try:
        if len(token) > TOKEN_MOST:
            raise ValueError("too long")
        head, _, signature = token.rpartition(".")
        header, body = (_decoded(part) for part in head.split("."))
        claims = msgspec.json.decode(body, type=_Claims)
        algorithm = msgspec.json.decode(header, type=dict[str, str]).get("alg")
        genuine = hmac.compare_digest(_mac(secret, head), _decoded(signature))
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise _refused("InvalidToken") from error
    if algorithm != "HS256":
        raise _refused("InvalidAlgorithm")
    if not genuine:
        raise _refused("InvalidSignature")
    return _checked(claims, now_s)


def _checked(claims: _Claims, now_s: float) -> Bearer:
    if claims.aud != AUDIENCE:
        raise _refused("InvalidAudience")
    if claims.exp is not None and claims.exp < now_s:
        raise _refused("ExpiredSignature")
    if claims.typ == "user":
        return Bearer("user", claims.sub)
    if claims.typ == "key":
        return Bearer("key", claims.sub)
    raise _refused(f"invalid token typ: {claims.typ[:20]}")


def _refused(what: str) -> SignInNeeded:
    return SignInNeeded("The API token does not hold: {what}", what=what)


def _mac(secret: Secret, text: str) -> bytes:
    return hmac.digest(secret.reveal().encode(), text.encode("ascii"), "sha256")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
