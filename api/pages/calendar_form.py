"""The calendar editor's form: what a person has typed, kept as typed, and the calendar that it means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from starlette.datastructures import FormData

from city.errors import Invalid, Refused
from city.ids import CalendarId, ProgramId
from city.programs import MAX_RULES, Calendar, Rule

MAX_TYPED = 100
MAX_DAYS_TEXT = 6000
_DAY = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.?\Z")
_ISO_DAY = re.compile(r"(?:\d{4}-)?(\d{1,2})-(\d{1,2})\Z")
_DATE = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})\Z")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as typed: `first` and `last` as “24.12.”, `days` as dates between commas or lines."""

    program: str = ""
    weekdays: frozenset[str] = frozenset()
    first: str = ""
    last: str = ""
    holidays: bool = False
    days: str = ""


@dataclass(frozen=True, slots=True)
class CalendarForm:
    name: str = ""
    default: str = ""
    rules: tuple[RuleRow, ...] = ()
    confirm: str = ""
    seen: str = ""
    base: str = ""


Wrong = tuple[str, Refused]


def typed(data: FormData) -> CalendarForm:
    """The form as it came."""
    words = {name: _one(data, name) for name in ("name", "default", "confirm", "seen", "base")}
    return CalendarForm(rules=tuple(_numbered(data)), **words)


def form_of(calendar: Calendar) -> CalendarForm:
    """A calendar in the editor."""
    return CalendarForm(calendar.name, calendar.default, tuple(_row(rule) for rule in calendar.rules))


def read(form: CalendarForm, id: CalendarId) -> tuple[Calendar | None, Sequence[Wrong]]:
    """The calendar that is meant, or None and all that is wrong, each with its field."""
    rules: list[Rule] = []
    wrong: list[Wrong] = [] if form.name else [("name", Invalid("Give it a name.", field="name", rule="required"))]
    for number, row in enumerate(form.rules):
        try:
            rules.append(_rule(row))
        except Refused as error:
            wrong.append((f"{error.field if error.field in ('first', 'last', 'days', 'program') else 'rule'}-{number}", error))
    if wrong:
        return None, wrong
    try:
        return Calendar(id, form.name, ProgramId(form.default), tuple(rules)), ()
    except Refused as error:
        return None, ((error.field if error.field == "name" else "rules", error),)


def changed(form: CalendarForm, do: str) -> CalendarForm:
    """The form after one of its own buttons: add, remove-2, up-2 or down-2."""
    what, _dash, number = do.partition("-")
    rules = [*form.rules]
    if what == "add" and len(rules) < MAX_RULES:
        return replace(form, rules=(*rules, RuleRow(form.default)))
    if not number.isdecimal() or len(number) > 3 or int(number) >= len(rules):
        return form
    place = int(number)
    if what == "remove":
        del rules[place]
    other = place - 1 if what == "up" else place + 1 if what == "down" else place
    if 0 <= other < len(rules) and what != "remove":
        rules[place], rules[other] = rules[other], rules[place]
    return replace(form, rules=tuple(rules))


def _rule(row: RuleRow) -> Rule:
    days = frozenset(int(day) for day in row.weekdays if day in {"1", "2", "3", "4", "5", "6", "7"})
    first, last = (_day_of_year(text, name) if text else None for text, name in ((row.first, "first"), (row.last, "last")))
    return Rule(ProgramId(row.program), days, first, last, row.holidays, frozenset(_dates(row.days)))


def _day_of_year(text: str, field: str) -> tuple[int, int]:
    found, iso = _DAY.match(text), _ISO_DAY.match(text)
    if not found and not iso:
        raise Invalid("Give a day like 24.12.", field=field, rule="day.month.")
    day, month = (found[1], found[2]) if found else (iso[2], iso[1]) if iso else ("", "")
    return int(month), int(day)


def _dates(text: str) -> Iterator[date]:
    for item in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        found = _DATE.match(item)
        try:
            yield date(int(found[3]), int(found[2]), int(found[1])) if found else date.fromisoformat(item)
        except ValueError:
            raise Invalid("“{text}” is no date: write 31.12.2026, several with commas.", field="days", rule="dates",
                          text=item[:40]) from None


def _row(rule: Rule) -> RuleRow:
    first, last = (f"{of[1]}.{of[0]}." if of else "" for of in (rule.first, rule.last))
    return RuleRow(rule.program, frozenset(map(str, rule.weekdays)), first, last, rule.holidays,
                   ", ".join(f"{day.day}.{day.month}.{day.year}" for day in sorted(rule.days)))


def _numbered(data: FormData) -> Iterator[RuleRow]:
    """The numbered rows, up to the first number that is missing."""
    for n in range(MAX_RULES + 1):
        if f"program-{n}" not in data:
            return
        chosen = frozenset(str(one)[:1] for one in data.getlist(f"weekday-{n}"))
        yield RuleRow(_one(data, f"program-{n}"), chosen, _one(data, f"first-{n}"), _one(data, f"last-{n}"),
                      f"holidays-{n}" in data, _one(data, f"days-{n}", MAX_DAYS_TEXT))


def _one(data: FormData, name: str, most: int = MAX_TYPED) -> str:
    value = data.get(name, "")
    return value.strip()[:most] if isinstance(value, str) else ""
