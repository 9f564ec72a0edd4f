"""What is pushed to a ParkAPI (generic source), and what its answers mean. Pure.

ParkAPI keeps all of a site from each push, its numbers too, so every push of a site carries everything. A zone whose numbers may
not be told is withheld: where ParkAPI shows numbers of it they are taken back once, and then nothing is sent of it but its
description, when that changes and once a night. A site is sent with the time of its evaluation and only where that is another
than before, so that a bridge that finds out nothing refreshes nothing, and ParkAPI forgets the numbers after 30 minutes by
itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from city.errors import Invalid
from city.exports.parkapi import Item
from city.nights import BERLIN
from city.notices import checked_url
from city.settings import Parkapi, Secret

MOST_EVERY, LEAST_EVERY = timedelta(minutes=5), timedelta(seconds=30)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=4)
HELPLESS_PAUSE = timedelta(minutes=15)  # after what only a person can mend
NIGHT = timedelta(hours=1)  # descriptions are told anew after one at night
AT_ONCE = 200  # sites in one request
MOST_SAID = 200  # characters of what ParkAPI answers that are repeated
REALTIME = ("realtime_data_updated_at", "realtime_opening_status", "realtime_capacity", "realtime_free_capacity")


@dataclass(frozen=True, slots=True)
class Target:
    """A town, and the source as which it pushes."""

    town: str
    source: str
    password: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What ParkAPI has taken of a site: digests of all of it and of its description, whether with numbers, on which day."""

    whole: str = ""
    description: str = ""
    numbers: bool = True
    day: date = date.min


@dataclass(frozen=True, slots=True)
class Feed:
    """What is remembered of a town's pushes. `trouble`: why the last one failed; `refused`: sites that ParkAPI did not take, and
    why; `pushed_at`: the last that it took."""

    sent: Mapping[str, Sent] = field(default_factory=dict)
    next_at: datetime | None = None
    failures: int = 0
    trouble: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    pushed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means. `helpless`: trying again soon changes nothing."""

    trouble: str = ""
    helpless: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)


def targets(settings: Parkapi) -> list[Target]:
    """Who pushes; nobody where there is no address. Raises Invalid, naming the setting, for what cannot be used."""
    if not settings.url:
        return []
    try:
        checked_url(settings.url, private=settings.allow_private)
    except Invalid as error:
        raise Invalid("The address of the ParkAPI is https://host/path, without a name and password.", field="parkapi.url",
                      rule="https") from error
    passwords = _pairs(settings.passwords.reveal(), "parkapi.passwords")
    found = [Target(town, source, Secret(passwords.get(source, "")))
             for town, source in _pairs(settings.sources, "parkapi.sources").items()]
    if missing := next((one.source for one in found if not one.password), None):
        raise Invalid("There is no password for the ParkAPI source “{source}”.", field="parkapi.passwords",
                      rule="one for each source", source=missing[:64])
    if twice := next((one.source for one in found if [other.source for other in found].count(one.source) > 1), None):
        raise Invalid("The ParkAPI source “{source}” belongs to one town only.", field="parkapi.sources", rule="once",
                      source=twice[:64])
    return found


def every(settings: Parkapi) -> timedelta:
    """The time from one push to the next: what is set, 30 seconds to 5 minutes."""
    return min(max(timedelta(seconds=settings.every_s), LEAST_EVERY), MOST_EVERY)


def due(items: Iterable[Item], feed: Feed, now: datetime) -> tuple[list[Item], list[str]]:
    """Which sites to send, and the names of those to remove, because everybody may know them no more."""
    items = list(items)
    sending = [item for item in items if _news(item, feed.sent.get(item["uid"]), now)]
    return sending, sorted(set(feed.sent) - {item["uid"] for item in items})


def known(feed: Feed, uids: Iterable[str]) -> Feed:
    """The feed, knowing that ParkAPI has these sites from an earlier process."""
    return replace(feed, sent={**{uid: Sent() for uid in uids}, **feed.sent})


def taken(feed: Feed, items: Sequence[Item], removed: Collection[str], refused: Mapping[str, str], now: datetime) -> Feed:
    """The feed after ParkAPI has taken these sites, but for the refused ones, and forgotten the removed ones."""
    kept = {uid: sent for uid, sent in feed.sent.items() if uid not in removed}
    kept |= {item["uid"]: _sent(item, now) for item in items if item["uid"] not in refused}
    stood = {uid: why for uid, why in feed.refused.items() if uid not in {item["uid"] for item in items}}
    return replace(feed, sent=kept, refused={**stood, **refused}, pushed_at=now)


def rested(feed: Feed, now: datetime, pause: timedelta) -> Feed:
    """The feed after a push that went well; the next one is then."""
    return replace(feed, next_at=now + pause, failures=0, trouble="")


def failed(feed: Feed, verdict: Verdict, now: datetime) -> Feed:
    """The feed after one that did not: soon again, then ever more slowly; slowly at once where only a person can help."""
    pause = HELPLESS_PAUSE if verdict.helpless else min(FIRST_PAUSE * 2 ** min(feed.failures, 10), LONGEST_PAUSE)
    return replace(feed, next_at=now + pause, failures=feed.failures + 1, trouble=verdict.trouble)


def judged(status: int, body: bytes) -> Verdict:
    """What ParkAPI's answer to a list of sites means: park-api-v3, webapp/admin_rest_api/parking_sites, webapp/common/rest."""
    said = _decoded(body)
    if 200 <= status < 300:
        errors = said.get("errors")
        found = errors if isinstance(errors, list) else []
        return Verdict(refused={_short(one.get("parking_site_uid")): _faults(one.get("data")) or _short(one.get("message"))
                                for one in found if isinstance(one, dict)})
    if status in (401, 403):
        return Verdict("ParkAPI does not accept the source or its password.", helpless=True)
    error = said.get("error")
    words = _short(error.get("message")) if isinstance(error, dict) else ""
    faults = _faults(error.get("data")) if isinstance(error, dict) else ""
    text = " ".join(part for part in (f"ParkAPI answered {status}.", words, faults) if part)
    return Verdict(text, helpless=400 <= status < 500 and status not in (408, 425, 429))


def listed_uids(body: bytes, town: str) -> list[str]:
    """The town's own sites among those that ParkAPI lists of a source: others may push to the same."""
    items = _decoded(body).get("items")
    found = [one.get("original_uid") for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    return [uid for uid in found if isinstance(uid, str) and uid.startswith(f"{town}-") and len(uid) <= 256]


def _news(item: Item, before: Sent | None, now: datetime) -> bool:
    is_now = _sent(item, now)
    if before is None or before.description != is_now.description or before.day != is_now.day:
        return True
    return before.whole != is_now.whole if is_now.numbers else before.numbers


def _sent(item: Item, now: datetime) -> Sent:
    plain = {name: value for name, value in item.items() if name not in (*REALTIME, "has_realtime_data")}
    plain["restrictions"] = [{name: value for name, value in row.items() if name not in REALTIME}
                             for row in item.get("restrictions", [])]
    return Sent(_digest(item), _digest(plain), bool(item["has_realtime_data"]), (now.astimezone(BERLIN) - NIGHT).date())


def _digest(item: Item) -> str:
    return sha256(msgspec.json.encode(item, order="deterministic")).hexdigest()


def _pairs(text: str, setting: str) -> dict[str, str]:
    """Raises Invalid without repeating the text: it may be secret."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, mark, value = (word.strip() for word in part.partition("="))
        if not (name and mark and value) or name in found or ":" in name or not part.isprintable():
            raise Invalid("The setting “{setting}” is a list of name=value, separated by commas, each name once.", field=setting,
                          rule="name=value, …", setting=setting)
        found[name] = value
    return found


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _faults(data: object) -> str:
    """Fields and what is wrong with each, of validataclass' errors."""
    fields = data.get("field_errors") if isinstance(data, dict) else None
    if not isinstance(fields, dict):
        return ""
    return _short("; ".join(f"{name}: {fault.get('code', '')}" for name, fault in fields.items() if isinstance(fault, dict)))


def _short(text: object) -> str:
    return "".join(char if char.isprintable() else " " for char in str(text if text is not None else ""))[:MOST_SAID]
