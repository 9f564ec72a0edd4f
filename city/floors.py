"""How dim a lamp may lawfully burn: by its lighting class in the evening and late at night, and by what it lights.

Nobody has to light a street, but where it is lit EN 13201-2:2015 says how much; DIN 67523 and R-FGÜ 2001 keep crossings as
bright as they were planned; lamps that go out at night must say so by sign 394 (StVO, Anlage 3 Nr. 38).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from operator import attrgetter

from city.nights import Change, Night, level_at
from city.places import Luminaire, Restriction
from city.sun import CIVIL, between

LIT = {  # EN 13201-2:2015 tables 1, 2 and 3: maintained luminance (cd/m²) of M, illuminance (lx) of C and P classes
    "M1": 2.0, "M2": 1.5, "M3": 1.0, "M4": 0.75, "M5": 0.5, "M6": 0.3,
    "C0": 50.0, "C1": 30.0, "C2": 20.0, "C3": 15.0, "C4": 10.0, "C5": 7.5,
    "P1": 15.0, "P2": 10.0, "P3": 7.5, "P4": 5.0, "P5": 3.0, "P6": 2.0, "P7": 0.0}
LATE, EARLY = 22 * 60, 5 * 60  # minutes after local midnight: while the night's class holds
FULL = 100
DARK_BELOW = 5  # per cent: nobody sees the light of a lamp that burns lower
MARGIN = timedelta(minutes=20)  # around civil twilight

FloorKey = tuple[bool, int, str, str, float | None, bool]


def floor_key(lamp: Luminaire) -> FloorKey:
    """Lamps with the same key have the same floors at any time."""
    return (lamp.restriction is Restriction.CROSSWALK, lamp.min_level, lamp.lighting_class, lamp.lighting_class_night,
            lamp.designed_value, lamp.lantern_ring)


def lamp_floor(lamp: Luminaire, *, late: bool = False) -> int:
    """The lowest lawful level of the burning lamp, per cent, in the evening or `late` at night: 100 at a crosswalk, else
    the larger of its own least level and of what its class needs.

    Light is taken to follow the level (linear DALI). What it gives at 100 % is its designed value; where nobody has said,
    that of its evening class if it has another one at night, and otherwise nothing is known and nothing asked.
    """
    if lamp.restriction is Restriction.CROSSWALK:
        return FULL
    return max(lamp.min_level, _class_floor(lamp, late=late))


def floor_at(lamp: Luminaire, night: Night, at: datetime) -> int:
    """The floor at a time of a night."""
    return lamp_floor(lamp, late=night.clock(LATE) <= at < night.clock(EARLY))


def highest_floor(lamp: Luminaire) -> int:
    """The floor that holds whenever it is."""
    return max(lamp_floor(lamp), lamp_floor(lamp, late=True))


def core(night: Night) -> tuple[datetime, datetime]:
    """When a lamp that burns all night is lit in any case: from a little after the end of civil twilight to a little before
    its return, so that programs may choose their own dusk and dawn."""
    falls, rises = between(night.site, night.evening, CIVIL)
    begin, end = falls + MARGIN, rises - MARGIN
    return (begin, end) if begin < end else (falls, falls)


def lawful(changes: Sequence[Change], lamp: Luminaire, night: Night) -> tuple[Change, ...]:
    """What the lamp may do of what a program wants: raised to its floors while it burns; and never dark in the core of the
    night unless it carries a Laternenring: it burns on as before, or fully."""
    kept: list[Change] = []
    lit = FULL
    for change in _cut(changes, night):
        if change.level >= DARK_BELOW:
            level = lit = max(change.level, floor_at(lamp, night, change.at))
        else:
            dark = lamp.lantern_ring or not _in_core(change.at, night)
            level = change.level if dark else max(lit, floor_at(lamp, night, change.at))
        if not kept or kept[-1].level != level:
            kept.append(replace(change, level=level))
    return tuple(kept)


def dark_in_core(changes: Sequence[Change], night: Night) -> bool:
    """Whether a program is dark at some time of the core of a night: lamps that obey it need the Laternenring."""
    return any(change.level < DARK_BELOW and _in_core(change.at, night) for change in _cut(changes, night))


def _cut(changes: Sequence[Change], night: Night) -> list[Change]:
    """The changes, and where another rule begins the level goes on as a change of its own."""
    borders = {night.clock(LATE), night.clock(EARLY), core(night)[0]} - {change.at for change in changes}
    extra = [replace(level_at(changes, at), at=at) for at in borders if night.noon < at < night.next_noon]
    return sorted([*changes, *extra], key=attrgetter("at"))


def _in_core(at: datetime, night: Night) -> bool:
    begin, end = core(night)
    return begin <= at < end


def _class_floor(lamp: Luminaire, *, late: bool) -> int:
    night_class = lamp.lighting_class_night or lamp.lighting_class
    wanted = LIT.get(night_class if late else lamp.lighting_class)
    given = lamp.designed_value or (LIT.get(lamp.lighting_class) if lamp.lighting_class_night else None)
    if wanted is None or not given:
        return 0
    return min(ceil(round(FULL * wanted / given, 6)), FULL)
