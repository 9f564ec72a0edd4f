"""One lamp's page: its three states, its health in words, its last 24 hours, its commands and alarms."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from api import library, views
from api.deps import Asking, Here, Now, Viewing
from api.i18n import language_of, ngettext, translate
from api.library import ModelView
from api.pages import labels
from api.pages.addresses import paths
from api.pages.chart import Chart, chart
from api.pages.console import may
from api.pages.contexts import LampPage
from api.pages.render import PageRoute, html, page_of
from api.programming import tonight
from api.views import LuminaireView
from city.alarms import Alarm
from city.errors import NotFound
from city.floors import highest_floor
from city.ids import asset_id
from city.lighting import BERLIN
from city.quantities import LAMP_LEVEL, LAMP_POWER
from city.store.ports import Point, Role, TenantStore
from city.store.queries import Answers, Question
from city.sun import night

SHOWN = timedelta(hours=24)
MAX_COMMANDS = 20
MAX_ALARMS = 20

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("lamp")[0])
@router.get(paths("lamp")[1])
def lamp(request: Request, town: Viewing, who: Asking, here: Here, at: Now, asset: str) -> Response:
    """What is wanted of the lamp, what it says, what it draws; and how it came to that."""
    view = views.luminaire(town, asset_id(asset), at)
    past = [alarm for alarm in town.alarms(open_only=False) if alarm.asset == view.lamp.id]
    return html(request, LampPage(
        page_of(request, who, town.tenant), view, highest_floor(view.lamp), list(health(language_of(request), view)),
        last_day(town, here.answers, view, at), town.commands(asset=view.lamp.id, limit=MAX_COMMANDS),
        _newest(past), tonight(town, [view.lamp], at), may(who, Role.OPERATOR), _model(town, view.model)))


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


def last_day(town: TenantStore, answers: Answers, view: LuminaireView, at: datetime) -> Chart:
    """Levels and power of the last 24 hours."""
    start = at - SHOWN
    today = at.astimezone(BERLIN).date()
    nights = [night(town.tenant.site, today - timedelta(days=back)) for back in (2, 1, 0)]
    questions = (Question(town.tenant.id, quantity, start, at, asset=view.lamp.id) for quantity in (LAMP_LEVEL, LAMP_POWER))
    levels, powers = ([Point(row.at, row.value) for row in answers.series(question)] for question in questions)
    return chart(levels, powers, nights, start, at)


def _model(town: TenantStore, model: str) -> ModelView | None:
    """What reads the lamp's controller, if anything does."""
    try:
        return library.model_of(town, model) if model else None
    except NotFound:
        return None


def _newest(alarms: list[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=lambda alarm: (alarm.open, alarm.began_at), reverse=True)[:MAX_ALARMS]
