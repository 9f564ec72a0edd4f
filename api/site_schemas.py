"""Parking zones, permit zones and the town as JSON; city.parking_checks says what is wrong with them."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from city.errors import Invalid
from city.parking_import import Preview
from city.parking_places import ParkingSite, PermitFee, PermitZone, SiteRule, TownParking
from city.parking_rules import InForce
from city.parking_shapes import MAX_POINTS, ring_of
from city.pressure import Pressure

Short = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=500)]
Corner = Annotated[list[float], Field(min_length=2, max_length=3)]
Corners = Annotated[list[Corner], Field(max_length=MAX_POINTS + 1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RuleIn(Strict):
    """Who may park when, and for how long; `hours` as OpenStreetMap's opening_hours, "" always; `max_stay_min` 0 is no limit."""

    kind: Literal["", "disabled", "charging", "resident"] = ""
    hours: Short = ""
    max_stay_min: Annotated[int, Field(ge=0)] = 0
    fee: bool = False
    disc: bool = False


class SiteIn(Strict):
    """`area`: the corners of a polygon as longitude and latitude."""

    kind: Short = "ON_STREET"
    public: bool = True
    merged_into: Annotated[str, Field(max_length=64)] = ""
    address: Short = ""
    area: Corners = []
    orientation: Short = ""
    opening_hours: Short = "24/7"
    rules: Annotated[list[RuleIn], Field(max_length=20)] = []
    fee: Short = ""
    fee_en: Short = ""
    note: Long = ""
    note_en: Long = ""
    permit_zone: Annotated[str, Field(max_length=12)] = ""
    osm: Annotated[str, Field(max_length=40)] = ""
    url: Long = ""

    def site(self, zone: str) -> ParkingSite:
        """Raises Invalid where the area is none."""
        values = self.model_dump(exclude={"area", "rules"})
        return ParkingSite(zone, **values, area=ring_of(self.area, "area"),
                           rules=tuple(SiteRule(**rule.model_dump()) for rule in self.rules))


class CautionOut(BaseModel):
    field: str
    detail: str


class SiteOut(SiteIn):
    """`name` is the zone's, `broken` names the fields whose hours cannot be read, `now` says what holds now."""

    zone: str
    name: str
    broken: list[str]
    now: list[str]

    @classmethod
    def of(cls, name: str, site: ParkingSite, found: InForce, words: Sequence[str]) -> Self:
        return cls(name=name, broken=list(found.broken), now=list(words), **msgspec.to_builtins(site))


class OneSiteOut(SiteOut):
    """`cautions`: what of its hours and rules can be read and hardly says what was meant, by field."""

    cautions: list[CautionOut]


class FeeIn(Strict):
    valid_from: date
    months: int
    euro: float


class PermitIn(Strict):
    """An area whose residents may have a permit: when it holds, what a permit costs from a day on, where to apply."""

    name: Short = ""
    area: Corners = []
    hours: Short = "24/7"
    fees: Annotated[list[FeeIn], Field(max_length=60)] = []
    application_url: Long = ""
    note: Long = ""
    note_en: Long = ""

    def zone(self, code: str) -> PermitZone:
        """Raises Invalid where the area is none."""
        return PermitZone(code, self.name, ring_of(self.area, "area"), self.hours,
                          tuple(PermitFee(one.valid_from, one.months, one.euro) for one in self.fees), self.application_url,
                          self.note, self.note_en)


class PermitOut(PermitIn):
    """`cautions`: what the law has against it."""

    code: str
    cautions: list[str] = []

    @classmethod
    def of(cls, zone: PermitZone, cautions: Sequence[str] = ()) -> Self:
        return cls(cautions=list(cautions), **msgspec.to_builtins(zone))


class TownIn(Strict):
    """What the town's parking pages and open data say of the town itself."""

    operator: Short = ""
    contact: Short = ""
    phone: Short = ""
    region_code: Short = ""
    licence: Short = "CC BY 4.0"
    licence_url: Long = "https://creativecommons.org/licenses/by/4.0/"
    attribution: Short = ""
    website: Long = ""
    imprint_url: Long = ""
    officer: Short = ""
    arbitration: Long = ""
    special_public: bool = False
    checked_on: Short = ""

    def said(self) -> TownParking:
        return TownParking(**self.model_dump())

    @classmethod
    def of(cls, town: TownParking) -> Self:
        return cls(**msgspec.to_builtins(town))


class RowProblemOut(BaseModel):
    line: int
    column: str
    rule: str
    detail: str


class SiteListOut(BaseModel):
    """What a list changes, or would: zones that are new, those that are changed and in which fields."""

    kept: bool
    new: list[str]
    changed: dict[str, list[str]]
    same: int
    bad_lines: int
    problems: list[RowProblemOut]

    @classmethod
    def of(cls, found: Preview, problems: list[RowProblemOut], *, kept: bool) -> Self:
        return cls(kept=kept, new=[site.zone for site in found.new], same=found.same, bad_lines=found.bad_lines,
                   changed={site.zone: list(fields) for site, fields in found.changed}, problems=problems)


class PressureOut(BaseModel):
    """Shares from 0 to 1, null where nothing is known; `by_hour`: within the zone's hours, from 0 to 23 o'clock in Berlin."""

    model_config = ConfigDict(from_attributes=True)
    code: str
    name: str
    zones: int
    bays: int
    taken: float | None
    taken_else: float | None
    full: float | None
    by_hour: list[float | None]
    quarters: int

    @classmethod
    def of(cls, found: Pressure) -> Self:
        return cls.model_validate(found, from_attributes=True)


def faults_of(faults: Sequence[Invalid], sentences: Sequence[str]) -> dict[str, object]:
    """All that is wrong, for problem details."""
    return {"errors": [{"field": one.field, "rule": one.rule, "detail": sentence}
                       for one, sentence in zip(faults, sentences, strict=True)]}


