"""Every sentence that a person may read has a German one, with the same facts in it."""

import ast
import inspect
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2.ext import babel_extract

from api import problems
from api.i18n import LOCALES, messages
from city import errors, health
from city.alarms import SENTENCES
from city.ids import TenantId
from city.scripts import Script
from decoders import scripted
from decoders.catalog import catalog

ROOT = Path(__file__).parents[2]
SPOKEN = ("city", "api", "decoders", "firmware_config")  # packages whose sentences reach people
ERRORS = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.CityError)}
UNSPOKEN = {name for name in ERRORS if issubclass(getattr(errors, name), errors.BadInput)} | {"CityError"}
UNREADABLE = {name for name in ERRORS if issubclass(getattr(errors, name), errors.DecodeError)}  # the test box shows them
A_SCRIPT = Script(TenantId("alt"), "acme/sl-100", "", "lamp")
GERMAN = messages("de")


def sentences() -> dict[str, str]:
    """Every message and where it stands."""
    found = dict.fromkeys(SENTENCES.values(), "city.alarms.SENTENCES")
    found |= dict.fromkeys(health.SENTENCES.values(), "city.health.SENTENCES")
    found |= {title: "api.problems" for _, _, title in problems._STATUS}
    found |= dict.fromkeys(problems._TITLES.values(), "api.problems")
    for codec in (*catalog().values(), scripted.quiet(A_SCRIPT)):
        found |= dict.fromkeys(codec.leaves_open, codec.model)
    for path in sorted(file for package in SPOKEN for file in (ROOT / package).rglob("*.py")):
        read = ERRORS - UNSPOKEN | (UNREADABLE if path.is_relative_to(ROOT / "decoders") else set())
        found |= {text: str(path.relative_to(ROOT)) for text in spoken(ast.parse(path.read_text()), read)}
    for path in sorted((ROOT / "api/pages/templates").rglob("*.html")):
        found |= {text: str(path.relative_to(ROOT)) for text in templated(path)}
    return found


def spoken(tree: ast.AST, read: set[str]) -> Iterator[str]:
    """The literal sentences of marked calls and of errors of these kinds, which a caller gets to read."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in read or name in ("_", "Deviation"):  # a Deviation says what a controller cannot hold
            yield from literals(call.args[:1])
        elif name == "translate":
            yield from literals(call.args[1:2])
        elif name == "ngettext":
            yield from literals(call.args[1:3])
        elif name == "Finding":  # of city.guards
            yield from literals(call.args[3:4])
        elif name == "bad":  # a problem of a row in city.imports
            yield from literals(call.args[2:3])
        elif name == "Problem":
            yield from literals(call.args[3:4])


def literals(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def templated(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        options = {"trim_blocks": "true", "silent": "false"}
        for _, _, message, _ in babel_extract(stream, ["_", "ngettext"], [], options):
            yield from (part for part in (message if isinstance(message, tuple) else (message,)) if part)


def facts(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_sentence_has_a_german_one():
    missing = sorted(f"{where}: {text}" for text, where in sentences().items() if text not in GERMAN)
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("english", sorted(GERMAN))
def test_german_names_no_other_facts(english):
    """A translation may leave a fact out, but never ask for one that is not given."""
    assert facts(GERMAN[english]) <= facts(english)


def test_catalogue_has_no_line_twice():
    text = (LOCALES / "de/LC_MESSAGES/stadtfunk.po").read_text(encoding="utf-8")
    ids = re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)
    assert len(ids) == len(set(ids))


def test_extraction_sees_templates_and_errors():
    """The guard guards: it finds what it is meant to find."""
    found = sentences()
    assert "Which town?" in found
    assert "The end lies in the past." in found
    assert "State bits 4 and 5 are passed over." in found
    assert "A {model} sends nothing documented on FPort {port}." in found
