"""Names of things: parse them once at the edge, compare them as plain strings everywhere else."""

import re
import uuid
from typing import NewType

from city.errors import Invalid

DevEui = NewType("DevEui", str)
TenantId = NewType("TenantId", str)
ZoneId = NewType("ZoneId", str)
CircuitId = NewType("CircuitId", str)
AssetId = NewType("AssetId", str)
GatewayId = NewType("GatewayId", str)
CommandId = NewType("CommandId", str)
OverrideId = NewType("OverrideId", str)
GroupId = NewType("GroupId", str)
ProgramId = NewType("ProgramId", str)
CalendarId = NewType("CalendarId", str)

RESERVED = frozenset({  # first words of addresses of our own, in use or likely to be
    "abmelden", "anmelden", "api", "assets", "datenschutz", "de", "docs", "en", "favicon", "grafana", "healthz", "metrics",
    "opendata", "privacy", "readyz", "sign-in", "sign-out", "static"})
RESERVED_ZONES = frozenset({  # words of our own where a parking zone's page has its name; and what ends like a badge
    "app.webmanifest", "easy-read", "einbinden", "embed", "karte.json", "leichte-sprache", "map.json", "widget", "worker.js"})
BADGE = ".svg"
_EUI = re.compile(r"[0-9a-f]{16}\Z")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")
_NAME = re.compile(r"[A-Za-z0-9ÄÖÜäöüß](?:[A-Za-z0-9ÄÖÜäöüß._-]{0,63})\Z")


def dev_eui(text: str) -> DevEui:
    """A DevEUI as 16 lower-case hex digits; accepts upper case and the separators - : and space. Raises Invalid."""
    return DevEui(_eui(text, field="dev_eui"))


def gateway_id(text: str) -> GatewayId:
    """A gateway's EUI in the same form as a DevEUI. Raises Invalid."""
    return GatewayId(_eui(text, field="gateway_id"))


def tenant_id(text: str) -> TenantId:
    """A tenant's slug, the first word of its addresses: 1-40 of a-z 0-9 and inner hyphens, none of RESERVED.
    Raises Invalid."""
    if not _SLUG.match(text):
        raise Invalid("“{value}” is no town name for an address: use a-z, 0-9 and hyphens.",
                      field="tenant", rule="slug", value=text[:64])
    if text in RESERVED:
        raise Invalid("“{value}” cannot be a town's name: the platform uses that address itself.", field="tenant",
                      rule="not reserved", value=text)
    return TenantId(text)


def asset_id(text: str) -> AssetId:
    """An asset's number in its tenant, as painted on the pole: 1-64 letters, digits, . _ - Raises Invalid."""
    return AssetId(_name(text, field="asset"))


def zone_id(text: str) -> ZoneId:
    """A zone's short name in its tenant, none of RESERVED_ZONES and none that ends with BADGE. Raises Invalid."""
    if text in RESERVED_ZONES or text.endswith(BADGE):
        raise Invalid("“{value}” cannot be a zone's name: the parking pages use that address themselves.", field="zone",
                      rule="not reserved", value=text[:64])
    return ZoneId(_name(text, field="zone"))


def circuit_id(text: str) -> CircuitId:
    """A feeder's short name in its tenant. Raises Invalid."""
    return CircuitId(_name(text, field="circuit"))


def group_id(text: str) -> GroupId:
    """A group's short name in its tenant. Raises Invalid."""
    return GroupId(_name(text, field="group"))


def program_id(text: str) -> ProgramId:
    """A program's short name in its tenant. Raises Invalid."""
    return ProgramId(_name(text, field="program"))


def calendar_id(text: str) -> CalendarId:
    """A calendar's short name in its tenant. Raises Invalid."""
    return CalendarId(_name(text, field="calendar"))


def command_id(text: str) -> CommandId:
    """A command's UUID; ChirpStack keeps it as the queue item's key. Raises Invalid."""
    try:
        return CommandId(str(uuid.UUID(text)))
    except ValueError:
        raise Invalid("“{value}” is no command number.", field="command", rule="uuid", value=text[:64]) from None


def _eui(text: str, *, field: str) -> str:
    if _EUI.match(text):  # as nearly all are
        return text
    plain = text.strip().lower().replace("-", "").replace(":", "").replace(" ", "")
    if not _EUI.match(plain):
        raise Invalid("“{value}” is no EUI: 16 hex digits are needed.", field=field, rule="eui64", value=text[:64])
    return plain


def _name(text: str, *, field: str) -> str:
    if not _NAME.match(text):
        raise Invalid("“{value}” cannot be used as a name: 1 to 64 letters, digits, dots, hyphens or underscores.",
                      field=field, rule="name", value=text[:80])
    return text
