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
ENGLISH: Mapping[str, str] = {  # where our own names are no words for people
    "unpowered": "without power", "apart": "off the net", "unjoined": "not joined", "nobody": "nobody heard it",
    "gateway-down": "gateway down", "cabinet-outage": "circuit without power", "broker-loss": "broker out of reach",
    "join-storm": "join storm", "firmware-bug": "firmware bug", "clock-step": "clock jumps", "gps-time": "wrong satellite time",
    "broken-messages": "broken messages", "codec-garbage": "nonsense of the server's codec", "device-fault": "fault of devices",
    "for": "lasts", "keeps": "messages come later", "asset": "kind of device", "over": "spread over", "power_dbm": "power, dBm",
    "busy": "share of the time", "attenuation_db": "attenuation, dB", "noise_db": "noise, dB", "of": "whose", "by": "by how many",
    "down weak": "too weak", "down jammed": "jammed", "down deaf": "device was sending", "down busy": "device heard another",
    "down collision": "collision", "down other SF": "another SF was stronger", "down weather": "radio weather",
    "weak": "too weak", "weather": "radio weather", "half duplex": "gateway was sending", "other SF": "another SF was stronger",
    "demodulators": "all demodulators busy", "calendar-night": "calendar (night)", "calendar-day": "calendar (day)"}


def translate(language: str, template: str, /, **facts: object) -> str:
    """The sentence in `language` with its facts filled in; one without a translation stays English."""
    sentence = words(language).get(template, template)
    return sentence.format(**{name: _fact(language, name, value) for name, value in facts.items()}) if facts else sentence


def preferred(accept_language: str) -> Language:
    """The best of our languages for an Accept-Language header; German where it names none of them."""
    tags = [item.partition(";")[0].strip() for item in accept_language[:200].split(",")]
    return "en" if negotiate_locale(tags, LANGUAGES, sep="-") == "en" else "de"


def words(language: str) -> Mapping[str, str]:
    """What is said otherwise than it is written in the code."""
    return german() if language == "de" else ENGLISH


@cache
def german() -> Mapping[str, str]:
    """The catalogue."""
    with CATALOGUE.open("rb") as stream:
        return {entry.id: entry.string for entry in read_po(stream, locale="de")
                if isinstance(entry.id, str) and entry.id and isinstance(entry.string, str) and entry.string}


def _fact(language: str, name: str, value: object) -> object:
    """Facts of that name are our own words; others may be anybody's."""
    return words(language).get(value, value) if name == "kind" and isinstance(value, str) else value
