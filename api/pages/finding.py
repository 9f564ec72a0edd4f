"""Which lamps the console lists: by zone, circuit, group, state, fault and words, all of it in the address; and every lamp
of the town in the few numbers that its list and map are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from api.views import LampWord, LuminaireView
from city.alarms import AlarmKind
from city.groups import Cover, Groups, Target
from city.places import Luminaire

MAX_SEARCH = 80
MOST_PAGES = 99_999
UNHEARD = frozenset({LampWord.SILENT, LampWord.NEVER_HEARD})
STATES = ("deviates", "fault", "silent", "override")
COLOURS = ("level", "state", "fault", "energy")
_FAULTS = frozenset(kind.value for kind in AlarmKind)
_CODES = {word: index for index, word in enumerate(LampWord)}


@dataclass(frozen=True, slots=True)
class Search:
    """Which lamps are listed and how the map is coloured: everything of it stands in the address."""

    zone: str = ""
    circuit: str = ""
    group: str = ""
    state: str = ""
    fault: str = ""
    text: str = ""
    page: int = 1
    colour: str = COLOURS[0]

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Search":
        """What an address asks for; what it cannot ask for is left out."""
        page, state, fault, colour = (given.get(name, "") for name in ("page", "state", "fault", "colour"))
        return cls(given.get("zone", "")[:64], given.get("circuit", "")[:64], given.get("group", "")[:64],
                   state if state in STATES else "", fault if fault in _FAULTS else "",
                   given.get("q", "")[:MAX_SEARCH].strip(),
                   min(max(int(page), 1), MOST_PAGES) if page.isdecimal() and len(page) < 6 else 1,
                   colour if colour in COLOURS else COLOURS[0])

    def query(self, **changed: str) -> list[tuple[str, str]]:
        """The address of this search with something changed; a new filter starts on the first page."""
        now = {"zone": self.zone, "circuit": self.circuit, "group": self.group, "state": self.state, "fault": self.fault,
               "q": self.text, "colour": self.colour if self.colour != COLOURS[0] else "", **changed}
        return [(key, value) for key, value in now.items() if value]

    def found(self, lamps: Iterable[LuminaireView], groups: Groups) -> list[LuminaireView]:
        """Those that are listed."""
        cover = Cover((Target("group", self.group),), groups) if self.group else None
        return [view for view in lamps if self._keeps(view) and (cover is None or view.lamp in cover)]

    def _keeps(self, view: LuminaireView) -> bool:
        if (self.zone and view.lamp.zone != self.zone) or (self.circuit and view.lamp.circuit != self.circuit):
            return False
        if self.state and not in_state(view, self.state):
            return False
        if self.fault and all(alarm.kind.value != self.fault for alarm in view.alarms):
            return False
        words = f"{view.lamp.id} {view.lamp.name} {view.zone_name} {view.device or ''}".casefold()
        return all(word in words for word in self.text.casefold().split())


def in_state(view: LuminaireView, state: str) -> bool:
    """Whether a lamp is of one of STATES."""
    match state:
        case "override":
            return view.override is not None
        case "silent":
            return view.word in UNHEARD
        case "deviates":
            return view.word in (LampWord.DEVIATES, LampWord.WAITING)
    return view.word is LampWord.FAULT or bool(view.alarms)


def columns(views: Sequence[LuminaireView], groups: Groups) -> dict[str, object]:
    """Every lamp as the console's list and map want it, a column for each fact. Levels and W are -1 where unknown, times
    are seconds since 1970 and 0 where there is none; `zone` and `word` are indices."""
    lamps = [view.lamp for view in views]
    names = {view.lamp.zone: view.zone_name for view in views}
    numbers = {zone: index for index, zone in enumerate(names)}
    return {
        "words": [word.value for word in LampWord], "zones": [{"id": zone, "name": name} for zone, name in names.items()],
        "groups": [{"id": key, "name": group.name, "lamps": _members(lamps, key, groups)} for key, group in groups.items()],
        "id": [lamp.id for lamp in lamps], "name": [lamp.name for lamp in lamps],
        "x": [round(lamp.site.longitude, 6) for lamp in lamps], "y": [round(lamp.site.latitude, 6) for lamp in lamps],
        "zone": [numbers[lamp.zone] for lamp in lamps], "circuit": [lamp.circuit for lamp in lamps],
        "device": [view.device or "" for view in views], "dims": [int(view.dims) for view in views],
        "nominal": [lamp.power_w or 0 for lamp in lamps], **_states(views)}


def _states(views: Sequence[LuminaireView]) -> dict[str, object]:
    def seconds(name: str) -> list[int]:
        return [0 if (at := getattr(view, name)) is None else int(at.timestamp()) for view in views]

    return {
        "level": [-1 if view.level is None else round(view.level) for view in views], "level_at": seconds("level_at"),
        "target": [view.target.level for view in views], "until": [int(view.target.until.timestamp()) for view in views],
        "over": [int(view.target.reason == "override") for view in views],
        "power": [-1 if view.power_w is None else round(view.power_w, 1) for view in views], "power_at": seconds("power_at"),
        "heard": seconds("heard_at"), "word": [_CODES[view.word] for view in views],
        "faults": {view.lamp.id: [alarm.kind.value for alarm in view.alarms] for view in views if view.alarms}}


def _members(lamps: Sequence[Luminaire], group: str, groups: Groups) -> list[int]:
    cover = Cover((Target("group", group),), groups)
    return [index for index, lamp in enumerate(lamps) if lamp in cover]
