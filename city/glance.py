"""As much of a town's facts as its figures (city.figures) are made of, light enough to be looked at every minute. No person's
name is in it but an override's, and that goes no further."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from city.alarms import Alarm
from city.commands import State
from city.ids import AssetId, CommandId, DevEui
from city.incidents import Act, Incident
from city.lighting import Override

PROGRAMMING = ("program", "calendar", "assign calendar", "remove program", "remove calendar")  # actions of the audit


class Heard(msgspec.Struct, frozen=True, gc=False):
    """When a device was last heard (ns since 1970), and the level (per cent) that it then or before said to burn at, and when;
    None where it has said none."""

    device: DevEui
    at_ns: int
    level: float | None = None
    level_ns: int = 0


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """A command as it is now, without what it says."""

    id: CommandId
    asset: AssetId
    origin: str
    state: State
    created_at: datetime
    changed_at: datetime


class Programmed(msgspec.Struct, frozen=True, gc=False):
    """What somebody asked for of the town's programs: a line of the audit without its actor. `action` is one of PROGRAMMING."""

    at: datetime
    action: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class Glance:
    """What has changed in a town since an earlier look, as of `revision` and line `seq` of the audit. Acts bear neither actor
    nor text."""

    revision: int
    seq: int
    heard: Sequence[Heard] = ()
    orders: Sequence[Ordered] = ()
    alarms: Sequence[Alarm] = ()
    overrides: Sequence[Override] = ()
    incidents: Sequence[Incident] = ()
    acts: Sequence[Act] = ()
    programmed: Sequence[Programmed] = ()
