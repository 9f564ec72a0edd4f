"""What people read, in their language. English is the language of the code: a message is its own key.

German comes from the gettext catalogue in api/pages/locale, read as it is (no compiled file). Numbers, dates and times
are written by babel, in Berlin's time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_time
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from starlette.requests import Request

from city.errors import CityError
from city.lighting import BERLIN

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
LOCALES = Path(__file__).parent / "pages" / "locale"
ENGLISH_PREFIX = "/en"
MOST_WRITTEN_OUT = 1e15
OUR_WORDS = frozenset({"state", "event", "kind"})


def translate(language: str, template: str, /, **facts: object) -> str:
    """The sentence in `language` with its facts filled in; numbers and days among them are written as one writes them there.
    A sentence without a translation stays English. Facts that are our own words (state, event, kind) are translated."""
    sentence = _messages(language).get(template, template)
    return sentence.format(**_written(language, facts)) if facts else sentence


def ngettext(language: str, singular: str, plural: str, n: int, /, **facts: object) -> str:
    """The sentence for `n` things; {n} is filled in."""
    one, many = _plurals(language).get((singular, plural), (singular, plural))
    return (one if n == 1 else many).format(**_written(language, {"n": n, **facts}))


def explain(language: str, error: CityError) -> str:
    """An error's sentence in `language`."""
    return translate(language, error.message, **error.facts)


def language_of(request: Request) -> Language:
    """The language that an address stands for: English under /en, else German. Where the address says nothing (the
    front door and the API) Accept-Language decides."""
    path = request.url.path
    if path == ENGLISH_PREFIX or path.startswith(ENGLISH_PREFIX + "/"):
        return "en"
    if path == "/" or path.startswith("/api/"):
        return preferred(request.headers.get("accept-language", ""))
    return "de"


def preferred(accept_language: str) -> Language:
    """The best of our languages for an Accept-Language header; German where it names none of them."""
    ranked = [tag for _, tag in sorted(_accepted(accept_language[:200]), key=lambda item: -item[0])]
    return "en" if negotiate_locale(ranked, LANGUAGES, sep="-") == "en" else "de"


def number(language: str, value: float, digits: int = 0) -> str:
    """1.214 or 31,5 in German; `digits` is how many decimals are kept at most. What is too large to be counted in digits is
    written as 1,50000E30: a script or a device may say any number."""
    if not abs(value) < MOST_WRITTEN_OUT:
        return f"{Decimal(value).normalize():.6G}".replace("+", "").replace(".", "," if language == "de" else ".")
    pattern = "#,##0" + ("." + "#" * digits if digits else "")
    return format_decimal(round(value, digits) + 0.0, format=pattern, locale=_locale(language))  # + 0.0: there is no "-0"


def clock_time(language: str, at: datetime) -> str:
    """16:31, in Berlin."""
    return format_time(at, "HH:mm", tzinfo=BERLIN, locale=_locale(language))


def day_time(language: str, at: datetime, now: datetime) -> str:
    """"today 23:30", "tomorrow 05:12", or the date and the time."""
    local, today = at.astimezone(BERLIN), now.astimezone(BERLIN).date()
    day = _day(language, local.date(), today)
    return f"{day} {clock_time(language, at)}"


def age(language: str, at: datetime, now: datetime) -> str:
    """How long ago: "just now", "2 min ago", "3 h ago", "4 days ago"."""
    passed = max(now - at, timedelta())
    minutes = int(passed.total_seconds() // 60)
    if minutes < 1:
        return translate(language, "just now")
    if minutes < 60:
        return translate(language, "{n} min ago", n=minutes)
    if minutes < 48 * 60:
        return translate(language, "{n} h ago", n=minutes // 60)
    return ngettext(language, "{n} day ago", "{n} days ago", minutes // (24 * 60))


@dataclass(frozen=True, slots=True)
class Words:
    """One language, for templates: `_` translates, the others write numbers and times."""

    language: str
    now: datetime

    def _(self, template: str, /, **facts: object) -> str:
        return translate(self.language, template, **facts)

    def ngettext(self, singular: str, plural: str, n: int, /, **facts: object) -> str:
        return ngettext(self.language, singular, plural, n, **facts)

    def number(self, value: float, digits: int = 0) -> str:
        return number(self.language, value, digits)

    def time(self, at: datetime) -> str:
        return clock_time(self.language, at)

    def day_time(self, at: datetime) -> str:
        return day_time(self.language, at, self.now)

    def age(self, at: datetime) -> str:
        return age(self.language, at, self.now)

    def as_mapping(self) -> Mapping[str, Callable[..., str]]:
        """The names under which templates know these."""
        return {"_": self._, "ngettext": self.ngettext, "number": self.number, "time": self.time,
                "day_time": self.day_time, "age": self.age}


def messages(language: str) -> Mapping[str, str]:
    """Every sentence of a catalogue and its translation, plural forms by their English ones; tests read it."""
    both = {form: text for key, texts in _plurals(language).items() for form, text in zip(key, texts, strict=True)}
    return {**_messages(language), **both}


def _day(language: str, day: date, today: date) -> str:
    match (day - today).days:
        case 0:
            return translate(language, "today")
        case 1:
            return translate(language, "tomorrow")
        case -1:
            return translate(language, "yesterday")
    return format_date(day, "d. MMM" if language == "de" else "d MMM", locale=_locale(language))


def _written(language: str, facts: Mapping[str, object]) -> dict[str, object]:
    return {name: _fact(language, name, value) for name, value in facts.items()}


def _fact(language: str, name: str, value: object) -> object:
    if isinstance(value, float):
        return number(language, value, 6)
    if isinstance(value, int) and not isinstance(value, bool):
        return number(language, value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return format_date(value, "long", locale=_locale(language))
    return _messages(language).get(value, value) if isinstance(value, str) and name in OUR_WORDS else value


def _accepted(header: str) -> Iterator[tuple[float, str]]:
    for item in header.split(","):
        tag, _, weight = item.partition(";q=")
        try:
            yield float(weight or 1), tag.strip()
        except ValueError:
            continue


@cache
def _locale(language: str) -> Locale:
    return Locale("de", "DE") if language == "de" else Locale("en", "GB")


@cache
def _messages(language: str) -> Mapping[str, str]:
    return {key: text for key, text in _entries(language) if isinstance(key, str) and isinstance(text, str)}


@cache
def _plurals(language: str) -> Mapping[tuple[str, str], tuple[str, str]]:
    return {(key[0], key[1]): (text[0], text[1]) for key, text in _entries(language)
            if not isinstance(key, str) and not isinstance(text, str)}


@cache
def _entries(language: str) -> Sequence[tuple[str | tuple[str, str], str | tuple[str, str]]]:
    file = LOCALES / language / "LC_MESSAGES" / "stadtfunk.po"
    if language not in LANGUAGES or not file.exists():
        return ()
    with file.open("rb") as stream:
        catalog = read_po(stream, locale=language)
    return [pair for message in catalog if (pair := _pair(message.id, message.string)) is not None]


def _pair(key: object, text: object) -> tuple[str | tuple[str, str], str | tuple[str, str]] | None:
    """A message and its translation, or None for the header and for what is not translated yet."""
    match key, text:
        case str(one), str(said) if one and said:
            return one, said
        case (str(one), str(many)), (str(said_one), str(said_many)) if said_one and said_many:
            return (one, many), (said_one, said_many)
    return None
