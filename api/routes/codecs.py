"""Which models a town's devices may be of, its own scripts among them, and a box to try them in."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api import library, scripting, trying
from api.auth import Actor
from api.codec_schemas import CodecOut, ModelOut, OutcomeOut, ScriptIn, SwitchIn, TryIn, decoded_base64
from api.deps import Acting, AllEngineering, AnyEngineering, AnyViewing, Here, Now
from api.i18n import explain, language_of
from api.library import ModelView
from api.limits import RunLimiter
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.trying import Trial
from city import orders
from city.errors import CityError, Invalid
from city.orders import Order
from city.places import AssetKind
from city.scripts import Script
from city.store.ports import Role, TenantStore
from decoders.codec import Codec

DEFAULT_ASSET: AssetKind = "lamp"
router = APIRouter(prefix=TENANT, tags=["codecs"], responses=RESPONSES)


@router.get("/codecs", summary="Models that devices may be of")
def codecs(town: AnyViewing) -> list[ModelOut]:
    """Native ones and the town's own scripts, with how many devices of the town are of each."""
    return [ModelOut.of(view) for view in library.models(town)]


@router.post("/codecs/try", summary="Try a frame or an order; nothing is kept")
def try_codec(request: Request, town: AnyEngineering, who: Acting, here: Here, now: Now, body: TryIn) -> OutcomeOut:
    """What a codec says, also that it cannot read the frame, is an ordinary answer; at most 30 tries together, then one
    every two seconds."""
    limiter: RunLimiter = request.app.state.runs
    codec = _codec(town, body)
    trial = Trial(body.direction, trying.frame_of(body.port, _data(body)), now, trying.sound(body.object, "object"),
                  _order(body.order))
    with limiter.running(town.tenant.id, who.name, now):
        if isinstance(codec, Codec):
            outcome = trying.try_native(codec, trial)
        else:
            propose = body.mapping is None and not (body.model and body.source is None)
            outcome = trying.try_script(here.sandbox, codec, trial, propose=propose)
    return OutcomeOut.of(outcome, _in_words(request))


@router.get("/codecs/{vendor}/{name}", summary="One model")
def codec(town: AnyViewing, who: Acting, vendor: str, name: str) -> CodecOut:
    """With the source and the mapping of a town's own script, for engineers."""
    return _whole(library.model_of(town, f"{vendor}/{name}"), who)


@router.put("/codecs/{vendor}/{name}", summary="Keep a script and its mapping")
def put_codec(request: Request, town: AllEngineering, who: Acting, here: Here, now: Now, vendor: str, name: str,
              body: ScriptIn) -> CodecOut:
    """A script must compile and define an entry function; one that is switched off stays off."""
    script = body.to_city(town.tenant.id, f"{vendor}/{name}")
    limiter: RunLimiter = request.app.state.runs
    with limiter.running(town.tenant.id, who.name, now):
        kept = scripting.save(town, here.sandbox, script, who=who, now=now, explain=_in_words(request))
    return _whole(library.model_of(town, kept.model), who)


@router.post("/codecs/{vendor}/{name}/switch", summary="Let a script run, or not any more")
def switch_codec(town: AllEngineering, who: Acting, now: Now, vendor: str, name: str, body: SwitchIn) -> CodecOut:
    """While it is off, its devices' frames are kept unread."""
    script = scripting.switch(town, f"{vendor}/{name}", on=body.on, who=who, now=now)
    return _whole(library.model_of(town, script.model), who)


@router.delete("/codecs/{vendor}/{name}", status_code=204, summary="Forget a script")
def remove_codec(town: AllEngineering, who: Acting, now: Now, vendor: str, name: str) -> Response:
    """Refused (409) while devices of the model exist."""
    scripting.remove(town, f"{vendor}/{name}", who=who, now=now)
    return Response(status_code=204)


def _whole(view: ModelView, who: Actor) -> CodecOut:
    return CodecOut.whole(view, shows_source=who.may(Role.ENGINEER))


def _in_words(request: Request) -> Callable[[CityError], str]:
    language = language_of(request)
    return lambda error: explain(language, error)


def _codec(town: TenantStore, body: TryIn) -> Codec | Script:
    """What is to be tried: a model as it is known, or a script with what the body changes of it."""
    if body.source is None and body.model:
        found = trying.known(town, body.model)
        return found if isinstance(found, Codec) else _changed(found, body)
    if body.source is None and body.object is None:
        raise Invalid("Name a model, or give a script's source.", field="model", rule="required")
    return _changed(Script(town.tenant.id, trying.UNNAMED, "", body.asset or DEFAULT_ASSET, body.source or ""), body)


def _changed(script: Script, body: TryIn) -> Script:
    changes: dict[str, Any] = {"asset": body.asset, "variables": body.variables, "normalized": body.normalized,
                               "mapping": body.mapping.to_city() if body.mapping else None}
    return replace(script, **{name: value for name, value in changes.items() if value is not None})


def _data(body: TryIn) -> bytes:
    if body.hex is not None and body.base64 is not None:
        raise Invalid("Give the bytes once: as hex or as base64.", field="base64", rule="hex or base64")
    return decoded_base64(body.base64) if body.base64 is not None else trying.bytes_of(body.hex or "")


def _order(data: dict[str, Any] | None) -> Order | None:
    return None if data is None else orders.from_json(msgspec.json.encode(trying.sound(data, "order")))
