"""Our own words for states, kinds and reasons, as pages say them; English here, German in the catalogue."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from math import ceil

import msgspec

from api.i18n import explain, ngettext, number, translate
from api.views import LampWord
from city.alarms import SENTENCES, AlarmKind
from city.commands import Command, State
from city.errors import CityError, ScriptBreach, ScriptError, Unsupported
from city.orders import (
    AlarmLimits,
    BootDelay,
    Clock,
    DataRate,
    DimTask,
    FallbackLevel,
    Holidays,
    LevelNotice,
    MulticastGroup,
    Order,
    Parameters,
    Position,
    Profile,
    ReadStatus,
    ReadTask,
    Reboot,
    RemoveTask,
    Resume,
    SetLevel,
    StatusInterval,
    SunCalendar,
    UplinkConfirmation,
    UsageInterval,
)
from city.parking import Word
from city.quantities import RAW
from city.scripts import Rule


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


LAMP_WORDS = {
    LampWord.OK: _("as wanted"),
    LampWord.WAITING: _("under way"),
    LampWord.DEVIATES: _("deviates"),
    LampWord.FAULT: _("fault"),
    LampWord.SILENT: _("silent"),
    LampWord.NEVER_HEARD: _("never heard"),
}
LAMP_TONES = {LampWord.OK: "ok", LampWord.WAITING: "warn", LampWord.DEVIATES: "warn", LampWord.FAULT: "bad",
              LampWord.SILENT: "unknown", LampWord.NEVER_HEARD: "unknown"}
HEALTH = {
    LampWord.OK: _("Works as expected."),
    LampWord.WAITING: _("Has been told, and has not answered yet."),
    LampWord.DEVIATES: _("Burns otherwise than wanted: look at its commands below."),
    LampWord.FAULT: _("Reports a fault: somebody should look at it."),
    LampWord.SILENT: _("Has not been heard for longer than it should be; what is shown is old."),
    LampWord.NEVER_HEARD: _("Nothing has ever been heard of it: is its controller installed and registered?"),
}
PARKING_WORDS = {
    Word.MANY: _("many free"),
    Word.FEW: _("few free"),
    Word.FULL: _("full"),
    Word.NO_DATA: _("no reliable data"),
}
PUBLIC_WORDS = {word.value: text for word, text in PARKING_WORDS.items()}
SPECIAL = {"disabled": _("Disabled"), "charging": _("Charging"), "resident": _("Residents")}
STATES = {
    State.PLANNED: _("planned"),
    State.SENT: _("handed over"),
    State.SCHEDULED: _("sent by radio"),
    State.ACKED: _("received"),
    State.APPLIED: _("confirmed"),
    State.SUPERSEDED: _("replaced"),
    State.EXPIRED: _("expired"),
    State.FAILED: _("failed"),
}
SETTINGS: Mapping[type, str] = {
    StatusInterval: _("how often it reports"), UsageInterval: _("how often it reports its consumption"),
    Clock: _("its clock"), BootDelay: _("the delay after power returns"), FallbackLevel: _("the level without network"),
    AlarmLimits: _("limits of its alarms"), Position: _("its position"), SunCalendar: _("calendar by the sun"),
    Profile: _("dimming profile"), Holidays: _("holidays"), LevelNotice: _("report each change of level"),
    MulticastGroup: _("radio group"), UplinkConfirmation: _("whether it wants its messages confirmed"),
    DataRate: _("data rate"), Parameters: _("parameters"), DimTask: _("dimming task"),
    RemoveTask: _("dimming task removed"),
}
LAMP_REASONS = {
    "manual": _("by our order"),
    "calendar-day": _("own calendar: day"),
    "calendar-night": _("own calendar: night"),
    "input": _("digital input"),
    "relay-off": _("relay open"),
    "no-driver": _("no driver"),
    "fallback": _("fallback level"),
    "ldr": _("light sensor"),
    "unknown": _("reason not known"),
}
_NUMBERED = {
    "profile": _("profile {n} of its own"),
    "dawn": _("dawn, step {n}"),
    "dusk": _("dusk, step {n}"),
    "light": _("light sensor, step {n}"),
}
_NOTES = (_("a newer order takes its place"), _("its time ran out"), _("no answer in time"),
          _("no answer to {n} attempts"), _("it was heard after all"), _("an earlier answer of the device was lost"))
_ATTEMPTS = re.compile(r"no answer to (\d+) attempts\Z")


def lamp_reason(language: str, reason: str) -> str:
    """Why a lamp says it burns as it does."""
    kind, _dash, tail = reason.rpartition("-")
    if kind in _NUMBERED and tail.isdecimal():
        return translate(language, _NUMBERED[kind], n=int(tail))
    return translate(language, LAMP_REASONS.get(reason, reason)) if reason else ""


def order(language: str, command: Command) -> str:
    """What a command asks for."""
    match command.order:
        case SetLevel(level=level, minutes=None):
            return translate(language, _("to {level} %"), level=level)
        case SetLevel(level=level, minutes=int(minutes)):
            return translate(language, _("to {level} % for {minutes} min"), level=level, minutes=minutes)
        case Resume():
            return translate(language, _("back to its own program"))
        case ReadStatus():
            return translate(language, _("report now"))
        case ReadTask(slot=slot):
            return translate(language, _("report its dimming task {n}"), n=slot)
        case Reboot():
            return translate(language, _("restart"))
    name = SETTINGS.get(type(command.order), type(command.order).__name__)
    return translate(language, _("configure: {what}"), what=translate(language, name))


def why(language: str, command: Command) -> str:
    """Where a command comes from."""
    origin = command.origin.partition(":")[0]
    texts = {"override": _("override"), "program": _("program"), "config": _("configuration"), "tables": _("own program"),
             "ask": _("question"), "verify": _("check"), "multicast": _("radio group")}
    return translate(language, texts.get(origin, origin))


def note(language: str, text: str) -> str:
    """A command's note."""
    counted = _ATTEMPTS.match(text)
    if counted:
        return translate(language, _("no answer to {n} attempts"), n=int(counted[1]))
    return translate(language, text)


def alarm(language: str, kind: AlarmKind) -> str:
    """An alarm's one sentence."""
    return translate(language, SENTENCES[kind])


_REASONS = tuple((text, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(text)), re.DOTALL)) for text in (
    _("It broke its limits {times} times within {minutes} minutes, lastly: {error}"),
    _("The script ran longer than {milliseconds} ms and was stopped."),
    _("The script wanted more than {megabytes} MB of memory."),
    _("The script's output is longer than {kilobytes} kB."),
    _("The script's output has more than {leaves} values."),
    _("The script's output is nested more than {depth} deep.")))
_UNITS = {"Cel": "°C", "W.h": "Wh", "deg": "°", "dB[mW]": "dBm"}
MAX_JSON = 64 * 1024


def unit(text: str) -> str:
    """A UCUM unit as people write it."""
    return _UNITS.get(text, text)


def error(language: str, found: CityError) -> str:
    """What a codec or a script says is wrong."""
    return explain(language, found)


def kind_of(language: str, found: CityError) -> str:
    """The kind of an error of the test box, in a few words."""
    match found:
        case ScriptBreach():
            return translate(language, _("The script was stopped."))
        case ScriptError():
            return translate(language, _("The script itself refused."))
        case Unsupported():
            return translate(language, _("The model cannot do this."))
    return translate(language, _("This cannot be read."))


def off(language: str, reason: str) -> str:
    """Why a script is switched off, as the bridge or a person has written it down in English."""
    for template, shape in _REASONS:
        found = shape.fullmatch(reason)
        if found:
            facts: dict[str, object] = {name: int(text) if text.isdecimal() else off(language, text)
                                        for name, text in found.groupdict().items()}
            return translate(language, template, **facts)
    return translate(language, reason)


def duration(language: str, span: timedelta) -> str:
    """A span in the largest unit that fits."""
    minutes = round(span.total_seconds() / 60)
    if minutes % 1440 == 0:
        return ngettext(language, "{n} day", "{n} days", minutes // 1440)
    if minutes % 60 == 0:
        return ngettext(language, "{n} hour", "{n} hours", minutes // 60)
    return ngettext(language, "{n} minute", "{n} minutes", minutes)


def seconds(language: str, span: float) -> str:
    """So many seconds as people say it: in seconds below two minutes, then in minutes, from two hours on in hours."""
    units = ((1, 120, _("{n} s")), (60, 7200, _("{n} min")), (3600, float("inf"), _("{n} h")))
    one, text = next((one, text) for one, most, text in units if span < most)
    return translate(language, text, n=ceil(span / one))


def conversion(language: str, rule: Rule) -> str:
    """How a rule makes a value of a leaf."""
    parts = [] if rule.scale == 1 else [f"× {number(language, rule.scale, 9)}"]
    if rule.offset:
        parts.append(f"{'+' if rule.offset > 0 else '−'} {number(language, abs(rule.offset), 9)}")
    words = (f"{word} = {value_text(language, value)}" for word, value in rule.words.items())
    return "; ".join([*([" ".join(parts)] if parts else []), *words])


def value_text(language: str, value: object) -> str:
    """A value as one reads it: truth in words, numbers as one writes them there."""
    if isinstance(value, bool):
        return translate(language, _("yes") if value else _("no"))
    if isinstance(value, int | float):
        return number(language, value, 6)
    return value.hex(" ") if isinstance(value, bytes) else str(value)


def raw_leaf(name: str) -> str:
    """The leaf of a raw quantity's name: raw/acme/x1.sensor.t is `sensor.t`."""
    return name.removeprefix(RAW).partition(".")[2].removesuffix(":flag").removesuffix(":text")


def order_text(given: Order) -> str:
    """An order with its fields, without those that are not given."""
    fields = {name: value for name, value in msgspec.to_builtins(given).items() if value not in (None, "")}
    return json.dumps(fields, ensure_ascii=False)


def json_text(said: Mapping[str, object]) -> str:
    """A script's answer, indented."""
    return json.dumps(said, ensure_ascii=False, indent=2)[:MAX_JSON]
