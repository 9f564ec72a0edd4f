"""What is programmed, on pages: which calendar holds where, the programs, and the editor of one of them.

Everything works as plain forms; a module adds handles to drag and renews what comes of it while one types.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api import programming as changes
from api.auth import Actor
from api.deps import MAX_FIELDS, Acting, Asking, Engineering, Here, Now, Rails, Viewing
from api.holding import local_models
from api.i18n import explain, language_of, translate
from api.pages import forecast, judging, program_form
from api.pages import program_words as words
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Problem
from api.pages.curves import Handle, drawing, handle, turns
from api.pages.judging import Look
from api.pages.program_contexts import (
    CalendarRow,
    Judged,
    Option,
    OptionGroup,
    PlaceRow,
    ProgramPage,
    ProgramRow,
    ProgramsPage,
    Question,
    Saving,
)
from api.pages.program_form import ProgramForm
from api.pages.render import PageRoute, back, html, page_of
from api.told import told
from city import guards
from city.errors import Invalid, NotFound, Refused
from city.groups import TOWN, Group, Target, resolve
from city.guards import Limits
from city.ids import CalendarId, ProgramId
from city.nights import Night, curve
from city.places import Luminaire
from city.programs import SHIPPED, SHIPPED_CALENDARS, Assignment, Calendar, Program, Programming, standard
from city.store.ports import Role, TenantStore
from city.store.programmed import calendar_body, group_body, program_body

_YEARS = timedelta(days=5 * 366)
_log = logging.getLogger(__name__)

OBEYING = "obeying"  # in place of a target: the lamps whose calendars name the program

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


_OBEYING = _("lamps that obey it now")


@router.get(paths("programs")[0])
@router.get(paths("programs")[1])
def programs(request: Request, here: Here, town: Viewing, who: Asking, at: Now, said: Word = "") -> Response:
    """Which calendar holds where, and what programs and calendars there are."""
    language, programming = language_of(request), town.programming()
    lamps = town.luminaires()
    by_calendar = forecast.by_calendar(programming, lamps)
    night = Night.around(at, programming.site)
    numbers = {calendar: len(lamps) for calendar, lamps in by_calendar.items()}
    return html(request, ProgramsPage(
        page_of(request, who, town.tenant), _places(language, town, programming, lamps, night),
        [_program_row(language, programming, one, numbers, night) for one in programming.programs.values()],
        [CalendarRow(one, programming.program(one.on(night.evening, programming.land)), numbers.get(one.id, 0),
                     sum(place.calendar == one.id for place in programming.assignments),
                     SHIPPED_CALENDARS.get(one.id) == one) for one in programming.calendars.values()],
        len(programming.groups), words.LAENDER.get(programming.land, ""), may(who, Role.ENGINEER), said[:20],
        told(town, here.store.config_wishes(town.tenant.id), here.settings, at, local=local_models(here.settings.bridge))))


@router.get(paths("program-new")[0])
@router.get(paths("program-new")[1])
def new(request: Request, town: Engineering, who: Acting, at: Now, like: Word = "") -> Response:
    """An empty editor, or a copy of a program."""
    model = town.programming().programs.get(ProgramId(like))
    form = replace(program_form.form_of(model), name="") if model else ProgramForm()
    return _editor(request, town, who, at, None, form)


@router.get(paths("program")[0])
@router.get(paths("program")[1])
def edit(request: Request, town: Viewing, who: Acting, at: Now, program: str, saved: Word = "", target: Word = "",
         night: Word = "") -> Response:
    """A kept program, in the editor for those who may change it."""
    kept = _kept(town, program)
    form = replace(program_form.form_of(kept), target=target[:80], night=night[:10], base=digest(kept))
    return _editor(request, town, who, at, kept, form, saved=bool(saved))


@router.post(paths("program-new")[0])
@router.post(paths("program-new")[1])
async def send_new(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails) -> Response:
    """Change the form, look what comes of it, or keep it."""
    data = await request.form(max_fields=MAX_FIELDS)
    return await run_in_threadpool(_done, request, town, who, at, rails, None, program_form.typed(data), str(data.get("do")))


@router.post(paths("program")[0])
@router.post(paths("program")[1])
async def send(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, program: str) -> Response:
    """The same for a program that is there."""
    kept = await run_in_threadpool(_kept, town, program)
    data = await request.form(max_fields=MAX_FIELDS)
    return await run_in_threadpool(_done, request, town, who, at, rails, kept, program_form.typed(data), str(data.get("do")))


@router.post(paths("program-remove")[0])
@router.post(paths("program-remove")[1])
def remove(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, program: str) -> Response:
    """Take a program away, or back to what was shipped."""
    changes.drop_program(town, _kept(town, program).id, who, at, rails)
    return back(address(language_of(request), "programs", [("said", "removed")], tenant=town.tenant.id))


def digest(*parts: object) -> str:
    """What was shown when a question was asked, so that an answer is never taken for another one: the same in every process."""
    return hashlib.sha256("\0".join(map(_canonical, parts)).encode()).hexdigest()[:16]


def meant(do: str, confirm: str) -> str:
    """Which button is meant: the Enter key in a field answers the question where its number has been typed."""
    return "confirm" if do == "enter" and confirm else do


def answered(language: str, question: Question, do: str, seen: str, confirm: str) -> tuple[bool, tuple[Problem, ...]]:
    """Whether the question has been answered with yes, and what is wrong with the answer."""
    if do != "confirm" or seen != question.seen:
        return False, ()
    if question.typed and confirm.replace(".", "").replace(",", "") != str(question.lamps):
        sentence = "Type the number of lamps, {lamps}, to show that you mean it."
        return False, (Problem("confirm", explain(language, Invalid(sentence, field="confirm", lamps=question.lamps))),)
    return True, ()


def overtaken(language: str, base: str, kept: object) -> tuple[Problem, ...]:
    """What is wrong where somebody else has changed it since it was opened."""
    if kept is None or base == digest(kept):
        return ()
    return (Problem("name", translate(language, _("Somebody else has changed this meanwhile. What you typed stands here: save it "
                                                  "again to replace theirs, or open it anew to see it."))),)


def asked(lamps: int, *shown: object) -> Question | None:
    """The question for so many lamps; None where there are none."""
    return Question(lamps, lamps > guards.STANDARD.typed_above, digest(lamps, *shown)) if lamps else None


def _canonical(part: object) -> str:
    match part:
        case Program():
            return f"{part.name}\0{program_body(part)}"
        case Calendar():
            return f"{part.name}\0{calendar_body(part)}"
        case Group():
            return f"{part.name}\0{group_body(part)}"
    return str(part)


def _done(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, kept: Program | None, form: ProgramForm,
          do: str) -> Response:
    match meant(do, form.confirm).partition("-"):
        case ["add", *_rest]:
            return _editor(request, town, who, at, kept, program_form.add(form))
        case ["remove", _, number]:
            return _editor(request, town, who, at, kept, program_form.remove(form, number))
        case ["save" | "confirm", *_rest]:
            return _save(request, town, who, at, rails, kept, form, meant(do, form.confirm))
    return _editor(request, town, who, at, kept, form)


def _save(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, kept: Program | None, form: ProgramForm,
          do: str) -> Response:
    language = language_of(request)
    program, wrong = program_form.read(form, kept.id if kept else ProgramId(""))
    if program is None:
        return _editor(request, town, who, at, kept, form, problems=_problems(language, wrong))
    if old := overtaken(language, form.base, kept):
        return _editor(request, town, who, at, kept, replace(form, base=digest(kept)), problems=old)
    try:
        programming = town.programming()
        if kept is None:
            program = replace(program, id=ProgramId(words.slug(program.name, programming.programs)))
        obeying = forecast.obeying(programming, town.luminaires(), program.id)
        question = asked(len(obeying), program)
        if question is not None:
            yes, problems = answered(language, question, do, form.seen, form.confirm)
            if not yes:
                look = Look.of(request, town, at)
                price = look.saving(obeying, programming, forecast.with_program(programming, program))
                return _editor(request, town, who, at, kept, form, question=question, price=price, problems=problems)
        changes.keep_program(town, program, who, at, rails)
    except Refused as error:
        return _editor(request, town, who, at, kept, form, problems=_problems(language, [(error.field, error)]))
    return back(address(language, "program", [("saved", "1")], tenant=town.tenant.id, program=program.id))


def _problems(language: str, wrong: Sequence[tuple[str, Refused]]) -> tuple[Problem, ...]:
    return tuple(Problem("steps" if field in ("program", "off") else field, explain(language, error)) for field, error in wrong)


def _editor(request: Request, town: TenantStore, who: Actor, at: datetime, kept: Program | None, form: ProgramForm, *,
            saved: bool = False, question: Question | None = None, price: Saving | None = None,
            problems: tuple[Problem, ...] = ()) -> Response:
    language, programming = language_of(request), town.programming()
    night = Night.of(evening_of(form.night, at, programming), programming.site)
    program, _wrong = program_form.read(replace(form, name=form.name or "-"), kept.id if kept else ProgramId("-"))
    rows = _handles(form, night)
    changes_of = curve(program, night) if program is not None else ()
    chosen, judged = form.target, None
    if program is not None:
        chosen, judged = _judged(Look.of(request, town, at), programming, program, form, night)
    place = {"tenant": town.tenant.id}
    action = address(language, "program", program=kept.id, **place) if kept else address(language, "program-new", **place)
    bases = {row.key: row.base for row in rows}
    return html(request, ProgramPage(
        page_of(request, who, town.tenant), kept, kept is not None and SHIPPED.get(kept.id) == kept,
        words.uses(programming, kept) if kept else (), replace(form, target=chosen, night=night.evening.isoformat()), action,
        drawing(changes_of, night), rows, json.dumps(bases), json.dumps(turns(night)),
        _targets(language, town, programming, kept), judged, may(who, Role.ENGINEER), saved, question, price,
        problems), status=422 if problems and not request.headers.get("hx-request") else 200)


def _handles(form: ProgramForm, night: Night) -> list[Handle]:
    """A handle for every row; one that cannot be read stands hidden at its noon."""
    found = []
    for key, row in form.rows.items():
        step, _wrong = program_form.read_row(key, row)
        found.append(handle(key, step.at, step.level, night) if step is not None
                     else Handle(key, 0.0, 100.0, night.noon, 0, -1.0))
    return found


def _judged(look: Look, programming: Programming, program: Program, form: ProgramForm, night: Night) -> tuple[str, Judged]:
    """What comes of it for the lamps that obey it, under their calendars; or for a target, as if it held there every night."""
    language, every = look.language, look.town.luminaires()
    lamps: Sequence[Luminaire] = forecast.obeying(programming, every, program.id)
    chosen, name, after = OBEYING, translate(language, _OBEYING), forecast.with_program(programming, program)
    if not lamps or form.target not in ("", OBEYING):
        target, lamps = _target(look.town, programming, form.target, every)
        name = words.TargetNames(language, look.town, programming).of(target)
        chosen, after = str(target), judging.only(programming, program)
    return chosen, Judged(
        len(lamps), name, forecast.findings_for(language, after, lamps, [program], look.now),
        look.saving(lamps, programming, after), look.held(lamps, after),
        forecast.nights_of(program, lamps, night.evening, programming.site, language))


def _targets(language: str, town: TenantStore, programming: Programming, kept: Program | None) -> list[OptionGroup]:
    own = [OptionGroup("", (Option(OBEYING, translate(language, _OBEYING)),))] if kept and words.uses(programming, kept) else []
    return [*own, *forecast.targets(language, town, programming)]


def _target(town: TenantStore, programming: Programming, text: str,
            every: Sequence[Luminaire]) -> tuple[Target, Sequence[Luminaire]]:
    """The lamps that are asked for; all of the town where that is nothing."""
    try:
        target = Target.parse(text)
        return target, forecast.lamps_of(town, programming, target, every)
    except Refused as error:
        _log.debug("a preview for the whole town in place of %r: %s", text, error)
        return TOWN, every


def evening_of(text: str, at: datetime, programming: Programming) -> date:
    """The evening that is asked for, if it can be read and is near enough; else that of the night around `at`."""
    tonight = forecast.tonight(at, programming.site)
    try:
        asked_for = date.fromisoformat(text)
    except ValueError:
        return tonight
    return asked_for if abs(asked_for - tonight) < _YEARS else tonight


def _kept(town: TenantStore, id: str) -> Program:
    found = town.programming().programs.get(ProgramId(id))
    if found is None:
        raise NotFound("There is no program “{program}”.", field="program", rule="exists", program=id[:64])
    return found


def _program_row(language: str, programming: Programming, one: Program, numbers: Mapping[CalendarId, int],
                 night: Night) -> ProgramRow:
    calendars = words.uses(programming, one)
    return ProgramRow(one, drawing(curve(one, night), night), words.program(language, one), calendars,
                      sum(numbers.get(calendar.id, 0) for calendar in calendars), SHIPPED.get(one.id) == one)


def _places(language: str, town: TenantStore, programming: Programming, lamps: Sequence[Luminaire],
            night: Night) -> list[PlaceRow]:
    """Every assignment, the widest first; the town's own row is always there."""
    order = {"town": 0, "zone": 1, "circuit": 2, "group": 3, "lamp": 4}
    every = [*programming.assignments]
    if not any(one.target == TOWN for one in every):
        every.append(Assignment(TOWN, standard(programming.calendars).id, night.noon, ""))
    names = words.TargetNames(language, town, programming)
    return [_place(programming, one, names.of(one.target), len(resolve([one.target], lamps, programming.groups)), night,
                   _assign_address(language, town, str(one.target)))
            for one in sorted(every, key=lambda one: (order[one.target.kind], one.target.id))]


def _place(programming: Programming, one: Assignment, name: str, lamps: int, night: Night, href: str) -> PlaceRow:
    calendar = programming.calendars.get(one.calendar) or standard(programming.calendars)
    return PlaceRow(name, calendar, programming.program(calendar.on(night.evening, programming.land)), lamps, href,
                    one.at if one.actor else None, one.actor)


def _assign_address(language: str, town: TenantStore, target: str) -> str:
    return address(language, "assign", [("target", target)], tenant=town.tenant.id)


