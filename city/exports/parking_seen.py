"""A town's parking as open-data exports see it: made of PublicZone and PublicQuarter, so that none can tell more."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from city.parking_places import TownParking
from city.places import Tenant
from city.public_parking import PublicZone

MOST_TEXT = 1024  # characters of a name or a sentence in an export
_WEB = re.compile(r"https?://[A-Za-z0-9.\-:\[\]]{1,255}(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?#\-]{0,1500})?")
_NO_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # XML 1.0 (5th ed.), 2.2: Char


@dataclass(frozen=True, slots=True)
class ParkingSeen:
    """What everybody may know at `at`. `base` is the address of the town's open data without a slash at its end; `said_at`:
    when each zone was described ("": the town)."""

    tenant: Tenant
    zones: Sequence[PublicZone]
    town: TownParking
    at: datetime
    base: str
    said_at: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def operator(self) -> str:
        """Who runs it: as the town says, or else the town."""
        return self.town.operator or self.tenant.name

    @property
    def newest(self) -> datetime:
        """When the newest of these zones was found out; `at` where there is none."""
        return max((zone.evaluated_at for zone in self.zones), default=self.at)

    def changed_at(self, zone: PublicZone) -> datetime:
        """When what is said of the zone last changed, as far as anybody knows: else the beginning of the day."""
        said = self.said_at.get(zone.zone) or self.said_at.get("")
        return said or self.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def clean(text: str, most: int = MOST_TEXT) -> str:
    """The text without what XML cannot hold (control characters, lone surrogates), and no longer than `most`."""
    return _NO_XML.sub("", text)[:most]


def stamp(at: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def web_address(text: str) -> str:
    """The text where it is an http(s) address that needs no escaping anywhere, else ""."""
    return text if _WEB.fullmatch(text) else ""
