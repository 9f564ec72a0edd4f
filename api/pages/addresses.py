"""Where every page lives, in both languages. The same town under another language is the same path, spelled anew."""

import re
from functools import cache
from urllib.parse import quote, urlencode

_PAGES: dict[str, tuple[str, str]] = {
    "towns": ("/", "/en/"),
    "privacy": ("/datenschutz", "/en/privacy"),
    "sign-in": ("/anmelden", "/en/sign-in"),
    "sign-out": ("/abmelden", "/en/sign-out"),
    "parking": ("/{tenant}/parken", "/en/{tenant}/parking"),
    "map": ("/{tenant}/parken/karte.json", "/en/{tenant}/parking/map.json"),
    "widget": ("/{tenant}/parken/widget", "/en/{tenant}/parking/widget"),
    "embed": ("/{tenant}/parken/einbinden", "/en/{tenant}/parking/embed"),
    "manifest": ("/{tenant}/parken/app.webmanifest", "/en/{tenant}/parking/app.webmanifest"),
    "worker": ("/{tenant}/parken/worker.js", "/en/{tenant}/parking/worker.js"),
    "badge": ("/{tenant}/parken/{zone}.svg", "/en/{tenant}/parking/{zone}.svg"),
    "open-data": ("/opendata/{tenant}", "/en/opendata/{tenant}"),
    "easy": ("/{tenant}/parken/leichte-sprache", "/en/{tenant}/parking/easy-read"),
    "accessibility": ("/{tenant}/barrierefreiheit", "/en/{tenant}/accessibility"),
    "town-privacy": ("/{tenant}/datenschutz", "/en/{tenant}/privacy"),
    "staff-parking": ("/{tenant}/betrieb/parken", "/en/{tenant}/operations/parking"),
    "staff-bays": ("/{tenant}/betrieb/parken/karte.json", "/en/{tenant}/operations/parking/map.json"),
    "staff-sensors": ("/{tenant}/betrieb/parken/sensoren", "/en/{tenant}/operations/parking/sensors"),
    "staff-overstays": ("/{tenant}/betrieb/parken/parkdauer", "/en/{tenant}/operations/parking/overstays"),
    "staff-blocks": ("/{tenant}/betrieb/parken/sperrungen", "/en/{tenant}/operations/parking/blocks"),
    "staff-block-end": ("/{tenant}/betrieb/parken/sperrungen/{closure}/beenden",
                        "/en/{tenant}/operations/parking/blocks/{closure}/end"),
    "staff-doubts": ("/{tenant}/betrieb/parken/hinweise", "/en/{tenant}/operations/parking/feedback"),
    "staff-doubt-close": ("/{tenant}/betrieb/parken/hinweise/{doubt}/schliessen",
                          "/en/{tenant}/operations/parking/feedback/{doubt}/close"),
    "staff-analysis": ("/{tenant}/betrieb/parken/auswertung", "/en/{tenant}/operations/parking/analysis"),
    "staff-analysis-csv": ("/{tenant}/betrieb/parken/auswertung.csv", "/en/{tenant}/operations/parking/analysis.csv"),
    "retention": ("/{tenant}/betrieb/parken/loeschungen", "/en/{tenant}/operations/parking/removals"),
    "processing": ("/{tenant}/betrieb/verzeichnis", "/en/{tenant}/operations/processing-record"),
    "staff-bay": ("/{tenant}/betrieb/parken/stellplatz/{asset}", "/en/{tenant}/operations/parking/bay/{asset}"),
    "staff-bay-open": ("/{tenant}/betrieb/parken/stellplatz/{asset}/oeffnen",
                       "/en/{tenant}/operations/parking/bay/{asset}/open"),
    "parking-rules": ("/{tenant}/betrieb/parken/regeln", "/en/{tenant}/operations/parking/rules"),
    "parking-list": ("/{tenant}/betrieb/parken/liste", "/en/{tenant}/operations/parking/list"),
    "parking-town": ("/{tenant}/betrieb/parken/stadt", "/en/{tenant}/operations/parking/town"),
    "parking-site": ("/{tenant}/betrieb/parken/regeln/{zone}", "/en/{tenant}/operations/parking/rules/{zone}"),
    "permits": ("/{tenant}/betrieb/parken/bewohner", "/en/{tenant}/operations/parking/permits"),
    "permit-pressure": ("/{tenant}/betrieb/parken/nachfrage.csv", "/en/{tenant}/operations/parking/pressure.csv"),
    "permit": ("/{tenant}/betrieb/parken/bewohner/{code}", "/en/{tenant}/operations/parking/permits/{code}"),
    "permit-remove": ("/{tenant}/betrieb/parken/bewohner/{code}/entfernen",
                      "/en/{tenant}/operations/parking/permits/{code}/remove"),
    "console": ("/{tenant}/betrieb", "/en/{tenant}/operations"),
    "lamps": ("/{tenant}/betrieb/leuchten.json", "/en/{tenant}/operations/lamps.json"),
    "streets": ("/{tenant}/betrieb/strassen.json", "/en/{tenant}/operations/streets.json"),
    "dim": ("/{tenant}/betrieb/dimmen", "/en/{tenant}/operations/dim"),
    "dim-draft": ("/{tenant}/betrieb/dimmen/entwurf", "/en/{tenant}/operations/dim/draft"),
    "price": ("/{tenant}/betrieb/dimmen/preis", "/en/{tenant}/operations/dim/price"),
    "progress": ("/{tenant}/betrieb/eingriff", "/en/{tenant}/operations/override"),
    "end": ("/{tenant}/betrieb/eingriff/beenden", "/en/{tenant}/operations/override/end"),
    "approve": ("/{tenant}/betrieb/eingriff/freigeben", "/en/{tenant}/operations/override/approve"),
    "overrides": ("/{tenant}/betrieb/eingriffe", "/en/{tenant}/operations/overrides"),
    "lamp": ("/{tenant}/betrieb/leuchte/{asset}", "/en/{tenant}/operations/lamp/{asset}"),
    "lamp-series": ("/{tenant}/betrieb/leuchte/{asset}/verlauf.json", "/en/{tenant}/operations/lamp/{asset}/history.json"),
    "mast": ("/{tenant}/mast", "/en/{tenant}/pole"),
    "mast-order": ("/{tenant}/mast/befehl", "/en/{tenant}/pole/order"),
    "import": ("/{tenant}/betrieb/bestand/imports", "/en/{tenant}/operations/inventory/imports"),
    "alarms": ("/{tenant}/betrieb/stoerungen", "/en/{tenant}/operations/alarms"),
    "incident": ("/{tenant}/betrieb/ereignis/{incident}", "/en/{tenant}/operations/incident/{incident}"),
    "incident-act": ("/{tenant}/betrieb/ereignis/{incident}/tun", "/en/{tenant}/operations/incident/{incident}/act"),
    "channels": ("/{tenant}/betrieb/meldewege", "/en/{tenant}/operations/channels"),
    "channel-remove": ("/{tenant}/betrieb/meldewege/{channel}/entfernen", "/en/{tenant}/operations/channels/{channel}/remove"),
    "channel-trial": ("/{tenant}/betrieb/meldewege/{channel}/probe", "/en/{tenant}/operations/channels/{channel}/trial"),
    "acknowledge": ("/{tenant}/betrieb/stoerungen/{alarm}/quittieren",
                    "/en/{tenant}/operations/alarms/{alarm}/acknowledge"),
    "energy": ("/{tenant}/betrieb/energie", "/en/{tenant}/operations/energy"),
    "circuits": ("/{tenant}/betrieb/stromkreise", "/en/{tenant}/operations/circuits"),
    "energy-figure": ("/{tenant}/betrieb/energie/wert-entfernen", "/en/{tenant}/operations/energy/remove-figure"),
    "models": ("/{tenant}/betrieb/modelle", "/en/{tenant}/operations/models"),
    "model-new": ("/{tenant}/betrieb/modelle/neu", "/en/{tenant}/operations/models/new"),
    "model": ("/{tenant}/betrieb/modelle/{vendor}/{name}", "/en/{tenant}/operations/models/{vendor}/{name}"),
    "model-script": ("/{tenant}/betrieb/modelle/{vendor}/{name}/skript",
                     "/en/{tenant}/operations/models/{vendor}/{name}/script"),
    "model-switch": ("/{tenant}/betrieb/modelle/{vendor}/{name}/schalten",
                     "/en/{tenant}/operations/models/{vendor}/{name}/switch"),
    "model-remove": ("/{tenant}/betrieb/modelle/{vendor}/{name}/entfernen",
                     "/en/{tenant}/operations/models/{vendor}/{name}/remove"),
    "programs": ("/{tenant}/programme", "/en/{tenant}/programs"),
    "program-new": ("/{tenant}/programme/neu", "/en/{tenant}/programs/new"),
    "program": ("/{tenant}/programme/{program}", "/en/{tenant}/programs/{program}"),
    "program-remove": ("/{tenant}/programme/{program}/entfernen", "/en/{tenant}/programs/{program}/remove"),
    "calendar-new": ("/{tenant}/kalender/neu", "/en/{tenant}/calendars/new"),
    "calendar": ("/{tenant}/kalender/{calendar}", "/en/{tenant}/calendars/{calendar}"),
    "calendar-remove": ("/{tenant}/kalender/{calendar}/entfernen", "/en/{tenant}/calendars/{calendar}/remove"),
    "assign": ("/{tenant}/zuordnung", "/en/{tenant}/assignment"),
    "nights": ("/{tenant}/naechte", "/en/{tenant}/nights"),
    "groups": ("/{tenant}/gruppen", "/en/{tenant}/groups"),
    "group-new": ("/{tenant}/gruppen/neu", "/en/{tenant}/groups/new"),
    "group": ("/{tenant}/gruppen/{group}", "/en/{tenant}/groups/{group}"),
    "group-remove": ("/{tenant}/gruppen/{group}/entfernen", "/en/{tenant}/groups/{group}/remove"),
    "settings": ("/{tenant}/einstellungen", "/en/{tenant}/settings"),
    # last, because they fit most addresses: whatever else lives below a town's parking has a word of its own
    "parking-zone-apart": ("/{tenant}/parken/zone/{zone}", "/en/{tenant}/parking/zone/{zone}"),  # whose name is such a word
    "parking-doubt": ("/{tenant}/parken/{zone}/hinweis", "/en/{tenant}/parking/{zone}/feedback"),
    "parking-zone": ("/{tenant}/parken/{zone}", "/en/{tenant}/parking/{zone}"),
    "town": ("/{tenant}", "/en/{tenant}"),
}


def paths(name: str) -> tuple[str, str]:
    """The path templates of a page, German and English, as routes want them."""
    return _PAGES[name]


Pairs = list[tuple[str, str]]


def address(language: str, name: str, query: Pairs | None = None, /, **parts: str) -> str:
    """Where a page lives in `language`; `parts` fill its path, `query` follows it. A parking zone whose own address another page
    has lives apart."""
    if name == "parking-zone" and taken(parts["zone"]):
        name = "parking-zone-apart"
    path = _PAGES[name][1 if language == "en" else 0].format(**{key: quote(value, safe="")
                                                                for key, value in parts.items()})
    return f"{path}?{urlencode(query)}" if query else path


def taken(zone: str) -> bool:
    """Whether another page has the address, in one of the languages, that a parking zone of this name would have."""
    return any(pattern.fullmatch(zone) for pattern in _beside_zones())


def translated(language: str, path: str, query: str = "") -> str:
    """The address of `path` in `language`; the town list where it has no page of its own there."""
    words = path.strip("/").split("/")
    for pair in _PAGES.values():
        for spelled in pair:
            parts = _matched(spelled.strip("/").split("/"), words)
            if parts is not None:
                target = pair[1 if language == "en" else 0].format(**parts)
                return f"{target}?{query}" if query else target
    return _PAGES["towns"][1 if language == "en" else 0]


def is_local(path: str) -> bool:
    """Whether a browser sent there stays with us: one slash, then no second one, no backslash, nothing unprintable."""
    return (path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
            and len(path) <= 2000)


@cache
def _beside_zones() -> tuple[re.Pattern[str], ...]:
    """What stands where a zone's name does, of all pages but the zones' own."""
    found = set[str]()
    for here, spelled in ((one, pair[one]) for name, pair in _PAGES.items() if name != "parking-zone" for one in (0, 1)):
        above, _, last = spelled.rpartition("/")
        if above == _PAGES["parking"][here]:
            found.add(re.escape(last).replace(re.escape("{zone}"), ".+"))
    return tuple(re.compile(one) for one in sorted(found))


def _matched(spelled: list[str], words: list[str]) -> dict[str, str] | None:
    if len(spelled) != len(words):
        return None
    parts: dict[str, str] = {}
    for pattern, word in zip(spelled, words, strict=True):
        if pattern.startswith("{") and pattern.endswith("}"):
            if not word:
                return None  # its translation would begin with //, another host's address
            parts[pattern.strip("{}")] = word
        elif pattern != word:
            return None
    return parts
