"""What a kilowatt-hour emits and costs: figures with a source, each valid from a day on.

Shipped: the emissions of Germany's mix of electricity as the Umweltbundesamt gives them (estimate for 2024, published 2025;
direct emissions of generation, without what lies upstream), and a price that is nobody's: an assumption until the town says
what it pays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from math import isfinite

from city.errors import Invalid

MAX_TEXT = 200
MAX_FACTORS = 200  # of one town


class FactorKind(Enum):
    """What a kilowatt-hour is turned into."""

    CO2 = "co2"
    PRICE = "price"

    @property
    def unit(self) -> str:
        """As people write it."""
        return "g/kWh" if self is FactorKind.CO2 else "€/kWh"

    @property
    def most(self) -> float:
        """No figure is larger: coal emits 1,200 g, and no town pays five euros."""
        return 2000.0 if self is FactorKind.CO2 else 5.0


@dataclass(frozen=True, slots=True)
class Factor:
    """Per kilowatt-hour, from the night of `valid_from` on until a later factor of its kind. `scope`: what the figure holds
    for and includes. `assumed`: nobody has vouched for it. Raises Invalid."""

    kind: FactorKind
    valid_from: date
    value: float
    source: str
    scope: str = ""
    assumed: bool = False

    def __post_init__(self) -> None:
        if not (isfinite(self.value) and 0 <= self.value <= self.kind.most):
            raise Invalid("This figure lies between 0 and {most} {unit}.", field="value", rule=f"0…{self.kind.most:g}",
                          most=self.kind.most, unit=self.kind.unit)
        if not self.source.strip() or not _readable(self.source) or not _readable(self.scope):
            raise Invalid("A figure needs its source, in 1 to {most} printable characters.", field="source", rule="source",
                          most=MAX_TEXT)

    @property
    def unit(self) -> str:
        return self.kind.unit


@dataclass(frozen=True, slots=True)
class Factors:
    """A town's own figures over those that are shipped."""

    own: tuple[Factor, ...] = ()

    def at(self, kind: FactorKind, night: date) -> Factor:
        """The figure that holds in the night that begins on that day: the town's newest of then, else the shipped one."""
        return max((one for one in self.own if one.kind is kind and one.valid_from <= night),
                   key=lambda one: one.valid_from, default=_shipped(kind))

    def used(self, nights: Iterable[date]) -> tuple[Factor, ...]:
        """Every figure that holds in one of these nights, by kind and day."""
        found = {self.at(kind, night) for night in nights for kind in FactorKind}
        return tuple(sorted(found, key=lambda one: (one.kind.value, one.valid_from)))


def _shipped(kind: FactorKind) -> Factor:
    return next(one for one in SHIPPED if one.kind is kind)


def _readable(text: str) -> bool:
    return len(text) <= MAX_TEXT and (not text or text.isprintable())


_FIRST = date(2000, 1, 1)  # nothing that is reported is older
SHIPPED = (
    Factor(FactorKind.CO2, _FIRST, 363.0, "Umweltbundesamt, 2025 (Schätzung für 2024)",
           "Strommix Deutschland, direkte Emissionen ohne Vorketten"),
    Factor(FactorKind.PRICE, _FIRST, 0.30, "Annahme von stadtfunk", "Arbeitspreis", assumed=True),
)
