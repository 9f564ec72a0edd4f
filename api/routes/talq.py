"""A town in the words of TALQ 2.7.1: devices, groups, calendars, control programs, override commands, log reports.

"TALQ-style": not certified, and without TALQ's announcements; see docs/exports.md.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request, Response

from api import intents, programming
from api.deps import Acting, Engineering, Now, Operating, Rails, Viewing
from api.exporting import lamps_seen, page_links, sent, town_seen
from api.intents import Wish
from api.library import codecs_for
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.talq_schemas import CommandIn, OverrideCommandIn, OwnIn, ReferenceIn
from city.errors import Invalid, NotFound, Unsupported
from city.exports import talq, talq_programs
from city.exports.seen import LampSeen
from city.exports.talq import Json
from city.groups import Target
from city.nights import Night
from city.places import Luminaire
from city.store.ports import TenantStore

MOST = 1000
MOST_EVENTS = 10_000
JSON = {"content": {"application/json": {}}, "description": "As TALQ 2.7.1's data model names it."}
router = APIRouter(prefix=f"{TENANT}/talq", tags=["exports"], responses={**RESPONSES, 200: JSON})
writing = APIRouter(prefix=f"{TENANT}/talq", tags=["exports"], responses=RESPONSES)
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=MOST)]


@router.get("/devices", response_class=Response, summary="Lamps as TALQ devices")
def devices(request: Request, town: Viewing, now: Now, offset: Offset = 0, limit: Limit = 100) -> Response:
    """A page by number, with BasicFunction, CommunicationFunction, LampActuatorFunction (targetLightCommand,
    feedbackLightCommand, actualLightState) and LampMonitorFunction."""
    seen = town_seen(town, now)
    lamps = sorted(seen.lamps, key=lambda lamp: lamp.id)
    links = page_links(request, offset, limit, len(lamps))
    return sent(request, [talq.device(one) for one in lamps_seen(town, seen, lamps[offset:offset + limit])],
                headers={"Link": ", ".join(links)} if links else {})


@router.get("/devices/count", response_class=Response, summary="How many devices there are")
def count(request: Request, town: Viewing) -> Response:
    """Every lamp is one."""
    return sent(request, len(town.luminaires()))


@router.get("/devices/{address}", response_class=Response, summary="One device")
def device(request: Request, town: Viewing, now: Now, address: str) -> Response:
    """By its UUID."""
    return sent(request, talq.device(_seen(town, now, address)))


@router.get("/devices/{address}/{function}", response_class=Response, summary="One function of a device")
def function(request: Request, town: Viewing, now: Now, address: str, function: str) -> Response:
    """basic, communication, lampActuator, lampMonitor."""
    return sent(request, _function(talq.device(_seen(town, now, address)), function))


@router.get("/devices/{address}/{function}/{attribute}", response_class=Response, summary="One attribute of a device")
def attribute(request: Request, town: Viewing, now: Now, address: str, function: str, attribute: str) -> Response:
    """As it is known; nobody is asked."""
    found = _function(talq.device(_seen(town, now, address)), function)
    if attribute in ("id", "type") or attribute not in found:
        raise NotFound("There is no attribute “{attribute}”.", field="attribute", rule="exists", attribute=attribute[:80])
    return sent(request, found[attribute])


@router.get("/device-classes", response_class=Response, summary="What kinds of devices there are")
def device_classes(request: Request, town: Viewing) -> Response:
    """One for each model of controller that lamps of the town have, and one for lamps without."""
    lamps = {lamp.id for lamp in town.luminaires()}
    some = [device for device in town.devices() if device.asset in lamps]
    codecs = codecs_for(town, some)
    models = sorted({device.model for device in some} | ({""} if len(some) < len(lamps) else set()))
    return sent(request, [talq.device_class(model, dims=model in codecs and codecs[model].abilities.dims) for model in models])


@router.get("/groups", response_class=Response, summary="Groups: the town, zones, circuits, and those of people")
def groups(request: Request, town: Viewing, now: Now, offset: Offset = 0, limit: Limit = 100) -> Response:
    """A page of them with their members: first the town, then zones and circuits."""
    seen = town_seen(town, now)
    named = talq.group_names(seen)
    links = page_links(request, offset, limit, len(named))
    return sent(request, talq.groups(seen, named[offset:offset + limit]), headers={"Link": ", ".join(links)} if links else {})


@router.get("/calendars", response_class=Response, summary="Calendars")
def calendars(request: Request, town: Viewing, now: Now) -> Response:
    """Ordered rules, the first that matches wins; holidays and single days are written out until the end of next year."""
    here = town.programming()
    today = Night.around(now, here.site).evening
    return sent(request, [talq_programs.calendar(one, here.land, today) for one in here.calendars.values()])


@router.get("/control-programs", response_class=Response, summary="Control programs")
def control_programs(request: Request, town: Viewing, now: Now) -> Response:
    """What TALQ cannot say is told as tonight's course, and marked: `x-stadtfunk.exact` is false."""
    here = town.programming()
    night = Night.around(now, here.site)
    return sent(request, [talq_programs.control_program(one, night) for one in here.programs.values()])


@writing.post("/control-programs", status_code=201, response_class=Response, responses={201: JSON},
              summary="Add or change a program")
def put_control_program(request: Request, town: Engineering, who: Acting, now: Now,
                        body: Annotated[dict[str, Any], Body(description="a ControlProgramOne")]) -> Response:
    """Refused where a lamp here could not do exactly that, or may not."""
    program = programming.keep_program(town, talq_programs.program_of(body), who, now)
    answer = sent(request, talq_programs.control_program(program, Night.around(now, town.tenant.site)))
    answer.status_code = 201
    return answer


@router.get("/assign-commands", response_class=Response, summary="Which calendar holds where")
def assign_commands(request: Request, town: Viewing, now: Now) -> Response:
    """A lamp obeys its own, else its group's, its circuit's, its zone's, the town's."""
    return sent(request, talq.assign_commands(town_seen(town, now)))


@router.get("/override-commands", response_class=Response, summary="Overrides that hold now or later")
def override_commands(request: Request, town: Viewing, now: Now) -> Response:
    """The newest first."""
    return sent(request, [talq.override_command(town.tenant.id, wish) for wish in town.overrides_from(now)])


@writing.post("/override-commands", status_code=202, summary="Dim until a time, or end what was wished")
def post_override(town: Operating, who: Acting, now: Now, rails: Rails, response: Response,
                  body: OverrideCommandIn) -> dict[str, Any]:
    """Goes the way of every wish: guard-rails, estimate, audit. `expiration` is mandatory."""
    targets = _targets(town, body.addresses)
    if body.target_command is None:
        return {"ended": intents.end_overrides(town, targets, who=who, now=now, limits=rails)}
    wish = _wish(body.target_command, body.own)
    override, estimate = intents.place(town, targets, wish, who=who, now=now, limits=rails)
    response.headers["Location"] = f"{TENANT.format(tenant=town.tenant.id)}/overrides/{override.id}"
    told = talq.override_command(town.tenant.id, override)
    told[talq.OWN] |= {"frames": estimate.frames, "lastLampAfterSeconds": round(estimate.last_s, 1)}
    return told


@router.get("/log-reports/{logger}", response_class=Response, summary="What has been logged")
def log_report(request: Request, town: Viewing, now: Now, logger: Literal["events", "light-states"], offset: Offset = 0,
               limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 1000) -> Response:
    """events: the beginnings and ends of the newest alarms; light-states: the three light states of a page of lamps."""
    if logger == "events":
        some = town.alarms(open_only=False, limit=offset + limit)[offset:]
        return sent(request, talq.log_report(logger, talq.event_entries(town.tenant.id, some)))
    seen = town_seen(town, now)
    lamps = sorted(seen.lamps, key=lambda lamp: lamp.id)[offset:offset + limit]
    return sent(request, talq.log_report(logger, talq.state_entries(list(lamps_seen(town, seen, lamps)))))


router.routes.extend(writing.routes)


def _seen(town: TenantStore, now: datetime, address: str) -> LampSeen:
    seen = town_seen(town, now)
    lamp = talq.lamps_by_address(town.tenant.id, seen.lamps).get(address)
    if lamp is None:
        raise NotFound("There is no device “{address}”.", field="address", rule="exists", address=address[:80])
    return next(lamps_seen(town, seen, [lamp]))


def _function(device: Json, name: str) -> Json:
    found: Json | None = next((one for one in device["functions"] if one["id"] == name), None)
    if found is None:
        raise NotFound("There is no function “{function}”.", field="function", rule="exists", function=name[:80])
    return found


def _targets(town: TenantStore, addresses: Iterable[ReferenceIn]) -> list[Target]:
    """Raises NotFound for a device that the town does not have, Invalid for what is no group's address."""
    wanted = list(addresses)
    known = talq.lamps_by_address(town.tenant.id, town.luminaires()) if any(one.resource == "devices" for one in wanted) else {}
    return [_lamp(known, one.address) if one.resource == "devices" else _group(one.address) for one in wanted]


def _lamp(known: Mapping[str, Luminaire], address: str) -> Target:
    if address not in known:
        raise NotFound("There is no device “{address}”.", field="addresses", rule="exists", address=address)
    return Target("lamp", known[address].id)


def _group(address: str) -> Target:
    target = Target.parse(address)
    if target.kind == "lamp":
        raise Invalid("A lamp is a device, not a group.", field="addresses", rule="devices")
    return target


def _wish(command: CommandIn, own: OwnIn) -> Wish:
    if command.expiration is None:
        raise Invalid("An override has an expiration: none lasts for ever.", field="expiration", rule="mandatory")
    if command.ramp_to_level_time:
        raise Unsupported("An override here has no ramp.", field="rampToLevelTime", rule="0")
    return Wish(command.state.value, until=command.expiration, reason=command.cms_ref_id, start=command.start,
                emergency=own.emergency, confirm=own.confirm)
