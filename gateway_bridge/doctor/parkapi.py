"""Whether the ParkAPI that zones are pushed to can be reached and lets every source in. It is only asked, nothing is pushed."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from city.errors import Invalid, Undelivered
from city.parkapi_push import Target, every, targets
from city.settings import Parkapi
from gateway_bridge.doctor.findings import Finding, broken, ok, warning
from gateway_bridge.post import Resolve, addresses_of, exchange

CHECK = "ParkAPI"
MOST_ASKED = 20  # sources, so that many towns do not make it long


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """How the ParkAPI answers a source: its status, or why there is no answer."""

    town: str
    source: str
    status: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ParkapiFacts:
    """`problem`: what is wrong with the settings."""

    problem: str = ""
    sources: Sequence[SourceFacts] = ()
    every_s: float = 0.0


def probe_parkapi(settings: Parkapi, resolve: Resolve = addresses_of) -> ParkapiFacts:
    """One question a source."""
    try:
        found = targets(settings)
    except Invalid as error:
        return ParkapiFacts(str(error))
    return ParkapiFacts("", [_asked(one, settings, resolve) for one in found[:MOST_ASKED]], every(settings).total_seconds())


def judge_parkapi(facts: ParkapiFacts) -> Iterator[Finding]:
    """A finding for each source."""
    if facts.problem:
        yield broken(CHECK, facts.problem, "settings: parkapi.url, parkapi.sources, parkapi.passwords")
    elif not facts.sources:
        yield warning(CHECK, "There is an address, but no town pushes.", "settings: parkapi.sources = TOWN=SOURCE, or no url")
    for one in facts.sources:
        yield _judged(one, facts.every_s)


def _judged(one: SourceFacts, every_s: float) -> Finding:
    who = f"The source {one.source} of {one.town}"
    if one.problem:
        return broken(CHECK, f"{who} cannot push: {one.problem}", "settings: parkapi.url; see whether a firewall lets https out")
    if one.status in (401, 403):
        return broken(CHECK, f"{who} is not let in ({one.status}).",
                      "settings: parkapi.sources, parkapi.passwords, as whoever runs the ParkAPI has given them")
    if one.status != 200:
        return warning(CHECK, f"{who} gets the answer {one.status} when it asks for its sites.",
                       "settings: parkapi.url without /api/admin; ask whoever runs the ParkAPI")
    return ok(CHECK, f"{who} is let in; it pushes every {every_s:.0f} s.")


def _asked(target: Target, settings: Parkapi, resolve: Resolve) -> SourceFacts:
    word = base64.b64encode(f"{target.source}:{target.password.reveal()}".encode()).decode()
    url = f"{settings.url.rstrip('/')}/api/admin/v1/parking-sites?source_uid={quote(target.source, safe='')}&limit=1"
    try:
        status, _ = exchange("GET", url, b"", {"Authorization": f"Basic {word}", "Accept": "application/json"},
                             private=settings.allow_private, resolve=resolve)
    except (Undelivered, Invalid) as error:
        return SourceFacts(target.town, target.source, problem=str(error))
    return SourceFacts(target.town, target.source, status)
