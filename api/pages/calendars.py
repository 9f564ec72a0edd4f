"""Calendars on pages: the editor of their rules with the nights to come, and for which lamps a calendar holds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api import programming as changes
from api.auth import Actor
from api.deps import MAX_FIELDS, Acting, Asking, Engineering, Now, Rails, Viewing
from api.i18n import explain, language_of, translate
from api.pages import calendar_form, forecast, judging
from api.pages import program_words as words
from api.pages.addresses import address, paths
from api.pages.calendar_form import CalendarForm
from api.pages.console import may
from api.pages.contexts import Problem
from api.pages.curves import Drawing, drawing
from api.pages.judging import Look
from api.pages.program_contexts import AssignPage, CalendarPage, Day, Judged, Month, NightsPage, Option, Question, Said
from api.pages.programs import answered, asked, digest, evening_of, meant, overtaken
from api.pages.render import PageRoute, back, html, page_of
from city.errors import Invalid, NotFound, Refused
from city.groups import TOWN, Target
from city.guards import Limits
from city.ids import CalendarId, ProgramId
from city.nights import Night, curve
from city.places import Luminaire
from city.programs import HALBNACHT, SHIPPED_CALENDARS, Calendar, Program, Programming
from city.store.ports import Role, TenantStore

DAYS = 60

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
FormWord = Annotated[str, Form(max_length=300)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("calendar-new")[0])
@router.get(paths("calendar-new")[1])
def new(request: Request, town: Engineering, who: Acting, at: Now) -> Response:
    """An empty editor."""
    return _editor(request, town, who, at, None, CalendarForm(default=HALBNACHT))


@router.get(paths("calendar")[0])
@router.get(paths("calendar")[1])
def edit(request: Request, town: Viewing, who: Acting, at: Now, calendar: str, saved: Word = "") -> Response:
    """A kept calendar, in the editor for those who may change it."""
    kept = _kept(town, calendar)
    return _editor(request, town, who, at, kept, replace(calendar_form.form_of(kept), base=digest(kept)),
                   saved=bool(saved))


@router.post(paths("calendar-new")[0])
@router.post(paths("calendar-new")[1])
async def send_new(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails) -> Response:
    """Change the form, look what comes of it, or keep it."""
    data = await request.form(max_fields=MAX_FIELDS)
    return await run_in_threadpool(_done, request, town, who, at, rails, None, calendar_form.typed(data), str(data.get("do")))


@router.post(paths("calendar")[0])
@router.post(paths("calendar")[1])
async def send(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, calendar: str) -> Response:
    """The same for a calendar that is there."""
    kept = await run_in_threadpool(_kept, town, calendar)
    data = await request.form(max_fields=MAX_FIELDS)
    return await run_in_threadpool(_done, request, town, who, at, rails, kept, calendar_form.typed(data), str(data.get("do")))


@router.post(paths("calendar-remove")[0])
@router.post(paths("calendar-remove")[1])
def remove(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, calendar: str) -> Response:
    """Take a calendar away, or back to what was shipped."""
    changes.drop_calendar(town, _kept(town, calendar).id, who, at, rails)
    return back(address(language_of(request), "programs", [("said", "removed")], tenant=town.tenant.id))


@router.get(paths("assign")[0])
@router.get(paths("assign")[1])
def assign(request: Request, town: Engineering, who: Acting, at: Now, target: Word = "", calendar: Word = "") -> Response:
    """Choose a calendar for some lamps, and see what comes of it before it holds."""
    return _assigning(request, town, who, at, target, calendar)


@router.post(paths("assign")[0])
@router.post(paths("assign")[1])
def assigned(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, target: FormWord = "",
             calendar: FormWord = "", seen: FormWord = "", confirm: FormWord = "") -> Response:
    """Let it hold."""
    language = language_of(request)
    try:
        place = Target.parse(target)
        lamps = forecast.lamps_of(town, town.programming(), place, town.luminaires())
        question = asked(len(lamps), str(place), calendar)
        yes, problems = answered(language, question, "confirm", seen, confirm.strip()) if question else (True, ())
        if not yes:
            return _assigning(request, town, who, at, target, calendar, problems)
        changes.assign(town, place, CalendarId(calendar) if calendar != "-" else None, who, at, rails)
    except Refused as error:
        field = "calendar" if error.field in ("calendar", "program") else "target"
        return _assigning(request, town, who, at, target, calendar, (Problem(field, explain(language, error)),))
    return back(address(language, "programs", [("said", "assigned")], tenant=town.tenant.id))


@router.get(paths("nights")[0])
@router.get(paths("nights")[1])
def nights(request: Request, town: Viewing, who: Asking, at: Now, target: Word = "", night: Word = "",
           lamp: Word = "") -> Response:
    """The next fourteen nights of some lamps, or of one, as programmed; `lamp` is what somebody has typed to find one."""
    language, programming = language_of(request), town.programming()
    every = town.luminaires()
    named = _named_lamp(every, lamp.strip()) if lamp.strip() else None
    place = Target("lamp", named.id) if named else Target.parse(target) if target else TOWN
    lamps = forecast.lamps_of(town, programming, place, every)
    first = evening_of(night, at, programming)
    alone = [one for one in lamps if place.kind == "lamp"]

    def other(days: int) -> str:
        shown = (first + timedelta(days=days)).isoformat()
        return address(language, "nights", [("target", str(place)), ("night", shown)], tenant=town.tenant.id)

    missing = Invalid("There is no lamp “{lamp}” here.", field="lamp", rule="exists", lamp=lamp[:80])
    problems = (Problem("lamp", explain(language, missing)),) if lamp.strip() and named is None else ()
    return html(request, NightsPage(
        page_of(request, who, town.tenant), str(place),
        alone[0].name if alone else words.TargetNames(language, town, programming).of(place),
        forecast.targets(language, town, programming, lamps=alone), len(lamps),
        forecast.nights_as_programmed(programming, lamps, first, language), first, other(-forecast.NIGHTS),
        other(forecast.NIGHTS), "" if named else lamp[:80], problems), status=422 if problems else 200)


def _named_lamp(lamps: Sequence[Luminaire], text: str) -> Luminaire | None:
    """The lamp of this number, else the first of this name."""
    return next((one for one in lamps if one.id == text),
                next((one for one in lamps if one.name.casefold() == text.casefold()), None))


def _done(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, kept: Calendar | None,
          form: CalendarForm, do: str) -> Response:
    do = meant(do, form.confirm)
    if do in ("save", "confirm"):
        return _save(request, town, who, at, rails, kept, form, do)
    return _editor(request, town, who, at, kept, calendar_form.changed(form, do))


def _save(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, kept: Calendar | None,
          form: CalendarForm, do: str) -> Response:
    language = language_of(request)
    calendar, wrong = calendar_form.read(form, kept.id if kept else CalendarId(""))
    if calendar is None:
        return _editor(request, town, who, at, kept, form, problems=_problems(language, wrong))
    if old := overtaken(language, form.base, kept):
        return _editor(request, town, who, at, kept, replace(form, base=digest(kept)), problems=old)
    try:
        programming = town.programming()
        if kept is None:
            calendar = replace(calendar, id=CalendarId(words.slug(calendar.name, programming.calendars)))
        question = asked(len(_obeying(town, programming, calendar.id)), calendar)
        if question is not None:
            yes, problems = answered(language, question, do, form.seen, form.confirm)
            if not yes:
                return _editor(request, town, who, at, kept, form, question=question, problems=problems)
        changes.keep_calendar(town, calendar, who, at, rails)
    except Refused as error:
        return _editor(request, town, who, at, kept, form, problems=_problems(language, [(error.field, error)]))
    return back(address(language, "calendar", [("saved", "1")], tenant=town.tenant.id, calendar=calendar.id))


def _problems(language: str, wrong: Sequence[tuple[str, Refused]]) -> tuple[Problem, ...]:
    return tuple(Problem("rules" if field in ("program", "default") else field, explain(language, error))
                 for field, error in wrong)


def _editor(request: Request, town: TenantStore, who: Actor, at: datetime, kept: Calendar | None, form: CalendarForm, *,
            saved: bool = False, question: Question | None = None, problems: tuple[Problem, ...] = ()) -> Response:
    language, programming = language_of(request), town.programming()
    calendar, _wrong = calendar_form.read(replace(form, name=form.name or "-"), kept.id if kept else CalendarId("-"))
    if calendar is not None and not calendar.programs() <= programming.programs.keys():
        calendar = None
    place, names = {"tenant": town.tenant.id}, words.TargetNames(language, town, programming)
    action = address(language, "calendar", calendar=kept.id, **place) if kept else address(language, "calendar-new", **place)
    tonight = forecast.tonight(at, programming.site)
    return html(request, CalendarPage(
        page_of(request, who, town.tenant), kept, kept is not None and SHIPPED_CALENDARS.get(kept.id) == kept, form, action,
        [Option(one.id, one.name) for one in programming.programs.values()], words.weekday_names(language),
        words.LAENDER.get(programming.land, ""), months(language, programming, calendar, tonight) if calendar else (),
        _legend(programming, calendar, Night.of(tonight, programming.site)) if calendar else (),
        [words.rule(language, rule) for rule in calendar.rules] if calendar else (),
        [names.of(one.target) for one in programming.assignments if kept is not None and one.calendar == kept.id],
        _judged(Look.of(request, town, at), programming, kept, calendar), may(who, Role.ENGINEER), saved, question, problems),
        status=422 if problems and not request.headers.get("hx-request") else 200)


def months(language: str, programming: Programming, calendar: Calendar, first: date) -> list[Month]:
    """The next nights by months and weeks, with the program of each."""
    numbers = {program.id: number for number, program, _ in _legend(programming, calendar, Night.of(first, programming.site))}
    days = [_day(language, programming, calendar, numbers, first + timedelta(days=number)) for number in range(DAYS)]
    return [Month(f"{words.month_name(language, month)} {year}", _weeks([*some]))
            for (year, month), some in groupby(days, key=lambda one: (one.day.year, one.day.month))]


def _day(language: str, programming: Programming, calendar: Calendar, numbers: Mapping[ProgramId, int], day: date) -> Day:
    rule = next((number for number, one in enumerate(calendar.rules, start=1) if one.meets(day, programming.land)), 0)
    program = programming.program(calendar.on(day, programming.land))
    holiday = words.holiday_names(language, programming.land, day.year).get(day, "")
    return Day(day, numbers.get(program.id, 0), program, holiday, rule)


def _weeks(days: Sequence[Day]) -> list[list[Day | None]]:
    row: list[Day | None] = [None] * days[0].day.weekday() + [*days]
    row += [None] * (-len(row) % 7)
    return [row[start:start + 7] for start in range(0, len(row), 7)]


def _legend(programming: Programming, calendar: Calendar, night: Night) -> list[tuple[int, Program, Drawing]]:
    """The calendar's programs, numbered: its default first, then as its rules name them."""
    order = dict.fromkeys([calendar.default, *(rule.program for rule in calendar.rules)])
    found = [programming.program(one) for one in order]
    return [(number, program, drawing(curve(program, night), night)) for number, program in enumerate(found, start=1)]


def _judged(look: Look, programming: Programming, kept: Calendar | None, calendar: Calendar | None) -> Judged | None:
    """What comes of the calendar for the lamps that it holds for; None where there are none yet."""
    lamps = _obeying(look.town, programming, kept.id) if kept is not None else []
    if not lamps or calendar is None:
        return None
    after = judging.with_calendar(programming, calendar)
    found = forecast.findings_for(look.language, judging.under(after, calendar), lamps, _named(after, calendar), look.now)
    return _comes(look, programming, after, lamps, translate(look.language, _("all that obey it")), found)


def _comes(look: Look, before: Programming, after: Programming, lamps: Sequence[Luminaire], name: str,
           findings: Sequence[Said]) -> Judged:
    first = forecast.tonight(look.now, after.site)
    return Judged(len(lamps), name, findings, look.saving(lamps, before, after), look.held(lamps, after),
                  forecast.nights_as_programmed(after, lamps, first, look.language))


def _named(programming: Programming, calendar: Calendar) -> list[Program]:
    return [programming.programs[one] for one in sorted(calendar.programs()) if one in programming.programs]


def _obeying(town: TenantStore, programming: Programming, calendar: CalendarId) -> Sequence[Luminaire]:
    return forecast.by_calendar(programming, town.luminaires()).get(calendar, ())


def _assigning(request: Request, town: TenantStore, who: Actor, at: datetime, target: str, calendar: str,
               problems: tuple[Problem, ...] = ()) -> Response:
    language, programming, lamps = language_of(request), town.programming(), town.luminaires()
    now = next((one.calendar for one in programming.assignments if str(one.target) == target), CalendarId(""))
    calendar = calendar or now
    judged, question = None, None
    if target and calendar:
        try:
            judged = _preview(Look.of(request, town, at), programming, lamps, Target.parse(target), calendar)
            question = asked(judged.lamps, target, calendar)
        except Refused as error:
            problems = problems or (Problem("target", explain(language, error)),)
    names = {str(one.id): one.name for one in programming.calendars.values()}
    alone = [one for one in lamps if target == f"lamp:{one.id}"]
    return html(request, AssignPage(
        page_of(request, who, town.tenant), target, calendar, forecast.targets(language, town, programming, lamps=alone),
        [Option(value, name) for value, name in names.items()], names.get(now, ""), names.get(calendar, ""), judged,
        question if judged and not judged.refused else None, problems), status=422 if problems else 200)


def _preview(look: Look, programming: Programming, every: Sequence[Luminaire], target: Target, calendar: str) -> Judged:
    chosen = CalendarId(calendar) if calendar != "-" else None
    lamps = forecast.lamps_of(look.town, programming, target, every)
    found = changes.preview_assignment(look.town, target, chosen, lamps, look.now)
    after = judging.assigned(programming, target, chosen, look.now)
    name = words.TargetNames(look.language, look.town, programming).of(target)
    return _comes(look, programming, after, lamps, name, forecast.said(look.language, found))


def _kept(town: TenantStore, calendar: str) -> Calendar:
    found = town.programming().calendars.get(CalendarId(calendar))
    if found is None:
        raise NotFound("There is no calendar “{calendar}”.", field="calendar", rule="exists", calendar=calendar[:64])
    return found

