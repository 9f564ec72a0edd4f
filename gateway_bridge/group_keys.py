"""The keys of multicast groups, derived from one secret of the platform: never kept, filled in where a frame is encoded.

HKDF-SHA-256 (RFC 5869), with town, group and generation as context: a new generation is another address and other keys, so
that whoever had the old ones hears nothing any more.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import structs

from city.errors import Invalid
from city.ids import TenantId
from city.orders import MulticastGroup
from city.settings import Secret
from decoders.codec import Codec

SHORTEST = 32  # characters of the secret
_SALT = b"stadtfunk multicast groups"


@dataclass(frozen=True, slots=True)
class Keys:
    """Address (8 hex digits) and session keys (32 hex digits) of one group."""

    dev_addr: str
    nwk_s_key: str = field(repr=False)
    app_s_key: str = field(repr=False)


class Keyring:
    """Derives keys. Raises Invalid for a secret that is too short."""

    def __init__(self, secret: Secret) -> None:
        if len(secret.reveal()) < SHORTEST:
            raise Invalid("The secret of multicast groups has {least} characters or more.", field="chirpstack.group_secret",
                          rule=f"≥ {SHORTEST}", least=SHORTEST)
        self._secret = secret

    def of(self, tenant: TenantId, group: str, generation: int) -> Keys:
        """Always the same for the same group and generation."""
        info = f"{tenant}\0{group}\0{generation}".encode()
        made = HKDF(algorithm=SHA256(), length=35, salt=_SALT, info=info).derive(self._secret.reveal().encode())
        return Keys("01" + made[:3].hex(), made[3:19].hex(), made[19:].hex())  # 01…: in the range of private networks


def keyless(codec: Codec, slot: int, keys: Keys) -> MulticastGroup:
    """The order as it is kept: without keys, but with what the device will repeat of it. Raises Unsupported for a model that
    knows no groups."""
    order = MulticastGroup(slot, keys.dev_addr, keys.nwk_s_key, keys.app_s_key)
    return MulticastGroup(slot, keys.dev_addr, echo=codec.echo(codec.encode_downlink(order)))


def with_keys(order: MulticastGroup, keys: Keys) -> MulticastGroup:
    """The order as it is encoded. Raises Invalid where the group has other keys by now."""
    if order.dev_addr != keys.dev_addr:
        raise Invalid("The group has other keys by now.", field="dev_addr", rule="generation")
    return structs.replace(order, nwk_s_key=keys.nwk_s_key, app_s_key=keys.app_s_key, echo="")
