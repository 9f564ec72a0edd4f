"""What has been ordered, what is wrong, what could not be read, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.audit import record
from api.course_schemas import CourseOut
from api.deps import Acting, AllEngineering, Now, Operating, Viewing
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import AlarmOut, AuditOut, CommandOut, LetterOut
from city.commands import State
from city.ids import AssetId, command_id

Limit = Annotated[int, Query(ge=1, le=1000)]
router = APIRouter(prefix=TENANT, tags=["records"], responses=RESPONSES)


@router.get("/commands", summary="Commands, newest first")
def commands(town: Viewing, asset: Annotated[str | None, Query(max_length=64)] = None,
             origin: Annotated[str | None, Query(max_length=80)] = None,
             state: Annotated[list[State] | None, Query()] = None, limit: Limit = 100) -> list[CommandOut]:
    """Of one asset, one origin ("override:…", "program", "config", "tables"), in some states; or all."""
    found = town.commands(asset=AssetId(asset) if asset else None, origin=origin, states=state or (), limit=limit)
    return [CommandOut.of(command) for command in found]


@router.get("/commands/{id}", summary="One command, step by step")
def command(town: Viewing, id: str) -> CourseOut:
    """A state says what is known: scheduled is not acked, acked is not applied. Each step has its time and its reason; a lost
    attempt leads back to planned."""
    found = town.command(command_id(id))
    return CourseOut.told(found, town.command_steps([found.id]).get(found.id, ()))


@router.get("/alarms", summary="Alarms")
def alarms(town: Viewing, open_only: bool = True, limit: Limit = 1000) -> list[AlarmOut]:
    """The open ones, or past ones too."""
    return [AlarmOut.of(alarm) for alarm in town.alarms(open_only=open_only, limit=limit)]


@router.post("/alarms/{id}/acknowledge", summary="Say that somebody has seen to an alarm")
def acknowledge(town: Operating, who: Acting, now: Now, id: str) -> AlarmOut:
    """It stays open until its cause is gone."""
    record(town, who, now, "acknowledge alarm", f"alarm {id[:64]}")
    return AlarmOut.of(town.acknowledge_alarm(id, who.name, now))


@router.get("/letters", summary="Dead letters: input that could not be read")
def letters(town: AllEngineering, limit: Limit = 100) -> list[LetterOut]:
    """Those of devices that the town's registry knows."""
    return [LetterOut.of(letter) for letter in town.letters(limit)]


@router.get("/audit", summary="Who did what")
def audit(town: AllEngineering, limit: Limit = 100) -> list[AuditOut]:
    """Newest first."""
    return [AuditOut.of(line) for line in town.audit_lines(limit)]
