"""What may go wrong in a scenario, and when: the `[[fault]]` tables.

Every fault has a `kind`, a time `at` which it begins and a time `for` which it lasts (without: until the end). `at` is
"+10 min" after the start, "22:15" (the next time that the town's clocks show it) or "2026-11-21T18:00" by the town's
clocks. What a fault acts upon is named by zone, circuit, gateway, model, and a share, which the seed draws.
"""

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

PERIOD = r"\d{1,6}(\.\d+)? ?(s|min|h|d)"
Period = Annotated[str, Meta(pattern=rf"^({PERIOD}( {PERIOD})*)?$", max_length=40)]
When = Annotated[str, Meta(pattern=rf"^(\+{PERIOD}( {PERIOD})*|\d{{2}}:\d{{2}}|\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}})$",
                           max_length=40)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(max_length=64)]
Needed = Annotated[str, Meta(min_length=1, max_length=64)]
Point = tuple[Annotated[float, Meta(ge=-50_000, le=50_000)], Annotated[float, Meta(ge=-50_000, le=50_000)]]
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h|d)")


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind",
            rename={"lasts": "for"}):
    """What all faults have. `town` names the one it happens to, in a file of several; without, it happens to all."""

    at: When
    lasts: Period = ""
    town: Name = ""


class _OnDevices(Fault, frozen=True, kw_only=True):
    """On devices: those of a zone, a circuit, a model, of lamps or bays, and of these a share."""

    zone: Name = ""
    circuit: Name = ""
    model: Name = ""
    asset: Literal["", "lamp", "bay"] = ""
    share: Share = 1.0


class _OnMessages(_OnDevices, frozen=True, kw_only=True):
    """On the messages of devices; `share` is of messages."""


class GatewayDown(Fault, frozen=True, kw_only=True, tag="gateway-down"):
    """A gateway hears and sends nothing; `gateway` is its id or its name."""

    gateway: Needed


class CabinetOutage(Fault, frozen=True, kw_only=True, tag="cabinet-outage"):
    """A circuit's power is gone; when it returns its lamps join again, all at once."""

    circuit: Needed


class BrokerLoss(Fault, frozen=True, kw_only=True, tag="broker-loss"):
    """The broker gets nothing; afterwards all at once, or nothing of that time if the server does not keep it."""

    keeps: bool = True


class JoinStorm(_OnDevices, frozen=True, kw_only=True, tag="join-storm"):
    """Devices join again, spread over `within`."""

    within: Period = "30 s"


class FirmwareBug(_OnDevices, frozen=True, kw_only=True, tag="firmware-bug"):
    """Devices restart with a new firmware, one after the other `over` that time, and from then on their frames are
    truncated or garbage, they do the opposite of a dimming order, or hear no order. With a `version` they still say
    rightly which firmware they have: this one."""

    does: Literal["truncates", "garbage", "obeys-wrongly", "deaf"] = "truncates"
    over: Period = "5 min"
    version: Annotated[str, Meta(pattern=r"^(\d{1,2}\.\d{1,2}(\.\d{1,2})?)?$")] = ""


class Jammer(Fault, frozen=True, kw_only=True, tag="jammer"):
    """A transmitter at `place` (metres east and north) that is on for a share of the time."""

    place: Point = (0.0, 0.0)
    power_dbm: Annotated[float, Meta(ge=-30, le=50)] = 20.0
    busy: Share = 1.0


class Weather(Fault, frozen=True, kw_only=True, tag="weather"):
    """The radio is worse: a share of frames lost for reasons of its own, attenuation, noise."""

    loss: Share = 0.0
    attenuation_db: Annotated[float, Meta(ge=0, le=60)] = 0.0
    noise_db: Annotated[float, Meta(ge=0, le=60)] = 0.0


class ClockStep(_OnDevices, frozen=True, kw_only=True, tag="clock-step"):
    """A clock is wrong by `seconds`: the server's, that of gateways (or of one), or those of devices."""

    of: Literal["gateway", "server", "device"]
    seconds: Annotated[int, Meta(ge=-10_000_000, le=10_000_000)]
    gateway: Name = ""


class GpsTime(Fault, frozen=True, kw_only=True, tag="gps-time"):
    """A gateway's satellite time is wrong: the server believes it, unchecked."""

    gateway: Needed
    seconds: Annotated[int, Meta(ge=-10_000_000, le=10_000_000)] = 1800


class Duplicates(_OnMessages, frozen=True, kw_only=True, tag="duplicates"):
    """Messages are delivered twice."""


class Reordered(_OnMessages, frozen=True, kw_only=True, tag="reordered"):
    """Messages are overtaken by up to `by` others."""

    by: Annotated[int, Meta(ge=1, le=10_000)] = 20


class Burst(_OnDevices, frozen=True, kw_only=True, tag="burst"):
    """The messages of devices are held, and come all at once at the end."""


class BrokenMessages(_OnMessages, frozen=True, kw_only=True, tag="broken-messages"):
    """Fragments of messages come beside them."""


class Strangers(_OnMessages, frozen=True, kw_only=True, tag="strangers"):
    """Copies of messages come from devices that nobody knows."""


class CodecGarbage(_OnMessages, frozen=True, kw_only=True, tag="codec-garbage"):
    """The network server's own codec is broken: `object` has nonsense in it (JSON only)."""


class DeviceFault(_OnDevices, frozen=True, kw_only=True, tag="device-fault"):
    """Devices have a fault of their own, by the names that the models of lamps and bays know; repaired at the end."""

    fault: Needed


class Rush(Fault, frozen=True, kw_only=True, tag="rush"):
    """`factor` times as many cars come as usual, to a parking zone or to all."""

    zone: Name = ""
    factor: Annotated[float, Meta(ge=0, le=100)] = 3.0


AnyFault = (GatewayDown | CabinetOutage | BrokerLoss | JoinStorm | FirmwareBug | Jammer | Weather | ClockStep | GpsTime
            | Duplicates | Reordered | Burst | BrokenMessages | Strangers | CodecGarbage | DeviceFault | Rush)


def seconds(period: str) -> float:
    """A period like "1 h 30 min" in seconds; 0 for ""."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(period))


def begins(at: str, start: datetime, timezone: str) -> datetime:
    """When that is in a run that starts at `start` (aware, UTC): a date may be past, a time of the day is the next one."""
    if at.startswith("+"):
        return start + timedelta(seconds=seconds(at))
    zone = ZoneInfo(timezone)
    if "T" in at:
        return datetime.fromisoformat(at).replace(tzinfo=zone).astimezone(start.tzinfo)
    day = start.astimezone(zone).date()
    today, tomorrow = (datetime.combine(day + timedelta(days=days), time.fromisoformat(at), zone).astimezone(start.tzinfo)
                       for days in (0, 1))
    return today if today >= start else tomorrow
