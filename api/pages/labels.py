"""Our own words for states, kinds and reasons, as pages say them; English here, German in the catalogue."""

import re

from api.i18n import translate
from api.views import LampWord
from city.alarms import SENTENCES, AlarmKind
from city.commands import Command, State
from city.orders import ReadStatus, Resume, SetLevel
from city.parking import Word


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
          _("no answer to {n} attempts"))
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
    return translate(language, _("configure: {what}"), what=type(command.order).__name__)


def why(language: str, command: Command) -> str:
    """Where a command comes from."""
    origin = command.origin.partition(":")[0]
    texts = {"override": _("override"), "program": _("program"), "config": _("configuration")}
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
