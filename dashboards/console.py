"""Where the operator console's pages are that boards lead to. Grafana puts names into these addresses and encodes them."""

from collections.abc import Mapping

from city.ids import TenantId
from dashboards.board import Link, Text

_PAGES = {  # as api.pages.addresses has them; boards and api meet nowhere but in a test
    "console": ("/{tenant}/betrieb", "/en/{tenant}/operations"),
    "zone": ("/{tenant}/betrieb?zone={zone}", "/en/{tenant}/operations?zone={zone}"),
    "circuit": ("/{tenant}/betrieb?circuit={circuit}", "/en/{tenant}/operations?circuit={circuit}"),
    "lamp": ("/{tenant}/betrieb/leuchte/{asset}", "/en/{tenant}/operations/lamp/{asset}"),
    "dim": ("/{tenant}/betrieb/dimmen", "/en/{tenant}/operations/dim"),
    "overrides": ("/{tenant}/betrieb/eingriffe", "/en/{tenant}/operations/overrides"),
    "alarms": ("/{tenant}/betrieb/stoerungen", "/en/{tenant}/operations/alarms"),
    "incident": ("/{tenant}/betrieb/ereignis/{incident}", "/en/{tenant}/operations/incident/{incident}"),
    "energy": ("/{tenant}/betrieb/energie", "/en/{tenant}/operations/energy"),
    "circuits": ("/{tenant}/betrieb/stromkreise", "/en/{tenant}/operations/circuits"),
    "staff-parking": ("/{tenant}/betrieb/parken", "/en/{tenant}/operations/parking"),
    "staff-sensors": ("/{tenant}/betrieb/parken/sensoren", "/en/{tenant}/operations/parking/sensors"),
    "staff-bay": ("/{tenant}/betrieb/parken/stellplatz/{asset}", "/en/{tenant}/operations/parking/bay/{asset}"),
}


def page(console: str, name: str, title: Text, tenant: TenantId, **parts: str) -> tuple[Link, ...]:
    """A link to the console's page; `parts` are Grafana's words for what stands in its path. None where nobody said where the
    console is."""
    if not console:
        return ()
    de, en = (f"{console}{path.format(tenant=tenant, **parts)}" for path in _PAGES[name])
    return (Link(title, Text(de, en)),)


def pages() -> Mapping[str, tuple[str, str]]:
    """All pages that boards lead to: German and English path, with what is filled in in braces."""
    return _PAGES


def column(name: str) -> str:
    """A column of the row that was clicked, safe in an address."""
    return f"${{__data.fields.{name}:percentencode}}"


def label(name: str) -> str:
    """A tag of the series that was clicked, safe in an address."""
    return f"${{__field.labels.{name}:percentencode}}"


def variable(name: str) -> str:
    """A variable's choice, safe in an address."""
    return f"${{{name}:percentencode}}"
