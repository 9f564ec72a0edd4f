"""Who may join, and what a session is: ChirpStack's answers to join-requests, counters and activations."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Literal

from city.airtime import OVERHEAD, time_on_air
from city.errors import NotFound
from city.readings import NS
from simulator.device_queue import DeviceQueues
from simulator.events import Log, Up
from simulator.lorawan import JoinAccept, session_of
from simulator.provisioned import Registered
from simulator.registry import Registry
from simulator.secrets_of import NET_ID, keys
from simulator.station import Station, class_of

JOIN_BYTES = 23  # a join-request
DUTY = ((3600, 0.01), (11 * 3600, 0.001), (None, 0.0001))  # LoRaWAN 1.0.4 §7: share of time for joins, by age
RETRY_LEAST_S = 20.0


class Sessions:
    """Sessions as the server keeps them. `seed` is the town's: what its devices' own keys are derived from."""

    def __init__(self, registry: Registry, stations: Mapping[str, Station], queues: DeviceQueues, *, seed: int) -> None:
        self._registry, self._stations, self._queues, self._seed = registry, stations, queues, seed
        self._activated: dict[str, tuple[str, str]] = {}  # network and application session key, in hex, of the API's

    def verdict(self, station: Station, now_ns: int, new_id: Callable[[], str]) -> Literal["accepted"] | Log | None:
        """What the server makes of a join-request: it accepts, says why not, or says nothing (an unknown device)."""
        device = self._registry.devices.find(station.dev_eui)
        if device is None or device.is_disabled or (device.keys is None and device.key_seed is None):
            return None
        if station.bad_key or not self._fits(device):
            return Log(now_ns, "ERROR", "UPLINK_MIC", "MIC of join-request is invalid, make sure keys are correct",
                       {"deduplication_id": new_id()})
        if station.nonce < device.next_nonce:
            return Log(now_ns, "ERROR", "OTAA", "DevNonce has already been used",
                       {"deduplication_id": new_id(), "join_eui": device.join_eui, "dev_nonce": str(station.nonce)})
        device.next_nonce = station.nonce + 1
        self._activated.pop(device.dev_eui, None)
        return "accepted"

    def counts_freely(self, station: Station) -> bool:
        """Whether the server does not check this device's uplink counter."""
        return self._registry.devices.get(station.dev_eui).skip_fcnt_check

    def flush_nonces(self, dev_eui: str) -> None:
        """Any DevNonce is good again. Raises NotFound."""
        self._registry.devices.get(dev_eui).next_nonce = 0

    def activate(self, dev_eui: str, dev_addr: str, keys_hex: tuple[str, str], f_cnt_up: int, f_cnt_down: int) -> None:
        """A session by hand (ABP). Raises NotFound."""
        device, station = self._registry.devices.get(dev_eui), self._stations[dev_eui]
        profile = self._registry.profiles.get(device.device_profile_id)
        if profile.flush_queue_on_activate:
            self._queues.flush(station, pending=True)
        self._activated[dev_eui] = keys_hex
        station.server_addr, station.f_cnt_down, station.heard_f_cnt = dev_addr, f_cnt_down, f_cnt_up - 1
        station.family = station.family.of_class(class_of(profile))

    def deactivate(self, dev_eui: str) -> None:
        """No session any more, and nothing in the queue. Raises NotFound."""
        self._registry.devices.get(dev_eui)
        self._queues.flush(self._stations[dev_eui], pending=True)
        self._stations[dev_eui].forget_session()

    def keys_of(self, dev_eui: str) -> tuple[str, str]:
        """The session's network and application key in hex: those of `activate`, or those that the join gave. Raises
        NotFound where there is no session."""
        station = self._stations.get(dev_eui)
        if station is None or not station.server_addr:
            raise NotFound("Object does not exist (id: {id})", id=dev_eui)
        if dev_eui in self._activated:
            return self._activated[dev_eui]
        nonce = station.nonce - 1 & 0xFFFF
        session = session_of(keys(self._seed, dev_eui).app_key,
                             JoinAccept(station.nonce & 0xFF_FFFF, NET_ID, int(station.server_addr, 16)), nonce)
        return session.nwk_s_key.hex(), session.app_s_key.hex()

    def _fits(self, device: Registered) -> bool:
        """Whether the server has the key that the device has."""
        if device.keys is None:
            return device.key_seed == self._seed
        return device.keys.nwk_key == keys(self._seed, device.dev_eui).app_key


def not_new(up: Up, heard_f_cnt: int, now_ns: int) -> Log:
    """What ChirpStack says of an uplink whose counter did not rise."""
    code, text = ("UPLINK_F_CNT_RETRANSMISSION", "Uplink was flagged as re-transmission / frame-counter did not increment") \
        if up.f_cnt == heard_f_cnt else ("UPLINK_F_CNT_RESET", "Frame-counter reset or rollover detected")
    return Log(now_ns, "WARNING", code, text, {"deduplication_id": up.id, "f_cnt_up": str(up.f_cnt)})


def retry_s(station: Station, now_ns: int, rng: Random) -> float:
    """Seconds until a device asks to join again: its share of time on air shrinks the longer it is not answered."""
    if not station.trying_since_ns:
        station.trying_since_ns = now_ns
    age = (now_ns - station.trying_since_ns) / NS
    share = next(share for most, share in DUTY if most is None or age < most)
    airtime = time_on_air(JOIN_BYTES - OVERHEAD, 12 - station.link.dr, crc=True)
    return max(RETRY_LEAST_S, airtime / share) * rng.uniform(0.8, 1.2)
