"""What a record of processing activities is made of: lines in two languages, and the words for what the table of quantities holds
of bays."""

from dataclasses import dataclass

from city.retention import FEW_BAYS
from city.settings import Influx


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


def in_influx(influx: Influx, raw_days: int) -> tuple[Text, ...]:
    """What InfluxDB has of single bays (city.store.influx_bays), and of zones."""
    bays = kept(Text("Dieselben Messwerte in InfluxDB, in einem eigenen Bereich mit dieser Frist; wo sie ungewiss ist, keine",
                     "The same readings in InfluxDB, in a place of their own that forgets them; none where that is not certain"),
                raw_days)
    if influx.bays == "no":
        bays = Text("InfluxDB erhält keine Messwerte einzelner Stellplätze", "InfluxDB gets no readings of single bays")
    elif influx.bays == "yes":
        bays = Text("Dieselben Messwerte in InfluxDB: so lange, wie dort eingestellt ist; das Programm prüft es nicht",
                    "The same readings in InfluxDB: as long as is set there; this program does not check that")
    zones = kept(Text("Summen je Zone und Viertelstunde in InfluxDB (ohne Personenbezug)",
                      "Sums by zone and quarter of an hour in InfluxDB (about nobody)"), influx.readings_days)
    sensors = kept(Text("Anzahl der Sensoren je Zone nach ihrem Zustand in InfluxDB, keine Zone mit wenigen (ohne Personenbezug)",
                        "Number of sensors by zone and condition in InfluxDB, no zone with few of them (about nobody)"),
                   influx.readings_days)
    return (bays, zones, sensors) if influx.figures_s > 0 else (bays, zones)


def quarters_kept(many: int, few: int) -> tuple[Text, Text]:
    """For how many days quarters of an hour are kept: those that are sums, and those that hardly are."""
    return (kept(Text("Summen je Zone und Viertelstunde (ohne Personenbezug)",
                      "Sums by zone and quarter of an hour (about nobody)"), many),
            kept(Text(f"Viertelstunden von weniger als {FEW_BAYS} Plätzen zusammen",
                      f"Quarters of an hour of fewer than {FEW_BAYS} bays together"), few))


OVERSTAYS = Text("Plätze, auf denen gerade länger als erlaubt geparkt wird: nur jetzt, ohne Aufbewahrung, nicht zur Verfolgung",
                 "Bays in which somebody stays longer than allowed just now: not kept, and not to pursue offences")


def general(report_days: int) -> tuple[Text, ...]:
    """What is done for security everywhere: Art. 30 (1) g. Reports of removals are kept for so many days."""
    span = days(report_days)
    return (
        *_GENERAL,
        Text(f"Berichte über Löschungen, aufbewahrt: {span.de}", f"Reports of removals, kept: {span.en}"),
    )


_GENERAL = (
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
