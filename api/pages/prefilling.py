"""The dim dialog as an address fills it in: a board's link brings what was chosen there. Nothing of it is sent by that."""

from dataclasses import replace
from datetime import datetime, timedelta

from api.boards import number_of
from api.i18n import explain
from api.pages.contexts import DimForm, Problem
from city.errors import Invalid
from city.lighting import BERLIN

MOST = 24 * 60  # minutes: the dialog has times of the day
_LENGTHS = {60: "1h", 120: "2h"}


def filled_in(language: str, form: DimForm, level: str, minutes: str, at: datetime) -> tuple[DimForm, tuple[Problem, ...]]:
    """The form with the level in % and the duration that an address gives, as far as it gives them, and what is wrong with
    them: that is left as it was."""
    problems = []
    try:
        form = replace(form, level=_level(level) if level else form.level)
    except Invalid as error:
        problems.append(Problem("level", explain(language, error)))
    try:
        end, until = _ending(minutes, at) if minutes else (form.end, form.until)
        form = replace(form, end=end, until=until or form.until)
    except Invalid as error:
        problems.append(Problem("until", explain(language, error)))
    return form, tuple(problems)


def _level(text: str) -> str:
    level = number_of(text, "level")
    if level > 100:
        raise Invalid("Give a level from 0 to 100 %.", field="level", rule="0…100")
    return str(level)


def _ending(text: str, at: datetime) -> tuple[str, str]:
    """A duration as the dialog has ends: one of its own, else the first whole minute after it by Berlin's clocks."""
    minutes = number_of(text, "until")
    if not 1 <= minutes < MOST:
        raise Invalid("Choose the end here: the dialog can take over at most a day.", field="until", rule="< 24 h")
    if minutes in _LENGTHS:
        return _LENGTHS[minutes], ""
    until = (at + timedelta(minutes=minutes, seconds=59)).astimezone(BERLIN)
    return "time", f"{until:%H:%M}"
