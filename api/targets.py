"""The setpoints of a whole town at one moment: what city.lighting.setpoint says of each lamp, without asking the sun
twenty thousand times."""

from collections.abc import Iterable
from datetime import datetime

from city.ids import AssetId, ZoneId
from city.lighting import Override, Program, Setpoint, lamp_floor, program_setpoint
from city.places import Luminaire, Site


class Targets:
    """Setpoints under these overrides and this program at `now`."""

    def __init__(self, overrides: Iterable[Override], program: Program, site: Site, now: datetime) -> None:
        self._program, self._site, self._now = program, site, now
        self._by_floor: dict[int, Setpoint] = {}
        self._zones: dict[ZoneId, Override] = {}
        self._assets: dict[AssetId, Override] = {}
        for wish in sorted((wish for wish in overrides if wish.active(now)), key=_age):
            if wish.asset is not None:
                self._assets[wish.asset] = wish
            elif wish.zone is not None:
                self._zones[wish.zone] = wish

    def of(self, lamp: Luminaire) -> Setpoint:
        """What is wanted of this lamp, which is of the town."""
        return self.under(self.override_of(lamp), lamp)

    def under(self, wish: Override | None, lamp: Luminaire) -> Setpoint:
        """What is wanted where `wish` is the override that wins."""
        if wish is not None:
            return Setpoint(wish.level, "override", f"override:{wish.id}", wish.start, wish.end)
        floor = lamp_floor(lamp)
        if floor not in self._by_floor:
            self._by_floor[floor] = program_setpoint(self._program, self._site, self._now, floor=floor)
        return self._by_floor[floor]

    def override_of(self, lamp: Luminaire) -> Override | None:
        """The override that wins at this lamp, if there is one."""
        of_zone, own = self._zones.get(lamp.zone), self._assets.get(lamp.id)
        if of_zone is None or own is None:
            return of_zone or own
        return max(of_zone, own, key=_age)

    def of_zone(self, zone: ZoneId) -> Override | None:
        """The override of the whole zone, if there is one."""
        return self._zones.get(zone)


def _age(wish: Override) -> tuple[datetime, str]:
    return wish.created_at, wish.id
