"""“Stimmt nicht?”: what a resident says is wrong, without a trace of the resident."""

import ipaddress
import threading
import uuid
from collections import OrderedDict
from datetime import datetime, timedelta

from fastapi import Request

from api.i18n import translate
from city.errors import Invalid, TooOften
from city.ids import TenantId, ZoneId
from city.parking_places import Doubt, Doubting
from city.settings import Parking

LONGEST_TEXT = 500
WITHIN = timedelta(hours=1)
MOST_KEYS = 10_000


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


WHATS = {Doubting.FULLER: _("Fewer bays are free than shown"), Doubting.EMPTIER: _("More bays are free than shown"),
         Doubting.RULE: _("A rule, a time or a fee is wrong"), Doubting.OTHER: _("Something else")}


class DoubtLimiter:
    """How often doubts may be said: by truncated address (/24, /48) and by town, in this process's memory only. Whole
    addresses are never kept; what is kept is forgotten after an hour, or with a restart."""

    def __init__(self, said: Parking) -> None:
        self._each, self._of_a_town = said.reports_each, said.reports_town
        self._said: OrderedDict[tuple[str, str], tuple[datetime, int]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, town: TenantId, address: str, now: datetime) -> None:
        """One more; raises TooOften where there were too many."""
        keys = {(str(town), neighbourhood(address)): self._each, (str(town), ""): self._of_a_town}
        with self._lock:
            counts = {key: self._count(key, now) for key in keys}
            full = [began for key, (began, count) in counts.items() if count >= keys[key]]
            if full:
                wait = int((max(full) + WITHIN - now).total_seconds()) + 1
                raise TooOften("Too many attempts: wait {seconds} seconds.", rule="attempts", seconds=wait)
            for key, (began, count) in counts.items():
                self._said[key] = (began, count + 1)
                self._said.move_to_end(key)
            while len(self._said) > MOST_KEYS:
                self._said.popitem(last=False)

    def _count(self, key: tuple[str, str], now: datetime) -> tuple[datetime, int]:
        began, count = self._said.get(key, (now, 0))
        return (now, 0) if now - began >= WITHIN else (began, count)


def neighbourhood(address: str) -> str:
    """The part of an IP address that thousands share: /24 or /48; "?" where it is none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False).network_address)


def doubt_of(town: TenantId, zone: ZoneId, what: str, text: str, shown: str, now: datetime) -> Doubt:
    """What was typed, as it is kept. Raises Invalid where it cannot be."""
    if what not in {one.value for one in Doubting}:
        raise Invalid("Say what is wrong.", field="what", rule="one of them")
    said = " ".join(text.split())
    if len(said) > LONGEST_TEXT:
        raise Invalid("Say it in {most} characters.", field="text", rule="length", most=LONGEST_TEXT)
    return Doubt(str(uuid.uuid4()), town, zone, Doubting(what), now, shown[:200], said)


def sender(request: Request) -> str:
    """The address a request came from, for DoubtLimiter alone."""
    return request.client.host if request.client else ""


def what_links(language: str) -> list[tuple[str, str]]:
    """The choices of the form: value and text."""
    return [(one.value, translate(language, text)) for one, text in WHATS.items()]
