"""A channel as people fill it in, for the form and the API alike."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from city.alarms import Severity
from city.errors import Invalid
from city.ids import TenantId
from city.notices import Channel, Way, checked

_T = TypeVar("_T")
SEVERITY_NAMES = {one.name.lower(): one for one in Severity}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a channel; times as "HH:MM", "" for none."""

    name: str
    way: str = "mail"
    address: str = ""
    severity: str = "major"
    secret: str = ""
    language: str = "de"
    quiet_from: str = ""
    quiet_until: str = ""
    at_once: int = 10
    repeat_minutes: int = 0
    off: bool = False


def made(wanted: Wanted, tenant: TenantId, known: Channel | None, *, actor: str, now: datetime, private: bool) -> Channel:
    """The channel, new or changed; a new webhook without a secret gets one. Raises Invalid, naming the field."""
    way = _one_of(wanted.way, {one.value: one for one in Way}, "way")
    severity = _one_of(wanted.severity, SEVERITY_NAMES, "severity")
    if wanted.language not in ("de", "en"):
        raise Invalid("“{value}” is none of the possible values.", field="language", rule="de, en", value=wanted.language[:20])
    secret = wanted.secret or (known.secret if known is not None else "")
    if way is Way.WEBHOOK and not secret:
        secret = secrets.token_urlsafe(24)
    if not 0 <= wanted.repeat_minutes <= 10_080:
        raise Invalid("What stands is told again after 15 minutes to 7 days, or not at all.", field="repeat", rule="15…10080")
    channel = Channel(known.id if known is not None else str(uuid.uuid4()), tenant, wanted.name.strip(), way,
                      wanted.address.strip(), severity, secret if way is Way.WEBHOOK else "", wanted.language,
                      _quiet(wanted), wanted.at_once, timedelta(minutes=wanted.repeat_minutes), wanted.off, now, actor)
    return checked(channel if known is None else replace(channel, trial_at=known.trial_at), private=private)


def time_text(value: int) -> str:
    """Minutes after midnight as "HH:MM"."""
    return f"{value // 60:02}:{value % 60:02}"


def _quiet(wanted: Wanted) -> tuple[int, int] | None:
    if not wanted.quiet_from and not wanted.quiet_until:
        return None
    return _minute(wanted.quiet_from), _minute(wanted.quiet_until)


def _minute(text: str) -> int:
    hours, colon, rest = text.strip().partition(":")
    if not colon or not (hours.isdecimal() and rest.isdecimal() and len(hours) <= 2 and len(rest) == 2) \
            or int(hours) > 23 or int(rest) > 59:
        raise Invalid("Quiet hours are two times of the day.", field="quiet", rule="00:00…23:59")
    return int(hours) * 60 + int(rest)


def _one_of(text: str, values: Mapping[str, _T], field: str) -> _T:
    if text not in values:
        raise Invalid("“{value}” is none of the possible values.", field=field, rule=", ".join(values), value=text[:20])
    return values[text]
