"""A lamp's history on its page: level, power, voltage, power factor and temperature on one time axis, as columns for the
drawing and as rows for the table behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from fastapi import APIRouter, Request, Response

from api import views
from api.deps import Here, Now, Viewing
from api.i18n import language_of, translate
from api.pages.addresses import paths
from api.pages.render import PageRoute
from city.ids import AssetId, asset_id
from city.lighting import BERLIN
from city.quantities import DEVICE_TEMPERATURE, LAMP_LEVEL, LAMP_POWER, LAMP_POWER_FACTOR, LAMP_VOLTAGE, Quantity
from city.store.ports import TenantStore
from city.store.queries import Answers, Question
from city.sun import night

FEW = 60  # values that are shown as points too

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@dataclass(frozen=True, slots=True)
class Span:
    """A time that may be looked at: its name in addresses, and the step of its values (None: every one)."""

    name: str
    text: str
    length: timedelta
    every_s: float | None = None


SPANS = (Span("24h", _("24 hours"), timedelta(hours=24)), Span("7d", _("7 days"), timedelta(days=7), 900),
         Span("30d", _("30 days"), timedelta(days=30), 3600), Span("1y", _("1 year"), timedelta(days=365), 86_400))


@dataclass(frozen=True, slots=True)
class Plot:
    """One of the drawings: what it shows, in which of the page's colours, from where to where."""

    quantity: Quantity
    name: str
    unit: str
    colour: str
    digits: int
    least: float
    range: tuple[float, float] | None = None
    step: bool = False


PLOTS = (Plot(LAMP_LEVEL, _("Level"), "%", "--warn", 0, 5, (0, 105), step=True),
         Plot(LAMP_POWER, _("Power"), "W", "--accent", 1, 2),
         Plot(LAMP_VOLTAGE, _("Voltage"), "V", "--ok", 0, 3),
         Plot(LAMP_POWER_FACTOR, _("Power factor"), "", "--unknown", 2, 0.05),
         Plot(DEVICE_TEMPERATURE, _("Temperature"), "°C", "--bad", 1, 2))


@dataclass(frozen=True, slots=True)
class History:
    """What was reported in a span: the drawings that have values, the times, and a column of values for each drawing."""

    span: Span
    start: datetime
    end: datetime
    plots: Sequence[Plot]
    at: Sequence[datetime]
    columns: Sequence[Sequence[float | None]]

    def newest(self, most: int) -> list[tuple[datetime, list[float | None]]]:
        """The last rows, the newest first."""
        rows = list(zip(self.at, zip(*self.columns, strict=True), strict=True))[-most:] if self.at else []
        return [(at, list(values)) for at, values in reversed(rows)]


def span_of(name: str) -> Span:
    """The span of that name; the first one where there is none."""
    return next((span for span in SPANS if span.name == name), SPANS[0])


def history_of(town: TenantStore, answers: Answers, asset: AssetId, span: Span, at: datetime) -> History:
    """What a lamp reported from a span ago until now."""
    start = at - span.length
    found: dict[Plot, Mapping[datetime, float]] = {}
    for plot in PLOTS:
        question = Question(town.tenant.id, plot.quantity, start, at, span.every_s, asset=asset)
        values = {row.at: float(row.value) for row in answers.series(question) if isinstance(row.value, int | float)}
        if values:
            found[plot] = values
    times = sorted({moment for values in found.values() for moment in values})
    columns = [[values.get(moment) for moment in times] for values in found.values()]
    return History(span, start, at, list(found), times, columns)


@router.get(paths("lamp-series")[0])
@router.get(paths("lamp-series")[1])
def series(request: Request, town: Viewing, here: Here, at: Now, asset: str, span: str = "") -> Response:
    """The columns of the drawing: times in seconds since 1970, nights as (sunset, sunrise)."""
    lamp, language = views.lamp_of(town, asset_id(asset)), language_of(request)
    known = history_of(town, here.answers, lamp.id, span_of(span), at)
    body = {
        "from": known.start.timestamp(), "to": known.end.timestamp(), "nights": nights(town, known.start, known.end),
        "at": [moment.timestamp() for moment in known.at],
        "series": [{"name": translate(language, plot.name), "unit": plot.unit, "colour": plot.colour, "range": plot.range,
                    "step": plot.step, "least": plot.least, "few": sum(value is not None for value in column) <= FEW,
                    "values": column} for plot, column in zip(known.plots, known.columns, strict=True)]}
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"Cache-Control": "no-store"})


def nights(town: TenantStore, start: datetime, end: datetime) -> list[tuple[float, float]]:
    """Sunset and sunrise of the nights between; nothing for more than two months, where they would be a grey sheet."""
    if end - start > timedelta(days=62):
        return []
    first = start.astimezone(BERLIN).date() - timedelta(days=1)
    evenings = (first + timedelta(days=n) for n in range((end - start).days + 3))
    return [(down.timestamp(), up.timestamp()) for down, up in (night(town.tenant.site, evening) for evening in evenings)]
