"""What in a parking zone's rules can be read, and yet hardly says what was meant. Pure.

OpenStreetMap's opening_hours replace: of two parts with a semicolon between, the later one counts for all days that both name
(wiki.openstreetmap.org/wiki/Key:opening_hours/specification, section Rule separators). And where a rule for residents holds and
none for everybody, nobody else may park (city.parking_rules.residents_only). Both are often not what people expect.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from city.errors import Invalid
from city.parking_checks import Caution
from city.parking_places import ParkingSite, SiteRule
from city.parking_rules import BERLIN, Point, broken_hours, check_hours, residents_only, turns

DAYS = 366  # that are looked at
MOST_PARTS = 12  # of one text; who writes more knows what a semicolon does
MOST_MOMENTS = 20_000  # at which rules are compared: 20 rules in force by the minute would take seconds
Turns = Callable[[str], list[datetime]]


def site_cautions(site: ParkingSite, now: datetime, *, land: str, point: Point) -> list[Caution]:
    """What speaks against a site's hours and rules in the year from `now` (aware) on, though they are kept. Hours that cannot be
    read are left out: city.parking_checks names them."""
    def of(hours: str) -> list[datetime]:
        return turns(hours, now.astimezone(BERLIN).date(), DAYS, land=land, point=point)

    broken = broken_hours(site)
    rules = [(n, rule) for n, rule in enumerate(site.rules) if f"rules.{n}" not in broken]
    opening = "" if "opening_hours" in broken else site.opening_hours
    found = [*_hours(opening, "opening_hours", of)]
    for n, rule in rules:
        found += _hours(rule.hours, f"rules.{n}.hours", of)
    return found + list(_together(opening, rules, of, now.astimezone(BERLIN).replace(tzinfo=None)))


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


# -- one text

def _hours(text: str, field: str, of: Turns) -> Iterator[Caution]:
    found = of(text)
    if not found:
        yield Caution(field, _("“{hours}” never holds in the year to come. Always but on holidays is 24/7; PH off."),
                      {"hours": text})
        return
    parts = [part.strip() for part in text.split(";")]
    for n, part in enumerate(parts[:-1]):
        others = [*parts[:n], *parts[n + 1:]]
        if len(parts) <= MOST_PARTS and _same("; ".join(others), found, of) and not _same("; ".join([*others, part]), found, of):
            yield Caution(field, _("“{part}” is replaced by what follows it: after a semicolon the same days begin anew. "
                                   "Exceptions stand last; more hours of a day follow a comma: Mo-Fr 08:00-12:00,14:00-18:00."),
                          {"part": part})
            return


def _same(text: str, as_these: list[datetime], of: Turns) -> bool:
    try:
        check_hours(text, "hours")
    except Invalid:
        return False
    return of(text) == as_these


# -- rules together

def _together(opening: str, rules: Sequence[tuple[int, SiteRule]], of: Turns, now: datetime) -> Iterator[Caution]:
    times = {n: of(rule.hours) for n, rule in rules}
    opened = of(opening)
    moments = sorted({moment for one in (opened, *times.values()) for moment in one})[:MOST_MOMENTS]
    is_open = [_in(opened, moment) for moment in moments]
    on = {n: [_in(one, moment) for moment in moments] for n, one in times.items()}
    for n, rule in rules:
        mine = [one and here for one, here in zip(on[n], is_open, strict=True)]
        if opened and times[n] and not any(mine):
            yield Caution(f"rules.{n}.hours", _("Rule {n} never holds while the zone is open ({hours})."),
                          {"n": n + 1, "hours": opening})
            continue
        other = next((m for m, one in rules if m != n and any(mine) and _covers(one, rule, first=m < n)
                      and all(on[m][k] for k, here in enumerate(mine) if here)), None)
        if other is not None:
            yield Caution(f"rules.{n}.hours", _("Rule {n} changes nothing: whenever it holds, rule {other} lets the same people "
                                                "park as long and as cheaply."), {"n": n + 1, "other": other + 1})
    yield from _shut_out(rules, on, [moment if here and moment >= now else None
                                     for moment, here in zip(moments, is_open, strict=True)])


def _in(times: list[datetime], moment: datetime) -> bool:
    return bisect_right(times, moment) % 2 == 1


def _covers(one: SiteRule, other: SiteRule, *, first: bool) -> bool:
    """Whether who may park by `other` may by `one`, not worse; of two that are the same, only by the first."""
    def terms(rule: SiteRule) -> tuple[str, int, bool, bool]:
        return rule.kind, rule.max_stay_min, rule.fee, rule.disc

    longer = not one.max_stay_min or 0 < other.max_stay_min <= one.max_stay_min
    return (one.kind in ("", other.kind) and longer and one.fee <= other.fee and one.disc <= other.disc
            and (first or terms(one) != terms(other)))


def _shut_out(rules: Sequence[tuple[int, SiteRule]], on: dict[int, list[bool]],
              moments: Sequence[datetime | None]) -> Iterator[Caution]:
    """A rule for residents that goes on where those for everybody end: meant as an exception from them, it shuts others out."""
    holding = [[rule for n, rule in rules if on[n][k]] for k in range(len(moments))]
    for n, rule in rules:
        if not residents_only([rule]):
            continue
        besides = any(on[n][k] and not residents_only(holding[k]) for k, moment in enumerate(moments) if moment)
        alone = next((moment for k, moment in enumerate(moments) if moment and on[n][k] and residents_only(holding[k])), None)
        if besides and alone is not None:
            yield Caution(f"rules.{n}.hours", _("Rule {n} goes on where those for everybody do not hold: only residents may park "
                                                "then, for example from {time}. If others may, say so in a rule for everybody."),
                          {"n": n + 1, "time": f"{alone:%Y-%m-%d %H:%M}"})
            return
