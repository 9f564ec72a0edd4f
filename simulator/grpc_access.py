"""Who calls the imitated API, and what they may: users, admin keys, tenants' keys, read-only keys.

Rules: `chirpstack/src/api/auth/validator.rs`. As there, whoever may not do a thing is UNAUTHENTICATED, and so is a tenant's
key that asks for something that does not exist or is another's.
"""

from dataclasses import dataclass

from city.clock import Clock
from city.errors import NotFound, SignInNeeded
from city.settings import Secret
from simulator.registry import Registry
from simulator.tokens import USER_S, sign, verify

ADMIN_ID = "00000000-0000-4000-a000-000000000001"  # the user that the first start creates
ADMIN = PASSWORD = "admin"  # as ChirpStack's first start has it
SCHEME = "Bearer "
RIGHTS = "rights"  # the rule behind an UNAUTHENTICATED of which ChirpStack says no more


@dataclass(frozen=True, slots=True)
class Caller:
    """`user`: someone signed in; else an API key, or nobody where `anonymous`. `tenant_id` is a tenant key's."""

    anonymous: bool = False
    user: bool = False
    admin: bool = False
    tenant_id: str = ""
    read_only: bool = False

    def may(self, tenant_id: str | None, *, write: bool) -> None:
        """Raises SignInNeeded where the caller may not do that to a thing of this tenant (None: not to be found)."""
        if self.anonymous:
            raise SignInNeeded("No authorization was provided.")
        if write and self.read_only:
            raise _not_yours()
        if not self.admin and (tenant_id is None or tenant_id != self.tenant_id):
            raise _not_yours()

    def must_be_admin(self, *, write: bool) -> None:
        """Raises SignInNeeded for all but the server's administrators and their keys."""
        self.may(None, write=write)

    def must_be_user(self) -> None:
        """Raises SignInNeeded for API keys."""
        self.may(None, write=False)
        if not self.user:
            raise _not_yours()


NOBODY = Caller(anonymous=True)


class Gatekeeper:
    """Turns an authorization header into a caller."""

    def __init__(self, registry: Registry, secret: Secret, clock: Clock) -> None:
        self._registry, self._secret, self._clock = registry, secret, clock

    def caller(self, authorization: str | None) -> Caller:
        """Raises SignInNeeded on a token that does not hold."""
        if authorization is None:
            return NOBODY
        if not authorization.startswith(SCHEME):
            raise SignInNeeded("authorization must be “Bearer” and the token.")
        bearer = verify(self._secret, authorization.removeprefix(SCHEME), now_s=self._clock.now().timestamp())
        if bearer.kind == "user":
            if bearer.id != ADMIN_ID:
                raise _not_yours()
            return Caller(user=True, admin=True)
        key = self._registry.api_keys.find(bearer.id)
        if key is None:
            raise _not_yours()
        return Caller(admin=key.is_admin, tenant_id=key.tenant_id, read_only=key.is_read_only)

    def sign_in(self, name: str, password: str) -> str:
        """A user's token. Raises SignInNeeded."""
        if (name, password) != (ADMIN, PASSWORD):
            raise SignInNeeded("Invalid username or password")
        return sign(self._secret, "user", ADMIN_ID, expires_s=int(self._clock.now().timestamp()) + USER_S)

    def token_of(self, key_id: str) -> str:
        """The token of an API key."""
        return sign(self._secret, "key", key_id)


class Owners:
    """To which tenant things belong; None where they do not exist."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def of_application(self, key: str) -> str | None:
        """… an application."""
        found = self._registry.applications.find(key)
        return found.tenant_id if found else None

    def of_device(self, dev_eui: str) -> str | None:
        """… a device."""
        found = self._registry.devices.find(dev_eui)
        return self.of_application(found.application_id) if found else None

    def of_profile(self, key: str) -> str | None:
        """… a device profile; "" where it is everybody's."""
        found = self._registry.profiles.find(key)
        return found.tenant_id if found else None

    def of_gateway(self, key: str) -> str | None:
        """… a gateway."""
        found = self._registry.gateways.find(key)
        return found.tenant_id if found else None

    def of_group(self, key: str) -> str | None:
        """… a multicast group."""
        found = self._registry.groups.find(key)
        return self.of_application(found.application_id) if found else None

    def of_deployment(self, key: str) -> str | None:
        """… a firmware update."""
        found = self._registry.deployments.find(key)
        return self.of_application(found.application_id) if found else None


def known(tenant_id: str, registry: Registry) -> str:
    """A tenant that exists. Raises NotFound."""
    if tenant_id not in registry.tenants:
        raise NotFound("Object does not exist (id: {id})", id=tenant_id)
    return tenant_id


def _not_yours() -> SignInNeeded:
    return SignInNeeded("This token may not do that.", rule=RIGHTS)
