"""The dim dialog: what is meant, at what price, until when; then how far it has come, and how to end it.

Every step is a page of its own that works without JavaScript; the console shows the same as parts of itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api import intents, views
from api.auth import Actor
from api.deps import Acting, Asking, Now, Operating, Viewing
from api.i18n import explain, language_of, ngettext, translate
from api.intents import Wish
from api.pages.addresses import address, is_local, paths
from api.pages.console import next_sun
from api.pages.contexts import DimForm, DimPage, Price, PricePage, Problem, ProgressPage
from api.pages.render import PageRoute, back, html, page_of
from api.programming import tonight
from api.views import OverrideProgress
from city.errors import Invalid, Refused
from city.floors import highest_floor
from city.groups import Target as Named
from city.guards import refuse
from city.ids import AssetId, OverrideId, ZoneId
from city.lighting import BERLIN, Override
from city.places import Luminaire
from city.store.ports import TenantStore

MAX_LAMPS = 200  # single lamps in one wish; for more there are zones
NAMED = 6  # names that are written out; of the others only how many
_LATE = DimForm().until  # where most programs dim
_NEAR, _SOON = timedelta(hours=8), timedelta(minutes=30)

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
Words = Annotated[list[str], Query(max_length=MAX_LAMPS + 1)]
FormWord = Annotated[str, Form(max_length=300)]
FormWords = Annotated[list[str], Form(max_length=MAX_LAMPS + 1)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@dataclass(frozen=True, slots=True)
class Target:
    """The lamps that are meant: a whole zone, or single ones."""

    zone: ZoneId | None
    name: str
    lamps: Sequence[Luminaire]

    @property
    def named(self) -> list[Named]:
        """The same as the store knows it."""
        return [Named("zone", self.zone)] if self.zone is not None else [Named("lamp", lamp.id) for lamp in self.lamps]

    @property
    def floor(self) -> int:
        """The highest of the lamps' floors: the lowest level that all may burn at."""
        return max((highest_floor(lamp) for lamp in self.lamps), default=0)


@router.get(paths("dim")[0])
@router.get(paths("dim")[1])
def dim(request: Request, town: Operating, who: Acting, at: Now, zone: Word = "",
        lamp: Words = []) -> Response:  # noqa: B006 - FastAPI's way
    """The dialog for a zone or some lamps."""
    target = target_of(town, zone, lamp)
    form = DimForm(zone, tuple(lamp), str(max(50, target.floor)), likely_end(town, at))
    return _dialog(request, town, who, at, form, target)


@router.get(paths("price")[0])
@router.get(paths("price")[1])
def price(request: Request, town: Operating, who: Acting, at: Now, zone: Word = "", lamp: Words = [],  # noqa: B006
          level: Word = "", end: Word = "", until: Word = "") -> Response:
    """The price line alone, for a dialog that is being filled in."""
    form = DimForm(zone, tuple(lamp), level, end, until)
    return html(request, PricePage(page_of(request, town=town.tenant),
                                   price_of(language_of(request), town, target_of(town, zone, lamp), form, who, at)))


@router.post(paths("dim")[0])
@router.post(paths("dim")[1])
def send(request: Request, town: Operating, who: Acting, at: Now, zone: FormWord = "",
         lamp: FormWords = [], level: FormWord = "", end: FormWord = "",  # noqa: B006
         until: FormWord = "", reason: FormWord = "") -> Response:
    """Keep the wish, and show how far it has come; or show the dialog again with what is wrong."""
    form = DimForm(zone, tuple(lamp), level, end, until, reason)
    target = target_of(town, zone, lamp)
    language = language_of(request)
    try:
        kept = keep(town, target, form, who, at)
    except Refused as error:
        field = error.field if error.field in ("level", "until", "reason") else "level"
        return _dialog(request, town, who, at, form, target, (Problem(field, explain(language, error)),))
    query = [("id", str(wish.id)) for wish in kept]
    return back(address(language, "progress", query, tenant=town.tenant.id))


@router.get(paths("progress")[0])
@router.get(paths("progress")[1])
def progress(request: Request, town: Viewing, who: Asking, at: Now,
             id: Words = []) -> Response:  # noqa: B006
    """How far a wish has come."""
    language = language_of(request)
    kept = [town.override(OverrideId(text)) for text in dict.fromkeys(id[:MAX_LAMPS])]
    if not kept:
        raise Invalid(_("No override is named."), field="id", rule="required")
    steps = [views.override_progress(town, wish, at) for wish in kept]
    target = _targets(language, town, kept)
    ids = [str(wish.id) for wish in kept]
    return html(request, ProgressPage(
        page_of(request, who, town.tenant), summed(steps), target, ids,
        address(language, "progress", [("id", text) for text in ids], tenant=town.tenant.id),
        tonight(town, views.covered(town, kept[0]), at),
        all(step.settled or not step.active for step in steps)))


@router.post(paths("end")[0])
@router.post(paths("end")[1])
def end_now(request: Request, town: Operating, who: Acting, at: Now,
            id: FormWords = []) -> Response:  # noqa: B006
    """Back to the program now."""
    kept = [town.override(OverrideId(text)) for text in dict.fromkeys(id[:MAX_LAMPS])]
    for wish in kept:
        intents.end(town, wish.id, who=who, now=at)
    query = [("id", str(wish.id)) for wish in kept]
    return back(address(language_of(request), "progress", query, tenant=town.tenant.id))


def target_of(town: TenantStore, zone: str, lamps: Sequence[str]) -> Target:
    """What is meant; raises NotFound for what is not there, Invalid where nothing or too much is."""
    if zone:
        found = town.zone(ZoneId(zone))
        return Target(found.id, found.name, town.luminaires(found.id))
    if not lamps:
        raise Invalid(_("Choose a zone or some lamps first."), field="lamp", rule="required")
    if len(lamps) > MAX_LAMPS:
        raise Invalid(_("At most {most} single lamps at once: take a zone for more."), field="lamp", rule="≤ 200",
                      most=MAX_LAMPS)
    chosen = [views.lamp_of(town, AssetId(lamp)) for lamp in dict.fromkeys(lamps)]
    return Target(None, chosen[0].name if len(chosen) == 1 else "", chosen)


def keep(town: TenantStore, target: Target, form: DimForm, who: Actor, at: datetime) -> list[Override]:
    """Write the wish down: one override for all that is meant. Raises Invalid, naming the field, and Unsupported."""
    return [intents.place(town, target.named, asked(town, form, at), who=who, now=at)[0]]


def asked(town: TenantStore, form: DimForm, at: datetime) -> Wish:
    """What the form asks for. Raises Invalid, naming the field."""
    if not form.level.isdecimal() or len(form.level) > 4:
        raise Invalid(_("Give a level from 0 to 100 %."), field="level", rule="number")
    return Wish(int(form.level), ends_at(town, form, at), reason=form.reason)


def checked(town: TenantStore, target: Target, form: DimForm, who: Actor, at: datetime) -> Wish:
    """As `asked`, checked against every rule of all its lamps. Raises Invalid, naming the field."""
    wish = asked(town, form, at)
    refuse(intents.propose(town, target.named, wish, who=who, now=at).findings)
    return wish


def ends_at(town: TenantStore, form: DimForm, at: datetime) -> datetime:
    """When the wish ends, UTC: after hours, at sunrise, or the next time Berlin's clocks show what is typed."""
    match form.end:
        case "1h":
            return at + timedelta(hours=1)
        case "2h":
            return at + timedelta(hours=2)
        case "sunrise":
            return next_sunrise(town, at)
    try:
        wanted = time.fromisoformat(form.until.strip().rjust(5, "0"))
    except ValueError:
        raise Invalid(_("Give the end as a time, like 23:30."), field="until", rule="time") from None
    today = at.astimezone(BERLIN).date()
    return min(end for days in (0, 1) for end in _shown(today + timedelta(days), wanted) if end > at)


def _shown(day: date, wanted: time) -> tuple[datetime, datetime]:
    """When Berlin's clocks show a time on that day, UTC: in the night that repeats an hour twice, else the same twice.
    A time that is skipped in spring is taken an hour later."""
    first, second = (datetime.combine(day, wanted.replace(tzinfo=None, fold=fold), BERLIN).astimezone(UTC)
                     for fold in (0, 1))
    return first, max(first, second)


def likely_end(town: TenantStore, at: datetime) -> str:
    """The end that the dialog offers first: 23:30 while that is near, in the night the sunrise, else two hours."""
    if ends_at(town, DimForm(end="time", until=_LATE), at) - at <= _NEAR:
        return "time"
    name, turn = next_sun(town, at)
    return "sunrise" if name == "sunrise" and turn - at >= _SOON else "2h"


def next_sunrise(town: TenantStore, at: datetime) -> datetime:
    """When the sun rises next."""
    name, turn = next_sun(town, at)
    return turn if name == "sunrise" else next_sun(town, turn)[1]


def price_of(language: str, town: TenantStore, target: Target, form: DimForm, who: Actor, at: datetime) -> Price:
    """What the wish would cost, or why it cannot be had."""
    try:
        cost = views.estimate_for(town, target.lamps)
        end = checked(town, target, form, who, at).end(at)
    except Refused as error:
        return Price(len(target.lamps), level=form.level[:4], problem=explain(language, error))
    return Price(cost.lamps, cost.frames, cost.last_s, form.level, end, tonight(town, target.lamps, at))


def summed(steps: Sequence[OverrideProgress]) -> OverrideProgress:
    """Several overrides counted as one; the first one's wish stands for all."""
    def total(name: str) -> int:
        return sum(getattr(step, name) for step in steps)

    return OverrideProgress(steps[0].override, any(step.active for step in steps), *(total(name) for name in (
        "asked", "waiting", "sent", "scheduled", "acked", "applied", "deviating", "failed", "unable")))


def _dialog(request: Request, town: TenantStore, who: Actor, at: datetime, form: DimForm, target: Target,
            problems: tuple[Problem, ...] = ()) -> Response:
    language = language_of(request)
    given = request.query_params.get("back", "")
    return html(request, DimPage(
        page_of(request, who, town.tenant), form, target.name, [lamp.name for lamp in target.lamps[:NAMED]],
        len(target.lamps), target.floor, next_sunrise(town, at), price_of(language, town, target, form, who, at),
        given if is_local(given) else address(language, "console", tenant=town.tenant.id), problems),
        status=422 if problems and not request.headers.get("hx-request") else 200)


def _targets(language: str, town: TenantStore, kept: Sequence[Override]) -> str:
    if len(kept) > 1:
        return ngettext(language, "{n} lamp", "{n} lamps", len(kept))
    wish = kept[0]
    if len(wish.targets) > 1:
        return ngettext(language, "{n} lamp", "{n} lamps", len(views.covered(town, wish)))
    only = wish.targets[0]
    if only.kind == "zone":
        return town.zone(ZoneId(only.id)).name
    return views.lamp_of(town, AssetId(only.id)).name if only.kind == "lamp" else translate(language, _("lamps"))
