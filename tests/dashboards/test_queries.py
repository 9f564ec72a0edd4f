"""Queries are made from the Quantity table, and no name can break out of its quotes."""

import pytest

from city.ids import TenantId
from city.quantities import DEVICE_UPLINKS, LAMP_ENERGY, LAMP_FAILURE, LAMP_LEVEL, LAMP_POWER, LAMP_REASON
from dashboards import queries

TOWN = TenantId("ahausen")


def test_a_mean_by_zone():
    assert queries.series(LAMP_LEVEL, tenant=TOWN) == (
        'SELECT mean("level") AS "level" FROM "lamp" WHERE "tenant" = \'ahausen\' AND "zone" =~ /^$zone$/ '
        'AND $timeFilter GROUP BY time($__interval), "zone" fill(none)')


def test_another_step_and_another_tag():
    query = queries.series(LAMP_POWER, tenant=TOWN, by="circuit", every="1h")
    assert query.endswith('GROUP BY time(1h), "circuit" fill(none)')


@pytest.mark.parametrize("quantity", [LAMP_FAILURE, LAMP_REASON, LAMP_ENERGY, DEVICE_UPLINKS])
def test_what_has_no_mean_is_refused(quantity):
    for make in (queries.series, queries.total, queries.total_now, queries.count_now):
        with pytest.raises(ValueError, match=quantity.name):
            make(quantity, tenant=TOWN)


def test_counting_needs_no_condition_or_one():
    assert "WHERE" not in queries.count_now(LAMP_LEVEL, tenant=TOWN).rpartition(")")[2]
    assert queries.count_now(LAMP_LEVEL, tenant=TOWN, above=0).endswith('WHERE "level" > 0')


@pytest.mark.parametrize(("value", "quoted"), [
    ("plain", "'plain'"), ("O'Brien", r"'O\'Brien'"), ("end\\", r"'end\\'"), ("' OR 1=1 --", r"'\' OR 1=1 --'"),
    ("a\nb", r"'a\nb'")])
def test_a_text_stays_inside_its_quotes(value, quoted):
    assert queries.text(value) == quoted


def test_an_identifier_stays_inside_its_quotes():
    assert queries.name('a"b\\') == '"a\\"b\\\\"'


def test_every_query_names_its_town():
    for query in (queries.series(LAMP_LEVEL, tenant=TOWN), queries.total(LAMP_POWER, tenant=TOWN),
                  queries.total_now(LAMP_POWER, tenant=TOWN), queries.count_now(LAMP_LEVEL, tenant=TOWN),
                  queries.newest(LAMP_LEVEL, tenant=TOWN), queries.newest_each(LAMP_LEVEL, tenant=TOWN),
                  queries.choices(LAMP_LEVEL, tenant=TOWN, tag="zone")):
        assert "\"tenant\" = 'ahausen'" in query
