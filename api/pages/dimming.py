"""The dim dialog: what is meant, at what price, what the guard-rails say, until when; then how far it has come, who has to
agree, and how to end it.

Every step is a page of its own that works without JavaScript; the console shows the same as parts of itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api import intents, views
from api.auth import Actor
from api.boards import chosen
from api.deps import Acting, Asking, Now, Operating, Rails, Viewing
from api.following import stands
from api.i18n import explain, language_of, ngettext, translate
from api.intents import Proposal, Wish
from api.pages.addresses import address, is_local, paths
from api.pages.console import may, next_sun
from api.pages.contexts import (
    DimForm,
    DimPage,
    OverrideRow,
    OverridesPage,
    Price,
    PricePage,
    Problem,
    ProgressPage,
    Rail,
)
from api.pages.prefilling import filled_in
from api.pages.render import PageRoute, back, html, page_of
from api.views import OverrideProgress
from city.errors import Invalid, Refused
from city.floors import EARLY, LATE, floor_at, floor_key
from city.groups import MAX_MEMBERS, Target
from city.guards import Limits, Weight
from city.ids import AssetId, OverrideId
from city.lighting import BERLIN
from city.nights import Night
from city.places import Luminaire, Restriction, Site
from city.store.ports import Role, TenantStore
from city.wants import Wants

MOST_TARGETS = 200  # that an address or a form names one by one; a choice of many lamps comes in one field
MOST_BEHIND = 12  # lamps that deviate which a progress names
NAMED = 6  # names that are written out; of the others only how many
MOST_TYPED = 500_000  # characters of a choice of lamps: as many as a town may have
FIELDS = frozenset({"level", "until", "reason", "confirm", "targets"})
_LATE = DimForm().until  # where most programs dim
_NEAR, _SOON = timedelta(hours=8), timedelta(minutes=30)

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
Words = Annotated[list[str], Query(max_length=MOST_TARGETS + 1)]
FormWord = Annotated[str, Form(max_length=300)]
FormWords = Annotated[list[str], Form(max_length=MOST_TARGETS + 1)]
FormLamps = Annotated[str, Form(max_length=MOST_TYPED)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


REASONS = (_("event"), _("construction site"), _("fire brigade or police"), _("complaint of a resident"), _("test"))


@dataclass(frozen=True, slots=True)
class Meant:
    """The lamps that are meant, and as what they were named."""

    targets: Sequence[Target]
    name: str
    lamps: Sequence[Luminaire]

    def floor(self, site: Site, start: datetime, end: datetime) -> int:
        """The lowest lawful level for all of the lamps while it is dark between these times; those of crossings burn on as
        programmed unless they are alone."""
        moments = list(_dark(site, start, end))
        kinds = {floor_key(lamp): lamp for lamp in self.lamps if lamp.restriction is not Restriction.CROSSWALK}
        lamps = list(kinds.values()) or self.lamps[:1]
        return max((floor_at(lamp, night, at) for lamp in lamps for night, at in moments), default=0)


@router.get(paths("dim")[0])
@router.get(paths("dim")[1])
def dim(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, zone: Word = "",
        lamp: Words = [],  # noqa: B006
        target: Words = [], level: Word = "", minutes: Word = "") -> Response:  # noqa: B006 - FastAPI's way
    """The dialog for a zone, some lamps, or any targets; as a board's link fills it in, where one led here. Nothing is sent
    before the person sends it."""
    language = language_of(request)
    named = _given("", lamp, [*(f"zone:{one}" for one in chosen(zone)), *target])
    meant = meant_by(language, town, named)
    form = DimForm(named, end=likely_end(town, at))
    form = replace(form, level=str(max(50, _floor(town, meant, form, at))))
    form, problems = filled_in(language, form, level, minutes, at)
    return _dialog(request, town, who, at, rails, form, meant, problems)


@router.post(paths("dim-draft")[0])
@router.post(paths("dim-draft")[1])
def draft(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, target: FormWords = [],  # noqa: B006
          lamps: FormLamps = "", emergency: FormWord = "", back: FormWord = "") -> Response:
    """The dialog for a choice that is too long for an address. Nothing is written down."""
    named = _given("", lamps.split(), target)
    meant = meant_by(language_of(request), town, named)
    form = DimForm(named, end=likely_end(town, at), emergency=bool(emergency))
    form = replace(form, level="100" if emergency else str(max(50, _floor(town, meant, form, at))))
    return _dialog(request, town, who, at, rails, form, meant, given=back)


@router.get(paths("price")[0])
@router.get(paths("price")[1])
def price(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, zone: Word = "",
          lamp: Words = [], target: Words = [], kind: Word = "level", level: Word = "", end: Word = "",  # noqa: B006
          until: Word = "", confirm: Word = "") -> Response:
    """The price line alone, for a dialog that is being filled in."""
    return _priced(request, town, who, at, rails, DimForm(_given(zone, lamp, target), kind, level, end, until, confirm=confirm))


@router.post(paths("price")[0])
@router.post(paths("price")[1])
def posted_price(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, target: FormWords = [],  # noqa: B006
                 lamps: FormLamps = "", kind: FormWord = "level", level: FormWord = "", end: FormWord = "", until: FormWord = "",
                 confirm: FormWord = "") -> Response:
    """As above, for a choice of any length."""
    form = DimForm(_given("", lamps.split(), target), kind, level, end, until, confirm=confirm)
    return _priced(request, town, who, at, rails, form)


@router.post(paths("dim")[0])
@router.post(paths("dim")[1])
def send(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, zone: FormWord = "",
         lamp: FormWords = [], target: FormWords = [], lamps: FormLamps = "", kind: FormWord = "level",  # noqa: B006
         level: FormWord = "", end: FormWord = "", until: FormWord = "", reason: FormWord = "", confirm: FormWord = "",
         emergency: FormWord = "", back_to: Annotated[str, Form(alias="back", max_length=2000)] = "") -> Response:
    """Keep the wish, and show how far it has come; or show the dialog again with what is wrong."""
    named = _given(zone, [*lamp, *lamps.split()], target)
    form = DimForm(named, "level" if emergency else kind, "100" if emergency else level, end, until, reason, confirm,
                   bool(emergency))
    language = language_of(request)
    meant = meant_by(language, town, named)
    try:
        kept, _cost = intents.place(town, meant.targets, asked(language, town, form, at), who=who, now=at, limits=rails)
    except Refused as error:
        field = error.field if error.field in FIELDS else "level"
        return _dialog(request, town, who, at, rails, form, meant, (Problem(field, explain(language, error)),), given=back_to)
    return back(address(language, "progress", [("id", str(kept.id))], tenant=town.tenant.id))


@router.get(paths("progress")[0])
@router.get(paths("progress")[1])
def progress(request: Request, town: Viewing, who: Asking, at: Now, id: Word = "") -> Response:
    """How far a wish has come, or who has to agree to it."""
    language = language_of(request)
    if not id:
        raise Invalid(_("No override is named."), field="id", rule="required")
    wish = town.override(OverrideId(id))
    steps = views.override_progress(town, wish, at)
    lamps = views.covered(town, wish)
    return html(request, ProgressPage(
        page_of(request, who, town.tenant), steps, name_of(language, town, wish.targets, len(lamps)),
        address(language, "progress", [("id", id)], tenant=town.tenant.id), programs_of(town, lamps, at),
        (not wish.pending and (steps.settled or not steps.active)) or wish.ended_at is not None or wish.end <= at,
        may(who, Role.OPERATOR), who is not None and wish.pending and wish.ended_at is None and who.name != wish.actor,
        behind(town, steps, at)))


@router.get(paths("overrides")[0])
@router.get(paths("overrides")[1])
def overrides(request: Request, town: Viewing, who: Asking, at: Now) -> Response:
    """What people wish now, later, or once a second person agrees."""
    language = language_of(request)
    known = [wish for wish in town.overrides_from(at) if wish.ended_at is None and wish.end > at]
    rows = [OverrideRow(wish, name_of(language, town, wish.targets, len(lamps := views.covered(town, wish))), len(lamps))
            for wish in known]
    return html(request, OverridesPage(page_of(request, who, town.tenant), rows, may(who, Role.OPERATOR)))


@router.post(paths("approve")[0])
@router.post(paths("approve")[1])
def approve(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, id: FormWord = "") -> Response:
    """A second person agrees."""
    wish = intents.approve(town, OverrideId(id), who=who, now=at, limits=rails)
    return back(address(language_of(request), "progress", [("id", str(wish.id))], tenant=town.tenant.id))


@router.post(paths("end")[0])
@router.post(paths("end")[1])
def end_now(request: Request, town: Operating, who: Acting, at: Now, rails: Rails, id: FormWord = "") -> Response:
    """Back to the program now; a wish that waits for a second person is withdrawn or declined."""
    wish = intents.end(town, OverrideId(id), who=who, now=at, limits=rails)
    return back(address(language_of(request), "progress", [("id", str(wish.id))], tenant=town.tenant.id))


def behind(town: TenantStore, steps: OverrideProgress, at: datetime) -> list[tuple[Luminaire, str]]:
    """Some of the lamps that do not burn as this wish wants them to, and how they stand."""
    if not steps.deviating + steps.failed:
        return []
    found = (stand for stand in stands(town, steps.override, at) if stand.word in ("deviating", "failed"))
    return [(stand.lamp, stand.word) for stand in islice(found, MOST_BEHIND)]


def meant_by(language: str, town: TenantStore, named: Sequence[str]) -> Meant:
    """What is meant; raises NotFound for what is not there, Invalid where nothing or too much is."""
    targets = [Target.parse(text) for text in named]
    if not targets:
        raise Invalid(_("Choose a zone or some lamps first."), field="targets", rule="required")
    if len(targets) > MAX_MEMBERS:
        raise Invalid(_("At most {most} single lamps at once: take a zone for more."), field="targets", rule=f"≤ {MAX_MEMBERS}",
                      most=MAX_MEMBERS)
    lamps = intents.lamps_of(town, targets)
    return Meant(targets, name_of(language, town, targets, len(lamps)), lamps)


def name_of(language: str, town: TenantStore, targets: Sequence[Target], lamps: int) -> str:
    """What people call some targets: by its name where it is one, else as so many lamps."""
    if len(targets) != 1:
        return ngettext(language, "{n} lamp", "{n} lamps", lamps)
    only = targets[0]
    match only.kind:
        case "town":
            return town.tenant.name
        case "zone":
            return next((zone.name for zone in town.zones() if zone.id == only.id), only.id)
        case "circuit":
            return translate(language, _("circuit {id}"), id=only.id)
        case "group":
            return next((group.name for key, group in town.programming().groups.items() if key == only.id), only.id)
    return views.lamp_of(town, AssetId(only.id)).name


def programs_of(town: TenantStore, lamps: Iterable[Luminaire], at: datetime) -> str:
    """The names of the programs that these lamps obey in the night around `at`."""
    programming = town.programming()
    wants = Wants(programming, (), at)
    return ", ".join(sorted({programming.program(found).name for lamp in lamps
                             if (found := wants.programmed(lamp).program) is not None}))


def asked(language: str, town: TenantStore, form: DimForm, at: datetime) -> Wish:
    """What the form asks for. Raises Invalid, naming the field."""
    level = None
    if form.kind != "program":
        if not form.level.isdecimal() or len(form.level) > 4:
            raise Invalid(_("Give a level from 0 to 100 %."), field="level", rule="number")
        level = int(form.level)
    typed = "".join(sign for sign in form.confirm if sign.isdecimal())[:9]
    reason = form.reason or (translate(language, _("emergency")) if form.emergency else "")
    return Wish(level, ends_at(town, form, at), reason=reason, emergency=form.emergency, confirm=int(typed) if typed else None)


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


def price_of(language: str, town: TenantStore, meant: Meant, form: DimForm, who: Actor, at: datetime, rails: Limits) -> Price:
    """What the wish would cost and run into, or why it cannot be had."""
    many = len(meant.lamps)
    try:
        wish = asked(language, town, form, at)
        proposal = intents.propose(town, meant.targets, wish, who=who, now=at, limits=rails)
        cost = proposal.estimate or views.estimate_for(town, proposal.lamps, at, rails.rx2_dr)
    except Refused as error:
        return Price(many, level=form.level[:4], kind=form.kind, problem=explain(language, error))
    refused = proposal.weighs(Weight.REFUSED)
    return Price(many, cost.frames, cost.last_s, form.level, wish.end(at), programs_of(town, meant.lamps, at), kind=form.kind,
                 problem=explain(language, refused[0].error()) if refused else "", rails=tuple(_rails(language, proposal)),
                 unicast_s=cost.unicast_last_s if cost.casts else 0.0, loss=cost.loss, between_s=(cost.soonest_s, cost.latest_s),
                 waits_s=cost.waits_s,
                 needs_second=bool(proposal.weighs(Weight.SECOND)))


def _rails(language: str, proposal: Proposal) -> Iterator[Rail]:
    """What the guard-rails say, each as a sentence with its rule; those that refuse first."""
    order = list(Weight)
    for finding in sorted(proposal.findings, key=lambda one: order.index(one.weight)):
        yield Rail(finding.weight.name.lower(), explain(language, finding.error()), finding.rule)


def _priced(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, form: DimForm) -> Response:
    language = language_of(request)
    found = price_of(language, town, meant_by(language, town, form.targets), form, who, at, rails)
    return html(request, PricePage(page_of(request, who, town.tenant), found, form))


def _dialog(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, form: DimForm, meant: Meant,
            problems: tuple[Problem, ...] = (), given: str = "") -> Response:
    language = language_of(request)
    given = given or request.query_params.get("back", "")
    return html(request, DimPage(
        page_of(request, who, town.tenant), form, meant.name, [lamp.name for lamp in meant.lamps[:NAMED]],
        len(meant.lamps), _floor(town, meant, form, at), next_sunrise(town, at),
        price_of(language, town, meant, form, who, at, rails),
        given if is_local(given) else address(language, "console", tenant=town.tenant.id),
        [translate(language, text) for text in REASONS], len(meant.lamps) > rails.typed_above, problems),
        status=422 if problems and not request.headers.get("hx-request") else 200)


def _floor(town: TenantStore, meant: Meant, form: DimForm, at: datetime) -> int:
    """The floor while the wish would hold; as if until tomorrow, where its end cannot be read."""
    try:
        end = ends_at(town, form, at)
    except Invalid:
        end = at + timedelta(days=1)
    return meant.floor(town.tenant.site, at, end)


def _dark(site: Site, start: datetime, end: datetime) -> Iterator[tuple[Night, datetime]]:
    """One moment of each part of the nights between that has floors of its own: evening, late, morning."""
    night = Night.around(start, site)
    while night.noon < end:
        turns = (night.sunset, night.clock(LATE), night.clock(EARLY), night.sunrise)
        for begin, until in pairwise(turns):
            if max(begin, start) < min(until, end):
                yield night, max(begin, start)
        night = Night.around(night.next_noon + timedelta(hours=1), site)


def _given(zone: str, lamps: Sequence[str], targets: Sequence[str]) -> tuple[str, ...]:
    """Targets as text, each once, however they were named."""
    return tuple(dict.fromkeys([*([f"zone:{zone}"] if zone else []), *targets, *(f"lamp:{lamp}" for lamp in lamps)]))
