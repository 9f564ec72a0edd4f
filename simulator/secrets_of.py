"""The keys of simulated things: derived from the seed and a name, so that devices and servers agree without talking.

HKDF with SHA-256 (RFC 5869): salt is fixed, the input key is the seed, the info is what the key is for and whose it is.
These are keys of things that do not exist; a real device's keys come from its maker or from `firmware_config`.
"""

import hmac
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

KEY_BYTES = 16
NET_ID = 0  # of experimental networks: addresses begin with seven zero bits


@dataclass(frozen=True, slots=True)
class Keys:
    """A device's root keys, 16 bytes each: `app_key` is LoRaWAN 1.0.x's, `gen_app_key` the root of TS005's multicast."""

    app_key: bytes
    gen_app_key: bytes

    def __repr__(self) -> str:
        return "Keys(redacted)"


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """A class C group's address (8 hex digits) and session keys, 16 bytes each."""

    mc_addr: str
    nwk_s_key: bytes
    app_s_key: bytes

    def __repr__(self) -> str:
        return f"GroupKeys(mc_addr={self.mc_addr!r}, keys=redacted)"


def keys(seed: int, dev_eui: str) -> Keys:
    """The root keys of the device with this DevEUI (16 hex digits) in towns of this seed."""
    eui = dev_eui.lower()
    return Keys(_derive(seed, f"app_key/{eui}"), _derive(seed, f"gen_app_key/{eui}"))


def group_keys(seed: int, tenant: str, name: str) -> GroupKeys:
    """Address and keys of a tenant's multicast group; the address lies in NetID 0, beside those of devices."""
    address = int.from_bytes(_derive(seed, f"mc_addr/{tenant}/{name}")[:3], "big")
    return GroupKeys(f"{address:08x}", _derive(seed, f"mc_nwk_s_key/{tenant}/{name}"),
                     _derive(seed, f"mc_app_s_key/{tenant}/{name}"))


def _derive(seed: int, info: str) -> bytes:
    return hmac.digest(_extracted(seed), info.encode() + b"\x01", "sha256")[:KEY_BYTES]


@lru_cache(maxsize=16)
def _extracted(seed: int) -> bytes:
    return hmac.digest(b"stadtfunk simulator 1", str(seed).encode(), sha256)
