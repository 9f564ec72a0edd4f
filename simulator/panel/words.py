"""What people read at the panel, in their language. English is the language of the code; German comes from the catalogue
in `locale`, read as it is."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from babel import negotiate_locale
from babel.messages.pofile import read_po

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
CATALOGUE = Path(__file__).parent / "locale/de/LC_MESSAGES/panel.po"


def translate(language: str, template: str, /, **facts: object) -> str:
    """The sentence in `language` with its facts filled in; one without a translation stays English."""
    sentence = german().get(template, template) if language == "de" else template
    return sentence.format(**{name: _fact(language, value) for name, value in facts.items()}) if facts else sentence


def preferred(accept_language: str) -> Language:
    """The best of our languages for an Accept-Language header; German where it names none of them."""
    tags = [item.partition(";")[0].strip() for item in accept_language[:200].split(",")]
    return "en" if negotiate_locale(tags, LANGUAGES, sep="-") == "en" else "de"


@cache
def german() -> Mapping[str, str]:
    """The catalogue."""
    with CATALOGUE.open("rb") as stream:
        return {entry.id: entry.string for entry in read_po(stream, locale="de")
                if isinstance(entry.id, str) and entry.id and isinstance(entry.string, str) and entry.string}


def _fact(language: str, value: object) -> object:
    return german().get(value, value) if language == "de" and isinstance(value, str) else value
