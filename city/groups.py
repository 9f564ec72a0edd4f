"""Which lamps are meant: one, a zone, a circuit, a group, or all of a town. Groups may overlap; a group is a list of lamps,
or a filter that finds them anew whenever the registry changes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from city.errors import Invalid
from city.ids import AssetId, GroupId, TenantId
from city.places import Luminaire

Kind = Literal["town", "zone", "circuit", "group", "lamp"]
KINDS: tuple[Kind, ...] = ("town", "zone", "circuit", "group", "lamp")
MAX_MEMBERS = 20_000
MAX_NAME = 80
MAX_VALUES = 200


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What a wish or a calendar is for; `id` is "" for the town. As text "zone:markt", "town"."""

    kind: Kind
    id: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS or (self.kind == "town") != (not self.id):
            raise Invalid("“{value}” names no lamps: town, zone:…, circuit:…, group:… or lamp:… are possible.",
                          field="targets", rule="kind:id", value=f"{self.kind}:{self.id}"[:80])

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Raises Invalid."""
        kind, _, name = text.partition(":")
        return cls(kind, name)  # type: ignore[arg-type]  # checked there

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


TOWN = Target("town")


@dataclass(frozen=True, slots=True)
class Filter:
    """Lamps that have one of the values of each list that is not empty, and a power (W) within the bounds."""

    zones: tuple[str, ...] = ()
    circuits: tuple[str, ...] = ()
    lighting_classes: tuple[str, ...] = ()
    luminaire_types: tuple[str, ...] = ()
    restrictions: tuple[str, ...] = ()
    min_power_w: float | None = None
    max_power_w: float | None = None

    def __post_init__(self) -> None:
        values = [getattr(self, one.name) for one in fields(self)]
        if any(isinstance(one, tuple) and len(one) > MAX_VALUES for one in values):
            raise Invalid("A filter has at most {most} values a list.", field="filter", rule=f"≤ {MAX_VALUES}",
                          most=MAX_VALUES)
        if all((not one and one is None) or one == () for one in values):
            raise Invalid("A filter that asks for nothing would hold the whole town.", field="filter", rule="not empty")

    def keeps(self, lamp: Luminaire) -> bool:
        """Whether the lamp fulfils all of it."""
        lists = ((self.zones, lamp.zone), (self.circuits, lamp.circuit), (self.lighting_classes, lamp.lighting_class),
                 (self.luminaire_types, lamp.luminaire_type), (self.restrictions, lamp.restriction.value))
        if any(wanted and value not in wanted for wanted, value in lists):
            return False
        if self.min_power_w is None and self.max_power_w is None:
            return True
        most = float("inf") if self.max_power_w is None else self.max_power_w
        return lamp.power_w is not None and (self.min_power_w or 0) <= lamp.power_w <= most


@dataclass(frozen=True, slots=True)
class Group:
    """Lamps that are meant together: its `members`, or those that its `filter` finds. Raises Invalid."""

    tenant: TenantId
    id: GroupId
    name: str
    members: frozenset[AssetId] = frozenset()
    filter: Filter | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME or not self.name.isprintable():
            raise Invalid("A name has 1 to {most} printable characters.", field="name", rule="name", most=MAX_NAME)
        if self.members and self.filter is not None:
            raise Invalid("A group has members or a filter, not both.", field="filter", rule="one of two")
        if len(self.members) > MAX_MEMBERS:
            raise Invalid("A group has at most {most} lamps.", field="members", rule=f"≤ {MAX_MEMBERS}", most=MAX_MEMBERS)

    def covers(self, lamp: Luminaire) -> bool:
        """Whether the lamp, which is of the town, belongs to it now."""
        return self.filter.keeps(lamp) if self.filter is not None else lamp.id in self.members


Groups = Mapping[GroupId, Group]


class Cover:
    """Whether lamps are among some targets, with one look-up for each kind however many targets there are."""

    __slots__ = ("_assets", "_circuits", "_groups", "_town", "_zones")

    def __init__(self, targets: Iterable[Target], groups: Groups) -> None:
        by_kind: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for target in targets:
            by_kind[target.kind].add(target.id)
        self._town = bool(by_kind["town"])
        self._zones, self._circuits, self._assets = by_kind["zone"], by_kind["circuit"], by_kind["lamp"]
        self._groups = [group for name in by_kind["group"] if (group := groups.get(GroupId(name))) is not None]

    def __contains__(self, lamp: Luminaire) -> bool:
        return (self._town or lamp.id in self._assets or lamp.zone in self._zones or lamp.circuit in self._circuits
                or any(group.covers(lamp) for group in self._groups))


def resolve(targets: Collection[Target], lamps: Iterable[Luminaire], groups: Groups) -> list[Luminaire]:
    """The lamps of a town that the targets name, each once, in their order."""
    cover = Cover(targets, groups)
    return [lamp for lamp in lamps if lamp in cover]
