"""What each template is given: one frozen dataclass a template, and nothing else.

`fragments` are the parts of a page that htmx may ask for alone, by the id of the element they replace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from api.library import ModelView
from api.pages.codec_form import ScriptForm
from api.pages.finding import Search
from api.trying import Outcome
from api.views import LuminaireView, OverrideProgress, ZoneLightingView
from city.grafana import board as board_of
from city.lighting import Override
from city.places import Luminaire, Tenant
from city.quantities import Quantity


@dataclass(frozen=True, slots=True)
class Link:
    """A word and where it leads; `on` where one is there already, or a filter is set."""

    text: str
    href: str
    on: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What every page has. `other` is the same page in the other language, `csrf` "" for nobody signed in. `lighting` and
    `bays`: whether whoever reads it works in lighting, and may see single bays. `grafana`: its address, "" where there is none or
    nobody is signed in."""

    language: str
    other: str
    path: str
    now: datetime
    town: Tenant | None = None
    who: str = ""
    csrf: str = field(default="", repr=False)
    lighting: bool = False
    bays: bool = False
    grafana: str = ""

    def board(self, name: str, **chosen: str) -> str:
        """The address of the town's board in Grafana with this chosen; "" where there is none."""
        return board_of(self.grafana, self.town.id, name, **chosen) if self.town else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: its name and the sentence that stands at it and in the summary."""

    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class TownsPage:
    template: ClassVar[str] = "towns.html"
    page: Page
    towns: Sequence[Tenant]


@dataclass(frozen=True, slots=True)
class PrivacyPage:
    template: ClassVar[str] = "privacy.html"
    page: Page


@dataclass(frozen=True, slots=True)
class SignInPage:
    template: ClassVar[str] = "sign_in.html"
    page: Page
    back: str
    name: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Tonight:
    """The console's first line."""

    sun: str
    sun_at: datetime
    lamps: int
    heard: int
    alarms: int
    overrides: tuple[Override, ...]
    overrides_until: datetime | None
    pending: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class LampList:
    """One page of the lamp list: its rows, how many there are in all, and the addresses of its neighbours."""

    rows: Sequence[LuminaireView]
    found: int
    first: int
    previous: str
    next: str
    any: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a filter may be set to."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ConsolePage:
    template: ClassVar[str] = "console.html"
    fragments: ClassVar[Mapping[str, str]] = {"lamps": "parts/lamps.html", "tonight": "parts/tonight.html",
                                                "zonecard": "parts/zone.html"}
    page: Page
    tonight: Tonight
    zone: ZoneLightingView | None
    zone_singles: Sequence[Override]
    zone_measured: datetime | None
    search: Search
    options: Mapping[str, Sequence[Option]]
    lamps: LampList
    feeds: Mapping[str, str]
    may_dim: bool
    may_group: bool
    troubles: Sequence[str]

    @property
    def filtered(self) -> bool:
        """Whether anything but the map's colour is asked for."""
        return bool([name for name, _ in self.search.query() if name != "colour"])


@dataclass(frozen=True, slots=True)
class DimForm:
    """What a person has typed into the dim dialog, kept as typed. `kind` is "level" or "program" (as programmed)."""

    targets: tuple[str, ...] = ()
    kind: str = "level"
    level: str = "50"
    end: str = "time"
    until: str = "23:30"
    reason: str = ""
    confirm: str = ""
    emergency: bool = False

    @property
    def lamps(self) -> str:
        """The single lamps among the targets, for one field."""
        return " ".join(text.removeprefix("lamp:") for text in self.targets if text.startswith("lamp:"))

    @property
    def others(self) -> list[str]:
        """The other targets."""
        return [text for text in self.targets if not text.startswith("lamp:")]


@dataclass(frozen=True, slots=True)
class Rail:
    """What a guard-rail says of a wish. `weight` is "refused", "second", "typed" or "notice"."""

    weight: str
    sentence: str
    rule: str


@dataclass(frozen=True, slots=True)
class Price:
    """What the wish costs and when it ends; `problem` where it cannot be had. `loss`: the share of radio messages that is
    reckoned to be lost, 0 to 1. `unicast_s`: how long single messages would take, where groups are told instead. `between_s`:
    where `last_s` probably lies; `waits_s`: how much of it the gateways wait for their hour."""

    lamps: int
    frames: int = 0
    last_s: float = 0.0
    level: str = ""
    ends_at: datetime | None = None
    program: str = ""
    kind: str = "level"
    problem: str = ""
    rails: tuple[Rail, ...] = ()
    unicast_s: float = 0.0
    loss: float = 0.0
    between_s: tuple[float, float] = (0.0, 0.0)
    waits_s: float = 0.0
    needs_second: bool = False


@dataclass(frozen=True, slots=True)
class DimPage:
    template: ClassVar[str] = "dim.html"
    fragments: ClassVar[Mapping[str, str]] = {"drawer": "parts/dim.html"}
    page: Page
    form: DimForm
    target: str
    names: Sequence[str]
    lamps: int
    floor: int
    sunrise: datetime | None
    price: Price
    back: str
    reasons: Sequence[str]
    typed: bool
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PricePage:
    template: ClassVar[str] = "parts/price.html"
    page: Page
    price: Price
    form: DimForm


@dataclass(frozen=True, slots=True)
class ProgressPage:
    """How far one wish of a person has come. `may_approve`: whether the reader is the second person it waits for. `behind`:
    some of the lamps that deviate or failed."""

    template: ClassVar[str] = "progress.html"
    fragments: ClassVar[Mapping[str, str]] = {"drawer": "parts/progress.html",
                                                "progress": "parts/progress.html"}
    page: Page
    progress: OverrideProgress
    target: str
    again: str
    program: str
    settled: bool
    may_end: bool
    may_approve: bool
    behind: Sequence[tuple[Luminaire, str]] = ()


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """An override that has not ended, what it is for, and how many lamps that are."""

    wish: Override
    name: str
    lamps: int


@dataclass(frozen=True, slots=True)
class OverridesPage:
    template: ClassVar[str] = "overrides.html"
    page: Page
    rows: Sequence[OverrideRow]
    may_end: bool


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """`undescribed` are models of the town's devices that nobody reads; `new` "" for those who may not add a script."""

    template: ClassVar[str] = "models.html"
    page: Page
    rows: Sequence[ModelView]
    total: int
    search: str
    filters: Sequence[Link]
    hidden: Sequence[tuple[str, str]]
    undescribed: Sequence[Link]
    new: str


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device of a model: its asset's name and page ("" where it has none), and when it was last heard."""

    dev_eui: str
    name: str
    href: str
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Example:
    """A frame from the maker's documents: what it says, and where it is explained."""

    says: str
    link: Link


@dataclass(frozen=True, slots=True)
class FrameForm:
    """The explain box as typed; `way` is "up" or "down"."""

    way: str = "up"
    port: str = ""
    hex: str = ""


@dataclass(frozen=True, slots=True)
class ModelPage:
    template: ClassVar[str] = "model.html"
    fragments: ClassVar[Mapping[str, str]] = {"explain": "parts/explain.html"}
    page: Page
    view: ModelView
    devices: Sequence[DeviceLine]
    examples: Sequence[Example]
    form: FrameForm
    outcome: Outcome | None
    may_edit: bool
    may_explain: bool
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptPage:
    """The editor; `view` None for a script that is new. `action` is where the form goes, `groups` the quantities that
    a leaf may be, by the word before their dot."""

    template: ClassVar[str] = "script.html"
    fragments: ClassVar[Mapping[str, str]] = {"editor": "parts/script.html"}
    page: Page
    view: ModelView | None
    form: ScriptForm
    action: str
    groups: Mapping[str, Sequence[Quantity]]
    outcome: Outcome | None = None
    saved: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorPage:
    template: ClassVar[str] = "error.html"
    page: Page
    title: str
    sentence: str
    advice: str


class PageContext(Protocol):
    """Any of these, here or beside the pages that they are for."""

    template: ClassVar[str]

    @property
    def page(self) -> Page: ...
