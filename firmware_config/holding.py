"""What the lamps of a town shall hold by themselves in one night: their programs as tables, beside what people have set by
hand. Compiled once for lamps alike.

Only lamps that somebody has assigned a calendar to are told one: what a controller was commissioned with is not overwritten
because a platform has begun to listen to it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from city.floors import floor_key
from city.groups import Cover
from city.ids import AssetId
from city.nights import evening_of
from city.orders import Setting, kept_as, to_json
from city.places import Luminaire
from city.programs import Programming
from firmware_config.compile import Compiled, compiled
from firmware_config.delta import delta
from firmware_config.profile import DeviceConfig

_MANY = ("Profile:", "DimTask:")  # kinds of which a device keeps several


@dataclass(frozen=True, slots=True)
class Wish:
    """A device's whole wanted configuration, and how it reads once it is confirmed."""

    config: DeviceConfig
    texts: Mapping[str, str]

    @classmethod
    def of(cls, config: DeviceConfig) -> "Wish":
        return cls(config, {kept_as(one): to_json(one).decode() for one in config.settings()})

    def missing(self, reported: Mapping[str, str]) -> list[Setting]:
        """`delta`, without reading what is plainly the same."""
        if not self.config.programs and not self.texts:
            return []
        same = all(reported.get(name) == text for name, text in self.texts.items())
        if same and not any(name.startswith(_MANY) and name not in self.texts for name in reported):
            return []
        return delta(reported, self.config)


_NEW = Wish(DeviceConfig(), {})


class Wishes:
    """The wishes for a town's lamps in the night around `now`. `local`: models whose tables run in local time."""

    def __init__(self, programming: Programming, now: datetime, local: Collection[str] = ()) -> None:
        self.programming, self.evening, self._now, self._local = programming, evening_of(now), now, local
        self._assigned = Cover((one.target for one in programming.assignments), programming.groups)
        self._compiled: dict[object, Compiled] = {}
        self._alike: dict[int, Wish | None] = {}  # of lamps of which nobody wants anything else, by what is compiled
        self._calendars: dict[object, str] = {}
        self._wishes: dict[AssetId, tuple[Luminaire, str, DeviceConfig | None, Wish | None]] = {}
        self._by_place = not any(one.target.kind in ("lamp", "group") for one in programming.assignments)

    def compiled(self, lamp: Luminaire, model: str) -> Compiled | None:
        """The lamp's program as tables of that model; None where nobody has assigned the lamp a calendar."""
        if lamp not in self._assigned:
            return None
        key = model, self._calendar(lamp), floor_key(lamp)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = compiled(self.programming, lamp, model, self._now, local=self._local)
        return found

    def wish(self, lamp: Luminaire, model: str, own: DeviceConfig | None) -> Wish | None:
        """All that is wanted of the lamp's controller: what people have set (`own`) and, unless that has a say in the lamp's
        program itself, its program."""
        known = self._wishes.get(lamp.id)
        if known is not None and known[0] is lamp and known[1] == model and known[2] is own:
            return known[3]
        found = self.compiled(lamp, model)
        wish = self._alike.get(id(found), _NEW) if own is None else _NEW
        if wish is _NEW:
            config = merged(own, found.config if found is not None else None)
            wish = None if config is None else Wish.of(config)
            if own is None:
                self._alike[id(found)] = wish
        self._wishes[lamp.id] = lamp, model, own, wish
        return wish

    def _calendar(self, lamp: Luminaire) -> str:
        place = (lamp.zone, lamp.circuit) if self._by_place else lamp.id
        found = self._calendars.get(place)
        if found is None:
            found = self._calendars[place] = self.programming.calendar_of(lamp).id
        return found


def merged(own: DeviceConfig | None, program: DeviceConfig | None) -> DeviceConfig | None:
    """What people have set, with the program where they have set none by hand."""
    if program is None or not program.programs or (own is not None and own.programs):
        return own
    return replace(own or DeviceConfig(), sun_calendar=program.sun_calendar, holidays=program.holidays,
                   profiles=program.profiles, tasks=program.tasks)
