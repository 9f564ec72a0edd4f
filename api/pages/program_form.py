"""The program editor's form: what a person has typed, kept as typed, and the program that it means."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import FormData

from city.errors import Invalid, Refused
from city.ids import ProgramId
from city.programs import MAX_FADE_S, MAX_OFFSET, MAX_STEPS, Anchor, Moment, Program, Step

MAX_TYPED = 100
ON, OFF = "on", "off"  # the keys of the first and the last row; those between are numbered
_TIME = re.compile(r"([01]?\d|2[0-4])[:.]([0-5]\d)\Z")
_WHOLE = re.compile(r"[+-]?\d{1,5}\Z")
_HIGH = (Anchor.FALLS, Anchor.RISES)
_ANCHORS = {anchor.value: anchor for anchor in Anchor}


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as typed: of `time`, `offset` and `altitude` those count that its anchor needs."""

    anchor: str = "clock"
    time: str = ""
    offset: str = ""
    altitude: str = ""
    level: str = ""
    fade: str = ""


@dataclass(frozen=True, slots=True)
class ProgramForm:
    """All fields as they were typed. `target` and `night` are what the preview is for; `confirm` and `seen` belong to the
    question that is asked before a program in use is changed; `base` is the version that was opened."""

    name: str = ""
    on: StepRow = StepRow("sunset", level="100")
    steps: tuple[StepRow, ...] = ()
    off: StepRow = StepRow("sunrise", level="0")
    target: str = ""
    night: str = ""
    confirm: str = ""
    seen: str = ""
    base: str = ""

    @property
    def rows(self) -> Mapping[str, StepRow]:
        """Every row by its key, in order."""
        return {ON: self.on, **{str(n): row for n, row in enumerate(self.steps)}, OFF: self.off}


Wrong = tuple[str, Refused]


def typed(data: FormData) -> ProgramForm:
    """The form as it came."""
    rows = {key: StepRow(**{name: _one(data, f"{name}-{key}") for name in StepRow.__slots__}) for key in (ON, OFF)}
    words = {name: _one(data, name) for name in ("name", "target", "night", "confirm", "seen", "base")}
    return ProgramForm(on=rows[ON], off=replace(rows[OFF], level="0"), steps=tuple(_numbered(data)), **words)


def form_of(program: Program) -> ProgramForm:
    """A program in the editor."""
    return ProgramForm(program.name, _row(program.on), tuple(_row(step) for step in program.steps), _row(program.off))


def read(form: ProgramForm, id: ProgramId) -> tuple[Program | None, Sequence[Wrong]]:
    """The program that is meant, or None and all that is wrong, each with its field."""
    steps: dict[str, Step] = {}
    wrong: list[Wrong] = []
    for key, row in form.rows.items():
        step, faults = read_row(key, row)
        if step is not None:
            steps[key] = step
        wrong += faults
    if wrong:
        return None, [*_unnamed(form), *wrong]
    try:
        between = tuple(steps[str(n)] for n in range(len(form.steps)))
        return Program(id, form.name, steps[ON], between, steps[OFF]), ()
    except Refused as error:
        return None, ((error.field if error.field == "name" else "steps", error),)


def read_row(key: str, row: StepRow) -> tuple[Step | None, Sequence[Wrong]]:
    """One step, or None and what is wrong with its row."""
    wrong: list[Wrong] = []
    found: dict[str, float | None] = {}
    for name in _needed(row):
        try:
            found[name] = _READERS[name](getattr(row, name))
        except Refused as error:
            wrong.append((f"{name}-{key}", error))
    if wrong:
        return None, wrong
    anchor = _ANCHORS.get(row.anchor, Anchor.CLOCK)
    minutes = found.get("time") if anchor is Anchor.CLOCK else found.get("offset")
    moment = Moment(anchor, int(minutes or 0), found.get("altitude"))
    return Step(moment, int(found["level"] or 0), int(found["fade"] or 0)), ()


def add(form: ProgramForm) -> ProgramForm:
    """One more step, at the end."""
    last = form.steps[-1] if form.steps else form.on
    fresh = StepRow("clock", _an_hour_later(last.time), level=last.level)
    return replace(form, steps=(*form.steps, fresh)) if len(form.steps) < MAX_STEPS else form


def remove(form: ProgramForm, number: str) -> ProgramForm:
    """The form without one of its steps."""
    return replace(form, steps=tuple(row for n, row in enumerate(form.steps) if str(n) != number))


def _an_hour_later(text: str) -> str:
    found = _TIME.match(text)
    return f"{(int(found[1]) + 1) % 24:02}:{found[2]}" if found else "22:00"


def _needed(row: StepRow) -> Iterator[str]:
    anchor = _ANCHORS.get(row.anchor, Anchor.CLOCK)
    yield "time" if anchor is Anchor.CLOCK else "offset"
    if anchor in _HIGH:
        yield "altitude"
    yield from ("level", "fade")


def _time(text: str) -> float:
    found = _TIME.match(text)
    if not found:
        raise Invalid("Give a time like 22:30.", field="time", rule="HH:MM")
    return (60 * int(found[1]) + int(found[2])) % (24 * 60)


def _offset(text: str) -> float:
    return _whole(text.replace("−", "-").replace(" ", "") or "0", -MAX_OFFSET, MAX_OFFSET)


def _altitude(text: str) -> float:
    try:
        value = float(text.replace("−", "-").replace(",", ".").removesuffix("°"))
    except ValueError:
        value = float("nan")
    if not -18 <= value <= 30:
        raise Invalid("The sun's altitude lies between −18 and 30 degrees.", field="altitude", rule="-18…30")
    return value


def _level(text: str) -> float:
    if not text.isdecimal() or len(text) > 3 or int(text) > 100:
        raise Invalid("Give a level from 0 to 100 %.", field="level", rule="0…100")
    return int(text)


def _fade(text: str) -> float:
    return _whole(text or "0", 0, MAX_FADE_S)


def _whole(text: str, low: int, high: int) -> int:
    if not _WHOLE.match(text) or not low <= int(text) <= high:
        raise Invalid("Give a whole number from {low} to {high}.", field="number", rule=f"{low}…{high}", low=low, high=high)
    return int(text)


_READERS = {"time": _time, "offset": _offset, "altitude": _altitude, "level": _level, "fade": _fade}


def _row(step: Step) -> StepRow:
    moment = step.at
    is_clock = moment.anchor is Anchor.CLOCK
    return StepRow(moment.anchor.value, f"{moment.minutes // 60:02}:{moment.minutes % 60:02}" if is_clock else "",
                   "" if is_clock or not moment.minutes else str(moment.minutes),
                   "" if moment.altitude is None else f"{moment.altitude:.12g}", str(step.level), str(step.fade_s or ""))


def _unnamed(form: ProgramForm) -> Sequence[Wrong]:
    if form.name:
        return ()
    return (("name", Invalid("Give it a name.", field="name", rule="required")),)


def _numbered(data: FormData) -> Iterator[StepRow]:
    """The numbered rows, up to the first number that is missing."""
    for n in range(MAX_STEPS + 1):
        if f"anchor-{n}" not in data:
            return
        yield StepRow(**{name: _one(data, f"{name}-{n}") for name in StepRow.__slots__})


def _one(data: FormData, name: str) -> str:
    value = data.get(name, "")
    return value.strip()[:MAX_TYPED] if isinstance(value, str) else ""
