"""What a message about incidents says, in German or English: subject and text of a letter, body of a webhook.

The bridge writes these and knows nothing of the pages' catalogue; a test holds both to the same German.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from city.alarms import SENTENCES, AlarmKind, Severity
from city.incidents import CAUSES, Cause, Incident
from city.nights import BERLIN
from city.notices import MOST_IN_DIGEST, About, Channel, Delivery

GERMAN: Mapping[str, str] = {
    SENTENCES[AlarmKind.LAMP_FAILURE]: "Die Leuchte soll brennen und tut es nicht.",
    SENTENCES[AlarmKind.DRIVER_SILENT]: "Das Steuergerät erreicht das Vorschaltgerät nicht.",
    SENTENCES[AlarmKind.METER_SILENT]: "Das Steuergerät erreicht seinen Zähler nicht.",
    SENTENCES[AlarmKind.CLOCK_INVALID]: "Die Uhr des Steuergeräts ist nicht gestellt; sein eigenes Programm läuft zu falschen "
                                        "Zeiten.",
    SENTENCES[AlarmKind.BATTERY_LOW]: "Die Batterie ist schwach.",
    SENTENCES[AlarmKind.DEVICE_SILENT]: "Länger kein Lebenszeichen als erlaubt.",
    SENTENCES[AlarmKind.COMMAND_FAILED]: "Eine Anweisung wurde trotz aller Versuche nicht ausgeführt.",
    SENTENCES[AlarmKind.SCRIPT_OFF]: "Das Skript für dieses Gerätemodell hat wiederholt seine Grenzen verletzt und wurde "
                                     "abgeschaltet.",
    SENTENCES[AlarmKind.FLOODING]: "Das Gerät sendet häufiger, als LoRaWAN erlaubt: Es ist defekt, oder jemand gibt sich dafür"
                                   " aus.",
    SENTENCES[AlarmKind.PARTIAL_FAILURE]: "Die Leuchte nimmt zu wenig auf: Ein Teil von ihr ist ausgefallen.",
    SENTENCES[AlarmKind.OVERPOWER]: "Die Leuchte nimmt zu viel auf.",
    SENTENCES[AlarmKind.DIMMING_FAILURE]: "Die Leuchte folgt ihrer Dimmstufe nicht.",
    SENTENCES[AlarmKind.DAY_BURNER]: "Die Leuchte brennt am Tag.",
    SENTENCES[AlarmKind.NIGHT_OFF]: "Die Leuchte ist nachts aus, obwohl sie brennen soll.",
    SENTENCES[AlarmKind.CYCLING]: "Die Leuchte geht von selbst aus und wieder an.",
    SENTENCES[AlarmKind.FLICKER]: "Die Leuchte flackert: Ihre Leistung steht nicht still.",
    SENTENCES[AlarmKind.LOW_POWER_FACTOR]: "Der Leistungsfaktor ist zu niedrig.",
    SENTENCES[AlarmKind.UNDERVOLTAGE]: "Die Netzspannung ist zu niedrig.",
    SENTENCES[AlarmKind.OVERVOLTAGE]: "Die Netzspannung ist zu hoch.",
    SENTENCES[AlarmKind.OVER_TEMPERATURE]: "Die Leuchte ist zu heiß.",
    SENTENCES[AlarmKind.TILTED]: "Die Leuchte ist geneigt: Der Mast könnte angefahren worden sein.",
    SENTENCES[AlarmKind.METER_JUMP]: "Der Energiezähler ist gesprungen.",
    SENTENCES[AlarmKind.RELAY_FAILURE]: "Das Relais tut nicht, was es sagt.",
    SENTENCES[AlarmKind.CLOCK_WRONG]: "Die Uhr des Steuergeräts geht falsch; sein eigenes Programm läuft zu falschen Zeiten.",
    SENTENCES[AlarmKind.RESTARTS]: "Das Gerät startet immer wieder neu.",
    CAUSES[Cause.CIRCUIT_OUT]: "Stromkreis {subject} hat keinen Strom: {count} Leuchten sind zusammen verstummt.",
    CAUSES[Cause.CIRCUIT_BY_DAY]: "Die Leuchten von Stromkreis {subject} brennen am Tag: Das Schütz klemmt, oder die "
                                  "Rundsteuerung ist ausgefallen.",
    CAUSES[Cause.CIRCUIT_DARK]: "Die Leuchten von Stromkreis {subject} bleiben nachts dunkel, antworten aber: Der "
                                "Dämmerungsschalter oder die Zuleitung ist ausgefallen.",
    CAUSES[Cause.GATEWAY_DOWN]: "Gateway {subject} ist nicht mehr zu hören: {count} Geräte, die nur dieses hört, schweigen.",
    CAUSES[Cause.TOWN_SILENT]: "Aus der ganzen Stadt ist nichts zu hören: Netzwerkserver, Broker und Gateways prüfen.",
}
_WORDS = {
    "de": {About.BEGAN: "Neu", About.GRAVER: "Schwerer geworden", About.AGAIN: "Besteht noch", About.ENDED: "Behoben",
           About.DIGEST: "{n} Ereignisse", About.TRIAL: "Probe",
           "trial": "Dies ist eine Probe: Der Meldeweg funktioniert.", "since": "seit {at}", "more": "… und {n} weitere",
           "all": "Alle Ereignisse: {url}"},
    "en": {About.BEGAN: "New", About.GRAVER: "Graver", About.AGAIN: "Still there", About.ENDED: "Over",
           About.DIGEST: "{n} incidents", About.TRIAL: "Trial",
           "trial": "This is a trial: the channel works.", "since": "since {at}", "more": "… and {n} more",
           "all": "All incidents: {url}"},
}
SEVERITIES = {"de": {Severity.INFO: "Hinweis", Severity.WARNING: "Warnung", Severity.MAJOR: "schwer",
                     Severity.CRITICAL: "kritisch"},
              "en": {Severity.INFO: "notice", Severity.WARNING: "warning", Severity.MAJOR: "major",
                     Severity.CRITICAL: "critical"}}


@dataclass(frozen=True, slots=True)
class Told:
    """An incident and what its subject is called in town."""

    incident: Incident
    name: str


def sentence(of: Incident, name: str, language: str) -> str:
    """What is wrong, in one sentence."""
    text = SENTENCES[of.kinds[0]] if of.cause is Cause.ASSET and of.kinds else CAUSES.get(of.cause, of.cause.value)
    text = GERMAN.get(text, text) if language == "de" else text
    return text.format(subject=name, count=of.count)


def subject(item: Delivery, told: Sequence[Told], channel: Channel, town: str) -> str:
    """One line, never more than 150 characters and never a line break."""
    words = _WORDS[_language(channel)]
    what = words[item.about].format(n=len(item.incidents))
    if len(told) == 1:
        what += f": {_named(told[0])}{sentence(told[0].incident, told[0].name, channel.language)}"
    return " ".join(f"[{town}] {what}".split())[:150]


def letter(item: Delivery, told: Sequence[Told], channel: Channel, url: str) -> str:
    """The text of a mail."""
    words, language = _WORDS[_language(channel)], _language(channel)
    if item.about is About.TRIAL:
        return words["trial"] + "\n"
    lines = []
    for one in told[:MOST_IN_DIGEST]:
        of = one.incident
        since = words["since"].format(at=_local(of.returned_at or of.began_at))
        lines.append(f"{SEVERITIES[language][of.severity]} · {_named(one)}{sentence(of, one.name, language)} ({since})")
    if len(item.incidents) > len(lines):
        lines.append(words["more"].format(n=len(item.incidents) - len(lines)))
    return "\n".join([*lines, "", words["all"].format(url=url)] if url else lines) + "\n"


def payload(item: Delivery, told: Sequence[Told], channel: Channel, url: str) -> bytes:
    """The body of a webhook: JSON, fields only ever added."""
    language = _language(channel)
    return msgspec.json.encode({
        "delivery": item.id, "town": item.tenant, "about": item.about.value, "at": item.at.isoformat(), "url": url,
        "count": len(item.incidents),
        "incidents": [{
            "id": one.incident.id, "cause": one.incident.cause.value, "subject": one.incident.subject, "name": one.name,
            "severity": one.incident.severity.name.lower(), "began_at": one.incident.began_at.isoformat(),
            "ended_at": one.incident.ended_at.isoformat() if one.incident.ended_at else None,
            "kinds": [kind.value for kind in one.incident.kinds], "count": one.incident.count,
            "facts": dict(one.incident.facts), "sentence": sentence(one.incident, one.name, language),
        } for one in told[:MOST_IN_DIGEST]]})


def _named(one: Told) -> str:
    return f"{one.name}: " if one.incident.cause is Cause.ASSET else ""


def _language(channel: Channel) -> str:
    return channel.language if channel.language in _WORDS else "de"


def _local(at: datetime) -> str:
    return at.astimezone(BERLIN).strftime("%d.%m.%Y %H:%M")
