"""A month of a town's energy, by zone, circuit or delivery point: what was used, saved, emitted and paid for.

All figures are whole numbers of the unit in which they are shown, and parts add up to the whole exactly: each column's
total is rounded once, and its rows share it (largest remainder). So page, CSV and PDF say the same to the last digit.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Literal

from city.energy import Used
from city.errors import Invalid
from city.factors import Factor, FactorKind, Factors
from city.ids import CircuitId, ZoneId
from city.places import Circuit, Zone

By = Literal["zone", "circuit", "delivery"]
HOUR = 3600


@dataclass(frozen=True, slots=True)
class NightSum:
    """What the lamps of one circuit in one zone come to in one night."""

    night: date
    zone: ZoneId
    circuit: CircuitId | None
    lamps: int
    used: Used


@dataclass(frozen=True, slots=True)
class Line:
    """One zone, circuit or delivery point, or all of them. Energies in tenths of a kWh, CO2 in tenths of a kg, money in cents,
    hours of burning and hours of which nothing is known as whole hours of one lamp. `id` "" where there is none."""

    id: str
    name: str
    lamps: int
    metered: int = 0
    estimated: int = 0
    undimmed: int = 0
    burn_h: int = 0
    missing_h: int = 0
    co2: int = 0
    co2_undimmed: int = 0
    cents: int = 0
    cents_undimmed: int = 0

    @property
    def used(self) -> int:
        return self.metered + self.estimated

    @property
    def saved(self) -> int:
        """Against the same hours at 100 %; below 0 where lamps draw more than they should."""
        return self.undimmed - self.used

    @property
    def saved_share(self) -> float:
        return self.saved / self.undimmed if self.undimmed else 0.0


@dataclass(frozen=True, slots=True)
class NightLine:
    """One night of the town, in tenths of a kWh."""

    night: date
    metered: int
    estimated: int
    undimmed: int

    @property
    def used(self) -> int:
        return self.metered + self.estimated


@dataclass(frozen=True, slots=True)
class Report:
    """A month: `lines` in order of their names, what they add up to, its nights, and the figures that were used."""

    month: date
    by: By
    lines: tuple[Line, ...]
    total: Line
    nights: tuple[NightLine, ...]
    factors: tuple[Factor, ...]

    @property
    def complete(self) -> bool:
        """Whether every night of the month is in it."""
        return len(self.nights) == monthrange(self.month.year, self.month.month)[1]


def month_of(text: str) -> date:
    """The first day of "2026-11". Raises Invalid."""
    try:
        year, month = text.split("-")
        if len(year) == 4 and len(month) == 2:
            return date(int(year), int(month), 1)
    except ValueError:
        pass
    raise Invalid("A month is written as year-month: 2026-11.", field="month", rule="YYYY-MM")


def last_of(month: date) -> date:
    """The last day of the month that begins then."""
    return month.replace(day=monthrange(month.year, month.month)[1])


def next_month(month: date, step: int = 1) -> date:
    """The first day of the month after (or, with -1, before)."""
    return (last_of(month) + timedelta(days=1)) if step > 0 else (month - timedelta(days=1)).replace(day=1)


@dataclass(frozen=True, slots=True)
class Places:
    """What a town's zones and circuits are called, and which delivery point feeds which circuit."""

    zones: Mapping[str, str]
    circuits: Mapping[str, str]
    delivery: Mapping[str, str]

    @classmethod
    def of(cls, zones: Iterable[Zone], circuits: Iterable[Circuit]) -> "Places":
        known = list(circuits)
        return cls({zone.id: zone.name for zone in zones}, {one.id: one.name or one.id for one in known},
                   {one.id: one.delivery_point for one in known})

    def key(self, one: NightSum, by: By) -> tuple[str, str]:
        """Where it belongs: id and name."""
        circuit = one.circuit or ""
        if by == "zone":
            return one.zone, self.zones.get(one.zone, one.zone)
        if by == "circuit":
            return circuit, self.circuits.get(circuit, circuit)
        return self.delivery.get(circuit, ""), self.delivery.get(circuit, "")


def report(month: date, by: By, sums: Sequence[NightSum], places: Places, factors: Factors) -> Report:
    """The report on the nights of a month, whose evenings lie in it; `sums` of other nights must not be among them."""
    groups: dict[tuple[str, str], _Column] = defaultdict(_Column)
    nights: dict[date, _Column] = defaultdict(_Column)
    rates = {night: (_rate(factors, FactorKind.CO2, night), _rate(factors, FactorKind.PRICE, night))
             for night in {one.night for one in sums}}
    for one in sums:
        for column in (groups[places.key(one, by)], nights[one.night]):
            column.add(one, *rates[one.night])
    keys = sorted(groups, key=lambda key: (not key[0], key[1].casefold(), key[0]))
    parts = _shared([groups[key] for key in keys])
    lines = tuple(Line(key[0], key[1], groups[key].lamps(), **part) for key, part in zip(keys, parts, strict=True))
    total = Line("", "", _together(groups.values()).lamps(),
                 **{name: sum(part[name] for part in parts) for name in _AMOUNTS})
    evenings = sorted(nights)
    shared = _shared([nights[night] for night in evenings])
    by_night = tuple(NightLine(night, part["metered"], part["estimated"], part["undimmed"])
                     for night, part in zip(evenings, shared, strict=True))
    return Report(month, by, lines, total, by_night, factors.used(evenings or [month]))


def apportion(parts: Sequence[Fraction]) -> list[int]:
    """Whole numbers that are each part rounded up or down, and add up to the rounded sum of the parts."""
    whole = [part.numerator // part.denominator for part in parts]
    left = round(sum(parts, Fraction(0))) - sum(whole)
    order = sorted(range(len(parts)), key=lambda index: (whole[index] - parts[index], index))
    for index in order[:left]:
        whole[index] += 1
    return whole


@dataclass(slots=True)
class _Column:
    """Exact sums of one line."""

    metered_wh: int = 0
    estimated_wh: int = 0
    undimmed_wh: int = 0
    burn_s: int = 0
    missing_s: int = 0
    grams: Fraction = Fraction(0)
    grams_undimmed: Fraction = Fraction(0)
    euros: Fraction = Fraction(0)
    euros_undimmed: Fraction = Fraction(0)
    by_night: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, one: NightSum, grams: Fraction, euros: Fraction) -> None:
        used = one.used
        self.metered_wh += used.metered_wh
        self.estimated_wh += used.estimated_wh
        self.undimmed_wh += used.undimmed_wh
        self.burn_s += used.burn_s
        self.missing_s += used.missing_s
        self.grams += grams * used.wh / 1000
        self.grams_undimmed += grams * used.undimmed_wh / 1000
        self.euros += euros * used.wh / 1000
        self.euros_undimmed += euros * used.undimmed_wh / 1000
        self.by_night[one.night] += one.lamps

    def lamps(self) -> int:
        """The most that were there in one night."""
        return max(self.by_night.values(), default=0)


_AMOUNTS: Mapping[str, Callable[[_Column], Fraction]] = {
    "metered": lambda one: Fraction(one.metered_wh, 100), "estimated": lambda one: Fraction(one.estimated_wh, 100),
    "undimmed": lambda one: Fraction(one.undimmed_wh, 100), "burn_h": lambda one: Fraction(one.burn_s, HOUR),
    "missing_h": lambda one: Fraction(one.missing_s, HOUR), "co2": lambda one: one.grams / 100,
    "co2_undimmed": lambda one: one.grams_undimmed / 100, "cents": lambda one: one.euros * 100,
    "cents_undimmed": lambda one: one.euros_undimmed * 100}


def _shared(columns: Sequence[_Column]) -> list[dict[str, int]]:
    """What each line shows."""
    shown = {name: apportion([amount(column) for column in columns]) for name, amount in _AMOUNTS.items()}
    return [{name: shown[name][index] for name in _AMOUNTS} for index in range(len(columns))]


def _together(columns: Iterable[_Column]) -> _Column:
    whole = _Column()
    for column in columns:
        for night, lamps in column.by_night.items():
            whole.by_night[night] += lamps
    return whole


def _rate(factors: Factors, kind: FactorKind, night: date) -> Fraction:
    """Exactly the figure that people read: 0.3 is three tenths."""
    return Fraction(str(factors.at(kind, night).value))
