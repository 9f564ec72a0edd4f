"""A year under a program: the same as night by night within the law, quick for a town, and honest about what is unknown."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.factors import Factor, FactorKind, Factors
from city.floors import lawful
from city.groups import Target
from city.ids import AssetId, CalendarId, CircuitId, ProgramId, TenantId, ZoneId
from city.nights import Night, curve
from city.places import Luminaire, Restriction, Site
from city.programs import (
    GANZNACHT,
    HALBNACHT,
    SHIPPED,
    TEILNACHT,
    Anchor,
    Assignment,
    Moment,
    Program,
    Programming,
    Step,
    clock,
)
from city.whatif import NIGHTS, Terms, always, compare, with_program, year_of
from tests.examples import examples

SITE = Site(50.94, 6.96)
FIRST = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TERMS = Terms(FIRST)


def lamp(number: int = 0, **more: object) -> Luminaire:
    return Luminaire(TenantId("t"), AssetId(f"l{number}"), "", SITE, ZoneId(f"z{number % 12}"), CircuitId(f"c{number % 50}"),
                     **{"power_w": 40.0, **more})


def by_hand(program: Program, one: Luminaire) -> float:
    total = 0.0
    for number in range(NIGHTS):
        night = Night.of(FIRST + timedelta(days=number), SITE)
        changes = lawful(curve(program, night), one, night)
        for change, end in zip(changes, [*(later.at for later in changes[1:]), night.next_noon], strict=True):
            watts = 0.5 if not change.level else (one.power_w or 0) * (0.05 + 0.95 * (change.level / 100) ** 1.35)
            total += watts * (end - change.at).total_seconds() / 3600
    return total


moments = st.one_of(st.integers(0, 1439).map(lambda minutes: Moment(Anchor.CLOCK, minutes)),
                    st.builds(Moment, st.sampled_from([Anchor.SUNSET, Anchor.SUNRISE, Anchor.DUSK, Anchor.DAWN]),
                              st.integers(-240, 240)))
steps = st.builds(Step, moments, st.integers(0, 100))
programs = st.builds(Program, st.just(ProgramId("p")), st.just("p"), steps, st.lists(steps, max_size=5).map(tuple))
lamps = st.builds(lamp, lighting_class=st.sampled_from(["", "M4", "P4"]), lighting_class_night=st.sampled_from(["", "M5", "P6"]),
                  designed_value=st.sampled_from([None, 0.9, 6.0]), lantern_ring=st.booleans(),
                  min_level=st.sampled_from([0, 20]), restriction=st.sampled_from([Restriction.NONE, Restriction.CROSSWALK]))


@settings(max_examples=examples(12), deadline=None)
@given(programs, lamps)
def test_a_year_is_what_its_nights_are_within_the_law(program: Program, one: Luminaire):
    found = year_of(always(Programming(SITE), program), [one], TERMS)
    assert found.wh == pytest.approx(by_hand(program, one), rel=1e-9)


def test_half_night_dimming_saves_what_it_should():
    """The reference's rule of thumb says 27 % for 23 to 5 and linear power; real drivers save a little less of more hours."""
    found = compare(Programming(SITE), always(Programming(SITE), SHIPPED[GANZNACHT]), [lamp()], TERMS, Factors())
    assert 0.25 < found.before.saved_share < 0.40
    assert found.saved_kwh < 0  # burning all night costs more than half-night
    assert 4000 < found.before.hours_per_lamp < 4400
    assert found.saved_co2_kg == pytest.approx(found.saved_kwh * 0.363)
    assert found.saved_eur == pytest.approx(found.saved_kwh * 0.30)


def test_a_towns_own_figures_go_before_the_shipped_ones():
    own = Factors((Factor(FactorKind.PRICE, date(2026, 1, 1), 0.25, "Vertrag 2026"),
                   Factor(FactorKind.PRICE, date(2027, 1, 1), 0.99, "Vertrag 2027")))
    found = compare(Programming(SITE), Programming(SITE), [lamp()], TERMS, own)
    assert (found.price.value, found.co2.value) == (0.25, 363.0)


def test_another_version_of_a_program_counts_only_where_it_is_obeyed():
    part = Programming(SITE, assignments=(Assignment(Target("zone", "z1"), CalendarId("ganznacht"), NOW, "me"),))
    darker = Program(HALBNACHT, "x", Step(Moment(Anchor.SUNSET), 60))
    now, then = year_of(part, [lamp(0), lamp(1)], TERMS), year_of(with_program(part, darker), [lamp(0), lamp(1)], TERMS)
    alone = year_of(with_program(part, darker), [lamp(0)], TERMS)
    assert then.wh - alone.wh == pytest.approx(year_of(part, [lamp(1)], TERMS).wh)
    assert now.wh != then.wh


def test_lamps_without_a_power_burn_and_are_counted_as_unknown():
    found = year_of(Programming(SITE), [lamp(0), lamp(1, power_w=None)], TERMS)
    assert (found.lamps, found.unknown) == (2, 1)
    assert found.wh == year_of(Programming(SITE), [lamp(0)], TERMS).wh


def test_a_night_switched_circuit_has_no_standby_by_day():
    with_day = year_of(always(Programming(SITE), SHIPPED[GANZNACHT]), [lamp(0)], TERMS)
    without = year_of(always(Programming(SITE), SHIPPED[GANZNACHT]), [lamp(0)], Terms(FIRST, night_switched={CircuitId("c0")}))
    assert with_day.wh - without.wh == pytest.approx(0.5 * (NIGHTS * 24 - with_day.burn_h), rel=0.001)


def test_going_dark_saves_only_where_a_ring_permits_it():
    town = Programming(SITE)
    ring, none = (year_of(always(town, SHIPPED[TEILNACHT]), [lamp(0, lantern_ring=ring)], TERMS) for ring in (True, False))
    assert ring.burn_h < 0.7 * none.burn_h
    assert none.burn_h == pytest.approx(year_of(always(town, SHIPPED[GANZNACHT]), [lamp(0)], TERMS).burn_h, rel=0.02)


def test_a_town_of_three_thousand_lamps_costs_hardly_more_than_ten():
    rng = Random(1)
    town = [lamp(number, power_w=rng.choice([18.0, 25.0, 40.0, 64.0, 90.0]), lighting_class=rng.choice(["M4", "M5", "P4", "P5"]),
                 lighting_class_night=rng.choice(["", "M5", "P6"]), luminaire_type=rng.choice("abcdef"),
                 designed_value=rng.choice([None, 0.8, 6.0])) for number in range(3000)]

    def cost(some: list[Luminaire], level: int) -> float:
        program = Program(HALBNACHT, "x", Step(Moment(Anchor.SUNSET), 100), (Step(clock(23), level),))
        begun = process_time()
        year_of(with_program(Programming(SITE), program), some, TERMS)
        return process_time() - begun

    cost(town[:10], 42)  # the sun of the year is asked once
    assert min(cost(town, level) for level in (43, 44, 45)) < 6 * min(cost(town[:10], level) for level in (46, 47, 48))
