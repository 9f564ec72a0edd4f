"""What becomes of a message where the network server's clock is wrong or its codec broken.

Which time an event bears is ChirpStack's rule: a first reception with satellite time wins unchecked; else the gateway's,
if it is within 30 s of the server's; else the server's (4.13, `rx_timestamp_max_drift`).
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from chirpstack_api import integration

MOST_DRIFT_S = 30
_EVENTS: dict[str, Any] = {
    "up": integration.UplinkEvent, "join": integration.JoinEvent, "ack": integration.AckEvent, "txack": integration.TxAckEvent,
    "status": integration.StatusEvent, "log": integration.LogEvent, "location": integration.LocationEvent}
_NONSENSE: tuple[object, ...] = (
    None, -1, 1e308, "", "NaN", "\u0000", "𝔅" * 40, [], [[[[]]]], {"level": {"value": "seventy"}}, True, 2**53 + 1, "\ud7ff")
_NAMES = ("level", "power_w", "occupied", "battery", "time", "", "__proto__", "data", "a.b", "ä" * 30, "object")


class ServerClock:
    """The server's clock is `seconds` wrong (early, if negative)."""

    def __init__(self, seconds: int, *, protobuf: bool) -> None:
        self._seconds, self._rewrite = seconds, self._protobuf if protobuf else self._json

    def __call__(self, topic: str, payload: bytes) -> bytes:
        """The payload with the times that the server wrote."""
        return self._rewrite(topic, payload)

    def _json(self, _topic: str, payload: bytes) -> bytes:
        said = json.loads(payload)
        heard = said.get("rxInfo", [])
        if self._says([("timeSinceGpsEpoch" in heard[0], "gwTime" in heard[0])] if heard else []):
            said["time"] = self._moved(said["time"])
        for one in heard:
            if "nsTime" in one:
                one["nsTime"] = self._moved(one["nsTime"])
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()

    def _protobuf(self, topic: str, payload: bytes) -> bytes:
        kind = _EVENTS.get(topic.rsplit("/", 1)[-1])
        if kind is None:
            return payload
        said = kind.FromString(payload)
        heard = getattr(said, "rx_info", ())
        if self._says([(heard[0].HasField("time_since_gps_epoch"), heard[0].HasField("gw_time"))] if heard else []):
            said.time.seconds += self._seconds
        for one in heard:
            if one.HasField("ns_time"):
                one.ns_time.seconds += self._seconds
        return bytes(said.SerializeToString())

    def _says(self, first: Iterable[tuple[bool, bool]]) -> bool:
        """Whether the event's time is the server's; `first` is what its first reception has: satellite time, any time."""
        for by_satellite, dated in first:
            return not by_satellite and (not dated or abs(self._seconds) > MOST_DRIFT_S)
        return True

    def _moved(self, at: str) -> str:
        """An RFC 3339 time, moved; its digits below the second stay."""
        second, dot, rest = at.removesuffix("+00:00").partition(".")
        moved = datetime.fromisoformat(second) + timedelta(seconds=self._seconds)
        return f"{moved:%Y-%m-%dT%H:%M:%S}{dot}{rest}+00:00"


class BrokenCodec:
    """The server's own codec answers nonsense: uplinks in JSON get an `object` that means nothing."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def __call__(self, topic: str, payload: bytes) -> bytes:
        """The payload with an `object`; as it is, where it is no uplink in JSON."""
        if not topic.endswith("/up") or not payload.startswith(b"{"):
            return payload
        said = json.loads(payload)
        names = self._rng.sample(_NAMES, self._rng.randint(1, 4))
        said["object"] = {name: self._rng.choice(_NONSENSE) for name in names}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
