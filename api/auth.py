"""Who asks: passwords, browser sessions and API tokens become an Actor, and what an Actor may do.

Of a session's cookie and of a token only the SHA-256 is kept: both are 256 random bits, so a slow hash would add
nothing. Passwords are argon2id.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from city.errors import Forbidden, Invalid, SignInNeeded
from city.ids import TenantId
from city.store.ports import EVERY_AREA, Account, Area, Role, Session, Store, Token

TOKEN_MARK = "sf_"
PROGRAM = "token:"  # before the name of an actor that is no person
MAX_CREDENTIAL = 1024  # characters of a name, password, cookie or token that anyone may make us hash
MIN_PASSWORD = 12
_RANK = {role: rank for rank, role in enumerate(Role)}
_HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `tenant` None: may act in every town; the role holds in `areas` alone. `csrf` is what a browser session's forms
    must carry."""

    name: str
    role: Role
    tenant: TenantId | None
    by: Literal["session", "token"]
    csrf: str = field(default="", repr=False)
    areas: frozenset[Area] = EVERY_AREA

    def may_enter(self, tenant: str) -> bool:
        """Whether that town is the actor's business at all."""
        return self.tenant is None or self.tenant == tenant

    def may(self, role: Role) -> bool:
        """Whether the actor has this role, or one above it."""
        return _RANK[self.role] >= _RANK[role]

    def works_in(self, areas: frozenset[Area]) -> bool:
        """Whether all of these are the actor's business."""
        return areas <= self.areas


def is_program(name: str) -> bool:
    """Whether an API token has this actor's name: a program, and whoever holds the token."""
    return name.startswith(PROGRAM)


def identify(store: Store, *, cookie: str, bearer: str, now: datetime) -> Actor | None:
    """Whoever the bearer token, else the session cookie, belongs to. Raises SignInNeeded on a token that is not valid:
    a program should hear that, while a stale cookie is just nobody."""
    if bearer:
        token = store.token(digest(bearer), now) if bearer.startswith(TOKEN_MARK) else None
        if token is None:
            raise SignInNeeded("This API token is not valid.", field="Authorization", rule="token")
        return Actor(f"{PROGRAM}{token.name}", token.role, token.tenant, "token", areas=token.areas)
    found = store.session(digest(cookie), now) if cookie else None
    if found is None:
        return None
    session, account = found
    return Actor(account.name, account.role, account.tenant, "session", session.csrf, account.areas)


def sign_in(store: Store, *, name: str, password: str, now: datetime, hours: int) -> tuple[str, Session, Account]:
    """A new session and the cookie that opens it. Raises SignInNeeded, in equal time and words, for an unknown name as
    for a wrong password."""
    account = store.account(name) if len(name) <= MAX_CREDENTIAL else None
    matches = verify(account.password_hash if account else _NOBODY, password)
    if account is None or not matches:
        raise SignInNeeded("Name or password is wrong.", field="password", rule="sign-in")
    cookie = secrets.token_urlsafe(32)
    session = Session(digest(cookie), account.name, secrets.token_urlsafe(32), now + timedelta(hours=hours))
    store.put_session(session)
    return cookie, session, account


def new_token(*, name: str, role: Role, tenant: TenantId | None, now: datetime,
              expires_at: datetime | None = None, areas: frozenset[Area] = EVERY_AREA) -> tuple[str, Token]:
    """A token's text, to be shown once, and what is kept of it."""
    text = TOKEN_MARK + secrets.token_urlsafe(32)
    return text, Token(text[:8], name, role, tenant, digest(text), now, expires_at, areas)


def new_account(*, name: str, password: str, role: Role, tenant: TenantId | None,
                areas: frozenset[Area] = EVERY_AREA) -> Account:
    """An account; raises Invalid for a bad name or a password of fewer than 12 characters."""
    if not (1 <= len(name) <= 64 and name.isprintable() and name.strip() == name):
        raise Invalid("An account's name has 1 to 64 printable characters.", field="name", rule="name")
    if not MIN_PASSWORD <= len(password) <= MAX_CREDENTIAL:
        raise Invalid("A password has at least {least} characters.", field="password", rule="length",
                      least=MIN_PASSWORD)
    return Account(name, role, tenant, _HASHER.hash(password), areas)


def verify(password_hash: str, password: str) -> bool:
    """Whether the password fits the argon2id hash."""
    if len(password) > MAX_CREDENTIAL:
        return False
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def check_csrf(actor: Actor, given: str) -> None:
    """Raises Forbidden unless `given` is the session's own CSRF token."""
    if not hmac.compare_digest(actor.csrf.encode(), given.encode()):
        raise Forbidden("This form is out of date: reload the page and try again.", field="csrf", rule="csrf")


def check_origin(*, fetch_site: str, origin: str, expected: frozenset[str]) -> None:
    """Raises Forbidden where the browser says that another site has made this request."""
    if fetch_site and fetch_site not in ("same-origin", "none"):
        raise Forbidden("Another site may not do this in your name.", field="Origin", rule="same origin")
    if origin and origin not in expected:
        raise Forbidden("Another site may not do this in your name.", field="Origin", rule="same origin")


def digest(secret: str) -> str:
    """What is kept of a cookie or a token: its SHA-256, hex."""
    return hashlib.sha256(secret[:MAX_CREDENTIAL].encode()).hexdigest()


_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))  # verified for unknown names, so that they take as long as known ones
