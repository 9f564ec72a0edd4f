"""What a record of processing activities is made of: lines in two languages, and the words for what the table of quantities holds
of bays."""

from dataclasses import dataclass

from city.retention import REPORT_DAYS


@dataclass(frozen=True, slots=True)
class Text:
    """The same in both languages."""

    de: str
    en: str

    def of(self, language: str) -> str:
        return self.en if language == "en" else self.de


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of the record: Art. 30 (1) b to g."""

    key: str
    name: Text
    purpose: Text
    basis: Text
    subjects: Text
    data: tuple[Text, ...]
    recipients: tuple[Text, ...]
    kept: tuple[Text, ...]
    measures: tuple[Text, ...]


def days(count: int) -> Text:
    """A time for which something is kept."""
    if count <= 0:
        return Text("ohne Frist", "without a limit")
    if count == 1:
        return Text("1 Tag", "1 day")
    years = round(count / 365.25)
    if years and abs(count - 365.25 * years) < years + 1:
        return Text(f"{years} Jahr{'e' if years > 1 else ''}", f"{years} year{'s' if years > 1 else ''}")
    return Text(f"{count} Tage", f"{count} days")


def kept(what: Text, count: int) -> Text:
    """Something and for how long it is kept; 0 days: without a limit."""
    span = days(count)
    return Text(f"{what.de}: {span.de}", f"{what.en}: {span.en}")


GENERAL = (
    Text(
        "Trennung der Gemeinden in jeder Abfrage; Tests fragen jede Adresse von außen",
        "Towns are kept apart in every query; tests ask every address from outside",
    ),
    Text(
        "Rollen (Lesen, Bearbeiten, Technik, Verwaltung) und Bereiche (Beleuchtung, Parken)",
        "Roles (viewer, operator, engineer, administrator) and areas (lighting, parking)",
    ),
    Text(
        "Funk: AES-128 (LoRaWAN) zwischen Sensor und Netzwerkserver; Web: TLS am Reverse Proxy",
        "Radio: AES-128 (LoRaWAN) between sensor and network server; web: TLS at the reverse proxy",
    ),
    Text(
        f"Berichte über Löschungen werden {REPORT_DAYS} Tage aufbewahrt", f"Reports of removals are kept for {REPORT_DAYS} days"
    ),
    Text(
        "Sicherungskopien liegen außerhalb dieses Programms: Ihre Fristen muss die Gemeinde den obigen angleichen",
        "Backups are outside of this program: the town has to give them the same limits",
    ),
)

GERMAN = {
    "bay.occupied": "Ein Fahrzeug steht auf dem Platz",
    "bay.previous_minutes": "Dauer des vorigen Zustands",
    "bay.state_changes": "Zähler der Wechsel",
    "bay.occupied_time": "Zähler der belegten Zeit",
    "bay.previous_error": "Ungenauigkeit der Dauer",
    "bay.vehicles": "Zahl gezählter Fahrzeuge",
    "bay.obstructed": "Etwas anderes als ein Fahrzeug verdeckt den Sensor",
    "bay.number": "Nummer, die der Sensor selbst trägt",
    "bay.field": "Magnetfeld am Platz",
    "bay.baseline": "Magnetfeld des leeren Platzes",
    "bay.radar": "Ob das Radar an der Messung beteiligt war",
}
