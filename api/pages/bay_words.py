"""Our own words for bays, sensors and blocks, as staff pages say them; English here, German in the catalogue."""

from api.i18n import translate
from api.staff import BayView
from city.bay_health import Finding
from city.bays import Occupancy, Sign, Why
from city.parking_places import Doubting
from city.places import Restriction
from city.sensor_checks import CheckedSensor, Result, Word


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


STATES = {
    Occupancy.FREE: _("free"),
    Occupancy.OCCUPIED: _("taken"),
    Occupancy.UNKNOWN: _("unknown"),
    Occupancy.BLOCKED: _("blocked"),
    Occupancy.OUT_OF_SERVICE: _("out of service"),
}
TONES = {Occupancy.FREE: "ok", Occupancy.OCCUPIED: "taken", Occupancy.UNKNOWN: "unknown", Occupancy.BLOCKED: "blocked",
         Occupancy.OUT_OF_SERVICE: "bad"}
WHYS = {
    Why.NONE: "",
    Why.BLOCKED: _("Blocked by the town."),
    Why.NEVER_HEARD: _("Its sensor was never heard."),
    Why.SILENT: _("A sign of life of its sensor is missing."),
    Why.GONE: _("Its sensor has been silent for too long."),
    Why.FLAPPING: _("Its sensor changes its mind more often than cars can."),
    Why.SUSPECT: _("Its sensor seems stuck, compared with its zone."),
    Why.FAULT: _("Its sensor reports a fault of its own."),
    Why.UNHEARD: _("No gateway that hears it works just now."),
    Why.NO_SENSOR: _("It has no sensor."),
}
FINDINGS = {
    Finding.NO_SENSOR: _("no sensor"),
    Finding.GONE: _("silent for too long"),
    Finding.NEVER_HEARD: _("never heard"),
    Finding.FAULT: _("reports a fault of its own"),
    Finding.DEVICE_RESTARTS: _("its watchdog or its supply fails"),
    Finding.SUSPECT: _("seems stuck"),
    Finding.FLAPPING: _("changes its mind too often"),
    Finding.SILENT: _("a sign of life is missing"),
    Finding.UNHEARD: _("no gateway hears it just now"),
    Finding.COVERAGE: _("restarts for want of an answer: poor radio coverage"),
    Finding.BATTERY: _("battery low"),
    Finding.MISSED: _("misses changes"),
    Finding.LOST: _("loses frames"),
    Finding.LEARNING: _("still learning after a restart"),
}
KINDS = {
    Restriction.NONE: _("for everybody"),
    Restriction.DISABLED: _("disabled parking"),
    Restriction.CHARGING: _("charging"),
    Restriction.RESIDENT: _("residents"),
}
SIGNS = {Sign.EDGE.value: _("change"), Sign.BEAT.value: _("sign of life"), Sign.START.value: _("restarted"),
         Sign.OTHER.value: _("something else")}
DOUBTS = {
    Doubting.FULLER: _("There are fewer free bays than shown."),
    Doubting.EMPTIER: _("There are more free bays than shown."),
    Doubting.RULE: _("A rule or a fee is told wrongly."),
    Doubting.OTHER: _("Something else is wrong."),
}
CHECKED = {
    Result.RUNNING: _("The sensors are being checked"),
    Result.NOTHING: _("Nothing found"),
    Result.SUSPICIOUS: _("Suspicious sensors"),
    Result.CONFIRMED: _("Confirmed: a sensor has corrected itself since"),
}
CHECK_TONES = {Result.RUNNING: "busy", Result.NOTHING: "ok", Result.SUSPICIOUS: "warn", Result.CONFIRMED: "bad"}
SURE, UNCERTAIN, UNKNOWN = "sure", "uncertain", "unknown"
QUALITIES = {"": _("any quality"), UNKNOWN: _("not known"), UNCERTAIN: _("change not heard itself"), SURE: _("sure")}


def checked(language: str, one: CheckedSensor) -> str:
    """What a sensor's next words told about its state at the time of a report; "" where there is nothing to say."""
    if one.word == Word.WRONG.value:
        return translate(language, _("It said taken, and was corrected by a later word of its own: the bay was free.") if one.was
                         else _("It said free, and was corrected by a later word of its own: the bay was taken."))
    return translate(language, _WORDS[one.word]) if one.word in _WORDS else ""


_WORDS = {Word.WAITING.value: _("It has not said its state since."),
          Word.UNTOLD.value: _("Its state was not known then, and not counted as free."),
          Word.MISSED.value: _("It has missed a change, but perhaps only after the report.")}


def quality(view: BayView) -> str:
    """How well the bay's state is known."""
    if view.occupancy in (Occupancy.UNKNOWN, Occupancy.OUT_OF_SERVICE):
        return UNKNOWN
    return UNCERTAIN if view.uncertain and not view.blocked else SURE


def reason(language: str, view: BayView) -> str:
    """Why the bay is not simply free or taken, or how its state came to be known; "" where there is nothing to say."""
    if view.block is not None:
        return view.block.reason
    if view.fact is not None and view.fact.learning and view.occupancy in (Occupancy.FREE, Occupancy.OCCUPIED):
        return translate(language, _("Its sensor is still learning its place."))
    return translate(language, WHYS[view.why]) if WHYS[view.why] else ""
