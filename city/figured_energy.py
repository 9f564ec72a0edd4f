"""The book of energy as figures: what each zone's circuits used in a night, emitted and cost, and what was programmed. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time

from city.bookkeeping import Known
from city.energy import HOUR
from city.energy_report import NightSum
from city.expected import expected_power
from city.factors import FactorKind, Factors
from city.figured import Figure
from city.figures import (
    ENERGY_BURN,
    ENERGY_CO2,
    ENERGY_CO2_SAVED,
    ENERGY_COST,
    ENERGY_ESTIMATED,
    ENERGY_EXPECTED,
    ENERGY_LAMPS,
    ENERGY_METERED,
    ENERGY_MISSING,
    ENERGY_OVER,
    ENERGY_UNDIMMED,
    ENERGY_USED,
)
from city.floors import FloorKey, floor_key
from city.ids import CircuitId, ProgramId, ZoneId
from city.nights import BERLIN, Night
from city.places import Luminaire
from city.readings import to_ns
from city.wants import curve_of

Place = tuple[ZoneId, CircuitId | None]
_Alike = tuple[ProgramId, FloorKey, float, str, bool]  # lamps that should take the same


def energy(sums: Iterable[NightSum], factors: Factors, expected: Mapping[Place, float], *, tonight: date) -> Iterator[Figure]:
    """A point for each sum, dated at the noon in which its night begins. `expected`: Wh, of the night that all of them are of;
    where a place is missing from it nothing is said of it. Nights before `tonight` are over."""
    for one in sums:
        used, grams = one.used, factors.at(FactorKind.CO2, one.night).value / 1e6  # kg a Wh
        euros = factors.at(FactorKind.PRICE, one.night).value / 1000
        yield Figure("energy", {"zone": one.zone, "circuit": one.circuit or ""}, {
            ENERGY_USED: float(used.wh), ENERGY_METERED: float(used.metered_wh), ENERGY_ESTIMATED: float(used.estimated_wh),
            ENERGY_UNDIMMED: float(used.undimmed_wh), ENERGY_EXPECTED: expected.get((one.zone, one.circuit)),
            ENERGY_OVER: one.night < tonight,
            ENERGY_CO2: round(used.wh * grams, 6), ENERGY_CO2_SAVED: round((used.undimmed_wh - used.wh) * grams, 6),
            ENERGY_COST: round(used.wh * euros, 6), ENERGY_BURN: float(used.burn_s), ENERGY_MISSING: float(used.missing_s),
            ENERGY_LAMPS: one.lamps}, to_ns(datetime.combine(one.night, time(12), BERLIN).astimezone(UTC)))


def expected_wh(lamps: Iterable[Luminaire], known: Known, evening: date) -> dict[Place, float]:
    """What the whole night that begins on `evening` should take as it is programmed now, without overrides, Wh by zone and
    circuit; no word of places with a lamp whose power nobody has written down."""
    night = Night.of(evening, known.programming.site)
    by_place = not any(one.target.kind in ("lamp", "group") for one in known.programming.assignments)
    programs: dict[Place, ProgramId] = {}
    alike: dict[_Alike, float] = {}
    found: dict[Place, float] = {}
    unknown = set[Place]()
    for lamp in lamps:
        place = lamp.zone, lamp.circuit
        if not lamp.power_w:
            unknown.add(place)
            continue
        program = programs.get(place) if by_place else None
        if program is None:
            program = programs[place] = known.programming.program_of(lamp, evening).id
        dark = lamp.circuit is None or lamp.circuit not in known.night_switched
        key = program, floor_key(lamp), lamp.power_w, lamp.luminaire_type, dark
        if key not in alike:
            alike[key] = _wh(lamp, known, night, standby=dark)
        found[place] = found.get(place, 0.0) + alike[key]
    return {place: round(wh, 1) for place, wh in found.items() if place not in unknown}


def _wh(lamp: Luminaire, known: Known, night: Night, *, standby: bool) -> float:
    changes = curve_of(lamp, known.programming, night)
    ends = [*(change.at for change in changes[1:]), night.next_noon]
    total = 0.0
    for change, end in zip(changes, ends, strict=True):
        watts = expected_power(lamp, change.level, known.learnt) or 0.0
        total += (watts if change.level or standby else 0.0) * (end - change.at).total_seconds() / HOUR
    return total
