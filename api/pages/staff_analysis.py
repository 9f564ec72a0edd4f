"""How a parking zone is used: its curve, its week as a heat map, how long people stay, how often a bay changes hands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query, Request, Response

from api import analysis
from api.analysis import Analysis, Period, Step
from api.deps import Acting, Here, Now, ParkingOperating
from api.exporting import streamed
from api.i18n import explain, language_of, ngettext, translate
from api.pages import bay_words
from api.pages.addresses import Pairs, address, paths
from api.pages.contexts import Link, Option, Page, Problem
from api.pages.render import PageRoute, html, page_of
from city.errors import Invalid
from city.exports import parking_tables
from city.exports.csv_tables import Variant
from city.ids import ZoneId
from city.lighting import BERLIN
from city.parking_stats import DWELL_BINS
from city.places import Restriction, Zone
from city.store.ports import TenantStore

LEFT, TOP, WIDE, HIGH = 16.0, 12.0, 656.0, 200.0  # of the drawing
PRESETS = (7, 28, 91, 364)  # days
MOST_LABELS = 8

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Curve:
    """The occupied share over time as SVG paths, one for each time without a gap, and the times under it."""

    lines: Sequence[str]
    labels: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A class of how long people stay: its name, how many stays, and their share of all, per cent."""

    text: str
    count: int
    percent: float


@dataclass(frozen=True, slots=True)
class AnalysisPage:
    template: ClassVar[str] = "staff_analysis.html"
    page: Page
    zones: Sequence[Option]
    zone: str
    kinds: Sequence[Option]
    kind: str
    first: str
    last: str
    presets: Sequence[Link]
    found: Analysis | None
    curve: Curve | None
    rows: Sequence[Step]
    heat: Sequence[tuple[str, Sequence[tuple[int, int | None]]]]
    dwell: Sequence[Bar]
    file: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    zone: Zone
    kind: Restriction
    period: Period

    def query(self) -> Pairs:
        return [("zone", self.zone.id), ("kind", self.kind.value), ("from", self.period.first.isoformat()),
                ("to", self.period.last.isoformat())]


@router.get(paths("staff-analysis")[0])
@router.get(paths("staff-analysis")[1])
def page(request: Request, here: Here, town: ParkingOperating, who: Acting, at: Now, zone: Word = "", kind: Word = "",
         first: Annotated[str, Query(alias="from", max_length=10)] = "",
         last: Annotated[str, Query(alias="to", max_length=10)] = "") -> Response:
    """One zone; without one in the address the first by name."""
    language, zones = language_of(request), _zones(town)
    own = page_of(request, who, town.tenant)
    options = [Option(one.id, one.name) for one in zones]
    if not zones:
        return html(request, AnalysisPage(own, options, "", (), "", first, last, (), None, None, (), (), (), ""))
    try:
        asked = _asked(town, zones, zone, kind, first, last, at)
    except Invalid as error:
        problem = Problem(error.field if error.field in ("from", "to") else "from", explain(language, error))
        return html(request, AnalysisPage(own, options, zone, (), kind, first, last, (), None, None, (), (), (), "", (problem,)),
                    status=422)
    found = analysis.analyse(town, asked.zone.id, asked.kind, asked.period, at, here.settings.parking.stays_days)
    return html(request, AnalysisPage(
        own, options, asked.zone.id, _kinds(language, town, asked.zone.id), asked.kind.value, asked.period.first.isoformat(),
        asked.period.last.isoformat(), _presets(language, town, asked, at), found, curve(language, found), found.steps[-96:],
        heat_rows(language, found), bars(language, found),
        address(language, "staff-analysis-csv", asked.query(), tenant=town.tenant.id)))


@router.get(paths("staff-analysis-csv")[0])
@router.get(paths("staff-analysis-csv")[1])
def table(request: Request, here: Here, town: ParkingOperating, at: Now, zone: Word, kind: Word = "",
          first: Annotated[str, Query(alias="from", max_length=10)] = "",
          last: Annotated[str, Query(alias="to", max_length=10)] = "") -> Response:
    """The same as a table: sums of the zone alone."""
    asked = _asked(town, _zones(town), zone, kind, first, last, at)
    found = analysis.analyse(town, asked.zone.id, asked.kind, asked.period, at, here.settings.parking.stays_days)
    variant: Variant = "de" if language_of(request) == "de" else "rfc"
    return streamed(request, parking_tables.usage(found.zone.name, found.kind.value, found.steps, variant),
                    media_type="text/csv; charset=utf-8; header=present",
                    filename=f"{town.tenant.id}-parking-{asked.period.first}-{asked.period.last}.csv")


def curve(language: str, found: Analysis) -> Curve:
    """The occupied share over the period, with gaps where nothing was known."""
    start, span = found.period.start, (found.period.end - found.period.start) / timedelta(seconds=1)
    lines: list[list[str]] = [[]]
    before: Step | None = None
    for step in found.steps:
        if step.occupied is None or (before is not None and step.at - before.at > 1.1 * found.period.step + timedelta(hours=1)):
            lines.append([])
        if step.occupied is not None:
            x = LEFT + WIDE * ((step.at - start) / timedelta(seconds=1)) / span
            lines[-1].append(f"{x:.1f} {TOP + HIGH * (1 - step.occupied):.1f}")
        before = step
    days = (found.period.last - found.period.first).days + 1
    every = max(-(-days // MOST_LABELS), 1)
    labels = [(LEFT + WIDE * day / days, _short(language, found.period.first + timedelta(days=day)))
              for day in range(0, days, every)]
    return Curve(["M" + "L".join(points) for points in lines if points], labels)


def heat_rows(language: str, found: Analysis) -> list[tuple[str, Sequence[tuple[int, int | None]]]]:
    """Each weekday with its 24 hours: how much was occupied, per cent; None: nobody knows."""
    return [(translate(language, name), [(hour, None if (share := found.heat.get((day, hour))) is None else round(100 * share))
                                         for hour in range(24)]) for day, name in enumerate(_WEEKDAYS, start=1)]


def bars(language: str, found: Analysis) -> list[Bar]:
    """How long people stayed, by class."""
    total = max(found.dwell.stays, 1)
    ends = [_span(language, minutes) for minutes in DWELL_BINS]
    names = [translate(language, _("up to {span}"), span=ends[0]),
             *(translate(language, _("{low} to {high}"), low=low, high=high) for low, high in pairwise(ends)),
             translate(language, _("more than {span}"), span=ends[-1])]
    return [Bar(name, count, 100 * count / total) for name, count in zip(names, found.dwell.counts, strict=True)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


def _span(language: str, minutes: int) -> str:
    if minutes < 60:
        return translate(language, _("{n} min"), n=minutes)
    return translate(language, _("{n} h"), n=minutes // 60)


def _short(language: str, day: date) -> str:
    return f"{day.day}.{day.month}." if language == "de" else f"{day.day}/{day.month}"


def _asked(town: TenantStore, zones: Sequence[Zone], zone: str, kind: str, first: str, last: str, at: datetime) -> _Asked:
    chosen = next((one for one in zones if one.id == zone), None) if zone else zones[0] if zones else None
    if chosen is None:
        raise analysis.no_zone(ZoneId(zone))
    kinds = analysis.kinds_of(town, chosen.id)
    wanted = next((one for one in kinds if one.value == kind), kinds[0])
    return _Asked(chosen, wanted, analysis.period_of(_day(first, "from"), _day(last, "to"), at))


def _day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("“{value}” is no day: write 2026-11-23.", field=name, rule="day", value=text[:20]) from None


def _zones(town: TenantStore) -> list[Zone]:
    named = {bay.zone for bay in town.bays()}
    return sorted((one for one in town.zones() if one.id in named), key=lambda one: (one.name, one.id))


def _kinds(language: str, town: TenantStore, zone: ZoneId) -> list[Option]:
    return [Option(kind.value, translate(language, bay_words.KINDS.get(kind, kind.value)))
            for kind in analysis.kinds_of(town, zone)]


def _presets(language: str, town: TenantStore, asked: _Asked, at: datetime) -> list[Link]:
    today = at.astimezone(BERLIN).date()

    def to(days: int) -> Link:
        period = Period(today - timedelta(days=days - 1), today)
        return Link(ngettext(language, _("{n} day"), _("{n} days"), days),
                    address(language, "staff-analysis", _Asked(asked.zone, asked.kind, period).query(), tenant=town.tenant.id),
                    period == asked.period)

    return [to(days) for days in PRESETS]


_WEEKDAYS = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
