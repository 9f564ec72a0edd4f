"""What the templates of incidents and channels are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from api.channeling import Wanted
from api.incident_views import IncidentView
from api.pages.contexts import Link, Page, Problem
from api.pages.incident_words import Bar
from city.notices import Channel, Delivery


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident in words: `href` leads to it, `about` to what it concerns ("" where that has no page). `alarm`: the one
    to acknowledge where the bridge has not made an incident of it yet."""

    view: IncidentView
    sentence: str
    proof: str
    bars: Sequence[Bar]
    more: Sequence[str]
    href: str
    about: str
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class IncidentsPage:
    template: ClassVar[str] = "incidents.html"
    fragments: ClassVar[Mapping[str, str]] = {"inbox": "parts/inbox.html"}
    page: Page
    rows: Sequence[IncidentRow]
    total: int
    filters: Sequence[Link]
    shows: Sequence[Link]
    closed: bool
    filtered: bool
    may_act: bool
    may_channel: bool
    events: str


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One alarm of an incident: its sentence, its proof, the name of its asset and where that has its page."""

    sentence: str
    proof: str
    name: str
    href: str
    began: str
    ended: str


@dataclass(frozen=True, slots=True)
class IncidentPage:
    template: ClassVar[str] = "incident.html"
    page: Page
    row: IncidentRow
    alarms: Sequence[AlarmLine]
    may_act: bool
    typed: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelsPage:
    """`secret`: of a webhook that was made just now, shown this once. `changes`: the id of the channel in the form."""

    template: ClassVar[str] = "channels.html"
    page: Page
    channels: Sequence[Channel]
    deliveries: Sequence[Delivery]
    names: Mapping[str, str]
    form: Wanted
    changes: str = ""
    secret: str = ""
    mails: bool = True
    problems: tuple[Problem, ...] = ()
