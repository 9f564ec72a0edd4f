"""What a town has programmed: programs, calendars, groups, where they apply, and what comes of it at a lamp."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import views
from api.deps import Acting, Engineering, Now, Rails, Viewing
from api.i18n import explain, language_of
from api.lighting_schemas import (
    AssignedOut,
    AssignIn,
    AssignmentOut,
    CalendarIn,
    CalendarOut,
    ChangeOut,
    FindingOut,
    GroupIn,
    GroupOut,
    NightOut,
    ProgramIn,
    ProgramOut,
)
from api.problems import RESPONSES
from api.programming import assign, drop_calendar, drop_group, drop_program, keep_calendar, keep_group, keep_program
from api.routes.common import TENANT
from city.groups import Target, resolve
from city.ids import AssetId, CalendarId, GroupId, ProgramId
from city.nights import Night
from city.programs import SHIPPED, SHIPPED_CALENDARS
from city.store.ports import TenantStore
from city.wants import curve_of

MOST_NIGHTS = 60
router = APIRouter(prefix=TENANT, tags=["programs"], responses=RESPONSES)


@router.get("/programs", summary="Programs")
def programs(town: Viewing) -> list[ProgramOut]:
    """Levels through a night; those that are shipped stand among them."""
    return [ProgramOut.of(one, shipped=SHIPPED.get(one.id) == one) for one in town.programming().programs.values()]


@router.put("/programs/{id}", summary="Add or change a program")
def put_program(town: Engineering, who: Acting, now: Now, rails: Rails, id: str, body: ProgramIn) -> ProgramOut:
    """It applies from now on where a calendar names it; refused where lamps of those may not obey it."""
    program = keep_program(town, body.program(id), who, now, rails)
    return ProgramOut.of(program, shipped=SHIPPED.get(program.id) == program)


@router.delete("/programs/{id}", status_code=204, summary="Remove a program")
def remove_program(town: Engineering, who: Acting, now: Now, rails: Rails, id: str) -> None:
    """A shipped one comes back as it was shipped; refused where lamps may not obey that."""
    drop_program(town, ProgramId(id), who, now, rails)


@router.get("/calendars", summary="Calendars")
def calendars(town: Viewing) -> list[CalendarOut]:
    """Which program holds on which night."""
    return [CalendarOut.of(one, shipped=SHIPPED_CALENDARS.get(one.id) == one)
            for one in town.programming().calendars.values()]


@router.put("/calendars/{id}", summary="Add or change a calendar")
def put_calendar(town: Engineering, who: Acting, now: Now, rails: Rails, id: str, body: CalendarIn) -> CalendarOut:
    """It applies from now on where it is assigned."""
    calendar = keep_calendar(town, body.calendar(id), who, now, rails)
    return CalendarOut.of(calendar, shipped=SHIPPED_CALENDARS.get(calendar.id) == calendar)


@router.delete("/calendars/{id}", status_code=204, summary="Remove a calendar")
def remove_calendar(town: Engineering, who: Acting, now: Now, rails: Rails, id: str) -> None:
    """Not while it is assigned; a shipped one comes back as it was shipped."""
    drop_calendar(town, CalendarId(id), who, now, rails)


@router.get("/assignments", summary="Where calendars apply")
def assignments(town: Viewing) -> list[AssignmentOut]:
    """A lamp obeys its own, else its group's (the last assigned), its circuit's, its zone's, the town's."""
    return [AssignmentOut.of(one) for one in town.programming().assignments]


@router.put("/assignments", summary="Let a calendar apply somewhere")
def put_assignment(request: Request, town: Engineering, who: Acting, now: Now, rails: Rails, body: AssignIn) -> AssignedOut:
    """Refused where lamps there may not obey one of its programs."""
    findings = assign(town, Target.parse(body.target), body.chosen(), who, now, rails)
    language = language_of(request)
    return AssignedOut(findings=[FindingOut.of(one, explain(language, one.error())) for one in findings],
                       assignments=[AssignmentOut.of(one) for one in town.programming().assignments])


@router.get("/groups", summary="Groups of lamps")
def groups(town: Viewing) -> list[GroupOut]:
    """They may overlap."""
    lamps = town.luminaires()
    ids = {lamp.id for lamp in lamps}
    return [GroupOut.of(one, len(one.members & ids) if one.filter is None else sum(map(one.covers, lamps)))
            for one in town.programming().groups.values()]


@router.put("/groups/{id}", summary="Add or change a group")
def put_group(town: Engineering, who: Acting, now: Now, rails: Rails, id: str, body: GroupIn) -> GroupOut:
    """By its members, or by a filter that finds them."""
    group = keep_group(town, body.group(town.tenant.id, id), who, now, rails)
    return _group(town, group.id)


@router.delete("/groups/{id}", status_code=204, summary="Remove a group")
def remove_group(town: Engineering, who: Acting, now: Now, rails: Rails, id: str) -> None:
    """Not while a calendar is assigned to it."""
    drop_group(town, GroupId(id), who, now, rails)


@router.get("/luminaires/{asset}/nights", summary="What is programmed for a lamp in the next nights")
def nights(town: Viewing, now: Now, asset: str, days: Annotated[int, Query(ge=1, le=MOST_NIGHTS)] = 14) -> list[NightOut]:
    """Noon to noon, within the law."""
    lamp, programming = views.lamp_of(town, AssetId(asset)), town.programming()
    first = Night.around(now, programming.site).evening
    coming = [Night.of(first + timedelta(days=number), programming.site) for number in range(days)]
    return [NightOut(evening=night.evening, program=program.id, program_name=program.name, sunset=night.sunset,
                     sunrise=night.sunrise, changes=[ChangeOut.of(one) for one in curve_of(lamp, programming, night)])
            for night in coming for program in [programming.program_of(lamp, night.evening)]]


def _group(town: TenantStore, id: GroupId) -> GroupOut:
    found = town.programming().groups
    return GroupOut.of(found[id], len(resolve([Target("group", id)], town.luminaires(), found)))
