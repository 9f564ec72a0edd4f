"""Dimming from the lighting board: a canvas panel whose buttons ask the platform with the operator's own session.

A board's JSON can be read by every viewer, so nothing in it is a secret or gives power: each button is a plain request that the
browser of whoever clicks it makes, after a question; without that person's own session of the platform, on the same origin, it is
refused (api/boards.py). Not by a data source's proxy with a token on Grafana's server: every viewer may ask a data source.

What Grafana does with it, from its source (github.com/grafana/grafana):
- packages/grafana-data/src/types/action.ts: Action = {type: "fetch", title, confirmation, oneClick, style, fetch: {method, url,
  body, headers: [[name, value]], queryParams}}.
- public/app/features/actions/utils.ts: dashboard variables are filled into url, body, headers and confirmation; it adds
  `X-Grafana-Action: 1` and shows only "API call was successful" or "An error has occurred", never what was answered.
- public/app/features/alerting/unified/utils/url.ts: an url that begins with "/" is taken below Grafana's sub path in some
  versions and at the origin's root in others; so it stands here whole.
- public/app/core/utils/fetch.ts, parseCredentials: "same-origin": cookies go along to the page's own origin alone.
- public/app/features/canvas/runtime/element.tsx: `actions` and `links` stand beside an element's `type`; a click on an element
  with `oneClick` asks for confirmation first, always. Texts of elements are not filled with variables; a panel's title is.
- public/app/features/dashboard-scene/scene/setDashboardPanelContext.ts, newer versions: canExecuteActions is canEditDashboard:
  for who may only view in Grafana the buttons do nothing; the link works.
- grafana/scenes, interpolation/formatRegistry.ts: of all formats percentencode alone lets no sign through that ends a string in
  JSON, also of what somebody's link puts into a variable ("json" gives a text as it is). All is ".*", several are "{a,b}".
"""

import json
from collections.abc import Mapping
from typing import Any

from city.ids import TenantId
from dashboards import console as pages
from dashboards.board import Language, Raw, Text, Variable

WIDTH, HEIGHT = 8, 8
EMERGENCY_MIN = 120  # how long "100 % now" lasts
HEADERS = (("Content-Type", "application/json"), ("X-Stadtfunk-Board", "1"))
Json = dict[str, Any]

# Okabe and Ito's colours, each with the ink that is read on it in the light and in the dark theme (≥ 4.5 : 1)
_BLUE, _GREY, _ORANGE = ("#0072B2", "#FFFFFF"), ("#5A5A5A", "#FFFFFF"), ("#E69F00", "#000000")
_ZONE, _LEVEL, _MINUTES = (f"${{{name}:percentencode}}" for name in ("zone", "dim_level", "dim_minutes"))
_TITLE = Text("Dimmen: Gebiet ${zone:text} · ${dim_level:text} · ${dim_minutes:text}",
              "Dim: zone ${zone:text} · ${dim_level:text} · ${dim_minutes:text}")
_HELP = Text(
    "Wählen Sie oben genau ein Gebiet, Niveau und Dauer. Die Schaltflächen handeln mit Ihrer eigenen Anmeldung bei stadtfunk im "
    "selben Browser und fragen erst nach. Grafana meldet nur Erfolg oder Fehler: Was gilt und wie viele Leuchten es bestätigt "
    "haben, steht in der Tabelle der Eingriffe; Preis, Ende und den Grund einer Ablehnung zeigt der Dialog.",
    "Choose exactly one zone, level and duration at the top. The buttons act with your own sign-in at stadtfunk in this browser, "
    "and ask first. Grafana says only success or error: what holds, and how many lamps have confirmed it, stands in the table of "
    "overrides; price, end and the reason of a refusal are shown by the dialog.")
_OPEN = Text("Im Dialog öffnen, mit Preis und Ende", "Open in the dialog, with price and end")
_UNSURE = Text("Fehler? Den Grund sagt der Dialog. Bestätigungen: Tabelle der Eingriffe.",
               "Error? The dialog says why. Confirmations: table of overrides.")
_NOWHERE = Text("Hier kann erst gedimmt werden, wenn stadtfunk weiß, wo die Konsole steht (api.public_url).",
                "Nobody can dim here before stadtfunk knows where the console is (api.public_url).")


def dim_variables(tenant: TenantId) -> tuple[Variable, ...]:
    """What is chosen besides the board's zone. Until somebody chooses it is the first of each: full light, for a short time."""
    del tenant  # the same in every town
    levels = tuple((f"{level} %", str(level)) for level in (100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0))
    lengths = (("30 min", "30"), ("1 h", "60"), ("2 h", "120"), ("4 h", "240"), ("8 h", "480"))
    return (Variable.custom("dim_level", Text("Dimmen auf", "Dim to"), levels),
            Variable.custom("dim_minutes", Text("Dauer", "For"), lengths))


def dim_panel(tenant: TenantId, console: str) -> Raw:
    """The panel; `console`: the platform's address as operators know it, without a slash at the end. Without it nothing can be
    asked for, and the panel says so."""
    return Raw(WIDTH, HEIGHT, de=_panel(tenant, console, "de"), en=_panel(tenant, console, "en"))


def _panel(tenant: TenantId, console: str, language: Language) -> Json:
    links = _dialog(tenant, console, language)
    elements = [*_buttons(tenant, console, language), _link(links, language),
                _element("hint", _text(_UNSURE(language), size=12), (86, 1, 1, 1))]
    if not console:
        elements = [_element("hint", _text(_NOWHERE(language), size=14), (20, 20, 1, 1))]
    return {"type": "canvas", "title": _TITLE(language), "description": _HELP(language), "targets": [],
            "fieldConfig": {"defaults": {}, "overrides": []}, "links": links,
            "options": {"inlineEditing": False, "showAdvancedTypes": False, "panZoom": False, "zoomToContent": False,
                        "tooltip": {"mode": "single", "disableForOneClick": True},
                        "root": {"name": "root", "type": "frame", "elements": elements,
                                 "background": {"color": {"fixed": "transparent"}},
                                 "constraint": {"horizontal": "left", "vertical": "top"},
                                 "placement": {"top": 0, "left": 0, "width": 100, "height": 100, "rotation": 0}}}}


def _buttons(tenant: TenantId, console: str, language: Language) -> list[Json]:
    dim, back, full = (
        Text("Dimmen", "Dim"), Text("Zurück zum Programm", "Back to the program"),
        Text(f"100 % jetzt ({EMERGENCY_MIN // 60} h)", f"100 % now ({EMERGENCY_MIN // 60} h)"))
    asked = (
        Text("Gebiet ${zone:text} für ${dim_minutes:text} auf ${dim_level:text} dimmen?",
             "Dim zone ${zone:text} to ${dim_level:text} for ${dim_minutes:text}?"),
        Text("Den Eingriff für Gebiet ${zone:text} beenden: zurück zum Programm?",
             "End the override of zone ${zone:text}: back to the program?"),
        Text(f"Notfall: Gebiet ${{zone:text}} für {EMERGENCY_MIN // 60} h auf 100 %?",
             f"Emergency: zone ${{zone:text}} to 100 % for {EMERGENCY_MIN // 60} h?"))
    bodies: tuple[Mapping[str, str], ...] = (
        {"zone": _ZONE, "level": _LEVEL, "minutes": _MINUTES},
        {"zone": _ZONE, "level": "resume"},
        {"zone": _ZONE, "level": "emergency", "minutes": str(EMERGENCY_MIN)})
    places = ((3, 68, 1, 1), (35, 42, 1, 51), (35, 42, 51, 1))
    return [_element(title(language), _text(title(language), size=16, ink=ink), where, paper=paper,
                     actions=[_action(tenant, console, title(language), question(language), body, paper)])
            for title, question, body, (paper, ink), where
            in zip((dim, back, full), asked, bodies, (_BLUE, _GREY, _ORANGE), places, strict=True)]


def _action(tenant: TenantId, console: str, title: str, question: str, body: Mapping[str, str], paper: str) -> Json:
    return {"type": "fetch", "title": title, "oneClick": True, "confirmation": question, "style": {"backgroundColor": paper},
            "fetch": {"method": "POST", "url": f"{console}/api/v1/tenants/{tenant}/overrides/from-board",
                      "body": json.dumps(body), "headers": [list(header) for header in HEADERS], "queryParams": []}}


def _dialog(tenant: TenantId, console: str, language: Language) -> list[Json]:
    """The console's dim dialog with what is chosen here. `targetBlank`: the board stays."""
    return [{"title": link.title(language), "targetBlank": True,
             "url": f"{link.url(language)}?zone={_ZONE}&level={_LEVEL}&minutes={_MINUTES}"}
            for link in pages.page(console, "dim", _OPEN, tenant)]


def _link(links: list[Json], language: Language) -> Json:
    return _element("dialog", _text(f"{_OPEN(language)} →", size=14), (62, 17, 1, 1), border=True,
                    links=[{**link, "oneClick": True} for link in links])


def _text(text: str, *, size: int, ink: str = "text") -> Json:
    """`ink` "text" is the theme's own."""
    return {"text": {"mode": "fixed", "fixed": text}, "color": {"fixed": ink}, "size": size, "align": "center",
            "valign": "middle"}


def _element(name: str, config: Json, place: tuple[int, int, int, int], *, paper: str = "transparent", border: bool = False,
             **more: list[Json]) -> Json:
    """A rectangle; `place`: per cent of the panel above, below, left and right of it."""
    return {"name": name, "type": "rectangle", "config": config, "background": {"color": {"fixed": paper}},
            "border": {"color": {"fixed": "#808080"}, "width": int(border), "radius": 4},
            "constraint": {"horizontal": "scale", "vertical": "scale"},
            "placement": {**dict(zip(("top", "bottom", "left", "right"), place, strict=True)), "rotation": 0}, **more}
