"""What the platform asks of storage about energy; see city.store.ports. The bridge writes nights, people write factors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from city.energy import Ends, LampNight
from city.energy_report import NightSum
from city.factors import Factor, FactorKind, Factors
from city.ids import AssetId, TenantId


@dataclass(frozen=True, slots=True)
class Booked:
    """The first and the last night that a town's book has, and when it was last written."""

    first: date
    last: date
    at: datetime


class EnergyStore(Protocol):
    """One tenant's book of energy, and its factors."""

    def energy(self, first: date, last: date) -> Sequence[NightSum]:
        """The nights from `first` to `last`, both included, in order of night, zone and circuit."""
        ...
    def lamp_nights(self, first: date, last: date, asset: AssetId | None = None) -> Sequence[LampNight]:
        """Lamp by lamp, in order of night and lamp."""
        ...
    def booked(self) -> Booked | None:
        """None where nothing has been booked."""
        ...
    def factors(self) -> Factors:
        """The town's own; those that are shipped stand behind them."""
        ...
    def put_factor(self, factor: Factor, actor: str, now: datetime) -> None:
        """Add it, or another version of the same kind and day. Raises Conflict where the town keeps too many."""
        ...
    def remove_factor(self, kind: FactorKind, valid_from: date) -> None:
        """Raises NotFound."""
        ...


class EnergyBook(Protocol):
    """The bridge's half, of any town."""

    def book_nights(self, tenant: TenantId, nights: Sequence[LampNight], now: datetime) -> int:
        """Write these lines, unless more was heard for the one that stands; returns how many were written."""
        ...
    def counter_ends(self, tenant: TenantId, night: date) -> tuple[Mapping[AssetId, tuple[date, Ends]],
                                                                   Mapping[AssetId, tuple[date, Ends]]]:
        """The ends of each lamp's counters in the last night before this one in which it was heard, and in the first one
        after it, within 31 nights; with those nights."""
        ...
    def drop_nights(self, before: date, limit: int = 10_000) -> int:
        """Forget at most so many lines of each town's nights before that day, the oldest first; returns how many."""
        ...
    def lines_of(self, tenant: TenantId, night: date, assets: Collection[AssetId] | None = None) -> Mapping[AssetId, LampNight]:
        """The lines of a night, of these lamps or of all."""
        ...
