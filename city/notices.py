"""Whom to tell what of incidents, and when: from a channel's severity, quiet hours and patience. Pure.

A message tells of one incident, or is a digest of many: never more than a channel's few at once in an hour, so that a storm
of incidents is one letter. In quiet hours only what is critical is told; the rest waits for their end. What stands
unacknowledged is told again after the channel's time, at most three times.
"""

import hashlib
import hmac
import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import SplitResult, urlsplit

from city.alarms import Severity
from city.errors import Invalid
from city.ids import TenantId
from city.incidents import Act, Cause, Deed, Incident, closed
from city.nights import BERLIN

RECENT = timedelta(hours=1)
PATIENCE = timedelta(minutes=2)  # what else belongs to it shows by then
DIGEST_EVERY = timedelta(hours=1)
MOST_REPEATS = 3
MOST_IN_DIGEST = 50
RETRIES = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 7200, 21_600))
OLDEST = timedelta(days=2)  # an incident that began earlier is no news
MOST_CHANNELS, MOST_NAME, LEAST_SECRET = 20, 80, 16
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class Way(Enum):
    """How a channel is reached."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Sent(Enum):
    """What has become of a message."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class About(Enum):
    """Why a message is written."""

    BEGAN = "began"
    GRAVER = "graver"
    AGAIN = "again"
    ENDED = "ended"
    DIGEST = "digest"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Channel:
    """Whom to tell: from `severity` on, outside local hours `quiet` (minutes after midnight, may pass it), at most `at_once`
    single messages an hour. `repeat`: zero for never again. `secret` signs webhooks and is never shown."""

    id: str
    tenant: TenantId
    name: str
    way: Way
    address: str
    severity: Severity = Severity.MAJOR
    secret: str = field(default="", repr=False)
    language: str = "de"
    quiet: tuple[int, int] | None = None
    at_once: int = 10
    repeat: timedelta = timedelta(0)
    off: bool = False
    changed_at: datetime | None = None
    changed_by: str = ""
    trial_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel. `incidents`: what it tells of, with the severity it had then."""

    id: str
    tenant: TenantId
    channel: str
    about: About
    at: datetime
    incidents: tuple[tuple[str, Severity], ...]
    state: Sent = Sent.WAITING
    attempts: int = 0
    next_at: datetime | None = None
    note: str = ""

    @property
    def live(self) -> bool:
        return self.state is Sent.WAITING


def tell(channel: Channel, incidents: Iterable[Incident], acts: Mapping[str, Sequence[Act]],
         before: Iterable[Delivery], now: datetime) -> tuple[Delivery, ...]:
    """The messages that are to be written now. `before`: what this channel was told in the last days."""
    if channel.off:
        return ()
    told = _Told(item for item in before if item.channel == channel.id)
    wanted = [(one, why) for one in incidents if (why := _why(channel, one, acts.get(one.id, ()), told, now)) is not None]
    if is_quiet(channel, now):
        wanted = [(one, why) for one, why in wanted if one.severity is Severity.CRITICAL and why is not About.ENDED]
    if not wanted:
        return ()
    room = channel.at_once - told.singles_since(now - RECENT)
    if len(wanted) <= max(room, 0):
        return tuple(_delivery(channel, why, [one], now) for one, why in wanted)
    if told.digest_at is not None and now - told.digest_at < DIGEST_EVERY:
        return ()
    gravest = sorted((one for one, _ in wanted), key=lambda one: (-one.severity, one.began_at, one.id))
    return (_delivery(channel, About.DIGEST, gravest, now),)


def is_quiet(channel: Channel, now: datetime) -> bool:
    """Whether the channel's quiet hours are now."""
    if channel.quiet is None:
        return False
    local = now.astimezone(BERLIN)
    minute, (begin, end) = local.hour * 60 + local.minute, channel.quiet
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


def after_attempt(item: Delivery, now: datetime, *, error: str = "") -> Delivery:
    """The message after it was sent, or could not be: then it is tried again ever more slowly, and given up in the end."""
    attempts = item.attempts + 1
    if not error:
        return _changed(item, Sent.DONE, attempts, None, "")
    if attempts > len(RETRIES):
        return _changed(item, Sent.FAILED, attempts, None, error)
    return _changed(item, Sent.WAITING, attempts, now + RETRIES[attempts - 1], error)


def dropped(item: Delivery, why: str) -> Delivery:
    """The message, which nobody is to be told any more."""
    return _changed(item, Sent.FAILED, item.attempts, None, why)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """What proves to the receiver of a webhook who wrote it and when: HMAC-SHA256 over "timestamp.body", as hex."""
    return hmac.new(secret.encode(), str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()


def trial(channel: Channel, before: Iterable[Delivery], now: datetime) -> Delivery | None:
    """A message that tells of nothing, to see whether the channel works, where somebody has asked for one since the last."""
    asked = channel.trial_at
    if asked is None or now - asked > RECENT:
        return None
    done = any(item.channel == channel.id and item.about is About.TRIAL and item.at >= asked for item in before)
    return None if done else _delivery(channel, About.TRIAL, [], now)


def checked_url(url: str, *, private: bool = False) -> SplitResult:
    """The address of a webhook; raises Invalid for one that is none, has credentials in it, or is not https. `private`: the
    operator lets webhooks go into the own network, plain http included."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    schemes = ("https", "http") if private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or parts.username is not None or not url.isprintable() or " " in url \
            or len(url) > 500 or port == 0:
        raise Invalid("A webhook's address is https://host/path, without a name and password.", field="address", rule="https")
    return parts


def checked(channel: Channel, *, private: bool = False) -> Channel:
    """The channel, if it can be used. Raises Invalid, naming field and rule."""
    if not 1 <= len(channel.name) <= MOST_NAME or not channel.name.isprintable():
        raise Invalid("A channel needs a name of at most {most} characters.", field="name", rule="name", most=MOST_NAME)
    if channel.way is Way.WEBHOOK:
        checked_url(channel.address, private=private)
    elif not _MAIL.fullmatch(channel.address) or len(channel.address) > 254:
        raise Invalid("“{value}” is no mail address.", field="address", rule="mail", value=channel.address[:80])
    if channel.secret and not LEAST_SECRET <= len(channel.secret) <= 200:
        raise Invalid("A secret has {least} to 200 characters.", field="secret", rule=f"≥ {LEAST_SECRET}", least=LEAST_SECRET)
    if channel.quiet is not None and not all(0 <= minute < 24 * 60 for minute in channel.quiet):
        raise Invalid("Quiet hours are two times of the day.", field="quiet", rule="00:00…23:59")
    if not 1 <= channel.at_once <= 100:
        raise Invalid("A channel takes 1 to 100 single messages an hour.", field="at_once", rule="1…100")
    if channel.repeat and not timedelta(minutes=15) <= channel.repeat <= timedelta(days=7):
        raise Invalid("What stands is told again after 15 minutes to 7 days, or not at all.", field="repeat", rule="15…10080")
    return channel


class _Told:
    """What a channel has been told."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        self.digest_at: datetime | None = None
        self._singles: list[datetime] = []
        self._of: dict[str, list[tuple[datetime, About, Severity]]] = {}
        for item in sorted(deliveries, key=lambda one: one.at):
            if item.about is About.DIGEST:
                self.digest_at = item.at
            elif item.about is not About.TRIAL:
                self._singles.append(item.at)
            for name, severity in item.incidents:
                self._of.setdefault(name, []).append((item.at, item.about, severity))

    def of(self, id: str) -> Sequence[tuple[datetime, About, Severity]]:
        return self._of.get(id, ())

    def singles_since(self, at: datetime) -> int:
        return sum(one > at for one in self._singles)


def _why(channel: Channel, one: Incident, acts: Collection[Act], told: _Told, now: datetime) -> About | None:
    """Why the channel is to hear of the incident now; None where it is not."""
    before = told.of(one.id)
    if one.merged or one.severity < channel.severity:
        return None
    if not before:
        fresh = one.standing and not closed(one, acts) and now - one.began_at <= OLDEST
        patient = one.severity is Severity.CRITICAL and one.cause is not Cause.ASSET
        return About.BEGAN if fresh and (patient or now - one.began_at >= PATIENCE) else None
    last_at, last, severity = before[-1]
    if not one.standing:
        return None if last is About.ENDED else About.ENDED
    if last is About.ENDED:
        return About.AGAIN if one.returned_at is not None and one.returned_at > last_at else None
    if one.severity > severity:
        return About.GRAVER
    unseen = not any(act.deed in (Deed.ACKNOWLEDGE, Deed.CLOSE) for act in acts)
    repeats = sum(about is About.AGAIN for _, about, _ in before)
    if channel.repeat and unseen and repeats < MOST_REPEATS and now - last_at >= channel.repeat:
        return About.AGAIN
    return None


def _delivery(channel: Channel, about: About, incidents: Sequence[Incident], now: datetime) -> Delivery:
    named = tuple((one.id, one.severity) for one in incidents)
    name = f"{channel.tenant}|{channel.id}|{about.value}|{now.isoformat()}|{','.join(one for one, _ in named)}"
    return Delivery(str(uuid.uuid5(_NAMESPACE, name)), channel.tenant, channel.id, about, now, named)


def _changed(item: Delivery, state: Sent, attempts: int, next_at: datetime | None, note: str) -> Delivery:
    return Delivery(item.id, item.tenant, item.channel, item.about, item.at, item.incidents, state, attempts, next_at,
                    note[:200])


_NAMESPACE = uuid.UUID("b0a9d6a4-6a57-4a07-8f53-6d7d5b8a1c11")
