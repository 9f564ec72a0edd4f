"""Energy: the monthly report as JSON, CSV and PDF, lamps' nights, a town's figures, and what a program would save."""

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api.deps import Acting, Engineering, Now, Operating, Viewing
from api.energy import LABEL, keep_factor, lately, monthly, remove_factor
from api.energy_csv import nights_csv, report_csv
from api.energy_pdf import report_pdf
from api.lighting_schemas import ProgramIn, TargetText
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.whatif import WhatIf, what_if
from city.energy import Used
from city.energy_report import By, Line, Report, last_of, month_of
from city.errors import Invalid, NotFound
from city.factors import MAX_TEXT, SHIPPED, Factor, FactorKind
from city.groups import Target
from city.ids import AssetId, ProgramId
from city.nights import evening_of
from city.programs import Program
from city.store.ports import TenantStore
from city.whatif import YearOfUse

router = APIRouter(prefix=TENANT, tags=["energy"], responses=RESPONSES)
Month = Annotated[str, Query(description="year-month; the running one where it is missing", max_length=7, examples=["2026-11"])]
ByQuery = Annotated[By, Query(description="zone, circuit or delivery point")]
Tongue = Annotated[Literal["de", "en"], Query(description="de: semicolons and decimal commas; en: RFC 4180")]


class UsedOut(BaseModel):
    """kWh, hours of burning and hours without data."""

    used_kwh: float
    metered_kwh: float
    estimated_kwh: float
    undimmed_kwh: float
    saved_kwh: float
    burn_h: float
    missing_h: float


class LineOut(UsedOut):
    """One zone, circuit or delivery point; `id` "" for lamps without one."""

    id: str
    name: str
    lamps: int
    co2_kg: float
    co2_undimmed_kg: float
    cost_eur: float
    cost_undimmed_eur: float

    @classmethod
    def of(cls, line: Line) -> Self:
        return cls(id=line.id, name=line.name, lamps=line.lamps, used_kwh=line.used / 10, metered_kwh=line.metered / 10,
                   estimated_kwh=line.estimated / 10, undimmed_kwh=line.undimmed / 10, saved_kwh=line.saved / 10,
                   burn_h=line.burn_h, missing_h=line.missing_h, co2_kg=line.co2 / 10, co2_undimmed_kg=line.co2_undimmed / 10,
                   cost_eur=line.cents / 100, cost_undimmed_eur=line.cents_undimmed / 100)


class NightEnergyOut(BaseModel):
    night: date
    used_kwh: float
    metered_kwh: float
    estimated_kwh: float
    undimmed_kwh: float


class FactorIn(BaseModel):
    """A figure per kilowatt-hour (g of CO2, €), valid from the night of a day on."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["co2", "price"]
    valid_from: date
    value: float
    source: str = Field(max_length=MAX_TEXT)
    scope: str = Field("", max_length=MAX_TEXT)
    assumed: StrictBool = False

    def factor(self) -> Factor:
        """Raises Invalid."""
        return Factor(FactorKind(self.kind), self.valid_from, self.value, self.source, self.scope, self.assumed)


class FactorOut(FactorIn):
    unit: str
    shipped: bool

    @classmethod
    def of(cls, one: Factor) -> Self:
        return cls(kind=one.kind.value, valid_from=one.valid_from, value=one.value, source=one.source, scope=one.scope,
                   assumed=one.assumed, unit=one.unit, shipped=one in SHIPPED)


class ReportOut(BaseModel):
    """A month; parts add up to the total exactly. `note`: what these figures must not be used for."""

    note: str
    month: str
    by: By
    complete: bool
    lines: list[LineOut]
    total: LineOut
    nights: list[NightEnergyOut]
    factors: list[FactorOut]

    @classmethod
    def of(cls, report: Report) -> Self:
        return cls(note=LABEL, month=f"{report.month:%Y-%m}", by=report.by, complete=report.complete,
                   lines=[LineOut.of(line) for line in report.lines], total=LineOut.of(report.total),
                   nights=[NightEnergyOut(night=one.night, used_kwh=one.used / 10, metered_kwh=one.metered / 10,
                                          estimated_kwh=one.estimated / 10, undimmed_kwh=one.undimmed / 10)
                           for one in report.nights], factors=[FactorOut.of(one) for one in report.factors])


class LatelyOut(UsedOut):
    night: date
    running: bool

    @classmethod
    def of(cls, night: date, used: Used, *, running: bool) -> Self:
        return cls(night=night, running=running, used_kwh=used.wh / 1000, metered_kwh=used.metered_wh / 1000,
                   estimated_kwh=used.estimated_wh / 1000, undimmed_kwh=used.undimmed_wh / 1000,
                   saved_kwh=(used.undimmed_wh - used.wh) / 1000, burn_h=round(used.burn_s / 3600, 2),
                   missing_h=round(used.missing_s / 3600, 2))


class LampNightOut(BaseModel):
    night: date
    metered_wh: int
    estimated_wh: int
    undimmed_wh: int
    burn_s: int
    missing_s: int


class WhatIfIn(BaseModel):
    """A program, as new or instead of the one of that id; `target`: lamps that would obey it every night (null: those whose
    calendars name it, on the nights on which they do)."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field("preview", max_length=64)
    program: ProgramIn | None = Field(None, description="null: the town's own program of that id, as it is")
    target: TargetText | None = None


class YearOut(BaseModel):
    """365 nights; lamps without a nominal power are `unknown` and in no kWh."""

    lamps: int
    unknown: int
    kwh: float
    undimmed_kwh: float
    burn_h: float
    hours_per_lamp: float

    @classmethod
    def of(cls, year: YearOfUse) -> Self:
        return cls(lamps=year.lamps, unknown=year.unknown, kwh=round(year.kwh, 1), undimmed_kwh=round(year.undimmed_wh / 1000, 1),
                   burn_h=round(year.burn_h, 1), hours_per_lamp=round(year.hours_per_lamp, 1))


class WhatIfOut(BaseModel):
    first: date
    before: YearOut
    after: YearOut
    saved_kwh: float
    saved_co2_kg: float
    saved_eur: float
    factors: list[FactorOut]

    @classmethod
    def of(cls, found: WhatIf) -> Self:
        return cls(first=found.first, before=YearOut.of(found.before), after=YearOut.of(found.after),
                   saved_kwh=round(found.saved_kwh, 1), saved_co2_kg=round(found.saved_co2_kg, 1),
                   saved_eur=round(found.saved_eur, 2), factors=[FactorOut.of(found.co2), FactorOut.of(found.price)])


@router.get("/energy", summary="Energy of a month by zone, circuit or delivery point")
def energy(town: Viewing, now: Now, month: Month = "", by: ByQuery = "zone") -> ReportOut:
    """Operating values, not for billing. Nights count from noon to noon and belong to the day of their evening."""
    return ReportOut.of(monthly(town, chosen(month, now), by))


@router.get("/energy/lately", summary="Energy of the last night and of the running one")
def energy_lately(town: Viewing, now: Now) -> list[LatelyOut]:
    """As far as it is booked: a quarter of an hour old as a rule."""
    return [LatelyOut.of(night, used, running=night == evening_of(now)) for night, used in lately(town, now)]


@router.get("/energy.csv", summary="The same as CSV", response_class=Response)
def energy_csv(town: Viewing, now: Now, month: Month = "", by: ByQuery = "zone", language: Tongue = "en") -> Response:
    """RFC 4180, or with semicolons and decimal commas."""
    report = monthly(town, chosen(month, now), by)
    return _file(report_csv(report, language), "text/csv; charset=utf-8", f"energie-{report.month:%Y-%m}-{by}.csv")


@router.get("/energy.pdf", summary="The same as PDF", response_class=Response)
def energy_pdf(town: Viewing, now: Now, month: Month = "", by: ByQuery = "zone", language: Tongue = "de") -> Response:
    """A4, in German or English."""
    report = monthly(town, chosen(month, now), by)
    return _file(report_pdf(report, town.tenant.name, town.booked(), language), "application/pdf",
                 f"energie-{report.month:%Y-%m}-{by}.pdf")


@router.get("/energy/lamps.csv", summary="A month lamp by lamp and night by night", response_class=Response)
def energy_lamps(town: Viewing, now: Now, month: Month = "", language: Tongue = "en") -> Response:
    """Whole watt-hours and seconds."""
    first = chosen(month, now)
    days = [first + timedelta(days=number) for number in range((last_of(first) - first).days + 1)]
    return StreamingResponse(nights_csv((town.lamp_nights(day, day) for day in days), language),
                             media_type="text/csv; charset=utf-8", headers=_attached(f"energie-leuchten-{first:%Y-%m}.csv"))


@router.get("/luminaires/{asset}/energy", summary="A lamp's energy, night by night")
def lamp_energy(town: Viewing, now: Now, asset: str, month: Month = "") -> list[LampNightOut]:
    """One month."""
    first = chosen(month, now)
    lamp = town.asset(AssetId(asset))
    return [LampNightOut(night=one.night, metered_wh=one.used.metered_wh, estimated_wh=one.used.estimated_wh,
                         undimmed_wh=one.used.undimmed_wh, burn_s=one.used.burn_s, missing_s=one.used.missing_s)
            for one in town.lamp_nights(first, last_of(first), lamp.id)]


@router.get("/energy/factors", summary="What a kilowatt-hour emits and costs")
def factors(town: Viewing) -> list[FactorOut]:
    """The town's own figures and those that are shipped."""
    return [FactorOut.of(one) for one in (*town.factors().own, *SHIPPED)]


@router.put("/energy/factors", summary="Add or change a figure")
def put_factor(town: Engineering, who: Acting, now: Now, body: FactorIn) -> FactorOut:
    """Of one kind and day there is one."""
    factor = body.factor()
    keep_factor(town, factor, who, now)
    return FactorOut.of(factor)


@router.delete("/energy/factors/{kind}/{valid_from}", status_code=204, summary="Remove a figure of the town")
def delete_factor(town: Engineering, who: Acting, now: Now, kind: Literal["co2", "price"], valid_from: date) -> None:
    """Then the one before it holds, at last the shipped one."""
    remove_factor(town, FactorKind(kind), valid_from, who, now)


@router.post("/programs/what-if", summary="What a program would save in a year")
def programs_what_if(town: Operating, now: Now, body: WhatIfIn) -> WhatIfOut:
    """Nothing is changed. Expected values within the lamps' lawful floors; overrides do not count."""
    program = body.program.program(body.id) if body.program is not None else _own(town, body.id)
    return WhatIfOut.of(what_if(town, program, Target.parse(body.target) if body.target is not None else None, now))


def chosen(month: str, now: Now) -> date:
    """The first day of the month that is asked for. Raises Invalid for one to come."""
    running = evening_of(now).replace(day=1)
    first = month_of(month) if month else running
    if first > running:
        raise Invalid("This month has not begun.", field="month", rule="≤ now")
    return first


def _own(town: TenantStore, id: str) -> Program:
    found = town.programming().programs.get(ProgramId(id))
    if found is None:
        raise NotFound("There is no program “{program}”.", field="id", rule="exists", program=id)
    return found


def _file(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
