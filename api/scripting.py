"""Keeping a town's own codecs: saved, switched, removed; each is checked first and written into the audit."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from api.audit import record
from api.auth import Actor
from api.trying import checked
from city.errors import CityError, Conflict, Invalid, NotFound, ScriptError
from city.scripts import Script, model_name
from city.store.ports import TenantStore
from decoders import scripted
from decoders.catalog import catalog
from decoders.javascript import Sandbox

CLASSES = ("A", "B", "C")
MAX_TITLE = 80
HEARTBEATS = timedelta(minutes=1), timedelta(days=31)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


OFF_BY_HAND = _("by hand")


def save(town: TenantStore, sandbox: Sandbox, script: Script, *, who: Actor, now: datetime,
         explain: Callable[[CityError], str] = str) -> Script:
    """Keep a script and its mapping; one that is switched off stays off. Raises Invalid, naming the field, where
    something breaks a rule, Conflict for the name of a native model. `explain` puts the script's error into words."""
    model_name(script.model)
    if script.model in catalog():
        raise Conflict("stadtfunk itself reads “{model}”: choose another name.", field="model", rule="free", model=script.model)
    kept = _complete(checked(script))
    compiles(sandbox, kept, explain)
    kept = replace(kept, off=_off(town, kept.model), changed_at=now, changed_by=who.name)
    digest = hashlib.sha256(kept.source.encode()).hexdigest()[:12] if kept.source else "object"
    record(town, who, now, "save codec", f"model {kept.model}", f"{digest}, {len(kept.mapping.rules)} rules")
    town.put_script(kept)
    return kept


def compiles(sandbox: Sandbox, script: Script, explain: Callable[[CityError], str] = str) -> tuple[str, ...]:
    """The entry functions of a script, none where there is no source; raises Invalid with what is wrong with it."""
    if not script.source.strip():
        return ()
    try:
        return sandbox.check(scripted.program(script))
    except ScriptError as error:
        raise Invalid("This script is not kept. {what}", field="source", rule="runs", what=explain(error)) from error


def switch(town: TenantStore, model: str, *, on: bool, who: Actor, now: datetime) -> Script:
    """Let a script run, or not any more; raises NotFound."""
    script = town.script(model)
    record(town, who, now, "switch codec on" if on else "switch codec off", f"model {script.model}")
    return town.switch_script(script.model, "" if on else OFF_BY_HAND, who.name, now)


def remove(town: TenantStore, model: str, *, who: Actor, now: datetime) -> None:
    """Forget a script; raises NotFound, and Conflict while devices of its model exist."""
    script = town.script(model)
    record(town, who, now, "remove codec", f"model {script.model}")
    town.remove_script(script.model)


def _complete(script: Script) -> Script:
    """The script's plain fields within their bounds; raises Invalid."""
    for field, text in (("title", script.title), ("vendor", script.vendor)):
        if len(text) > MAX_TITLE or not text.isprintable():
            raise Invalid("At most {most} printable characters, please.", field=field, rule="≤ 80", most=MAX_TITLE)
    if script.device_class not in CLASSES:
        raise Invalid("A device has class A, B or C.", field="device_class", rule="A, B, C")
    if not HEARTBEATS[0] <= script.heartbeat <= HEARTBEATS[1]:
        raise Invalid("A sign of life comes at least every 31 days, at most every minute.", field="heartbeat",
                      rule="1 min … 31 d")
    if script.max_minutes is not None and not 1 <= script.max_minutes <= 100_000:
        raise Invalid("The longest time of an order lies between 1 and 100000 minutes.", field="max_minutes",
                      rule="1…100000")
    return replace(script, title=script.title.strip() or script.model, vendor=script.vendor.strip())


def _off(town: TenantStore, model: str) -> str:
    try:
        return town.script(model).off
    except NotFound:
        return ""
