"""The record of processing activities of a town (Verzeichnis von Verarbeitungstätigkeiten, Art. 30 (1) DSGVO), made from what
the program really does: the table of quantities, the settings that say for how long things are kept, and what the town says
of itself. Pure.

It is a draft for the town's data protection officer: legal bases are proposals, and what other programs of the town do
(reverse proxy, mail, backups) is named only where this one depends on it. German is the text that counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from city.parking_places import TownParking
from city.places import Tenant
from city.quantities import Quantity, quantities
from city.record_parts import GERMAN, OVERSTAYS, Activity, Text, general, in_influx, kept, quarters_kept
from city.settings import Settings

ACCESS_LOG_DAYS = 7  # as deploy/ sets up the reverse proxy


@dataclass(frozen=True, slots=True)
class Record:
    """The whole record of a town. `missing`: what the town has still to say of itself."""

    town: str
    operator: str
    contact: str
    phone: str
    officer: str
    activities: tuple[Activity, ...]
    general: tuple[Text, ...]
    missing: tuple[Text, ...]


Part = Literal["bay", "device"]


def record(tenant: Tenant, parking: TownParking, settings: Settings) -> Record:
    """What is done with data in this town, under these settings."""
    activities = (
        _occupancy(settings),
        _open_data(parking, settings),
        _doubts(settings),
        _staff(settings),
        _audit(),
        _notices(),
        _visits(),
        _lighting(settings),
    )
    return Record(
        tenant.name,
        parking.operator or tenant.name,
        parking.contact,
        parking.phone,
        parking.officer,
        activities,
        general(settings.parking.report_days),
        tuple(_missing(parking)),
    )


def said_of(part: Part) -> list[Quantity]:
    """The quantities that sensors of bays can say of the bay, or of themselves."""
    return [quantity for quantity in quantities() if quantity.name.startswith(f"{part}.")]


def _missing(parking: TownParking) -> Iterator[Text]:
    for value, de, en in (
        (parking.operator, "Verantwortlicher (Name und Anschrift)", "controller (name and address)"),
        (parking.contact, "Kontakt des Verantwortlichen", "contact of the controller"),
        (parking.officer, "Datenschutzbeauftragte oder -beauftragter", "data protection officer"),
    ):
        if not value.strip():
            yield Text(de, en)


def _occupancy(settings: Settings) -> Activity:
    rules = settings.parking
    bays = tuple(Text(f"{GERMAN.get(one.name, one.help)} ({one.name})", f"{one.help} ({one.name})") for one in said_of("bay"))
    device = Text(
        f"Technische Angaben des Sensors zu sich selbst: {len(said_of('device'))} Größen (Batterie, Temperatur, Funk, "
        "Einstellungen; device.*)",
        f"What the sensor says of itself: {len(said_of('device'))} quantities (battery, temperature, radio, settings; device.*)",
    )
    return Activity(
        "occupancy",
        Text("Belegung von Stellplätzen ermitteln", "Finding out which bays are taken"),
        Text(
            "Parksuchverkehr verringern, freie Stellplätze je Zone nennen, Parkraum planen; Störungen von Sensoren finden",
            "Less traffic in search of a bay, free bays told by zone, planning of parking; finding broken sensors",
        ),
        Text(
            "Vorschlag: Art. 6 Abs. 1 lit. e DSGVO mit dem Datenschutzgesetz des Landes (Aufgabe der Gemeinde als Trägerin der "
            "Straßenbaulast und Straßenverkehrsbehörde). Von der Gemeinde zu prüfen.",
            "Proposal: Art. 6 (1) e GDPR with the Land's data protection act (the town's task as road authority). To be checked "
            "by the town.",
        ),
        Text(
            "Personen, die ein Fahrzeug abstellen; mittelbar, nur mit Zusatzwissen (wer hat wann auf diesem Platz geparkt?)",
            "Persons who park a vehicle; indirectly, only with knowledge from elsewhere (who parked in this bay then?)",
        ),
        (
            *bays,
            device,
            OVERSTAYS,
            Text(
                "Aufenthalte: Beginn und Ende, Zone, täglich wechselnder Deckname des Platzes (Schlüssel: drei Tage)",
                "Stays: beginning and end, zone, an alias of the bay that changes every day (its key: three days)",
            ),
            Text(
                "Keine Kennzeichen, keine Bilder, keine Ausweis- oder Beacon-Kennungen: Sie werden beim Dekodieren mit Nullen "
                "überschrieben",
                "No number plates, no pictures, no ids of tags or beacons: zeros take their place when a frame is decoded",
            ),
        ),
        (
            Text(
                "Parkraumbetrieb der Gemeinde (Rolle Parken ab Bearbeiter): einzelne Plätze",
                "The town's parking operation (role parking, operator and above): single bays",
            ),
            Text(
                "Betreiber des Funknetzes (LoRaWAN-Netzwerkserver): verschlüsselte und entschlüsselte Sensormeldungen",
                "Operator of the radio network (LoRaWAN network server): messages of sensors, encrypted and decrypted",
            ),
            Text("Keine Übermittlung in Drittländer durch dieses Programm", "No transfer to third countries by this program"),
        ),
        (
            kept(
                Text(
                    "Einzelne Meldungen der Sensoren (Datenbank und nicht lesbare Meldungen)",
                    "Single messages of sensors (database, and messages that could not be read)",
                ),
                rules.raw_days,
            ),
            *_raw_elsewhere(settings),
            kept(Text("Aufenthalte unter Decknamen", "Stays under an alias"), rules.stays_days),
            kept(
                Text("Zustand einzelner Sensoren, eine Zeile am Tag", "Health of single sensors, a line a day"), rules.sensor_days
            ),
            kept(Text("Sperrungen einzelner Plätze nach ihrem Ende", "Blocked bays after the end"), rules.sensor_days),
            *quarters_kept(rules.quarter_days, rules.stays_days),
            Text("Jüngster Zustand jedes Platzes: bis zur nächsten Meldung", "Latest state of each bay: until the next message"),
        ),
        (
            Text(
                "Löschung stündlich durch das Programm, Bericht je Lauf und Art; was liegen bleibt, wird als Störung gemeldet",
                "Removal every hour by the program, with a report of each run and kind; what is left is told as a fault",
            ),
            Text(
                "Einzelne Plätze nur für angemeldete Bearbeiter des Bereichs Parken",
                "Single bays only for operators of parking who have signed in",
            ),
        ),
    )


def _raw_elsewhere(settings: Settings) -> Iterator[Text]:
    yield kept(
        Text("Dieselben Meldungen im lokalen Log der Bridge", "The same messages in the bridge's local log"),
        settings.parking.raw_days,
    )
    if settings.influx.url:
        yield from in_influx(settings.influx, settings.parking.raw_days)


def _open_data(parking: TownParking, settings: Settings) -> Activity:
    rules = settings.parking
    special = (
        Text(
            "Ausnahme der Gemeinde: Plätze für Menschen mit Behinderung und zum Laden auch unter dieser Zahl und, in den "
            "offenen Daten, einzeln; nur der jetzige Zustand, nie im Verlauf",
            "The town's exception: bays for the disabled and for charging below that number, too, and in the open data one by "
            "one; only as they are now, never over time",
        )
        if parking.special_public
        else Text("Keine Ausnahmen", "No exceptions")
    )
    return Activity(
        "open-data",
        Text("Freie Stellplätze veröffentlichen (Seite, offene Daten)", "Publishing free bays (page, open data)"),
        Text("Auskunft an alle, Weitergabe an Verkehrsportale", "Telling everybody, passing on to traffic portals"),
        Text(
            "Kein Personenbezug der veröffentlichten Angaben; Vorschlag: Art. 6 Abs. 1 lit. e DSGVO, E-Government- und "
            "Transparenzrecht des Landes",
            "What is published is about nobody; proposal: Art. 6 (1) e GDPR, the Land's law on e-government and transparency",
        ),
        Text("Keine", "None"),
        (
            Text(
                f"Zahlen nur für Zonen mit mindestens {rules.least_bays} vergleichbaren Plätzen, sonst ein Wort, unter 3 nichts",
                f"Numbers only of zones with at least {rules.least_bays} comparable bays, else a word, below 3 nothing",
            ),
            special,
            Text(
                f"Verlauf nicht feiner als {max(rules.history_minutes, 15)} Minuten, nie je Platz",
                f"History not finer than {max(rules.history_minutes, 15)} minutes, never by bay",
            ),
            Text("Zeit der Ermittlung auf die volle Minute", "Time of evaluation to the full minute"),
        ),
        (
            Text("Öffentlichkeit", "Everybody"),
            Text(
                "ParkAPI (MobiData BW) und andere Portale, wo eingerichtet",
                "ParkAPI (MobiData BW) and other portals, where set up",
            ),
        ),
        (
            kept(Text("Summen je Zone und Viertelstunde", "Sums by zone and quarter of an hour"), rules.quarter_days),
            kept(Text("Prognosen und ihr Fehler", "Forecasts and their error"), 7 * rules.forecast_weeks),
        ),
        (
            Text(
                "Eine Stelle im Programm entscheidet, was öffentlich ist; Tests fragen jede öffentliche Adresse nach mehr",
                "One place in the program decides what is public; tests ask every public address for more",
            ),
        ),
    )


def _doubts(settings: Settings) -> Activity:
    return Activity(
        "doubts",
        Text("Hinweise von Bürgerinnen und Bürgern („Stimmt nicht?“)", "Feedback of residents (“Something wrong?”)"),
        Text("Falsche Anzeigen finden und beheben", "Finding and mending what is shown wrongly"),
        Text("Vorschlag: Art. 6 Abs. 1 lit. e DSGVO", "Proposal: Art. 6 (1) e GDPR"),
        Text(
            "Wer einen Hinweis gibt, falls der freie Text etwas über Personen enthält",
            "Whoever sends feedback, if the text says anything of persons",
        ),
        (
            Text(
                "Zone, Art des Hinweises, Zeit, angezeigter Stand, freier Text; weder Name noch Adresse noch IP-Adresse",
                "Zone, kind, time, what was shown, free text; no name, no address, no IP address",
            ),
            Text(
                "Was die Sensoren der Zone nach dem Hinweis meldeten, verglichen mit der Anzeige",
                "What the zone's sensors said after the feedback, compared with what was shown",
            ),
        ),
        (Text("Parkraumbetrieb der Gemeinde", "The town's parking operation"),),
        (
            kept(Text("Hinweise", "Feedback"), settings.parking.doubt_days),
            kept(
                Text("Ergebnis der Prüfung der Sensoren, je Zone", "Result of the check of sensors, by zone"),
                settings.parking.doubt_days,
            ),
            kept(
                Text("Was sie zu einzelnen Sensoren ergeben hat", "What it found of single sensors"),
                settings.parking.raw_days,
            ),
        ),
        (
            Text(
                "Begrenzte Länge und Häufigkeit; Löschung durch das Programm",
                "Limited length and frequency; removed by the program",
            ),
        ),
    )


def _staff(settings: Settings) -> Activity:
    return Activity(
        "staff",
        Text("Konten der Beschäftigten", "Accounts of staff"),
        Text("Anmeldung, Rechte nach Rolle und Bereich", "Signing in, rights by role and area"),
        Text(
            "Vorschlag: Art. 6 Abs. 1 lit. e DSGVO mit dem Beschäftigtendatenschutz des Landes",
            "Proposal: Art. 6 (1) e GDPR with the Land's law on data of staff",
        ),
        Text("Beschäftigte und Beauftragte mit Konto", "Staff and contractors with an account"),
        (
            Text(
                "Name des Kontos, Rolle, Bereich, Hash des Kennworts (Argon2), Hashes von Zugriffsschlüsseln",
                "Name of the account, role, area, hash of the password (Argon2), hashes of access tokens",
            ),
            Text("Sitzung: Zeit und Ablauf", "Session: time and expiry"),
        ),
        (Text("Verwaltung der Konten", "Administrators of accounts"),),
        (
            Text(
                "Konten und Zugriffsschlüssel: bis die Verwaltung sie löscht",
                "Accounts and tokens: until an administrator removes them",
            ),
            Text(f"Sitzungen: {settings.api.session_hours} Stunden", f"Sessions: {settings.api.session_hours} hours"),
        ),
        (
            Text(
                "Anmeldeversuche sind begrenzt; Sitzungscookie nur für angemeldete Personen",
                "Attempts to sign in are limited; a session cookie only for whoever has signed in",
            ),
        ),
    )


def _audit() -> Activity:
    return Activity(
        "audit",
        Text("Protokoll der Eingriffe", "Audit of what people do"),
        Text(
            "Nachweis, wer wann was geändert oder welchen einzelnen Stellplatz eingesehen hat",
            "Proof of who changed what and when, or looked at a single bay",
        ),
        Text("Vorschlag: Art. 6 Abs. 1 lit. c und e, Art. 32 DSGVO", "Proposal: Art. 6 (1) c and e, Art. 32 GDPR"),
        Text("Beschäftigte und Beauftragte mit Konto", "Staff and contractors with an account"),
        (Text("Name des Kontos, Zeit, Tat, Gegenstand, Begründung", "Name of the account, time, deed, object, reason"),),
        (Text("Verwaltung und Datenschutz der Gemeinde", "The town's administrators and data protection"),),
        (
            Text(
                "Ohne Frist im Programm: Die Gemeinde legt fest, wann sie löscht",
                "Without a limit in the program: the town decides when to remove it",
            ),
        ),
        (
            Text(
                "Wird vor der Tat geschrieben und vom Programm nicht geändert",
                "Is written before the deed and not changed by the program",
            ),
        ),
    )


def _notices() -> Activity:
    return Activity(
        "notices",
        Text("Meldungen über Störungen", "Messages about faults"),
        Text("Bereitschaft benachrichtigen", "Telling whoever is on duty"),
        Text("Vorschlag: Art. 6 Abs. 1 lit. e DSGVO", "Proposal: Art. 6 (1) e GDPR"),
        Text("Empfängerinnen und Empfänger von Meldungen", "Who receives messages"),
        (
            Text(
                "Mailadresse oder Adresse eines Webhooks, Ruhezeiten, Zustellungen",
                "Mail address or address of a webhook, quiet hours, deliveries",
            ),
        ),
        (
            Text(
                "Mailserver und Webhook-Empfänger, die die Gemeinde einträgt",
                "Mail server and receivers of webhooks that the town enters",
            ),
        ),
        (Text("Meldewege: bis sie entfernt werden", "Channels: until they are removed"),),
        (Text("Geheimnisse der Meldewege werden nicht angezeigt", "Secrets of channels are not shown"),),
    )


def _visits() -> Activity:
    return Activity(
        "visits",
        Text("Zugriffe auf die Seiten", "Visits of the pages"),
        Text("Betrieb und Sicherheit des Webservers", "Running and securing the web server"),
        Text("Vorschlag: Art. 6 Abs. 1 lit. e DSGVO", "Proposal: Art. 6 (1) e GDPR"),
        Text("Wer die Seiten aufruft", "Whoever reads the pages"),
        (
            Text(
                "Im Zugriffsprotokoll des Reverse Proxys: gekürzte IP-Adresse (IPv4 /24, IPv6 /48), Zeit, Adresse ohne "
                "Anfrageteil, Status",
                "In the reverse proxy's access log: shortened IP address (IPv4 /24, IPv6 /48), time, address without its "
                "query, status",
            ),
            Text(
                "Das Programm selbst schreibt keine IP-Adressen und setzt Besuchern keine Cookies",
                "The program itself writes no IP addresses and sets no cookies for visitors",
            ),
        ),
        (Text("Betreiber des Servers", "Operator of the server"),),
        (kept(Text("Zugriffsprotokoll", "Access log"), ACCESS_LOG_DAYS),),
        (
            Text(
                "Keine Inhalte von Dritten auf den Seiten, keine Reichweitenmessung",
                "Nothing from third parties on the pages, no tracking",
            ),
        ),
    )


def _lighting(settings: Settings) -> Activity:
    return Activity(
        "lighting",
        Text("Straßenbeleuchtung steuern und überwachen", "Controlling and watching street lights"),
        Text("Licht nach Programm, Störungen, Energiebilanz", "Light as programmed, faults, energy"),
        Text(
            "In der Regel kein Personenbezug; der Vollständigkeit halber aufgeführt",
            "As a rule about nobody; listed for completeness",
        ),
        Text(
            "Keine (Betriebswerte von Leuchten); wer an einer Leuchte schaltet, steht im Protokoll der Eingriffe",
            "None (values of lamps); who switches a lamp is in the audit",
        ),
        (Text("Pegel, Leistung, Zähler, Meldungen der Steuergeräte", "Level, power, counters, messages of controllers"),),
        (Text("Beleuchtungsbetrieb der Gemeinde", "The town's lighting operation"),),
        (
            kept(Text("Messwerte von Leuchten im lokalen Log", "Readings of lamps in the local log"), settings.log.keep_days),
            kept(Text("Energiebuch je Leuchte und Nacht", "Book of energy by lamp and night"), settings.energy.keep_days),
        ),
        (Text("Eigener Bereich der Rollen, getrennt vom Parken", "An area of roles of its own, apart from parking"),),
    )
