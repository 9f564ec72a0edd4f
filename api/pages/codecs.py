"""The models that a town's devices may be of: a list, a page for each, and the editor of the town's own scripts.

Everything works as plain forms; where htmx is there, a try renews the editor alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api import library, scripting, trying
from api.auth import Actor
from api.deps import LIGHTING, PARKING, Acting, AllEngineering, AnyOperating, AnyViewing, Asking, Now
from api.i18n import explain, language_of, ngettext, translate
from api.library import ModelView
from api.pages.addresses import address, paths
from api.pages.console import may
from api.pages.contexts import DeviceLine, Example, FrameForm, Link, ModelPage, ModelsPage, Problem
from api.pages.render import PageRoute, back, html, page_of
from api.trying import Direction, Outcome, Trial
from city.errors import NotFound, Refused
from city.ids import AssetId, DevEui
from city.places import Luminaire
from city.readings import from_ns
from city.store.ports import Role, TenantStore
from decoders import vectors
from decoders.catalog import vectors_path
from decoders.codec import Frame

MAX_SEARCH = 80
MAX_DEVICES = 30
MAX_EXAMPLES = 40

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Word = Annotated[str, Query(max_length=300)]
FormWord = Annotated[str, Form(max_length=2000)]
Said = tuple[str, Direction, Frame]


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@dataclass(frozen=True, slots=True)
class Search:
    """Which models are listed: everything of it stands in the address."""

    text: str = ""
    asset: str = ""
    only: str = ""

    def query(self, **changed: str) -> list[tuple[str, str]]:
        """The address of this search with something changed."""
        now = {"asset": self.asset, "only": self.only, "q": self.text, **changed}
        return [(key, value) for key, value in now.items() if value]

    def keeps(self, view: ModelView) -> bool:
        """Whether a model is listed."""
        if self.asset and view.asset != self.asset:
            return False
        if (self.only == "used" and not view.devices) or (self.only == "own" and view.native):
            return False
        words = f"{view.model} {view.codec.vendor} {view.title}".casefold()
        return all(word in words for word in self.text.casefold().split())


_ASSETS = {"": _("all"), "lamp": _("Lamps"), "bay": _("Parking")}
_ONLY = {"used": _("in use here"), "own": _("own scripts")}


@router.get(paths("models")[0])
@router.get(paths("models")[1])
def models(request: Request, town: AnyViewing, who: Asking, q: Word = "", asset: Word = "", only: Word = "") -> Response:
    """Every model that is read here, and what each leaves open."""
    search = Search(q[:MAX_SEARCH].strip(), asset if asset in _ASSETS else "", only if only in _ONLY else "")
    language = language_of(request)
    every = library.models(town)
    engineer = may(who, Role.ENGINEER)
    return html(request, ModelsPage(
        page_of(request, who, town.tenant), [view for view in every if search.keeps(view)], len(every), search.text,
        _filters(language, town, search), search.query(q=""),
        _undescribed(language, town, engineer),
        address(language, "model-new", tenant=town.tenant.id) if engineer else ""))


@router.get(paths("model")[0])
@router.get(paths("model")[1])
def model(request: Request, town: AnyViewing, who: Asking, at: Now, vendor: str, name: str, example: Word = "") -> Response:
    """One model; `example` explains a frame from the maker's documents."""
    view = library.model_of(town, f"{vendor}/{name}")
    found = examples_of(view)
    chosen = found[int(example)] if example.isdecimal() and len(example) < 4 and int(example) < len(found) else None
    if chosen is None:
        return _page(request, town, who, view, FrameForm(port=str(next(iter(view.codec.uplink_ports), ""))), None)
    way, frame = chosen[1:]
    form = FrameForm(way, str(frame.port), frame.data.hex(" "))
    return _page(request, town, who, view, form, trying.try_native(view.codec, Trial(way, frame, at)))


@router.post(paths("model")[0])
@router.post(paths("model")[1])
def explained(request: Request, town: AnyOperating, who: Acting, at: Now, vendor: str, name: str, way: FormWord = "up",
              port: FormWord = "", hex: FormWord = "") -> Response:
    """What each byte of a frame means; it is posted, since a frame may hold what is no business of an address."""
    view = library.model_of(town, f"{vendor}/{name}")
    form = FrameForm("down" if way == "down" else "up", port.strip(), hex.strip())
    try:
        outcome = _explained(view, form, at)
    except Refused as error:
        problem = Problem(error.field if error.field in ("port", "hex") else "hex", explain(language_of(request), error))
        return _page(request, town, who, view, form, None, (problem,))
    return _page(request, town, who, view, form, outcome)


@router.post(paths("model-switch")[0])
@router.post(paths("model-switch")[1])
def switch(request: Request, town: AllEngineering, who: Acting, at: Now, vendor: str, name: str, on: FormWord = "") -> Response:
    """Let a script run, or not any more."""
    script = scripting.switch(town, f"{vendor}/{name}", on=on == "yes", who=who, now=at)
    return back(model_address(language_of(request), town, script.model))


@router.post(paths("model-remove")[0])
@router.post(paths("model-remove")[1])
def remove(request: Request, town: AllEngineering, who: Acting, at: Now, vendor: str, name: str) -> Response:
    """Forget a script that no device needs."""
    scripting.remove(town, f"{vendor}/{name}", who=who, now=at)
    return back(address(language_of(request), "models", tenant=town.tenant.id))


def model_address(language: str, town: TenantStore, model: str, page: str = "model") -> str:
    """Where a model's page, or another `page` of it, lives."""
    vendor, _slash, name = model.partition("/")
    return address(language, page, tenant=town.tenant.id, vendor=vendor, name=name)


def device_lines(language: str, town: TenantStore, model: str) -> list[DeviceLine]:
    """The first devices of a model, by their assets' names."""
    return sorted((_line(language, town, device.dev_eui, device.asset)
                   for device in library.devices_of(town, model)[:MAX_DEVICES]), key=lambda line: line.name)


def examples_of(view: ModelView) -> tuple[Said, ...]:
    """Frames from the maker's documents, uplinks first: what they say, their way, the frame."""
    return _examples(view.model) if view.native else ()


@lru_cache(maxsize=128)
def _examples(model: str) -> tuple[Said, ...]:
    known = vectors.load(vectors_path(model))
    ups: list[Said] = [(one.says, "up", one.frame) for one in known.uplinks]
    downs: list[Said] = [(one.says, "down", one.frame) for one in known.downlinks if one.frame is not None]
    return (*ups[:MAX_EXAMPLES], *downs[:MAX_EXAMPLES])


def _explained(view: ModelView, form: FrameForm, at: datetime) -> Outcome:
    if not view.native:
        raise NotFound(_("A script explains no frames byte by byte: try it in its editor."), field="hex", rule="native")
    if not form.port.isdecimal() or len(form.port) > 4:
        raise trying.no_port(form.port)
    frame = trying.frame_of(int(form.port), trying.bytes_of(form.hex))
    return trying.try_native(view.codec, Trial("down" if form.way == "down" else "up", frame, at))


def _page(request: Request, town: TenantStore, who: Actor | None, view: ModelView, form: FrameForm,
          outcome: Outcome | None, problems: tuple[Problem, ...] = ()) -> Response:
    language = language_of(request)
    return html(request, ModelPage(
        page_of(request, who, town.tenant), view, _lines(language, town, who, view),
        _links(language, town, view, request.query_params.get("example", "")), form, outcome, may(who, Role.ENGINEER),
        may(who, Role.OPERATOR), problems), status=422 if problems and not request.headers.get("hx-request") else 200)


def _lines(language: str, town: TenantStore, who: Actor | None, view: ModelView) -> list[DeviceLine]:
    """When sensors of bays speak is the business of parking alone."""
    area = PARKING if view.asset == "bay" else LIGHTING
    return device_lines(language, town, view.model) if who is not None and who.works_in(area) else []


def _links(language: str, town: TenantStore, view: ModelView, chosen: str) -> Sequence[Example]:
    here = model_address(language, town, view.model)
    return [Example(says, Link(f"FPort {frame.port} {'↑' if way == 'up' else '↓'} {frame.data.hex(' ')}",
                               f"{here}?example={n}#explain", str(n) == chosen))
            for n, (says, way, frame) in enumerate(examples_of(view))]


def _line(language: str, town: TenantStore, dev_eui: DevEui, asset: AssetId) -> DeviceLine:
    found, state = town.asset(asset), town.state(dev_eui)
    href = address(language, "lamp", tenant=town.tenant.id, asset=asset) if isinstance(found, Luminaire) else ""
    return DeviceLine(dev_eui, found.name or asset, href, from_ns(state.heard_ns) if state and state.heard_ns else None)


def _filters(language: str, town: TenantStore, search: Search) -> list[Link]:
    def link(text: str, on: bool, **changed: str) -> Link:
        return Link(translate(language, text), address(language, "models", search.query(**changed), tenant=town.tenant.id), on)

    return [*(link(text, search.asset == asset, asset=asset) for asset, text in _ASSETS.items()),
            *(link(text, search.only == only, only="" if search.only == only else only) for only, text in _ONLY.items())]


def _undescribed(language: str, town: TenantStore, engineer: bool) -> list[Link]:
    return [Link(f"{model} ({ngettext(language, '{n} device', '{n} devices', count)})",
                 address(language, "model-new", [("model", model)], tenant=town.tenant.id) if engineer else "")
            for model, count in library.undescribed(town).items()]
