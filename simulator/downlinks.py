"""ChirpStack's way down: commands as it reads them, its queue's items, and what a gateway may put on the air."""

import binascii
import re
import uuid
from base64 import b64decode
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from city.airtime import HOUR_S
from city.errors import MalformedEvent
from city.readings import NS, to_ns

BUDGET_G3_S, BUDGET_G1_S = 0.10 * HOUR_S, 0.01 * HOUR_S  # 869.4-869.65 MHz (RX2, class C); 868.0-868.6 (RX1)
WAITING_MOST = 32  # frames in a packet forwarder's queue
TOPIC = re.compile(r"application/([^/]+)/device/([0-9a-f]{16})/command/down\Z")
HOUR_NS = int(HOUR_S) * NS


@dataclass(frozen=True, slots=True)
class Order:
    """A `DownlinkCommand` as it was read; `id` is "" where ChirpStack is to choose one."""

    id: str
    dev_eui: str
    confirmed: bool
    f_port: int
    data: bytes
    expires_ns: int | None


@dataclass(slots=True)
class QueueItem:
    """An order in a device's queue; `pending_until_ns` is set while a confirmed one waits for its acknowledgement."""

    id: str
    order: Order
    f_cnt: int | None = None
    pending_until_ns: int | None = None


def read_command(data: bytes) -> Order:
    """The command in JSON, as pbjson reads it: camelCase or snake_case, numbers as strings too, standard or URL-safe
    base64 with or without padding, unknown fields ignored. Raises MalformedEvent."""
    try:
        tree = msgspec.json.decode(data)
        if not isinstance(tree, dict):
            raise ValueError("not an object")
        expires = _field(tree, "expiresAt")
        return Order(_queue_id(str(_field(tree, "id") or "")), str(_field(tree, "devEui") or ""),
                     _field(tree, "confirmed") is True, int(_field(tree, "fPort") or 0),
                     _bytes(str(_field(tree, "data") or "")), None if expires is None else _time(str(expires)))
    except (msgspec.DecodeError, ValueError, TypeError, binascii.Error) as error:
        raise MalformedEvent("This is no DownlinkCommand: {what}", what=str(error)) from error


class Transmitter:
    """One gateway's sender: one frame at a time, and at most its share of any hour in each band."""

    def __init__(self) -> None:
        self._bands = {BUDGET_G3_S: _Ledger(BUDGET_G3_S), BUDGET_G1_S: _Ledger(BUDGET_G1_S)}
        self._free_ns = 0
        self._waiting: deque[int] = deque()

    def send(self, now_ns: int, airtime_s: float, *, rx2: bool) -> tuple[str, int]:
        """("OK", when the frame will have been sent), or why it is refused, as the gateway says it, and `now_ns`."""
        while self._waiting and self._waiting[0] <= now_ns:
            self._waiting.popleft()
        if len(self._waiting) >= WAITING_MOST:
            return "QUEUE_FULL", now_ns
        if not self._bands[BUDGET_G3_S if rx2 else BUDGET_G1_S].spend(now_ns, airtime_s):
            return "DUTY_CYCLE_OVERFLOW", now_ns
        self._free_ns = max(self._free_ns, now_ns) + int(airtime_s * NS)
        self._waiting.append(self._free_ns)
        return "OK", self._free_ns

    def used_s(self, now_ns: int, *, rx2: bool = True) -> float:
        """Seconds on air in the RX2 band during the last hour; in that of RX1 otherwise."""
        return self._bands[BUDGET_G3_S if rx2 else BUDGET_G1_S].used(now_ns)


class _Ledger:
    """Seconds on air in a sliding hour."""

    def __init__(self, budget_s: float) -> None:
        self._budget_ns = int(budget_s * NS)
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    def spend(self, now_ns: int, airtime_s: float) -> bool:
        airtime = int(airtime_s * NS)
        self._forget(now_ns)
        if self._sum + airtime > self._budget_ns:
            return False
        self._spent.append((now_ns, airtime))
        self._sum += airtime
        return True

    def used(self, now_ns: int) -> float:
        self._forget(now_ns)
        return self._sum / NS

    def _forget(self, now_ns: int) -> None:
        while self._spent and self._spent[0][0] <= now_ns - HOUR_NS:
            self._sum -= self._spent.popleft()[1]


def _field(tree: Mapping[str, Any], camel: str) -> Any:  # noqa: ANN401 - whatever JSON can say
    snake = re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), camel)
    return tree.get(camel, tree.get(snake))


def _queue_id(text: str) -> str:
    return str(uuid.UUID(text)) if text else ""


def _bytes(text: str) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _time(text: str) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its offset")
    return to_ns(at)
