"""What the templates of everybody's parking pages are given. Made of city.public_parking and of what a town says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import ClassVar

from markupsafe import Markup

from api.pages import public_inline
from api.pages.contexts import Link, Page, Problem
from api.pages.public_charts import Days, Outlook
from city.parking_places import ParkingSite, PermitZone, TownParking
from city.public_parking import PublicCount, PublicZone

GEOLOCATION = "geolocation=(self), camera=(), microphone=()"


class Inline:
    """What stands within the page itself, so that its first picture needs no second request."""

    __slots__ = ()

    @property
    def style(self) -> Markup:
        return public_inline.style()

    @property
    def script(self) -> Markup:
        return public_inline.script()


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """One zone for residents: what is told of it, as a phrase too, which rules hold now and what comes then, in sentences, and
    what it costs now.
    `free_of_charge`: nobody has to pay now, as far as the town has said what holds; `special` are the bays for some people."""

    zone: PublicZone
    phrase: str
    trend: str
    rules: tuple[str, ...]
    fee: str
    special: tuple[PublicCount, ...]
    free_of_charge: bool

    @property
    def main(self) -> PublicCount:
        return self.zone.main

    @property
    def kinds(self) -> frozenset[str]:
        """For whom there are bays of their own, or a permit's area."""
        permit = {"resident"} if self.zone.site.permit_zone else set()
        return frozenset(permit | {one.restriction.value for one in self.special})


@dataclass(frozen=True, slots=True)
class Limits:
    """After how many seconds what is shown must look old, and must go."""

    grey_s: int
    hide_s: int


@dataclass(frozen=True, slots=True)
class ParkingPage(Inline):
    template: ClassVar[str] = "parking.html"
    permissions: ClassVar[str] = GEOLOCATION
    page: Page
    rows: Sequence[ZoneRow]
    has_zones: bool
    filters: Sequence[Link]
    sorts: Sequence[Link]
    limits: Limits
    again: str
    map_data: str


@dataclass(frozen=True, slots=True)
class ZoneList:
    """The changing part of ParkingPage alone. `again`: the whole page's address."""

    template: ClassVar[str] = "parts/public_zones.html"
    page: Page
    rows: Sequence[ZoneRow]
    has_zones: bool
    again: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of a zone as a line of a table."""

    for_whom: str
    when: str
    limits: str
    now: bool


@dataclass(frozen=True, slots=True)
class PermitFeeRow:
    """What a permit of so many months costs from a day on."""

    months: int
    price: str
    valid_from: date
    now: bool


@dataclass(frozen=True, slots=True)
class PermitView:
    """A permit zone for residents: what it is, and what it costs now or will cost."""

    zone: PermitZone
    hours: str
    fees: Sequence[PermitFeeRow]
    note: str


class Thanks(Enum):
    """What somebody is thanked for who has just said that something is wrong."""

    NONE = ""
    SEEN = "seen"  # by staff
    CHECKED = "checked"  # … and by a check of the zone's sensors


@dataclass(frozen=True, slots=True)
class ZonePage(Inline):
    """One zone with all that everybody may know; `hours` "" where it is always open. `thanks`: somebody has just said that
    something is wrong. `asked`: the name of the zone that was asked for, where it is counted in this one."""

    template: ClassVar[str] = "parking_zone.html"
    page: Page
    row: ZoneRow
    site: ParkingSite
    note: str
    price: str
    hours: str
    rules: Sequence[RuleRow]
    outlook: Outlook | None
    errors: Sequence[str]
    days: Days | None
    day_names: Sequence[str]
    permit: PermitView | None
    town: TownParking
    limits: Limits
    whats: Sequence[tuple[str, str]]
    thanks: Thanks = Thanks.NONE
    problems: tuple[Problem, ...] = ()
    typed: str = ""
    asked: str = ""


@dataclass(frozen=True, slots=True)
class EasyPage(Inline):
    template: ClassVar[str] = "parking_easy.html"
    page: Page
    town: TownParking
    limits: Limits


@dataclass(frozen=True, slots=True)
class AccessibilityPage(Inline):
    """The accessibility statement of a town: when the town last said what it says of itself, and when it last looked at the
    pages itself; None where it never has."""

    template: ClassVar[str] = "accessibility.html"
    page: Page
    town: TownParking
    said: date | None
    checked: date | None


@dataclass(frozen=True, slots=True)
class TownPrivacyPage(Inline):
    """The privacy notice of a town, with its numbers: days that things are kept, and the least number of bays."""

    template: ClassVar[str] = "town_privacy.html"
    page: Page
    town: TownParking
    raw_days: int
    stays_days: int
    sensor_days: int
    doubt_days: int
    quarter_days: int
    least_bays: int
    history_minutes: int


@dataclass(frozen=True, slots=True)
class WidgetPage(Inline):
    """Zones in a frame of somebody's website; `theme` is light, dark or "" (as the device). `chosen`: not all of the town's."""

    template: ClassVar[str] = "parking_widget.html"
    page: Page
    rows: Sequence[ZoneRow]
    limits: Limits
    theme: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class EmbedPage(Inline):
    """What to copy: the frame's address, the parking page's, and name, address and alternative text of each badge."""

    template: ClassVar[str] = "parking_embed.html"
    page: Page
    frame: str
    whole: str
    badges: Sequence[tuple[str, str, str]]
