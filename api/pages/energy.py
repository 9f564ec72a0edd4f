"""The energy page: a month's report by zone, circuit or delivery point, its nights as a chart, and the town's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Form, Query, Request, Response

from api import energy as report_of
from api.auth import Actor
from api.deps import Acting, Asking, Engineering, Now, Viewing
from api.energy import BY, LABEL, day, decimal, factor_line, keep_factor, month_name, monthly, name_of, remove_factor
from api.energy_pdf import HEADS, cells, notes
from api.i18n import explain, language_of, translate
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Link, Page, Problem
from api.pages.render import PageRoute, back, html, page_of
from city.energy_report import By, Line, NightLine, Report, month_of, next_month
from city.errors import Conflict, Invalid
from city.factors import Factor, FactorKind
from city.nights import evening_of
from city.store.ports import Role, TenantStore

LEFT, RIGHT, TOP, BOTTOM = 16.0, 672.0, 12.0, 212.0
router = APIRouter(route_class=PageRoute, include_in_schema=False)
FIELDS = frozenset({"kind", "value", "valid_from", "source"})  # of the form
Word = Annotated[str, Query(max_length=40)]
FormWord = Annotated[str, Form(max_length=300)]


@dataclass(frozen=True, slots=True)
class Bar:
    """One night's column in the drawing: where it stands, and the heights of its parts."""

    x: float
    width: float
    metered_y: float
    metered_height: float
    estimated_y: float
    estimated_height: float
    undimmed_y: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The nights of a month as columns; `top`: what the scale ends at, kWh."""

    bars: tuple[Bar, ...]
    top: str
    half: str


@dataclass(frozen=True, slots=True)
class FactorForm:
    """A figure as typed."""

    kind: str = "price"
    valid_from: str = ""
    value: str = ""
    source: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class LatelyRow:
    """The last night, or the running one: its name, and what was used, saved and measured."""

    name: str
    used: str
    metered: str
    saved: str
    burn: str
    missing: str


@dataclass(frozen=True, slots=True)
class EnergyPage:
    """`rows` are the lines' names and cells, in order of `heads`; the last one is the total."""

    template: ClassVar[str] = "energy.html"
    page: Page
    label: str
    month: str
    month_name: str
    by: By
    by_links: Sequence[Link]
    previous: str
    next: str
    lately: Sequence[LatelyRow]
    booked_at: datetime | None
    what: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    drawing: Drawing
    nights: Sequence[tuple[str, str, str, str, str]]
    shares: Mapping[str, str]
    notes: Sequence[str]
    figures: Sequence[str]
    own: Sequence[tuple[Factor, str]]
    files: Sequence[Link]
    may_edit: bool
    form: FactorForm = FactorForm()
    problems: tuple[Problem, ...] = field(default=())


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("energy")[0])
@router.get(paths("energy")[1])
def energy(request: Request, town: Viewing, who: Asking, at: Now, month: Word = "", by: Word = "zone") -> Response:
    """A month; the running one where none is named."""
    running = evening_of(at).replace(day=1)
    first = min(month_of(month), running) if month else running
    chosen: By = next((one for one in get_args(By) if one == by), "zone")
    return html(request, _page(request, town, who, at, first=first, by=chosen))


@router.post(paths("energy")[0])
@router.post(paths("energy")[1])
def keep(request: Request, town: Engineering, who: Acting, at: Now, kind: FormWord = "", valid_from: FormWord = "",
         value: FormWord = "", source: FormWord = "", scope: FormWord = "") -> Response:
    """Add or change a figure of the town."""
    language, form = language_of(request), FactorForm(kind, valid_from, value, source, scope)
    try:
        keep_factor(town, _factor(form), who, at)
    except (Invalid, Conflict) as error:
        problem = Problem(error.field if error.field in FIELDS else "value", explain(language, error))
        context = _page(request, town, who, at, first=evening_of(at).replace(day=1), by="zone", form=form, problems=(problem,))
        return html(request, context, status=422)
    return back(address(language, "energy", tenant=town.tenant.id) + "#figures")


@router.post(paths("energy-figure")[0])
@router.post(paths("energy-figure")[1])
def remove(request: Request, town: Engineering, who: Acting, at: Now, kind: FormWord = "", valid_from: FormWord = "") -> Response:
    """Take a figure of the town away."""
    form = FactorForm(kind, valid_from)
    remove_factor(town, _kind(form), _day(form), who, at)
    return back(address(language_of(request), "energy", tenant=town.tenant.id) + "#figures")


def _page(request: Request, town: TenantStore, who: Actor | None, at: datetime, *, first: date, by: By,
          form: FactorForm | None = None, problems: tuple[Problem, ...] = ()) -> EnergyPage:
    language, booked, report = language_of(request), town.booked(), monthly(town, first, by)
    here = town.tenant.id

    def other(month: date, by: By) -> str:
        return address(language, "energy", [("month", f"{month:%Y-%m}"), ("by", by)], tenant=here)

    running = evening_of(at).replace(day=1)
    return EnergyPage(
        page_of(request, who, town.tenant), translate(language, LABEL), f"{first:%Y-%m}", month_name(language, first), by,
        [Link(translate(language, text), other(first, one), one == by) for one, text in _BY],
        other(next_month(first, -1), by) if booked is not None and booked.first < first else "",
        other(next_month(first), by) if first < running else "", lately(language, town, at),
        booked.at if booked is not None else None, translate(language, BY[by]), [translate(language, head) for head in HEADS],
        _rows(language, report), drawing(language, report.nights), _nights(language, report.nights),
        _shares(language, report.total), notes(report, booked, language), [factor_line(language, one) for one in report.factors],
        [(one, factor_line(language, one)) for one in town.factors().own], _files(language, here, first, by),
        may(who, Role.ENGINEER), form or FactorForm(valid_from=first.isoformat()), problems)


def lately(language: str, town: TenantStore, at: datetime) -> list[LatelyRow]:
    """The last night and the running one."""
    tonight, rows = evening_of(at), []
    for night, used in report_of.lately(town, at):
        text = _("Running night, since {day}, noon") if night == tonight else _("Last night, from {day}")
        rows.append(LatelyRow(
            translate(language, text, day=day(language, night)), decimal(language, used.wh / 1000, 1),
            _percent(language, used.metered_wh, used.wh), decimal(language, (used.undimmed_wh - used.wh) / 1000, 1),
            decimal(language, used.burn_s / 3600, 0), decimal(language, used.missing_s / 3600, 0)))
    return rows


def drawing(language: str, nights: Sequence[NightLine]) -> Drawing:
    """The nights as columns beside each other."""
    top = _round_up(max([0, *(max(one.used, one.undimmed) for one in nights)]) / 10)
    width = (RIGHT - LEFT) / 31

    def height(value: int) -> float:
        return round((BOTTOM - TOP) * min(max(value / 10, 0.0) / top, 1.0), 1)

    bars = []
    for one in nights:
        metered, estimated = height(one.metered), height(one.estimated)
        bars.append(Bar(round(LEFT + (one.night.day - 1) * width + 2, 1), round(width - 4, 1), round(BOTTOM - metered, 1),
                        metered, round(BOTTOM - metered - estimated, 1), estimated, round(BOTTOM - height(one.undimmed), 1),
                        str(one.night.day)))
    return Drawing(tuple(bars), decimal(language, top, 0), decimal(language, top / 2, 0 if top % 2 == 0 else 1))


def _rows(language: str, report: Report) -> list[tuple[str, Sequence[str]]]:
    return [*((name_of(language, line), cells(language, line)) for line in report.lines),
            (translate(language, _("Total")), cells(language, report.total))]


def _nights(language: str, nights: Sequence[NightLine]) -> list[tuple[str, str, str, str, str]]:
    return [(day(language, one.night), decimal(language, one.used / 10, 1), decimal(language, one.metered / 10, 1),
             decimal(language, one.estimated / 10, 1), decimal(language, one.undimmed / 10, 1)) for one in nights]


def _shares(language: str, total: Line) -> dict[str, str]:
    """How much of it is metered, how much is estimated, and of how many hours nothing is known."""
    return {"saved": _percent(language, total.saved, total.undimmed), "metered": _percent(language, total.metered, total.used),
            "estimated": _percent(language, total.estimated, total.used),
            "missing": _percent(language, total.missing_h, total.burn_h + total.missing_h)}


def _files(language: str, tenant: str, month: date, by: By) -> list[Link]:
    base = f"/api/v1/tenants/{tenant}/energy"
    query = f"?month={month:%Y-%m}&by={by}"
    return [Link(translate(language, _("PDF")), f"{base}.pdf{query}&language={language}"),
            Link(translate(language, _("CSV for spreadsheets (semicolon, decimal comma)")), f"{base}.csv{query}&language=de"),
            Link(translate(language, _("CSV for programs (RFC 4180)")), f"{base}.csv{query}&language=en"),
            Link(translate(language, _("CSV lamp by lamp")), f"{base}/lamps.csv?month={month:%Y-%m}&language={language}")]


_BY: tuple[tuple[By, str], ...] = (("zone", _("by zone")), ("circuit", _("by circuit")), ("delivery", _("by delivery point")))


def _percent(language: str, part: float, whole: float) -> str:
    return f"{decimal(language, 100 * part / whole, 1)} %" if whole else "–"


def _round_up(kwh: float) -> float:
    """A round number that is not less."""
    power = 1.0
    while power * 10 <= kwh:
        power *= 10
    return next((step * power for step in (1, 2, 4, 5, 10) if step * power >= kwh), 10 * power)


def _factor(form: FactorForm) -> Factor:
    """Raises Invalid."""
    try:
        value = float(form.value.strip().replace(",", "."))
    except ValueError:
        raise Invalid("“{value}” is no number.", field="value", rule="number", value=form.value[:40]) from None
    return Factor(_kind(form), _day(form), value, form.source.strip(), form.scope.strip())


def _kind(form: FactorForm) -> FactorKind:
    try:
        return FactorKind(form.kind)
    except ValueError:
        raise Invalid("Choose CO₂ or the price.", field="kind", rule="co2, price") from None


def _day(form: FactorForm) -> date:
    try:
        return date.fromisoformat(form.valid_from)
    except ValueError:
        raise Invalid("“{value}” is no day.", field="valid_from", rule="YYYY-MM-DD", value=form.valid_from[:40]) from None
