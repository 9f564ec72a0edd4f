"""Queries are made from the tables of quantities, and no name can break out of its quotes."""

import pytest

from city.figures import CONTROL_OUTSTANDING, ENERGY_LAMPS, ENERGY_USED, PARKING_FREE
from city.ids import TenantId
from city.quantities import (
    DEVICE_UPLINKS,
    LAMP_ENERGY,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_REASON,
    RADIO_RSSI,
    RADIO_SNR,
)
from dashboards import derived, queries
from dashboards.queries import Scope

TOWN = TenantId("ahausen")
SCOPE = Scope(TOWN, {"zone": "zone"})
WHERE = "\"tenant\" = 'ahausen' AND \"zone\" =~ /^$zone$/ AND $timeFilter"


def test_a_mean_by_zone():
    assert queries.series(LAMP_LEVEL, SCOPE) == (
        f'SELECT mean("level") AS "level" FROM "lamp" WHERE {WHERE} GROUP BY time($__interval), "zone" fill(none)')


def test_another_step_another_tag_and_none():
    assert queries.series(LAMP_POWER, SCOPE, by=("circuit",), every="1h").endswith('GROUP BY time(1h), "circuit" fill(none)')
    assert queries.series(LAMP_POWER, SCOPE, by=(), every="1h").endswith("GROUP BY time(1h) fill(none)")


def test_hours_and_days_have_fields_of_their_own_under_the_quantitys_name():
    assert queries.series(LAMP_LEVEL, SCOPE, rolled="max").startswith('SELECT mean("level_max") AS "level" FROM "lamp"')
    for quantity, rolled in ((LAMP_LEVEL, "last"), (LAMP_ENERGY, "mean"), (LAMP_FAILURE, "max"), (LAMP_REASON, "count")):
        with pytest.raises(ValueError, match=quantity.name):
            queries.series(quantity, SCOPE, rolled=rolled)


@pytest.mark.parametrize("quantity", [LAMP_FAILURE, LAMP_REASON, LAMP_ENERGY, DEVICE_UPLINKS])
def test_what_has_no_mean_is_refused(quantity):
    for make in (queries.series, queries.together, queries.summed):
        with pytest.raises(ValueError, match=quantity.name):
            make(quantity, SCOPE)


def test_the_sum_of_samples_takes_each_zones_mean_first():
    assert queries.together(CONTROL_OUTSTANDING, SCOPE) == (
        'SELECT sum("outstanding") AS "outstanding" FROM (SELECT mean("outstanding") AS "outstanding" FROM "control" '
        f'WHERE {WHERE} GROUP BY time($__interval), "zone" fill(none)) WHERE $timeFilter GROUP BY time($__interval) fill(none)')


def test_a_counters_gain_is_made_for_each_asset_before_they_are_added_up():
    query = queries.gain(LAMP_ENERGY, SCOPE, into=derived.LAMP_ENERGY_GAIN, rolled=True)
    assert 'non_negative_difference(last("energy_last")) AS "energy_gain" FROM "lamp"' in query
    assert 'GROUP BY time(1d), "asset", "zone" fill(none)) WHERE $timeFilter GROUP BY time(1d), "zone"' in query


def test_counting_needs_no_condition_or_one():
    assert "WHERE" not in queries.count_now(LAMP_LEVEL, SCOPE).rpartition(")")[2]
    assert queries.count_now(LAMP_LEVEL, SCOPE, above=0).endswith('WHERE "level" > 0')


def test_a_table_names_its_columns_and_is_bounded():
    query = queries.sums((ENERGY_USED, ENERGY_LAMPS), SCOPE, by=("circuit",), most=7, of={ENERGY_LAMPS.name: "max"})
    assert query.startswith('SELECT "used", "lamps", "circuit" FROM (SELECT sum("used") AS "used", sum("lamps") AS "lamps" FROM '
                            '(SELECT sum("used") AS "used", max("lamps") AS "lamps" FROM "energy"')
    assert query.endswith(' GROUP BY "circuit") GROUP BY "circuit") ORDER BY time ASC LIMIT 7')
    assert queries.rows("event", {"de": "text"}, SCOPE, most=3).startswith('SELECT "de" AS "text" FROM "event"')
    assert queries.weakest(RADIO_SNR, SCOPE, RADIO_RSSI, most=5).startswith(
        'SELECT bottom("snr", 5) AS "snr", "rssi", "asset", "zone" FROM (SELECT mean("snr") AS "snr", mean("rssi") AS "rssi"')


def test_a_scope_says_town_chosen_and_fixed_tags_and_may_show_what_concerns_all():
    assert Scope(None, {"name": "process"}, {"process": "api"}).tags() == "\"process\" = 'api' AND \"name\" =~ /^$process$/"
    assert Scope(None).where() == "$timeFilter"
    assert SCOPE.with_fixed(kind="lamp").tags() == (
        "\"tenant\" = 'ahausen' AND \"kind\" = 'lamp' AND \"zone\" =~ /^$zone$/")
    assert "(\"zone\" =~ /^$zone$/ OR \"zone\" = '')" in Scope(TOWN, {"zone": "zone"}, also=True).tags()


@pytest.mark.parametrize(("value", "quoted"), [
    ("plain", "'plain'"), ("O'Brien", r"'O\'Brien'"), ("end\\", r"'end\\'"), ("' OR 1=1 --", r"'\' OR 1=1 --'"),
    ("a\nb", r"'a\nb'")])
def test_a_text_stays_inside_its_quotes(value, quoted):
    assert queries.text(value) == quoted
    assert quoted in queries.series(LAMP_LEVEL, SCOPE.with_fixed(kind=value))


def test_an_identifier_stays_inside_its_quotes():
    assert queries.name('a"b\\') == '"a\\"b\\\\"'


def test_every_query_names_its_town_and_time():
    for query in (queries.series(LAMP_LEVEL, SCOPE), queries.together(LAMP_POWER, SCOPE), queries.count_now(LAMP_LEVEL, SCOPE),
                  queries.newest(LAMP_LEVEL, SCOPE), queries.newest_each(LAMP_LEVEL, SCOPE),
                  queries.now(PARKING_FREE, SCOPE, each=("zone", "restriction"), by=("zone",)),
                  queries.summed(ENERGY_USED, SCOPE),
                  queries.share(derived.ENERGY_SAVING, "a", "b", "energy", SCOPE, by=("zone",), every="1d")):
        assert "\"tenant\" = 'ahausen'" in query
        assert "$timeFilter" in query
    offered = queries.choices("lamp", SCOPE, tag="circuit")
    assert "'ahausen'" in offered
    assert offered.endswith(f"LIMIT {queries.MOST_CHOICES}")
