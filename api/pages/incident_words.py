"""What incidents say: the sentence, and the proof in words and bars; English here, German in the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from api.i18n import number, translate
from api.incident_views import IncidentView, Standing
from api.pages import labels
from city.alarms import SENTENCES, AlarmKind, Severity
from city.incidents import Cause, Deed
from city.notices import About, Sent, Way


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


SEVERITIES = {Severity.INFO: _("notice"), Severity.WARNING: _("warning"), Severity.MAJOR: _("major"),
              Severity.CRITICAL: _("critical")}
TONES = {Severity.INFO: "unknown", Severity.WARNING: "warn", Severity.MAJOR: "bad", Severity.CRITICAL: "bad"}
STANDINGS = {Standing.NEW: _("not seen yet"), Standing.SEEN: _("seen"), Standing.OVER: _("over, being watched"),
             Standing.CLOSED: _("closed")}
DEEDS = {Deed.ACKNOWLEDGE: _("acknowledged"), Deed.ASSIGN: _("given to {text}"), Deed.NOTE: _("note: {text}"),
         Deed.CLOSE: _("closed: {text}")}
WAYS = {Way.MAIL: _("Mail"), Way.WEBHOOK: _("Webhook")}
SENT = {Sent.WAITING: _("waits"), Sent.DONE: _("delivered"), Sent.FAILED: _("failed")}
ABOUTS = {About.BEGAN: _("new"), About.GRAVER: _("has become graver"), About.AGAIN: _("reminder"), About.ENDED: _("over"),
          About.DIGEST: _("digest"), About.TRIAL: _("trial")}
CAUSES = {
    Cause.CIRCUIT_OUT: _("Circuit {subject} has no power: {count} lamps fell silent together."),
    Cause.CIRCUIT_BY_DAY: _("The lamps of circuit {subject} burn by day: the contactor sticks, or ripple control has failed."),
    Cause.CIRCUIT_DARK: _("The lamps of circuit {subject} stay dark at night but answer: its dusk switch or feeder has failed."),
    Cause.GATEWAY_DOWN: _("Gateway {subject} is not heard any more: {count} devices that only it hears are silent."),
    Cause.TOWN_SILENT: _("Nothing is heard of the whole town: look at the network server, the broker and the gateways."),
}
_PROOFS: tuple[tuple[frozenset[str], str], ...] = (  # by the facts that are there, the fullest first
    (frozenset({"variation", "samples"}), _("The power varies by {variation} % over {samples} measurements.")),
    (frozenset({"turns"}), _("It went on and off {turns} times within its last reports.")),
    (frozenset({"starts"}), _("Its lamp started {starts} times between two reports.")),
    (frozenset({"silent", "of"}), _("{silent} of {of} devices are overdue.")),
    (frozenset({"bad", "told"}), _("{bad} of the {told} lamps that have reported.")),
    (frozenset({"interval", "minutes"}), _("Nothing for {minutes} min; it should report every {interval} min.")),
    (frozenset({"wanted", "level"}), _("It says {level} %, and {wanted} % is wanted.")),
)
_MEASURED = {
    AlarmKind.LAMP_FAILURE: _("{measured} W measured, {expected} W expected at {level} %."),
    AlarmKind.PARTIAL_FAILURE: _("{measured} W measured, {expected} W expected at {level} %."),
    AlarmKind.OVERPOWER: _("{measured} W measured, {expected} W expected at {level} %."),
    AlarmKind.DIMMING_FAILURE: _("{measured} W measured, {expected} W expected at {level} %."),
    AlarmKind.RELAY_FAILURE: _("{measured} W measured, {expected} W expected at {level} %."),
    AlarmKind.DAY_BURNER: _("{measured} W measured by day."),
    AlarmKind.CYCLING: _("It burnt for {measured} % of {minutes} minutes."),
    AlarmKind.LOW_POWER_FACTOR: _("{measured} measured, at least {limit} expected at {level} %."),
    AlarmKind.UNDERVOLTAGE: _("{measured} V measured, the limit is {limit} V."),
    AlarmKind.OVERVOLTAGE: _("{measured} V measured, the limit is {limit} V."),
    AlarmKind.OVER_TEMPERATURE: _("{measured} °C measured, the limit is {limit} °C."),
    AlarmKind.TILTED: _("Tilted by {measured}°, the limit is {limit}°."),
    AlarmKind.METER_JUMP: _("The counter moved by {measured} Wh, at most {limit} Wh are possible."),
    AlarmKind.CLOCK_WRONG: _("Off by {measured} s, the limit is {limit} s."),
    AlarmKind.RESTARTS: _("{measured} restarts in 24 hours, the limit is {limit}."),
}
_UNITS = {AlarmKind.UNDERVOLTAGE: "V", AlarmKind.OVERVOLTAGE: "V", AlarmKind.OVER_TEMPERATURE: "°C", AlarmKind.TILTED: "°",
          AlarmKind.METER_JUMP: "Wh", AlarmKind.CLOCK_WRONG: "s", AlarmKind.LOW_POWER_FACTOR: "", AlarmKind.RESTARTS: "",
          AlarmKind.CYCLING: "%"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a proof: its word, its value as one reads it, and its length in per cent of the longest."""

    word: str
    value: str
    length: float
    bad: bool


def sentence(language: str, view: IncidentView) -> str:
    """What is wrong, in one sentence."""
    one = view.incident
    if one.cause is Cause.ASSET:
        return translate(language, SENTENCES[one.kinds[0]]) if one.kinds else ""
    return translate(language, CAUSES[one.cause], subject=view.name, count=one.count)


def more(language: str, view: IncidentView) -> list[str]:
    """What else is wrong at the same place."""
    return [labels.alarm(language, kind) for kind in view.incident.kinds[1:]]


def proof(language: str, facts: Mapping[str, float | str], kind: AlarmKind | None) -> str:
    """What was measured, in one sentence; "" where nothing was."""
    for names, text in _PROOFS:
        if names <= facts.keys():
            return translate(language, text, **_written(language, facts))
    template = _MEASURED.get(kind) if kind is not None else None
    if template is None or not all(f"{{{name}}}" not in template or name in facts for name in
                                   ("measured", "expected", "level", "limit", "minutes")):
        return ""
    return translate(language, template, **_written(language, facts))


def bars(language: str, facts: Mapping[str, float | str], kind: AlarmKind | None) -> Sequence[Bar]:
    """The same as bars: what was measured beside what was expected, or the limit."""
    measured, other = facts.get("measured"), facts.get("expected", facts.get("limit"))
    if kind is None or not isinstance(measured, int | float) or not isinstance(other, int | float):
        return ()
    word = _("expected") if "expected" in facts else _("limit")
    most, unit = max(abs(measured), abs(other), 0.001), _UNITS.get(kind, "W")
    return tuple(Bar(translate(language, text), f"{number(language, value, 2)} {unit}".strip(),
                     round(100 * abs(value) / most, 1), text == "measured")
                 for text, value in ((_("measured"), float(measured)), (word, float(other))))


def repeat(language: str, span: timedelta) -> str:
    """After how long it is told again."""
    return labels.duration(language, span) if span else translate(language, _("never"))


def _written(language: str, facts: Mapping[str, float | str]) -> dict[str, object]:
    return {name: number(language, value, 2) if isinstance(value, int | float) else value for name, value in facts.items()}
