"""A town's asset list, by upload."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.deps import Acting, AllEngineering, Now, Rails
from api.i18n import language_of, translate
from api.importing import MOST_SHOWN, Imported, imported, take
from api.problems import RESPONSES, problem
from api.routes.common import TENANT
from api.schemas import ImportOut, ImportProblemOut
from city.errors import Invalid
from city.imports import Problem

_TEXT = {"schema": {"type": "string"}}
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {
    "text/csv": _TEXT, "application/geo+json": {"schema": {"type": "object"}},
    "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {
        "file": {"type": "string", "format": "binary"}}}}}}}
router = APIRouter(prefix=TENANT, tags=["import"], responses=RESPONSES)


@router.post("/imports", response_model=ImportOut, openapi_extra=_BODY, summary="Import assets and devices")
async def imports(request: Request, town: AllEngineering, who: Acting, now: Now, rails: Rails,
                  valid_only: bool = False) -> Response:
    """CSV or GeoJSON, as it is or as a form's `file`. All rows or none (422 names every bad one); with `valid_only`
    the good ones."""
    data = await _data(request)
    done = await run_in_threadpool(take, town, data, valid_only=valid_only)
    await run_in_threadpool(imported, town, done, "assets", who.name, now, rails)
    return _answer(request, done, refused=bool(done.problems) and not valid_only)


async def _data(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body()
    file = (await request.form()).get("file")
    if not isinstance(file, UploadFile):
        raise Invalid("The form has no file.", field="file", rule="required")
    return await file.read()


def _answer(request: Request, done: Imported, *, refused: bool) -> Response:
    language = language_of(request)
    told = ImportOut(imported=done.rows, passed_over=done.bad_lines,
                     problems=[_told(language, item) for item in done.problems[:MOST_SHOWN]])
    if not refused:
        return JSONResponse(told.model_dump())
    first = done.problems[0]
    error = Invalid("{lines} lines have problems; nothing has been imported.", field=first.column, rule=first.rule,
                    lines=done.bad_lines)
    return problem(request, error, told.model_dump())


def _told(language: str, item: Problem) -> ImportProblemOut:
    return ImportProblemOut(line=item.line, column=item.column, rule=item.rule,
                            detail=translate(language, item.message, **item.facts))
