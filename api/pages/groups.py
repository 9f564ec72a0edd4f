"""Groups on pages: lamps that are meant together, chosen one by one or found by a filter."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from api import programming as changes
from api.auth import Actor
from api.deps import MAX_FIELDS, Acting, Asking, Engineering, Now, Rails, Viewing
from api.i18n import explain, language_of, translate
from api.pages import group_form, labels
from api.pages import program_words as words
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Problem
from api.pages.group_form import GroupForm
from api.pages.program_contexts import Found, GroupPage, GroupRow, GroupsPage, Option
from api.pages.programs import digest, overtaken
from api.pages.render import PageRoute, back, html, page_of
from city.errors import NotFound, Refused
from city.groups import Filter, Group, Target
from city.guards import Limits
from city.ids import GroupId
from city.places import Luminaire
from city.programs import Programming
from city.store.ports import Role, TenantStore

SHOWN = 100  # lamps that the finder lists, and names that stand in a preview
MAX_CHOSEN = 1500

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
Words = Annotated[list[str], Query(max_length=1000)]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("groups")[0])
@router.get(paths("groups")[1])
def groups(request: Request, town: Viewing, who: Asking, said: Word = "") -> Response:
    """Every group, how many lamps are in it now, and its calendar."""
    language, programming, lamps = language_of(request), town.programming(), town.luminaires()
    calendars = {one.target: one.calendar for one in programming.assignments}
    rows = []
    for group in sorted(programming.groups.values(), key=lambda one: one.name.casefold()):
        own = calendars.get(Target("group", group.id))
        calendar = programming.calendars.get(own) if own else None
        rows.append(GroupRow(group, sum(map(group.covers, lamps)), calendar.name if calendar else "",
                             _words(language, town, group)))
    return html(request, GroupsPage(page_of(request, who, town.tenant), rows, may(who, Role.ENGINEER), said[:20]))


@router.get(paths("group-new")[0])
@router.get(paths("group-new")[1])
def new(request: Request, town: Engineering, who: Acting, lamp: Words = []) -> Response:  # noqa: B006 - FastAPI's way
    """An empty editor, or one with lamps that were chosen elsewhere."""
    lamps = town.luminaires()
    return _editor(request, town, who, None, group_form.with_lamps(GroupForm(), lamps, lamp, lamps))


@router.get(paths("group")[0])
@router.get(paths("group")[1])
def edit(request: Request, town: Viewing, who: Acting, group: str, saved: Word = "") -> Response:
    """A kept group, in the editor for those who may change it."""
    kept = _kept(town, group)
    return _editor(request, town, who, kept, replace(group_form.form_of(kept, town.luminaires()), base=digest(kept)),
                   saved=bool(saved))


@router.post(paths("group-new")[0])
@router.post(paths("group-new")[1])
async def send_new(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails) -> Response:
    """Look for lamps, count them, or keep the group."""
    data = await request.form(max_fields=MAX_FIELDS, max_part_size=group_form.MAX_MEMBERS_TEXT)
    return await run_in_threadpool(_done, request, town, who, at, rails, None, data)


@router.post(paths("group")[0])
@router.post(paths("group")[1])
async def send(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, group: str) -> Response:
    """The same for a group that is there."""
    kept = await run_in_threadpool(_kept, town, group)
    data = await request.form(max_fields=MAX_FIELDS, max_part_size=group_form.MAX_MEMBERS_TEXT)
    return await run_in_threadpool(_done, request, town, who, at, rails, kept, data)


@router.post(paths("group-remove")[0])
@router.post(paths("group-remove")[1])
def remove(request: Request, town: Engineering, who: Acting, at: Now, rails: Rails, group: str) -> Response:
    """Take a group away; raises Conflict while a calendar is assigned to it."""
    changes.drop_group(town, _kept(town, group).id, who, at, rails)
    return back(address(language_of(request), "groups", [("said", "removed")], tenant=town.tenant.id))


def _done(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, kept: Group | None,
          data: FormData) -> Response:
    form, lamps = group_form.typed(data), town.luminaires()
    match data.get("do"):
        case "add":
            chosen = [str(one)[:64] for one in data.getlist("lamp")][:MAX_CHOSEN]
            return _editor(request, town, who, kept, group_form.with_lamps(form, lamps, chosen, lamps))
        case "add-all":
            chosen = [str(lamp.id) for lamp in _finds(town, form, lamps)]
            return _editor(request, town, who, kept, group_form.with_lamps(form, lamps, chosen, lamps))
        case "choose":  # lamps that were chosen elsewhere, by their numbers, and too many for an address
            return _editor(request, town, who, kept, group_form.with_lamps(replace(form, members=""), lamps, form.lines, lamps))
        case "save":
            return _save(request, town, who, at, rails, kept, form)
    return _editor(request, town, who, kept, form)


def _save(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, kept: Group | None,
          form: GroupForm) -> Response:
    language, lamps = language_of(request), town.luminaires()
    group, wrong = group_form.read(form, town.tenant.id, kept.id if kept else GroupId(""), lamps)
    if group is None:
        return _editor(request, town, who, kept, form, problems=_problems(language, wrong))
    if old := overtaken(language, form.base, kept):
        return _editor(request, town, who, kept, replace(form, base=digest(kept)), problems=old)
    try:
        if kept is None:
            group = replace(group, id=GroupId(words.slug(group.name, town.programming().groups)))
        changes.keep_group(town, group, who, at, rails)
    except Refused as error:
        return _editor(request, town, who, kept, form, problems=_problems(language, [(error.field, error)]))
    return back(address(language, "group", [("saved", "1")], tenant=town.tenant.id, group=group.id))


def _problems(language: str, wrong: Sequence[tuple[str, Refused]]) -> tuple[Problem, ...]:
    known = ("name", "members", "filter", "min_power_w", "max_power_w")
    return tuple(Problem(field if field in known else "members", explain(language, error)) for field, error in wrong)


def _editor(request: Request, town: TenantStore, who: Actor, kept: Group | None, form: GroupForm, *, saved: bool = False,
            problems: tuple[Problem, ...] = ()) -> Response:
    language, programming, lamps = language_of(request), town.programming(), town.luminaires()
    group, wrong = group_form.read(replace(form, name=form.name or "-"), town.tenant.id, GroupId(kept.id if kept else "-"), lamps)
    if wrong and form.lines and form.way != "filter" and not problems:
        problems = _problems(language, wrong)
    inside = [lamp for lamp in lamps if group is not None and group.covers(lamp)]
    found = _finds(town, form, lamps) if form.way != "filter" and (form.q or form.zone) else []
    place = {"tenant": town.tenant.id}
    action = address(language, "group", group=kept.id, **place) if kept else address(language, "group-new", **place)
    names = {zone.id: zone.name for zone in town.zones()}
    chosen = {lamp.id for lamp in inside}
    return html(request, GroupPage(
        page_of(request, who, town.tenant), kept, form, action, _choices(language, town, lamps), len(inside),
        [lamp.name for lamp in inside[:SHOWN]], _overlaps(programming, kept, inside),
        [Found(lamp.id, lamp.name, names.get(lamp.zone, lamp.zone), lamp.id in chosen) for lamp in found[:SHOWN]], len(found),
        [Option(zone.id, zone.name) for zone in town.zones()], may(who, Role.ENGINEER), saved, problems),
        status=422 if problems and not request.headers.get("hx-request") else 200)


def _finds(town: TenantStore, form: GroupForm, lamps: Sequence[Luminaire]) -> list[Luminaire]:
    names = {zone.id: zone.name for zone in town.zones()}
    return [lamp for lamp in lamps if group_form.finds(form, lamp, names.get(lamp.zone, ""))]


def _choices(language: str, town: TenantStore, lamps: Sequence[Luminaire]) -> Mapping[str, Sequence[Option]]:
    """What a filter can ask for: what the town's lamps have."""
    def of(values: set[str]) -> list[Option]:
        return [Option(value, value) for value in sorted(values) if value]

    restrictions = {lamp.restriction.value for lamp in lamps} - {""}
    return {
        "zones": [Option(zone.id, zone.name) for zone in town.zones()],
        "circuits": [Option(one.id, one.name or one.id) for one in town.circuits()],
        "lighting_classes": of({lamp.lighting_class for lamp in lamps}),
        "luminaire_types": of({lamp.luminaire_type for lamp in lamps}),
        "restrictions": [Option(value, _restriction(language, value)) for value in sorted(restrictions)]}


def _overlaps(programming: Programming, kept: Group | None, inside: Sequence[Luminaire]) -> list[tuple[str, int]]:
    """Other groups that have some of these lamps too, and how many."""
    others = (group for group in programming.groups.values() if kept is None or group.id != kept.id)
    shared = ((group.name, sum(map(group.covers, inside))) for group in others)
    return sorted((one for one in shared if one[1]), key=lambda one: -one[1])


def _words(language: str, town: TenantStore, group: Group) -> str:
    if group.filter is None:
        return translate(language, _("chosen one by one"))
    names: dict[str, str] = {zone.id: zone.name for zone in town.zones()}
    names |= {circuit.id: circuit.name or circuit.id for circuit in town.circuits()}
    return " · ".join(_filter_words(language, group.filter, names))


def _filter_words(language: str, chosen: Filter, names: Mapping[str, str]) -> list[str]:
    parts = [", ".join(names.get(value, value) for value in values) for values in (chosen.zones, chosen.circuits) if values]
    parts += [", ".join(values) for values in (chosen.lighting_classes, chosen.luminaire_types) if values]
    if chosen.restrictions:
        parts.append(", ".join(_restriction(language, one) for one in chosen.restrictions))
    if chosen.min_power_w is not None or chosen.max_power_w is not None:
        low, high = ("" if watts is None else f"{watts:g}" for watts in (chosen.min_power_w, chosen.max_power_w))
        parts.append(f"{low}–{high} W")
    return parts


def _restriction(language: str, value: str) -> str:
    return translate(language, labels.SPECIAL.get(value, _("Pedestrian crossing")))


def _kept(town: TenantStore, group: str) -> Group:
    found = town.programming().groups.get(GroupId(group))
    if found is None:
        raise NotFound("There is no group “{group}”.", field="group", rule="exists", group=group[:64])
    return found
