"""One lamp's page: its three states, its health in words, its history, its commands with their course, what it last sent byte
by byte, what it would do alone, its alarms and incidents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from api import holding, library, views
from api.deps import Asking, Here, Now, Platform, Viewing
from api.i18n import language_of, ngettext, translate
from api.library import ModelView
from api.pages import labels
from api.pages.addresses import Pairs, address, paths
from api.pages.chart import Chart, chart
from api.pages.console import may
from api.pages.contexts import Link, Page
from api.pages.curves import Drawing, drawing
from api.pages.lamp_history import SPANS, History, Span, history_of, span_of
from api.pages.render import PageRoute, html, page_of
from api.programming import tonight
from api.trying import Trial, try_native
from api.views import LuminaireView
from city.alarms import Alarm
from city.commands import Command
from city.courses import CommandStep
from city.errors import BadInput, CityError, NotFound
from city.floors import highest_floor
from city.ids import asset_id
from city.incidents import Incident
from city.lighting import BERLIN
from city.quantities import LAMP_LEVEL, LAMP_POWER, Measurement
from city.readings import Entry, from_ns
from city.store.ports import Point, Role, TenantStore
from city.sun import night
from decoders.bits import Field
from decoders.codec import Frame

MAX_COMMANDS, MAX_ALARMS, MAX_FRAMES, MAX_ROWS = 20, 20, 8, 200
FRAMES_FROM = timedelta(days=3)  # farther back nobody looks for a lamp's last words on this page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame of the lamp's controller: its bytes, what each of them means, and what was made of it."""

    at: datetime
    port: int
    data: bytes
    trace: Sequence[Field]
    said: Sequence[Measurement]
    error: CityError | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """What the lamp does if the network dies: in sentences, and as a curve beside what is programmed (None: nobody knows).
    `share`: per cent of its own program that it has confirmed."""

    sentences: Sequence[str]
    drawing: Drawing | None
    share: int
    told: bool


@dataclass(frozen=True, slots=True)
class LampPage:
    template: ClassVar[str] = "lamp.html"
    page: Page
    view: LuminaireView
    floor: int
    health: Sequence[str]
    chart: Chart
    history: History
    spans: Sequence[Link]
    series: str
    orders: Sequence[tuple[Command, Sequence[CommandStep]]]
    alarms: Sequence[Alarm]
    incidents: Sequence[Incident]
    frames: Sequence[Heard]
    alone: Alone | None
    program: str
    may_dim: bool
    model: ModelView | None
    most_rows: ClassVar[int] = MAX_ROWS


@router.get(paths("lamp")[0])
@router.get(paths("lamp")[1])
def lamp(request: Request, town: Viewing, who: Asking, here: Here, at: Now, asset: str, span: str = "") -> Response:
    """What is wanted of the lamp, what it says, what it draws; and how it came to that."""
    view, language, chosen = views.luminaire(town, asset_id(asset), at), language_of(request), span_of(span)
    history = history_of(town, here.answers, view.lamp.id, chosen, at)
    operator = may(who, Role.OPERATOR)
    model = model_of(town, view.model)
    return html(request, LampPage(
        page_of(request, who, town.tenant), view, highest_floor(view.lamp), list(health(language, view)),
        _drawn(town, history), history, _spans(language, town, view, chosen),
        address(language, "lamp-series", [("span", chosen.name)], tenant=town.tenant.id, asset=view.lamp.id),
        courses(town, view), _newest([alarm for alarm in town.alarms(open_only=False) if alarm.asset == view.lamp.id]),
        [one for one in town.incidents() if view.lamp.id in one.assets or one.subject == view.lamp.id],
        frames(here, town, view, model, at) if operator else (), alone(language, here, town, view, at),
        tonight(town, [view.lamp], at), operator, model))


def health(language: str, view: LuminaireView) -> Iterator[str]:
    """How the lamp is, in sentences: the worst first."""
    for alarm in view.alarms:
        yield labels.alarm(language, alarm.kind)
    if not view.alarms or view.word.value in ("silent", "never_heard", "deviates"):
        yield translate(language, labels.HEALTH[view.word])
    if not view.dims:
        yield translate(language, _("Its controller cannot be dimmed from here."))
    if view.alarms:
        yield ngettext(language, "{n} open alarm.", "{n} open alarms.", len(view.alarms))


def courses(town: TenantStore, view: LuminaireView) -> list[tuple[Command, Sequence[CommandStep]]]:
    """The lamp's last orders, the newest first, each with every step it took."""
    orders = town.commands(asset=view.lamp.id, limit=MAX_COMMANDS)
    steps = town.command_steps([order.id for order in orders])
    return [(order, steps.get(order.id, ())) for order in orders]


def frames(here: Platform, town: TenantStore, view: LuminaireView, model: ModelView | None, at: datetime) -> list[Heard]:
    """What the lamp's controller sent last, explained as far as one of our codecs reads it."""
    entries = here.log.entries(town.tenant.id, view.lamp.id, at - FRAMES_FROM, at + timedelta(hours=1), MAX_FRAMES)
    return [heard(entry, model) for entry in entries if entry.data]


def heard(entry: Entry, model: ModelView | None) -> Heard:
    """A frame, explained as far as one of our codecs reads it."""
    at = from_ns(entry.at_ns)
    if model is None or not model.native:
        return Heard(at, entry.f_port, entry.data, (), entry.said)
    try:
        outcome = try_native(model.codec, Trial("up", Frame(entry.f_port, entry.data), at))
    except BadInput as error:
        return Heard(at, entry.f_port, entry.data, (), entry.said, error)
    return Heard(at, entry.f_port, entry.data, outcome.trace, entry.said, outcome.error)


def model_of(town: TenantStore, model: str) -> ModelView | None:
    """What reads a device of this model, if anything does."""
    try:
        return library.model_of(town, model) if model else None
    except NotFound:
        return None


def alone(language: str, here: Platform, town: TenantStore, view: LuminaireView, at: datetime) -> Alone | None:
    """What the lamp does by itself; None where no controller serves it."""
    if view.device is None:
        return None
    held = holding.holding(town, view.lamp.id, at, local=holding.local_models(here.settings.bridge))
    left = held.alone
    sentences = [translate(language, one.message, **one.facts) for one in (*left.sentences, *held.deviations)]
    drawn = drawing(left.changes, held.night, held.programmed) if left.changes else None
    return Alone(sentences, drawn, round(100 * held.confirmed_share), bool(held.wanted))


def _drawn(town: TenantStore, history: History) -> Chart:
    """Levels and power of the span, for whoever has no JavaScript."""
    evening = history.end.astimezone(BERLIN).date()
    days = range(history.span.length.days + 2) if history.span.length <= timedelta(days=31) else range(0)
    nights = [night(town.tenant.site, evening - timedelta(days=back)) for back in days]
    by_name = {plot.quantity.name: column for plot, column in zip(history.plots, history.columns, strict=True)}
    none = [None] * len(history.at)
    levels, powers = ([Point(at, value) for at, value in zip(history.at, by_name.get(name, none), strict=True)
                       if value is not None] for name in (LAMP_LEVEL.name, LAMP_POWER.name))
    return chart(levels, powers, nights, history.start, history.end)


def _spans(language: str, town: TenantStore, view: LuminaireView, chosen: Span) -> list[Link]:
    def to(span: Span) -> str:
        query: Pairs = [("span", span.name)] if span is not SPANS[0] else []
        return address(language, "lamp", query, tenant=town.tenant.id, asset=view.lamp.id) + "#history"

    return [Link(translate(language, span.text), to(span), span is chosen) for span in SPANS]


def _newest(alarms: list[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=lambda alarm: (alarm.open, alarm.began_at), reverse=True)[:MAX_ALARMS]
