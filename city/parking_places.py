"""What a town says of its parking zones: where they are, for whom, when and for how much. People write all of it.

Names are ParkAPI's (parkapi-sources, models/*_inputs.py); hours are OpenStreetMap's opening_hours syntax.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

import msgspec

from city.ids import AssetId, TenantId, ZoneId
from city.places import Restriction

Ring = tuple[tuple[float, float], ...]  # (longitude, latitude), closed, as GeoJSON orders them


class SiteKind(Enum):
    """ParkAPI's `type`."""

    ON_STREET = "ON_STREET"
    GROUND = "OFF_STREET_PARKING_GROUND"
    UNDERGROUND = "UNDERGROUND"
    CAR_PARK = "CAR_PARK"


class SiteRule(msgspec.Struct, frozen=True):
    """Who may park when, and for how long: alternatives, of which one that fits suffices. `kind` "" is everybody. `hours` is
    when it holds (OSM opening_hours; "" or "24/7": always), `max_stay_min` 0: no limit. `fee`: it has to be paid for then,
    `disc`: a parking disc must lie in the car."""

    kind: str = Restriction.NONE.value
    hours: str = ""
    max_stay_min: int = 0
    fee: bool = False
    disc: bool = False


class ParkingSite(msgspec.Struct, frozen=True):
    """A zone with bays, as everybody may know it. `merged_into`: its bays are counted and shown with those of another zone,
    because it is too small to be shown alone. `fee` and `note` are sentences in German, and in English where there are."""

    zone: str
    kind: str = SiteKind.ON_STREET.value
    public: bool = True
    merged_into: str = ""
    address: str = ""
    area: Ring = ()
    orientation: str = ""  # PARALLEL, DIAGONAL or PERPENDICULAR
    opening_hours: str = "24/7"
    rules: tuple[SiteRule, ...] = ()
    fee: str = ""
    fee_en: str = ""
    note: str = ""
    note_en: str = ""
    permit_zone: str = ""
    osm: str = ""  # way/123456
    url: str = ""


class PermitFee(msgspec.Struct, frozen=True):
    """What a resident's permit of so many months costs from a day on, in euro."""

    valid_from: date
    months: int
    euro: float


class PermitZone(msgspec.Struct, frozen=True):
    """An area whose residents may have a permit: its sign's letter, when it holds, what a permit costs, and where the town
    takes applications. No permits, no persons: those are the town's own register's business."""

    code: str
    name: str = ""
    area: Ring = ()
    hours: str = "24/7"
    fees: tuple[PermitFee, ...] = ()
    application_url: str = ""
    note: str = ""
    note_en: str = ""


class TownParking(msgspec.Struct, frozen=True):
    """What a town's parking pages and open data say of the town itself. `special_public`: the state of single bays for the
    disabled and for charging may be told though they are fewer than five, as the town and its data protection officer have
    decided."""

    operator: str = ""
    contact: str = ""  # e-mail for "something is wrong here" and accessibility
    phone: str = ""
    region_code: str = ""  # Amtlicher Regionalschlüssel, 12 digits
    licence: str = "CC BY 4.0"
    licence_url: str = "https://creativecommons.org/licenses/by/4.0/"
    attribution: str = ""
    website: str = ""
    imprint_url: str = ""
    officer: str = ""  # data protection officer: how to reach
    arbitration: str = ""  # Schlichtungsstelle of the Land: name and how to reach
    special_public: bool = True
    checked_on: str = ""  # day (ISO 8601) on which the town last looked itself whether its pages shut nobody out


@dataclass(frozen=True, slots=True)
class Block:
    """A bay that cannot be parked in from `start` to `end`, for works or an event; `ended_at`: lifted before."""

    id: str
    tenant: TenantId
    bay: AssetId
    start: datetime
    end: datetime
    reason: str
    actor: str
    created_at: datetime
    ended_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.start <= at < (self.end if self.ended_at is None else min(self.end, self.ended_at))


class Doubting(Enum):
    """What a resident says is wrong."""

    FULLER = "fuller"  # there are fewer free bays than shown
    EMPTIER = "emptier"
    RULE = "rule"  # a rule or fee is told wrongly
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Doubt:
    """“Stimmt nicht?”: somebody says that a zone's numbers are wrong. Nothing of the person is kept. `shown` is what the page
    said then, as a phrase. `closed_at`: staff or the check of its sensors have settled it."""

    id: str
    tenant: TenantId
    zone: ZoneId
    what: Doubting
    at: datetime
    shown: str = ""
    text: str = ""
    closed_at: datetime | None = None
    closed_by: str = ""
    outcome: str = ""
