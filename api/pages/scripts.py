"""The editor of a town's own script: typed or uploaded, tried before it is kept, its leaves given a meaning."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from api import library, scripting, trying
from api.auth import Actor
from api.deps import MAX_FIELDS, Acting, AllEngineering, Here, Now, Platform
from api.i18n import explain, language_of
from api.library import ModelView
from api.limits import RunLimiter
from api.pages.addresses import address, paths
from api.pages.codec_form import DROP, ScriptForm, form_of, script_of, trial_of, typed, with_leaves
from api.pages.codecs import model_address
from api.pages.contexts import Problem, ScriptPage
from api.pages.render import PageRoute, back, html, page_of
from api.trying import Outcome
from city.errors import Invalid, NotFound, Refused
from city.quantities import Quantity, quantities
from city.scripts import model_name
from city.store.ports import TenantStore

FIELDS = ("model", "title", "vendor", "asset", "device_class", "heartbeat", "max_minutes", "variables", "source", "file",
          "port", "hex", "object", "orders", "mapping")
_RULE = re.compile(r"(rules|dropped)\[(\d+)\]")

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(paths("model-new")[0])
@router.get(paths("model-new")[1])
def new(request: Request, town: AllEngineering, who: Acting, model: str = "") -> Response:
    """An empty editor; `model` is a name that devices of the town bear already."""
    return _editor(request, town, who, None, ScriptForm(model=model[:100]))


@router.get(paths("model-script")[0])
@router.get(paths("model-script")[1])
def edit(request: Request, town: AllEngineering, who: Acting, vendor: str, name: str, saved: str = "") -> Response:
    """A kept script."""
    view = _own(town, f"{vendor}/{name}")
    assert view.script is not None
    return _editor(request, town, who, view, form_of(view.script), saved=bool(saved))


@router.post(paths("model-new")[0])
@router.post(paths("model-new")[1])
async def send_new(request: Request, town: AllEngineering, who: Acting, here: Here, at: Now) -> Response:
    """Try, propose or keep a new script."""
    return await _send(request, town, who, here, at, None)


@router.post(paths("model-script")[0])
@router.post(paths("model-script")[1])
async def send(request: Request, town: AllEngineering, who: Acting, here: Here, at: Now, vendor: str, name: str) -> Response:
    """Try, propose or keep a script that is there."""
    view = await run_in_threadpool(_own, town, f"{vendor}/{name}")
    return await _send(request, town, who, here, at, view)


async def _send(request: Request, town: TenantStore, who: Actor, here: Platform, at: datetime,
                view: ModelView | None) -> Response:
    data: FormData = await request.form(max_fields=MAX_FIELDS)
    do = data.get("do")
    try:
        form = await typed(data)
    except Refused as error:
        form = ScriptForm()
        return await run_in_threadpool(_refused, request, town, who, view, form, error)
    form = replace(form, model=view.model) if view else form
    return await run_in_threadpool(_done, request, town, who, here, at, view, form, str(do))


def _done(request: Request, town: TenantStore, who: Actor, here: Platform, at: datetime, view: ModelView | None,
          form: ScriptForm, do: str) -> Response:
    limiter: RunLimiter = request.app.state.runs
    try:
        with limiter.running(town.tenant.id, who.name, at):
            if do == "save":
                return _saved(request, town, who, here, at, view, form)
            outcome = _tried(here, town, form, at, anew=do == "propose")
    except Refused as error:
        return _refused(request, town, who, view, form, error)
    filled = with_leaves(form, outcome.leaves, outcome.proposal, anew=do == "propose")
    return _editor(request, town, who, view, filled, outcome)


def _tried(here: Platform, town: TenantStore, form: ScriptForm, at: datetime, *, anew: bool) -> Outcome:
    """What the form's frame comes to. The rows of new leaves are filled in by the proposal before they are used."""
    trial = trial_of(form, at)
    name = form.model if is_model(form.model) else trying.UNNAMED
    script = script_of(replace(form, model=name), town.tenant.id)
    outcome = trying.try_script(here.sandbox, script, trial, propose=False)
    filled = with_leaves(form, outcome.leaves, outcome.proposal, anew=anew)
    if filled.rules == form.rules or not outcome.leaves:
        return outcome
    script = script_of(replace(filled, model=name), town.tenant.id)
    return replace(outcome, readings=trying.readings_of(script, outcome.leaves))


def _saved(request: Request, town: TenantStore, who: Actor, here: Platform, at: datetime, view: ModelView | None,
           form: ScriptForm) -> Response:
    language = language_of(request)
    script = script_of(form, town.tenant.id)
    if view is None and any(kept.model == script.model for kept in town.scripts()):
        raise Invalid("There is a script for “{model}” already: edit that one.", field="model", rule="new", model=script.model)
    kept = scripting.save(town, here.sandbox, script, who=who, now=at, explain=lambda error: explain(language, error))
    target = model_address(language, town, kept.model, "model-script") + "?saved=1"
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": target})
    return back(target)


def _refused(request: Request, town: TenantStore, who: Actor, view: ModelView | None, form: ScriptForm,
             error: Refused) -> Response:
    problem = Problem(_field(form, error.field), explain(language_of(request), error))
    return _editor(request, town, who, view, form, problems=(problem,))


def _field(form: ScriptForm, name: str) -> str:
    """The field of the form that an error is about; a rule's is its row."""
    found = _RULE.fullmatch(name.removeprefix("mapping."))
    if found:
        drops = found[1] == "dropped"
        rows = [n for n, row in enumerate(form.rules) if row.leaf and row.means and (row.means == DROP) is drops]
        return f"leaf-{rows[int(found[2])]}" if int(found[2]) < len(rows) else "mapping"
    name = name.partition(".")[0].partition("[")[0]
    return name if name in FIELDS else {"rules": "mapping", "dropped": "mapping"}.get(name, "source")


def is_model(text: str) -> bool:
    """Whether `text` is a model's name."""
    try:
        return bool(model_name(text))
    except Invalid:
        return False


def _own(town: TenantStore, model: str) -> ModelView:
    view = library.model_of(town, model)
    if view.script is None:
        raise NotFound("There is no script for the model “{model}”.", field="model", rule="exists", model=model[:100])
    return view


def _editor(request: Request, town: TenantStore, who: Actor, view: ModelView | None, form: ScriptForm,
            outcome: Outcome | None = None, *, saved: bool = False, problems: tuple[Problem, ...] = ()) -> Response:
    language = language_of(request)
    action = (model_address(language, town, view.model, "model-script") if view
              else address(language, "model-new", tenant=town.tenant.id))
    return html(request, ScriptPage(page_of(request, who, town.tenant), view, form, action, _groups(form), outcome, saved,
                                    problems),
                status=422 if problems and not request.headers.get("hx-request") else 200)


def _groups(form: ScriptForm) -> Mapping[str, Sequence[Quantity]]:
    """The quantities that a leaf of this kind of asset may be: the asset's own, then the device's."""
    kinds = ("bay" if form.asset == "bay" else "lamp", "device")
    return {kind: [row for row in quantities() if row.measurement == kind] for kind in kinds}
