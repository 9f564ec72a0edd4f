"""What may be wrong with a running process, as words for people and codes for programs, and a bridge's signs of life.

A reason either breaks the process' work (`broken`: it cannot do what it is there for) or warns. Its sentence is a
template, which is the key of its translation, with facts to fill in, as in city.errors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

MAX_BODY = 16_384
MAX_REASONS = 50
SILENT_AFTER_S = 60.0  # a bridge gives a sign every SIGN_EVERY_S
SIGN_EVERY_S = 10.0
FORGOTTEN_AFTER_S = 7 * 86400.0  # a bridge that has been taken away is no trouble for ever

SENTENCES = {
    "broker_down": "There has been no connection to the broker since {since}: {what}",
    "watchdog": "The broker delivered nothing and the bridge connected anew, last at {at}, {count} times so far.",
    "taken_over": "Another program with our client id took our session, last at {at}, {count} times so far.",
    "session_lost": "The broker had forgotten our session at {at}: events published while we were away are lost.",
    "qos0": "Events arrive with QoS 0 and may be lost ({count} so far); set qos = 1 in ChirpStack's MQTT integration.",
    "storage_down": "Events cannot be stored, so nothing is acknowledged: {what}",
    "database_down": "The city database cannot be used: {what}",
    "log_refuses": "The local log takes nothing, so nothing is acknowledged: {what}",
    "disk_nearly_full": "The disk of the local log is nearly full: {free_mb} MB are free.",
    "log_unreadable": "The local log cannot be read: {what}",
    "log_dropped": "{count} entries of the local log were dropped before InfluxDB had them.",
    "log_quarantined": "Parts of the local log were damaged and have been set aside: {what}",
    "influx_held": "InfluxDB does not take all that it is sent: {what} {waiting} entries wait in the local log.",
    "influx_behind": "InfluxDB is {lag} behind; {waiting} entries wait in the local log.",
    "radio_lag": "Events become durable {lag} after the network server has heard them.",
    "states_behind": "The devices' states in the city database are {lag} behind.",
    "town_over_rate": "More events come from {towns} than are expected of a town (bridge.town_per_s). All are kept.",
    "unacknowledged": "A batch of {count} events has waited for {lag} to be stored.",
    "retention_late": "Data whose time is over could not be removed: {what}",
    "bridge_silent": "The bridge {name} has not been heard for {lag}.",
    "bridge_never": "No bridge has ever been heard.",
}


class Reason(msgspec.Struct, frozen=True):
    """Something that is wrong. `facts` fill the sentence of `code`; texts of at most 500 characters."""

    code: str
    broken: bool
    facts: dict[str, str | int | float] = {}

    @property
    def sentence(self) -> str:
        """The template, in English; that of a code from a newer program is the code itself."""
        return SENTENCES.get(self.code, self.code)

    def __str__(self) -> str:
        return fill(self.sentence, self.facts)


def broken(code: str, **facts: str | float) -> Reason:
    """It stops the work."""
    return Reason(code, True, _bounded(facts))


def warning(code: str, **facts: str | float) -> Reason:
    """The work goes on, and somebody should look."""
    return Reason(code, False, _bounded(facts))


def fill(sentence: str, facts: dict[str, str | int | float]) -> str:
    """The sentence with its facts; without them where they do not fit, since they may come from another version."""
    try:
        return sentence.format(**facts)
    except (KeyError, IndexError, ValueError):
        return sentence


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a process can do its work, and what is wrong, the worst first."""

    reasons: tuple[Reason, ...] = ()

    @property
    def ready(self) -> bool:
        """Nothing is broken; there may be warnings."""
        return not any(reason.broken for reason in self.reasons)

    @classmethod
    def of(cls, reasons: Iterable[Reason]) -> "Readiness":
        """Sorted, the broken ones first."""
        return cls(tuple(sorted(reasons, key=lambda reason: not reason.broken))[:MAX_REASONS])


class Beat(msgspec.Struct, frozen=True):
    """A bridge's sign of life: its client id, when, what it says is wrong, and a few numbers about it."""

    name: str
    at: datetime
    reasons: tuple[Reason, ...] = ()
    numbers: dict[str, float] = {}


def encode(beat: Beat) -> bytes:
    """As JSON of at most `MAX_BODY` bytes; reasons that do not fit are left away, the least ones first."""
    reasons = beat.reasons[:MAX_REASONS]
    while len(body := msgspec.json.encode(_Body(reasons, beat.numbers))) > MAX_BODY and reasons:
        reasons = reasons[:-1]
    return body


def decode(name: str, at: datetime, body: bytes) -> Beat:
    """What `encode` has made; a body that another version wrote is a sign of life without words."""
    try:
        said = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError:
        return Beat(name, at)
    return Beat(name, at, said.reasons, said.numbers)


def of_bridges(beats: Sequence[Beat], now: datetime) -> list[Reason]:
    """What a person should know of the bridges: those that are silent, and what the others say themselves. With several
    bridges that share the work, one that is silent is a warning as long as another is heard."""
    known = [beat for beat in beats if (now - beat.at).total_seconds() < FORGOTTEN_AFTER_S]
    silent = [beat for beat in known if (now - beat.at).total_seconds() > SILENT_AFTER_S]
    heard = [beat for beat in known if beat not in silent]
    found = [Reason("bridge_silent", not heard, {"name": beat.name, "lag": span((now - beat.at).total_seconds())})
             for beat in silent]
    return found + [reason for beat in heard for reason in beat.reasons[:MAX_REASONS]]


def span(seconds: float) -> str:
    """A time as a person says it: 40 s, 3 min, 2 h, 5 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def stamp(at: datetime) -> str:
    """A moment as a person and a program read it: 2026-07-18 09:35:00Z."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


class _Body(msgspec.Struct):
    reasons: tuple[Reason, ...] = ()
    numbers: dict[str, float] = {}


def _bounded(facts: dict[str, str | float]) -> dict[str, str | int | float]:
    return {key: value[:500] if isinstance(value, str) else value for key, value in facts.items()}
