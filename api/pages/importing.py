"""A town's asset list by upload: what it would change, where devices say otherwise than the registry, and only then the import.

The checked file travels back in the form that applies it, packed: no process keeps it, and what is applied is what was
checked.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api import importing
from api.auth import Actor
from api.deps import Acting, AllEngineering, AllViewing, Asking, Now, Rails
from api.i18n import explain, language_of, translate
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import Page, Problem
from api.pages.render import PageRoute, back, html, page_of
from city.errors import Invalid, Refused
from city.guards import Limits
from city.imports import COLUMNS, MAX_BYTES, REQUIRED
from city.imports import Problem as RowProblem
from city.places import Asset
from city.stocktaking import Mismatch, Stocktaking, compare, mismatches
from city.store.ports import Role, TenantStore

SHOWN = 200  # rows of each kind that are written out
MOST_MISMATCHES = 500
PACK_LEVEL = 6

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


RULES = {"position": _("position"), "power": _("power")}


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that has been looked at: what it would do, what is wrong with some of its rows, and itself, packed."""

    name: str
    found: Stocktaking
    problems: Sequence[RowProblem]
    packed: str = field(repr=False)
    rows: int


@dataclass(frozen=True, slots=True)
class ImportPage:
    template: ClassVar[str] = "import.html"
    page: Page
    columns: Sequence[str]
    required: Sequence[str]
    checked: Checked | None
    mismatches: Sequence[Mismatch]
    assets: int
    may_import: bool
    done: str = ""
    problems: tuple[Problem, ...] = ()
    rules: ClassVar[Mapping[str, str]] = RULES

    @property
    def bad_lines(self) -> int:
        """How many lines of the checked file have problems."""
        return len({problem.line for problem in self.checked.problems}) if self.checked else 0

    @staticmethod
    def sentence(language: str, problem: RowProblem) -> str:
        """What is wrong with a row."""
        return translate(language, problem.message, **problem.facts)


@router.get(paths("import")[0])
@router.get(paths("import")[1])
def page(request: Request, town: AllViewing, who: Asking, imported: str = "") -> Response:
    """The form, and where devices say otherwise than the registry."""
    done = imported if imported.isdecimal() and len(imported) < 8 else ""
    return html(request, ImportPage(page_of(request, who, town.tenant), COLUMNS, REQUIRED, None, disagreeing(town),
                                    len(owned(town)), may(who, Role.ENGINEER), done))


@router.post(paths("import")[0])
@router.post(paths("import")[1])
async def upload(request: Request, town: AllEngineering, who: Acting, at: Now, rails: Rails) -> Response:
    """Check a file, or import the one that was checked."""
    form = await request.form()
    packed, file = form.get("packed"), form.get("file")
    apply = isinstance(packed, str) and bool(packed)
    data, name = (str(packed).encode(), "") if apply else await _read(file)
    return await run_in_threadpool(_answer, request, town, who, at, rails, data, name, apply=apply)


def _answer(request: Request, town: TenantStore, who: Actor, at: datetime, rails: Limits, data: bytes, name: str, *,
            apply: bool) -> Response:
    language = language_of(request)
    problems: tuple[Problem, ...] = ()
    checked = None
    try:
        if apply:
            return _applied(language, town, who, at, rails, unpacked(data))
        checked = check(town, data, name)
    except Refused as error:
        problems = (Problem("file", explain(language, error)),)
    context = ImportPage(page_of(request, who, town.tenant), COLUMNS, REQUIRED, checked, disagreeing(town), len(owned(town)),
                         may_import=True, problems=problems)
    return html(request, context, status=422 if problems else 200)


def _applied(language: str, town: TenantStore, who: Actor, at: datetime, rails: Limits, data: bytes) -> Response:
    done = importing.take(town, data, valid_only=True)
    importing.imported(town, done, "assets", who.name, at, rails)
    return back(address(language, "import", [("imported", str(done.rows))], tenant=town.tenant.id))


def check(town: TenantStore, data: bytes, name: str) -> Checked:
    """What importing the file would do. Raises Invalid where there is no list to read."""
    if not name:
        raise Invalid(_("Choose a file first."), field="file", rule="required")
    rows, problems = importing.read(town, data)
    found = compare(rows, owned(town), town.devices())
    return Checked(name[:100], found, problems, packed_of(data) if rows else "", len(rows))


def disagreeing(town: TenantStore) -> list[Mismatch]:
    """Where devices say otherwise than the registry."""
    devices = {device.asset: device for device in town.devices()}
    return list(mismatches(owned(town), devices, town.states()))[:MOST_MISMATCHES]


def owned(town: TenantStore) -> list[Asset]:
    """Every lamp and bay."""
    return [*town.luminaires(), *town.bays()]


def packed_of(data: bytes) -> str:
    """The file, small enough for a form."""
    return base64.b64encode(zlib.compress(data, PACK_LEVEL)).decode()


def unpacked(text: bytes) -> bytes:
    """The file of a form; raises Invalid for anything else, also where it would become larger than a file may be."""
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(base64.b64decode(text, validate=True), MAX_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise Invalid(_("The checked file has been damaged on its way: choose it again."), field="file", rule="whole") from None
    if not stream.eof and len(data) <= MAX_BYTES:
        raise Invalid(_("The checked file has been damaged on its way: choose it again."), field="file", rule="whole")
    return data


async def _read(file: object) -> tuple[bytes, str]:
    """The uploaded file and its name; nothing where there is none."""
    return (await file.read(MAX_BYTES + 1), file.filename or "") if isinstance(file, UploadFile) else (b"", "")
