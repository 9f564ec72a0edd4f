"""What charts write beside an override, a change of programs or an incident, in German and English. No person's name and nothing
that a person wrote freely is among it but the names of programs and calendars."""

from collections.abc import Mapping

from city.glance import Programmed
from city.groups import Target
from city.incidents import Cause, Incident
from city.lighting import Override
from city.notice_text import sentence

MOST = 200  # characters
NONE_OF_ITS_OWN = "none of its own"  # as the audit says it
_OVERRIDES = {"emergency": ("Sicherheitslicht: {level} %", "Emergency light: {level} %"),
              "programmed": ("Eingriff: wie programmiert", "Override: as programmed"),
              "level": ("Eingriff: {level} %", "Override: {level} %")}
_PROGRAMMED: Mapping[str, tuple[str, str]] = {
    "program": ("Programm „{detail}“ geändert", "Program “{detail}” changed"),
    "calendar": ("Kalender „{detail}“ geändert", "Calendar “{detail}” changed"),
    "remove program": ("Programm „{name}“ entfernt", "Program “{name}” removed"),
    "remove calendar": ("Kalender „{name}“ entfernt", "Calendar “{name}” removed"),
    "assign calendar": ("Kalender „{detail}“ gilt für {target}", "Calendar “{detail}” applies to {target}"),
    NONE_OF_ITS_OWN: ("{target} hat keinen eigenen Kalender mehr", "{target} has no calendar of its own any more"),
}
_KINDS = {"town": ("die Stadt", "the town"), "zone": ("Zone {id}", "zone {id}"), "circuit": ("Stromkreis {id}", "circuit {id}"),
          "group": ("Gruppe {id}", "group {id}"), "lamp": ("Leuchte {id}", "lamp {id}")}
Texts = tuple[str, str]  # German, English


def of_override(one: Override) -> Texts:
    """What an override wants."""
    key = "emergency" if one.emergency else "programmed" if one.level is None else "level"
    german, english = _OVERRIDES[key]
    return german.format(level=one.level), english.format(level=one.level)


def of_program(one: Programmed, target: Target | None) -> Texts:
    """What was asked for of programs, and for whom where it was a calendar's assignment."""
    key = NONE_OF_ITS_OWN if one.action == "assign calendar" and one.detail == NONE_OF_ITS_OWN else one.action
    german, english = _PROGRAMMED[key]
    de, en = _KINDS[target.kind] if target else ("{id}", "{id}")
    whose, name = target.id if target else one.target, one.detail or one.target
    said = german.format(detail=one.detail, name=name, target=de.format(id=whose))
    told = english.format(detail=one.detail, name=name, target=en.format(id=whose))
    return _short(said[:1].upper() + said[1:]), _short(told[:1].upper() + told[1:])


def of_incident(one: Incident, name: str) -> Texts:
    """What is wrong, and at which lamp."""
    where = f"{name}: " if one.cause is Cause.ASSET else ""
    return _short(where + sentence(one, name, "de")), _short(where + sentence(one, name, "en"))


def _short(text: str) -> str:
    return text if len(text) <= MOST else text[:MOST - 1] + "…"
