"""A month's report: the parts are the whole, whichever way it is cut; figures by their days; formulas cannot hide in names."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.energy import Used
from city.energy_report import NightSum, Places, apportion, last_of, month_of, next_month, report
from city.errors import Invalid
from city.factors import SHIPPED, Factor, FactorKind, Factors
from city.ids import CircuitId, TenantId, ZoneId
from city.places import Circuit, Zone

NOVEMBER = date(2026, 11, 1)
TOWN = TenantId("t")
PLACES = Places.of([Zone(TOWN, ZoneId("z0"), "Markt"), Zone(TOWN, ZoneId("z1"), "Hafen")],
                   [Circuit(TOWN, CircuitId("c0"), "Schrank 1", "DE-1"), Circuit(TOWN, CircuitId("c1"), "", "DE-1"),
                    Circuit(TOWN, CircuitId("c2"), "Schrank 3", "DE-2")])
OWN = Factors((Factor(FactorKind.PRICE, date(2026, 11, 16), 0.2871, "Vertrag"),
               Factor(FactorKind.CO2, date(2026, 11, 3), 341.7, "Versorger")))

whole = st.integers(0, 500_000)
sums = st.lists(st.builds(
    NightSum, st.integers(0, 29).map(lambda n: NOVEMBER + timedelta(days=n)),
    st.sampled_from([ZoneId("z0"), ZoneId("z1"), ZoneId("x")]),
    st.sampled_from([None, CircuitId("c0"), CircuitId("c1"), CircuitId("c2")]), st.integers(1, 100),
    st.builds(Used, whole, whole, whole, st.integers(0, 10**7), st.integers(0, 10**6))), max_size=40)
COLUMNS = ("metered", "estimated", "used", "undimmed", "saved", "burn_h", "missing_h", "co2", "co2_undimmed", "cents",
           "cents_undimmed")


@given(sums)
def test_parts_add_up_to_the_whole_and_the_whole_is_the_same_however_it_is_cut(said: list[NightSum]):
    cuts = [report(NOVEMBER, by, said, PLACES, OWN) for by in ("zone", "circuit", "delivery")]
    for cut in cuts:
        for name in COLUMNS:
            assert sum(getattr(line, name) for line in cut.lines) == getattr(cut.total, name)
        assert sum(night.used for night in cut.nights) == cut.total.used
        assert sum(night.undimmed for night in cut.nights) == cut.total.undimmed
    assert cuts[0].total == cuts[1].total == cuts[2].total
    assert abs(cuts[0].total.metered * 100 - sum(one.used.metered_wh for one in said)) <= 50


@given(st.lists(st.fractions(0, 10**6, max_denominator=1000), max_size=30))
def test_what_is_shared_is_whole_and_near(parts: list[Fraction]):
    shared = apportion(parts)
    assert sum(shared) == round(sum(parts, Fraction(0)))
    assert all(abs(whole - part) < 1 for whole, part in zip(shared, parts, strict=True))


def test_circuits_of_one_delivery_point_are_one_line():
    said = [NightSum(NOVEMBER, ZoneId("z0"), CircuitId(name), 10, Used(1000)) for name in ("c0", "c1", "c2")]
    said.append(NightSum(NOVEMBER, ZoneId("z0"), None, 3, Used(500)))
    lines = report(NOVEMBER, "delivery", said, PLACES, Factors()).lines
    assert [(line.id, line.lamps, line.used) for line in lines] == [("DE-1", 20, 20), ("DE-2", 10, 10), ("", 3, 5)]


def test_each_night_has_the_figures_of_its_day():
    said = [NightSum(date(2026, 11, day), ZoneId("z0"), None, 1, Used(100_000)) for day in (2, 20)]
    found = report(NOVEMBER, "zone", said, PLACES, OWN)
    assert found.total.cents == 3000 + 2871
    assert found.total.co2 == round(10 * (36.3 + 34.17))
    assert [(one.kind, one.value) for one in found.factors] == [
        (FactorKind.CO2, 363.0), (FactorKind.CO2, 341.7), (FactorKind.PRICE, 0.3), (FactorKind.PRICE, 0.2871)]


def test_a_month_without_a_night_says_so():
    found = report(NOVEMBER, "zone", [], PLACES, Factors())
    assert (found.lines, found.total.used, found.complete) == ((), 0, False)
    assert set(found.factors) == set(SHIPPED)


def test_months_are_read_and_counted():
    assert month_of("2026-02") == date(2026, 2, 1)
    assert last_of(date(2028, 2, 1)) == date(2028, 2, 29)
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 1), -1) == date(2025, 12, 1)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "26-01", "2026-1", "0000-01", "2026-01-01", "x-y"])
def test_what_is_no_month_is_refused(text: str):
    with pytest.raises(Invalid):
        month_of(text)


@pytest.mark.parametrize(("value", "source"), [
    (-1, "x"), (6, "x"), (float("nan"), "x"), (float("inf"), "x"), (0.3, ""), (0.3, " "), (0.3, "a\nb"), (0.3, "x" * 201)])
def test_a_figure_is_plausible_and_has_a_source(value: float, source: str):
    with pytest.raises(Invalid):
        Factor(FactorKind.PRICE, NOVEMBER, value, source)
