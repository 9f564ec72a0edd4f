"""Tables for a spreadsheet: lamps with their three states, commands, alarms, overrides."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from api.deps import Now, Viewing
from api.exporting import lamps_seen, streamed, town_seen
from api.problems import RESPONSES
from api.routes.common import TENANT
from city.exports.csv_tables import ALARMS, COMMANDS, LAMPS, OVERRIDES, Column, Variant, table
from city.ids import ZoneId
from city.store.ports import TenantStore

MOST = 100_000
FIRST = datetime(2000, 1, 1, tzinfo=UTC)  # no town of ours is older
Chosen = Annotated[Variant, Query(description="rfc: RFC 4180, UTC; de: semicolons, decimal commas, local time")]
Rows = Annotated[int, Query(ge=1, le=MOST)]
Since = Annotated[AwareDatetime | None, Query(description="with its offset from UTC")]
CSV = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The table, as a file."}}
router = APIRouter(prefix=f"{TENANT}/exports", tags=["exports"], responses={**RESPONSES, **CSV})  # type: ignore[dict-item]
_T = TypeVar("_T")


@router.get("/lamps.csv", response_class=Response, summary="Lamps as a table")
def lamps(request: Request, town: Viewing, now: Now, zone: Annotated[str | None, Query(max_length=64)] = None,
          variant: Chosen = "rfc") -> Response:
    """Every lamp, or a zone's: where it stands, what is wanted, what it says it obeys, what is measured, each with its time.
    The measured level is calculated from the power."""
    seen = town_seen(town, now)
    some = seen.lamps if zone is None else town.luminaires(town.zone(ZoneId(zone)).id)
    return _table(request, town, "lamps", LAMPS, lamps_seen(town, seen, some), variant, now)


@router.get("/commands.csv", response_class=Response, summary="Commands as a table")
def commands(request: Request, town: Viewing, now: Now, since: Since = None, limit: Rows = 10_000,
             variant: Chosen = "rfc") -> Response:
    """The newest first; those that changed since a time, or any. Keys and settings are not among it."""
    since = None if since is None else max(since, FIRST)  # year 1 has no UTC to tell in the east
    return _table(request, town, "commands", COMMANDS, town.commands(changed_since=since, limit=limit), variant, now)


@router.get("/alarms.csv", response_class=Response, summary="Alarms as a table")
def alarms(request: Request, town: Viewing, now: Now, open_only: bool = False, limit: Rows = 10_000,
           variant: Chosen = "rfc") -> Response:
    """The newest first, with what was measured and expected."""
    return _table(request, town, "alarms", ALARMS, town.alarms(open_only=open_only, limit=limit), variant, now)


@router.get("/overrides.csv", response_class=Response, summary="Overrides as a table")
def overrides(request: Request, town: Viewing, now: Now, limit: Rows = 10_000, variant: Chosen = "rfc") -> Response:
    """The newest first, past ones too: who wanted what, why, and who agreed."""
    return _table(request, town, "overrides", OVERRIDES, town.past_overrides(limit), variant, now)


def _table(request: Request, town: TenantStore, name: str, columns: Sequence[Column[_T]], rows: Iterable[_T], variant: Variant,
           now: datetime) -> Response:
    return streamed(request, table(columns, rows, variant), media_type="text/csv; charset=utf-8; header=present",
                    filename=f"{town.tenant.id}-{name}-{now:%Y-%m-%d}.csv")
