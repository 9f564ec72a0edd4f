"""Wishes for light from a button of a Grafana board: who may ask in this way, what the board's variables say, and that a
double click is one wish.

The button (dashboards/boards/dimming.py) is a fetch by the operator's own browser with the operator's own session: what stands
in a board, which every viewer can read, is no power. Grafana can send fixed headers and JSON, but no CSRF token. In its place the
browser itself must say that a page of our own origin asks by a script: no other site can make it say so.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request

from api import intents, views
from api.auth import Actor
from api.deps import LIGHTING, Here, TownPath, enter, named, own_origins
from api.intents import Wish
from city.airtime import Estimate
from city.errors import Conflict, Forbidden, Invalid
from city.groups import Target, resolve
from city.guards import Limits
from city.ids import ZoneId, zone_id
from city.lighting import Override
from city.store.ports import Area, Role, TenantStore

MARK = "x-stadtfunk-board"  # a header that no form can send, and no other site without asking us first
JSON = "application/json"
BY_SCRIPT = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}  # by fetch(): Fetch Metadata
AGAIN = timedelta(seconds=15)  # within which the same wish of the same person is a double click
RESUME, EMERGENCY = "resume", "emergency"
_NUMBER = re.compile(r"[0-9]{1,5}\Z")
_EVERY = frozenset({"", ".*", "$__all"})  # no zone has such a name


def check_headers(headers: Mapping[str, str], origins: Collection[str]) -> None:
    """Raises Forbidden unless a script of one of our own `origins` asks by a board's button. `headers` by lower-case names. What
    a browser leaves unsaid is refused too: without TLS it says nothing of itself."""
    if any(headers.get(name) != said for name, said in BY_SCRIPT.items()) or headers.get("origin") not in origins:
        raise Forbidden("Another site may not do this in your name.", field="Origin", rule="same origin")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Forbidden("Only a board's button may ask at this address.", field="Content-Type", rule=JSON)
    if headers.get(MARK) != "1":
        raise Forbidden("Only a board's button may ask at this address.", field=MARK, rule="1")


async def asking(request: Request) -> Actor | None:
    """Who asks by a board's button; None for nobody. Raises Forbidden as `check_headers`."""
    found = await named(request)
    if found is not None and found.by == "session":
        check_headers(request.headers, own_origins(request))
    return found


FromBoard = Annotated[Actor | None, Depends(asking)]


@dataclass(frozen=True, slots=True)
class _BoardGuard:
    """As api.deps.scope, for whoever asks by a board's button: a person who is signed in, never a token."""

    role: Role
    areas: frozenset[Area]

    def __call__(self, here: Here, who: FromBoard, tenant: TownPath) -> TenantStore:
        town = enter(here, who, tenant, self.role, self.areas)
        if who is None or who.by != "session":
            raise Forbidden("An API token may not act from a board, where everybody could read it: sign in instead.",
                            field="Authorization", rule="session")
        return town


BoardOperating = Annotated[TenantStore, Depends(_BoardGuard(Role.OPERATOR, LIGHTING))]


def chosen(text: str) -> tuple[str, ...]:
    """What a variable of a board holds in Grafana's format percentencode, which puts what may be several between braces:
    "{markt,bahnhof}". Nothing where it holds all. For text that is no board's it is the text."""
    plain = unquote(text).strip()
    if plain in _EVERY:
        return ()
    if plain.startswith("{") and plain.endswith("}"):
        return tuple(one for one in plain[1:-1].split(",") if one not in _EVERY)
    return (plain,)


def zone_of(text: str) -> ZoneId:
    """The one zone that is chosen. Raises Invalid."""
    found = chosen(text)
    if len(found) != 1:
        raise Invalid("Choose exactly one zone at the top of the board.", field="zone", rule="one zone")
    return zone_id(found[0])


def number_of(text: str, field: str) -> int:
    """A level in % or a duration in minutes, as a variable says it. Raises Invalid, naming `field`; its range is the wish's to
    say."""
    plain = ",".join(chosen(text))
    if not _NUMBER.match(plain):
        if field == "level":
            raise Invalid("Give a level from 0 to 100 %.", field="level", rule="number")
        raise Invalid("Give the duration in whole minutes.", field=field, rule="number")
    return int(plain)


def wish_of(*, level: str, minutes: str, reason: str) -> Wish:
    """The wish that the texts of a board's variables say: `level` a number or "emergency". Raises Invalid."""
    length = number_of(minutes, "minutes")
    if level == EMERGENCY:
        return Wish(100, minutes=length, reason=reason, emergency=True)
    return Wish(number_of(level, "level"), minutes=length, reason=reason)


def place_once(town: TenantStore, zone: ZoneId, wish: Wish, *, who: Actor, now: datetime,
               limits: Limits) -> tuple[Override, Estimate, bool]:
    """As intents.place for a zone, but a wish that the same person has written down within AGAIN is that one, where nothing else
    has been wished for since; then True. Raises as intents.place."""
    targets = [Target("zone", zone)]
    seen = town.intents_seen()
    known = _same(town, targets, wish, who, now)
    if known is None:
        try:
            return *intents.place(town, targets, wish, who=who, now=now, limits=limits, seen=seen), False
        except Conflict:  # perhaps by the other click, which was faster
            known = _same(town, targets, wish, who, now)
            if known is None:
                raise
    return known, views.estimate_for(town, views.covered(town, known), now, limits.rx2_dr), True


def too_many(error: Invalid, page: str) -> Invalid:
    """The refusal of a wish for so many lamps that a person must type how many: a button cannot ask for that, the dialog at
    `page` does. Other refusals as they are."""
    if error.field != "confirm":
        return error
    return Invalid("{lamps} lamps are too many for a button: use the dialog, which asks for their number: {page}",
                   field="confirm", rule=error.rule, page=page, **error.facts)


def others_in(town: TenantStore, zone: ZoneId, now: datetime) -> int:
    """How many overrides hold now for lamps of a zone."""
    lamps, groups = town.luminaires(zone), town.programming().groups
    return sum(any(wish.concerns(lamp) for lamp in resolve(wish.targets, lamps, groups)) for wish in town.overrides(now))


def _same(town: TenantStore, targets: Collection[Target], wish: Wish, who: Actor, now: datetime) -> Override | None:
    """The town's newest override, if it is just this wish: one that something else has followed does not hold any more."""
    length = timedelta(minutes=wish.minutes or 0)
    newest = max(town.overrides_from(now), key=lambda one: one.age, default=None)
    if newest is None or newest.ended_at is not None or abs(now - newest.created_at) > AGAIN or newest.actor != who.name:
        return None
    same = (tuple(targets), wish.level, wish.emergency, wish.reason.strip(), length)
    found = (newest.targets, newest.level, newest.emergency, newest.reason, newest.end - newest.created_at)
    return newest if found == same else None
