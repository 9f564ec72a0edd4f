"""The script editor's form: what a person has typed, kept as typed, and what it means."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile

from api import trying
from api.trying import Direction, Trial
from city.errors import Invalid
from city.ids import TenantId
from city.places import AssetKind
from city.quantities import Value
from city.scripts import MAX_RULES, MAX_SOURCE, LeafMapping, Rule, Script
from decoders.codec import Frame

DROP = "drop"  # in place of a quantity: the leaf concerns a person and is never kept
MAX_TYPED = 300
MAX_TEXT = 20_000
MAX_EXAMPLE = 80
_TRUTH: dict[str, bool] = {"true": True, "false": False, "ja": True, "nein": False}


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One row of the mapping: a leaf with an example, and its meaning: a quantity, DROP, or "" for a raw reading."""

    leaf: str = ""
    example: str = ""
    means: str = ""
    channel: str = ""
    scale: str = ""
    offset: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class ScriptForm:
    """All fields as they were typed. `way` is a Direction."""

    model: str = ""
    title: str = ""
    vendor: str = ""
    asset: str = "lamp"
    device_class: str = "A"
    heartbeat: str = "24"
    max_minutes: str = ""
    normalized: bool = False
    variables: str = ""
    source: str = ""
    orders: str = ""
    rules: tuple[RuleRow, ...] = ()
    way: str = "up"
    port: str = "1"
    hex: str = ""
    object: str = ""


async def typed(data: FormData) -> ScriptForm:
    """The form as it came; a chosen file takes the place of the typed source. Raises Invalid for a file that is no
    text, or too large."""
    file = data.get("file")
    source = await _text_of(file) if isinstance(file, UploadFile) and file.size else _one(data, "source", 2 * MAX_SOURCE)
    names = ("model", "title", "vendor", "asset", "device_class", "heartbeat", "max_minutes", "way", "port", "hex")
    longer = {name: _one(data, name, MAX_TEXT).replace("\r\n", "\n") for name in ("variables", "orders", "object")}
    short = {name: _one(data, name, 2 * MAX_TYPED).strip() for name in names}
    return ScriptForm(**short, **longer, normalized="normalized" in data, source=source.replace("\r\n", "\n"),
                      rules=tuple(_rows(data)))


def form_of(script: Script) -> ScriptForm:
    """A kept script in the editor."""
    hours = script.heartbeat / timedelta(hours=1)
    rows = [_row(rule) for rule in script.mapping.rules]
    rows += [RuleRow(leaf, means=DROP) for leaf in script.mapping.dropped]
    return ScriptForm(
        script.model, script.title, script.vendor, script.asset, script.device_class, f"{hours:g}",
        str(script.max_minutes or ""), script.normalized, "\n".join(f"{k}={v}" for k, v in script.variables.items()),
        script.source, _json(script.mapping.orders) if script.mapping.orders else "", tuple(rows))


def script_of(form: ScriptForm, town: TenantId) -> Script:
    """The script that is meant; raises Invalid, naming the field."""
    asset: AssetKind = "bay" if form.asset == "bay" else "lamp"
    minutes = int(_number(form.max_minutes, "max_minutes")) if form.max_minutes else None
    return Script(town, form.model, form.title, asset, form.source, mapping_of(form), form.vendor, form.device_class,
                  timedelta(hours=max(min(_number(form.heartbeat or "24", "heartbeat"), 10_000), 0)), minutes, form.normalized,
                  _variables(form.variables))


def mapping_of(form: ScriptForm) -> LeafMapping:
    """What the rows mean; raises Invalid."""
    rules = tuple(_rule(row) for row in form.rules if row.leaf and row.means not in ("", DROP))
    dropped = tuple(row.leaf for row in form.rules if row.leaf and row.means == DROP)
    return LeafMapping(rules=rules, dropped=dropped, orders=_object(form.orders, "orders") or {})


def trial_of(form: ScriptForm, at: Any) -> Trial:  # noqa: ANN401 - a datetime
    """What the test box asks for; raises Invalid, naming the field."""
    way: Direction = form.way if form.way in ("down", "encode") else "up"  # type: ignore[assignment]
    if way == "encode" or (way == "up" and not form.source.strip()):
        said = _object(form.object, "object")
        if said is None:
            raise Invalid("Give an object to be read.", field="object", rule="required")
        return Trial(way, Frame(1, b""), at, said)
    if not form.port.isdecimal() or len(form.port) > 4:
        raise trying.no_port(form.port)
    return Trial(way, trying.frame_of(int(form.port), trying.bytes_of(form.hex)), at)


def with_leaves(form: ScriptForm, leaves: Mapping[str, Value], proposal: LeafMapping | None, *, anew: bool) -> ScriptForm:
    """The form with a row for each leaf of a try: proposed meanings for those that are new, for all with `anew`."""
    proposed = {row.leaf: row for row in form_rows(proposal)} if proposal else {}
    rows = {row.leaf: row for row in form.rules if row.leaf}
    for leaf in leaves:
        if anew or leaf not in rows:
            rows[leaf] = proposed.get(leaf, RuleRow(leaf))
    shown = (replace(row, example=example(leaves[row.leaf])) if row.leaf in leaves else row for row in rows.values())
    return replace(form, rules=tuple(shown)[:MAX_RULES])


def form_rows(mapping: LeafMapping) -> list[RuleRow]:
    """A mapping as rows."""
    return [*(_row(rule) for rule in mapping.rules), *(RuleRow(leaf, means=DROP) for leaf in mapping.dropped)]


def example(value: Value) -> str:
    """A leaf's value as it is shown beside it."""
    return _json(value)[:MAX_EXAMPLE]


def words_of(rule: Rule) -> str:
    """A rule's words as one line: occupied = true; free = false."""
    return "; ".join(f"{word} = {_plain(value)}" for word, value in rule.words.items())


def _row(rule: Rule) -> RuleRow:
    return RuleRow(rule.leaf, "", rule.quantity, rule.channel, "" if rule.scale == 1 else f"{rule.scale:.12g}",
                   "" if rule.offset == 0 else f"{rule.offset:.12g}", words_of(rule))


def _rule(row: RuleRow) -> Rule:
    return Rule(leaf=row.leaf, quantity=row.means, channel=row.channel, scale=_number(row.scale or "1", "mapping"),
                offset=_number(row.offset or "0", "mapping"), words=_words(row.words))


def _words(text: str) -> dict[str, bool | float | str]:
    words: dict[str, bool | float | str] = {}
    for item in filter(None, (part.strip() for part in text.split(";"))):
        word, equals, value = (part.strip() for part in item.rpartition("="))
        if not equals or not word:
            raise Invalid("Words are written “word = value; other = value”, not “{text}”.", field="mapping", rule="words",
                          text=item[:MAX_EXAMPLE])
        words[word] = _value(value)
    return words


def _value(text: str) -> bool | float | str:
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def _number(text: str, field: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise Invalid("“{text}” is no number.", field=field, rule="number", text=text[:MAX_EXAMPLE])
    return value


def _variables(text: str) -> dict[str, str]:
    variables = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise Invalid("Variables are written one a line, “name=value”, not “{text}”.", field="variables",
                          rule="name=value", text=line[:MAX_EXAMPLE])
        variables[name.strip()] = value.strip()
    return variables


def _object(text: str, field: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        return trying.sound(msgspec.json.decode(text, type=dict[str, Any]), field)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("This is no JSON object: {what}", field=field, rule="JSON object", what=str(error)) from error


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else _json(value) if isinstance(value, bool) else f"{value:.12g}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


async def _text_of(file: UploadFile) -> str:
    data = await file.read(MAX_SOURCE + 1)
    if len(data) > MAX_SOURCE:
        raise Invalid("A script has at most {most} kB.", field="source", rule="≤ 256 kB", most=MAX_SOURCE // 1024)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Invalid("The file is no text in UTF-8.", field="file", rule="UTF-8") from None


def _one(data: FormData, name: str, most: int) -> str:
    value = data.get(name, "")
    return value[:most] if isinstance(value, str) else ""


def _rows(data: FormData) -> Iterable[RuleRow]:
    """The numbered rows, up to the first number that is missing."""
    for n in range(MAX_RULES + 1):
        if f"leaf-{n}" not in data:
            return
        yield RuleRow(*(_one(data, f"{name}-{n}", MAX_TYPED).strip() for name in (
            "leaf", "example", "means", "channel", "scale", "offset", "words")))
